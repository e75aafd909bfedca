"""Expressions: precedence, bases, and the homomorphism every expression must be."""

from __future__ import annotations

import time
from itertools import combinations, combinations_with_replacement, permutations, product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from eqcompile.actions.expressions import build_representation
from eqcompile.actions.group import Group, Representation
from eqcompile.actions.syntax import MAX_DEPTH, MAX_DIM, Expression, parse_expression
from eqcompile.errors import Refusal
from eqcompile.exact.signed import SignedPermutation

Matrix = npt.NDArray[np.int64]


def make_group(*generators: SignedPermutation) -> Group:
    return Group("G", generators, tuple(f"g{i}" for i in range(len(generators))))


def evaluate(text: str, *generators: SignedPermutation) -> tuple[SignedPermutation, ...]:
    images = build_representation(text, make_group(*generators), {}).images
    return tuple(image for image in images if isinstance(image, SignedPermutation))


def as_matrix(g: SignedPermutation) -> Matrix:
    matrix = np.zeros((g.n, g.n), dtype=np.int64)
    matrix[g.perm, np.arange(g.n)] = g.signs
    return matrix


def signed(perm: list[int], signs: list[int]) -> SignedPermutation:
    return SignedPermutation(np.array(perm), np.array(signs))


ROTATION = signed([1, 2, 0], [1, 1, 1])
TWIST = signed([1, 0, 2, 3], [1, -1, 1, -1])


def spell(expression: Expression) -> str:
    """Write an expression with every bracket, so that its structure can be read."""
    parts = [spell(part) for part in expression.parts]
    match expression.kind:
        case "name":
            return expression.name
        case "+" | "*" as operator:
            return "(" + f" {operator} ".join(parts) + ")"
        case "**":
            return f"({parts[0]} ** {expression.number})"
        case "copies":
            return f"({expression.number} {parts[0]})"
        case "dual":
            return f"dual({parts[0]})"
    return f"{expression.kind}({parts[0]}, {expression.number})"


@pytest.mark.parametrize(
    ("text", "structure"),
    [
        ("V + V * V", "(V + (V * V))"),
        ("2 V * V", "((2 V) * V)"),
        ("V * 2 V", "(V * (2 V))"),
        ("2 V ** 2", "(2 (V ** 2))"),
        ("V * V ** 2", "(V * (V ** 2))"),
        ("2 3 V", "(6 V)"),
        ("3V", "(3 V)"),
        ("2(V+1)", "(2 (V + 1))"),
        ("1", "1"),
        ("1 1", "(1 1)"),
        ("1 + 1 * 1", "(1 + (1 * 1))"),
        ("(V + 1) * sign", "((V + 1) * sign)"),
        ("Sym(V + 1, 2) ** 2", "(Sym((V + 1), 2) ** 2)"),
        (" dual ( V ) ", "dual(V)"),
        ("subsets(V,2)+Alt(V,3)", "(subsets(V, 2) + Alt(V, 3))"),
        ("V + V + V", "(V + V + V)"),
        ("((V))", "V"),
    ],
)
def test_precedence(text: str, structure: str) -> None:
    assert spell(parse_expression(text)) == structure


def test_atoms() -> None:
    for g in (ROTATION, TWIST):
        assert evaluate("V", g) == (g,)
        assert as_matrix(evaluate("1", g)[0]).tolist() == [[1]]
        assert as_matrix(evaluate("sign", g)[0]).tolist() == [[g.parity()]]
        assert as_matrix(evaluate("det", g)[0]).tolist() == [[round(np.linalg.det(as_matrix(g)))]]
    assert TWIST.parity() == -1
    assert TWIST.det() == -1
    negation = signed([0], [-1])
    assert as_matrix(evaluate("sign", negation)[0]).tolist() == [[1]]
    assert as_matrix(evaluate("det", negation)[0]).tolist() == [[-1]]


def test_sums_and_copies_are_blocks() -> None:
    block = as_matrix(TWIST)
    one = np.eye(1, dtype=np.int64)
    for text, blocks in (("V + 1", [block, one]), ("2 V", [block, block]), ("1 + V", [one, block])):
        expected = np.zeros((sum(len(b) for b in blocks),) * 2, dtype=np.int64)
        start = 0
        for b in blocks:
            expected[start : start + len(b), start : start + len(b)] = b
            start += len(b)
        assert np.array_equal(as_matrix(evaluate(text, TWIST)[0]), expected)


