"""Images of matrices and Lie algebras: what is an action passes, what is none is named."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from fractions import Fraction
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eqcompile.actions import blocks, consistency
from eqcompile.actions.brackets import find_broken_relation, spell_relation
from eqcompile.actions.consistency import check_action
from eqcompile.actions.expressions import build_representation
from eqcompile.actions.group import Group, Image, Representation
from eqcompile.actions.images import as_matrix, settle_image
from eqcompile.actions.matrix_words import check_words, is_identity, seems_infinite
from eqcompile.errors import Refusal
from eqcompile.exact.matrices import Matrix, direct_sum
from eqcompile.exact.signed import SignedPermutation
from tests.actions.entries import build, pair
from tests.actions.linear import draw_invertible, make_group, sign

SL2Z = {"matrices": [[[0, -1], [1, 0]], [[1, 1], [0, 1]]]}
PENTAGON = {
    "matrices": [
        [["cos(2*pi/5)", "-sin(2*pi/5)"], ["sin(2*pi/5)", "cos(2*pi/5)"]],
        [[1, 0], [0, -1]],
    ]
}
# Reflections in the simple roots of E_6, in the basis of the roots; order 51840.
E6_CARTAN = (
    (2, 0, -1, 0, 0, 0),
    (0, 2, 0, -1, 0, 0),
    (-1, 0, 2, -1, 0, 0),
    (0, -1, -1, 2, -1, 0),
    (0, 0, 0, -1, 2, -1),
    (0, 0, 0, 0, -1, 2),
)
E6 = {
    "matrices": [
        [[int(a == b) - (E6_CARTAN[i][b] if a == i else 0) for b in range(6)] for a in range(6)]
        for i in range(6)
    ]
}


def evaluate(text: str, group: Group) -> Representation:
    return build_representation(text, group, {})


def conjugate(representation: Representation, change: Matrix) -> Representation:
    """Return an isomorphic representation in another basis, so that no block is recognised."""
    inverse = change.inverse()
    images = tuple(
        settle_image(change @ as_matrix(image) @ inverse) for image in representation.images
    )
    algebra = tuple(change @ x @ inverse for x in representation.algebra)
    return Representation("changed", representation.dim, images, algebra)


def check(group: Group, representation: Representation) -> str:
    return check_action(group, representation.images, representation.algebra, "the image")


def refuse(group: Group, images: Sequence[Image], algebra: Sequence[Matrix] = ()) -> Refusal:
    with pytest.raises(Refusal) as caught:
        check_action(group, images, algebra, "the image", (("here",), ("there",)))
    return caught.value


CHANGES = {
    n: Matrix.from_dense(
        [[1 if i == j else Fraction(1, 2) if i == j + 1 else 0 for j in range(n)] for i in range(n)]
    )
    for n in range(1, 20)
}


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"lie": "so", "n": 3}, "Sym(V, 2)"),
        ({"lie": "o", "n": 3}, 'irrep("2e")'),
        ({"lie": "so", "n": 4}, "Alt(V, 2)"),
        ({"lie": "sl", "n": 2}, "Sym(V, 3) + dual(V)"),
        ({"lie": "gl", "n": 2}, "V * V + det"),
        ({"lie": "sp", "n": 2}, "Alt(V, 2)"),
        ({"lie": "su", "n": 2}, "V * V"),
        ({"lie": "lorentz", "n": 4, "component": "full"}, "Sym(V, 2)"),
        (pair("product", {"symmetric": 3}, {"lie": "o", "n": 2}), "V + det"),
        (SL2Z, "V * V"),
        (PENTAGON, "Sym(V, 2) + det"),
        ({"symmetric": 4}, "V + sign"),
        ({"hyperoctahedral": 3}, "Alt(V, 2)"),
    ],
)
def test_expressions_in_another_basis_are_actions(entry: dict[str, object], text: str) -> None:
    group = build(entry)
    representation = evaluate(text, group)
    assert check(group, conjugate(representation, CHANGES[representation.dim])) in {
        "",
        "words up to length 8",
    }


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"lie": "so", "n": 3}, "Sym(V, 2)"),
        ({"lie": "sl", "n": 2}, "Sym(V, 3)"),
        ({"lie": "gl", "n": 2}, "V * V"),
        ({"lie": "sp", "n": 2}, "Alt(V, 2)"),
        ({"lie": "su", "n": 2}, "V"),
        ({"lie": "lorentz", "n": 4}, "V * V"),
        ({"lie": "o", "n": 3}, "V"),
    ],
)
def test_a_scaled_element_breaks_a_bracket(entry: dict[str, object], text: str) -> None:
    """The relation named holds in the group and fails in the image."""
    group = build(entry)
    built = evaluate(text, group)
    for i in range(len(built.algebra)):
        changed = [x.scale(2) if i == j else x for j, x in enumerate(built.algebra)]
        relation = find_broken_relation(group, built.images, changed)
        assert relation is not None
        own = dict(zip(group.labels[len(group.generators) :], group.algebra, strict=True))
        image = dict(zip(group.labels[len(group.generators) :], changed, strict=True))
        turns = dict(
            zip(group.labels, zip(group.generators, built.images, strict=True), strict=False)
        )
        assert evaluate_relation(spell_relation(relation), own, turns, 0).is_zero
        assert not evaluate_relation(spell_relation(relation), image, turns, 1).is_zero


def evaluate_relation(
    text: str,
    elements: dict[str, Matrix],
    turns: dict[str, tuple[Image, Image]],
    side: int,
) -> Matrix:
    """Read a sum of brackets back and multiply it out."""
    total = None
    for start, term in re.findall(r"(^-?|[+-] )((?:[^+-]|\^-|\(-)+)", text):
        match = re.fullmatch(r"(?:([0-9/]+) )?(.*)", term.strip())
        assert match
        size, label = match[1] or "1", match[2]
        value = read_term(label, elements, turns, side).scale(Fraction(size))
        value = -value if start.strip() == "-" else value
        total = value if total is None else total + value
    assert total is not None
    return total


def read_term(
    label: str,
    elements: dict[str, Matrix],
    turns: dict[str, tuple[Image, Image]],
    side: int,
) -> Matrix:
    if label in elements:
        return elements[label]
    if label.startswith("["):
        depth = 0
        for i, c in enumerate(label):
            depth += (c == "[") - (c == "]")
            if c == "," and depth == 1:
                left = read_term(label[1:i], elements, turns, side)
                right = read_term(label[i + 2 : -1], elements, turns, side)
                return left @ right - right @ left
    turn = next(name for name in turns if label.startswith(f"{name} "))
    g = as_matrix(turns[turn][side])
    inner = label.removeprefix(f"{turn} ").removesuffix(f" {turn}^-1")
    return g @ read_term(inner, elements, turns, side) @ g.inverse()


def test_a_reflection_must_turn_rotations_round() -> None:
    """Brackets and words hold, the pair of both does not: O(2) with a trivial reflection."""
    group = build({"lie": "o", "n": 2})
    turn = group.algebra[0]
    refusal = refuse(group, [SignedPermutation.identity(2)], [turn])
    assert "(-0) J01 (-0)^-1 + J01 is 0 in its Lie algebra" in refusal.text
    assert refusal.at == ("there",)
    assert check_action(group, [sign([0, 1], [1, -1])], [turn.scale(3)], "x") == ""


def test_covers_are_actions_of_the_algebra() -> None:
    """Brackets do not tell SO(3) from SU(2): spinors are an action of its Lie algebra."""
    so3, su2 = build({"lie": "so", "n": 3}), build({"lie": "su", "n": 2})
    j, s = su2.algebra
    half = Fraction(1, 2)
    assert check_action(so3, (), (j.scale(half), s.scale(half)), "the image") == ""
    assert check_action(su2, (), tuple(x.scale(2) for x in so3.algebra), "the image") == ""


def test_words_of_irrational_matrices() -> None:
    group = build(PENTAGON)
    turn, mirror = group.generators
    square = as_matrix(turn) @ as_matrix(turn)
    assert check_action(group, (square, mirror), (), "the image") == ""
    refusal = refuse(group, (-square, mirror))
    assert "the word g0^5 is the identity in the group, its image has -1 at row 0" in refusal.text
    assert refusal.rule == "not-an-action"
    assert refusal.at == ("here",)
    refusal = refuse(group, (mirror, turn))
    assert "(-1)^2" in refusal.text or "g0^5" in refusal.text


def test_words_of_infinite_groups() -> None:
    group = build(SL2Z)
    scope = check(group, conjugate(evaluate("V", group), CHANGES[2]))
    assert scope == "words up to length 8"
    quarter, shear = group.generators
    refusal = refuse(group, (quarter, as_matrix(shear) @ as_matrix(shear)))
    assert "(-0 1) g1 (-0 1)^-1 g1 (-0 1) g1" in refusal.text
    # A free group has no relations, so every pair of matrices is an action of it.
    free = build({"matrices": [[[1, 2], [0, 1]], [[1, 0], [2, 1]]]})
    assert check_action(free, (Matrix.from_dense([[7]]), Matrix.from_dense([[3]])), (), "x")
    rotation = build({"matrices": [[["3/5", "-4/5"], ["4/5", "3/5"]]]})
    assert check_action(rotation, (Matrix.from_dense([[5]]),), (), "x") == "words up to length 8"


def test_a_long_relation_of_a_finite_group_is_found() -> None:
    """W(E_6) has 51840 elements; all its relations are checked, also those longer than 8."""
    group = build(E6)
    images = [as_matrix(g) for g in group.generators]
    start = time.process_time()
    found = check_words(group.generators, [direct_sum([g, g]) for g in images])
    assert (found.word, found.length) == (None, None)
    assert time.process_time() - start < 10
    # A cycle of 24 points has a quotient of 12, and none of 36.
    cycle = build({"cyclic": 12}).signed[0]
    big = build({"cyclic": 24})
    assert check_words(big.generators, (Matrix.from_signed(cycle),)).word is None
    small = build({"cyclic": 36}).signed[0]
    word = check_words(big.generators, (Matrix.from_signed(small),)).word
    assert word in {((0, 24),), ((0, -24),)}


@given(st.data())
def test_words_that_are_named_are_broken(data: st.DataObject) -> None:
    """A finite group with images conjugated one by one: no false alarm, no false word."""
    n = data.draw(st.integers(2, 3))
    group = build({"hyperoctahedral": n})
    change = data.draw(draw_invertible(n))
    inverse = change.inverse()
    honest = [settle_image(change @ as_matrix(g) @ inverse) for g in group.generators]
    assert check_words(group.generators, honest).word is None
    broken = [group.generators[0], *honest[1:]]
    word = check_words(group.generators, broken).word
    if word is not None:
        assert is_identity(group.generators, word)
        assert not is_identity(broken, word)
    else:
        images = [as_matrix(b) for b in broken]
        for i, j in ((0, 1), (1, 0)):
            long = reduce(Matrix.__matmul__, [images[i] @ images[j]] * 12)
            own = reduce(
                Matrix.__matmul__,
                [as_matrix(group.generators[i]) @ as_matrix(group.generators[j])] * 12,
            )
            assert own != Matrix.identity(n) or long == Matrix.identity(n)


def test_traces_show_infinite_order() -> None:
    assert seems_infinite(build(SL2Z).generators)
    assert seems_infinite(build({"matrices": [[["3/5", "-4/5"], ["4/5", "3/5"]]]}).generators)
    assert seems_infinite(build({"matrices": [[["sqrt(2)", 0], [0, 1]]]}).generators)
    for entry in (PENTAGON, E6, {"symmetric": 5}, {"dihedral": 7}):
        assert not seems_infinite(build(entry).generators)


def test_blocks_of_the_own_action_need_no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Input and output side by side, in any order and number: nothing is multiplied out."""
    group = build(pair("union", {"lie": "so", "n": 3}, {"lie": "sl", "n": 2}, {"trivial": 1}))
    for name in ("find_broken_relation", "check_words", "check_images"):
        monkeypatch.setattr(consistency, name, lambda *a: pytest.fail("checked"))
    for chosen in ([0, 1, 2], [3, 4], [3, 4, 0, 1, 2], [0, 1, 2, 0, 1, 2, 5, 5], list(range(6))):
        parts = [direct_sum_of(x, chosen) for x in group.algebra]
        identity = SignedPermutation.identity(len(chosen))
        assert check_action(group, (identity,), parts, "the image") == ""


