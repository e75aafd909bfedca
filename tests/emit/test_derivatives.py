"""Derivatives of emitted layers: every order, every transform, never silently zero."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, stack_module_state, vmap

from tests.emit.problems import make

# Forward-mode AD imports decompositions that torch itself still scripts.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

AD: Any = forward_ad
HESSIAN: Any = hessian
FUNCTIONAL: Any = torch.autograd.functional

LAYERS = ("Cycle", "Cubic", "Dense", "Factored", "Collide", "Fixed", "Turn", "Invariant", "Point")
SOME = ("Cycle", "Factored", "Fixed")


def draw(layer: Any, batch: int = 3) -> Tensor:
    return torch.randn(batch, layer.in_channels, layer.layout.n_in, dtype=torch.float64)


def pair(zoo: ModuleType, name: str) -> tuple[Any, Any]:
    """A layer and its plain definition, with equal parameters."""
    layer, plain = make(zoo, name), make(zoo, name, backend="reference")
    plain.load_state_dict(layer.state_dict())
    return layer, plain


def as_function(layer: Any) -> Callable[..., Tensor]:
    names = [n for n, _ in layer.named_parameters()]

    def evaluate(x: Tensor, *parameters: Tensor) -> Any:
        return functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    return evaluate


@pytest.mark.parametrize("name", LAYERS)
def test_gradcheck(zoo: ModuleType, name: str) -> None:
    layer = make(zoo, name)
    arguments = (draw(layer, 2).requires_grad_(), *layer.parameters())
    assert torch.autograd.gradcheck(as_function(layer), arguments)


@pytest.mark.parametrize("name", LAYERS)
def test_gradgradcheck(zoo: ModuleType, name: str) -> None:
    layer = make(zoo, name)
    arguments = (draw(layer, 2).requires_grad_(), *layer.parameters())
    fast = name in ("Cubic", "Collide")
    assert torch.autograd.gradgradcheck(as_function(layer), arguments, fast_mode=fast)


@pytest.mark.parametrize("name", LAYERS)
def test_all_gradients_agree_with_the_definition(zoo: ModuleType, name: str) -> None:
    found = []
    for layer in pair(zoo, name):
        torch.manual_seed(3)
        x = draw(layer).requires_grad_()
        first = torch.autograd.grad(layer(x).pow(2).sum(), x, create_graph=True)[0]
        second = torch.autograd.grad(first.pow(2).sum(), x, create_graph=True)[0]
        last = (x, *layer.parameters())
        third = torch.autograd.grad(second.pow(2).sum(), last, allow_unused=True)
        found.append([first, second, *third])
    for left, right in zip(*found, strict=True):
        if right is None:
            assert left is None or not left.any()
        else:
            torch.testing.assert_close(left, right, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("inputs", [True, False])
@pytest.mark.parametrize("weights", [True, False])
def test_only_what_is_needed(zoo: ModuleType, inputs: bool, weights: bool) -> None:
    layer = make(zoo, "Cycle").requires_grad_(weights)
    x = draw(layer).requires_grad_(inputs)
    y = layer(x)
    assert y.requires_grad == (inputs or weights)
    if y.requires_grad:
        y.sum().backward()
    assert (x.grad is not None) == inputs
    assert all((p.grad is not None) == weights for p in layer.parameters())


def test_second_derivatives_with_frozen_weights(zoo: ModuleType) -> None:
    """Only one group of gradients exists, and it is differentiated again."""
    layer, plain = pair(zoo, "Cubic")
    found = []
    for one in (layer, plain):
        one.requires_grad_(False)
        x = torch.ones(2, 3, 3, dtype=torch.float64, requires_grad=True)
        first = torch.autograd.grad(one(x).pow(2).sum(), x, create_graph=True)[0]
        found.append(torch.autograd.grad(first.pow(2).sum(), x)[0])
    torch.testing.assert_close(*found)


def list_arguments(layer: Any) -> tuple[list[Tensor], tuple[Any, ...]]:
    weights = [layer._scale(n, w).detach().requires_grad_() for n, w in layer._named_weights()]
    x = draw(layer, 2).requires_grad_()
    packed = (layer._indices, layer._coefficients, layer._table_sizes)
    return [x, *weights], (*packed, layer._schedule, False)


@pytest.mark.parametrize("name", SOME)
def test_opcheck_of_the_forward(zoo: ModuleType, name: str) -> None:
    layer = make(zoo, name)
    tensors, tables = list_arguments(layer)
    found = torch.library.opcheck(layer.layout.operators.forward, (*tensors, *tables))
    assert set(found.values()) == {"SUCCESS"}


@pytest.mark.parametrize("needs", [(True, True), (True, False), (False, True)])
def test_opcheck_of_the_backward(zoo: ModuleType, needs: tuple[bool, bool]) -> None:
    layer = make(zoo, "Cycle")
    tensors, tables = list_arguments(layer)
    gradient = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    arguments = (gradient, *tensors, *tables, *needs)
    found = torch.library.opcheck(layer.layout.operators.backward, arguments)
    assert set(found.values()) == {"SUCCESS"}


@pytest.mark.parametrize("name", SOME)
def test_opcheck_of_the_double_backward(zoo: ModuleType, name: str) -> None:
    """Its gradient is plain torch, asked for before it runs; it has none of its own."""
    layer = make(zoo, name)
    tensors, tables = list_arguments(layer)
    plain = [t.detach() for t in tensors]
    hats = [torch.randn_like(t) for t in plain]
    y = layer.layout.operators.forward(*plain, *tables)
    arguments = (hats, [torch.randn_like(y), *plain], *tables)
    found = torch.library.opcheck(layer.layout.operators.double_backward, arguments)
    assert set(found.values()) == {"SUCCESS"}


def test_the_double_backward_is_an_operator(zoo: ModuleType) -> None:
    """But where a third derivative may follow, when torch has to see through it."""
    layer = make(zoo, "Cycle")
    x = draw(layer).requires_grad_()
    found = []
    for create_graph in (False, True):
        first = torch.autograd.grad(layer(x).pow(2).sum(), x, create_graph=True)[0]
        with torch.profiler.profile() as profile:
            torch.autograd.grad(first.pow(2).sum(), x, create_graph=create_graph)
        names = {event.key for event in profile.key_averages()}
        found.append(any(name.endswith("::double_backward_Cycle") for name in names))
    assert found == [True, False]


def test_the_double_backward_alone_cannot_be_differentiated(zoo: ModuleType) -> None:
    layer = make(zoo, "Cycle")
    tensors, tables = list_arguments(layer)
    hats = [torch.randn_like(t) for t in tensors]
    gradient = torch.randn(2, 3, 4, dtype=torch.float64)
    found = layer.layout.operators.double_backward(hats, [gradient, *tensors], *tables)
    with pytest.raises(RuntimeError, match="no autograd formula was registered"):
        found[1].sum().backward()


def repeat(tensor: Tensor) -> Tensor:
    """Stack three unlike tensors on an axis that is not the first."""
    return torch.stack([tensor, 2 * tensor, tensor - 1], dim=-1)


@pytest.mark.parametrize("batched", ["x", "weights", "both"])
@pytest.mark.parametrize("name", SOME)
def test_operators_under_vmap(zoo: ModuleType, name: str, batched: str) -> None:
    """Called by themselves; layers do not come here."""
    layer = make(zoo, name)
    drawn, tables = list_arguments(layer)
    tensors = [t.detach() for t in drawn]
    operators = layer.layout.operators
    dims = [-1 if batched in ("both", "x" if j == 0 else "weights") else None
            for j in range(len(tensors))]  # fmt: skip
    moved = [t if d is None else repeat(t) for t, d in zip(tensors, dims, strict=True)]
    slices = [[t if d is None else t.select(d, k) for t, d in zip(moved, dims, strict=True)]
              for k in range(3)]  # fmt: skip
    run = partial(apply_tables, operators.forward, tables)
    found = vmap(run, in_dims=tuple(dims))(*moved)
    ys = [operators.forward(*s, *tables) for s in slices]
    torch.testing.assert_close(found, torch.stack(ys))
    run = partial(apply_tables, operators.backward, (*tables, True, False))
    found = vmap(run, in_dims=(0, *dims))(found, *moved)
    firsts = [
        operators.backward(y, *s, *tables, True, False) for y, s in zip(ys, slices, strict=True)
    ]
    for left, *right in zip(found, *firsts, strict=True):
        torch.testing.assert_close(left, torch.stack(right))


def apply_tables(operator: Any, tables: tuple[Any, ...], *tensors: Tensor) -> Any:
    return operator(*tensors, *tables)


def test_the_double_backward_under_vmap(zoo: ModuleType) -> None:
    layer = make(zoo, "Cycle")
    drawn, tables = list_arguments(layer)
    tensors = [torch.randn(2, 3, 4, dtype=torch.float64), *(t.detach() for t in drawn)]
    hats = [torch.randn(5, *t.shape, dtype=torch.float64) for t in tensors[1:]]
    operator = layer.layout.operators.double_backward
    found = vmap(lambda *h: operator(list(h), tensors, *tables))(*hats)
    each = [operator([h[k] for h in hats], tensors, *tables) for k in range(5)]
    for left, *right in zip(found, *each, strict=True):
        torch.testing.assert_close(left, torch.stack(right))


def test_operators_under_vmap_of_nothing(zoo: ModuleType) -> None:
    layer = make(zoo, "Cycle")
    drawn, tables = list_arguments(layer)
    (x, *weights), operators = [t.detach() for t in drawn], layer.layout.operators
    empty = x.new_empty((0, *x.shape))
    assert vmap(lambda t: operators.forward(t, *weights, *tables))(empty).shape == (0, 2, 3, 4)
    grads = empty.new_empty((0, 2, 3, 4))
    run = partial(apply_tables, operators.backward, (*tables, True, True))
    found = vmap(run, in_dims=(0, None, *(None for _ in weights)))(grads, x, *weights)
    assert [t.shape for t in found] == [(0, *t.shape) for t in (x, *weights)]


TRANSFORMS: dict[str, Callable[[Any, Tensor], Any]] = {
    "vmap": lambda f, x: vmap(f)(torch.stack([x, 2 * x])),
    "vmap of samples": lambda f, x: vmap(f)(x),
    "grad": lambda f, x: grad(lambda z: f(z).pow(2).sum())(x),
    "vmap of grad": lambda f, x: vmap(grad(lambda z: f(z).pow(2).sum()))(x),
    "jacrev": lambda f, x: jacrev(f)(x),
    "jacfwd": lambda f, x: jacfwd(f)(x),
    "hessian": lambda f, x: HESSIAN(lambda z: f(z).sum())(x),
    "jvp": lambda f, x: jvp(f, (x,), (torch.ones_like(x),))[1],
    "functional hessian": lambda f, x: FUNCTIONAL.hessian(lambda z: f(z).sum(), x),
}


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("transform", list(TRANSFORMS))
def test_transforms(zoo: ModuleType, name: str, transform: str) -> None:
    layer, plain = pair(zoo, name)
    x = draw(layer, 2)
    found, expected = (TRANSFORMS[transform](one, x) for one in (layer, plain))
    assert expected.abs().max() > 0
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("transform", ["grad", "jacrev", "hessian", "jvp", "jacfwd"])
def test_without_the_door_transforms_are_wrong(
    zoo: ModuleType, transform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the test above is worth: an operator raises here, or its tangent is silently zero."""
    layer, plain = pair(zoo, "Cycle")
    x = draw(layer, 2)
    expected = TRANSFORMS[transform](plain, x)
    monkeypatch.setattr("zoo.dispatch.transforms_are_active", lambda: False)
    assert expected.any()
    if transform in ("jvp", "jacfwd"):
        assert not TRANSFORMS[transform](layer, x).any()
    else:
        with pytest.raises(RuntimeError, match="setup_context"):
            TRANSFORMS[transform](layer, x)


