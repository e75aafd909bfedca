"""An emitted layer as a module of torch: shapes, dtypes, devices, state, errors."""

from __future__ import annotations

import copy
import importlib
import io
import pickle
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.emit.problems import install, make, pose

LAYERS = ("Cycle", "Cubic", "Dense", "Factored", "Collide", "Fixed", "Turn", "Invariant", "Point")
SOME = ("Cycle", "Factored", "Collide")


def draw(layer: Any, *batch: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*batch, layer.in_channels, layer.layout.n_in, dtype=dtype)


@pytest.mark.parametrize("backend", ["torch", "reference"])
@pytest.mark.parametrize("name", LAYERS)
def test_any_leading_axes(zoo: ModuleType, name: str, backend: str) -> None:
    layer = make(zoo, name, backend=backend)
    x = draw(layer, 6)
    y = layer(x)
    assert y.shape == (6, layer.out_channels, layer.layout.n_out)
    torch.testing.assert_close(layer(x[2]), y[2])
    folded = layer(x.reshape(2, 1, 3, *x.shape[1:]))
    torch.testing.assert_close(folded, y.reshape(2, 1, 3, *y.shape[1:]))
    torch.testing.assert_close(layer(x[:1]), y[:1])
    strided = x.mT.contiguous().mT
    assert not strided.is_contiguous() or 1 in x.shape
    torch.testing.assert_close(layer(strided), y)


