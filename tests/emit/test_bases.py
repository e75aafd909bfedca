"""Layers whose coefficients depend on each other: w = theta M + offset, in numbers."""

from __future__ import annotations

import importlib
import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from eqcompile.emit.claims import hash_tying
from eqcompile.emit.served import refuse_basis
from eqcompile.emit.tying_json import describe_basis, describe_layer
from eqcompile.errors import Refusal
from eqcompile.exact.fields import Field, Scalar
from eqcompile.exact.matrices import Matrix
from eqcompile.solve.basis import Basis
from eqcompile.solve.tying import Tying
from tests.emit.additive import (
    NAMES,
    UNITS,
    assert_equal,
    draw,
    find,
    find_kernel,
    impose,
    install_solutions,
    load,
    solve_additive,
    sum_outputs,
    tying_of,
)
from tests.emit.problems import make, pose

pytestmark = pytest.mark.filterwarnings("ignore:.*no equivariant polynomial of degree")

FULL = ("Sums", "Eliminated", "Fifth", "Cat", "Spin", "Harmonic", "Given")
CONSERVING = ("Sums", "Eliminated", "Within", "Depth")


# Data.


def test_a_basis_in_json() -> None:
    assert describe_basis(basis_of("Fifth", 1)) == {
        "conductor": 5,
        "denominator": 1,
        "entries": [
            [0, 0, [1, 0]],
            [1, 1, [1, 0]],
            [2, 1, [-1, 0]],
            [3, 0, [1, 0]],
            [3, 1, [0, -1]],
        ],
        "free": [0, 1],
        "offset": None,
        "squares": [],
    }
    assert describe_basis(basis_of("Sums", 1)) == {
        "conductor": 1,
        "denominator": 2,
        "entries": [[0, 0, [2]], [1, 0, [-1]]],
        "free": [0],
        "offset": {"denominator": 2, "entries": [[1, [1]]]},
        "squares": [],
    }
    assert describe_basis(basis_of("Harmonic", 2))["squares"] == [
        *("1", "1", "1/12", "1/12", "1/12", "1", "1/4", "1/4")
    ]


def basis_of(name: str, *shape: int) -> Basis:
    basis = tying_of(name, *shape).basis
    assert basis is not None
    return basis


def test_an_offset_in_another_field_than_the_directions() -> None:
    basis = basis_of("Sums", 1)
    golden = Matrix.from_entries(2, 1, [(1, 0, Scalar(Field(5), (0, 1), 3))])
    data = describe_basis(replace(basis, offset=golden))
    assert data["conductor"] == 5
    assert data["entries"] == [[0, 0, [2, 0]], [1, 0, [-1, 0]]]
    assert data["offset"] == {"denominator": 3, "entries": [[1, [0, 1]]]}


def test_generators_in_json() -> None:
    data = describe_layer(find("Fifth"), form="", costs="", explanation="")
    matrix = {
        "conductor": 5,
        "height": 2,
        "width": 2,
        "denominator": 1,
        "entries": [[0, 1, [-1, 0]], [1, 0, [1, 0]], [1, 1, [0, 1]]],
    }
    generator = {"cause": "R", "infinitesimal": False, "inputs": [matrix], "output": matrix}
    assert data["linear"] == [generator]
    data = describe_layer(find("Harmonic"), form="", costs="", explanation="")
    assert [g["infinitesimal"] for g in data["linear"]] == [True] * 3
    assert data["output"]["squares"] == [str(square) for square in UNITS]
    assert data["input"]["squares"] == []
    blocks = describe_layer(find("Sums"), form="", costs="", explanation="")["blocks"]
    assert [(b["classes"], b["coefficients"]) for b in blocks][:2] == [(0, 0), (1, 2)]


