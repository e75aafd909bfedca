"""Growth of spectral layers: what is kept, and by whom."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from tests.emit.spectral import FREE, GROUPED, Loss, install_spectral, pose


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return install_spectral(tmp_path_factory.mktemp("spectral"))


def descend(optimizer: torch.optim.Optimizer, loss: Loss) -> None:
    optimizer.zero_grad()
    loss().backward()
    optimizer.step()


@pytest.mark.parametrize("name", [name for name in FREE if name != "Line"])
@pytest.mark.parametrize("chosen", [True, False])
def test_the_function_is_kept(layers: ModuleType, name: str, chosen: bool) -> None:
    layer = getattr(layers, name)()
    z, loss = pose(layer)
    y, before = layer(z).detach(), layer.rank
    found = layer.grow_(1, loss if chosen else None)
    found = torch.cat([found, layer.grow_(1, loss)])
    assert float((layer(z).detach() - y).abs().max()) < 1e-12
    assert layer.rank == before + 2
    assert layer.lam[-2:].tolist() == [0, 0]
    for side in layer.sides:
        lengths = getattr(layer, side)[:, -2:].norm(dim=0)
        torch.testing.assert_close(lengths, torch.ones(2, dtype=torch.float64))
    # Never dead: every new strength has a gradient, and it is the one that was promised.
    (slopes,) = torch.autograd.grad(loss(), [layer.lam])
    assert bool((slopes[-2:] != 0).all())
    torch.testing.assert_close(slopes[-1], found[-1])
    assert bool(found[0].isnan()) != chosen


def test_a_direction_of_zero_would_be_dead(layers: ModuleType) -> None:
    """Why growth starts with a strength of 0: from q = 0 nothing has a gradient."""
    layer = layers.Low()
    layer.grow_(1)
    with torch.no_grad():
        layer.q[:, -1], layer.lam[-1] = 0.0, 1.0
    _, loss = pose(layer)
    q, lam = torch.autograd.grad(loss(), [layer.q, layer.lam])
    assert not q[:, -1].any()
    assert lam[-1] == 0


OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.02, amsgrad=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.1),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("name", ["Low", "Wide", "Unit"])
def test_optimizers_go_on_as_if_nothing_had_grown(layers: ModuleType, name: str, kind: str) -> None:
    """With the new strengths held at 0 every other parameter takes the same path."""
    grown = getattr(layers, name)()
    z, _ = pose(grown)
    other = copy.deepcopy(grown)
    pairs = []
    for layer in (grown, other):
        network = nn.Sequential(layer, nn.Tanh())
        optimizer = OPTIMIZERS[kind](network.parameters())
        pairs.append((optimizer, lambda net=network: (net(z) - 0.3).pow(2).sum()))
    for _ in range(5):
        for pair in pairs:
            descend(*pair)
    optimizer, loss = pairs[0]
    assert bool((grown.grow_(2, loss, optimizer=optimizer) != 0).all())
    rank = other.rank
    mask = (torch.arange(rank + 2) < rank).double()
    grown.lam.register_hook(lambda slope: slope * mask)
    for _ in range(5):
        for pair in pairs:
            descend(*pair)
    torch.testing.assert_close(grown(z), other(z), rtol=1e-10, atol=1e-10)
    assert grown.lam[rank:].tolist() == [0, 0]
    for side in (*grown.sides, "lam"):
        found = getattr(grown, side)[..., :rank]
        torch.testing.assert_close(found, getattr(other, side), rtol=1e-10, atol=1e-10)


def test_new_directions_learn(layers: ModuleType) -> None:
    layer = layers.Low()
    _, loss = pose(layer)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
    descend(optimizer, loss)
    layer.grow_(1, loss, optimizer=optimizer)
    before = layer.q[:, -1].detach().clone()
    for _ in range(3):
        descend(optimizer, loss)
    assert layer.lam[-1] != 0
    assert float((layer.q[:, -1] - before).detach().abs().max()) > 0
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in layer.parameters()}
    assert set(map(id, optimizer.state)) == held


def test_gradients_are_left_alone(layers: ModuleType) -> None:
    layer: Any = layers.Low()
    _, loss = pose(layer)
    layer.grow_(1, loss)
    assert all(parameter.grad is None for parameter in layer.parameters())
    loss().backward()
    kept = [parameter.grad for parameter in layer.parameters()]
    layer.grow_(1, loss)
    for parameter, before in zip(layer.parameters(), kept, strict=True):
        assert torch.equal(parameter.grad[..., :-1], before)
        assert not parameter.grad[..., -1].any()
    assert [name for name, _ in layer.named_parameters()] == ["q", "lam"]


def test_closures_may_call_backward_and_the_layer_twice(layers: ModuleType) -> None:
    """A recurrent network: both calls count, and gradients may come from ``backward``."""
    layer = layers.Low()
    z = torch.randn(4, 12, dtype=torch.float64)

    def loss() -> Any:
        return layer(z=layer(z).tanh()).pow(2).sum()

    def backward() -> Any:
        value = loss()
        value.backward()
        return value

    dense = layer.dense_weight().detach().requires_grad_()
    value = ((z @ dense.mT).tanh() @ dense.mT).pow(2).sum()
    (gradient,) = torch.autograd.grad(value, dense)
    values = torch.linalg.eigvalsh((gradient + gradient.mT) / 2)
    expected = values[values.abs().argsort(descending=True)]
    torch.testing.assert_close(layer.grow_(1, loss), expected[:1])
    torch.testing.assert_close(layer.grow_(1, backward), expected[1:2])
    with torch.no_grad():
        torch.testing.assert_close(layer.grow_(1, loss), expected[2:3])


@pytest.mark.parametrize("name", ["Low", "Unit", "Wide", "Quadratic"])
def test_growth_in_parts_adds_no_twins(layers: ModuleType, name: str) -> None:
    """Two equal directions of strength 0 would have equal gradients, and never part."""
    layer = getattr(layers, name)()
    twin = copy.deepcopy(layer)
    z, _ = pose(layer)

    def find_loss(of: Any) -> Any:
        return (of(z).tanh() - 0.5).pow(2).sum()

    found = torch.cat([layer.grow_(k, lambda: find_loss(layer)) for k in (1, 2)])
    new = [side.detach()[:, -3:] for side in layer.directions()]
    alike = (new[0].mT @ new[0]) * (new[1].mT @ new[1])
    torch.testing.assert_close(alike, torch.eye(3).double(), rtol=0.0, atol=1e-6)
    if layer.facts.order == 2:
        torch.testing.assert_close(found, twin.grow_(3, lambda: find_loss(twin)))


@pytest.mark.parametrize("name", ["Low", "Wide", "Frame"])
def test_a_loss_in_the_dense_weights_counts(layers: ModuleType, name: str) -> None:
    """As much as one in the outputs, and beside it."""
    layer = getattr(layers, name)()
    twin = copy.deepcopy(layer)
    wanted = torch.randn(layer.facts.n_out, layer.facts.n_in, dtype=torch.float64)
    z = torch.randn(4, layer.facts.n_in, dtype=torch.float64)
    bias = twin.full("bias") if twin.facts.bias else 0.0

    def find_loss(of: Any, weights: Any) -> Any:
        return (weights - wanted).pow(2).sum() + of(z).tanh().sum()

    units = torch.eye(layer.facts.n_in, dtype=torch.float64)
    expected = twin.grow_(2, lambda: find_loss(twin, (twin(units) - bias).mT))
    found = layer.grow_(2, lambda: find_loss(layer, layer.dense_weight()))
    torch.testing.assert_close(found, expected)
    assert "dense_weight" not in vars(layer)


def test_calls_without_gradients_do_not_count(layers: ModuleType) -> None:
    layer = layers.Low()
    twin = copy.deepcopy(layer)
    z = torch.randn(20, 12, dtype=torch.float64)

    def find_loss(of: Any) -> Any:
        return (of(z).tanh() - 0.5).pow(2).sum()

    def validate_first() -> Any:
        with torch.no_grad():
            layer(100 * z)
        return find_loss(layer)

    expected = twin.grow_(1, lambda: find_loss(twin))
    torch.testing.assert_close(layer.grow_(1, validate_first), expected)


def test_frozen_directions_can_still_be_added_to(layers: ModuleType) -> None:
    layer = layers.Low()
    layer.q.requires_grad_(False)
    _, loss = pose(layer)
    assert bool(layer.grow_(1, loss) != 0)
    assert not layer.q.requires_grad
    layer.lam.requires_grad_(False)
    with pytest.raises(RuntimeError, match="lam is frozen"):
        layer.grow_(1, loss)


@pytest.mark.parametrize("name", ["Low", "Wide", "Cubic", "Frame"])
def test_batches_without_rows_or_slopes_leave_directions_alive(
    layers: ModuleType, name: str
) -> None:
    layer = getattr(layers, name)()
    empty = torch.zeros(0, layer.facts.n_in, dtype=torch.float64)
    _, loss = pose(layer)
    for closure in (lambda: layer(empty).sum(), lambda: 0 * loss()):
        assert not layer.grow_(2, closure).any()
        for side in layer.directions():
            torch.testing.assert_close(side[:, -2:].norm(dim=0), torch.ones(2).double())
            assert float((side[:, -1] @ side[:, -2]).detach().abs()) < 1e-12


def test_refusals(layers: ModuleType) -> None:
    low = layers.Low()
    _, loss = pose(low)
    with pytest.raises(ValueError, match="k is at least 1, got 0"):
        low.grow_(0)
    with pytest.raises(TypeError, match="k is an integer, got True"):
        low.grow_(True)
    with pytest.raises(RuntimeError, match="depends on no call of this layer"):
        low.grow_(1, lambda: torch.ones((), requires_grad=True))
    with pytest.raises(RuntimeError, match="one number that has a gradient"):
        low.grow_(1, lambda: float(loss().detach()))
    with pytest.raises(RuntimeError, match="are not finite"):
        low.grow_(1, lambda: loss() / 0)
    for name in GROUPED:
        with pytest.raises(RuntimeError, match="cannot add directions where a group ties them"):
            getattr(layers, name)().grow_(1)
    with pytest.raises(ValueError, match="the optimizer has none of this layer's parameters"):
        low.grow_(1, loss, torch.optim.SGD(layers.Low().parameters()))
    with pytest.raises(RuntimeError, match="LBFGS cannot be carried over"):
        low.grow_(1, loss, torch.optim.LBFGS(low.parameters()))
    factored = torch.optim.Adafactor(low.parameters())
    descend(factored, loss)
    with pytest.raises(RuntimeError, match="Adafactor cannot be carried over, its row_var"):
        low.grow_(1, loss, factored)
    assert low.rank == 3
    nn.utils.parametrize.register_parametrization(low, "lam", nn.Softplus())
    with pytest.raises(RuntimeError, match="needs plain parameters"):
        low.grow_(1)
