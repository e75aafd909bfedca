"""Sparse polynomials over the rationals, in variables that are any hashable names.

Small and slow on purpose: they are the meaning that plans are compared with, not a way to compute.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from fractions import Fraction

Monomial = tuple[tuple[Hashable, int], ...]


class Polynomial:
    """A polynomial: monomials, as sorted ``(variable, exponent)`` pairs, to coefficients."""

    __slots__ = ("terms",)

    def __init__(self, terms: Mapping[Monomial, Fraction]) -> None:
        self.terms = {m: c for m, c in terms.items() if c}

    @classmethod
    def ratio(cls, numerator: int, denominator: int = 1) -> Polynomial:
        """Return a constant."""
        return cls({(): Fraction(numerator, denominator)})

    @classmethod
    def variable(cls, name: Hashable) -> Polynomial:
        """Return one variable."""
        return cls({((name, 1),): Fraction(1)})

    @classmethod
    def product(cls, coefficient: int, names: Iterable[Hashable]) -> Polynomial:
        """Return one term: a coefficient times a product of variables, which may repeat."""
        exponents: dict[Hashable, int] = {}
        for name in names:
            exponents[name] = exponents.get(name, 0) + 1
        return cls({_sort(exponents): Fraction(coefficient)})

    def __add__(self, other: Polynomial | int) -> Polynomial:
        terms = dict(self.terms)
        for monomial, coefficient in _lift(other).terms.items():
            terms[monomial] = terms.get(monomial, Fraction(0)) + coefficient
        return Polynomial(terms)

    __radd__ = __add__

    def __mul__(self, other: Polynomial | int) -> Polynomial:
        terms: dict[Monomial, Fraction] = {}
        for left, a in self.terms.items():
            for right, b in _lift(other).terms.items():
                exponents = dict(left)
                for name, power in right:
                    exponents[name] = exponents.get(name, 0) + power
                monomial = _sort(exponents)
                terms[monomial] = terms.get(monomial, Fraction(0)) + a * b
        return Polynomial(terms)

    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Polynomial | int):
            return NotImplemented
        return self.terms == _lift(other).terms

    def __hash__(self) -> int:
        return hash(frozenset(self.terms.items()))

    def __repr__(self) -> str:
        spelled = [
            "*".join([str(c), *(f"{n}^{p}" if p > 1 else str(n) for n, p in m)])
            for m, c in self.terms.items()
        ]
        return " + ".join(spelled) or "0"


def _lift(value: Polynomial | int) -> Polynomial:
    return value if isinstance(value, Polynomial) else Polynomial.ratio(value)


def _sort(exponents: Mapping[Hashable, int]) -> Monomial:
    return tuple(sorted(exponents.items(), key=lambda pair: str(pair[0])))
