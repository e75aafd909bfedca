"""Small layers of unlike groups, and packages made of them, shared by the tests of the emitter."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from eqcompile.emit.package import Files, Origin, render_package
from eqcompile.emit.views import EmittedLayer
from eqcompile.emit.write import write_package
from eqcompile.exact.signed import IntArray, SignedPermutation
from eqcompile.layers.problem import LayerProblem, Mixing
from eqcompile.plan.forms import choose
from eqcompile.solve.layer import LayerSolution, solve_layer
from tests.actions_of import Generators, cyclic, make_problem, permute, scalar, symmetric

ROTATION = SignedPermutation(np.array([1, 0]), np.array([1, -1]))
"""The quarter turn of the plane: signed, and not an involution."""

SWAP = permute(1, 0)
MIRROR = SignedPermutation(np.array([0, 1]), np.array([-1, 1]))
MINUS = SignedPermutation(np.arange(2), np.array([-1, -1]))

# Rest; E, N, W, S; the diagonals: a quarter turn and a mirror.
VELOCITIES = [permute(0, 2, 3, 4, 1, 6, 7, 8, 5), permute(0, 3, 2, 1, 4, 6, 5, 8, 7)]

ACTIONS: dict[str, tuple[Generators, Generators]] = {
    "S_2": (symmetric(2), symmetric(2)),
    "S_3": (symmetric(3), symmetric(3)),
    "S_4": (symmetric(4), symmetric(4)),
    "S_3 to scalar": (symmetric(3), scalar(2)),
    "C_3": (cyclic(3), cyclic(3)),
    "C_4": (cyclic(4), cyclic(4)),
    "B_2": ([SWAP, MIRROR, ROTATION], [SWAP, MIRROR, ROTATION]),
    "turning the plane": ([ROTATION], [ROTATION]),
    "C_2 with fixed points": ([permute(1, 0, 2, 3)], [permute(0, 2, 1)]),
    "D2Q9": (VELOCITIES, VELOCITIES),
    # Minus the identity on both sides forbids every even degree.
    "parity": ([MINUS], [MINUS]),
    "one point": (symmetric(1), symmetric(1)),
}

ORIGIN = Origin("0.1.0", "sha256:" + "1" * 64, "sha256:" + "2" * 64)

Action = tuple[IntArray, IntArray]


def pose(
    action: str,
    degrees: Sequence[int],
    *,
    mixing: Mixing = "full",
    inputs: int = 1,
    outputs: int = 1,
    rank: int | None = None,
    name: str = "Layer",
    form: str = "monomial",
) -> LayerProblem:
    """State a layer for one of the actions above."""
    group, images = ACTIONS[action]
    return make_problem(
        group,
        images,
        degrees,
        channels=(inputs, outputs),
        mixing=mixing,
        rank=rank,
        name=name,
        form=form,
    )


@cache
def solve_posed(problem: LayerProblem) -> LayerSolution:
    return solve_layer(problem)


def emit_layer(problem: LayerProblem) -> EmittedLayer:
    solution = solve_posed(problem)
    choice = choose(solution)
    return EmittedLayer(
        solution,
        choice.plan,
        choice.backward,
        choice.double,
        choice.form,
        "monomial: 1 ms",
        "It commutes\nwith the group.",
    )


def render_problems(package: str, problems: Iterable[LayerProblem]) -> Files:
    return render_package(
        package,
        [emit_layer(problem) for problem in problems],
        certificate_json="{}\n",
        report_html="<!doctype html>\n",
        origin=ORIGIN,
    )


def install(folder: Path, package: str, problems: Iterable[LayerProblem]) -> ModuleType:
    """Write a package into a folder and import it; its name must be new to this process."""
    return import_written(folder, package, render_problems(package, problems))


def import_written(folder: Path, package: str, files: Files) -> ModuleType:
    """Write the files of a package into a folder and import it."""
    write_package(files, folder / package)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    return importlib.import_module(package)


def make(package: ModuleType, name: str, *channels: int, **options: Any) -> Any:
    """Make a layer in float64 with all parameters, biases too, drawn from N(0, 1)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        layer = getattr(package, name)(*channels, dtype=torch.float64, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    return layer


def act(g: SignedPermutation, x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    """Act on one axis: ``(g x)[perm[i]] = signs[i] x[i]``."""
    moved = torch.empty_like(x.movedim(axis, -1))
    signs = torch.tensor(g.signs.tolist(), dtype=x.dtype)
    moved[..., g.perm.tolist()] = x.movedim(axis, -1) * signs
    return moved.movedim(-1, axis)


def list_elements(action: str) -> list[tuple[SignedPermutation, SignedPermutation]]:
    """List the whole group as pairs (input action, output action)."""
    generators = list(zip(*ACTIONS[action], strict=True))
    one = tuple(SignedPermutation.identity(side[0].n) for side in ACTIONS[action])
    found = [(one[0], one[1])]
    seen = set(found)
    for g in found:
        for left, right in generators:
            product = (left @ g[0], right @ g[1])
            if product not in seen:
                seen.add(product)
                found.append(product)
    return found
