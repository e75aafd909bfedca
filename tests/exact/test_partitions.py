"""Multigraphs: counts known from elsewhere, brute force, canonical writing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eqcompile.exact import partitions
from eqcompile.exact.multigraphs import Diagram, Edge, Nodes, Terms, spell_diagram, spell_einsum
from eqcompile.exact.partitions import is_least, list_diagrams, write_least

SCALAR: Terms = ((),)
VECTOR: Terms = ((1,),)
MATRIX: Terms = ((1, 1),)
SYMMETRIC: Terms = ((2,),)

# Puny et al. 2023 (arXiv 2302.11556), and partitions of d with the output among the parts.
KNOWN = {
    "matrix to matrix": (MATRIX, MATRIX, [2, 15, 117, 877, 6719]),
    "matrix to vector": (MATRIX, VECTOR, [1, 5, 32, 199, 1323]),
    "matrix to scalar": (MATRIX, SCALAR, [1, 2, 11, 52, 296, 1724]),
    "symmetric to matrix": (SYMMETRIC, MATRIX, [2, 11, 56, 266, 1238]),
    "symmetric to vector": (SYMMETRIC, VECTOR, [1, 4, 17, 69, 281]),
    "symmetric to scalar": (SYMMETRIC, SCALAR, [1, 2, 7, 23, 79, 274]),
    "vector to vector": (VECTOR, VECTOR, [1, 2, 4, 7, 12, 19, 30, 45, 67, 97, 139, 195, 272]),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_counts(name: str) -> None:
    source, target, counts = KNOWN[name]
    assert [len(list_diagrams(target, source, (d,))) for d in range(len(counts))] == counts


def test_a_hundred_vertices_have_the_same_counts_as_the_oracle() -> None:
    """Orbits of S_100 on vector to vector, by degree: see the oracle's method section."""
    counts = [len(list_diagrams(VECTOR, VECTOR, (d,))) for d in range(6)]
    assert counts == [1, 2, 4, 7, 12, 19]


def test_ordered_classes_are_bell_numbers() -> None:
    assert [len(list_diagrams(VECTOR, VECTOR, (1,) * d)) for d in range(6)] == [
        1, 2, 5, 15, 52, 203,
    ]  # fmt: skip
    assert len(list_diagrams(MATRIX, MATRIX, (1, 1))) == 203


def walk_partitions(length: int) -> Iterator[Nodes]:
    """List the set partitions of positions as strings of block numbers."""
    found: list[Nodes] = [()]
    for _ in range(length):
        found = [(*f, b) for f in found for b in range(max(f, default=-1) + 2)]
    yield from found


def number(word: tuple[Any, ...]) -> Nodes:
    names: dict[Any, int] = {}
    return tuple(names.setdefault(letter, len(names)) for letter in word)


def list_brutally(output: Nodes, source: Nodes, shape: Nodes) -> set[Nodes]:
    """Sort every set partition of all indices by the least it becomes under all exchanges."""
    legs, size = sum(output), sum(source)

    def arrange(start: int, parts: Nodes) -> list[list[int]]:
        runs = []
        for part in parts:
            runs.append([list(p) for p in permutations(range(start, start + part))])
            start += part
        return [[i for run in chosen for i in run] for chosen in product(*runs)]

    orders: list[list[int]] = arrange(0, output)
    start = legs
    for copies in shape:
        edges = [arrange(start + j * size, source) for j in range(copies)]
        start += copies * size
        turned = [
            [i for edge in chosen for i in edge]
            for order in permutations(range(copies))
            for chosen in product(*(edges[j] for j in order))
        ]
        orders = [a + b for a in orders for b in turned]
    words = walk_partitions(legs + size * sum(shape))
    return {min(number(tuple(word[i] for i in order)) for order in orders) for word in words}


