"""Unlike group actions to draw, spelled out by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eqcompile.actions.group import Group, name_generators
from eqcompile.exact.signed import SignedPermutation
from eqcompile.layers.problem import (
    Channels,
    LayerInput,
    LayerProblem,
    SignedAction,
    keep_degree,
)
from eqcompile.solve.ansatz import expand
from eqcompile.solve.constraints import constrain
from eqcompile.solve.solver import solve
from eqcompile.solve.tying import Tying

D2Q9 = ((0, 0), (1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (-1, 1), (-1, -1), (1, -1))


def permute(*perm: int) -> SignedPermutation:
    return SignedPermutation.unsigned(perm)


def make_group(name: str, *generators: SignedPermutation) -> Group:
    return Group(name, generators, name_generators(generators))


def symmetric(n: int) -> Group:
    swap = [1, 0, *range(2, n)] if n > 1 else [0]
    return make_group(f"S_{n}", permute(*swap), permute(*range(1, n), 0))


def cyclic(n: int) -> Group:
    return make_group(f"C_{n}", permute(*range(1, n), 0))


def dihedral(n: int) -> Group:
    return make_group(f"D_{n}", permute(*range(1, n), 0), permute(*(-i % n for i in range(n))))


def hyperoctahedral(n: int) -> Group:
    negate = SignedPermutation(np.arange(n), np.array([-1] + [1] * (n - 1)))
    return make_group(f"B_{n}", *symmetric(n).signed, negate)


def wreath(inner: int, outer: int) -> Group:
    n = inner * outer
    swap = permute(1, 0, *range(2, n))
    turn = permute(*range(1, inner), 0, *range(inner, n))
    blocks = permute(*range(inner, 2 * inner), *range(inner), *range(2 * inner, n))
    return make_group(
        f"S_{inner} wr S_{outer}", swap, turn, blocks, permute(*((i + inner) % n for i in range(n)))
    )


def grid(size: int) -> Group:
    """The symmetries of the square on a grid, row-major: a quarter turn and a mirror."""
    cells = [(i, j) for i in range(size) for j in range(size)]
    turn = permute(*(j * size + size - 1 - i for i, j in cells))
    mirror = permute(*(i * size + size - 1 - j for i, j in cells))
    return make_group(f"D_4 on the {size}x{size} grid", turn, mirror)


def lattice() -> Group:
    turn = permute(*(D2Q9.index((-y, x)) for x, y in D2Q9))
    mirror = permute(*(D2Q9.index((x, -y)) for x, y in D2Q9))
    return make_group("D_4 on D2Q9", turn, mirror)


def trivial(n: int) -> Group:
    return make_group("the trivial group", SignedPermutation.identity(n))


def rotate_plane() -> Group:
    return make_group(
        "C_4 rotating the plane", SignedPermutation(np.array([1, 0]), np.array([1, -1]))
    )


def mix_orbits() -> Group:
    return make_group("C_6 on 3 + 1 + 2 + 1 points", permute(1, 2, 0, 3, 5, 4, 6))


def act(group: Group) -> SignedAction:
    return SignedAction("V", group.dim, group.signed)


def fix(group: Group, dim: int = 1) -> SignedAction:
    return SignedAction(
        "1" if dim == 1 else f"{dim} 1",
        dim,
        tuple(SignedPermutation.identity(dim) for _ in group.labels),
    )


def sign(group: Group) -> SignedAction:
    images = (SignedPermutation(np.arange(1), np.array([g.parity()])) for g in group.signed)
    return SignedAction("sign", 1, tuple(images))


def twist(group: Group) -> SignedAction:
    """The defining action times the sign of the permutation."""
    images = (SignedPermutation(g.perm, g.signs * g.parity()) for g in group.signed)
    return SignedAction("V * sign", group.dim, tuple(images))


def subsets(n: int) -> SignedAction:
    """S_n on the pairs of its points."""
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    moves = (
        permute(*(pairs.index(tuple(sorted((int(g.perm[i]), int(g.perm[j]))))) for i, j in pairs))  # type: ignore[arg-type]
        for g in symmetric(n).signed
    )
    return SignedAction("subsets(V, 2)", len(pairs), tuple(moves))


def flip_one() -> tuple[Group, SignedAction]:
    """A reflection of the line, to one output that it negates and one that it keeps."""
    group = make_group("C_2", SignedPermutation(np.arange(1), np.array([-1])))
    images = (SignedPermutation(np.arange(2), np.array([-1, 1])),)
    return group, SignedAction("V + 1", 2, images)


ACTIONS: dict[str, tuple[Group, SignedAction]] = {
    "S_1": (symmetric(1), act(symmetric(1))),
    "S_2": (symmetric(2), act(symmetric(2))),
    "S_3": (symmetric(3), act(symmetric(3))),
    "S_5": (symmetric(5), act(symmetric(5))),
    "S_4 to scalar": (symmetric(4), fix(symmetric(4))),
    "S_4 to two scalars": (symmetric(4), fix(symmetric(4), 2)),
    "S_4 to its sign": (symmetric(4), sign(symmetric(4))),
    "S_2 twisted": (symmetric(2), twist(symmetric(2))),
    "S_4 twisted": (symmetric(4), twist(symmetric(4))),
    "S_4 to pairs": (symmetric(4), subsets(4)),
    "C_5": (cyclic(5), act(cyclic(5))),
    "C_4 to scalar": (cyclic(4), fix(cyclic(4))),
    "D_4": (dihedral(4), act(dihedral(4))),
    "D_6": (dihedral(6), act(dihedral(6))),
    "D_4 twisted": (dihedral(4), twist(dihedral(4))),
    "B_2": (hyperoctahedral(2), act(hyperoctahedral(2))),
    "B_3": (hyperoctahedral(3), act(hyperoctahedral(3))),
    "B_3 twisted": (hyperoctahedral(3), twist(hyperoctahedral(3))),
    "S_2 wr S_3": (wreath(2, 3), act(wreath(2, 3))),
    "S_3 wr S_2": (wreath(3, 2), act(wreath(3, 2))),
    "2x2 grid": (grid(2), act(grid(2))),
    "3x3 grid to scalar": (grid(3), fix(grid(3))),
    "D2Q9": (lattice(), act(lattice())),
    "trivial": (trivial(2), fix(trivial(2), 3)),
    "plane": (rotate_plane(), act(rotate_plane())),
    "odd and even": flip_one(),
    "mixed": (mix_orbits(), act(mix_orbits())),
}


def pose(
    name: str,
    *degrees: int,
    layer: str = "Layer",
    width: int = 1,
    channels: Channels | None = None,
) -> LayerProblem:
    group, output = ACTIONS[name]
    return pose_group(group, output, degrees, layer=layer, width=width, channels=channels)


def pose_group(
    group: Group,
    output: SignedAction,
    degrees: Sequence[int],
    *,
    layer: str = "Layer",
    width: int = 1,
    channels: Channels | None = None,
) -> LayerProblem:
    given = LayerInput("x", act(group), width)
    wanted = tuple((d,) for d in degrees)
    return LayerProblem(
        layer, group, group.labels, (given,), output, wanted, channels or Channels()
    )


def tie(name: str, degree: int, shape: tuple[int, ...] | None = None) -> Tying:
    wanted = keep_degree((degree,)) if shape is None else (shape,)
    return solve(constrain(expand(pose(name, degree), wanted)))


def tie_group(group: Group, degree: int) -> Tying:
    problem = pose_group(group, act(group), [degree])
    return solve(constrain(expand(problem, keep_degree((degree,)))))
