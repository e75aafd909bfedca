"""Monomials as index tuples: listing, ranking, and how signed permutations move them.

A monomial of multidegree ``(d_1, ..., d_r)`` in r sets of variables of sizes ``(n_1, ..., n_r)``
is one non-decreasing tuple per set. They are listed lexicographically, the first set slowest, and
a monomial is named by its rank in that list, so that a table over monomials is a flat array.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import combinations_with_replacement, product
from math import comb, factorial, perm, prod

import numpy as np

from eqcompile.exact.signed import IntArray, SignedPermutation, freeze, kron


def count_monomials(n: int, degree: int) -> int:
    """Return the number of monomials of one degree in n variables, ``C(n + d - 1, d)``."""
    return comb(n + degree - 1, degree) if n or not degree else 0


@lru_cache(maxsize=64)
def list_tuples(n: int, degree: int) -> IntArray:
    """List the non-decreasing tuples of ``degree`` indices below n, shape ``(count, degree)``."""
    table = np.zeros((1, 0), dtype=np.int64)
    for _ in range(degree):
        least = table[:, -1] if table.shape[1] else np.zeros(len(table), dtype=np.int64)
        counts = n - least
        starts = np.repeat(np.cumsum(counts) - counts, counts)
        last = np.arange(int(counts.sum())) - starts + np.repeat(least, counts)
        table = np.concatenate([np.repeat(table, counts, axis=0), last[:, None]], axis=1)
    return freeze(table)


@lru_cache(maxsize=256)
def _rank_steps(n: int, degree: int) -> IntArray:
    """Return ``steps[j, v]``: tuples skipped when position j moves from 0 up to v."""
    steps = np.zeros((degree, n + 1), dtype=np.int64)
    for j in range(degree):
        left = degree - j - 1
        sizes = [count_monomials(n - v, left) for v in range(n)]
        steps[j, 1:] = np.cumsum(sizes)
    return freeze(steps)


def rank_tuples(tuples: IntArray, n: int) -> IntArray:
    """Return the rank of each non-decreasing tuple, shape ``(count, degree) -> (count,)``."""
    degree = tuples.shape[1]
    steps = _rank_steps(n, degree)
    rank = np.zeros(len(tuples), dtype=np.int64)
    for j in range(degree):
        rank += steps[j, tuples[:, j]]
        if j:
            rank -= steps[j, tuples[:, j - 1]]
    return rank


def move_tuples(g: SignedPermutation, degree: int) -> SignedPermutation:
    """Return how ``g`` moves the monomials of one degree, ``x^a -> +- x^{g a}``, as their ranks."""
    return SignedPermutation(*_move_rows(g, list_tuples(g.n, degree)))


def _move_rows(g: SignedPermutation, tuples: IntArray) -> tuple[IntArray, IntArray]:
    """Return ranks and signs of the images of some non-decreasing tuples."""
    signs = g.signs[tuples].prod(axis=1) if not g.is_unsigned else np.ones(len(tuples), np.int64)
    return rank_tuples(np.sort(g.perm[tuples], axis=1), g.n), signs


Edges = tuple[IntArray, IntArray, IntArray]
"""Some pairs ``v[target] = sign v[source]``: sources, targets and signs, of equal length."""


def trace_tuples(g: SignedPermutation, degree: int) -> Edges:
    """Return where ``g`` sends the monomials that hold a variable it moves or negates.

    The others stay as they are. For an element that moves few of many variables, as the
    stabilisers of large symmetric groups have, this is far less work than :func:`move_tuples`.
    """
    tuples = list_tuples(g.n, degree)
    touched = (g.perm != np.arange(g.n)) | (g.signs < 0)
    held = np.zeros(len(tuples), dtype=bool)
    for j in range(degree):
        held |= touched[tuples[:, j]]
    sources = np.flatnonzero(held)
    return (sources, *_move_rows(g, tuples[sources]))


@dataclass(frozen=True, slots=True)
class MonomialSpace:
    """All monomials of one multidegree.

    Attributes:
        factors: ``(n, d)`` per set of variables: its size and the degree in it.
    """

    factors: tuple[tuple[int, int], ...]

    @property
    def degree(self) -> int:
        """Total degree."""
        return sum(d for _, d in self.factors)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of monomials of each factor."""
        return tuple(count_monomials(n, d) for n, d in self.factors)

    @property
    def size(self) -> int:
        """Number of monomials."""
        return prod(self.sizes)

    def columns(self) -> IntArray:
        """List all monomials, shape ``(size, degree)``: the tuples of the factors side by side."""
        table = np.zeros((1, 0), dtype=np.int64)
        for n, d in self.factors:
            block = list_tuples(n, d)
            left = np.repeat(table, len(block), axis=0)
            table = np.concatenate([left, np.tile(block, (len(table), 1))], axis=1)
        return table

    def tuples(self, rank: int) -> tuple[tuple[int, ...], ...]:
        """Return the index tuple in each factor of the monomial of this rank."""
        parts: list[tuple[int, ...]] = []
        for (n, d), size in reversed(list(zip(self.factors, self.sizes, strict=True))):
            rank, local = divmod(rank, size)
            parts.append(tuple(int(v) for v in list_tuples(n, d)[local]))
        return tuple(reversed(parts))

    def rank(self, tuples: Sequence[Sequence[int]]) -> int:
        """Return the rank of a monomial; each tuple may come in any order."""
        rank = 0
        for (n, d), size, part in zip(self.factors, self.sizes, tuples, strict=True):
            if len(part) != d or not all(0 <= v < n for v in part):
                raise ValueError(f"{tuple(part)} is no tuple of {d} indices below {n}")
            row = np.array([sorted(part)], dtype=np.int64).reshape(1, d)
            rank = rank * size + int(rank_tuples(row, n)[0])
        return rank

    def move(self, elements: Sequence[SignedPermutation]) -> SignedPermutation:
        """Return how one group element moves the monomials, given its image in each factor."""
        parts = [move_tuples(g, d) for (_, d), g in zip(self.factors, elements, strict=True)]
        return reduce(kron, parts) if parts else SignedPermutation.identity(1)

    def trace(self, elements: Sequence[SignedPermutation]) -> Edges:
        """Return where one group element sends the monomials, those it surely keeps left out."""
        if len(self.factors) == 1:
            return trace_tuples(elements[0], self.factors[0][1])
        moved = self.move(elements)
        return np.arange(moved.n), moved.perm, moved.signs


