"""Coulomb matrices of molecules, and how they are Coulomb weights.

``C_ij = Z_i Z_j / |R_i - R_j|`` and ``C_ii = 0.5 Z_i^2.4`` (Rupp, Tkatchenko, Mueller and von
Lilienfeld 2012). As the weights of a Coulomb layer: one component of mu, ``mu_i = Z_i``, the
diagonal ``chemistry``, and either exponent 1 at the positions R, or the exponent 2 at positions
whose squared distances are the distances of the atoms (`find_square_law_positions`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from eqcompile.analysis.kernels import Array, square_distances

Kind = Literal["raw", "sorted", "eigenspectrum", "random"]

BOHR = 0.529177210544
"""In angstrom (CODATA 2022)."""

UNITS = {"angstrom": 1.0, "bohr": BOHR}

TIE = 1e-11
"""Rows whose norms differ by less than this share of the largest entry are equal."""


@dataclass(frozen=True)
class CoulombMatrix:
    """Turns a molecule into its Coulomb matrix, padded with zeros to a fixed size.

    Kinds: ``raw`` in the order of the atoms; ``sorted`` by falling norm of the rows, ties by
    what the rows have in common with those placed before; ``eigenspectrum``, the eigenvalues by
    falling absolute value; ``random``, sorted by norms with noise, to enlarge a training set.
    All but ``raw`` do not depend on the order of the atoms, none on rotations and translations.
    The same arguments give the same answer.

    Attributes:
        max_atoms: The largest molecule; larger ones are refused.
        kind: What comes out.
        sigma: Standard deviation of the noise of ``random``, in units of the norms.
        seed: Of the noise.
        unit: What distances are measured in before they divide, ``angstrom`` or ``bohr``.
            Coordinates are given in angstrom in any case. The entries in angstrom are those of
            DScribe (carbon and oxygen of methanol: 33.7); in bohr they are hartree, as the
            diagonal is, which is a fit to the energies of free atoms (there: 17.9).

    Raises:
        ValueError: An attribute is out of range.
    """

    max_atoms: int
    kind: Kind = "sorted"
    sigma: float | None = None
    seed: int = 0
    unit: Literal["angstrom", "bohr"] = "angstrom"

    def __post_init__(self) -> None:
        if self.max_atoms < 1:
            raise ValueError(f"max_atoms is at least 1, got {self.max_atoms}")
        if self.kind not in {"raw", "sorted", "eigenspectrum", "random"}:
            raise ValueError(f"kind is raw, sorted, eigenspectrum or random, got {self.kind!r}")
        if self.unit not in UNITS:
            raise ValueError(f"unit is angstrom or bohr, got {self.unit!r}")
        if self.kind == "random" and (self.sigma is None or not self.sigma > 0):
            raise ValueError("kind 'random' needs sigma > 0, the spread of the noise")
        if self.kind != "random" and self.sigma is not None:
            raise ValueError(f"sigma belongs to kind 'random', not to {self.kind!r}")

    def __call__(self, numbers: npt.ArrayLike, positions: npt.ArrayLike, draw: int = 0) -> Array:
        """Return the features of one molecule.

        Args:
            numbers: Atomic numbers, shape ``(atoms,)``.
            positions: Coordinates in angstrom, shape ``(atoms, 3)``.
            draw: For ``random``: which of the random orders.

        Returns:
            Shape ``(max_atoms, max_atoms)``, or ``(max_atoms,)`` for ``eigenspectrum``.

        Raises:
            ValueError: Shapes do not fit, atoms coincide, or there are more than ``max_atoms``.
        """
        matrix = self._form_matrix(numbers, positions)
        if self.kind == "eigenspectrum":
            values = np.linalg.eigvalsh(matrix)
            values = values[np.lexsort((-values, -np.abs(values)))]
            return np.pad(values, (0, self.max_atoms - len(values)))
        if self.kind != "raw":
            order = _sort_rows(matrix)
            matrix = matrix[np.ix_(order, order)]
        if self.kind == "random":
            noise = np.random.default_rng([self.seed, draw]).standard_normal(self.max_atoms)
            norms = np.linalg.norm(matrix, axis=1) + float(self.sigma or 0) * noise[: len(matrix)]
            order = np.argsort(-norms, kind="stable").tolist()
            matrix = matrix[np.ix_(order, order)]
        return np.pad(matrix, (0, self.max_atoms - len(matrix)))

    def _form_matrix(self, numbers: npt.ArrayLike, positions: npt.ArrayLike) -> Array:
        z, r = np.asarray(numbers, dtype=np.float64), np.asarray(positions, dtype=np.float64)
        if z.ndim != 1 or r.ndim != 2 or len(r) != len(z) or not len(z):
            raise ValueError(
                f"a molecule is (atoms,) numbers and (atoms, 3) positions, got {z.shape} and "
                f"{r.shape}"
            )
        if len(z) > self.max_atoms:
            raise ValueError(f"{len(z)} atoms, but max_atoms is {self.max_atoms}; raise it")
        if not (np.isfinite(z).all() and np.isfinite(r).all() and (z > 0).all()):
            raise ValueError("atomic numbers are positive and positions finite")
        distances = square_distances(r) ** 0.5 / UNITS[self.unit]
        np.fill_diagonal(distances, 1.0)
        if not distances.all():
            i, j = (int(k) for k in np.argwhere(distances == 0)[0])
            raise ValueError(f"atoms {i} and {j} stand at one place")
        matrix = np.outer(z, z) / distances
        np.fill_diagonal(matrix, 0.5 * z**2.4)
        return np.asarray(matrix)


def find_square_law_positions(positions: npt.ArrayLike) -> Array:
    """Return points whose squared distances are the distances of given points.

    They exist for any points (Schoenberg 1938), and are found by classical scaling. With them
    the Coulomb matrix of a molecule has the square law of the Coulomb layer:
    ``Z_i Z_j / |R_i - R_j| = Z_i Z_j / |x_i - x_j|^2``.

    Args:
        positions: Shape ``(n, 3)``, or of any dimension.

    Returns:
        Shape ``(n, p)``, with ``p <= n - 1``.

    Raises:
        ValueError: Positions are not a matrix of finite numbers.
    """
    r = np.asarray(positions, dtype=np.float64)
    if r.ndim != 2 or not np.isfinite(r).all():
        raise ValueError(f"positions are rows of finite numbers, got shape {r.shape}")
    distances = square_distances(r) ** 0.5
    centred = distances - distances.mean(0, keepdims=True)
    centred -= centred.mean(1, keepdims=True)
    values, vectors = np.linalg.eigh(-centred / 2)
    kept = values > len(r) * np.finfo(np.float64).eps * np.abs(values).max(initial=0.0)
    return np.asarray(vectors[:, kept] * values[kept] ** 0.5)


def _sort_rows(matrix: Array) -> list[int]:
    """Order rows by falling norm, so that it depends on the atoms and not on their order.

    Rows of equal norm are placed by their entries in the rows placed so far. Atoms alike in all
    of that are exchanged by a symmetry of the molecule, but for rare coincidences.
    """
    norms = np.linalg.norm(matrix, axis=1)
    tie = TIE * float(np.abs(matrix).max())
    left, order = list(range(len(matrix))), list[int]()
    while left:
        tied = left
        for key in (norms, *(matrix[placed] for placed in order)):
            most = max(float(key[i]) for i in tied)
            tied = [i for i in tied if key[i] >= most - tie]
            if len(tied) == 1:
                break
        order.append(tied[0])
        left.remove(tied[0])
    return order
