"""Layers whose coefficients depend on each other, as modules of torch."""

from __future__ import annotations

import copy
import pickle
import warnings
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, jvp, vmap

from eqcompile.driver import refuse_empty
from eqcompile.emit.variance import block_variance, factored_variance
from eqcompile.errors import Refusal
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import freeze
from eqcompile.solve.basis import Basis
from eqcompile.solve.tying import OutputOrbit, Tying
from tests.emit.additive import (
    NAMES,
    assert_equal,
    draw,
    find,
    impose,
    install_solutions,
    solve_additive,
)
from tests.emit.problems import make, pose, solve_posed

# Forward-mode AD and the compiler import what torch itself still scripts.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit.script"),
    pytest.mark.filterwarnings("ignore:.*no equivariant polynomial of degree"),
]


# The fixed part in a module.


def test_the_state_holds_parameters_and_fixed_parts(additive: ModuleType) -> None:
    layer = make(additive, "Sums")
    shapes = {name: tuple(t.shape) for name, t in layer.state_dict().items()}
    assert shapes == {
        "bias": (2, 0),
        "weight_1": (2, 2, 1),
        "weight_2": (2, 2, 2),
        "weight_2_11": (2, 1, 3),
        "offset_weight_1": (2,),
    }
    assert layer.offset_weight_1.tolist() == [0, 0.5]
    assert list(make(additive, "Spin").state_dict()) == ["weight_1", "weight_2", "weight_2_11"]
    assert [n for n, _ in layer.named_parameters() if "offset" in n] == []


def test_the_fixed_part_moves_with_the_layer(additive: ModuleType, packages: Path) -> None:
    third = Fraction(1, 3)

    def solve(tying: Tying) -> Tying:
        return impose(tying, [], [third] * tying.coefficients)

    solution = solve_additive(pose("S_3", (1,), name="Third"), solve)
    package = install_solutions(packages, "thirds", [solution])
    layer = package.Third()
    assert layer.offset_weight_1.dtype == torch.float32
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        layer.to(dtype)
        exact = torch.full((2,), 1 / 3, dtype=torch.float64).to(dtype)
        assert torch.equal(layer.offset_weight_1, exact), dtype
        x = torch.ones(1, 1, 3, dtype=dtype)
        torch.testing.assert_close(layer(x), x)
    meta = package.Third(device="meta")
    assert meta.offset_weight_1.is_meta
    assert meta(torch.ones(2, 1, 3, device="meta")).shape == (2, 1, 3)
    meta.to_empty(device="cpu")
    assert torch.equal(meta.offset_weight_1, torch.full((2,), 1 / 3))
    with torch.device("meta"):
        assert package.Third().offset_weight_1.is_meta


def test_states_are_loaded(additive: ModuleType) -> None:
    layer, other = make(additive, "Sums"), make(additive, "Sums")
    x = draw(layer)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x), layer(x))
    half = copy.deepcopy(layer).half()
    other.load_state_dict(half.state_dict())
    assert other.offset_weight_1.dtype == torch.float64
    empty = additive.Sums(device="meta")
    empty.load_state_dict(layer.state_dict(), assign=True)
    assert torch.equal(empty(x), layer(x))


def test_states_of_other_constraints_are_refused(additive: ModuleType) -> None:
    layer = make(additive, "Sums")
    state = layer.state_dict()
    state["offset_weight_1"] = state["offset_weight_1"] + 1e-6
    with pytest.raises(RuntimeError, match="offset_weight_1 is fixed by the constraints of Sums"):
        layer.load_state_dict(state)
    assert layer.offset_weight_1.tolist() == [0, 0.5]
    assert additive.Sums().offset_weight_1.tolist() == [0, 0.5]
    del state["offset_weight_1"]
    with pytest.raises(RuntimeError, match="Missing key"):
        layer.load_state_dict(state)
    layer.load_state_dict(state, strict=False)


