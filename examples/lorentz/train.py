"""Learn relativistic mechanics in slow frames, and use it in fast ones.

Two laws, each a polynomial that commutes with boosts and rotations: the mass and the momentum of
a particle from those of its two decay products, and the force on an electron that radiates in an
electromagnetic field. Every model below is a space of polynomials, fitted by least squares of least
norm to five samples of slow particles, so nothing is tuned.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable
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
SAMPLES, COPIES, TESTS = 5, 200, 1000
SLOW, FAST = 0.3, 3.0
"""Rapidities up to which samples and test samples move; the speeds are their hyperbolic tangents,
so that a particle lives 1.05 and 10 times as long as at rest."""

COUPLING, RADIATION = 0.8, 0.1
METRIC = torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64))
PAIRS = tuple(itertools.combinations(range(4), 2))

Model = Callable[[Tensor], Tensor]
Move = Callable[[Tensor], Tensor]


def list_generators() -> Tensor:
    """Return three boosts and three rotations of the Lie algebra so(1, 3), shape ``(6, 4, 4)``."""
    found = torch.zeros(6, 4, 4, dtype=torch.float64)
    for generator, (i, j) in zip(found, PAIRS, strict=True):
        generator[i, j], generator[j, i] = 1.0, 1.0 if i == 0 else -1.0
    return found


def draw_moves(seed: int, count: int, rapidity: float) -> Tensor:
    """Draw Lorentz transformations: a rotation, then a boost up to a rapidity."""
    made = torch.Generator().manual_seed(seed)
    parts = torch.randn(count, 6, generator=made, dtype=torch.float64)
    size = rapidity * torch.rand(count, 1, generator=made, dtype=torch.float64)
    parts[:, :3] *= size / parts[:, :3].norm(dim=1, keepdim=True)
    generators = list_generators()
    boosts = torch.einsum("zg,gij->zij", parts[:, :3], generators[:3])
    turns = torch.einsum("zg,gij->zij", parts[:, 3:], generators[3:])
    return torch.linalg.matrix_exp(boosts) @ torch.linalg.matrix_exp(turns)


def take_minors(moves: Tensor) -> Tensor:
    """Return how pairs of axes move, shape ``(.., 6, 6)``: the determinants of two by two rows."""
    i, j = torch.tensor(PAIRS).T
    first, second = moves[..., i, :], moves[..., j, :]
    return first[..., i] * second[..., j] - first[..., j] * second[..., i]


def make_block(*blocks: Tensor) -> Tensor:
    """Put stacks of matrices on the diagonal."""
    return torch.stack([torch.block_diag(*parts) for parts in zip(*blocks, strict=True)])


@dataclass(frozen=True)
class Law:
    """What is to be learnt.

    Attributes:
        name: For the table.
        draw: From seed and number to inputs, of particles that do not yet move together.
        answer: The law.
        represent: From Lorentz transformations to how they move inputs and answers.
        products: All monomials of the degrees of the layer, shape ``(count, monomials)``.
        layer: The compiled layer.
        feed: Gives a layer its inputs.
    """

    name: str
    draw: Callable[[int, int], Tensor]
    answer: Model
    represent: Callable[[Tensor], tuple[Tensor, Tensor]]
    products: Model
    layer: Any
    feed: Callable[[Any, Tensor], Tensor]

    def move(self, inputs: Tensor, moves: Tensor) -> tuple[Tensor, Tensor]:
        """Move each input by a transformation of its own, and its answer along."""
        there, along = self.represent(moves)
        answers = self.answer(inputs)
        return (there @ inputs.unsqueeze(2)).squeeze(2), (along @ answers.unsqueeze(2)).squeeze(2)

    def draw_moving(self, seed: int, count: int, rapidity: float) -> tuple[Tensor, Tensor]:
        """Draw inputs that move with speeds up to a rapidity, and their answers."""
        return self.move(self.draw(seed, count), draw_moves(seed, count, rapidity))


def draw_decays(seed: int, count: int) -> Tensor:
    """Draw the momenta of two particles of any mass, shape ``(count, 8)``."""
    made = torch.Generator().manual_seed(seed)
    momenta = torch.randn(count, 2, 3, generator=made, dtype=torch.float64)
    masses = torch.rand(count, 2, 1, generator=made, dtype=torch.float64)
    energies = (masses**2 + momenta.square().sum(2, keepdim=True)).sqrt()
    return torch.cat([energies, momenta], 2).flatten(1)


def add_momenta(inputs: Tensor) -> Tensor:
    """Return the squared mass and the momentum of what has decayed, shape ``(count, 5)``."""
    total = inputs[:, :4] + inputs[:, 4:]
    return torch.cat([(total @ METRIC * total).sum(1, keepdim=True), total], 1)


def represent_decay(moves: Tensor) -> tuple[Tensor, Tensor]:
    return make_block(moves, moves), make_block(torch.ones(len(moves), 1, 1).double(), moves)


def list_quadratic(inputs: Tensor) -> Tensor:
    """Return the monomials of degree 0, 1 and 2, shape ``(count, 45)``."""
    first, second = torch.triu_indices(8, 8)
    ones = torch.ones(len(inputs), 1, dtype=inputs.dtype)
    return torch.cat([ones, inputs, inputs[:, first] * inputs[:, second]], 1)


def draw_electrons(seed: int, count: int) -> Tensor:
    """Draw fields and velocities of electrons at rest, shape ``(count, 6 + 4)``."""
    made = torch.Generator().manual_seed(seed)
    fields = torch.randn(count, 6, generator=made, dtype=torch.float64)
    rest = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    return torch.cat([fields, rest.expand(count, 4)], 1)


def push_electron(inputs: Tensor) -> Tensor:
    """Return the force of Lorentz, and the radiation reaction of Landau and Lifshitz to it.

    In a constant field ``du = F u + t (F F u + (F u, F u) u)``, which keeps ``(u, u) = 1``.
    """
    velocity = inputs[:, 6:]
    field = torch.zeros(len(inputs), 4, 4, dtype=inputs.dtype)
    for value, (i, j) in zip(inputs[:, :6].T, PAIRS, strict=True):
        field[:, i, j], field[:, j, i] = value, -value
    mixed = COUPLING * field @ METRIC
    force = (mixed @ velocity.unsqueeze(2)).squeeze(2)
    twice = (mixed @ force.unsqueeze(2)).squeeze(2)
    square = (force @ METRIC * force).sum(1, keepdim=True)
    return force + RADIATION * (twice + square * velocity)


def represent_electron(moves: Tensor) -> tuple[Tensor, Tensor]:
    return make_block(take_minors(moves), moves), moves


def list_electron(inputs: Tensor) -> Tensor:
    """Return the monomials that the layer may have, shape ``(count, 528)``."""
    field, velocity = inputs[:, :6], inputs[:, 6:]
    i, j = torch.triu_indices(6, 6)
    squares = field[:, i] * field[:, j]
    cubes = [
        velocity[:, list(axes)].prod(1)
        for axes in itertools.combinations_with_replacement(range(4), 3)
    ]
    parts = ((field, velocity), (squares, velocity), (squares, torch.stack(cubes, 1)))
    return torch.cat([(a.unsqueeze(2) * b.unsqueeze(1)).flatten(1) for a, b in parts], 1)


def feed_decay(layer: Any, inputs: Tensor) -> Tensor:
    return layer(inputs.unsqueeze(1)).squeeze(1)


def feed_electron(layer: Any, inputs: Tensor) -> Tensor:
    inputs = inputs.unsqueeze(1)
    return layer(field=inputs[..., :6], velocity=inputs[..., 6:]).squeeze(1)


def list_laws(package: ModuleType) -> tuple[Law, Law]:
    return (
        Law(
            "mass and momentum of a decay",
            draw_decays,
            add_momenta,
            represent_decay,
            list_quadratic,
            package.Decay(),
            feed_decay,
        ),
        Law(
            "force on a radiating electron",
            draw_electrons,
            push_electron,
            represent_electron,
            list_electron,
            package.Electron(),
            feed_electron,
        ),
    )


def measure_asymmetry(law: Law, model: Model, inputs: Tensor) -> float:
    """Return the largest relative difference between moving before and after a model."""
    worst = 0.0
    answers = model(inputs)
    for move in draw_moves(7, 10, FAST):
        there, along = law.represent(move.unsqueeze(0))
        wanted = answers @ along[0].T
        difference = (model(inputs @ there[0].T) - wanted).abs().max()
        worst = max(worst, float(difference / wanted.abs().max()))
    return worst


@torch.no_grad()
def check_layers(laws: tuple[Law, ...]) -> None:
    """Move the inputs of freshly made layers by random boosts and rotations."""
    print(f"{'layers with random parameters':31}{'parameters':>11}|{'largest asymmetry':>19}")
    torch.manual_seed(0)
    for law in laws:
        law.layer.reset_parameters()
        inputs = law.draw(3, 100)
        found = measure_asymmetry(law, lambda x: law.feed(law.layer, x), inputs)  # noqa: B023
        name = type(law.layer).__name__
        print(f"{name:31}{count_parameters(law.layer):>11}|{found:19.1e}")


def fit_free(law: Law, inputs: Tensor, answers: Tensor) -> Model:
    """Fit a coefficient for every monomial and every component of the answer."""
    weights = solve_least_squares(law.products(inputs).numpy(), answers.numpy())
    return lambda x: law.products(x) @ torch.from_numpy(weights)


def fit_law(law: Law, inputs: Tensor, answers: Tensor) -> tuple[Model, int]:
    """Fit the compiled layer; say how many directions of its parameters the samples determine."""
    determined = fit_layer(law.layer, lambda: law.feed(law.layer, inputs), answers)

    @torch.no_grad()
    def apply(x: Tensor) -> Tensor:
        return law.feed(law.layer, x)

    return apply, determined


def compare_models(law: Law) -> Model:
    """Fit a law in spaces of polynomials, print how they do, and return the compiled one."""
    inputs, answers = law.draw_moving(1, SAMPLES, SLOW)
    copies = inputs.repeat(COPIES, 1)
    moved = law.move(copies, draw_moves(5, len(copies), FAST))
    tests = [law.draw_moving(2, TESTS, rapidity) for rapidity in (SLOW, FAST)]
    free = answers.shape[1] * law.products(inputs).shape[1]
    learnt, determined = fit_law(law, inputs, answers)
    count = count_parameters(law.layer)
    rows = (
        ("boosts, rotations (eqcompile)", count, learnt),
        ("unconstrained", free, fit_free(law, inputs, answers)),
        (f"unconstrained, {COPIES} moved copies", free, fit_free(law, *moved)),
    )
    print()
    print(f"{SAMPLES} samples: {answers.numel()} equations, ", end="")
    print(f"which determine {determined} of {count} parameters")
    print(f"{law.name:31}{'':>11}|{'largest relative error':^36}|{'largest':>11}")
    print(f"{'all polynomials':31}{'parameters':>11}|{'training':>12}{'slow test':>12}", end="")
    print(f"{'fast test':>12}|{'asymmetry':>11}")
    for name, count, model in rows:
        errors = [
            (model(x) - y).abs().max() / y.abs().max() for x, y in ((inputs, answers), *tests)
        ]
        print(f"{name:31}{count:>11}|", end="")
        print("{:12.1e}{:12.1e}{:12.1e}|".format(*map(float, errors)), end="")
        print(f"{measure_asymmetry(law, model, tests[0][0]):11.1e}")
    return learnt


def follow_electron(model: Model, step: float, steps: int) -> Tensor:
    """Follow an electron through a constant field by the method of Runge and Kutta."""
    field, velocity = draw_electrons(4, 1)[:, :6], draw_moves(4, 1, FAST)[:, :, 0]
    path = []

    def push(u: Tensor) -> Tensor:
        return model(torch.cat([field, u], 1))

    for _ in range(steps):
        first = push(velocity)
        second = push(velocity + step / 2 * first)
        third = push(velocity + step / 2 * second)
        fourth = push(velocity + step * third)
        velocity = velocity + step / 6 * (first + 2 * second + 2 * third + fourth)
        path.append(velocity)
    return torch.cat(path)


def compare_paths(model: Model) -> None:
    """Print how an electron moves by the law and by what was learnt."""
    true, learnt = (follow_electron(m, 0.005, 400) for m in (push_electron, model))
    apart = float(((learnt - true).abs().max(1).values / true.abs().max(1).values).max())
    square = float(((learnt @ METRIC * learnt).sum(1) - 1).abs().max())
    print()
    print(f"a path of {len(true)} steps: energy {float(true[0, 0]):.2f} at first,", end=" ")
    print(f"{float(true[-1, 0]):.2f} at the end")
    print(
        f"largest relative difference of the learnt path {apart:.1e}, of (u, u) from 1 {square:.1e}"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--packages", type=Path, default=Path("build/packages"))
    torch.set_num_threads(1)
    package = load_package(SPEC, "lorentz_nets", options.parse_args().packages)
    laws = list_laws(package)
    check_layers(laws)
    *_, learnt = [compare_models(law) for law in laws]
    compare_paths(learnt)


if __name__ == "__main__":
    main()
