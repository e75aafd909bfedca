"""Exact kernels and canonical bases: against brute force, whatever the primes and the sizes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import gcd, lcm

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from eqcompile.exact import nullspace
from eqcompile.exact.elimination import Block, Echelon, lift_vectors, list_echelons, solve_echelon
from eqcompile.exact.fields import RATIONALS, Field, Scalar, cosine, root
from eqcompile.exact.integers import Integers
from eqcompile.exact.matrices import Matrix, direct_sum
from eqcompile.exact.nullspace import find_kernel, list_pivots, reduce_columns, split_components
from tests.exact.fields_of import count_rank, list_dense, matrices


def check_canonical(basis: Matrix) -> None:
    pivots = list_pivots(basis)
    assert np.all(np.diff(pivots) > 0)
    assert basis.denominator == 1
    for j, column in enumerate(zip(*list_dense(basis), strict=True)):
        numerators = [c for value in column for c in value.numerators]
        assert gcd(*numerators) == 1
        assert column[pivots[j]].as_fraction() > 0
        assert [i for i in pivots if column[i]] == [pivots[j]]


def reduce_rows(rows: list[list[Fraction]], width: int) -> Matrix:
    """Write the canonical basis of the span of rational rows, by sympy."""
    reduced = sympy.Matrix(len(rows), width, [x for row in rows for x in row]).rref()[0]
    columns = []
    for i in range(reduced.rows):
        row = [Fraction(int(x.p), int(x.q)) for x in reduced.row(i)]
        common = lcm(*(x.denominator for x in row))
        columns += [[x * common for x in row]] if any(row) else []
    return Matrix.from_dense(columns, width=width).transpose()


@given(matrices(field=RATIONALS))
def test_rational_bases_are_those_of_sympy(matrix: Matrix) -> None:
    rows = [[value.as_fraction() for value in row] for row in list_dense(matrix)]
    assert reduce_columns(matrix.transpose()) == reduce_rows(rows, matrix.width)
    entries = [sympy.Rational(x.numerator, x.denominator) for row in rows for x in row]
    vectors = sympy.Matrix(matrix.height, matrix.width, entries).nullspace()
    spanned = [[Fraction(int(x.p), int(x.q)) for x in vector] for vector in vectors]
    assert find_kernel(matrix) == reduce_rows(spanned, matrix.width)


@given(matrices())
def test_kernels_are_kernels_of_the_right_dimension(matrix: Matrix) -> None:
    kernel = find_kernel(matrix)
    assert (matrix @ kernel).is_zero
    assert kernel.shape == (matrix.width, matrix.width - count_rank(list_dense(matrix)))
    check_canonical(kernel)
    assert reduce_columns(kernel) is kernel


@settings(max_examples=50)
@given(matrices(), st.data())
def test_the_canonical_basis_depends_on_the_span_alone(basis: Matrix, data: st.DataObject) -> None:
    reduced = reduce_columns(basis)
    check_canonical(reduced)
    assert reduced.shape == (basis.height, count_rank(list_dense(basis)))
    order = data.draw(st.permutations(range(basis.width)))
    shuffled = basis.take_columns(order)
    assert reduce_columns(shuffled) == reduced
    assert reduce_columns(reduced.take_columns(range(reduced.width)[::-1])) == reduced
    assert reduce_columns(-reduced) == reduced
    # A triangular change of basis with roots on the diagonal, and a column too many.
    size = basis.width
    entries = [(i, j, Fraction(i + 2 * j + 1, 3)) for i in range(size) for j in range(i, size)]
    change = Matrix.from_entries(size, size + 1, [*entries, *((i, size, 1) for i in range(size))])
    twisted = basis @ change
    if basis.field.conductor in {1, 5}:
        twisted = twisted.scale(root(5))
    assert reduce_columns(twisted) == reduced
    assert hash(reduce_columns(twisted)) == hash(reduced)


def test_empty_matrices() -> None:
    assert find_kernel(Matrix.zero(0, 3)) == Matrix.identity(3)
    assert find_kernel(Matrix.zero(3, 0)).shape == (0, 0)
    assert find_kernel(Matrix.zero(2, 2)) == Matrix.identity(2)
    assert reduce_columns(Matrix.zero(3, 2)) == Matrix.zero(3, 0)
    assert reduce_columns(Matrix.zero(3, 0)) == Matrix.zero(3, 0)
    with pytest.raises(ValueError, match="column of the basis is zero"):
        list_pivots(Matrix.zero(2, 1))


def test_a_rational_basis_is_written_in_the_rationals() -> None:
    whole = Matrix.from_dense([[root(5), 2 * root(5), 0], [0, 0, cosine(1, 7)]])
    assert find_kernel(whole).field == RATIONALS
    assert find_kernel(whole) == Matrix.from_dense([[2], [-1], [0]])
    assert find_kernel(Matrix.from_dense([[root(5), 1]])).field == Field(5)


def count_proposals(monkeypatch: pytest.MonkeyPatch) -> list[Block]:
    """Record the blocks that are eliminated."""
    seen: list[Block] = []

    def watch(block: Block) -> Iterator[Echelon]:
        seen.append(block)
        return list_echelons(block)

    monkeypatch.setattr(nullspace, "list_echelons", watch)
    return seen


def test_components_are_solved_apart_and_equal_ones_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = count_proposals(monkeypatch)
    block = Matrix.from_dense([[1, 1, 0], [0, 1, -2]])
    whole = direct_sum([block, Matrix.zero(1, 1), block, Matrix.from_dense([[10**30, 1]]), block])
    shuffle = np.random.default_rng(0).permutation(whole.width)
    kernel = find_kernel(whole)
    assert kernel.shape == (12, 5)
    assert len(seen) == 2
    check_canonical(kernel)
    assert (whole @ kernel).is_zero
    assert find_kernel(whole.take_columns(shuffle)) == reduce_columns(kernel.take_rows(shuffle))
    assert sorted(len(c) for c in split_components(whole).columns) == [2, 3, 3, 3]


def test_unlucky_primes_are_found_out() -> None:
    p, q = RATIONALS.prime(0), RATIONALS.prime(1)
    # Modulo p, or p and q, the rank is too small or the pivots move.
    for rows, dimension in [
        ([[p, 0], [0, 1]], 0),
        ([[p, 1], [0, p]], 0),
        ([[p * q, 1, 2], [1, p, 2]], 1),
        ([[1, 2, 1], [1, 2, 1 + p * q]], 1),
    ]:
        matrix = Matrix.from_dense(rows)
        kernel = find_kernel(matrix)
        assert kernel.width == dimension
        assert (matrix @ kernel).is_zero
        basis = reduce_columns(matrix.transpose())
        expected = [[Fraction(x) for x in row] for row in rows]
        assert basis == reduce_rows(expected, matrix.width)


def test_unlucky_homomorphisms_are_found_out() -> None:
    field = Field(7)
    p = field.prime()
    generator = 2 * cosine(1, 7)
    for g in field.roots(p):
        # It is 0 under one homomorphism and not under the others.
        matrix = Matrix.from_dense([[generator - g, 0, 1], [0, generator, 1]])
        kernel = find_kernel(matrix)
        assert kernel.shape == (3, 1)
        assert (matrix @ kernel).is_zero
        assert reduce_columns(matrix.transpose()).width == 2
    alone = Matrix.from_dense([[generator - field.roots(p)[0]]])
    assert find_kernel(alone).width == 0


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("field", [RATIONALS, Field(7)])
def test_a_later_prime_may_be_the_unlucky_one(place: int, field: Field) -> None:
    q = field.prime(1)
    # The minor of the columns that hold the pivots is q, at some place.
    rows = [[2**70, 5**30, 0, 1], [3**50, 7**20, q, 3]]
    turned = Matrix.from_dense([[*row[-place:], *row[:-place]] for row in rows])
    matrix = turned.in_field(field)
    kernel = find_kernel(matrix)
    assert kernel.shape == (4, 2)
    assert (matrix @ kernel).is_zero
    check_canonical(kernel)


def draw_matrix(height: int, width: int, largest: int, seed: int = 0) -> Matrix:
    values = np.random.default_rng(seed).integers(-largest, largest + 1, (height, width))
    return Matrix.from_dense([[int(v) for v in row] for row in values])


def test_long_numbers_are_lifted(monkeypatch: pytest.MonkeyPatch) -> None:
    lifted = []

    def watch(block: Block, echelon: Echelon) -> tuple[Integers, int]:
        lifted.append(block)
        return solve_echelon(block, echelon)

    monkeypatch.setattr(nullspace, "solve_echelon", watch)
    matrix = draw_matrix(14, 17, 10**6)
    matrix = matrix.transpose() @ draw_matrix(14, 20, 10**6, seed=1)
    doubled = matrix.take_rows([0, 0, 1, *range(matrix.height)])
    kernel = find_kernel(doubled)
    assert len(lifted) == 1
    assert kernel == find_kernel(matrix)
    assert kernel.shape == (20, 6)
    assert kernel.values.dtype == object
    assert (matrix @ kernel).is_zero
    check_canonical(kernel)
    basis = reduce_columns(matrix)
    assert basis.shape == (17, 14)
    assert reduce_columns(matrix @ draw_matrix(20, 20, 3, seed=2)) == basis
    check_canonical(basis)


def test_long_numbers_of_a_field_take_many_primes() -> None:
    values = np.random.default_rng(3).integers(-(10**6), 10**6, (6, 8, 3)).tolist()
    matrix = Matrix.from_dense([[Scalar(Field(7), tuple(v)) for v in row] for row in values])
    kernel = find_kernel(matrix)
    assert kernel.shape == (8, 2)
    assert (matrix @ kernel).is_zero
    check_canonical(kernel)


def test_lifting_says_when_the_modulus_is_too_small() -> None:
    p = RATIONALS.prime()
    residues = np.array([[pow(3, -1, p) * 2 % p, p - 5, pow(12, -1, p)]])
    lifted = lift_vectors(residues, p)
    assert lifted is not None
    numerators, denominators = lifted
    assert numerators.tolist() == [[8, -60, 1]]
    assert denominators.tolist() == [12]
    random = np.random.default_rng(0).integers(0, p, (1, 5))
    assert lift_vectors(random, p) is None


def test_rotations_of_an_icosahedron_leave_what_they_should() -> None:
    """Invariants of the rotation group of the icosahedron in tensor powers of R^3."""
    phi, tau = (1 + root(5)) / 2, (root(5) - 1) / 2
    five = Matrix.from_dense([[1, -phi, tau], [phi, tau, -1], [tau, 1, phi]]).scale(Fraction(1, 2))
    three = Matrix.from_dense([[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    assert five @ five.transpose() == Matrix.identity(3)
    # 1, 0, 1, 1, 3, 6: those of SO(3), since the least invariant polynomial beyond has degree 6.
    for power, dimension in [(1, 0), (2, 1), (3, 1), (4, 3), (5, 6)]:
        basis = Matrix.identity(3**power)
        for g in (three, five):
            moved = Matrix.identity(1)
            for _ in range(power):
                moved = moved.kron(g)
            basis = basis @ find_kernel((moved - Matrix.identity(3**power)) @ basis)
        assert basis.width == dimension
        assert reduce_columns(basis) == basis
