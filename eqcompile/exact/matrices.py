"""Sparse exact matrices over real cyclotomic fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from math import lcm

import numpy as np
import numpy.typing as npt

from eqcompile.exact import arithmetic
from eqcompile.exact.fields import RATIONALS, Field, Scalar
from eqcompile.exact.integers import Integers, find_bound, pack, read_integers, widen
from eqcompile.exact.signed import IntArray, SignedPermutation

Number = Scalar | Fraction | int


class Matrix:
    """A sparse exact matrix, immutable, equal and hashed by content.

    Entry e is ``sum_i values[e, i] g^i / denominator`` at ``(rows[e], columns[e])``, where g is
    the generator of the field. Entries are in row-major order, without duplicates and zeros, and
    in lowest terms: no integer but 1 divides all values and the denominator.

    Attributes:
        field: The field of the entries.
        height: Number of rows.
        width: Number of columns.
        rows: Shape ``(entries,)``.
        columns: Shape ``(entries,)``.
        values: Shape ``(entries, field.degree)``; int64 while that is safe, else Python integers.
        denominator: Positive.
    """

    __slots__ = ("columns", "denominator", "field", "height", "rows", "values", "width")

    field: Field
    height: int
    width: int
    rows: IntArray
    columns: IntArray
    values: Integers
    denominator: int

    def __init__(
        self,
        field: Field,
        shape: tuple[int, int],
        places: tuple[npt.ArrayLike, npt.ArrayLike],
        values: Integers,
        denominator: int = 1,
    ) -> None:
        """Sort the entries, add up those at one place, drop zeros and cancel.

        Raises:
            ValueError: If an entry lies outside, or the shapes do not fit.
        """
        rows, columns = (np.asarray(part, dtype=np.int64) for part in places)
        height, width = shape
        if (
            denominator == 0
            or values.shape != (len(rows), field.degree)
            or len(columns) != len(rows)
        ):
            raise ValueError("a matrix has one row, column and value per entry and a denominator")
        if len(rows) and not (
            rows.min() >= 0 and rows.max() < height and columns.min() >= 0 and columns.max() < width
        ):
            raise ValueError(f"an entry lies outside the {height} x {width} matrix")
        rows, columns, values = arithmetic.collect_entries(rows, columns, values, width)
        values, denominator = arithmetic.cancel(values, denominator)
        for array in (rows, columns, values):
            array.flags.writeable = False
        for name, value in (
            ("field", field),
            ("height", int(height)),
            ("width", int(width)),
            ("rows", rows),
            ("columns", columns),
            ("values", values),
            ("denominator", denominator),
        ):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a matrix is immutable")

    def __reduce__(self) -> tuple[type[Matrix], tuple[object, ...]]:
        places = (self.rows, self.columns)
        return Matrix, (self.field, self.shape, places, self.values, self.denominator)

    @classmethod
    def identity(cls, n: int) -> Matrix:
        """Return the identity on n basis vectors."""
        index = np.arange(n)
        return cls(RATIONALS, (n, n), (index, index), np.ones((n, 1), dtype=np.int64))

    @classmethod
    def zero(cls, height: int, width: int) -> Matrix:
        """Return the matrix without entries."""
        none = np.zeros(0, dtype=np.int64)
        return cls(RATIONALS, (height, width), (none, none), none.reshape(0, 1))

    @classmethod
    def from_entries(
        cls, height: int, width: int, entries: Iterable[tuple[int, int, Number]]
    ) -> Matrix:
        """Return the matrix with these entries ``(row, column, number)``; repeated ones add up.

        Raises:
            ValueError: If an entry lies outside.
            Refusal: If the field of all entries is too large.
        """
        listed = [(i, j, Scalar.of(number)) for i, j, number in entries]
        field, denominator = RATIONALS, 1
        for _, _, number in listed:
            field = field.join(number.field)
            denominator = lcm(denominator, number.denominator)
        values = np.empty((len(listed), field.degree), dtype=object)
        for row, (_, _, number) in enumerate(listed):
            factor = denominator // number.denominator
            values[row] = [factor * c for c in number.in_field(field)]
        places = ([i for i, _, _ in listed], [j for _, j, _ in listed])
        return cls(field, (height, width), places, values, denominator)

    @classmethod
    def from_dense(cls, rows: Sequence[Sequence[Number]], width: int | None = None) -> Matrix:
        """Return the matrix with these rows; the width is needed where there is none."""
        found = len(rows[0]) if rows else 0
        width = found if width is None else width
        if any(len(row) != width for row in rows):
            raise ValueError("the rows of a matrix are of equal length")
        entries = ((i, j, v) for i, row in enumerate(rows) for j, v in enumerate(row) if v)
        return cls.from_entries(len(rows), width, entries)

    @classmethod
    def from_signed(cls, g: SignedPermutation) -> Matrix:
        """Return the matrix of a signed permutation."""
        return cls.from_arrays(g.perm, np.arange(g.n), g.signs, g.n, g.n)

    @classmethod
    def from_arrays(
        cls,
        rows: npt.ArrayLike,
        columns: npt.ArrayLike,
        values: npt.ArrayLike,
        height: int,
        width: int,
        denominator: int = 1,
    ) -> Matrix:
        """Return a rational matrix of integers over one denominator; repeated entries add up."""
        integers = read_integers(values).reshape(-1, 1)
        return cls(RATIONALS, (height, width), (rows, columns), integers, denominator)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    @property
    def is_zero(self) -> bool:
        """Whether no entry is left."""
        return not len(self.rows)

    @property
    def is_rational(self) -> bool:
        """Whether every entry is rational."""
        return self.field.degree == 1 or not np.any(self.values[:, 1:])

    def entries(self) -> Iterator[tuple[int, int, Scalar]]:
        """List the entries that are not 0, in row-major order."""
        for i, j, value in zip(self.rows, self.columns, self.values.tolist(), strict=True):
            yield int(i), int(j), Scalar(self.field, tuple(value), self.denominator)

    def in_field(self, field: Field) -> Matrix:
        """Return the same matrix written in a field around its own.

        Raises:
            ValueError: If the field does not contain that of the matrix.
        """
        if field == self.field:
            return self
        values = arithmetic.embed_values(self.values, self.field, field)
        return Matrix(field, self.shape, (self.rows, self.columns), values, self.denominator)

    def scale(self, factor: Number) -> Matrix:
        """Return a multiple."""
        number = Scalar.of(factor)
        field = self.field.join(number.field)
        left = arithmetic.embed_values(self.values, self.field, field)
        right = pack(np.array([number.in_field(field)], dtype=object))
        values = arithmetic.multiply_values(left, right, field)
        denominator = self.denominator * number.denominator
        return Matrix(field, self.shape, (self.rows, self.columns), values, denominator)

    def __neg__(self) -> Matrix:
        return Matrix(
            self.field, self.shape, (self.rows, self.columns), -self.values, self.denominator
        )

    def __add__(self, other: Matrix) -> Matrix:
        if self.shape != other.shape:
            raise ValueError(f"cannot add matrices of shapes {self.shape} and {other.shape}")
        return _join_parts([self, other], [(0, 0), (0, 0)], self.shape)

    def __sub__(self, other: Matrix) -> Matrix:
        return self + (-other)

    def __matmul__(self, other: Matrix) -> Matrix:
        """Return the product.

        Raises:
            ValueError: If the shapes do not fit.
        """
        if self.width != other.height:
            raise ValueError(f"cannot multiply shapes {self.shape} and {other.shape}")
        field = self.field.join(other.field)
        left, right = self.in_field(field), other.in_field(field)
        rows, columns, values = arithmetic.multiply_sparse(
            (left.rows, left.columns, left.values),
            (right.rows, right.columns, right.values),
            (self.height, self.width, other.width),
            field,
        )
        denominator = self.denominator * other.denominator
        return Matrix(field, (self.height, other.width), (rows, columns), values, denominator)

    def transpose(self) -> Matrix:
        """Return the matrix with rows and columns exchanged."""
        places = (self.columns, self.rows)
        return Matrix(self.field, (self.width, self.height), places, self.values, self.denominator)

    def kron(self, other: Matrix) -> Matrix:
        """Return the tensor product on pairs ``(i, j)`` in row-major order."""
        field = self.field.join(other.field)
        left, right = self.in_field(field), other.in_field(field)
        here = np.repeat(np.arange(len(left.rows)), len(right.rows))
        there = np.tile(np.arange(len(right.rows)), len(left.rows))
        values = arithmetic.multiply_values(left.values[here], right.values[there], field)
        places = (
            left.rows[here] * other.height + right.rows[there],
            left.columns[here] * other.width + right.columns[there],
        )
        shape = (self.height * other.height, self.width * other.width)
        return Matrix(field, shape, places, values, self.denominator * other.denominator)

    def take_rows(self, index: npt.ArrayLike) -> Matrix:
        """Return the rows of these numbers, in the order given; they may repeat."""
        index = np.asarray(index, dtype=np.int64).ravel()
        if len(index) and not (index.min() >= 0 and index.max() < self.height):
            raise ValueError("no such row")
        starts = np.searchsorted(self.rows, index)
        counts = np.searchsorted(self.rows, index, side="right") - starts
        place = arithmetic.list_stretches(starts, counts)
        rows = np.repeat(np.arange(len(index)), counts)
        shape, places = (len(index), self.width), (rows, self.columns[place])
        return Matrix(self.field, shape, places, self.values[place], self.denominator)

    def take_columns(self, index: npt.ArrayLike) -> Matrix:
        """Return the columns of these numbers, in the order given; they may repeat."""
        return self.transpose().take_rows(index).transpose()

    def to_dense(self) -> Integers:
        """Return the values as an array of shape ``(height, width, degree)``, not divided."""
        dense = np.zeros((*self.shape, self.field.degree), dtype=self.values.dtype)
        dense[self.rows, self.columns] = self.values
        return dense

    def inverse(self) -> Matrix:
        """Return the inverse.

        Raises:
            ValueError: If the matrix is not square.
            ZeroDivisionError: If it is singular.
        """
        if self.height != self.width:
            raise ValueError(f"a {self.height} x {self.width} matrix has no inverse")
        values, denominator = arithmetic.invert_dense(self.to_dense(), self.field)
        rows, columns = np.nonzero(np.any(values != 0, axis=2))
        inverse = Matrix(
            self.field, self.shape, (rows, columns), values[rows, columns], denominator
        )
        return inverse.scale(self.denominator)

    def to_float(self) -> npt.NDArray[np.float64]:
        """Return the dense matrix of the nearest floats."""
        dense = np.zeros(self.shape)
        if self.field.degree == 1 and max(find_bound(self.values), self.denominator) <= 2**53:
            dense[self.rows, self.columns] = self.values[:, 0] / self.denominator
            return dense
        known: dict[tuple[int, ...], float] = {}
        for i, j, value in zip(self.rows, self.columns, self.values.tolist(), strict=True):
            key = tuple(value)
            if key not in known:
                known[key] = float(Scalar(self.field, key, self.denominator))
            dense[i, j] = known[key]
        return dense

    def reduce(self, p: int, root: int) -> IntArray:
        """Return the residues of the entries under ``g -> root``, in the order of the entries.

        Args:
            p: A prime below 2**62 that does not divide the denominator.
            root: An element of ``field.roots(p)``.
        """
        total = self.values[:, -1] % p
        for power in range(self.field.degree - 2, -1, -1):
            total = (total.astype(object) * root + self.values[:, power]) % p
        if self.denominator != 1:
            total = total.astype(object) * pow(self.denominator, -1, p) % p
        return total.astype(np.int64)

    def as_signed(self) -> SignedPermutation | None:
        """Return the signed permutation this is the matrix of; None if it is none."""
        n = self.height
        ordered = np.array_equal(self.rows, np.arange(n))
        if n != self.width or not ordered or not self.is_rational or self.denominator != 1:
            return None
        if not np.array_equal(np.sort(self.columns), np.arange(n)):
            return None
        signs = self.values[:, 0]
        if signs.dtype != np.int64 or not np.all(np.abs(signs) == 1):
            return None
        return SignedPermutation(self.columns, signs).inverse()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Matrix):
            return NotImplemented
        return (
            self.shape == other.shape
            and self.denominator == other.denominator
            and np.array_equal(self.rows, other.rows)
            and np.array_equal(self.columns, other.columns)
            and arithmetic.equal_values(self.values, self.field, other.values, other.field)
        )

    def __hash__(self) -> int:
        # Of the values only what does not depend on the field they are written in.
        values = self.values[:, 0].tobytes() if self.is_rational else b""
        places = (self.rows.tobytes(), self.columns.tobytes())
        return hash((self.shape, self.denominator, *places, values))

    def __repr__(self) -> str:
        shown = [f"({i}, {j}): {value}" for i, j, value in self.entries()]
        dots = ", ..." if len(shown) > 8 else ""
        return f"Matrix({self.height} x {self.width}, {{{', '.join(shown[:8])}{dots}}})"


def direct_sum(parts: Sequence[Matrix]) -> Matrix:
    """Return the block-diagonal sum, blocks in order."""
    corners = [(0, 0)]
    for part in parts:
        corners.append((corners[-1][0] + part.height, corners[-1][1] + part.width))
    return _join_parts(parts, corners[:-1], corners[-1])


def stack_rows(parts: Sequence[Matrix]) -> Matrix:
    """Return the matrix with the rows of the parts below each other; at least one part."""
    if len({part.width for part in parts}) != 1:
        raise ValueError("parts that are stacked are of equal width")
    tops = np.cumsum([0, *(part.height for part in parts)]).tolist()
    return _join_parts(parts, [(top, 0) for top in tops[:-1]], (tops[-1], parts[0].width))


def stack_columns(parts: Sequence[Matrix]) -> Matrix:
    """Return the matrix with the columns of the parts side by side; at least one part."""
    if len({part.height for part in parts}) != 1:
        raise ValueError("parts side by side are of equal height")
    sides = np.cumsum([0, *(part.width for part in parts)]).tolist()
    return _join_parts(parts, [(0, side) for side in sides[:-1]], (parts[0].height, sides[-1]))


def _join_parts(
    parts: Sequence[Matrix], corners: Sequence[tuple[int, int]], shape: tuple[int, int]
) -> Matrix:
    """Add up matrices, each with its top left corner at a place of a larger one."""
    field, denominator = RATIONALS, 1
    for part in parts:
        field = field.join(part.field)
        denominator = lcm(denominator, part.denominator)
    rows, columns, values = [], [], []
    for part, (top, side) in zip(parts, corners, strict=True):
        factor = denominator // part.denominator
        moved = arithmetic.embed_values(part.values, part.field, field)
        rows.append(part.rows + top)
        columns.append(part.columns + side)
        values.append(widen(moved, find_bound(moved) * factor) * factor)
    if not parts:
        return Matrix.zero(*shape)
    places = (np.concatenate(rows), np.concatenate(columns))
    return Matrix(field, shape, places, np.concatenate(values), denominator)