def partitions(total: int, largest: int | None = None) -> Iterator[tuple[int, ...]]:
    """List the partitions of ``total`` with non-increasing parts, largest first part first."""
    if total == 0:
        yield ()
        return
    for part in range(min(total, largest or total), 0, -1):
        for rest in partitions(total - part, part):
            yield (part, *rest)


def list_channel_tuples(shape: tuple[int, ...], channels: int) -> tuple[tuple[int, ...], ...]:
    """List the tuples of distinct channels, one per part of ``shape``, each multidegree once.

    Equal parts are interchangeable, so their channels increase; the list is lexicographic.
    """
    found: list[tuple[int, ...]] = [(c,) for c in range(channels)] if shape else [()]
    for position in range(1, len(shape)):
        tied = shape[position] == shape[position - 1]
        found = [
            (*head, c)
            for head in found
            for c in range(head[-1] + 1 if tied else 0, channels)
            if c not in head
        ]
    return tuple(found)


def count_channel_tuples(shape: tuple[int, ...], channels: int) -> int:
    """Return the length of :func:`list_channel_tuples`."""
    repeats = prod(factorial(shape.count(part)) for part in set(shape))
    return perm(channels, len(shape)) // repeats


def list_product_tuples(
    shape: Sequence[tuple[int, ...]], channels: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    """List the tuples of channels of several inputs: every combination, the first input slowest.

    Args:
        shape: Per input the degree in each of several distinct channels of it.
        channels: Number of channels of each input.
    """
    lists = (list_channel_tuples(parts, c) for parts, c in zip(shape, channels, strict=True))
    return tuple(tuple(c for part in parts for c in part) for parts in product(*lists))


def count_product_tuples(shape: Sequence[tuple[int, ...]], channels: Sequence[int]) -> int:
    """Return the length of :func:`list_product_tuples`."""
    return prod(count_channel_tuples(p, c) for p, c in zip(shape, channels, strict=True))


def list_subsets(n: int, k: int) -> IntArray:
    """List the increasing k-tuples below n lexicographically, shape ``(C(n, k), k)``."""
    rows = combinations_with_replacement(range(n - k + 1), k) if k <= n else iter(())
    table = np.array(list(rows), dtype=np.int64).reshape(-1, k)
    return table + np.arange(k)


def move_subsets(g: SignedPermutation, k: int, *, alternating: bool) -> SignedPermutation:
    """Return how ``g`` moves the k-subsets, with the sign of the wedge product if alternating.

    ``alternating`` is the exterior power; otherwise signs are dropped: subsets of the points.
    """
    subsets = list_subsets(g.n, k)
    moved = g.perm[subsets]
    increasing = np.sort(moved, axis=1)
    rank = rank_tuples(increasing - np.arange(k), g.n - k + 1) if len(subsets) else np.zeros(0, int)
    signs = np.ones(len(subsets), dtype=np.int64)
    if alternating:
        signs *= g.signs[subsets].prod(axis=1)
        for i in range(k):
            for j in range(i + 1, k):
                signs *= np.where(moved[:, i] > moved[:, j], -1, 1)
    return SignedPermutation(rank, signs)
