"""Real cyclotomic fields and their elements against floats, residues and high precision."""

from __future__ import annotations

import math
import pickle
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eqcompile.errors import Refusal
from eqcompile.exact.cyclotomic import list_cosines, list_means
from eqcompile.exact.fields import MAX_CONDUCTOR, RATIONALS, Field, Scalar, cosine, root
from tests.exact.fields_of import CONDUCTORS, any_scalars, scalars

KNOWN = [(1, (0, 1)), (5, (-1, 1, 1)), (8, (-2, 0, 1)), (12, (-3, 0, 1)), (7, (-1, -2, 1, 1))]


@pytest.mark.parametrize(("conductor", "minimal"), KNOWN)
def test_minimal_polynomials(conductor: int, minimal: tuple[int, ...]) -> None:
    assert Field(conductor).minimal == minimal


def test_conductors_are_normalised() -> None:
    assert {Field(n) for n in (1, 2, 3, 4, 6)} == {RATIONALS}
    assert Field(10) == Field(5)
    assert Field(2 * 839).conductor == 839
    assert Field(5).join(Field(8)) == Field(40)
    assert RATIONALS.join(Field(5)) == Field(5).join(RATIONALS) == Field(5)


def test_degrees_are_half_of_the_totient() -> None:
    for n in range(5, 200):
        if n % 4 != 2 and n != 6:
            units = sum(math.gcd(k, n) == 1 for k in range(n))
            assert Field(n).degree == units // 2


@pytest.mark.parametrize("conductor", [841, 1684, 10**30 + 1])
def test_large_conductors_are_refused(conductor: int) -> None:
    with pytest.raises(Refusal, match="at most 840") as caught:
        Field(conductor)
    assert caught.value.rule == "too-large"
    assert len(caught.value.text) < 120


def test_a_join_may_be_too_large() -> None:
    with pytest.raises(Refusal, match="conductor 6712"):
        Field(8).join(Field(839))


