"""Layers with ``backend="triton"``, from the front door down: in the interpreter, and on a GPU."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from tests.emit.problems import make

CPU = pytest.param("cpu", marks=pytest.mark.interpreter)
CUDA = pytest.param("cuda", marks=pytest.mark.gpu)

both = pytest.mark.parametrize("device", [CPU, CUDA])
# What test_operators.py does in the interpreter.
gpu = pytest.mark.parametrize("device", [CUDA])

NAMES = ("One", "Mirror", "Invariant", "Sign", "Grid", "SignDepth", "Linear", "Constant")
TINY = "Mirror"


def pair(zoo: ModuleType, name: str, device: str, **options: Any) -> tuple[Any, Any]:
    """A layer that runs kernels, and one on the CPU that runs programs, with equal parameters."""
    programs = make(zoo, name, backend="torch")
    kernels = make(zoo, name, backend="triton")
    kernels.load_state_dict(programs.state_dict())
    return kernels.to(device, **options), programs


def draw(layer: Any, batch: int = 3) -> Tensor:
    return torch.randn(batch, layer.in_channels, layer.layout.n_in, dtype=torch.float64)


def differentiate(layer: Any, x: Tensor) -> list[Tensor]:
    """Return y and its derivatives of order one to three, on the CPU."""
    options: dict[str, Any] = {"allow_unused": True, "materialize_grads": True}
    x = x.requires_grad_()
    variables = (x, *layer.parameters())
    y = layer(x)
    first = torch.autograd.grad(y.pow(2).sum(), variables, create_graph=True, **options)
    total = torch.stack([t.pow(2).sum() for t in first]).sum()
    second = torch.autograd.grad(total, variables, retain_graph=True, **options)
    again = torch.autograd.grad(total, variables, create_graph=True, **options)
    total = torch.stack([t.pow(2).sum() for t in again]).sum()
    third = torch.autograd.grad(total, variables, **options)
    return [t.detach().cpu() for t in (y, *first, *second, *again, *third)]


def compare(found: Sequence[Tensor], expected: Sequence[Tensor], tolerance: float = 1e-11) -> None:
    for left, right in zip(found, expected, strict=True):
        torch.testing.assert_close(left, right, rtol=tolerance, atol=tolerance)


@both
@pytest.mark.parametrize("name", NAMES)
def test_three_orders_of_derivatives(zoo: ModuleType, name: str, device: str) -> None:
    kernels, programs = pair(zoo, name, device)
    x = draw(programs)
    compare(differentiate(kernels, x.to(device)), differentiate(programs, x))
    assert f"{zoo.__name__}.launch" in sys.modules


@gpu
def test_gradcheck_and_gradgradcheck(zoo: ModuleType, device: str) -> None:
    layer = pair(zoo, TINY, device)[0]
    names = [name for name, _ in layer.named_parameters()]

    def evaluate(x: Tensor, *parameters: Tensor) -> Any:
        return functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    arguments = (draw(layer, 2).to(device).requires_grad_(), *layer.parameters())
    assert torch.autograd.gradcheck(evaluate, arguments, fast_mode=True)
    assert torch.autograd.gradgradcheck(evaluate, arguments, fast_mode=True)


def list_arguments(layer: Any, device: str) -> tuple[list[Tensor], tuple[Any, ...]]:
    weights = [layer._scale(n, w).detach() for n, w in layer._named_weights()]
    packed = (layer._indices, layer._coefficients, layer._table_sizes)
    return [draw(layer, 2).to(device), *weights], (*packed, layer._schedule, True)


@both
@pytest.mark.parametrize("word", ["forward", "backward", "double_backward"])
def test_opcheck(zoo: ModuleType, word: str, device: str) -> None:
    layer = pair(zoo, TINY, device)[0]
    tensors, tables = list_arguments(layer, device)
    operators = layer.layout.operators
    gradient = torch.randn_like(operators.forward(*tensors, *tables))
    if word == "double_backward":
        hats = [torch.randn_like(t) for t in tensors]
        arguments: tuple[Any, ...] = (hats, [gradient, *tensors], *tables)
    else:
        tensors = [t.requires_grad_() for t in tensors]
        first = (gradient.requires_grad_(),) if word == "backward" else ()
        arguments = (*first, *tensors, *tables, *((True, True) if first else ()))
    found = torch.library.opcheck(getattr(operators, word), arguments)
    assert set(found.values()) == {"SUCCESS"}


@both
def test_operators_under_vmap(zoo: ModuleType, device: str) -> None:
    layer = pair(zoo, TINY, device)[0]
    (x, *weights), tables = list_arguments(layer, device)
    operators = layer.layout.operators
    xs = torch.stack([x, 2 * x])
    found = vmap(lambda t: operators.forward(t, *weights, *tables))(xs)
    compare(found, [operators.forward(t, *weights, *tables) for t in xs])
    found = vmap(lambda w: operators.forward(x, w, *weights[1:], *tables))(
        torch.stack([weights[0], -weights[0]])
    )
    compare(found[:1], [operators.forward(x, *weights, *tables)])


TRANSFORMS: dict[str, Callable[[Any, Tensor], Any]] = {
    "grad": lambda f, x: grad(lambda z: f(z).pow(2).sum())(x),
    "jvp": lambda f, x: torch.func.jvp(f, (x,), (torch.ones_like(x),))[1],
    "hessian": lambda f, x: torch.func.hessian(lambda z: f(z).sum())(x),
}


@gpu
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
@pytest.mark.parametrize("transform", list(TRANSFORMS))
def test_transforms(zoo: ModuleType, transform: str, device: str) -> None:
    """They run programs; a kernel would raise, or its tangent would be zero."""
    kernels, programs = pair(zoo, TINY, device)
    x = draw(programs)
    found = TRANSFORMS[transform](kernels, x.to(device)).detach().cpu()
    compare([found], [TRANSFORMS[transform](programs, x).detach()])
    assert found.any()


@gpu
@pytest.mark.parametrize("name", ["Mirror", "SignDepth", "One"])
def test_any_leading_axes_and_strides(zoo: ModuleType, name: str, device: str) -> None:
    kernels, programs = pair(zoo, name, device)
    x = draw(programs, 6)
    y = programs(x).detach()
    moved = x.to(device).mT.contiguous().mT
    compare([kernels(moved).detach().cpu()], [y])
    compare([kernels(x.to(device)[2]).detach().cpu()], [y[2]])
    folded = kernels(x.to(device).reshape(2, 1, 3, *x.shape[1:]))
    compare([folded.detach().cpu()], [y.reshape(2, 1, 3, *y.shape[1:])])
    empty = x.to(device)[:0].requires_grad_()
    kernels(empty).sum().backward()
    assert empty.grad is not None
    assert all(p.grad is None or not p.grad.any() for p in kernels.parameters())


@gpu
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(zoo: ModuleType, dtype: torch.dtype, device: str) -> None:
    kernels, programs = pair(zoo, TINY, device)
    kernels, programs = kernels.float(), programs.float()
    x = draw(programs).float()
    with torch.autocast(device, dtype=dtype):
        y = kernels(x.to(device))
    with torch.autocast("cpu", dtype=dtype):
        expected = programs(x)
    assert y.dtype == dtype
    y.float().sum().backward()
    expected.float().sum().backward()
    bound = 4 * torch.finfo(dtype).eps
    compare([y.float().detach().cpu()], [expected.float().detach()], bound)
    for left, right in zip(kernels.parameters(), programs.parameters(), strict=True):
        assert left.grad.dtype == torch.float32
        compare([left.grad.cpu()], [right.grad], bound)


@both
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_compiled_model(zoo: ModuleType, device: str) -> None:
    """Several layers in one graph, with their gradients."""
    torch._dynamo.reset()
    layers = [pair(zoo, name, device)[0] for name in ("SignDepth", "SignDepth")]
    model = nn.Sequential(layers[0], nn.ReLU(), nn.Linear(1, 3, dtype=torch.float64), layers[1])
    model = model.to(device)
    backend = "inductor" if device == "cuda" else "aot_eager"
    compiled: Any = torch.compile(model, fullgraph=True, backend=backend)
    x = draw(layers[0]).to(device).requires_grad_()
    variables = (x, *model.parameters())
    found = torch.autograd.grad(compiled(x).pow(2).sum(), variables)
    compare(found, torch.autograd.grad(model(x).pow(2).sum(), variables))


@both
def test_the_package_checks_itself(zoo: ModuleType, device: str) -> None:
    checks = importlib.import_module(f"{zoo.__name__}.selfcheck")
    for check in ("backends", "gradients"):
        passed, figure = checks.CHECKS[check](TINY)
        assert passed, figure
        assert "kernels not compared" not in figure


@both
def test_explain(zoo: ModuleType, device: str) -> None:
    layer = pair(zoo, TINY, device)[0]
    assert "backend triton: the Triton kernels" in layer.explain()
    automatic = getattr(zoo, TINY)().to(device)
    runs = "the Triton kernels" if device == "cuda" else "the programs of programs.py"
    assert f"backend auto: {runs}" in automatic.explain()
