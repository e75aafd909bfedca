"""Further linear constraints of a layer, each with its place in the spec."""

from __future__ import annotations

from dataclasses import dataclass

from eqcompile.errors import PathPart
from eqcompile.reading import shorten
from eqcompile.spec import Spec
from eqcompile.spec.actions import LayerActions
from eqcompile.spec.constraints import (
    Conserve,
    Entry,
    Meaning,
    SymmetricPart,
    ZeroDiagonal,
    read_constraint,
)
from eqcompile.spec.model import ConservedRows, PolynomialLayer
from eqcompile.spec.slots import SlotEquation

__all__ = [
    "Conserve",
    "Meaning",
    "Relation",
    "SlotEquation",
    "SymmetricPart",
    "ZeroDiagonal",
    "resolve_relations",
]

SHOWN = 60
"""Characters of a constraint that messages and diagrams show."""


@dataclass(frozen=True, slots=True)
class Relation:
    """One further linear constraint on the coefficients of a layer.

    Attributes:
        text: What the spec says, on one line.
        line: The line it stands on, from 1.
        at: Its place in the layer's entry: ``("constraints", i)``.
        meaning: What it demands.
    """

    text: str
    line: int
    at: tuple[PathPart, ...]
    meaning: Meaning

    @property
    def cause(self) -> str:
        """What people are told: the constraint and its line."""
        return f"{shorten(self.text, SHOWN)} (line {self.line})"


def resolve_relations(spec: Spec, index: int) -> tuple[Relation, ...]:
    """List the further constraints of one layer of a spec.

    Args:
        spec: A loaded spec; constraints that do not fit their layer have been refused by then.
        index: Number of the layer; layers of other families have none.
    """
    layer = spec.document.layers[index]
    if not isinstance(layer, PolynomialLayer):
        return ()
    found = (_resolve(spec, index, i) for i in range(len(layer.constraints)))
    return tuple(relation for relation in found if relation is not None)


def _resolve(spec: Spec, index: int, number: int) -> Relation | None:
    layer, actions = spec.document.layers[index], spec.actions[index]
    assert isinstance(layer, PolynomialLayer)
    assert isinstance(actions, LayerActions)
    at: tuple[PathPart, ...] = ("constraints", number)
    meaning = read_constraint(layer.constraints[number], layer, actions)
    if meaning is None:
        return None
    line = spec.source.place(("layers", index, *at)).line
    return Relation(_spell(layer.constraints[number]), line, at, meaning)


def _spell(entry: Entry) -> str:
    """Write a constraint on one line, however the spec breaks it."""
    if isinstance(entry, str):
        return " ".join(entry.split())
    (kind,) = entry.model_fields_set
    if not isinstance(entry.conserve, ConservedRows):
        rows = entry.conserve
        return f"{kind}: true" if rows is None else f"conserve: {_spell_rows(rows)}"
    rows = entry.conserve.rows
    return f"conserve: {{input: {entry.conserve.input}, rows: {_spell_rows(rows)}}}"


def _spell_rows(rows: tuple[tuple[int | str, ...], ...]) -> str:
    return f"[{', '.join('[' + ', '.join(map(str, row)) + ']' for row in rows)}]"
