"""Do images of matrices keep the relations of a discrete group? If not, which word breaks it?

A walk over the group, nearest elements first: an element is known by where it takes a random
vector modulo two primes, beside where its image takes another one. Two words that agree on the
first and differ on the second make a word that is the identity in the group alone; it is
multiplied out exactly before anybody is told. A finite group of moderate size is walked to its
end, so that all relations are checked; of others all relations up to a length, which is returned.
Nothing of an infinite group is enumerated beyond that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from eqcompile.actions.group import Image, measure_image
from eqcompile.actions.images import as_matrix, invert_image, list_blocks, multiply_images
from eqcompile.actions.words import Word, invert_word, reduce_word
from eqcompile.errors import Refusal
from eqcompile.exact.fields import RATIONALS, Field, Scalar
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import IntArray, SignedPermutation

LENGTH = 8
"""Relations up to this length are checked where the group is too large to be walked."""

MAX_ELEMENTS = 60_000
MAX_MIXED = 1000
# Generators of which pairs are multiplied to see whether the group is infinite.
_MAX_PAIRED = 16
# Numbers that one level of the walk may hold, times the steps that lead on from it.
_MAX_LOAD = 20_000_000
# Residues have 30 bits and are multiplied 15 bits at a time, so that sums fit into an int64.
_HALF = 15


@dataclass(frozen=True, slots=True)
class WordCheck:
    """What was found: a word that breaks an image, and how far was looked.

    Attributes:
        word: The identity in the group and not in the image; None where none was found.
        length: Relations of up to this length were checked; None where all were.
    """

    word: Word | None
    length: int | None = None


def check_words(generators: Sequence[Image], images: Sequence[Image]) -> WordCheck:
    """Look for a word in the generators that is the identity, while its image is not.

    Args:
        generators: Invertible.
        images: One per generator, invertible.
    """
    walk = _Walk(generators, images)
    infinite = seems_infinite(generators)
    while True:
        for word in walk.list_suspects():
            if is_identity(generators, word) and not is_identity(images, word):
                return WordCheck(word)
        if walk.ended:
            return WordCheck(None)
        far = infinite or walk.size > MAX_ELEMENTS or walk.load > _MAX_LOAD
        if (far and walk.length >= LENGTH) or walk.load > 8 * _MAX_LOAD:
            return WordCheck(None, walk.length)


def seems_infinite(generators: Sequence[Image]) -> bool:
    """Whether a trace shows that some product of at most two generators has infinite order.

    Traces of elements of finite order are algebraic integers of at most the dimension, which only
    the identity reaches. The answer decides how far to look, so floats are good enough.
    """
    singles = [as_matrix(g) for g in generators]
    few = singles[:_MAX_PAIRED]
    products = [a @ b for i, a in enumerate(few) for b in few[: i + 1]]
    return any(_has_wild_trace(matrix) for matrix in (*singles, *products))


def _has_wild_trace(matrix: Matrix) -> bool:
    trace = sum((v for i, j, v in matrix.entries() if i == j), start=Scalar.of(0))
    if trace == matrix.height:
        return matrix != Matrix.identity(matrix.height)
    return trace.denominator != 1 or abs(float(trace)) > matrix.height + 1e-9


def is_identity(generators: Sequence[Image], word: Word) -> bool:
    """Multiply a word out exactly."""
    product: Image = SignedPermutation.identity(measure_image(generators[0]))
    for generator, exponent in word:
        step = generators[generator] if exponent > 0 else invert_image(generators[generator])
        for _ in range(abs(exponent)):
            product = multiply_images(product, step)
    return isinstance(product, SignedPermutation) and product.is_identity


class _Modular:
    """Generators and their inverses modulo a prime.

    Attributes:
        p: The prime, below 2**30.
    """

    def __init__(self, matrices: Sequence[Matrix], field: Field, p: int) -> None:
        """Reduce the generators.

        Raises:
            ZeroDivisionError: One of them is singular modulo the prime, or its denominator is.
            Refusal: One mixes too many coordinates to be inverted (rule ``too-large``).
        """
        self.p = p
        self._forward: list[sparse.csr_array] = []
        self._backward: list[sparse.csr_array] = []
        for matrix in matrices:
            if matrix.denominator % p == 0:
                raise ZeroDivisionError
            written = matrix.in_field(field)
            values = written.reduce(p, field.roots(p)[0])
            places = (written.rows, written.columns)
            reduced = sparse.csr_array((values, places), shape=matrix.shape)
            self._forward.append(reduced)
            self._backward.append(_invert_modulo(reduced, list_blocks([matrix]), p))

    def move(self, generator: int, sign: int, vectors: IntArray) -> IntArray:
        """Apply a generator or its inverse to vectors that stand in columns."""
        matrix = (self._forward if sign > 0 else self._backward)[generator]
        high = matrix @ (vectors >> _HALF) % self.p
        low = matrix @ (vectors & ((1 << _HALF) - 1))
        moved: IntArray = ((high << _HALF) + low) % self.p
        return moved


def _invert_modulo(
    matrix: sparse.csr_array, blocks: Sequence[IntArray], p: int
) -> sparse.csr_array:
    """Invert a matrix modulo a prime, block by block."""
    from flint import nmod_mat

    rows, columns, values = [], [], []
    for block in blocks:
        if len(block) > MAX_MIXED:
            text = f"an image that mixes {len(block)} coordinates is too large to be checked"
            raise Refusal("too-large", text, "write it as an expression in V")
        dense = matrix[block][:, block].toarray()
        inverse = nmod_mat(dense.tolist(), p).inv().tolist()
        found = np.array([[int(value) for value in row] for row in inverse], dtype=np.int64)
        i, j = np.nonzero(found)
        rows.append(block[i])
        columns.append(block[j])
        values.append(found[i, j])
    places = (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_array((np.concatenate(values), places), shape=matrix.shape)


def _reduce_twice(matrices: Sequence[Matrix], field: Field) -> list[_Modular]:
    """Reduce invertible matrices modulo the two greatest primes below 2**30 that serve."""
    from flint import fmpz

    found: list[_Modular] = []
    step = 2 * field.conductor
    p = ((1 << 2 * _HALF) - 1) // step * step + 1
    while len(found) < 2:
        if fmpz(p).is_prime():
            with suppress(ZeroDivisionError):
                found.append(_Modular(matrices, field, p))
        p -= step
    return found


class _Side:
    """One of the two actions: random vectors that are carried along, modulo each prime."""

    def __init__(self, images: Sequence[Image], chooser: np.random.Generator) -> None:
        matrices = [as_matrix(image) for image in images]
        field = RATIONALS
        for matrix in matrices:
            field = field.join(matrix.field)
        self.dim = measure_image(images[0])
        self._parts = _reduce_twice(matrices, field)
        size = (2, len(self._parts), self.dim)
        self._weights = chooser.integers(0, 1 << 63, size=size, dtype=np.uint64) * np.uint64(2)
        self._weights += np.uint64(1)
        self.start = [chooser.integers(0, part.p, size=(self.dim, 1)) for part in self._parts]

    def move(self, generator: int, sign: int, vectors: Sequence[IntArray]) -> list[IntArray]:
        """Apply a generator or its inverse, modulo each prime."""
        pairs = zip(self._parts, vectors, strict=True)
        return [part.move(generator, sign, v) for part, v in pairs]

    def digest(self, vectors: Sequence[IntArray]) -> list[bytes]:
        """Return 16 bytes for each vector, taken modulo all primes."""
        words = sum(
            np.tensordot(self._weights[:, i], v.astype(np.uint64), axes=1)
            for i, v in enumerate(vectors)
        )
        rows = np.ascontiguousarray(np.asarray(words, dtype=np.uint64).T)
        return [row.tobytes() for row in rows]


class _Walk:
    """A breadth-first walk over a group.

    Attributes:
        size: Number of elements found.
        length: All relations of at most this length have been listed.
        ended: Whether every element has been found.
    """

    def __init__(self, generators: Sequence[Image], images: Sequence[Image]) -> None:
        chooser = np.random.default_rng(0)
        self._sides = [_Side(generators, chooser), _Side(images, chooser)]
        self._steps = [
            (i, sign)
            for i, pair in enumerate(zip(generators, images, strict=True))
            for sign in ((1,) if all(is_identity([g], ((0, 2),)) for g in pair) else (1, -1))
        ]
        self._vectors = [side.start for side in self._sides]
        own, image = (side.digest(side.start)[0] for side in self._sides)
        self._known = {own: (0, image)}
        self._parents = [(0, (0, 0))]
        self._level = [0]
        self.length = 0

    @property
    def size(self) -> int:
        return len(self._known)

    @property
    def ended(self) -> bool:
        return not self._level

    @property
    def load(self) -> int:
        return len(self._level) * sum(side.dim for side in self._sides) * len(self._steps)

    def list_suspects(self) -> Iterator[Word]:
        """Take one step from every element of the last level; list words that seem to break."""
        kept: list[list[list[IntArray]]] = [[], []]
        level: list[int] = []
        for step in self._steps:
            moved = [
                side.move(*step, v) for side, v in zip(self._sides, self._vectors, strict=True)
            ]
            digests = [side.digest(v) for side, v in zip(self._sides, moved, strict=True)]
            fresh: list[int] = []
            for place, (own, image) in enumerate(zip(*digests, strict=True)):
                number, known = self._known.setdefault(own, (self.size, image))
                if number == len(self._parents):
                    self._parents.append((self._level[place], step))
                    fresh.append(place)
                    level.append(number)
                elif known != image:
                    here, there = self._spell(self._level[place]), self._spell(number)
                    yield self._tidy((*invert_word(there), step, *here))
            for side, vectors in enumerate(moved):
                kept[side].append([v[:, fresh] for v in vectors])
        self._vectors = [
            [np.concatenate(parts, axis=1) for parts in zip(*side, strict=True)] for side in kept
        ]
        self._level = level
        self.length += 2

    def _spell(self, number: int) -> Word:
        """Return the word that led to an element."""
        word: list[tuple[int, int]] = []
        while number:
            number, step = self._parents[number]
            word.append(step)
        return tuple(word)

    def _tidy(self, word: Word) -> Word:
        """Write a word, or its inverse, with few inverses of generators."""
        signs = [sign if (g, -1) in self._steps else 1 for g, sign in word]
        tidied = reduce_word(tuple((g, s) for (g, _), s in zip(word, signs, strict=True)))
        return invert_word(tidied) if sum(signs) < 0 else tidied
