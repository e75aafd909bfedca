"""Ties of layers over a fibration: what they keep, what they see, and what refuses wrong ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import comb
from random import Random

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eqcompile.actions.fibrations import Fibration
from eqcompile.actions.graphs import Network, find_automorphisms, find_fibration
from eqcompile.actions.group import name_generators
from eqcompile.analysis.collapse import collapse, evaluate
from eqcompile.errors import CertificateError
from eqcompile.exact.signed import IntArray, SignedPermutation
from eqcompile.layers.problem import SignedAction
from eqcompile.solve.ansatz import Ansatz
from eqcompile.solve.certificate import prove
from eqcompile.solve.constraints import constrain
from eqcompile.solve.solver import solve
from eqcompile.solve.tying import Tying

FRUCHT = nx.frucht_graph()
RINGS = nx.disjoint_union(nx.cycle_graph(3), nx.cycle_graph(4))
LOOPED = nx.Graph([(0, 0), (1, 2), (3, 3)])


def expand_graph(
    graph: nx.Graph[int], shape: Sequence[int], inputs: str | None = None, output: str = "V"
) -> Ansatz:
    """Pose one multidegree; ``inputs`` has a letter per factor: V, or 1 for one number."""
    place = {vertex: i for i, vertex in enumerate(graph)}
    edges = tuple((place[a], place[b]) for a, b in graph.edges)
    network = Network(len(place), edges, graph.is_directed())
    generators = find_automorphisms(network)
    actions = {
        "V": SignedAction("V", network.n, generators),
        "1": SignedAction("1", 1, (SignedPermutation.identity(1),) * len(generators)),
    }
    return Ansatz(
        actions[output],
        tuple(actions[letter] for letter in inputs or "V" * len(shape)),
        tuple(shape),
        name_generators(generators),
        fibration=find_fibration(network),
    )


def solve_graph(graph: nx.Graph[int], *shape: int, **more: str) -> Tying:
    return solve(constrain(expand_graph(graph, shape, **more)))


def choose_cells(sizes: Sequence[int], degree: int) -> int:
    """Count the multisets of a degree up to permutations within cells of given sizes.

    A multiset gives each cell a partition of part of the degree into at most as many parts as the
    cell has points.
    """
    ways = [1] + [0] * degree
    for size in sizes:
        parts = [count_partitions(d, size) for d in range(degree + 1)]
        ways = [sum(ways[d - e] * parts[e] for e in range(d + 1)) for d in range(degree + 1)]
    return ways[degree]


def count_partitions(total: int, parts: int, largest: int | None = None) -> int:
    largest = total if largest is None else largest
    if total == 0:
        return 1
    if parts == 0:
        return 0
    return sum(
        count_partitions(total - first, parts - 1, first)
        for first in range(min(total, largest), 0, -1)
    )


def list_cells(fibration: Fibration, k: int) -> list[int]:
    """Return the sizes of the cells vertex k tells apart: fibre, itself, receives from it."""
    arrows = set(fibration.arrows)
    loops = {(v, v) in arrows for v in fibration.members[fibration.fibres[k]]}
    cells: dict[object, int] = {}
    for i, fibre in enumerate(fibration.fibres):
        cell = (fibre, i == k and len(loops) == 1, (i, k) in arrows)
        cells[cell] = cells.get(cell, 0) + 1
    return list(cells.values())


GRAPHS: dict[str, nx.Graph[int]] = {
    "Frucht": FRUCHT,
    "karate club": nx.karate_club_graph(),
    "rings": RINGS,
    "Petersen": nx.petersen_graph(),
    "path": nx.path_graph(7),
    "tree": nx.balanced_tree(2, 3),
    "loops": LOOPED,
    "chain with tails": nx.DiGraph([(0, 1), (1, 0), (0, 2), (2, 3), (1, 4)]),
    "one vertex": nx.empty_graph(1),
    "one loop": nx.Graph([(0, 0)]),
}


@pytest.mark.parametrize("degree", range(4))
@pytest.mark.parametrize("name", GRAPHS)
def test_classes_are_as_many_as_the_cells_allow(name: str, degree: int) -> None:
    tying = solve_graph(GRAPHS[name], *[degree] * (degree > 0))
    fibration = tying.ansatz.fibration
    assert fibration is not None
    expected = sum(choose_cells(list_cells(fibration, m[0]), degree) for m in fibration.members)
    assert tying.classes == expected
    assert prove(tying).proof == ("components",)


def test_the_counts_of_the_frucht_graph() -> None:
    # Itself, its 3 neighbours, the 8 others; then pairs of these, equal or not.
    assert [solve_graph(FRUCHT, *s).classes for s in ((), (1,), (2,), (1, 1))] == [1, 3, 8, 11]
    assert solve_graph(FRUCHT, 1, output="1").classes == 1
    assert solve_graph(FRUCHT, 2, output="1").classes == 2
    assert solve_graph(FRUCHT, 2, 1, inputs="V1").classes == 8
    assert solve_graph(FRUCHT, 3, inputs="1").classes == 1


def evaluate_vertices(
    tying: Tying, coefficients: Sequence[int], values: Sequence[Sequence[int]]
) -> list[int]:
    """Evaluate a layer slot by slot, one list of values per factor."""
    labels, _ = tying.table()
    factors = [f for f, d in enumerate(tying.ansatz.shape) for _ in range(d)]
    found = []
    for row in labels.tolist():
        total = 0
        for label, indices in zip(row, tying.ansatz.space.columns().tolist(), strict=True):
            term = coefficients[label] if label >= 0 else 0
            for factor, i in zip(factors, indices, strict=True):
                term *= values[factor][i]
            total += term
        found.append(total)
    return found


def check_collapse(tying: Tying, random: Random) -> None:
    """Compare the layer on inputs constant on fibres with the collapsed layer, in integers."""
    fibration = tying.ansatz.fibration
    assert fibration is not None
    coefficients = [random.randint(-9, 9) for _ in range(tying.coefficients)]
    base, lifted = [], []
    for action in tying.ansatz.inputs:
        base.append([random.randint(-5, 5) for _ in range(min(action.dim, fibration.count))])
        lifted.append([base[-1][q] for q in fibration.fibres] if action.dim > 1 else base[-1])
    collapsed = evaluate(collapse(tying), coefficients, base)
    expected = [collapsed[q] for q in fibration.fibres] if len(collapsed) > 1 else collapsed
    if tying.ansatz.output.dim > len(expected):
        expected = expected * tying.ansatz.output.dim
    assert evaluate_vertices(tying, coefficients, lifted) == expected


SHAPES: tuple[tuple[tuple[int, ...], dict[str, str]], ...] = (
    ((), {}),
    ((1,), {}),
    ((2,), {}),
    ((1, 1), {}),
    ((3,), {}),
    ((2, 1), {}),
    ((2,), {"output": "1"}),
    ((1, 2), {"inputs": "V1"}),
)


@pytest.mark.parametrize(("shape", "more"), SHAPES)
@pytest.mark.parametrize("name", ["rings", "Petersen", "path", "loops", "chain with tails"])
def test_fibre_constant_inputs_have_fibre_constant_outputs(
    name: str, shape: tuple[int, ...], more: dict[str, str]
) -> None:
    tying = solve_graph(GRAPHS[name], *shape, **more)
    check_collapse(tying, Random(0))
    assert prove(tying).classes == tying.classes


def test_the_collapsed_adjacency_is_the_base_graph() -> None:
    tying = solve_graph(nx.karate_club_graph(), 1)
    fibration = tying.ansatz.fibration
    assert fibration is not None
    labels, _ = tying.table()
    arrows = set(fibration.arrows)
    near = {int(labels[b, a]) for a, b in arrows}
    coefficients = [int(c in near) for c in range(tying.coefficients)]
    layer, base = collapse(tying), np.array(fibration.collapse())
    for p in range(fibration.count):
        unit = [int(q == p) for q in range(fibration.count)]
        assert evaluate(layer, coefficients, [unit]) == base[:, p].tolist()


def test_a_layer_without_a_fibration_is_not_collapsed() -> None:
    ansatz = replace(expand_graph(FRUCHT, (1,)), fibration=None)
    with pytest.raises(ValueError, match="only a layer over the fibration"):
        collapse(solve(constrain(ansatz)))


@given(st.integers(1, 6), st.data())
@settings(max_examples=80)
def test_random_graphs(n: int, data: st.DataObject) -> None:
    vertex = st.integers(0, n - 1)
    directed = data.draw(st.booleans())
    graph: nx.Graph[int] = nx.DiGraph() if directed else nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(data.draw(st.lists(st.tuples(vertex, vertex), max_size=2 * n)))
    shape = data.draw(st.sampled_from([(1,), (2,), (1, 1), (2, 1), (3,)]))
    tying = solve_graph(graph, *shape)
    prove(tying)
    check_collapse(tying, Random(n))
    plain = solve(constrain(replace(tying.ansatz, fibration=None)))
    # Equivariant under the automorphisms: classes are unions of theirs.
    mine, theirs = (t.table()[0].ravel() for t in (tying, plain))
    assert len(np.unique(np.stack([mine, theirs]), axis=1).T) == plain.classes


def test_edges_between_inputs_are_not_seen() -> None:
    tying = solve_graph(nx.petersen_graph(), 2)
    plain = solve(constrain(replace(tying.ansatz, fibration=None)))
    # A neighbour and another vertex may be adjacent; two others, which form a ring of 6, may be
    # at distance 1, 2 or 3 along it.
    assert (tying.classes, plain.classes) == (8, 8 + 1 + 2)


def test_a_loop_is_seen_where_a_fibre_agrees_about_it() -> None:
    every = solve_graph(nx.Graph([(0, 0), (1, 1)]), 1)
    assert every.table()[0].tolist() == [[0, 1], [1, 0]]
    # Here 0 and 3 have a loop, 1 and 2 each other: the one sees itself where the other does not.
    mixed = solve_graph(LOOPED, 1)
    assert mixed.classes == 2
    assert mixed.table()[0].tolist() == [[0, 1, 1, 1], [1, 1, 0, 1], [1, 0, 1, 1], [1, 1, 1, 0]]


def test_classes_are_numbered_by_their_least_slot() -> None:
    tying = solve_graph(nx.karate_club_graph(), 1)
    labels = tying.table()[0].ravel()
    _, first = np.unique(labels, return_index=True)
    assert np.all(np.diff(first) > 0)
    size = tying.ansatz.space.size
    assert [k * size + a for k, a in tying.representatives.tolist()] == first.tolist()
    assert tying.sizes.tolist() == np.bincount(labels).tolist()


def refuse(tying: Tying) -> str:
    with pytest.raises(CertificateError) as caught:
        prove(tying)
    return str(caught.value)


def split_last(labels: IntArray) -> IntArray:
    """Give half of the last class, alike at every output, to a new one."""
    halves = np.flatnonzero(labels == 2)
    labels[halves[: len(halves) // 2]] = 3
    return labels


def claim(tying: Tying, change: Callable[[IntArray], IntArray]) -> Tying:
    """Change the labels of every slice of a tying."""
    orbits = tuple(replace(o, labels=change(o.labels.copy())) for o in tying.orbits)
    return Tying(tying.ansatz, orbits)


def recolour(tying: Tying, colours: Sequence[int]) -> Tying:
    """Solve over other fibres than those of the graph."""
    fibration = tying.ansatz.fibration
    assert fibration is not None
    wrong = replace(fibration, fibres=tuple(colours))
    return solve(constrain(replace(tying.ansatz, fibration=wrong)))


def test_wrong_ties_are_refused() -> None:
    tying = solve_graph(nx.path_graph(4), 1)
    last = tying.coefficients - 1
    merged = claim(tying, lambda labels: np.where(labels == last, last - 1, labels))
    assert "is not made by the fibration" in refuse(merged)
    rings = solve_graph(RINGS, 1)
    assert "is missing" in refuse(claim(rings, split_last))
    # All slots of one class: balanced, and yet not what the fibration ties.
    assert "is not made" in refuse(claim(rings, np.zeros_like))
    dropped = claim(rings, lambda labels: np.where(labels == 2, -1, labels))
    assert "sign" in refuse(dropped)


def test_unbalanced_ties_are_refused() -> None:
    rings = solve_graph(RINGS, 1)
    first, second = rings.orbits
    swapped = np.array([0, 2, 1])[second.labels]
    wrong = replace(rings, orbits=(first, replace(second, labels=swapped)))
    assert "is unequal in fibre 0" in refuse(wrong)


def test_signs_are_refused() -> None:
    rings = solve_graph(RINGS, 1)
    first, second = rings.orbits
    negated = replace(rings, orbits=(first, replace(second, signs=-second.signs)))
    assert "sign" in refuse(negated)


@pytest.mark.parametrize("colours", [(0, 0, 0, 0), (0, 1, 2, 3), (0, 1, 0, 1), (1, 0, 0, 1)])
def test_wrong_fibres_are_refused(colours: Sequence[int]) -> None:
    tying = solve_graph(nx.path_graph(4), 1)
    assert tying.ansatz.fibration is not None
    assert tying.ansatz.fibration.fibres == (0, 1, 1, 0)
    assert "coarsest balanced colouring" in refuse(recolour(tying, colours))


def test_generators_that_break_the_graph_are_refused() -> None:
    ansatz = expand_graph(nx.path_graph(4), (1,))
    turned = replace(ansatz.output, images=(SignedPermutation.unsigned([1, 0, 3, 2]),))
    wrong = replace(ansatz, output=turned, inputs=(turned,))
    orbits = solve(constrain(ansatz)).orbits
    walked = solve(constrain(replace(wrong, fibration=None))).orbits
    labels = solve(constrain(ansatz)).table()[0]
    slices = tuple(replace(o, labels=labels[o.outputs[0]]) for o in walked)
    assert "no automorphism" in refuse(Tying(wrong, slices))
    still = replace(ansatz.output, images=(SignedPermutation.identity(4),))
    assert "unlike" in refuse(Tying(replace(ansatz, inputs=(still,)), orbits))


def test_other_actions_are_refused_by_the_certificate() -> None:
    ansatz = expand_graph(nx.path_graph(4), (1,))
    small = SignedAction("W", 2, (SignedPermutation.unsigned([1, 0]),))
    plain = solve(constrain(replace(ansatz, output=small, fibration=None)))
    wrong = Tying(replace(plain.ansatz, fibration=ansatz.fibration), plain.orbits)
    assert "others are acted on" in refuse(wrong)


def test_classes_numbered_otherwise_are_refused() -> None:
    rings = solve_graph(RINGS, 1)
    assert "numbered by their least slot" in refuse(claim(rings, lambda labels: 2 - labels))


def test_a_degree_six_layer_is_served() -> None:
    tying = solve_graph(nx.cycle_graph(6), 6)
    assert tying.ansatz.slots == 6 * comb(11, 6)
    assert prove(tying).classes == choose_cells([1, 2, 3], 6)
