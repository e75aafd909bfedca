"""Count solutions by characters: the average over the group, for groups small enough to list.

dim Hom_G(Sym^d V (x) .., U) = (1/|G|) sum_g chi_U(g) prod_factors h_d(g on V), where h_d follows
from the traces of powers, ``d h_d = sum_{k=1..d} tr(g^k) h_{d-k}`` (Newton's identities).

Source: Burnside 1897 (permutations); Molien 1897 (any representation).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eqcompile.exact.signed import IntArray
from eqcompile.solve.ansatz import Ansatz

GROUP_ORDER = 2000
"""Groups up to this order are listed element by element."""


@dataclass(frozen=True, slots=True)
class CharacterCount:
    """A dimension found by averaging characters.

    Attributes:
        dimension: Number of independent solutions.
        order: Order of the group that was listed.
        method: ``burnside`` for permutations, ``molien`` where signs occur.
    """

    dimension: int
    order: int
    method: str


def count_by_characters(ansatz: Ansatz) -> CharacterCount | None:
    """Count the solutions of an ansatz by characters, or return None for a larger group."""
    points = [
        np.concatenate(_shift([r.images[i].double() for r in (*ansatz.inputs, ansatz.output)]))
        for i in range(len(ansatz.causes))
    ]
    elements = list_group(points)
    if elements is None:
        return None
    total = np.ones(len(elements), dtype=object)
    start = 0
    for representation, degree in (
        *zip(ansatz.inputs, ansatz.shape, strict=True),
        (ansatz.output, 1),
    ):
        n = representation.dim
        block = elements[:, start : start + 2 * n] - start
        total = total * count_homogeneous(block, degree)
        start += 2 * n
    dimension, rest = divmod(int(total.sum()), len(elements))
    if rest:
        raise AssertionError("the average of characters is no integer")
    unsigned = all(g.is_unsigned for r in (*ansatz.inputs, ansatz.output) for g in r.images)
    return CharacterCount(dimension, len(elements), "burnside" if unsigned else "molien")


def _shift(blocks: list[IntArray]) -> list[IntArray]:
    """Number the points of several actions one after the other."""
    starts = np.cumsum([0, *(len(b) for b in blocks)])
    return [b + s for b, s in zip(blocks, starts, strict=False)]


def list_group(generators: list[IntArray]) -> IntArray | None:
    """List all elements as permutations, shape ``(order, points)``, or None beyond the bound."""
    identity = np.arange(len(generators[0]))
    known = {identity.tobytes()}
    elements = [identity]
    for element in elements:
        for generator in generators:
            product = generator[element]
            key = product.tobytes()
            if key not in known:
                if len(elements) >= GROUP_ORDER:
                    return None
                known.add(key)
                elements.append(product)
    return np.stack(elements)


def count_homogeneous(elements: IntArray, degree: int) -> IntArray:
    """Return the trace of every element on the homogeneous polynomials of a degree.

    Args:
        elements: Permutations of the 2n signed points, shape ``(order, 2n)``.
        degree: The degree.

    Returns:
        Shape ``(order,)``, exact integers.
    """
    n = elements.shape[1] // 2
    here = np.arange(n)
    power = np.broadcast_to(np.arange(2 * n), elements.shape)
    traces = []
    for _ in range(degree):
        power = np.take_along_axis(elements, power, axis=1)
        head = power[:, :n]
        traces.append(((head == here).sum(axis=1) - (head == here + n).sum(axis=1)).astype(object))
    complete = [np.ones(len(elements), dtype=object)]
    for d in range(1, degree + 1):
        sums = sum(
            (traces[k - 1] * complete[d - k] for k in range(1, d + 1)),
            np.zeros(len(elements), object),
        )
        complete.append(sums // d)
    return np.asarray(complete[degree])