def test_the_digest_of_a_tying_covers_its_basis() -> None:
    tying = tying_of("Sums", 1)
    basis = basis_of("Sums", 1)
    variants = [
        tying,
        replace(tying, basis=None),
        replace(tying, basis=replace(basis, offset=None)),
        replace(tying, basis=replace(basis, matrix=-basis.matrix)),
        replace(tying, basis=replace(basis, squares=(Fraction(1), Fraction(2)))),
    ]
    assert len({hash_tying(v) for v in variants}) == len(variants)


# Numbers.


def make_map(tying: Tying, parametrisation: str = "orthonormal") -> tuple[Any, Any]:
    """Calculate M and the offset of a tying in NumPy, as they are defined."""
    basis = tying.basis
    if basis is None:
        sizes = tying.sizes if parametrisation == "orthonormal" else np.ones(tying.coefficients)
        return np.diag(1 / np.sqrt(sizes)), np.zeros(tying.coefficients)
    units = np.sqrt([float(s) for s in basis.squares] or np.ones(tying.coefficients))
    scaled = units[:, None] * basis.matrix.to_float()
    offset = np.zeros(tying.coefficients)
    if basis.offset is not None:
        offset = units * basis.offset.to_float()[:, 0]
    if parametrisation == "eliminate":
        return (scaled / (scaled / units[:, None])[basis.free].diagonal()).T, offset
    gram = scaled.T @ np.diag(tying.sizes) @ scaled
    return (scaled @ np.linalg.inv(np.linalg.cholesky(gram)).T).T, offset


def list_blocks(layer: Any, name: str) -> list[tuple[Any, Tying]]:
    return [(block, tying_of(name, *block.shape)) for block in layer.layout.blocks]


@pytest.mark.parametrize("name", NAMES)
def test_coefficients(additive: ModuleType, name: str) -> None:
    layer, problem = make(additive, name), find(name).problem
    for block, tying in list_blocks(layer, name):
        theta = getattr(layer, block.name).detach()
        assert theta.shape[-1] == tying.classes
        table, offset = make_map(tying, problem.parametrisation)
        expected = theta @ torch.as_tensor(table)
        if offset.any():
            pairs = torch.ones(theta.shape[:-1], dtype=torch.float64)
            if block.degree and layer.layout.mixing != "depthwise":
                pairs = torch.eye(*pairs.shape, dtype=torch.float64)
            expected = expected + pairs[..., None] * torch.as_tensor(offset)
        found = layer.coefficients(block.degree, block.shape)
        assert found.shape[-1] == tying.coefficients
        torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)
        for degree in {block.degree}:
            within = tying_of(name, *((degree,) if degree else ()))
            assert layer.classes(degree) == within.classes


def evaluate_slots(layer: Any, name: str, x: Tensor) -> Tensor:
    """Evaluate a layer of full mixing slot by slot, from its coefficients."""
    y = x.new_zeros((len(x), layer.out_channels, layer.layout.n_out))
    choose = load("tables").list_channel_tuples
    for block, tying in list_blocks(layer, name):
        weights = layer.coefficients(block.degree, block.shape).detach()
        labels, signs = tying.table()
        columns = tying.ansatz.space.columns()
        factors = [f for f, d in enumerate(block.shape) for _ in range(d)]
        for t, chosen in enumerate(choose(block.shape, layer.in_channels)):
            for k, a in np.argwhere(labels >= 0).tolist():
                term = torch.ones(len(x), dtype=x.dtype)
                for f, i in zip(factors, columns[a].tolist(), strict=True):
                    term = term * x[:, chosen[f], i]
                own = weights if not block.degree else weights[:, t]
                y[:, :, k] += int(signs[k, a]) * term[:, None] * own[:, labels[k, a]]
    return y


@pytest.mark.parametrize("name", FULL)
def test_outputs(additive: ModuleType, name: str) -> None:
    layer = make(additive, name)
    x = draw(layer)
    assert_equal(layer(x), evaluate_slots(layer, name, x))