def test_a_layer_without_parameters(additive: ModuleType) -> None:
    """What is demanded leaves one layer: it is allowed, and no degree of it is called empty."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer = additive.Given()
    assert layer.weight_1.shape == (3, 2, 0)
    x = torch.randn(4, 2, 3)
    y = layer(x)
    assert torch.equal(y[:, :2], x)
    assert not y[:, 2].any()
    refuse_empty(find("Given"))
    with pytest.raises(Refusal, match="no equivariant polynomial"):
        refuse_empty(solve_additive(pose("S_3", (1,)), lambda tying: impose(tying, [])))


# Initial variance.


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("Cat", "Given")])
def test_initial_variance(additive: ModuleType, name: str) -> None:
    """Variance over the input of what is not fixed, averaged over 2000 draws: 1 within 3 %."""
    cls, total, draws = getattr(additive, name), 0.0, 2000
    channels = (4, 4) if name == "Depth" else (3, 4)
    layer = cls(*channels, dtype=torch.float64)
    layer.requires_grad_(False)
    x = draw(layer, 4000)
    for parameter in layer.parameters():
        parameter.zero_()
    fixed = layer(x)
    names = list(dict(layer.named_parameters()))
    states = []
    for _ in range(draws):
        layer.reset_parameters()
        states.append([p.clone() for p in layer.parameters()])
    for first in range(0, draws, 20):
        part = [torch.stack(p) for p in zip(*states[first : first + 20], strict=True)]
        sample = x[torch.randint(len(x), (400,))]
        fixed = layer_without_parameters(layer, names, sample)
        evaluate = partial(call_layer, layer, names, sample)
        total += float((vmap(evaluate)(*part) - fixed).var(1).mean()) * 20 / draws
    # Products of many draws have heavy tails.
    assert abs(total - 1) < (0.1 if name == "Factored" else 0.03), total


def call_layer(layer: Any, names: list[str], x: Tensor, *parameters: Tensor) -> Any:
    return functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))


def layer_without_parameters(layer: Any, names: list[str], x: Tensor) -> Any:
    return call_layer(layer, names, x, *(torch.zeros_like(p) for p in layer.parameters()))


@pytest.mark.parametrize("below", [0, 3])
def test_variance_of_a_basis_that_says_nothing(below: int) -> None:
    """The basis of all units, and any other basis of the same space, have the exact variance."""
    factored = solve_posed(pose("B_2", (1, 3), mixing="factored", rank=1))
    full = solve_posed(pose("S_3", (1, 2, 3), inputs=2))
    for tying in (block.tying for block in (*factored.blocks, *full.blocks)):
        count = tying.coefficients
        entries = [(i, j, below if i > j else 1) for i in range(count) for j in range(i + 1)]
        matrix = Matrix.from_entries(count, count, entries)
        changed = replace(tying, basis=Basis(matrix, freeze(list(range(count)))))
        assert float(block_variance(changed)) == pytest.approx(float(block_variance(tying)))
        if set(tying.ansatz.shape) == {1}:
            pairs = zip(factored_variance(changed), factored_variance(tying), strict=True)
            for found, expected in pairs:
                assert float(found) == pytest.approx(float(expected), abs=1e-12)


@pytest.mark.parametrize("action", ["S_3", "B_2", "C_2 with fixed points"])
def test_variance_of_one_sum(action: str) -> None:
    """A basis of one column of ones says what one class of all slots says, exactly."""
    posed = [pose(action, (1, 2, 3)), pose(action, (3,), mixing="factored", rank=1)]
    for block in (b for problem in posed for b in solve_posed(problem).blocks):
        tying = block.tying
        if not tying.coefficients:
            continue
        column = Matrix.from_dense([[1]] * tying.coefficients, 1)
        summed = replace(tying, basis=Basis(column, freeze([0])))
        merged = replace(tying, orbits=tuple(merge_labels(o) for o in tying.orbits))
        assert merged.coefficients == 1
        assert float(block_variance(summed)) == pytest.approx(float(block_variance(merged)))
        if set(tying.ansatz.shape) == {1}:
            pairs = zip(factored_variance(summed), factored_variance(merged), strict=True)
            for found, expected in pairs:
                assert float(found) == pytest.approx(float(expected), abs=1e-12)


def merge_labels(orbit: OutputOrbit) -> OutputOrbit:
    return replace(orbit, labels=freeze([min(label, 0) for label in orbit.labels.tolist()]))


def test_variance_is_rounded() -> None:
    """What floats make of it must not move a build."""
    for name in ("Fifth", "Harmonic", "Sums"):
        for block in find(name).blocks:
            if block.tying.ansatz.degree and block.tying.classes:
                digits = block_variance(block.tying)
                assert digits == Fraction(f"{float(digits):.8e}")


# In torch.


@pytest.mark.parametrize("name", ["Sums", "Fifth", "Spin", "Factored", "Depth"])
def test_derivatives(additive: ModuleType, name: str) -> None:
    layer = make(additive, name)
    names = list(dict(layer.named_parameters()))

    def evaluate(x: Tensor, *parameters: Tensor) -> Any:
        return call_layer(layer, names, x, *parameters)

    arguments = (draw(layer, 2).requires_grad_(), *layer.parameters())
    assert torch.autograd.gradcheck(evaluate, arguments)
    assert torch.autograd.gradgradcheck(evaluate, arguments, fast_mode=True)
    tangents = tuple(torch.randn_like(a) for a in arguments)
    found = jvp(evaluate, tuple(a.detach() for a in arguments), tangents)[1]
    step = 1e-6
    ends = [
        evaluate(*(a.detach() + s * step * t for a, t in zip(arguments, tangents, strict=True)))
        for s in (1, -1)
    ]
    torch.testing.assert_close(found, (ends[0] - ends[1]) / (2 * step), rtol=1e-6, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Sums", "Harmonic"])
def test_compiled_and_exported(additive: ModuleType, name: str) -> None:
    layer = make(additive, name)
    x = draw(layer)
    compiled: Any = torch.compile(layer, fullgraph=True)
    assert_equal(compiled(x), layer(x))
    expected = torch.autograd.grad(layer(x).pow(2).sum(), list(layer.parameters()))
    found = torch.autograd.grad(compiled(x).pow(2).sum(), list(layer.parameters()))
    assert_equal(found, expected)
    exported = torch.export.export(layer, (x,))
    assert_equal(exported.module()(x), layer(x))


def test_copies(additive: ModuleType) -> None:
    layer = make(additive, "Sums")
    x = draw(layer)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x), layer(x))
        assert torch.equal(other.offset_weight_1, layer.offset_weight_1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_narrow_numbers(additive: ModuleType, dtype: torch.dtype) -> None:
    """Coefficients are made in float32, whatever the parameters are and autocast says."""
    for name in ("Sums", "Harmonic"):
        layer = make(additive, name)
        x = draw(layer).to(dtype)
        narrow = copy.deepcopy(layer).to(dtype)
        for parameter, other in zip(layer.parameters(), narrow.parameters(), strict=True):
            parameter.data.copy_(other)
        expected = layer(x.double())
        tolerance: Any = {
            "rtol": 0,
            "atol": 8 * torch.finfo(dtype).eps * float(expected.detach().abs().max()),
        }
        torch.testing.assert_close(narrow(x).double(), expected, **tolerance)
        wide = copy.deepcopy(layer).float()
        with torch.autocast("cpu", dtype=dtype):
            coefficients = wide.coefficients(wide.layout.degrees[-1])
            found = wide(x.float())
        assert found.dtype == dtype
        torch.testing.assert_close(found.double(), expected, **tolerance)
        exact = layer.coefficients(layer.layout.degrees[-1])
        torch.testing.assert_close(coefficients.double(), exact, rtol=1e-5, atol=1e-6)