@pytest.mark.parametrize("backend", ["torch", "reference"])
@pytest.mark.parametrize("name", LAYERS)
def test_an_empty_batch(zoo: ModuleType, name: str, backend: str) -> None:
    layer = make(zoo, name, backend=backend)
    for shape in ((0,), (2, 0), (0, 3)):
        x = draw(layer, *shape).requires_grad_()
        y = layer(x)
        assert y.shape == (*shape, layer.out_channels, layer.layout.n_out)
        y.sum().backward()
        assert x.grad is not None
        assert all(not p.grad.any() for p in layer.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", LAYERS)
def test_backends_agree(zoo: ModuleType, name: str) -> None:
    layer, plain = make(zoo, name), make(zoo, name, backend="reference")
    plain.load_state_dict(layer.state_dict())
    x = draw(layer, 5)
    torch.testing.assert_close(layer(x), plain(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("channels", [(1, 1), (3, 2), (5, 1)])
def test_other_channel_counts(zoo: ModuleType, channels: tuple[int, int]) -> None:
    for name in ("Cycle", "Cubic", "Factored", "Fixed"):
        layer = make(zoo, name, *channels)
        plain = make(zoo, name, *channels, backend="reference")
        plain.load_state_dict(layer.state_dict())
        x = draw(layer, 3).requires_grad_()
        torch.testing.assert_close(layer(x), plain(x), rtol=1e-12, atol=1e-11)
        layer(x).sum().backward()


def test_wrong_inputs_are_named(zoo: ModuleType) -> None:
    layer = zoo.Cycle()
    for shape in ((3, 4, 2), (4,), (2, 5), (1, 4), ()):
        with pytest.raises(ValueError, match=r"Cycle expects x of shape \(\.\.\., 2, 4\), got"):
            layer(torch.zeros(shape))
    for dtype in (torch.float64, torch.int64, torch.complex64, torch.bfloat16):
        with pytest.raises(TypeError, match=rf"parameters' torch.float32, got {dtype}"):
            layer(torch.zeros(2, 4, dtype=dtype))
    with pytest.raises(TypeError, match="expects a tensor, got list"):
        layer([[0.0]])


def test_wrong_arguments_are_named(zoo: ModuleType) -> None:
    with pytest.raises(ValueError, match="in_channels is at least 1, got 0"):
        zoo.Cycle(0)
    with pytest.raises(TypeError, match=r"out_channels is an integer, got 2\.0"):
        zoo.Cycle(2, 2.0)
    with pytest.raises(TypeError, match="in_channels is an integer, got True"):
        zoo.Cycle(True)
    with pytest.raises(ValueError, match="depthwise: in_channels and out_channels are equal"):
        zoo.Collide(2, 3)
    with pytest.raises(ValueError, match=r"backend is one of .*, got 'cuda'"):
        zoo.Cycle(backend="cuda")
    with pytest.raises(TypeError, match=r"real floating-point dtype, got torch\.int64"):
        zoo.Cycle(dtype=torch.int64)
    with pytest.raises(TypeError, match="takes from 1 to 3 positional"):
        zoo.Cycle(1, 1, "torch")


def test_signature_and_defaults(zoo: ModuleType) -> None:
    layer = zoo.Cycle()
    assert (layer.in_channels, layer.out_channels) == (2, 3)
    assert {p.dtype for p in layer.parameters()} == {torch.float32}
    assert zoo.Cycle(dtype=torch.float64).bias.dtype == torch.float64
    assert not layer.bias.any()
    assert layer.weight_2.abs().min() > 0


def test_parameters_and_state(zoo: ModuleType) -> None:
    layer = zoo.Cycle()
    shapes = {n: tuple(t.shape) for n, t in layer.state_dict().items()}
    assert shapes == {
        "bias": (3, 1),
        "weight_1": (3, 2, 4),
        "weight_2": (3, 2, 10),
        "weight_2_11": (3, 1, 16),
    }
    plain = zoo.Cycle(backend="reference")
    assert {n: tuple(t.shape) for n, t in plain.state_dict().items()} == shapes
    assert {n: tuple(t.shape) for n, t in zoo.Factored().state_dict().items()} == {
        "weight_1": (3, 1),
        "factor_1_1": (3, 2),
        "mix_1": (2, 3),
        "weight_3": (3, 4),
        "factor_3_1": (3, 2),
        "factor_3_2": (3, 2),
        "factor_3_3": (3, 2),
        "mix_3": (2, 3),
    }
    assert {n: tuple(t.shape) for n, t in zoo.Collide(5, 5).state_dict().items()} == {
        "bias": (5, 3),
        "weight_1": (5, 15),
        "weight_2": (5, 65),
    }
    assert all(not buffer.requires_grad for buffer in layer.buffers())


@pytest.mark.parametrize("name", SOME)
def test_copies_and_pickles(zoo: ModuleType, name: str) -> None:
    layer = make(zoo, name)
    x = draw(layer, 3)
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    others = [
        copy.deepcopy(layer),
        pickle.loads(pickle.dumps(layer)),
        torch.load(buffer, weights_only=False),
    ]
    for other in others:
        torch.testing.assert_close(other(x), layer(x), rtol=0, atol=0)
        assert all(p is not q for p, q in zip(other.parameters(), layer.parameters(), strict=True))


@pytest.mark.parametrize("backend", ["torch", "reference"])
@pytest.mark.parametrize("name", SOME)
def test_tables_survive_whatever_empties_tensors(zoo: ModuleType, name: str, backend: str) -> None:
    """Meta devices, skip_init, to_empty, casts there and back, assigned states."""
    layer = getattr(zoo, name)(backend=backend)
    state, x = layer.state_dict(), draw(layer, 3, dtype=torch.float32)
    cls, channels = type(layer), (layer.in_channels, layer.out_channels)
    with torch.device("meta"):
        first, second = (cls(*channels, backend=backend) for _ in range(2))
    assert {t.device.type for t in (*first.parameters(), *first.buffers())} == {"meta"}
    assert first(x.to("meta")).device.type == "meta"
    first.to_empty(device="cpu").load_state_dict(state)
    second.load_state_dict(state, assign=True)
    skip_init: Any = nn.utils.skip_init
    third = skip_init(cls, *channels, backend=backend)
    third.load_state_dict(state)
    fourth = copy.deepcopy(layer).half().double().float()
    fourth.load_state_dict(state)
    fifth = copy.deepcopy(layer).type(torch.float32)
    for other in (first, second, third, fourth, fifth):
        torch.testing.assert_close(other(x), layer(x), rtol=0, atol=0)
    on_meta = cls(*channels, backend=backend, device="meta")
    assert on_meta.dense_weight(1).device.type == "meta"


@pytest.mark.parametrize("backend", ["torch", "reference"])
@pytest.mark.parametrize("name", SOME)
def test_fake_tensors(zoo: ModuleType, name: str, backend: str) -> None:
    cls = getattr(zoo, name)
    with FakeTensorMode():
        layer = cls(backend=backend)
        y = layer(draw(layer, 4, dtype=torch.float32))
    assert y.shape == (4, layer.out_channels, layer.layout.n_out)


def test_construction_in_inference_mode_and_with_other_defaults(zoo: ModuleType) -> None:
    with torch.inference_mode():
        layer = zoo.Cycle()
        assert layer(draw(layer, 2, dtype=torch.float32)).shape == (2, 3, 4)
    torch.set_default_dtype(torch.float64)
    try:
        assert zoo.Cycle().bias.dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("backend", ["torch", "reference"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", SOME)
def test_autocast(zoo: ModuleType, name: str, dtype: torch.dtype, backend: str) -> None:
    """Cast in, accumulate in float32, cast out; gradients of the parameters stay float32."""
    layer = getattr(zoo, name)(backend=backend)
    x = draw(layer, 8, dtype=torch.float32).requires_grad_()
    exact = layer(x)
    with torch.autocast("cpu", dtype=dtype):
        y = layer(x)
        y.float().sum().backward()
    assert y.dtype == dtype
    assert {p.grad.dtype for p in layer.parameters()} == {torch.float32}
    assert x.grad is not None
    assert x.grad.dtype == torch.float32
    tolerance = {torch.bfloat16: 3e-2, torch.float16: 4e-3}[dtype]
    assert (y.float() - exact).abs().max() < tolerance * exact.abs().max()


def test_autocast_leaves_double_alone(zoo: ModuleType) -> None:
    layer = make(zoo, "Cycle")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(draw(layer, 2)).dtype == torch.float64
        with pytest.raises(TypeError, match=r"expects x of its parameters' torch\.float64"):
            layer(draw(layer, 2, dtype=torch.float32))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_parameters_accumulate_in_float32(zoo: ModuleType, dtype: torch.dtype) -> None:
    """The result is the exact one for the rounded input and coefficients, rounded once."""
    layer = zoo.Collide(2, 2, dtype=dtype)
    x = draw(layer, 16, dtype=torch.float32).to(dtype)
    y = layer(x)
    y.sum().backward()
    assert y.dtype == layer.weight_2.grad.dtype == dtype
    with torch.no_grad():
        wide = zoo.Collide(2, 2, dtype=torch.float64)
        for block in layer.layout.blocks:
            theta = layer._scale(block.name, getattr(layer, block.name)).to(dtype).double()
            getattr(wide, block.name).copy_(theta / wide._buffers[f"_scale_{block.name}"])
        exact = wide(x.double())
    ulp = torch.finfo(dtype).eps
    assert ((y.double() - exact).abs() <= ulp * exact.abs() + 1e-5).all()


@pytest.mark.filterwarnings("ignore:Turn. no equivariant polynomial")
@pytest.mark.parametrize("name", LAYERS)
def test_equivariance(zoo: ModuleType, name: str) -> None:
    check = importlib.import_module("zoo.selfcheck").check_equivariance
    passed, figure = check(name)
    assert passed, figure
    assert float(figure.split()[0]) < 1e-12


def test_reloading_a_package(zoo: ModuleType) -> None:
    layer = make(zoo, "Cycle")
    x = draw(layer, 2)
    before = layer(x)
    for name in ("arrays", "dispatch", "programs", "ops", "layers"):
        importlib.reload(importlib.import_module(f"zoo.{name}"))
    importlib.reload(zoo)
    again = make(zoo, "Cycle")
    again.load_state_dict(layer.state_dict())
    torch.testing.assert_close(again(x), before)
    torch.testing.assert_close(layer(x), before)
    again(x).sum().backward()


def test_a_constant_layer(packages: Path) -> None:
    cls = install(packages, "constants", [pose("S_3", (0,), inputs=2, outputs=3)]).Layer
    for backend in ("torch", "reference"):
        layer = cls(backend=backend)
        with torch.no_grad():
            layer.bias.copy_(torch.tensor([[3.0**0.5], [0.0], [-(3.0**0.5)]]))
        x = torch.randn(2, 5, 2, 3, requires_grad=True)
        y = layer(x)
        torch.testing.assert_close(y, torch.tensor([1.0, 0.0, -1.0])[:, None].expand(2, 5, 3, 3))
        y.sum().backward()
        assert x.grad is None or not x.grad.any()
        assert layer.bias.grad.shape == (3, 1)
        assert layer.load_dense(0, layer.dense_weight(0)) == 0.0


def test_names_that_hide_others(packages: Path) -> None:
    """Layers called like builtins, or like modules and classes of the package, still work."""
    names = ["super", "int", "Layout", "base", "tables", "Fraction", "Tensor", "dense", "arrays"]
    package = install(packages, "hiding", [pose("S_2", (0, 1), name=name) for name in names])
    importlib.reload(importlib.import_module("hiding.layers"))
    package = importlib.reload(package)
    for name in names:
        layer = getattr(package, name)()
        copied = pickle.loads(pickle.dumps(layer))
        x = torch.randn(3, 1, 2)
        torch.testing.assert_close(copied(x), layer(x))
    checks = importlib.import_module("hiding.selfcheck")
    assert all(result.passed for result in checks.run())


def test_exported_programs_are_saved(zoo: ModuleType, tmp_path: Path) -> None:
    layer = zoo.Cycle()
    x = draw(layer, 3, dtype=torch.float32)
    torch.export.save(torch.export.export(layer, (x,)), tmp_path / "layer.pt2")
    loaded: Any = torch.export.load(tmp_path / "layer.pt2").module()
    torch.testing.assert_close(loaded(x), layer(x))
