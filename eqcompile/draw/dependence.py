"""How coefficients depend on each other, in letters: ``c = 2*a - sqrt(3)*b/2 + 1``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from math import isqrt

import numpy as np

from eqcompile.draw.words import name_class
from eqcompile.exact.fields import Scalar
from eqcompile.exact.signed import IntArray, freeze
from eqcompile.solve.basis import Basis
from eqcompile.solve.tying import OutputOrbit, Tying

ONE = Fraction(1)


def merge_equal(tying: Tying) -> Tying:
    """Give one letter to coefficients that are equal up to sign, as people would.

    Returns:
        The same solution with fewer coefficients.
    """
    if tying.basis is None:
        return tying
    basis = tying.basis
    target, turn = _find_equal(basis)
    kept = target == np.arange(tying.coefficients)
    number = np.cumsum(kept) - 1
    names = np.append(number[target], -1)
    orbits = tuple(_rename(orbit, names, np.append(turn, 1)) for orbit in tying.orbits)
    if basis.offset is None and kept.sum() == basis.classes:
        return replace(tying, orbits=orbits, basis=None)
    rows = np.flatnonzero(kept)
    units = tuple(basis.squares[i] for i in rows) if basis.squares else ()
    offset = None if basis.offset is None else basis.offset.take_rows(rows)
    smaller = Basis(basis.matrix.take_rows(rows), freeze(number[basis.free]), offset, units)
    return replace(tying, orbits=orbits, basis=smaller)


def _find_equal(basis: Basis) -> tuple[IntArray, IntArray]:
    """Find for each coefficient the least one that it equals up to sign, and that sign."""
    height = basis.matrix.height
    rows: list[list[tuple[int, Scalar]]] = [[] for _ in range(height)]
    for i, j, value in basis.matrix.entries():
        rows[i].append((j, value))
    if basis.offset is not None:
        for i, _, value in basis.offset.entries():
            rows[i].append((basis.classes, value))
    units = basis.squares or (ONE,) * height
    known: dict[tuple[object, ...], int] = {}
    target, turn = np.arange(height), np.ones(height, dtype=np.int64)
    for i, row in enumerate(rows):
        turn[i] = 1 if not row or float(row[0][1]) > 0 else -1
        outside, inside = split_square(units[i])
        key = (inside, *((j, value * outside * int(turn[i])) for j, value in row))
        target[i] = known.setdefault(key, i)
    return target, turn * turn[target]


def _rename(orbit: OutputOrbit, names: IntArray, turn: IntArray) -> OutputOrbit:
    return replace(orbit, labels=names[orbit.labels], signs=orbit.signs * turn[orbit.labels])


def spell_dependence(tying: Tying) -> tuple[str, ...]:
    """Write what each coefficient is in terms of the free ones; empty for those that are free."""
    if tying.basis is None:
        return ("",) * tying.coefficients
    basis = tying.basis
    terms: list[list[str]] = [[] for _ in range(tying.coefficients)]
    units = basis.squares or (ONE,) * tying.coefficients
    leads = {j: value for i, j, value in basis.matrix.entries() if i == basis.free[j]}
    for i, j, value in basis.matrix.entries():
        lead = int(basis.free[j])
        factor = spell_factor(value / leads[j], units[i] / units[lead])
        terms[i].append(_attach(factor, name_class(lead)))
    if basis.offset is not None:
        for i, _, value in basis.offset.entries():
            terms[i].append(spell_factor(value, units[i]))
    free = set(basis.free.tolist())
    return tuple("" if i in free else _join_terms(parts) for i, parts in enumerate(terms))


def spell_factor(value: Scalar, square: Fraction) -> str:
    """Write ``value * sqrt(square)`` exactly."""
    outside, inside = split_square(square)
    scaled = value * outside
    if inside == 1:
        return str(scaled)
    if not scaled.is_rational:
        return f"({scaled})*sqrt({inside})"
    number = scaled.as_fraction()
    sign, size = "-" if number < 0 else "", abs(number)
    top = f"sqrt({inside})" if size.numerator == 1 else f"{size.numerator}*sqrt({inside})"
    return f"{sign}{top}" + (f"/{size.denominator}" if size.denominator > 1 else "")


def split_square(square: Fraction) -> tuple[Fraction, int]:
    """Write the root of a positive rational as ``r sqrt(d)`` with d free of squares."""
    inside, outside = square.numerator * square.denominator, 1
    for factor in _list_factors(inside):
        while inside % factor**2 == 0:
            inside //= factor**2
            outside *= factor
    return Fraction(outside, square.denominator), inside


def _list_factors(number: int) -> Iterator[int]:
    """List the primes whose squares may divide a number."""
    factor = 2
    while factor <= isqrt(number):
        if number % factor == 0:
            yield factor
            while number % factor == 0:
                number //= factor
        factor += 1


def _attach(factor: str, letter: str) -> str:
    """Multiply a letter by a factor as people write it: ``-a``, ``3*a/2``, ``(1 + sqrt(5))*a``."""
    if factor in ("1", "-1"):
        return factor[:-1] + letter
    if " " in factor and not factor.startswith("("):
        return f"({factor})*{letter}"
    top, slash, bottom = factor.rpartition("/") if " " not in factor else ("", "", factor)
    if not slash:
        return f"{factor}*{letter}"
    head = {"1": letter, "-1": f"-{letter}"}.get(top, f"{top}*{letter}")
    return f"{head}/{bottom}"


def _join_terms(parts: list[str]) -> str:
    """Join terms by their signs; nothing at all is 0."""
    text = parts[0] if parts else "0"
    for part in parts[1:]:
        text += f" - {part[1:]}" if part.startswith("-") else f" + {part}"
    return text
