"""Recognise S_n acting on tensor powers, from the generators, and count its classes in closed form.

A group is all of S_n where one of its generators exchanges two points, and the pairs that the
generators carry this pair to connect all points: exchanges along a connected graph generate S_n.
"""

from __future__ import annotations

from itertools import combinations_with_replacement, product

import numpy as np

from eqcompile.actions.tensor_powers import count_coordinates, read_tensor_powers
from eqcompile.errors import Refusal
from eqcompile.exact.multigraphs import Terms
from eqcompile.exact.signed import IntArray, SignedPermutation
from eqcompile.layers.problem import SignedAction
from eqcompile.solve.ansatz import Ansatz
from eqcompile.solve.partitions import count_diagrams

MAX_INDICES = 24
"""Up to this many indices in all are their partitions counted."""


def count_by_partitions(ansatz: Ansatz) -> int | None:
    """Count the classes of an ansatz of S_n between tensor powers, or return None for another.

    All factors must be in one kind of input. What the expressions say of the actions is checked
    against the images of the generators.
    """
    actions = (ansatz.output, *ansatz.inputs)
    powers = [_read_powers(action.text) for action in actions]
    if any(terms is None for terms in powers) or len(set(powers[1:])) > 1:
        return None
    output, *inputs = [terms for terms in powers if terms is not None]
    source = inputs[0] if inputs else ((),)
    if ansatz.degree * max(map(sum, source)) + max(map(sum, output)) > MAX_INDICES:
        return None
    pairs = list(zip(actions, (output, *inputs), strict=True))
    n = next((n for action, terms in pairs if (n := _find_points(action, terms))), None)
    if n is None or any(count_coordinates(terms, n) != a.dim for a, terms in pairs):
        return None
    moved = _read_points(pairs, n, len(ansatz.causes))
    if moved is None or not is_symmetric(moved):
        return None
    return count_diagrams(n, source, output, ansatz.shape)


def _read_powers(text: str) -> Terms | None:
    try:
        return read_tensor_powers(text)
    except Refusal:
        return None


def _find_points(action: SignedAction, terms: Terms) -> int | None:
    """Return the n for which tensor powers have the dimension of an action, if they tell."""
    if not any(sum(parts) for parts in terms):
        return None
    n = 1
    while count_coordinates(terms, n) < action.dim:
        n += 1
    return n


def _read_points(
    pairs: list[tuple[SignedAction, Terms]], n: int, generators: int
) -> list[IntArray] | None:
    """Return how each generator moves the points, where every action is what its powers say."""
    coordinates = [_list_coordinates(terms, n) for _, terms in pairs]
    teller = next(i for i, (_, terms) in enumerate(pairs) if any(sum(p) for p in terms))
    found = []
    for g in range(generators):
        images = [action.images[g] for action, _ in pairs]
        points = _read_diagonal(images[teller], coordinates[teller], n)
        if points is None or not all(map(_is_moved, images, coordinates, [points] * len(pairs))):
            return None
        found.append(points)
    return found


Coordinates = list[tuple[int, tuple[tuple[int, ...], ...]]]


def _list_coordinates(terms: Terms, n: int) -> Coordinates:
    """List the coordinates of a direct sum: summand, and the sorted indices of each run."""
    return [
        (term, chosen)
        for term, parts in enumerate(terms)
        for chosen in product(*(combinations_with_replacement(range(n), part) for part in parts))
    ]


def _read_diagonal(image: SignedPermutation, coordinates: Coordinates, n: int) -> IntArray | None:
    """Return how the points move, by the coordinates all of whose indices are one point."""
    points = np.full(n, -1, dtype=np.int64)
    for place, (_, runs) in enumerate(coordinates):
        indices = {i for run in runs for i in run}
        if len(indices) == 1:
            targets = {i for run in coordinates[int(image.perm[place])][1] for i in run}
            if len(targets) != 1:
                return None
            points[indices.pop()] = targets.pop()
    return points if np.array_equal(np.sort(points), np.arange(n)) else None


def _is_moved(image: SignedPermutation, coordinates: Coordinates, points: IntArray) -> bool:
    """Whether an image moves all indices of every coordinate by the same permutation."""
    if not image.is_unsigned:
        return False
    names = points.tolist()
    ranks = {coordinate: place for place, coordinate in enumerate(coordinates)}
    return all(
        ranks[term, tuple(tuple(sorted(names[i] for i in run)) for run in runs)] == target
        for (term, runs), target in zip(coordinates, image.perm.tolist(), strict=True)
    )


def is_symmetric(generators: list[IntArray]) -> bool:
    """Whether permutations surely generate all of S_n; one of them must exchange two points."""
    n = len(generators[0])
    if n == 1:
        return True
    swaps = [np.flatnonzero(g != np.arange(n)) for g in generators]
    start = next((tuple(moved.tolist()) for moved in swaps if len(moved) == 2), None)
    if start is None:
        return False
    names, joined = list(range(n)), 0

    def find(point: int) -> int:
        while names[point] != point:
            point = names[point]
        return point

    known, todo = {start}, [start]
    while todo and joined < n - 1:
        left, right = todo.pop(0)
        a, b = find(left), find(right)
        if a != b:
            names[max(a, b)] = min(a, b)
            joined += 1
        for g in generators:
            image = tuple(sorted((int(g[left]), int(g[right]))))
            pair = (image[0], image[1])
            if pair not in known:
                known.add(pair)
                todo.append(pair)
    return joined == n - 1
