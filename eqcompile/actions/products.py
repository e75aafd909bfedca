"""Groups made of groups: wreath products, and direct products on the union or on tuples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from eqcompile.actions.group import (
    Arguments,
    Environment,
    Group,
    GroupEntry,
    Image,
    name_generators,
    register_group,
)
from eqcompile.actions.images import sum_images, tensor_images
from eqcompile.actions.sizes import check_extent
from eqcompile.errors import Refusal
from eqcompile.exact.matrices import Matrix, direct_sum
from eqcompile.exact.signed import SignedPermutation, kron


class WreathArguments(Arguments):
    """``{wreath: [A, B]}``."""

    wreath: Annotated[list[GroupEntry], Field(min_length=2, max_length=2)] = Field(
        description="the group on the points of a block, then the group that permutes the blocks"
    )


class Factors(Arguments):
    """What stands under ``product:``."""

    factors: Annotated[list[GroupEntry], Field(min_length=1)] = Field(description="the factors")
    on: Literal["union", "product"] = Field(
        description="union: the points of all factors side by side; product: tuples, row-major"
    )


class ProductArguments(Arguments):
    """``{product: {factors: [A, B], on: union | product}}``."""

    product: Factors


@register_group("wreath", "A on the points of each block, B on the blocks", WreathArguments)
def build_wreath(arguments: WreathArguments, environment: Environment) -> Group:
    """Build A wr B, point a of block b at b * |A| + a.

    Generators: A's on block 0, then B's on the blocks. Where B does not reach every block from
    block 0, A's follow once per orbit of blocks, so that A acts on every block on its own. A may
    be any group; a Lie algebra of A acts on its block and is 0 on the others.
    """
    inner, outer = environment.build_factors(arguments.wreath, ("wreath",))
    permuted = _list_permutations(outer)
    blocks = _list_orbit_starts(permuted, outer.dim)
    count = len(blocks) * len(inner.labels) + len(outer.labels)
    points = inner.dim * outer.dim
    check_extent(points, count, ("wreath",))
    placed = [_place_group(inner, block * inner.dim, points) for block in blocks]
    identity = SignedPermutation.identity(inner.dim)
    generators: list[Image] = [g for part in placed for g in part.generators]
    generators += [kron(g, identity) for g in permuted]
    inside = [[f"A{block}:{label}" for label in inner.labels] for block in blocks]
    split = len(inner.generators)
    names = [name for part in inside for name in part[:split]]
    names += [f"B:{label}" for label in outer.labels]
    labels = name_generators(generators, names)
    labels += tuple(name for part in inside for name in part[split:])
    name = f"{_bracket(inner.name)} wr {_bracket(outer.name)}"
    algebra = tuple(x for part in placed for x in part.algebra)
    return Group(name, tuple(generators), labels, algebra=algebra)


def _list_permutations(outer: Group) -> tuple[SignedPermutation, ...]:
    """Return the generators of a group that permutes blocks.

    Raises:
        Refusal: It does something else with them.
    """
    if not outer.is_signed:
        text = f"the outer group of a wreath product permutes blocks, {outer.name} does not"
        help = "use a group of permutations, or a product on tuples"
        raise Refusal("outer-group", text, help, ("wreath", 1))
    return outer.signed


@register_group("product", "a direct product, on the union or on tuples", ProductArguments)
def build_product(arguments: ProductArguments, environment: Environment) -> Group:
    """Build the direct product of the factors; generators factor by factor.

    Elements of a Lie algebra act as ``X (+) 0`` on the union and as ``X (x) 1`` on tuples. Where
    one factor has rotations the product keeps them; the others act trivially in irreps.
    """
    factors = environment.build_factors(arguments.product.factors, ("product", "factors"))
    sizes = [factor.dim for factor in factors]
    union = arguments.product.on == "union"
    points = sum(sizes) if union else prod(sizes)
    check_extent(points, sum(len(f.labels) for f in factors), ("product", "factors"))
    placed = [
        _place_group(factor, sum(sizes[:i]), points) if union else _spread_group(factor, i, sizes)
        for i, factor in enumerate(factors)
    ]
    generators = tuple(g for part in placed for g in part.generators)
    named = [[f"{i}:{label}" for label in f.labels] for i, f in enumerate(factors)]
    splits = [len(f.generators) for f in factors]
    labels = name_generators(
        generators, [n for names, split in zip(named, splits, strict=True) for n in names[:split]]
    )
    labels += tuple(n for names, split in zip(named, splits, strict=True) for n in names[split:])
    name = " x ".join(_bracket(f.name) for f in factors)
    name += " on the union" if union else " on tuples"
    rotations, turns = _join_rotations(factors)
    return Group(
        name,
        generators,
        labels,
        algebra=tuple(x for part in placed for x in part.algebra),
        rotations=rotations,
        turns=turns,
    )


@dataclass(frozen=True, slots=True)
class _Placed:
    """What the generators of a factor do to the whole space."""

    generators: tuple[Image, ...]
    algebra: tuple[Matrix, ...]


def _place_group(group: Group, start: int, points: int) -> _Placed:
    """Let a group act on its own number of points from ``start`` on, and fix the others."""
    before, after = start, points - start - group.dim
    one, zero = SignedPermutation.identity, Matrix.zero
    return _Placed(
        tuple(sum_images([one(before), g, one(after)]) for g in group.generators),
        tuple(direct_sum([zero(before, before), x, zero(after, after)]) for x in group.algebra),
    )


def _spread_group(group: Group, position: int, sizes: Sequence[int]) -> _Placed:
    """Let a group act on one position of the tuples of points, in row-major order."""
    before, after = prod(sizes[:position]), prod(sizes[position + 1 :])
    one = SignedPermutation.identity
    left, right = Matrix.identity(before), Matrix.identity(after)
    return _Placed(
        tuple(tensor_images([one(before), g, one(after)]) for g in group.generators),
        tuple(left.kron(x).kron(right) for x in group.algebra),
    )


def _join_rotations(factors: Sequence[Group]) -> tuple[str, tuple[str, ...]]:
    """Keep the rotations of the one factor that has them; the others turn nothing."""
    found = [factor for factor in factors if factor.rotations]
    if len(found) != 1:
        return "", ()
    turns = [f.turns or ("",) * len(f.labels) for f in factors]
    splits = [len(f.generators) for f in factors]
    pairs = list(zip(turns, splits, strict=True))
    discrete = [turn for names, split in pairs for turn in names[:split]]
    return found[0].rotations, (*discrete, *(t for names, split in pairs for t in names[split:]))


def _list_orbit_starts(generators: Sequence[SignedPermutation], points: int) -> list[int]:
    """Return the least point of each orbit, signs aside."""
    least = np.arange(points)
    changed = True
    while changed:
        before = least
        for g in generators:
            joined = np.minimum(least, least[g.perm])
            np.minimum.at(joined, g.perm, least)
            least = joined
        changed = not np.array_equal(before, least)
    return [int(point) for point in np.unique(least)]


def _bracket(name: str) -> str:
    return f"({name})" if " " in name else name
