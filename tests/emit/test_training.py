"""Emitted layers in training: initial scale, empty degrees, optimisers, many processes."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.distributed as distributed
from torch import Tensor, nn
from torch.nn.utils import parametrize

from tests.emit.problems import install, make, pose


def draw(layer: Any, *batch: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*batch, layer.in_channels, layer.layout.n_in, dtype=dtype)


def test_output_variance_at_the_start(zoo: ModuleType) -> None:
    """Variance over the input, averaged over draws and outputs, is 1 within 5 %."""
    for name, channels in (("Cycle", (3, 16)), ("Cubic", (3, 16)), ("Collide", (16, 16))):
        total = 0.0
        for _ in range(60):
            layer = getattr(zoo, name)(*channels)
            with torch.no_grad():
                y = layer(draw(layer, 1000, dtype=torch.float32))
            total += float(y.var(0).mean()) / 60
        assert abs(total - 1) < 0.05, (name, total)


def test_output_variance_of_a_factored_layer(packages: Path) -> None:
    problem = pose("S_3", (1, 2), mixing="factored", inputs=3, outputs=8, rank=24, name="Factors")
    cls = install(packages, "factors", [problem]).Factors
    total, count = 0.0, 300
    for _ in range(count):
        layer = cls()
        with torch.no_grad():
            total += float(layer(torch.randn(500, 3, 3)).var(0).mean()) / count
    assert abs(total - 1) < 0.05, total


def test_a_degree_without_classes_warns(packages: Path) -> None:
    package = install(packages, "odd", [pose("parity", (0, 1, 2, 3), inputs=2, name="Odd")])
    words = "Odd: no equivariant polynomial of degree 0, 2 exists"
    with pytest.warns(UserWarning, match=words) as caught:
        layer = package.Odd()
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert layer.weight_2.shape == (1, 2, 0)
    assert layer.weight_2_11.shape == (1, 1, 0)
    x = torch.randn(4, 2, 2, requires_grad=True)
    torch.testing.assert_close(layer(-x), -layer(x))
    layer(x).sum().backward()
    assert layer.weight_2.grad.shape == (1, 2, 0)
    assert layer.dense_weight(2).shape == (1, 2, 2, 2, 2, 2)
    assert not layer.dense_weight(2).any()
    assert layer.load_dense(2, torch.ones(1, 2, 2, 2, 2, 2)) == pytest.approx(32**0.5)
    assert layer.classes(2) == 0
    assert layer.basis(2).shape == (0, 2, 2, 2)
    with pytest.warns(UserWarning, match=words):
        plain = package.Odd(backend="reference")
    plain.load_state_dict(layer.state_dict())
    torch.testing.assert_close(layer(x), plain(x))


def test_full_layers_have_a_degree_only_across_channels(packages: Path) -> None:
    """Turning the plane by halves: no warning where some block has classes."""
    package = install(packages, "turned", [pose("turning the plane", (1, 3), name="Turned")])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        package.Turned()


class _Double(nn.Module):
    def forward(self, value: Tensor) -> Tensor:
        return 2 * value


def test_parametrized_weights(zoo: ModuleType) -> None:
    layer, plain = make(zoo, "Cycle"), make(zoo, "Cycle")
    plain.load_state_dict(layer.state_dict())
    x = draw(layer, 3)
    parametrize.register_parametrization(layer, "weight_2", _Double())
    with torch.no_grad():
        plain.weight_2.mul_(2)
    torch.testing.assert_close(layer(x), plain(x))
    torch.testing.assert_close(layer.dense_weight(2), plain.dense_weight(2))


def test_training_finds_a_teacher(zoo: ModuleType) -> None:
    teacher, student = make(zoo, "Cycle"), make(zoo, "Cycle")
    optimiser: Any = torch.optim.LBFGS(student.parameters(), max_iter=100, history_size=20)
    x = draw(teacher, 200)
    y = teacher(x).detach()

    def loss() -> float:
        optimiser.zero_grad()
        value = (student(x) - y).pow(2).mean()
        value.backward()
        return float(value.detach())

    for _ in range(5):
        optimiser.step(loss)
    assert loss() < 1e-8


def test_distributed_data_parallel(zoo: ModuleType, tmp_path: Path) -> None:
    """Buffers are broadcast and every parameter has a gradient, the empty one too."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    store = f"file://{tmp_path / 'store'}"
    distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    try:
        layer = zoo.Cycle(1, 2)
        wrapped = nn.parallel.DistributedDataParallel(layer)
        for _ in range(2):
            first, second = wrapped(torch.randn(3, 1, 4)), wrapped(torch.randn(3, 1, 4))
            (first.sum() + second.sum()).backward()
        assert all(p.grad is not None for p in layer.parameters())
    finally:
        distributed.destroy_process_group()
