"""The initial variance, against moments taken by expanding the polynomials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from math import prod

import numpy as np
import pytest

from eqcompile.emit.variance import block_variance, factored_variance
from eqcompile.solve.tying import Tying
from tests.emit.problems import pose, solve_posed

Monomial = tuple[tuple[str, int, int], ...]
Form = dict[Monomial, Fraction]


def gaussian_moment(power: int) -> int:
    return 0 if power % 2 else prod(range(power - 1, 0, -2))


def expect(form: Form, kind: str) -> Form:
    """Integrate out the unit normal variables of one kind."""
    result: Form = {}
    for monomial, coefficient in form.items():
        powers = Counter(v for v in monomial if v[0] == kind)
        rest = tuple(v for v in monomial if v[0] != kind)
        value = coefficient * prod(gaussian_moment(p) for p in powers.values())
        result[rest] = result.get(rest, Fraction(0)) + value
    return result


def square(form: Form) -> Form:
    result: Form = {}
    for a, u in form.items():
        for b, v in form.items():
            key = tuple(sorted(a + b))
            result[key] = result.get(key, Fraction(0)) + u * v
    return result


def class_forms(tying: Tying) -> Iterable[tuple[int, list[tuple[int, list[int]]]]]:
    """Walk the polynomials of all classes and outputs: size, then sign and indices per term."""
    columns = tying.ansatz.space.columns()
    for _, labels, signs in tying.rows():
        for c, size in enumerate(tying.sizes.tolist()):
            rows = np.flatnonzero(labels == c)
            yield size, [(int(signs[a]), columns[a].tolist()) for a in rows]


def expand_variance(tying: Tying) -> Fraction:
    factors = [f for f, d in enumerate(tying.ansatz.shape) for _ in range(d)]
    total = Fraction(0)
    for size, terms in class_forms(tying):
        form: Form = {}
        for sign, indices in terms:
            key = tuple(sorted(("x", f, i) for f, i in zip(factors, indices, strict=True)))
            form[key] = form.get(key, Fraction(0)) + sign
        mean = expect(form, "x").get((), Fraction(0))
        total += (expect(square(form), "x").get((), Fraction(0)) - mean**2) / size
    return total


@pytest.mark.parametrize(
    ("action", "degrees"),
    [
        ("S_3", (1, 2, 3)),
        ("B_2", (1, 2, 3, 4)),
        ("C_2 with fixed points", (1, 2)),
        ("turning the plane", (2, 3)),
    ],
)
def test_variance_of_every_block(action: str, degrees: tuple[int, ...]) -> None:
    for block in solve_posed(pose(action, degrees)).blocks:
        assert block_variance(block.tying) == expand_variance(block.tying), block.shape


def test_quadratic_layer_of_four_points() -> None:
    """maths.md: s^2 = n_out / V = 2/3."""
    tying = solve_posed(pose("S_4", (2,))).tying((2,))
    assert Fraction(4) / block_variance(tying) == Fraction(2, 3)


def expand_factored(tying: Tying, channels: int) -> Fraction:
    """Mean over the factors of the variance over x, by expanding in both."""
    total = Fraction(0)
    for size, terms in class_forms(tying):
        form: Form = {}
        for sign, indices in terms:
            for spread in np.ndindex(*(channels,) * len(indices)):
                maps = [("F", j, c) for j, c in enumerate(spread)]
                inputs = [("x", c, i) for c, i in zip(spread, indices, strict=True)]
                key = tuple(sorted((*maps, *inputs)))
                form[key] = form.get(key, Fraction(0)) + sign
        second = expect(expect(square(form), "x"), "F").get((), Fraction(0))
        mean = expect(square(expect(form, "x")), "F").get((), Fraction(0))
        total += (second - mean) / size
    return total * Fraction(1, channels**tying.ansatz.degree)


@pytest.mark.parametrize(
    ("action", "degree", "channels"),
    [("S_2", 1, 2), ("S_2", 2, 2), ("S_3", 2, 3), ("B_2", 3, 1), ("turning the plane", 3, 2)],
)
def test_factored_variance(action: str, degree: int, channels: int) -> None:
    problem = pose(action, (degree,), mixing="factored", rank=1)
    tying = solve_posed(problem).block((degree,), ((1,) * degree,)).tying
    powers = factored_variance(tying)
    found = sum((v / channels**j for j, v in enumerate(powers)), Fraction(0))
    assert len(powers) == degree
    assert found == expand_factored(tying, channels)
