"""Exact orders of permutation groups: a stabiliser chain, built at random and then verified.

A chain has one level per base point: the orbit of that point under the elements that fix the base
points before it, and for every point of the orbit one element that leads there. The order is the
product of the orbits' lengths, and an element belongs to the group exactly if dividing it by one
element of each level in turn leaves the identity.

Each level keeps only a few generators: pseudo-random elements of the level above that fix its base
point (product replacement). What that may have missed is found by Schreier's lemma: every Schreier
generator of every level must divide down to the identity through the levels below. The first one
that does not is added where it stops. The answer is therefore exact and does not depend on luck;
only the time does. Elements are arrays of images; all arithmetic is on whole stacks of them.

Source: Sims 1970; Holt, Eick, O'Brien, Handbook of Computational Group Theory, sec. 4.4.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from eqcompile.errors import Refusal
from eqcompile.exact.signed import IntArray

# Points a chain is built on; the elements of a full chain then take about 130 MB.
MAX_CHAIN_POINTS = 400
# Entries moved while verifying, about a minute's work.
MAX_WORK = 20_000_000_000
_ROWS = 4096

Elements = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """One level of a chain.

    Attributes:
        point: The base point.
        generators: Elements that fix the base points before this one, shape ``(count, n)``.
        orbit: The points the generators lead to, from the base point on.
        place: Place in the orbit of each of the n points, -1 for the others.
        forward: Element that leads from the base point to each point of the orbit.
        backward: Their inverses, same shape ``(len(orbit), n)``.
    """

    point: int
    generators: Elements
    orbit: IntArray
    place: IntArray
    forward: npt.NDArray[np.int16]
    backward: npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class StabiliserChain:
    """A verified stabiliser chain of a permutation group on n points."""

    points: int
    levels: tuple[Level, ...]

    @property
    def order(self) -> int:
        """Order of the group."""
        return prod(len(level.orbit) for level in self.levels)

    @property
    def base(self) -> tuple[int, ...]:
        """The base points: only the identity fixes them all."""
        return tuple(level.point for level in self.levels)

    def contains(self, elements: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Say which elements, shape ``(count, n)``, belong to the group."""
        stack = np.asarray(elements, dtype=np.int64)
        inside = np.zeros(len(stack), dtype=bool)
        rows = np.arange(len(stack))
        for level in self.levels:
            kept = level.place[stack[:, level.point]] >= 0
            rows, stack = rows[kept], _divide(level, stack[kept])
        inside[rows] = np.all(stack == np.arange(self.points), axis=1)
        return inside


def build_chain(
    generators: Sequence[IntArray] | Elements, *, bound: int | None = None
) -> StabiliserChain:
    """Build the stabiliser chain of the group that some permutations generate.

    Args:
        generators: Lists of images, all of the same length; at least one.
        bound: An order that the group is known not to exceed. A chain that reaches it, or the
            order of all (even) permutations that keep the orbits, needs no verification.

    Raises:
        Refusal: More than `MAX_CHAIN_POINTS` points, or more work than `MAX_WORK` (rule
            ``too-large``).
    """
    stack = np.asarray(generators, dtype=np.int64)
    if stack.shape[1] > MAX_CHAIN_POINTS:
        raise Refusal(
            "too-large",
            f"the order of a group is computed on at most {MAX_CHAIN_POINTS} points, "
            f"this one acts on {stack.shape[1]}",
            "use a smaller size",
        )
    limit = limit_order(stack) if bound is None else min(bound, limit_order(stack))
    builder = _start_chain(stack, limit)
    builder.complete(builder.list_schreier)
    return StabiliserChain(builder.n, tuple(builder.levels))


def compute_order(generators: Sequence[IntArray] | Elements, *, bound: int | None = None) -> int:
    """Return the exact order of the group that some permutations generate; see `build_chain`."""
    return build_chain(generators, bound=bound).order


def limit_order(generators: Elements) -> int:
    """Return how many permutations keep the orbits and, if all generators are even, are even."""
    limit = prod(_factorial(len(orbit)) for orbit in list_orbits(generators))
    even = all(_is_even(g) for g in generators)
    return limit // 2 if even and limit > 1 else limit


