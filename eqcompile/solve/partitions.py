"""Count the classes of S_n between tensor powers in closed form, for one n or for all at once.

The classes are the orbits of exchanges (of equal factors, and of indices that commute) on the set
partitions of all indices, of which those with at most n blocks exist at n. By Burnside's lemma
their number is the average, over the exchanges, of the partitions an exchange keeps. One with given
cycles keeps a partition when every orbit of r blocks is made of cycles of lengths divisible by r,
each spread over the r blocks in one of r ways; the first way only names the blocks. So

    kept(cycles) = sum over partitions of the set of cycles
                   of the product over its parts P of  sum_{r | gcd(P)} r^(|P| - 1) t^r,

where t counts blocks. Nothing is listed, and nothing is shared with the solvers.

Source: Burnside 1897; cycle indices of wreath products: Polya 1937.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import product
from math import comb, factorial, gcd, prod

from eqcompile.exact.multigraphs import Parts, Terms

Cycles = tuple[int, ...]
"""Cycle lengths of a permutation, sorted."""

CycleIndex = dict[Cycles, Fraction]
"""Weight of each cycle type in a sum of averages over groups."""


def count_diagrams(n: int | None, inputs: Terms, output: Terms, degree: int | Sequence[int]) -> int:
    """Count the classes of polynomial maps between direct sums of tensor powers of V = R^n.

    Args:
        n: Number of points; None for every n that has room for all blocks.
        inputs: The input: a tuple of summands, each a tuple of sizes of runs of indices that
            commute. V ** 2 is ``((1, 1),)``, Sym(V, 2) is ``((2,),)``, 1 + V is ``((), (1,))``.
        output: The output, likewise.
        degree: The degree, or the degrees in several variables, all of the input's kind.

    Returns:
        The dimension of the space of S_n-equivariant polynomial maps; with ``(1,) * d`` as the
        degree that of Hom(input^(x)d, output), the ordered classes.
    """
    counts = count_by_nodes(inputs, output, degree)
    return sum(counts if n is None else counts[: n + 1])


@lru_cache(maxsize=256)
def count_by_nodes(inputs: Terms, output: Terms, degree: int | tuple[int, ...]) -> tuple[int, ...]:
    """Count the classes by their number of blocks, which is the least n they exist at."""
    shape = (degree,) if isinstance(degree, int) else tuple(degree)
    index = join_sums([exchange_sum(inputs, d) for d in shape] + [exchange_sum(output, 1)])
    width = max(map(sum, index), default=0) + 1
    totals = [Fraction(0)] * width
    for cycles, weight in index.items():
        for blocks, kept in enumerate(count_kept(cycles)):
            totals[blocks] += weight * kept
    if any(total.denominator != 1 for total in totals):
        raise AssertionError("the average over the exchanges is no integer")
    return tuple(int(total) for total in totals)


def exchange_sum(terms: Terms, degree: int) -> CycleIndex:
    """Add the cycle indices of the exchanges of ``degree`` equal factors, one per composition.

    A monomial of a direct sum has some factors in each summand; those of one summand are exchanged,
    and the indices of each of them that commute.
    """
    total: CycleIndex = {}
    for split in _split(degree, len(terms)):
        blocks = [
            repeat_index(index_runs(parts), copies)
            for parts, copies in zip(terms, split, strict=True)
        ]
        _add(total, join_sums(blocks), Fraction(1))
    return total


def _add(total: CycleIndex, more: CycleIndex, weight: Fraction) -> None:
    for cycles, part in more.items():
        total[cycles] = total.get(cycles, Fraction(0)) + weight * part


def _split(degree: int, terms: int) -> Iterator[tuple[int, ...]]:
    """List the ways to spread factors over summands."""
    if terms == 1:
        yield (degree,)
        return
    for first in range(degree + 1):
        for rest in _split(degree - first, terms - 1):
            yield (first, *rest)


@lru_cache(maxsize=64)
def index_runs(parts: Parts) -> CycleIndex:
    """Return the cycle index of exchanging the indices of each run among themselves."""
    return join_sums([_index_symmetric(part) for part in parts])


def _index_symmetric(points: int) -> CycleIndex:
    """Return the cycle index of all permutations of some points."""
    return {cycles: Fraction(1, _centralise(cycles)) for cycles in _list_cycles(points, points)}


def _list_cycles(points: int, longest: int) -> Iterator[Cycles]:
    """List the cycle types of permutations, lengths increasing."""
    if points == 0:
        yield ()
    for length in range(min(points, longest), 0, -1):
        for rest in _list_cycles(points - length, length):
            yield (*rest, length)


def _centralise(cycles: Cycles) -> int:
    """Return the number of permutations that commute with one of this cycle type."""
    return prod(length**many * factorial(many) for length, many in Counter(cycles).items())


def repeat_index(index: CycleIndex, copies: int) -> CycleIndex:
    """Return the cycle index of a wreath product with all exchanges of some copies.

    A cycle of copies of length l goes round with one inner exchange, whose cycles get l times as
    long.
    """
    total: CycleIndex = {}
    for outer, weight in _index_symmetric(copies).items():
        stretched = [
            {tuple(length * c for c in cycles): w for cycles, w in index.items()}
            for length in outer
        ]
        _add(total, join_sums(stretched), weight)
    return total


def join_sums(indices: Sequence[CycleIndex]) -> CycleIndex:
    """Return the cycle index of independent exchanges of different points: the product."""
    total: CycleIndex = {(): Fraction(1)}
    for index in indices:
        joined: CycleIndex = {}
        for left, weight in total.items():
            _add(joined, {tuple(sorted(left + right)): w for right, w in index.items()}, weight)
        total = joined
    return total


@lru_cache(maxsize=65536)
def count_kept(cycles: Cycles) -> tuple[int, ...]:
    """Count the set partitions that a permutation of these cycles keeps, by number of blocks.

    The part of the first cycle is chosen by how many cycles of each length join it.
    """
    if not cycles:
        return (1,)
    totals = [0] * (sum(cycles) + 1)
    first, lengths = cycles[0], Counter(cycles[1:])
    for joined in product(*(range(many + 1) for many in lengths.values())):
        taken = dict(zip(lengths, joined, strict=True))
        ways = prod(comb(lengths[length], many) for length, many in taken.items())
        common = gcd(first, *(length for length, many in taken.items() if many))
        rest = tuple(sorted((lengths - Counter(taken)).elements()))
        for r in (r for r in range(1, common + 1) if common % r == 0):
            spread = ways * r ** sum(joined)
            for blocks, kept in enumerate(count_kept(rest)):
                totals[blocks + r] += spread * kept
    return tuple(totals)
