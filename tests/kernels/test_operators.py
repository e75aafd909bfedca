"""Layers that run kernels as modules of torch: operators, autograd, autocast, transforms."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, hessian, jacrev, jvp, vmap

from tests.emit.problems import make
from tests.kernels.checks import check, define, differentiate, draw, expect, measure, name_results
from tests.kernels.problems import CASES

pytestmark = [
    pytest.mark.interpreter,
    # Forward-mode AD imports decompositions that torch itself still scripts.
    pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated"),
]

HESSIAN: Any = hessian
SOME = ("OneTwist", "Twist", "SignDepth")


def pair(zoo: ModuleType, name: str, dtype: torch.dtype = torch.float64) -> tuple[Any, Any]:
    """A layer that runs kernels and its plain definition in float64, with equal parameters."""
    channels = CASES[name].channels
    layer = make(zoo, name, *channels, backend="triton").to(dtype)
    plain = make(zoo, name, *channels, backend="reference")
    plain.load_state_dict(layer.state_dict())
    return layer, plain


def draw_input(layer: Any, batch: int = 3) -> Tensor:
    dtype = next(layer.parameters()).dtype
    return torch.randn(batch, layer.in_channels, layer.layout.n_in, dtype=dtype)


def count_launches(layer: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have every launch of a layer noted, by what it is."""
    from tests.kernels.checks import find_launch

    module, seen = find_launch(layer), []
    for word in ("forward", "backward", "double_backward"):
        rule = getattr(module, word)

        def note(*args: Any, rule: Any = rule, word: str = word) -> Any:
            seen.append(word)
            return rule(*args)

        monkeypatch.setattr(module, word, note)
    return seen


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["OneTwist", "Twist", "SignDepth", "Cross", "LinearOne"])
def test_autograd_runs_the_kernels(
    zoo: ModuleType, name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Value, gradients and gradients of gradients are those of the definition."""
    layer, plain = pair(zoo, name, dtype)
    launches = count_launches(layer, monkeypatch)
    x = draw_input(layer, 5)
    gradient = torch.randn(5, layer.out_channels, layer.layout.n_out, dtype=dtype)
    found = []
    for one in (layer, plain):
        kind = next(one.parameters()).dtype
        at, along = x.detach().to(kind).requires_grad_(), gradient.to(kind).requires_grad_()
        y = one(at)
        first = differentiate(y, along, (at, *one.parameters()))
        total = sum((f * f.detach()).sum() for f in first)
        last = (along, at, *one.parameters())
        second = differentiate(total, torch.ones((), dtype=kind), last, create_graph=False)
        found.append(dict(zip(name_results(one), (y, *first, *second), strict=True)))
    assert launches == ["forward", "backward", "double_backward"]
    check(measure(found[0], found[1]), 2e-6 if dtype == torch.float32 else 1e-12)


def as_function(layer: Any) -> Callable[..., Tensor]:
    names = [n for n, _ in layer.named_parameters()]

    def evaluate(x: Tensor, *parameters: Tensor) -> Any:
        return functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    return evaluate


@pytest.mark.parametrize("name", ["OneTwist", "SignDepth", "Sign"])
def test_gradcheck_and_gradgradcheck(zoo: ModuleType, name: str) -> None:
    layer, _ = pair(zoo, name)
    arguments = (draw_input(layer, 2).requires_grad_(), *layer.parameters())
    assert torch.autograd.gradcheck(as_function(layer), arguments)
    assert torch.autograd.gradgradcheck(as_function(layer), arguments, fast_mode=True)


@pytest.mark.parametrize("name", ["OneTwist", "SignDepth"])
def test_opcheck(zoo: ModuleType, name: str) -> None:
    layer, _ = pair(zoo, name)
    arguments = draw(layer, 2, torch.float64).convert(Tensor.requires_grad_)
    tables = (layer._indices, layer._coefficients, layer._table_sizes, layer._schedule, True)
    operators = layer.layout.operators
    at = (arguments.x, *arguments.weights)
    found = [
        torch.library.opcheck(operators.forward, (*at, *tables)),
        torch.library.opcheck(operators.backward, (arguments.grad_y, *at, *tables, True, True)),
        torch.library.opcheck(operators.backward, (arguments.grad_y, *at, *tables, True, False)),
    ]
    assert {result for each in found for result in each.values()} == {"SUCCESS"}
    assert all(len(each) == 4 for each in found)


TRANSFORMS: dict[str, Callable[[Any, Tensor], Any]] = {
    "vmap": lambda f, x: vmap(f)(torch.stack([x, 2 * x])),
    "grad": lambda f, x: grad(lambda z: f(z).pow(2).sum())(x),
    "jacrev": lambda f, x: jacrev(f)(x),
    "jvp": lambda f, x: jvp(f, (x,), (x,))[1],
    "hessian": lambda f, x: HESSIAN(lambda z: f(z).pow(2).sum())(x),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_are_right_and_never_zero(zoo: ModuleType, name: str) -> None:
    layer, plain = pair(zoo, "Twist")
    x = draw_input(layer)
    found = TRANSFORMS[name](layer, x)
    assert found.any()
    torch.testing.assert_close(found, TRANSFORMS[name](plain, x))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(zoo: ModuleType, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cast in, accumulate in float32, cast out; gradients of the parameters stay float32."""
    layer, plain = pair(zoo, "Twist", torch.float32)
    launches = count_launches(layer, monkeypatch)
    x = draw_input(layer, 8).requires_grad_()
    with torch.autocast("cpu", dtype=dtype):
        y = layer(x)
        y.float().sum().backward()
    assert launches == ["forward", "backward"]
    assert y.dtype == dtype
    assert {p.grad.dtype for p in (x, *layer.parameters())} == {torch.float32}
    exact = plain(x.double())
    bound = {torch.bfloat16: 3e-2, torch.float16: 4e-3}[dtype]
    check(measure({"y": y}, {"y": exact.detach()}), bound)


@pytest.mark.parametrize("name", SOME)
def test_additive_classes(zoo: ModuleType, name: str) -> None:
    """Effective coefficients ``A theta``, A outside of the kernels: autograd goes through both."""
    layer, _ = pair(zoo, name)
    drawn = draw(layer, 3, torch.float64)
    plain = define(layer)
    matrices = [torch.randn(w.shape[-1], 2, dtype=torch.float64) for w in drawn.weights]
    start = [torch.randn(*w.shape[:-1], 2, dtype=torch.float64) for w in drawn.weights]
    tables = (layer._indices, layer._coefficients, layer._table_sizes, layer._schedule, True)
    found = []
    for kernels in (True, False):
        x = drawn.x.clone().requires_grad_()
        thetas = [t.clone().requires_grad_() for t in start]
        weights = [t @ a.T for t, a in zip(thetas, matrices, strict=True)]
        arguments = (x, *weights)
        y = layer.layout.operators.forward(*arguments, *tables) if kernels else plain(*arguments)
        gradients = torch.autograd.grad(y, (x, *thetas), drawn.grad_y)
        found.append({"y": y.detach()} | {str(j): g for j, g in enumerate(gradients)})
    check(measure(found[0], found[1]), 1e-12)


def test_layers_of_other_backends_do_not_launch(
    zoo: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, _ = pair(zoo, "Twist")
    launches = count_launches(layer, monkeypatch)
    for backend in ("auto", "torch", "reference"):
        other = make(zoo, "Twist", *CASES["Twist"].channels, backend=backend)
        other.load_state_dict(layer.state_dict())
        x = draw_input(layer)
        torch.testing.assert_close(other(x), layer(x))
    assert launches == ["forward"] * 3


def test_leading_axes_and_an_empty_batch(zoo: ModuleType) -> None:
    layer, plain = pair(zoo, "Twist")
    x = draw_input(layer, 6)
    folded = x.reshape(2, 3, *x.shape[1:])
    torch.testing.assert_close(layer(folded).flatten(0, 1), plain(x))
    torch.testing.assert_close(layer(x[0]), plain(x)[0])
    empty = x[:0].clone().requires_grad_()
    layer(empty).sum().backward()
    assert empty.grad is not None
    assert all(p.grad is not None and not p.grad.any() for p in layer.parameters())


def test_definition_is_differentiated_right(zoo: ModuleType) -> None:
    """What everything is compared with, against finite differences."""
    layer, _ = pair(zoo, "Twist")
    drawn = draw(layer, 2, torch.float64)
    arguments = (drawn.x.requires_grad_(), *(w.requires_grad_() for w in drawn.weights))
    assert torch.autograd.gradcheck(define(layer), arguments)
    assert torch.autograd.gradgradcheck(define(layer), arguments, fast_mode=True)
    found = expect(layer, drawn)
    assert list(found) == list(name_results(layer))
    assert [name for name, value in found.items() if not value.any()] == ["hat_bias"]