def list_orbits(generators: Elements) -> list[list[int]]:
    """Return the orbits of the points, each in order of its breadth-first walk."""
    images = [g.tolist() for g in np.asarray(generators)]
    seen = [False] * len(images[0])
    orbits = []
    for start in range(len(seen)):
        if seen[start]:
            continue
        seen[start] = True
        orbit = [start]
        for point in orbit:
            for image in images:
                if not seen[image[point]]:
                    seen[image[point]] = True
                    orbit.append(image[point])
        orbits.append(orbit)
    return orbits


def invert(elements: Elements) -> Elements:
    """Return the inverses of a stack of elements, shape ``(count, n)``."""
    inverse = np.empty_like(elements)
    np.put_along_axis(inverse, elements, np.arange(elements.shape[1])[None, :], axis=1)
    return inverse


def _factorial(n: int) -> int:
    return prod(range(2, n + 1))


def _is_even(g: Elements) -> bool:
    cycles = len(list_orbits(g[None, :]))
    return (len(g) - cycles) % 2 == 0


def _divide(level: Level, stack: Elements) -> Elements:
    """Multiply each element by the inverse of the level's element with the same base image."""
    places = level.place[stack[:, level.point]]
    if not places.any():
        return stack
    return np.take_along_axis(level.backward[places], stack, axis=1).astype(np.int64)


def _build_level(point: int, generators: Elements) -> Level:
    """Walk the orbit of a point, layer by layer."""
    n = generators.shape[1]
    place = np.full(n, -1, dtype=np.int64)
    place[point] = 0
    orbit = [np.array([point])]
    forward = [np.arange(n)[None, :]]
    count, start = 1, 0
    while start < count:
        layer, elements = orbit[-1], forward[-1]
        start = count
        found, carried = [], []
        for g in generators:
            images = g[layer]
            _, first = np.unique(images, return_index=True)
            fresh = np.sort(first)
            fresh = fresh[place[images[fresh]] < 0]
            place[images[fresh]] = np.arange(count, count + len(fresh))
            count += len(fresh)
            found.append(images[fresh])
            carried.append(g[elements[fresh]])
        orbit.append(np.concatenate(found))
        forward.append(np.concatenate(carried))
    elements = np.concatenate(forward)
    return Level(
        point,
        generators,
        np.concatenate(orbit),
        place,
        elements.astype(np.int16),
        invert(elements).astype(np.int16),
    )


def _start_chain(generators: Elements, limit: int) -> _Builder:
    """Build a chain that is most likely complete, with few generators per level if they do."""
    # Commuting generators may need many per level: then start anew rather than add them singly.
    for kept in (6, 24):
        builder = _Builder(generators, limit, kept)
        builder.descend()
        if builder.complete(builder.sample_schreier, most=kept):
            return builder
    builder = _Builder(generators, limit, max(kept, len(_drop_trivial(generators)) + 3))
    builder.descend()
    builder.complete(builder.sample_schreier)
    return builder


