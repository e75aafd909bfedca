"""Random exact numbers, and the text and the float of random expressions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from hypothesis import strategies as st

from eqcompile.exact.fields import Field, Scalar
from eqcompile.exact.matrices import Matrix

CONDUCTORS = (1, 5, 7, 8, 9, 12, 15, 16, 20, 24, 28, 35)


@st.composite
def scalars(draw: st.DrawFn, field: Field, largest: int = 20) -> Scalar:
    size = st.integers(-largest, largest)
    numerators = draw(st.lists(size, min_size=field.degree, max_size=field.degree))
    return Scalar(field, tuple(numerators), draw(st.integers(1, 12)))


@st.composite
def any_scalars(draw: st.DrawFn) -> Scalar:
    return draw(scalars(Field(draw(st.sampled_from(CONDUCTORS)))))


@dataclass(frozen=True)
class Written:
    """An expression, its value as a float, and a bound on the floats met on the way."""

    text: str
    value: float
    size: float


def join(left: Written, operator: str, right: Written) -> Written:
    values = {
        "+": left.value + right.value,
        "-": left.value - right.value,
        "*": left.value * right.value,
        "/": left.value / right.value if right.value else math.nan,
    }
    grown = 1 / abs(right.value) if operator == "/" and right.value else 1.0
    size = max(left.size, 1) * max(right.size, 1) * max(grown, 1) ** 2
    return Written(f"({left.text} {operator} {right.text})", values[operator], size)


@st.composite
def atoms(draw: st.DrawFn, conductor: int) -> Written:
    kind = draw(st.sampled_from(["integer", "fraction", "sqrt", "cos", "sin"]))
    a, b = draw(st.integers(0, 9)), draw(st.integers(1, 9))
    if kind == "integer":
        return Written(str(a), float(a), a)
    if kind == "fraction":
        return Written(f"{a}/{b}", a / b, a)
    if kind == "sqrt":
        # All roots of one conductor, so that no expression leaves what is served.
        inner = Fraction(draw(st.sampled_from({120: (2, 3, 5), 168: (2, 3, 7)}[conductor])))
        inner *= Fraction(a, b) ** 2
        return Written(f"sqrt({inner})", math.sqrt(inner), 10)
    function = {"cos": math.cos, "sin": math.sin}[kind]
    n = draw(st.sampled_from([n for n in range(1, conductor) if conductor % n == 0]))
    sign = draw(st.sampled_from(["", "-"]))
    turn = (-1 if sign else 1) * 2 * math.pi * a / n
    return Written(f"{sign}{kind}({sign}2*{a}*pi/{n})", (-1 if sign else 1) * function(turn), 1)


@st.composite
def expressions(draw: st.DrawFn) -> Written:
    conductor = draw(st.sampled_from([120, 168]))
    whole = draw(atoms(conductor))
    for _ in range(draw(st.integers(0, 4))):
        operator = draw(st.sampled_from("+-*/"))
        other = draw(atoms(conductor))
        if operator == "/" and abs(other.value) < 1e-6:
            continue
        whole = join(whole, operator, other)
    return whole


@st.composite
def matrices(
    draw: st.DrawFn,
    height: int | None = None,
    width: int | None = None,
    field: Field | None = None,
    largest: int = 3,
) -> Matrix:
    """A small sparse matrix; sizes from 0, over the rationals or a small field."""
    height = draw(st.integers(0, 5)) if height is None else height
    width = draw(st.integers(0, 5)) if width is None else width
    if field is None:
        field = Field(draw(st.sampled_from([1, 1, 5, 7, 8])))
    zero = st.just(Scalar.of(0))
    numbers = st.one_of(zero, zero, scalars(field, largest))
    row = st.lists(numbers, min_size=width, max_size=width)
    return Matrix.from_dense(draw(st.lists(row, min_size=height, max_size=height)), width=width)


def list_dense(matrix: Matrix) -> list[list[Scalar]]:
    """Write a matrix as rows of scalars."""
    rows = [[Scalar.of(0)] * matrix.width for _ in range(matrix.height)]
    for i, j, value in matrix.entries():
        rows[i][j] = value
    return rows


def count_rank(rows: list[list[Scalar]]) -> int:
    """Count the rank by Gaussian elimination."""
    rows, rank = [list(row) for row in rows], 0
    for column in range(len(rows[0]) if rows else 0):
        found = next((i for i in range(rank, len(rows)) if rows[i][column]), None)
        if found is None:
            continue
        rows[rank], rows[found] = rows[found], rows[rank]
        for i in range(rank + 1, len(rows)):
            factor = rows[i][column] / rows[rank][column]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank
