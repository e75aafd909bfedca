"""Words in generators: products, powers, reduction, and how they are printed."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eqcompile.actions.words import (
    Word,
    evaluate_word,
    invert_word,
    raise_element,
    raise_word,
    reduce_word,
    spell_word,
)
from eqcompile.exact.signed import SignedPermutation
from tests.actions.entries import build, parse_word

GENERATORS = build({"hyperoctahedral": 4}).signed
LABELS = ("(-0)", "(0 1)(2 3)", "turn")

words = st.lists(st.tuples(st.integers(0, 2), st.integers(-5, 5)), max_size=6).map(tuple)


@given(words, words)
def test_words_multiply_like_elements(one: Word, other: Word) -> None:
    left, right = evaluate_word(one, GENERATORS), evaluate_word(other, GENERATORS)
    assert evaluate_word(one + other, GENERATORS) == left @ right
    assert evaluate_word(reduce_word(one), GENERATORS) == left
    assert evaluate_word(invert_word(one), GENERATORS) == left.inverse()
    assert (left @ left.inverse()).is_identity


@given(words, st.integers(1, 7))
def test_powers_of_words_are_powers_of_elements(word: Word, exponent: int) -> None:
    word = reduce_word(word) or ((0, 1),)
    power = SignedPermutation.identity(4)
    for _ in range(exponent):
        power = power @ evaluate_word(word, GENERATORS)
    assert evaluate_word(raise_word(word, exponent), GENERATORS) == power
    assert raise_element(evaluate_word(word, GENERATORS), exponent) == power
    assert raise_element(evaluate_word(word, GENERATORS), -exponent) == power.inverse()


@given(words)
def test_reduced_words_have_no_neighbours_left_to_merge(word: Word) -> None:
    reduced = reduce_word(word)
    assert all(exponent for _, exponent in reduced)
    assert all(a[0] != b[0] for a, b in pairwise(reduced))


@given(words)
def test_printed_words_read_back(word: Word) -> None:
    reduced = reduce_word(word)
    if reduced:
        assert parse_word(spell_word(reduced, LABELS), LABELS) == reduced


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ((), "1"),
        (((0, 1),), "(-0)"),
        (((0, 2), (2, -1)), "(-0)^2 turn^-1"),
        (((1, 3),), "((0 1)(2 3))^3"),
        (((1, 1), (0, 1)) * 3, "((0 1)(2 3) (-0))^3"),
        (((1, 1), (0, 1)) * 3 + ((1, 1),), " ".join(["(0 1)(2 3) (-0)"] * 3 + ["(0 1)(2 3)"])),
    ],
)
def test_words_are_printed_with_brackets_where_needed(word: Word, text: str) -> None:
    assert spell_word(word, LABELS) == text
