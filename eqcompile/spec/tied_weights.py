"""Groups over neurons that leave a layer no weights, or infinite ones, each refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from eqcompile.actions.sizes import spell_quantity
from eqcompile.actions.tied_rows import TiedRows, code_entries, follow_rows, keep_columns
from eqcompile.errors import Refusal
from eqcompile.exact.signed import SignedPermutation
from eqcompile.spec.neurons import NeuronActions
from eqcompile.spec.parameterised import (
    CoulombLayer,
    DistanceLayer,
    ParameterisedLayer,
    Rectangle,
    SpectralLayer,
)
from eqcompile.spec.placements import PairLayer, is_singular

NOTHING = 1e-12
"""Products of generic rows below this are 0 for all that the group allows."""
_CHUNK = 512

Sides = tuple[TiedRows, TiedRows]
"""Rows of the neurons out and of the neurons in; the same where these are."""


def check_ties(entry: ParameterisedLayer, actions: NeuronActions) -> list[Refusal]:
    """Refuse a group that leaves a layer no weights, or infinite ones.

    Args:
        entry: The layer; what its group does has been checked.
        actions: What its group does.
    """
    if isinstance(entry, SpectralLayer):
        return list(_check_directions(entry, actions))
    if isinstance(entry, CoulombLayer | DistanceLayer) and entry.size != 1:
        # A lone neuron has no weight to lose: it has none with or without a group.
        return list(_check_pairs(entry, actions))
    return []


def _check_directions(entry: SpectralLayer, actions: NeuronActions) -> Iterator[Refusal]:
    """Refuse directions that are always 0, or never independent where qr makes them so."""
    directions = dict(actions.columns)["q"]
    kept, images = keep_columns(actions.list_signed(directions, signed=True))
    powers = actions.list_signed(directions, signed=entry.order % 2 == 1)
    line = [SignedPermutation.identity(1)] * len(powers)
    alive = code_entries(powers, line)[kept, 0] != 0
    for neurons in (actions.outputs, actions.inputs):
        codes = code_entries(actions.list_signed(neurons, signed=True), images)
        dead = np.flatnonzero(~(codes.any(axis=0) & alive))
        if len(dead):
            text = f"the group leaves the direction {kept[dead[0]]} of {entry.rank} nothing but 0"
            help = "give actions: {q: ...} that occurs among the neurons, or a lower rank"
            yield Refusal("columns", text, help, actions.place("q"))
            return
        free = len(np.unique(np.abs(codes[codes[:, 0] != 0, 0])))
        if entry.constraint == "qr" and entry.rank > free:
            left = spell_quantity(free, "independent direction")
            text = f"the group leaves {left}, fewer than rank {entry.rank}"
            help = f"write rank: {free} or less, or another constraint"
            yield Refusal("columns", text, help, ("rank",))
            return


def _check_pairs(entry: PairLayer, actions: NeuronActions) -> Iterator[Refusal]:
    charges = _follow(entry, actions, "mu")
    if charges is not None and _find_largest(entry, charges) < NOTHING:
        text = "the group leaves every weight between two neurons 0"
        help = "say how it acts on the charges: actions: {mu: ...}"
        yield Refusal("columns", text, help, actions.place("mu"))
        return
    places = _follow(entry, actions, "x") if entry.positions is None else None
    if places is None:
        return
    help = "say how the group moves positions: actions: {x: ...}"
    coincident = _find_coincident(entry, places)
    if is_singular(entry) and coincident:
        text = f"the group keeps {coincident} at one place, where their weight is infinite"
        help = f"write a softening above 0, or {help}"
        yield Refusal("positions", text, help, actions.place("x"))
        return
    if charges is None or not isinstance(entry, DistanceLayer):
        return
    if _find_largest(entry, charges, places) < NOTHING:
        text = "the group keeps neurons at one place, so that every weight is 0"
        yield Refusal("positions", text, help, actions.place("x"))


def _follow(entry: PairLayer, actions: NeuronActions, name: str) -> Sides | None:
    """Follow the rows of charges or positions; None where there are too many to follow."""
    follow = partial(follow_rows, columns=dict(actions.columns)[name])
    signed = name == "mu"
    out = follow(actions.list_signed(actions.outputs, signed=signed))
    if out is None or not isinstance(entry.size, Rectangle):
        return None if out is None else (out, out)
    rows_in = follow(actions.list_signed(actions.inputs, signed=signed))
    return None if rows_in is None else (out, rows_in)


def _find_largest(entry: PairLayer, charges: Sides, places: Sides | None = None) -> float:
    """Return the largest product of two generic charges at different places."""
    left, right = charges
    signature = np.array(entry.signature or [1] * entry.dims.mu)[left.kept]
    largest = 0.0
    for start in range(0, len(left.sample), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        products = np.abs((left.sample[chunk] * signature) @ right.sample.T)
        if left is right:
            rows = np.arange(len(products))
            products[rows, rows + start] = 0
        if places is not None:
            products[_list_meetings(places, chunk)] = 0
        largest = max(largest, float(products.max()))
    return largest


def _list_meetings(places: Sides, chunk: slice) -> np.ndarray:
    """Return which neurons out of a chunk are always where which neurons in are."""
    out, rows_in = places
    if out is rows_in:
        return np.equal.outer(out.labels[chunk], out.labels)
    return np.logical_and.outer(out.zero[chunk], rows_in.zero)


def _find_coincident(entry: PairLayer, places: Sides) -> str:
    """Name two neurons that are always at one place; empty where there are none."""
    out, rows_in = places
    if isinstance(entry.size, Rectangle):
        if not (out.zero.any() and rows_in.zero.any()):
            return ""
        return f"neuron {rows_in.zero.argmax()} in and neuron {out.zero.argmax()} out"
    _, first, inverse = np.unique(out.labels, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[inverse.reshape(-1)] != np.arange(len(out.labels)))
    if not len(again):
        return ""
    return f"the neurons {first[inverse.reshape(-1)[again[0]]]} and {again[0]}"
