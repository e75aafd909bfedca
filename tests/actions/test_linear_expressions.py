"""Expressions over matrices and Lie algebras: homomorphisms, derivations, sizes, refusals."""

from __future__ import annotations

import time
from fractions import Fraction
from functools import reduce

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eqcompile.actions.expressions import build_representation
from eqcompile.actions.group import Group, Representation
from eqcompile.actions.images import as_matrix
from eqcompile.errors import Refusal
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.scalars import parse_scalar
from eqcompile.exact.signed import SignedPermutation
from tests.actions.entries import build
from tests.actions.linear import (
    bracket,
    draw_invertible,
    draw_matrix,
    list_matrices,
    make_group,
    sign,
)
from tests.actions.test_expressions import EXPRESSIONS

SHEAR = Matrix.from_dense([[1, 1], [0, 1]])
LINEAR = EXPRESSIONS.filter(lambda text: "sign" not in text and "subsets" not in text)


def evaluate(text: str, group: Group) -> Representation:
    return build_representation(text, group, {})


@st.composite
def draw_word(draw: st.DrawFn) -> tuple[tuple[Matrix, ...], tuple[int, ...]]:
    """Draw some invertible matrices and a word in them."""
    n = draw(st.integers(1, 3))
    generators = tuple(draw(draw_invertible(n)) for _ in range(draw(st.integers(1, 2))))
    word = draw(st.lists(st.integers(0, len(generators) - 1), min_size=1, max_size=3))
    return generators, tuple(word)


@given(text=LINEAR, drawn=draw_word())
def test_every_expression_is_a_homomorphism(
    text: str, drawn: tuple[tuple[Matrix, ...], tuple[int, ...]]
) -> None:
    """The image of a word is the product of the images, the leftmost acting last."""
    generators, word = drawn
    product = reduce(Matrix.__matmul__, (generators[i] for i in word))
    try:
        images = list_matrices(evaluate(text, make_group(*generators, product)))
    except Refusal as refusal:
        assume(refusal.rule not in ("empty-representation", "too-large"))
        raise
    assert reduce(Matrix.__matmul__, (images[i] for i in word)) == images[-1]


@st.composite
def draw_elements(draw: st.DrawFn) -> tuple[Matrix, Matrix]:
    n, irrational = draw(st.integers(1, 3)), draw(st.booleans())
    return draw(draw_matrix(n, irrational=irrational)), draw(draw_matrix(n, irrational=irrational))


@given(text=LINEAR, pair=draw_elements())
def test_every_expression_keeps_brackets(text: str, pair: tuple[Matrix, Matrix]) -> None:
    x, y = pair
    try:
        built = evaluate(text, make_group(algebra=(x, y, bracket(x, y), x + y)))
    except Refusal as refusal:
        assume(refusal.rule not in ("empty-representation", "too-large"))
        raise
    image_x, image_y, image_bracket, image_sum = built.algebra
    assert bracket(image_x, image_y) == image_bracket
    assert image_x + image_y == image_sum


def test_atoms() -> None:
    group = make_group(SHEAR, Matrix.from_dense([[2, 0], [0, 3]]), algebra=(SHEAR,))
    assert evaluate("V", group).images == group.generators
    assert evaluate("V", group).algebra == (SHEAR,)
    trivial = evaluate("1", group)
    assert trivial.images == (SignedPermutation.identity(1),) * 2
    assert trivial.algebra == (Matrix.zero(1, 1),)
    det = evaluate("det", group)
    assert list_matrices(det) == (Matrix.from_dense([[1]]), Matrix.from_dense([[6]]))
    assert det.algebra == (Matrix.from_dense([[2]]),)
    dual = evaluate("dual(V)", group)
    assert list_matrices(dual)[0] == Matrix.from_dense([[1, 0], [-1, 1]])
    assert list_matrices(dual)[1] == Matrix.from_dense([[Fraction(1, 2), 0], [0, Fraction(1, 3)]])
    assert dual.algebra == (Matrix.from_dense([[-1, 0], [-1, -1]]),)


def test_sign_is_that_of_the_permutation() -> None:
    group = build({"lie": "o", "n": 3})
    assert evaluate("sign", group).images == (SignedPermutation.identity(1),)
    assert evaluate("det", group).images == (sign([0], [-1]),)
    assert evaluate("sign * V", group).algebra == group.algebra
    with pytest.raises(Refusal, match="g0 of G permutes no points") as caught:
        evaluate("V + sign", make_group(SHEAR))
    assert caught.value.offset == (4, 8)
    assert "det" in caught.value.help


