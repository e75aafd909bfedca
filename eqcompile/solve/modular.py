"""Ranks modulo a prime: the dimension of a solution space, computed apart from the solver.

Reduction modulo a prime can only make a rank smaller. So if the kernel modulo one prime has as
many dimensions as there are independent exact solutions, there are no others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from math import isqrt

import numpy as np
from scipy.sparse import csc_array, csr_array
from scipy.sparse.csgraph import connected_components

from eqcompile.exact.fields import Field
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import IntArray

LARGEST = 2**24
"""Primes lie below: a sum of 2^14 products of residues fits into 64 bits."""


def list_primes(conductor: int) -> Iterator[int]:
    """List the primes below `LARGEST` that are 1 modulo a conductor, downwards.

    They are those over which the field of this conductor splits into copies of F_p.
    """
    step = conductor if conductor % 2 == 0 else 2 * conductor
    start = (LARGEST - 2) // step * step + 1
    return (p for p in range(start, step, -step) if _is_prime(p))


def _is_prime(number: int) -> bool:
    odd = np.arange(3, isqrt(number) + 1, 2)
    return number > 2 and number % 2 == 1 and bool(np.all(number % odd))


def reduce_matrix(matrix: Matrix, field: Field, p: int, root: int) -> csr_array:
    """Map an exact matrix to F_p by the homomorphism that sends the field's generator to a root."""
    values = matrix.in_field(field).reduce(p, root)
    return csr_array((values, (matrix.rows, matrix.columns)), shape=matrix.shape)


def multiply(left: csr_array, right: csr_array, p: int) -> csr_array:
    """Multiply two matrices of residues.

    Raises:
        OverflowError: A row is too long for sums of products to fit into 64 bits.
    """
    if np.diff(left.indptr).max(initial=0) > 2**14:
        raise OverflowError("a row has more than 2^14 entries")
    product = csr_array(left @ right)
    product.data %= p
    product.eliminate_zeros()
    return product


def count_solutions(systems: Iterable[csr_array], unknowns: int, p: int) -> int:
    """Return the dimension of the common kernel of some matrices modulo p.

    The kernel of the first is restricted to that of the next, one connected component at a time.
    """
    basis = csr_array(
        (np.ones(unknowns, dtype=np.int64), (np.arange(unknowns), np.arange(unknowns))),
        shape=(unknowns, unknowns),
    )
    for system in systems:
        image = multiply(system, basis, p)
        if image.nnz:
            basis = multiply(basis, find_kernel_modulo(image, p), p)
    return int(basis.shape[1])


def find_kernel_modulo(matrix: csr_array, p: int) -> csr_array:
    """Return a basis of the kernel of a matrix of residues, one column per basis vector."""
    height, width = matrix.shape
    coo = matrix.tocoo()
    edges = csr_array(
        (np.ones(coo.nnz, dtype=np.int8), (coo.row, height + coo.col)),
        shape=(height + width, height + width),
    )
    parts, labels = connected_components(edges, directed=False)
    whole_labels = np.asarray(labels, dtype=np.int64)
    columns = _group(whole_labels[height:], parts)
    rows = _group(whole_labels[:height], parts)
    whole = csc_array(matrix)
    found: list[tuple[IntArray, IntArray, IntArray]] = []
    start = 0
    for own_rows, own_columns in zip(rows, columns, strict=True):
        if not len(own_columns):
            continue
        if not len(own_rows):
            kernel = np.eye(len(own_columns), dtype=np.int64)
        else:
            block = csr_array(whole[:, own_columns])[own_rows].toarray()
            kernel = _find_dense_kernel(block, p)
        at, place = kernel.nonzero()
        found.append((own_columns[at], place + start, kernel[at, place]))
        start += kernel.shape[1]
    empty = (np.zeros(0, np.int64),) * 3
    at, place, values = (np.concatenate(part) for part in zip(empty, *found, strict=True))
    return csr_array((values, (at, place)), shape=(width, start))


def _group(labels: IntArray, parts: int) -> list[IntArray]:
    """List the members of each part."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.cumsum(np.bincount(labels, minlength=parts))[:-1])


def _find_dense_kernel(block: IntArray, p: int) -> IntArray:
    """Return a basis of the kernel of a dense matrix of residues, shape ``(width, nullity)``."""
    import flint

    height, width = block.shape
    basis, nullity = flint.nmod_mat(height, width, block.ravel().tolist(), p).nullspace()
    entries = [int(v) for v in basis.entries()]
    return np.array(entries, dtype=np.int64).reshape(width, -1)[:, : int(nullity)]


def draw_residues(size: int, p: int, seed: int) -> IntArray:
    """Draw residues that depend on the seed alone."""
    return np.random.default_rng(seed).integers(0, p, size)


def take_primes(conductor: int, number: int) -> tuple[int, ...]:
    """Return the first few primes of :func:`list_primes`."""
    return tuple(islice(list_primes(conductor), number))
