"""Images of generators: signed permutations where they are such, exact matrices elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import reduce

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from eqcompile.actions.group import Image, Representation, measure_image
from eqcompile.errors import Refusal
from eqcompile.exact import matrices, signed
from eqcompile.exact.fields import Scalar
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import IntArray, SignedPermutation

MAX_BLOCK = 500
"""Coordinates that a matrix may mix where its inverse or determinant is asked for."""


def as_matrix(image: Image) -> Matrix:
    """Return an image as a matrix."""
    return Matrix.from_signed(image) if isinstance(image, SignedPermutation) else image


def settle_image(matrix: Matrix) -> Image:
    """Return the signed permutation that a matrix is, else the matrix."""
    found = matrix.as_signed()
    return matrix if found is None else found


def sum_images(parts: Sequence[Image]) -> Image:
    """Return the block-diagonal sum, blocks in order."""
    permutations = [part for part in parts if isinstance(part, SignedPermutation)]
    if len(permutations) == len(parts):
        return signed.direct_sum(permutations)
    return matrices.direct_sum([as_matrix(part) for part in parts])


def tensor_images(parts: Iterable[Image]) -> Image:
    """Return the tensor product in row-major order; of no parts the identity on R^1."""
    start: Image = SignedPermutation.identity(1)
    return reduce(_tensor, parts, start)


def _tensor(left: Image, right: Image) -> Image:
    if isinstance(left, SignedPermutation) and isinstance(right, SignedPermutation):
        return signed.kron(left, right)
    return as_matrix(left).kron(as_matrix(right))


def is_signed(action: Representation, generator: int) -> bool:
    """Say whether a generator permutes the coordinates of an action up to sign."""
    image, squares = action.images[generator], action.squares
    if not isinstance(image, SignedPermutation):
        return False
    return not squares or all(
        squares[target] == squares[source] for source, target in enumerate(image.perm.tolist())
    )


def multiply_images(left: Image, right: Image) -> Image:
    """Return the product: ``right`` acts first."""
    if isinstance(left, SignedPermutation) and isinstance(right, SignedPermutation):
        return left @ right
    return settle_image(as_matrix(left) @ as_matrix(right))


def invert_image(image: Image) -> Image:
    """Return the inverse.

    Raises:
        ZeroDivisionError: If a matrix is singular.
        Refusal: It mixes too many coordinates (rule ``too-large``).
    """
    if isinstance(image, SignedPermutation):
        return image.inverse()
    blocks = list_blocks([image])
    known: dict[Matrix, Matrix] = {}
    parts = []
    for block in blocks:
        _check_block(len(block))
        part = image.take_rows(block).take_columns(block)
        if part not in known:
            known[part] = part.inverse()
        parts.append(known[part])
    order = np.argsort(np.concatenate(blocks))
    return matrices.direct_sum(parts).take_rows(order).take_columns(order)


def dualise_image(image: Image) -> Image:
    """Return the inverse transpose; a signed permutation is its own."""
    if isinstance(image, SignedPermutation):
        return image
    return as_matrix(invert_image(image)).transpose()


def list_blocks(images: Sequence[Image]) -> list[IntArray]:
    """List the finest blocks of coordinates that every image keeps apart."""
    dim = measure_image(images[0])
    rows, columns = [], []
    for image in images:
        if isinstance(image, SignedPermutation):
            rows.append(image.perm)
            columns.append(np.arange(dim))
        else:
            rows.append(image.rows)
            columns.append(image.columns)
    ends = (np.concatenate(rows), np.concatenate(columns))
    graph = coo_array((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(dim, dim))
    count, labels = connected_components(graph.tocsr(), directed=False)
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.searchsorted(labels[order], np.arange(1, count)))


def _check_block(size: int) -> None:
    if size > MAX_BLOCK:
        text = f"a matrix that mixes {size} coordinates is too large for its inverse or determinant"
        raise Refusal("too-large", text, f"at most {MAX_BLOCK} are served")


def find_determinant(image: Image) -> Scalar:
    """Return the determinant of an image, exactly.

    Raises:
        Refusal: It mixes too many coordinates (rule ``too-large``).
    """
    if isinstance(image, SignedPermutation):
        return Scalar.of(image.det())
    total, known = Scalar.of(1), dict[Matrix, Scalar]()
    for block in list_blocks([image]):
        _check_block(len(block))
        part = image.take_rows(block).take_columns(block)
        if part not in known:
            known[part] = _find_block_determinant(part)
        total = total * known[part]
    return total


def _find_block_determinant(matrix: Matrix) -> Scalar:
    if not matrix.is_rational:
        return _eliminate(matrix)
    from flint import fmpz_mat

    dense = matrix.to_dense()[:, :, 0].tolist()
    return Scalar.of(Fraction(int(fmpz_mat(dense).det()), matrix.denominator**matrix.height))


def _eliminate(matrix: Matrix) -> Scalar:
    """Find a determinant by elimination over the field, row by row and only where entries are."""
    rows: list[dict[int, Scalar]] = [{} for _ in range(matrix.height)]
    for i, j, value in matrix.entries():
        rows[i][j] = value
    total = Scalar.of(1)
    for column in range(matrix.height):
        found = next((i for i in range(column, len(rows)) if column in rows[i]), None)
        if found is None:
            return Scalar.of(0)
        if found != column:
            rows[column], rows[found], total = rows[found], rows[column], -total
        pivot = rows[column][column]
        total = total * pivot
        inverse = pivot.inverse()
        for row in rows[column + 1 :]:
            if column in row:
                factor = row.pop(column) * inverse
                for j, value in rows[column].items():
                    if j != column:
                        left = row.get(j, Scalar.of(0)) - factor * value
                        row.pop(j, None)
                        if left:
                            row[j] = left
    return total
