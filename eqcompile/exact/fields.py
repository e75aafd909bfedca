"""Real cyclotomic fields, and the exact numbers of a layer: `Field` and `Scalar`."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd, isqrt, lcm

from eqcompile.errors import Refusal
from eqcompile.exact import cyclotomic
from eqcompile.exact.cyclotomic import Coefficients, is_prime
from eqcompile.exact.spelling import spell_element

MAX_CONDUCTOR = 840


@dataclass(frozen=True, slots=True, order=True)
class Field:
    """The field of ``g = 2 cos(2 pi / conductor)``.

    Attributes:
        conductor: From 1 (the rationals) to `MAX_CONDUCTOR`; stored as the least number with the
            same field.

    Raises:
        Refusal: If the conductor is too large.
    """

    conductor: int

    def __post_init__(self) -> None:
        if self.conductor < 1:
            raise ValueError("a conductor is at least 1")
        least = cyclotomic.normalise_conductor(self.conductor)
        if least > MAX_CONDUCTOR:
            raise _refuse_conductor(least)
        object.__setattr__(self, "conductor", least)

    @property
    def degree(self) -> int:
        """Dimension over the rationals, ``phi(conductor) / 2``; 1 for the rationals."""
        return len(self.minimal) - 1

    @property
    def minimal(self) -> Coefficients:
        """Monic minimal polynomial of g, lowest power first."""
        return cyclotomic.find_minimal(self.conductor)

    def join(self, other: Field) -> Field:
        """Return the least of these fields that contains both.

        Raises:
            Refusal: If its conductor would be too large.
        """
        if other.conductor in {1, self.conductor}:
            return self
        return Field(lcm(self.conductor, other.conductor))

    def prime(self, index: int = 0) -> int:
        """Return the index-th prime below ``2**62``, downwards, that is 1 modulo the conductor."""
        return cyclotomic.list_primes(self.conductor, index + 1)[index]

    def roots(self, p: int) -> tuple[int, ...]:
        """Return the images of g under the homomorphisms to ``F_p``, increasing."""
        return cyclotomic.list_roots(self.conductor, p)


def _refuse_conductor(conductor: int) -> Refusal:
    which = f"of conductor {conductor}" if conductor < 10**6 else "of a very large conductor"
    text = f"a number lies in a cyclotomic field {which}; at most {MAX_CONDUCTOR} is served"
    return Refusal("too-large", text, "use fewer different roots and angles in one layer")


RATIONALS = Field(1)


class Scalar:
    """An element of a real cyclotomic field, ``sum_i numerators[i] g^i / denominator``.

    Immutable, in lowest terms; a rational element is kept in the rationals. Elements of different
    fields compare and combine in the field that contains both.

    Attributes:
        field: The field it is written in.
        numerators: Shape ``(field.degree,)``.
        denominator: Positive.
    """

    __slots__ = ("denominator", "field", "numerators")

    field: Field
    numerators: Coefficients
    denominator: int

    def __init__(self, field: Field, numerators: Coefficients, denominator: int = 1) -> None:
        if len(numerators) != field.degree or denominator == 0:
            raise ValueError("an element has one numerator per power of g and a denominator")
        if not any(numerators[1:]):
            field, numerators = RATIONALS, (numerators[0],)
        common = gcd(denominator, *numerators) * (1 if denominator > 0 else -1)
        object.__setattr__(self, "field", field)
        object.__setattr__(self, "numerators", tuple(int(c) // common for c in numerators))
        object.__setattr__(self, "denominator", int(denominator) // common)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a scalar is immutable")

    def __reduce__(self) -> tuple[type[Scalar], tuple[Field, Coefficients, int]]:
        return Scalar, (self.field, self.numerators, self.denominator)

    @classmethod
    def of(cls, value: int | Fraction | Scalar) -> Scalar:
        """Return a rational number as a scalar; a scalar is returned as it is."""
        if isinstance(value, Scalar):
            return value
        return cls(RATIONALS, (int(value.numerator),), int(value.denominator))

    @property
    def is_rational(self) -> bool:
        """Whether it is a rational number."""
        return self.field == RATIONALS

    def as_fraction(self) -> Fraction:
        """Return a rational element as a fraction.

        Raises:
            ValueError: If it is irrational.
        """
        if not self.is_rational:
            raise ValueError(f"{self} is not rational")
        return Fraction(self.numerators[0], self.denominator)

    def in_field(self, field: Field) -> Coefficients:
        """Return the numerators, over the same denominator, in a field around this one."""
        return cyclotomic.embed(self.numerators, self.field.conductor, field.conductor)

    def mean(self) -> Fraction:
        """Return the mean of its conjugates, which does not depend on the field."""
        means = cyclotomic.list_means(self.field.conductor)
        total = sum((c * m for c, m in zip(self.numerators, means, strict=True)), Fraction(0))
        return total / self.denominator

    def __add__(self, other: Scalar | int | Fraction) -> Scalar:
        other = Scalar.of(other)
        field = self.field.join(other.field)
        denominator = lcm(self.denominator, other.denominator)
        left, right = denominator // self.denominator, denominator // other.denominator
        pairs = zip(self.in_field(field), other.in_field(field), strict=True)
        return Scalar(field, tuple(left * a + right * b for a, b in pairs), denominator)

    def __neg__(self) -> Scalar:
        return Scalar(self.field, tuple(-c for c in self.numerators), self.denominator)

    def __sub__(self, other: Scalar | int | Fraction) -> Scalar:
        return self + (-Scalar.of(other))

    def __mul__(self, other: Scalar | int | Fraction) -> Scalar:
        other = Scalar.of(other)
        field = self.field.join(other.field)
        left, right = self.in_field(field), other.in_field(field)
        product = cyclotomic.multiply(left, right, field.conductor)
        return Scalar(field, product, self.denominator * other.denominator)

    def inverse(self) -> Scalar:
        """Return ``1 / self``.

        Raises:
            ZeroDivisionError: If it is 0.
        """
        if not self:
            raise ZeroDivisionError("0 has no inverse")
        if self.is_rational:
            return Scalar(RATIONALS, (self.denominator,), self.numerators[0])
        numerators, denominator = cyclotomic.invert(self.numerators, self.field.conductor)
        return Scalar(self.field, tuple(c * self.denominator for c in numerators), denominator)

    def __truediv__(self, other: Scalar | int | Fraction) -> Scalar:
        return self * Scalar.of(other).inverse()

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: int | Fraction) -> Scalar:
        return Scalar.of(other) - self

    def __rtruediv__(self, other: int | Fraction) -> Scalar:
        return Scalar.of(other) / self

    def __eq__(self, other: object) -> bool:
        if isinstance(other, int | Fraction):
            other = Scalar.of(other)
        if not isinstance(other, Scalar):
            return NotImplemented
        if self.denominator != other.denominator or self.is_rational != other.is_rational:
            return False
        if self.field == other.field:
            return self.numerators == other.numerators
        one, two = self.field.conductor, other.field.conductor
        both = gcd(one, two)
        mine = cyclotomic.restrict(self.numerators, one, both)
        return mine is not None and mine == cyclotomic.restrict(other.numerators, two, both)

    def __hash__(self) -> int:
        # The means of conjugates do not depend on the field.
        return hash(self.as_fraction() if self.is_rational else (self.mean(), (self * self).mean()))

    def __bool__(self) -> bool:
        return any(self.numerators)

    def __float__(self) -> float:
        return cyclotomic.round_element(self.numerators, self.denominator, self.field.conductor)

    def __str__(self) -> str:
        return spell_element(self.numerators, self.denominator, self.field.conductor)

    def __repr__(self) -> str:
        return f"Scalar({self})"


def cosine(k: int, n: int) -> Scalar:
    """Return ``cos(2 pi k / n)``.

    Raises:
        Refusal: If the field of it is too large.
    """
    common = gcd(k, n)
    k, n = k // common, n // common
    if n % 4 == 2:  # a half turn more leads to an odd denominator
        half = cosine((k + n // 2) // 2, n // 2) if n > 2 else Scalar.of(1)
        return -half
    if n in {1, 3, 4}:
        return Scalar.of({1: Fraction(1), 3: Fraction(-1, 2), 4: Fraction(0)}[n])
    field = Field(n)
    return Scalar(field, cyclotomic.list_cosines(n)[k % n], 2)


def root(value: int | Fraction) -> Scalar:
    """Return the square root of a non-negative rational, by the Gauss sum of its discriminant.

    Raises:
        ValueError: If the value is negative.
        Refusal: If the field of the root is too large.
    """
    if value < 0:
        raise ValueError("the root of a negative number is not real")
    square, free = _split_square(value.numerator * value.denominator)
    factor = Fraction(square, value.denominator)
    if free == 1 or value == 0:
        return Scalar.of(factor)
    discriminant = free if free % 4 == 1 else 4 * free
    if discriminant > MAX_CONDUCTOR:
        raise _refuse_conductor(discriminant)
    cosines = cyclotomic.list_cosines(discriminant)
    total = [0] * Field(discriminant).degree
    for k in range(1, (discriminant + 1) // 2):
        sign = _find_character(discriminant, k)
        if sign:
            total = [t + sign * c for t, c in zip(total, cosines[k], strict=True)]
    halved = 1 if discriminant == free else 2  # the sum is the root of the discriminant
    return Scalar(Field(discriminant), tuple(total), halved) * factor


def _split_square(n: int) -> tuple[int, int]:
    """Return s and a square-free d with ``n = s^2 d``, where d is small enough to be served.

    Raises:
        Refusal: If d has a factor beyond the largest conductor.
    """
    square, free = 1, 1
    for q in filter(is_prime, range(2, MAX_CONDUCTOR + 1)):
        while n and n % (q * q) == 0:
            n, square = n // (q * q), square * q
        if n and n % q == 0:
            n, free = n // q, free * q
    if isqrt(n) ** 2 != n:
        raise _refuse_conductor(n * free if n * free % 4 == 1 else 4 * n * free)
    return square * isqrt(n), free


def _find_character(discriminant: int, k: int) -> int:
    """Return the Kronecker symbol ``(discriminant / k)`` for positive k."""
    if gcd(discriminant, k) > 1:
        return 0
    sign = 1
    while k % 2 == 0:  # the discriminant is 1 or 5 modulo 8 then
        k, sign = k // 2, sign if discriminant % 8 == 1 else -sign
    return sign * _find_jacobi(discriminant, k)


def _find_jacobi(a: int, n: int) -> int:
    """Return the Jacobi symbol ``(a / n)`` for odd positive n, by quadratic reciprocity."""
    sign = 1
    a %= n
    while a:
        while a % 2 == 0:
            a, sign = a // 2, -sign if n % 8 in {3, 5} else sign
        a, n = n, a
        sign = -sign if a % 4 == 3 and n % 4 == 3 else sign
        a %= n
    return sign if n == 1 else 0
