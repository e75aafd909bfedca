"""Balanced colourings of a graph: what message passing along its edges can tell apart.

A colouring of the vertices is *balanced* (an equitable partition) if any two vertices of one
colour receive equally many edges from every colour. The coarsest one always exists; its colours
are the *fibres* of the graph. Vertices that an automorphism exchanges lie in one fibre, but fibres
may be larger: the Frucht graph has no automorphism and one fibre.

Source: Boldi, Vigna, "Fibrations of graphs", Discrete Mathematics 243, 2002.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from eqcompile.errors import PathPart, Refusal, not_yet_served

MAX_SLOTS = 10**6
"""Most slots of a layer over a fibration: its ties follow from no walk, so all slots are stored."""

ON_FIBRATIONS = ("V", "1")
"""The actions of layers over a fibration: a value per vertex, or one value."""


@dataclass(frozen=True, slots=True)
class Fibration:
    """A graph and the fibre of each of its vertices.

    Attributes:
        arrows: The pairs ``(a, b)`` where b receives from a, increasing; an edge without a
            direction is there both ways, a loop once.
        fibres: The number of the fibre of each vertex; fibres are numbered by their least vertex.
    """

    arrows: tuple[tuple[int, int], ...]
    fibres: tuple[int, ...]

    @property
    def n(self) -> int:
        """Number of vertices."""
        return len(self.fibres)

    @property
    def count(self) -> int:
        """Number of fibres."""
        return 1 + max(self.fibres)

    @property
    def members(self) -> tuple[tuple[int, ...], ...]:
        """The vertices of each fibre, increasing."""
        found: list[list[int]] = [[] for _ in range(self.count)]
        for vertex, fibre in enumerate(self.fibres):
            found[fibre].append(vertex)
        return tuple(map(tuple, found))

    @property
    def is_directed(self) -> bool:
        """Whether some arrow has no arrow back."""
        known = set(self.arrows)
        return any((b, a) not in known for a, b in self.arrows)

    @property
    def mixed(self) -> frozenset[int]:
        """The fibres in which some vertices have a loop and others have none."""
        looped = Counter(self.fibres[a] for a, b in self.arrows if a == b)
        sizes = Counter(self.fibres)
        return frozenset(q for q, count in looped.items() if count < sizes[q])

    def collapse(self) -> tuple[tuple[int, ...], ...]:
        """Return the base graph: ``B[q][p]`` edges reach each vertex of fibre q from fibre p.

        With A the matrix of the graph (``A[b, a] = 1`` where b receives from a) and P the 0/1
        matrix that gives every vertex the value of its fibre, ``A P = P B``.
        """
        least = {fibre: members[0] for fibre, members in enumerate(self.members)}
        base = [[0] * self.count for _ in least]
        for a, b in self.arrows:
            if b == least[self.fibres[b]]:
                base[self.fibres[b]][self.fibres[a]] += 1
        return tuple(map(tuple, base))


def list_arrows(edges: Iterable[tuple[int, int]], *, directed: bool) -> tuple[tuple[int, int], ...]:
    """List who receives from whom: ``(a, b)`` for an edge a -> b, both ways if undirected."""
    found = {(a, b) for a, b in edges}
    if not directed:
        found |= {(b, a) for a, b in found}
    return tuple(sorted(found))


def refuse_action() -> Refusal:
    """Refuse an input or output of a layer over a fibration that is neither ``V`` nor ``1``."""
    what = "an action other than V and 1 over the fibration of a graph"
    return not_yet_served(what, "write V or 1, or symmetry: automorphisms")


def refuse_inside(at: tuple[PathPart, ...]) -> Refusal:
    """Refuse a fibration inside a group made of others: its ties come from no group."""
    what = "the fibration symmetry of a graph inside another group"
    return not_yet_served(what, "use symmetry: automorphisms", at=at)
