"""Plans of layers with several inputs mean what the ansatz means, in every form and mixing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eqcompile.errors import CertificateError, Refusal
from eqcompile.exact.monomials import list_product_tuples
from eqcompile.layers.problem import Mixing
from eqcompile.plan import proof
from eqcompile.plan.differentiate import differentiate
from eqcompile.plan.forms import choose, count_arguments, refuse_large
from eqcompile.plan.ir import ChannelTuples, Input, Table
from eqcompile.plan.lifted import find_cosets
from eqcompile.plan.lowering import FORMS, lower
from eqcompile.plan.meaning import pick_channels
from eqcompile.plan.proof import compare_at_point, compare_polynomials, prove_plan
from eqcompile.plan.sources import count_channels, list_sources, spell_shape
from eqcompile.plan.transposes import check_transpose
from eqcompile.solve.layer import LayerSolution, solve_layer
from tests.actions_of import SEVERAL, list_degrees, make_several

MIXINGS: tuple[Mixing, ...] = ("full", "channelwise", "depthwise", "factored")


def solve_several(
    name: str, highest: int, mixing: Mixing = "full", form: str = "auto"
) -> LayerSolution:
    degrees = list_degrees(len(SEVERAL[name][0]), highest)
    rank = 2 if mixing == "factored" else None
    problem = make_several(name, degrees, channels=2, mixing=mixing, rank=rank, form=form)
    return solve_layer(problem)


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("mixing", MIXINGS)
@pytest.mark.parametrize("name", SEVERAL)
def test_plans_are_proven(name: str, mixing: Mixing, form: str) -> None:
    solution = solve_several(name, 2, mixing, form)
    choice = choose(solution)
    assert choice.form == form
    prove_plan(solution, choice)


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("name", ["S_3 on two", "C_2 unlike", "a turn and its square"])
def test_both_methods_of_proof_agree(name: str, form: str) -> None:
    """Three factors, some of them in one input: coefficient by coefficient, and at a point."""
    degrees = [d for d in list_degrees(len(SEVERAL[name][0]), 3) if sum(d) == 3]
    solution = solve_layer(make_several(name, degrees))
    plan, channels = lower(solution, form), pick_channels(solution.problem)
    compare_polynomials(solution, plan, channels)
    compare_at_point(solution, plan, channels, 0)
    backward = differentiate(plan, "grad_")
    check_transpose(plan, backward, "grad_", channels, 0)
    check_transpose(backward, differentiate(backward, "hat_"), "hat_", channels, 0)


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("mixing", MIXINGS)
def test_exchanged_inputs_are_noticed(form: str, mixing: Mixing) -> None:
    """Two inputs of one size: a plan that takes one for the other is refused."""
    solution = solve_several("S_3 on two", 2, mixing, form)
    plan, channels = lower(solution, form), pick_channels(solution.problem)
    names = {"in_x": "in_y", "in_y": "in_x"}
    ops = tuple(
        replace(op, name=names.get(op.name, op.name)) if isinstance(op, Input) else op
        for op in plan.ops
    )
    with pytest.raises(CertificateError):
        compare_at_point(solution, replace(plan, ops=ops), channels, 0)


@pytest.mark.parametrize("form", list(FORMS))
def test_a_spoiled_table_is_refused(form: str) -> None:
    solution = solve_several("C_2 unlike", 2, "channelwise", form)
    plan, channels = lower(solution, form), pick_channels(solution.problem)
    spoiled = 0
    for place, table in enumerate(plan.tables):
        if not isinstance(table, Table) or table.width < 2 or not len(table.columns):
            continue
        columns = table.columns.copy()
        columns[0] = (columns[0] + 1) % table.width
        tables = list(plan.tables)
        tables[place] = replace(table, columns=columns)
        with pytest.raises(CertificateError):
            compare_at_point(solution, replace(plan, tables=tuple(tables)), channels, 0)
        spoiled += 1
    assert spoiled >= 6


def test_arguments_are_called_apart_from_everything() -> None:
    """An input y beside the output y, an input called like a weight."""
    solution = solve_several("S_3 on two", 1)
    plan = lower(solution, "dense")
    names = [op.name for op in plan.inputs()]
    assert names == ["in_x", "in_y", "bias", "weight_x1", "weight_y1"]
    backward = differentiate(plan, "grad_")
    outputs = [name for name, _ in backward.outputs]
    assert "grad_in_y" in outputs
    assert "grad_y" not in outputs


def test_channels_of_each_input_have_a_word() -> None:
    problem = make_several("S_3 on two", [(1, 1)], widths=(3, 5), channels=4)
    assert count_channels(problem, 7) == {"batch": 7, "in_x": 3, "in_y": 5, "out": 4, "rank": 1}
    assert [s.axes for s in list_sources(problem)] == [("b", "c_x", "i_x"), ("b", "c_y", "i_y")]
    deep = make_several("S_3 on two", [(1, 1)], channels=2, mixing="depthwise")
    assert count_channels(deep, 7) == {"batch": 7, "in": 2, "out": 2, "rank": 1}
    assert [s.axes for s in list_sources(deep)] == [("b", "c", "i_x"), ("b", "c", "i_y")]


def test_tuples_run_over_all_channels_of_all_inputs() -> None:
    """The first input slowest, each in its own order."""
    shape = ((1, 1), (), (1,))
    assert list_product_tuples(shape, [3, 9, 2]) == (
        *((0, 1, 0), (0, 1, 1), (0, 2, 0), (0, 2, 1)),
        *((1, 2, 0), (1, 2, 1)),
    )
    tuples = ChannelTuples(shape, ("in_x", "in_y", "in_z"))
    counts = {"in_x": 3, "in_y": 9, "in_z": 2}
    assert tuples.count(counts) == len(tuples.list_all(counts)) == 6
    assert str(tuples) == "tuples:1,1;;1"
    assert spell_shape(shape) == (1, 1, 1, "of", 0, 0, 2)


def test_depthwise_layers_need_no_tuples() -> None:
    plan = lower(solve_several("S_3 on two", 2, "depthwise"), "dense")
    assert all(isinstance(table, Table) for table in plan.tables)


def test_every_input_is_gathered_by_one_element() -> None:
    """The element of an output moves all inputs at once, as the generators do."""
    solution = solve_several("C_2 unlike", 1)
    (first, *_) = solution.parameter_blocks()
    for orbit in first.tying.orbits:
        cosets = find_cosets(solution.problem, orbit)
        assert [part.shape[1] for part in cosets.inputs] == [4, 3]
        for place, output in enumerate(cosets.outputs.tolist()):
            moved = output != int(cosets.outputs[0])
            assert (cosets.inputs[0][place].tolist() == [1, 0, 2, 3]) == moved
            assert (cosets.inputs[1][place].tolist() == [0, 2, 1]) == moved


def test_arguments_are_counted() -> None:
    problem = make_several("S_3 on two", [(0, 0), (1, 1), (2, 1)], mixing="factored", rank=2)
    assert count_arguments(problem) == 2 + 1 + (1 + 2 + 1) + (1 + 3 + 1)
    many = make_several("B_2 on three", list_degrees(3, 4))
    with pytest.raises(Refusal, match="at most 53 are served"):
        refuse_large(many)


def test_the_largest_degree_is_that_of_most_index_tuples(monkeypatch: pytest.MonkeyPatch) -> None:
    from eqcompile.plan import features

    monkeypatch.setattr(features, "EXPANDED_SLOTS", 3 * 3 * 3 * 3 - 1)
    problem = make_several("C_2 unlike", [(0, 3), (1, 1)], mixing="channelwise")
    assert refuse_large(problem)["dense"].startswith("dense needs 81 ")


def test_proofs_at_random_points_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    solution = solve_several("S_3 on two", 2)
    monkeypatch.setattr(proof, "EXACT_TERMS", 0)
    found = prove_plan(solution, choose(solution))
    assert found.method == "random points"
    assert dict(found.channels)["in_x"] == dict(found.channels)["in_y"] == 2
    assert np.prod([count for _, count in found.channels]) > 0
