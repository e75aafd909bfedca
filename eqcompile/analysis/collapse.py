"""A layer over a fibration, collapsed to the base graph: one value per fibre and no more.

Inputs that are constant on fibres are mapped to outputs that are, so on them the layer is a
polynomial map between values of fibres. For the layer f, the lift P (every vertex gets the value
of its fibre) and the collapsed layer g: ``f(P x) = P g(x)``. In degree 1, with the coefficient 1
for every arrow of the graph and 0 else, this is ``A P = P B``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from eqcompile.actions.fibrations import Fibration
from eqcompile.exact.monomials import MonomialSpace, count_monomials, rank_tuples
from eqcompile.exact.signed import IntArray, freeze
from eqcompile.solve.tying import Tying

Number = int | float | Fraction


@dataclass(frozen=True, eq=False)
class CollapsedLayer:
    """The polynomial ``y[q] = sum counts[e] w[coefficients[e]] x^monomials[e]`` on fibres.

    The sum is over the entries e with ``outputs[e] = q``; x has one value per fibre, and for an
    input ``1`` just one.

    Attributes:
        fibration: The graph and its fibres.
        outputs: Number of outputs: the fibres, or one.
        space: The monomials in the values of the fibres.
        entries: Shape ``(entries, 4)``: output, monomial, coefficient and count, in this order.
    """

    fibration: Fibration
    outputs: int
    space: MonomialSpace
    entries: IntArray


def collapse(tying: Tying) -> CollapsedLayer:
    """Collapse one multidegree of a layer over a fibration.

    Raises:
        ValueError: The layer is over no fibration.
    """
    ansatz, fibration = tying.ansatz, tying.ansatz.fibration
    if fibration is None:
        raise ValueError("only a layer over the fibration of a graph can be collapsed")
    fibres = np.array(fibration.fibres)
    labels, _ = tying.table()
    least = [members[0] for members in fibration.members]
    own = labels[least] if ansatz.output.dim == fibration.n else labels
    sizes = [fibration.count if a.dim == fibration.n else 1 for a in ansatz.inputs]
    space = MonomialSpace(tuple(zip(sizes, ansatz.shape, strict=True)))
    columns, start = ansatz.space.columns(), 0
    ranks = np.zeros(len(columns), dtype=np.int64)
    for action, size, degree in zip(ansatz.inputs, sizes, ansatz.shape, strict=True):
        part = columns[:, start : start + degree]
        base = np.sort(fibres[part], axis=1) if action.dim == fibration.n else part
        ranks = ranks * count_monomials(size, degree) + rank_tuples(base, size)
        start += degree
    outputs, places = (own >= 0).nonzero()
    found = np.stack([outputs, ranks[places], own[outputs, places]], axis=1)
    rows, counts = np.unique(found, axis=0, return_counts=True)
    entries = freeze(np.concatenate([rows, counts[:, None]], axis=1))
    return CollapsedLayer(fibration, len(own), space, entries)


def evaluate(
    layer: CollapsedLayer, coefficients: Sequence[Number], values: Sequence[Sequence[Number]]
) -> list[Number]:
    """Evaluate a collapsed layer in any numbers.

    Args:
        layer: The layer.
        coefficients: One per coefficient of its tying.
        values: Per factor of the monomials the value of every fibre, or one for an input ``1``.

    Returns:
        One value per output.
    """
    powers: Mapping[int, Number] = {
        m: _multiply(layer.space.tuples(m), values) for m in set(layer.entries[:, 1].tolist())
    }
    found: list[Number] = [0] * layer.outputs
    for output, monomial, coefficient, count in layer.entries.tolist():
        found[output] += count * coefficients[coefficient] * powers[monomial]
    return found


def _multiply(indices: Sequence[Sequence[int]], values: Sequence[Sequence[Number]]) -> Number:
    product: Number = 1
    for part, own in zip(indices, values, strict=True):
        for i in part:
            product *= own[i]
    return product