@pytest.mark.parametrize(
    ("output", "source", "shape"),
    [
        ((1,), (1,), (3,)),
        ((1, 1), (1, 1), (2,)),
        ((1, 1), (2,), (2,)),
        ((2,), (2,), (2,)),
        ((2,), (2,), (1, 1)),
        ((2,), (1, 1), (2,)),
        ((), (2,), (3,)),
        ((1,), (1,), (2, 2)),
        ((3,), (3,), (1,)),
        ((1, 2), (2, 1), (1,)),
        ((), (1, 1), (2, 1)),
    ],
    ids=str,
)
def test_brute_force(output: Nodes, source: Nodes, shape: Nodes) -> None:
    found = list_diagrams((output,), (source,), shape)
    words = {
        tuple(i for part in (d.outputs, *(e.nodes for e in d.edges)) for i in part) for d in found
    }
    assert len(words) == len(found)
    assert words == list_brutally(output, source, shape)


PARTS = st.sampled_from([(), (1,), (1, 1), (2,)])
TERMS = st.lists(PARTS, min_size=1, max_size=2).map(tuple)


@given(TERMS, TERMS, st.sampled_from([(1,), (2,), (1, 1), (2, 1)]))
def test_diagrams_are_sorted_least_and_well_numbered(
    output: Terms, source: Terms, shape: Nodes
) -> None:
    if sum(shape) > 2:
        source = source[:1]
    found = list_diagrams(output, source, shape)
    assert list(found) == sorted(set(found))
    for diagram in found:
        assert is_least(diagram, output, source)
        nodes = sum((edge.nodes for edge in diagram.edges), diagram.outputs)
        assert number(nodes) == nodes
        assert diagram.nodes == len(set(nodes))
        assert diagram.free == diagram.nodes - diagram.marked


@given(st.data())
def test_the_least_writing_does_not_depend_on_names(data: st.DataObject) -> None:
    source: Terms = data.draw(st.sampled_from([VECTOR, MATRIX, SYMMETRIC, ((1, 2), ()), ((3,),)]))
    edges = []
    for _ in range(data.draw(st.integers(1, 5))):
        term = data.draw(st.integers(0, len(source) - 1))
        size = sum(source[term])
        nodes = data.draw(st.lists(st.integers(0, 4), min_size=size, max_size=size))
        edges.append(Edge(data.draw(st.integers(0, 1)), term, tuple(nodes)))
    used = sorted({node for edge in edges for node in edge.nodes})
    renumbered = [e._replace(nodes=tuple(used.index(i) for i in e.nodes)) for e in edges]
    marks = tuple(data.draw(st.permutations(range(len(used)))))[: data.draw(st.integers(0, 3))]
    written, numbers = write_least(marks, renumbered, source)
    names = data.draw(st.permutations(range(len(used))))
    moved = [e._replace(nodes=_shuffle(data, e, source, names)) for e in renumbered]
    shuffled = data.draw(st.permutations(moved))
    again, _ = write_least(tuple(names[i] for i in marks), shuffled, source)
    assert again == written
    assert sorted(numbers) == list(range(len(used)))
    assert {numbers[i] for i in marks} == set(range(len(marks)))


def _shuffle(data: st.DataObject, edge: Edge, source: Terms, names: list[int]) -> Nodes:
    """Rename the nodes of an edge, and exchange indices that commute."""
    found: list[int] = []
    for part in source[edge.term]:
        run = [names[i] for i in edge.nodes[len(found) : len(found) + part]]
        found += data.draw(st.permutations(run)) if part > 1 else run
    return tuple(found)


def test_joining_states_that_differ_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "_describe_rest", lambda state, items: state.known)
    assert len(list_diagrams(MATRIX, MATRIX, (3,))) != 877


def test_spelling() -> None:
    square = Diagram(0, (0, 1), (Edge(0, 0, (0, 2)), Edge(0, 0, (2, 1))))
    assert spell_diagram(square, MATRIX, MATRIX) == "y_ij = sum_k x_ik x_kj"
    assert spell_diagram(square, MATRIX, MATRIX, "mean") == "y_ij = mean_k x_ik x_kj"
    assert spell_einsum(square) == "ik,kj->ij"
    trace = Diagram(1, (0, 0), (Edge(0, 1, ()), Edge(1, 0, (1, 1))))
    assert spell_diagram(trace, (*VECTOR, *MATRIX), (*MATRIX, ())) == "y1_ii = sum_j x1 x'0_jj"
    assert spell_einsum(trace) == ",jj->"
    assert spell_diagram(Diagram(0, (0,)), VECTOR, VECTOR) == "y_i = 1"
