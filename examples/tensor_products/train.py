"""Learn energy, force and torque of charges in a field from five samples, by tensor products.

The samples are made of point charges and a potential, by nothing but Coulomb's law. What is learnt
is bilinear in the moments of the charges and in the coefficients of the potential, and commutes
with rotations and mirrors. Every model below is a space of bilinear maps, fitted by least squares
of least norm, so nothing is tuned.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from examples.fitting import (  # noqa: E402
    count_parameters,
    fit_layer,
    load_package,
    solve_least_squares,
)

SPEC = Path(__file__).with_name("spec.yaml")
SAMPLES, COPIES = 5, 20

Model = Callable[[Tensor, Tensor], Tensor]
Irreps = tuple[tuple[int, int], ...]
"""Degree and parity of each irrep; a parity of -1 changes sign where all axes are turned over."""

MULTIPOLE: Irreps = ((0, 1), (1, -1), (2, 1))
ANSWERS: Irreps = ((0, 1), (1, -1), (1, 1))
EDGE: Irreps = (*MULTIPOLE, (3, -1))


def list_harmonics(points: Tensor) -> list[Tensor]:
    """Return the solid harmonics of degree 0 to 3 in e3nn's basis, ``(count, 2 l + 1)`` each.

    They are the polynomials that M. Geiger and T. Smidt, "e3nn: Euclidean neural networks" (2022),
    call spherical harmonics of normalisation ``norm``.
    """
    x, y, z = points.unbind(-1)
    plane = x**2 + z**2
    second = [
        3**0.5 * x * z,
        3**0.5 * x * y,
        y**2 - plane / 2,
        3**0.5 * y * z,
        3**0.5 / 2 * (z**2 - x**2),
    ]
    third = [
        (5 / 6) ** 0.5 * (second[0] * z + second[4] * x),
        5**0.5 * second[0] * y,
        (3 / 8) ** 0.5 * (4 * y**2 - plane) * x,
        y * (2 * y**2 - 3 * plane) / 2,
        (3 / 8) ** 0.5 * (4 * y**2 - plane) * z,
        5**0.5 * second[4] * y,
        (5 / 6) ** 0.5 * (second[4] * z - second[0] * x),
    ]
    parts = [[torch.ones_like(x)], [x, y, z], second, third]
    return [torch.stack(part, -1) for part in parts]


def expand(points: Tensor) -> Tensor:
    """Return the solid harmonics up to degree 2 side by side, shape ``(count, 9)``."""
    return torch.cat(list_harmonics(points)[:3], -1)


@dataclass(frozen=True)
class Samples:
    """Charges in fields.

    Attributes:
        moments: Charge, dipole and quadrupole, shape ``(count, 9)``.
        field: Coefficients of the potential, shape ``(count, 9)``.
        answers: Energy, force and torque, shape ``(count, 7)``.
    """

    moments: Tensor
    field: Tensor
    answers: Tensor


def draw_samples(count: int, seed: int) -> Samples:
    """Put four point charges each into potentials of degree 2, and let Coulomb's law act."""
    made = torch.Generator().manual_seed(seed)
    places = torch.randn(count, 4, 3, generator=made, dtype=torch.float64).requires_grad_()
    charges = torch.randn(count, 4, generator=made, dtype=torch.float64)
    field = torch.randn(count, 9, generator=made, dtype=torch.float64)
    potential = torch.einsum("ach,ah->ac", expand(places), field)
    energy = (charges * potential).sum(1, keepdim=True)
    (gradient,) = torch.autograd.grad(energy.sum(), places)
    torque = torch.linalg.cross(places, -gradient).sum(1)
    answers = torch.cat([energy, -gradient.sum(1), torque], 1).detach()
    moments = torch.einsum("ac,ach->ah", charges, expand(places)).detach()
    return Samples(moments, field, answers)


def draw_rotation(seed: int) -> Tensor:
    """Draw a rotation: the exponential of a combination of the generators of so(3)."""
    made = torch.Generator().manual_seed(seed)
    angles = torch.randn(3, 3, generator=made, dtype=torch.float64)
    return torch.linalg.matrix_exp(angles - angles.T)


def represent(orthogonal: Tensor, irreps: Irreps) -> Tensor:
    """Return how irreps move, from how the harmonics of a few points do (Wigner's D).

    Args:
        orthogonal: Shape ``(3, 3)``.
        irreps: What the matrices on the diagonal of the result belong to.
    """
    made = torch.Generator().manual_seed(0)
    points = torch.randn(20, 3, generator=made, dtype=torch.float64)
    sign = torch.linalg.det(orthogonal).sign()
    rotation = sign * orthogonal
    still, moved = list_harmonics(points), list_harmonics(points @ rotation.T)
    blocks = []
    for degree, parity in irreps:
        block = torch.linalg.lstsq(still[degree], moved[degree]).solution.T
        blocks.append(block * (sign if parity < 0 else 1))
    return torch.block_diag(*blocks)


def measure_asymmetry(model: Model, inputs: Sequence[Tensor], kinds: Any, mirror: bool) -> float:
    """Return the largest relative difference between turning before and after a model.

    Args:
        model: Of tensors ``(.., dim)``.
        inputs: Its two inputs.
        kinds: Irreps of the inputs and of the output.
        mirror: Whether the rotations also turn all axes over.
    """
    worst = 0.0
    for seed in range(10):
        turn = draw_rotation(seed) * (-1 if mirror else 1)
        first, second, last = (represent(turn, kind) for kind in kinds)
        answers = model(*inputs) @ last.T
        moved = model(inputs[0] @ first.T, inputs[1] @ second.T)
        worst = max(worst, float((moved - answers).abs().max() / answers.abs().max()))
    return worst


