"""Breaking words beyond the breadth-first search: division along a base, and cutting short."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eqcompile.actions.chain import build_chain
from eqcompile.actions.search import Ball, Pair, divide_words, shorten
from eqcompile.actions.words import evaluate_word, invert_word, reduce_word
from eqcompile.exact.signed import SignedPermutation
from tests.actions.entries import build, turn, twist_centres


@pytest.mark.parametrize("case", ["cube", "symmetric"])
def test_words_beyond_the_search_come_from_division_along_a_base(case: str) -> None:
    if case == "cube":
        group, images = twist_centres()
    else:
        group = build({"symmetric": 12})
        wrong = SignedPermutation.unsigned([6, *range(1, 6), 0, *range(7, 12)])
        images = [wrong, group.signed[1]]
    points = np.array([g.perm for g in group.signed])
    ball = Ball(Pair(points, np.array([g.perm for g in images])), 500)
    for _ in ball.list_breaking():
        pass
    word = divide_words(ball, build_chain(points).base, 20_000)
    assert word is not None
    for found in (word, shorten(ball, word)):
        assert evaluate_word(found, group.signed).is_identity
        assert not evaluate_word(found, images).is_identity
    assert len(shorten(ball, word)) <= len(word)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 9)), min_size=20, max_size=40))
def test_long_words_are_cut_short(letters: list[tuple[int, int]]) -> None:
    group = build({"symmetric": 10})
    images = [turn(2), SignedPermutation.identity(2)]
    ball = Ball(Pair(*(np.array([g.perm for g in side]) for side in (group.signed, images))), 400)
    for _ in ball.list_breaking():
        pass
    by = reduce_word(tuple(letters))
    # (0 1) has an odd image, and so has every product of an odd number of it: 9 in this word.
    loop = reduce_word(invert_word(by) + ((0, 1), (1, 1)) * 9 + by)
    assert ball.pair.is_broken_by(loop)
    short = shorten(ball, loop)
    assert ball.pair.is_broken_by(short)
    assert len(short) <= 18
