"""Several inputs: from the spec to the problem, and the names of what belongs to a degree."""

from __future__ import annotations

from typing import Any

import pytest

from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import SignedPermutation
from eqcompile.layers.problem import (
    LayerProblem,
    flatten_shape,
    keep_degree,
    number_factors,
    split_degree,
)
from eqcompile.layers.split import split_generators
from eqcompile.spec.inputs import name_block
from tests.actions_of import SEVERAL, list_degrees, make_several
from tests.layers.test_polynomial import resolve_layer


def resolve_pair(**changes: Any) -> LayerProblem:
    return resolve_layer(**{"input": {"x": "V", "y": "Alt(V, 2)"}, **changes})


def test_inputs_are_in_the_order_of_the_spec() -> None:
    problem = resolve_pair(channels={"in": {"y": 1, "x": 8}, "out": 4})
    assert [given.name for given in problem.inputs] == ["x", "y"]
    assert [given.channels for given in problem.inputs] == [8, 1]
    assert [given.action.dim for given in problem.inputs] == [4, 6]
    assert problem.channels.outputs == 4
    assert problem.spell_inputs() == "x: V, y: Alt(V, 2)"


def test_a_number_of_channels_is_that_of_every_input() -> None:
    assert [i.channels for i in resolve_pair(channels={"in": 3}).inputs] == [3, 3]
    assert [i.channels for i in resolve_pair(channels={"in": {"x": 3}}).inputs] == [3, 1]
    assert [i.channels for i in resolve_pair().inputs] == [1, 1]


def test_a_number_is_a_total_degree() -> None:
    assert resolve_pair(degree=2).degrees == ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
    assert resolve_pair(degree=None, degrees=[1]).degrees == ((1, 0), (0, 1))
    mixed = resolve_pair(degree=None, degrees=[{"x": 2}, {"y": 1, "x": 1}, {"y": 1}, 0])
    assert mixed.degrees == ((0, 0), (0, 1), (2, 0), (1, 1))
    assert resolve_pair(degree=2).degrees == tuple(list_degrees(2, 2))


def test_a_degree_said_in_two_ways_is_there_once() -> None:
    assert resolve_pair(degree=None, degrees=[1, {"x": 1}, {"x": 1, "y": 0}]).degrees == (
        (1, 0),
        (0, 1),
    )


def test_a_lone_input_may_have_a_name() -> None:
    problem = resolve_layer(input={"u": "V"}, degree=None, degrees=[{"u": 2}, 1])
    assert (problem.inputs[0].name, problem.degrees) == ("u", ((1,), (2,)))
    assert problem.spell_degree((2,)) == "2"
    assert problem.name_weight((2,), ((1, 1),)) == "weight_2_11"
    assert resolve_layer(degree=None, degrees=[{"x": 2}]).degrees == ((2,),)


def test_keys_list_every_input() -> None:
    problem = resolve_pair(degree=2)
    assert [problem.spell_degree(d) for d in problem.degrees][3:5] == ["x:2,y:0", "x:1,y:1"]
    assert problem.key_by_input([8, 1]) == {"x": 8, "y": 1}


@pytest.mark.parametrize(
    ("shape", "name"),
    [
        (((), ()), "bias"),
        (((1,), (1,)), "x1_y1"),
        (((2,), ()), "x2"),
        (((1, 1), ()), "x2_11"),
        (((1, 1), (1,)), "x2_y1_11_1"),
        (((2,), (1, 1)), "x2_y2_2_11"),
        (((), (2, 1)), "y3_21"),
    ],
)
def test_names_of_blocks(shape: tuple[tuple[int, ...], ...], name: str) -> None:
    assert name_block(["x", "y"], shape) == name
    problem = make_several("S_3 on two", [tuple(map(sum, shape))])
    weight = name if name == "bias" else f"weight_{name}"
    assert problem.name_weight(problem.degrees[0], shape) == weight


