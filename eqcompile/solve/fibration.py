"""Ties of a layer over a fibration: slots that message passing sees alike share a coefficient.

What is seen of a slot ``w[k; a]`` is its *key*: the fibre of the output k, and for each different
vertex i of the monomial a its fibre, whether i is k, whether k receives from i, and the power of
``x_i`` in each factor. Edges between two vertices of the monomial are not seen.

Inputs that are constant on fibres are mapped to outputs that are. Let x be constant on fibres.
The monomials of one key have one value there, since the key holds the fibres and the powers; and k
has equally many of them as any other output of its fibre: they are the ways to choose different
vertices from cells ``{i: fibre, i is k, k receives from i}`` of given sizes, and a balanced
colouring gives the cells of both outputs equal sizes. So the sum of each key, and with it the
layer, has one value on the fibre. In a fibre where some vertices have a loop and others have none,
"i is k" would split a cell unequally, and is not seen.

An automorphism keeps fibres, edges and loops, hence keys: the layer is equivariant under them all.
"""

from __future__ import annotations

import numpy as np

from eqcompile.actions.fibrations import Fibration
from eqcompile.actions.stabilisers import OrbitWalk
from eqcompile.exact.signed import IntArray
from eqcompile.solve.ansatz import Ansatz
from eqcompile.solve.tying import OutputOrbit


def tie_orbits(ansatz: Ansatz, walks: list[OrbitWalk]) -> tuple[OutputOrbit, ...]:
    """Tie the slots of equal keys, numbered by their least slot.

    Args:
        ansatz: A layer over a fibration.
        walks: The orbits of its outputs under the automorphisms. One coefficient may stand in
            several of them.
    """
    labels = label_keys(ansatz)
    return tuple(
        OutputOrbit(w.outputs, w.parents, w.steps, row, np.ones_like(row))
        for w in walks
        for row in (labels[w.outputs[0]],)
    )


def label_keys(ansatz: Ansatz) -> IntArray:
    """Number the key of every slot by the first slot that has it, shape ``(n_out, monomials)``."""
    assert ansatz.fibration is not None
    fibration = ansatz.fibration
    columns = ansatz.space.columns()
    factors = [f for f, degree in enumerate(ansatz.shape) for _ in range(degree)]
    on_vertices = [ansatz.inputs[f].dim == fibration.n for f in factors]
    seen = (
        relate_vertices(fibration)
        if ansatz.output.dim == fibration.n
        else 4 * np.array([fibration.fibres], dtype=np.int64)
    )
    powers = _number_powers(columns, factors, on_vertices, fibration.n)
    kinds = 1 + int(powers.max(initial=0))
    codes = np.zeros((ansatz.output.dim, *columns.shape), dtype=np.int64)
    for position, (vertex, power) in enumerate(zip(columns.T, powers.T, strict=True)):
        relation = seen[:, vertex] if on_vertices[position] else 0
        codes[:, :, position] = relation * kinds + power
    start = 0
    for degree in ansatz.shape:
        # Equal factors commute: the key holds the vertices of a factor in no order.
        codes[:, :, start : start + degree].sort(axis=-1)
        start += degree
    outputs = np.array(fibration.fibres) if len(seen) > 1 else np.zeros(1, dtype=np.int64)
    labels = np.broadcast_to(outputs[:, None], codes.shape[:2]).ravel()
    for position in range(codes.shape[2]):
        labels = _join(labels, codes[:, :, position].ravel())
    return _number_by_first(labels).reshape(codes.shape[:2])


def relate_vertices(fibration: Fibration) -> IntArray:
    """Return what vertex k sees of vertex i: ``4 fibre + 2 [i is k] + [k receives from i]``."""
    fibres = np.array(fibration.fibres, dtype=np.int64)
    arrows = np.array(fibration.arrows, dtype=np.int64).reshape(-1, 2)
    seen = np.tile(4 * fibres, (fibration.n, 1))
    knows_itself = np.flatnonzero(~np.isin(fibres, sorted(fibration.mixed)))
    seen[knows_itself, knows_itself] += 2
    seen[arrows[:, 1], arrows[:, 0]] += 1
    return seen


def _number_powers(
    columns: IntArray, factors: list[int], on_vertices: list[bool], n: int
) -> IntArray:
    """Number, for every index of every monomial, the powers of its variable in all factors."""
    if not columns.size:
        return columns
    # The one index of an input "1" is no vertex.
    points = columns + np.where(on_vertices, 0, n)
    code = np.zeros_like(points)
    for other, factor in enumerate(factors):
        code += (points == points[:, other, None]) * (len(factors) + 1) ** factor
    return np.asarray(np.unique(code, return_inverse=True)[1]).reshape(points.shape)


def _join(left: IntArray, right: IntArray) -> IntArray:
    """Number the pairs of two lists of numbers."""
    _, right = np.unique(right, return_inverse=True)
    joined = left * (1 + int(right.max(initial=0))) + right
    return np.asarray(np.unique(joined, return_inverse=True)[1]).ravel()


def _number_by_first(labels: IntArray) -> IntArray:
    """Number labels by the first place they stand at."""
    _, first, labels = np.unique(labels, return_index=True, return_inverse=True)
    order = np.empty(len(first), dtype=np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    return np.asarray(order[labels.ravel()])
