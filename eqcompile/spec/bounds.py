"""How large a layer may be; what is larger is refused before anything is expanded.

The solver walks one table of monomials per generator and per orbit of outputs, so these counts,
and not the number of slots alone, say what it can reach: S_1000 at degree 2 has 5 * 10^8 slots,
but one orbit of outputs and 500 500 monomials.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import perm, prod

import numpy as np

from eqcompile.actions.fibrations import MAX_SLOTS as STORED_SLOTS
from eqcompile.actions.group import Group, Representation
from eqcompile.actions.sizes import spell_count
from eqcompile.errors import Refusal
from eqcompile.exact.monomials import count_monomials, partitions
from eqcompile.exact.signed import SignedPermutation
from eqcompile.spec.actions import LayerActions
from eqcompile.spec.inputs import Degree, list_channels, list_degrees
from eqcompile.spec.model import PolynomialLayer

MAX_MONOMIALS = 4_000_000
MAX_SLOTS = 2**40
MAX_WALK = 50_000_000
MAX_ENTRIES = 20_000_000
MAX_CHANNEL_TUPLES = 1_000_000


def check_size(layer: PolynomialLayer, actions: LayerActions) -> list[Refusal]:
    """Refuse a layer that is too large to solve or to store, at its first degree beyond reach."""
    degrees = list_degrees(layer)
    found = [_check_degree(actions, degree) for degree in degrees]
    found += [_check_channels(layer, degree) for degree in degrees]
    key = "degree" if layer.degree is not None else "degrees"
    placed = [refusal.move(() if refusal.at else (key,)) for refusal in found if refusal]
    return placed[:1]


def _check_degree(actions: LayerActions, degree: Degree) -> Refusal | None:
    pairs = zip(actions.inputs, degree, strict=True)
    monomials = prod(count_monomials(action.dim, d) for (_, action), d in pairs)
    slots = actions.output.dim * monomials
    where = f"at degree {_spell_degree(actions, degree)}"
    size = f"{where} there are {spell_count(monomials)} monomials"
    if monomials > MAX_MONOMIALS:
        return _refuse(f"{size}, at most {MAX_MONOMIALS} are served")
    if actions.group.fibration is not None and slots > STORED_SLOTS:
        found = f"{where} there are {spell_count(slots)} slots"
        return _refuse(f"{found}, over a fibration at most {STORED_SLOTS} are served")
    if slots > MAX_SLOTS:
        return _refuse(f"{where} there are {spell_count(slots)} slots, too many to count")
    if monomials * len(actions.group.labels) > MAX_WALK:
        return _refuse(f"{size} for each of {len(actions.group.labels)} generators, too many")
    if slots > MAX_WALK:
        orbits = count_orbits(actions.output)
        if orbits * monomials > MAX_WALK:
            return _refuse(f"{size} for each of {orbits} orbits of outputs, too many")
    return None


def check_tie(group: Group, neurons: Representation, columns: Representation) -> Refusal | None:
    """Refuse a parameter by neurons and columns that is too large to tie."""
    slots = neurons.dim * columns.dim
    if slots <= MAX_ENTRIES and slots * len(group.labels) <= MAX_WALK:
        return None
    size = f"a parameter of {neurons.dim} rows and {columns.dim} columns"
    text = f"{size} is too large for {len(group.labels)} generators"
    return Refusal("too-large", text, "use fewer neurons, columns or generators")


def _spell_degree(actions: LayerActions, degree: Degree) -> str:
    if len(degree) == 1:
        return str(degree[0])
    pairs = zip(actions.inputs, degree, strict=True)
    return ", ".join(f"{d} in {name}" for (name, _), d in pairs if d)


def _refuse(text: str) -> Refusal:
    return Refusal("too-large", text, "use a smaller degree or representation")


def count_orbits(representation: Representation) -> int:
    """Return the number of orbits on the basis of the generators that permute it up to sign."""
    labels = np.arange(representation.dim)
    while True:
        before = labels
        for image in representation.images:
            if not isinstance(image, SignedPermutation):
                continue
            labels = np.minimum(labels, labels[image.perm])
            np.minimum.at(labels, image.perm, labels.copy())
        if np.array_equal(before, labels):
            return len(np.unique(labels))


def _check_channels(layer: PolynomialLayer, degree: Degree) -> Refusal | None:
    """Refuse full mixing over more tuples of distinct channels than can be listed."""
    if layer.channels.mixing != "full":
        return None
    pairs = zip(list_channels(layer), degree, strict=True)
    tuples = prod(sum(_count_tuples(s, channels) for s in partitions(d)) for channels, d in pairs)
    if tuples <= MAX_CHANNEL_TUPLES:
        return None
    where = f"degree {sum(degree)}"
    text = f"full mixing at {where} has {spell_count(tuples)} tuples of channels, too many"
    return Refusal("too-large", text, "write mixing: channelwise or factored", ("channels",))


def _count_tuples(shape: Sequence[int], channels: int) -> int:
    """Count the tuples of distinct channels of a shape, equal parts interchangeable."""
    count = perm(channels, len(shape))
    for part in set(shape):
        count //= perm(shape.count(part))
    return count
