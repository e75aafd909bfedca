"""Find a short word that is the identity in a group and moves something in an image.

Words are searched breadth first by their number of syllables (powers of one generator): two words
that agree in the group and not in the image give one, and so does a power of a word that is the
identity in the group. Where the group is too large for that, words are divided along a base of the
group by the shortest words known (Minkwitz), which leaves words that are the identity in the group;
a long one is cut along shortcuts until it is short.

Source: Minkwitz 1998, "An algorithm for solving the factorization problem in permutation groups".
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import lcm

import numpy as np

from eqcompile.actions.chain import Elements, list_orbits
from eqcompile.actions.words import Word, invert_word, raise_word, reduce_word
from eqcompile.exact.signed import IntArray

_MAX_LETTERS = 64
_MAX_SYLLABLES = 5000
_POWERED_NODES = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """The generators of a group on its points, and their images on the points of an image.

    Attributes:
        points: Shape ``(generators, n)``.
        images: Shape ``(generators, m)``.
    """

    points: Elements
    images: Elements

    def multiply(self, word: Word) -> tuple[IntArray, IntArray]:
        """Multiply a word out on both sides."""
        x, y = np.arange(self.points.shape[1]), np.arange(self.images.shape[1])
        for generator, exponent in word:
            x = x[raise_points(self.points[generator], exponent)]
            y = y[raise_points(self.images[generator], exponent)]
        return x, y

    def is_broken_by(self, word: Word) -> bool:
        """Whether a word is the identity in the group and not in the image."""
        x, y = self.multiply(word)
        return is_identity(x) and not is_identity(y)


def is_identity(image: IntArray) -> bool:
    """Whether a list of images is that of the identity."""
    return bool(np.array_equal(image, np.arange(len(image))))


def raise_points(image: IntArray, exponent: int) -> IntArray:
    """Return a power of a permutation given by its images."""
    base = image if exponent >= 0 else np.argsort(image)
    power = np.arange(len(image))
    for bit in bin(abs(exponent))[2:]:
        power = power[power]
        if bit == "1":
            power = power[base]
    return power


def measure_order(image: IntArray) -> int:
    """Return the order of a permutation: the least common multiple of its cycles' lengths."""
    return lcm(*(len(cycle) for cycle in list_orbits(image[None, :])))


def tidy_exponents(pair: Pair, word: Word) -> Word:
    """Reduce exponents by the orders of the generators, where the image keeps these."""
    orders = []
    for x, y in zip(pair.points, pair.images, strict=True):
        order = measure_order(x)
        orders.append(order if is_identity(raise_points(y, order)) else 0)
    tidied = []
    for generator, exponent in word:
        order = orders[generator]
        if order:
            exponent %= order
            exponent -= order if 2 * exponent > order else 0
        tidied.append((generator, exponent))
    return reduce_word(tuple(tidied))


