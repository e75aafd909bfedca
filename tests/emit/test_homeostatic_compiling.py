"""torch.compile and torch.export take homeostatic layers whole, and adaptation goes on beside."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch
from torch.func import grad, vmap

from tests.emit.homeostatic import draw_input, draw_weights, make_homeostatic

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("fresh_compiler"),
    # Warnings of torch's own compiler and of what it imports.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return make_homeostatic(tmp_path_factory.mktemp("homeostatic"))


def test_forward_and_backward_in_one_graph(package: ModuleType) -> None:
    """Adaptation between calls, of the last compiled responses too, compiles nothing again."""
    layer, twin = package.Neurons(), package.Neurons()
    compiled: Any = torch.compile(layer, fullgraph=True)
    for batch in (5, 7, 11, 13):
        r = torch.rand(batch, 5, dtype=torch.float64, requires_grad=True)
        found, expected = compiled(r), twin(r)
        torch.testing.assert_close(found, expected)
        slopes = [torch.autograd.grad(y.pow(2).sum(), r)[0] for y in (found, expected)]
        torch.testing.assert_close(*slopes)
        layer.adapt_()
        twin.adapt_()
        torch.testing.assert_close(layer.weights, twin.weights)
    assert (layer.weights - 1).abs().max() > 1e-3
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] <= 2


@pytest.mark.parametrize("backend", ["inductor", "aot_eager"])
def test_a_compiled_backward_pass_is_never_wrong(package: ModuleType, backend: str) -> None:
    """Where it keeps W itself, not a copy, it refuses a W that has moved; nothing is silent."""
    layer, twin = package.Neurons(), package.Neurons()
    compiled: Any = torch.compile(layer, fullgraph=True, backend=backend)
    r = torch.rand(4, 5, dtype=torch.float64, requires_grad=True)
    y = compiled(r)
    layer.adapt_()
    expected = torch.autograd.grad(twin(r).sum(), r)[0]
    found, refusal = expected, "modified by an inplace operation"
    try:
        found = torch.autograd.grad(y.sum(), r)[0]
    except RuntimeError as error:
        refusal = str(error)
    torch.testing.assert_close(found, expected)
    assert "modified by an inplace operation" in refusal


def test_autocast_in_one_graph(package: ModuleType) -> None:
    layer = package.Still()
    layer.set_parameters({"weights": draw_weights(3)})
    compiled: Any = torch.compile(layer, fullgraph=True)
    r = torch.rand(4, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, expected = compiled(r), layer(r)
    assert found.dtype == torch.bfloat16
    # Inductor may leave out the rounding of an input that it widens again.
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(compiled(r), layer(r))


@pytest.mark.parametrize("name", ["Neurons", "Ring"])
def test_export(package: ModuleType, name: str) -> None:
    layer = getattr(package, name)()
    n = layer.facts.n_in
    layer.set_parameters({"weights": draw_weights(n)})
    r = torch.rand(3, n, dtype=torch.float64)
    shapes = {"z": {0: torch.export.Dim("batch")}}
    exported: Any = torch.export.export(layer, (r,), dynamic_shapes=shapes)
    more = torch.rand(6, n, dtype=torch.float64)
    torch.testing.assert_close(exported.module()(more), layer(more))


def test_transforms_in_one_graph(package: ModuleType) -> None:
    layer = package.Neurons()
    layer.set_parameters({"weights": draw_weights(5)})
    r = torch.rand(4, 5, dtype=torch.float64)

    def differentiate(rows: torch.Tensor) -> Any:
        return vmap(grad(lambda row: layer(row).pow(2).sum()))(rows)

    compiled: Any = torch.compile(differentiate, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(r), differentiate(r))
    layer(draw_input(5))
    assert layer._last.shape == (5,)