@pytest.mark.parametrize("name", SOME)
def test_forward_mode(zoo: ModuleType, name: str) -> None:
    """Tangents of inputs and of parameters; the registered operator alone would give zero."""
    layer = make(zoo, name)
    x, moved = draw(layer), draw(layer)
    step = 1e-6
    with torch.no_grad(), AD.dual_level():
        dual = AD.unpack_dual(layer(AD.make_dual(x, moved)))
        expected = (layer(x + step * moved) - layer(x - step * moved)) / (2 * step)
    assert dual.tangent is not None
    assert dual.tangent.abs().max() > 0
    torch.testing.assert_close(dual.tangent, expected, rtol=1e-6, atol=1e-6)
    parameters = tuple(p.detach() for p in layer.parameters())
    tangents = tuple(torch.ones_like(p) for p in parameters)
    evaluate = as_function(layer)
    found = jvp(lambda *p: evaluate(x, *p), parameters, tangents)[1]
    up, down = (
        evaluate(x, *(p + s * t for p, t in zip(parameters, tangents, strict=True)))
        for s in (step, -step)
    )
    torch.testing.assert_close(found, (up - down) / (2 * step), rtol=1e-6, atol=1e-6)


def test_an_operator_alone_has_no_tangent(zoo: ModuleType) -> None:
    """Why there is a door: this is what the probes protect from."""
    layer = make(zoo, "Cycle").requires_grad_(False)
    tensors, tables = list_arguments(layer)
    with torch.no_grad(), AD.dual_level():
        dual = AD.make_dual(tensors[0].detach(), torch.ones_like(tensors[0]))
        y = layer.layout.operators.forward(dual, *tensors[1:], *tables)
        assert AD.unpack_dual(y).tangent is None


