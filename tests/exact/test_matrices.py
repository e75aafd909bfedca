"""Sparse exact matrices against rows of scalars, and the boundary of 64-bit integers."""

from __future__ import annotations

import pickle
from fractions import Fraction
from math import gcd

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eqcompile.exact.fields import RATIONALS, Field, Scalar, cosine, root
from eqcompile.exact.integers import SAFE, pack, read_integers
from eqcompile.exact.matrices import Matrix, direct_sum, stack_columns, stack_rows
from eqcompile.exact.signed import SignedPermutation
from eqcompile.exact.signed import kron as kron_signed
from tests.exact.fields_of import count_rank, list_dense, matrices

Rows = list[list[Scalar]]


def multiply(left: Rows, right: Rows, width: int) -> Rows:
    columns = list(zip(*right, strict=True)) if right else [()] * width
    zero = Scalar.of(0)
    return [
        [sum((a * b for a, b in zip(row, column, strict=True)), zero) for column in columns]
        for row in left
    ]


def check_form(matrix: Matrix) -> None:
    """Check all that a matrix promises of its arrays."""
    places = matrix.rows * max(matrix.width, 1) + matrix.columns
    assert np.all(np.diff(places) > 0)
    assert np.all(np.any(matrix.values != 0, axis=1))
    assert matrix.denominator > 0
    assert gcd(matrix.denominator, *matrix.values.ravel().tolist()) == 1
    bound = max((abs(v) for v in matrix.values.ravel().tolist()), default=0)
    assert matrix.values.dtype == (np.int64 if bound < SAFE else object)
    assert matrix.values.shape == (len(matrix.rows), matrix.field.degree)
    assert not matrix.values.flags.writeable


@settings(max_examples=40)
@given(st.data())
def test_arithmetic_is_that_of_rows_of_scalars(data: st.DataObject) -> None:
    h, m, w = (data.draw(st.integers(0, 4)) for _ in range(3))
    a, b, c = (data.draw(matrices(*shape)) for shape in ((h, m), (h, m), (m, w)))
    # The fields of conductors 5, 7 and 8 together would be the largest test of all.
    if a.field.join(b.field).join(c.field).degree > 12:
        c = Matrix.zero(m, w)
    rows, others = list_dense(a), list_dense(b)
    for result, expected in [
        (a + b, [[x + y for x, y in zip(*p, strict=True)] for p in zip(rows, others, strict=True)]),
        (a - b, [[x - y for x, y in zip(*p, strict=True)] for p in zip(rows, others, strict=True)]),
        (-a, [[-x for x in row] for row in rows]),
        (a.scale(root(5)), [[x * root(5) for x in row] for row in rows]),
        (a @ c, multiply(rows, list_dense(c), w)),
    ]:
        assert list_dense(result) == expected
        check_form(result)
    assert a.transpose().transpose() == a
    assert (a @ c).transpose() == c.transpose() @ a.transpose()
    assert (a - a).is_zero
    assert hash(a + b) == hash(b + a)


@settings(max_examples=40)
@given(matrices(3, 2), matrices(2, 3, Field(5)))
def test_tensor_products(a: Matrix, b: Matrix) -> None:
    product = a.kron(b)
    check_form(product)
    rows, others = list_dense(a), list_dense(b)
    assert list_dense(product) == [
        [rows[i][k] * others[j][m] for k in range(2) for m in range(3)]
        for i in range(3)
        for j in range(2)
    ]


@given(matrices(3, 3))
def test_inverses(a: Matrix) -> None:
    if count_rank(list_dense(a)) < 3:
        with pytest.raises(ZeroDivisionError):
            a.inverse()
    else:
        inverse = a.inverse()
        check_form(inverse)
        assert a @ inverse == inverse @ a == Matrix.identity(3)


def test_the_inverse_of_nothing() -> None:
    assert Matrix.zero(0, 0).inverse() == Matrix.identity(0)
    with pytest.raises(ValueError, match="2 x 3"):
        Matrix.zero(2, 3).inverse()


@given(matrices(4, 3), st.lists(st.integers(0, 2), max_size=5), st.lists(st.integers(0, 3)))
def test_rows_and_columns_are_taken(a: Matrix, columns: list[int], rows: list[int]) -> None:
    dense = list_dense(a)
    assert list_dense(a.take_rows(rows)) == [dense[i] for i in rows]
    assert list_dense(a.take_columns(columns)) == [[row[j] for j in columns] for row in dense]


