"""Groups made of groups: wreath products, and direct products on the union or on tuples."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from eqcompile.actions.group import (
    Arguments,
    Environment,
    Group,
    GroupEntry,
    name_generators,
    register_group,
)
from eqcompile.actions.sizes import check_extent
from eqcompile.exact.signed import SignedPermutation, direct_sum, kron


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
    block 0, A's follow once per orbit of blocks, so that A acts on every block on its own.
    """
    inner, outer = environment.build_factors(arguments.wreath, ("wreath",))
    blocks = _list_orbit_starts(outer)
    count = len(blocks) * len(inner.generators) + len(outer.generators)
    check_extent(inner.dim * outer.dim, count, ("wreath",))
    generators, names = [], []
    for block in blocks:
        for g, label in zip(inner.generators, inner.labels, strict=True):
            generators.append(_place(g, block * inner.dim, inner.dim * outer.dim))
            names.append(f"A{block}:{label}")
    identity = SignedPermutation.identity(inner.dim)
    for g, label in zip(outer.generators, outer.labels, strict=True):
        generators.append(kron(g, identity))
        names.append(f"B:{label}")
    name = f"{_bracket(inner.name)} wr {_bracket(outer.name)}"
    return Group(name, tuple(generators), name_generators(generators, names))


@register_group("product", "a direct product, on the union or on tuples", ProductArguments)
def build_product(arguments: ProductArguments, environment: Environment) -> Group:
    """Build the direct product of the factors; generators factor by factor."""
    factors = environment.build_factors(arguments.product.factors, ("product", "factors"))
    sizes = [factor.dim for factor in factors]
    union = arguments.product.on == "union"
    points = sum(sizes) if union else prod(sizes)
    check_extent(points, sum(len(f.generators) for f in factors), ("product", "factors"))
    generators, names = [], []
    for i, factor in enumerate(factors):
        for g, label in zip(factor.generators, factor.labels, strict=True):
            place = _place(g, sum(sizes[:i]), points) if union else _spread(g, i, sizes)
            generators.append(place)
            names.append(f"{i}:{label}")
    name = " x ".join(_bracket(f.name) for f in factors)
    name += " on the union" if union else " on tuples"
    return Group(name, tuple(generators), name_generators(generators, names))


def _place(g: SignedPermutation, start: int, points: int) -> SignedPermutation:
    """Let ``g`` act on its own number of points from ``start`` on, and fix the others."""
    identity = SignedPermutation.identity
    return direct_sum([identity(start), g, identity(points - start - g.n)])


def _spread(g: SignedPermutation, position: int, sizes: Sequence[int]) -> SignedPermutation:
    """Let ``g`` act on one position of the tuples of points, in row-major order."""
    before = SignedPermutation.identity(prod(sizes[:position]))
    after = SignedPermutation.identity(prod(sizes[position + 1 :]))
    return kron(kron(before, g), after)


def _list_orbit_starts(group: Group) -> list[int]:
    """Return the least point of each orbit, signs aside."""
    least = np.arange(group.dim)
    changed = True
    while changed:
        before = least
        for g in group.generators:
            joined = np.minimum(least, least[g.perm])
            np.minimum.at(joined, g.perm, least)
            least = joined
        changed = not np.array_equal(before, least)
    return [int(point) for point in np.unique(least)]


def _bracket(name: str) -> str:
    return f"({name})" if " " in name else name
