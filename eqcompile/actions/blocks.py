"""Invariant blocks of coordinates: where an image is the group's own action, it needs no check."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eqcompile.actions.group import Group, Image
from eqcompile.actions.images import as_matrix, list_blocks, settle_image
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import IntArray, SignedPermutation

Restricted = tuple[Image, ...]
"""What every generator does to one block: discrete ones, then elements of the Lie algebra."""


def list_unproven(
    group: Group, images: Sequence[Image], algebra: Sequence[Matrix]
) -> list[IntArray]:
    """List the blocks of an image that are neither trivial nor blocks of the group's own action.

    A block is a set of coordinates that no generator mixes with others; coordinates keep their
    order, and two blocks are compared by their exact matrices.
    """
    own = {
        restrict(group.generators, group.algebra, block)
        for block in list_blocks((*group.generators, *group.algebra))
    }
    return [
        block
        for block in list_blocks((*images, *algebra))
        if not _is_trivial(found := restrict(images, algebra, block)) and found not in own
    ]


def restrict(images: Sequence[Image], algebra: Sequence[Matrix], block: IntArray) -> Restricted:
    """Return what the generators do to one block, or to several of them together."""
    return (
        *(restrict_image(image, block) for image in images),
        *(as_matrix(restrict_image(element, block)) for element in algebra),
    )


def restrict_image(image: Image, block: IntArray) -> Image:
    """Return an image on some coordinates that it keeps apart from the others."""
    if isinstance(image, SignedPermutation):
        place = np.zeros(image.n, dtype=np.int64)
        place[block] = np.arange(len(block))
        return SignedPermutation(place[image.perm[block]], image.signs[block])
    if len(block) == image.height:
        return image
    return settle_image(image.take_rows(block).take_columns(block))


def _is_trivial(found: Restricted) -> bool:
    return all(
        image.is_identity if isinstance(image, SignedPermutation) else image.is_zero
        for image in found
    )
