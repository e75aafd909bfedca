"""Positions of neurons that keep well apart, the same on every run."""

from __future__ import annotations

from itertools import product

import numpy as np

from eqcompile.analysis.kernels import Array

LATTICE_DIM = 3
"""Up to this dimension points of a lattice spread better than points of a sphere."""

STEPS = 200
"""Steps of repulsion on the sphere."""


def spread_positions(n: int, dim: int) -> Array:
    """Return n points of R^dim whose largest and least distance differ little.

    A regular simplex where it fits (``dim >= n - 1``: all distances are equal), points of a
    lattice nearest to a centre up to dimension 3, else points that have repelled each other on
    a sphere. The ratio of the largest to the least squared distance is 1 for the simplex, about
    ``n^(2/dim)`` for the others.

    Raises:
        ValueError: ``n < 0`` or ``dim < 1``.

    Returns:
        Centred, shape ``(n, dim)``; the least distance is 1.
    """
    if n < 0 or dim < 1:
        raise ValueError(f"positions need n >= 0 and a dimension of at least 1, got {n} and {dim}")
    if n < 2:
        return np.zeros((n, dim))
    if dim >= n - 1:
        x = _make_simplex(n, dim)
    elif dim <= LATTICE_DIM:
        x = _cut_lattice(n, dim)
    else:
        x = _repel(_scatter_on_sphere(n, dim))
    return np.asarray(x - x.mean(0))


def _make_simplex(n: int, dim: int) -> Array:
    """Place n points of pairwise distance 1, one coordinate after the other."""
    x = np.zeros((n, dim))
    for k in range(1, n):
        x[k, : k - 1] = x[:k, : k - 1].mean(0)
        height = 1 - float(((x[k] - x[0]) ** 2).sum())
        x[k, k - 1] = height**0.5
    return x


def _cut_lattice(n: int, dim: int) -> Array:
    """Return the n integer points nearest to a point off the lattice: no two lie equally near."""
    reach = int(np.ceil(n ** (1 / dim) / 2)) + 2
    if dim == 1:
        return np.arange(n, dtype=np.float64)[:, None]
    grid = np.array(list(product(range(-reach, reach + 1), repeat=dim)), dtype=np.float64)
    centre = 0.37 * np.arange(1, dim + 1) / dim
    order = np.argsort(((grid - centre) ** 2).sum(1), kind="stable")
    return np.asarray(grid[order[:n]])


def _scatter_on_sphere(n: int, dim: int) -> Array:
    """Map a sequence of low discrepancy in the cube to the sphere, through the normal law."""
    from scipy.special import ndtri

    ratio = 2.0
    for _ in range(64):  # the root of t^(dim + 1) = t + 1, whose powers fill the cube evenly
        ratio = (1 + ratio) ** (1 / (dim + 1))
    cube = (0.5 + np.outer(np.arange(1, n + 1), ratio ** -np.arange(1.0, dim + 1))) % 1
    x = ndtri(np.clip(cube, 1e-9, 1 - 1e-9))
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))


def _repel(x: Array) -> Array:
    """Move points of the sphere along the repulsion ``1 / distance^4`` in shrinking steps."""
    n, dim = x.shape
    reach = 0.5 * n ** (-1 / (dim - 1))
    for step in range(STEPS):
        squares = np.maximum(2 - 2 * (x @ x.T), 1e-12)
        np.fill_diagonal(squares, np.inf)
        pull = squares**-3.0
        force = x * pull.sum(1, keepdims=True) - pull @ x
        force -= x * (force * x).sum(1, keepdims=True)
        length = np.linalg.norm(force, axis=1, keepdims=True)
        x = x + reach * (1 - step / STEPS) * force / np.maximum(length, 1e-30)
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
    squares = np.maximum(2 - 2 * (x @ x.T), 1e-12)
    np.fill_diagonal(squares, np.inf)
    return np.asarray(x / squares.min() ** 0.5)
