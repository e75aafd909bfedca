"""How the coefficients of a tying depend on each other: an exact basis of the solution space."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import IntArray, freeze


@dataclass(frozen=True)
class Basis:
    """The solutions ``w_c = sqrt(squares[c]) (matrix u + offset)_c`` for all real u.

    The matrix is in reduced column echelon form, columns integral and primitive, so it depends on
    the space alone: class j is the solution in which, of all free coefficients, only
    ``free[j]`` is not zero.

    Attributes:
        matrix: Shape ``(coefficients, classes)``.
        free: Shape ``(classes,)``, increasing: the least coefficient of each class.
        offset: Shape ``(coefficients, 1)``, zero at the free coefficients; None where it is zero.
        squares: Per coefficient the square of its unit; empty where all are 1. Irreducible
            representations of SO(3) are rational up to such units.
    """

    matrix: Matrix
    free: IntArray
    offset: Matrix | None = None
    squares: tuple[Fraction, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "free", freeze(self.free))
        if self.matrix.width != len(self.free):
            raise ValueError("a basis has one free coefficient per class")

    @property
    def classes(self) -> int:
        """Dimension of the space of directions."""
        return self.matrix.width

    @cached_property
    def dependent(self) -> IntArray:
        """The coefficients that are not plus or minus one free coefficient, increasing."""
        matrix = self.matrix
        found = np.bincount(matrix.rows, minlength=matrix.height) != 1
        if self.offset is not None:
            found[self.offset.rows] = True
        units = self.squares or (Fraction(1),) * matrix.height
        leads = {j: value for i, j, value in matrix.entries() if i == self.free[j]}
        for i, j, value in matrix.entries():
            same = value in (leads[j], -leads[j]) and units[i] == units[self.free[j]]
            found[i] |= not same
        return freeze(np.flatnonzero(found))
