"""The derivation of a layer: golden texts for unlike groups, and the numbers it states."""

from __future__ import annotations

import re
import time
from math import comb
from pathlib import Path

import pytest

from eqcompile.draw.channels import list_parameters
from eqcompile.draw.derivation import count_equalities, explain_layer, list_equalities
from eqcompile.draw.matrices import explain_matrix
from eqcompile.draw.ordered import find_relation
from eqcompile.layers.problem import Channels, Mixing
from eqcompile.solve.constraints import constrain
from eqcompile.solve.layer import solve_layer
from tests.draw.actions_drawn import ACTIONS, act, cyclic, pose_group, symmetric, tie, tie_group
from tests.draw.layers_drawn import compile_named, solve_named

GOLDEN = Path(__file__).parent / "golden"
CASES = {
    "s3": ("S_3", (0, 1, 2), 2, Channels(3)),
    "b2": ("B_2", (1, 2, 3), 1, Channels()),
    "grid": ("3x3 grid to scalar", (0, 1, 2), 1, Channels(10, "channelwise")),
    "mixed": ("mixed", (1,), 4, Channels(4, "depthwise")),
}


@pytest.mark.parametrize("case", CASES)
def test_golden_derivations(case: str) -> None:
    name, degrees, width, channels = CASES[case]
    solution = solve_named(name, *degrees, layer="Quad", width=width, channels=channels)
    text = explain_layer(solution)
    assert text == (GOLDEN / f"{case}.txt").read_text(encoding="utf-8")


def test_symmetric_group_prints_the_form_of_the_literature() -> None:
    for name in ("S_3", "S_5"):
        assert "    W = a I + b 11^T\n" in explain_layer(solve_named(name, 1))
    assert "    W = a I + b 11^T\n" not in explain_layer(solve_named("D_4", 1))
    assert explain_matrix(tie("B_3", 1)) == ["  W = a I"]
    assert explain_matrix(tie("S_4 to scalar", 1)) == ["  W = a 1^T"]
    assert explain_matrix(tie("S_4 to its sign", 1)) == ["  W = 0"]


def test_orbital_matrices_are_printed() -> None:
    assert explain_matrix(tie("D_4 twisted", 1))[-4:] == [
        "        [ .  1  . -1]",
        "  A_a = [ 1  . -1  .]",
        "        [ . -1  .  1]",
        "        [-1  .  1  .]",
    ]
    lines = explain_matrix(tie("S_4 to pairs", 1))
    assert lines[0] == "  W = a A_a + b A_b"
    assert lines[-6:] == [
        "        [1 1 . .]         [. . 1 1]",
        "        [1 . 1 .]         [. 1 . 1]",
        "  A_a = [1 . . 1]   A_b = [. 1 1 .]",
        "        [. 1 1 .]         [1 . . 1]",
        "        [. 1 . 1]         [1 . 1 .]",
        "        [. . 1 1]         [1 1 . .]",
    ]


@pytest.mark.parametrize("name", ACTIONS)
def test_counted_equalities_are_those_imposed(name: str) -> None:
    for degree in (0, 1, 2):
        constraints = constrain(tie(name, degree).ansatz)
        imposed = list(constraints.equalities())
        assert sum(map(count_equalities, constraints.moves)) == len(imposed)
        for move in constraints.moves:
            listed = list(list_equalities(move))
            said = {(e.left, e.right, e.sign) for e in imposed if e.cause == move.cause}
            assert {(e.left, e.right, e.sign) for e in listed} <= said
            both = [(frozenset((e.left, e.right)), e.sign) for e in listed]
            assert len(both) == len(set(both))
            assert set(both) == {(frozenset((left, right)), sign) for left, right, sign in said}


@pytest.mark.parametrize(("name", "n"), [("S_2", 2), ("S_3", 3), ("S_5", 5)])
def test_additive_relation_of_the_ordered_storage(name: str, n: int) -> None:
    """weights = classes + gauge + relations: 8 = 3+2+3, 27 = 4+9+14, 125 = 4+50+71."""
    text = explain_layer(solve_named(name, 2))
    gauge = n * comb(n, 2)
    classes = 3 if n == 2 else 4
    row = [2, n**3, classes, gauge, n**3 - classes - gauge, 4 if n == 2 else 5]
    assert row in [[int(w) for w in re.findall(r"\d+", line)] for line in text.splitlines()]
    assert "W[1; 0, 1] + W[1; 1, 0] = W[0; 0, 1] + W[0; 1, 0]" in text
    assert "the relation W^h_hk + W^h_kh = W^k_hk + W^k_kh for h = 0 and k = 1" in text
    assert "W[0; 0, 1] - W[0; 1, 0] multiplies zero" in text