@pytest.mark.parametrize("name", CONSERVING)
def test_what_is_demanded_holds(additive: ModuleType, name: str) -> None:
    """The sum of an output channel is that of the input channel of the same number."""
    layer = make(additive, name)
    x = draw(layer)
    expected = torch.zeros(3, layer.out_channels, dtype=torch.float64)
    expected[:, : layer.in_channels] = x.sum(-1)
    assert_equal(layer(x).sum(-1), expected)


@pytest.mark.parametrize("name", ["Sums", "Fifth", "Spin", "Harmonic", "Factored"])
def test_parameters_are_orthonormal_over_slots(additive: ModuleType, name: str) -> None:
    bases = load("bases")
    for block, tying in list_blocks(make(additive, name), name):
        table = bases.make_map(name, block.degree, block.shape, torch.float64)
        gram = (table * torch.tensor(tying.sizes.tolist())) @ table.mT
        torch.testing.assert_close(gram, torch.eye(tying.classes, dtype=torch.float64))


def test_eliminated_parameters_are_free_coefficients(additive: ModuleType) -> None:
    layer = make(additive, "Eliminated")
    for block, tying in list_blocks(layer, "Eliminated"):
        if tying.basis is not None and not block.affine:
            found = layer.coefficients(block.degree, block.shape)[..., tying.basis.free.tolist()]
            torch.testing.assert_close(found, getattr(layer, block.name))
    plain = make(additive, "Plain")
    for block in plain.layout.blocks:
        assert torch.equal(plain.coefficients(*block[:2]), getattr(plain, block.name))


def test_the_basis_of_skew_columns_is_orthonormal(packages: Path) -> None:
    """Columns of very unlike size, nearly parallel: rounding is removed, the span is kept."""

    def tilt(tying: Tying) -> Tying:
        width = tying.coefficients
        columns = [[0] * width for _ in range(3)]
        for j, column in enumerate(columns):
            column[j] = 1
            column[3:] = [10**6 + j * (c - 3) for c in range(3, width)]
        return impose(tying, columns)

    solution = solve_additive(pose("S_4", (2,), name="Skew"), keep_slots(tilt))
    install_solutions(packages, "skewed", [solution])
    bases = importlib.import_module("skewed.bases")
    tying = next(b.tying for b in solution.blocks if b.tying.ansatz.shape == (2,))
    table = bases.make_map("Skew", 2, (2,), torch.float64)
    gram = (table * torch.tensor(tying.sizes.tolist())) @ table.mT
    assert float((gram - torch.eye(3, dtype=torch.float64)).abs().max()) < 1e-12
    assert tying.basis is not None
    columns = torch.as_tensor(tying.basis.matrix.to_float())
    rest = table.mT - columns @ torch.linalg.lstsq(columns, table.mT).solution
    assert float(rest.abs().max()) < 1e-9


def keep_slots(solve: Any) -> Any:
    return lambda tying: solve(tying) if tying.coefficients > 3 else impose(tying, [])


def test_numbers_of_large_fields(additive: ModuleType) -> None:
    """Powers of g nearly cancel: floats of each would have no digit right."""
    generator = np.random.default_rng(0)
    exact = load("exact")
    for conductor in (1, 5, 8, 12, 35, 360, 840):
        field = Field(conductor)
        numbers = [
            [int(c) for c in generator.integers(-(10**12), 10**12, field.degree)] for _ in range(5)
        ]
        unit = Scalar(field, (0, 1, *[0] * (field.degree - 2))) if field.degree > 1 else 2
        small = Scalar.of(1)
        for _ in range(min(field.degree - 1, 40)):
            small = small * (unit - round(float(unit)))
        numbers.append(list(small.in_field(field)))
        found = exact.round_numbers(conductor, 7, numbers).tolist()
        expected = [float(Scalar(field, tuple(n), 7)) for n in numbers]
        assert found == pytest.approx(expected, rel=1e-15), conductor


# Dense tensors.


