"""torch.compile and torch.export take layers of charges and positions whole."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch

from tests.emit.coulomb import draw, find, make, make_coulomb

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("fresh_compiler"),
    # Warnings of torch's own compiler and of what it imports.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

SOME = ("Soft", "Rectangle", "Squares", "Ring", "Given")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return make_coulomb(tmp_path_factory.mktemp("coulomb"))


@pytest.mark.parametrize("name", SOME)
def test_forward_and_backward_in_one_graph(package: ModuleType, name: str) -> None:
    layer = make(package, name)
    compiled: Any = torch.compile(layer, fullgraph=True, backend="aot_eager")
    for batch in (5, 7, 11):
        z = draw(layer, batch).requires_grad_()
        y = compiled(z)
        found = torch.autograd.grad(y.pow(2).sum(), (z, *layer.parameters()))
        expected = torch.autograd.grad(layer(z).pow(2).sum(), (z, *layer.parameters()))
        torch.testing.assert_close(y, layer(z))
        for left, right in zip(found, expected, strict=True):
            torch.testing.assert_close(left, right)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] <= 2


def test_inductor(package: ModuleType) -> None:
    layer = make(package, "Soft")
    compiled: Any = torch.compile(layer, fullgraph=True)
    z = draw(layer, 5).requires_grad_()
    torch.testing.assert_close(compiled(z), layer(z))
    found = torch.autograd.grad(compiled(z).pow(2).sum(), list(layer.parameters()))
    expected = torch.autograd.grad(layer(z).pow(2).sum(), list(layer.parameters()))
    for left, right in zip(found, expected, strict=True):
        torch.testing.assert_close(left, right)


@pytest.mark.parametrize("count", [1, 2, 7, 600])
def test_compiled_ties_select_what_others_do(package: ModuleType, count: int) -> None:
    ties = find(package, "ties")
    labels = torch.randint(count, (3, 40))
    values = torch.randn(count, dtype=torch.float64, requires_grad=True)
    compiled: Any = torch.compile(ties._select, fullgraph=True, backend="aot_eager")
    found = compiled(values, labels)
    assert torch.equal(found, values[labels])
    left = torch.autograd.grad(found.pow(2).sum(), values)
    torch.testing.assert_close(left, torch.autograd.grad(values[labels].pow(2).sum(), values))


def test_compiled_ties_refuse_tables_too_large(
    package: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    ties = find(package, "ties")
    monkeypatch.setattr(ties, "COMPILED_ENTRIES", 100)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    with pytest.raises(RuntimeError, match="do not compile the layer"):
        ties._select(torch.ones(5), torch.zeros(1, 40, dtype=torch.int64))


@pytest.mark.parametrize("backend", ["auto", "reference"])
def test_autocast_in_one_graph(package: ModuleType, backend: str) -> None:
    layer = package.Single(backend=backend)
    compiled: Any = torch.compile(layer, fullgraph=True, backend="aot_eager")
    z = draw(layer)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(compiled(z), layer(z))
    torch.testing.assert_close(compiled(z), layer(z))


@pytest.mark.parametrize("name", SOME)
def test_export_with_a_batch_of_any_size(package: ModuleType, name: str) -> None:
    layer = make(package, name)
    batch = torch.export.Dim("batch", min=0)
    program = torch.export.export(layer, (draw(layer, 4),), dynamic_shapes=({0: batch},))
    for count in (2, 9):
        z = draw(layer, count)
        torch.testing.assert_close(program.module()(z), layer(z))
    if name in ("Soft", "Rectangle", "Ring", "Given"):
        called = [n.target for n in program.graph.nodes if n.op == "call_function"]
        assert sum("pair_forward" in str(target) for target in called) == 1
