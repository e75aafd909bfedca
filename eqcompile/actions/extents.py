"""How many entries a matrix made of matrices may have, bounded before it is built."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from eqcompile.actions.group import Image, Representation
from eqcompile.actions.sizes import MAX_ENTRIES, spell_count
from eqcompile.errors import Refusal
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import SignedPermutation


def check_entries(kind: str, parts: Sequence[Representation], k: int) -> None:
    """Refuse a construction whose matrices would have too many entries in all.

    Signed permutations have one entry per column and are bounded by their dimension.

    Args:
        kind: The construction, as in an expression.
        parts: What it is made of.
        k: The number of copies, or the power.

    Raises:
        Refusal: ``too-large``.
    """
    if kind not in ("*", "**", "Sym", "Alt", "copies"):
        return
    parts = list(parts) * k if kind == "**" else parts
    total = 0
    for images in zip(*(part.images for part in parts), strict=True):
        if not all(isinstance(image, SignedPermutation) for image in images):
            total += _count_entries(kind, images, k)
            _check_total(total)
    for elements in zip(*(part.algebra for part in parts), strict=True):
        total += _count_derived(kind, elements, k)
        _check_total(total)


def _check_total(total: int) -> None:
    if total > MAX_ENTRIES:
        text = f"its matrices would have {spell_count(total)} entries or more, too many"
        raise Refusal("too-large", text, "use a smaller power")


def _count_entries(kind: str, images: Sequence[Image], k: int) -> int:
    columns = [_count_columns(image) for image in images]
    if kind == "copies":
        return k * sum(columns[0])
    if kind in ("*", "**"):
        return _multiply(sum(counts) for counts in columns)
    return _count_power(columns[0], k, repeated=kind == "Sym")


def _count_derived(kind: str, elements: Sequence[Matrix], k: int) -> int:
    """Count the entries of a derivation: one factor at a time is replaced."""
    if kind == "copies":
        return k * len(elements[0].rows)
    if kind in ("*", "**"):
        dim = _multiply(element.height for element in elements)
        return sum(len(x.rows) * dim // x.height for x in elements)
    (element,) = elements
    most = max(_count_columns(element), default=0)
    return _count_power([1] * element.height, k, repeated=kind == "Sym") * k * most


def _count_columns(image: Image) -> list[int]:
    """Count the entries of each column."""
    if isinstance(image, SignedPermutation):
        return [1] * image.n
    counts: list[int] = np.bincount(image.columns, minlength=image.width).tolist()
    return counts


def _multiply(numbers: Iterable[int]) -> int:
    total = 1
    for number in numbers:
        total = min(total * number, MAX_ENTRIES + 1)
    return total


def _count_power(columns: Sequence[int], k: int, *, repeated: bool) -> int:
    """Add up the products of k entries of a list, with repetition or without.

    The products of as many columns are what a symmetric or alternating power multiplies out.
    """
    sums = [1] + [0] * k
    for count in columns:
        order = range(1, k + 1) if repeated else range(k, 0, -1)
        for d in order:
            sums[d] += count * sums[d - 1]
    return sums[k]
