"""Layers with several inputs in torch: derivatives, transforms, compilation, copies."""

from __future__ import annotations

import copy
import io
import pickle
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn
from torch.func import grad, jacrev, jvp, vmap

from tests.emit.problems import make
from tests.emit.several import LAYERS, SOME, as_function, draw, list_arguments

pytestmark = pytest.mark.filterwarnings(
    "ignore:.torch.jit.script. is deprecated", "ignore:.*no equivariant polynomial of degree"
)


@pytest.mark.parametrize("name", LAYERS)
def test_first_and_second_derivatives(several: ModuleType, name: str) -> None:
    layer = make(several, name)
    inputs = [x.requires_grad_() for x in draw(layer, 2).values()]
    arguments = (*inputs, *layer.parameters())
    assert torch.autograd.gradcheck(as_function(layer), arguments, fast_mode=True)
    assert torch.autograd.gradgradcheck(as_function(layer), arguments, fast_mode=True)


@pytest.mark.parametrize("name", SOME)
def test_derivatives_agree_with_the_definition(several: ModuleType, name: str) -> None:
    found = []
    layer, plain = make(several, name), make(several, name, backend="reference")
    plain.load_state_dict(layer.state_dict())
    for one in (layer, plain):
        torch.manual_seed(3)
        inputs = {n: x.requires_grad_() for n, x in draw(one, 2).items()}
        values = tuple(inputs.values())
        first = torch.autograd.grad(one(**inputs).pow(2).sum(), values, create_graph=True)
        total = torch.stack([t.pow(2).sum() for t in first]).sum()
        second = torch.autograd.grad(total, values, create_graph=True)
        total = torch.stack([t.pow(2).sum() for t in second]).sum()
        last = torch.autograd.grad(total, (*values, *one.parameters()), allow_unused=True)
        found.append([*first, *second, *last])
    for left, right in zip(*found, strict=True):
        if right is None:
            assert left is None or not left.any()
        else:
            torch.testing.assert_close(left, right, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("wanted", [{"x"}, {"y"}, {"x", "y"}, set()])
@pytest.mark.parametrize("weights", [True, False])
def test_only_the_gradients_that_are_needed(
    several: ModuleType, wanted: set[str], weights: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = make(several, "Pair").requires_grad_(weights)
    inputs = {n: x.requires_grad_(n in wanted) for n, x in draw(layer, 3).items()}
    y = layer(**inputs)
    assert y.requires_grad == (bool(wanted) or weights)
    if y.requires_grad:
        y.sum().backward()
    assert {n for n, x in inputs.items() if x.grad is not None} == wanted
    assert all((p.grad is not None) == weights for p in layer.parameters())


@pytest.mark.parametrize("name", SOME)
def test_opcheck(several: ModuleType, name: str) -> None:
    layer = make(several, name)
    tensors, tables = list_arguments(layer)
    operators = layer.layout.operators
    found = torch.library.opcheck(operators.forward, (*tensors, *tables))
    assert set(found.values()) == {"SUCCESS"}
    y = operators.forward(*tensors, *tables).detach()
    count = len(layer._widths)
    for needs in ((True,) * (count + 1), (False, *(True,) * count), (True, *(False,) * count)):
        arguments = (torch.randn_like(y), *tensors, *tables, *needs)
        found = torch.library.opcheck(operators.backward, arguments)
        assert set(found.values()) == {"SUCCESS"}


@pytest.mark.parametrize("name", SOME)
def test_transforms(several: ModuleType, name: str) -> None:
    layer = make(several, name)
    inputs = draw(layer, 4, 3)
    y = layer(**inputs)
    torch.testing.assert_close(vmap(lambda z: layer(**z))(inputs), y)
    first, *others = inputs
    fixed = {n: inputs[n][0] for n in others}
    found = vmap(lambda x: layer(**{first: x}, **fixed))(inputs[first])
    expected = torch.stack([layer(**{first: x}, **fixed) for x in inputs[first]])
    torch.testing.assert_close(found, expected)
    slopes: Any = grad(lambda z: layer(**z).pow(2).sum())(inputs)
    moving = {n: x.clone().requires_grad_() for n, x in inputs.items()}
    layer(**moving).pow(2).sum().backward()
    for n, slope in slopes.items():
        torch.testing.assert_close(slope, moving[n].grad)


def test_forward_mode(several: ModuleType) -> None:
    layer = make(several, "Pair")
    inputs, tangents = draw(layer, 3), draw(layer, 3)
    slope = jvp(lambda z: layer(**z), (inputs,), (tangents,))[1]
    step = 1e-6
    ends = [layer(**{n: x + s * tangents[n] for n, x in inputs.items()}) for s in (step, -step)]
    torch.testing.assert_close(slope, (ends[0] - ends[1]) / (2 * step), rtol=1e-6, atol=1e-6)
    jacobian: Any = jacrev(lambda z: layer(**z))(draw(layer))
    assert jacobian["y"].shape == (2, 3, 3, 3)


@pytest.mark.parametrize("batched", [(0, 0), (0, None), (None, 0)])
def test_operators_under_vmap(several: ModuleType, batched: tuple[int | None, int | None]) -> None:
    """Called by themselves: an input that is not mapped is not taken for one that is."""
    layer = make(several, "Pair")
    tensors, tables = list_arguments(layer)
    (x, y, *weights), forward = [t.detach() for t in tensors], layer.layout.operators.forward
    more = torch.randn(5, *x.shape, dtype=x.dtype), torch.randn(5, *y.shape, dtype=y.dtype)
    given = [m if b == 0 else t for m, t, b in zip(more, (x, y), batched, strict=True)]
    found = vmap(lambda a, b: forward(a, b, *weights, *tables), in_dims=batched)(*given)
    rows = [[t[i] if b == 0 else t for t, b in zip(given, batched, strict=True)] for i in range(5)]
    expected = torch.stack([forward(*row, *weights, *tables) for row in rows])
    torch.testing.assert_close(found, expected)


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"
)
@pytest.mark.parametrize("name", SOME)
def test_compiled_and_exported_whole(several: ModuleType, name: str) -> None:
    torch._dynamo.reset()
    layer = getattr(several, name)()
    compiled: Any = torch.compile(layer, fullgraph=True)
    for batch in (5, 7):
        inputs = {n: x.requires_grad_() for n, x in draw(layer, batch, dtype=torch.float32).items()}
        leaves = (*inputs.values(), *layer.parameters())
        y = compiled(**inputs)
        torch.testing.assert_close(y, layer(**inputs))
        found = torch.autograd.grad(y.pow(2).sum(), leaves, allow_unused=True)
        expected = torch.autograd.grad(layer(**inputs).pow(2).sum(), leaves, allow_unused=True)
        for left, right in zip(found, expected, strict=True):
            if right is not None:
                torch.testing.assert_close(left, right)
    example = draw(layer, 4, dtype=torch.float32)
    batch_axis = torch.export.Dim("batch", min=2)
    exported = torch.export.export(
        layer, (), example, dynamic_shapes={n: {0: batch_axis} for n in example}
    )
    other = draw(layer, 9, dtype=torch.float32)
    torch.testing.assert_close(exported.module()(**other), layer(**other))
    torch._dynamo.reset()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(several: ModuleType, dtype: torch.dtype) -> None:
    layer = several.Pair()
    inputs = draw(layer, 3, dtype=torch.float32)
    with torch.autocast("cpu", dtype=dtype):
        y = layer(**inputs)
        mixed = layer(x=inputs["x"].to(dtype), y=inputs["y"])
    assert y.dtype == dtype
    torch.testing.assert_close(y.float(), layer(**inputs), rtol=0.1, atol=0.1)
    torch.testing.assert_close(mixed, y)


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("backend", ["torch", "reference"])
def test_copies_pickles_and_states(several: ModuleType, name: str, backend: str) -> None:
    layer = make(several, name, backend=backend)
    inputs = draw(layer, 3)
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    fresh = make(several, name, backend=backend)
    fresh.load_state_dict(layer.state_dict())
    channels = (layer.in_channels, layer.out_channels)
    with torch.device("meta"):
        empty = type(layer)(*channels, backend=backend, dtype=torch.float64)
    assert empty(**{n: x.to("meta") for n, x in inputs.items()}).device.type == "meta"
    empty.to_empty(device="cpu").load_state_dict(layer.state_dict())
    skip_init: Any = nn.utils.skip_init
    skipped = skip_init(type(layer), *channels, backend=backend, dtype=torch.float64)
    skipped.load_state_dict(layer.state_dict())
    copies = (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)))
    for other in (*copies, torch.load(buffer, weights_only=False), fresh, empty, skipped):
        torch.testing.assert_close(other(**inputs), layer(**inputs), rtol=0, atol=0)
