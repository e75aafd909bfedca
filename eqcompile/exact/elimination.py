"""Reduced row echelon forms over a field: modulo primes, then lifted to exact numbers.

A prime that is 1 modulo the conductor has one homomorphism from the field per root of the minimal
polynomial. The echelon form is computed in each image, interpolated to coefficients at the powers
of the generator, and lifted to rationals; more primes are combined by the Chinese remainder
theorem until a check of the caller's holds. So a result is exact, and an unlucky prime costs time
only. (von zur Gathen and Gerhard, Modern Computer Algebra, chapters 5.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from math import isqrt

import numpy as np

from eqcompile.exact.fields import Field
from eqcompile.exact.integers import Integers, find_common, pack
from eqcompile.exact.signed import IntArray


@dataclass(frozen=True, slots=True)
class Block:
    """A small matrix of integral elements of a field, to be eliminated as a dense one.

    Attributes:
        field: The field.
        height: Number of rows.
        width: Number of columns.
        rows: Shape ``(entries,)``.
        columns: Shape ``(entries,)``.
        values: Shape ``(entries, field.degree)``.
    """

    field: Field
    height: int
    width: int
    rows: IntArray
    columns: IntArray
    values: Integers

    def key(self) -> tuple[object, ...]:
        """Return what blocks of equal content have in common."""
        values = self.values
        content = values.tobytes() if values.dtype == np.int64 else tuple(values.ravel().tolist())
        return self.height, self.width, self.rows.tobytes(), self.columns.tobytes(), content


@dataclass(frozen=True, slots=True)
class Echelon:
    """A reduced row echelon form: 1 at ``(i, pivots[i])``, else zero but at the free columns.

    Attributes:
        pivots: Increasing, shape ``(rank,)``.
        free: The other columns, increasing, shape ``(width - rank,)``.
        entries: Residues at the free columns modulo ``modulus``, shape
            ``(rank, width - rank, degree)``.
        modulus: Product of the primes.
    """

    pivots: IntArray
    free: IntArray
    entries: Integers
    modulus: int

    def precedes(self, other: Echelon) -> bool:
        """Whether its pivots are those of a larger rank, or earlier; bad primes come later."""
        mine, theirs = self.pivots.tolist(), other.pivots.tolist()
        return len(mine) > len(theirs) or (len(mine) == len(theirs) and mine < theirs)


def list_echelons(block: Block) -> Iterator[Echelon]:
    """Compute the echelon form modulo more and more primes: 1, 2, 4, 8, ..., without end."""
    best: Echelon | None = None
    index, used, due = 0, 0, 1
    while True:
        p = block.field.prime(index)
        index += 1
        found = _eliminate(block, p)
        if found is None or (best is not None and best.precedes(found)):
            continue
        if best is None or found.precedes(best):
            best, used, due = found, 1, 1
        else:
            best, used = _combine(best, found), used + 1
        if used == due:
            due *= 2
            yield best


def _eliminate(block: Block, p: int) -> Echelon | None:
    """Compute the echelon form modulo p; None if the images differ in rank or pivots."""
    roots = block.field.roots(p)
    images: list[tuple[IntArray, IntArray, IntArray]] = []
    for residues in evaluate(block.values, p, roots):
        images.append(_eliminate_image(block, p, residues))
        if not np.array_equal(images[-1][0], images[0][0]):
            return None
    pivots, free, table = images[0]
    if len(roots) == 1:
        return Echelon(pivots, free, table[:, :, None], p)
    tables = np.stack([table for _, _, table in images], axis=2)
    return Echelon(pivots, free, _interpolate(tables, roots, p), p)


def evaluate(values: Integers, p: int, roots: tuple[int, ...]) -> list[list[int]]:
    """Return the residues of integral elements under ``g -> root``, for each root.

    Args:
        values: Shape ``(entries, degree)``.
        p: A prime.
        roots: Some of the roots of the minimal polynomial modulo p, one of them if degree is 1.
    """
    from flint import nmod_mat

    if values.shape[1] == 1:
        return [(values[:, 0] % p).tolist()]
    elements = nmod_mat(len(values), values.shape[1], p)
    for e, power in zip(*(index.tolist() for index in np.nonzero(values)), strict=True):
        elements[e, power] = int(values[e, power])
    powers = [[pow(root, k, p) for root in roots] for k in range(values.shape[1])]
    images = [int(v) for v in (elements * nmod_mat(powers, p)).entries()]
    return [images[number :: len(roots)] for number in range(len(roots))]


def _eliminate_image(
    block: Block, p: int, residues: list[int]
) -> tuple[IntArray, IntArray, IntArray]:
    """Return pivots, free columns and the entries at the free columns of one image."""
    from flint import nmod_mat

    matrix = nmod_mat(block.height, block.width, p)
    for i, j, value in zip(block.rows.tolist(), block.columns.tolist(), residues, strict=True):
        matrix[i, j] = value
    reduced, rank = matrix.rref()
    pivots: list[int] = []
    free: list[int] = []
    for column in range(block.width):
        at_pivot = len(pivots) < rank and int(reduced[len(pivots), column])
        (pivots if at_pivot else free).append(column)
    table = np.zeros((rank, len(free)), dtype=np.int64)
    below = 0
    for number, column in enumerate(free):
        while below < rank and pivots[below] < column:
            below += 1
        table[:below, number] = [int(reduced[i, column]) for i in range(below)]
    return np.array(pivots, dtype=np.int64), np.array(free, dtype=np.int64), table


def _interpolate(tables: IntArray, roots: tuple[int, ...], p: int) -> IntArray:
    """Find the coefficients of the elements with given images at all roots, along the last axis."""
    from flint import nmod_mat

    degree = len(roots)
    places = np.nonzero(np.any(tables != 0, axis=2))
    powers = [[pow(root, k, p) for k in range(degree)] for root in roots]
    images = tables[places]
    if len(images):
        inverse = nmod_mat(powers, p).inv()
        product = inverse * nmod_mat(degree, len(images), images.T.ravel().tolist(), p)
        found = np.array([int(v) for v in product.entries()], dtype=np.int64)
        images = found.reshape(degree, -1).T
    result = np.zeros_like(tables)
    result[places] = images
    return result


def _combine(left: Echelon, right: Echelon) -> Echelon:
    """Combine residues by the Chinese remainder theorem."""
    before = left.entries.astype(object)
    inverse = pow(left.modulus, -1, right.modulus)
    step = (right.entries.astype(object) - before) * inverse % right.modulus
    modulus = left.modulus * right.modulus
    return Echelon(left.pivots, left.free, before + left.modulus * step, modulus)


def lift_vectors(table: Integers, modulus: int) -> tuple[Integers, Integers] | None:
    """Find small rationals with given residues, those of one vector over one denominator.

    Args:
        table: Shape ``(vectors, ...)``, residues.
        modulus: What they are residues of.

    Returns:
        Numerators of the shape of ``table``, and denominators of shape ``(vectors,)``, in lowest
        terms; None if the modulus is too small for there to be any.
    """
    denominators = np.ones(len(table), dtype=np.int64)
    if not table.size:
        return table, denominators
    bound = isqrt(modulus // 2)
    centred = np.where(table > modulus // 2, table - modulus, table)
    flat = centred.reshape(len(table), -1)
    large = np.flatnonzero(np.any((flat > bound) | (flat < -bound), axis=1))
    if not len(large):
        return pack(centred), denominators
    numerators, denominators = flat.astype(object), denominators.astype(object)
    for vector in large.tolist():
        found = _lift_vector(numerators[vector], modulus, bound)
        if found is None:
            return None
        numerators[vector], denominators[vector] = found
    return pack(numerators.reshape(table.shape)), pack(denominators)


def _lift_vector(residues: Integers, modulus: int, bound: int) -> tuple[Integers, int] | None:
    """Find numerators over the least common denominator, which grows as entries ask for it."""
    denominator, half = 1, modulus // 2
    for residue in residues.tolist():
        value = residue * denominator % modulus
        if bound < value < modulus - bound:
            denominator *= _find_denominator(value, modulus, bound)
            if denominator > bound:
                return None
    return (residues * denominator + half) % modulus - half, denominator


def cancel_vectors(table: Integers, denominator: int) -> tuple[Integers, Integers]:
    """Bring vectors over one denominator each to lowest terms; shapes as of `lift_vectors`."""
    if not table.size:
        return table, np.ones(len(table), dtype=np.int64)
    flat = table.reshape(len(table), -1)
    commons = np.array([find_common(vector, denominator) for vector in flat], dtype=object)
    shape = (-1, *([1] * (table.ndim - 1)))
    return pack(table // commons.reshape(shape)), pack(denominator // commons)


def _find_denominator(residue: int, modulus: int, bound: int) -> int:
    """Return the denominator of the rational with small parts and a given residue (Wang 1981)."""
    before, here = modulus, residue
    last, factor = 0, 1
    while here > bound:
        quotient = before // here
        before, here = here, before - quotient * here
        last, factor = factor, last - quotient * factor
    return abs(factor)


def solve_echelon(block: Block, echelon: Echelon) -> tuple[Integers, int]:
    """Compute the free columns of a rational echelon form exactly, given its pivots modulo primes.

    Returns:
        Numerators of shape ``(rank, free)`` and their denominator. The pivot columns are
        solved by p-adic lifting (Dixon 1982), on rows that are independent modulo a prime.
    """
    from flint import fmpq_mat, fmpz_mat

    p = next(p for p in map(block.field.prime, count()) if echelon.modulus % p == 0)
    flipped = replace(
        block, height=block.width, width=block.height, rows=block.columns, columns=block.rows
    )
    independent = _eliminate_image(flipped, p, evaluate(block.values, p, (0,))[0])[0]
    dense = np.zeros((block.height, block.width), dtype=object)
    dense[block.rows, block.columns] = block.values[:, 0]
    own = dense[independent]
    left, right = own[:, echelon.pivots], own[:, echelon.free]
    solution = fmpq_mat(fmpz_mat(left.tolist())).solve(fmpz_mat(right.tolist()), "dixon")
    numerators, denominator = solution.numer_denom()
    entries = np.array([int(v) for v in numerators.entries()], dtype=object)
    return entries.reshape(len(echelon.pivots), -1), int(denominator)
