"""Exact kernels and canonical bases of sparse matrices.

A matrix falls into the connected components of the bipartite graph of its entries; each is
eliminated as a dense block, equal ones once. What elimination modulo primes suggests is checked
exactly. The vectors of a kernel are independent by their pivots, the matrix sends them to 0, and
they are as many as the kernel modulo a prime has dimensions, which are never fewer than there are
over the field: so a basis is proven when it is returned. Likewise for spans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import lcm

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from eqcompile.exact.elimination import (
    Block,
    Echelon,
    cancel_vectors,
    lift_vectors,
    list_echelons,
    solve_echelon,
)
from eqcompile.exact.fields import RATIONALS
from eqcompile.exact.integers import Integers, pack
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import IntArray, freeze

PATIENCE = 2
"""Over the rationals, p-adic lifting takes over when so many primes were not enough."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """Columns of integral elements, each primitive.

    Attributes:
        pivots: First row of each column, increasing, shape ``(count,)``.
        rows: Shape ``(entries,)``.
        columns: Shape ``(entries,)``.
        values: Shape ``(entries, degree)``.
    """

    pivots: IntArray
    rows: IntArray
    columns: IntArray
    values: Integers


@dataclass(frozen=True, slots=True)
class Components:
    """The connected components of the entries of a matrix.

    Attributes:
        blocks: One per component.
        columns: Its columns in the whole matrix.
        row_owners: Component of each row of the matrix, -1 where a row is zero.
        column_owners: Likewise of each column.
    """

    blocks: tuple[Block, ...]
    columns: tuple[IntArray, ...]
    row_owners: IntArray
    column_owners: IntArray


def list_pivots(basis: Matrix) -> IntArray:
    """Return the first row of each column that is not 0.

    Raises:
        ValueError: If a column is zero.
    """
    pivots = np.full(basis.width, basis.height, dtype=np.int64)
    np.minimum.at(pivots, basis.columns, basis.rows)
    if np.any(pivots == basis.height):
        raise ValueError("a column of the basis is zero")
    return freeze(pivots)


def find_kernel(matrix: Matrix) -> Matrix:
    """Return a basis of the vectors that a matrix sends to 0, one per column.

    The basis is canonical, as `reduce_columns` would return it.

    Args:
        matrix: Shape ``(height, width)``.

    Returns:
        Shape ``(width, width - rank)``.
    """
    parts = split_components(matrix)
    free = np.flatnonzero(parts.column_owners < 0)
    search = _Search(parts.blocks, _propose_kernel)
    while True:
        kernel = _assemble(search.found(), parts.columns, free, matrix)
        wrong = (matrix @ kernel).rows
        if not len(wrong):
            return kernel
        search.advance(parts.row_owners[wrong])


def reduce_columns(basis: Matrix) -> Matrix:
    """Return the canonical basis of the span of some columns, which may be dependent.

    Its transpose is in reduced row echelon form but for scale: the pivot of a column is its first
    row that is not 0, no other column has an entry there, and the pivots increase. Each column is
    integral and primitive, its pivot positive.

    Args:
        basis: Shape ``(height, width)``.

    Returns:
        Shape ``(height, rank)``.
    """
    if _is_canonical(basis):
        return basis
    flipped = basis.transpose()
    parts = split_components(flipped)
    search = _Search(parts.blocks, _propose_span)
    none = np.zeros(0, dtype=np.int64)
    while True:
        reduced = _assemble(search.found(), parts.columns, none, flipped)
        wrong = (basis - _project(reduced, basis)).rows
        if not len(wrong):
            return reduced
        search.advance(parts.column_owners[wrong])


def _project(reduced: Matrix, basis: Matrix) -> Matrix:
    """Return the combinations of canonical columns that agree with a basis at their pivots."""
    pivots = list_pivots(reduced)
    index = np.arange(reduced.width)
    heads = reduced.take_rows(pivots).values[:, 0]
    common = lcm(*heads.tolist())
    scale = Matrix.from_arrays(
        index, index, common // heads.astype(object), len(index), len(index), common
    )
    return reduced @ (scale @ basis.take_rows(pivots))


def _is_canonical(basis: Matrix) -> bool:
    """Whether columns are as `reduce_columns` returns them."""
    if basis.denominator != 1 or len(np.unique(basis.columns)) < basis.width:
        return False
    pivots = list_pivots(basis)
    if np.any(np.diff(pivots) <= 0):
        return False
    heads = basis.take_rows(pivots)
    if len(heads.rows) != basis.width or np.any(heads.values[:, 1:] != 0):
        return False
    order = np.argsort(basis.columns, kind="stable")
    starts = np.flatnonzero(np.diff(basis.columns[order], prepend=-1))
    commons = np.gcd.reduceat(np.gcd.reduce(basis.values, axis=1)[order], starts)
    return bool(np.all(heads.values[:, 0] > 0) and np.all(commons == 1))


def split_components(matrix: Matrix) -> Components:
    """Find the connected components of the bipartite graph of rows and columns."""
    ones = np.ones(len(matrix.rows), dtype=np.int8)
    size = matrix.height + matrix.width
    graph = sparse.coo_array((ones, (matrix.rows, matrix.height + matrix.columns)), (size, size))
    labels = connected_components(graph, directed=False)[1]
    # Number the components that have entries; the others are zero rows and columns.
    own, entry_owners = np.unique(labels[matrix.rows], return_inverse=True)
    number = np.full(size, -1, dtype=np.int64)
    number[own] = np.arange(len(own))
    owners = number[labels]
    row_owners, column_owners = owners[: matrix.height], owners[matrix.height :]
    places, heights, _ = _number_members(row_owners, len(own))
    sides, widths, members = _number_members(column_owners, len(own))
    order = np.argsort(entry_owners, kind="stable")
    ends = np.cumsum(np.bincount(entry_owners, minlength=len(own))).tolist()
    rows, columns = places[matrix.rows][order], sides[matrix.columns][order]
    values = matrix.values[order]
    blocks = []
    for start, end, height, width in zip([0, *ends], ends, heights, widths, strict=False):
        part = slice(start, end)
        blocks.append(
            Block(matrix.field, height, width, rows[part], columns[part], pack(values[part]))
        )
    return Components(tuple(blocks), members, row_owners, column_owners)


def _number_members(
    owners: IntArray, count: int
) -> tuple[IntArray, list[int], tuple[IntArray, ...]]:
    """Number the members of each component: their numbers, how many there are, and which."""
    order = np.argsort(owners, kind="stable")
    order = order[np.searchsorted(owners[order], 0) :]
    sizes = np.bincount(owners[order], minlength=count)
    starts = np.cumsum(sizes) - sizes
    numbers = np.full(len(owners), -1, dtype=np.int64)
    numbers[order] = np.arange(len(order)) - np.repeat(starts, sizes)
    members = np.split(order, starts[1:]) if count else []
    return numbers, sizes.tolist(), tuple(members)


class _Search:
    """Proposals for the blocks of a matrix, each better than the last; equal blocks share one."""

    def __init__(
        self, blocks: Sequence[Block], propose: Callable[[Block], Iterator[Vectors]]
    ) -> None:
        self.keys = [block.key() for block in blocks]
        self.proposals = {key: propose(block) for key, block in zip(self.keys, blocks, strict=True)}
        self.best = {key: next(proposals) for key, proposals in self.proposals.items()}

    def found(self) -> list[Vectors]:
        """Return the present proposal of each block."""
        return [self.best[key] for key in self.keys]

    def advance(self, wrong: IntArray) -> None:
        """Ask for better proposals for some blocks."""
        for key in {self.keys[owner]: None for owner in wrong.tolist()}:
            self.best[key] = next(self.proposals[key])


def _assemble(
    found: Sequence[Vectors], members: Sequence[IntArray], free: IntArray, source: Matrix
) -> Matrix:
    """Put the vectors of all components together, and unit vectors; in order of their pivots.

    Args:
        found: The vectors of each component.
        members: Its columns in the source.
        free: Columns of the source that get a unit vector.
        source: What the components are those of.
    """
    one = np.zeros((len(free), source.field.degree), dtype=np.int64)
    one[:, 0] = 1
    pivots, rows, columns, values = [free], [free], [np.arange(len(free))], [one]
    count = len(free)
    for vectors, index in zip(found, members, strict=True):
        pivots.append(index[vectors.pivots])
        rows.append(index[vectors.rows])
        columns.append(vectors.columns + count)
        values.append(vectors.values)
        count += len(vectors.pivots)
    place = np.empty(count, dtype=np.int64)
    place[np.argsort(np.concatenate(pivots), kind="stable")] = np.arange(count)
    places = (np.concatenate(rows), place[np.concatenate(columns)])
    whole = np.concatenate(values)
    field = source.field
    if not np.any(whole[:, 1:]):  # so that what depends on the space alone is also written alike
        field, whole = RATIONALS, whole[:, :1]
    return Matrix(field, (source.width, count), places, whole)


def _propose_kernel(block: Block) -> Iterator[Vectors]:
    """Propose kernels of a block.

    With the columns in reverse order, the vector of a free column has no entry before it.
    """
    last = block.width - 1
    turned = replace(block, columns=last - block.columns)
    for echelon, (numerators, denominators) in _lift(turned, by_pivots=False):
        yield _read_vectors(last - echelon.free, last - echelon.pivots, -numerators, denominators)


def _propose_span(block: Block) -> Iterator[Vectors]:
    """Propose canonical bases of the span of the rows of a block."""
    for echelon, (numerators, denominators) in _lift(block, by_pivots=True):
        yield _read_vectors(echelon.pivots, echelon.free, numerators, denominators)


def _lift(block: Block, *, by_pivots: bool) -> Iterator[tuple[Echelon, tuple[Integers, Integers]]]:
    """Walk the echelon forms of a block with one vector per pivot or per free column, lifted."""
    for number, echelon in enumerate(list_echelons(block)):
        if number == PATIENCE and block.field.degree == 1:
            entries, denominator = solve_echelon(block, echelon)
            table = (entries if by_pivots else entries.T)[:, :, None]
            yield echelon, cancel_vectors(table, denominator)
            continue
        table = echelon.entries if by_pivots else echelon.entries.transpose(1, 0, 2)
        lifted = lift_vectors(table, echelon.modulus)
        if lifted is not None:
            yield echelon, lifted


def _read_vectors(
    pivots: IntArray, others: IntArray, numerators: Integers, denominators: Integers
) -> Vectors:
    """Write vectors with a denominator at their pivot and numerators elsewhere as sparse columns.

    Args:
        pivots: Shape ``(vectors,)``.
        others: Shape ``(others,)``, the rows of the numerators.
        numerators: Shape ``(vectors, others, degree)``.
        denominators: Shape ``(vectors,)``.
    """
    order = np.argsort(pivots, kind="stable")
    column, place = np.nonzero(np.any(numerators[order] != 0, axis=2))
    heads = np.zeros((len(pivots), numerators.shape[2]), dtype=denominators.dtype)
    heads[:, 0] = denominators[order]
    values = np.concatenate([heads, numerators[order][column, place]])
    rows = np.concatenate([pivots[order], others[place]])
    columns = np.concatenate([np.arange(len(pivots)), column])
    return Vectors(pivots[order], rows, columns, values)
