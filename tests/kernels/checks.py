"""Compare the launches of an emitted package with an independent definition in float64.

The definition is the dense tensor of each degree contracted with copies of the input, and its
derivatives are taken by autograd; it shares neither programs nor tables with the kernels.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call

from tests.emit.problems import make
from tests.kernels.poison import guard, poison


class Arguments(NamedTuple):
    """What a layer and its derivatives are evaluated at, all of one dtype.

    Attributes:
        x: Shape ``(batch, C_in, n_in)``.
        weights: The coefficients of the classes.
        grad_y: Shape ``(batch, C_out, n_out)``.
        hat_x: Cotangent of the gradient for x.
        hats: Cotangents of the gradients for the weights.
    """

    x: Tensor
    weights: tuple[Tensor, ...]
    grad_y: Tensor
    hat_x: Tensor
    hats: tuple[Tensor, ...]

    def convert(self, change: Callable[[Tensor], Tensor]) -> Arguments:
        """Apply one change to every tensor."""
        groups = (tuple(map(change, self.weights)), tuple(map(change, self.hats)))
        x, grad_y, hat_x = map(change, (self.x, self.grad_y, self.hat_x))
        return Arguments(x, groups[0], grad_y, hat_x, groups[1])


def draw(layer: Any, batch: int, dtype: torch.dtype, device: str = "cpu") -> Arguments:
    """Draw normal arguments of one dtype; the same on every device."""
    generator = torch.Generator().manual_seed(batch + 1)

    def normal(*shape: int) -> Tensor:
        drawn = torch.randn(*shape, dtype=torch.float64, generator=generator)
        return drawn.to(dtype).to(device)

    shapes = [tuple(w.shape) for _, w in layer._named_weights()]
    x = (batch, layer.in_channels, layer.layout.n_in)
    y = (batch, layer.out_channels, layer.layout.n_out)
    weights = tuple(normal(*shape) for shape in shapes)
    hats = tuple(normal(*shape) for shape in shapes)
    return Arguments(normal(*x), weights, normal(*y), normal(*x), hats)


def define(layer: Any) -> Callable[..., Tensor]:
    """Return the plain definition of a layer as a function of x and the coefficients."""
    cls = type(layer)
    plain = make(sys.modules[cls.__module__], cls.__name__, *count_channels(layer),
                 backend="reference")  # fmt: skip
    names = [name for name, _ in plain._named_weights()]

    def evaluate(x: Tensor, *weights: Tensor) -> Tensor:
        scales = [plain._scale(n, torch.ones_like(w)) for n, w in zip(names, weights, strict=True)]
        thetas = [w / scale for w, scale in zip(weights, scales, strict=True)]
        found: Tensor = functional_call(plain, dict(zip(names, thetas, strict=True)), (x,))
        return found

    return evaluate


def count_channels(layer: Any) -> tuple[int, int]:
    return layer.in_channels, layer.out_channels


def name_results(layer: Any) -> tuple[str, ...]:
    """Name the result, the gradients, and the gradients of the gradients."""
    names = [name for name, _ in layer._named_weights()]
    first = [f"grad_{name}" for name in ("x", *names)]
    return ("y", *first, *(f"hat_{name}" for name in ("grad_y", "x", *names)))


def expect(layer: Any, arguments: Arguments) -> dict[str, Tensor]:
    """Evaluate the definition and its first and second derivatives in float64 on the CPU."""
    at = arguments.convert(lambda t: t.double().cpu().requires_grad_())
    y = define(layer)(at.x, *at.weights)
    first = differentiate(y, at.grad_y, (at.x, *at.weights))
    hats = (at.hat_x, *at.hats)
    total = sum((hat * g).sum() for hat, g in zip(hats, first, strict=True))
    second = differentiate(total, torch.ones(()).double(), (at.grad_y, at.x, *at.weights))
    values = (t.detach() for t in (y, *first, *second))
    return dict(zip(name_results(layer), values, strict=True))


def differentiate(
    y: Any, grad_y: Tensor, variables: Sequence[Tensor], *, create_graph: bool = True
) -> tuple[Tensor, ...]:
    """Return the gradients for all variables, zero for those that y does not depend on."""
    if not (isinstance(y, Tensor) and y.requires_grad):
        return tuple(torch.zeros_like(v) for v in variables)
    return torch.autograd.grad(
        y,
        variables,
        grad_y,
        create_graph=create_graph,
        allow_unused=True,
        materialize_grads=True,
    )


def find_launch(layer: Any) -> ModuleType:
    """Return the module of the layer's package that launches its kernels."""
    package = type(layer).__module__.rpartition(".")[0]
    return importlib.import_module(f"{package}.launch")


