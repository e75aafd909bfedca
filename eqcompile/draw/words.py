"""What each tying class says, in words: its part of one output as a formula.

A formula is read in one of three ways, and printed so that it is true as it stands: for every
output of the orbit (``y_k: x_k * sum of the others``), for every output with indices taken around
a cycle (``y_k: x_k * x_{k+1}``), or for the first output of the orbit only (``y_0: x_1 * x_3``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from eqcompile.actions.group import Representation
from eqcompile.draw.formula import (
    Blocks,
    Explicit,
    Expression,
    Linear,
    Power,
    Product,
    Sum,
    Symmetric,
    Terms,
    expand_expression,
    map_expression,
)
from eqcompile.draw.recognise import recognise
from eqcompile.draw.spelling import Names, spell_expression, spell_members
from eqcompile.exact.signed import IntArray
from eqcompile.solve.tying import OutputOrbit, Tying

Reading = Literal["every", "cycle", "first"]

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


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean for the outputs of one orbit.

    Attributes:
        inputs: Number of inputs per factor.
        factors: Number of factors.
        output: The first output of the orbit.
        outputs: All of them.
        n_out: Number of outputs of the layer.
        is_anchored: Whether the group moves outputs and inputs alike, so that ``x_k`` makes sense.
        is_cyclic: Whether a generator moves both by ``i -> i + 1``.
        orbits: Shape ``(inputs,)``: orbit of each input, named by its least member.
    """

    inputs: int
    factors: int
    output: int
    outputs: IntArray
    n_out: int
    is_anchored: bool
    is_cyclic: bool
    orbits: IntArray

    @property
    def anchor(self) -> tuple[int, ...]:
        """The variables ``x_k`` of every factor."""
        if not self.is_anchored:
            return ()
        return tuple(f * self.inputs + self.output for f in range(self.factors))

    def orbit(self, i: int) -> set[int]:
        """Return the inputs that the group moves to input i."""
        return set(np.flatnonzero(self.orbits == self.orbits[i]).tolist())


def find_orbits(representation: Representation) -> IntArray:
    """Name the orbit of each basis vector, signs aside, by its least member, shape ``(dim,)``."""
    n = representation.dim
    targets = np.concatenate([g.perm for g in representation.images])
    sources = np.tile(np.arange(n), len(representation.images))
    graph = coo_array((np.ones(len(targets), dtype=np.int8), (sources, targets)), shape=(n, n))
    _, labels = connected_components(graph.tocsr(), directed=False)
    _, first = np.unique(labels, return_index=True)
    return np.asarray(first[labels], dtype=np.int64)


def open_scope(tying: Tying, orbit: OutputOrbit) -> Scope:
    """Say what names mean for the outputs of one orbit."""
    ansatz = tying.ansatz
    output, factors = ansatz.output, ansatz.inputs
    alike = all(
        r.dim == output.dim
        and all(
            np.array_equal(g.perm, h.perm) for g, h in zip(r.images, output.images, strict=True)
        )
        for r in factors
    )
    cycle = np.roll(np.arange(output.dim), -1)
    turns = [
        all(
            g.n == output.dim and g.is_unsigned and np.array_equal(g.perm, cycle)
            for g in (output.images[i], *(r.images[i] for r in factors))
        )
        for i in range(len(output.images))
    ]
    several = len(orbit.outputs) > 1
    return Scope(
        inputs=max((r.dim for r in factors), default=1),
        factors=len(factors),
        output=int(orbit.outputs[0]),
        outputs=orbit.outputs,
        n_out=output.dim,
        is_anchored=alike and bool(factors),
        is_cyclic=several and any(turns) and bool(factors),
        orbits=find_orbits(factors[0]) if factors else np.zeros(1, dtype=np.int64),
    )


def describe_classes(tying: Tying, limit: int | None = None) -> tuple[ClassWords, ...]:
    """Put the classes into words, in order, at most ``limit`` of them."""
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


