"""Parameterised layers: what their options, parameters, formulas and positions become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eqcompile.layers.families import LAYERS
from eqcompile.layers.parameterised import ParameterisedProblem, resolve_parameterised
from eqcompile.layers.polynomial import list_places, resolve
from eqcompile.spec import Spec, load
from eqcompile.spec.model import FAMILIES

VALID = Path(__file__).parent.parent / "spec" / "valid" / "parameterised.yaml"
POLYNOMIAL = {"group": {"symmetric": 3}, "input": "V", "output": "V", "degree": 1}
FORCE = {"family": "coulomb", "size": 4, "dims": {"mu": 2, "x": 3}}
LOW = {"family": "spectral", "size": 4, "rank": 2}
CALM = {"family": "homeostatic", "size": 4}
BETWEEN = {"size": {"in": 5, "out": 4}}


def load_layers(*layers: dict[str, Any], **sections: Any) -> Spec:
    named = [{"name": f"L{i}", **layer} for i, layer in enumerate(layers)]
    return load({"version": 1, "package": "nets", "layers": named, **sections})


def resolve_layer(**layer: Any) -> ParameterisedProblem:
    ((_, problem),) = resolve_parameterised(load_layers(layer))
    return problem


def test_families_of_the_language_are_registered() -> None:
    assert sorted(LAYERS) == sorted(FAMILIES)
    for name, family in LAYERS.items():
        assert family.name == name
        assert "not yet served" not in family.summary


def test_layers_of_either_kind_keep_their_places() -> None:
    spec = load_layers(CALM, POLYNOMIAL, FORCE, POLYNOMIAL, emit={"dtype": "bfloat16"})
    assert [(i, problem.name) for i, problem in resolve_parameterised(spec)] == [
        (0, "L0"),
        (2, "L2"),
    ]
    assert {problem.dtype for _, problem in resolve_parameterised(spec)} == {"bfloat16"}
    assert list_places(spec) == (1, 3)
    assert [problem.name for problem in resolve(spec)] == ["L1", "L3"]
    assert spec.actions[0] is None
    assert len({hash(problem) for _, problem in resolve_parameterised(spec)}) == 2


def test_defaults_of_coulomb() -> None:
    problem = resolve_layer(**FORCE)
    assert problem.options == (
        ("bias", False),
        ("diagonal", "none"),
        ("dims", (2, 3)),
        ("exponent", 2.0),
        ("kernel", "inverse"),
        ("learn_softening", False),
        ("positions", "learn"),
        ("signature", ()),
        ("softening", 0.1),
        ("square", True),
    )
    assert (problem.n_in, problem.n_out, problem.square, problem.family) == (4, 4, True, "coulomb")
    assert (problem.group, problem.ties, problem.tied, problem.positions) == (None, (), (), ())


def test_options_of_coulomb() -> None:
    problem = resolve_layer(
        **{**FORCE, **BETWEEN},
        exponent=3,
        softening={"value": 1, "learnable": True},
        signature=[1, -1],
        bias=True,
    )
    options = dict(problem.options)
    assert (problem.n_in, problem.n_out, problem.square) == (5, 4, False)
    assert (options["exponent"], options["softening"], options["learn_softening"]) == (3, 1, True)
    assert all(isinstance(options[name], float) for name in ("exponent", "softening"))
    assert (options["signature"], options["bias"], options["square"]) == ((1, -1), True, False)


def test_options_of_the_other_families() -> None:
    pull = dict(resolve_layer(**{**FORCE, "family": "distance_product"}).options)
    assert (pull["kernel"], pull["softening"], pull["learn_softening"]) == ("product", 0.0, False)
    assert resolve_layer(**LOW).options == (
        ("bias", False),
        ("constraint", "none"),
        ("imbalance", 1.0),
        ("order", 2),
        ("rank", 2),
        ("square", True),
    )
    fit = resolve_layer(**LOW, asymmetric=True, imbalance=4)
    assert (fit.square, dict(fit.options)["square"], dict(fit.options)["imbalance"]) == (
        False,
        False,
        4.0,
    )
    assert resolve_layer(**CALM).options == (
        ("allow_unstable", False),
        ("alpha", 0.1),
        ("leak", 0.0),
        ("sigma", 1.0),
    )


@pytest.mark.parametrize(
    ("layer", "parameters"),
    [
        (FORCE, {"mu": (4, 2), "x": (4, 3)}),
        ({**FORCE, **BETWEEN}, {"mu": (4, 2), "x": (4, 3), "nu": (5, 2), "y": (5, 3)}),
        (
            {
                **FORCE,
                "softening": {"value": 1, "learnable": True},
                "diagonal": "free",
                "bias": True,
            },
            {"mu": (4, 2), "x": (4, 3), "raw_softening": (), "diagonal": (4,), "bias": (4,)},
        ),
        ({**FORCE, "diagonal": "chemistry"}, {"mu": (4, 2), "x": (4, 3)}),
        ({**LOW, "bias": True}, {"q": (4, 2), "lam": (2,), "bias": (4,)}),
        ({**LOW, **BETWEEN, "bias": True}, {"u": (4, 2), "v": (5, 2), "lam": (2,), "bias": (4,)}),
        ({**LOW, "asymmetric": True}, {"u": (4, 2), "v": (4, 2), "lam": (2,)}),
        (CALM, {"weights": (4, 4), "target": (4, 4), "calibrated": ()}),
    ],
)
def test_parameters(layer: dict[str, Any], parameters: dict[str, tuple[int, ...]]) -> None:
    problem = resolve_layer(**layer)
    assert [(p.name, p.shape) for p in problem.parameters] == list(parameters.items())
    assert all(p.meaning for p in problem.parameters)


@pytest.mark.parametrize(
    ("layer", "formula"),
    [
        (FORCE, "w_ij = <mu_i, mu_j> / (|x_i - x_j|^2 + 0.1), w_ii = 0"),
        ({**FORCE, "softening": 0, "exponent": 1}, "w_ij = <mu_i, mu_j> / |x_i - x_j|^1, w_ii = 0"),
        (
            {**FORCE, **BETWEEN, "exponent": 3, "signature": [1, -1]},
            "w_ij = <mu_i, nu_j>_S / (|x_i - y_j|^2 + 0.1)^1.5",
        ),
        (
            {**FORCE, "softening": {"value": 1, "learnable": True}, "diagonal": "chemistry"},
            "w_ij = <mu_i, mu_j> / (|x_i - x_j|^2 + softening), w_ii = 0.5 |mu_i|^2.4",
        ),
        (
            {**FORCE, "family": "distance_product", "diagonal": "free"},
            "w_ij = <mu_i, mu_j> |x_i - x_j|^2, w_ii = diagonal_i",
        ),
        (LOW, "W = Q diag(lam) Q^T"),
        (
            {**LOW, **BETWEEN, "constraint": "qr"},
            "W = U diag(lam) V^T, columns of U and V orthonormal",
        ),
        (
            {**LOW, "order": 3, "constraint": "column_norm"},
            "f(z) = sum_k lam_k q_k <q_k, z>^2, columns of Q of length 1",
        ),
        (CALM, "R_i = r_i / (1 + (W r)_i / n), W <- W + 0.1 (R R^T - C)"),
        (
            {**CALM, "sigma": 0.5, "leak": 0.05},
            "R_i = r_i / (0.25 + (W r)_i / n), W <- W + 0.1 (R R^T - C) - 0.05 (W - C)",
        ),
        (
            {**CALM, "leak": -0.05, "allow_unstable": True},
            "R_i = r_i / (1 + (W r)_i / n), W <- W + 0.1 (R R^T - C) + 0.05 (W - C)",
        ),
    ],
)
def test_formulas(layer: dict[str, Any], formula: str) -> None:
    assert resolve_layer(**layer).formula == formula


def test_given_positions() -> None:
    rows = [[0, 0.5], ["sqrt(2)", -1]]
    given = resolve_layer(
        family="coulomb", size=2, dims={"mu": 1, "x": 2}, positions={"values": rows}
    )
    assert given.positions == (("x", ((0.0, 0.5), (2**0.5, -1.0))),)
    assert dict(given.options)["positions"] == "given"
    assert [p.name for p in given.parameters] == ["mu"]
    both = resolve_layer(
        family="coulomb",
        size={"in": 2, "out": 1},
        dims={"mu": 1, "x": 1},
        positions={"values": {"in": [[1], [2]], "out": [[3]]}, "learnable": True},
    )
    assert both.positions == (("x", ((3.0,),)), ("y", ((1.0,), (2.0,))))
    assert dict(both.options)["positions"] == "start"
    assert [p.name for p in both.parameters] == ["mu", "x", "nu", "y"]


def test_given_positions_of_a_group_stand_about_its_centre() -> None:
    problems = {problem.name: problem for _, problem in resolve_parameterised(load(VALID))}
    problem = problems["Hexagon"]
    ((name, rows),) = problem.positions
    turns = np.arange(6) * np.pi / 3
    assert name == "x"
    assert np.allclose(rows, np.stack([np.cos(turns), np.sin(turns)], axis=1), atol=1e-14)
    assert problem.tied == ("mu", "diagonal", "bias")
    assert problems["Full"].positions[1] == ("y", ((0.0,), (1.0,), (2.5,)))


def test_positions_that_a_group_carries_as_they_are_stay_as_they_are() -> None:
    line = resolve_layer(
        family="coulomb",
        size=3,
        dims={"mu": 1, "x": 2},
        group={"permutations": ["(0 1)(2)"]},
        actions={"x": {"matrices": [[[-1, 0], [0, 1]]]}},
        positions={"values": [[1, 5], [-1, 5], [0, 7]]},
    )
    assert line.positions == (("x", ((1.0, 5.0), (-1.0, 5.0), (0.0, 7.0))),)