def direct_sum_of(element: Matrix, chosen: list[int]) -> Matrix:
    """Return the blocks of a block-diagonal element that start at some coordinates."""
    starts = {0: [0, 1, 2], 3: [3, 4], 5: [5]}
    found = [element.take_rows(starts[c]).take_columns(starts[c]) for c in chosen if c in starts]
    return direct_sum(found)


def test_blocks_that_are_not_the_own_are_checked() -> None:
    group = build({"lie": "so", "n": 3})
    z, x = group.algebra
    assert blocks.list_unproven(group, (), (direct_sum([z, z]), direct_sum([x, x]))) == []
    left = blocks.list_unproven(group, (), (direct_sum([z, -z]), direct_sum([x, x])))
    assert [block.tolist() for block in left] == [[3, 4, 5]]
    mixed = refuse(group, (), (direct_sum([z, -z]), direct_sum([x, x.scale(2)])))
    assert mixed.rule == "not-an-action"


def test_permutations_beside_an_algebra_are_checked_exactly() -> None:
    """The discrete part of a product: images of S_3 by permutations, of SO(2) by a rotation."""
    group = build(pair("union", {"symmetric": 3}, {"lie": "so", "n": 2}))
    turn = Matrix.from_dense([[0, -2], [2, 0]])
    swap, cycle = (SignedPermutation.identity(2), SignedPermutation.identity(2))
    assert check_action(group, (swap, cycle), (turn,), "the image") == ""
    minus = sign([0, 1], [-1, -1])
    refusal = refuse(group, (swap, minus), (turn,))
    assert "(0 1 2)^3 is the identity" in refusal.text
    assert refusal.at == ("here",)


def test_too_large_an_algebra_is_refused() -> None:
    group = build({"lie": "so", "n": 40})
    refusal = refuse(group, (), tuple(x.scale(-1) for x in group.algebra))
    assert refusal.rule == "too-large"
    assert "cannot be checked to be an action of SO(40)" in refusal.text
    # The action itself needs no check, however large.
    assert check_action(group, (), group.algebra, "x") == ""


def test_cases_are_checked_in_milliseconds() -> None:
    """As the cases are given: T(2) and V of Sp(4) side by side, each a block of the group."""
    group = build({"lie": "sp", "n": 2})
    tensors = evaluate("V ** 2", group)
    paired = tuple(direct_sum([a, b]) for a, b in zip(tensors.algebra, group.algebra, strict=True))
    both = make_group(algebra=paired)
    start = time.process_time()
    for image in (tensors.algebra, group.algebra):
        assert check_action(both, (), image, "the image") == ""
    assert time.process_time() - start < 0.1
