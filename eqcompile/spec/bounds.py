"""How large a layer may be; what is larger is refused before anything is expanded.

The solver walks one table of monomials per generator and per orbit of outputs, so these counts,
and not the number of slots alone, say what it can reach: S_1000 at degree 2 has 5 * 10^8 slots,
but one orbit of outputs and 500 500 monomials.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import perm

import numpy as np

from eqcompile.actions.group import Representation
from eqcompile.actions.sizes import spell_count
from eqcompile.errors import Refusal
from eqcompile.exact.monomials import count_monomials, partitions
from eqcompile.spec.actions import LayerActions
from eqcompile.spec.model import ChannelsEntry, PolynomialLayer

MAX_MONOMIALS = 4_000_000
MAX_SLOTS = 2**40
MAX_WALK = 50_000_000
MAX_CHANNEL_TUPLES = 1_000_000


def list_degrees(layer: PolynomialLayer) -> tuple[int, ...]:
    """Return the total degrees of a layer with one input, increasing."""
    if layer.degree is not None:
        return tuple(range(layer.degree + 1))
    return tuple(sorted(d for d in layer.degrees or () if isinstance(d, int)))


def check_size(layer: PolynomialLayer, actions: LayerActions) -> list[Refusal]:
    """Refuse a layer that is too large to solve or to store, at its first degree beyond reach."""
    degrees = list_degrees(layer)
    found = [_check_degree(actions, degree) for degree in degrees]
    found.append(_check_channels(layer.channels, degrees))
    key = "degree" if layer.degree is not None else "degrees"
    placed = [refusal.move(() if refusal.at else (key,)) for refusal in found if refusal]
    return placed[:1]


def _check_degree(actions: LayerActions, degree: int) -> Refusal | None:
    monomials = count_monomials(actions.input.dim, degree)
    slots = actions.output.dim * monomials
    size = f"at degree {degree} there are {spell_count(monomials)} monomials"
    if monomials > MAX_MONOMIALS:
        return _refuse(f"{size}, at most {MAX_MONOMIALS} are served")
    if slots > MAX_SLOTS:
        return _refuse(
            f"at degree {degree} there are {spell_count(slots)} slots, too many to count"
        )
    if monomials * len(actions.group.generators) > MAX_WALK:
        return _refuse(f"{size} for each of {len(actions.group.generators)} generators, too many")
    if slots > MAX_WALK:
        orbits = count_orbits(actions.output)
        if orbits * monomials > MAX_WALK:
            return _refuse(f"{size} for each of {orbits} orbits of outputs, too many")
    return None


def _refuse(text: str) -> Refusal:
    return Refusal("too-large", text, "use a smaller degree or representation")


def count_orbits(representation: Representation) -> int:
    """Return the number of orbits of the group on the basis, signs left out."""
    labels = np.arange(representation.dim)
    while True:
        before = labels
        for image in representation.images:
            labels = np.minimum(labels, labels[image.perm])
            np.minimum.at(labels, image.perm, labels.copy())
        if np.array_equal(before, labels):
            return len(np.unique(labels))


def _check_channels(channels: ChannelsEntry, degrees: Sequence[int]) -> Refusal | None:
    """Refuse full mixing over more tuples of distinct channels than can be listed."""
    if channels.mixing != "full" or not isinstance(channels.inputs, int):
        return None
    for degree in degrees:
        tuples = sum(_count_tuples(shape, channels.inputs) for shape in partitions(degree))
        if tuples > MAX_CHANNEL_TUPLES:
            text = f"full mixing at degree {degree} has {spell_count(tuples)} tuples of channels"
            help = "write mixing: channelwise or factored"
            return Refusal("too-large", f"{text}, too many", help, ("channels",))
    return None


def _count_tuples(shape: Sequence[int], channels: int) -> int:
    """Count the tuples of distinct channels of a shape, equal parts interchangeable."""
    count = perm(channels, len(shape))
    for part in set(shape):
        count //= perm(shape.count(part))
    return count
