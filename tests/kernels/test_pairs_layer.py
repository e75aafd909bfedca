"""Layers of charges and positions with ``backend="triton"``: in the interpreter, and on a GPU."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from tests.emit.coulomb import draw, find, make, make_coulomb

CPU = pytest.param("cpu", marks=pytest.mark.interpreter)
CUDA = pytest.param("cuda", marks=pytest.mark.gpu)

both = pytest.mark.parametrize("device", [CPU, CUDA])

NAMES = (
    *("Force", "Chemistry", "Soft", "Rectangle", "Bare", "Squares", "Oblong", "Distances"),
    *("Cubes", "Fourths", "Given", "Start", "Ring"),
)
"""All in float64: square and not, every function of the distance, every option."""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return make_coulomb(tmp_path_factory.mktemp("coulomb"))


def pair(package: ModuleType, name: str, device: str, **options: Any) -> tuple[Any, Any]:
    """A layer that runs kernels, and one on the CPU that runs tiles, with equal parameters."""
    tiles = make(package, name, backend="torch", **options)
    kernels = make(package, name, backend="triton", **options)
    kernels.load_state_dict(tiles.state_dict())
    return kernels.to(device), tiles


def differentiate(layer: Any, z: Tensor, *, twice: bool = True) -> list[Tensor]:
    """Return y and its derivatives, of second order too, on the CPU."""
    options: dict[str, Any] = {"allow_unused": True, "materialize_grads": True}
    z = z.requires_grad_()
    variables = (z, *layer.parameters())
    y = layer(z)
    first = torch.autograd.grad(y.pow(2).sum(), variables, create_graph=twice, **options)
    second: tuple[Tensor, ...] = ()
    if twice:
        total = torch.stack([t.pow(2).sum() for t in first]).sum()
        second = torch.autograd.grad(total, variables, **options)
    return [t.detach().cpu() for t in (y, *first, *second)]


def compare(found: list[Tensor], expected: list[Tensor], tolerance: float) -> None:
    for left, right in zip(found, expected, strict=True):
        assert left.dtype == right.dtype
        assert (left - right).norm() <= tolerance * right.norm().clamp(min=1e-30)


@both
@pytest.mark.parametrize("name", NAMES)
def test_kernels_say_what_tiles_say(package: ModuleType, name: str, device: str) -> None:
    """Value, and derivatives of order one and two."""
    kernels, tiles = pair(package, name, device)
    z = draw(tiles)
    compare(differentiate(kernels, z.to(device)), differentiate(tiles, z), 1e-11)
    assert f"{package.__name__}.pair_launch" in sys.modules


@both
@pytest.mark.parametrize("name", ["Single", "SingleSquares"])
def test_float32(package: ModuleType, name: str, device: str) -> None:
    kernels, tiles = pair(package, name, device)
    z = draw(tiles, 2, 5)
    found = differentiate(kernels, z.to(device), twice=False)
    compare(found, differentiate(tiles, z, twice=False), 1e-5)


@both
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_inputs(package: ModuleType, dtype: torch.dtype, device: str) -> None:
    """Both widen rows to float32, and parameters if they are narrow too."""
    kernels, tiles = pair(package, "Single", device)
    z = draw(tiles, 5).to(dtype)
    options: dict[str, Any] = {"rtol": 2 * torch.finfo(dtype).eps, "atol": 1e-3}
    torch.testing.assert_close(kernels.to(dtype)(z.to(device)).cpu(), tiles.to(dtype)(z), **options)


@both
@pytest.mark.parametrize("lead", [(0,), (1,), (), (2, 3)])
def test_leading_shapes(package: ModuleType, lead: tuple[int, ...], device: str) -> None:
    kernels, tiles = pair(package, "Force", device)
    z = torch.randn(*lead, tiles.facts.n_in, dtype=torch.float64)
    compare(differentiate(kernels, z.to(device)), differentiate(tiles, z), 1e-11)


@both
def test_gradcheck(package: ModuleType, device: str) -> None:
    layer = pair(package, "Soft", device)[0]
    names = [name for name, _ in layer.named_parameters()]

    def evaluate(z: Tensor, *parameters: Tensor) -> Any:
        return functional_call(layer, dict(zip(names, parameters, strict=True)), (z,))

    arguments = (draw(layer, 2).to(device).requires_grad_(), *layer.parameters())
    assert torch.autograd.gradcheck(evaluate, arguments, fast_mode=True)
    assert torch.autograd.gradgradcheck(evaluate, arguments, fast_mode=True)


@both
@pytest.mark.parametrize("name", ["Force", "Rectangle"])
def test_opcheck(package: ModuleType, name: str, device: str) -> None:
    layer, ops = pair(package, name, device)[0], find(package, "pair_ops")
    z = draw(layer, 2).to(device)
    tensors = [t.detach().requires_grad_() for t in (z, *layer.list_sides(), layer.softening)]
    arguments = (*tensors, layer._signs, *layer.facts.pairs, True)
    found = torch.library.opcheck(ops.pair_forward, arguments)
    assert set(found.values()) == {"SUCCESS"}
    gradient = torch.randn_like(layer(z))
    found = torch.library.opcheck(ops.pair_backward, (gradient, *arguments, [True] * 6))
    assert set(found.values()) == {"SUCCESS"}


@both
def test_explanation_names_the_kernels(package: ModuleType, device: str) -> None:
    assert "the Triton kernels (pair_kernels.py)" in pair(package, "Force", device)[0].explain()