@settings(max_examples=40)
@given(matrices(2, 3), matrices(2, 1), matrices(3, 3))
def test_parts_are_put_together(a: Matrix, b: Matrix, c: Matrix) -> None:
    pairs = zip(list_dense(a), list_dense(b), strict=True)
    assert list_dense(stack_columns([a, b])) == [[*x, *y] for x, y in pairs]
    assert list_dense(stack_rows([a, c])) == [*list_dense(a), *list_dense(c)]
    blocks = direct_sum([a, b])
    assert blocks.shape == (4, 4)
    assert blocks.take_rows([0, 1]).take_columns([0, 1, 2]) == a
    assert blocks.take_rows([2, 3]).take_columns([3]) == b
    assert len(blocks.rows) == len(a.rows) + len(b.rows)
    assert direct_sum([]) == Matrix.zero(0, 0)
    with pytest.raises(ValueError, match="equal width"):
        stack_rows([a, b])
    with pytest.raises(ValueError, match="equal height"):
        stack_columns([a, c])


@given(matrices())
def test_floats_and_residues_are_those_of_the_entries(a: Matrix) -> None:
    dense = a.to_float()
    assert dense.shape == a.shape
    assert dense.tolist() == [[float(value) for value in row] for row in list_dense(a)]
    p = a.field.prime(3)
    for g in a.field.roots(p):
        residues = a.reduce(p, g)
        assert residues.dtype == np.int64
        for value, residue in zip(a.values.tolist(), residues.tolist(), strict=True):
            whole = sum(c * g**k for k, c in enumerate(value))
            assert (whole - residue * a.denominator) % p == 0


@given(st.permutations(range(4)), st.lists(st.sampled_from([1, -1]), min_size=4, max_size=4))
def test_signed_permutations_go_there_and_back(perm: list[int], signs: list[int]) -> None:
    g = SignedPermutation(np.array(perm), np.array(signs))
    matrix = Matrix.from_signed(g)
    assert matrix.as_signed() == g
    assert matrix.in_field(Field(5)).as_signed() == g
    assert [(i, j, int(v.as_fraction())) for i, j, v in matrix.entries()] == sorted(
        (p, i, s) for i, (p, s) in enumerate(zip(perm, signs, strict=True))
    )
    assert matrix @ matrix == Matrix.from_signed(g @ g)
    assert matrix.kron(matrix) == Matrix.from_signed(kron_signed(g, g))
    assert matrix.inverse() == Matrix.from_signed(g.inverse())


@pytest.mark.parametrize(
    "rows",
    [
        [[1, 0], [1, 0]],
        [[1, 0], [0, 0]],
        [[2, 0], [0, 1]],
        [[Fraction(1, 2), 0], [0, 1]],
        [[1, 1], [0, 1]],
        [[1, 0, 0], [0, 1, 0]],
        [[root(5), 0], [0, 1]],
        [[10**30, 0], [0, 1]],
    ],
)
def test_what_is_no_signed_permutation(rows: list[list[Scalar | Fraction | int]]) -> None:
    assert Matrix.from_dense(rows).as_signed() is None


@pytest.mark.parametrize("exponent", [30, 31, 32, 60, 61, 62, 63, 64])
@pytest.mark.parametrize("off", [-1, 0, 1])
def test_nothing_overflows(exponent: int, off: int) -> None:
    big = 2**exponent + off
    for rows in ([[big, -big], [1, big]], [[big * root(5), 1], [-big, (big + root(5)) / 2]]):
        a = Matrix.from_dense(rows)
        b = list_dense(a)
        for result, expected in [
            (a @ a, multiply(b, b, 2)),
            (a + a, [[x + x for x in row] for row in b]),
            (a.scale(Fraction(big, 3)), [[x * big / 3 for x in row] for row in b]),
            (a.scale(big * root(5)), [[x * big * root(5) for x in row] for row in b]),
            (a.kron(a).take_rows([3]).take_columns([3]), [[b[1][1] * b[1][1]]]),
            (
                stack_columns([a, a.scale(Fraction(1, big))]),
                [[*r, *(x / big for x in r)] for r in b],
            ),
        ]:
            assert list_dense(result) == expected
            check_form(result)
        assert a @ a.inverse() == Matrix.identity(2)
        assert a.to_float().tolist() == [[float(x) for x in row] for row in b]


def test_many_small_entries_do_not_overflow() -> None:
    n = 5
    whole = Matrix.from_dense([[2**30] * n] * n)
    for _ in range(3):
        whole = whole @ whole
        check_form(whole)
    assert list_dense(whole)[0][0] == n**7 * 2**240
    repeated = Matrix.from_arrays([0] * 8, [0] * 8, [2**61] * 8, 1, 1)
    assert list_dense(repeated) == [[Scalar.of(2**64)]]


