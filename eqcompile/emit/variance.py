"""The variance of a layer's classes for unit normal input, which the initial scale needs.

A polynomial p of independent unit normal variables splits into parts of total degree e (the Wick
or chaos decomposition), which are uncorrelated. The part of degree ``d - 2j`` of a form of degree
d is ``q_j = (1 / (2^j j!)) Laplacian^j p``; the covariance of two such parts is the Fock product
``sum_a a! q_a q'_a``, and the part of degree 0 is the mean. For one monomial,
``(1 / (2^j j!)) Laplacian^j`` sums over the ways to choose j disjoint pairs of equal factors and
drop them, so everything stays an integer.

The variance is summed over the units of the parameters. Where a class is a coefficient that is a
sum of squares of integers divided by sizes, exactly; where coefficients depend on each other it is
calculated in floats and rounded to a decimal, so that a build does not depend on their last bits.

Source: Janson, "Gaussian Hilbert Spaces", 1997, theorems 2.6 and 3.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from eqcompile.exact.monomials import MonomialSpace
from eqcompile.exact.signed import IntArray
from eqcompile.layers.problem import Parametrisation
from eqcompile.solve.tying import OutputOrbit, Tying

Pairs = tuple[tuple[int, int], ...]
Sparse = Any
"""A sparse matrix of integers; the stubs of scipy know floats only."""

FloatArray = npt.NDArray[np.float64]

DIGITS = 9
"""Decimal digits of a variance that is not rational; rounding moves far fewer."""


@dataclass(frozen=True, slots=True)
class Forms:
    """One part of the polynomials of all coefficients at one output: sums of monomials.

    Attributes:
        monomials: Shape ``(entries, factors)``: indices of a monomial; entries at one coefficient
            and monomial add up.
        labels: Shape ``(entries,)``: the coefficient.
        signs: The same shape.
    """

    monomials: IntArray
    labels: IntArray
    signs: IntArray

    def add_up(self, coefficients: int) -> tuple[Sparse, IntArray]:
        """Return the integer matrix from coefficients to monomials, and the monomials by row."""
        names, rows = np.unique(self.monomials, axis=0, return_inverse=True)
        return self.tabulate(rows.ravel(), len(names), coefficients), names

    def tabulate(self, rows: IntArray, height: int, coefficients: int) -> Sparse:
        """Return the matrix with the row of each entry's monomial given; equal places add up."""
        places: Any = (self.signs, (rows, self.labels))
        return csr_array(places, shape=(height, coefficients))


def block_variance(tying: Tying, parametrisation: Parametrisation = "orthonormal") -> Fraction:
    """Return ``V = sum over units u of parameters, sum over outputs k, of Var p_{u,k}(x)``.

    ``p_{u,k}`` is the polynomial at output k whose coefficients a unit u gives, and all variables
    are independent unit normal; variables of different channels are different variables. A fixed
    part does not count.
    """
    total = _start(tying, parametrisation)
    for orbit in tying.orbits:
        # The outputs of an orbit have equal covariances: the action permutes and negates variables,
        # and negates all polynomials of an output or none.
        for forms, factors in _list_forms(tying, orbit):
            matrix, names = forms.add_up(tying.coefficients)
            total.add(matrix, matrix, len(orbit.outputs), _count_symmetries(names, factors))
    return total.finish()


