"""Irreducible representations of SO(3) and O(3), in e3nn's real basis and order.

The basis of degree l are the real spherical harmonics with the y axis as the pole, m = -l .. l, so
that degree 1 is (x, y, z), the defining action itself. Rotations about x and z take m to m +- 1,
with entries that are square roots of rationals: ``c_m = sqrt((l - m)(l + m + 1)) / 2``, and
``c_0 = sqrt(l (l + 1) / 2)`` (M. Geiger, T. Smidt, "e3nn: Euclidean neural networks", 2022; its
``so3_generators`` gives the same numbers). In the coordinates ``x'`` with ``x_i = sqrt(squares[i])
x'_i`` they are rational.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import isqrt

import numpy as np

from eqcompile.actions.group import Group, Representation
from eqcompile.errors import Refusal
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import SignedPermutation

X_AXIS, Z_AXIS, MIRROR = "about x", "about z", "mirror x"
"""How a generator turns space: the right-handed rotations, and ``diag(-1, 1, 1)``."""


def build_irrep(group: Group, degree: int, parity: str) -> Representation:
    """Build the irrep of a degree over a group that has one factor of rotations.

    Args:
        group: The group; generators of its other factors act trivially.
        degree: The degree l.
        parity: ``e`` (even) or ``o`` (odd) for O(3), empty for SO(3).

    Raises:
        Refusal: No factor, or several, are SO(3) or O(3); or the parity does not fit.
    """
    _check_irrep(group, degree, parity)
    dim, count = 2 * degree + 1, len(group.generators)
    odd = parity == "o"
    identity = SignedPermutation.identity(dim)
    images = tuple(
        reflect(degree, odd) if turn == MIRROR else identity for turn in group.turns[:count]
    )
    algebra = tuple(
        rotate(degree, turn) if turn else Matrix.zero(dim, dim) for turn in group.turns[count:]
    )
    squares = find_squares(degree)
    squares = () if set(squares) == {Fraction(1)} else squares
    return Representation(f"irrep({degree}{parity})", dim, images, algebra, squares)


def _check_irrep(group: Group, degree: int, parity: str) -> None:
    if not group.rotations:
        text = f"{group.name} has no irreps by degree, they belong to SO(3) and O(3)"
        help = "use {lie: so, n: 3} or {lie: o, n: 3}, or build the representation from V"
        raise Refusal("undefined-representation", text, help)
    if group.rotations == "so3" and parity:
        text = "rotations alone have no parity"
        raise Refusal(
            "undefined-representation", text, f"write irrep({degree}), or use {{lie: o, n: 3}}"
        )
    if group.rotations == "o3" and not parity:
        text = "an irrep of O(3) has a parity"
        help = f'write irrep("{degree}o") or irrep("{degree}e")'
        raise Refusal("undefined-representation", text, help)


@lru_cache(maxsize=128)
def find_squares(degree: int) -> tuple[Fraction, ...]:
    """Return the squares of the scales in which the irrep is rational, for m = -l .. l."""
    squares = [1]
    for m in range(degree):
        factor = _square_step(degree, m)
        squares.append(_drop_squares(squares[-1] * factor.numerator * factor.denominator))
    return tuple(Fraction(squares[abs(m)]) for m in range(-degree, degree + 1))


def _square_step(degree: int, m: int) -> Fraction:
    """Return ``c_m ** 2``."""
    if m == 0:
        return Fraction(degree * (degree + 1), 2)
    return Fraction((degree - m) * (degree + m + 1), 4)


def _drop_squares(number: int) -> int:
    """Return the part of a number without square factors; its primes are small."""
    left, prime = 1, 2
    while number > 1:
        odd = False
        while number % prime == 0:
            number //= prime
            odd = not odd
        left *= prime if odd else 1
        prime += 1
    return left


@lru_cache(maxsize=128)
def rotate(degree: int, turn: str) -> Matrix:
    """Return the infinitesimal rotation about an axis, in the coordinates ``x'``.

    Args:
        degree: The degree l.
        turn: `X_AXIS` or `Z_AXIS`.
    """
    entries: list[tuple[int, int, Fraction]] = []
    for m in range(degree):
        # Cosines stand at l + m, sines at l - m; there is no sine for m = 0.
        if turn == X_AXIS:
            pairs = [(degree + m, degree + m + 1)]
            pairs += [(degree - m - 1, degree - m)] if m else []
            signs = (-1, 1)
        else:
            pairs = [(degree - m - 1, degree + m)]
            pairs += [(degree - m, degree + m + 1)] if m else []
            signs = (-1, -1)
        for (i, j), sign in zip(pairs, signs, strict=False):
            entries += [(i, j, sign * _scale(degree, m, i, j))]
            entries += [(j, i, -sign * _scale(degree, m, j, i))]
    return Matrix.from_entries(2 * degree + 1, 2 * degree + 1, entries)


def _scale(degree: int, m: int, row: int, column: int) -> Fraction:
    """Return ``c_m`` in the coordinates ``x'``: a perfect square under the root."""
    squares = find_squares(degree)
    squared = _square_step(degree, m) * squares[column] / squares[row]
    return Fraction(isqrt(squared.numerator), isqrt(squared.denominator))


def reflect(degree: int, odd: bool) -> SignedPermutation:
    """Return ``diag(-1, 1, 1)``: minus the rotation by pi about x, with the parity's sign.

    That rotation takes the pole to its opposite and the angle around it to ``pi - angle``:
    cosines get the sign ``(-1)^l``, sines the opposite one.
    """
    sign = (-1) ** degree * (-1 if odd else 1)
    order = np.arange(-degree, degree + 1)
    return SignedPermutation(np.arange(2 * degree + 1), np.where(order < 0, -sign, sign))
