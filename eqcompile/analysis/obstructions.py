"""Why a symmetric matrix cannot have few charges and positions: conditions that prove it.

Each condition is necessary for ``w_ij = <mu_i, mu_j> k(|x_i - x_j|^2)`` off the diagonal, with d
components of mu and p of x, whatever those are:

- product kernel: ``z^T W z <= 0`` wherever ``sum_i mu_i z_i = 0``, since the matrix of squared
  distances is negative there. So W has at most d positive eigenvalues, and at most d(p+1)
  negative ones, for its rank is at most d(p+2). (Exponent 2.)
- signs: flipping charges flips rows and columns of W. If after flips all entries between some
  neurons are negative, their charges have obtuse angles, and R^d holds at most d + 1 such.
  Turan's theorem then counts how many entries must have the wrong sign.
- d = 1: after flips W > 0, and ``v_ij = |w_ij|^(-2/e)`` (product: ``|w_ij|^(2/e)``), with zeros
  on the diagonal, is a matrix of squared distances up to scaling rows and columns: one positive
  eigenvalue and at most p + 1 negative ones (Schoenberg; inertia does not change under scaling).
  This is also sufficient: such a matrix is the Gram matrix of n points of the light cone of
  R^(1, p+1), whose rays are points of a p-sphere. On four neurons it is Ptolemy's inequality.

An empty answer proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eqcompile.analysis.kernels import Array, Kernel, KernelName
from eqcompile.analysis.representation import read_matrix, read_symmetric

INERTIA = 1e-9
"""Eigenvalues below this share of the largest one do not count."""

SEARCH_STEPS = 20000
"""Steps of the search for neurons that repel each other; after them it gives up."""


@dataclass(frozen=True, slots=True)
class Obstruction:
    """One reason why no fit is exact.

    Attributes:
        text: The reason, in words.
        residual: Every fit has at least this residual, as a share of the norm of the matrix off
            its diagonal; 0 where the reason gives no figure.
    """

    text: str
    residual: float = 0.0


def check_fit(
    weights: npt.ArrayLike,
    mu_dim: int,
    position_dim: int,
    kernel: KernelName = "inverse",
    *,
    exponent: float = 2.0,
) -> tuple[str, ...]:
    """List, in words, what proves that a symmetric matrix is not of these dimensions.

    Args:
        weights: Shape ``(n, n)``; the diagonal plays no part.
        mu_dim: Components of mu.
        position_dim: Components of x.
        kernel: ``inverse`` (without softening) or ``product``.
        exponent: Of the distance.

    Raises:
        ValueError: The matrix is not symmetric or not finite, or a dimension is below 1.
    """
    w = np.asarray(read_matrix(weights))
    if w.shape[0] == w.shape[1]:
        w = w - np.diag(np.diagonal(w))
    w = read_symmetric(w, kernel)
    found = list_obstructions(w, mu_dim, position_dim, Kernel(kernel, exponent))
    return tuple(reason.text for reason in found)


def list_obstructions(w: Array, d: int, p: int, kernel: Kernel) -> tuple[Obstruction, ...]:
    """List the reasons, with what they say of the residual of a fit.

    Args:
        w: Symmetric, zeros on the diagonal.
        d: Components of mu.
        p: Components of x.
        kernel: The kernel.

    Raises:
        ValueError: A dimension is below 1.
    """
    if min(d, p) < 1:
        raise ValueError(f"charges and positions have at least one component, got {d} and {p}")
    if not w.any():
        return ()
    reasons = [_bound_inertia(w, d, p, kernel), _bound_signs(w, d)]
    if d == 1 and not kernel.softening:
        reasons.append(_bound_distances(w, p, kernel))
    return tuple(reason for reason in reasons if reason is not None)


def _bound_inertia(w: Array, d: int, p: int, kernel: Kernel) -> Obstruction | None:
    if kernel.name != "product" or kernel.exponent != 2:
        return None
    values = np.linalg.eigvalsh(w)
    least = INERTIA * float(np.abs(values).max())
    plus, minus = int((values > least).sum()), int((values < -least).sum())
    if plus <= d and minus <= d * (p + 1):
        return None
    # Hoffman and Wielandt: moving eigenvalues to zero costs at least their squares.
    lost = np.concatenate([np.sort(values)[::-1][d:], -np.sort(values)[d * (p + 1) :]])
    residual = float((np.maximum(lost, 0) ** 2).sum() ** 0.5 / np.linalg.norm(w))
    return Obstruction(
        f"inertia: the matrix has {plus} positive and {minus} negative eigenvalues; "
        f"distance-product weights with {d} and {p} components have at most {d} and {d * (p + 1)}",
        residual,
    )


def _bound_signs(w: Array, d: int) -> Obstruction | None:
    n = len(w)
    if d >= n - 1:
        return None
    edges = _count_turan(n, d + 1)
    best: tuple[float, int] = (0.0, 0)
    clique: tuple[int, ...] = ()
    norm = float(np.linalg.norm(w))
    steps = SEARCH_STEPS
    for root in range(n):
        flips = np.where(w[root] > 0, -1.0, 1.0)
        flips[root] = 1.0
        flipped = w * np.outer(flips, flips)
        negative = np.sort(flipped[np.triu_indices(n, 1)])
        negative = negative[negative < 0]
        wrong = len(negative) - edges
        if wrong > 0:
            # At least this many negative entries turn nonnegative, the smallest at best.
            residual = float((2 * (negative[-wrong:] ** 2).sum()) ** 0.5 / norm)
            best = max(best, (residual, wrong))
        if not clique and steps > 0:
            clique, used = _find_clique(flipped < 0, root, d + 2, steps)
            steps -= used
    if not best[1] and not clique:
        return None
    return Obstruction(_spell_signs(w, d, clique, best[1]), max(best[0], _bound_clique(w, clique)))


def _spell_signs(w: Array, d: int, clique: tuple[int, ...], wrong: int) -> str:
    text = f"signs: at most {d + 1} charges in R^{d} repel each other pairwise, "
    if clique:
        shown = ", ".join(map(str, clique[:8])) + (", ..." if len(clique) > 8 else "")
        text += f"but neurons {shown} all do (up to the signs of charges)"
    else:
        text += "but more entries are negative than that allows (up to the signs of charges)"
    if wrong:
        text += f"; by Turan's theorem at least {wrong} of the entries get the wrong sign"
    return text


def _bound_clique(w: Array, clique: tuple[int, ...]) -> float:
    if not clique:
        return 0.0
    part = np.abs(w[np.ix_(clique, clique)])[np.triu_indices(len(clique), 1)]
    return float(2**0.5 * part.min() / np.linalg.norm(w))


def _count_turan(n: int, parts: int) -> int:
    """Return the most edges that a graph on n vertices without a clique of parts + 1 can have."""
    small, larger = divmod(n, parts)
    within = larger * small * (small + 1) // 2 + (parts - larger) * small * (small - 1) // 2
    return n * (n - 1) // 2 - within


def _find_clique(
    adjacent: npt.NDArray[np.bool_], root: int, size: int, steps: int
) -> tuple[tuple[int, ...], int]:
    """Look for a clique of a size that contains a vertex; give up after some steps."""
    masks = [sum(1 << int(j) for j in np.flatnonzero(row)) for row in adjacent]
    # A stack entry: the vertices chosen, and a bit for each that may still join.
    start: tuple[int, ...] = (root,)
    stack = [(start, masks[root] & ~(1 << root))]
    used = 0
    while stack and used < steps:
        used += 1
        chosen, allowed = stack.pop()
        if len(chosen) == size:
            return tuple(sorted(chosen)), used
        if len(chosen) + allowed.bit_count() < size:
            continue
        rest = [j for j in range(len(masks)) if allowed >> j & 1]
        rest.sort(key=lambda j: ((masks[j] & allowed).bit_count(), -j))
        left = 0
        for j in rest:  # the last one pushed is tried first: that with most neighbours
            stack.append(((*chosen, j), masks[j] & left))
            left |= 1 << j
    return (), used


def _bound_distances(w: Array, p: int, kernel: Kernel) -> Obstruction | None:
    """Check d = 1 by the inertia of the matrix that would be distances, up to scaling."""
    off = ~np.eye(len(w), dtype=bool)
    if kernel.name == "inverse":
        charged = w.any(1)  # a neuron without weights has no charge, and no say
        w, off = w[np.ix_(charged, charged)], off[np.ix_(charged, charged)]
        zero = np.argwhere((w == 0) & off)
        if len(zero):
            i, j = np.flatnonzero(charged)[zero[0]].tolist()
            return Obstruction(
                f"zeros: w[{i}, {j}] = 0 makes one of the two charges zero when they have one "
                "component, but both neurons have other weights"
            )
    values = np.linalg.eigvalsh(find_squares(w, kernel))
    least = INERTIA * float(np.abs(values).max())
    plus, minus = int((values > least).sum()), int((values < -least).sum())
    if plus <= 1 and minus <= p + 1:
        return None
    return Obstruction(
        f"distances: with one component of mu the powers of |w| are squared distances up to "
        f"scaling, with 1 positive and in R^{p} at most {p + 1} negative eigenvalues "
        f"(Schoenberg; Ptolemy's inequality on four neurons); they have {plus} and {minus}"
    )


def find_squares(w: Array, kernel: Kernel) -> Array:
    """Return what is the squared distances, up to scaling of neurons, where mu has 1 component."""
    power = -2 / kernel.exponent if kernel.name == "inverse" else 2 / kernel.exponent
    squares = np.abs(w) + np.eye(len(w))
    squares = squares**power
    np.fill_diagonal(squares, 0.0)
    return np.asarray(squares)
