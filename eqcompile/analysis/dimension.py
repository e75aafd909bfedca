"""How many dimensions a family of weights has: formulas, and the exact ranks that test them.

The weights are rational functions of the parameters, so the dimension of the family is the rank
of its Jacobian at almost every point. `measure_dimension` computes that rank at random points
over prime fields: exactly, without any tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import comb, prod
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Residues: TypeAlias = npt.NDArray[np.int64]
"""Integers modulo a prime below 2^31: a product of two fits into 64 bits."""

PRIMES = (2147483629, 2147483587, 2147483579)

SOFTENING = 7
"""Any number but 0: scaling the positions makes all softenings alike."""

Size = int | tuple[int, int]

# Alexander and Hirschowitz 1995: sums of this many powers have one dimension less than expected.
DEFECTIVE = {(3, 5, 7), (4, 3, 5), (4, 4, 9), (4, 5, 14)}


@dataclass(frozen=True, eq=False)
class Family:
    """Weights as functions of parameters.

    Attributes:
        name: What messages call it.
        parameters: Name and shape of every parameter.
        differentiate: Maps values of the parameters modulo a prime, and the prime, to the
            Jacobian modulo it, shape ``(weights, parameters)``; columns are in the order of
            ``parameters``, each in row-major order.
    """

    name: str
    parameters: tuple[tuple[str, tuple[int, ...]], ...]
    differentiate: Callable[[Mapping[str, Residues], int], Residues]


def measure_dimension(family: Family, *, seed: int = 0) -> int:
    """Compute the rank of the Jacobian of a family, exactly, at a random point of a prime field.

    A rank modulo a prime never exceeds that over the rationals at the same point, nor that one
    the rank at a general point: the answer is proven to be a lower bound. It falls short only if
    the point is a root of a certain polynomial, with probability below its degree over 2^31; the
    best of several points over several primes is taken.

    Raises:
        ValueError: The Jacobian has another number of columns than the family has parameters.
    """
    from flint import nmod_mat

    rng = np.random.default_rng(seed)
    count = sum(prod(shape) for _, shape in family.parameters)
    best = 0
    for p in PRIMES:
        values = {name: rng.integers(1, p, shape) for name, shape in family.parameters}
        jacobian = family.differentiate(values, p)
        if jacobian.ndim != 2 or jacobian.shape[1] != count:
            raise ValueError(
                f"{family.name} has {count} parameters, but a Jacobian of shape {jacobian.shape}"
            )
        if not jacobian.size:
            return 0
        height, width = jacobian.shape
        found = int(nmod_mat(height, width, jacobian.ravel().tolist(), p).rank())
        best = max(best, found)
        if best == min(height, width):
            break
    return best


def coulomb_dimension(size: Size, mu_dim: int, position_dim: int, *, softened: bool = False) -> int:
    """Return the dimension of the Coulomb weights off the diagonal, in the space of matrices.

    For one set of n neurons with d components of mu and p of x it is
    ``min(n(n-1)/2, n(d+p) - d(d-1)/2 - (p+1)(p+2)/2)``: parameters, less rotations of mu, less
    the conformal group of R^p, whose inversion ``x -> x/|x|^2, mu -> mu/|x|^2`` keeps every
    weight. Between m and n neurons it is ``min(mn, (m+n)(d+p) - d^2 - (p+1)(p+2)/2)``, and for
    ``d = 1`` also at most ``(p+2)(m+n-p-2)``, because then the matrix of the inverse weights has
    rank p + 2. It is the same for distance-product weights, for every exponent and signature.
    Where d or p alone can give every matrix (``d`` or ``p >= n - 1``; ``>= min(m, n)``), that is
    the answer.

    Args:
        size: ``n``, or the pair of output and input neurons.
        mu_dim: ``d >= 1``.
        position_dim: ``p >= 1``.
        softened: With a fixed softening above 0 in the inverse kernel: of the conformal group
            only the ``p(p+1)/2`` motions keep the weights.

    Raises:
        ValueError: There are no neurons, charges or positions.
    """
    m, n = _read_size(size)
    if min(mu_dim, position_dim) < 1:
        raise ValueError(
            f"charges and positions have at least one component, got {mu_dim} and {position_dim}: "
            "without charges every weight is 0, and at one place none is defined"
        )
    d, p = mu_dim, position_dim
    gauge = p * (p + 1) // 2 if softened else (p + 1) * (p + 2) // 2
    if isinstance(size, tuple):
        whole, enough = m * n, min(m, n)
        free = (m + n) * (d + p) - d * d - gauge
        if d == 1 and p + 2 <= enough:
            free = min(free, (p + 2) * (m + n - p - 2))
    else:
        whole, enough = n * (n - 1) // 2, n - 1
        free = n * (d + p) - d * (d - 1) // 2 - gauge
    return whole if max(d, p) >= enough else min(whole, free)


def spectral_dimension(size: Size, rank: int, order: int = 2) -> int:
    """Return the dimension of spectral weights, in the space of (symmetric) tensors.

    ``sum_k lam_k q_k q_k^T``: ``n r - r(r-1)/2``; ``sum_k lam_k u_k v_k^T``: ``r(m+n-r)``; sums
    of r powers of order ``order >= 3``: ``min(nr, C(n+order-1, order))``, one less in the four
    cases of Alexander and Hirschowitz.

    Raises:
        ValueError: Sizes are not positive, or the layer has two sets of neurons and an order
            above 2, for which no formula is known; `measure_dimension` serves it.
    """
    m, n = _read_size(size)
    if rank < 1 or order < 2:
        raise ValueError(f"rank is at least 1 and order at least 2, got {rank} and {order}")
    if isinstance(size, tuple):
        if order > 2:
            raise ValueError(
                "no formula is known for two sets of neurons at an order above 2: "
                "use measure_dimension(spectral_family(size, rank, order))"
            )
        r = min(rank, m, n)
        return r * (m + n - r)
    if order == 2:
        r = min(rank, n)
        return n * r - r * (r - 1) // 2
    return min(n * rank, comb(n + order - 1, order)) - ((order, n, rank) in DEFECTIVE)


def coulomb_family(
    size: Size,
    mu_dim: int,
    position_dim: int,
    kernel: str = "inverse",
    *,
    exponent: int = 2,
    softened: bool = False,
) -> Family:
    """Return Coulomb or distance-product weights as a family; see `coulomb_dimension`.

    Args:
        size: ``n``, or the pair of output and input neurons.
        mu_dim: Components of mu.
        position_dim: Components of x.
        kernel: ``inverse`` or ``product``.
        exponent: Of the distance, even: a power of the squared distance is rational.
        softened: With the fixed softening `SOFTENING`.

    Raises:
        ValueError: The exponent is odd, there is no such kernel, or nothing is left to weigh.
    """
    m, n = _read_size(size)
    if exponent < 2 or exponent % 2:
        raise ValueError(f"only even exponents give rational weights, got {exponent}")
    if kernel not in {"inverse", "product"}:
        raise ValueError(f"kernel is inverse or product, got {kernel!r}")
    power = -exponent // 2 if kernel == "inverse" else exponent // 2
    shift = SOFTENING if softened and kernel == "inverse" else 0
    count = m + n if isinstance(size, tuple) else n
    if isinstance(size, tuple):
        first, second = (k.ravel() for k in np.indices((m, n)))
        second = second + m
    else:
        first, second = np.triu_indices(n, 1)

    def differentiate(values: Mapping[str, Residues], p: int) -> Residues:
        mu, x = values["mu"], values["x"]
        gap = (x[first] - x[second]) % p
        squares = ((gap * gap % p).sum(1) + shift) % p
        inner = (mu[first] * mu[second] % p).sum(1) % p
        weight = _raise(squares, power, p)
        slope = power * _raise(squares, power - 1, p) % p
        along = (2 * inner % p * slope % p)[:, None] * gap % p
        rows = np.arange(len(first))
        charges = np.zeros((len(first), count, mu_dim), dtype=np.int64)
        charges[rows, first] = mu[second] * weight[:, None] % p
        charges[rows, second] = mu[first] * weight[:, None] % p
        places = np.zeros((len(first), count, position_dim), dtype=np.int64)
        places[rows, first] = along
        places[rows, second] = -along % p
        flat = [part.reshape(len(first), count * part.shape[2]) for part in (charges, places)]
        return np.concatenate(flat, axis=1)

    shapes = (("mu", (count, mu_dim)), ("x", (count, position_dim)))
    return Family(f"{kernel} weights of size {size}", shapes, differentiate)


def spectral_family(size: Size, rank: int, order: int = 2) -> Family:
    """Return spectral weights of any order as a family; see `spectral_dimension`.

    Between two sets of neurons the weights are ``sum_k lam_k u_k (v_k)^(order-1)``.

    Raises:
        ValueError: Sizes are not positive.
    """
    m, n = _read_size(size)
    if rank < 1 or order < 2:
        raise ValueError(f"rank is at least 1 and order at least 2, got {rank} and {order}")
    pair = isinstance(size, tuple)
    inner = order - 1 if pair else order
    places = np.array(list(combinations_with_replacement(range(n), inner)), dtype=np.int64)
    if pair:  # one direction of u, then those of v, which follow it among the rows
        outputs = np.repeat(np.arange(m), len(places))[:, None]
        places = np.concatenate([outputs, m + np.tile(places, (m, 1))], axis=1)
    height = m + n if pair else n

    def differentiate(values: Mapping[str, Residues], p: int) -> Residues:
        lam = values["lam"]
        rows = np.concatenate([values["u"], values["v"]]) if pair else values["q"]
        factors = rows[places]
        table = np.zeros((len(places), height, rank), dtype=np.int64)
        entries = np.arange(len(places))
        for place in range(order):
            others = np.delete(factors, place, axis=1)
            slope = lam * _multiply(others, p) % p
            table[entries, places[:, place]] += slope
        whole = table.reshape(len(places), -1) % p
        return np.concatenate([whole, _multiply(factors, p)], axis=1)

    directions = (("u", (m, rank)), ("v", (n, rank))) if pair else (("q", (n, rank)),)
    shapes = (*directions, ("lam", (rank,)))
    return Family(f"spectral weights of size {size}", shapes, differentiate)


def _read_size(size: Size) -> tuple[int, int]:
    m, n = size if isinstance(size, tuple) else (size, size)
    if min(m, n) < 1:
        raise ValueError(f"a layer has at least one neuron, got size {size}")
    return m, n


def _multiply(factors: Residues, p: int) -> Residues:
    """Multiply along the second axis."""
    result = np.ones_like(factors[:, 0])
    for k in range(factors.shape[1]):
        result = result * factors[:, k] % p
    return result


def _raise(base: Residues, power: int, p: int) -> Residues:
    """Raise to a power, negative ones through Fermat's little theorem."""
    left, square, result = power % (p - 1), base % p, np.ones_like(base)
    while left:
        if left & 1:
            result = result * square % p
        square = square * square % p
        left >>= 1
    return result