def test_products_are_row_major() -> None:
    v, w = as_matrix(TWIST), as_matrix(evaluate("V + 1", TWIST)[0])
    assert np.array_equal(as_matrix(evaluate("V * (V + 1)", TWIST)[0]), np.kron(v, w))
    assert np.array_equal(as_matrix(evaluate("V ** 3", TWIST)[0]), np.kron(v, np.kron(v, v)))
    assert as_matrix(evaluate("V ** 0", TWIST)[0]).tolist() == [[1]]


def minor(matrix: Matrix, rows: tuple[int, ...], columns: tuple[int, ...]) -> int:
    total = 0
    for order in permutations(range(len(columns))):
        inversions = sum(a > b for a, b in combinations(order, 2))
        entries = [matrix[rows[i], columns[order[i]]] for i in range(len(rows))]
        total += (-1) ** inversions * int(np.prod(entries))
    return total


@pytest.mark.parametrize("k", [1, 2, 3])
def test_alternating_powers_are_minors(k: int) -> None:
    matrix = as_matrix(TWIST)
    subsets = list(combinations(range(4), k))
    expected = [[minor(matrix, rows, columns) for columns in subsets] for rows in subsets]
    assert as_matrix(evaluate(f"Alt(V, {k})", TWIST)[0]).tolist() == expected


@pytest.mark.parametrize("k", [1, 2, 3])
def test_symmetric_powers_move_monomials(k: int) -> None:
    """``Sym(g)`` applied to the monomials of x gives those of g x."""
    tuples = list(combinations_with_replacement(range(4), k))
    x = np.array([2, 3, 5, 7])
    monomials = np.array([np.prod(x[list(t)]) for t in tuples])
    moved = as_matrix(TWIST) @ x
    expected = [np.prod(moved[list(t)]) for t in tuples]
    assert (as_matrix(evaluate(f"Sym(V, {k})", TWIST)[0]) @ monomials).tolist() == expected


def test_subsets_drop_signs() -> None:
    image = evaluate("subsets(V, 2)", TWIST)[0]
    pairs = list(combinations(range(4), 2))
    assert image.is_unsigned
    for source, target in enumerate(image.perm):
        moved = tuple(sorted(int(TWIST.perm[i]) for i in pairs[source]))
        assert pairs[target] == moved


def test_named_representations_are_of_the_same_generators() -> None:
    group = make_group(ROTATION, ROTATION @ ROTATION)
    scalar = Representation("Turn", 1, (signed([0], [-1]), signed([0], [1])))
    built = build_representation("Turn * V + Turn", group, {"Turn": scalar})
    turns = [image.signs.tolist() for image in built.images if isinstance(image, SignedPermutation)]
    assert turns == [[-1] * 4, [1] * 4]
    assert (built.dim, built.text) == (4, "Turn * V + Turn")


ATOMS = st.sampled_from(["V", "1", "sign", "det"])
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda p: f"({p[0]} + {p[1]})"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]}) * {p[1]}"),
        st.tuples(st.integers(1, 3), inner).map(lambda p: f"{p[0]} ({p[1]})"),
        st.tuples(st.sampled_from(["Sym", "Alt", "subsets"]), inner, st.integers(1, 2)).map(
            lambda p: f"{p[0]}({p[1]}, {p[2]})"
        ),
        inner.map(lambda p: f"dual({p})"),
        inner.map(lambda p: f"({p}) ** 2"),
    ),
    max_leaves=4,
)


@st.composite
def draw_pair(draw: st.DrawFn) -> tuple[SignedPermutation, SignedPermutation]:
    n = draw(st.integers(1, 4))
    pair = [
        signed(
            draw(st.permutations(range(n))),
            draw(st.lists(st.sampled_from([1, -1]), min_size=n, max_size=n)),
        )
        for _ in range(2)
    ]
    return pair[0], pair[1]