@pytest.mark.parametrize("probe", ["functorch", "level"])
def test_without_probes_plain_torch_runs(
    zoo: ModuleType, probe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where torch renames a private probe, every call takes the rule that is never wrong."""
    dispatch = importlib.import_module("zoo.dispatch")
    assert not dispatch.transforms_are_active()
    if probe == "functorch":
        monkeypatch.delattr(torch._C, "_are_functorch_transforms_active")
    else:
        monkeypatch.delattr(forward_ad, "_current_level")
    assert dispatch.transforms_are_active()
    layer, plain = pair(zoo, "Cycle")
    x = draw(layer).requires_grad_()
    y = layer(x)
    assert "forward_Cycle" not in str(y.grad_fn)
    torch.testing.assert_close(y, plain(x), rtol=1e-12, atol=1e-12)


def test_the_operator_runs_where_it_may(zoo: ModuleType) -> None:
    layer = make(zoo, "Cycle")
    with torch.profiler.profile() as profile:
        layer(draw(layer))
    assert any(event.key.endswith("::forward_Cycle") for event in profile.key_averages())


@pytest.mark.parametrize("name", SOME)
def test_vmap_over_parameters(zoo: ModuleType, name: str) -> None:
    layers = [make(zoo, name) for _ in range(3)]
    x = draw(layers[0])
    parameters, buffers = stack_module_state(layers)

    def evaluate(p: dict[str, Tensor], b: dict[str, Tensor]) -> Any:
        return functional_call(layers[0], (p, b), (x,))

    found = vmap(evaluate)(parameters, buffers)
    torch.testing.assert_close(found, torch.stack([layer(x) for layer in layers]))
    alone = vmap(evaluate, in_dims=(0, None))(parameters, dict(layers[0].named_buffers()))
    torch.testing.assert_close(found, alone)


def test_batched_gradients(zoo: ModuleType) -> None:
    found = []
    for layer in pair(zoo, "Cubic"):
        torch.manual_seed(5)
        x = draw(layer).requires_grad_()
        y = layer(x)
        seeds = torch.randn(4, *y.shape, dtype=torch.float64)
        found.append(torch.autograd.grad(y, x, seeds, is_grads_batched=True)[0])
    torch.testing.assert_close(*found)


def test_gradients_are_the_same_bits_every_time(zoo: ModuleType) -> None:
    layer = zoo.Collide(2, 2)
    x = torch.randn(64, 2, 9)
    runs = []
    for _ in range(5):
        layer.zero_grad()
        layer(x).pow(2).sum().backward()
        runs.append(torch.cat([p.grad.flatten() for p in layer.parameters()]))
    assert all(torch.equal(run, runs[0]) for run in runs)


def test_programs_neither_scatter_nor_accumulate_by_index(zoo: ModuleType) -> None:
    layer = zoo.Cubic()
    x = torch.randn(4, 3, 3, requires_grad=True)
    with torch.profiler.profile() as profile:
        first = torch.autograd.grad(layer(x).pow(2).sum(), x, create_graph=True)[0]
    names = {event.key for event in profile.key_averages()}
    assert first.shape == x.shape
    assert not {n for n in names if "scatter" in n or "index_add" in n or "index_put" in n}
