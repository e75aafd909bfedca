"""Emitted layers with several inputs: what holds of one input holds of several, by name."""

from __future__ import annotations

import importlib
import json
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from eqcompile.emit.variance import factored_variance
from eqcompile.exact.signed import SignedPermutation
from tests.actions_of import (
    SEVERAL,
    Generators,
    list_degrees,
    make_problem_of_several,
    make_several,
    symmetric,
)
from tests.emit.problems import act, install, make, solve_posed
from tests.emit.several import ACTION_OF, LAYERS, SOME, define, draw
from tests.emit.test_package import run_tool
from tests.emit.test_variance import class_forms, expect, square

pytestmark = pytest.mark.filterwarnings("ignore:.*no equivariant polynomial of degree")


@pytest.mark.parametrize("backend", ["torch", "reference"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_its_dense_tensors(several: ModuleType, name: str, backend: str) -> None:
    layer = make(several, name, backend=backend)
    inputs = draw(layer, 4)
    torch.testing.assert_close(layer(**inputs), define(layer, inputs), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_equivariance(several: ModuleType, name: str) -> None:
    """Under every generator, acting on all inputs at once, and not under one on a single input."""
    layer, (sides, outputs) = make(several, name), SEVERAL[ACTION_OF[name]]
    inputs = draw(layer, 3)
    y, broken = layer(**inputs), False
    for j, output in enumerate(outputs):
        moved = {n: act(images[j], inputs[n]) for n, images in sides.items()}
        torch.testing.assert_close(layer(**moved), act(output, y), rtol=1e-12, atol=1e-12)
        first = next(iter(inputs))
        lone = layer(**{**inputs, first: moved[first]})
        broken = broken or not torch.allclose(lone, act(output, y))
    assert broken


@pytest.mark.parametrize("name", LAYERS)
def test_selfcheck(several: ModuleType, name: str) -> None:
    selfcheck = importlib.import_module("several.selfcheck")
    for check in selfcheck.CHECKS.values():
        passed, figure = check(name)
        assert passed, figure


def test_selfcheck_notices_exchanged_inputs(
    several: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    selfcheck = importlib.import_module("several.selfcheck")
    right = several.Pair._run
    monkeypatch.setattr(
        several.Deep, "_run", lambda self, x, y: right(self, x, y + 0.1 * x.flip(-1)), raising=False
    )
    assert not selfcheck.check_equivariance("Deep")[0]
    monkeypatch.undo()
    assert selfcheck.check_equivariance("Deep")[0]


def list_group(generators: Generators) -> list[SignedPermutation]:
    found = [SignedPermutation.identity(generators[0].n)]
    for g in found:
        found += [p for p in dict.fromkeys(h @ g for h in generators) if p not in found]
    return found


@pytest.mark.parametrize("degree", [{"x": 1, "y": 1}, {"x": 2}, {"y": 1}])
def test_full_mixing_is_every_equivariant_map(several: ModuleType, degree: dict[str, int]) -> None:
    """The nearest map the layer has is the average over the group, so it has all of them."""
    layer = make(several, "Pair")
    target = torch.randn(layer.dense_weight(degree).shape, dtype=torch.float64)
    if degree == {"x": 2}:
        target = target + target.permute(0, 1, 4, 5, 2, 3)
    total = torch.zeros_like(target)
    for g in list_group(SEVERAL["S_3 on two"][1]):
        moved = target
        for axis in range(1, target.ndim, 2):
            moved = act(g, moved, axis)
        total = total + moved / 6
    distance = layer.load_dense(degree, target)
    torch.testing.assert_close(layer.dense_weight(degree), total)
    assert abs(distance - float((target - total).norm())) < 1e-12


@pytest.mark.parametrize("name", LAYERS)
def test_dense_weights_are_loaded_back(several: ModuleType, name: str) -> None:
    layer, other = make(several, name), make(several, name)
    for degree in layer.layout.degrees:
        key = dict(zip(layer.layout.inputs, degree, strict=True))
        dense = layer.dense_weight(key)
        if layer.layout.mixing == "factored" and sum(degree):
            # Fitted from what is there: a product has no nearest one in closed form.
            assert layer.load_dense(key, dense) == 0.0
            continue
        assert other.load_dense(key, dense.detach()) < 1e-10
        torch.testing.assert_close(other.dense_weight(key), dense, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["Pair", "Unlike", "Deep"])
def test_a_loaded_map_is_the_nearest(several: ModuleType, name: str) -> None:
    """What is left is orthogonal to every direction in which the layer can still go."""
    layer = make(several, name)
    key = {"x": 1, "y": 1}
    target = torch.randn_like(layer.dense_weight(key).detach())
    distance = layer.load_dense(key, target)
    rest = target - layer.dense_weight(key)
    assert abs(float(rest.detach().norm()) - distance) < 1e-10
    weights = [getattr(layer, b.name) for b in layer.layout.blocks_of((1, 1))]
    for slope in torch.autograd.grad(rest.pow(2).sum(), weights):
        assert slope.abs().max() < 1e-10


@pytest.mark.parametrize("name", ["Pair", "Unlike", "Signed"])
def test_the_basis_is_that_of_one_channel(several: ModuleType, name: str) -> None:
    layer = make(several, name)
    for degree in layer.layout.degrees:
        key = dict(zip(layer.layout.inputs, degree, strict=True))
        basis = layer.basis(key)
        sizes = [n for n, d in zip(layer.layout.dims, degree, strict=True) for _ in range(d)]
        assert basis.shape == (layer.classes(key), layer.layout.n_out, *sizes)
        if max(degree, default=0) < 2 and len(basis):
            gram = torch.einsum("a...,b...->ab", basis, basis)
            torch.testing.assert_close(gram, torch.eye(len(basis), dtype=torch.float64))


def test_parameters_are_named_by_degree(several: ModuleType) -> None:
    shapes = {n: tuple(t.shape) for n, t in several.Pair().state_dict().items()}
    assert shapes == {
        "bias": (2, 1),
        "weight_x1": (2, 2, 2),
        "weight_y1": (2, 3, 2),
        "weight_x2": (2, 2, 4),
        "weight_x2_11": (2, 1, 5),
        "weight_x1_y1": (2, 6, 5),
        "weight_y2": (2, 3, 4),
        "weight_y2_11": (2, 3, 5),
    }
    plain = several.Pair(backend="reference")
    assert {n: tuple(t.shape) for n, t in plain.state_dict().items()} == shapes
    mixed = {n: tuple(t.shape) for n, t in several.Mixed().state_dict().items()}
    assert mixed["factor_x2_s1_1"] == mixed["factor_x2_s1_2"] == (3, 3)
    assert mixed["factor_x2_s1_3"] == (3, 2)
    assert mixed["mix_x2_s1"] == (2, 3)
    assert {n for n in several.Signed().state_dict() if n.endswith("_1")} == {"weight_x2_s1_11_1"}


def test_channel_tuples_run_over_the_first_input_slowest(several: ModuleType) -> None:
    layer = make(several, "Pair", backend="torch")
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.weight_x1_y1[0, 1 * 3 + 0, 0] = 1.0
    inputs = draw(layer, 2)
    expected = inputs["x"][:, 1] * inputs["y"][:, 0] / 3**0.5
    torch.testing.assert_close(layer(**inputs)[:, 0], expected)


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 3), (2, 0, 3), (1, 1, 1)])
def test_leading_axes(several: ModuleType, name: str, shape: tuple[int, ...]) -> None:
    layer = make(several, name)
    inputs = draw(layer, *shape)
    y = layer(**inputs)
    assert y.shape == (*shape, 2, layer.layout.n_out)
    flat = {n: x.reshape(-1, *x.shape[-2:]) for n, x in inputs.items()}
    torch.testing.assert_close(y.reshape(-1, *y.shape[-2:]), layer(**flat))


def test_calls_that_are_refused(several: ModuleType) -> None:
    layer = several.Pair(dtype=torch.float64)
    inputs = draw(layer, 2)
    with pytest.raises(TypeError, match="positional"):
        layer(inputs["x"], inputs["y"])
    with pytest.raises(TypeError, match="'y'"):
        layer(x=inputs["x"])
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        layer(**inputs, z=inputs["x"])
    with pytest.raises(TypeError, match="Pair expects a tensor for y, got list"):
        layer(x=inputs["x"], y=[1.0])
    with pytest.raises(ValueError, match=r"Pair expects y of shape \(..., 3, 3\), got \(2, 2, 3\)"):
        layer(x=inputs["x"], y=inputs["x"])
    with pytest.raises(ValueError, match=r"equal leading axes: x has \(2,\), y has \(1,\)"):
        layer(x=inputs["x"], y=inputs["y"][:1])
    with pytest.raises(TypeError, match=r"expects y of its parameters' torch\.float64"):
        layer(x=inputs["x"], y=inputs["y"].float())


def test_channels_that_are_refused(several: ModuleType) -> None:
    assert several.Pair({"y": 1, "x": 4}).in_channels == {"x": 4, "y": 1}
    assert several.Pair().in_channels == {"x": 2, "y": 3}
    for wrong, error, match in (
        (2, TypeError, "in_channels maps x, y to integers, got 2"),
        ({"x": 2}, ValueError, "in_channels has x, y, got x"),
        ({"x": 2, "y": 2, "z": 2}, ValueError, "in_channels has x, y, got x, y, z"),
        ({"x": 2, "y": 0}, ValueError, r"in_channels\['y'\] is at least 1, got 0"),
        ({"x": 2, "y": True}, TypeError, r"in_channels\['y'\] is an integer, got True"),
    ):
        with pytest.raises(error, match=match):
            several.Pair(wrong)
    with pytest.raises(ValueError, match="depthwise: in_channels and out_channels are equal"):
        several.Deep({"x": 2, "y": 3}, 2)


def test_degrees_that_are_refused(several: ModuleType) -> None:
    layer = several.Pair()
    assert layer.classes({"x": 1, "y": 1}) == layer.classes({"y": 1, "x": 1}) == 5
    assert layer.classes({}) == layer.classes({"x": 0}) == 1
    assert layer.coefficients({"x": 2}, ((1, 1), ())).shape == (2, 1, 5)
    for wrong in (2, {"z": 1}, {"x": 3}):
        with pytest.raises(ValueError, match=r"Pair has degrees \(x:0,y:0, x:1,y:0, "):
            layer.classes(wrong)
    with pytest.raises(ValueError, match="has shapes"):
        layer.coefficients({"x": 2}, ((3,), ()))
    with pytest.raises(ValueError, match="expects a dense weight of degree x:1,y:1 of shape"):
        layer.load_dense({"x": 1, "y": 1}, torch.zeros(2, 3))


def test_what_the_kernels_do_not_serve_is_said(several: ModuleType) -> None:
    reason = "they serve one input, and the layer has 2"
    with pytest.raises(RuntimeError, match=reason):
        several.Pair(backend="triton")
    assert reason in several.Pair().explain()


@pytest.mark.slow
def test_the_package_is_formatted_and_typed(packages: Path, several: ModuleType) -> None:
    assert several.Pair
    shutil.copy(Path(__file__).parents[2] / "pyproject.toml", packages)
    run_tool(packages, "ruff", "format", "--check", "several")
    run_tool(packages, "ruff", "check", "several")
    run_tool(packages, "mypy", "--strict", "several")


def test_words(several: ModuleType) -> None:
    layer = several.Unlike()
    assert repr(layer).startswith("Unlike(x: 1 x 4, y: 2 x 3 -> 2 x 3, classes x:0,y:0: 2, ")
    # The derivation of a posed problem is a fixed text; what is told of the call is not.
    assert "form: " in layer.explain()
    data = json.loads((Path(several.__file__ or "").parent / "tying.json").read_text())["layers"][0]
    assert data["n_in"] == {"x": 3, "y": 3}
    assert data["channels"]["in"] == {"x": 2, "y": 3}
    assert data["degrees"][4] == {"x": 1, "y": 1}
    block = next(b for b in data["blocks"] if b["parameter"] == "weight_x2_11")
    assert (block["degree"], block["shape"]) == ({"x": 2, "y": 0}, {"x": [1, 1], "y": []})


@pytest.mark.parametrize("name", SOME)
def test_outputs_have_variance_one(several: ModuleType, name: str) -> None:
    torch.manual_seed(1)
    cls, found = getattr(several, name), []
    for _ in range(300):
        layer = cls()
        y = layer(**draw(layer, 200, dtype=torch.float32)).detach()
        found.append(float(y.var(dim=0, unbiased=True).mean()))
    assert abs(np.mean(found) - 1) < 5 * np.std(found) / len(found) ** 0.5 + 0.02


def expand_factored(tying: Any, widths: tuple[int, ...]) -> Fraction:
    """Mean over the factors of the variance over the inputs, by expanding in both."""
    total, sources = Fraction(0), tying.ansatz.sources
    for size, terms in class_forms(tying):
        form: Any = {}
        for sign, indices in terms:
            for spread in np.ndindex(*(widths[s] for s in sources)):
                maps = [("F", j, c) for j, c in enumerate(spread)]
                inputs = [
                    ("x", (s, c), i) for s, c, i in zip(sources, spread, indices, strict=True)
                ]
                key = tuple(sorted((*maps, *inputs)))
                form[key] = form.get(key, Fraction(0)) + sign
        second = expect(expect(square(form), "x"), "F").get((), Fraction(0))
        mean = expect(square(expect(form, "x")), "F").get((), Fraction(0))
        total += (second - mean) / size
    return total / int(np.prod([widths[s] for s in sources]))


@pytest.mark.parametrize("degree", [(1, 1), (2, 1), (0, 2), (1, 2)])
@pytest.mark.parametrize("widths", [(1, 1), (2, 1), (1, 3), (2, 2)])
def test_factored_variance_of_several_inputs(
    degree: tuple[int, int], widths: tuple[int, int]
) -> None:
    problem = make_several("S_3 and its sign", [degree], mixing="factored", rank=1)
    shape = tuple((1,) * d for d in degree)
    tying = solve_posed(problem).block(degree, shape).tying
    powers = factored_variance(tying)
    sizes = [max(1, d) for d in degree]
    assert len(powers) == np.prod(sizes)
    found = sum(
        value * Fraction(1, widths[0] ** j * widths[1] ** k)
        for value, (j, k) in zip(powers, np.ndindex(*sizes), strict=True)
    )
    assert found == expand_factored(tying, widths)


def test_the_start_counts_the_channels_of_each_input(several: ModuleType) -> None:
    """Every degree gives the same variance, for any numbers of channels."""
    layout = several.Mixed.layout
    list_scales = importlib.import_module("several.layout").list_scales
    for widths in ((3, 2), (1, 5), (4, 1)):
        scales = list_scales(layout, widths)
        for block in layout.blocks:
            sizes = [max(1, sum(own)) for own in block.parts]
            powers = [widths[0] ** -j * widths[1] ** -k for j, k in np.ndindex(*sizes)]
            if block.name not in scales:
                assert not block.total or not any(block.variance)
                continue
            found = sum(float(v) * p for v, p in zip(block.variance, powers, strict=True))
            served = sum(1 for name in scales if name.startswith("weight_"))
            assert abs(scales[block.name] ** 2 * found / layout.n_out - 1 / served) < 1e-12
            for name, source in zip(block.maps, block.factors, strict=True):
                assert abs(scales[name] - widths[source] ** -0.5) < 1e-12


def test_a_lone_input_keeps_its_name(packages: Path) -> None:
    problem = make_several("S_3 on two", [(1, 1)])
    lone = replace(problem, inputs=(replace(problem.inputs[0], name="u"),), degrees=((1,), (2,)))
    package = install(packages, "lone_input", [lone])
    layer = make(package, "Layer")
    x = torch.randn(2, 2, 3, dtype=torch.float64)
    torch.testing.assert_close(layer(u=x), layer(x))
    assert layer.in_channels == 2
    assert layer.dense_weight({"u": 2}).shape == layer.dense_weight(2).shape
    assert importlib.import_module("lone_input.selfcheck").check_equivariance("Layer")[0]


@pytest.mark.parametrize(
    "names", [("y", "f"), ("input", "output"), ("grad_y", "hat"), ("x1", "x2")]
)
def test_inputs_may_be_called_like_anything(packages: Path, names: tuple[str, str]) -> None:
    given = {name: (symmetric(3), 2) for name in names}
    problem = make_problem_of_several(given, symmetric(3), list_degrees(2, 2), channels=2)
    package = install(packages, f"called_{'_'.join(names)}", [problem])
    layer = make(package, "Layer")
    inputs = draw(layer, 2)
    torch.testing.assert_close(layer(**inputs), define(layer, inputs))
    selfcheck = importlib.import_module(f"{package.__name__}.selfcheck")
    assert all(check("Layer")[0] for check in selfcheck.CHECKS.values())