def test_equality_does_not_depend_on_the_field() -> None:
    a = Matrix.from_dense([[root(5), Fraction(1, 2)], [0, 3]])
    wide = a.in_field(Field(40))
    assert wide.field == Field(40)
    assert a == wide
    assert hash(a) == hash(wide)
    assert a.in_field(a.field) is a
    rational = Matrix.identity(2).in_field(Field(5))
    assert rational == Matrix.identity(2)
    assert hash(rational) == hash(Matrix.identity(2))
    assert a != a.scale(2)
    assert a != a.transpose()
    assert a != Matrix.from_dense([[root(2), Fraction(1, 2)], [0, 3]])
    assert a != "a"
    assert len({a, wide, a.scale(Fraction(1, 2))}) == 2
    with pytest.raises(ValueError, match="does not lie"):
        a.in_field(Field(8))


def test_a_matrix_is_immutable_and_travels() -> None:
    a = Matrix.from_dense([[cosine(1, 7), 0], [10**40, Fraction(1, 3)]])
    assert pickle.loads(pickle.dumps(a)) == a
    with pytest.raises(AttributeError):
        a.height = 3
    with pytest.raises(ValueError, match="read-only"):
        a.values[0, 0] = 5


def test_entries_add_up_and_cancel() -> None:
    a = Matrix.from_entries(2, 2, [(1, 0, Fraction(1, 2)), (0, 1, 2), (1, 0, Fraction(-1, 2))])
    assert [*a.entries()] == [(0, 1, Scalar.of(2))]
    assert a.denominator == 1
    assert repr(a) == "Matrix(2 x 2, {(0, 1): 2})"
    assert Matrix.from_arrays([0], [0], [4], 1, 1, -6) == Matrix.from_dense([[Fraction(-2, 3)]])


def test_wrong_shapes_are_refused() -> None:
    a = Matrix.identity(2)
    with pytest.raises(ValueError, match="cannot add"):
        a + Matrix.identity(3)
    with pytest.raises(ValueError, match="cannot multiply"):
        a @ Matrix.identity(3)
    with pytest.raises(ValueError, match="lies outside"):
        Matrix.from_entries(2, 2, [(2, 0, 1)])
    with pytest.raises(ValueError, match="no such row"):
        a.take_rows([2])
    with pytest.raises(ValueError, match="equal length"):
        Matrix.from_dense([[1, 2], [3]])
    with pytest.raises(ValueError, match="and a denominator"):
        Matrix(RATIONALS, (1, 1), ([0], [0]), np.ones((1, 1), dtype=np.int64), 0)


def test_only_integers_are_read() -> None:
    with pytest.raises(TypeError, match="not of float64"):
        Matrix.from_arrays([0], [0], [0.5], 1, 1)
    with pytest.raises(TypeError):
        read_integers(np.array([Fraction(1, 2)], dtype=object))
    assert read_integers(np.array([2**63], dtype=np.uint64)).tolist() == [2**63]
    mixed = read_integers(np.array([np.int64(2**62), 1], dtype=object))
    assert {type(value) for value in mixed.tolist()} == {int}
    assert pack(np.array([-(2**63)])).dtype == object


@pytest.mark.parametrize("size", [28, 29, 30, 31, 40, 60, 61, 62])
@pytest.mark.parametrize("conductor", [7, 24, 35])
def test_large_elements_multiply_exactly(conductor: int, size: int) -> None:
    field = Field(conductor)
    # The powers of g grow when they are reduced, beyond the numbers that are multiplied.
    a = Scalar(field, tuple((-1) ** k * (2**size - 1 - k) for k in range(field.degree)))
    g = 2 * cosine(1, conductor)
    matrix = Matrix.from_dense([[a, 1], [0, a]])
    assert list_dense(matrix @ matrix) == [[a * a, 2 * a], [Scalar.of(0), a * a]]
    assert list_dense(matrix.scale(g) @ matrix) == [[g * a * a, 2 * g * a], [0, g * a * a]]
    assert list_dense(matrix.kron(matrix.take_rows([0]))) == [
        [a * a, a, a, Scalar.of(1)],
        [Scalar.of(0), Scalar.of(0), a * a, a],
    ]
    assert list_dense(matrix.scale(a)) == [[a * a, a], [Scalar.of(0), a * a]]
    if conductor != 24:
        assert list_dense(matrix.in_field(Field(35 * 4)))[0][0] == a


def test_floats_of_long_fractions_are_the_nearest() -> None:
    odd = Fraction(746499223651238139, 966168839)
    values = [odd, Fraction(2**53 + 1, 3), Fraction(10**300, 7**300)]
    assert Matrix.from_dense([values]).to_float().tolist() == [[float(v) for v in values]]
    for value in values:
        assert Matrix.from_dense([[value]]).to_float()[0, 0] == float(value)