@dataclass(slots=True)
class _Sum:
    """A sum over all units of products of linear forms in the coefficients.

    Attributes:
        table: Shape ``(coefficients, units)``: the coefficients of each unit; None where each
            coefficient has a unit of its own.
        sizes: Of the coefficients of a unit, what their squares are divided by.
        exact: The sum without a table.
        rough: With one.
    """

    table: FloatArray | None
    sizes: IntArray
    exact: Fraction = Fraction(0)
    rough: float = 0.0

    def add(self, left: Sparse, right: Sparse, times: int, weights: IntArray) -> None:
        """Add ``times sum_a weights_a left_a(w) right_a(w)`` over all units w."""
        if self.table is None:
            found = np.asarray(left.multiply(right).multiply(weights[:, None]).sum(axis=0)).ravel()
            shares = (Fraction(int(v), int(s)) for v, s in zip(found, self.sizes, strict=True))
            self.exact += times * sum(shares, Fraction(0))
        else:
            products = ((left @ self.table) * (right @ self.table)).sum(axis=1)
            self.rough += times * float(products @ weights)

    def finish(self) -> Fraction:
        """Return the sum."""
        return self.exact if self.table is None else Fraction(f"{self.rough:.{DIGITS - 1}e}")


def _start(tying: Tying, parametrisation: Parametrisation) -> _Sum:
    sizes = tying.sizes if parametrisation == "orthonormal" else np.ones_like(tying.sizes)
    return _Sum(_list_units(tying, parametrisation), sizes)


def _list_units(tying: Tying, parametrisation: Parametrisation) -> FloatArray | None:
    """Return the coefficients of every unit of a parameter; None where each has one of its own."""
    basis = tying.basis
    if basis is None:
        return None
    matrix = basis.matrix.to_float()
    squares = [float(square) for square in basis.squares] or [1.0] * tying.coefficients
    scaled = matrix * np.sqrt(squares)[:, None]
    if parametrisation == "eliminate":
        return np.asarray(scaled / matrix[basis.free].diagonal())
    # Any other orthonormal basis has the same sum of variances.
    roots = np.sqrt(tying.sizes)[:, None]
    orthonormal, _ = np.linalg.qr(scaled * roots)
    return np.asarray(orthonormal / roots)


def _list_forms(tying: Tying, orbit: OutputOrbit) -> Iterator[tuple[Forms, list[int]]]:
    """Walk the parts of the polynomials at the first output of an orbit, but for the mean.

    Yields:
        A part, and the factor that each index of its monomials belongs to.
    """
    space = tying.ansatz.space
    kept = np.flatnonzero(orbit.labels >= 0)
    columns, labels, signs = space.columns()[kept], orbit.labels[kept], orbit.signs[kept]
    for pairings in _group_pairings(tying.ansatz.shape).values():
        if 2 * len(pairings[0]) < space.degree:
            parts = [_drop_pairs(columns, labels, signs, pairs) for pairs in pairings]
            arrays = zip(*((p.monomials, p.labels, p.signs) for p in parts), strict=True)
            joined = Forms(*(np.concatenate(part) for part in arrays))
            yield joined, _remaining_factors(space, pairings[0])


def _drop_pairs(columns: IntArray, labels: IntArray, signs: IntArray, pairs: Pairs) -> Forms:
    """Drop pairs of equal indices of monomials; those where they differ are left out."""
    equal = np.ones(len(columns), dtype=bool)
    for p, q in pairs:
        equal &= columns[:, p] == columns[:, q]
    rest = np.delete(columns[equal], [p for pair in pairs for p in pair], axis=1)
    return Forms(rest, labels[equal], signs[equal])


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