def test_every_cosine_has_its_float() -> None:
    for n in range(1, 100):
        for k in (-2, 0, 1, 2, n // 3, n - 1, 2 * n + 1):
            assert float(cosine(k, n)) == pytest.approx(math.cos(2 * math.pi * k / n), abs=1e-14)
    assert float(cosine(400, 839)) == pytest.approx(math.cos(2 * math.pi * 400 / 839), abs=1e-14)


def test_every_root_has_its_float_and_square() -> None:
    for d in range(0, 200, 3):
        found = root(Fraction(d, 4))
        assert found * found == Fraction(d, 4)
        assert float(found) == pytest.approx(math.sqrt(d / 4), abs=1e-14)
    assert root(0) == 0
    assert root(Fraction(1, 3)).field == Field(12)
    assert root(21).field == Field(21)
    assert root(10**600) == 10**300


@pytest.mark.parametrize(("value", "conductor"), [(211, "844"), (1009, "1009"), (1019, "4076")])
def test_roots_of_large_conductors_are_refused(value: int, conductor: str) -> None:
    with pytest.raises(Refusal, match=f"conductor {conductor};"):
        root(value * 49)


def test_no_root_of_a_negative_number() -> None:
    with pytest.raises(ValueError, match="negative"):
        root(-1)


@given(any_scalars(), any_scalars())
def test_arithmetic_is_that_of_floats(a: Scalar, b: Scalar) -> None:
    x, y = float(a), float(b)
    assert float(a + b) == pytest.approx(x + y, abs=1e-9)
    assert float(a - b) == pytest.approx(x - y, abs=1e-9)
    assert float(a * b) == pytest.approx(x * y, abs=1e-6, rel=1e-9)
    assert float(-a) == -x
    assert (a - b) + b == a
    assert hash((a - b) + b) == hash(a)
    assert (a == b) == (not a - b)
    if b:
        assert a / b * b == a
        assert b * b.inverse() == 1


@given(st.sampled_from(CONDUCTORS).flatmap(lambda n: st.tuples(*[scalars(Field(n), 99)] * 2)))
def test_roots_modulo_a_prime_are_homomorphisms(pair: tuple[Scalar, Scalar]) -> None:
    a, b = pair
    field = a.field.join(b.field)
    p = field.prime()
    assert p < 2**62
    assert p % field.conductor == 1 % field.conductor
    roots = field.roots(p)
    assert list(roots) == sorted(set(roots))
    assert len(roots) == field.degree

    for g in roots:
        assert evaluate(field.minimal, g, p) == 0

        def reduce(x: Scalar, g: int = g) -> int:
            return evaluate(x.in_field(field), g, p) * pow(x.denominator, -1, p) % p

        assert reduce(a + b) == (reduce(a) + reduce(b)) % p
        assert reduce(a * b) == reduce(a) * reduce(b) % p


def evaluate(coefficients: tuple[int, ...], g: int, p: int) -> int:
    return sum(c * pow(g, k, p) for k, c in enumerate(coefficients)) % p


def test_primes_go_down_and_split_the_field() -> None:
    primes = [Field(7).prime(k) for k in range(5)]
    assert primes == sorted(set(primes), reverse=True)
    assert all(p % 7 == 1 for p in primes)
    with pytest.raises(ValueError, match="not 1 modulo 7"):
        Field(7).roots(11)


def test_floats_are_the_nearest_even_where_digits_cancel() -> None:
    small = root(2) * 10**30 - math.isqrt(2 * 10**60)
    with localcontext() as context:
        context.prec = 80
        expected = float(Decimal(2).sqrt() * 10**30 - math.isqrt(2 * 10**60))
    assert float(small) == expected
    assert float(Scalar.of(Fraction(1, 3))) == 1 / 3
    assert float(Scalar.of(10**400) / 10**399) == 10.0


def test_equal_elements_of_different_fields() -> None:
    assert root(2) * root(3) == root(6)
    assert root(2) * root(5) * root(5) / 5 == root(2)
    far = Scalar(Field(824), Scalar.in_field(root(2), Field(824)))
    near = Scalar(Field(808), Scalar.in_field(root(2), Field(808)))
    # The field of both would be too large to compute in; they meet in the one of conductor 8.
    assert far == near == root(2)
    assert len({far, near, root(2)}) == 1
    assert far != Scalar(Field(808), Scalar.in_field(root(2), Field(808)), 3)
    assert cosine(1, 824) != cosine(1, 808)
    assert root(5) != root(2)
    assert root(5) != 2
    assert root(5) != "sqrt(5)"
    assert hash(Scalar.of(3)) == hash(3)


def test_rational_elements_leave_their_field() -> None:
    assert (root(5) * root(5)).field == RATIONALS
    assert (cosine(1, 5) + cosine(2, 5)).as_fraction() == Fraction(-1, 2)
    with pytest.raises(ValueError, match="not rational"):
        root(5).as_fraction()


@given(any_scalars())
def test_the_mean_of_conjugates_does_not_depend_on_the_field(a: Scalar) -> None:
    around = a.field.join(Field(60))
    means = list_means(around.conductor)
    total = sum((c * m for c, m in zip(a.in_field(around), means, strict=True)), Fraction(0))
    assert total / a.denominator == a.mean()


def test_a_scalar_is_immutable_and_travels() -> None:
    a = cosine(1, 7) / 3
    with pytest.raises(AttributeError):
        a.denominator = 4
    assert pickle.loads(pickle.dumps(a)) == a
    with pytest.raises(ZeroDivisionError):
        Scalar.of(0).inverse()
    with pytest.raises(ValueError, match="one numerator per power"):
        Scalar(Field(5), (1,))
    with pytest.raises(ValueError, match="does not lie"):
        root(5).in_field(Field(8))


def test_the_largest_fields_are_served() -> None:
    for n in (MAX_CONDUCTOR, 839):
        x = cosine(1, n)
        # The product formula for cosines checks the reduction by a large minimal polynomial.
        assert x * cosine(3, n) * 2 == cosine(4, n) + cosine(2, n)
    assert len(list_cosines(839)) == 839


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Scalar.of(Fraction(-1, 2)), "-1/2"),
        (root(Fraction(3, 4)), "sqrt(3)/2"),
        (-root(12), "-2*sqrt(3)"),
        ((1 + root(5)) / 4, "(1 + sqrt(5))/4"),
        (cosine(2, 5), "(-1 - sqrt(5))/4"),
        (Fraction(1, 2) + root(2) / 3, "(3 + 2*sqrt(2))/6"),
        (cosine(1, 7), "cos(2*pi/7)"),
        (-cosine(3, 9) - 3 * cosine(2, 9), "(1 - 6*cos(2*pi*2/9))/2"),
        (root(2) + root(3), "2*cos(2*pi/12) + 2*cos(2*pi/8)"),
    ],
)
def test_spelling(value: Scalar, text: str) -> None:
    assert str(value) == text
    assert repr(value) == f"Scalar({text})"
