"""Groups of the Platonic solids, exactly: coordinates are a + b phi, phi the golden ratio."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from itertools import combinations, product
from typing import Literal

from pydantic import Field

from eqcompile.actions.group import (
    Arguments,
    Environment,
    Group,
    name_generators,
    register_group,
)
from eqcompile.exact.signed import SignedPermutation

Kind = Literal["tetrahedron", "cube", "octahedron", "dodecahedron", "icosahedron"]
Element = Literal["vertices", "edges", "faces"]


@dataclass(frozen=True, slots=True)
class Golden:
    """The number ``a + b phi`` with phi^2 = phi + 1."""

    a: int
    b: int = 0

    def __add__(self, other: Golden) -> Golden:
        return Golden(self.a + other.a, self.b + other.b)

    def __sub__(self, other: Golden) -> Golden:
        return Golden(self.a - other.a, self.b - other.b)

    def __mul__(self, other: Golden) -> Golden:
        both = self.b * other.b
        return Golden(self.a * other.a + both, self.a * other.b + self.b * other.a + both)

    def sign(self) -> int:
        """Return -1, 0 or 1: ``2 (a + b phi) = p + b sqrt(5)`` with ``p = 2 a + b``."""
        p = 2 * self.a + self.b
        if p * self.b >= 0:
            return (p + self.b > 0) - (p + self.b < 0)
        wins = p if p * p > 5 * self.b * self.b else self.b
        return 1 if wins > 0 else -1


ZERO, ONE, PHI = Golden(0), Golden(1), Golden(0, 1)
Vector = tuple[Golden, ...]


class Polyhedron(Arguments):
    """What stands under ``polyhedron:``."""

    kind: Kind = Field(description="the solid")
    on: Element = Field(description="what the group permutes")
    rotations: bool = Field(default=False, description="rotations only, without reflections")


class PolyhedronArguments(Arguments):
    """``{polyhedron: {kind: icosahedron, on: vertices, rotations: false}}``."""

    polyhedron: Polyhedron


@dataclass(frozen=True, slots=True)
class Solid:
    """A Platonic solid by its vertices.

    Attributes:
        vertices: Coordinates, lexicographically descending.
        edges: Pairs of vertices, by their centres, lexicographically descending.
        faces: Vertices of each face, counter-clockwise seen from outside, from its least vertex
            on; by the faces' centres, lexicographically descending.
    """

    vertices: tuple[Vector, ...]
    edges: tuple[tuple[int, ...], ...]
    faces: tuple[tuple[int, ...], ...]


@register_group("polyhedron", "symmetries of a Platonic solid", PolyhedronArguments)
def build_polyhedron(arguments: PolyhedronArguments, environment: Environment) -> Group:
    """Build the symmetries of a Platonic solid on its vertices, edges or faces.

    Coordinates: tetrahedron (1, 1, 1), (1, -1, -1), ...; cube (+-1, +-1, +-1); octahedron +-e_i;
    icosahedron (0, +-1, +-phi) and its cyclic shifts; dodecahedron those of the cube and
    (0, +-phi, +-1/phi) with its cyclic shifts. Vertices, edges and faces are ordered by their
    centres, lexicographically descending. Generators: turn (the first face by one corner,
    counter-clockwise seen from outside), half_turn (about the first side of that face, from its
    least vertex), and, unless only rotations are asked for, mirror (keeps that face, swaps the
    ends of that side).
    """
    wanted = arguments.polyhedron
    solid = build_solid(wanted.kind)
    elements = {
        "vertices": tuple((v,) for v in range(len(solid.vertices))),
        "edges": solid.edges,
        "faces": solid.faces,
    }[wanted.on]
    names = ("turn", "half_turn") if wanted.rotations else ("turn", "half_turn", "mirror")
    moves = _list_moves(solid)
    generators = tuple(_move_elements(moves[name], elements) for name in names)
    title = f"rotations of the {wanted.kind}" if wanted.rotations else wanted.kind
    return Group(f"{title} on {wanted.on}", generators, name_generators(generators, names))


def build_solid(kind: Kind) -> Solid:
    """Build a Platonic solid: vertices, edges and faces in their documented order."""
    vertices = _sort_descending(_list_vertices(kind))
    shortest = _find_least([_dot(d, d) for d in _differences(vertices)])
    joined = [
        pair
        for pair in combinations(range(len(vertices)), 2)
        if _dot(*[_subtract(vertices[pair[0]], vertices[pair[1]])] * 2) == shortest
    ]
    centres = {_add(vertices[a], vertices[b]): (a, b) for a, b in joined}
    edges = tuple(centres[c] for c in _sort_descending(list(centres)))
    neighbours = frozenset(edges)
    faces = tuple(
        _walk_face(vertices, neighbours, normal) for normal in _sort_descending(_list_normals(kind))
    )
    return Solid(vertices, edges, faces)


def _list_vertices(kind: Kind) -> list[Vector]:
    signs = list(product((ONE, ZERO - ONE), repeat=3))
    match kind:
        case "tetrahedron":
            return [s for s in signs if (s[0] * s[1] * s[2]).sign() > 0]
        case "cube":
            return signs
        case "octahedron":
            return _shift_cyclically([(s, ZERO, ZERO) for s in (ONE, ZERO - ONE)])
        case "icosahedron":
            return _shift_cyclically([(ZERO, s, t * PHI) for _, s, t in signs[:4]])
        case "dodecahedron":
            inverse = PHI - ONE
            return signs + _shift_cyclically(
                [(ZERO, s * PHI, t * inverse) for _, s, t in signs[:4]]
            )


def _list_normals(kind: Kind) -> list[Vector]:
    """Return the outward directions of the faces: the vertices of the dual solid."""
    match kind:
        case "tetrahedron":
            return [_subtract((ZERO, ZERO, ZERO), v) for v in _list_vertices(kind)]
        case "cube":
            return _list_vertices("octahedron")
        case "octahedron":
            return _list_vertices("cube")
        case "dodecahedron":
            return _list_vertices("icosahedron")
        case "icosahedron":
            return _list_vertices("dodecahedron")


def _walk_face(
    vertices: Sequence[Vector], edges: frozenset[tuple[int, ...]], normal: Vector
) -> tuple[int, ...]:
    """List the vertices furthest along ``normal``, counter-clockwise seen from outside."""
    heights = [_dot(v, normal) for v in vertices]
    top = _sort_descending([(h,) for h in heights])[0][0]
    corners = [v for v, height in enumerate(heights) if height == top]
    walk = [corners[0]]
    while len(walk) < len(corners):
        here = walk[-1]
        (following,) = (
            v
            for v in corners
            if (min(v, here), max(v, here)) in edges
            and _dot(_cross(vertices[here], vertices[v]), normal).sign() > 0
        )
        walk.append(following)
    return tuple(walk)


def _list_moves(solid: Solid) -> dict[str, tuple[int, ...]]:
    """Return the vertex permutations of the three generators, by the images of a corner's frame.

    Three consecutive corners of a face span the space, so their images fix the symmetry.
    """
    face = solid.faces[0]
    frame = face[:3]
    first, second = face[0], face[1]
    (across,) = (f for f in solid.faces if {first, second} <= set(f) and f != face)
    # The face across is walked the other way along the shared side.
    beyond = across[(across.index(first) + 1) % len(across)]
    images = {
        "turn": (face[1], face[2], face[3 % len(face)]),
        "half_turn": (second, first, beyond),
        "mirror": (second, first, face[-1]),
    }
    return {name: _extend(solid.vertices, frame, image) for name, image in images.items()}


def _extend(
    vertices: Sequence[Vector], frame: tuple[int, ...], image: tuple[int, ...]
) -> tuple[int, ...]:
    """Return the symmetry that sends ``frame`` to ``image``: it keeps all inner products."""
    place = {tuple(_dot(v, vertices[i]) for i in image): p for p, v in enumerate(vertices)}
    return tuple(place[tuple(_dot(v, vertices[f]) for f in frame)] for v in vertices)


def _move_elements(move: tuple[int, ...], elements: Sequence[tuple[int, ...]]) -> SignedPermutation:
    place = {frozenset(element): i for i, element in enumerate(elements)}
    return SignedPermutation.unsigned(
        [place[frozenset(move[v] for v in element)] for element in elements]
    )


def _sort_descending(vectors: Sequence[Vector]) -> tuple[Vector, ...]:
    return tuple(sorted(vectors, key=cmp_to_key(_compare), reverse=True))


def _compare(left: Vector, right: Vector) -> int:
    signs = ((a - b).sign() for a, b in zip(left, right, strict=True))
    return next((s for s in signs if s), 0)


def _find_least(values: Sequence[Golden]) -> Golden:
    return _sort_descending([(v,) for v in values])[-1][0]


def _differences(vertices: Sequence[Vector]) -> list[Vector]:
    return [_subtract(v, w) for v, w in combinations(vertices, 2)]


def _shift_cyclically(vectors: Sequence[Vector]) -> list[Vector]:
    return [v[i:] + v[:i] for v in vectors for i in range(3)]


def _combine(operation: Callable[[Golden, Golden], Golden], left: Vector, right: Vector) -> Vector:
    return tuple(operation(a, b) for a, b in zip(left, right, strict=True))


def _add(left: Vector, right: Vector) -> Vector:
    return _combine(Golden.__add__, left, right)


def _subtract(left: Vector, right: Vector) -> Vector:
    return _combine(Golden.__sub__, left, right)


def _dot(left: Vector, right: Vector) -> Golden:
    x, y, z = _combine(Golden.__mul__, left, right)
    return x + y + z


def _cross(left: Vector, right: Vector) -> Vector:
    (a, b, c), (x, y, z) = left, right
    return (b * z - c * y, c * x - a * z, a * y - b * x)
