"""Signed permutations, monomials and signed classes against obviously right versions."""

from __future__ import annotations

from itertools import combinations, combinations_with_replacement, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eqcompile.exact.components import classify
from eqcompile.exact.monomials import (
    MonomialSpace,
    count_channel_tuples,
    count_monomials,
    list_channel_tuples,
    list_subsets,
    list_tuples,
    move_subsets,
    move_tuples,
    partitions,
    rank_tuples,
    trace_tuples,
)
from eqcompile.exact.polynomials import Polynomial
from eqcompile.exact.signed import SignedPermutation, direct_sum, kron, spell_cycles


@st.composite
def signed_permutations(draw: st.DrawFn, n: int) -> SignedPermutation:
    perm = draw(st.permutations(range(n)))
    signs = draw(st.lists(st.sampled_from([1, -1]), min_size=n, max_size=n))
    return SignedPermutation(np.array(perm), np.array(signs))


def to_matrix(g: SignedPermutation) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    matrix = np.zeros((g.n, g.n), dtype=np.int64)
    matrix[g.perm, np.arange(g.n)] = g.signs
    return matrix


def monomials_at(x: np.ndarray[tuple[int], np.dtype[np.int64]], degree: int) -> list[int]:
    return [int(np.prod(x[list(a)])) for a in combinations_with_replacement(range(len(x)), degree)]


@given(signed_permutations(5), signed_permutations(5))
def test_group_operations_are_those_of_matrices(g: SignedPermutation, h: SignedPermutation) -> None:
    assert np.array_equal(to_matrix(g @ h), to_matrix(g) @ to_matrix(h))
    assert np.array_equal(to_matrix(g.inverse()), to_matrix(g).T)
    assert g.det() == round(np.linalg.det(to_matrix(g)))
    assert np.array_equal((g @ h).double(), g.double()[h.double()])
    assert np.array_equal(to_matrix(kron(g, h)), np.kron(to_matrix(g), to_matrix(h)))
    assert (g == h) == np.array_equal(to_matrix(g), to_matrix(h))
    assert hash(g @ g.inverse()) == hash(SignedPermutation.identity(5))
    block = to_matrix(direct_sum([g, h]))
    assert np.array_equal(block[:5, :5], to_matrix(g))
    assert np.array_equal(block[5:, 5:], to_matrix(h))


@pytest.mark.parametrize(("perm", "signs"), [([0, 0], [1, 1]), ([0, 1], [1, 2]), ([0, 1], [1])])
def test_what_is_no_signed_permutation_is_refused(perm: list[int], signs: list[int]) -> None:
    with pytest.raises(ValueError, match="sign"):
        SignedPermutation(np.array(perm), np.array(signs))


def test_cycles_are_spelled_with_their_signs() -> None:
    assert spell_cycles(SignedPermutation.identity(3)) == "()"
    assert spell_cycles(SignedPermutation(np.array([1, 2, 0]), np.array([1, -1, 1]))) == "(0 1 -2)"
    assert spell_cycles(SignedPermutation(np.array([0, 1]), np.array([-1, 1]))) == "(-0)"


@pytest.mark.parametrize(("n", "degree"), [(1, 0), (1, 4), (3, 2), (4, 3), (6, 1), (5, 4), (2, 7)])
def test_tuples_are_listed_in_order_and_ranked(n: int, degree: int) -> None:
    expected = list(combinations_with_replacement(range(n), degree))
    table = list_tuples(n, degree)
    assert [tuple(row) for row in table.tolist()] == expected
    assert rank_tuples(table, n).tolist() == list(range(len(expected)))
    assert count_monomials(n, degree) == len(expected)


@given(signed_permutations(4), st.integers(0, 4))
def test_monomials_move_as_products_do(g: SignedPermutation, degree: int) -> None:
    """With x' = g x, the monomial g a of x' is the sign times the monomial a of x."""
    x = np.array([2, 3, 5, 7])
    before, after = monomials_at(x, degree), monomials_at(to_matrix(g) @ x, degree)
    moved = move_tuples(g, degree)
    assert [after[p] for p in moved.perm] == [
        s * v for s, v in zip(moved.signs, before, strict=True)
    ]
    sources, targets, signs = trace_tuples(g, degree)
    assert np.array_equal(moved.perm[sources], targets)
    assert np.array_equal(moved.signs[sources], signs)
    kept = np.setdiff1d(np.arange(moved.n), sources)
    assert np.array_equal(moved.perm[kept], kept)
    assert np.all(moved.signs[kept] == 1)


@given(signed_permutations(3), signed_permutations(2))
def test_monomials_in_two_sets_of_variables(g: SignedPermutation, h: SignedPermutation) -> None:
    space = MonomialSpace(((3, 2), (2, 1)))
    assert space.size == 12
    assert space.degree == 3
    assert space.move([g, h]) == kron(move_tuples(g, 2), h)
    columns = space.columns()
    for rank in range(space.size):
        first, second = space.tuples(rank)
        assert (*first, *second) == tuple(columns[rank].tolist())
        assert space.rank([first[::-1], second]) == rank
    with pytest.raises(ValueError, match="no tuple"):
        space.rank([(0, 5), (0,)])


