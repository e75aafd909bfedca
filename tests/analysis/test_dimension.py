"""Formulas of dimensions against exact ranks."""

from __future__ import annotations

import re
from itertools import combinations, product
from math import comb

import numpy as np
import pytest

from eqcompile.analysis import (
    Family,
    coulomb_dimension,
    coulomb_family,
    measure_dimension,
    spectral_dimension,
    spectral_family,
)
from eqcompile.analysis.dimension import PRIMES
from eqcompile.analysis.kernels import Kernel, weigh_pairs

TRIPLES = [(n, d, p) for n in range(1, 10) for d in range(1, n + 2) for p in range(1, n + 2)]


@pytest.mark.parametrize("kernel", ["inverse", "product"])
def test_coulomb_weights(kernel: str) -> None:
    """One set of neurons: every n, d, p with n <= 9, and d, p <= n + 1."""
    assert len(TRIPLES) == 384
    measured = {t: measure_dimension(coulomb_family(*t, kernel)) for t in TRIPLES}
    assert measured == {t: coulomb_dimension(*t) for t in TRIPLES}


def test_the_formula_as_it_stands_in_its_range() -> None:
    for n, d, p in TRIPLES:
        if p <= n - 2 and d <= n - 1:
            expected = n * (d + p) - d * (d - 1) // 2 - (p + 1) * (p + 2) // 2
            assert coulomb_dimension(n, d, p) == min(n * (n - 1) // 2, expected)


def test_larger_sizes_and_exponents() -> None:
    for n, d, p in product((12, 15), (1, 2, 4), (1, 3, 5)):
        for exponent in (2, 4, 6):
            family = coulomb_family(n, d, p, exponent=exponent)
            assert measure_dimension(family) == coulomb_dimension(n, d, p)


def test_a_softening_leaves_motions_only() -> None:
    triples = [t for t in TRIPLES if t[0] <= 7]
    for t in triples:
        family = coulomb_family(*t, softened=True)
        assert measure_dimension(family) == coulomb_dimension(*t, softened=True), t
    assert coulomb_dimension(9, 1, 2, softened=True) - coulomb_dimension(9, 1, 2) == 3


def test_two_sets_of_neurons() -> None:
    sizes = [(m, n) for m in range(1, 8) for n in range(1, m + 1)]
    count = 0
    for m, n in sizes:
        for d, p in product(range(1, n + 2), range(1, n + 3)):
            expected = coulomb_dimension((m, n), d, p)
            assert coulomb_dimension((n, m), d, p) == expected
            assert measure_dimension(coulomb_family((m, n), d, p)) == expected, (m, n, d, p)
            count += 1
    assert count == 644


def test_one_component_between_two_sets_has_a_further_bound() -> None:
    """The matrix of 1 / w has rank p + 2, and those have (p+2)(m+n-p-2) dimensions."""
    m = n = 7
    d, p = 1, 4
    count = (m + n) * (d + p) - d * d - (p + 1) * (p + 2) // 2
    assert measure_dimension(coulomb_family((m, n), d, p)) == 48 < min(m * n, count)
    rng = np.random.default_rng(0)
    parts = [rng.standard_normal((7, k)) for k in (1, 4, 1, 4)]
    w = weigh_pairs(Kernel(), *parts)
    assert np.linalg.matrix_rank(1 / w) == p + 2


def test_spectral_weights() -> None:
    for n, r in product(range(1, 8), range(1, 9)):
        expected = spectral_dimension(n, r)
        assert measure_dimension(spectral_family(n, r)) == expected
        assert expected == min(n * min(r, n) - comb(min(r, n), 2), comb(n + 1, 2))
    for m, n, r in product(range(1, 6), range(1, 6), range(1, 7)):
        assert measure_dimension(spectral_family((m, n), r)) == spectral_dimension((m, n), r)


def test_sums_of_powers_and_the_four_exceptions() -> None:
    """Alexander and Hirschowitz: one dimension is missing at (order, n, rank) of their list."""
    missing = set()
    for order, n in [(3, n) for n in range(2, 7)] + [(4, n) for n in range(2, 6)]:
        for r in range(1, 16):
            found = measure_dimension(spectral_family(n, r, order))
            assert found == spectral_dimension(n, r, order)
            if found < min(n * r, comb(n + order - 1, order)):
                missing.add((order, n, r))
    assert missing == {(3, 5, 7), (4, 3, 5), (4, 4, 9), (4, 5, 14)}


def test_higher_order_between_two_sets_is_measured() -> None:
    """Partially symmetric tensors: full dimension is reached, and rank 1 is a Segre-Veronese."""
    assert measure_dimension(spectral_family((3, 4), 1, 3)) == 3 + 4 - 1
    assert measure_dimension(spectral_family((3, 4), 12, 3)) == 3 * comb(5, 2)
    with pytest.raises(ValueError, match=re.escape("measure_dimension(spectral_family(")):
        spectral_dimension((3, 4), 2, 3)


def test_any_family_with_exact_derivatives() -> None:
    """A hand-written one: w = (a b, a^2 b^2) is a curve, though it has two parameters."""

    def differentiate(values: object, p: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        assert isinstance(values, dict)
        a, b = (int(values[name][0]) for name in ("a", "b"))
        rows = [[b, a], [2 * a * b * b % p, 2 * a * a * b % p]]
        return np.array(rows, dtype=np.int64)

    parameters = (("a", (1,)), ("b", (1,)))
    assert measure_dimension(Family("curve", parameters, differentiate)) == 1
    with pytest.raises(ValueError, match="curve has 1 parameters"):
        measure_dimension(Family("curve", parameters[:1], lambda v, p: np.zeros((1, 2), np.int64)))


@pytest.mark.parametrize("kernel", ["inverse", "product"])
def test_the_derivatives_are_those_of_the_weights(kernel: str) -> None:
    """Modulo a prime, in one direction, by the quotient and the product rule, pair by pair."""
    p, rng = PRIMES[0], np.random.default_rng(5)
    family = coulomb_family(5, 2, 3, kernel)
    (mu, dmu), (x, dx) = (rng.integers(1, 50, (2, *shape)) for _, shape in family.parameters)
    found = family.differentiate({"mu": mu, "x": x}, p) @ np.concatenate([dmu.ravel(), dx.ravel()])
    expected = []
    for i, j in combinations(range(5), 2):
        top, square = int(mu[i] @ mu[j]), int(((x[i] - x[j]) ** 2).sum())
        top_slope = int(dmu[i] @ mu[j] + mu[i] @ dmu[j])
        square_slope = 2 * int((x[i] - x[j]) @ (dx[i] - dx[j]))
        if kernel == "product":
            expected.append((top_slope * square + top * square_slope) % p)
        else:
            change = top_slope * square - top * square_slope
            expected.append(change * pow(square, -2, p) % p)
    assert (found % p).tolist() == expected


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: coulomb_dimension(4, 0, 1), "at least one component"),
        (lambda: coulomb_dimension(4, 1, 0), "at least one component"),
        (lambda: coulomb_dimension(0, 1, 1), "at least one neuron"),
        (lambda: coulomb_dimension((3, 0), 1, 1), "at least one neuron"),
        (lambda: coulomb_family(4, 1, 1, exponent=3), "only even exponents"),
        (lambda: coulomb_family(4, 1, 1, "other"), "kernel is inverse or product"),
        (lambda: spectral_dimension(4, 0), "rank is at least 1"),
        (lambda: spectral_family(4, 1, 1), "order at least 2"),
    ],
)
def test_what_has_no_dimension_is_refused(call: object, text: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=text):
        call()
