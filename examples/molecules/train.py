"""Atomisation energies of molecules from their Coulomb matrices, with few parameters per neuron.

The 148 molecules of the G2/97 set, as ase holds them. One hidden layer, whose map is Coulomb
weights, distance-product weights, spectral weights or a full matrix; the rest is the same. Settings
are chosen on molecules held back from the training part of each fold, never on its test part.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from ase.data import atomic_numbers
from ase.data.g2 import data as g2
from ase.data.g2 import molecule_names
from ase.symbols import string2symbols
from torch import Tensor, nn
from torch.nn.functional import silu

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from eqcompile.analysis import CoulombMatrix  # noqa: E402
from examples.fitting import Array, count_parameters, load_package  # noqa: E402

G2 = cast("dict[str, dict[str, Any]]", g2)
SPEC = Path(__file__).with_name("spec.yaml")
ATOMS, DRAWS, NOISE = 14, 16, 8.0
FOLDS, STEPS = 5, 300
SETTINGS = ((0.01, 1.0), (0.01, 3.0), (0.03, 0.3))
RIDGES = (0.1, 1.0, 10.0, 100.0)

Indices = npt.NDArray[np.int64]
Fit = Callable[[Indices], Array]
"""Maps the numbers of the molecules to train on to answers for all molecules."""


@dataclass(frozen=True)
class Molecules:
    """What is known of the molecules, one row each; energies in kcal/mol.

    ``counts``: atoms of each element. ``matrices``: square roots of the upper triangle of the
    sorted Coulomb matrix. ``draws``: the same in several random orders, a further first axis.
    """

    energies: Array
    counts: Array
    matrices: Array
    draws: Array


class Network(nn.Module):
    """A hidden layer of as many neurons as there are inputs, and a linear readout."""

    def __init__(self, hidden: nn.Module, neurons: int) -> None:
        super().__init__()
        self.hidden, self.readout = hidden, nn.Linear(neurons, 1)

    def forward(self, z: Tensor) -> Tensor:
        """Map ``(count, neurons)`` to ``(count,)``."""
        energies: Tensor = self.readout(silu(self.hidden(z))).squeeze(-1)
        return energies


def find_atomization_energy(name: str) -> float:
    """Return the energy between the resting atoms and the bottom of the molecule's well.

    As `ase.data.g2_1.get_atomization_energy` has it, for both halves of the set, in kcal/mol: the
    measured enthalpies of formation at 298 K, less the thermal corrections, plus the computed
    zero-point energy of the molecule, which is not measured.
    """
    molecule = G2[name]
    energy = -molecule["enthalpy"] + molecule["ZPE"] + molecule["thermal correction"]
    for symbol in string2symbols(molecule["symbols"]):
        energy += G2[symbol]["enthalpy"] - G2[symbol]["thermal correction"]
    return float(energy)


def read_molecules() -> Molecules:
    """Read the geometries (MP2/6-31G*, angstrom) and turn them into features."""
    numbers = [
        np.array([atomic_numbers[symbol] for symbol in string2symbols(G2[name]["symbols"])])
        for name in molecule_names
    ]
    positions = [np.array(G2[name]["positions"]) for name in molecule_names]
    elements = sorted({int(z) for own in numbers for z in own})
    upper = np.triu_indices(ATOMS)
    ordered = CoulombMatrix(ATOMS, "sorted")
    shuffled = CoulombMatrix(ATOMS, "random", sigma=NOISE)
    pairs = list(zip(numbers, positions, strict=True))
    return Molecules(
        np.array([find_atomization_energy(name) for name in molecule_names]),
        np.array([[float((own == z).sum()) for z in elements] for own in numbers]),
        np.sqrt([ordered(z, r)[upper] for z, r in pairs]),
        np.sqrt([[shuffled(z, r, draw=k)[upper] for z, r in pairs] for k in range(DRAWS)]),
    )


def standardise(features: Array, train: Indices) -> Array:
    """Shift and scale each feature by its mean and spread over the training part.

    The least spread is a hundredth of that of all features together: few molecules have many
    atoms, and what is nearly always zero shall not be blown up.
    """
    known = features[..., train, :].reshape(-1, features.shape[-1])
    spread = known.std(0) + 0.01 * known.std()
    return np.asarray((features - known.mean(0)) / spread)


def take_mean(energies: Array, train: Indices) -> Array:
    return np.full(len(energies), energies[train].mean())


def fit_ridge(features: Array, energies: Array, train: Indices, penalty: float) -> Array:
    """Fit a linear readout; return its answers for all molecules."""
    x, mean = standardise(features, train), energies[train].mean()
    normal = x[train].T @ x[train] + penalty * np.eye(x.shape[1])
    weights = np.linalg.solve(normal, x[train].T @ (energies[train] - mean))
    return np.asarray(x @ weights + mean)


def fit_network(
    make: Callable[[], nn.Module],
    data: Molecules,
    train: Indices,
    rate: float,
    decay: float,
    steps: int,
) -> Array:
    """Train a network on random orders of the atoms; return its mean answers for all molecules."""
    torch.manual_seed(0)
    z = torch.as_tensor(standardise(data.draws, train), dtype=torch.float32)
    mean, spread = data.energies[train].mean(), data.energies[train].std()
    answers = torch.as_tensor((data.energies[train] - mean) / spread, dtype=torch.float32)
    network = Network(make(), z.shape[-1])
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    known = z[:, torch.as_tensor(train)]
    for step in range(steps):
        loss = (network(known[step % DRAWS]) - answers).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        found = network(z).mean(0).double().numpy()
    return np.asarray(found * spread + mean)


def cross_validate(energies: Array, fits: Sequence[Fit]) -> tuple[Array, Array]:
    """Return the errors on the test and on the training part of every fold.

    Args:
        energies: What is to be found.
        fits: One per setting. The setting of a fold is the one that errs least on a quarter of
            its training part, trained on the rest; then it is trained on all of the part.
    """
    order = np.random.default_rng(0).permutation(len(energies))
    test_errors, train_errors = [], []
    for fold in range(FOLDS):
        test = order[fold::FOLDS]
        train = np.setdiff1d(order, test, assume_unique=True)
        best = fits[0]
        if len(fits) > 1:
            held, rest = train[::4], np.setdiff1d(train, train[::4], assume_unique=True)
            scores = [np.abs(fit(rest)[held] - energies[held]).mean() for fit in fits]
            best = fits[int(np.argmin(scores))]
        errors = best(train) - energies
        test_errors.append(errors[test])
        train_errors.append(errors[train])
    return np.concatenate(test_errors), np.concatenate(train_errors)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--packages", type=Path, default=Path("build/packages"))
    options.add_argument("--quick", action="store_true", help="ten steps only, to see it run")
    chosen = options.parse_args()
    torch.set_num_threads(1)

    package, molecules = load_package(SPEC, "molecule_nets", chosen.packages), read_molecules()
    neurons, steps = molecules.matrices.shape[1], 10 if chosen.quick else STEPS
    energies = molecules.energies
    print(
        f"{len(energies)} molecules of up to {ATOMS} atoms, {molecules.counts.shape[1]} elements; ",
        end="",
    )
    print(f"atomisation energies {energies.min():.0f} to {energies.max():.0f} kcal/mol")

    def fit_linear(features: Array) -> list[Fit]:
        return [partial(fit_ridge, features, energies, penalty=c) for c in RIDGES]

    def fit_hidden(make: Callable[[], nn.Module]) -> list[Fit]:
        return [
            partial(fit_network, make, molecules, rate=rate, decay=decay, steps=steps)
            for rate, decay in SETTINGS
        ]

    rows: list[tuple[str, int, list[Fit]]] = [
        ("mean of the training part", 1, [partial(take_mean, energies)]),
        ("linear, counts of elements", molecules.counts.shape[1] + 1, fit_linear(molecules.counts)),
        ("linear, sorted matrix", neurons + 1, fit_linear(molecules.matrices)),
    ]
    for name, make in (
        ("hidden layer: Coulomb", package.Charges),
        ("hidden layer: distance product", package.Springs),
        ("hidden layer: spectral", package.Directions),
        ("hidden layer: full matrix", lambda: nn.Linear(neurons, neurons)),
    ):
        rows.append((name, count_parameters(Network(make(), neurons)), fit_hidden(make)))

    print(f"{'':32}{'':>11}|{'error in kcal/mol, 5 folds':^42}|")
    print(f"{'energy from':32}{'parameters':>11}|{'mean':>9}{'its error':>10}", end="")
    print(f"{'root mean sq.':>14}{'training':>9}|{'seconds':>8}")
    for name, count, fits in rows:
        began = time.perf_counter()
        test, train = cross_validate(energies, fits)
        off, spread = np.abs(test), float(np.std(np.abs(test)) / len(test) ** 0.5)
        figures = off.mean(), spread, (test**2).mean() ** 0.5, np.abs(train).mean()
        print(f"{name:32}{count:>11,}|", end="")
        print("{:9.1f}{:10.1f}{:14.1f}{:9.1f}".format(*figures), end="")
        print(f"|{time.perf_counter() - began:8.1f}", flush=True)


if __name__ == "__main__":
    main()
