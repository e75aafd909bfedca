"""Count solutions by weights, for the connected classical groups.

The multiplicity of the trivial representation in a character is the constant term of the
character times ``prod over positive roots (1 - e^root)``. The character here is that of
``Hom(Sym^d V (x) .., U)``; its weights are read off the matrices of a maximal torus, modulo a prime
in which -1 is a square, so that rotations have eigenvalues there too.

Source: Weyl 1925 (the character and integral formulas); Fulton and Harris 1991, section 24.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from math import comb

from eqcompile.actions.torus import Torus, Weight
from eqcompile.exact.matrices import Matrix
from eqcompile.solve.ansatz import Ansatz

LARGEST_DIM = 128
LARGEST_CHARACTER = 20_000
"""Most monomials, times outputs, whose weights are listed."""

BASE = 2**12
"""Weights are digits in this base, between ``-BASE / 2`` and ``BASE / 2``."""

Character = Counter[Weight]


def count_by_weyl(ansatz: Ansatz) -> int | None:
    """Count the solutions of an ansatz by weights; None where that is not at hand."""
    torus = ansatz.torus
    dims = [action.dim for action in (*ansatz.inputs, ansatz.output)]
    if torus is None or ansatz.relations or max(dims) > LARGEST_DIM or len(torus.elements) > 5:
        return None
    if ansatz.slots > LARGEST_CHARACTER:
        return None
    algebra = [g for g in ansatz.linear if g.infinitesimal]
    sides = [[g.inputs[f] for g in algebra] for f in range(len(ansatz.shape))]
    total: Character = Counter({(0,) * len(torus.elements): 1})
    for side, degree in zip(sides, ansatz.shape, strict=True):
        total = _multiply(total, _symmetric_power(_find_weights(torus, side), degree))
    # Functions of x have the weights of the dual; the output has its own.
    total = Counter({tuple(-m for m in weight): k for weight, k in total.items()})
    total = _multiply(total, _find_weights(torus, [g.output for g in algebra]))
    for root in torus.roots:
        moved = {tuple(a + b for a, b in zip(w, root, strict=True)): k for w, k in total.items()}
        total.subtract(moved)
    return total[(0,) * len(torus.elements)]


def _find_weights(torus: Torus, algebra: list[Matrix]) -> Character:
    """Find the weights of a representation with their multiplicities."""
    import flint

    p, i = _choose_prime()
    n = algebra[0].height
    mixed = [0] * (n * n)
    for place, (element, (turns, size)) in enumerate(zip(torus.elements, torus.units, strict=True)):
        first, *rest = (algebra[k] for k in element)
        matrix = first @ rest[0] - rest[0] @ first if rest else first
        unit = pow((i if turns else 1) * size, -1, p) * BASE**place % p
        residues = matrix.reduce(p, 0).tolist()
        for row, column, value in zip(matrix.rows, matrix.columns, residues, strict=True):
            mixed[row * n + column] += value * unit % p
    polynomial = flint.nmod_mat(n, n, [v % p for v in mixed], p).charpoly()
    found: Character = Counter()
    for factor, multiplicity in polynomial.factor()[1]:
        if factor.degree() != 1:
            raise AssertionError("an element of the torus has an eigenvalue that is no weight")
        value = -int(factor[0]) * pow(int(factor[1]), -1, p) % p
        found[tuple(_list_digits(value if 2 * value < p else value - p, torus))] += multiplicity
    return found


def _list_digits(value: int, torus: Torus) -> Iterator[int]:
    """Split a number into digits from ``-BASE / 2`` on, one per element of the torus."""
    for _ in torus.elements:
        digit = (value + BASE // 2) % BASE - BASE // 2
        value = (value - digit) // BASE
        yield digit


@cache
def _choose_prime() -> tuple[int, int]:
    """Return a prime that is 1 modulo 4, and a square root of -1 modulo it."""
    from flint import fmpz

    p = next(q for q in range(2**62 - 3, 0, -4) if fmpz(q).is_prime())
    roots = (pow(base, (p - 1) // 4, p) for base in range(2, 100))
    return p, next(root for root in roots if root * root % p == p - 1)


def _symmetric_power(character: Character, degree: int) -> Character:
    """Return the character of the forms of a degree, one weight at a time."""
    rank = len(next(iter(character)))
    powers: list[Character] = [Counter({(0,) * rank: 1})]
    powers += [Counter() for _ in range(degree)]
    for weight, multiplicity in character.items():
        grown: list[Character] = []
        for d in range(degree + 1):
            total: Character = Counter()
            for e in range(d + 1):
                ways = comb(multiplicity + e - 1, e)
                for before, k in powers[d - e].items():
                    moved = tuple(b + e * w for b, w in zip(before, weight, strict=True))
                    total[moved] += k * ways
            grown.append(total)
        powers = grown
    return powers[degree]


def _multiply(left: Character, right: Character) -> Character:
    product: Character = Counter()
    for v, a in left.items():
        for w, b in right.items():
            product[tuple(x + y for x, y in zip(v, w, strict=True))] += a * b
    return product
