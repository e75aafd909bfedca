"""What is computed here, loaded into compiled layers."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import eqcompile
from eqcompile.analysis import (
    CoulombMatrix,
    find_square_law_positions,
    mlp_to_coulomb,
    mlp_to_spectral,
    represent,
)
from tests.analysis.test_embedding import draw_perceptron, evaluate, sigmoid
from tests.analysis.test_molecules import METHANOL
from tests.analysis.test_representation import draw_symmetric

WIDTHS, N = (6, 9, 4, 3), 15

CHARGED = {"size": N, "dims": {"mu": N - 1, "x": 8}, "bias": True}
MOLECULE = {"family": "coulomb", "size": 6, "softening": 0, "diagonal": "chemistry"}
DIAGONAL = {"family": "coulomb", "size": N, "softening": 0, "diagonal": "free"}

SPEC = {
    "version": 1,
    "package": "analysed_nets",
    "layers": [
        {"name": "Coulomb", "family": "coulomb", "softening": 0, **CHARGED},
        {"name": "Product", "family": "distance_product", **CHARGED},
        {"name": "Spectral", "family": "spectral", "size": N, "rank": 18, "bias": True},
        {"name": "Diagonal", "dims": {"mu": N - 1, "x": 3}, **DIAGONAL},
        {"name": "Molecule", "dims": {"mu": 1, "x": 3}, "exponent": 1, **MOLECULE},
        {"name": "SquareLaw", "dims": {"mu": 1, "x": 5}, **MOLECULE},
    ],
    "emit": {"dtype": "float64"},
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    folder: Path = tmp_path_factory.mktemp("analysed")
    eqcompile.build(SPEC, folder)
    sys.path.insert(0, str(folder))
    yield importlib.import_module("analysed_nets")
    sys.path.remove(str(folder))


def load(layer: nn.Module, **values: Any) -> nn.Module:
    """Set parameters, with zeros where the layer has more columns."""
    with torch.no_grad():
        for name, value in values.items():
            parameter = getattr(layer, name)
            parameter.zero_()
            part = torch.as_tensor(value)
            parameter[tuple(slice(size) for size in part.shape)] = part
    return layer


def run(layers: list[nn.Module], padded: Any) -> Any:
    z = torch.as_tensor(padded)
    with torch.no_grad():
        for place, layer in enumerate(layers):
            z = layer(z if place == 0 else torch.sigmoid(z))
    return z.numpy()


def test_a_perceptron_in_compiled_layers(package: ModuleType) -> None:
    perceptron = draw_perceptron(WIDTHS)
    inputs = np.random.default_rng(0).standard_normal((20, WIDTHS[0]))
    expected = evaluate(perceptron, inputs, sigmoid)
    for make, network in (
        (package.Coulomb, mlp_to_coulomb(perceptron, 8, "inverse")),
        (package.Product, mlp_to_coulomb(perceptron, 8, "product")),
    ):
        parts: list[Any] = list(network.layers)
        layers = [load(make(), mu=p.mu, x=p.x, bias=p.bias) for p in parts]
        found = network.crop(run(layers, network.pad(inputs)))
        assert np.abs(found - expected).max() < 1e-10
    network = mlp_to_spectral(perceptron)
    parts = list(network.layers)
    layers = [load(package.Spectral(), q=p.q, lam=p.lam, bias=p.bias) for p in parts]
    found = network.crop(run(layers, network.pad(inputs)))
    assert np.abs(found - expected).max() < 1e-12


def test_any_symmetric_matrix_in_a_compiled_layer(package: ModuleType) -> None:
    w = draw_symmetric(N)
    found = represent(w, 3)
    layer: Any = load(package.Diagonal(), mu=found.mu, x=found.x, diagonal=found.diagonal)
    assert np.abs(layer.dense_weight().detach().numpy() - w).max() < 1e-12


def test_a_molecule_is_a_compiled_layer(package: ModuleType) -> None:
    numbers, positions = METHANOL
    matrix = CoulombMatrix(6, "raw")(numbers, positions)
    for make, x in (
        (package.Molecule, positions),
        (package.SquareLaw, find_square_law_positions(positions)),
    ):
        layer: Any = load(make(), mu=numbers[:, None], x=x)
        found = layer.dense_weight().detach().numpy()
        assert np.abs(found - matrix).max() < 1e-12 * np.abs(matrix).max()
