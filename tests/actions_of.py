"""Small group actions for tests, spelled out by hand, and the public cases."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from eqcompile.actions.group import Group, name_generators
from eqcompile.exact.signed import SignedPermutation
from eqcompile.layers.problem import (
    Channels,
    Degree,
    LayerInput,
    LayerProblem,
    Mixing,
    SignedAction,
)

CASES = Path(__file__).parent / "data" / "cases.json.gz"

Generators = Sequence[SignedPermutation]


def permute(*perm: int) -> SignedPermutation:
    return SignedPermutation.unsigned(perm)


def symmetric(n: int) -> list[SignedPermutation]:
    swap = [1, 0, *range(2, n)] if n > 1 else [0]
    return [SignedPermutation.unsigned(swap), *cyclic(n)]


def cyclic(n: int) -> list[SignedPermutation]:
    return [SignedPermutation.unsigned(np.roll(np.arange(n), -1))]


def dihedral(n: int) -> list[SignedPermutation]:
    return [*cyclic(n), SignedPermutation.unsigned(-np.arange(n) % n)]


def hyperoctahedral(n: int) -> list[SignedPermutation]:
    signs = [-1] + [1] * (n - 1)
    return [*symmetric(n), SignedPermutation(np.arange(n), np.array(signs))]


def scalar(count: int) -> list[SignedPermutation]:
    return [SignedPermutation.identity(1)] * count


SMALL: dict[str, tuple[Generators, Generators]] = {
    "S_3": (symmetric(3), symmetric(3)),
    "S_4 to scalar": (symmetric(4), scalar(2)),
    "C_4": (cyclic(4), cyclic(4)),
    "D_4": (dihedral(4), dihedral(4)),
    "B_2": (hyperoctahedral(2), hyperoctahedral(2)),
    "B_3": (hyperoctahedral(3), hyperoctahedral(3)),
    "C_2 with fixed points": ([permute(1, 0, 2, 3)], [permute(0, 2, 1)]),
    "C_4 rotating the plane": (
        [SignedPermutation(np.array([1, 0]), np.array([1, -1]))],
        [SignedPermutation(np.array([1, 0]), np.array([1, -1]))],
    ),
    "parity odd": (
        [SignedPermutation(np.arange(2), np.array([-1, -1]))],
        [SignedPermutation(np.arange(2), np.array([-1, 1]))],
    ),
}


MINUS = SignedPermutation(np.array([0]), np.array([-1]))
PLUS = SignedPermutation.identity(1)
TURN = SignedPermutation(np.array([1, 0]), np.array([1, -1]))

SEVERAL: dict[str, tuple[dict[str, Generators], Generators]] = {
    "S_3 on two": ({"x": symmetric(3), "y": symmetric(3)}, symmetric(3)),
    "S_3 and its sign": ({"x": symmetric(3), "s": [MINUS, PLUS]}, symmetric(3)),
    "C_2 unlike": ({"x": [permute(1, 0, 2, 3)], "y": [permute(0, 2, 1)]}, [permute(1, 0, 2)]),
    "a turn and its square": (
        {"x": [TURN], "t": [MINUS], "y": [SignedPermutation(TURN.perm, -TURN.signs)]},
        [TURN],
    ),
    "B_2 on three": (
        {"a": hyperoctahedral(2), "b": hyperoctahedral(2), "c": scalar(3)},
        hyperoctahedral(2),
    ),
}
"""Layers with several inputs: the generators on each, by name, and on the output."""


def make_several(action: str, degrees: Sequence[Degree], **options: Any) -> LayerProblem:
    """Pose a layer of ``SEVERAL``, two channels in each input unless said otherwise."""
    inputs, outputs = SEVERAL[action]
    widths = options.pop("widths", (2,) * len(inputs))
    pairs = zip(inputs.items(), widths, strict=True)
    given = {word: (images, width) for (word, images), width in pairs}
    return make_problem_of_several(given, outputs, degrees, **options)


def list_degrees(inputs: int, highest: int) -> list[Degree]:
    """List the degrees in so many inputs up to a total degree, in the order of problems."""
    every = product(range(highest + 1), repeat=inputs)
    return sorted((d for d in every if sum(d) <= highest), key=lambda d: (sum(d), [-n for n in d]))


def make_problem(
    inputs: Generators,
    outputs: Generators,
    degrees: Sequence[int],
    *,
    channels: tuple[int, int] = (1, 1),
    mixing: Mixing = "full",
    rank: int | None = None,
    name: str = "Layer",
    form: str = "auto",
) -> LayerProblem:
    given = {"x": (inputs, channels[0])}
    return make_problem_of_several(
        given,
        outputs,
        [(d,) for d in degrees],
        channels=channels[1],
        mixing=mixing,
        rank=rank,
        name=name,
        form=form,
    )


def make_problem_of_several(
    inputs: Mapping[str, tuple[Generators, int]],
    outputs: Generators,
    degrees: Sequence[Degree],
    *,
    channels: int = 1,
    mixing: Mixing = "full",
    rank: int | None = None,
    name: str = "Layer",
    form: str = "auto",
) -> LayerProblem:
    """Pose a layer with inputs by name, each with its generators and channels."""
    (first, _), *_ = inputs.values()
    group = Group("G", tuple(first), name_generators(first))
    texts = ("V", "W", "S")
    return LayerProblem(
        name,
        group,
        group.labels,
        tuple(
            LayerInput(word, SignedAction(text, images[0].n, tuple(images)), count)
            for text, (word, (images, count)) in zip(texts, inputs.items(), strict=False)
        ),
        SignedAction("U", outputs[0].n, tuple(outputs)),
        tuple(degrees),
        Channels(channels, mixing, rank),
        form,
    )


def read_generator(value: Any) -> SignedPermutation:
    if isinstance(value, dict):
        return SignedPermutation(np.array(value["perm"]), np.array(value["signs"]))
    return SignedPermutation.unsigned(value)


@cache
def load_cases() -> tuple[dict[str, Any], ...]:
    """Return the public cases whose generators are permutations or signed permutations."""
    with gzip.open(CASES, "rt", encoding="utf-8") as file:
        cases = json.load(file)
    return tuple(c for c in cases if c["kind"] in ("permutation", "signed_permutation"))


def read_case(case: dict[str, Any]) -> LayerProblem:
    """Return the layer problem of a public case."""
    inputs = [read_generator(g) for g in case["generators"]]
    outputs = [read_generator(g) for g in case["output_generators"]]
    return make_problem(inputs, outputs, [case["degree"]])
