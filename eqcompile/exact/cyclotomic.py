"""Tables of the field of ``g = 2 cos(2 pi / N)``, the real part of the N-th cyclotomic field.

An element is the tuple of its coefficients at the powers of g below the degree. These powers are
an integral basis of the ring of integers (Washington, Introduction to Cyclotomic Fields,
proposition 2.16), so a least common denominator does not depend on the field an element is
written in. A conductor here is one that `normalise_conductor` returned; for N = 1, the rationals,
g is written as 0.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import gcd, isqrt, lcm

PRIME_BOUND = 1 << 62
"""Primes lie below it, so that a sum of two residues fits into an int64."""

LARGE_DEGREE = 16
"""Beyond it products of polynomials are left to flint."""

EXACT_BITS = 64
"""Bits a value is known to before it is rounded to a float of 53."""

Coefficients = tuple[int, ...]


def normalise_conductor(conductor: int) -> int:
    """Return the least N with the same field: it is never 2 modulo 4, and 1 for the rationals."""
    least = conductor // 2 if conductor % 4 == 2 else conductor
    return 1 if least in {3, 4} else least


@lru_cache(maxsize=1024)
def find_minimal(conductor: int) -> Coefficients:
    """Return the monic minimal polynomial of g, lowest power first."""
    if conductor == 1:
        return (0, 1)
    from flint import fmpz_poly

    return tuple(int(c) for c in fmpz_poly.cos_minpoly(conductor).coeffs())


@lru_cache(maxsize=256)
def list_primes(conductor: int, count: int) -> tuple[int, ...]:
    """Return the largest primes below `PRIME_BOUND` that are 1 modulo N, downwards."""
    from flint import fmpz

    known = list_primes(conductor, count - 1) if count > 1 else ()
    step = lcm(conductor, 2)
    candidate = known[-1] - step if known else (PRIME_BOUND - 2) // step * step + 1
    while not fmpz(candidate).is_prime():
        candidate -= step
    return (*known, candidate)


@lru_cache(maxsize=256)
def list_roots(conductor: int, p: int) -> tuple[int, ...]:
    """Return the images of g under the homomorphisms to ``F_p``, increasing.

    Raises:
        ValueError: If p is not 1 modulo the conductor.
    """
    if conductor == 1:
        return (0,)
    if p % conductor != 1:
        raise ValueError(f"{p} is not 1 modulo {conductor}")
    primes = [q for q in range(2, conductor + 1) if conductor % q == 0 and is_prime(q)]
    base, zeta = 2, 1
    while any(pow(zeta, conductor // q, p) == 1 for q in primes):
        zeta = pow(base, (p - 1) // conductor, p)
        base += 1
    units = [k for k in range(1, (conductor + 1) // 2) if gcd(k, conductor) == 1]
    return tuple(sorted((pow(zeta, k, p) + pow(zeta, -k, p)) % p for k in units))


def is_prime(n: int) -> bool:
    """Whether a small number is prime, by trial division."""
    return n > 1 and all(n % q for q in range(2, isqrt(n) + 1))


@lru_cache(maxsize=32)
def list_cosines(conductor: int) -> tuple[Coefficients, ...]:
    """Return ``2 cos(2 pi k / N)`` in powers of g for ``k = 0 .. N - 1``.

    The recurrence is that of the Dickson polynomials, ``D_{k+1} = g D_k - D_{k-1}``.
    """
    minimal = find_minimal(conductor)
    degree = len(minimal) - 1
    before = (2, *([0] * (degree - 1)))
    here = reduce_powers((0, 1), minimal)
    table = [before, here]
    while len(table) < conductor:
        rest = zip((0, *here[:-1]), minimal, before, strict=False)
        after = tuple(shifted - here[-1] * m - b for shifted, m, b in rest)
        table.append(after)
        before, here = here, after
    return tuple(table[:conductor])


def reduce_powers(coefficients: Coefficients, minimal: Coefficients) -> Coefficients:
    """Return a polynomial in g modulo the minimal polynomial, one coefficient per power."""
    degree = len(minimal) - 1
    rest = list(coefficients) + [0] * (degree - len(coefficients))
    for top in range(len(rest) - 1, degree - 1, -1):
        factor = rest[top]
        if factor:
            for i in range(degree + 1):
                rest[top - degree + i] -= factor * minimal[i]
    return tuple(rest[:degree])


@lru_cache(maxsize=64)
def embed_powers(small: int, large: int) -> tuple[Coefficients, ...]:
    """Return the powers of g of a subfield in powers of g of the field around it.

    Raises:
        ValueError: If the conductor of the one does not divide that of the other.
    """
    if large % small:
        raise ValueError(f"the field of conductor {small} does not lie in that of {large}")
    one = (1, *([0] * (len(find_minimal(large)) - 2)))
    if small == 1:
        return (one,)
    g = list_cosines(large)[large // small]
    powers = [one]
    while len(powers) < len(find_minimal(small)) - 1:
        powers.append(multiply(powers[-1], g, large))
    return tuple(powers)


def embed(a: Coefficients, small: int, large: int) -> Coefficients:
    """Write an element of a subfield in the field around it; errors as of `embed_powers`."""
    if small == large:
        return a
    columns = zip(*embed_powers(small, large), strict=True)
    return tuple(sum(c * p for c, p in zip(a, column, strict=True)) for column in columns)


def restrict(a: Coefficients, large: int, small: int) -> Coefficients | None:
    """Write an element in a subfield, whose conductor divides; None if it does not lie there."""
    from flint import fmpz_mat

    powers = embed_powers(normalise_conductor(small), large)
    system = fmpz_mat([list(row) for row in zip(*powers, a, strict=True)])
    reduced, denominator, rank = system.rref()
    if rank > len(powers):
        return None
    return tuple(int(reduced[i, len(powers)]) // int(denominator) for i in range(len(powers)))


def multiply(a: Coefficients, b: Coefficients, conductor: int) -> Coefficients:
    """Multiply two elements."""
    if len(a) > LARGE_DEGREE:
        from flint import fmpz_poly

        product = fmpz_poly(list(a)) * fmpz_poly(list(b))
        rest = product % fmpz_poly(list(find_minimal(conductor)))
        found = [int(c) for c in rest.coeffs()]
        return (*found, *([0] * (len(a) - len(found))))
    long = [0] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        if x:
            for j, y in enumerate(b):
                long[i + j] += x * y
    return reduce_powers(tuple(long), find_minimal(conductor))


def invert(a: Coefficients, conductor: int) -> tuple[Coefficients, int]:
    """Return the inverse of an element that is not 0: its coefficients and their denominator."""
    from flint import fmpq_poly

    minimal = find_minimal(conductor)
    _, cofactor, _ = fmpq_poly(list(a)).xgcd(fmpq_poly(list(minimal)))
    found = [int(c) for c in cofactor.numer().coeffs()]
    found += [0] * (len(minimal) - 1 - len(found))
    return tuple(found), int(cofactor.denom())


@lru_cache(maxsize=64)
def list_means(conductor: int) -> tuple[Fraction, ...]:
    """Return the mean of the conjugates of each power of g, by Newton's identities."""
    minimal = find_minimal(conductor)
    degree = len(minimal) - 1
    sums = [degree]
    for k in range(1, degree):
        total = -k * minimal[degree - k]
        total -= sum(minimal[degree - i] * sums[k - i] for i in range(1, k))
        sums.append(total)
    return tuple(Fraction(s, degree) for s in sums)


def round_element(a: Coefficients, denominator: int, conductor: int) -> float:
    """Return the float nearest to an element, by interval arithmetic of growing precision."""
    if not any(a[1:]):
        return a[0] / denominator
    from flint import arb, ctx, fmpq

    precision = EXACT_BITS
    while True:
        precision *= 2
        with ctx.workprec(precision):
            g = 2 * arb.cos_pi_fmpq(fmpq(2, conductor))
            value = arb(0)
            for coefficient in reversed(a):
                value = value * g + coefficient
            value /= denominator
        if value.rel_accuracy_bits() >= EXACT_BITS:
            mantissa, exponent = (int(part) for part in value.mid().man_exp())
            return float(mantissa * Fraction(2) ** exponent)
