"""Signed classes: the orbits of signed permutations on a basis, vectorised.

Every edge says ``v[target] = sign v[source]``. A class is a connected component; on the signed
double cover (points ``+i`` and ``-i``) a component that meets its own negative forces zero.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from eqcompile.exact.monomials import Edges
from eqcompile.exact.signed import IntArray


def classify(size: int, moves: Iterable[Edges], *, signed: bool) -> tuple[IntArray, IntArray]:
    """Return the class and sign of each basis vector under all moves.

    Moves are taken one at a time and the graph is contracted after each, so memory stays a few
    arrays of ``size`` however many moves there are.

    Args:
        size: Number of basis vectors.
        moves: Where each generator sends them, fixed vectors left out or not; consumed once.
        signed: Whether any edge may carry a minus sign; without, the double cover is skipped.

    Returns:
        Labels numbered by each class's least member, -1 where the vector is forced to zero; and
        signs relative to that least member, 0 where zero. Both of shape ``(size,)``.
    """
    points = np.arange(2 * size if signed else size)
    for sources, targets, signs in moves:
        if signed:
            flip = np.where(signs > 0, 0, size)
            sources, targets = (
                np.concatenate([sources, sources + size]),
                np.concatenate([targets + flip, targets + size - flip]),
            )
        points = _merge(points, sources, targets)
    if not signed:
        return _number(points, size), np.ones(size, dtype=np.int64)
    return _split_signs(points, size)


def _merge(labels: IntArray, sources: IntArray, targets: IntArray) -> IntArray:
    """Join the labels of both ends of every edge; labels stay ``0..count-1``."""
    left, right = labels[sources], labels[targets]
    differ = left != right
    if not differ.any():
        return labels
    count = int(labels.max()) + 1
    ends = (left[differ].astype(np.int32), right[differ].astype(np.int32))
    graph = coo_array((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(count, count))
    _, joined = connected_components(graph.tocsr(), directed=False)
    return np.asarray(joined, dtype=np.int64)[labels]


def _number(labels: IntArray, size: int) -> IntArray:
    """Renumber labels by their first member."""
    _, first, inverse = np.unique(labels[:size], return_index=True, return_inverse=True)
    order = np.empty(len(first), dtype=np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    return np.asarray(order[inverse], dtype=np.int64)


def _split_signs(points: IntArray, size: int) -> tuple[IntArray, IntArray]:
    """Read classes and signs off the components of the double cover."""
    plus, minus = points[:size], points[size:]
    alive = plus != minus
    pair = np.minimum(plus, minus)
    labels = np.full(size, -1, dtype=np.int64)
    members = np.flatnonzero(alive)
    if not len(members):
        return labels, np.zeros(size, dtype=np.int64)
    labels[members] = _number(pair[members], len(members))
    _, first = np.unique(labels[members], return_index=True)
    lead = plus[members[first]]
    signs = np.zeros(size, dtype=np.int64)
    signs[members] = np.where(plus[members] == lead[labels[members]], 1, -1)
    return labels, signs