class _Builder:
    """A chain under construction, with a few generators kept per level."""

    def __init__(self, generators: Elements, limit: int, kept: int) -> None:
        self.n = generators.shape[1]
        self.limit = limit
        self.kept = kept
        self.identity = np.arange(self.n)
        self.levels: list[Level] = []
        self.work = 0
        moving = _drop_trivial(generators)
        # Any fixed seed serves: it decides how fast, never what comes out.
        self.random = random.Random(20240229)
        if len(moving):
            self.levels.append(_build_level(_first_moved(moving), moving))

    def order(self) -> int:
        """Return the product of the orbits' lengths, at most the order of the group."""
        return prod(len(level.orbit) for level in self.levels)

    def descend(self) -> None:
        """Add levels from pseudo-random elements that fix the last base point."""
        while self.levels:
            level = self.levels[-1]
            (fixing,) = self.sample_schreier(level)
            if not len(fixing):
                return
            self.levels.append(_build_level(_first_moved(fixing), fixing))

    def sample_schreier(self, level: Level) -> Iterator[Elements]:
        """Yield one stack of pseudo-random elements of a level that fix its base point."""
        stack = np.array(list(self.sample(level.generators, self.kept)))
        # A random subproduct of all generators misses any one proper subgroup half the time,
        # which product replacement does not when there are many commuting generators.
        for g in level.generators:
            taken = [self.random.random() < 0.5 for _ in stack]
            stack[taken] = g[stack[taken]]
        yield _drop_trivial(_divide(level, stack))

    def sample(self, generators: Elements, count: int) -> Iterator[Elements]:
        """Yield pseudo-random elements of a group by product replacement with an accumulator."""
        state = [generators[i % len(generators)] for i in range(max(10, len(generators)))]
        product = self.identity
        for step in range(4 * len(state) + 20 + count):
            i, j = self.random.sample(range(len(state)), 2)
            factor = state[j]
            if self.random.random() < 0.5:
                factor = invert(factor[None, :])[0]
            state[i] = state[i][factor] if self.random.random() < 0.5 else factor[state[i]]
            product = product[state[i]]
            if step >= 4 * len(state) + 20:
                yield product

    def complete(
        self, list_tests: Callable[[Level], Iterator[Elements]], most: int | None = None
    ) -> bool:
        """Complete the chain until the tests of every level divide down to the identity.

        The tests of a level are elements of its group that fix its base point. If they generate
        the whole stabiliser, for each level, the chain is then proven complete. From the last
        level to the first, so that the levels below the one under test are complete already.

        Returns:
            False if more than ``most`` elements had to be added and the work was left undone.
        """
        i, added = len(self.levels) - 1, 0
        while i >= 0 and self.order() < self.limit:
            stopped = self.find_missing(i, list_tests)
            if stopped is None:
                i -= 1
                continue
            if added == most:
                return False
            added += 1
            residue, last = stopped
            for j in range(i + 1, last + 1):
                self.extend(j, residue)
            i = last
        return True

    def extend(self, i: int, element: Elements) -> None:
        """Add a generator to level i, which may be the next one below the last."""
        if i == len(self.levels):
            self.levels.append(_build_level(_first_moved(element[None, :]), element[None, :]))
            return
        level = self.levels[i]
        grown = np.concatenate([level.generators, element[None, :]])
        self.levels[i] = _build_level(level.point, grown)

    def find_missing(
        self, i: int, list_tests: Callable[[Level], Iterator[Elements]]
    ) -> tuple[Elements, int] | None:
        """Return what is left of a test element of level i, and the level it stops at."""
        for stack in list_tests(self.levels[i]):
            for j in range(i + 1, len(self.levels)):
                self.count(stack)
                level = self.levels[j]
                outside = np.flatnonzero(level.place[stack[:, level.point]] < 0)
                if len(outside):
                    return stack[outside[0]], j
                stack = _divide(level, stack)
            left = np.flatnonzero(np.any(stack != self.identity, axis=1))
            if len(left):
                return stack[left[0]], len(self.levels)
        return None

    def list_schreier(self, level: Level) -> Iterator[Elements]:
        """Yield the Schreier generators of a level, in stacks."""
        for g in level.generators:
            for start in range(0, len(level.orbit), _ROWS):
                stack = g[level.forward[start : start + _ROWS]]
                self.count(stack)
                yield _drop_trivial(_divide(level, stack))

    def count(self, stack: Elements) -> None:
        """Count the work of moving a stack once, and refuse to go on beyond the bound."""
        self.work += stack.size
        if self.work > MAX_WORK:
            raise Refusal(
                "too-large",
                "the order of this group takes too long to compute",
                "use a smaller size",
            )


def _drop_trivial(stack: Elements) -> Elements:
    """Drop identities and repetitions, keep the order."""
    moving = stack[np.any(stack != np.arange(stack.shape[1]), axis=1)]
    if len(moving) < 2:
        return moving
    _, first = np.unique(moving, axis=0, return_index=True)
    return moving[np.sort(first)]


def _first_moved(stack: Elements) -> int:
    """Return the least point that some element moves."""
    return int(np.flatnonzero(np.any(stack != np.arange(stack.shape[1]), axis=0))[0])
