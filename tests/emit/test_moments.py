"""Moments of diagrams against the moments of their polynomials, monomial by monomial."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import product
from math import prod

import pytest

from eqcompile.actions.tensor_powers import read_tensor_powers
from eqcompile.emit.moments import find_moments
from eqcompile.exact.multigraphs import Diagram, Terms
from eqcompile.exact.partitions import list_diagrams

Monomial = tuple[tuple[object, int], ...]


def take_mean(monomial: Monomial) -> int:
    """Return the mean of a monomial of independent unit normal variables."""
    return prod(0 if power % 2 else prod(range(1, power, 2)) for _, power in monomial)


def multiply(left: Counter[Monomial], right: Counter[Monomial]) -> Counter[Monomial]:
    total: Counter[Monomial] = Counter()
    for (a, p), (b, q) in product(left.items(), right.items()):
        powers = Counter(dict(a)) + Counter(dict(b))
        total[tuple(sorted(powers.items(), key=repr))] += p * q
    return total


def expand(diagram: Diagram, inputs: Terms, output: tuple[int, ...], n: int) -> Counter[Monomial]:
    """Write the sum that a diagram stands for at one output as a polynomial."""
    total: Counter[Monomial] = Counter()
    for points in product(range(n), repeat=diagram.nodes):
        if tuple(points[i] for i in diagram.outputs) == output:
            names = []
            for edge in diagram.edges:
                indices = [points[i] for i in edge.nodes]
                start = 0
                for part in inputs[edge.term]:
                    indices[start : start + part] = sorted(indices[start : start + part])
                    start += part
                names.append((edge.factor, edge.term, *indices))
            total[tuple(sorted(Counter(names).items(), key=repr))] += 1
    return total


def measure(diagram: Diagram, inputs: Terms, n: int) -> tuple[Fraction, Fraction]:
    """Return mean square and variance of the mean, on average over all outputs."""
    square = variance = Fraction(0)
    for output in product(range(n), repeat=len(diagram.outputs)):
        value = expand(diagram, inputs, output, n)
        mean = sum(c * take_mean(m) for m, c in value.items())
        total = sum(c * take_mean(m) for m, c in multiply(value, value).items())
        square += total
        variance += total - mean**2
    share = Fraction(n) ** -(len(diagram.outputs) + 2 * diagram.free)
    return square * share, variance * share


@pytest.mark.parametrize(
    ("source", "target", "shape", "n"),
    [
        ("V", "V", (3,), 3),
        ("V ** 2", "V ** 2", (1,), 3),
        ("V ** 2", "V", (2,), 2),
        ("V ** 2", "1", (2,), 3),
        ("V ** 2", "1", (1, 1), 2),
        ("Sym(V, 2)", "V", (2,), 2),
        ("Sym(V, 2)", "1", (2,), 3),
        ("V + 1", "V", (2,), 3),
    ],
)
def test_moments(source: str, target: str, shape: tuple[int, ...], n: int) -> None:
    inputs, output = read_tensor_powers(source), read_tensor_powers(target)
    for diagram in list_diagrams(output, inputs, shape):
        found = find_moments(diagram, output, inputs, n)
        assert (found.square, found.variance) == measure(diagram, inputs, n)


def test_outputs_that_commute_are_averaged() -> None:
    """The sums of row i and of row j at (i, j): half the variance of one of them."""
    inputs, output = read_tensor_powers("V ** 2"), read_tensor_powers("Sym(V, 2)")
    diagrams = list_diagrams(output, inputs, (1,))
    row = next(d for d in diagrams if d.outputs == (0, 1) and d.edges[0].nodes == (0, 2))
    n = 10
    found = find_moments(row, output, inputs, n)
    # At the n outputs (i, i) both are the same row.
    assert found.square == Fraction(1, n) * (Fraction(1, 2) + Fraction(1, 2 * n))
