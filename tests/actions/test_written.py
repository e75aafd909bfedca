"""Permutations as a spec writes them: every mistake, its rule, its place, its text, its remedy."""

from __future__ import annotations

import pytest

from eqcompile.errors import Refusal
from tests.actions.entries import Entry, build, refuse, spell_entry

CYCLES = "write cycles such as (0 1 2)(3 4), or a list of images"


def signed(*entries: tuple[list[int], list[int]]) -> Entry:
    return {"signed_permutations": [{"perm": p, "signs": s} for p, s in entries]}


GOLDEN: tuple[tuple[Entry, Refusal], ...] = (
    (
        {"permutations": [3]},
        Refusal(
            "type",
            "expected cycles or a list of images, found 3",
            CYCLES,
            ("permutations", 0),
        ),
    ),
    (
        {"permutations": [[0, True]]},
        Refusal(
            "type",
            "expected a list of whole numbers, found true in it",
            "write whole numbers",
            ("permutations", 0),
        ),
    ),
    (
        {"permutations": ["()"]},
        Refusal(
            "points-unknown",
            "these permutations do not say on how many points they act",
            "write lists of images, or name the last point, as in (0 1)(4)",
            ("permutations",),
        ),
    ),
    (
        {"permutations": ["(0 1"], "n": 2},
        Refusal("cycle-notation", "a cycle is not closed", CYCLES, ("permutations", 0)),
    ),
    (
        {"permutations": [" "], "n": 2},
        Refusal("cycle-notation", "no cycle; the identity is ()", CYCLES, ("permutations", 0)),
    ),
    (
        {"permutations": ["(0 x)"], "n": 2},
        Refusal("cycle-notation", "unexpected 'x' in cycles", CYCLES, ("permutations", 0), (3, 4)),
    ),
    (
        {"permutations": ["(0 -1)"], "n": 2},
        Refusal("cycle-notation", "unexpected '-' in cycles", CYCLES, ("permutations", 0), (3, 4)),
    ),
    (
        {"permutations": ["(0 (1))"]},
        Refusal("cycle-notation", "unexpected '(' in cycles", CYCLES, ("permutations", 0), (3, 4)),
    ),
    (
        {"permutations": ["0 1"]},
        Refusal("cycle-notation", "unexpected '0' in cycles", CYCLES, ("permutations", 0), (0, 1)),
    ),
    (
        {"permutations": ["(0 \u0663)"]},
        Refusal(
            "cycle-notation", "unexpected '\u0663' in cycles", CYCLES, ("permutations", 0), (3, 4)
        ),
    ),
    (
        {"permutations": ["(0 1)(1 2)"]},
        Refusal(
            "not-a-permutation",
            "point 1 comes twice",
            "write each point once",
            ("permutations", 0),
            (6, 7),
        ),
    ),
    (
        {"permutations": ["(0 1)", "(0 12)"], "n": 3},
        Refusal(
            "not-a-permutation",
            "point 12 is not below n = 3",
            "points are 0 to 2",
            ("permutations", 1),
            (3, 5),
        ),
    ),
    (
        {"permutations": ["(0 4999999)"]},
        Refusal(
            "too-large",
            "a group acts on at most 5000 points, this one on 5000000",
            "use a smaller size",
            ("permutations",),
        ),
    ),
    (
        {"permutations": [[1, 0], [0, 1, 2]]},
        Refusal(
            "size-mismatch",
            "a list of 3 images, the permutations act on 2 points",
            "list 2 images",
            ("permutations", 1),
        ),
    ),
    (
        {"permutations": [[0, 2, 1], [0, 2, 2]]},
        Refusal(
            "not-a-permutation",
            "point 2 comes twice",
            "write each point once",
            ("permutations", 1, 2),
        ),
    ),
    (
        {"permutations": [[0, -1]]},
        Refusal(
            "not-a-permutation",
            "point -1 is not in 0..1",
            "points are 0 to 1",
            ("permutations", 0, 1),
        ),
    ),
    (
        signed(([1, 0], [1, 2])),
        Refusal(
            "not-a-sign",
            "a sign is 1 or -1, this one is 2",
            "write 1 or -1",
            ("signed_permutations", 0, "signs", 1),
        ),
    ),
    (
        signed(([1, 0], [1])),
        Refusal(
            "size-mismatch",
            "1 signs for 2 images",
            "list 2 signs",
            ("signed_permutations", 0, "signs"),
        ),
    ),
    (
        signed(([1, 0], [1, 1]), ([0, 0], [1, 1])),
        Refusal(
            "not-a-permutation",
            "point 0 comes twice",
            "write each point once",
            ("signed_permutations", 1, "perm", 1),
        ),
    ),
)


@pytest.mark.parametrize(("entry", "refusal"), GOLDEN, ids=spell_entry)
def test_a_mistake_is_named_with_its_place_and_remedy(entry: Entry, refusal: Refusal) -> None:
    assert refuse(entry) == (refusal,)


def test_a_separator_may_be_a_comma() -> None:
    assert build({"permutations": ["(0, 1,2) (3 4)"]}).labels == ("(0 1 2)(3 4)",)
