"""Emitted layers for any number of points: what they compute, how they train, what they refuse."""

from __future__ import annotations

import copy
import importlib
import itertools
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

import eqcompile

ANY = {"symmetric": "any"}


def describe(name: str, source: str, target: str, **more: Any) -> dict[str, Any]:
    inputs, outputs = more.pop("channels", (2, 2))
    mixing = {"mixing": more.pop("mixing", "full"), **more.pop("rank", {})}
    channels = {"in": inputs, "out": outputs, **mixing}
    sides = {"group": ANY, "input": source, "output": target}
    return {"name": name, **sides, "channels": channels, **more}


LAYERS = [
    describe("Graph", "V ** 2", "V ** 2", degree=2, channels=(2, 3)),
    describe("Depth", "Sym(V, 2)", "Sym(V, 2)", degree=2, mixing="depthwise"),
    describe("Fac", "V ** 2", "V", degree=2, mixing="factored", rank={"rank": 3}),
    describe("Vec", "V", "V", degree=3, channels=(3, 2)),
    describe("Sums", "V + 1 + Sym(V, 2)", "1 + V ** 2", degree=2, mixing="channelwise"),
    describe("Three", "Sym(V, 3)", "V * Sym(V, 2)", degree=1, mixing="channelwise"),
    describe("Inv", "Sym(V, 2)", "1", degrees=[1, 3], mixing="channelwise"),
    describe("Pack", "Sym(V, 2)", "Sym(V, 2)", degrees=[1], mixing="channelwise"),
    {"name": "Fixed", "group": {"symmetric": 4}, "input": "V ** 2", "output": "V", "degree": 1},
]
NAMES = [str(layer["name"]) for layer in LAYERS[:-1]]


@pytest.fixture(scope="session")
def any_sizes(packages: Path) -> ModuleType:
    eqcompile.build({"version": 1, "package": "any_sizes", "layers": LAYERS}, packages)
    if str(packages) not in sys.path:
        sys.path.insert(0, str(packages))
    importlib.invalidate_caches()
    return importlib.import_module("any_sizes")


@pytest.fixture(scope="session")
def points(any_sizes: ModuleType) -> Any:
    return importlib.import_module("any_sizes.points")


def make(package: ModuleType, name: str, *channels: int, **options: Any) -> Any:
    layer = getattr(package, name)(*channels, **{"dtype": torch.float64, **options})
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    return layer


def draw(layer: Any, points: Any, n: int, batch: int = 3) -> Tensor:
    size = points.count_coordinates(layer.layout.inputs, n)
    return torch.randn(batch, layer.in_channels, size, dtype=torch.float64)


def move(x: Tensor, terms: Any, perm: list[int], points: Any) -> Tensor:
    """Act by ``(g x)[perm[i], perm[j], ..] = x[i, j, ..]`` on every summand, unpacked."""
    n = len(perm)
    pieces = torch.split(x, [points.count_coordinates((parts,), n) for parts in terms], -1)
    found = []
    for piece, parts in zip(pieces, terms, strict=True):
        (tensor,) = points.unpack(piece, (parts,), n)
        moved = tensor
        for axis in range(2, tensor.ndim):
            moved = torch.index_select(moved, axis, torch.argsort(torch.tensor(perm)))
        found.append(points.pack(moved, parts, n))
    return torch.cat(found, -1)


@pytest.mark.parametrize("name", NAMES)
def test_equivariance(any_sizes: ModuleType, points: Any, name: str) -> None:
    layer = make(any_sizes, name)
    layout = layer.layout
    for n in (1, 2, 3, 4, 7):
        x = draw(layer, points, n)
        y = layer(x)
        assert y.shape == (3, layer.out_channels, points.count_coordinates(layout.outputs, n))
        # A cycle is no involution from three points on.
        for perm in ([*range(1, n), 0], torch.randperm(n).tolist()):
            moved = layer(move(x, layout.inputs, perm, points))
            torch.testing.assert_close(moved, move(y, layout.outputs, perm, points))


@pytest.mark.parametrize("name", NAMES)
def test_the_definition(any_sizes: ModuleType, points: Any, name: str) -> None:
    """The einsum of ``dense_weight`` with copies of x, for degrees together and one n by one."""
    layer = make(any_sizes, name)
    reference = make(any_sizes, name, backend="reference")
    reference.load_state_dict(layer.state_dict())
    for n in (1, 2, 3):
        x = draw(layer, points, n)
        total = torch.zeros_like(layer(x))
        for degree in layer.layout.degrees:
            value = layer.dense_weight(degree, n).expand(3, *layer.dense_weight(degree, n).shape)
            for _ in range(degree):
                value = torch.einsum("z...ci,zci->z...", value, x)
            total = total + value
        torch.testing.assert_close(layer(x), total)
        torch.testing.assert_close(reference(x), total)


