"""Evaluate multigraphs by contracting tensors two at a time, each intermediate tensor made once.

The value of a diagram is the mean, over the points of its free nodes, of the product of its edges,
as a tensor over its marked nodes. A part of a diagram is one too, with those nodes marked that the
rest needs; parts of different diagrams that are isomorphic share one value. The order in which two
parts at a time are joined is the cheapest for the nominal number of points.

Source: contraction orders: opt_einsum, Smith and Gray 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import opt_einsum.paths

from eqcompile.exact.multigraphs import Diagram, Edge, Nodes, Terms
from eqcompile.exact.partitions import write_least

EXHAUSTIVE = 6
"""Up to this many factors every order of joining them is tried."""


@dataclass(frozen=True, slots=True)
class Value:
    """One tensor of a program, with an axis per open node.

    Attributes:
        edges: The part of a diagram it evaluates, its open nodes numbered first, in order of axes.
        axes: Number of open nodes.
        operands: The values it is made of: none (a summand of a variable), one or two.
        labels: What stands at each axis of each operand: numbers of its own nodes.
        labels_out: What stands at its own axes.
        means: Labels that the mean is taken over.
    """

    edges: tuple[Edge, ...]
    axes: int
    operands: tuple[int, ...] = ()
    labels: tuple[Nodes, ...] = ()
    labels_out: Nodes = ()
    means: Nodes = ()


@dataclass(frozen=True, slots=True)
class Result:
    """The value of one diagram.

    Attributes:
        value: Which value; None for a diagram without edges, which is 1.
        nodes: The marked node of the diagram at each axis of the value.
    """

    value: int | None
    nodes: Nodes


@dataclass(frozen=True, slots=True)
class Contractions:
    """A straight-line program for all diagrams of one block.

    Attributes:
        values: The tensors, each made of earlier ones.
        results: One per diagram.
        nominal: The number of points its cost is counted at.
    """

    values: tuple[Value, ...]
    results: tuple[Result, ...]
    nominal: int

    @property
    def multiplications(self) -> int:
        """Products and sums of one channel of one sample, at the nominal number of points."""
        spans = (
            len({node for labels in value.labels for node in labels})
            for value in self.values
            if value.operands
        )
        return sum(self.nominal**span for span in spans)

    @property
    def numbers(self) -> int:
        """Numbers in all values of one channel of one sample, at the nominal number of points."""
        return sum(self.nominal**value.axes for value in self.values)


@dataclass(slots=True)
class _Part:
    """A value in its place in a diagram: the diagram's node at each axis."""

    value: int
    edges: tuple[Edge, ...]
    nodes: Nodes


@dataclass(slots=True)
class _Builder:
    """The program in the making; ``known`` finds the value of a part by its least writing."""

    inputs: Terms
    nominal: int
    values: list[Value] = field(default_factory=list)
    known: dict[tuple[tuple[Edge, ...], int], int] = field(default_factory=dict)

    def add(self, edges: tuple[Edge, ...], marks: Nodes, parts: Sequence[_Part]) -> _Part:
        """Return the value of some edges with some nodes open, made of parts of it if need be."""
        written, numbers = write_least(marks, edges, self.inputs)
        least = tuple(
            Edge(edge.factor, edge.term, nodes)
            for edge, nodes in zip(sorted(edges), written[1:], strict=True)
        )
        key = (least, len(marks))
        if key not in self.known:
            self.known[key] = len(self.values)
            labels = tuple(tuple(numbers[node] for node in part.nodes) for part in parts)
            out = tuple(range(len(marks)))
            means = tuple(sorted({n for each in labels for n in each} - set(out)))
            operands = tuple(part.value for part in parts)
            self.values.append(Value(least, len(marks), operands, labels, out, means))
        nodes = tuple(sorted(marks, key=lambda node: numbers[node]))
        return _Part(self.known[key], edges, nodes)

    def take(self, edge: Edge, marks: frozenset[int]) -> _Part:
        """Return the value of one edge, its private nodes averaged over."""
        nodes = tuple(range(len(edge.nodes)))
        whole = self.add((edge._replace(nodes=nodes),), nodes, ())
        # A summand of a variable is its own value, its axes in the order of indices.
        placed = _Part(whole.value, (edge,), tuple(edge.nodes[i] for i in whole.nodes))
        left = tuple(dict.fromkeys(node for node in edge.nodes if node in marks))
        if left == edge.nodes:
            return placed
        return self.add((edge,), left, (placed,))

    def evaluate(self, diagram: Diagram) -> Result:
        """Add what evaluates one diagram."""
        if not diagram.edges:
            return Result(None, ())
        outputs = frozenset(diagram.outputs)
        edges = diagram.edges
        parts = []
        for j, edge in enumerate(edges):
            others = (node for other in (*edges[:j], *edges[j + 1 :]) for node in other.nodes)
            parts.append(self.take(edge, outputs.union(others)))
        for left, right in self.choose_path(parts, outputs):
            joined = [parts[left], parts[right]]
            parts = [part for j, part in enumerate(parts) if j not in (left, right)]
            needed = outputs.union(node for part in parts for node in part.nodes)
            nodes = dict.fromkeys(joined[0].nodes + joined[1].nodes)
            marks = tuple(node for node in nodes if node in needed)
            parts.append(self.add(joined[0].edges + joined[1].edges, marks, joined))
        return Result(parts[0].value, parts[0].nodes)

    def choose_path(self, parts: Sequence[_Part], outputs: frozenset[int]) -> list[tuple[int, int]]:
        """Choose which two parts to join, one pair after the other."""
        if len(parts) == 1:
            return []
        sets = [frozenset(map(str, part.nodes)) for part in parts]
        everything = frozenset().union(*sets)
        output = everything & frozenset(map(str, outputs))
        sizes = dict.fromkeys(everything, self.nominal)
        search = opt_einsum.paths.optimal if len(parts) <= EXHAUSTIVE else opt_einsum.paths.greedy
        path = search(list(sets), output, sizes)
        return [(min(pair), max(pair)) for pair in path]


def plan_contractions(diagrams: Sequence[Diagram], inputs: Terms, nominal: int) -> Contractions:
    """Find a program that evaluates some diagrams.

    Args:
        diagrams: What to evaluate.
        inputs: The representation of every variable.
        nominal: Number of points for which the order of contractions is chosen.
    """
    builder = _Builder(inputs, max(nominal, 2))
    results = tuple(builder.evaluate(diagram) for diagram in diagrams)
    return Contractions(tuple(builder.values), results, nominal)
