"""Diagrams and derivations of layers with several inputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eqcompile.draw.derivation import explain_layer
from eqcompile.draw.formats import FORMATS
from eqcompile.draw.scope import open_scope
from eqcompile.draw.text import draw_text
from eqcompile.draw.words import describe_classes
from eqcompile.exact.signed import SignedPermutation
from eqcompile.layers.problem import Degree, Shape, keep_degree
from eqcompile.plan.forms import choose
from eqcompile.solve.ansatz import expand
from eqcompile.solve.constraints import constrain
from eqcompile.solve.layer import LayerSolution, solve_layer
from eqcompile.solve.solver import solve
from eqcompile.solve.tying import Tying
from tests.actions_of import (
    SEVERAL,
    Generators,
    list_degrees,
    make_problem_of_several,
    make_several,
    permute,
    scalar,
    symmetric,
)
from tests.draw.test_words import assert_words_are_true

GOLDEN = Path(__file__).parent / "golden" / "pair.txt"


def tie_several(name: str, degree: Degree, shape: Shape | None = None) -> Tying:
    problem = make_several(name, [degree])
    return solve(constrain(expand(problem, shape or keep_degree(degree))))


def solve_pair() -> LayerSolution:
    return solve_layer(make_several("S_3 and its sign", list_degrees(2, 2), name="Pair"))


@pytest.mark.parametrize("name", SEVERAL)
def test_words_are_the_class_at_every_output(name: str) -> None:
    """Also where indices of unlike inputs run in step, or one input is longer than the other."""
    for degree in list_degrees(len(SEVERAL[name][0]), 3):
        problem = make_several(name, [degree])
        for shape in problem.block_shapes(degree):
            tying = tie_several(name, degree, shape)
            assert assert_words_are_true(tying) >= tying.classes


def test_words_name_the_input() -> None:
    texts = [w.text for w in describe_classes(tie_several("S_3 on two", (1, 1)))]
    assert texts == [
        "x_k y_k",
        "x_k * sum of the others y",
        "y_k * sum of the others x",
        "sum of x_i y_i over i among the others",
        "sum of x_i y_j over different i, j among the others",
    ]
    (alone,) = describe_classes(tie_several("S_3 and its sign", (0, 2)))
    assert (alone.head, alone.text) == ("y_k", "s_0^2")
    assert [w.text for w in describe_classes(tie_several("S_3 on two", (0, 1)))] == [
        "y_k",
        "sum of the others y",
    ]


def tie_pair(x: Generators, y: Generators, outputs: Generators) -> Tying:
    problem = make_problem_of_several({"x": (x, 1), "y": (y, 1)}, outputs, [(1, 1)])
    return solve(constrain(expand(problem, ((1,), (1,)))))


def test_all_of_a_shorter_input_is_said() -> None:
    """Four components of x, three of y: all of y is not all of x."""
    tying = tie_pair([SignedPermutation.identity(4)] * 2, symmetric(3), scalar(2))
    assert describe_classes(tying)[1].text == "x_1 * sum of all y"


def test_unlike_inputs_are_not_read_in_step() -> None:
    """The sum of x_i y_i over all i is true at one output; at the other it is x_i y_{i+2}."""
    turn, still = permute(1, 2, 3, 0), SignedPermutation.identity(4)
    tying = tie_pair([turn, still], [turn, turn @ turn], [permute(0, 1), permute(1, 0)])
    first = describe_classes(tying)[0]
    assert (first.head, first.text) == ("f_0", "sum of x_i y_i over all i")
    (orbit,) = tying.orbits
    assert open_scope(tying, orbit).kinds == (0, 1)
    assert assert_words_are_true(tying) == tying.classes == 4


def test_two_inputs_are_drawn_as_a_square() -> None:
    text = draw_text(tie_several("S_3 on two", (1, 1)))
    assert text.splitlines()[0] == "degree 2 (x: 1, y: 1): 27 slots, 5 classes, 0 zeros"
    assert text.splitlines()[2].split() == ["f_0", "f_1", "f_2"]


@pytest.mark.parametrize(
    ("shape", "title", "note"),
    [
        (((1, 1), ()), "degree 2 in channels of degrees (1, 1)", "channels of the input"),
        (((1, 1), (1,)), "degree 3 (x0: 1, x1: 1, y: 1)", "x0, x1 are different channels of one"),
        (((2,), (1,)), "degree 3 (x: 2, y: 1)", ""),
        (((2,), ()), "degree 2 (x: 2)", ""),
    ],
)
def test_titles_say_which_input(shape: Shape, title: str, note: str) -> None:
    text = draw_text(tie_several("S_3 on two", tuple(map(sum, shape)), shape))
    assert text.startswith(title + ":")
    assert note in text
    assert ("different channels" in text) == bool(note)


@pytest.mark.parametrize("form", ["text", "svg", "html", "dot", "json"])
def test_every_format_draws_every_degree(form: str) -> None:
    solution = solve_pair()
    whole = FORMATS[form]([solution], None)
    assert "s_0" in whole or form in ("dot", "json")
    one = FORMATS[form]([solution], "x:1,s:1")
    assert 0 < len(one) < len(whole)
    assert FORMATS[form]([solution], "x:9,s:9") != one


def test_json_has_keys_by_input() -> None:
    (layer,) = json.loads(FORMATS["json"]([solve_pair()], None))["layers"]
    assert layer["input"] == {"x": "V", "s": "W"}
    assert list(layer["degrees"]) == [
        "x:0,s:0",
        "x:1,s:0",
        "x:0,s:1",
        "x:2,s:0",
        "x:1,s:1",
        "x:0,s:2",
    ]
    entry = layer["degrees"]["x:1,s:1"]
    assert (entry["degree"], entry["shape"], entry["names"]) == (2, [1, 1], ["x", "s"])
    assert entry["inputs"] == [3, 1]
    assert entry["classes"][0]["representative"]["slot"] == "w[0; x.1, s.0]"


def test_the_derivation_names_inputs(update_golden: bool) -> None:
    solution = solve_pair()
    text = explain_layer(solution, choose(solution))
    if update_golden:
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= 100
