"""Parameterised layers in words: what they say keeps the weights does, and what it costs."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from eqcompile.draw.invariance import explain_cost, explain_gauge
from eqcompile.draw.parameterised import derive_sections, explain_group, explain_parameterised
from eqcompile.draw.parameterised_formats import draw_parameters
from eqcompile.layers.parameterised import ParameterisedProblem, resolve_parameterised
from eqcompile.solve.parameterised import ParameterisedSolution, solve_parameterised
from eqcompile.spec import load

Floats = npt.NDArray[np.float64]

PAIR = {"family": "coulomb", "size": 5, "dims": {"mu": 2, "x": 3}}
LOW = {"family": "spectral", "size": 5, "rank": 2}


def resolve(**layer: Any) -> ParameterisedProblem:
    document = {"version": 1, "package": "drawn_nets", "layers": [{"name": "Layer", **layer}]}
    ((_, problem),) = resolve_parameterised(load(document))
    return problem


def solve(**layer: Any) -> ParameterisedSolution:
    return solve_parameterised(resolve(**layer))


def join(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


def weigh(problem: ParameterisedProblem, mu: Floats, x: Floats, softening: float) -> Floats:
    """Return the weights off the diagonal."""
    options = dict(problem.options)
    squares = ((x[:, None] - x) ** 2).sum(-1) + softening
    np.fill_diagonal(squares, 1)
    power = options["exponent"] / 2
    kernel = squares**-power if options["kernel"] == "inverse" else squares**power
    np.fill_diagonal(kernel, 0)
    found: Floats = (mu @ mu.T) * kernel
    return found


@pytest.mark.parametrize("family", ["coulomb", "distance_product"])
@pytest.mark.parametrize("exponent", [1, 2, 3.5])
def test_scaling_and_inversion_keep_the_weights(family: str, exponent: float) -> None:
    bare = {"softening": 0} if family == "coulomb" else {}
    problem = resolve(**{**PAIR, "family": family, "exponent": exponent, **bare})
    text = join(explain_gauge(problem, None))
    (scaled,) = re.findall(r"scaling the positions by s, with charges times s\^(-?[\d.]+):", text)
    (inverted,) = re.findall(r"x / \|x\|\^2, with charges times \|x\|\^(-?[\d.]+):", text)
    rng = np.random.default_rng(1)
    mu, x = rng.normal(size=(5, 2)), rng.normal(size=(5, 3))
    expected = weigh(problem, mu, x, 0)
    np.testing.assert_allclose(weigh(problem, mu * 3 ** float(scaled), 3 * x, 0), expected)
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    moved = weigh(problem, mu * lengths ** float(inverted), x / lengths**2, 0)
    np.testing.assert_allclose(moved, expected)


def test_softening_stops_scaling_unless_it_is_learnt() -> None:
    assert "scaling" not in join(explain_gauge(resolve(**PAIR), None))
    problem = resolve(**PAIR, softening={"value": 0.3, "learnable": True}, exponent=3)
    text = join(explain_gauge(problem, None))
    assert "inverting" not in text
    assert "with charges times s^1.5 and the softening times s^2: likewise" in text
    rng = np.random.default_rng(2)
    mu, x = rng.normal(size=(5, 2)), rng.normal(size=(5, 3))
    moved = weigh(problem, mu * 2**1.5, 2 * x, 0.3 * 4)
    np.testing.assert_allclose(moved, weigh(problem, mu, x, 0.3))


def test_what_sees_lengths_of_charges_stops_scaling() -> None:
    text = join(explain_gauge(resolve(**PAIR, softening=0, diagonal="chemistry"), None))
    assert "scaling" not in text
    assert "rotations and reflections of the charges keep every weight" in text
    signed = resolve(**PAIR, signature=[1, -1], diagonal="chemistry")
    assert "charges that keep <,>_S and lengths keep every weight" in join(explain_gauge(signed, 1))


def test_given_positions_cannot_be_moved() -> None:
    rows = np.arange(15).reshape(5, 3).tolist()
    text = join(explain_gauge(resolve(**PAIR, positions={"values": rows}), None))
    assert "positions" not in text
    trained = resolve(**PAIR, positions={"values": rows, "learnable": True})
    assert "translations of the positions" in join(explain_gauge(trained, None))


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("asymmetric", [False, True])
def test_directions_may_be_scaled(order: int, asymmetric: bool) -> None:
    text = join(explain_gauge(resolve(**LOW, order=order, asymmetric=asymmetric), None))
    rng = np.random.default_rng(3)
    u, v = rng.normal(size=(2, 5))
    z = rng.normal(size=5)
    if not asymmetric:
        (power,) = re.findall(r"multiplying q_k by s and dividing lam_k by s\^(\d):", text)
        scaled = (3 * u) * (3 * u @ z) ** (order - 1) / 3 ** int(power)
        np.testing.assert_allclose(scaled, u * (u @ z) ** (order - 1))
        return
    found = re.findall(r"dividing lam_k by s(?: or s\^(\d))?:", text)
    assert found == ([""] if order == 2 else ["2"])
    scaled = u * (3 * v @ z) ** (order - 1) / 3 ** int(found[0] or 1)
    np.testing.assert_allclose(scaled, u * (v @ z) ** (order - 1))


def test_constrained_directions_are_kept_otherwise() -> None:
    text = join(explain_gauge(resolve(**LOW, constraint="qr"), None))
    assert "adding to a direction multiples of earlier ones keeps every weight" in text
    assert "mixing" not in text
    text = join(explain_gauge(resolve(**LOW, constraint="column_norm"), None))
    assert "numbering the directions in another order" in text
    assert "by s > 0, because it is normalised: likewise" in text


def test_costs_count_multiplications() -> None:
    dense = join(explain_cost(resolve(family="homeostatic", size=4)))
    assert "16 multiply-adds" in dense
    product = {**PAIR, "family": "distance_product"}
    assert "= 100 multiply-adds" in join(explain_cost(resolve(**product)))
    tiled = join(explain_cost(resolve(**product, exponent=1)))
    assert "here 25 times 5 + B" in tiled
    assert "= 22 multiply-adds" in join(explain_cost(resolve(**LOW)))


def test_orbitals_that_are_too_many_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    grouped = {**PAIR, "group": {"cyclic": 5}}
    assert len(solve(**grouped).solutions) == 3
    module = import_module("eqcompile.solve.parameterised")
    monkeypatch.setattr(module, "ORBITAL_SLOTS", 24)
    solution = solve(**grouped)
    assert [s.problem.name for s in solution.solutions] == ["Layer.mu", "Layer.x"]
    assert "orbits of the 25 pairs of neurons were not listed" in explain_parameterised(solution)


def test_a_parameter_that_must_vanish_is_told() -> None:
    signs = {"signed_permutations": [{"perm": [0, 1], "signs": [-1, -1]}]}
    mirror = {"signed_permutations": [{"perm": [0, 1], "signs": [-1, 1]}]}
    solution = solve(
        family="coulomb",
        size=2,
        dims={"mu": 2, "x": 2},
        bias=True,
        group=signs,
        actions={"mu": {**signs}, "x": {**mirror}},
    )
    text = explain_parameterised(solution)
    assert "bias (V -> 1): 2 numbers, 0 classes\n    the group allows 0 alone" in text
    assert re.search(r"bias +what is added to the output +\(2,\) +2 +0\n", text)


def test_sections_depend_on_what_there_is() -> None:
    titles = [section.title for section in derive_sections(solve(**LOW))]
    assert titles == ["The layer", "The parameters", "The cost", "What keeps the weights"]
    titles = [s.title for s in derive_sections(solve(family="homeostatic", size=2))]
    assert titles == ["The layer", "The parameters", "The cost"]


@pytest.mark.parametrize("order", [2, 3])
def test_layers_of_higher_order_have_no_matrix_of_weights(order: int) -> None:
    solution = solve(**LOW, order=order, group={"cyclic": 5})
    titles = [section.title for section in derive_sections(solution)]
    assert ("The weights" in titles) == (order == 2)
    assert ("W commutes" in explain_parameterised(solution)) == (order == 2)


def test_the_table_of_parameters() -> None:
    assert draw_parameters(solve(**LOW, bias=True)) == (
        "Layer: spectral, 5 -> 5\n"
        "  W = Q diag(lam) Q^T\n"
        "\n"
        "  parameter                                shape  numbers  free\n"
        "  q          directions, one per column   (5, 2)       10    10\n"
        "  lam        one factor per direction       (2,)        2     2\n"
        "  bias       what is added to the output    (5,)        5     5\n"
        "\n"
        "  17 numbers, all free: no group acts.\n"
    )


@pytest.mark.parametrize(("group", "signed"), [("hyperoctahedral", True), ("cyclic", False)])
def test_signs_of_neurons_are_spoken_of_where_there_are_any(group: str, signed: bool) -> None:
    layer = {"family": "spectral", "size": 3, "rank": 3, "actions": {"q": "V"}}
    said = join(explain_group(solve(**layer, group={group: 3})))
    assert ("up to signs" in said) == signed