@pytest.mark.parametrize("name", [n for n in ACTIONS if n not in ("S_1", "trivial")])
def test_the_relation_shown_holds_in_the_tying(name: str) -> None:
    tying = tie(name, 2)
    found = find_relation(tying)
    if found is None:
        assert 1 in (tying.ansatz.output.dim, tying.ansatz.inputs[0].dim)
        return
    labels, signs = tying.table()
    _, source, target, sign = found
    assert labels[source] == labels[target]
    assert signs[target] == sign * signs[source]
    mixed = (tying.ansatz.space.columns()[:, 0] != tying.ansatz.space.columns()[:, 1]).nonzero()[0]
    assert signs[source] != 0 or not signs[:, mixed].any()


def test_a_signed_relation_carries_its_sign() -> None:
    text = explain_layer(solve_named("S_2 twisted", 2))
    assert "W[1; 0, 1] + W[1; 1, 0] = -(W[0; 0, 1] + W[0; 1, 0])" in text
    assert "here the one equality w[1; 0, 1] = -w[0; 0, 1]" in text


@pytest.mark.parametrize("mixing", ["full", "channelwise", "depthwise", "factored"])
def test_parameters_are_those_of_the_plan(mixing: Mixing) -> None:
    channels = Channels(3, mixing, 2 if mixing == "factored" else None)
    solution = solve_named("S_3", 0, 1, 2, width=3, channels=channels)
    names = [p.name for p in list_parameters(solution)]
    text = explain_layer(solution)
    assert all(re.search(rf"^  {name} ", text, re.MULTILINE) for name in names)
    sizes = {p.name: p.size for p in list_parameters(solution)}
    expected = {
        "full": {"bias": 3, "weight_1": 18, "weight_2": 36, "weight_2_11": 45},
        "channelwise": {"bias": 3, "weight_1": 18, "weight_2": 36},
        "depthwise": {"bias": 3, "weight_1": 6, "weight_2": 12},
        "factored": {
            "bias": 3,
            **{"weight_1": 4, "factor_1_1": 6, "mix_1": 6},
            **{"weight_2": 10, "factor_2_1": 6, "factor_2_2": 6, "mix_2": 6},
        },
    }
    assert sizes == expected[mixing]
    assert f"{sum(sizes.values())} numbers in all" in text


def test_many_channels_get_an_advice() -> None:
    advice = "consider mixing: factored"
    assert advice in explain_layer(solve_named("S_3", 2, width=65))
    assert advice not in explain_layer(solve_named("S_3", 2, width=64))
    assert advice not in explain_layer(solve_named("S_3", 1, width=65))


def test_forms_plan_and_proof_are_told() -> None:
    choice, proofs = compile_named("S_3", 0, 1, 2)
    text = explain_layer(solve_named("S_3", 0, 1, 2), choice, proofs)
    assert f"Chosen: {choice.form}, the cheapest" in text
    for cost in choice.costs:
        assert re.search(rf"^  {cost.form} ", text, re.MULTILINE)
    for line in str(choice.plan).splitlines():
        assert f"    {line}\n" in text
    assert re.search(r"^  2 +components, burnside +18 +4 +0 +6$", text, re.MULTILINE)
    assert re.search(r"^  1,1 +components, burnside +27 +5 +0 +6$", text, re.MULTILINE)
    assert "coefficient by coefficient" in text
    assert "The Triton kernels evaluate the plan of the form lifted" in text


@pytest.mark.parametrize("name", ACTIONS)
def test_derivations_keep_to_the_page(name: str) -> None:
    text = explain_layer(solve_named(name, 0, 1, 2))
    assert max(map(len, text.splitlines())) <= 100
    assert not any(line != line.rstrip() for line in text.splitlines())
    assert "\x1f" not in text


def test_outputs_that_vanish_are_named() -> None:
    text = explain_layer(solve_named("odd and even", 0, 1))
    assert "    y_0 = 0\n\n    y_1 = a\n" in text
    assert "    y_0 = a * x_0\n\n    y_1 = 0\n" in text


def test_cut_formulas_say_what_they_leave_out() -> None:
    text = explain_layer(solve_named("mixed", 2))
    assert "(10 more; `eqcompile inspect` draws them)" in text
    assert "and 28 classes of other outputs" in text


def test_large_layers_are_explained_fast() -> None:
    for group, degree in ((symmetric(100), 3), (cyclic(1000), 2), (symmetric(50), 2)):
        problem = pose_group(group, act(group), [degree], layer="Big")
        solution = solve_layer(problem, blocks=False)
        start = time.process_time()
        text = explain_layer(solution)
        assert time.process_time() - start < 5
        assert max(map(len, text.splitlines())) <= 100
    assert "d * sum of products of two different others" in text
    assert tie_group(symmetric(50), 2).classes == 4
