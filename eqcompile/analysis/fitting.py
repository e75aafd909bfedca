"""Coulomb and distance-product weights nearest to a given matrix, in few dimensions.

Levenberg and Marquardt's method on charges and positions together. The weights do not change
under rotations of the charges and conformal maps of the positions, so the normal equations are
singular and each step is damped. What a fit cannot reach is said beforehand: `obstructions`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eqcompile.analysis.dimension import coulomb_dimension
from eqcompile.analysis.kernels import Array, Kernel, KernelName, square_distances, weigh_pairs
from eqcompile.analysis.obstructions import find_squares, list_obstructions
from eqcompile.analysis.positions import spread_positions
from eqcompile.analysis.representation import read_matrix, read_symmetric

EXACT = 1e-10
"""A relative residual below this ends the search."""

DAMPING = 1e-2
LEAST_DAMPING = 1e-14
TRIALS = 12
AXIS_STEPS = 30


@dataclass(frozen=True, eq=False)
class CoulombFit:
    """The best fit found, and what is known about better ones.

    Attributes:
        mu: Charges, shape ``(n, d)``.
        x: Positions, shape ``(n, p)``.
        diagonal: The diagonal of the matrix, kept apart, shape ``(n,)``.
        kernel: The kernel.
        residual: Norm of what is left off the diagonal, as a share of the norm of the matrix
            there; 0 for a zero matrix.
        residuals: The same for each start.
        obstructions: What proves that no fit is exact, in words; often nothing.
        bound: No fit has a residual below, by those obstructions.
        dimension: Dimension of all weights of this shape. Where it is below ``entries``, almost
            no matrix has an exact fit.
        entries: Dimension of all symmetric matrices, without the diagonal.
    """

    mu: Array
    x: Array
    diagonal: Array
    kernel: Kernel
    residual: float
    residuals: tuple[float, ...]
    obstructions: tuple[str, ...]
    bound: float
    dimension: int
    entries: int

    def dense_weight(self) -> Array:
        """Form the fitted weights, with the diagonal of the matrix."""
        weights = weigh_pairs(self.kernel, self.mu, self.x)
        np.fill_diagonal(weights, self.diagonal)
        return weights


def fit(
    weights: npt.ArrayLike,
    mu_dim: int,
    position_dim: int,
    kernel: KernelName = "inverse",
    *,
    exponent: float = 2.0,
    softening: float = 0.0,
    restarts: int = 8,
    steps: int = 300,
    seed: int = 0,
) -> CoulombFit:
    """Fit charges and positions to a symmetric matrix, off its diagonal.

    The same call gives the same answer. The first starts are computed: for one component of mu
    the points of the light cone that solve the problem if it can be solved, then spread
    positions with the leading eigenvectors. The rest are random.

    Args:
        weights: Shape ``(n, n)``, symmetric; its diagonal is kept apart.
        mu_dim: Components of mu.
        position_dim: Components of x.
        kernel: ``inverse`` or ``product``.
        exponent: Of the distance; below 2 the product kernel is not smooth where points meet.
        softening: Of the inverse kernel, fixed.
        restarts: How many random starts.
        steps: At most so many steps from each start.
        seed: Of the random starts.

    Raises:
        ValueError: The matrix is not symmetric or not finite, or a number is out of range.
    """
    if restarts < 0 or steps < 1:
        raise ValueError(f"restarts >= 0 and steps >= 1 are needed, got {restarts} and {steps}")
    w = read_matrix(weights)
    diagonal = np.diagonal(w).copy()
    if w.shape[0] == w.shape[1]:
        w = w - np.diag(diagonal)
    w, chosen = read_symmetric(w, kernel), Kernel(kernel, float(exponent), float(softening))
    reasons = list_obstructions(w, mu_dim, position_dim, chosen)
    n, norm = len(w), float(np.linalg.norm(w))
    best = (np.zeros((n, mu_dim)), spread_positions(n, position_dim))
    residuals: list[float] = []
    if norm:
        scale = float(np.abs(w).max())
        for start in _list_starts(w / scale, mu_dim, position_dim, chosen, restarts, seed):
            mu, x, residual = _descend(w / scale, *start, chosen, steps)
            if not residuals or residual < min(residuals):
                best = (mu * scale**0.5, x)
            residuals.append(residual)
            if residual < EXACT:
                break
    return CoulombFit(
        *best,
        diagonal,
        chosen,
        min(residuals, default=0.0),
        tuple(residuals),
        tuple(reason.text for reason in reasons),
        max((reason.residual for reason in reasons), default=0.0),
        coulomb_dimension(max(n, 1), mu_dim, position_dim, softened=softening > 0),
        n * (n - 1) // 2,
    )


def _list_starts(
    w: Array, d: int, p: int, kernel: Kernel, restarts: int, seed: int
) -> Iterator[tuple[Array, Array]]:
    if d == 1 and not kernel.softening and (w + np.eye(len(w))).all():
        yield _project_light_cone(w, p, kernel)
    yield _truncate(w, d, p, kernel)
    spread = 1.0 if kernel.name == "inverse" else 0.7
    for restart in range(restarts):
        rng = np.random.default_rng([seed, restart])
        mu = rng.standard_normal((len(w), d)) / d**0.25
        yield mu, spread * rng.standard_normal((len(w), p))


def _truncate(w: Array, d: int, p: int, kernel: Kernel) -> tuple[Array, Array]:
    """Keep the leading eigenvectors of the inner products at spread positions."""
    x = spread_positions(len(w), p)
    squares = square_distances(x)
    np.fill_diagonal(squares, 1.0)
    target = w / kernel.weigh(squares)
    mu = np.zeros((len(w), d))
    for _ in range(AXIS_STEPS):  # the diagonal is free: give it what the factor has there
        np.fill_diagonal(target, (mu**2).sum(1))
        values, vectors = np.linalg.eigh(target)
        own = np.maximum(values[-d:], 0.0)
        mu[:, : len(own)] = vectors[:, -d:] * own**0.5
    # Zero charges do not move each other.
    slight = 1e-3 * np.sin(np.arange(1.0, mu.size + 1)).reshape(mu.shape)
    return mu + slight * float(np.abs(mu).max(initial=0.0) or 1.0), x


def _project_light_cone(w: Array, p: int, kernel: Kernel) -> tuple[Array, Array]:
    """Solve d = 1 where it can be solved: distances up to scaling are points of a sphere."""
    n = len(w)
    values, vectors = np.linalg.eigh(find_squares(w, kernel))
    head = np.maximum(np.abs(vectors[:, -1]) * max(values[-1], 1e-30) ** 0.5, 1e-30)
    tail = np.zeros((n, p + 1))
    kept = min(n, p + 1)
    tail[:, :kept] = vectors[:, :kept] * np.maximum(-values[:kept], 0.0) ** 0.5
    sphere = tail / head[:, None]
    sphere /= np.maximum(np.linalg.norm(sphere, axis=1, keepdims=True), 1e-30)
    poles = np.concatenate([np.eye(p + 1), -np.eye(p + 1), -sphere])
    pole = poles[square_distances(poles, sphere).min(1).argmax()]
    # Seen from the pole, |s - t|^2 is |x - y|^2 times a factor for each of the two points.
    factors = np.maximum(1 - sphere @ pole, 1e-30)
    basis = np.linalg.svd(pole[None])[2][1:]
    x = sphere @ basis.T / factors[:, None]
    power = -kernel.exponent / 2 if kernel.name == "inverse" else kernel.exponent / 2
    signs = np.sign(w[0])
    signs[0] = 1.0
    return (signs * (head * factors / 2**0.5) ** power)[:, None], np.asarray(x)


def _descend(
    w: Array, mu: Array, x: Array, kernel: Kernel, steps: int
) -> tuple[Array, Array, float]:
    """Take damped Gauss-Newton steps until the residual no longer falls."""
    n, d = mu.shape
    norm = float(np.linalg.norm(w))
    rest = weigh_pairs(kernel, mu, x) - w
    cost, damping = float(np.linalg.norm(rest)), DAMPING
    for _ in range(steps):
        normal, slope = _form_equations(mu, x, rest, kernel)
        size = float(np.trace(normal)) / len(slope)
        if not size or not np.isfinite(size) or cost < 1e-3 * EXACT * norm:
            break
        for _ in range(TRIALS):
            lifted = normal + (damping * size) * np.eye(len(slope))
            try:
                step = -np.linalg.solve(lifted, slope).reshape(n, -1)
            except np.linalg.LinAlgError:
                damping *= 4
                continue
            moved = mu + step[:, :d], x + step[:, d:]
            with np.errstate(all="ignore"):
                left = weigh_pairs(kernel, *moved) - w
                new = float(np.linalg.norm(left))
            if np.isfinite(new) and new < cost:
                break
            damping *= 4
        else:
            break
        damping = max(damping / 4, LEAST_DAMPING)
        mu, x = moved
        rest, cost = left, new
    return mu, x, cost / norm


def _form_equations(mu: Array, x: Array, rest: Array, kernel: Kernel) -> tuple[Array, Array]:
    """Form the normal equations without the Jacobian, neuron by neuron.

    With ``T[i, j]`` the derivative of w_ij by (mu_i, x_i): the blocks of ``J^T J`` are
    ``sum_j T[i, j] T[i, j]^T`` on the diagonal and ``T[i, j] T[j, i]^T`` off it.
    """
    n, d = mu.shape
    squares = square_distances(x)
    np.fill_diagonal(squares, 1.0)
    weigh, bend = kernel.weigh(squares), kernel.differentiate(squares)
    np.fill_diagonal(weigh, 0.0)
    np.fill_diagonal(bend, 0.0)
    pull = 2 * (mu @ mu.T) * bend
    table = np.empty((n, n, d + x.shape[1]))
    table[:, :, :d] = weigh[:, :, None] * mu[None]
    table[:, :, d:] = pull[:, :, None] * (x[:, None] - x[None])
    blocks = table[:, :, :, None] * table.transpose(1, 0, 2)[:, :, None, :]
    diagonal = table.transpose(0, 2, 1) @ table
    blocks[np.arange(n), np.arange(n)] = diagonal
    width = table.shape[2]
    normal = blocks.transpose(0, 2, 1, 3).reshape(n * width, n * width)
    slope = (rest[:, :, None] * table).sum(1).ravel()
    return normal, slope
