"""Learn the collision of a lattice-Boltzmann fluid from 20 samples, with and without its laws.

The BGK collision moves the populations of a cell towards their equilibrium. At density 1 it is a
polynomial of degree 2 in the populations; it commutes with the symmetries of the lattice and keeps
mass and momentum. Every model below is a space of polynomials of degree 2, fitted by minimum-norm
least squares, so nothing is tuned. The fitted layers then drive a fluid whose vortices decay.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from examples.fitting import (  # noqa: E402
    Array,
    count_parameters,
    fit_layer,
    load_package,
    solve_least_squares,
)
from examples.lattice_boltzmann.fluid import (  # noqa: E402
    Lattice,
    Model,
    simulate,
    start_taylor_green,
)

SPEC = Path(__file__).with_name("spec.yaml")
SHARES = {"D2Q9": (4 / 9, 1 / 9, 1 / 36), "D3Q19": (1 / 3, 1 / 18, 1 / 36)}
RELAXATION = 0.8
SAMPLES = 20
SPEED = 0.01


def list_monomials(populations: Array) -> Array:
    """Return every monomial of degree 0, 1 and 2, shape ``(count, 55)``."""
    first, second = np.triu_indices(9)
    products = populations[:, first] * populations[:, second]
    return np.concatenate([np.ones((len(populations), 1)), populations, products], axis=1)


def fit_free(states: Array, answers: Array) -> Model:
    """Fit all 9 x 55 coefficients."""
    weights = solve_least_squares(list_monomials(states), answers)
    return lambda populations: np.asarray(list_monomials(populations) @ weights)


def fit_collision(layer: nn.Module, states: Array, answers: Array) -> tuple[Model, int]:
    """Fit a layer; return it, and how many directions of its parameters the samples determine."""

    @torch.no_grad()
    def apply(populations: Array) -> Array:
        outputs = layer(torch.from_numpy(populations).unsqueeze(1)).squeeze(1)
        return np.asarray(outputs)

    given = torch.from_numpy(states).unsqueeze(1)
    wanted = torch.from_numpy(answers).unsqueeze(1)
    return apply, fit_layer(layer, lambda: layer(given), wanted)


def list_symmetries(lattice: Lattice) -> list[npt.NDArray[np.int64]]:
    """Return the eight symmetries of the square as permutations p of the velocities, i -> p[i]."""
    places = {tuple(v): i for i, v in enumerate(lattice.velocities.tolist())}
    turn, mirror = np.array([[0, -1], [1, 0]]), np.array([[1, 0], [0, -1]])
    matrices = [np.linalg.matrix_power(turn, q) for q in range(4)]
    matrices += [m @ mirror for m in matrices]
    return [np.array([places[tuple(m @ v)] for v in lattice.velocities]) for m in matrices]


def move(populations: Array, symmetry: npt.NDArray[np.int64]) -> Array:
    moved = np.empty_like(populations)
    moved[:, symmetry] = populations
    return moved


def measure_asymmetry(model: Model, states: Array, lattice: Lattice) -> float:
    """Return the largest difference between moving before and after the model."""
    answers = model(states)
    return max(
        float(np.abs(model(move(states, g)) - move(answers, g)).max())
        for g in list_symmetries(lattice)
    )


def measure_loss(model: Model, states: Array, lattice: Lattice) -> float:
    """Return the largest change of mass and momentum."""
    return float(np.abs((model(states) - states) @ lattice.list_conserved()).max())


def make_lattice(layer: Any, name: str) -> Lattice:
    """Read the velocities off an emitted layer."""
    return Lattice(np.array(layer.velocities), SHARES[name], RELAXATION)


def compare_models(package: ModuleType) -> None:
    """Fit the collision of D2Q9 in spaces of polynomials, and print how they do."""
    lattice = make_lattice(package.Collision, "D2Q9")
    states, tests = lattice.draw_states(SAMPLES, seed=1), lattice.draw_states(2000, seed=2)
    # States of any density, where the fit has seen nothing.
    strange = tests * np.random.default_rng(3).uniform(0.5, 1.5, (len(tests), 1))
    answers = lattice.collide(states)
    moved = np.concatenate([move(states, g) for g in list_symmetries(lattice)])
    change = np.abs(lattice.collide(tests) - tests).max()
    print(f"D2Q9, {SAMPLES} samples: {states.size} equations; {len(tests)} test states")
    print(f"largest change that the collision makes to a test state: {change:.1e}")
    print(f"{'':33}{'':>11}|{'largest absolute error':^24}|{'largest':>10}|{'mass changed,':>14}")
    print(f"{'all polynomials of degree 2':33}{'parameters':>11}|", end="")
    print(f"{'training':>12}{'test':>12}|{'asymmetry':>10}|{'any density':>14}")
    rows: list[tuple[str, int, Model]] = []
    determined = []
    for name, layer in (
        ("D4 and conservation (eqcompile)", package.Collision()),
        ("D4 (eqcompile)", package.Symmetric()),
    ):
        model, directions = fit_collision(layer, states, answers)
        count = count_parameters(layer)
        rows.append((name, count, model))
        determined.append(f"{directions} of {count}")
    rows.append(("unconstrained", 9 * 55, fit_free(states, answers)))
    copied = fit_free(moved, lattice.collide(moved))
    rows.append(("unconstrained, 8 moved copies", 9 * 55, copied))
    for name, count, model in rows:
        errors = [np.abs(model(x) - lattice.collide(x)).max() for x in (states, tests)]
        print(f"{name:33}{count:>11}|{errors[0]:12.1e}{errors[1]:12.1e}|", end="")
        print(f"{measure_asymmetry(model, tests, lattice):10.1e}|", end="")
        print(f"{measure_loss(model, strange, lattice):14.1e}")
    print(f"parameters that states of density 1 determine: {', '.join(determined)}")


def compare_flows(package: ModuleType) -> None:
    """Let vortices decay under the fitted layers and under the collision they were fitted to."""
    print()
    print(f"{'Taylor-Green vortices':26}{'':>11}|{'decay per step':^30}|", end="")
    print(f"{'largest relative':>17}|{'mass':>9}")
    print(f"{'':26}{'parameters':>11}|{'theory':>10}{'BGK':>10}{'layer':>10}|", end="")
    print(f"{'difference':>17}|{'drift':>9}")
    for name, layer, shape, steps in (
        ("D2Q9", package.Collision(), (32, 32), 500),
        ("D3Q19", package.Collision3D(), (24, 24, 3), 300),
    ):
        lattice = make_lattice(layer, name)
        states = lattice.draw_states(SAMPLES, seed=1)
        model, _ = fit_collision(layer, states, lattice.collide(states))
        start = start_taylor_green(lattice, shape, SPEED)
        flows = [simulate(lattice, m, start, steps) for m in (lattice.collide, model)]
        rates = [-np.polyfit(np.arange(50, steps), np.log(f.speeds[50:]), 1)[0] for f in flows]
        viscosity = (RELAXATION - 0.5) / 3
        theory = 2 * viscosity * (2 * np.pi / shape[0]) ** 2
        apart = np.abs(flows[1].speeds / flows[0].speeds - 1).max()
        label = f"{name}, {' x '.join(map(str, shape))} cells"
        print(f"{label:26}{count_parameters(layer):>11}|", end="")
        print(f"{theory:10.3e}{rates[0]:10.3e}{rates[1]:10.3e}|", end="")
        print(f"{apart:17.1e}|{flows[1].drift:9.1e}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--packages", type=Path, default=Path("build/packages"))
    torch.set_num_threads(1)
    package = load_package(SPEC, "collision_nets", options.parse_args().packages)
    compare_models(package)
    compare_flows(package)


if __name__ == "__main__":
    main()