@pytest.mark.parametrize("name", NAMES)
def test_dense_weights_are_those_of_the_layer(additive: ModuleType, name: str) -> None:
    layer = make(additive, name)
    reference = make(additive, name, backend="reference")
    reference.load_state_dict(layer.state_dict())
    x = draw(layer)
    assert_equal(layer(x), reference(x))


@pytest.mark.parametrize("name", NAMES)
def test_loading_its_own_tensor_keeps_the_layer(additive: ModuleType, name: str) -> None:
    layer = make(additive, name)
    before = {n: p.clone() for n, p in layer.named_parameters()}
    for degree in layer.layout.degrees:
        assert layer.load_dense(degree, layer.dense_weight(degree)) == 0.0
    for n, p in layer.named_parameters():
        torch.testing.assert_close(p, before[n], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "Factored"])
def test_loading_the_tensor_of_another_layer(additive: ModuleType, name: str) -> None:
    layer, other = make(additive, name), make(additive, name)
    for degree in layer.layout.degrees:
        assert layer.load_dense(degree, other.dense_weight(degree)) < 1e-12
    for n, p in layer.named_parameters():
        assert_equal(p, getattr(other, n))


@pytest.mark.parametrize("name", [n for n in NAMES if n != "Factored"])
def test_loading_projects_orthogonally(additive: ModuleType, name: str) -> None:
    """The rest is orthogonal to every difference of layers of the family."""
    layer, *others = (make(additive, name).requires_grad_(False) for _ in range(3))
    for degree in layer.layout.degrees:
        target = torch.randn_like(layer.dense_weight(degree))
        distance = layer.load_dense(degree, target)
        rest = target - layer.dense_weight(degree)
        assert math.isclose(distance, float(rest.norm()), rel_tol=1e-12)
        left, right = (other.dense_weight(degree) for other in others)
        assert abs(float((rest * (left - right)).sum())) < 1e-11


def test_loading_a_factored_layer(additive: ModuleType) -> None:
    layer, other = make(additive, "Factored"), make(additive, "Factored")
    target = other.dense_weight(1).detach()
    before = float((target - layer.dense_weight(1)).detach().norm())
    distance = layer.load_dense(1, target)
    assert distance < before
    assert math.isclose(
        distance, float((target - layer.dense_weight(1)).detach().norm()), rel_tol=1e-9
    )


@pytest.mark.parametrize("name", NAMES)
def test_basis_is_what_a_parameter_multiplies(additive: ModuleType, name: str) -> None:
    layer = make(additive, name, 1, 1)
    if layer.layout.mixing == "factored":
        return
    for block in layer.layout.blocks:
        if len(block.shape) > 1:
            continue
        basis, theta = layer.basis(block.degree), getattr(layer, block.name)
        assert len(basis) == layer.classes(block.degree)
        spelled = torch.einsum("m,m...->...", theta.flatten(), basis)
        with torch.no_grad():
            moving = layer.dense_weight(block.degree).reshape(spelled.shape)
            theta.zero_()
            fixed = layer.dense_weight(block.degree).reshape(spelled.shape)
        assert_equal(moving - fixed, spelled.detach())
        assert fixed.any() == block.affine


# Bounds.


def test_large_bases_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_basis(find("Sums"))
    monkeypatch.setattr("eqcompile.emit.served.BASIS_ENTRIES", 5)
    with pytest.raises(Refusal, match="2 classes of 4 coefficients that depend on each other"):
        refuse_basis(find("Sums"))
    refuse_basis(find("Plain"))


def test_factored_layers_have_no_fixed_part() -> None:
    def fix(tying: Tying) -> Tying:
        columns = find_kernel(sum_outputs(tying), tying.coefficients)
        return impose(tying, columns, [Fraction(1)] * tying.coefficients)

    problem = pose("S_3", (1,), mixing="factored", rank=1)
    with pytest.raises(Refusal, match="no product of parameters"):
        refuse_basis(solve_additive(problem, fix))
