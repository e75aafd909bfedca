"""Symmetric and alternating powers of matrices and of elements of Lie algebras.

A matrix g acts on products of basis vectors: ``e_a e_b -> (g e_a)(g e_b)``, symmetric or with a
wedge. The basis is that of the non-decreasing tuples (products as they stand, no factorials), or
of the increasing ones, in lexicographic order. An element of a Lie algebra acts as a derivation.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from eqcompile.actions.group import Image
from eqcompile.actions.images import settle_image
from eqcompile.exact import arithmetic
from eqcompile.exact.integers import Integers
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.monomials import list_subsets, move_subsets, move_tuples, rank_tuples
from eqcompile.exact.signed import IntArray, SignedPermutation, freeze
from eqcompile.exact.substitution import derive_monomials, substitute_monomials


def raise_symmetric(image: Image, k: int) -> Image:
    """Return the action on products of k vectors."""
    if isinstance(image, SignedPermutation):
        return move_tuples(image, k)
    return settle_image(substitute_monomials([image.transpose()], [k]).transpose())


def derive_symmetric(element: Matrix, k: int) -> Matrix:
    """Return the derivation on products of k vectors."""
    return derive_monomials([element.transpose()], [k]).transpose()


def raise_alternating(image: Image, k: int) -> Image:
    """Return the action on wedge products of k vectors: the minors of the matrix."""
    if isinstance(image, SignedPermutation):
        return move_subsets(image, k, alternating=True)
    if k == 0:
        return SignedPermutation.identity(1)
    n, rows = image.height, image.transpose()
    found = rows
    for d in range(2, k + 1):
        subsets = _list_subsets(n, d)
        head = found.take_rows(_rank(subsets[:, :-1], n))
        found = _multiply_wedge(head, rows.take_rows(subsets[:, -1]), d)
    return settle_image(found.transpose())


def derive_alternating(element: Matrix, k: int) -> Matrix:
    """Return the derivation on wedge products of k vectors."""
    if k == 0:
        return Matrix.zero(1, 1)
    n, rows = element.height, element.transpose()
    subsets = _list_subsets(n, k)
    starts = np.searchsorted(rows.rows, np.arange(n + 1))
    sources, targets, entries = [], [], []
    for position in range(k):
        counts = np.diff(starts)[subsets[:, position]]
        sources.append(np.repeat(np.arange(len(subsets)), counts))
        entries.append(arithmetic.list_stretches(starts[subsets[:, position]], counts))
        moved = subsets[sources[-1]].copy()
        moved[:, position] = rows.columns[entries[-1]]
        targets.append(moved)
    values = rows.values[np.concatenate(entries)]
    found = (np.concatenate(sources), len(subsets))
    wedges = _collect_wedges(np.concatenate(targets), found, values, rows, rows.denominator)
    return wedges.transpose()


def derive_tensor(parts: Sequence[Matrix]) -> Matrix:
    """Return the sum of ``1 x ... x X x ... x 1``, the derivation on a tensor product."""
    sizes = [part.height for part in parts]
    total = Matrix.zero(int(np.prod(sizes)), int(np.prod(sizes)))
    for i, part in enumerate(parts):
        before, after = (Matrix.identity(int(np.prod(s))) for s in (sizes[:i], sizes[i + 1 :]))
        total = total + before.kron(part).kron(after)
    return total


@lru_cache(maxsize=64)
def _list_subsets(n: int, k: int) -> IntArray:
    return freeze(list_subsets(n, k))


def _rank(subsets: IntArray, n: int) -> IntArray:
    k = subsets.shape[1]
    return rank_tuples(subsets - np.arange(k), n - k + 1)


def _multiply_wedge(left: Matrix, right: Matrix, degree: int) -> Matrix:
    """Wedge, row by row, a form of degree ``degree - 1`` with a linear one."""
    field = left.field.join(right.field)
    left, right = left.in_field(field), right.in_field(field)
    starts = np.searchsorted(right.rows, np.arange(right.height + 1))
    counts = np.diff(starts)[left.rows]
    here = np.repeat(np.arange(len(left.rows)), counts)
    there = arithmetic.list_stretches(starts[left.rows], counts)
    values = arithmetic.multiply_values(left.values[here], right.values[there], field)
    heads = _list_subsets(right.width, degree - 1)[left.columns[here]]
    products = np.concatenate([heads, right.columns[there][:, None]], axis=1)
    denominator = left.denominator * right.denominator
    return _collect_wedges(products, (left.rows[here], left.height), values, right, denominator)


def _collect_wedges(
    products: IntArray,
    rows: tuple[IntArray, int],
    values: Integers,
    like: Matrix,
    denominator: int,
) -> Matrix:
    """Sort wedge products of basis vectors, with their signs; those with a repetition vanish.

    Args:
        products: The basis vectors of each product, shape ``(products, k)``.
        rows: The row that each product stands in, and the number of rows.
        values: Its coefficient.
        like: A matrix of the same field and over the same basis vectors.
        denominator: That of the values.
    """
    ordered = np.sort(products, axis=1)
    kept = np.all(np.diff(ordered, axis=1) > 0, axis=1)
    k = products.shape[1]
    signs = np.ones(len(products), dtype=np.int64)
    for i in range(k):
        for j in range(i + 1, k):
            signs *= np.where(products[:, i] > products[:, j], -1, 1)
    places = (rows[0][kept], _rank(ordered[kept], like.width))
    shape = (rows[1], len(_list_subsets(like.width, k)))
    return Matrix(like.field, shape, places, (values * signs[:, None])[kept], denominator)
