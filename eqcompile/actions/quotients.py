"""Which orbits of an image are actions of the group: quotients of its points, or by index.

Both the group and the images are given by permutations of points (of the points ``+-e_i`` where
there are signs). An orbit of the image that is an equivariant quotient of an orbit of the group's
own points needs no further proof. For the others: let L be the elements of the group that words
fixing a point y of the orbit stand for. The index of L is at most the length of the orbit, and
equal to it exactly if the orbit is an action of the group: otherwise some word that is the identity
in the group moves y.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np

from eqcompile.actions.chain import Elements, build_chain, invert, list_orbits
from eqcompile.errors import Refusal
from eqcompile.exact.signed import IntArray

# Entries of the elements along one orbit, 400 MB.
MAX_CARRIED = 50_000_000
_CHUNK = 64
_SUBPRODUCTS = 6


def list_unproven_orbits(points: Elements, images: Elements, half: int) -> list[list[int]]:
    """Return the orbits of the image that are not quotients of orbits of the group's points.

    Args:
        points: The group's generators on its points, shape ``(generators, n)``.
        images: Their images, shape ``(generators, m)``.
        half: Where the image has signs, m / 2: the points i and half + i are negatives of each
            other, and only one of two opposite orbits is returned. Else 0.
    """
    sources = list_orbits(points)
    return [
        orbit
        for orbit in list_orbits(images)
        # An orbit that starts among the negatives is opposite to an earlier one.
        if not (0 < half <= orbit[0])
        and not any(is_quotient(points, source, images, orbit) for source in sources)
    ]


def is_quotient(points: Elements, source: list[int], images: Elements, orbit: list[int]) -> bool:
    """Say whether some equivariant map leads from an orbit of points onto one of the image.

    Such a map is fixed by where it sends the first point; every place is tried, many at once.
    """
    if len(source) % len(orbit):
        return False
    walk = _walk(points, source)
    return any(
        _can_start_at(walk, images, np.array(orbit[start : start + _CHUNK]))
        for start in range(0, len(orbit), _CHUNK)
    )


def _walk(points: Elements, source: list[int]) -> list[tuple[int, int, int]]:
    """List the edges ``(place, generator, place it leads to)`` of an orbit, breadth first."""
    place = {point: i for i, point in enumerate(source)}
    return [
        (i, g, place[int(image[point])])
        for i, point in enumerate(source)
        for g, image in enumerate(points)
    ]


def _can_start_at(edges: list[tuple[int, int, int]], images: Elements, starts: IntArray) -> bool:
    """Carry candidates for the first point's image along all edges; does one of them agree?"""
    found: dict[int, IntArray] = {0: starts}
    good = np.ones(len(starts), dtype=bool)
    for here, g, there in edges:
        moved = images[g][found[here]]
        if there not in found:
            found[there] = moved
            continue
        good &= found[there] == moved
        if not good.any():
            return False
    return True


def is_action(points: Elements, images: Elements, orbit: list[int], order: int) -> bool:
    """Decide exactly whether one orbit of the image is an action of the group of this order.

    Raises:
        Refusal: The group or the orbit is too large for this (rule ``too-large``).
    """
    if order % len(orbit):
        return False
    if len(orbit) * points.size > MAX_CARRIED:
        text = f"an orbit of {len(orbit)} points is too long to be checked"
        raise Refusal("too-large", text, "use a smaller size")
    carried = _carry(points, images, orbit)
    every = np.concatenate(list(_list_schreier(points, images, orbit, carried)))
    chooser = random.Random(len(orbit))
    known = np.arange(points.shape[1])[None, :]
    missing = every
    found = 1
    while len(missing):
        known = np.concatenate([known, missing[:1], _multiply_some(missing, chooser)])
        chain = build_chain(known)
        found = chain.order
        if found * len(orbit) > order:
            return False
        missing = every[~chain.contains(every)]
    # Now L is known, and its index is at most the length of the orbit.
    return found * len(orbit) == order


def _carry(points: Elements, images: Elements, orbit: list[int]) -> Elements:
    """Return, per point of an orbit in walk order, an element of the group that leads there."""
    carried = np.zeros((len(orbit), points.shape[1]), dtype=np.int64)
    carried[0] = np.arange(points.shape[1])
    place = {point: i for i, point in enumerate(orbit)}
    reached = {0}
    for i, point in enumerate(orbit):
        for g, image in enumerate(images):
            target = place[int(image[point])]
            if target not in reached:
                reached.add(target)
                carried[target] = points[g][carried[i]]
    return carried


def _list_schreier(
    points: Elements, images: Elements, orbit: list[int], carried: Elements
) -> Iterator[Elements]:
    """Yield the Schreier generators of the first point of an orbit, as elements of the group."""
    place = np.zeros(images.shape[1], dtype=np.int64)
    place[orbit] = np.arange(len(orbit))
    backward = invert(carried)
    for g, image in zip(points, images, strict=True):
        stack = np.take_along_axis(backward[place[image[orbit]]], g[carried], axis=1)
        moving = stack[np.any(stack != np.arange(stack.shape[1]), axis=1)]
        _, first = np.unique(moving, axis=0, return_index=True)
        yield moving[np.sort(first)]


def _multiply_some(elements: Elements, chooser: random.Random) -> Elements:
    """Return a few products of random subsets: they soon generate what all of them do."""
    products = np.tile(np.arange(elements.shape[1]), (_SUBPRODUCTS, 1))
    few = elements if len(elements) < 200 else elements[:: len(elements) // 200]
    for element in few:
        taken = [chooser.random() < 0.5 for _ in products]
        products[taken] = element[products[taken]]
    return products
