"""List the set partitions of indices up to relabelling, as multigraphs in their least writing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import permutations, product
from typing import NamedTuple

from eqcompile.exact.multigraphs import Diagram, Edge, Nodes, Parts, Terms


def list_diagrams(output: Terms, inputs: Terms, shape: Sequence[int]) -> tuple[Diagram, ...]:
    """List all diagrams of one multidegree, in order.

    Args:
        output: The output representation.
        inputs: The representation of every variable.
        shape: Degree in each of several variables.

    Every initial part of a least string is least itself, so it is enough to extend the diagrams
    of one factor less by every edge that sorts after the last one.

    Source: orderly generation, Read 1978.
    """
    level = [
        Diagram(target, nodes)
        for target, parts in enumerate(output)
        for nodes in _extend_nodes(parts, 0)
        if is_least(Diagram(target, nodes), output, inputs)
    ]
    for factor, copies in enumerate(shape):
        for _ in range(copies):
            longer = (child for parent in level for child in _extend(parent, factor, inputs))
            level = [child for child in longer if is_least(child, output, inputs)]
    return tuple(sorted(level))


def _extend(parent: Diagram, factor: int, inputs: Terms) -> Iterator[Diagram]:
    """Add one edge of a variable, no smaller than its last one."""
    last = parent.edges[-1] if parent.edges else None
    least = (last.term, last.nodes) if last and last.factor == factor else (0, ())
    for term in range(least[0], len(inputs)):
        for nodes in _extend_nodes(inputs[term], parent.nodes):
            if (term, nodes) >= least:
                edge = Edge(factor, term, nodes)
                yield Diagram(parent.target, parent.outputs, (*parent.edges, edge))


@lru_cache(maxsize=1024)
def _extend_nodes(parts: Parts, known: int) -> tuple[Nodes, ...]:
    """List the nodes an edge may go through: known ones, or new ones in order of occurrence.

    Indices that commute are sorted.
    """
    found: list[tuple[Nodes, int]] = [((), known)]
    for part in parts:
        for position in range(part):
            found = [
                ((*nodes, node), max(count, node + 1))
                for nodes, count in found
                for node in range(nodes[-1] if position else 0, count + 1)
            ]
    return tuple(nodes for nodes, _ in found)


Numbers = tuple[int, ...]
"""The number given to each node, -1 while it has none."""


class _State(NamedTuple):
    """A way to write the first items: numbers of nodes, how many, and which items are left."""

    numbers: Numbers
    known: int
    left: int


class _Item(NamedTuple):
    """The outputs or an edge: what is written in turn, and the ways to arrange its indices."""

    kind: tuple[int, int]
    ways: tuple[Nodes, ...]


def is_least(diagram: Diagram, output: Terms, inputs: Terms) -> bool:
    """Whether no other way to write a diagram is smaller."""
    items = [
        _Item((-1, 0), _arrange(diagram.outputs, output[diagram.target])),
        *(_Item((e.factor, e.term), _arrange(e.nodes, inputs[e.term])) for e in diagram.edges),
    ]
    given = (diagram.outputs, *(edge.nodes for edge in diagram.edges))
    return _write(items, diagram.nodes, given) is not None


def write_least(
    marks: Nodes, edges: Sequence[Edge], inputs: Terms
) -> tuple[tuple[Nodes, ...], Numbers]:
    """Write a multigraph with marked nodes in the least way, where marks may be exchanged.

    Args:
        marks: Different nodes.
        edges: Edges through any nodes, numbered in any way from 0 on.
        inputs: The representation of every variable.

    Returns:
        The nodes of the marks and of the sorted edges, renumbered, and the new number of each
        node; isomorphic multigraphs have the same edges.
    """
    items = [_Item((-1, 0), _arrange(marks, (len(marks),) if marks else ()))]
    items += [_Item((e.factor, e.term), _arrange(e.nodes, inputs[e.term])) for e in sorted(edges)]
    nodes = 1 + max((i for item in items for i in item.ways[0]), default=-1)
    found = _write(items, nodes, None)
    assert found is not None
    return found


@lru_cache(maxsize=65536)
def _arrange(nodes: Nodes, parts: Parts) -> tuple[Nodes, ...]:
    """List the different orders of indices that commute."""
    runs, start = [], 0
    for part in parts:
        run = nodes[start : start + part]
        runs.append(sorted(set(permutations(run))) if part > 1 else [run])
        start += part
    return tuple(tuple(i for run in way for i in run) for way in product(*runs))


def _write(
    items: Sequence[_Item], nodes: int, bound: Sequence[Nodes] | None
) -> tuple[tuple[Nodes, ...], Numbers] | None:
    """Write items in the least way, or return None as soon as that is less than ``bound``.

    All ways that agree so far are followed; those that leave isomorphic rests are joined.
    """
    states = [_State((-1,) * nodes, 0, (1 << len(items)) - 1)]
    written: list[Nodes] = []
    for step, (kind, _) in enumerate(items):
        best: Nodes | None = None
        found: list[_State] = []
        for state in states:
            for label, successor in _continue(state, items, kind):
                if best is None or label < best:
                    best, found = label, []
                if label == best:
                    found.append(successor)
        assert best is not None
        if bound is not None and best < bound[step]:
            return None
        written.append(best)
        states = _join(found, items)
    return tuple(written), states[0].numbers


def _continue(
    state: _State, items: Sequence[_Item], kind: tuple[int, int]
) -> Iterator[tuple[Nodes, _State]]:
    """Write one more item of a kind, in every way."""
    seen: set[Nodes] = set()
    for j, item in enumerate(items):
        if not state.left >> j & 1 or item.kind != kind:
            continue
        for way in item.ways:
            if way in seen:
                continue
            seen.add(way)
            numbers, count = state.numbers, state.known
            if any(numbers[node] < 0 for node in way):
                fresh = list(numbers)
                for node in way:
                    if fresh[node] < 0:
                        fresh[node] = count
                        count += 1
                numbers = tuple(fresh)
            label = tuple(numbers[node] for node in way)
            yield label, _State(numbers, count, state.left & ~(1 << j))


def _join(states: list[_State], items: Sequence[_Item]) -> list[_State]:
    """Keep one of several states whose rests are surely isomorphic."""
    if len(states) == 1:
        return states
    return list({_describe_rest(state, items): state for state in reversed(states)}.values())[::-1]


def _describe_rest(state: _State, items: Sequence[_Item]) -> tuple[object, ...]:
    """Describe what is left to write, nodes without a number renamed.

    Equal descriptions mean isomorphic rests, however the nodes are renamed; the better the
    renaming, the more states are joined.
    """
    left = [item for j, item in enumerate(items) if state.left >> j & 1]
    profiles: dict[int, list[object]] = {}
    for item in left:
        for node in set(item.ways[0]):
            if state.numbers[node] < 0:
                ways = (
                    tuple(-2 if i == node else state.numbers[i] for i in way) for way in item.ways
                )
                profiles.setdefault(node, []).append((item.kind, min(ways)))
    order = sorted(profiles, key=lambda node: sorted(profiles[node], key=repr))
    names = {node: state.known + rank for rank, node in enumerate(order)}
    rest = sorted(
        (item.kind, min(tuple(names.get(i, state.numbers[i]) for i in way) for way in item.ways))
        for item in left
    )
    return state.known, tuple(rest)
