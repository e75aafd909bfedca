"""Multigraphs that stand for the orbits of S_n on monomials of tensors.

An index of a tensor power of V = R^n is a point of {0, .., n-1}, and S_n can only see which
indices are equal. So an orbit on (output index, monomial) is a partition of all their indices into
blocks, up to exchanging equal factors and indices that commute. As a multigraph the blocks are
nodes, every factor of the monomial is an edge through the blocks of its indices, and the blocks of
the output's indices are marked.

Source: Puny et al. 2023, arXiv 2302.11556; partitions of tensors: Maron et al. 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

Nodes = tuple[int, ...]
Parts = tuple[int, ...]
"""A tensor power, as sizes of runs of indices that commute: V ** 2 is (1, 1), Sym(V, 2) is (2,)."""

Terms = tuple[Parts, ...]
"""A direct sum of tensor powers, in the order of its coordinates."""


class Edge(NamedTuple):
    """One factor of a monomial.

    Attributes:
        factor: Which variable it is a coordinate of.
        term: Which summand of that variable's representation.
        nodes: The node of each of its indices.
    """

    factor: int
    term: int
    nodes: Nodes


@dataclass(frozen=True, slots=True, order=True)
class Diagram:
    """A multigraph with marked nodes, which stands for one class of slots.

    Nodes are numbered by first occurrence, in the outputs, then in the edges; of all ways to write
    an isomorphic multigraph a diagram is the lexicographically least, and diagrams are ordered
    likewise. Written with points for nodes this is the least slot of the class, so for n no less
    than the number of nodes this is the order in which classes are numbered everywhere else.

    Attributes:
        target: Which summand of the output.
        outputs: The node of each index of the output.
        edges: The factors, sorted.
    """

    target: int
    outputs: Nodes
    edges: tuple[Edge, ...] = ()

    @property
    def nodes(self) -> int:
        """Number of nodes; the class exists for every n from this on."""
        return 1 + max(
            (i for e in (self.outputs, *(e.nodes for e in self.edges)) for i in e), default=-1
        )

    @property
    def marked(self) -> int:
        """Number of nodes that the output's indices stand at: those numbered first."""
        return 1 + max(self.outputs, default=-1)

    @property
    def free(self) -> int:
        """Number of nodes that are summed over."""
        return self.nodes - self.marked


LETTERS = "ijklmnopqrstuvwxyz"


def name_node(node: int) -> str:
    """Return the letter of a node; there are eighteen before they get numbers."""
    return LETTERS[node] if node < len(LETTERS) else f"i{node}"


def spell_diagram(diagram: Diagram, output: Terms, inputs: Terms, over: str = "sum") -> str:
    """Write a diagram as the polynomial it stands for: ``y_ij = sum_k x_ik x_kj``.

    A factor in another channel has a prime; summands of a direct sum are numbered, ``x1_ij``.

    Args:
        diagram: The diagram.
        output: The output representation.
        inputs: The representation of every variable.
        over: What is done over the free nodes, ``sum`` or ``mean``.
    """
    left = _name_tensor("y", diagram.target, len(output), diagram.outputs)
    free = "".join(name_node(node) for node in range(diagram.marked, diagram.nodes))
    factors = [
        _name_tensor("x" + "'" * e.factor, e.term, len(inputs), e.nodes) for e in diagram.edges
    ]
    words = [f"{over}_{free}"] if free else []
    return f"{left} = {' '.join((*words, *factors)) or '1'}"


def _name_tensor(name: str, term: int, terms: int, nodes: Nodes) -> str:
    head = f"{name}{term}" if terms > 1 else name
    below = "".join(name_node(node) for node in nodes)
    return f"{head}_{below}" if below else head


def spell_einsum(diagram: Diagram) -> str:
    """Write a diagram as the subscripts of one einsum over its edges: ``ik,kj->ij``.

    Nodes of the output that no edge goes through are left out, as einsum wants it.
    """
    words = ["".join(name_node(node) for node in edge.nodes) for edge in diagram.edges]
    touched = sorted({node for edge in diagram.edges for node in edge.nodes})
    out = "".join(name_node(node) for node in touched if node < diagram.marked)
    return f"{','.join(words)}->{out}"
