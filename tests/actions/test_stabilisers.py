"""Stabilisers are complete: orbit and stabiliser order multiply to the order of the group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eqcompile.actions import stabilisers
from eqcompile.actions.chain import Elements, compute_order
from eqcompile.actions.stabilisers import (
    Element,
    OrbitCarriers,
    invert_element,
    multiply,
    schreier_generators,
    walk_orbit,
)
from eqcompile.exact.signed import SignedPermutation
from tests.actions.entries import Entry, build, grid, spell_entry
from tests.actions_of import load_cases, read_generator

Paired = tuple[tuple[SignedPermutation, ...], ...]


def list_pairs() -> list[Any]:
    """Return every pair of input and output action of the public cases, once."""
    pairs: dict[str, dict[str, Any]] = {}
    for case in load_cases():
        if case["n"] + case["m"] <= 60:
            pairs.setdefault(str([case["generators"], case["output_generators"]]), case)
    return [pytest.param(case, id=case["id"]) for case in pairs.values()]


def put_side_by_side(elements: list[Element]) -> Elements:
    """Return the action on the points +-e_i of all representations side by side."""
    rows = []
    for element in elements:
        offsets = np.cumsum([0, *(2 * part.n for part in element[:-1])])
        rows.append(np.concatenate([p.double() + o for p, o in zip(element, offsets, strict=True)]))
    return np.array(rows)


def list_orbit_starts(generators: tuple[SignedPermutation, ...]) -> list[int]:
    seen: set[int] = set()
    starts = []
    for point in range(generators[0].n):
        if point not in seen:
            starts.append(point)
            seen.update(walk_orbit(generators, point).outputs.tolist())
    return starts


@pytest.mark.parametrize("case", list_pairs())
def test_orbit_and_stabiliser_multiply_to_the_order(case: dict[str, Any]) -> None:
    inputs = tuple(read_generator(g) for g in case["generators"])
    outputs = tuple(read_generator(g) for g in case["output_generators"])
    paired = (outputs, inputs)
    elements: list[Element] = list(zip(*paired, strict=True))
    order = compute_order(put_side_by_side(elements))
    assert order == case.get("group_order", order)
    identity = tuple(SignedPermutation.identity(g.n) for g in elements[0])
    for start in list_orbit_starts(outputs):
        walk = walk_orbit(outputs, start)
        fixing = list(schreier_generators(paired, walk))
        assert all(element[0].perm[start] == start for element in fixing)
        stabiliser = compute_order(put_side_by_side([*fixing, identity]))
        assert len(walk.outputs) * stabiliser == order


@pytest.mark.parametrize(
    "entry",
    [
        {"symmetric": 1},
        {"symmetric": 2},
        {"symmetric": 7},
        {"hyperoctahedral": 4},
        {"wreath": [{"symmetric": 3}, {"cyclic": 3}]},
        grid(4, 4, "p4m"),
        {"lattice": "D3Q27"},
    ],
    ids=spell_entry,
)
def test_a_walk_reaches_the_orbit_by_shortest_words(entry: Entry) -> None:
    generators = build(entry).signed
    for start in list_orbit_starts(generators):
        walk = walk_orbit(generators, start)
        assert walk.outputs[0] == start
        assert (walk.parents[0], walk.steps[0]) == (0, -1)
        assert len(set(walk.outputs.tolist())) == len(walk.outputs)
        for place in range(1, len(walk.outputs)):
            parent, step = walk.parents[place], walk.steps[place]
            assert parent < place
            assert generators[step].perm[walk.outputs[parent]] == walk.outputs[place]
        assert np.all(np.diff(walk.parents) >= 0)
        carriers = OrbitCarriers((generators,), walk)
        for place, output in enumerate(walk.outputs):
            assert carriers.carry(place)[0].perm[start] == output


def test_no_generator_of_a_stabiliser_comes_twice() -> None:
    generators = build({"symmetric": 6}).signed
    fixing = list(schreier_generators((generators,), walk_orbit(generators, 0)))
    assert len({element[0] for element in fixing}) == len(fixing)
    assert not any(element[0].is_identity for element in fixing)
    assert compute_order(np.array([e[0].perm for e in fixing])) == 120


def test_paired_images_move_along() -> None:
    generators = build({"symmetric": 5}).signed
    signs = tuple(SignedPermutation(np.array([0]), np.array([g.parity()])) for g in generators)
    for element in schreier_generators((generators, signs), walk_orbit(generators, 2)):
        assert element[1].signs[0] == element[0].parity()


def test_an_element_that_differs_in_one_image_only_is_kept() -> None:
    # The second image is no function of the first: dropping by the first alone would lose it.
    swap, identity = SignedPermutation.unsigned([1, 0]), SignedPermutation.identity(2)
    fixing = list(schreier_generators(((identity,), (swap,)), walk_orbit([identity], 0)))
    assert fixing == [(identity, swap)]


def test_few_elements_are_kept_where_all_would_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    generators = build({"symmetric": 40}).signed
    walk = walk_orbit(generators, 0)
    expected = list(schreier_generators((generators, generators), walk))
    monkeypatch.setattr(stabilisers, "_MAX_KEPT", 80 * 5)
    carriers = OrbitCarriers((generators, generators), walk)
    for place, output in enumerate(walk.outputs):
        assert carriers.carry(place)[1].perm[0] == output
    assert len(carriers._kept) <= 5
    assert list(schreier_generators((generators, generators), walk)) == expected


def test_generators_of_a_stabiliser_come_one_at_a_time() -> None:
    generators = build({"symmetric": 1000}).signed
    found = schreier_generators((generators,), walk_orbit(generators, 0))
    first = next(found)
    assert first[0].perm[0] == 0


def test_elements_multiply_and_invert() -> None:
    g, h = build({"hyperoctahedral": 3}).signed[:2]
    assert multiply((g, h), (h, g)) == (g @ h, h @ g)
    assert multiply((g, h), invert_element((g, h))) == (SignedPermutation.identity(3),) * 2
