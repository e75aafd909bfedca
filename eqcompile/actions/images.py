"""Images of generators: signed permutations where they are such, exact matrices elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import reduce

from eqcompile.actions.group import Image
from eqcompile.exact import matrices, signed
from eqcompile.exact.fields import Scalar
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import SignedPermutation


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


def multiply_images(left: Image, right: Image) -> Image:
    """Return the product: ``right`` acts first."""
    if isinstance(left, SignedPermutation) and isinstance(right, SignedPermutation):
        return left @ right
    return settle_image(as_matrix(left) @ as_matrix(right))


def invert_image(image: Image) -> Image:
    """Return the inverse.

    Raises:
        ZeroDivisionError: If a matrix is singular.
    """
    return image.inverse()


def dualise_image(image: Image) -> Image:
    """Return the inverse transpose; a signed permutation is its own."""
    if isinstance(image, SignedPermutation):
        return image
    return image.inverse().transpose()


def find_determinant(image: Image) -> Scalar:
    """Return the determinant of an image, exactly."""
    if isinstance(image, SignedPermutation):
        return Scalar.of(image.det())
    if not image.is_rational:
        return _eliminate(image)
    from flint import fmpz_mat

    dense = image.to_dense()[:, :, 0].tolist()
    determinant = int(fmpz_mat(dense).det()) if dense else 1
    return Scalar.of(Fraction(determinant, image.denominator**image.height))


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