def test_names_of_factored_degrees() -> None:
    problem = make_several("S_3 on two", [(1, 1)], mixing="factored", rank=2)
    assert problem.name_weight((1, 1), ((1,), (1,))) == "weight_x1_y1"
    assert problem.name_maps((2, 1)) == ("factor_x2_y1_1", "factor_x2_y1_2", "factor_x2_y1_3")
    assert problem.name_mix((2, 0)) == "mix_x2"


def test_shapes_and_factors() -> None:
    shape = ((2, 1), (), (1,))
    assert flatten_shape(shape) == (2, 1, 1)
    assert number_factors(shape) == (0, 0, 2)
    assert keep_degree((3, 0, 1)) == ((3,), (), (1,))
    assert split_degree((3, 0, 1)) == ((1, 1, 1), (), (1,))
    problem = make_several("B_2 on three", [(3, 0, 1)])
    assert [given.name for given in problem.list_factors(shape)] == ["a", "a", "c"]
    assert len(problem.block_shapes((3, 2, 1))) == 3 * 2 * 1


@pytest.mark.parametrize("name", SEVERAL)
def test_every_name_is_there_once(name: str) -> None:
    count = len(SEVERAL[name][0])
    problem = make_several(name, list_degrees(count, 3))
    blocks = [(d, s) for d in problem.degrees for s in problem.block_shapes(d)]
    names = [problem.name_weight(d, s) for d, s in blocks]
    assert len(set(names)) == len(names)


def test_the_output_is_not_called_like_an_input() -> None:
    assert make_several("S_3 and its sign", [(1, 0)]).letter == "y"
    assert make_several("S_3 on two", [(1, 0)]).letter == "f"
    assert resolve_layer(input={"y": "V", "f": "V", "z": "V", "out": "V"}).letter not in "yfz"


def test_generators_are_split_by_what_they_do_everywhere() -> None:
    """A turn by 120 degrees is a permutation of three corners, and no signed one of the plane."""
    turn = {"matrices": [[["-1/2", "-sqrt(3)/2"], ["sqrt(3)/2", "-1/2"]], [[1, 0], [0, -1]]]}
    problem = resolve_layer(
        group={"permutations": [[1, 2, 0], [0, 2, 1]], "n": 3},
        input={"corner": "V", "plane": turn},
        degree=None,
        degrees=[{"corner": 1, "plane": 1}],
    )
    assert problem.labels == ("(1 2)",)
    (generator,) = problem.linear
    assert (generator.cause, generator.infinitesimal) == ("(0 1 2)", False)
    assert generator.inputs[0] == Matrix.from_signed(SignedPermutation.unsigned([1, 2, 0]))
    assert [len(given.action.images) for given in problem.inputs] == [1, 1]


def test_without_signed_generators_there_is_the_identity() -> None:
    problem = resolve_layer(group={"lie": "so", "n": 3}, input={"x": "V", "y": "V"}, degree=1)
    assert problem.labels == ("identity",)
    assert all(action.images[0].is_identity for action in (problem.output,))
    assert all(generator.infinitesimal for generator in problem.linear)
    assert {len(generator.inputs) for generator in problem.linear} == {2}


def test_a_signed_generator_keeps_the_scales_of_coordinates() -> None:
    """In coordinates of unlike scales an exchange is no permutation of those of the layer."""
    from fractions import Fraction

    from eqcompile.actions.group import Group, Representation

    swap = SignedPermutation.unsigned([1, 0])
    group = Group("C_2", (swap,), ("swap",))
    for squares, signed in (
        ((), 1),
        ((Fraction(3), Fraction(3)), 1),
        ((Fraction(3), Fraction(1)), 0),
    ):
        action = Representation("V", 2, (swap,), squares=squares)
        split = split_generators(group, [action], action)
        assert len(split.linear) == 1 - signed
        assert split.labels == (("swap",) if signed else ("identity",))
