"""Where spectral layers grow: along the directions in which the loss changes fastest."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.emit.spectral import Loss, install_spectral, make, pose


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return install_spectral(tmp_path_factory.mktemp("spectral"))


def find_gradient(layer: Any, loss: Loss) -> Any:
    """The gradient in the dense weights, by autograd through a layer of dense weights."""
    dense = layer.dense_weight().detach().requires_grad_()
    bias = layer.full("bias") if layer.facts.bias else 0.0
    layer.forward = lambda z: z @ dense.mT + bias
    (found,) = torch.autograd.grad(loss(), dense)
    del layer.forward
    return found


@pytest.mark.parametrize("rows", [1, 3, 20, 200])
@pytest.mark.parametrize("n", [5, 40])
def test_square_layers_grow_along_extreme_eigenvectors(
    layers: ModuleType, n: int, rows: int
) -> None:
    layer = make(layers, n, n, "float64", True, 2)
    _, loss = pose(layer, rows)
    gradient = find_gradient(layer, loss)
    values = torch.linalg.eigvalsh((gradient + gradient.mT) / 2)
    expected = values[values.abs().argsort(descending=True)][:3]
    found = layer.grow_(3, loss)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    new = layer.q[:, -3:]
    torch.testing.assert_close(new.mT @ new, torch.eye(3, dtype=torch.float64))


@pytest.mark.parametrize("rows", [1, 3, 20, 200])
@pytest.mark.parametrize(("n_in", "n_out"), [(6, 4), (30, 50), (50, 30)])
def test_rectangular_layers_grow_along_singular_vectors(
    layers: ModuleType, n_in: int, n_out: int, rows: int
) -> None:
    layer = make(layers, n_in, n_out, "float64", False, 2)
    _, loss = pose(layer, rows)
    values = torch.linalg.svdvals(find_gradient(layer, loss))
    found = layer.grow_(3, loss)
    torch.testing.assert_close(found.abs(), values[:3], rtol=1e-9, atol=1e-9)
    for side in (layer.u, layer.v):
        new = side[:, -3:]
        torch.testing.assert_close(new.mT @ new, torch.eye(3, dtype=torch.float64))


def test_a_large_layer_is_searched_without_a_matrix(layers: ModuleType) -> None:
    """Of 4,000 neurons: a Krylov space of a few blocks finds the few large eigenvalues."""
    basis = torch.linalg.qr(torch.randn(4000, 3)).Q
    z = torch.randn(3000, 4000)
    extremes = importlib.import_module(f"{layers.__name__}.extremes")
    noise = 1e-3 * torch.randn(3000, 4000)
    strengths = torch.tensor([3.0, -2.0, 1.0])
    rows = extremes.Rows(z, noise + (z @ basis * strengths) @ basis.mT)
    found = extremes.search_eigenvectors(rows, 3)
    overlaps = (found.mT @ basis).abs()
    assert bool((overlaps.amax(0) > 0.6).all()), overlaps
    values = extremes.measure_directions(rows, found, found, 2)
    assert values[0] > 0 > values[1]


def test_constrained_layers_search_what_is_orthogonal(layers: ModuleType) -> None:
    layer = layers.Frame()
    _, loss = pose(layer)
    gradient = find_gradient(layer, loss)
    q = layer.directions()[0].detach()
    apart = torch.eye(9, dtype=torch.float64) - q @ q.mT
    values = torch.linalg.eigvalsh(apart @ (gradient + gradient.mT) @ apart / 2)
    expected = values[values.abs().argsort(descending=True)][:2]
    torch.testing.assert_close(layer.grow_(2, loss), expected)
    gram = layer.q.mT @ layer.q
    torch.testing.assert_close(gram, torch.eye(6, dtype=torch.float64))
    with pytest.raises(ValueError, match="there are no 10 orthonormal directions"):
        layer.grow_(4)


def test_without_a_closure_directions_are_orthogonal_while_there_is_room(
    layers: ModuleType,
) -> None:
    layer = layers.Low()
    layer.grow_(9)
    old, new = layer.q[:, :3], layer.q[:, 3:]
    torch.testing.assert_close(new.mT @ new, torch.eye(9, dtype=torch.float64))
    assert float((old.mT @ new).detach().abs().max()) < 1e-12
    assert bool(layer.grow_(2).isnan().all())
    torch.testing.assert_close(layer.q[:, -2:].norm(dim=0), torch.ones(2, dtype=torch.float64))


def plant_tensor(layers: ModuleType, order: int, square: bool) -> tuple[Any, Loss]:
    """A loss that is linear in the output, whose gradient is a tensor of two known directions."""
    layer = make(layers, 6, 6, "float64", square, 1, order=order)
    basis = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64)).Q
    z = torch.randn(300, 6, dtype=torch.float64)
    powers = torch.stack([-(3.0) * (z @ basis[:, 0]) ** (order - 1), (z @ basis[:, 1])], -1)
    slopes = powers @ basis[:, [0, 1]].mT
    return layer, lambda: (layer(z) * slopes).sum()


def climb(measure: Callable[[Tensor, Tensor], Tensor], square: bool) -> float:
    """Climb to a local extreme of a form on unit vectors, by autograd from a random start."""
    points = [torch.randn(6, 1, dtype=torch.float64).requires_grad_() for _ in range(2 - square)]
    climber: Any = torch.optim.LBFGS(points, max_iter=200, line_search_fn="strong_wolfe")
    sign = 1.0 if torch.rand(()) < 0.5 else -1.0

    def find() -> Tensor:
        return measure(points[0] / points[0].norm(), points[-1] / points[-1].norm()).sum()

    def descend() -> Any:
        climber.zero_grad()
        loss: Any = sign * find() / 1e3
        loss.backward()
        return loss

    climber.step(descend)
    return abs(float(find().detach()))


@pytest.mark.parametrize("square", [True, False])
@pytest.mark.parametrize("order", [3, 4, 5])
def test_tensors_grow_where_the_form_is_large(layers: ModuleType, order: int, square: bool) -> None:
    """At the largest value that many climbs from random starts find."""
    layer, loss = plant_tensor(layers, order, square)
    extremes = importlib.import_module(f"{layers.__name__}.extremes")
    growth = importlib.import_module(f"{layers.__name__}.growth")
    measure = partial(extremes.measure_directions, growth.record_rows(layer, loss), order=order)
    best = max(climb(measure, square) for _ in range(20))
    found = layer.grow_(2, loss)
    assert abs(float(found[0])) == pytest.approx(best, rel=1e-3)
    new = layer.directions()[1][:, -2:]
    torch.testing.assert_close(new.mT @ new, torch.eye(2, dtype=torch.float64))


@pytest.mark.parametrize("square", [True, False])
@pytest.mark.parametrize("order", [3, 4])
def test_growth_of_tensors_ends_where_nothing_pulls(
    layers: ModuleType, order: int, square: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From two starts only: without a shift some power iterations go round and round."""
    extremes = importlib.import_module(f"{layers.__name__}.extremes")
    monkeypatch.setattr(extremes, "STARTS", 2)
    for _ in range(20):
        rows = extremes.Rows(*torch.randn(2, 30, 4, dtype=torch.float64))
        found = extremes.search_tensor(rows, 1, order, square, False)
        points = [side.requires_grad_() for side in found[: 2 - square]]
        value = extremes.measure_directions(rows, points[0], points[-1], order)
        for point, slope in zip(points, torch.autograd.grad(value.sum(), points), strict=True):
            pull = slope - point * (point * slope).sum()
            assert float(pull.detach().norm()) < 1e-2 * float(value.detach().abs())


