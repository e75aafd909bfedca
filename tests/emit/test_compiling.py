"""torch.compile and torch.export take emitted layers whole."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, jvp, vmap
from torch.fx.experimental.proxy_tensor import make_fx

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("fresh_compiler"),
    # Warnings of torch's own compiler and of what it imports.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def draw(layer: Any, batch: int = 5) -> Tensor:
    return torch.randn(batch, layer.in_channels, layer.layout.n_in)


@pytest.mark.parametrize("name", ["Cycle", "Factored", "Collide"])
def test_forward_and_backward_in_one_graph(zoo: ModuleType, name: str) -> None:
    layer = getattr(zoo, name)()
    compiled: Any = torch.compile(layer, fullgraph=True)
    for batch in (5, 7, 11, 13):
        x = draw(layer, batch).requires_grad_()
        y = compiled(x)
        found = torch.autograd.grad(y.pow(2).sum(), (x, *layer.parameters()))
        expected = torch.autograd.grad(layer(x).pow(2).sum(), (x, *layer.parameters()))
        torch.testing.assert_close(y, layer(x))
        for left, right in zip(found, expected, strict=True):
            torch.testing.assert_close(left, right)
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert graphs <= 2


def test_reference_in_one_graph(zoo: ModuleType) -> None:
    layer = zoo.Point(backend="reference")
    compiled: Any = torch.compile(layer, fullgraph=True)
    x = draw(layer)
    found = torch.autograd.grad(compiled(x).sum(), list(layer.parameters()))
    expected = torch.autograd.grad(layer(x).sum(), list(layer.parameters()))
    for left, right in zip(found, expected, strict=True):
        torch.testing.assert_close(left, right)


def test_autocast_in_one_graph(zoo: ModuleType) -> None:
    layer = zoo.Cycle()
    compiled: Any = torch.compile(layer, fullgraph=True)
    x = draw(layer)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(compiled(x), layer(x))
    torch.testing.assert_close(compiled(x), layer(x))


COMPILED: dict[str, Callable[[Any, Tensor], Any]] = {
    "grad": lambda layer, x: grad(lambda z: (layer(z) ** 2).sum())(x),
    "jvp": lambda layer, x: jvp(layer, (x,), (x,))[1],
    "vmap": lambda layer, x: vmap(layer)(x),
}


@pytest.mark.parametrize(
    ("name", "transform", "backend"),
    [
        ("Cycle", "grad", "inductor"),
        ("Point", "jvp", "inductor"),
        ("Factored", "grad", "aot_eager"),
        ("Cycle", "jvp", "aot_eager"),
        ("Cycle", "vmap", "aot_eager"),
    ],
)
def test_transforms_in_one_graph(zoo: ModuleType, name: str, transform: str, backend: str) -> None:
    """Plain torch inside; two channels make one pair, and torch's C++ derivative of a selection
    of one entry is wrong."""
    layer = getattr(zoo, name)()
    function = COMPILED[transform]
    compiled: Any = torch.compile(partial(function, layer), fullgraph=True, backend=backend)
    x = draw(layer)
    torch.testing.assert_close(compiled(x), function(layer, x))


def test_gradients_of_parameters_in_one_graph(zoo: ModuleType) -> None:
    layer = zoo.Cycle()
    x = draw(layer)

    def differentiate(parameters: dict[str, Tensor]) -> Any:
        return grad(lambda p: functional_call(layer, p, (x,)).pow(2).sum())(parameters)

    parameters = {n: p.detach() for n, p in layer.named_parameters()}
    compiled: Any = torch.compile(differentiate, fullgraph=True, backend="aot_eager")
    found, expected = compiled(parameters), differentiate(parameters)
    for name in parameters:
        torch.testing.assert_close(found[name], expected[name])


def test_transforms_of_a_compiled_layer_are_never_wrong(zoo: ModuleType) -> None:
    """torch refuses them or runs them eagerly; the tangent is never silently zero."""
    layer = zoo.Cycle()
    x = draw(layer)
    whole: Any = torch.compile(layer, fullgraph=True)
    whole(x)
    with pytest.raises(Exception, match="functorch"):
        jvp(whole, (x,), (x,))
    torch._dynamo.reset()
    broken: Any = torch.compile(layer)
    broken(x)
    torch.testing.assert_close(jvp(broken, (x,), (x,))[1], jvp(layer, (x,), (x,))[1])


def test_a_compiled_second_derivative_is_refused(zoo: ModuleType) -> None:
    layer = zoo.Cycle()
    x = draw(layer).requires_grad_()
    compiled: Any = torch.compile(layer, fullgraph=True)
    y = compiled(x).pow(2).sum()

    def differentiate_twice() -> None:
        first = torch.autograd.grad(y, x, create_graph=True)[0]
        torch.autograd.grad(first.pow(2).sum(), x)

    # Torch refuses at the first derivative where that reuses buffers, else at the second.
    with pytest.raises(RuntimeError, match=r"create_graph|double backward"):
        differentiate_twice()


def test_make_fx_traces_a_second_derivative(zoo: ModuleType) -> None:
    layer = zoo.Cycle()

    def curve(x: Tensor) -> Tensor:
        x = x.requires_grad_()
        first = torch.autograd.grad(layer(x).pow(2).sum(), x, create_graph=True)[0]
        return torch.autograd.grad(first.pow(2).sum(), x)[0]

    x = draw(layer)
    traced = make_fx(curve)(x.clone())
    torch.testing.assert_close(traced(x.clone()), curve(x.clone()))


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("name", ["Cycle", "Factored"])
def test_export_with_a_dynamic_batch(zoo: ModuleType, name: str, strict: bool) -> None:
    layer = getattr(zoo, name)()
    batch = torch.export.Dim("batch", min=0, max=4096)
    program = torch.export.export(
        layer, (draw(layer),), dynamic_shapes=({0: batch},), strict=strict
    )
    targets = [str(node.target) for node in program.graph.nodes]
    assert sum(f"forward_{name}" in target for target in targets) == 1
    module: Any = program.module()
    for size in (0, 1, 17):
        x = draw(layer, size)
        torch.testing.assert_close(module(x), layer(x))
