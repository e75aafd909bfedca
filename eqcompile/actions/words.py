"""Words in the generators of a group: products with exponents, the leftmost factor acting last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from eqcompile.actions.group import measure_image
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import SignedPermutation

E = TypeVar("E", SignedPermutation, Matrix)
Syllable = tuple[int, int]
Word = tuple[Syllable, ...]


def reduce_word(word: Word) -> Word:
    """Merge neighbouring powers of one generator, and drop those that vanish."""
    reduced: list[Syllable] = []
    for generator, exponent in word:
        if reduced and reduced[-1][0] == generator:
            exponent += reduced.pop()[1]
        if exponent:
            reduced.append((generator, exponent))
    return tuple(reduced)


def invert_word(word: Word) -> Word:
    """Return the inverse of a word."""
    return tuple((generator, -exponent) for generator, exponent in reversed(word))


def raise_word(word: Word, exponent: int) -> Word:
    """Return a power of a word, with a positive exponent."""
    if len(word) == 1:
        return ((word[0][0], word[0][1] * exponent),)
    return reduce_word(word * exponent)


def evaluate_word(word: Word, generators: Sequence[E]) -> E:
    """Multiply a word out; the leftmost factor acts last."""
    product = raise_element(generators[0], 0)
    for generator, exponent in word:
        product = product @ raise_element(generators[generator], exponent)
    return product


def raise_element(element: E, exponent: int) -> E:
    """Return a power of an element."""
    base = element if exponent >= 0 else element.inverse()
    power = element.identity(measure_image(element))
    for bit in bin(abs(exponent))[2:]:
        power = power @ power
        if bit == "1":
            power = power @ base
    return power


def spell_word(word: Word, labels: Sequence[str]) -> str:
    """Write a word with the generators' labels: ``(0 1)^2 (0 1 2)^-1``.

    Factors are separated by blanks. A label of several cycles, and a part that is repeated, stand
    in brackets: ``((0 1) (0 1 2))^3``. The empty word is ``1``.
    """
    if not word:
        return "1"
    period = _find_period(word)
    if period < len(word):
        inner = spell_word(word[:period], labels)
        return f"({inner})^{len(word) // period}"
    return " ".join(_spell_syllable(labels[g], exponent) for g, exponent in word)


def _spell_syllable(label: str, exponent: int) -> str:
    if exponent == 1:
        return label
    alone = label.count("(") <= 1
    return f"{label}^{exponent}" if alone else f"({label})^{exponent}"


def _find_period(word: Word) -> int:
    """Return the length of the shortest part that the word repeats, more than one syllable."""
    for period in range(2, len(word) // 2 + 1):
        if len(word) % period == 0 and word == word[:period] * (len(word) // period):
            return period
    return len(word)
