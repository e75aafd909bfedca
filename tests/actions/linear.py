"""Random exact matrices, and how they are compared."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from eqcompile.actions.group import Group, Image, Representation
from eqcompile.actions.images import as_matrix, settle_image
from eqcompile.exact.fields import Scalar
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.scalars import parse_scalar
from eqcompile.exact.signed import SignedPermutation

NUMBERS: tuple[int | Fraction, ...] = (0, 0, 0, 1, -1, 2, -3, Fraction(1, 2), Fraction(-2, 3))
IRRATIONAL: tuple[int | Scalar, ...] = (
    *(0, 0, 1, -1),
    *(parse_scalar(text) for text in ("sqrt(2)", "(1+sqrt(5))/2", "cos(2*pi/5)")),
)


@st.composite
def draw_matrix(draw: st.DrawFn, n: int, *, irrational: bool = False) -> Matrix:
    """Draw a square matrix, sparse more often than not; it may be singular."""
    numbers = st.sampled_from(IRRATIONAL if irrational else NUMBERS)
    row = st.lists(numbers, min_size=n, max_size=n)
    return Matrix.from_dense(draw(st.lists(row, min_size=n, max_size=n)))


@st.composite
def draw_invertible(draw: st.DrawFn, n: int) -> Matrix:
    """Draw an invertible rational matrix: lower times upper triangular, rows permuted."""
    free = st.sampled_from(NUMBERS)
    unit = st.sampled_from([Fraction(1), Fraction(-1), Fraction(2), Fraction(1, 3)])
    one, zero = Fraction(1), Fraction(0)

    def draw_entry(i: int, j: int, diagonal: Fraction | int) -> Fraction | int:
        return diagonal if i == j else draw(free) if i > j else zero

    lower = [[draw_entry(i, j, one) for j in range(n)] for i in range(n)]
    upper = [[draw_entry(j, i, draw(unit)) for j in range(n)] for i in range(n)]
    order = draw(st.permutations(range(n)))
    return (Matrix.from_dense(lower) @ Matrix.from_dense(upper)).take_rows(order)


def make_group(*matrices: Matrix, algebra: tuple[Matrix, ...] = ()) -> Group:
    """Make a group of some matrices, without its check for names."""
    labels = (f"g{i}" for i in range(len(matrices))), (f"X{i}" for i in range(len(algebra)))
    generators: tuple[Image, ...] = tuple(settle_image(matrix) for matrix in matrices)
    return Group("G", generators, (*labels[0], *labels[1]), algebra=algebra)


def sign(perm: list[int], signs: list[int]) -> SignedPermutation:
    """Return the signed permutation ``e_i -> signs[i] e_perm[i]``."""
    return SignedPermutation(np.array(perm), np.array(signs))


def list_matrices(representation: Representation) -> tuple[Matrix, ...]:
    """Return the images of the discrete generators as matrices."""
    return tuple(as_matrix(image) for image in representation.images)


def bracket(a: Matrix, b: Matrix) -> Matrix:
    """Return ``[a, b]``."""
    return a @ b - b @ a
