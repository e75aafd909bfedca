"""Emitted programs compute what their plans mean, and nothing they return is shared."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from eqcompile.emit import lookups
from eqcompile.emit.lookups import list_lookups
from eqcompile.emit.spelling import check_digest, check_identifier, spell_call
from eqcompile.emit.torch_code import Result, render_function
from eqcompile.layers.problem import LayerProblem, Mixing
from eqcompile.plan.build import PlanBuilder
from eqcompile.plan.evaluate import Ring, evaluate, resolve_size
from eqcompile.plan.ir import Plan
from eqcompile.plan.lowering import FORMS
from tests.emit.problems import emit_layer, install, make, pose

FLOATS = Ring("floats", float, lambda values: values, lambda n, d: n / d)

MIXINGS: tuple[Mixing, ...] = ("full", "channelwise", "depthwise", "factored")


def list_problems() -> list[LayerProblem]:
    actions = ["S_3", "turning the plane", "C_2 with fixed points", "S_3 to scalar"]
    return [
        pose(
            action,
            (0, 1, 2, 3),
            mixing=mixing,
            inputs=2,
            outputs=2,
            rank=2 if mixing == "factored" else None,
            form=form,
            name=f"{form.title()}{mixing.title()}{j}",
        )
        for j, action in enumerate(actions)
        for mixing in MIXINGS
        for form in FORMS
    ]


PROBLEMS = list_problems()


@pytest.fixture(scope="module", params=["matrix", "fold"])
def programs(request: pytest.FixtureRequest, packages: Path) -> ModuleType:
    """All problems, once with small tables as matrices and once folded."""
    before = lookups.MATRIX_ENTRIES
    lookups.MATRIX_ENTRIES = before if request.param == "matrix" else 0
    try:
        return install(packages, f"programs_{request.param}", PROBLEMS)
    finally:
        lookups.MATRIX_ENTRIES = before


def list_tables(layer: Any) -> list[torch.Tensor]:
    count = sum(1 + len(lk.widths) for lk in layer.layout.lookups if lk.kind == "fold")
    count += sum(lk.kind == "gather" for lk in layer.layout.lookups)
    sizes = layer._table_sizes
    return [*layer._indices.split(sizes[:count]), *layer._coefficients.split(sizes[count:])]


def draw(plan: Plan, channels: dict[str, int]) -> dict[str, torch.Tensor]:
    sizes = {axis: resolve_size(size, channels) for axis, size in plan.sizes}
    return {
        op.name: torch.randint(-3, 4, [sizes[a] for a in op.axes]).double() for op in plan.inputs()
    }


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
@pytest.mark.parametrize("batch", [0, 3])
def test_programs_are_their_plans(programs: ModuleType, problem: LayerProblem, batch: int) -> None:
    layer, emitted = make(programs, problem.name), emit_layer(problem)
    code = __import__(f"{programs.__name__}.programs", fromlist=["*"])
    channels = {"batch": batch, "in": 2, "out": 2, "rank": 2}
    weights = layer.layout.operators.tensors
    shapes = dict(layer.named_parameters())
    gradients = [f"grad_{n}" for n in weights]
    cases = [
        (emitted.forward, "forward", list(weights), ["y"]),
        (emitted.backward, "backward", ["grad_y", *weights], gradients),
        (
            emitted.double,
            "double_backward",
            [f"hat_{g}" for g in gradients] + ["grad_y", *weights],
            ["hat_grad_y", *(f"hat_{n}" for n in weights)],
        ),
    ]
    for plan, word, arguments, results in cases:
        values = draw(plan, channels)
        for name in arguments:
            # What the plan does not read still has its place.
            like = shapes.get(name.removeprefix("hat_").removeprefix("grad_"))
            values.setdefault(name, torch.zeros(()) if like is None else torch.ones_like(like))
        found = getattr(code, f"{word}_{problem.name}")(
            *(values[n] for n in arguments), list_tables(layer)
        )
        found = dict(zip(results, found if isinstance(found, tuple) else (found,), strict=True))
        arrays = {n: values[n].detach().numpy() for n in values}
        expected = evaluate(plan, arrays, FLOATS, channels)
        assert set(expected) <= set(results)
        for name, value in found.items():
            wanted = expected.get(name, np.zeros(value.shape))
            np.testing.assert_allclose(value.detach().numpy(), wanted, rtol=1e-12, atol=1e-9)
            assert all(value.data_ptr() != v.data_ptr() for v in values.values() if v.numel())


def run_text(text: str, name: str) -> Any:
    scope: dict[str, Any] = {"torch": torch, "Tensor": torch.Tensor, "contract": torch.einsum}
    code = compile("from __future__ import annotations\n" + text, "<emitted>", "exec")
    exec(code, scope)
    return scope[name]


def small_plan() -> tuple[PlanBuilder, int, int]:
    builder = PlanBuilder()
    builder.size("b", "batch")
    for axis in ("i", "j"):
        builder.size(axis, 3)
    return builder, builder.input("x", ("b", "i")), builder.input("w", ("i",))


def test_results_that_are_arguments_are_copied() -> None:
    builder, x, w = small_plan()
    spread = builder.add([w], ("b", "i"))
    renamed = builder.rename(x, ("b", "j"))
    plan = builder.finish([("p", spread), ("q", renamed), ("r", x)])
    results = [Result(n, "x") for n in ("p", "q", "r", "s")]
    axes = [("x", ("b", "i")), ("w", ("i",))]
    text = render_function("f", plan, {}, arguments=axes, results=results, summary="Test.")
    x_value, w_value = torch.randn(2, 3), torch.randn(3)
    p, q, r, s = run_text(text, "f")(x_value, w_value, [])
    assert torch.equal(p, w_value.expand(2, 3))
    assert torch.equal(q, x_value)
    assert torch.equal(s, torch.zeros(2, 3))
    storages = {t.untyped_storage().data_ptr() for t in (p, q, r, s, x_value, w_value)}
    assert len(storages) == 6


def test_flags_leave_out_what_is_not_needed() -> None:
    builder, x, w = small_plan()
    shared = builder.contract(x, w, ("b", "i"))
    plan = builder.finish([("p", builder.contract(shared, x, ("b", "i"))), ("q", shared)])
    results = [Result("p", "x", "x"), Result("q", "x", "w"), Result("t", "w", "w")]
    axes = [("x", ("b", "i")), ("w", ("i",))]
    text = render_function("f", plan, {}, arguments=axes, results=results, summary="Test.")
    function = run_text(text, "f")
    x_value, w_value = torch.randn(2, 3), torch.randn(3)
    p, q, t = function(x_value, w_value, [], True, False)
    assert torch.allclose(p, x_value**2 * w_value)
    assert q.shape == t.shape == (0,)
    p, q, t = function(x_value, w_value, [], False, True)
    assert p.shape == (0,)
    assert torch.allclose(q, x_value * w_value)
    assert torch.equal(t, torch.zeros(3))


def test_matrix_products_are_spelled_as_such() -> None:
    builder, x, _ = small_plan()
    builder.size("o", 4)
    m, n = builder.input("m", ("i", "o")), builder.input("n", ("o", "i"))
    first, second = (builder.contract(x, v, ("b", "o")) for v in (m, n))
    plan = builder.finish([("p", first), ("q", second)])
    axes = [("x", ("b", "i")), ("m", ("i", "o")), ("n", ("o", "i"))]
    results = [Result("p", "x"), Result("q", "x")]
    text = render_function("f", plan, {}, arguments=axes, results=results, summary="Test.")
    assert "x @ m " in text
    assert "x @ n.mT " in text
    values = [torch.randn(2, 3), torch.randn(3, 4), torch.randn(4, 3)]
    p, q = run_text(text, "f")(*values, [])
    assert torch.allclose(p, values[0] @ values[1])
    assert torch.allclose(q, values[0] @ values[2].T)


def test_lookups_are_listed_once() -> None:
    layer = emit_layer(pose("S_3", (2,)))
    found = list_lookups((layer.forward, layer.backward, layer.double))
    names = [lookup.name for lookup in found.values()]
    assert len(set(names)) == len(names)
    assert all(
        name.endswith("_transposed") == flip for (_, flip), name in zip(found, names, strict=True)
    )


@pytest.mark.parametrize("name", ["class", "_x", "a-b", "é", "x\n", "", "1x", "x'; import os"])
def test_unsafe_names_never_reach_code(name: str) -> None:
    with pytest.raises(ValueError, match="is not a name"):
        check_identifier(name)


@pytest.mark.parametrize("text", ["", "a\nb", 'a"b', "a b"])
def test_unsafe_digests_never_reach_code(text: str) -> None:
    with pytest.raises(ValueError, match="is not a digest"):
        check_digest(text)


def test_long_calls_are_broken() -> None:
    assert spell_call("f(", ["a", "b"]) == "f(a, b)"
    assert spell_call("f(", ["a" * 60, "b" * 60]) == f"f(\n    {'a' * 60},\n    {'b' * 60},\n)"
