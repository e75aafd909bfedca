"""Pair kernels of Coulomb and distance-product weights, in floating point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

KernelName = Literal["inverse", "product"]

KERNELS: tuple[KernelName, ...] = ("inverse", "product")


@dataclass(frozen=True, slots=True)
class Kernel:
    """What stands beside the inner product: ``w_ij = <mu_i, nu_j> k(|x_i - y_j|^2)``.

    Attributes:
        name: ``inverse``: ``k(D) = (D + softening)^(-exponent/2)``; ``product``:
            ``k(D) = D^(exponent/2)``.
        exponent: Of the distance, positive.
        softening: Not negative; 0 for ``product``.

    Raises:
        ValueError: There is no such kernel.
    """

    name: KernelName = "inverse"
    exponent: float = 2.0
    softening: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in KERNELS:
            raise ValueError(f"kernel is one of {', '.join(KERNELS)}, got {self.name!r}")
        if not 0 < self.exponent < np.inf:
            raise ValueError(f"the exponent is a positive number, got {self.exponent}")
        if not 0 <= self.softening < np.inf:
            raise ValueError(f"the softening is not negative, got {self.softening}")
        if self.softening and self.name == "product":
            raise ValueError("only the inverse kernel takes a softening; leave it out")

    def weigh(self, squares: Array) -> Array:
        """Return k at squared distances."""
        if self.name == "inverse":
            return np.asarray((squares + self.softening) ** (-self.exponent / 2))
        return np.asarray(squares ** (self.exponent / 2))

    def differentiate(self, squares: Array) -> Array:
        """Return the derivative of k with respect to the squared distance."""
        half = self.exponent / 2
        if self.name == "inverse":
            return np.asarray(-half * (squares + self.softening) ** (-half - 1))
        return np.asarray(half * squares ** (half - 1))


def square_distances(x: Array, y: Array | None = None) -> Array:
    """Return ``|x_i - y_j|^2``, as the sum of squares of differences: near points keep digits.

    Args:
        x: Shape ``(m, p)``.
        y: Shape ``(n, p)``; x where left out.

    Returns:
        Shape ``(m, n)``.
    """
    other = x if y is None else y
    squares = np.zeros((len(x), len(other)))
    for own, their in zip(x.T, other.T, strict=True):
        squares += np.subtract.outer(own, their) ** 2
    return squares


def weigh_pairs(
    kernel: Kernel, mu: Array, x: Array, nu: Array | None = None, y: Array | None = None
) -> Array:
    """Return the weights of every pair; with one set of neurons the diagonal is 0.

    Args:
        kernel: The kernel.
        mu: Shape ``(m, d)``.
        x: Shape ``(m, p)``.
        nu: Shape ``(n, d)``; left out with y for one set of neurons.
        y: Shape ``(n, p)``.

    Returns:
        Shape ``(m, n)``, or ``(m, m)``.
    """
    squares = square_distances(x, y)
    if nu is None:
        np.fill_diagonal(squares, 1.0)
        weights = (mu @ mu.T) * kernel.weigh(squares)
        np.fill_diagonal(weights, 0.0)
        return np.asarray(weights)
    return np.asarray((mu @ nu.T) * kernel.weigh(squares))
