"""Orders of permutation groups, against enumeration and known orders; luck plays no part."""

from __future__ import annotations

import random
from math import factorial, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eqcompile.actions import chain
from eqcompile.actions.chain import (
    Elements,
    build_chain,
    compute_order,
    invert,
    limit_order,
    list_orbits,
)
from eqcompile.errors import Refusal
from eqcompile.exact.monomials import move_subsets
from tests.actions.entries import KNOWN, RUBIK, Entry, build, pair, spell_entry


def enumerate_group(generators: list[list[int]]) -> set[tuple[int, ...]]:
    """List all elements of a small group."""
    identity = tuple(range(len(generators[0])))
    found, todo = {identity}, [identity]
    while todo:
        element = todo.pop()
        for g in generators:
            product = tuple(g[i] for i in element)
            if product not in found:
                found.add(product)
                todo.append(product)
    return found


def list_points(entry: Entry) -> Elements:
    group = build(entry)
    return np.array([g.perm if group.is_unsigned else g.double() for g in group.signed])


@st.composite
def generator_lists(draw: st.DrawFn, largest: int = 6) -> list[list[int]]:
    n = draw(st.integers(1, largest))
    return draw(st.lists(st.permutations(range(n)), min_size=1, max_size=3))


@given(generator_lists())
def test_order_and_membership_are_those_of_the_enumerated_group(
    generators: list[list[int]],
) -> None:
    elements = enumerate_group(generators)
    built = build_chain(np.array(generators))
    assert built.order == len(elements)
    rng = np.random.default_rng(0)
    tried = np.array([rng.permutation(len(generators[0])) for _ in range(30)] + generators)
    assert built.contains(tried).tolist() == [tuple(t) in elements for t in tried.tolist()]


def test_only_the_identity_fixes_the_base() -> None:
    built = build_chain(list_points({"wreath": [{"symmetric": 2}, {"symmetric": 3}]}))
    for element in enumerate_group(
        list_points({"wreath": [{"symmetric": 2}, {"symmetric": 3}]}).tolist()
    ):
        fixes = all(element[b] == b for b in built.base)
        assert fixes == (element == tuple(range(6)))


SMALL = [(e, order) for e, points, _, order in KNOWN if points <= 12 and order < 10**5]


@pytest.mark.parametrize(("entry", "order"), SMALL, ids=spell_entry)
def test_the_proof_completes_a_chain_that_chance_left_empty(
    entry: Entry, order: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sample_nothing(self: object, generators: Elements, count: int) -> list[Elements]:
        return [np.arange(generators.shape[1])] * count

    points = list_points(entry)
    monkeypatch.setattr(chain._Builder, "sample", sample_nothing)
    # Random subproducts are also taken away: every "random" element is the identity.
    monkeypatch.setattr(random.Random, "random", lambda self: 1.0)
    monkeypatch.setattr(chain, "limit_order", lambda generators: 10**100)
    assert compute_order(points) == order


def test_without_the_proof_chance_would_be_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    def sample_nothing(self: object, generators: Elements, count: int) -> list[Elements]:
        return [np.arange(generators.shape[1])] * count

    monkeypatch.setattr(chain._Builder, "sample", sample_nothing)
    monkeypatch.setattr(random.Random, "random", lambda self: 1.0)
    monkeypatch.setattr(chain._Builder, "list_schreier", chain._Builder.sample_schreier)
    assert compute_order(list_points({"symmetric": 6})) == 6


@pytest.mark.parametrize(
    ("entry", "order"),
    [
        ({"symmetric": 100}, factorial(100)),
        ({"alternating": 60}, factorial(60) // 2),
        ({"hyperoctahedral": 30}, 2**30 * factorial(30)),
        ({"wreath": [{"symmetric": 10}, {"symmetric": 8}]}, factorial(10) ** 8 * factorial(8)),
        ({"wreath": [{"cyclic": 3}, {"wreath": [{"cyclic": 3}, {"cyclic": 3}]}]}, 3**13),
        (pair("product", {"symmetric": 9}, {"symmetric": 8}), factorial(9) * factorial(8)),
        (pair("union", *[{"cyclic": 3}] * 30), 3**30),
        (pair("union", *[{"symmetric": k} for k in range(1, 9)]), prod(map(factorial, range(9)))),
    ],
    ids=spell_entry,
)
def test_large_groups_have_their_orders(entry: Entry, order: int) -> None:
    assert compute_order(list_points(entry)) == order


def test_an_action_without_fixed_structure_has_its_order() -> None:
    generators = [
        move_subsets(g, 3, alternating=False).perm for g in build({"symmetric": 8}).signed
    ]
    assert compute_order(np.array(generators)) == factorial(8)


def test_a_bound_that_is_reached_ends_the_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    points = list_points({"hyperoctahedral": 12})
    order = 2**12 * factorial(12)
    work = []
    count = chain._Builder.count

    def count_work(self: chain._Builder, stack: Elements) -> None:
        work.append(stack.size)
        count(self, stack)

    monkeypatch.setattr(chain._Builder, "count", count_work)
    assert compute_order(points) == order
    unbounded = sum(work)
    work.clear()
    assert compute_order(points, bound=order) == order
    assert sum(work) < unbounded / 4


def test_the_limit_counts_orbits_and_parity() -> None:
    assert limit_order(np.array([[1, 2, 0, 4, 3]])) == 12
    assert limit_order(np.array([[1, 2, 0, 3, 4]])) == 3
    assert limit_order(np.array([[0]])) == 1
    assert list_orbits(np.array([[0, 3, 2, 1], [0, 1, 2, 3]])) == [[0], [1, 3], [2]]


@given(st.permutations(range(7)), st.permutations(range(7)))
def test_inverses_undo(g: list[int], h: list[int]) -> None:
    stack = np.array([g, h])
    assert np.array_equal(np.take_along_axis(invert(stack), stack, axis=1), [range(7)] * 2)


def test_what_is_too_large_is_refused_promptly(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refusal) as caught:
        compute_order(list_points({"cyclic": 401}))
    assert caught.value.rule == "too-large"
    assert caught.value.text == (
        "the order of a group is computed on at most 400 points, this one acts on 401"
    )
    monkeypatch.setattr(chain, "MAX_WORK", 10**5)
    with pytest.raises(Refusal, match="takes too long to compute"):
        compute_order(list_points({"permutations": RUBIK}))


def test_the_chain_does_not_change_from_run_to_run() -> None:
    points = list_points({"permutations": RUBIK})
    first, second = build_chain(points), build_chain(points)
    assert first.base == second.base
    for one, other in zip(first.levels, second.levels, strict=True):
        assert np.array_equal(one.generators, other.generators)
