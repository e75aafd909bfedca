"""Vectorised arithmetic on the values of exact matrices.

Values are integers of shape ``(entries, degree)``: one row of coefficients, at the powers of the
generator of the field, per entry.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from eqcompile.exact.cyclotomic import embed_powers
from eqcompile.exact.fields import Field
from eqcompile.exact.integers import (
    SAFE,
    Integers,
    find_bound,
    find_common,
    pack,
    sum_groups,
    widen,
)
from eqcompile.exact.signed import IntArray

Entries = tuple[IntArray, IntArray, Integers]
"""Rows, columns and values of a matrix, in row-major order."""


def embed_values(values: Integers, small: Field, large: Field) -> Integers:
    """Write the values of a field in a field around it."""
    if small == large:
        return values
    powers = pack(np.array(embed_powers(small.conductor, large.conductor), dtype=object))
    return _multiply_dense(values, powers)


def equal_values(left: Integers, one: Field, right: Integers, other: Field) -> bool:
    """Whether the values of two fields are the same numbers."""
    if one == other:
        return np.array_equal(left, right)
    field = one.join(other)
    return np.array_equal(
        pack(embed_values(left, one, field)), pack(embed_values(right, other, field))
    )


def _multiply_dense(left: Integers, right: Integers) -> Integers:
    """Multiply two dense matrices of integers exactly."""
    bound = find_bound(left) * find_bound(right) * max(1, left.shape[1])
    return np.asarray(widen(left, bound) @ widen(right, bound))


def multiply_values(left: Integers, right: Integers, field: Field) -> Integers:
    """Multiply values row by row; one side may have one row for all of the other."""
    degree = field.degree
    bound = find_bound(left) * find_bound(right) * degree
    left, right = widen(left, bound), widen(right, bound)
    if degree == 1:
        return left * right
    rows = max(len(left), len(right)) if len(left) and len(right) else 0
    long = np.zeros((rows, 2 * degree - 1), dtype=np.result_type(left, right))
    for i in range(degree):
        long[:, i : i + degree] += left[:, i : i + 1] * right
    return _multiply_dense(long, _list_reductions(field))


def _list_reductions(field: Field) -> Integers:
    """Return the powers of g up to twice the degree in those below, shape ``(2d - 1, d)``."""
    degree = field.degree
    table = np.zeros((2 * degree - 1, degree), dtype=object)
    table[:degree] = np.eye(degree, dtype=np.int64)
    tail = np.array(field.minimal[:degree], dtype=object)
    for power in range(degree, 2 * degree - 1):
        table[power, 1:] = table[power - 1, :-1]
        table[power] -= table[power - 1, -1] * tail
    return pack(table)


def list_stretches(starts: IntArray, counts: IntArray) -> IntArray:
    """List ``start, start + 1, ...`` of each stretch, ``count`` numbers long, one after another."""
    before = np.cumsum(counts) - counts
    stretches: IntArray = np.arange(int(counts.sum())) + np.repeat(starts - before, counts)
    return stretches


def multiply_sparse(
    left: Entries, right: Entries, sizes: tuple[int, int, int], field: Field
) -> Entries:
    """Multiply two sparse matrices of shapes ``(h, m)`` and ``(m, w)``, ``sizes = (h, m, w)``.

    Over a field of degree d the left entries become rows of d integers and the right ones blocks
    ``g^s b`` of d x d, so that every product is one of integers, reduced by the minimal polynomial.
    """
    height, middle, width = sizes
    degree = field.degree
    if degree > 1:
        left, right = _flatten(left, degree), _expand(right, field)
    rows, columns, values = _multiply_integers(
        left, right, (height, middle * degree, width * degree)
    )
    if degree == 1:
        return rows, columns, values.reshape(-1, 1)
    return _gather(rows, columns, values, degree, width)


def _flatten(entries: Entries, degree: int) -> Entries:
    """Make each coefficient an entry of its own, at column ``column * degree + power``."""
    rows, columns, values = entries
    place, power = np.nonzero(values)
    return rows[place], columns[place] * degree + power, values[place, power].reshape(-1, 1)


def _expand(entries: Entries, field: Field) -> Entries:
    """Replace each entry b by the matrix of multiplication with it: row s holds ``g^s b``."""
    rows, columns, values = entries
    degree = field.degree
    tail = pack(np.array(field.minimal[:degree], dtype=object))
    blocks = [values]
    for _ in range(1, degree):
        top = blocks[-1][:, -1:]
        bound = find_bound(top) * find_bound(tail) + find_bound(blocks[-1])
        after = -widen(top, bound) * tail
        after[:, 1:] += blocks[-1][:, :-1]
        blocks.append(pack(after))
    stacked = np.stack(blocks, axis=1)
    place, power, inner = np.nonzero(stacked)
    long = rows[place] * degree + power
    wide = columns[place] * degree + inner
    order = np.lexsort((wide, long))
    return long[order], wide[order], pack(stacked[place, power, inner][order]).reshape(-1, 1)


def _gather(
    rows: IntArray, columns: IntArray, values: Integers, degree: int, width: int
) -> Entries:
    """Undo `_flatten` of a product."""
    key = rows * max(width, 1) + columns // degree
    places, index = np.unique(key, return_inverse=True)
    gathered = np.zeros((len(places), degree), dtype=values.dtype)
    gathered[index, columns % degree] = values.ravel()
    return places // max(width, 1), places % max(width, 1), gathered


def _multiply_integers(left: Entries, right: Entries, sizes: tuple[int, int, int]) -> Entries:
    """Multiply sparse matrices of integers; the entries come in any order."""
    height, middle, width = sizes
    (rows, columns, values), (others, targets, factors) = left, right
    longest = int(np.bincount(rows).max()) if len(rows) else 0
    bound = find_bound(values) * find_bound(factors) * longest
    if bound < SAFE:
        one = sparse.csr_array((values.ravel(), (rows, columns)), shape=(height, middle))
        two = sparse.csr_array((factors.ravel(), (others, targets)), shape=(middle, width))
        product = (one @ two).tocoo()
        found: tuple[IntArray, IntArray] = (
            product.row.astype(np.int64),
            product.col.astype(np.int64),
        )
        return *found, product.data
    starts = np.searchsorted(others, columns)
    counts = np.searchsorted(others, columns, side="right") - starts
    place = list_stretches(starts, counts)
    source = np.repeat(np.arange(len(rows)), counts)
    products = values.astype(object)[source] * factors.astype(object)[place]
    key = rows[source] * max(width, 1) + targets[place]
    order = np.argsort(key, kind="stable")
    heads = np.flatnonzero(np.diff(key[order], prepend=-1))
    found_key = key[order][heads]
    summed = sum_groups(products[order], heads)
    return found_key // max(width, 1), found_key % max(width, 1), summed


def invert_dense(values: Integers, field: Field) -> tuple[Integers, int]:
    """Invert a square matrix of shape ``(n, n, degree)``: values and their denominator.

    A matrix over the field acts on ``n degree`` rationals; the inverse of that action is read back
    from the images of 1.

    Raises:
        ZeroDivisionError: If it is singular.
    """
    from flint import fmpq_mat, fmpz_mat

    n, degree = len(values), field.degree
    if not n:
        return values, 1
    rows, columns = np.nonzero(np.any(values != 0, axis=2))
    long, wide, factors = _expand((rows, columns, values[rows, columns]), field)
    dense = np.zeros((n * degree, n * degree), dtype=object)
    dense[long, wide] = factors.ravel()
    inverse, denominator = fmpq_mat(fmpz_mat(dense.tolist())).inv().numer_denom()
    table = np.array([[int(v) for v in row] for row in inverse.tolist()], dtype=object)
    return table[::degree].reshape(n, n, degree), int(denominator)


def collect_entries(
    rows: IntArray, columns: IntArray, values: Integers, width: int
) -> tuple[IntArray, IntArray, Integers]:
    """Sort entries in row-major order, add up those at one place and drop zeros."""
    key = rows * max(width, 1) + columns
    steps = np.diff(key)
    if np.any(steps <= 0):
        order = np.argsort(key, kind="stable")
        starts = np.flatnonzero(np.diff(key[order], prepend=-1))
        values = sum_groups(values[order], starts)
        rows, columns = rows[order][starts], columns[order][starts]
    kept = np.any(values != 0, axis=1)
    if not np.all(kept):
        rows, columns, values = rows[kept], columns[kept], values[kept]
    return rows.copy(), columns.copy(), pack(values).copy()


def cancel(values: Integers, denominator: int) -> tuple[Integers, int]:
    """Bring values over a denominator to lowest terms, the denominator positive."""
    if denominator == 1:
        return values, 1
    common = find_common(values, abs(denominator)) * (1 if denominator > 0 else -1)
    if common == 1:
        return values, denominator
    return pack(widen(values, abs(common)) // common), denominator // common
