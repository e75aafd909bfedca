"""Are these images of the generators an action of the group? If not, which word breaks it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial, prod

import numpy as np

from eqcompile.actions.chain import Elements, StabiliserChain, build_chain, list_orbits
from eqcompile.actions.group import Group
from eqcompile.actions.quotients import is_action, list_unproven_orbits
from eqcompile.actions.search import Ball, Pair, divide_words, shorten, tidy_exponents
from eqcompile.actions.words import Word, evaluate_word, spell_word
from eqcompile.errors import Refusal
from eqcompile.exact.signed import SignedPermutation

# Nodes of the search, and what their images may hold in all.
_BALL = 20_000
_BALL_ENTRIES = 4_000_000
_DIVISIONS = 20_000


def check_images(group: Group, images: Sequence[SignedPermutation], what: str) -> None:
    """Check that the images of a group's generators keep every relation between them.

    Exact in both directions. An image on a quotient of the group's own points needs no work; for
    the rest, orders are compared.

    Args:
        group: The group, by its generators.
        images: One signed permutation per generator, in order.
        what: What they are, such as ``the output``; begins the text of a refusal.

    Raises:
        Refusal: ``image-count`` (not one per generator), ``size-mismatch`` (different dimensions),
            ``not-an-action`` (a relation is broken, the text names the word), ``too-large`` (beyond
            what can be decided).
    """
    _check_shape(group, images, what)
    try:
        verdict = _judge(group, images)
    except Refusal as refusal:
        text = f"{what} cannot be checked to be an action of {group.name}: {refusal.text}"
        help = "write it as an expression in V, or use a smaller group"
        raise Refusal(refusal.rule, text, help) from None
    if not verdict.is_action:
        raise _refuse_word(group, images, what, verdict.word)


def find_breaking_word(group: Group, images: Sequence[SignedPermutation]) -> Word | None:
    """Find a word that is the identity in the group and not in the image.

    Returns:
        Pairs ``(generator, exponent)``, the leftmost factor acting last; None if the images are an
        action of the group (or, for some huge groups, if no word of moderate length was found).

    Raises:
        Refusal: As `check_images`, except ``not-an-action``.
    """
    _check_shape(group, images, "the image")
    return _judge(group, images).word


def compute_group_order(group: Group) -> int:
    """Return the exact order of a group; refuses what `build_chain` refuses."""
    return _build_group_chain(group).order


def _check_shape(group: Group, images: Sequence[SignedPermutation], what: str) -> None:
    if len(images) != len(group.generators):
        count = len(group.generators)
        listed = ", ".join(group.labels[:6]) + (", ..." if count > 6 else "")
        raise Refusal(
            "image-count",
            f"{what} has {_count(len(images), 'image')}, {group.name} has "
            f"{_count(count, 'generator')}",
            f"give one image for each of {listed}, in this order",
        )
    for i, image in enumerate(images):
        if image.n != images[0].n:
            raise Refusal(
                "size-mismatch",
                f"{what} acts on {images[0].n} points, its image of {group.labels[i]} on {image.n}",
                f"give images on {images[0].n} points",
                (i,),
            )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _list_points(elements: Sequence[SignedPermutation]) -> tuple[Elements, int]:
    """Return the action on points, ``+-e_i`` where there are signs, and half their number there."""
    if all(g.is_unsigned for g in elements):
        return np.array([g.perm for g in elements]), 0
    return np.array([g.double() for g in elements]), elements[0].n


def _build_group_chain(group: Group) -> StabiliserChain:
    points, half = _list_points(group.generators)
    if not half:
        return build_chain(points)
    orbits = list_orbits(np.array([g.perm for g in group.generators]))
    return build_chain(points, bound=2**half * prod(factorial(len(orbit)) for orbit in orbits))


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Whether images are an action, and if not, a word that shows it, where one was found."""

    is_action: bool
    word: Word | None = None


def _judge(group: Group, images: Sequence[SignedPermutation]) -> _Verdict:
    """Decide whether images are an action; refuse only what can neither be proven nor broken."""
    try:
        orbit = _find_false_orbit(group, images)
    except Refusal:
        # What is too large to be proven an action may yet be seen to be none.
        word = _search_word(group, images, None)
        if word is None:
            raise
        return _Verdict(False, word)
    return _Verdict(True) if orbit is None else _Verdict(False, _find_word(group, images, orbit))


def _find_false_orbit(group: Group, images: Sequence[SignedPermutation]) -> list[int] | None:
    """Return an orbit of the image that is no action of the group, None if they all are."""
    points, _ = _list_points(group.generators)
    moved, half = _list_points(images)
    unproven = list_unproven_orbits(points, moved, half)
    if not unproven:
        return None
    order = _build_group_chain(group).order
    return next((o for o in unproven if not is_action(points, moved, o, order)), None)


def _find_word(group: Group, images: Sequence[SignedPermutation], orbit: list[int]) -> Word | None:
    """Find a word that breaks an orbit known to be no action of the group."""
    word = _search_word(group, images, orbit)
    if word is not None:
        return word
    ball = Ball(_pair_up(group, images, orbit), 1000)
    for _ in ball.list_breaking():
        pass
    word = divide_words(ball, _build_group_chain(group).base, _DIVISIONS)
    return None if word is None else tidy_exponents(ball.pair, shorten(ball, word))


def _search_word(
    group: Group, images: Sequence[SignedPermutation], orbit: list[int] | None
) -> Word | None:
    """Search words of few syllables for one that breaks the image, on one orbit or on all."""
    pair = _pair_up(group, images, orbit)
    room = _BALL_ENTRIES // (pair.points.shape[1] + pair.images.shape[1])
    for word in Ball(pair, min(_BALL, max(room, 100))).list_breaking():
        if pair.is_broken_by(word):
            return tidy_exponents(pair, word)
    return None


def _pair_up(group: Group, images: Sequence[SignedPermutation], orbit: list[int] | None) -> Pair:
    points, _ = _list_points(group.generators)
    moved, _ = _list_points(images)
    if orbit is not None:
        place = np.zeros(moved.shape[1], dtype=np.int64)
        place[orbit] = np.arange(len(orbit))
        moved = place[moved[:, orbit]]
    return Pair(points, moved)


def _refuse_word(
    group: Group, images: Sequence[SignedPermutation], what: str, word: Word | None
) -> Refusal:
    """Say which word breaks an image, and what its image moves."""
    listed = ", ".join(group.labels[:6]) + (", ..." if len(group.labels) > 6 else "")
    help = f"give images that keep the relations between {listed}, in this order"
    if word is None:
        text = (
            f"{what} is no action of {group.name}: with the generators beside their images a "
            "larger group is generated; no short word shows it"
        )
        return Refusal("not-an-action", text, help)
    image = evaluate_word(word, images)
    start = int(np.flatnonzero((image.perm != np.arange(image.n)) | (image.signs < 0))[0])
    target = f"{'-' if image.signs[start] < 0 else ''}e_{image.perm[start]}"
    text = (
        f"{what} is no action of {group.name}: the word {spell_word(word, group.labels)} is the "
        f"identity in the group, its image sends e_{start} to {target} "
        "(the leftmost factor acts last)"
    )
    return Refusal("not-an-action", text, help)
