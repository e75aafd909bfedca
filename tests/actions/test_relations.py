"""Images of generators: actions are accepted, else the word that breaks them is named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import factorial
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eqcompile.actions import quotients, relations
from eqcompile.actions.chain import Elements, compute_order
from eqcompile.actions.group import Group, name_generators
from eqcompile.actions.quotients import is_action, list_unproven_orbits
from eqcompile.actions.relations import check_images, compute_group_order, find_breaking_word
from eqcompile.actions.words import Word, evaluate_word
from eqcompile.errors import Refusal
from eqcompile.exact.monomials import move_subsets, move_tuples
from eqcompile.exact.signed import SignedPermutation, direct_sum, kron
from tests.actions.entries import (
    FAMILIES,
    Entry,
    build,
    parse_word,
    spell_entry,
    turn,
    twist_centres,
)
from tests.actions_of import load_cases, read_generator

Images = Sequence[SignedPermutation]

SENTENCE = re.compile(
    r"the output is no action of (?P<group>.*): the word (?P<word>.*) is the identity in the "
    r"group, its image sends e_(?P<start>\d+) to (?P<sign>-?)e_(?P<end>\d+) "
    r"\(the leftmost factor acts last\)"
)


def multiply_out(word: Word, generators: Images) -> SignedPermutation:
    """Multiply a word factor by factor, without the powers of `evaluate_word`."""
    product = SignedPermutation.identity(generators[0].n)
    for generator, exponent in word:
        step = generators[generator] if exponent > 0 else generators[generator].inverse()
        for _ in range(abs(exponent)):
            product = product @ step
    return product


def refuse(group: Group, images: Images) -> Refusal:
    with pytest.raises(Refusal) as caught:
        check_images(group, images, "the output")
    return caught.value


def read_refusal(group: Group, images: Images) -> Word:
    """Check the refusal of images that are no action, and that its printed word shows it."""
    refusal = refuse(group, images)
    assert refusal.rule == "not-an-action"
    assert refusal.help.startswith("give images that keep the relations between ")
    match = SENTENCE.fullmatch(refusal.text)
    assert match, refusal.text
    assert match["group"] == group.name
    word = parse_word(match["word"], group.labels)
    assert multiply_out(word, group.signed).is_identity
    image = multiply_out(word, images)
    start = int(match["start"])
    assert image.perm[start] == int(match["end"])
    assert image.signs[start] == (-1 if match["sign"] else 1)
    assert not image.is_identity
    found = find_breaking_word(group, images)
    assert found is not None
    assert multiply_out(found, group.signed).is_identity
    assert multiply_out(found, images) == image
    return word


def is_an_action(group: Group, images: Images) -> bool:
    """Decide by definition: the group beside its images is not larger than the group."""
    pairs = [direct_sum([g, h]) for g, h in zip(group.signed, images, strict=True)]
    order = compute_order(np.array([g.double() for g in pairs]))
    return order == compute_order(np.array([g.double() for g in group.signed]))


def sign_of(group: Group) -> list[SignedPermutation]:
    return [SignedPermutation(np.array([0]), np.array([g.parity()])) for g in group.signed]


@pytest.mark.parametrize("entry", FAMILIES, ids=spell_entry)
def test_images_that_break_one_relation_are_refused_with_its_word(entry: Entry) -> None:
    group = build(entry)
    for broken in range(len(group.signed)):
        # One generator also turns 5 (or 7) new points: only its own order, 1 to 11, is broken.
        order = compute_order(group.signed[broken].double()[None, :])
        extra = turn(7 if order % 5 == 0 else 5)
        still = SignedPermutation.identity(extra.n)
        images = [
            direct_sum([g, extra if i == broken else still]) for i, g in enumerate(group.signed)
        ]
        word = read_refusal(group, images)
        assert {generator for generator, _ in word} & {broken}


@pytest.mark.parametrize("entry", FAMILIES, ids=spell_entry)
def test_images_that_break_a_relation_between_generators_are_refused(entry: Entry) -> None:
    group = build(entry)
    if len(group.signed) == 1:
        # One generator has no relation but its order: a negation breaks an odd one.
        images: Images = [SignedPermutation(g.perm, -g.signs) for g in group.signed]
        odd = compute_group_order(group) % 2 == 1
        assert (find_breaking_word(group, images) is not None) == odd
        return
    # The first generator is conjugated by a permutation of the points: orders are kept.
    refused = 0
    for k in range(1, group.dim):
        by = SignedPermutation.unsigned([k, *range(1, k), 0, *range(k + 1, group.dim)])
        first = by @ group.signed[0] @ by.inverse()
        images = [first, *group.signed[1:]]
        if is_an_action(group, images):
            check_images(group, images, "the output")
        else:
            assert len({generator for generator, _ in read_refusal(group, images)}) > 1
            refused += 1
    assert refused or group.dim < 4


@pytest.mark.parametrize("entry", FAMILIES, ids=spell_entry)
def test_actions_are_accepted(entry: Entry) -> None:
    group = build(entry)
    by = SignedPermutation(np.roll(np.arange(group.dim), 1), (-1) ** np.arange(group.dim))
    inner = evaluate_word(((0, 1), (len(group.signed) - 1, 2), (0, -1)), group.signed)
    for images in (
        group.signed,
        [by @ g @ by.inverse() for g in group.signed],
        [inner @ g @ inner.inverse() for g in group.signed],
        [SignedPermutation.unsigned(g.perm) for g in group.signed],
        [SignedPermutation.identity(3) for _ in group.signed],
        [SignedPermutation(np.array([0]), np.array([g.det()])) for g in group.signed],
        sign_of(group),
        [move_tuples(g, 2) for g in group.signed],
        [move_subsets(g, min(2, g.n), alternating=True) for g in group.signed],
        [direct_sum([g, kron(g, g)]) for g in group.signed],
    ):
        assert find_breaking_word(group, images) is None
        check_images(group, images, "the output")


SMALL_GROUPS: tuple[Entry, ...] = (
    {"symmetric": 2},
    {"symmetric": 3},
    {"cyclic": 4},
    {"dihedral": 4},
    {"alternating": 4},
    {"hyperoctahedral": 2},
    {"permutations": ["(0 1 2)(3 4)"]},
    {"permutations": ["(0 1)(2 3)", "(0 2)(1 3)"]},
    {"signed_permutations": [{"perm": [1, 0], "signs": [1, -1]}]},
)


@st.composite
def groups_with_images(draw: st.DrawFn) -> tuple[Group, list[SignedPermutation]]:
    group = build(draw(st.sampled_from(SMALL_GROUPS)))
    n = draw(st.integers(1, 5))
    signed = draw(st.booleans())
    images = []
    for _ in group.signed:
        perm = draw(st.permutations(range(n)))
        signs = draw(st.lists(st.sampled_from([1, -1] if signed else [1]), min_size=n, max_size=n))
        images.append(SignedPermutation(np.array(perm), np.array(signs)))
    return group, images


@given(groups_with_images())
def test_any_images_are_judged_by_the_orders(pair: tuple[Group, list[SignedPermutation]]) -> None:
    group, images = pair
    if is_an_action(group, images):
        check_images(group, images, "the output")
        assert find_breaking_word(group, images) is None
    else:
        read_refusal(group, images)


@st.composite
def made_actions(draw: st.DrawFn) -> tuple[Group, list[SignedPermutation]]:
    """Draw a group, and the action on a few of its orbits on words: sums, products, conjugates."""
    group = build(draw(st.sampled_from(FAMILIES[:10])))
    assume(group.dim <= 9)
    parts: list[list[SignedPermutation]] = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["same", "conjugate", "square", "sign", "trivial"]))
        word = draw(
            st.lists(
                st.tuples(st.integers(0, len(group.signed) - 1), st.integers(-3, 3)),
                max_size=4,
            )
        )
        by = evaluate_word(tuple(word), group.signed)
        parts.append(
            {
                "same": list(group.signed),
                "conjugate": [by @ g @ by.inverse() for g in group.signed],
                "square": [kron(g, g) for g in group.signed],
                "sign": sign_of(group),
                "trivial": [SignedPermutation.identity(1)] * len(group.signed),
            }[kind]
        )
    return group, [direct_sum([p[i] for p in parts]) for i in range(len(group.signed))]


@given(made_actions())
def test_what_is_made_of_the_group_is_an_action(
    pair: tuple[Group, list[SignedPermutation]],
) -> None:
    check_images(*pair, "the output")


GOLDEN: tuple[tuple[Entry, list[str] | list[list[int]], str], ...] = (
    ({"symmetric": 3}, ["(0 1)", "(0 2)"], "(0 1 2)^3"),
    ({"symmetric": 3}, ["(0 1 2)", "(0 1 2)"], "(0 1)^2"),
    (
        {"symmetric": 5},
        ["(0 2)(3 4)", "(0 1 2 3 4)"],
        "((0 1) (0 1 2 3 4)^-2 (0 1) (0 1 2 3 4)^2)^2",
    ),
    ({"symmetric": 2}, ["(0 1)", "(0)(1)"], "swap cycle"),
    ({"trivial": 4}, ["(0 1)"], "()"),
    ({"cyclic": 4}, ["(0 1 2)"], "(0 1 2 3)^4"),
    (
        {"permutations": ["(0 1)(2 3)", "(0 2)(1 3)"]},
        ["(0 1)", "(1 2)"],
        "((0 1)(2 3) (0 2)(1 3))^2",
    ),
    ({"permutations": ["(0 1)(2 3)"]}, ["(0 1 2)"], "((0 1)(2 3))^2"),
)


@pytest.mark.parametrize(("entry", "images", "word"), GOLDEN, ids=spell_entry)
def test_the_word_is_short_and_printed_readably(entry: Entry, images: list[str], word: str) -> None:
    group = build(entry)
    target = build({"permutations": images})
    refusal = refuse(group, target.signed)
    match = SENTENCE.fullmatch(refusal.text)
    assert match
    assert match["word"] == word


def test_a_refusal_in_full() -> None:
    refusal = refuse(build({"symmetric": 3}), build({"permutations": ["(0 1)", "(0 2)"]}).signed)
    assert refusal == Refusal(
        "not-an-action",
        "the output is no action of S_3: the word (0 1 2)^3 is the identity in the group, its "
        "image sends e_0 to e_2 (the leftmost factor acts last)",
        "give images that keep the relations between (0 1), (0 1 2), in this order",
    )


def test_signs_count() -> None:
    group = build({"hyperoctahedral": 20})
    signs = np.array([-1] + [1] * 19)
    images = [
        *group.signed[:2],
        SignedPermutation(group.signed[2].perm, signs),
    ]
    assert refuse(group, images).text.startswith(
        "the output is no action of B_20: the word (0 1 ... 19)^20 is the identity in the group, "
        "its image sends e_0 to -e_0"
    )


def test_the_number_of_images_is_that_of_the_generators() -> None:
    group = build({"symmetric": 3})
    assert refuse(group, group.signed[:1]) == Refusal(
        "image-count",
        "the output has 1 image, S_3 has 2 generators",
        "give one image for each of (0 1), (0 1 2), in this order",
    )


def test_images_act_on_equally_many_points() -> None:
    refusal = refuse(build({"symmetric": 3}), [turn(2), turn(3)])
    assert refusal == Refusal(
        "size-mismatch",
        "the output acts on 2 points, its image of (0 1 2) on 3",
        "give images on 2 points",
        (1,),
    )


@pytest.mark.parametrize("n", [50, 100])
def test_large_groups_are_checked_in_seconds(n: int) -> None:
    group = build({"symmetric": n})
    check_images(group, group.signed, "the output")
    check_images(group, [g.inverse() for g in group.signed], "the output")
    check_images(group, sign_of(group), "the output")
    read_refusal(group, group.signed[::-1])
    wrong = SignedPermutation.unsigned([n // 2, *range(1, n // 2), 0, *range(n // 2 + 1, n)])
    read_refusal(group, [wrong, group.signed[1]])


def test_quotients_of_the_points_need_no_order() -> None:
    group = build({"symmetric": 1000})
    check_images(group, group.signed[::1], "the output")
    wheel = build({"cyclic": 5000})
    check_images(wheel, [turn(50)], "the output")
    check_images(wheel, [wheel.signed[0].inverse()], "the output")


def test_what_cannot_be_decided_is_refused_as_too_large() -> None:
    group = build({"symmetric": 500})
    assert refuse(group, sign_of(group)) == Refusal(
        "too-large",
        "the output cannot be checked to be an action of S_500: the order of a group is computed "
        "on at most 400 points, this one acts on 500",
        "write it as an expression in V, or use a smaller group",
    )
    # What is none can still be seen to be none.
    read_refusal(group, group.signed[::-1])


def test_an_orbit_too_long_to_be_carried_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotients, "MAX_CARRIED", 100)
    group = build({"symmetric": 8})
    images = [move_subsets(g, 3, alternating=False) for g in group.signed]
    assert refuse(group, images).rule == "too-large"


def test_orbits_are_proven_by_index_where_they_are_no_quotients() -> None:
    group = build({"symmetric": 6})
    points = np.array([g.perm for g in group.signed])
    images = np.array([move_subsets(g, 2, alternating=False).perm for g in group.signed])
    (orbit,) = list_unproven_orbits(points, images, 0)
    assert is_action(points, images, orbit, 720)


def test_the_verdict_needs_no_luck(monkeypatch: pytest.MonkeyPatch) -> None:
    def multiply_none(elements: Elements, chooser: object) -> Elements:
        return elements[:0]

    monkeypatch.setattr(quotients, "_multiply_some", multiply_none)
    group = build({"symmetric": 7})
    check_images(group, [move_subsets(g, 3, alternating=False) for g in group.signed], "U")
    check_images(group, [move_subsets(g, 2, alternating=True) for g in group.signed], "U")
    read_refusal(group, group.signed[::-1])


def list_case_pairs() -> list[dict[str, Any]]:
    """Return the public cases with groups that act in two unlike ways, once per pair."""
    pairs: dict[str, dict[str, Any]] = {}
    for case in load_cases():
        if case["n"] + case["m"] <= 40:
            pairs.setdefault(str([case["generators"], case["output_generators"]]), case)
    return list(pairs.values())


def test_the_cases_are_judged_by_the_orders_of_others() -> None:
    accepted = refused = 0
    for case in list_case_pairs():
        inputs = tuple(read_generator(g) for g in case["generators"])
        outputs = [read_generator(g) for g in case["output_generators"]]
        group = Group("G", inputs, name_generators(inputs))
        # group_order is that of the input and the output side by side.
        if case.get("group_order", 0) == compute_group_order(group):
            check_images(group, outputs, "the output")
            accepted += 1
        elif "group_order" in case:
            read_refusal(group, outputs)
            refused += 1
    assert accepted > 100
    assert refused > 5


def test_check_images_falls_back_on_division(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relations, "_search_word", lambda *arguments: None)
    read_refusal(*twist_centres())


def test_a_verdict_stands_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relations, "_search_word", lambda *arguments: None)
    monkeypatch.setattr(relations, "_DIVISIONS", 0)
    group = build({"symmetric": 3})
    refusal = refuse(group, [turn(2), turn(2)])
    assert refusal.rule == "not-an-action"
    assert refusal.text.endswith("a larger group is generated; no short word shows it")


def test_orders_of_groups() -> None:
    signed = Group("G", (SignedPermutation(np.array([1, 0]), np.array([1, -1])),), ("g",))
    assert compute_group_order(signed) == 4
    assert compute_group_order(build({"symmetric": 30})) == factorial(30)
    assert name_generators([turn(3), turn(3)]) == ("g0", "g1")
