"""Groups of the pixels of a grid and of the velocities of a lattice."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from eqcompile.actions.group import (
    Arguments,
    Environment,
    Group,
    name_generators,
    register_group,
)
from eqcompile.actions.sizes import Size, check_points
from eqcompile.errors import Refusal
from eqcompile.exact.signed import IntArray, SignedPermutation

Point = tuple[int, ...]
Matrix = tuple[tuple[int, ...], ...]


class Grid(Arguments):
    """What stands under ``grid:``."""

    size: Annotated[list[Size], Field(min_length=2, max_length=2)] = Field(
        description="rows and columns"
    )
    symmetry: Literal["D4", "C4", "flips", "translations", "p4m"] = Field(
        description="translations and p4m are periodic; D4, C4 and p4m need a square"
    )


class GridArguments(Arguments):
    """``{grid: {size: [h, w], symmetry: D4}}``."""

    grid: Grid


class LatticeArguments(Arguments):
    """``{lattice: D2Q9}``."""

    lattice: Literal["D2Q9", "D3Q15", "D3Q19", "D3Q27"] = Field(description="set of velocities")


# Generators of each symmetry, in order; how each moves pixels is in `_move_pixels`.
GRID_GENERATORS = {
    "D4": ("turn", "mirror"),
    "C4": ("turn",),
    "flips": ("flip_rows", "mirror"),
    "translations": ("shift_rows", "shift_columns"),
    "p4m": ("shift_rows", "shift_columns", "turn", "mirror"),
}
GRID_NAMES = {
    "D4": "D_4 on the {} grid",
    "C4": "C_4 on the {} grid",
    "flips": "flips of the {} grid",
    "translations": "translations of the {} torus",
    "p4m": "p4m on the {} torus",
}


@register_group("grid", "symmetries of a grid of pixels, row-major", GridArguments)
def build_grid(arguments: GridArguments, environment: Environment) -> Group:
    """Build a symmetry group of an h x w grid, pixel (r, c) at r * w + c.

    Generators: turn (r, c) -> (c, n - 1 - r); mirror (r, c) -> (r, w - 1 - c); flip_rows
    (r, c) -> (h - 1 - r, c); shifts r -> r + 1 and c -> c + 1, periodic. D4: turn, mirror;
    C4: turn; flips: flip_rows, mirror; translations: the shifts; p4m: the shifts, turn, mirror.

    Raises:
        Refusal: A grid that is not square under D4, C4 or p4m, or one that is too large.
    """
    height, width = arguments.grid.size
    symmetry = arguments.grid.symmetry
    check_points(height * width, ("grid", "size"))
    names = GRID_GENERATORS[symmetry]
    if "turn" in names and height != width:
        raise Refusal(
            "not-square",
            f"{symmetry} needs a square grid, this one is {height}x{width}",
            "use symmetry: flips or translations, or a square size",
            ("grid", "size"),
        )
    generators = tuple(_move_pixels(name, height, width) for name in names)
    title = GRID_NAMES[symmetry].format(f"{height}x{width}")
    return Group(title, generators, name_generators(generators, names))


def _move_pixels(name: str, height: int, width: int) -> SignedPermutation:
    row, column = np.divmod(np.arange(height * width), width)
    targets: dict[str, tuple[IntArray, IntArray]] = {
        "turn": (column, height - 1 - row),
        "mirror": (row, width - 1 - column),
        "flip_rows": (height - 1 - row, column),
        "shift_rows": ((row + 1) % height, column),
        "shift_columns": (row, (column + 1) % width),
    }
    to_row, to_column = targets[name]
    return SignedPermutation.unsigned(to_row * width + to_column)


SQUARE_VELOCITIES: tuple[Point, ...] = (
    (0, 0),
    *((1, 0), (0, 1), (-1, 0), (0, -1)),
    *((1, 1), (-1, 1), (-1, -1), (1, -1)),
)
SQUARE_MATRICES: dict[str, Matrix] = {
    "turn": ((0, -1), (1, 0)),
    "mirror": ((1, 0), (0, -1)),
}
CUBE_MATRICES: dict[str, Matrix] = {
    "turn": ((0, -1, 0), (1, 0, 0), (0, 0, 1)),
    "roll": ((0, 0, 1), (1, 0, 0), (0, 1, 0)),
    "invert": ((-1, 0, 0), (0, -1, 0), (0, 0, -1)),
}
# Which squared lengths a three-dimensional lattice holds.
CUBE_SHELLS = {"D3Q15": (0, 1, 3), "D3Q19": (0, 1, 2), "D3Q27": (0, 1, 2, 3)}


@register_group("lattice", "the velocities of a lattice-Boltzmann method", LatticeArguments)
def build_lattice(arguments: LatticeArguments, environment: Environment) -> Group:
    """Build the full point group on the velocities of a lattice, which are the group's points.

    D2Q9: rest; E, N, W, S; NE, NW, SW, SE; generators turn (x, y) -> (-y, x) and mirror
    (x, y) -> (x, -y). D3Q*: rest, then by squared length, then lexicographically descending;
    generators turn about z, roll x -> y -> z -> x, invert.
    """
    if arguments.lattice == "D2Q9":
        points, matrices, title = SQUARE_VELOCITIES, SQUARE_MATRICES, "D_4"
    else:
        points = list_velocities(CUBE_SHELLS[arguments.lattice])
        matrices, title = CUBE_MATRICES, "O_h"
    generators = tuple(move_points(matrix, points) for matrix in matrices.values())
    labels = name_generators(generators, tuple(matrices))
    return Group(f"{title} on {arguments.lattice}", generators, labels, points)


def list_velocities(shells: Sequence[int]) -> tuple[Point, ...]:
    """List the points of {-1, 0, 1}^3 of the given squared lengths, in the lattices' order."""
    points = sorted(product((1, 0, -1), repeat=3), reverse=True)
    return tuple(p for shell in shells for p in points if sum(v * v for v in p) == shell)


def move_points(matrix: Matrix, points: Sequence[Point]) -> SignedPermutation:
    """Return how a matrix permutes a set of integer points that it maps to itself."""
    place = {point: i for i, point in enumerate(points)}
    moved = np.array(points) @ np.array(matrix).T
    return SignedPermutation.unsigned([place[tuple(int(v) for v in p)] for p in moved])
