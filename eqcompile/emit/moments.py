"""Mean squares of diagrams for unit normal input: what their parameters are scaled by.

By Wick's theorem the mean of a product of 2 d entries of normal tensors is a sum over pairings of
the entries, and a pair contributes where both are the same coordinate: where their indices are
equal one by one, or, for indices that commute, in some order. The square of a diagram is two copies
of it that share their outputs; a pairing of its edges joins nodes, and n points at each of the
nodes that are left is what it contributes.

Source: Isserlis 1918.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations, product

from eqcompile.exact.multigraphs import Diagram, Edge, Nodes, Parts, Terms

Merge = tuple[tuple[int, int], ...]
"""Pairs of nodes that are set equal."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments of the mean over free nodes that a diagram stands for.

    Attributes:
        square: Its mean square, over the input and over outputs, those it does not touch included.
        variance: Its variance over the input, on average over the same outputs.
    """

    square: Fraction
    variance: Fraction


def find_moments(diagram: Diagram, output: Terms, inputs: Terms, n: int) -> Moments:
    """Find the moments of one diagram at n points.

    Outputs of commuting indices are averaged over their orders, as the layer does. Where two
    entries of a factor with three or more commuting indices coincide, a coordinate may be counted
    more than once, which matters in relative order 1/n.

    Args:
        diagram: The diagram.
        output: The output representation.
        inputs: The representation of every variable.
        n: Number of points.
    """
    legs = len(diagram.outputs)
    # The two copies have nodes 0.. and nodes.., the outputs' indices come last.
    first, last = diagram.nodes, 2 * diagram.nodes
    edges = [*diagram.edges, *(shift_edge(edge, first) for edge in diagram.edges)]
    orders = list(list_orders(output[diagram.target]))
    square = inner = Fraction(0)
    for order in orders:
        shared = [(diagram.outputs[i], last + i) for i in range(legs)]
        shared += [(first + diagram.outputs[order[i]], last + i) for i in range(legs)]
        for pairing in list_pairings(edges):
            crossing = any((i < len(diagram.edges)) != (j < len(diagram.edges)) for i, j in pairing)
            pairs = [list_merges(edges[i], edges[j], inputs) for i, j in pairing]
            for chosen in product(*pairs):
                sign = 1
                joins = list(shared)
                for weight, merge in chosen:
                    sign *= weight
                    joins += merge
                blocks = count_blocks(last + legs, joins)
                # Every mean over a free node divides by n, in both copies; so does each output.
                share = sign * Fraction(n) ** (blocks - 2 * diagram.free - legs)
                square += share
                inner += 0 if crossing else share
    return Moments(square / len(orders), (square - inner) / len(orders))


def shift_edge(edge: Edge, by: int) -> Edge:
    """Return an edge through the nodes of the second copy."""
    return edge._replace(nodes=tuple(node + by for node in edge.nodes))


def list_orders(parts: Parts) -> Iterator[Nodes]:
    """List the orders of indices in which those of each run are exchanged."""
    starts = [sum(parts[:i]) for i in range(len(parts))]
    runs = [permutations(range(s, s + part)) for s, part in zip(starts, parts, strict=True)]
    for chosen in product(*runs):
        yield tuple(i for run in chosen for i in run)


def list_pairings(edges: Sequence[Edge]) -> Iterator[tuple[tuple[int, int], ...]]:
    """List the ways to pair all edges, each with one of the same variable and summand."""
    yield from _pair(tuple(range(len(edges))), edges)


def _pair(left: tuple[int, ...], edges: Sequence[Edge]) -> Iterator[tuple[tuple[int, int], ...]]:
    if not left:
        yield ()
        return
    for position, j in enumerate(left[1:], start=1):
        if edges[left[0]][:2] == edges[j][:2]:
            rest = left[1:position] + left[position + 1 :]
            for pairs in _pair(rest, edges):
                yield ((left[0], j), *pairs)


def list_merges(left: Edge, right: Edge, inputs: Terms) -> list[tuple[int, Merge]]:
    """List what makes two edges the same coordinate: signs, and nodes to be set equal."""
    ways = [tuple(right.nodes[i] for i in order) for order in list_orders(inputs[left.term])]
    merges = sorted({_close(tuple(zip(left.nodes, way, strict=True))) for way in ways})
    found = [(1, merge) for merge in merges]
    if len(merges) == 2:
        # Either may hold: what makes both hold was counted twice.
        found.append((-1, merges[0] + merges[1]))
    return found


def _close(merge: Merge) -> Merge:
    """Return the same for all lists of pairs that join the same nodes."""
    names = find_names(1 + max((node for pair in merge for node in pair), default=-1), merge)
    return tuple(sorted({(names[node], node) for pair in merge for node in pair}))


def find_names(count: int, joins: Sequence[tuple[int, int]]) -> list[int]:
    """Return for each node the least node it is joined with."""
    names = list(range(count))

    def find(node: int) -> int:
        while names[node] != node:
            node = names[node]
        return node

    for left, right in joins:
        low, high = sorted((find(left), find(right)))
        names[high] = low
    return [find(node) for node in range(count)]


def count_blocks(count: int, joins: Sequence[tuple[int, int]]) -> int:
    """Count the nodes that are left when some are joined."""
    return len(set(find_names(count, joins)))
