"""Any matrix as Coulomb or distance-product weights, exactly up to rounding.

Choose distinct positions first; then ``w_ij / k(|x_i - x_j|^2)`` off the diagonal are the inner
products that are wanted. The diagonal of that matrix is free, so shifting it by the least
eigenvalue makes it positive semidefinite of rank at most n - 1, and its factor holds the charges.
Between two sets of neurons nothing need be symmetric: a singular value decomposition does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eqcompile.analysis.kernels import Array, Kernel, KernelName, square_distances, weigh_pairs
from eqcompile.analysis.positions import spread_positions

ROUNDING = float(np.finfo(np.float64).eps)

SYMMETRY = 1e-12
"""Entries that differ from their mirror image by less than this share of the largest are equal."""


@dataclass(frozen=True, eq=False)
class CoulombRepresentation:
    """Charges and positions whose weights are a given matrix.

    Attributes:
        mu: Charges of the (output) neurons, shape ``(n, d)``.
        x: Their positions, shape ``(n, p)``.
        nu: Charges of the input neurons, shape ``(m, d)``; None where there is one set of neurons.
        y: Their positions, shape ``(m, p)``, or None.
        diagonal: What stands on the diagonal of the matrix, kept apart, shape ``(n,)``; zeros
            between two sets of neurons.
        kernel: The kernel.
        error: Largest difference of a weight, off the diagonal.
        relative_error: The same as a share of the largest weight; 0 for a zero matrix.
        amplification: How much rounding of the inner products can grow in the weights:
            ``|G|_2 max k / max |w|``, G the inner products asked for, before the shift.
        bound: A bound on ``relative_error`` in float64, to first order in the rounding.
    """

    mu: Array
    x: Array
    nu: Array | None
    y: Array | None
    diagonal: Array
    kernel: Kernel
    error: float
    relative_error: float
    amplification: float
    bound: float

    @property
    def mu_dim(self) -> int:
        """Number of components of a charge."""
        return int(self.mu.shape[1])

    def dense_weight(self) -> Array:
        """Form the weights again, diagonal included."""
        weights = weigh_pairs(self.kernel, self.mu, self.x, self.nu, self.y)
        if self.nu is None:
            np.fill_diagonal(weights, self.diagonal)
        return weights


def represent(
    weights: npt.ArrayLike,
    position_dim: int = 8,
    kernel: KernelName = "inverse",
    positions: npt.ArrayLike | tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    *,
    square: bool | None = None,
    exponent: float = 2.0,
    softening: float = 0.0,
) -> CoulombRepresentation:
    """Write a matrix as ``w_ij = <mu_i, mu_j> k(|x_i - x_j|^2)``, off the diagonal.

    Every symmetric matrix can be written so, with at most ``n - 1`` components of mu, at any
    distinct positions in any dimension; and every rectangular one as ``<mu_i, nu_j> k(...)``
    with as many components as the rank of ``w / k``. Positions in few dimensions lose digits:
    see ``amplification``.

    Args:
        weights: Shape ``(n, n)``, symmetric, or ``(n, m)``.
        position_dim: Dimension of the positions, if none are given.
        kernel: ``inverse`` or ``product``.
        positions: Shape ``(n, p)``; for two sets of neurons the pair of ``(n, p)``, ``(m, p)``.
        square: Whether inputs and outputs are one set of neurons; where left out, whether the
            matrix is square.
        exponent: Of the distance.
        softening: Of the inverse kernel.

    Raises:
        ValueError: The matrix is not finite, or not symmetric though square; its diagonal is not
            zero though the kernel is ``product``; or the positions do not fit or coincide.
    """
    chosen = Kernel(kernel, float(exponent), float(softening))
    w = read_matrix(weights)
    one_set = w.shape[0] == w.shape[1] if square is None else square
    if one_set:
        return _represent_square(read_symmetric(w, kernel), position_dim, chosen, positions)
    return _represent_pairs(w, position_dim, chosen, positions)


def read_matrix(weights: npt.ArrayLike) -> Array:
    """Return a matrix of finite float64 numbers.

    Raises:
        ValueError: It has another shape, or other numbers.
    """
    w = np.asarray(weights)
    if w.ndim != 2:
        raise ValueError(f"weights are a matrix, got shape {w.shape}")
    if w.dtype.kind not in "iufb":
        raise ValueError(f"weights are real numbers, got dtype {w.dtype}")
    w = w.astype(np.float64)
    if not np.isfinite(w).all():
        place = tuple(np.argwhere(~np.isfinite(w))[0].tolist())
        raise ValueError(f"weights are finite, got {w[place]} at {place}; replace it first")
    return w


def read_symmetric(w: Array, kernel: str) -> Array:
    """Return a symmetric matrix, made so to the last digit.

    Raises:
        ValueError: It is not symmetric, or has a diagonal that the kernel cannot have.
    """
    if w.shape[0] != w.shape[1]:
        raise ValueError(
            f"one set of neurons needs a square matrix, got shape {w.shape}; pass square=False"
        )
    size = float(np.abs(w).max(initial=0.0))
    if float(np.abs(w - w.T).max(initial=0.0)) > SYMMETRY * size:
        i, j = (int(k) for k in np.unravel_index(np.abs(w - w.T).argmax(), w.shape))
        raise ValueError(
            f"weights of one set of neurons are symmetric, but w[{i}, {j}] = {w[i, j]:.6g} and "
            f"w[{j}, {i}] = {w[j, i]:.6g}; pass square=False for two sets of neurons, or the "
            "symmetric part (W + W.T) / 2"
        )
    if kernel == "product" and np.diagonal(w).any():
        raise ValueError(
            "distance-product weights are zero on the diagonal; take it off first "
            "(W - np.diag(np.diag(W))) and keep it as the separate diagonal of the layer"
        )
    return np.asarray((w + w.T) / 2)


def _represent_square(
    w: Array,
    position_dim: int,
    kernel: Kernel,
    positions: npt.ArrayLike | tuple[npt.ArrayLike, npt.ArrayLike] | None,
) -> CoulombRepresentation:
    n = len(w)
    x = spread_positions(n, position_dim) if positions is None else _read_positions(positions, n)
    off = ~np.eye(n, dtype=bool)
    squares = square_distances(x)
    np.fill_diagonal(squares, 1.0)
    _check_apart(squares)
    pairs = kernel.weigh(squares)
    target = np.where(off, w / pairs, 0.0)
    values, vectors = np.linalg.eigh(target)
    shift = -float(values[0]) if n else 0.0
    lifted = values + shift
    kept = lifted > n * ROUNDING * lifted.max(initial=0.0)
    mu = vectors[:, kept] * lifted[kept] ** 0.5
    largest = float(np.abs(w[off]).max(initial=0.0))
    error = float(np.abs((weigh_pairs(kernel, mu, x) - w)[off]).max(initial=0.0))
    norm = float(np.abs(values).max(initial=0.0))
    steepest = float(pairs[off].max(initial=0.0))
    share = steepest / largest if largest else 0.0
    return CoulombRepresentation(
        mu,
        x,
        None,
        None,
        np.diagonal(w).copy(),
        kernel,
        error,
        error / largest if largest else 0.0,
        norm * share,
        2 * n * ROUNDING * (norm + shift) * share,
    )


def _represent_pairs(
    w: Array,
    position_dim: int,
    kernel: Kernel,
    positions: npt.ArrayLike | tuple[npt.ArrayLike, npt.ArrayLike] | None,
) -> CoulombRepresentation:
    n, m = w.shape
    if positions is None:
        both = spread_positions(n + m, position_dim)
        x, y = both[:n], both[n:]
    elif isinstance(positions, tuple) and len(positions) == 2:
        x, y = _read_positions(positions[0], n), _read_positions(positions[1], m)
    else:
        raise ValueError("two sets of neurons need a pair of positions: (of outputs, of inputs)")
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"positions of dimensions {x.shape[1]} and {y.shape[1]} do not fit")
    squares = square_distances(x, y)
    _check_apart(squares)
    pairs = kernel.weigh(squares)
    left, values, right = np.linalg.svd(w / pairs, full_matrices=False)
    norm = float(values.max(initial=0.0))
    kept = values > max(n, m) * ROUNDING * norm
    root = values[kept] ** 0.5
    mu, nu = left[:, kept] * root, right[kept].T * root
    largest = float(np.abs(w).max(initial=0.0))
    error = float(np.abs(weigh_pairs(kernel, mu, x, nu, y) - w).max(initial=0.0))
    share = float(pairs.max(initial=0.0)) / largest if largest else 0.0
    return CoulombRepresentation(
        mu,
        x,
        nu,
        y,
        np.zeros(n),
        kernel,
        error,
        error / largest if largest else 0.0,
        norm * share,
        2 * max(n, m) * ROUNDING * norm * share,
    )


def _read_positions(positions: object, n: int) -> Array:
    x = np.asarray(positions, dtype=np.float64)
    if x.ndim != 2 or len(x) != n or x.shape[1] < 1 or not np.isfinite(x).all():
        raise ValueError(f"positions are {n} rows of finite numbers, got shape {x.shape}")
    return x


def _check_apart(squares: Array) -> None:
    # Below the least normal number its inverse is no number any more.
    if squares.size and float(squares.min()) < np.finfo(np.float64).tiny:
        i, j = (int(k) for k in np.unravel_index(squares.argmin(), squares.shape))
        raise ValueError(f"neurons {i} and {j} stand at one place; positions must be distinct")
