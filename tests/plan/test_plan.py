"""Plans mean what the ansatz means, whatever the form, mixing, degree or group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from eqcompile.errors import CertificateError, Refusal
from eqcompile.layers.problem import Mixing
from eqcompile.plan import features, proof
from eqcompile.plan.build import PlanBuilder, verify
from eqcompile.plan.differentiate import differentiate
from eqcompile.plan.evaluate import evaluate, modular
from eqcompile.plan.features import count_orderings
from eqcompile.plan.forms import Choice, choose, count_arguments, refuse_large
from eqcompile.plan.ir import ChannelTable, Map, Plan, Table
from eqcompile.plan.lowering import FORMS, lower
from eqcompile.plan.meaning import PRIME, list_terms, pick_channels
from eqcompile.plan.proof import compare_at_point, compare_polynomials, prove_plan
from eqcompile.plan.transposes import check_transpose, draw_inputs
from eqcompile.solve.layer import LayerSolution, solve_layer
from eqcompile.spec.unserved import SERVED_FORMS
from tests.actions_of import SMALL, make_problem, symmetric

MIXINGS: tuple[Mixing, ...] = ("full", "channelwise", "depthwise", "factored")


def solve_small(
    name: str, degrees: list[int], mixing: Mixing = "full", form: str = "auto"
) -> LayerSolution:
    inputs, outputs = SMALL[name]
    problem = make_problem(
        inputs,
        outputs,
        degrees,
        channels=(2, 2),
        mixing=mixing,
        rank=2 if mixing == "factored" else None,
        form=form,
    )
    return solve_layer(problem)


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("mixing", MIXINGS)
@pytest.mark.parametrize("name", ["S_3", "B_2", "C_2 with fixed points", "C_4 rotating the plane"])
def test_plans_are_proven(name: str, mixing: Mixing, form: str) -> None:
    choice = choose(solve_small(name, [0, 1, 2, 3], mixing, form))
    assert choice.form == form
    assert prove_plan(solve_small(name, [0, 1, 2, 3], mixing), choice).prime == PRIME


def test_specs_may_ask_for_every_form() -> None:
    assert set(SERVED_FORMS) == {"auto", *FORMS}


def test_degree_four_is_proven() -> None:
    solution = solve_small("B_2", [4])
    for form in FORMS:
        compare_polynomials(solution, lower(solution, form), pick_channels(solution.problem))


def test_both_methods_of_proof_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    solution = solve_small("S_3", [1, 2])
    choice = choose(solution)
    assert prove_plan(solution, choice).method == "polynomial"
    monkeypatch.setattr(proof, "EXACT_TERMS", 0)
    assert prove_plan(solution, choice).method == "random points"


def swap_sign(table: Table) -> Table:
    numerators = table.numerators.copy()
    numerators[-1] *= -1
    return replace(table, numerators=numerators)


def shift_column(table: Table) -> Table:
    columns = table.columns.copy()
    columns[0] = (columns[0] + 1) % table.width
    return replace(table, columns=columns)


@pytest.mark.parametrize("spoil", [swap_sign, shift_column])
@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize(
    "compare", [compare_polynomials, lambda s, p, c: compare_at_point(s, p, c, 0)]
)
def test_a_spoiled_table_is_refused(
    spoil: Callable[[Table], Table],
    position: int,
    compare: Callable[[LayerSolution, Plan, dict[str, int]], None],
) -> None:
    solution = solve_small("S_3", [0, 1, 2])
    plan = lower(solution, "monomial")
    places = [i for i, t in enumerate(plan.tables) if isinstance(t, Table) and t.width > 1]
    tables = list(plan.tables)
    table = tables[places[position]]
    assert isinstance(table, Table)
    tables[places[position]] = spoil(table)
    with pytest.raises(CertificateError):
        compare(solution, replace(plan, tables=tuple(tables)), pick_channels(solution.problem))


def test_a_wrong_derivative_is_refused() -> None:
    solution = solve_small("S_3", [0, 1, 2])
    choice = choose(solution)
    channels = pick_channels(solution.problem)
    check_transpose(choice.plan, choice.backward, "grad_", channels, 0)
    lost = replace(
        choice.backward, outputs=tuple(o for o in choice.backward.outputs if o[0] != "grad_x")
    )
    with pytest.raises(CertificateError, match="transpose"):
        check_transpose(choice.plan, lost, "grad_", channels, 0)


def test_third_derivatives_are_transposes_too() -> None:
    """The IR is closed under differentiation: one more derivative needs no new op."""
    solution = solve_small("B_2", [1, 2, 3])
    channels = pick_channels(solution.problem)
    double = choose(solution).double
    check_transpose(double, differentiate(double, "third_"), "third_", channels, 0)


def test_a_block_without_classes_has_no_part() -> None:
    solution = solve_small("parity odd", [1, 2])
    plan = lower(solution, "monomial")
    values = draw_inputs(plan, pick_channels(solution.problem), 0)
    assert "weight_2" in values
    assert solution.tying((2,)).classes + solution.tying((1,)).classes > 0


def test_terms_of_the_ansatz_are_counted() -> None:
    """S_3 at degrees 0 and 1, two channels to one: 3 constants and 2 x 9 products."""
    solution = solve_small("S_3", [0, 1])
    assert len(list(list_terms(solution, {"batch": 1, "in": 2, "out": 1, "rank": 1}))) == 3 + 18


def test_forms_beyond_the_bound_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "EXPANDED_SLOTS", 20)
    solution = solve_small("S_3", [2], "channelwise")
    choice = choose(solution)
    assert choice.form == "monomial"
    assert [bool(c.refused) for c in choice.costs] == [True, False, False]
    with pytest.raises(Refusal, match="too large to emit: dense needs 27 expanded weights"):
        choose(solve_small("S_3", [2], "channelwise", "dense"))


def test_the_cheaper_form_wins() -> None:
    """With channels the monomials are fewer than the ordered products; alone, dense is cheaper."""
    wide = make_problem(symmetric(16), symmetric(16), [2], channels=(16, 16), mixing="channelwise")
    thin = make_problem(symmetric(4), symmetric(4), [2])
    assert [choose(solve_layer(p)).form for p in (wide, thin)] == ["monomial", "dense"]


def test_a_printed_plan_is_stable() -> None:
    solution = solve_small("S_3", [0, 2], "channelwise")
    assert str(lower(solution, "monomial")) == (
        "%0: [b c i] = input x\n"
        "%1: [o mbias] = input bias\n"
        "%2: [o k] = map %1 by classes_bias: mbias -> k\n"
        "%3: [o c m2] = input weight_2\n"
        "%4: [b c t2_0] = map %0 by monomial_2_0: i -> t2_0\n"
        "%5: [b c t2_0] = map %0 by monomial_2_1: i -> t2_0\n"
        "%6: [b c t2_0] = contract %4 %5\n"
        "%7: [o c k t2_0] = map %3 by classes_2: m2 -> k t2_0\n"
        "%8: [b o k] = contract %7 %6\n"
        "%9: [b o k] = add %2 %8\n"
        "return y = %9"
    )


def test_malformed_plans_are_refused() -> None:
    builder = PlanBuilder({"b": "batch", "i": 3, "t": 2})
    x = builder.input("x", ("b", "i"))
    with pytest.raises(ValueError, match="which only one factor has"):
        verify(builder.finish([("y", builder.contract(x, builder.input("z", ("b",)), ("b",)))]))
    ones = np.ones(2, dtype=np.int64)
    table = Table("pick", ("monomial", 1, 0), 2, 4, np.arange(2), np.arange(2), ones, ones)
    other = PlanBuilder({"b": "batch", "i": 3, "t": 2})
    value = other.map(other.input("x", ("b", "i")), other.declare(table), ("i",), ("t",))
    with pytest.raises(ValueError, match=r"2 x 4, not \[2, 3\]"):
        other.finish([("y", value)])
    with pytest.raises(ValueError, match="two different tables"):
        other.declare(replace(table, width=5))
    with pytest.raises(ValueError, match="axis i is 3"):
        other.size("i", 4)


def test_values_are_computed_once() -> None:
    builder = PlanBuilder({"b": "batch", "i": 3})
    x = builder.input("x", ("b", "i"))
    assert builder.contract(x, x, ("b", "i")) == builder.contract(x, x, ("b", "i"))
    unused = builder.rename(x, ("b", "i"))
    assert unused == x
    plan = builder.finish([("y", builder.contract(x, x, ("b",)))])
    assert len(plan.ops) == 2
    result = evaluate(plan, {"x": np.array([[1, 2, 3]])}, modular(7), {"batch": 1})
    assert result["y"].tolist() == [0]


def test_wrong_input_shapes_are_refused() -> None:
    solution = solve_small("S_3", [1])
    plan = lower(solution, "dense")
    channels = pick_channels(solution.problem)
    inputs = draw_inputs(plan, channels, 0)
    inputs["x"] = inputs["x"][..., :2]
    with pytest.raises(ValueError, match="x has shape"):
        evaluate(plan, inputs, modular(PRIME), channels)


def test_orderings_are_multinomials() -> None:
    tuples = np.array([[0, 0, 0, 1], [0, 1, 2, 3], [0, 0, 1, 1], [2, 2, 2, 2]])
    assert count_orderings(tuples).tolist() == [4, 24, 6, 1]


def test_choices_are_values() -> None:
    first, second = (choose(solve_small("S_3", [0, 1, 2])) for _ in range(2))
    assert isinstance(first, Choice)
    assert first == second
    assert hash(first) == hash(second)
    assert any(isinstance(op, Map) for op in first.plan.ops)
    assert any(isinstance(t, ChannelTable) for t in first.plan.tables)


@pytest.mark.parametrize(
    ("mixing", "expected"), [("full", 1 + 12), ("channelwise", 6), ("factored", 20)]
)
def test_arguments_are_counted(mixing: Mixing, expected: int) -> None:
    """Degrees 0..4: partitions 1+1+2+3+5; one per degree; two more maps per degree and its mix."""
    solution = solve_small("B_2", [0, 1, 2, 3, 4], mixing)
    assert count_arguments(solution.problem) == expected
    names = {op.name for op in lower(solution, "dense").inputs()}
    assert len(names) <= expected


def test_too_many_parameters_are_refused() -> None:
    inputs, outputs = SMALL["B_2"]
    with pytest.raises(Refusal, match="has 67 parameters, one per multiplicity of channels"):
        refuse_large(make_problem(inputs, outputs, list(range(9))))