def launch(layer: Any, arguments: Arguments, *, straight: bool = True) -> dict[str, Tensor]:
    """Run the kernels of a layer: forward, backward, double backward.

    Args:
        layer: With ``backend="triton"``, on the device of the arguments.
        arguments: What it is evaluated at.
        straight: Whether straight-line kernels are used where the layer has them.
    """
    found: dict[str, Tensor] = {}
    for results in launch_in_turn(layer, arguments, straight=straight):
        found |= results
    return found


def launch_in_turn(
    layer: Any, arguments: Arguments, *, straight: bool = True
) -> Iterator[dict[str, Tensor]]:
    """Run the kernels of a layer, one order of derivatives after the other."""
    module = find_launch(layer)
    facts = layer.layout.kernels
    if not straight:
        facts = facts._replace(straight=False)
    x, weights, grad_y, hat_x, hats = arguments
    tables = layer._schedule
    names = name_results(layer)
    count = len(weights) + 1
    yield {"y": module.forward(facts, x, *weights, tables)}
    first = module.backward(facts, grad_y, x, *weights, tables, True, True)
    yield dict(zip(names[1 : 1 + count], first, strict=True))
    second = module.double_backward(facts, hat_x, *hats, grad_y, x, *weights, tables)
    yield dict(zip(names[1 + count :], second, strict=True))


def measure(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, float]:
    """Return the relative error of every result in the Euclidean norm; NaN is infinite.

    Raises:
        AssertionError: Names or shapes differ.
    """
    assert list(found) == list(expected)
    errors = {}
    for name, value in expected.items():
        assert found[name].shape == value.shape, name
        difference = (found[name].detach().double().cpu() - value.detach()).norm()
        error = float(difference / value.detach().norm().clamp(min=1e-30))
        errors[name] = error if error == error else float("inf")
    return errors


def check(errors: Mapping[str, float], tolerance: float) -> None:
    """Fail if an error is above the tolerance, and list all that are."""
    beyond = {name: error for name, error in errors.items() if not error <= tolerance}
    assert not beyond, beyond


def check_rounded(
    found: Mapping[str, Tensor], expected: Mapping[str, Tensor], tolerance: float
) -> None:
    """Check values that were rounded once, to nearest, from some that have an error.

    Args:
        found: Values of float16 or bfloat16.
        expected: What they should be, in float64.
        tolerance: Error before rounding, relative to the norm.
    """
    for name, value in found.items():
        wanted = expected[name]
        half = torch.finfo(value.dtype).eps / 2
        bound = half * (1 + 1e-6) * wanted.abs() + tolerance * wanted.norm()
        assert ((value.double().cpu() - wanted).abs() <= bound).all(), name


SINGLE, DOUBLE = 1e-6, 1e-13
"""Largest relative error in float32 and in float64."""


def check_launch(
    layer: Any, arguments: Arguments, *, straight: bool = True, single: float = SINGLE
) -> None:
    """Launch all kernels between guards of NaN and compare all they return with the definition.

    Args:
        layer: With ``backend="triton"``, on the device of the arguments.
        arguments: Of float32 or float64.
        straight: Whether straight-line kernels are used where the layer has them.
        single: Largest relative error in float32.

    Raises:
        AssertionError: A result is wrong, is not written in full, has another dtype, or a kernel
            wrote beside it.
    """
    expected = expect(layer, arguments)
    tolerance = DOUBLE if arguments.x.dtype == torch.float64 else single
    with poison() as memory:
        for found in launch_in_turn(layer, arguments.convert(guard), straight=straight):
            memory.check()
            assert memory.shapes or not arguments.x.numel()
            assert {t.dtype for t in found.values()} == {arguments.x.dtype}
            check(measure(found, {name: expected[name] for name in found}), tolerance)
