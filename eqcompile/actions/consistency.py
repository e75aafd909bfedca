"""Are these images of generators of any kind an action of the group?

Signed permutations are decided by orders of groups (`eqcompile.actions.relations`), elements of a
Lie algebra by their brackets (`eqcompile.actions.brackets`), matrices by words
(`eqcompile.actions.matrix_words`). What an image does to the coordinates of an invariant block of
the group's own needs no check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from eqcompile.actions.blocks import list_unproven, restrict_image
from eqcompile.actions.brackets import find_broken_relation, spell_relation
from eqcompile.actions.group import Group, Image
from eqcompile.actions.images import as_matrix
from eqcompile.actions.matrix_words import check_words
from eqcompile.actions.relations import check_images
from eqcompile.actions.words import Word, evaluate_word, spell_word
from eqcompile.errors import PathPart, Refusal
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import SignedPermutation


def check_action(
    group: Group,
    images: Sequence[Image],
    algebra: Sequence[Matrix],
    what: str,
    places: tuple[tuple[PathPart, ...], tuple[PathPart, ...]] = ((), ()),
) -> str:
    """Check that images keep the relations between the generators of a group.

    Args:
        group: The group, by its generators.
        images: One image per discrete generator, in order.
        algebra: One image per element of the Lie algebra, in order.
        what: What they are, such as ``the output``; begins the text of a refusal.
        places: Where the images of either kind are written.

    Returns:
        What was checked, where that is not everything: ``words up to length 8``; else empty.

    Raises:
        Refusal: As `check_images` of relations; ``not-an-action`` names a word or a sum of
            brackets.
    """
    signed = [image for image in images if isinstance(image, SignedPermutation)]
    if len(signed) == len(images) and group.is_signed:
        return _check_signed(group, signed, what, places[0])
    unproven = list_unproven(group, images, algebra)
    if not unproven:
        return ""
    block = np.sort(np.concatenate(unproven))
    _check_algebra(
        group,
        [restrict_image(image, block) for image in images],
        [as_matrix(restrict_image(element, block)) for element in algebra],
        what,
        places[1],
    )
    if not images:
        return ""
    own = _leave_algebra(group)
    if len(signed) == len(images) and own.is_signed:
        return _check_signed(own, signed, what, places[0])
    try:
        found = check_words(group.generators, [restrict_image(image, block) for image in images])
    except Refusal as refusal:
        text = f"{what} cannot be checked to be an action of {group.name}: {refusal.text}"
        raise Refusal(refusal.rule, text, refusal.help, places[0]) from None
    if found.word is not None:
        raise _refuse_word(group, images, what, found.word).move(places[0])
    return "" if found.length is None else f"words up to length {found.length}"


def _leave_algebra(group: Group) -> Group:
    """Return the group of the discrete generators, of which there are some."""
    labels = group.labels[: len(group.generators)]
    return replace(group, labels=labels, algebra=(), rotations="", turns=())


def _check_signed(
    group: Group, images: Sequence[SignedPermutation], what: str, at: tuple[PathPart, ...]
) -> str:
    try:
        check_images(group, images, what)
    except Refusal as refusal:
        raise refusal.move(at) from None
    return ""


def _check_algebra(
    group: Group,
    images: Sequence[Image],
    algebra: Sequence[Matrix],
    what: str,
    at: tuple[PathPart, ...],
) -> None:
    try:
        relation = find_broken_relation(group, images, algebra)
    except Refusal as refusal:
        text = f"{what} cannot be checked to be an action of {group.name}: {refusal.text}"
        raise Refusal(refusal.rule, text, refusal.help, at) from None
    if relation is not None:
        text = (
            f"{what} is no action of {group.name}: {spell_relation(relation)} is 0 in its Lie "
            "algebra, and not for the images"
        )
        listed = _list_labels(group.labels[len(group.generators) :])
        help = f"give images that keep the brackets of {listed}, in this order"
        raise Refusal("not-an-action", text, help, at)


def _refuse_word(group: Group, images: Sequence[Image], what: str, word: Word) -> Refusal:
    """Say which word breaks an image, and how."""
    broken = evaluate_word(word, [as_matrix(image) for image in images])
    difference = broken - Matrix.identity(broken.height)
    i, j, _ = next(difference.entries())
    value = next((v for a, b, v in broken.entries() if (a, b) == (i, j)), 0)
    text = (
        f"{what} is no action of {group.name}: the word {spell_word(word, group.labels)} is the "
        f"identity in the group, its image has {value} at row {i}, column {j} "
        "(the leftmost factor acts last)"
    )
    listed = _list_labels(group.labels[: len(group.generators)])
    help = f"give images that keep the relations between {listed}, in this order"
    return Refusal("not-an-action", text, help)


def _list_labels(labels: Sequence[str]) -> str:
    return ", ".join(labels[:6]) + (", ..." if len(labels) > 6 else "")
