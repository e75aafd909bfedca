"""What gradient descent finds with spectral layers: signs of strengths, spare directions."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.emit.spectral import install_spectral, make


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return install_spectral(tmp_path_factory.mktemp("spectral"))


def fit(layer: Any, target: Tensor, rate: float, steps: int, balance_at: int = -1) -> list[float]:
    """Descend ``|W - W*|^2 / 4`` along plain gradients; return the losses."""
    descent = torch.optim.SGD([p for p in layer.parameters() if p.requires_grad], lr=rate)
    losses = []
    for step in range(steps):
        if step == balance_at:
            layer.rebalance_()
        loss = (layer.dense_weight() - target).pow(2).sum() / 4
        descent.zero_grad()
        loss.backward()
        descent.step()
        losses.append(float(loss.detach()))
    return losses


def test_signed_strengths_fit_what_positive_ones_cannot(layers: ModuleType) -> None:
    """A random symmetric matrix of rank 8 with four negative eigenvalues, best of four starts."""
    n, rank = 24, 8
    basis = torch.linalg.qr(torch.randn(n, rank, dtype=torch.float64)).Q
    strengths = torch.tensor([2.0, 1.7, 1.4, 1.1, -1.0, -1.3, -1.6, -1.9], dtype=torch.float64)
    target = basis @ torch.diag(strengths) @ basis.mT
    spectral, positive = [], []
    for _ in range(4):
        spectral.append(fit(make(layers, n, n, "float64", True, rank), target, 0.05, 1200)[-1])
        layer = make(layers, n, n, "float64", True, rank)
        with torch.no_grad():
            layer.lam.fill_(1.0)
        layer.lam.requires_grad_(False)
        positive.append(fit(layer, target, 0.05, 1200)[-1])
    # What is left of a matrix without its negative part is the least that a positive one leaves.
    floor = float((strengths[strengths < 0] ** 2).sum()) / 4
    assert min(positive) > 0.999 * floor
    assert min(spectral) < 1e-6 * floor


def test_gradient_descent_changes_signs_of_strengths(layers: ModuleType) -> None:
    """Only while ``|q|^2 > order lam^2``, as at the start; the difference is kept on the way."""
    target = torch.zeros(6, 6, dtype=torch.float64)
    target[0, 0] = -1.0
    found = []
    for short in (False, True):
        layer = make(layers, 6, 6, "float64", True, 1)
        with torch.no_grad():
            layer.lam.abs_()
            kept = layer.q.square().sum(0) - 2 * layer.lam**2
            torch.testing.assert_close(kept, layer.q.square().sum(0) / 2)
            if short:
                layer.q.div_(2)
                layer.lam.mul_(4)
                kept = layer.q.square().sum(0) - 2 * layer.lam**2
        fit(layer, target, 0.01, 3000)
        now = (layer.q.square().sum(0) - 2 * layer.lam**2).detach()
        torch.testing.assert_close(now, kept, rtol=0.02, atol=0.02)
        found.append(float(layer.lam.detach()))
    assert found[0] < 0 < found[1]


def make_sensing(layers: ModuleType, square: bool, size: float) -> tuple[Any, Tensor]:
    """Pose a positive matrix of rank 2 for 5 directions, three too many; strengths stay 1."""
    basis = torch.linalg.qr(torch.randn(20, 2, dtype=torch.float64)).Q
    target = basis @ torch.diag(torch.tensor([1.0, 0.7], dtype=torch.float64)) @ basis.mT
    layer = make(layers, 20, 20, "float64", square, 5, imbalance=1.0 if square else 3.0)
    layer.lam.requires_grad_(False)
    with torch.no_grad():
        layer.lam.fill_(1.0)
        largest = torch.linalg.matrix_norm(layer.full(layer.sides[0]), 2)
        for side in layer.sides:
            layer.full(side).mul_(size / largest)
    return layer, target


@pytest.mark.slow
def test_spare_directions_slow_symmetric_descent_down(layers: ModuleType) -> None:
    """The loss falls like ``1 / T^2``."""
    layer, target = make_sensing(layers, square=True, size=0.3)
    losses = fit(layer, target, 0.25, 10_000)
    slope = math.log(losses[-1] / losses[999]) / math.log(10)
    assert -2.3 < slope < -1.6
    assert losses[-1] > 1e-8


@pytest.mark.slow
def test_spare_directions_do_not_slow_imbalanced_descent_down(layers: ModuleType) -> None:
    layer, target = make_sensing(layers, square=False, size=0.3)
    assert float((layer.u.norm() / layer.v.norm()).detach()) == pytest.approx(3)
    assert fit(layer, target, 0.25, 5000)[-1] < 1e-15


def test_rebalancing_makes_the_rate_independent_of_the_start(layers: ModuleType) -> None:
    """From a start so small that descent has not begun, one rescaling step does most of it."""
    layer, target = make_sensing(layers, square=False, size=1e-3)
    assert fit(layer, target, 0.25, 20)[-1] > 0.3
    layer.rebalance_(beta=1.0)
    assert fit(layer, target, 0.25, 400)[-1] < 1e-15
