"""Why two slots are tied: the shortest chain of generators that leads from one to the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eqcompile.errors import Refusal
from eqcompile.exact.signed import IntArray, SignedPermutation
from eqcompile.solve.ansatz import Ansatz
from eqcompile.solve.constraints import constrain

REACH = 2**25
"""Up to this many signed slots a chain is searched for."""

Slot = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Step:
    """One link of a chain: ``w[target] = sign w[source]`` because of one generator.

    Attributes:
        cause: Label of the generator, with ``^-1`` where it is used backwards.
        source: Slot ``(output, monomial rank)`` before.
        target: Slot after.
        sign: Sign of this one equality.
    """

    cause: str
    source: Slot
    target: Slot
    sign: int


@dataclass(frozen=True, slots=True)
class Chain:
    """Equalities that lead from one slot to another.

    Attributes:
        steps: The links, first slot first; empty where both slots are the same.
        sign: Sign of the resulting ``w[last] = sign w[first]``.
    """

    steps: tuple[Step, ...]
    sign: int


def explain_tie(ansatz: Ansatz, first: Slot, last: Slot) -> Chain | None:
    """Return a shortest chain of generators that ties two slots, or None where nothing does.

    Args:
        ansatz: The coefficients.
        first: Slot ``(output, monomial rank)`` to start from.
        last: Slot to reach, with either sign.

    Raises:
        Refusal: The layer has too many slots to search.
    """
    return _search(ansatz, first, (_number(ansatz, last), _number(ansatz, last) + ansatz.slots))


def explain_zero(ansatz: Ansatz, slot: Slot) -> Chain | None:
    """Return a shortest chain that leads from a slot to its own negative, which forces it to 0."""
    return _search(ansatz, slot, (_number(ansatz, slot) + ansatz.slots,))


def _number(ansatz: Ansatz, slot: Slot) -> int:
    return slot[0] * ansatz.space.size + slot[1]


def _search(ansatz: Ansatz, first: Slot, goals: tuple[int, ...]) -> Chain | None:
    """Search breadth-first over signed slots: number s stands for +w_s, slots + s for -w_s."""
    if 2 * ansatz.slots > REACH:
        raise Refusal(
            "too-large",
            f"a chain among {ansatz.slots} slots is out of reach (at most {REACH // 2})",
            "ask for a lower degree or fewer points",
        )
    moves = _list_moves(ansatz)
    parents = np.full(2 * ansatz.slots, -1, dtype=np.int64)
    used = np.full(2 * ansatz.slots, -1, dtype=np.int64)
    start = _number(ansatz, first)
    parents[start] = start
    frontier = np.array([start])
    while len(frontier) and not any(parents[g] >= 0 for g in goals):
        fresh = []
        for index, (_, image) in enumerate(moves):
            reached, origin = np.unique(image[frontier], return_index=True)
            new = parents[reached] < 0
            parents[reached[new]] = frontier[origin[new]]
            used[reached[new]] = index
            fresh.append(reached[new])
        frontier = np.concatenate(fresh)
    for goal in goals:
        if parents[goal] >= 0:
            return _trace(ansatz, moves, parents, used, start, goal)
    return None


def _list_moves(ansatz: Ansatz) -> list[tuple[str, IntArray]]:
    """Return every generator and inverse as a permutation of the signed slots."""
    moves = []
    for move in constrain(ansatz).moves:
        slots: SignedPermutation = move.slots()
        moves.append((move.cause, slots.double()))
        inverse = slots.inverse()
        if inverse != slots:
            moves.append((move.cause + "^-1", inverse.double()))
    return moves


def _trace(
    ansatz: Ansatz,
    moves: list[tuple[str, IntArray]],
    parents: IntArray,
    used: IntArray,
    start: int,
    goal: int,
) -> Chain:
    """Read the chain back from the goal."""
    steps = []
    point = goal
    while point != start:
        parent = int(parents[point])
        flip = -1 if (point >= ansatz.slots) != (parent >= ansatz.slots) else 1
        source, target = (divmod(p % ansatz.slots, ansatz.space.size) for p in (parent, point))
        steps.append(Step(moves[used[point]][0], source, target, flip))
        point = parent
    return Chain(tuple(reversed(steps)), -1 if goal >= ansatz.slots else 1)