def count_paths(kinds: Any, mirrors: bool) -> int:
    """Count the ways to couple an irrep of each input to one of the output: the triangle rule."""
    return sum(
        abs(a - b) <= c <= a + b and (not mirrors or p * q == r)
        for (a, p), (b, q), (c, r) in itertools.product(*kinds)
    )


@torch.no_grad()
def check_layers(package: ModuleType) -> None:
    """Move the inputs of freshly made layers by random rotations and mirrors."""
    print(f"{'layers with random parameters':31}|{'':>7}|{'':>9}|", end="")
    print(f"{'largest asymmetry':>20}")
    print(f"{'':31}|{'paths':>7}|{'classes':>9}|{'turned':>12}{'mirrored':>12}")
    torch.manual_seed(0)
    for name, kinds in (
        ("TensorProduct", (MULTIPOLE, EDGE, MULTIPOLE)),
        ("Multipole", (MULTIPOLE, MULTIPOLE, ANSWERS)),
        ("MirroredMultipole", (MULTIPOLE, MULTIPOLE, ANSWERS)),
    ):
        layer = getattr(package, name)()
        widths = layer.in_channels.values()
        dims = [sum(2 * degree + 1 for degree, _ in kind) for kind in kinds[:2]]
        inputs = [
            torch.randn(100, channels, dim, dtype=torch.float64)
            for channels, dim in zip(widths, dims, strict=True)
        ]
        first, second = layer.in_channels

        def apply(*tensors: Tensor) -> Tensor:
            return layer(**dict(zip((first, second), tensors, strict=True)))  # noqa: B023

        found = [measure_asymmetry(apply, inputs, kinds, mirror) for mirror in (False, True)]
        paths = count_paths(kinds, name == "MirroredMultipole")
        classes = layer.classes({first: 1, second: 1})
        print(f"{name:31}|{paths:>7}|{classes:>9}|", end="")
        print("{:12.1e}{:12.1e}".format(*found))


def list_products(moments: Tensor, field: Tensor) -> Tensor:
    """Return all 81 products of a moment and a coefficient of the field."""
    return (moments.unsqueeze(2) * field.unsqueeze(1)).flatten(1)


def fit_free(samples: Samples) -> Model:
    """Fit all 7 x 81 coefficients."""
    design = list_products(samples.moments, samples.field).numpy()
    weights = torch.from_numpy(solve_least_squares(design, samples.answers.numpy()))
    return lambda moments, field: list_products(moments, field) @ weights


def fit_product(layer: Any, samples: Samples) -> Model:
    """Fit a compiled layer."""

    @torch.no_grad()
    def apply(moments: Tensor, field: Tensor) -> Tensor:
        return layer(moments=moments.unsqueeze(1), field=field.unsqueeze(1)).squeeze(1)

    fit_layer(layer, lambda: apply(samples.moments, samples.field), samples.answers)
    return apply


def move_samples(samples: Samples) -> Samples:
    """Return copies of the samples at random rotations, half of them mirrored."""
    turns = [draw_rotation(100 + seed) * (-1) ** seed for seed in range(COPIES)]
    parts = ((samples.moments, MULTIPOLE), (samples.field, MULTIPOLE), (samples.answers, ANSWERS))
    moved = [torch.cat([part @ represent(t, kind).T for t in turns]) for part, kind in parts]
    return Samples(*moved)


def compare_models(package: ModuleType) -> None:
    """Fit energy, force and torque in spaces of bilinear maps, and print how they do."""
    samples, tests = draw_samples(SAMPLES, seed=1), draw_samples(1000, seed=2)
    kinds = (MULTIPOLE, MULTIPOLE, ANSWERS)
    scale = float(tests.answers.abs().max())
    print()
    print(f"{SAMPLES} samples: {samples.answers.numel()} equations; ", end="")
    print(f"{len(tests.field)} test samples, other charges and fields")
    print(f"{'energy, force and torque':31}{'':>11}|{'largest relative error':^24}|", end="")
    print(f"{'largest asymmetry':>20}")
    print(f"{'all bilinear maps':31}{'parameters':>11}|{'training':>12}{'test':>12}|", end="")
    print(f"{'turned':>12}{'mirrored':>12}")
    mirrored, turned = package.MirroredMultipole(), package.Multipole()
    rows: tuple[tuple[str, int, Model], ...] = (
        (
            "rotations, mirrors (eqcompile)",
            count_parameters(mirrored),
            fit_product(mirrored, samples),
        ),
        ("rotations (eqcompile)", count_parameters(turned), fit_product(turned, samples)),
        ("unconstrained", 7 * 81, fit_free(samples)),
        (f"unconstrained, {COPIES} moved copies", 7 * 81, fit_free(move_samples(samples))),
    )
    for name, count, model in rows:
        parts = (samples, tests)
        errors = [float((model(s.moments, s.field) - s.answers).abs().max()) for s in parts]
        inputs = (tests.moments, tests.field)
        found = [measure_asymmetry(model, inputs, kinds, mirror) for mirror in (False, True)]
        print(f"{name:31}{count:>11}|", end="")
        print("{:12.1e}{:12.1e}|".format(*(e / scale for e in errors)), end="")
        print("{:12.1e}{:12.1e}".format(*found))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--packages", type=Path, default=Path("build/packages"))
    torch.set_num_threads(1)
    package = load_package(SPEC, "rotation_nets", options.parse_args().packages)
    check_layers(package)
    compare_models(package)


if __name__ == "__main__":
    main()