@given(text=EXPRESSIONS, pair=draw_pair())
def test_every_expression_is_an_action(
    text: str, pair: tuple[SignedPermutation, SignedPermutation]
) -> None:
    """The image of a product is the product of the images, in this order."""
    g, h = pair
    try:
        image_g, image_h, image_gh = evaluate(text, g, h, g @ h)
    except Refusal as refusal:
        event(refusal.rule)
        assume(refusal.rule not in ("empty-representation", "too-large"))
        raise
    assert image_g @ image_h == image_gh


@pytest.mark.parametrize(
    ("text", "rule", "shown"),
    [
        ("", "expression", ""),
        ("   ", "expression", " "),
        ("V +", "expression", ""),
        ("V V", "expression", "V"),
        ("V ^ 2", "expression", "^"),
        ("V - V", "expression", "-"),
        ("3", "expression", "3"),
        ("2 * V", "expression", "2"),
        ("(V", "expression", ""),
        ("V)", "expression", ")"),
        ("Sym(V)", "expression", ")"),
        ("Sym(V, V)", "expression", "V"),
        ("Sym V", "expression", "V"),
        ("V ** 2 ** 2", "expression", "**"),
        ("V.real", "expression", "."),
        ("Symm(V, 2)", "expression", "Symm"),
        ("1 + Vee", "unknown-representation", "Vee"),
        ("V + irrep(1)", "undefined-representation", "irrep(1)"),
        ("irrep('1o')", "undefined-representation", "irrep('1o')"),
        ("irrep('1x')", "expression", "'1x'"),
        ("irrep('99o')", "too-large", "'99o'"),
        ("irrep(99)", "too-large", "99"),
        ("irrep(V)", "expression", "V"),
        ("0 V", "empty-representation", "0 V"),
        ("V + Alt(V, 4) * V", "empty-representation", "Alt(V, 4)"),
        ("1 + V ** 11", "too-large", "V ** 11"),
        ("20001 V", "too-large", "20001"),
        ("1000 1000 V", "too-large", "1000 1000"),
        ("V ** 9999999999999999", "too-large", "9999999999999999"),
        ("Sym(V, 65)", "too-large", "65"),
        ("10000 V + 10000 V", "too-large", "10000 V"),
        ("(V + 1) * (7000 1)", "too-large", "(V + 1) * (7000 1)"),
    ],
)
def test_refusals_and_their_places(text: str, rule: str, shown: str) -> None:
    with pytest.raises(Refusal) as caught:
        evaluate(text, ROTATION)
    refusal = caught.value
    assert refusal.rule == rule
    assert refusal.offset is not None
    start, end = refusal.offset
    assert start < end
    assert text[start:end] == shown


def test_depth_and_length_are_bounded() -> None:
    for bracket in ("(", "dual("):
        deep = bracket * MAX_DEPTH + "V" + ")" * MAX_DEPTH
        assert evaluate(deep, ROTATION) == (ROTATION,)
        with pytest.raises(Refusal) as caught:
            evaluate(f"({deep})", ROTATION)
        assert caught.value.rule == "too-deep"
    with pytest.raises(Refusal) as caught:
        evaluate("V + " * 2000 + "V", ROTATION)
    assert caught.value.rule == "too-large"


def test_what_is_too_large_is_refused_promptly() -> None:
    start = time.process_time()
    towers = (
        "Sym(Sym(Sym(V, 64), 64), 64)",
        "(V ** 64) ** 64",
        "Alt(20000 1, 64)",
        "99999 99999 V",
    )
    for text, n in product(towers, (3, 200)):
        with pytest.raises(Refusal) as caught:
            evaluate(text, SignedPermutation.identity(n))
        assert caught.value.rule == "too-large"
    assert time.process_time() - start < 1


def test_many_generators_on_a_large_space_are_refused() -> None:
    many = [SignedPermutation.identity(300)] * 300
    with pytest.raises(Refusal, match="dimension 20000 is too large for 300 generators"):
        evaluate("66 V + 200 1", *many)


def test_the_largest_representation_is_built() -> None:
    (image,) = evaluate(f"{MAX_DIM} 1", ROTATION)
    assert image.n == MAX_DIM