def test_subsets_are_of_permuted_points() -> None:
    entry = {"product": {"factors": [{"symmetric": 3}, {"lie": "so", "n": 2}], "on": "union"}}
    group = build(entry)
    with pytest.raises(Refusal, match="permutes its basis"):
        evaluate("subsets(V, 2)", group)
    points = Representation("Points", 3, build({"symmetric": 3}).generators, (Matrix.zero(3, 3),))
    pairs = build_representation("subsets(Points, 2)", group, {"Points": points})
    assert pairs.images == evaluate("subsets(V, 2)", build({"symmetric": 3})).images
    assert pairs.algebra == (Matrix.zero(3, 3),)


def test_each_generator_stays_signed_where_it_can() -> None:
    group = make_group(SHEAR, Matrix.from_dense([[0, -1], [1, 0]]))
    for text in ("V * V", "Sym(V, 3)", "Alt(V, 2) + V", "dual(V) ** 2"):
        general, signed = evaluate(text, group).images
        assert isinstance(signed, SignedPermutation)
        assert isinstance(general, Matrix)
    # An image that turns out to be signed is kept as such.
    assert evaluate("Alt(V, 2)", group).images == (SignedPermutation.identity(1),) * 2


def test_powers_over_the_golden_ratio() -> None:
    turn = [["cos(2*pi/5)", "-sin(2*pi/5)"], ["sin(2*pi/5)", "cos(2*pi/5)"]]
    group = build({"matrices": [turn]})
    (image,) = list_matrices(evaluate("Sym(V, 2)", group))
    assert image != Matrix.identity(3)
    power = reduce(Matrix.__matmul__, [image] * 5)
    assert power == Matrix.identity(3)
    trace = sum(v for i, j, v in image.entries() if i == j)
    assert trace == 1 + 2 * parse_scalar("cos(4*pi/5)")


@pytest.mark.parametrize(
    ("entry", "text", "dim"),
    [
        ({"lie": "so", "n": 4}, "V ** 3", 64),
        ({"lie": "sl", "n": 3}, "Sym(V, 4)", 15),
        ({"lie": "sp", "n": 2}, "Alt(V, 2)", 6),
        ({"lie": "su", "n": 3}, "V * V", 36),
        ({"lie": "gl", "n": 3}, "V * dual(V) + det", 10),
        ({"lie": "lorentz", "n": 4, "component": "full"}, "V ** 4", 256),
        ({"lie": "o", "n": 3}, 'Sym(irrep("2e"), 3)', 35),
    ],
)
def test_dimensions(entry: dict[str, object], text: str, dim: int) -> None:
    built = evaluate(text, build(entry))
    assert built.dim == dim
    assert {x.shape for x in built.algebra} == {(dim, dim)}


def test_large_dense_powers_are_refused_promptly() -> None:
    dense = Matrix.from_dense([[2 if i == j else 1 for i in range(8)] for j in range(8)])
    group = make_group(dense, algebra=(dense,))
    start = time.process_time()
    for text in ("V ** 4", "Sym(V, 7)", "Alt(2 V, 7)", "V * Sym(V, 3) * V", "30 (V ** 3)"):
        with pytest.raises(Refusal, match="entries or more") as caught:
            evaluate(text, group)
        assert caught.value.rule == "too-large"
    assert time.process_time() - start < 2


def test_several_hundred_dimensions_are_quick() -> None:
    """Vectorised: a dense matrix on Sym^4 of R^9 (495 dimensions) and sparse ones on T^4."""
    dense = Matrix.from_dense([[2 if i == j else 1 for i in range(9)] for j in range(9)])
    start = time.process_time()
    assert evaluate("Sym(V, 4)", make_group(dense)).dim == 495
    assert evaluate("V ** 4", build({"lie": "so", "n": 5})).dim == 625
    assert time.process_time() - start < 3


def test_affine_maps_are_written_with_a_homogeneous_coordinate() -> None:
    """A translation acts on ``(x, 1)``; its symmetric square holds the polynomials of degree 2."""
    group = build({"matrices": [[[1, "1/2"], [0, 1]]]})
    (square,) = list_matrices(evaluate("Sym(V, 2)", group))
    # x -> x + 1/2 on (x^2, x, 1) as coordinates of (x e0 + e1)^2 / {1, 2, 1}.
    assert square == Matrix.from_dense([[1, Fraction(1, 2), Fraction(1, 4)], [0, 1, 1], [0, 0, 1]])
    moves = {"lie_algebra": [[[0, -1, 0], [1, 0, 0], [0, 0, 0]], [[0, 0, 1], [0, 0, 0], [0, 0, 0]]]}
    turn, shift = evaluate("V", build(moves)).algebra
    assert bracket(turn, shift) == Matrix.from_dense([[0, 0, 0], [0, 0, 1], [0, 0, 0]])
    assert as_matrix(evaluate("1", build(moves)).algebra[0]).is_zero
