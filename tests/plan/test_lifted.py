"""The lifted form means what the ansatz means, for every action, and a spoiled table is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from eqcompile.errors import CertificateError, Refusal
from eqcompile.exact.signed import SignedPermutation
from eqcompile.layers.problem import LayerProblem, Mixing
from eqcompile.plan import proof
from eqcompile.plan.differentiate import differentiate
from eqcompile.plan.forms import choose, refuse_large
from eqcompile.plan.ir import Map, Plan, Table
from eqcompile.plan.lifted import Cosets, find_cosets
from eqcompile.plan.lowering import lower
from eqcompile.plan.meaning import pick_channels
from eqcompile.plan.proof import compare_at_point, compare_polynomials, prove_kernels
from eqcompile.plan.transposes import check_transpose
from eqcompile.solve.layer import LayerSolution, solve_layer
from eqcompile.solve.tying import OutputOrbit
from tests.actions_of import SMALL, Generators, make_problem, permute, scalar, symmetric

MIXINGS: tuple[Mixing, ...] = ("full", "channelwise", "depthwise", "factored")


def sign(perm: Sequence[int], signs: Sequence[int]) -> SignedPermutation:
    return SignedPermutation(np.array(perm), np.array(signs))


MINUS = SignedPermutation(np.array([0]), np.array([-1]))

ACTIONS: dict[str, tuple[Generators, Generators]] = {
    **SMALL,
    "an output that arrives negated": ([permute(1, 0, 2)], [sign([1, 0, 2], [-1, -1, 1])]),
    "the sign of S_3": (symmetric(3), [MINUS, SignedPermutation.identity(1)]),
    "two orbits of unlike size": (symmetric(3), [permute(1, 0, 2, 3), permute(1, 2, 0, 3)]),
    "least points apart": ([permute(2, 3, 0, 1)], [permute(3, 1, 2, 0)]),
    "no group": (scalar(1), [SignedPermutation.identity(3)]),
    "an orbit without classes": (
        [sign([0, 1], [1, 1])],
        [sign([0, 1, 2], [1, -1, 1])],
    ),
}


def solve_action(
    name: str, degrees: Sequence[int], mixing: Mixing = "full", form: str = "auto"
) -> LayerSolution:
    rank = 2 if mixing == "factored" else None
    channels = (2, 2)
    return solve_layer(
        make_problem(
            *ACTIONS[name], degrees, channels=channels, mixing=mixing, rank=rank, form=form
        )
    )


@pytest.mark.parametrize("mixing", MIXINGS)
@pytest.mark.parametrize("name", ACTIONS)
def test_the_lifted_plan_is_the_ansatz(name: str, mixing: Mixing) -> None:
    """In both ways of comparing, and with both derivatives the transposes they should be."""
    solution = solve_action(name, [0, 1, 2, 3], mixing)
    plan, channels = lower(solution, "lifted"), pick_channels(solution.problem)
    compare_at_point(solution, plan, channels, 0)
    if mixing != "factored":
        compare_polynomials(solution, plan, channels)
    backward = differentiate(plan, "grad_")
    check_transpose(plan, backward, "grad_", channels, 0)
    check_transpose(backward, differentiate(backward, "hat_"), "hat_", channels, 0)


@pytest.mark.parametrize("degree", [0, 1, 2, 4])
def test_a_lone_degree(degree: int) -> None:
    solution = solve_action("C_2 with fixed points", [degree])
    compare_at_point(solution, lower(solution, "lifted"), pick_channels(solution.problem), 0)


@pytest.mark.parametrize("name", ACTIONS)
def test_cosets_are_the_walk_of_the_tying(name: str) -> None:
    """The elements move the monomials of degree 1 as those that carry the classes do."""
    solution = solve_action(name, [1])
    tying = solution.tying((1,))
    for orbit in tying.orbits:
        cosets = find_cosets(solution.problem, orbit)
        assert cosets.outputs.tolist() == sorted(orbit.outputs.tolist())
        place = {k: g for g, k in enumerate(cosets.outputs.tolist())}
        for k, moved, turn in tying.carry(orbit):
            assert cosets.inputs[0][place[k]].tolist() == moved.perm.tolist()
            assert cosets.input_signs[0][place[k]].tolist() == moved.signs.tolist()
            assert cosets.output_signs[place[k]] == turn


def test_a_plan_gathers_and_places_once_per_orbit() -> None:
    """Degrees share the gathered input, and their sum is placed."""
    plan = lower(solve_action("C_2 with fixed points", [0, 1, 2], "channelwise"), "lifted")
    maps = [op.table for op in plan.ops if isinstance(op, Map)]
    used = [t for t in maps if t.startswith(("cosets", "place"))]
    assert sorted(used) == ["cosets_0", "cosets_1", "place_0", "place_1"]


def test_one_unsigned_orbit_needs_no_placing() -> None:
    plan = lower(solve_action("S_3", [0, 1, 2]), "lifted")
    assert not any(t.name.startswith("place") for t in plan.tables)
    assert "[b c k j] = map %0 by cosets_0: i -> k j" in str(plan)


def test_weights_are_those_of_one_output() -> None:
    """Of size n^d, not n^(d + 1): the point of the form."""
    plan = lower(solve_action("S_3", [2], "channelwise"), "lifted")
    assert [t.height for t in plan.tables if t.name == "lifted_2_0" and isinstance(t, Table)] == [6]


def test_a_block_without_classes_has_no_part_at_a_point() -> None:
    """A factored degree without classes has maps among its parameters that no plan reads."""
    solution = solve_action("B_2", [1, 2, 3], "factored")
    assert 0 in [b.tying.classes for b in solution.parameter_blocks()]
    compare_at_point(solution, lower(solution, "lifted"), pick_channels(solution.problem), 0)


def test_many_orbits_are_not_lifted() -> None:
    identity = [SignedPermutation.identity(33)]
    problem = make_problem(identity, identity, [1])
    reason = "lifted needs 33 orbits of outputs, more than 32"
    assert refuse_large(problem) == {"lifted": reason}
    choice = choose(solve_layer(problem))
    assert [c.refused for c in choice.costs] == ["", "", reason]
    with pytest.raises(Refusal, match=reason):
        refuse_large(replace(problem, form="lifted"))
    assert prove_kernels(solve_layer(problem)).proof.method == "polynomial"


@pytest.mark.parametrize("mixing", MIXINGS)
@pytest.mark.parametrize("name", ACTIONS)
def test_small_layers_are_not_lifted_unasked(name: str, mixing: Mixing) -> None:
    assert choose(solve_action(name, [0, 1, 2], mixing)).form != "lifted"


@pytest.mark.parametrize(("channels", "chosen"), [(64, "dense"), (512, "lifted")])
def test_lifting_pays_where_channels_outnumber_the_batch(channels: int, chosen: str) -> None:
    """A gathered linear layer has fewer numbers than its weights have then."""
    points = symmetric(16)
    problem = make_problem(points, points, [1], channels=(channels, channels))
    assert choose(solve_layer(problem)).form == chosen


def test_much_is_gathered_only_where_a_spec_asks() -> None:
    """Pairs of 128 channels, 16 x 256 monomials, 256 rows: 34 GB in float32."""
    points = symmetric(16)
    problem = make_problem(points, points, [2], channels=(128, 128))
    count = 256 * (128 * 127 // 2) * 16 * 256
    reason = f"lifted needs {count} gathered features at batch 256, more than {2**26}"
    assert refuse_large(problem) == {"lifted": reason}
    assert refuse_large(replace(problem, form="lifted")) == {}
    factored = make_problem(points, points, [2], channels=(128, 1), mixing="factored", rank=4)
    assert refuse_large(factored) == {}


def swap_elements(table: Table) -> Table:
    """Exchange what the first two elements gather."""
    columns, n = table.columns.copy(), table.width
    columns[:n], columns[n : 2 * n] = table.columns[n : 2 * n], table.columns[:n]
    return replace(table, columns=columns)


def flip(table: Table) -> Table:
    numerators = table.numerators.copy()
    numerators[0] *= -1
    return replace(table, numerators=numerators)


MUTANTS: list[tuple[str, str, Callable[[Table], Table]]] = [
    ("S_3", "cosets_0", swap_elements),
    ("S_3", "cosets_0", flip),
    ("S_3", "lifted_2_0", flip),
    ("S_3", "lifted_2_11_0", flip),
    ("B_2", "cosets_0", swap_elements),
    ("an output that arrives negated", "place_0", flip),
    ("C_2 with fixed points", "place_1", flip),
    ("C_2 with fixed points", "cosets_1", swap_elements),
]


@pytest.mark.parametrize("terms", [0, 10**6], ids=["points", "polynomials"])
@pytest.mark.parametrize(("name", "spoiled", "spoil"), MUTANTS)
def test_a_spoiled_table_of_the_kernels_is_refused(
    name: str,
    spoiled: str,
    spoil: Callable[[Table], Table],
    terms: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lower_wrongly(solution: LayerSolution, form: str) -> Plan:
        plan = lower(solution, form)
        tables = []
        for table in plan.tables:
            wrong = isinstance(table, Table) and table.name == spoiled
            tables.append(spoil(table) if wrong and isinstance(table, Table) else table)
        assert tuple(tables) != plan.tables
        return replace(plan, tables=tuple(tables))

    solution = solve_action(name, [0, 1, 2])
    monkeypatch.setattr(proof, "EXACT_TERMS", terms)
    assert prove_kernels(solution).proof.points == (0 if terms else proof.SAMPLES)
    monkeypatch.setattr(proof, "lower", lower_wrongly)
    with pytest.raises(CertificateError, match="differs from the ansatz"):
        prove_kernels(solution)


def test_an_inverse_element_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mixed convention: input gathered by the inverse has right shapes and wrong values."""

    def invert(problem: LayerProblem, orbit: OutputOrbit) -> Cosets:
        found = find_cosets(problem, orbit)
        return replace(found, inputs=tuple(np.argsort(moved, axis=1) for moved in found.inputs))

    solution = solve_action("C_4", [2])
    monkeypatch.setattr("eqcompile.plan.lifted.find_cosets", invert)
    with pytest.raises(CertificateError):
        prove_kernels(solution)
