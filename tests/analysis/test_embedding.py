"""Perceptrons as spectral and Coulomb networks, equal to rounding."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from eqcompile.analysis import (
    EmbeddedNetwork,
    matrix_to_spectral,
    mlp_to_coulomb,
    mlp_to_spectral,
)
from eqcompile.analysis.embedding import CoulombWeights, SpectralWeights
from eqcompile.analysis.kernels import Array
from tests.analysis.test_representation import KERNELS, draw_symmetric

Pairs = list[tuple[Array, Array]]

WIDTHS = [(5, 16, 3), (4, 32, 32, 7, 2), (10, 10, 10, 10), (6, 2), (1, 1, 1)]


def sigmoid(z: Array) -> Array:
    """Not zero at zero: what is written beside the activations is junk on purpose."""
    return np.asarray(1 / (1 + np.exp(-z)))


def relu(z: Array) -> Array:
    return np.maximum(z, 0)


def draw_perceptron(widths: tuple[int, ...], seed: int = 0) -> Pairs:
    rng = np.random.default_rng(seed)
    return [
        (rng.standard_normal((o, i)) / i**0.5, rng.standard_normal(o)) for i, o in pairwise(widths)
    ]


def evaluate(layers: Pairs, z: Array, activation: Callable[[Array], Array]) -> Array:
    for place, (weight, bias) in enumerate(layers):
        z = (z if place == 0 else activation(z)) @ weight.T + bias
    return z


def form_weights(network: EmbeddedNetwork) -> list[Array]:
    """Apply each layer to the unit vectors, bias taken off."""
    one = np.eye(network.width)
    return [layer.apply(one) - layer.bias for layer in network.layers]


@pytest.mark.parametrize("activation", [sigmoid, relu, np.cos])
@pytest.mark.parametrize("widths", WIDTHS)
def test_spectral_networks_equal_the_perceptron(
    widths: tuple[int, ...], activation: Callable[[Array], Array]
) -> None:
    layers = draw_perceptron(widths)
    network = mlp_to_spectral(layers)
    assert network.width == max(i + o for i, o in pairwise(widths))
    inputs = np.random.default_rng(1).standard_normal((7, 5, widths[0]))
    expected = evaluate(layers, inputs, activation)
    assert np.abs(network.evaluate(inputs, activation) - expected).max() < 1e-12
    for weights, layer, (weight, _) in zip(
        form_weights(network), network.layers, layers, strict=True
    ):
        assert isinstance(layer, SpectralWeights)
        assert len(layer.lam) == 2 * np.linalg.matrix_rank(weight)
        assert np.abs(weights - weights.T).max() < 1e-14
        assert np.abs(np.diagonal(weights)).max() < 1e-14
        assert np.abs(layer.q.T @ layer.q - np.eye(len(layer.lam))).max() < 1e-13


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dim", [1, 3, 8])
@pytest.mark.parametrize("widths", WIDTHS)
def test_coulomb_networks_equal_the_perceptron(
    widths: tuple[int, ...], dim: int, kernel: str
) -> None:
    layers = draw_perceptron(widths)
    network = mlp_to_coulomb(layers, dim, kernel)  # type: ignore[arg-type]
    inputs = np.random.default_rng(1).standard_normal((50, widths[0]))
    expected = evaluate(layers, inputs, sigmoid)
    assert np.abs(network.evaluate(inputs, sigmoid) - expected).max() < 1e-10
    for weights, layer in zip(form_weights(network), network.layers, strict=True):
        assert isinstance(layer, CoulombWeights)
        assert layer.mu.shape[1] <= network.width - 1
        assert np.array_equal(layer.x, network.layers[0].x)  # type: ignore[union-attr]
        assert not np.diagonal(weights).any()
        assert not layer.representation.diagonal.any()


def test_a_wide_perceptron() -> None:
    """256 neurons: the figures claimed are 1e-12 and 1e-10."""
    layers = draw_perceptron((64, 128, 128, 10))
    inputs = np.random.default_rng(2).standard_normal((20, 64))
    expected = evaluate(layers, inputs, np.tanh)
    assert np.abs(mlp_to_spectral(layers).evaluate(inputs, np.tanh) - expected).max() < 1e-12
    assert np.abs(mlp_to_coulomb(layers).evaluate(inputs, np.tanh) - expected).max() < 1e-10


def test_a_layer_of_low_rank_needs_few_directions() -> None:
    rng = np.random.default_rng(3)
    weight = rng.standard_normal((20, 3)) @ rng.standard_normal((3, 33))
    (layer,) = mlp_to_spectral([(weight, None)]).layers
    assert isinstance(layer, SpectralWeights)
    assert layer.q.shape == (53, 6)
    assert not layer.bias.any()


def test_torch_modules_are_read() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(4, 9), nn.Sigmoid(), nn.Linear(9, 6, bias=False), nn.Sigmoid(), nn.Linear(6, 2)
    ).double()
    inputs = torch.randn(11, 4, dtype=torch.float64)
    expected = model(inputs).detach().numpy()
    found = mlp_to_spectral(model).evaluate(inputs.numpy(), sigmoid)
    assert np.abs(found - expected).max() < 1e-12
    found = mlp_to_coulomb(model, 8, "product").evaluate(inputs.numpy(), sigmoid)
    assert np.abs(found - expected).max() < 1e-10
    half = nn.Sequential(nn.Linear(3, 2).to(torch.bfloat16))
    assert mlp_to_spectral(half).width == 5


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ([], "a perceptron has at least one layer"),
        ([(np.ones((2, 3)), np.ones(3))], "layer 0: the bias has shape (3,)"),
        ([(np.ones((2, 3)), [0, np.inf])], "layer 0: the bias has shape (2,) or infinite"),
        (
            [(np.ones((2, 3)), None), (np.ones((2, 3)), None)],
            "layer 1 takes 3 numbers, but the layer before gives 2",
        ),
        (nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), "put Identity() between them"),
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU()), "the last module is an activation"),
        (nn.Sequential(nn.ReLU(), nn.Linear(2, 2)), "module 0 (ReLU) follows no linear layer"),
        (nn.Sequential(nn.Linear(2, 2), nn.Softmax(-1)), "module 1 (Softmax) is neither"),
        (nn.Sequential(nn.Conv1d(2, 2, 1)), "module 0 (Conv1d) is neither"),
        (nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)), "module 1 (LayerNorm) is neither"),
    ],
)
def test_what_is_no_perceptron_is_refused(layers: Any, text: str) -> None:
    for convert in (mlp_to_spectral, mlp_to_coulomb):
        with pytest.raises(ValueError, match=re.escape(text)):
            convert(layers)


def test_inputs_of_another_size_are_refused() -> None:
    network = mlp_to_spectral(draw_perceptron((5, 4, 3)))
    with pytest.raises(ValueError, match=re.escape("inputs have shape (..., 5), got (2, 4)")):
        network.evaluate(np.ones((2, 4)), relu)


def test_a_matrix_as_spectral_weights() -> None:
    rng = np.random.default_rng(4)
    w = rng.standard_normal((20, 3)) @ rng.standard_normal((3, 33))
    found = matrix_to_spectral(w)
    assert (found.u.shape, found.v.shape, found.lam.shape) == ((20, 3), (33, 3), (3,))
    assert found.relative_error < 1e-14
    assert not found.square
    low = matrix_to_spectral(w, 2)
    assert low.relative_error == pytest.approx(found.lam[2] / np.linalg.norm(w))
    symmetric = draw_symmetric(9)
    found = matrix_to_spectral(symmetric, square=True)
    assert found.square
    assert np.abs(found.dense_weight() - symmetric).max() < 1e-13
    best = matrix_to_spectral(symmetric, 4, square=True)
    assert best.lam.min() < 0 < best.lam.max()
    assert best.relative_error == pytest.approx(
        np.linalg.norm(found.lam[4:]) / np.linalg.norm(symmetric)
    )
    assert matrix_to_spectral(np.zeros((3, 2))).lam.shape == (0,)
    with pytest.raises(ValueError, match="needs a symmetric matrix"):
        matrix_to_spectral(rng.standard_normal((3, 3)), square=True)
    with pytest.raises(ValueError, match="the rank is at least 1"):
        matrix_to_spectral(w, 0)
