"""Balanced colourings: the fibres of known graphs, and what makes them the coarsest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eqcompile.actions.fibrations import Fibration, list_arrows
from eqcompile.actions.graphs import Network, find_automorphisms, find_fibration
from eqcompile.actions.group import Environment
from eqcompile.actions.refinement import find_fibres
from eqcompile.errors import Refusals
from tests.actions.entries import Entry, build, edges

Arrows = tuple[tuple[int, int], ...]


def read(graph: nx.Graph[int]) -> Network:
    place = {vertex: i for i, vertex in enumerate(graph)}
    pairs = tuple((place[a], place[b]) for a, b in graph.edges)
    return Network(len(place), pairs, graph.is_directed())


def count_orbits(network: Network) -> int:
    graph: nx.Graph[int] = nx.empty_graph(network.n)
    for g in find_automorphisms(network):
        graph.add_edges_from(enumerate(g.perm.tolist()))
    return nx.number_connected_components(graph)


KNOWN: tuple[tuple[str, nx.Graph[int], int, int], ...] = (
    ("Frucht", nx.frucht_graph(), 12, 1),
    ("karate club", nx.karate_club_graph(), 27, 27),
    ("C3 and C4", nx.disjoint_union(nx.cycle_graph(3), nx.cycle_graph(4)), 2, 1),
    ("Petersen", nx.petersen_graph(), 1, 1),
    ("path", nx.path_graph(7), 4, 4),
    ("binary tree", nx.balanced_tree(2, 4), 5, 5),
    ("no edge", nx.empty_graph(4), 1, 1),
    ("one vertex", nx.empty_graph(1), 1, 1),
    # A chain receives from the front: every vertex has a history of its own length.
    ("directed path", nx.path_graph(5, nx.DiGraph), 5, 5),
    ("directed cycle", nx.cycle_graph(6, nx.DiGraph), 1, 1),
    # Both vertices of the cycle and the leaves behind them receive one edge from such a vertex.
    ("cycle with tails", nx.DiGraph([(0, 1), (1, 0), (0, 2), (2, 3)]), 4, 1),
    # The source of a star receives nothing, and what it sends to is alike.
    ("star outwards", nx.DiGraph([(0, 1), (0, 2), (0, 3)]), 2, 2),
    ("star inwards", nx.DiGraph([(1, 0), (2, 0), (3, 0)]), 2, 2),
    # A loop is an edge from a vertex to itself, so it is as good as one from a like vertex.
    ("loop and edge", nx.DiGraph([(0, 0), (0, 1)]), 2, 1),
    ("loop on one of two", nx.Graph([(0, 0), (0, 1)]), 2, 2),
    ("loop and pair", nx.Graph([(0, 0), (1, 2)]), 2, 1),
)


@pytest.mark.parametrize(("name", "graph", "orbits", "fibres"), KNOWN, ids=lambda x: str(x)[:20])
def test_known_graphs(name: str, graph: nx.Graph[int], orbits: int, fibres: int) -> None:
    network = read(graph)
    assert (count_orbits(network), find_fibration(network).count) == (orbits, fibres)


def spell_base(fibration: Fibration) -> tuple[tuple[Counter[int], ...], ...]:
    """Count, for every vertex, what it receives from every fibre."""
    received: list[Counter[int]] = [Counter() for _ in range(fibration.n)]
    for a, b in fibration.arrows:
        received[b][fibration.fibres[a]] += 1
    return tuple(tuple(received[v] for v in members) for members in fibration.members)


def colour_greedily(n: int, arrows: Arrows) -> tuple[int, ...]:
    """Return the coarsest balanced colouring among all colourings: try every one."""
    best: tuple[int, ...] = tuple(range(n))
    for colours in list_partitions(n):
        balanced = all(len(set(map(str, f))) == 1 for f in spell_base(Fibration(arrows, colours)))
        if balanced and max(colours) < max(best):
            best = colours
    return best


def list_partitions(n: int) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = [(0,)]
    for _ in range(n - 1):
        found = [(*head, c) for head in found for c in range(max(head) + 2)]
    return found


def arrows_on(n: int) -> st.SearchStrategy[Arrows]:
    vertex = st.integers(0, n - 1)
    return st.sets(st.tuples(vertex, vertex), max_size=3 * n).map(lambda a: tuple(sorted(a)))


GRAPHS = st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), arrows_on(n)))


@given(st.integers(1, 6).flatmap(lambda n: st.tuples(st.just(n), arrows_on(n))))
@settings(max_examples=60)
def test_fibres_are_the_coarsest_of_all_balanced_colourings(graph: tuple[int, Arrows]) -> None:
    assert find_fibres(*graph) == colour_greedily(*graph)


@given(GRAPHS)
@settings(max_examples=200)
def test_fibres_are_balanced_and_coarser_than_orbits(graph: tuple[int, Arrows]) -> None:
    n, arrows = graph
    fibration = Fibration(arrows, find_fibres(n, arrows))
    for received in spell_base(fibration):
        assert len({tuple(sorted(c.items())) for c in received}) == 1
    for g in find_automorphisms(Network(n, arrows, directed=True)):
        assert tuple(fibration.fibres[int(i)] for i in g.perm) == fibration.fibres


@given(GRAPHS, st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_fibres_do_not_depend_on_the_order_of_vertices(
    graph: tuple[int, Arrows], random: Random
) -> None:
    n, arrows = graph
    order = random.sample(range(n), n)
    moved = find_fibres(n, [(order[a], order[b]) for a, b in arrows])
    pairs = set(zip(find_fibres(n, arrows), (moved[v] for v in order), strict=True))
    assert len(pairs) == 1 + max(moved)


@given(GRAPHS)
@settings(max_examples=100)
def test_the_base_graph(graph: tuple[int, Arrows]) -> None:
    n, arrows = graph
    fibration = Fibration(arrows, find_fibres(n, arrows))
    adjacency = np.zeros((n, n), dtype=int)
    for a, b in arrows:
        adjacency[b, a] = 1
    lift = np.eye(fibration.count, dtype=int)[list(fibration.fibres)]
    assert np.array_equal(adjacency @ lift, lift @ np.array(fibration.collapse()))


def test_fibres_are_numbered_by_their_least_vertex() -> None:
    fibration = find_fibration(read(nx.path_graph(5)))
    assert fibration.fibres == (0, 1, 2, 1, 0)
    assert fibration.members == ((0, 4), (1, 3), (2,))
    assert fibration.collapse() == ((0, 1, 0), (1, 0, 1), (0, 2, 0))


def test_arrows_point_at_who_receives() -> None:
    assert list_arrows([(0, 1), (1, 1)], directed=False) == ((0, 1), (1, 0), (1, 1))
    assert list_arrows([(0, 1)], directed=True) == ((0, 1),)
    assert Fibration(((0, 1),), (0, 1)).is_directed
    assert not Fibration(((0, 1), (1, 0), (1, 1)), (0, 1)).is_directed


def test_fibres_with_and_without_loops() -> None:
    assert find_fibration(Network(3, ((0, 0), (1, 2)), directed=False)).mixed == {0}
    assert find_fibration(Network(2, ((0, 0), (1, 1)), directed=False)).mixed == frozenset()
    assert find_fibration(Network(2, ((0, 1),), directed=False)).mixed == frozenset()


def ring(*sizes: int) -> Sequence[tuple[int, int]]:
    starts = np.cumsum([0, *sizes]).tolist()
    return [(s + i, s + (i + 1) % n) for s, n in zip(starts, sizes, strict=False) for i in range(n)]


def test_a_fibration_in_a_spec_has_the_automorphisms_as_generators() -> None:
    group = build(edges(*ring(3, 4), symmetry="fibration"))
    plain = build(edges(*ring(3, 4)))
    assert group.name == "balanced colouring of a graph on 7 vertices"
    assert group.generators == plain.generators
    assert plain.fibration is None
    assert group.fibration is not None
    assert group.fibration.fibres == (0,) * 7


@pytest.mark.parametrize(
    "make",
    [
        lambda inner: {"product": {"factors": [{"cyclic": 2}, inner], "on": "union"}},
        lambda inner: {"wreath": [{"cyclic": 2}, inner]},
    ],
)
def test_a_fibration_inside_another_group_is_refused(make: Callable[[Entry], Entry]) -> None:
    entry = make(edges([0, 1], symmetry="fibration"))
    with pytest.raises(Refusals) as caught:
        Environment().build(entry)
    (refusal,) = caught.value.refusals
    assert refusal.rule == "not-yet-served"
    assert refusal.text.startswith("the fibration symmetry of a graph inside another group")
    assert refusal.at[-1] == 1