@pytest.mark.parametrize("n", [2, 4])
def test_the_ordinary_layer_is_the_same_function(
    packages: Path, any_sizes: ModuleType, n: int
) -> None:
    """A layer of S_n for one n takes the same dense tensors, with nothing left over."""
    layer = {**LAYERS[0], "name": "Graph", "group": {"symmetric": n}, "degree": 2}
    name = f"one_size_{n}"
    eqcompile.build({"version": 1, "package": name, "layers": [layer]}, packages)
    importlib.invalidate_caches()
    ordinary = make(importlib.import_module(name), "Graph", 2, 3)
    free = make(any_sizes, "Graph")
    for degree in (0, 1, 2):
        dense = free.dense_weight(degree, n).detach()
        assert ordinary.load_dense(degree, dense) < 1e-9 * float(dense.norm())
    x = torch.randn(5, 2, n * n, dtype=torch.float64)
    torch.testing.assert_close(ordinary(x), free(x))


def test_coefficients_are_those_of_the_polynomials(any_sizes: ModuleType) -> None:
    layer, n = make(any_sizes, "Vec", 1, 1), 6
    assert layer.formulas(2)[1] == "y_i = sum_j x_i x_j"
    x = torch.randn(n, dtype=torch.float64)
    one = torch.ones(n, dtype=torch.float64)
    total = x.sum()
    values = {
        0: [one],
        1: [x, total * one],
        2: [x * x, x * total, (x * x).sum() * one, total**2 * one],
    }
    expected = torch.zeros(n, dtype=torch.float64)
    for degree, features in values.items():
        weights = layer.coefficients(degree, n=n).flatten()
        expected = expected + sum(w * f for w, f in zip(weights, features, strict=True))
    with torch.no_grad():
        layer.weight_3.zero_()
    torch.testing.assert_close(layer(x[None])[0], expected)
    means = (layer.coefficients(2) / layer.coefficients(2, n=n)).detach().flatten()
    assert [round(float(m)) for m in means] == [1, 6, 6, 36]


@pytest.mark.parametrize("name", [n for n in NAMES if n != "Fac"])
def test_initial_outputs_have_variance_one(any_sizes: ModuleType, points: Any, name: str) -> None:
    n, found = 16, []
    for _ in range(20):
        layer = getattr(any_sizes, name)(4, 4)
        assert not any(p.detach().any() for key, p in layer.named_parameters() if key == "bias")
        with torch.no_grad():
            found.append(float(layer(draw(layer, points, n, 60).float()).var(0).mean()))
    assert 0.8 < sum(found) / len(found) < 1.25


def test_a_factored_layer_starts_of_order_one(any_sizes: ModuleType, points: Any) -> None:
    found = []
    for _ in range(200):
        layer = any_sizes.Fac(4, 4)
        with torch.no_grad():
            found.append(float(layer(draw(layer, points, 16, 50).float()).var(0).mean()))
    assert 0.5 < sum(found) / len(found) < 2


def test_values_do_not_grow_with_n(any_sizes: ModuleType, points: Any) -> None:
    """Of a constant input every mean is the same for all n."""
    layer = make(any_sizes, "Graph")
    rows = []
    for n in (2, 5, 40):
        x = torch.full((1, 2, n * n), 0.7, dtype=torch.float64)
        y = layer(x).reshape(3, n, n)
        rows.append(torch.stack([y[:, 0, 0], y[:, 0, 1]]))
    torch.testing.assert_close(rows[0], rows[1])
    torch.testing.assert_close(rows[0], rows[2])


def test_parameters(any_sizes: ModuleType, points: Any) -> None:
    layer = any_sizes.Graph()
    shapes = {name: tuple(p.shape) for name, p in layer.named_parameters()}
    assert shapes == {
        "bias": (3, 2),
        "weight_1": (3, 2, 15),
        "weight_2": (3, 2, 117),
        "weight_2_11": (3, 1, 203),
    }
    assert list(layer.state_dict()) == list(shapes)
    assert (layer.in_channels, layer.out_channels, layer.backend) == (2, 3, "auto")
    assert [layer.classes(d) for d in (0, 1, 2)] == [2, 15, 117]
    for n in (3, 5):
        layer(torch.randn(1, 2, n * n))
    assert list(layer.state_dict()) == list(shapes)
    fac = {name: tuple(p.shape) for name, p in any_sizes.Fac().named_parameters()}
    assert fac == {
        "bias": (2, 1),
        "weight_1": (3, 5),
        "factor_1_1": (3, 2),
        "mix_1": (2, 3),
        "weight_2": (3, 52),
        "factor_2_1": (3, 2),
        "factor_2_2": (3, 2),
        "mix_2": (2, 3),
    }
    assert any_sizes.Fac().classes(2) == 32
    assert [p.shape for p in any_sizes.Depth(5, 5).parameters()] == [(5, 2), (5, 9), (5, 43)]
    three = {name: tuple(p.shape) for name, p in any_sizes.Vec(3, 1).named_parameters()}
    assert three["weight_3_111"] == (1, 1, 15)
    assert three["weight_3_21"] == (1, 6, 11)
    one = any_sizes.Vec(1, 1)
    assert one.weight_3_21.numel() == one.weight_3_111.numel() == 0
    assert one(torch.randn(2, 1, 4)).shape == (2, 1, 4)


