"""Spectral layers as dense associative memories: energies, fields, and how often they err."""

from __future__ import annotations

import math
from itertools import permutations
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.emit.spectral import install_spectral, make


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return install_spectral(tmp_path_factory.mktemp("spectral"))


def draw_spins(*shape: int) -> Tensor:
    return torch.randint(0, 2, shape).double() * 2 - 1


def make_memory(layers: ModuleType, n: int, order: int, patterns: Tensor) -> Any:
    return make(layers, n, n, "float64", True, 1, order=order).store_(patterns)


def sum_distinct(layer: Any, z: Tensor) -> Tensor:
    """The energy without self terms, term by term."""
    q, lam, order = layer.directions()[0], layer.full("lam"), layer.facts.order
    total = torch.zeros(len(z), dtype=z.dtype)
    for chosen in permutations(range(z.shape[1]), order):
        indices = list(chosen)
        total = total - (q[indices].prod(0) * lam).sum() * z[:, indices].prod(-1) / order
    return total - (z @ layer.full("bias") if layer.facts.bias else 0.0)


@pytest.mark.parametrize("name", ["Low", "Crowded", "Unit", "Frame", "Quadratic", "Line", "Signs"])
def test_the_output_is_the_negative_gradient_of_the_energy(layers: ModuleType, name: str) -> None:
    layer = getattr(layers, name)()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    z = torch.randn(2, 3, layer.facts.n_in, dtype=torch.float64).requires_grad_()
    energy = layer.energy(z)
    assert energy.shape == (2, 3)
    (slope,) = torch.autograd.grad(energy.sum(), z)
    torch.testing.assert_close(-slope, layer(z))


@pytest.mark.parametrize("order", [2, 3, 4])
def test_energy_without_self_terms(layers: ModuleType, order: int) -> None:
    layer = make(layers, 5, 5, "float64", True, 4, order=order, bias=True)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    z = torch.randn(3, 5, dtype=torch.float64).requires_grad_()
    energy = layer.energy(z, self_terms=False)
    torch.testing.assert_close(energy, sum_distinct(layer, z))
    # A retrieved spin is the sign of the negative gradient, of every spin or of one after another.
    (slope,) = torch.autograd.grad(energy.sum(), z)
    assert torch.equal(layer.retrieve(z), (-slope).sign())
    one = z.detach()
    for i in range(5):
        one = one.clone().requires_grad_()
        (slope,) = torch.autograd.grad(layer.energy(one, self_terms=False).sum(), one)
        one = one.detach()
        one[:, i] = (-slope[:, i]).sign()
    assert torch.equal(layer.retrieve(z, asynchronous=True), one)
    assert torch.equal(layer.retrieve(z, self_terms=True), layer(z).sign())


def test_storing_patterns(layers: ModuleType) -> None:
    patterns = draw_spins(5, 12)
    layer = layers.Low()
    assert layer.store_(patterns) is layer
    assert layer.rank == 5
    assert torch.equal(layer.q, patterns.mT)
    assert torch.equal(layer.lam, torch.ones(5, dtype=torch.float64))
    unit = layers.Unit().store_(draw_spins(6, 9) * 2)
    z = torch.randn(3, 9, dtype=torch.float64)
    patterns = unit.q.mT
    torch.testing.assert_close(unit(z), (z @ patterns.mT) @ patterns)


def test_few_patterns_are_mended_in_a_step_or_two(layers: ModuleType) -> None:
    patterns = draw_spins(4, 60)
    for order in (2, 3, 4):
        memory = make_memory(layers, 60, order, patterns)
        damaged = patterns.clone()
        damaged[:, :10] *= -1
        assert torch.equal(memory.retrieve(damaged, steps=3), patterns)
        assert torch.equal(memory.retrieve(damaged, steps=3, asynchronous=True), patterns)


def test_a_spin_without_field_stays(layers: ModuleType) -> None:
    memory = make_memory(layers, 3, 3, torch.ones(1, 3))
    state = torch.tensor([[1.0, -1.0, 0.0]], dtype=torch.float64)
    assert memory.retrieve(state).tolist() == [[1.0, -1.0, -1.0]]


def predict_errors(load: float, factor: float) -> float:
    return math.erfc(1 / math.sqrt(2 * load * factor)) / 2


def measure_errors(layers: ModuleType, n: int, order: int, load: float, self_terms: bool) -> float:
    """Return how many spins of stored patterns, in random ones, are wrong after one step."""
    count = round(load * n ** (order - 1))
    patterns = draw_spins(count, n)
    memory = make_memory(layers, n, order, patterns)
    some = patterns[:200]
    wrong = memory.retrieve(some, self_terms=self_terms) != some
    return float(wrong.double().mean())


