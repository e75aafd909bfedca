"""The variance of a layer's classes for unit normal input, exactly: what the initial scale needs.

A polynomial p of independent unit normal variables splits into parts of total degree e (the Wick
or chaos decomposition), which are uncorrelated. The part of degree ``d - 2j`` of a form of degree
d is ``q_j = (1 / (2^j j!)) Laplacian^j p``, and its variance is the Fock norm ``sum_a a! q_a^2``;
the part of degree 0 is the mean. For one monomial, ``(1 / (2^j j!)) Laplacian^j`` sums over the
ways to choose j disjoint pairs of equal factors and drop them, so everything stays an integer.

Source: Janson, "Gaussian Hilbert Spaces", 1997, theorems 2.6 and 3.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import permutations

import numpy as np

from eqcompile.exact.monomials import MonomialSpace
from eqcompile.exact.signed import IntArray
from eqcompile.solve.tying import OutputOrbit, Tying

Pairs = tuple[tuple[int, int], ...]


def block_variance(tying: Tying) -> Fraction:
    """Return ``V = sum over classes c of (1/|c|) sum over outputs k of Var p_{c,k}(x)``.

    ``p_{c,k}`` is the signed sum of the monomials of class c at output k, and all variables are
    independent unit normal; variables of different channels are different variables.
    """
    sizes = [int(size) for size in tying.sizes]
    total = Fraction(0)
    for orbit in tying.orbits:
        # The outputs of an orbit have equal variances: the action permutes and negates variables.
        norms = _sum_fock_norms(tying, orbit)
        shares = (Fraction(norm, size) for norm, size in zip(norms, sizes, strict=True))
        total += len(orbit.outputs) * sum(shares, Fraction(0))
    return total


def _sum_fock_norms(tying: Tying, orbit: OutputOrbit) -> list[int]:
    """Return, per class, the variance of its polynomial at the first output of an orbit."""
    space = tying.ansatz.space
    kept = np.flatnonzero(orbit.labels >= 0)
    columns, labels, signs = space.columns()[kept], orbit.labels[kept], orbit.signs[kept]
    norms = np.zeros(tying.classes, dtype=np.int64)
    for pairings in _group_pairings(tying.ansatz.shape).values():
        dropped = 2 * len(pairings[0])
        if dropped < space.degree:
            norms += _fock_norm(space, columns, labels, signs, pairings, tying.classes)
    return [int(norm) for norm in norms]


def _fock_norm(
    space: MonomialSpace,
    columns: IntArray,
    labels: IntArray,
    signs: IntArray,
    pairings: list[Pairs],
    classes: int,
) -> IntArray:
    """Return, per class, the Fock norm of the part that drops one kind of pairs."""
    rests, names, weights = [], [], []
    for pairs in pairings:
        equal = np.ones(len(columns), dtype=bool)
        for p, q in pairs:
            equal &= columns[:, p] == columns[:, q]
        used = [p for pair in pairs for p in pair]
        rests.append(np.delete(columns[equal], used, axis=1))
        names.append(labels[equal])
        weights.append(signs[equal])
    found = np.zeros(classes, dtype=np.int64)
    keys = np.concatenate([np.concatenate(names)[:, None], np.concatenate(rests)], axis=1)
    if not len(keys):
        return found
    order = np.lexsort(keys.T[::-1])
    keys = keys[order]
    first = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)])
    coefficients = np.add.reduceat(np.concatenate(weights)[order], first)
    powers = _count_symmetries(keys[first, 1:], _remaining_factors(space, pairings[0]))
    np.add.at(found, keys[first, 0], powers * coefficients**2)
    return found


def _remaining_factors(space: MonomialSpace, pairs: Pairs) -> list[int]:
    """Return the factor each remaining position belongs to."""
    used = {p for pair in pairs for p in pair}
    return [f for p, f in enumerate(_list_factors(space)) if p not in used]


def _list_factors(space: MonomialSpace) -> list[int]:
    return [f for f, (_, degree) in enumerate(space.factors) for _ in range(degree)]


def _count_symmetries(rest: IntArray, factors: list[int]) -> IntArray:
    """Return ``a!`` of each monomial: the product of the factorials of its exponents."""
    result = np.ones(len(rest), dtype=np.int64)
    run = np.ones(len(rest), dtype=np.int64)
    for j in range(1, rest.shape[1]):
        tied = (rest[:, j] == rest[:, j - 1]) & (factors[j] == factors[j - 1])
        run = np.where(tied, run + 1, 1)
        result *= run
    return result


def _group_pairings(shape: tuple[int, ...]) -> dict[tuple[int, ...], list[Pairs]]:
    """List the partial pairings within the factors, by the number of pairs in each factor."""
    grouped: dict[tuple[int, ...], list[Pairs]] = {(): [()]}
    start = 0
    for degree in shape:
        own: dict[int, list[Pairs]] = {}
        for pairs in _list_pairings(tuple(range(start, start + degree))):
            own.setdefault(len(pairs), []).append(pairs)
        grouped = {
            (*key, count): [left + right for left in lefts for right in rights]
            for key, lefts in grouped.items()
            for count, rights in own.items()
        }
        start += degree
    return grouped


def _list_pairings(positions: tuple[int, ...]) -> Iterator[Pairs]:
    """List all sets of disjoint pairs of positions, the empty one included."""
    if not positions:
        yield ()
        return
    head, rest = positions[0], positions[1:]
    yield from _list_pairings(rest)
    for j, partner in enumerate(rest):
        for pairs in _list_pairings(rest[:j] + rest[j + 1 :]):
            yield ((head, partner), *pairs)


def factored_variance(tying: Tying) -> tuple[Fraction, ...]:
    """Return the variance of ordered classes of d random mixtures of C channels.

    Each factor of the product is its own mixture ``u_j = sum_c F_j[c] x_c``, the entries of F
    normal of variance 1/C. The mean over F of the variance over x of the classes, each divided by
    its size and summed over outputs, is ``sum_j v_j C^-j``.

    Both moments of a product of normals are sums over pairings of the 2d indices of p and p
    (Isserlis); a pairing that joins the two copies of p only within themselves belongs to the
    squared mean. Joining the two ends of each F_j as well makes loops, and each loop sums over
    the channels once: a pairing with e loops carries ``C^(e - d)``.

    Args:
        tying: A block of shape ``(1, .., 1)``, at least one factor.

    Returns:
        ``(v_0, .., v_{d-1})``.
    """
    degree = tying.ansatz.degree
    sizes = [int(size) for size in tying.sizes]
    found = [Fraction(0)] * degree
    for orbit in tying.orbits:
        traces = _trace_pairings(tying, orbit)
        for left, trace_left in traces.items():
            for right, trace_right in traces.items():
                if len(left) != len(right) or 2 * len(left) == degree:
                    continue
                for order in permutations(range(degree - 2 * len(left))):
                    inner = _inner(trace_left, trace_right, order, tying.classes)
                    share = sum(
                        (Fraction(v, s) for v, s in zip(inner, sizes, strict=True)), Fraction(0)
                    )
                    loops = _count_loops(degree, left, right, order)
                    found[degree - loops] += len(orbit.outputs) * share
    return tuple(found)


Trace = tuple[IntArray, IntArray, IntArray]


def _trace_pairings(tying: Tying, orbit: OutputOrbit) -> dict[Pairs, Trace]:
    """Return, per partial pairing, the class tensors with the paired indices equal and summed.

    A trace is ``(classes, indices left, coefficients)``, each row once.
    """
    columns = tying.ansatz.space.columns()
    kept = np.flatnonzero(orbit.labels >= 0)
    columns, labels, signs = columns[kept], orbit.labels[kept], orbit.signs[kept]
    traces: dict[Pairs, Trace] = {}
    for pairs in _list_pairings(tuple(range(tying.ansatz.degree))):
        equal = np.ones(len(columns), dtype=bool)
        for p, q in pairs:
            equal &= columns[:, p] == columns[:, q]
        rest = np.delete(columns[equal], [p for pair in pairs for p in pair], axis=1)
        traces[pairs] = (labels[equal], rest, signs[equal])
    return traces


def _inner(left: Trace, right: Trace, order: tuple[int, ...], classes: int) -> list[int]:
    """Return, per class, the inner product of two traces, the second one's indices reordered."""
    base = 1 + max((int(t[1].max(initial=0)) for t in (left, right)), default=0)
    keys, values = [], []
    for names, rest, weights in (left, (right[0], right[1][:, list(order)], right[2])):
        key = names.copy()
        for j in range(rest.shape[1]):
            key = key * base + rest[:, j]
        unique, where = np.unique(key, return_inverse=True)
        sums = np.zeros(len(unique), dtype=np.int64)
        np.add.at(sums, where, weights)
        keys.append(unique)
        values.append(sums)
    left_keys, right_keys = keys
    _, at_left, at_right = np.intersect1d(
        left_keys, right_keys, assume_unique=True, return_indices=True
    )
    span = base ** left[1].shape[1]
    found = np.zeros(classes, dtype=np.int64)
    np.add.at(found, left_keys[at_left] // span, values[0][at_left] * values[1][at_right])
    return [int(v) for v in found]


def _count_loops(degree: int, left: Pairs, right: Pairs, order: tuple[int, ...]) -> int:
    """Count the loops of a pairing once both ends of every factor are joined."""
    rest_left = [p for p in range(degree) if all(p not in pair for pair in left)]
    rest_right = [p for p in range(degree) if all(p not in pair for pair in right)]
    across = [(rest_left[j], rest_right[o]) for j, o in enumerate(order)]
    parent = list(range(degree))

    def find(p: int) -> int:
        while parent[p] != p:
            p = parent[p]
        return p

    for p, q in (*left, *right, *across):
        parent[find(p)] = find(q)
    return sum(parent[p] == p for p in range(degree))