@pytest.mark.parametrize("name", NAMES)
def test_gradients(any_sizes: ModuleType, points: Any, name: str) -> None:
    layer = make(any_sizes, name)
    x = draw(layer, points, 3, 2).requires_grad_()
    names = [key for key, _ in layer.named_parameters()]

    def evaluate(x: Tensor, *parameters: Tensor) -> Any:
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    arguments = (x, *layer.parameters())
    assert torch.autograd.gradcheck(evaluate, arguments, fast_mode=True)
    assert torch.autograd.gradgradcheck(evaluate, arguments, fast_mode=True)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
@pytest.mark.parametrize("name", NAMES)
def test_shapes_and_copies(any_sizes: ModuleType, points: Any, name: str) -> None:
    layer = make(any_sizes, name)
    x = draw(layer, points, 4, 6)
    y = layer(x)
    torch.testing.assert_close(layer(x.reshape(2, 3, *x.shape[1:])), y.reshape(2, 3, *y.shape[1:]))
    torch.testing.assert_close(layer(x[0]), y[0])
    assert layer(x[:0]).shape == y[:0].shape
    assert layer(x[:1]).shape == y[:1].shape
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        torch.testing.assert_close(other(x), y)
    torch.testing.assert_close(torch.vmap(layer)(x), y)
    jvp: Any = torch.func.jvp
    value, tangent = jvp(layer, (x,), (x,))
    torch.testing.assert_close(value, y)
    step = 1e-6
    torch.testing.assert_close(
        tangent, (layer(x + step * x) - layer(x - step * x)) / (2 * step), rtol=1e-5, atol=1e-5
    )


def test_moving_and_casting(any_sizes: ModuleType, points: Any) -> None:
    layer = make(any_sizes, "Graph")
    x = draw(layer, points, 4)
    y = layer(x).detach()
    single = copy.deepcopy(layer).float()
    torch.testing.assert_close(single(x.float()).detach().double(), y, rtol=1e-3, atol=1e-3)
    meta = any_sizes.Graph(device="meta")
    assert meta(x.float().to("meta")).shape == y.shape
    meta = meta.to_empty(device="cpu")
    meta.load_state_dict(single.state_dict())
    torch.testing.assert_close(meta(x.float()), single(x.float()))
    half = copy.deepcopy(layer).bfloat16()
    found = half(x.bfloat16()).detach()
    assert found.dtype == torch.bfloat16
    assert float((found.double() - y).norm() / y.norm()) < 0.05
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = single(x.float()).detach()
    assert cast.dtype == torch.bfloat16
    assert float((cast.double() - y).norm() / y.norm()) < 0.05
    assert any_sizes.Graph(dtype=torch.float16).weight_1.dtype == torch.float16
    assert any_sizes.Graph().weight_1.dtype == torch.float32


def test_scales_are_no_state(any_sizes: ModuleType, points: Any) -> None:
    layer = make(any_sizes, "Graph")
    x = draw(layer, points, 3)
    y = layer(x)
    other = any_sizes.Graph(dtype=torch.float64)
    other._buffers["_scale_weight_2"].zero_()
    other.load_state_dict(layer.state_dict())
    torch.testing.assert_close(other(x), y)