def _describe_orbit(tying: Tying, orbit: OutputOrbit, limit: int | None) -> Iterator[ClassWords]:
    scope = open_scope(tying, orbit)
    found = [(c, _choose(terms, scope)) for c, terms in list_terms(tying, orbit, limit)]
    claimed = {c: e for c, (e, reading) in found if reading == "every"}
    refuted = _refute(tying, orbit, scope, claimed)
    for c, (expression, reading) in found:
        if c in refuted:
            reading = "cycle" if scope.is_cyclic else "first"
        output, rank = tying.representatives[c].tolist()
        names = name_indices(scope, reading)
        text = spell_expression(expression, names)
        head = spell_head(scope, reading)
        size = int(tying.sizes[c])
        yield ClassWords(name_class(c), size, output, rank, expression, reading, head, text)


def name_indices(scope: Scope, reading: Reading) -> Names:
    """Say how the indices of a formula are spelled in one reading."""
    n = scope.inputs
    spelled = [str(i) for i in range(n)]
    if reading == "every" and scope.is_anchored:
        spelled[scope.output] = "k"
    if reading == "cycle":
        for i in range(n):
            turn = (i - scope.output + (n - 1) // 2) % n - (n - 1) // 2
            spelled[i] = "k" if turn == 0 else f"{{k{turn:+d}}}"
    speaks_of_k = reading != "first" and scope.is_anchored
    return Names(
        inputs=n,
        factors=scope.factors,
        spelled=tuple(spelled),
        output=scope.output if speaks_of_k else None,
        own_orbit=tuple(sorted(scope.orbit(scope.output))) if speaks_of_k else (),
    )


def spell_head(scope: Scope, reading: Reading) -> str:
    """Name the outputs that a formula speaks of."""
    if reading == "first" or len(scope.outputs) == 1:
        return f"y_{scope.output}"
    if len(scope.outputs) == scope.n_out:
        return "y_k"
    return f"y_k, k in {spell_members(scope.outputs.tolist())}"


def _choose(terms: Terms, scope: Scope) -> tuple[Expression, Reading]:
    """Take the first proposal that holds for every output, else the shortest that is complete."""
    proposals = list(recognise(terms, scope.inputs, scope.anchor))
    if len(scope.outputs) == 1:
        return proposals[-1], "first"
    for proposal in proposals:
        if holds_for_orbit(proposal, scope):
            return proposal, "every"
    return proposals[-1], "cycle" if scope.is_cyclic else "first"


def holds_for_orbit(expression: Expression, scope: Scope) -> bool:
    """Whether every index set of an expression is fixed by all that fix the output k.

    Then the group element that carries the first output to k carries the expression to the one
    with the same words, signs aside.
    """
    match expression:
        case Power(variable=v):
            return _is_fixed({v % scope.inputs}, scope) and _is_spelled_alike(v, scope)
        case Linear(variables=variables, signs=signs):
            inside = len({v // scope.inputs for v in variables}) == 1
            members = {v % scope.inputs for v in variables}
            return inside and set(signs) == {1} and _is_fixed(members, scope)
        case Symmetric(inputs=members):
            return _is_fixed(set(members), scope)
        case Blocks(blocks=blocks):
            return all(_is_fixed({v % scope.inputs for v in block}, scope) for block in blocks)
        case Product(factors=inner) | Sum(parts=inner):
            return all(holds_for_orbit(e, scope) for e in inner)
        case Explicit():
            return False


def _is_spelled_alike(variable: int, scope: Scope) -> bool:
    """Whether a variable is ``x_k`` or keeps its number at every output."""
    i = variable % scope.inputs
    return not scope.is_anchored or i == scope.output or scope.output not in scope.orbit(i)


def _is_fixed(members: set[int], scope: Scope) -> bool:
    if scope.is_anchored and members == {scope.output}:
        return True
    for i in sorted(members):
        orbit = scope.orbit(i)
        if scope.is_anchored:
            orbit.discard(scope.output)
        if not orbit <= members:
            return False
    # A set that holds x_k must hold its whole orbit, or its words would need both.
    return (
        scope.output not in members or not scope.is_anchored or scope.orbit(scope.output) <= members
    )


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
        raise ValueError(f"the formula of class {words.name} speaks of y_{first} only")
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
