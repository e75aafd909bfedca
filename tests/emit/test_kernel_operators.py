"""Operators with kernels behind them: derivatives of every order, transforms, compiling.

No kernel runs here: a stand-in for launch.py runs the programs and writes down what it was given.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import grad, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from eqcompile.plan.forms import ARGUMENTS
from tests.emit.problems import make


class Launches:
    """Stands in for launch.py: the same results by the programs, and a record of every call."""

    def __init__(self, package: ModuleType) -> None:
        self.calls: list[str] = []
        self.dtypes: set[torch.dtype] = set()
        self.package = package

    def run(self, word: str, facts: Any, arguments: Sequence[Any]) -> tuple[Tensor, ...]:
        tensors = [t for t in arguments if isinstance(t, Tensor) and t.is_floating_point()]
        needs = [a for a in arguments if isinstance(a, bool)]
        schedule = arguments[len(tensors)]
        assert schedule.dtype == torch.int32
        assert len(schedule)
        assert not torch.is_autocast_enabled("cpu")
        assert not (torch.is_grad_enabled() and any(t.requires_grad for t in tensors))
        self.calls.append(word)
        self.dtypes |= {t.dtype for t in tensors}
        programs = importlib.import_module(f"{self.package.__name__}.programs")
        tables = self.find_tables(facts, tensors[-1 - len(facts.parts)].shape[1])
        wide = [t.float() if t.element_size() == 2 else t for t in tensors]
        result = getattr(programs, f"{word}_{facts.layer}")(*wide, tables, *needs)
        # Results that share a buffer, as parts of one product may.
        parts = result if isinstance(result, tuple) else (result,)
        flat = torch.cat([part.reshape(-1) for part in parts]).to(tensors[0].dtype)
        pieces = torch.split(flat, [part.numel() for part in parts])
        return tuple(p.view(part.shape) for p, part in zip(pieces, parts, strict=True))

    def find_tables(self, facts: Any, channels: int) -> list[Tensor]:
        layer = getattr(self.package, facts.layer)(channels, backend="torch")
        sizes, count = list(layer._table_sizes), len(layer._indices)
        place = [sum(sizes[:j]) for j in range(len(sizes) + 1)].index(count)
        indices = torch.split(layer._indices, sizes[:place])
        return [*indices, *torch.split(layer._coefficients, sizes[place:])]

    def forward(self, facts: Any, *arguments: Any) -> Tensor:
        return self.run("forward", facts, arguments)[0]

    def backward(self, facts: Any, *arguments: Any) -> tuple[Tensor, ...]:
        return self.run("backward", facts, arguments)

    def double_backward(self, facts: Any, *arguments: Any) -> tuple[Tensor, ...]:
        return self.run("double_backward", facts, arguments)


@pytest.fixture
def launches(zoo: ModuleType, backends: Any, monkeypatch: pytest.MonkeyPatch) -> Launches:
    """CPU tensors are served, by the stand-in."""
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    stand_in = Launches(zoo)
    name = f"{zoo.__name__}.launch"
    monkeypatch.setitem(sys.modules, name, stand_in)
    monkeypatch.setattr(zoo, "launch", stand_in, raising=False)
    return stand_in


def pair(zoo: ModuleType, name: str) -> tuple[Any, Any]:
    layer, plain = make(zoo, name, backend="triton"), make(zoo, name, backend="reference")
    plain.load_state_dict(layer.state_dict())
    return layer, plain


def draw(layer: Any, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(3, layer.in_channels, layer.layout.n_in, dtype=dtype)


SERVED = ("Cycle", "Collide", "Fixed", "Invariant", "Point", "Dense")


@pytest.mark.parametrize("name", SERVED)
def test_two_orders_run_kernels_and_the_third_is_right(
    zoo: ModuleType, launches: Launches, name: str
) -> None:
    """Where somebody may differentiate once more, torch sees through a program."""
    found, called = [], []
    for layer in pair(zoo, name):
        torch.manual_seed(1)
        x = draw(layer).requires_grad_()
        variables = (x, *layer.parameters())
        y = layer(x)
        first = torch.autograd.grad(y.pow(2).sum(), x, create_graph=True)[0]
        second = torch.autograd.grad(first.pow(2).sum(), variables, retain_graph=True)
        called += launches.calls
        launches.calls.clear()
        again = torch.autograd.grad(first.pow(2).sum(), x, create_graph=True)[0]
        third = torch.autograd.grad(again.pow(2).sum(), variables, materialize_grads=True)
        assert third[0].any()
        found.append([y, first, *second, *third])
        called.append("|")
        called += launches.calls
        launches.calls.clear()
    # The third order differentiates what the second left: once more the forward and its gradient.
    assert called[:3] == ["forward", "backward", "double_backward"]
    assert set(called[called.index("|") :]) <= {"|", "backward", "double_backward"}
    for left, right in zip(*found, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-10, atol=1e-10)


def test_gradcheck_through_kernels(zoo: ModuleType, launches: Launches) -> None:
    layer = make(zoo, "Fixed", backend="triton")
    names = [name for name, _ in layer.named_parameters()]

    def evaluate(x: Tensor, *parameters: Tensor) -> Any:
        named = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(layer, named, (x,))

    arguments = (draw(layer).requires_grad_(), *layer.parameters())
    assert torch.autograd.gradcheck(evaluate, arguments, fast_mode=True)
    assert torch.autograd.gradgradcheck(evaluate, arguments, fast_mode=True)
    assert {"forward", "backward", "double_backward"} == set(launches.calls)


def test_only_what_is_needed(zoo: ModuleType, launches: Launches) -> None:
    layer = make(zoo, "Cycle", backend="triton").requires_grad_(False)
    x = draw(layer).requires_grad_()
    layer(x).sum().backward()
    assert x.grad is not None
    assert x.grad.any()
    layer.requires_grad_(True)
    layer(x.detach()).sum().backward()
    assert all(p.grad is not None for p in layer.parameters())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_runs_kernels_in_the_narrow_dtype(
    zoo: ModuleType, launches: Launches, dtype: torch.dtype
) -> None:
    layer = zoo.Collide(2, 2, backend="triton")
    plain = zoo.Collide(2, 2, backend="torch")
    plain.load_state_dict(layer.state_dict())
    x = draw(layer, torch.float32).requires_grad_()
    with torch.autocast("cpu", dtype=dtype):
        y, expected = layer(x), plain(x)
    y.float().sum().backward()
    assert y.dtype == dtype
    assert torch.equal(y, expected)
    assert launches.dtypes == {dtype}
    assert launches.calls == ["forward", "backward"]
    assert {p.grad.dtype for p in layer.parameters()} == {torch.float32}


TRANSFORMED: dict[str, Callable[[Any, Tensor], Any]] = {
    "vmap": lambda f, x: vmap(f)(x),
    "grad": lambda f, x: grad(lambda z: f(z).pow(2).sum())(x),
    "jvp": lambda f, x: torch.func.jvp(f, (x,), (torch.ones_like(x),))[1],
    "hessian": lambda f, x: torch.func.hessian(lambda z: f(z).sum())(x),
}


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
@pytest.mark.parametrize("transform", list(TRANSFORMED))
def test_transforms_run_plain_torch(zoo: ModuleType, launches: Launches, transform: str) -> None:
    layer, plain = pair(zoo, "Cycle")
    x = draw(layer)
    found, expected = (TRANSFORMED[transform](one, x) for one in (layer, plain))
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)
    assert expected.any()
    assert launches.calls == []


def test_kernels_are_never_reached_by_what_autograd_must_see(
    zoo: ModuleType, launches: Launches
) -> None:
    dispatch = importlib.import_module("zoo.dispatch")
    layer = make(zoo, "Cycle", backend="triton")
    weights = [layer._scale(n, w).detach() for n, w in layer._named_weights()]
    packed = (layer._indices, layer._coefficients, layer._table_sizes)
    programs = dispatch.Programs(
        *("Cycle", *(None,) * 3), layer.layout.operators.tensors, 0, "bias", 4,
        layer.layout.kernels,
    )  # fmt: skip
    tables = dispatch.Tables(*packed, layer._schedule, True)
    x = draw(layer)
    found = dispatch.run_rule("forward", programs, (x, *weights), tables, (x,))[0]
    torch.testing.assert_close(found, layer(x))
    with pytest.raises(RuntimeError, match="Cycle: a kernel cannot be differentiated"):
        dispatch.run_rule("forward", programs, (x.requires_grad_(), *weights), tables, (x,))
    tables = tables._replace(schedule=layer._schedule.to("meta"))
    with pytest.raises(RuntimeError, match=r"different devices, \['cpu', 'meta'\]"):
        dispatch.run_rule("forward", programs, (x.detach(), *weights), tables, (x,))


def test_as_many_arguments_as_torch_allows(zoo: ModuleType) -> None:
    """The bound that larger layers are refused by leaves room for tables and flags, no more."""
    dispatch = importlib.import_module("zoo.dispatch")
    names = tuple(f"t{j}" for j in range(ARGUMENTS + 1))
    for count in (ARGUMENTS, ARGUMENTS + 1):
        programs = dispatch.Programs("Wide", *(None,) * 3, names[:count], 0, "t1", 1, None)
        if count == ARGUMENTS:
            dispatch.register_operators("zoo_widest", programs)
        else:
            with pytest.raises(RuntimeError, match="only supports 64"):
                dispatch.register_operators("zoo_too_wide", programs)


def test_make_fx_sees_one_node_per_order(zoo: ModuleType, launches: Launches) -> None:
    layer = make(zoo, "Cycle", backend="triton")

    def curve(x: Tensor) -> Tensor:
        x = x.requires_grad_()
        first = torch.autograd.grad(layer(x).pow(2).sum(), x, create_graph=True)[0]
        return torch.autograd.grad(first.pow(2).sum(), x)[0]

    x = draw(layer)
    traced = make_fx(curve)(x.clone())
    targets = [str(node.target) for node in traced.graph.nodes]
    # The gradient of the first gradient reaches x through grad_y, by a second backward, as well.
    for word, count in (("forward", 1), ("backward", 2), ("double_backward", 1)):
        assert sum(f".{word}_Cycle" in target for target in targets) == count
    torch.testing.assert_close(traced(x.clone()), curve(x.clone()))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_model_in_one_graph(zoo: ModuleType, launches: Launches) -> None:
    """Several layers, by kernels and by programs, without a break; and their gradients."""
    torch._dynamo.reset()
    model = nn.Sequential(
        zoo.Cycle(2, 3, backend="triton"),
        nn.ReLU(),
        zoo.Cycle(3, 2, backend="auto"),
        zoo.Cycle(2, 2, backend="triton"),
    )
    compiled: Any = torch.compile(model, fullgraph=True, backend="aot_eager")
    x = torch.randn(5, 2, 4, requires_grad=True)
    variables = (x, *model.parameters())
    found = torch.autograd.grad(compiled(x).pow(2).sum(), variables)
    assert launches.calls == ["forward"] * 2 + ["backward"] * 2
    expected = torch.autograd.grad(model(x).pow(2).sum(), variables)
    for left, right in zip(found, expected, strict=True):
        torch.testing.assert_close(left, right)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_export_keeps_the_kernels(zoo: ModuleType, launches: Launches) -> None:
    layer = zoo.Cycle(backend="triton")
    x = draw(layer, torch.float32)
    program = torch.export.export(layer, (x,))
    nodes = [n for n in program.graph.nodes if "forward_Cycle" in str(n.target)]
    assert [node.args[-1] for node in nodes] == [True]
    launches.calls.clear()
    module: Any = program.module()
    torch.testing.assert_close(module(x), layer(x))
    assert launches.calls == ["forward", "forward"]