def test_greedy_growth_is_deflation(layers: ModuleType) -> None:
    """Of ``|W - W*|^2 / 2`` each rank step with its best strength takes off one eigenpair."""
    layer = make(layers, 30, 30, "float64", True, 1)
    q = torch.linalg.qr(torch.randn(30, 5, dtype=torch.float64)).Q
    target = q @ torch.diag(torch.tensor([3.0, -2.0, 1.5, -1.0, 0.5], dtype=torch.float64)) @ q.mT
    unit = torch.eye(30, dtype=torch.float64)
    with torch.no_grad():
        layer.lam.zero_()

    def loss() -> Any:
        return (layer(unit) - target).pow(2).sum() / 2

    sizes = []
    for _ in range(5):
        found = layer.grow_(1, loss)
        with torch.no_grad():
            layer.lam[-1] = -found[0]
        sizes.append(float(loss().detach()))
    expected = torch.tensor([3, -2, 1.5, -1, 0.5], dtype=torch.float64)
    torch.testing.assert_close(layer.lam[1:], expected)
    assert sizes == sorted(sizes, reverse=True)
    assert (2 * sizes[-1]) ** 0.5 < 1e-10 < sizes[-2]


def fit_strength(layer: Any, loss: Loss) -> None:
    """Find the best last strength by Newton's method."""
    for _ in range(30):
        (slope,) = torch.autograd.grad(loss(), [layer.lam], create_graph=True)
        (bend,) = torch.autograd.grad(slope[-1], [layer.lam])
        with torch.no_grad():
            step = slope[-1] / bend[-1].abs().clamp(min=1e-9)
            layer.lam[-1] -= step.clamp(-2, 2)


def grow_and_fit(layers: ModuleType, how: str) -> list[float]:
    """Fit ``tanh(W z)`` to a full matrix; return the loss at first and after each direction."""
    torch.manual_seed(0)
    n, count = 40, 200
    z = torch.randn(count, n, dtype=torch.float64)
    full = torch.randn(n, n, dtype=torch.float64)
    target = torch.tanh(z @ (full + full.mT) / n**0.5)
    layer = make(layers, n, n, "float64", True, 1)
    with torch.no_grad():
        layer.lam.zero_()

    def loss() -> Any:
        return (layer(z).tanh() - target).pow(2).sum() / (2 * count)

    losses = [float(loss().detach())]
    for _ in range(12):
        gradient = find_gradient(layer, loss) if how == "one power iteration" else None
        layer.grow_(1, loss if how == "extreme" else None)
        if gradient is not None:
            with torch.no_grad():
                found = (gradient + gradient.mT) @ torch.randn(n, dtype=torch.float64)
                layer.q[:, -1] = found / found.norm()
        fit_strength(layer, loss)
        losses.append(float(loss().detach()))
    return losses


def test_extreme_directions_beat_other_choices(layers: ModuleType) -> None:
    """After 1, 4 and 12 new directions, of 40 neurons."""
    choices = ("extreme", "one power iteration", "random")
    extreme, power, random = (grow_and_fit(layers, how) for how in choices)
    assert extreme[0] == power[0] == random[0] > 9
    for count in (1, 4, 12):
        assert extreme[count] < power[count] < random[0]
        assert extreme[count] < random[count]
    assert extreme[12] < 0.55 * min(power[12], random[12])
