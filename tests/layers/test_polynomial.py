"""From a loaded spec to layer problems, and the registry of layer families."""

from __future__ import annotations

import time
from typing import Any

import pytest

from eqcompile.actions.group import Representation
from eqcompile.errors import SpecError
from eqcompile.exact.monomials import list_channel_tuples, partitions
from eqcompile.layers.polynomial import resolve
from eqcompile.layers.problem import Channels, LayerProblem
from eqcompile.spec import bounds, load
from eqcompile.spec.model import FORMS
from eqcompile.spec.unserved import SERVED_FORMS

LAYER: dict[str, Any] = {
    "name": "Quad",
    "group": {"symmetric": 4},
    "input": "V",
    "output": "V",
    "degree": 2,
}


def resolve_layer(**changes: Any) -> LayerProblem:
    layer = {key: value for key, value in {**LAYER, **changes}.items() if value is not None}
    (problem,) = resolve(load({"version": 1, "package": "nets", "layers": [layer]}))
    return problem


def load_action(group: dict[str, Any]) -> Representation:
    """Return the defining action of a group, as the spec has it."""
    spec = load(
        {"version": 1, "package": "nets", "layers": [{**LAYER, "group": group, "degree": 0}]}
    )
    ((_, _, actions),) = spec.list_polynomial()
    return actions.output


def refuse_layer(**changes: Any) -> str:
    with pytest.raises(SpecError) as caught:
        resolve_layer(**changes)
    (found,) = caught.value.diagnostics
    return found.rule


def test_a_layer_becomes_a_problem() -> None:
    spec = load(
        {
            "version": 1,
            "package": "nets",
            "layers": [
                {**LAYER, "channels": {"in": 3, "out": 2, "mixing": "factored", "rank": 5}},
                {**LAYER, "name": "Last", "degree": 0, "output": "V + 1", "form": "dense"},
            ],
            "emit": {"dtype": "bfloat16"},
        }
    )
    quad, last = resolve(spec)
    assert (quad.name, quad.degrees, quad.form, quad.dtype) == (
        "Quad",
        ((0,), (1,), (2,)),
        "auto",
        "bfloat16",
    )
    assert (quad.inputs[0].channels, quad.channels) == (3, Channels(2, "factored", 5))
    assert (quad.group.name, quad.inputs[0].action.dim, quad.output.dim) == ("S_4", 4, 4)
    assert (last.degrees, last.form, last.output.dim) == (((0,),), "dense", 5)
    assert last.channels == Channels()


def test_degrees_are_listed_in_increasing_order() -> None:
    assert resolve_layer(degree=None, degrees=[3, 0, 2]).degrees == ((0,), (2,), (3,))


def test_images_are_in_the_order_of_the_generators() -> None:
    problem = resolve_layer(output=[[1, 0], [1, 0]])
    assert [list(image.perm) for image in problem.output.images] == [[1, 0], [1, 0]]
    assert list(problem.inputs[0].action.images[1].perm) == [1, 2, 3, 0]


def test_sizes_at_the_edge_of_what_is_served() -> None:
    """The sizes the issue asks for load in no time, a step beyond them is refused as promptly."""
    start = time.process_time()
    assert resolve_layer(group={"symmetric": 100}, degree=3).inputs[0].action.dim == 100
    assert resolve_layer(group={"symmetric": 1000}).inputs[0].action.dim == 1000
    assert resolve_layer(group={"cyclic": 1000}).inputs[0].action.dim == 1000
    assert refuse_layer(group={"symmetric": 1000}, degree=3) == "too-large"
    assert refuse_layer(group={"trivial": 1000}) == "too-large"
    assert refuse_layer(group={"symmetric": 5001}) == "too-large"
    assert refuse_layer(input="Sym(V, 64)") == "too-large"
    assert refuse_layer(input="V ** 7", degree=12) == "too-large"
    assert refuse_layer(channels={"in": 60000}) == "too-large"
    assert refuse_layer(channels={"in": 60000, "mixing": "full"}, degree=12) == "too-large"
    wide = resolve_layer(channels={"in": 60000, "mixing": "channelwise"})
    assert wide.inputs[0].channels == 60000
    assert time.process_time() - start < 5


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("degree", [0, 1, 2, 3, 4])
def test_channel_tuples_are_counted_as_they_are_listed(channels: int, degree: int) -> None:
    for shape in partitions(degree):
        listed = len(list_channel_tuples(shape, channels))
        assert bounds._count_tuples(shape, channels) == listed


def test_orbits_of_outputs_are_counted() -> None:
    for entry, count in (({"symmetric": 5}, 1), ({"trivial": 5}, 5), ({"cyclic": 6}, 1)):
        assert bounds.count_orbits(load_action(entry)) == count
    reversal = {"permutations": [list(range(99, -1, -1))]}
    assert bounds.count_orbits(load_action(reversal)) == 50
    two = {"product": {"factors": [{"cyclic": 3}, {"cyclic": 4}], "on": "union"}}
    assert bounds.count_orbits(load_action(two)) == 2


def test_served_forms_are_forms() -> None:
    assert set(SERVED_FORMS) <= set(FORMS)


def test_what_is_not_served_never_becomes_a_problem() -> None:
    assert refuse_layer(form="orbital") == "not-yet-served"
    assert refuse_layer(form="spectral") == "not-yet-served"
