"""What each tying class says, in words: its part of one output as a formula.

A formula is read in one of three ways, and printed so that it is true as it stands: for every
output of the orbit (``y_k: x_k * sum of the others``), for every output with indices taken around
a cycle (``y_k: x_k * x_{k+1}``), or for the first output of the orbit only (``y_0: x_1 * x_3``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from eqcompile.draw.fibres import spell_class
from eqcompile.draw.formula import (
    Explicit,
    Expression,
    Terms,
    expand_expression,
    map_expression,
)
from eqcompile.draw.recognise import recognise
from eqcompile.draw.scope import (
    Reading,
    Scope,
    holds_for_orbit,
    name_indices,
    open_scope,
    spell_head,
)
from eqcompile.draw.spelling import spell_expression
from eqcompile.exact.signed import IntArray
from eqcompile.solve.tying import OutputOrbit, Tying

CHECKED_SLOTS = 200_000
"""Formulas of signed actions are compared at every output up to this many slots."""

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def name_class(number: int) -> str:
    """Name a class: ``a, b, ..., z, aa, ab, ...``."""
    name = ""
    number += 1
    while number:
        number, letter = divmod(number - 1, len(LETTERS))
        name = LETTERS[letter] + name
    return name


@dataclass(frozen=True, slots=True)
class ClassWords:
    """One class in words.

    Attributes:
        name: Its letter.
        size: Number of its slots.
        output: First output it belongs to.
        rank: Rank of its least monomial there.
        expression: Its polynomial at that output, with actual variables.
        reading: For which outputs the text holds.
        head: The output the text speaks of, such as ``y_k``.
        text: The formula in words.
    """

    name: str
    size: int
    output: int
    rank: int
    expression: Expression
    reading: Reading
    head: str
    text: str


def describe_classes(tying: Tying, limit: int | None = None) -> tuple[ClassWords, ...]:
    """Put the classes into words, in order, at most ``limit`` of them."""
    if tying.ansatz.fibration is not None:
        return tuple(_describe_keys(tying, limit))
    found: list[ClassWords] = []
    for orbit in tying.orbits:
        room = None if limit is None else limit - len(found)
        if room is None or room > 0:
            found += _describe_orbit(tying, orbit, room)
    return tuple(found)


def list_terms(tying: Tying, orbit: OutputOrbit, limit: int | None) -> Iterator[tuple[int, Terms]]:
    """Walk the classes of an orbit with their polynomials at its first output.

    Args:
        tying: The classes.
        orbit: One of its orbits.
        limit: At most this many classes.

    Yields:
        The class and its terms in order of slots; variables numbered as in ``draw/formula.py``.
    """
    ansatz = tying.ansatz
    stride = max((r.dim for r in ansatz.inputs), default=1)
    offsets = np.repeat(np.arange(len(ansatz.shape)) * stride, ansatz.shape)
    rows = ansatz.space.columns() + offsets
    order = np.argsort(orbit.labels, kind="stable")
    names, starts, counts = np.unique(orbit.labels[order], return_index=True, return_counts=True)
    shown = [j for j in range(len(names)) if names[j] >= 0][:limit]
    for j in shown:
        members = order[starts[j] : starts[j] + counts[j]]
        yield int(names[j]), Terms(rows[members], orbit.signs[members])


def _describe_keys(tying: Tying, limit: int | None) -> Iterator[ClassWords]:
    """Put the classes over a fibration into words; they may stand in several orbits."""
    slices = {int(orbit.outputs[0]): orbit for orbit in tying.orbits}
    for c, (output, rank) in enumerate(tying.representatives[:limit].tolist()):
        columns = tying.ansatz.space.columns()[slices[output].labels == c]
        whole = Explicit(Terms(columns, np.ones(len(columns), dtype=np.int64)))
        size, words = int(tying.sizes[c]), spell_class(tying.ansatz, output, rank)
        yield ClassWords(name_class(c), size, output, rank, whole, "first", *words)


def _describe_orbit(tying: Tying, orbit: OutputOrbit, limit: int | None) -> Iterator[ClassWords]:
    scope = open_scope(tying, orbit)
    found = [(c, _choose(terms, scope)) for c, terms in list_terms(tying, orbit, limit)]
    claimed = {c: e for c, (e, reading) in found if reading == "every"}
    refuted = _refute(tying, orbit, scope, claimed)
    for c, (expression, reading) in found:
        if c in refuted:
            reading = "cycle" if scope.is_cyclic else "first"
        # A coefficient may stand in several orbits of outputs: this is its first slot in this one.
        output, rank = int(orbit.outputs[0]), int(np.argmax(orbit.labels == c))
        names = name_indices(scope, reading)
        text = spell_expression(expression, names)
        head = spell_head(scope, reading)
        size = int(tying.sizes[c])
        yield ClassWords(name_class(c), size, output, rank, expression, reading, head, text)


def _choose(terms: Terms, scope: Scope) -> tuple[Expression, Reading]:
    """Take the first proposal that holds for every output, else the shortest that is complete."""
    proposals = list(recognise(terms, scope.inputs, scope.anchor))
    if len(scope.outputs) == 1:
        return proposals[-1], "first"
    for proposal in proposals:
        if holds_for_orbit(proposal, scope):
            return proposal, "every"
    return proposals[-1], "cycle" if scope.is_cyclic else "first"


def place_expression(words: ClassWords, scope: Scope, output: int) -> Expression:
    """Read the text of a class at another output of its orbit.

    Raises:
        ValueError: The text speaks of the first output only.
    """
    first, n = scope.output, scope.inputs
    image = np.arange(n)
    if words.reading == "cycle":
        image = (image + output - first) % n
    elif words.reading == "every" and scope.is_anchored:
        image[[first, output]] = output, first
    elif words.reading == "first" and output != first:
        raise ValueError(f"the formula of class {words.name} speaks of {scope.letter}_{first} only")
    every = np.concatenate([image + f * n for f in range(max(1, scope.factors))])
    return map_expression(words.expression, every)


def _refute(
    tying: Tying, orbit: OutputOrbit, scope: Scope, claimed: dict[int, Expression]
) -> set[int]:
    """Return the classes whose words fail at some output because of signs."""
    ansatz = tying.ansatz
    if not claimed or all(g.is_unsigned for r in (ansatz.output, *ansatz.inputs) for g in r.images):
        return set()
    if ansatz.slots > CHECKED_SLOTS:
        return set(claimed)
    refuted: set[int] = set()
    for output, moved, turn in tying.carry(orbit):
        labels = np.empty_like(orbit.labels)
        signs = np.empty_like(orbit.signs)
        labels[moved.perm] = orbit.labels
        signs[moved.perm] = orbit.signs * moved.signs * turn
        for c, expression in claimed.items():
            if c not in refuted:
                words = ClassWords("", 0, 0, 0, expression, "every", "", "")
                placed = place_expression(words, scope, output)
                ranks, coefficients = rank_terms(tying, expand_expression(placed, scope.inputs))
                if (labels[ranks] != c).any() or (signs[ranks] != coefficients).any():
                    refuted.add(c)
    return refuted


def rank_terms(tying: Tying, terms: Terms) -> tuple[IntArray, IntArray]:
    """Return the ranks of the monomials of a polynomial and their coefficients."""
    space = tying.ansatz.space
    stride = max((n for n, _ in space.factors), default=1)
    ranks = [
        space.rank(_split(row, stride, [d for _, d in space.factors]))
        for row in terms.rows.tolist()
    ]
    return np.array(ranks, dtype=np.int64), terms.coefficients


def _split(row: Sequence[int], stride: int, degrees: Sequence[int]) -> list[list[int]]:
    parts: list[list[int]] = []
    start = 0
    for degree in degrees:
        parts.append([v % stride for v in row[start : start + degree]])
        start += degree
    return parts


@dataclass(frozen=True, slots=True)
class OrbitWords:
    """The formula of one orbit of outputs, all its classes read alike.

    Attributes:
        head: The outputs it speaks of.
        images: The other outputs of the orbit, where the formula speaks of the first only.
        terms: Class name and formula of each class listed; none where the outputs are zero.
        more: Number of classes of this orbit that are not listed.
    """

    head: str
    images: tuple[int, ...]
    terms: tuple[tuple[str, str], ...]
    more: int


def join_classes(tying: Tying, words: Sequence[ClassWords]) -> tuple[OrbitWords, ...]:
    """Join the classes of each orbit of outputs into one formula that is true as it stands."""
    if tying.ansatz.fibration is not None:
        return _join_fibres(tying, words)
    joined = []
    for orbit in tying.orbits:
        own = [w for w in words if w.output == int(orbit.outputs[0])]
        count = len(np.unique(orbit.labels[orbit.labels >= 0]))
        if count and not own:
            continue
        scope = open_scope(tying, orbit)
        if not count:
            joined.append(OrbitWords(spell_head(scope, "every"), (), (), 0))
            continue
        alike = all(w.reading != "first" for w in own) and len({w.head for w in own}) == 1
        terms = [
            (
                w.name,
                w.text if alike else spell_expression(w.expression, name_indices(scope, "first")),
            )
            for w in own
        ]
        head = own[0].head if alike else spell_head(scope, "first")
        images = () if alike else tuple(sorted(orbit.outputs[1:].tolist()))
        joined.append(OrbitWords(head, images, tuple(terms), count - len(own)))
    return tuple(joined)


def _join_fibres(tying: Tying, words: Sequence[ClassWords]) -> tuple[OrbitWords, ...]:
    """Join the classes of each fibre of outputs; they are numbered fibre by fibre."""
    outputs = tying.representatives[:, 0].tolist()
    joined = []
    for head, group in groupby(words, lambda w: w.head):
        own = list(group)
        count = outputs.count(own[0].output)
        terms = tuple((w.name, w.text) for w in own)
        joined.append(OrbitWords(head, (), terms, count - len(own)))
    return tuple(joined)
