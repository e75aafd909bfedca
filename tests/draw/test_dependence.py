"""Coefficients that depend on each other, in diagrams and derivations."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eqcompile
from eqcompile.draw.data import describe_tying
from eqcompile.draw.dependence import merge_equal, spell_dependence, spell_factor, split_square
from eqcompile.draw.text import draw_text
from eqcompile.driver import compile_layer
from eqcompile.exact.fields import Scalar, root
from eqcompile.exact.scalars import parse_scalar
from eqcompile.layers.polynomial import resolve
from eqcompile.solve.tying import Tying
from eqcompile.views import explain

COLLISION = {
    "name": "Collision",
    "group": {"lattice": "D2Q9"},
    "input": "V",
    "output": "V",
    "degrees": [1],
    "constraints": [
        {"conserve": [[1] * 9, [0, 1, 0, -1, 0, 1, -1, -1, 1], [0, 0, 1, 0, -1, 1, 1, -1, -1]]}
    ],
}
PATH = {
    "name": "Path",
    "group": {"lie": "so", "n": 3},
    "input": {"x": "irrep(2)", "y": "irrep(1)"},
    "output": "irrep(2)",
    "degrees": [{"x": 1, "y": 1}],
}
PLANE = {
    "name": "Plane",
    "group": {
        "matrices": [
            [["cos(2*pi/5)", "-sin(2*pi/5)"], ["sin(2*pi/5)", "cos(2*pi/5)"]],
        ]
    },
    "input": "V",
    "output": "V",
    "degrees": [4],
}


def load(layer: dict[str, Any]) -> Any:
    return eqcompile.load({"version": 1, "package": "drawn", "layers": [layer]})


def solve_one(layer: dict[str, Any]) -> Tying:
    ((_, degrees),) = eqcompile.solve(load(layer)).items()
    (tying,) = degrees.values()
    assert isinstance(tying, Tying)
    return tying


def list_formulas(tying: Tying) -> list[str]:
    merged = merge_equal(tying)
    return [formula for formula in spell_dependence(merged) if formula]


def test_conservation_in_letters() -> None:
    assert list_formulas(solve_one(COLLISION)) == [
        "-a/4 - d + 1/4",
        "-b/4 - e/2 - f/2 + 1/2",
        "-b/4 - f/2 - g/2",
        "-c/2 - 3*h/2 - i/2 - m + 1",
        "h - i + m - 1",
    ]


def test_coupling_coefficients_in_letters() -> None:
    tying = solve_one(PATH)
    assert list_formulas(tying) == ["2*a", "-sqrt(3)*a"]
    merged = merge_equal(tying)
    assert (merged.coefficients, merged.classes, merged.zeros) == (3, 1, tying.zeros)


def test_a_basis_over_another_field() -> None:
    assert list_formulas(solve_one(PLANE)) == ["-6*a", "b/4", "-4*a", "-3*b/2"]


@pytest.mark.parametrize("layer", [COLLISION, PATH, PLANE])
def test_merging_keeps_every_solution(layer: dict[str, Any]) -> None:
    tying = solve_one(layer)
    merged = merge_equal(tying)
    for seed in range(2):
        free = np.random.default_rng(seed).normal(size=tying.classes)
        assert np.allclose(expand(tying, free), expand(merged, free), atol=1e-13)


def expand(tying: Tying, free: Any) -> Any:
    """Return the slots of a solution by its classes."""
    values = free
    if tying.basis is not None:
        basis = tying.basis
        values = basis.matrix.to_float() @ free
        if basis.offset is not None:
            values = values + basis.offset.to_float()[:, 0]
        if basis.squares:
            values = values * np.sqrt(np.array(basis.squares, dtype=float))
    labels, signs = tying.table()
    return np.where(labels >= 0, values[labels] * signs, 0)


def test_diagrams_say_what_is_free() -> None:
    text = draw_text(solve_one(PATH))
    assert text.startswith("degree 2 (x: 1, y: 1): 75 slots, 1 class, 2 dependent coefficients, ")
    assert text.rstrip().endswith("(free: a)\n(b = 2*a)\n(c = -sqrt(3)*a)")
    notes = describe_tying(solve_one(PATH))["notes"]
    assert json.loads(json.dumps(notes))[-2:] == ["b = 2*a", "c = -sqrt(3)*a"]


def test_derivations_write_the_equations() -> None:
    text = explain(load(PATH))
    assert "SO(3) is given by 2 elements of its Lie algebra" in text
    assert "sum_b w[k; b] D[b, a] = sum_l Y[k, l] w[l; a]" in text
    assert "J01: 75 equations" in text
    assert "free: a, and the others follow from them" in text
    said = explain(load(COLLISION))
    assert "conserve: [[1, 1, 1, 1, 1, 1, 1, 1, 1]" in said
    assert "the kernel of one cause restricted by the next" in " ".join(said.split())
    (problem,) = resolve(load(COLLISION))
    assert compile_layer(problem).solution.problem is problem


@given(
    st.fractions(min_value=-50, max_value=50, max_denominator=40),
    st.builds(Fraction, st.integers(1, 12), st.integers(1, 7)),
)
def test_factors_are_spelled_exactly(value: Fraction, square: Fraction) -> None:
    outside, inside = split_square(square)
    assert outside**2 * inside == square
    assert all(inside % p**2 for p in range(2, 50))
    assert parse_scalar(spell_factor(Scalar.of(value), square)) == root(square) * value


def test_an_irrational_factor() -> None:
    assert spell_factor(root(5), Fraction(3)) == "(sqrt(5))*sqrt(3)"


def test_the_proof_says_how_far_images_were_checked() -> None:
    layer = {
        "name": "Scale",
        "group": {"matrices": [[[2]]]},
        "input": "V",
        "output": {"matrices": [[[4]]]},
        "degrees": [2],
    }
    assert "That the images are an action was checked on words up to length 8." in explain(
        load(layer)
    )
    assert "checked on words" not in explain(load({**layer, "output": "Sym(V, 2)"}))