def test_refusals(any_sizes: ModuleType) -> None:
    graph, vec = any_sizes.Graph(), any_sizes.Vec()
    with pytest.raises(ValueError, match=r"inputs of length 10; the nearest have 9 and 16"):
        graph(torch.randn(2, 2, 10))
    with pytest.raises(ValueError, match=r"inputs of length 0; the nearest have 1"):
        graph(torch.randn(2, 2, 0))
    with pytest.raises(ValueError, match=r"expects x of shape \(..., 2, n_in\), got \(3, 9\)"):
        graph(torch.randn(3, 9))
    with pytest.raises(TypeError, match="expects a tensor, got list"):
        graph([1.0])
    with pytest.raises(TypeError, match=r"torch.float32, got torch.float64"):
        vec(torch.randn(3, 4, dtype=torch.float64))
    with pytest.raises(RuntimeError, match="made for one number of points, and this layer serves"):
        any_sizes.Graph(backend="triton")
    with pytest.raises(ValueError, match="backend is one of"):
        any_sizes.Graph(backend="numpy")
    with pytest.raises(ValueError, match="at least 1"):
        any_sizes.Graph(0)
    with pytest.raises(TypeError, match="is an integer"):
        any_sizes.Graph(2.0)
    with pytest.raises(ValueError, match="in_channels and out_channels are equal"):
        any_sizes.Depth(2, 3)
    with pytest.raises(TypeError, match="real floating-point dtype"):
        any_sizes.Graph(dtype=torch.int64)
    with pytest.raises(ValueError, match=r"has degrees \(0, 1, 2\), not 3"):
        graph.classes(3)
    with pytest.raises(ValueError, match=r"has shapes \[\(2,\), \(1, 1\)\] at degree 2"):
        graph.coefficients(2, (3,))
    with pytest.raises(ValueError, match="a dense tensor for n = 40 has"):
        graph.dense_weight(2, 40)


def test_words(any_sizes: ModuleType) -> None:
    layer = any_sizes.Graph()
    assert repr(layer) == (
        "Graph(2 x V ** 2 -> 3 x V ** 2 for any n, classes 0: 2, 1: 15, 2: 117, mixing=full, "
        "backend=auto)"
    )
    text = layer.explain()
    assert "There are no Triton kernels for a free n" in text
    assert "y_ij = sum_k x_ii x_jk" in text
    assert "Burnside's lemma" in text
    assert "weight_2_11      203      95" in text
    assert "rank 3" in repr(any_sizes.Fac())


def test_basis(any_sizes: ModuleType) -> None:
    layer = make(any_sizes, "Graph", 1, 1)
    basis = layer.basis(2, 3)
    assert basis.shape == (117, 9, 9, 9)
    torch.testing.assert_close(basis, basis.transpose(-1, -2))
    dense = torch.einsum("m,mkij->kij", layer.weight_2.flatten(), basis)
    torch.testing.assert_close(dense, layer.dense_weight(2, 3).squeeze(2, 4).squeeze())
    assert int(torch.linalg.matrix_rank(basis.flatten(1))) == 70


def test_dense_weights_carry_gradients(any_sizes: ModuleType) -> None:
    layer = make(any_sizes, "Depth")
    layer.dense_weight(2, 2).pow(2).sum().backward()
    assert float(layer.weight_2.grad.abs().sum()) > 0


def test_a_layer_of_one_n_lives_in_the_same_package(any_sizes: ModuleType) -> None:
    assert any_sizes.Fixed()(torch.randn(2, 1, 16)).shape == (2, 1, 4)
    assert any_sizes.layers.Graph is any_sizes.Graph


def test_symmetric_coordinates(points: Any) -> None:
    for n, part in itertools.product((1, 2, 4), (2, 3)):
        count = points.count_tuples(n, part)
        x = torch.arange(1.0, count + 1).reshape(1, 1, count)
        (full,) = points.unpack(x, ((part,),), n)
        for place, word in enumerate(itertools.combinations_with_replacement(range(n), part)):
            for order in itertools.permutations(word):
                assert float(full[(0, 0, *order)]) == place + 1
        torch.testing.assert_close(points.pack(full, (part,), n), x)


def test_places(points: Any) -> None:
    value = torch.randn(1, 1, 3, 3)
    found = points.place(value, (0, 1, 0, 1, 0))
    for index in itertools.product(range(3), repeat=5):
        i, j, k, m, q = index
        expected = float(value[0, 0, i, j]) if i == k == q and j == m else 0.0
        assert float(found[(0, 0, *index)]) == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ["Pack", "Inv"])
def test_compiled(any_sizes: ModuleType, points: Any, name: str) -> None:
    layer = make(any_sizes, name, 1, 1)
    compiled: Any = torch.compile(layer, fullgraph=True)
    for n in (3, 6):
        x = draw(layer, points, n).requires_grad_()
        found, expected = compiled(x), layer(x)
        torch.testing.assert_close(found, expected)
        variables = (x, *(p for p in layer.parameters() if p.numel()))
        for a, b in zip(
            torch.autograd.grad(found.pow(2).sum(), variables),
            torch.autograd.grad(expected.pow(2).sum(), variables),
            strict=True,
        ):
            torch.testing.assert_close(a, b)
