"""Groups over neurons: every parameter a tie allows is what the group demands, and no other is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eqcompile.actions.group import Representation
from eqcompile.actions.tied_rows import follow_rows
from eqcompile.exact.signed import SignedPermutation
from eqcompile.layers.parameterised import ParameterisedProblem, resolve_parameterised
from eqcompile.spec import load
from eqcompile.spec.neurons import NeuronActions
from tests.layers.tied import Floats, draw, list_allowed, list_demanded, take_images

VALID = Path(__file__).parent.parent / "spec" / "valid" / "parameterised.yaml"
TURN = {"matrices": [[["cos(pi/3)", "-sin(pi/3)"], ["sin(pi/3)", "cos(pi/3)"]]]}
IRREP = {"matrices": [[[1, 0], [0, -1]], [["-1/2", "-sqrt(3)/2"], ["sqrt(3)/2", "-1/2"]]]}
AROUND = {"matrices": [[[1, 0, 0], [0, "1/2", "-sqrt(3)/2"], [0, "sqrt(3)/2", "1/2"]]]}
EXTRAS = {"bias": True, "group": {"cyclic": 6}}

LAYERS: dict[str, dict[str, Any]] = {
    "hexagon": {
        "family": "coulomb",
        "size": 6,
        "dims": {"mu": 2, "x": 2},
        "diagonal": "free",
        "actions": {"mu": TURN, "x": TURN},
        **EXTRAS,
    },
    "alike": {"family": "coulomb", "size": 6, "dims": {"mu": 2, "x": 3}, **EXTRAS},
    "product": {
        "family": "distance_product",
        "size": 6,
        "dims": {"mu": 3, "x": 2},
        "signature": [1, -1, -1],
        "actions": {
            "mu": {"matrices": [[[1, 0, 0], [0, "1/2", "-sqrt(3)/2"], [0, "sqrt(3)/2", "1/2"]]]},
            "x": TURN,
        },
        **EXTRAS,
    },
    "signed": {
        "family": "coulomb",
        "size": 6,
        "dims": {"mu": 3, "x": 2},
        "diagonal": "free",
        "group": {"hyperoctahedral": 3},
        "actions": {"neurons": "2 V", "mu": "V", "x": "1 + det"},
    },
    "onto the sign": {
        "family": "coulomb",
        "size": {"in": 3, "out": 1},
        "dims": {"mu": 2, "x": 2},
        "bias": True,
        "group": {"symmetric": 3},
        "actions": {"in": "Alt(V, 2)", "out": "sign", "mu": "2 sign", "x": IRREP},
    },
    "half turns": {
        "family": "coulomb",
        "size": 6,
        "dims": {"mu": 2, "x": 2},
        "group": {
            "signed_permutations": [{"perm": [1, 2, 3, 4, 5, 0], "signs": [1, 1, 1, 1, 1, -1]}]
        },
        "actions": {
            "mu": {"matrices": [[["sqrt(3)/2", "-1/2"], ["1/2", "sqrt(3)/2"]]]},
            "x": TURN,
        },
    },
    "directions": {
        "family": "spectral",
        "size": 6,
        "rank": 6,
        "bias": True,
        "group": {"hyperoctahedral": 3},
        "actions": {"neurons": "2 V", "q": "2 V"},
    },
    "odd": {
        "family": "spectral",
        "size": {"in": 6, "out": 3},
        "rank": 3,
        "order": 3,
        "group": {"cyclic": 6},
        "actions": {"out": ["(0 1 2)"], "q": ["(0 1 2)"]},
    },
    "signs to the third": {
        "family": "spectral",
        "size": 4,
        "rank": 4,
        "order": 3,
        "group": {"signed_permutations": [{"perm": [1, 0, 3, 2], "signs": [-1, -1, 1, 1]}]},
        "actions": {"q": "V"},
    },
}


def resolve_layer(layer: dict[str, Any]) -> tuple[ParameterisedProblem, NeuronActions]:
    spec = load({"version": 1, "package": "nets", "layers": [{"name": "L", **layer}]})
    ((_, problem),) = resolve_parameterised(spec)
    (actions,) = spec.actions
    assert isinstance(actions, NeuronActions)
    return problem, actions


def take_trivial(columns: list[Floats]) -> list[Floats]:
    return [np.eye(1) for _ in columns]


def list_tie_actions(
    name: str, problem: ParameterisedProblem, actions: NeuronActions
) -> tuple[list[Floats], list[Floats]]:
    """Return what the definition of a family says of a parameter: neurons and columns."""
    inputs, outputs = take_images(actions.inputs), take_images(actions.outputs)
    columns = {key: take_images(action) for key, action in actions.columns}
    trivial = take_trivial(inputs)
    match name:
        case "mu":
            return outputs, columns["mu"]
        case "nu":
            return inputs, columns["mu"]
        case "x":
            return [np.abs(g) for g in outputs], columns["x"]
        case "y":
            return [np.abs(g) for g in inputs], columns["x"]
        case "q" | "u":
            return outputs, columns["q"]
        case "v":
            return inputs, columns["q"]
        case "lam":
            order = dict(problem.options)["order"]
            return [np.abs(g) * np.sign(g) ** order for g in columns["q"]], trivial
        case "bias":
            return outputs, trivial
        case "diagonal":
            return [np.abs(g) for g in outputs], trivial
    raise ValueError(name)


def build_weights(problem: ParameterisedProblem, values: dict[str, Floats]) -> Floats:
    """Build the weights of a layer from its parameters, by the definition of its family."""
    options = dict(problem.options)
    if problem.family == "spectral":
        left = values["q" if problem.square else "u"]
        right = values["q" if problem.square else "v"]
        return np.asarray(left * values["lam"][:, 0] @ right.T)
    nu, y = values.get("nu", values["mu"]), values.get("y", values["x"])
    squared = ((values["x"][:, None] - y) ** 2).sum(axis=-1)
    signature = np.array(options["signature"] or [1] * options["dims"][0])
    power = options["exponent"] / 2
    inverse = options["kernel"] == "inverse"
    kernel = (squared + options["softening"]) ** -power if inverse else squared**power
    weights = (values["mu"] * signature) @ nu.T * kernel
    if problem.square:
        np.fill_diagonal(weights, values["diagonal"][:, 0] if "diagonal" in values else 0)
    return np.asarray(weights)


@pytest.mark.parametrize("name", LAYERS)
def test_ties_allow_what_the_group_demands(name: str) -> None:
    problem, actions = resolve_layer(LAYERS[name])
    assert problem.tied == tuple(p.name for p in problem.parameters)
    for parameter, tie in zip(problem.parameters, problem.ties, strict=True):
        assert tie.name == f"L.{parameter.name}"
        assert tie.degrees == ((1,),)
        neurons, columns = list_tie_actions(parameter.name, problem, actions)
        allowed = list_allowed(tie)
        assert allowed.shape[1] == parameter.shape[0]
        assert parameter.shape[1:] in ((allowed.shape[2],), ())
        for g, image in zip(neurons, columns, strict=True):
            assert np.allclose(g.T @ allowed, allowed @ image.T)
        flat = allowed.reshape(len(allowed), tie.output.dim * parameter.shape[0])
        assert not len(allowed) or np.linalg.matrix_rank(flat) == len(allowed)
        assert len(allowed) == len(list_demanded(neurons, columns))


@pytest.mark.parametrize("name", LAYERS)
def test_weights_of_tied_parameters_commute_with_the_group(name: str) -> None:
    problem, actions = resolve_layer(LAYERS[name])
    rng = np.random.default_rng(0)
    values = {key: draw(tie, rng) for key, tie in zip(problem.tied, problem.ties, strict=True)}
    order = dict(problem.options).get("order", 2)
    pairs = zip(take_images(actions.outputs), take_images(actions.inputs), strict=True)
    for out, given in pairs:
        if order == 2:
            weights = build_weights(problem, values)
            assert np.abs(weights).max() > 1e-3
            assert np.allclose(weights @ given, out @ weights)
            if "bias" in values:
                assert np.allclose(out @ values["bias"], values["bias"])
        else:
            z = rng.normal(size=problem.n_in)
            moved, carried = evaluate(values, given @ z, order), out @ evaluate(values, z, order)
            assert np.abs(carried).max() > 1e-3
            assert np.allclose(moved, carried)


def evaluate(values: dict[str, Floats], z: Floats, order: int) -> Floats:
    """Evaluate a spectral layer of higher order."""
    left, right = values.get("q", values.get("u")), values.get("q", values.get("v"))
    assert left is not None
    assert right is not None
    return np.asarray(left @ (values["lam"][:, 0] * (right.T @ z) ** (order - 1)))


def test_the_weights_of_a_homeostatic_layer_are_orbitals() -> None:
    problem, actions = resolve_layer(
        {"family": "homeostatic", "size": 4, "group": {"symmetric": 4}}
    )
    assert problem.tied == ("weights",)
    allowed = list_allowed(problem.ties[0])
    assert len(allowed) == 2
    for g in take_images(actions.inputs):
        assert np.allclose(g @ allowed @ g.T, allowed)


def test_every_valid_layer_is_tied_or_free() -> None:
    for _, problem in resolve_parameterised(load(VALID)):
        assert (problem.group is None) == (not problem.ties)
        untied = {"raw_softening", "target", "calibrated"}
        names = [p.name for p in problem.parameters if p.name not in untied]
        assert list(problem.tied) == (names if problem.ties else [])


def list_equal(neurons: list[Floats], columns: list[Floats]) -> list[list[bool]]:
    """Say of every two rows whether they are always equal, from all parameters there are."""
    demanded = list_demanded(neurons, columns)
    n = len(neurons[0])
    return [[bool(np.allclose(demanded[:, i], demanded[:, j])) for j in range(n)] for i in range(n)]


@pytest.mark.parametrize("name", LAYERS)
def test_rows_that_are_always_equal_are_found(name: str) -> None:
    _, actions = resolve_layer(LAYERS[name])
    for _, columns in actions.columns:
        for signed in (True, False):
            neurons = actions.list_signed(actions.inputs, signed=signed)
            check_rows(neurons, columns)


def check_rows(neurons: list[SignedPermutation], columns: Representation) -> None:
    dense = [take_images(Representation("V", g.n, (g,)))[0] for g in neurons]
    found = follow_rows(neurons, columns)
    assert found is not None
    demanded = list_demanded(dense, take_images(columns))
    assert np.equal.outer(found.labels, found.labels).tolist() == list_equal(
        dense, take_images(columns)
    )
    zero = np.abs(demanded).max(axis=(0, 2), initial=0) < 1e-9
    assert found.zero.tolist() == zero.tolist()
    if len(found.kept) == columns.dim:
        images = take_images(columns)
        for g, image in zip(dense, images, strict=True):
            assert np.allclose(g.T @ found.sample, found.sample @ image.T)


def test_rows_of_a_rotation_with_a_fixed_axis() -> None:
    """Neurons on the axis stay there, neurons off it go round: matrices, several orbits."""
    turn = {"matrices": [[[0, -1, 0], [1, 0, 0], [0, 0, 1]]]}
    _, actions = resolve_layer(
        {
            "family": "coulomb",
            "size": 9,
            "dims": {"mu": 1, "x": 3},
            "group": {"permutations": ["(0 1 2 3)(4 5)(6)(7)(8)"]},
            "actions": {"x": turn},
        }
    )
    columns = dict(actions.columns)["x"]
    check_rows(actions.list_signed(actions.inputs, signed=False), columns)
    image = columns.images[0]
    assert isinstance(image, SignedPermutation)
    shear = Representation("x", 2, resolve_layer(LAYERS["hexagon"])[1].columns[1][1].images)
    thirds = [SignedPermutation.unsigned([1, 2, 0, 4, 3, 5])]
    check_rows(thirds, shear)
