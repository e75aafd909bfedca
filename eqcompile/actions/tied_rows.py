"""Rows of a parameter that a group over the neurons forces to be equal, or zero.

A parameter has one row per neuron, and the group demands ``row_{g i} = sign R(g) row_i``. Where R
permutes columns up to sign, entries are equal or free, which is decided exactly. Elsewhere rows
are followed along orbits in floating point: R is orthogonal, so that errors do not grow, and what
is found only refuses a layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from eqcompile.actions.group import Image, Representation
from eqcompile.actions.images import as_matrix
from eqcompile.exact.signed import IntArray, SignedPermutation

MAX_FOLLOWED = 30_000_000
"""Entries of the matrices along all orbits that are followed at once."""
_EQUAL = 1e-9
_FIXED = 1e-7

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TiedRows:
    """Which rows are always equal or zero, and some that are as different as they can be.

    Attributes:
        labels: Shape ``(neurons,)``; two rows have one label where they are always equal.
        zero: Shape ``(neurons,)``; whether a row is always zero.
        kept: Numbers of the columns that were followed; the others are like some of them.
        sample: Shape ``(neurons, kept)``: a generic parameter that the group allows.
    """

    labels: IntArray
    zero: npt.NDArray[np.bool_]
    kept: IntArray
    sample: Floats


def follow_rows(neurons: Sequence[SignedPermutation], columns: Representation) -> TiedRows | None:
    """Find the rows that are always equal; None where they are too many to follow.

    Args:
        neurons: The image of every generator on the neurons, with the signs that rows carry.
        columns: The action on the columns, orthogonal.
    """
    signed = [image for image in columns.images if isinstance(image, SignedPermutation)]
    if len(signed) == len(columns.images):
        return _follow_entries(neurons, signed)
    if neurons[0].n * columns.dim**2 > MAX_FOLLOWED:
        return None
    return _follow_orbits(neurons, [take_floats(columns, image) for image in columns.images])


def take_floats(action: Representation, image: Image) -> Floats:
    """Return an image in the coordinates of its representation, dense and in floats."""
    matrix = as_matrix(image).to_float()
    if not action.squares:
        return matrix
    scale = np.sqrt([float(square) for square in action.squares])
    return np.asarray(scale[:, None] * matrix / scale)


def _follow_entries(
    neurons: Sequence[SignedPermutation], columns: Sequence[SignedPermutation]
) -> TiedRows:
    """Follow every entry by itself."""
    kept, restricted = keep_columns(columns)
    codes = code_entries(neurons, restricted)
    _, labels = np.unique(codes, axis=0, return_inverse=True)
    values = np.random.default_rng(0).normal(size=int(np.abs(codes).max()) + 1)
    sample = np.sign(codes) * values[np.abs(codes)]
    zero = np.array([not row.any() for row in codes])
    return TiedRows(labels.reshape(-1), zero, kept, sample)


def keep_columns(
    columns: Sequence[SignedPermutation],
) -> tuple[IntArray, list[SignedPermutation]]:
    """Leave out all but one of the columns that nothing moves, since they are all alike.

    Returns:
        The numbers of the columns that are kept, and what every generator does to these.
    """
    points = np.arange(columns[0].n)
    moved = np.zeros(len(points), dtype=bool)
    for image in columns:
        moved |= (image.perm != points) | (image.signs < 0)
    kept = np.union1d(np.flatnonzero(moved), np.flatnonzero(~moved)[:1])
    place = np.zeros(len(points), dtype=np.int64)
    place[kept] = np.arange(len(kept))
    return kept, [SignedPermutation(place[g.perm[kept]], g.signs[kept]) for g in columns]


def code_entries(
    neurons: Sequence[SignedPermutation], columns: Sequence[SignedPermutation]
) -> IntArray:
    """Code the entries of a parameter whose columns are permuted up to sign.

    Returns:
        Shape ``(neurons, columns)``: entries of one code are equal, of opposite codes opposite,
        of code 0 zero, and all others free.
    """
    n, d = neurons[0].n, columns[0].n
    size = n * d
    points = np.arange(size)
    sources, targets = [], []
    for g, image in zip(neurons, columns, strict=True):
        there = (g.perm[:, None] * d + image.perm).ravel()
        flip = np.where((g.signs[:, None] * image.signs).ravel() > 0, 0, size)
        # Both copies of an entry: as it is, and with the other sign.
        sources += [points, points + size]
        targets += [there + flip, there + size - flip]
    ends = (np.concatenate(sources), np.concatenate(targets))
    edges = coo_array((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(2 * size, 2 * size))
    _, joined = connected_components(edges.tocsr(), directed=False)
    plus, minus = joined[:size].astype(np.int64), joined[size:].astype(np.int64)
    codes = np.sign(minus - plus) * (np.minimum(plus, minus) + 1)
    return np.asarray(codes.reshape(n, d))


def _follow_orbits(neurons: Sequence[SignedPermutation], images: Sequence[Floats]) -> TiedRows:
    """Follow rows along orbits: every row is a matrix times the row its orbit starts at."""
    n, d = neurons[0].n, len(images[0])
    start = np.full(n, -1, dtype=np.int64)
    carried = np.zeros((n, d, d))
    for point in range(n):
        if start[point] < 0:
            start[point], carried[point] = point, np.eye(d)
            _walk(point, neurons, images, start, carried)
    # What a generator makes of a row is the row it arrives at: that restricts the first one.
    strain = np.zeros((n, d, d))
    for g, image in zip(neurons, images, strict=True):
        arrived = g.signs[:, None, None] * (image @ carried) - carried[g.perm]
        np.add.at(strain, start, arrived.mT @ arrived)
    rng = np.random.default_rng(0)
    generic, sample = rng.normal(size=d), np.zeros((n, d))
    for first in np.unique(start):
        sizes, vectors = np.linalg.eigh(strain[first])
        fixed = vectors[:, sizes < _FIXED]
        orbit = start == first
        sample[orbit] = carried[orbit] @ (fixed @ rng.normal(size=fixed.shape[1]))
    # Generic rows are equal, seen from a generic side, where they always are.
    seen = sample @ generic
    order = np.argsort(seen, kind="stable")
    labels = np.empty(n, dtype=np.int64)
    labels[order] = np.concatenate([[0], np.cumsum(np.diff(seen[order]) > _EQUAL)])
    zero = np.abs(sample).max(axis=1) < _EQUAL
    return TiedRows(labels, zero, np.arange(d), sample)


def _walk(
    point: int,
    neurons: Sequence[SignedPermutation],
    images: Sequence[Floats],
    start: IntArray,
    carried: Floats,
) -> None:
    """Reach the orbit of a point, and write what carries its row to every other one."""
    todo = [point]
    while todo:
        here = todo.pop()
        for g, image in zip(neurons, images, strict=True):
            there = int(g.perm[here])
            if start[there] < 0:
                start[there] = point
                carried[there] = g.signs[here] * (image @ carried[here])
                todo.append(there)
