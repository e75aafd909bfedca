"""Positions of neurons: those a spec gives, and those a group forces to coincide."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from eqcompile.actions.tied_rows import take_floats
from eqcompile.errors import Refusal
from eqcompile.exact.signed import IntArray
from eqcompile.spec.neurons import NeuronActions
from eqcompile.spec.parameterised import (
    CoulombLayer,
    DistanceLayer,
    Points,
    PositionPair,
    Rectangle,
    Softening,
)
from eqcompile.spec.positions import Path

PairLayer = CoulombLayer | DistanceLayer
Floats = npt.NDArray[np.float64]

TOLERANCE = 1e-6
"""How far given positions may be from where the group puts them, of the largest coordinate."""


def check_positions(entry: PairLayer) -> list[Refusal]:
    """Refuse given positions of other neurons than there are, or at one place where that fails."""
    if entry.positions is None:
        return []
    at = ("positions", "values")
    values, size = entry.positions.values, entry.size
    if isinstance(values, PositionPair) != isinstance(size, Rectangle):
        text = "positions of neurons in and neurons out, and the layer has one set of neurons"
        help = "give one list of rows"
        if isinstance(size, Rectangle):
            text = "one list of positions, and the layer has neurons in and neurons out"
            help = "write values: {in: [...], out: [...]}"
        return [Refusal("positions", text, help, at)]
    found = []
    for key, rows, count in _list_sides(entry):
        place = (*at, key) if key else at
        found += [refusal.move(place) for refusal in _check_rows(rows, count, entry.dims.x)]
    return found or list(_check_distinct(entry))


def _list_sides(entry: PairLayer) -> Iterator[tuple[str, Points, int]]:
    """Walk the given positions: under which key, the rows, and of how many neurons."""
    assert entry.positions is not None
    values, size = entry.positions.values, entry.size
    if isinstance(values, PositionPair) and isinstance(size, Rectangle):
        yield "in", values.inputs, size.inputs
        yield "out", values.outputs, size.outputs
    elif not isinstance(values, PositionPair) and not isinstance(size, Rectangle):
        yield "", values, size


def _check_rows(rows: Points, count: int, dim: int) -> Iterator[Refusal]:
    if len(rows) != count:
        text = f"positions of {len(rows)} neurons, there are {count}"
        yield Refusal("positions", text, "give one row per neuron")
    for i, row in enumerate(rows):
        if len(row) != dim:
            text = f"the position of neuron {i} has {len(row)} coordinates, dims.x is {dim}"
            yield Refusal("positions", text, f"give {dim}", (i,))
            return


def _check_distinct(entry: PairLayer) -> Iterator[Refusal]:
    """Refuse two neurons at one place where the weight between them would be infinite."""
    if not is_singular(entry):
        return
    sides = list(_list_sides(entry))
    known: dict[tuple[float, ...], int] = {}
    for i, row in enumerate(sides[0][1]):
        if len(sides) == 1 and row in known:
            yield _refuse_place(f"the neurons {known[row]} and {i}", ("positions", "values", i))
            return
        known.setdefault(row, i)
    for i, row in enumerate(sides[1][1] if len(sides) == 2 else ()):
        if row in known:
            what = f"neuron {known[row]} in and neuron {i} out"
            yield _refuse_place(what, ("positions", "values", "out", i))
            return


def _refuse_place(what: str, at: tuple[str | int, ...]) -> Refusal:
    text = f"{what} are at one place, where the weight between them is infinite"
    return Refusal("positions", text, "move one, or give a softening above 0", at)


def is_singular(entry: PairLayer) -> bool:
    """Whether the weight of two neurons at one place is infinite."""
    if not isinstance(entry, CoulombLayer):
        return False
    given = entry.softening
    return not (given.value if isinstance(given, Softening) else given)


def check_given(entry: PairLayer, actions: NeuronActions) -> list[Refusal]:
    """Refuse given positions that the group does not carry to each other.

    Args:
        entry: The layer; its given positions are of the right number and dimension.
        actions: What its group does.
    """
    if entry.positions is None or find_centre(entry, actions) is not None:
        return []
    key, label, here, there = _find_broken(entry, actions)
    which = {"in": " in", "out": " out"}.get(key, "")
    name = actions.group.labels[label]
    text = (
        f"{name} carries neuron {here}{which} to neuron {there}, and the position of the one not "
        "to that of the other"
    )
    help = "say how the group moves positions: actions: {x: ...}"
    if "x" in actions.written:
        help = "give positions that the action on x carries to each other, to a millionth"
    place: Path = ("positions", "values", *([key] if key else []), there)
    return [Refusal("positions", text, help, place)]


def find_centre(entry: PairLayer, actions: NeuronActions) -> tuple[float, ...] | None:
    """Return the point about which the group carries given positions to each other.

    Distances, and with them the weights, are the same about any point.

    Returns:
        The origin or the mean of all neurons; None where the group does not carry them.
    """
    rows = np.concatenate([np.array(rows) for _, rows, _ in _list_sides(entry)])
    for centre in (np.zeros(rows.shape[1]), rows.mean(axis=0)):
        if not any(len(strays) for _, _, strays in _list_strays(entry, actions, centre)):
            return tuple(centre.tolist())
    return None


def _list_strays(
    entry: PairLayer, actions: NeuronActions, centre: Floats
) -> Iterator[tuple[str, int, IntArray]]:
    """Walk sides and generators, with the neurons whose position is not carried along."""
    columns = dict(actions.columns)["x"]
    images = [take_floats(columns, image) for image in columns.images]
    for key, rows, _ in _list_sides(entry):
        points = np.array(rows) - centre
        neurons = actions.inputs if key == "in" else actions.outputs
        signed = actions.list_signed(neurons, signed=False)
        for label, (image, g) in enumerate(zip(images, signed, strict=True)):
            apart = np.abs(points[g.perm] - points @ image.T).max(axis=1)
            yield key, label, np.flatnonzero(apart > TOLERANCE * np.abs(points).max())


def _find_broken(entry: PairLayer, actions: NeuronActions) -> tuple[str, int, int, int]:
    """Return the side, the generator and the two neurons where the group is broken first."""
    rows = np.concatenate([np.array(rows) for _, rows, _ in _list_sides(entry)])
    for key, label, strays in _list_strays(entry, actions, rows.mean(axis=0)):
        if len(strays):
            neurons = actions.inputs if key == "in" else actions.outputs
            image = actions.list_signed(neurons, signed=False)[label]
            here = int(strays[0])
            return key, label, here, int(image.perm[here])
    raise ValueError(f"the group of {entry.name} carries its positions to each other")
