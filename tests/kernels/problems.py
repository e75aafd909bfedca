"""Layers of unlike groups, signs, orbits and mixings that the kernels are tested on."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np

import eqcompile.actions.families  # noqa: F401
from eqcompile.actions.group import Environment
from eqcompile.exact.signed import SignedPermutation, kron
from eqcompile.layers.problem import LayerProblem, Mixing
from tests.actions_of import (
    Generators,
    cyclic,
    dihedral,
    hyperoctahedral,
    make_problem,
    permute,
    scalar,
    symmetric,
)

VELOCITIES = [permute(0, 2, 3, 4, 1, 6, 7, 8, 5), permute(0, 3, 2, 1, 4, 6, 5, 8, 7)]


def wedge(g: SignedPermutation) -> SignedPermutation:
    """Act on ``e_i ^ e_j``, i < j, in lexicographic order."""
    pairs = list(combinations(range(g.n), 2))
    images = [(int(g.perm[i]), int(g.perm[j])) for i, j in pairs]
    signs = [int(g.signs[i] * g.signs[j]) for i, j in pairs]
    places = [pairs.index((min(image), max(image))) for image in images]
    turns = [1 if a < b else -1 for a, b in images]
    return SignedPermutation(np.array(places), np.array(signs) * np.array(turns))


def join(*parts: SignedPermutation) -> SignedPermutation:
    """Act on the parts side by side."""
    starts = np.cumsum([0, *(part.n for part in parts)])
    perms = [part.perm + start for part, start in zip(parts, starts, strict=False)]
    return SignedPermutation(np.concatenate(perms), np.concatenate([p.signs for p in parts]))


def same(generators: Generators) -> tuple[Generators, Generators]:
    return generators, generators


def family(entry: dict[str, object]) -> tuple[Generators, Generators]:
    return same(Environment().build(entry).signed)


MIRROR = SignedPermutation(np.arange(2), np.array([1, -1]))
ODD = [SignedPermutation(np.arange(1), np.array([-1])), SignedPermutation.identity(1)]
B3 = hyperoctahedral(3)

ACTIONS: dict[str, tuple[Generators, Generators]] = {
    "S_2": same(symmetric(2)),
    "S_3": same(symmetric(3)),
    "S_4": same(symmetric(4)),
    "C_3": same(cyclic(3)),
    "C_4": same(cyclic(4)),
    "C_9": same(cyclic(9)),
    "D_4": same(dihedral(4)),
    "B_3": same(B3),
    # Group elements that carry one point to another must change signs, of inputs and outputs.
    "twisted S_2": same([SignedPermutation(np.array([1, 0]), np.array([-1, -1]))]),
    # One input keeps its sign and one does not: signed classes of degrees 0, 1 and 2.
    "mirror": same([MIRROR]),
    # Signed outputs in two orbits, of which the cross product of two channels is one.
    "B_3 to cross products": (B3, [join(g, wedge(g)) for g in B3]),
    # The representatives' monomials have both signs within one class.
    "S_3 to sign": (symmetric(3), ODD),
    "swap to sign": ([permute(1, 0, 2)], ODD[:1]),
    "S_3 to scalar": (symmetric(3), scalar(2)),
    # More outputs than inputs, in two orbits.
    "S_2 to pairs": (symmetric(2), [kron(g, g) for g in symmetric(2)]),
    "S_2 wr S_2": family({"wreath": [{"symmetric": 2}, {"symmetric": 2}]}),
    "S_2 wr S_3": family({"wreath": [{"symmetric": 2}, {"symmetric": 3}]}),
    "grid": family({"grid": {"size": [2, 2], "symmetry": "flips"}}),
    "fixed points": ([permute(1, 0, 2, 3)], [permute(0, 2, 1)]),
    "D2Q9": same(VELOCITIES),
    "no symmetry": same([SignedPermutation.identity(5)]),
    "one point": same(symmetric(1)),
}


class Case(NamedTuple):
    """A layer of the zoo.

    Attributes:
        action: Of ACTIONS.
        degrees: Of the layer.
        mixing: Of its channels.
        channels: In and out.
        group: What it stands for.
    """

    action: str
    degrees: tuple[int, ...]
    mixing: Mixing
    channels: tuple[int, int]

    def pose(self, name: str) -> LayerProblem:
        inputs, outputs = ACTIONS[self.action]
        return make_problem(
            inputs, outputs, self.degrees, channels=self.channels, mixing=self.mixing, name=name,
            form="monomial",
        )  # fmt: skip


CASES: dict[str, Case] = {
    # One channel in and one out: small layers are straight-line code.
    "One": Case("S_4", (0, 1, 2), "full", (1, 1)),
    "OneSigned": Case("mirror", (0, 1, 2), "full", (1, 1)),
    "OneTwist": Case("twisted S_2", (0, 1, 2), "full", (1, 1)),
    "Point": Case("one point", (0, 1, 2), "full", (1, 1)),
    # Straight-line code except for the gradients of its 100 weights.
    "Free": Case("no symmetry", (1, 2), "full", (1, 1)),
    # Products of two channels.
    "Set": Case("S_3", (0, 1, 2), "full", (3, 2)),
    "Five": Case("S_2", (0, 1, 2), "full", (5, 4)),
    "Cycle": Case("C_3", (0, 1, 2), "full", (2, 3)),
    "Vector": Case("B_3", (1, 2), "full", (2, 2)),
    "Cross": Case("B_3 to cross products", (1, 2), "full", (3, 2)),
    "Twist": Case("twisted S_2", (0, 1, 2), "full", (2, 3)),
    "Mirror": Case("mirror", (0, 1, 2), "full", (2, 3)),
    "Sign": Case("S_3 to sign", (0, 1, 2), "full", (2, 2)),
    "Wreath": Case("S_2 wr S_2", (0, 1, 2), "full", (2, 1)),
    "Fixed": Case("fixed points", (0, 1, 2), "full", (2, 2)),
    "Pairs": Case("S_2 to pairs", (0, 1, 2), "full", (2, 2)),
    "Invariant": Case("S_3 to scalar", (0, 2), "full", (4, 2)),
    # Products within a channel, mixed after.
    "Dihedral": Case("D_4", (1, 2), "channelwise", (2, 1)),
    "Grid": Case("grid", (0, 1, 2), "channelwise", (2, 3)),
    "FixedWise": Case("fixed points", (0, 1, 2), "channelwise", (3, 2)),
    "TwistWise": Case("twisted S_2", (0, 1, 2), "channelwise", (4, 1)),
    # Products within a channel, not mixed.
    "FixedDepth": Case("fixed points", (0, 1, 2), "depthwise", (3, 3)),
    "TwistDepth": Case("twisted S_2", (0, 1, 2), "depthwise", (2, 2)),
    "SignDepth": Case("swap to sign", (1, 2), "depthwise", (2, 2)),
    "WreathDepth": Case("S_2 wr S_3", (2,), "depthwise", (2, 2)),
    # One degree alone.
    "Linear": Case("C_4", (1,), "full", (2, 3)),
    "LinearOne": Case("C_4", (0, 1), "full", (1, 1)),
    "Constant": Case("S_2 to pairs", (0,), "full", (2, 3)),
}
"""Layers by name; together all kernels, and all their branches."""

LARGE: dict[str, Case] = {
    "Collide": Case("D2Q9", (0, 1, 2), "depthwise", (1, 1)),
    "Long": Case("C_9", (0, 1, 2), "full", (1, 1)),
}
"""Layers that take the interpreter seconds each."""