@pytest.mark.parametrize(
    ("order", "n", "load"),
    [(2, 500, 0.2), (2, 500, 0.4), (3, 100, 0.1), (3, 100, 0.2), (4, 80, 0.08)],
)
def test_errors_without_self_terms(layers: ModuleType, order: int, n: int, load: float) -> None:
    """Noise of K terms over signal: variance ``(P - 1)! K / N^(P - 1)``."""
    expected = predict_errors(load, math.factorial(order - 1))
    assert 0.01 < expected < 0.1
    found = measure_errors(layers, n, order, load, self_terms=False)
    assert found == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("load", [0.08, 0.15])
def test_errors_of_the_layer_as_it_is(layers: ModuleType, load: float) -> None:
    """Of odd order self terms add noise: ``(2 P - 3)!!`` instead of ``(P - 1)!``."""
    expected = predict_errors(load, 3)
    assert 0.01 < expected < 0.1
    # The patterns' sums at a spin add to all its fields alike, so one draw says little.
    found = [measure_errors(layers, 100, 3, load, self_terms=True) for _ in range(8)]
    assert sum(found) / len(found) == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("load", [0.3, 0.5])
def test_self_terms_of_even_order_hold_spins_where_they_are(
    layers: ModuleType, load: float
) -> None:
    """They add ``K z_i`` to the field at order 2: the signal grows to ``1 + K / N``, and the plain
    formula, which is for odd orders, would be several times too large."""
    shifted = math.erfc((1 + load) / math.sqrt(2 * load)) / 2
    found = measure_errors(layers, 500, 2, load, self_terms=True)
    assert found == pytest.approx(shifted, rel=0.2)
    assert predict_errors(load, 1) > 2 * found


@pytest.mark.parametrize("order", [2, 3, 4])
def test_energy_never_rises_one_spin_at_a_time(layers: ModuleType, order: int) -> None:
    """Without self terms it is linear in each spin, so its sign is the best; any strengths."""
    layer = make(layers, 12, 12, "float64", True, 30, order=order, bias=True)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    state = draw_spins(50, 12)
    energies = [layer.energy(state, self_terms=False)]
    for _ in range(5):
        state = layer.retrieve(state, asynchronous=True)
        energies.append(layer.energy(state, self_terms=False))
    falls = torch.stack(energies).detach().diff(dim=0)
    assert float(falls.max()) < 1e-9 * float(energies[0].detach().abs().max())
    assert float(falls[0].min()) < -1


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("asynchronous", [True, False])
def test_energy_never_rises_where_it_is_concave(
    layers: ModuleType, order: int, asynchronous: bool
) -> None:
    """Of even order with positive strengths it lies below its tangents, so any update lowers it."""
    layer = make(layers, 12, 12, "float64", True, 30, order=order, bias=True)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
        layer.lam.abs_()
    state = draw_spins(50, 12)
    for _ in range(5):
        before = layer.energy(state).detach()
        state = layer.retrieve(state, self_terms=True, asynchronous=asynchronous)
        assert bool((layer.energy(state).detach() <= before + 1e-9 * before.abs()).all())


def test_all_at_once_energy_may_rise(layers: ModuleType) -> None:
    """Two spins that push each other apart flip for ever: the theorems need their hypotheses."""
    layer = make(layers, 2, 2, "float64", True, 1)
    with torch.no_grad():
        layer.q.fill_(1.0)
        layer.lam.fill_(-1.0)
    state = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
    low = layer.energy(state, self_terms=False)
    state = torch.ones(1, 2, dtype=torch.float64)
    assert torch.equal(layer.retrieve(state), -state)
    assert torch.equal(layer.retrieve(state, steps=2), state)
    assert bool(layer.energy(state, self_terms=False) > low)
    settled = layer.retrieve(state, asynchronous=True)
    assert torch.equal(layer.energy(settled, self_terms=False), low)


def test_refusals(layers: ModuleType) -> None:
    with pytest.raises(RuntimeError, match="only square spectral layers"):
        layers.Wide().energy(torch.ones(7))
    with pytest.raises(RuntimeError, match="only square spectral layers"):
        layers.Wide().store_(torch.ones(2, 7))
    with pytest.raises(RuntimeError, match="patterns are not orthonormal"):
        layers.Frame().store_(torch.ones(2, 9))
    with pytest.raises(RuntimeError, match="where a group ties them"):
        layers.Turns().store_(torch.ones(2, 6))
    for wrong in (torch.ones(2, 9), torch.ones(12), torch.ones(0, 12)):
        with pytest.raises(ValueError, match=r"expects patterns of shape \(K, 12\)"):
            layers.Low().store_(wrong)
    with pytest.raises(ValueError, match=r"expects states of shape \(\.\.\., 12\)"):
        layers.Low().retrieve(torch.ones(2, 9, dtype=torch.float64))
