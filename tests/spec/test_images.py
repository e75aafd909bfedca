"""Actions of layers over matrix and Lie groups: inputs by name, images of both kinds, scopes."""

from __future__ import annotations

from typing import Any

import pytest

from eqcompile.errors import SpecError
from eqcompile.exact.matrices import Matrix
from eqcompile.spec import load
from eqcompile.spec.actions import LayerActions
from tests.actions.linear import sign
from tests.spec.cases import read_actions

SHEAR = [[1, 1], [0, 1]]
TURN = [[0, -1], [1, 0]]


def load_actions(layer: dict[str, Any], **sections: Any) -> LayerActions:
    entry = {"name": "L", "input": "V", "output": "V", "degree": 1, **layer}
    return read_actions(load({"version": 1, "package": "nets", "layers": [entry], **sections}))


def test_inputs_keep_their_names_and_their_order() -> None:
    lone = load_actions({"group": {"lie": "so", "n": 3}})
    assert [name for name, _ in lone.inputs] == ["x"]
    layer = {
        "group": {"lie": "so", "n": 3},
        "input": {"y": "irrep(2)", "a": "V", "points": {"lie_algebra": [[[0]], [[0]]]}},
        "degrees": [{"y": 1, "a": 1}],
    }
    entry = {"name": "L", "output": "V", **layer}
    actions = read_actions(load({"version": 1, "package": "nets", "layers": [entry]}))
    assert [(name, action.dim) for name, action in actions.inputs] == [
        ("y", 5),
        ("a", 3),
        ("points", 1),
    ]
    assert actions.output.algebra == actions.group.algebra


def test_images_of_both_kinds() -> None:
    images = {"matrices": [[[1, 0], [0, -1]]], "lie_algebra": [[[0, "-2"], ["4/2", 0]]]}
    actions = load_actions({"group": {"lie": "o", "n": 2}, "output": images})
    assert actions.output.images == (sign([0, 1], [1, -1]),)
    assert actions.output.algebra == (Matrix.from_dense([[0, -2], [2, 0]]),)
    assert actions.output.scope == ""


def test_a_kind_the_group_lacks_may_be_missing_or_empty() -> None:
    only = {"lie_algebra": [[[0]]]}
    for images in (only, {**only, "matrices": []}):
        assert load_actions({"group": {"lie": "so", "n": 2}, "output": images}).output.dim == 1
    only = {"matrices": [[[-1]]]}
    for images in (only, {**only, "lie_algebra": []}):
        assert load_actions({"group": {"cyclic": 2}, "output": images}).output.dim == 1


def test_signed_matrices_become_signed_permutations() -> None:
    actions = load_actions({"group": {"cyclic": 4}, "output": {"matrices": [TURN]}})
    assert actions.output.images == (sign([1, 0], [1, -1]),)
    actions = load_actions({"group": {"matrices": [TURN]}, "output": [[1, 2, 3, 0]]})
    assert actions.output.dim == 4


def test_input_and_output_side_by_side() -> None:
    """As the cases are given: the group acts on both, each of them is a block of it."""
    both = {"n": 3, "entries": [[0, 1, -1], [1, 0, 1], [2, 2, "cos(pi/7)"]]}
    layer = {
        "group": {"matrices": [both]},
        "input": {"matrices": [TURN]},
        "output": {"matrices": [[["cos(pi/7)"]]]},
    }
    actions = load_actions(layer)
    assert actions.output.scope == ""
    assert [action.dim for _, action in actions.inputs] == [2]


def test_the_scope_of_a_check_is_carried_along() -> None:
    group = {"matrices": [SHEAR]}
    twice = {"of": group, "matrices": [[[1, 2], [0, 1]]]}
    actions = load_actions(
        {"group": group, "input": "V + 1", "output": "Sym(Twice, 2) + V"},
        representations={"Twice": twice},
    )
    assert actions.output.scope == "words up to length 8"
    assert actions.inputs[0][1].scope == ""


def test_named_representations_belong_to_one_algebra() -> None:
    named = {"Plane": {"of": {"lie": "so", "n": 2}, "lie_algebra": [[[0, -3], [3, 0]]]}}
    layer = {"group": {"lie": "so", "n": 2}, "output": "Plane * V"}
    assert load_actions(layer, representations=named).output.dim == 4
    layer["group"] = {"lie_algebra": [[[0, -2], [2, 0]]]}
    with pytest.raises(SpecError, match="'Plane' is a representation of SO\\(2\\)") as caught:
        load_actions(layer, representations=named)
    assert [d.rule for d in caught.value.diagnostics] == ["other-group"]


def test_scalars_of_a_layer_lie_in_one_field() -> None:
    factors = [{"matrices": [[[f"cos(2*pi/{n})"]]]} for n in (89, 97)]
    group = {"product": {"factors": factors, "on": "union"}}
    with pytest.raises(SpecError, match="conductor 8633"):
        load_actions({"group": group})
    # Either number alone is served.
    assert load_actions({"group": factors[0]}).group.dim == 1
