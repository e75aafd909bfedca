"""What a linear map of the variables does to monomials: substitution and derivation, exactly.

A matrix g acts on polynomials by ``x -> g x``: ``(g x)^b = sum_a P[b, a] x^a``. An element X of a
Lie algebra acts by the derivation ``sum_i (X x)_i d/dx_i``. Both are matrices over the monomials
of one multidegree, in the order of `eqcompile.exact.monomials`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from eqcompile.exact import arithmetic
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.monomials import list_tuples, rank_tuples
from eqcompile.exact.signed import IntArray

_ONE = Matrix.identity(1)


def substitute_monomials(factors: Sequence[Matrix], shape: Sequence[int]) -> Matrix:
    """Return the matrix P of substitution on the monomials of a multidegree.

    Args:
        factors: The matrix on the variables of each factor.
        shape: The degree in each.
    """
    parts = [_substitute(g, degree) for g, degree in zip(factors, shape, strict=True)]
    return reduce(Matrix.kron, parts, _ONE)


def derive_monomials(factors: Sequence[Matrix], shape: Sequence[int]) -> Matrix:
    """Return the matrix of a derivation on the monomials of a multidegree.

    Args:
        factors: The element of the Lie algebra on the variables of each factor.
        shape: The degree in each.
    """
    sizes = [len(list_tuples(g.height, d)) for g, d in zip(factors, shape, strict=True)]
    total = Matrix.zero(int(np.prod(sizes)), int(np.prod(sizes)))
    for f, (element, degree) in enumerate(zip(factors, shape, strict=True)):
        before = Matrix.identity(int(np.prod(sizes[:f])))
        after = Matrix.identity(int(np.prod(sizes[f + 1 :])))
        total = total + before.kron(_derive(element, degree)).kron(after)
    return total


def _substitute(g: Matrix, degree: int) -> Matrix:
    """Return the substitution on the monomials of one degree, one variable at a time."""
    if degree == 0:
        return _ONE
    found = g
    for d in range(2, degree + 1):
        tuples = list_tuples(g.height, d)
        head = found.take_rows(rank_tuples(tuples[:, :-1], g.height))
        found = _multiply_forms(head, g.take_rows(tuples[:, -1]), d)
    return found


def _multiply_forms(left: Matrix, right: Matrix, degree: int) -> Matrix:
    """Multiply, row by row, a form of degree ``degree - 1`` by a linear form."""
    n = right.width
    field = left.field.join(right.field)
    left, right = left.in_field(field), right.in_field(field)
    starts = np.searchsorted(right.rows, np.arange(right.height + 1))
    counts = np.diff(starts)[left.rows]
    here = np.repeat(np.arange(len(left.rows)), counts)
    there = arithmetic.list_stretches(starts[left.rows], counts)
    values = arithmetic.multiply_values(left.values[here], right.values[there], field)
    heads = list_tuples(n, degree - 1)[left.columns[here]]
    products = np.concatenate([heads, right.columns[there][:, None]], axis=1)
    places = (left.rows[here], _rank(products, n))
    shape = (left.height, len(list_tuples(n, degree)))
    return Matrix(field, shape, places, values, left.denominator * right.denominator)


def _derive(element: Matrix, degree: int) -> Matrix:
    """Return the derivation on the monomials of one degree: each variable in turn is replaced."""
    n = element.height
    tuples = list_tuples(n, degree)
    starts = np.searchsorted(element.rows, np.arange(n + 1))
    rows, columns, entries = [], [], []
    for position in range(degree):
        replaced = tuples[:, position]
        counts = np.diff(starts)[replaced]
        row = np.repeat(np.arange(len(tuples)), counts)
        entry = arithmetic.list_stretches(starts[replaced], counts)
        products = tuples[row].copy()
        products[:, position] = element.columns[entry]
        rows.append(row)
        columns.append(_rank(products, n))
        entries.append(entry)
    if not degree:
        return Matrix.zero(1, 1)
    places = (np.concatenate(rows), np.concatenate(columns))
    values = element.values[np.concatenate(entries)]
    shape = (len(tuples), len(tuples))
    return Matrix(element.field, shape, places, values, element.denominator)


def _rank(products: IntArray, n: int) -> IntArray:
    return rank_tuples(np.sort(products, axis=1), n)