@given(signed_permutations(5), st.integers(1, 4))
def test_subsets_move_as_minors_do(g: SignedPermutation, k: int) -> None:
    """The exterior power of a matrix is the matrix of its k x k minors."""
    matrix, subsets = to_matrix(g), list(combinations(range(5), k))
    assert [tuple(r) for r in list_subsets(5, k).tolist()] == subsets
    minors = [[round(np.linalg.det(matrix[np.ix_(a, b)])) for b in subsets] for a in subsets]
    assert np.array_equal(to_matrix(move_subsets(g, k, alternating=True)), np.array(minors))
    unsigned = to_matrix(move_subsets(g, k, alternating=False))
    assert np.array_equal(unsigned, np.abs(np.array(minors)))


@pytest.mark.parametrize("shape", [(1,), (1, 1), (2, 1), (1, 1, 1), (2, 2), (2, 1, 1), (3, 1)])
@pytest.mark.parametrize("channels", [0, 1, 2, 3, 4])
def test_channel_tuples_list_every_multidegree_once(shape: tuple[int, ...], channels: int) -> None:
    expected = set()
    for chosen in permutations(range(channels), len(shape)):
        expected.add(tuple(sorted(zip(shape, chosen, strict=True), key=lambda p: (-p[0], p[1]))))
    listed = list_channel_tuples(shape, channels)
    assert list(listed) == sorted(listed)
    found = [tuple(zip(shape, chosen, strict=True)) for chosen in listed]
    assert sorted(found) == sorted(expected)


def test_partitions() -> None:
    assert list(partitions(4)) == [(4,), (3, 1), (2, 2), (2, 1, 1), (1, 1, 1, 1)]
    assert list(partitions(0)) == [()]


@given(st.lists(signed_permutations(6), min_size=1, max_size=3))
def test_signed_classes_are_the_fixed_vectors(moves: list[SignedPermutation]) -> None:
    """Classes are a basis of the vectors all moves fix; the rank is taken over the integers."""
    edges = [(np.arange(6), g.perm, g.signs) for g in moves]
    labels, signs = classify(6, edges, signed=True)
    count = labels.max() + 1
    for label in range(count):
        vector = np.where(labels == label, signs, 0)
        assert vector[np.flatnonzero(labels == label)[0]] == 1
        assert all(np.array_equal(to_matrix(g) @ vector, vector) for g in moves)
    constraints = np.concatenate([to_matrix(g) - np.eye(6) for g in moves])
    assert count == 6 - np.linalg.matrix_rank(constraints)
    assert np.array_equal(signs == 0, labels < 0)
    if all(g.is_unsigned for g in moves):
        assert np.array_equal(classify(6, edges, signed=False)[0], labels)


def test_polynomials_calculate() -> None:
    x, y = Polynomial.variable("x"), Polynomial.variable("y")
    square = (x + y) * (x + y)
    assert square == Polynomial.product(1, "xx") + Polynomial.product(2, "xy") + Polynomial.product(
        1, "yy"
    )
    assert square + square * -1 == 0
    assert Polynomial.ratio(1, 3) * 3 == 1
    assert hash(x + y) == hash(y + x)
    assert repr(Polynomial.product(2, "xxy")) == "2*x^2*y"
    assert x != y


@pytest.mark.parametrize("shape", [(1,), (2,), (1, 1), (2, 1), (1, 1, 1), (2, 1, 1), (2, 2)])
def test_channel_tuples_are_counted(shape: tuple[int, ...]) -> None:
    for channels in range(5):
        assert count_channel_tuples(shape, channels) == len(list_channel_tuples(shape, channels))


@pytest.mark.parametrize("degrees", [(1, 1, 1), (2, 1, 1), (3, 0, 2), (1, 2, 0), (0, 0, 0), ()])
def test_every_factor_counts_also_one_of_a_lone_variable(degrees: tuple[int, ...]) -> None:
    minus = SignedPermutation(np.array([0]), np.array([-1]))
    turn = SignedPermutation(np.array([1, 0]), np.array([1, -1]))
    cycle = SignedPermutation(np.array([1, 2, 0]), np.array([1, -1, 1]))
    elements = (minus, turn, cycle)[: len(degrees)]
    space = MonomialSpace(tuple((g.n, d) for g, d in zip(elements, degrees, strict=True)))
    moved = space.move(elements)
    for rank in range(space.size):
        pairs = list(zip(elements, space.tuples(rank), strict=True))
        assert moved.perm[rank] == space.rank([[int(g.perm[i]) for i in part] for g, part in pairs])
        assert moved.signs[rank] == np.prod([int(g.signs[i]) for g, part in pairs for i in part])