class Ball:
    """The group elements that words of few syllables reach, breadth first, with their images."""

    def __init__(self, pair: Pair, size: int) -> None:
        self.pair = pair
        self.size = size
        self.letters = _list_letters(pair)
        letters = [pair.multiply((letter,)) for letter in self.letters]
        self.letter_x = np.array([x for x, _ in letters])
        self.letter_y = np.array([y for _, y in letters])
        self.x = np.arange(pair.points.shape[1])[None, :]
        self.y = np.arange(pair.images.shape[1])[None, :]
        self.words: list[Word] = [()]
        # Odd 62-bit weights: equal elements get equal sums; unequal ones practically never do,
        # and every word found is multiplied out before it is believed.
        chooser = random.Random(62)
        weights = [chooser.getrandbits(62) | 1 for _ in range(self.x.shape[1])]
        self.weights = np.array(weights, dtype=np.int64)
        self.keys = self.hash(self.x)

    def hash(self, elements: Elements) -> IntArray:
        """Return one number per element of the group, shape ``(count, n) -> (count,)``."""
        with np.errstate(over="ignore"):
            return np.asarray((elements * self.weights).sum(axis=1))

    def list_breaking(self) -> Iterator[Word]:
        """Grow the ball layer by layer; yield the words that are found to break the image."""
        start = 0
        yield from self._list_broken_powers(0)
        while start < len(self.words) < self.size:
            end = len(self.words)
            yield from self._grow(start, end)
            if start:
                yield from self._list_broken_powers(end)
            start = end

    def _grow(self, start: int, end: int) -> Iterator[Word]:
        """Multiply the nodes of the last layer by every letter from the left."""
        nodes, letters = self._list_steps(start, end)
        if not len(nodes):
            return
        x = np.take_along_axis(self.letter_x[letters], self.x[nodes], axis=1)
        y = np.take_along_axis(self.letter_y[letters], self.y[nodes], axis=1)
        keys = np.concatenate([self.keys, self.hash(x)])
        all_y = np.concatenate([self.y, y])
        _, first, group = np.unique(keys, return_index=True, return_inverse=True)
        same = first[group][end:]
        fresh = same == np.arange(end, end + len(nodes))
        split = np.flatnonzero(np.any(all_y[same] != y, axis=1))
        words = {int(i): self._spell(nodes, letters, int(i)) for i in split}
        for i in split[np.argsort(same[split], kind="stable")]:
            other = int(same[i])
            known = self.words[other] if other < end else self._spell(nodes, letters, other - end)
            yield reduce_word(invert_word(known) + words[int(i)])
        self.words += [self._spell(nodes, letters, int(i)) for i in np.flatnonzero(fresh)]
        self.x = np.concatenate([self.x, x[fresh]])
        self.y = np.concatenate([self.y, y[fresh]])
        self.keys = np.concatenate([self.keys, keys[end:][fresh]])

    def _list_steps(self, start: int, end: int) -> tuple[IntArray, IntArray]:
        """List nodes and letters to multiply them by, no letter twice in a row, up to the size."""
        steps = [
            (node, letter)
            for node in range(start, min(end, start + self.size // len(self.letters) + 1))
            for letter, (generator, _) in enumerate(self.letters)
            if not self.words[node] or self.words[node][0][0] != generator
        ]
        table = np.array(steps[: self.size], dtype=np.int64).reshape(-1, 2)
        return table[:, 0], table[:, 1]

    def _spell(self, nodes: IntArray, letters: IntArray, i: int) -> Word:
        return (self.letters[int(letters[i])], *self.words[int(nodes[i])])

    def _list_broken_powers(self, start: int) -> Iterator[Word]:
        """Yield powers of words that are the identity in the group and not in the image."""
        if start == 0:
            candidates: Sequence[Word] = [((g, 1),) for g in range(len(self.pair.points))]
        else:
            candidates = self.words[start:_POWERED_NODES]
        for word in candidates:
            x, y = self.pair.multiply(word)
            order = measure_order(x)
            short = len(word) == 1 or order * len(word) <= _MAX_SYLLABLES
            if short and not is_identity(raise_points(y, order)):
                yield raise_word(word, order)


def _list_letters(pair: Pair) -> list[tuple[int, int]]:
    """List the syllables of the search: powers of the generators, short ones first."""
    count = len(pair.points)
    reach = max(1, _MAX_LETTERS // (2 * count))
    letters = []
    for g in range(count):
        order = measure_order(pair.points[g])
        exponents = [e for k in range(1, reach + 1) for e in (k, -k)]
        letters += [(g, e) for e in exponents if -order < 2 * e <= order and e % order]
    return letters or [(0, 1)]


@dataclass(slots=True)
class _Entry:
    x: IntArray
    y: IntArray
    word: Word


def divide_words(ball: Ball, base: Sequence[int], rounds: int) -> Word | None:
    """Divide words along a base until one that is the identity in the group breaks the image.

    Args:
        ball: Short words to start from.
        base: Points that only the identity of the group fixes all.
        rounds: How many words to try.

    Returns:
        A breaking word, which may be long, or None if none was met.
    """
    chooser = random.Random(1998)
    tables: list[dict[int, _Entry]] = [{} for _ in base]
    limit = 64
    for attempt in range(rounds):
        if attempt < len(ball.words):
            word = ball.words[attempt]
        else:
            parts = [chooser.choice(ball.words) for _ in range(2 + attempt % 3)]
            word = reduce_word(tuple(syllable for part in parts for syllable in part))
        if attempt % 2000 == 1999:
            limit *= 2
        left = _divide(tables, base, _Entry(*ball.pair.multiply(word), word), limit)
        if left is not None and not is_identity(left.y):
            return left.word
    return None


def _divide(
    tables: list[dict[int, _Entry]], base: Sequence[int], entry: _Entry, limit: int
) -> _Entry | None:
    """Divide an element along the base; None where it taught something new instead."""
    for table, point in zip(tables, base, strict=True):
        left = _divide_entry(table, point, entry, limit)
        if left is None:
            return None
        entry = left
    return entry


def _divide_entry(table: dict[int, _Entry], point: int, entry: _Entry, limit: int) -> _Entry | None:
    """Divide an element by the known one with the same base image; learn it if it is shorter."""
    target = int(entry.x[point])
    if target == point:
        return entry
    if len(entry.word) > limit:
        return None
    known = table.get(target)
    if known is None or len(entry.word) < len(known.word):
        table[target] = entry
        opposite = _invert_entry(entry)
        back = int(opposite.x[point])
        if back not in table or len(entry.word) < len(table[back].word):
            table[back] = opposite
        if known is None:
            return None
        known, entry = entry, known
    inverse = _invert_entry(known)
    word = reduce_word(inverse.word + entry.word)
    return _Entry(inverse.x[entry.x], inverse.y[entry.y], word)


def _invert_entry(entry: _Entry) -> _Entry:
    return _Entry(np.argsort(entry.x), np.argsort(entry.y), invert_word(entry.word))


def shorten(ball: Ball, word: Word, shortcuts: int = 400) -> Word:
    """Cut a breaking word along shortcuts: of the two loops that each makes, one breaks too."""
    while True:
        cut = _cut_once(ball, word, min(shortcuts, len(ball.words)))
        if cut is None:
            return word
        word = cut


def _cut_once(ball: Ball, word: Word, shortcuts: int) -> Word | None:
    """Return a shorter breaking word, None if no shortcut makes one."""
    ends = [ball.pair.multiply(word[i:])[0] for i in range(len(word), 0, -1)]
    stack = np.array(ends)
    place = {int(key): i for i, key in reversed(list(enumerate(ball.hash(stack))))}
    best: Word | None = None
    for x, short in zip(ball.x[:shortcuts], ball.words[:shortcuts], strict=True):
        for i, key in enumerate(ball.hash(x[stack])):
            j = place.get(int(key))
            if j is None or i == j:
                continue
            best = min(
                (w for w in (best, *_split(ball.pair, word, i, j, short)) if w is not None),
                key=len,
                default=None,
            )
        if best is not None and len(best) <= len(word) // 2 + 1:
            return best
    return best


def _split(pair: Pair, word: Word, i: int, j: int, short: Word) -> Iterator[Word]:
    """Yield the breaking ones, if shorter, of the two loops a shortcut from place i to j makes."""
    size = len(word)
    low, high = min(i, j), max(i, j)
    middle = word[size - high : size - low]
    step = short if i < j else invert_word(short)
    for loop in (invert_word(step) + middle, word[: size - high] + step + word[size - low :]):
        reduced = reduce_word(loop)
        if len(reduced) < size and pair.is_broken_by(reduced):
            yield reduced
