"""Orbits of one point, and generators of the elements that fix it, on any paired representations.

A group element is here its tuple of images, one signed permutation per representation; the first
one says where points go. Signs do not matter: an element that sends ``e_k`` to ``-e_k`` fixes k.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from eqcompile.exact.signed import IntArray, SignedPermutation, freeze

Element = tuple[SignedPermutation, ...]

# Entries of the elements along an orbit that are kept at once, 256 MB with their signs.
_MAX_KEPT = 16_000_000


@dataclass(frozen=True, slots=True, eq=False)
class OrbitWalk:
    """A breadth-first walk over the orbit of a point.

    Attributes:
        outputs: The points in order of the walk.
        parents: Place in the walk that each is reached from; 0 for the first.
        steps: Generator that leads there; -1 for the first.
    """

    outputs: IntArray
    parents: IntArray
    steps: IntArray


def walk_orbit(generators: Sequence[SignedPermutation], point: int) -> OrbitWalk:
    """Walk the orbit of a point; each of its points is reached by a shortest word."""
    images = [g.perm.tolist() for g in generators]
    reached = {point}
    outputs, parents, steps = [point], [0], [-1]
    for place, output in enumerate(outputs):
        for step, image in enumerate(images):
            if image[output] not in reached:
                reached.add(image[output])
                outputs.append(image[output])
                parents.append(place)
                steps.append(step)
    return OrbitWalk(freeze(outputs), freeze(parents), freeze(steps))


def schreier_generators(
    paired: Sequence[Sequence[SignedPermutation]], walk: OrbitWalk
) -> Iterator[Element]:
    """Yield generators of the stabiliser of the first point of a walk, up to sign.

    By Schreier's lemma the elements ``u_{g k}^-1 g u_k`` of all points k of the orbit and all
    generators g generate the whole stabiliser; u_k carries the first point to k. Identities and
    repetitions are left out. The elements come one at a time, so that they need not all be held.

    Args:
        paired: The images of all generators, one sequence per representation; the first one is
            the action that the walk was made with.
        walk: The walk over the orbit of the point.
    """
    carriers = OrbitCarriers(paired, walk)
    place = {int(output): i for i, output in enumerate(walk.outputs)}
    seen: set[bytes] = set()
    for position, output in enumerate(walk.outputs):
        for step, generator in enumerate(carriers.generators):
            target = place[int(generator[0].perm[output])]
            # Along the tree u_{g k} = g u_k, so that the product is the identity.
            if walk.steps[target] == step:
                continue
            moved = multiply(generator, carriers.carry(position))
            element = multiply(invert_element(carriers.carry(target)), moved)
            key = _digest(element)
            if key not in seen and not all(part.is_identity for part in element):
                seen.add(key)
                yield element


def multiply(left: Element, right: Element) -> Element:
    """Return the product of two elements; ``right`` acts first."""
    return tuple(a @ b for a, b in zip(left, right, strict=True))


def invert_element(element: Element) -> Element:
    """Return the inverse of an element."""
    return tuple(part.inverse() for part in element)


def _digest(element: Element) -> bytes:
    digest = blake2b(digest_size=16)
    for part in element:
        digest.update(part.perm.tobytes())
        digest.update(part.signs.tobytes())
    return digest.digest()


class OrbitCarriers:
    """The elements that carry the first point of a walk to each of its points.

    Where all of them would not fit into memory, only those on every few layers of the tree are
    kept, and the others made when they are asked for.
    """

    def __init__(self, paired: Sequence[Sequence[SignedPermutation]], walk: OrbitWalk) -> None:
        self.generators: list[Element] = list(zip(*paired, strict=True))
        self.walk = walk
        self.depth = np.zeros(len(walk.outputs), dtype=np.int64)
        for place in range(1, len(walk.outputs)):
            self.depth[place] = self.depth[walk.parents[place]] + 1
        entries = sum(images[0].n for images in paired)
        self.spacing = 1
        while self.spacing <= self.depth[-1] and self._count_kept() * entries > _MAX_KEPT:
            self.spacing += 1
        identity = tuple(SignedPermutation.identity(images[0].n) for images in paired)
        self._kept: dict[int, Element] = {0: identity}

    def _count_kept(self) -> int:
        return int(np.count_nonzero(self.depth % self.spacing == 0))

    def carry(self, place: int) -> Element:
        """Return the element that carries the first point to the one at this place of the walk."""
        path = []
        while place not in self._kept:
            path.append(place)
            place = int(self.walk.parents[place])
        element = self._kept[place]
        for place in reversed(path):
            element = multiply(self.generators[self.walk.steps[place]], element)
            if self.depth[place] % self.spacing == 0:
                self._kept[place] = element
        return element
