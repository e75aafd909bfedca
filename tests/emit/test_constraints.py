"""Constraints of a spec, asked of the packages that are built from it."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from eqcompile.driver import build

MOMENTS = [
    [1, 1, 1, 1, 1, 1, 1, 1, 1],
    [0, 1, 0, -1, 0, 1, -1, -1, 1],
    [0, 0, 1, 0, -1, 1, 1, -1, -1],
]
LATTICE = {"group": {"lattice": "D2Q9"}, "input": "V", "output": "V", "degree": 2}
TURNS = {"group": {"lie": "so", "n": 3}, "output": "V + irrep(2)", "degrees": [1, 2]}
LAYERS: list[dict[str, Any]] = [
    {
        **LATTICE,
        "name": mixing.title(),
        "channels": {"in": 2, "out": outputs, "mixing": mixing},
        "constraints": [{"conserve": MOMENTS}],
    }
    for mixing, outputs in (("full", 3), ("channelwise", 2), ("depthwise", 2))
]
LAYERS += [
    {
        **TURNS,
        "name": "Turn",
        "input": "V + irrep(2)",
        "channels": {"in": 2, "out": 2},
        "constraints": [
            "w[0; 0, 5] == 1/3 + w[5; 0, 0]",
            "w[0; 0] == 2*w[4; 4] + sqrt(3)",
        ],
    },
    {
        "name": "Both",
        "group": {"cyclic": 3},
        "input": {"x": "V", "y": "V"},
        "output": "V",
        "degrees": [1, 2],
        "channels": {"in": {"x": 2, "y": 3}, "out": 3},
        "constraints": [
            {"conserve": {"rows": [[1, 1, 1]], "input": "y"}},
            "w[0; x.0, y.1] == 3*w[0; x.1, y.0]",
        ],
    },
]


@pytest.fixture(scope="module")
def nets(packages: Path) -> ModuleType:
    spec = {
        "version": 1,
        "package": "constrained",
        "layers": LAYERS,
        "emit": {"dtype": "float64"},
    }
    build(spec, packages)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(packages))
        return importlib.import_module("constrained")


def make(nets: ModuleType, name: str, backend: str = "torch") -> Any:
    """Make a layer with random parameters, the bias as well."""
    layer = getattr(nets, name)(backend=backend)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    return layer


@pytest.mark.parametrize("backend", ["torch", "reference"])
@pytest.mark.parametrize("name", ["Full", "Channelwise", "Depthwise"])
def test_mass_and_momentum_are_kept(nets: ModuleType, name: str, backend: str) -> None:
    layer = make(nets, name, backend)
    x = torch.randn(7, 2, 9, dtype=torch.float64)
    y = layer(x)
    rows = torch.tensor(MOMENTS, dtype=torch.float64)
    # A channel out that has no partner among those in keeps nothing.
    wanted = torch.zeros(7, y.shape[1], 3, dtype=torch.float64)
    wanted[:, :2] = x @ rows.T
    assert torch.allclose(y @ rows.T, wanted, rtol=0, atol=1e-12 * float(y.detach().abs().max()))
    assert float(y.detach().std()) > 0.5


def slot(weights: Tensor, k: int, i: int, j: int) -> Tensor:
    """Return the coefficient of x_i x_j in output k when all channels carry the same input."""
    summed = weights.sum(dim=(2, 4))
    return summed[:, k, i, j] + (summed[:, k, j, i] if i != j else 0)


def test_equations_hold_in_the_coordinates_of_the_layer(nets: ModuleType) -> None:
    """Also between slots of different units, and with right-hand sides within a channel."""
    layer = make(nets, "Turn")
    linear = layer.dense_weight(1)
    found = linear[:, 0, :, 0] - 2 * linear[:, 4, :, 4]
    assert torch.allclose(found, 3**0.5 * torch.eye(2, dtype=torch.float64))
    weights = layer.dense_weight(2)
    third = torch.full((2,), 1 / 3, dtype=torch.float64)
    assert torch.allclose(slot(weights, 0, 0, 5) - slot(weights, 5, 0, 0), third)
    within = weights[0, :, 0, :, 0], weights[0, :, 1, :, 1]
    found = torch.stack([2 * w[0, 0, 5] - w[5, 0, 0] for w in within])
    assert torch.allclose(found, torch.tensor([1 / 3, 0], dtype=torch.float64))


def test_rows_of_one_of_two_inputs_are_kept(nets: ModuleType) -> None:
    layer = make(nets, "Both")
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    y = torch.randn(5, 3, 3, dtype=torch.float64)
    row = torch.ones(3, dtype=torch.float64)
    assert torch.allclose(layer(x=x, y=y) @ row, y @ row)


def test_a_step_of_training_keeps_them(nets: ModuleType) -> None:
    layer = make(nets, "Full")
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    x = torch.randn(7, 2, 9, dtype=torch.float64)
    before = layer.weight_1.detach().clone()
    layer(x).square().mean().backward()
    optimiser.step()
    assert not torch.equal(before, layer.weight_1)
    rows = torch.tensor(MOMENTS, dtype=torch.float64)
    assert torch.allclose((layer(x) @ rows.T)[:, :2], x @ rows.T)
