"""Solve linear equations between coefficients: the kernel of one generator, restricted by the next.

The signed generators leave one unknown per coefficient. Every other generator and every further
constraint of the spec is a system of exact linear equations on the slots, hence on the
coefficients. They are imposed one after the other: the kernel of the first is restricted to that
of the second, and so on, so that no system is ever larger than what is still free.

A right-hand side is carried by one more unknown, numbered first, that stands for 1: the solutions
are then the kernel of a homogeneous system. The reduced echelon form of that kernel has at most
one column in which the unknown is not zero, and that column is the fixed part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from eqcompile.errors import Refusal
from eqcompile.exact.matrices import Matrix, stack_columns
from eqcompile.exact.nullspace import find_kernel, list_pivots, reduce_columns
from eqcompile.exact.signed import IntArray, freeze
from eqcompile.solve.ansatz import Ansatz, Rows
from eqcompile.solve.basis import Basis
from eqcompile.solve.constraints import Constraints
from eqcompile.solve.tying import OutputOrbit, Tying


@dataclass(frozen=True, slots=True)
class Space:
    """The coefficients that some equations leave, as a space of columns.

    Attributes:
        columns: Shape ``(1 + coefficients, solutions)`` where there is a right-hand side, its
            first row standing for 1; else ``(coefficients, solutions)``.
        redundant: Causes of the constraints that said nothing new.
    """

    columns: Matrix
    redundant: tuple[str, ...]


def impose(tying: Tying, constraints: Constraints) -> Tying:
    """Impose on a tying of the signed generators everything else that is demanded.

    Args:
        tying: The classes under the signed generators alone.
        constraints: Where the equations come from.

    Returns:
        The tying with its basis. Coefficients that are zero in every solution are dropped.

    Raises:
        Refusal: ``inconsistent-constraints``, naming the first that cannot be met.
    """
    affine = any(rows.right is not None for rows in constraints.ansatz.relations)
    space = restrict(tying, constraints, affine=affine)
    basis = _read_basis(reduce_columns(space.columns), affine=affine)
    return _drop_zeros(replace(tying, redundant=space.redundant), basis)


def restrict(tying: Tying, constraints: Constraints, *, affine: bool) -> Space:
    """Find the kernel of all equations, one system at a time."""
    spread = spread_coefficients(tying)
    columns: Matrix | None = None
    redundant = []
    for rows in constraints.rows():
        system = _apply(rows, spread, affine=affine)
        image = system if columns is None else system @ columns
        if image.is_zero:
            redundant.append(rows.cause)
            continue
        kernel = find_kernel(image)
        columns = kernel if columns is None else columns @ kernel
        if affine and not len(columns.take_rows([0]).rows):
            text = f"{rows.cause} contradicts what is demanded before it"
            raise Refusal(
                "inconsistent-constraints",
                text,
                "leave it out, or change its right-hand side",
                rows.at,
            )
    causes = {rows.cause for rows in constraints.ansatz.relations}
    whole = Matrix.identity(tying.coefficients + affine) if columns is None else columns
    return Space(whole, tuple(cause for cause in redundant if cause in causes))


def spread_coefficients(tying: Tying) -> Matrix:
    """Return the matrix from coefficients to slots, one entry of +-1 per slot that is not zero."""
    labels, signs = (array.ravel() for array in tying.table())
    kept = np.flatnonzero(labels >= 0)
    return Matrix.from_arrays(
        kept, labels[kept], signs[kept], len(labels), max(tying.coefficients, 0)
    )


def _apply(rows: Rows, spread: Matrix, *, affine: bool) -> Matrix:
    """Return the equations on the coefficients, the right-hand side first where there is one."""
    matrix = rows.matrix @ spread
    if not affine:
        return matrix
    right = Matrix.zero(matrix.height, 1) if rows.right is None else -rows.right
    return stack_columns([right, matrix])


def _read_basis(columns: Matrix, *, affine: bool) -> Basis:
    """Split a reduced basis into its directions and its fixed part."""
    pivots = list_pivots(columns)
    if not affine:
        return Basis(columns, pivots)
    inner = np.arange(1, columns.height)
    fixed = columns.take_columns(np.flatnonzero(pivots == 0))
    (_, _, one), *_ = fixed.take_rows([0]).entries()
    offset = fixed.take_rows(inner).scale(one.inverse())
    directions = columns.take_columns(np.flatnonzero(pivots > 0)).take_rows(inner)
    return Basis(directions, pivots[pivots > 0] - 1, None if offset.is_zero else offset)


def _drop_zeros(tying: Tying, basis: Basis) -> Tying:
    """Leave out the coefficients that are zero in every solution, and a basis that says nothing."""
    alive = np.zeros(tying.coefficients, dtype=bool)
    alive[basis.matrix.rows] = True
    if basis.offset is not None:
        alive[basis.offset.rows] = True
    kept = np.flatnonzero(alive)
    number = np.full(tying.coefficients + 1, -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    orbits = tuple(_renumber(orbit, number) for orbit in tying.orbits)
    if basis.offset is None and basis.matrix.width == len(kept):
        return replace(tying, orbits=orbits)
    squares = tuple(_list_squares(tying.ansatz, tying.representatives[kept]))
    reduced = Basis(
        basis.matrix.take_rows(kept),
        freeze(number[basis.free]),
        None if basis.offset is None else basis.offset.take_rows(kept),
        squares if any(square != 1 for square in squares) else (),
    )
    return replace(tying, orbits=orbits, basis=reduced)


def _renumber(orbit: OutputOrbit, number: IntArray) -> OutputOrbit:
    """Give the labels of an orbit their new numbers; -1 stays, being the last entry's."""
    labels = number[orbit.labels]
    return replace(orbit, labels=labels, signs=np.where(labels >= 0, orbit.signs, 0))


def _list_squares(ansatz: Ansatz, representatives: IntArray) -> Iterator[Fraction]:
    """Walk the squares of the units of some coefficients, by their least slots.

    With ``x_i = sqrt(s_i) x'_i`` a term ``w' x'_i x'_j`` of ``y'_k`` is the term
    ``sqrt(s_k / (s_i s_j)) w' x_i x_j`` of ``y_k``.
    """
    actions = (ansatz.output, *ansatz.inputs)
    if not any(action.squares for action in actions):
        yield from (Fraction(1) for _ in representatives)
        return
    output, *inputs = ([*a.squares] or [Fraction(1)] * a.dim for a in actions)
    columns = ansatz.space.columns()
    factors = [f for f, degree in enumerate(ansatz.shape) for _ in range(degree)]
    for k, a in representatives.tolist():
        square = output[k]
        for f, i in zip(factors, columns[a].tolist(), strict=True):
            square /= inputs[f][i]
        yield square
