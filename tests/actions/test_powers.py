"""Symmetric and alternating powers: multiplicative, derivations of each other, known by hand."""

from __future__ import annotations

from itertools import combinations, combinations_with_replacement, permutations
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eqcompile.actions.images import as_matrix, find_determinant, settle_image
from eqcompile.actions.powers import (
    derive_alternating,
    derive_symmetric,
    derive_tensor,
    raise_alternating,
    raise_symmetric,
)
from eqcompile.exact.fields import Scalar
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.scalars import parse_scalar
from eqcompile.exact.signed import SignedPermutation
from tests.actions.linear import bracket, draw_matrix, sign

SIZES = st.integers(1, 4)


@st.composite
def draw_pair(draw: st.DrawFn) -> tuple[Matrix, Matrix]:
    n, irrational = draw(SIZES), draw(st.booleans())
    return draw(draw_matrix(n, irrational=irrational)), draw(draw_matrix(n, irrational=irrational))


@given(pair=draw_pair(), k=st.integers(0, 4))
def test_symmetric_powers_are_multiplicative(pair: tuple[Matrix, Matrix], k: int) -> None:
    g, h = pair
    power_g, power_h, power_gh = (as_matrix(raise_symmetric(m, k)) for m in (g, h, g @ h))
    assert power_g.shape == (comb(g.height + k - 1, k),) * 2
    assert power_g @ power_h == power_gh


@given(pair=draw_pair(), k=st.integers(0, 4))
def test_alternating_powers_are_multiplicative(pair: tuple[Matrix, Matrix], k: int) -> None:
    g, h = pair
    if k > g.height:
        return
    power_g, power_h, power_gh = (as_matrix(raise_alternating(m, k)) for m in (g, h, g @ h))
    assert power_g.shape == (comb(g.height, k),) * 2
    assert power_g @ power_h == power_gh


@given(pair=draw_pair(), k=st.integers(0, 4))
def test_derivations_keep_brackets(pair: tuple[Matrix, Matrix], k: int) -> None:
    x, y = pair
    assert bracket(derive_symmetric(x, k), derive_symmetric(y, k)) == derive_symmetric(
        bracket(x, y), k
    )
    if k <= x.height:
        assert bracket(derive_alternating(x, k), derive_alternating(y, k)) == derive_alternating(
            bracket(x, y), k
        )
    tensors = [derive_tensor([z] * k) for z in (x, y, bracket(x, y))] if 1 <= k <= 3 else []
    assert not tensors or bracket(tensors[0], tensors[1]) == tensors[2]


@given(x=SIZES.flatmap(draw_matrix), k=st.integers(1, 3))
def test_derivations_are_derivatives(x: Matrix, k: int) -> None:
    """``P(1 + t X) = 1 + t dP(X) + O(t^2)``, read off at as many rational t as the degree needs."""
    one = Matrix.identity(x.height)
    for raise_power, derive in (
        (raise_symmetric, derive_symmetric),
        (raise_alternating, derive_alternating),
    ):
        if raise_power is raise_alternating and k > x.height:
            continue
        values = [as_matrix(raise_power(one + x.scale(t), k)) for t in (-1, 0, 1, 2)]
        # The derivative at 0 of a cubic through its values at -1, 0, 1, 2.
        slope = sum(
            (v.scale(Scalar.of(c) / 6) for v, c in zip(values, (-2, -3, 6, -1), strict=True)),
            start=Matrix.zero(*values[0].shape),
        )
        assert slope == derive(x, k)


@given(pair=draw_pair(), k=st.integers(1, 3))
def test_powers_by_their_definition(pair: tuple[Matrix, Matrix], k: int) -> None:
    """A product of basis vectors goes to the product of their images."""
    g, _ = pair
    n = g.height
    entry = {(i, j): value for i, j, value in g.entries()}
    for repeated, power in ((True, raise_symmetric(g, k)), (False, None)):
        if not repeated and k > n:
            continue
        power = as_matrix(power or raise_alternating(g, k))
        tuples = list((combinations_with_replacement if repeated else combinations)(range(n), k))
        expected: dict[tuple[int, int], Scalar] = {}
        for column, source in enumerate(tuples):
            for row, target in enumerate(tuples):
                orders = set(permutations(target)) if repeated else permutations(target)
                total = Scalar.of(0)
                for order in orders:
                    term = Scalar.of(1)
                    for i, j in zip(order, source, strict=True):
                        term = term * entry.get((i, j), Scalar.of(0))
                    crossed = sum(a > b for a, b in combinations(order, 2))
                    total = total + (-term if not repeated and crossed % 2 else term)
                if total:
                    expected[row, column] = total
        assert {(i, j): v for i, j, v in power.entries()} == expected


def test_a_shear_by_hand() -> None:
    """``e1 -> e0 + e1``: e1 e1 goes to e0 e0 + 2 e0 e1 + e1 e1, without factorials elsewhere."""
    shear = Matrix.from_dense([[1, 1], [0, 1]])
    assert raise_symmetric(shear, 2) == Matrix.from_dense([[1, 1, 1], [0, 1, 2], [0, 0, 1]])
    assert raise_alternating(shear, 2) == SignedPermutation.identity(1)
    nilpotent = Matrix.from_dense([[0, 1], [0, 0]])
    assert derive_symmetric(nilpotent, 2) == Matrix.from_dense([[0, 1, 0], [0, 0, 2], [0, 0, 0]])


@given(pair=draw_pair())
def test_determinants(pair: tuple[Matrix, Matrix]) -> None:
    g, h = pair
    assert find_determinant(g) * find_determinant(h) == find_determinant(g @ h)
    top = as_matrix(raise_alternating(g, g.height))
    found = [value for _, _, value in top.entries()]
    assert find_determinant(g) == (found[0] if found else 0)


def test_determinant_of_a_signed_permutation_and_of_the_golden_ratio() -> None:
    g = sign([1, 2, 0], [1, -1, 1])
    assert find_determinant(g) == -1
    phi = parse_scalar("(1+sqrt(5))/2")
    assert find_determinant(Matrix.from_dense([[phi, 1], [1, phi - 1]])) == 0
    assert find_determinant(Matrix.from_dense([[0, phi], [1, 0]])) == -phi


@pytest.mark.parametrize("k", [1, 2, 3])
def test_signed_permutations_stay_what_they_are(k: int) -> None:
    g = sign([1, 0, 2, 3], [1, -1, 1, -1])
    matrix = Matrix.from_signed(g)
    for raise_power in (raise_symmetric, raise_alternating):
        signed, general = raise_power(g, k), raise_power(matrix, k)
        assert isinstance(signed, SignedPermutation)
        assert signed == general
    assert settle_image(matrix) == g