def factored_variance(
    tying: Tying, parametrisation: Parametrisation = "orthonormal"
) -> tuple[Fraction, ...]:
    """Return the variance of ordered classes of d random mixtures of C channels.

    Each factor of the product is its own mixture ``u_j = sum_c F_j[c] x_c``, the entries of F
    normal of variance 1/C. The mean over F of the variance over x of the polynomials of the units,
    summed over units and outputs, is ``sum_j v_j C^-j``; of several inputs, which have channels of
    their own, ``sum_jk v_jk C_x^-j C_y^-k``.

    Both moments of a product of normals are sums over pairings of the 2d indices of p and p
    (Isserlis); a pairing that joins the two copies of p only within themselves belongs to the
    squared mean. Joining the two ends of each F_j as well makes loops, and each loop sums over
    the channels once: a pairing with e loops carries ``C^(e - d)``. Indices of different inputs
    are never paired.

    Args:
        tying: A block of shape ``(1, .., 1)``, at least one factor.
        parametrisation: What the units of the parameter are.

    Returns:
        ``(v_0, .., v_{d-1})``; of several inputs those of the first slowest, a single one where
        the degree in an input is 0.
    """
    degree, sources = tying.ansatz.degree, tying.ansatz.sources
    inputs = sorted(set(sources))
    sizes = [sources.count(source) for source in inputs]
    found = {powers: _start(tying, parametrisation) for powers in np.ndindex(*sizes)}
    for orbit in tying.orbits:
        traces = _trace_pairings(tying, orbit)
        for left, trace_left in traces.items():
            for right, trace_right in traces.items():
                if len(left) != len(right) or 2 * len(left) == degree:
                    continue
                for order in _match_rests(sources, left, right):
                    loops = _list_loops(sources, left, right, order)
                    lost = tuple(n - loops.count(i) for i, n in zip(inputs, sizes, strict=True))
                    matrices = _align(trace_left, trace_right, order, tying.coefficients)
                    ones = np.ones(matrices[0].shape[0], dtype=np.int64)
                    found[lost].add(*matrices, len(orbit.outputs), ones)
    return tuple(total.finish() for total in found.values())


def _match_rests(sources: Sequence[int], left: Pairs, right: Pairs) -> Iterator[tuple[int, ...]]:
    """List the ways to pair the positions that two pairings leave, each with one of its input."""
    rest_left, rest_right = (_list_rest(len(sources), pairs) for pairs in (left, right))
    for order in permutations(range(len(rest_right))):
        pairs = zip(rest_left, (rest_right[o] for o in order), strict=True)
        if all(sources[p] == sources[q] for p, q in pairs):
            yield order


def _list_rest(degree: int, pairs: Pairs) -> list[int]:
    return [p for p in range(degree) if all(p not in pair for pair in pairs)]


def _trace_pairings(tying: Tying, orbit: OutputOrbit) -> dict[Pairs, Forms]:
    """Return, per partial pairing, the class tensors with the paired indices equal and summed."""
    kept = np.flatnonzero(orbit.labels >= 0)
    parts = (tying.ansatz.space.columns()[kept], orbit.labels[kept], orbit.signs[kept])
    sources = tying.ansatz.sources
    pairings = _list_pairings(tuple(range(len(sources))))
    return {
        pairs: _drop_pairs(*parts, pairs)
        for pairs in pairings
        if all(sources[p] == sources[q] for p, q in pairs)
    }


def _align(
    left: Forms, right: Forms, order: tuple[int, ...], coefficients: int
) -> tuple[Sparse, Sparse]:
    """Return two traces as matrices with equal rows, the second one's indices reordered."""
    moved = right.monomials[:, list(order)]
    names = np.concatenate([left.monomials, moved])
    count = len(left.labels)
    rows = np.unique(names, axis=0, return_inverse=True)[1].ravel()
    height = int(rows.max(initial=-1)) + 1
    return (
        left.tabulate(rows[:count], height, coefficients),
        right.tabulate(rows[count:], height, coefficients),
    )


def _list_loops(
    sources: Sequence[int], left: Pairs, right: Pairs, order: tuple[int, ...]
) -> list[int]:
    """Return the input of each loop of a pairing once both ends of every factor are joined."""
    degree = len(sources)
    rest_left, rest_right = (_list_rest(degree, pairs) for pairs in (left, right))
    across = [(rest_left[j], rest_right[o]) for j, o in enumerate(order)]
    parent = list(range(degree))

    def find(p: int) -> int:
        while parent[p] != p:
            p = parent[p]
        return p

    for p, q in (*left, *right, *across):
        parent[find(p)] = find(q)
    return [sources[p] for p in range(degree) if parent[p] == p]
