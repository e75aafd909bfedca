"""Learn the collision of a lattice-Boltzmann fluid from 20 samples, with and without its symmetry.

The BGK collision moves nine populations towards their equilibrium. At density 1 it is a polynomial
of degree 2 in the populations and commutes with the eight symmetries of the square. Both models
below are all polynomials of degree 2, one of them only the equivariant ones; both are fitted by
minimum-norm least squares, so nothing is tuned.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

import eqcompile

SPEC = Path(__file__).with_name("spec.yaml")
# Rest; E, N, W, S; NE, NW, SW, SE.
VELOCITIES = np.array(
    [(0, 0), (1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (-1, 1), (-1, -1), (1, -1)]
)
SHARES = np.array([4 / 9] + [1 / 9] * 4 + [1 / 36] * 4)
RELAXATION, FASTEST, SPREAD = 0.8, 0.1, 0.005
CUTOFF = 1e-12

Array = npt.NDArray[np.float64]
Model = Callable[[Array], Array]


def relax_fully(velocity: Array) -> Array:
    """Return the equilibrium at density 1 and a velocity of shape ``(count, 2)``."""
    along = 3 * velocity @ VELOCITIES.T
    square = 3 * (velocity**2).sum(1, keepdims=True)
    return SHARES * (1 + along + (along**2 - square) / 2)


def collide(populations: Array) -> Array:
    """Move populations of shape ``(count, 9)`` towards their equilibrium (BGK)."""
    equilibrium = relax_fully(populations @ VELOCITIES)
    return populations + (equilibrium - populations) / RELAXATION


def draw_states(count: int, seed: int) -> Array:
    """Draw states of density 1: an equilibrium, and a part without mass and momentum."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, count)
    speed = FASTEST * np.sqrt(rng.uniform(0, 1, count))
    velocity = speed[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    rest = SPREAD * rng.normal(size=(count, 9))
    conserved = np.concatenate([np.ones((9, 1)) / 3, VELOCITIES / np.sqrt(6)], axis=1)
    return relax_fully(velocity) + rest - rest @ conserved @ conserved.T


def list_monomials(populations: Array) -> Array:
    """Return every monomial of degree 0, 1 and 2, shape ``(count, 55)``."""
    first, second = np.triu_indices(9)
    products = populations[:, first] * populations[:, second]
    return np.concatenate([np.ones((len(populations), 1)), populations, products], axis=1)


def fit_free(states: Array, answers: Array) -> Model:
    """Fit all 9 x 55 coefficients."""
    weights = np.linalg.lstsq(list_monomials(states), answers, rcond=CUTOFF)[0]
    return lambda populations: list_monomials(populations) @ weights


def fit_layer(layer: nn.Module, states: Array, answers: Array) -> tuple[Model, int]:
    """Fit the parameters of a layer that is linear in them.

    Returns:
        The fitted layer, and how many directions of its parameters the samples determine.
    """
    apply = evaluate(layer)
    units = torch.eye(len(parameters_to_vector(layer.parameters())), dtype=torch.float64)
    columns = []
    for unit in units:
        vector_to_parameters(unit, layer.parameters())
        columns.append(apply(states).ravel())
    design = np.stack(columns, axis=1)
    theta, _, rank, _ = np.linalg.lstsq(design, answers.ravel(), rcond=CUTOFF)
    vector_to_parameters(torch.from_numpy(theta), layer.parameters())
    return apply, int(rank)


def evaluate(layer: nn.Module) -> Model:
    """Wrap a layer with one channel as a function of arrays."""

    @torch.no_grad()
    def apply(populations: Array) -> Array:
        outputs: Tensor = layer(torch.from_numpy(populations).unsqueeze(1))
        return outputs.squeeze(1).numpy()

    return apply


def list_symmetries() -> list[npt.NDArray[np.int64]]:
    """Return the eight symmetries of the square as permutations p of the velocities, i -> p[i]."""
    places = {tuple(v): i for i, v in enumerate(VELOCITIES.tolist())}
    turn, mirror = np.array([[0, -1], [1, 0]]), np.array([[1, 0], [0, -1]])
    matrices = [np.linalg.matrix_power(turn, q) for q in range(4)]
    matrices += [m @ mirror for m in matrices]
    return [np.array([places[tuple(m @ v)] for v in VELOCITIES]) for m in matrices]


def move(populations: Array, symmetry: npt.NDArray[np.int64]) -> Array:
    moved = np.empty_like(populations)
    moved[:, symmetry] = populations
    return moved


def measure_asymmetry(model: Model, states: Array) -> float:
    """Return the largest difference between moving before and after the model."""
    answers = model(states)
    return max(
        float(np.abs(model(move(states, g)) - move(answers, g)).max()) for g in list_symmetries()
    )


def load_package(folder: Path) -> ModuleType:
    """Import the compiled package from a folder, building it there first if need be."""
    if not (folder / "collision_nets").exists():
        eqcompile.build(eqcompile.load(SPEC), folder)
    sys.path.insert(0, str(folder))
    return importlib.import_module("collision_nets")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--packages", type=Path, default=Path("build/packages"))
    package = load_package(options.parse_args().packages)

    states, tests = draw_states(20, seed=1), draw_states(2000, seed=2)
    answers = collide(states)
    layer = package.Collision(in_channels=1, out_channels=1)
    tied, rank = fit_layer(layer, states, answers)
    moved = np.concatenate([move(states, g) for g in list_symmetries()])

    print("20 samples of 9 populations each: 180 equations; 2000 test states, another seed")
    print(f"largest change that the collision makes to a test state: {change(tests):.1e}")
    print(f"{'':44}{'':>11}|{'largest absolute error':^24}|{'largest':>10}")
    print(f"{'all polynomials of degree 2':44}{'parameters':>11}|", end="")
    print(f"{'training':>12}{'test':>12}|{'asymmetry':>10}")
    for name, count, model in (
        ("D4-equivariant (eqcompile)", len(parameters_to_vector(layer.parameters())), tied),
        ("unconstrained", 9 * 55, fit_free(states, answers)),
        ("unconstrained, 8 moved copies", 9 * 55, fit_free(moved, collide(moved))),
    ):
        errors = [np.abs(model(x) - collide(x)).max() for x in (states, tests)]
        print(f"{name:44}{count:>11}|{errors[0]:12.1e}{errors[1]:12.1e}|", end="")
        print(f"{measure_asymmetry(model, tests):10.1e}")
    print(f"directions of the 83 parameters that states of density 1 can determine: {rank}")


def change(states: Array) -> float:
    return float(np.abs(collide(states) - states).max())


if __name__ == "__main__":
    main()
