"""Exact matrices as a spec writes them: by rows, or sparse by entries."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated

import numpy as np
from pydantic import Field, Strict

from eqcompile.actions.group import Arguments
from eqcompile.actions.sizes import MAX_POINTS, check_extent, spell_quantity
from eqcompile.errors import PathPart, Refusal, Refusals
from eqcompile.exact.fields import Scalar
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.nullspace import find_kernel
from eqcompile.exact.scalars import parse_scalar
from eqcompile.reading import spell_value

_SMALL = 200

WrittenScalar = int | str
Rows = Annotated[
    tuple[Annotated[tuple[WrittenScalar, ...], Strict(False), Field(min_length=1)], ...],
    Strict(False),
    Field(min_length=1),
]


class SparseMatrix(Arguments):
    """A matrix by its entries ``[i, j, value]``; what is left out is 0."""

    n: int = Field(ge=1, le=MAX_POINTS, description="number of rows and columns")
    entries: Annotated[
        tuple[
            Annotated[tuple[WrittenScalar, ...], Strict(False), Field(min_length=3, max_length=3)],
            ...,
        ],
        Strict(False),
    ] = Field(description="[row, column, value], from 0")


WrittenMatrix = Rows | SparseMatrix


def read_matrices(
    values: Sequence[WrittenMatrix],
    n: int | None,
    at: tuple[PathPart, ...],
    *,
    invertible: bool,
) -> tuple[Matrix, ...]:
    """Read square matrices, all of one size.

    Args:
        values: What is written.
        n: Their size; None takes that of the first.
        at: Where the list stands.
        invertible: Whether singular ones are refused.

    Raises:
        Refusals: Everything that is wrong with any of them.
    """
    if not values:
        return ()
    size = _measure(values[0]) if n is None else n
    check_extent(size, len(values), at)
    read: list[Matrix] = []
    found: list[Refusal] = []
    for i, value in enumerate(values):
        try:
            matrix = _read_matrix(value, size)
            if invertible and is_singular(matrix):
                text = "this matrix is singular, and generators are invertible"
                found.append(Refusal("singular", text, "check its entries", (*at, i)))
            read.append(matrix)
        except Refusals as refusals:
            found += [refusal.move((*at, i)) for refusal in refusals.refusals]
        except Refusal as refusal:
            found.append(refusal.move((*at, i)))
    if found:
        raise Refusals(tuple(found))
    return tuple(read)


def is_singular(matrix: Matrix) -> bool:
    """Whether a square matrix has no inverse, decided exactly."""
    if matrix.as_signed() is not None or _has_determinant(matrix):
        return False
    return find_kernel(matrix).width > 0


def _has_determinant(matrix: Matrix) -> bool:
    """Whether the determinant of a small matrix is not 0 modulo a prime, so that it is not 0."""
    from flint import nmod_mat

    p = matrix.field.prime()
    if matrix.height > _SMALL or matrix.denominator % p == 0:
        return False
    dense = np.zeros(matrix.shape, dtype=np.int64)
    dense[matrix.rows, matrix.columns] = matrix.reduce(p, matrix.field.roots(p)[0])
    return int(nmod_mat(dense.tolist(), p).det()) != 0


def _measure(value: WrittenMatrix) -> int:
    return value.n if isinstance(value, SparseMatrix) else len(value)


def _read_matrix(value: WrittenMatrix, n: int) -> Matrix:
    if _measure(value) != n:
        text = f"a matrix with {spell_quantity(_measure(value), 'row')}, the first one here has {n}"
        raise Refusal("size-mismatch", text, f"give {n} x {n} matrices")
    if isinstance(value, SparseMatrix):
        return _read_sparse(value)
    entries: list[tuple[int, int, Scalar]] = []
    found: list[Refusal] = []
    for i, row in enumerate(value):
        if len(row) != n:
            text = f"a row of {len(row)} entries in a matrix with {n} rows"
            found.append(Refusal("not-square", text, f"write {n} entries", (i,)))
            continue
        for j, written in enumerate(row):
            if written != 0:
                _read_entry(written, (i, j), entries, (i, j), found)
    return _finish(n, entries, found)


def _read_sparse(value: SparseMatrix) -> Matrix:
    entries: list[tuple[int, int, Scalar]] = []
    found: list[Refusal] = []
    seen: set[tuple[int, int]] = set()
    for k, (row, column, written) in enumerate(value.entries):
        places: list[int] = []
        for part, index in enumerate((row, column)):
            if isinstance(index, int) and 0 <= index < value.n:
                places.append(index)
                continue
            text = f"expected a row or column from 0 to {value.n - 1}, found {spell_value(index)}"
            help = "write [row, column, value]"
            found.append(Refusal("matrix-entry", text, help, ("entries", k, part)))
        if len(places) < 2:
            continue
        place = places[0], places[1]
        if place in seen:
            text = f"the entry at row {place[0]}, column {place[1]} comes twice"
            found.append(Refusal("matrix-entry", text, "list each place once", ("entries", k)))
        seen.add(place)
        _read_entry(written, place, entries, ("entries", k, 2), found)
    return _finish(value.n, entries, found)


def _read_entry(
    written: WrittenScalar,
    place: tuple[int, int],
    entries: list[tuple[int, int, Scalar]],
    at: tuple[PathPart, ...],
    found: list[Refusal],
) -> None:
    try:
        entries.append((*place, _parse(written)))
    except Refusal as refusal:
        found.append(refusal.move(at))


@lru_cache(maxsize=4096)
def _parse(written: WrittenScalar) -> Scalar:
    return parse_scalar(written)


def _finish(n: int, entries: list[tuple[int, int, Scalar]], found: list[Refusal]) -> Matrix:
    if found:
        raise Refusals(tuple(found))
    return Matrix.from_entries(n, n, entries)
