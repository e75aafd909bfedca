"""Further constraints of a spec: what is read of them, and in which units."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt
from typing import Any

import numpy as np
import pytest

from eqcompile.actions.group import Group, Representation
from eqcompile.errors import Refusal, SpecError
from eqcompile.exact.fields import root
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import SignedPermutation
from eqcompile.layers.polynomial import resolve
from eqcompile.reading import read_model
from eqcompile.spec import load
from eqcompile.spec.actions import LayerActions
from eqcompile.spec.constraints import Conserve, SymmetricPart, read_constraint
from eqcompile.spec.model import PolynomialLayer
from eqcompile.spec.slots import SlotEquation
from tests.spec.cases import HERE

LAYER = {"name": "Quad", "group": {"trivial": 3}, "input": "V", "output": "V", "degree": 2}
IDENTITY = SignedPermutation.identity(3)
GROUP = Group("1", (IDENTITY,), ("e",))


def read(entry: Any, squares: tuple[Fraction, ...], outputs: tuple[Fraction, ...]) -> Any:
    """Read one constraint of a layer whose coordinates have units."""
    layer = read_model(PolynomialLayer, {**LAYER, "constraints": [entry]})
    given = Representation("V", 3, (IDENTITY,), squares=squares)
    output = Representation("V", 3, (IDENTITY,), squares=outputs)
    return read_constraint(
        layer.constraints[0], layer, LayerActions(GROUP, (("x", given),), output)
    )


PLAIN: tuple[Fraction, ...] = ()
HERE_SQUARES = (Fraction(1), Fraction(3), Fraction(3, 4))
THERE_SQUARES = (Fraction(5), Fraction(1, 2), Fraction(2))


def test_an_equation_in_units() -> None:
    """With slots w = sqrt(unit) w' the equation in w' is that in w, up to a factor."""
    text = "2*w[0; 1, 2] - w[1; 0, 0] == 3*w[2; 2, 2] + 7"
    plain, found = read(text, PLAIN, PLAIN), read(text, HERE_SQUARES, THERE_SQUARES)
    assert isinstance(plain, SlotEquation)
    units = []
    for (slot, value), (other, scaled) in zip(plain.terms, found.terms, strict=True):
        assert slot == other
        inner = np.prod([float(HERE_SQUARES[i]) for i in slot.indices[0]])
        units.append(float(scaled) / float(value) / sqrt(float(THERE_SQUARES[slot.output]) / inner))
    assert np.allclose(units, units[0])
    assert np.isclose(float(found.right) / float(plain.right), units[0])
    assert found.terms[0][1] == plain.terms[0][1]


def test_rows_in_units() -> None:
    rows = [[1, 2, 0], [0, 0, 3]]
    found = read({"conserve": rows}, HERE_SQUARES, THERE_SQUARES)
    assert isinstance(found, Conserve)
    left, fixed = found.rows.to_float(), found.fixed.to_float()
    out = np.diag(np.sqrt([float(s) for s in THERE_SQUARES]))
    into = np.diag(np.sqrt([float(s) for s in HERE_SQUARES]))
    factor = left @ np.linalg.inv(out) @ np.ones(3) / (np.array(rows) @ np.ones(3))
    assert np.allclose(left, factor[:, None] * (rows @ out))
    assert np.allclose(fixed, factor[:, None] * (rows @ into))
    assert left[0, 0] == 1
    assert read({"conserve": rows}, PLAIN, PLAIN) == Conserve(0, *[Matrix.from_dense(rows)] * 2)
    assert read({"conserve": rows}, HERE_SQUARES, HERE_SQUARES).fixed.to_float()[1, 2] == 3


def test_a_symmetric_part_in_units() -> None:
    """Where input and output have the same units, the ratios are rational."""
    assert read({"symmetric": True}, PLAIN, PLAIN) == SymmetricPart()
    same = read({"symmetric": True}, HERE_SQUARES, HERE_SQUARES)
    assert same == SymmetricPart((root(1), root(9), root(Fraction(9, 16))))
    mixed = read({"symmetric": True}, HERE_SQUARES, THERE_SQUARES)
    weights = np.arange(9.0).reshape(3, 3)
    weights = weights + weights.T
    scale = np.sqrt([[float(o / i) for i in HERE_SQUARES] for o in THERE_SQUARES])
    inner = np.array([float(u) for u in mixed.units])[:, None] * (weights / scale)
    assert np.allclose(inner, inner.T)


def test_units_of_too_large_a_field_are_refused() -> None:
    squares = (Fraction(1), Fraction(1009), Fraction(1))
    with pytest.raises(Refusal, match="units whose ratio is sqrt") as caught:
        read("w[0; 0] == w[1; 0]", PLAIN, squares)
    assert caught.value.rule == "too-large"
    assert read("w[1; 0] == w[1; 1]", PLAIN, squares) == read("w[1; 0] == w[1; 1]", PLAIN, PLAIN)


def test_numbers_of_one_constraint_lie_in_one_field() -> None:
    with pytest.raises(Refusal, match="conductor"):
        read("cos(2*pi/7)*w[0] + cos(2*pi/11)*w[1] == cos(2*pi/13)", PLAIN, PLAIN)
    with pytest.raises(Refusal, match="conductor"):
        read({"conserve": [["cos(2*pi/7)", "cos(2*pi/11)", "cos(2*pi/13)"]]}, PLAIN, PLAIN)


def test_each_relation_knows_its_line_and_its_words() -> None:
    spec = load(HERE / "valid" / "constraints.yaml")
    collide, reaction, pair = resolve(spec)
    (moments,) = collide.relations
    assert moments.line == 13
    assert moments.cause.startswith("conserve: [[1, 1, 1, 1, 1, 1, 1, 1, 1], [0, 1")
    assert moments.cause.endswith("... (line 13)")
    assert [(r.cause, r.at) for r in reaction.relations] == [
        ("conserve: {input: x, rows: [[1/2, sqrt(2), 1]]} (line 24)", ("constraints", 0)),
        ("w[0; 1, 2] == 2*w[0; 0, 1] (line 25)", ("constraints", 1)),
        ("w[0; 0] + w[1; 1] - 1/2 == 0 (line 26)", ("constraints", 2)),
        ("-(1+sqrt(5))/4*w[0] == cos(2*pi/5) * (w[1] - w[2]) (line 27)", ("constraints", 3)),
        ("symmetric: true (line 30)", ("constraints", 4)),
    ]
    assert [r.meaning.input for r in pair.relations if isinstance(r.meaning, Conserve)] == [1]
    assert hash(reaction) == hash(resolve(spec)[1])


def test_relations_of_a_dict_are_those_of_its_text() -> None:
    layer = {**LAYER, "constraints": [{"symmetric": True}, "w[0; 1] == w[1; 2]"]}
    (problem,) = resolve(load({"version": 1, "package": "nets", "layers": [layer]}))
    assert [r.text for r in problem.relations] == ["symmetric: true", "w[0; 1] == w[1; 2]"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"group": {"symmetric": 150}, "degree": 3}, "4194304 slots of one degree"),
        ({"group": {"symmetric": 100}, "channels": {"in": 16}, "degree": 3}, "slots of one degree"),
        ({"group": {"symmetric": 40}, "rows": 24, "degree": 3}, "entries of one degree"),
    ],
)
def test_what_is_too_large_is_refused(changes: dict[str, Any], said: str) -> None:
    changes = dict(changes)
    n, rows = changes["group"]["symmetric"], changes.pop("rows", 1)
    layer = {**LAYER, **changes, "constraints": [{"conserve": [[1] * n] * rows}]}
    with pytest.raises(SpecError, match=said) as caught:
        load({"version": 1, "package": "nets", "layers": [layer]})
    assert [found.rule for found in caught.value.diagnostics] == ["too-large"]
