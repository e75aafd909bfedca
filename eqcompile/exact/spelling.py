"""Elements of real cyclotomic fields as text that `parse_scalar` reads back."""

from __future__ import annotations

from fractions import Fraction
from math import comb, gcd, isqrt, lcm

from eqcompile.exact.cyclotomic import Coefficients, list_means, multiply, round_element

Terms = list[tuple[int, str]]


def spell_element(a: Coefficients, denominator: int, conductor: int) -> str:
    """Spell ``sum_i a[i] g^i / denominator``.

    Rationals as ``-1/2``, elements of quadratic fields as ``(1 + sqrt(5))/4``, others as sums of
    ``cos(2*pi*k/N)``.
    """
    if not any(a[1:]):
        return str(Fraction(a[0], denominator))
    terms, below = _list_root(a, denominator, conductor) or _list_cosines(a, conductor, denominator)
    common = gcd(below, *(c for c, _ in terms))
    below //= common
    text = ""
    for coefficient, name in terms:
        size = abs(coefficient) // common
        word = f"{size}*{name}" if name and size > 1 else name or str(size)
        minus = coefficient < 0
        text += (" - " if minus else " + ") + word if text else "-" * minus + word
    if below == 1:
        return text
    return f"({text})/{below}" if len(terms) > 1 else f"{text}/{below}"


def _list_root(a: Coefficients, denominator: int, conductor: int) -> tuple[Terms, int] | None:
    """Write an element as ``(p + q sqrt(d)) / m``; None if it lies in no quadratic field."""
    means = list_means(conductor)
    mean = sum((c * m for c, m in zip(a, means, strict=True)), Fraction(0))
    # The element less the mean of its conjugates is a root of a rational, or not quadratic.
    centred = [c * mean.denominator for c in a]
    centred[0] -= mean.numerator
    square, *rest = multiply(tuple(centred), tuple(centred), conductor)
    if any(rest):
        return None
    value = Fraction(square, (mean.denominator * denominator) ** 2)
    outer, inner = _split_small(value.numerator * value.denominator)
    sign = 1 if round_element(tuple(centred), 1, conductor) > 0 else -1
    mean /= denominator
    below = lcm(mean.denominator, value.denominator)
    terms = [(sign * outer * below // value.denominator, f"sqrt({inner})")]
    if mean:
        terms.insert(0, (int(mean * below), ""))
    return terms, below


def _split_small(n: int) -> tuple[int, int]:
    """Return s and d with ``n = s^2 d`` and d square-free as far as small factors go."""
    outer, inner = 1, 1
    for q in range(2, 1000):
        while n % (q * q) == 0:
            n, outer = n // (q * q), outer * q
        if n % q == 0:
            n, inner = n // q, inner * q
    return outer * isqrt(n), inner


def _list_cosines(a: Coefficients, conductor: int, denominator: int) -> tuple[Terms, int]:
    """Write an element as a sum of cosines, from ``g^i = sum_j binom(i, j) 2 cos((i - 2j) t)``."""
    sums = [0] * len(a)
    for i, coefficient in enumerate(a):
        for j in range(i // 2 + 1):
            sums[i - 2 * j] += coefficient * comb(i, j)
    terms = [(sums[0], "")] if sums[0] else []
    for k, coefficient in enumerate(sums[1:], start=1):
        if coefficient:
            common = gcd(k, conductor)
            step = f"*{k // common}" if k > common else ""
            terms.append((2 * coefficient, f"cos(2*pi{step}/{conductor // common})"))
    return terms, denominator
