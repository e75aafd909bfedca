"""A second, independent computation that a tying is right and complete.

This module shares no code with the solver: it walks the orbits itself, finds the classes by
propagating least labels instead of graph components, and counts once more by Burnside where the
group is small. It reads the claimed tying only to compare. For every block it shows that

1. every claimed class is fixed by every generator, exactly, zero slots included;
2. the claimed classes are all: an independent count of the classes gives the same number, and so,
   for small groups, does the average of the characters, and for larger S_n on tensor powers the
   number of set partitions.

A class fixed by all generators is a solution; classes have disjoint slots, so they are independent;
as many as the dimension are a basis. Where a generator is no signed permutation, or the spec has
constraints of its own, the second half is `linear_proof`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from eqcompile.errors import CertificateError
from eqcompile.exact.monomials import Edges
from eqcompile.exact.signed import IntArray, SignedPermutation
from eqcompile.solve.ansatz import Ansatz
from eqcompile.solve.balance import check_balance
from eqcompile.solve.burnside import CharacterCount, count_by_characters
from eqcompile.solve.linear_proof import prove_linear
from eqcompile.solve.molien import count_by_molien
from eqcompile.solve.points import count_by_partitions
from eqcompile.solve.tying import OutputOrbit, Tying
from eqcompile.solve.weyl import count_by_weyl

FULL_TABLE = 2**21
"""Up to this many slots the whole table is checked; beyond, one output per orbit, streamed."""


@dataclass(frozen=True, slots=True)
class BlockProof:
    """What was found for one tying.

    Attributes:
        slots: Number of coefficients.
        classes: Number of classes, confirmed.
        zeros: Number of slots forced to zero, confirmed.
        proof: Methods that each gave this number of classes, in the words of ``solve --json``.
        streamed: Whether outputs were checked one per orbit under all elements that fix it.
        group_order: Order of the group as it acts here, where it was listed, else None.
    """

    slots: int
    classes: int
    zeros: int
    proof: tuple[str, ...]
    streamed: bool
    group_order: int | None


def prove(tying: Tying) -> BlockProof:
    """Prove that a tying is right and complete.

    Raises:
        CertificateError: It is not; the message names the first check that failed.
    """
    ansatz = tying.ansatz
    check_walks(tying)
    if ansatz.fibration is not None:
        return prove_fibration(tying)
    if ansatz.linear or ansatz.relations or tying.basis is not None:
        return prove_equations(tying)
    streamed = ansatz.slots > FULL_TABLE
    moves = stream_moves(tying) if streamed else full_moves(tying)
    counted, zeros = 0, 0
    for labels, signs, images, weight in moves:
        found, dead = compare_classes(ansatz, labels, signs, images)
        counted += found
        zeros += weight * dead
    if counted != tying.classes:
        raise CertificateError(f"{tying.classes} classes are claimed, {counted} were counted")
    if zeros != tying.zeros:
        raise CertificateError(f"{tying.zeros} zeros are claimed, {zeros} were counted")
    characters = count_by_characters(ansatz)
    methods, order = _compare_characters(characters, counted, "components")
    partitions = count_by_partitions(ansatz) if characters is None else None
    if partitions is not None:
        if partitions != counted:
            raise CertificateError(
                f"{counted} classes were counted, there are {partitions} partitions of indices"
            )
        methods = (*methods, "partitions")
    return BlockProof(ansatz.slots, counted, zeros, methods, streamed, order)


def prove_fibration(tying: Tying) -> BlockProof:
    """Prove a tying over a balanced colouring."""
    ansatz = tying.ansatz
    names = check_balance(tying)
    _check_signs(*(array.ravel() for array in tying.table()))
    zeros = tying.zeros
    if not ansatz.relations:
        return BlockProof(ansatz.slots, tying.classes, zeros, ("components",), False, None)
    prove_linear(tying, names, np.ones_like(names))
    methods = ("components", "rank_mod_p")
    return BlockProof(ansatz.slots, tying.classes, zeros, methods, False, None)


def prove_equations(tying: Tying) -> BlockProof:
    """Prove a tying on which more than signed permutations make demands."""
    ansatz = tying.ansatz
    ((labels, signs, moves, _),) = full_moves(tying)
    points = follow_moves(ansatz, labels, signs, moves)
    own, turns = read_components(points)
    if np.any((labels >= 0) & (own < 0)):
        raise CertificateError(f"a slot of {_name(ansatz)} that is forced to zero has a class")
    prove_linear(tying, own, turns)
    zeros = int((labels < 0).sum())
    if zeros != tying.zeros:
        raise CertificateError(f"{tying.zeros} zeros are claimed, {zeros} were counted")
    characters = None if ansatz.relations else count_by_molien(ansatz)
    methods, order = _compare_characters(characters, tying.classes, "rank_mod_p")
    weights = count_by_weyl(ansatz)
    if weights is not None:
        if weights != tying.classes:
            raise CertificateError(
                f"{tying.classes} classes were counted, the weights give {weights}"
            )
        methods = (*methods, "weyl")
    return BlockProof(ansatz.slots, tying.classes, zeros, methods, False, order)


def _compare_characters(
    characters: CharacterCount | None, counted: int, method: str
) -> tuple[tuple[str, ...], int | None]:
    """Compare a count with the characters, if there are any; return the methods and the order."""
    if characters is None:
        return (method,), None
    if characters.dimension != counted:
        raise CertificateError(
            f"{counted} classes were counted, the characters give {characters.dimension}"
        )
    return (method, characters.method), characters.order


def read_components(points: IntArray) -> tuple[IntArray, IntArray]:
    """Number the components of signed slots; -1 and sign 0 where one meets its own negative."""
    plus, minus = points.reshape(2, -1)
    alive = plus != minus
    labels, signs = np.full(len(plus), -1, dtype=np.int64), np.zeros(len(plus), dtype=np.int64)
    least = np.minimum(plus, minus)[alive]
    labels[alive] = np.unique(least, return_inverse=True)[1]
    signs[alive] = np.where(plus[alive] == least, 1, -1)
    return labels, signs


def check_walks(tying: Tying) -> None:
    """Check that the claimed orbits of outputs partition them and follow the generators."""
    images = tying.ansatz.output.images
    outputs = np.concatenate([o.outputs for o in tying.orbits]) if tying.orbits else np.zeros(0)
    if not np.array_equal(np.sort(outputs), np.arange(tying.ansatz.output.dim)):
        raise CertificateError("the orbits of outputs do not list every output once")
    for orbit in tying.orbits:
        members = set(orbit.outputs.tolist())
        for position in range(1, len(orbit.outputs)):
            parent, step = int(orbit.parents[position]), int(orbit.steps[position])
            if not 0 <= parent < position or not 0 <= step < len(images):
                raise CertificateError("a step of an output orbit refers forwards")
            if images[step].perm[orbit.outputs[parent]] != orbit.outputs[position]:
                raise CertificateError("a step of an output orbit is not made by its generator")
        if any(int(g.perm[k]) not in members for g in images for k in members):
            raise CertificateError("an orbit of outputs is not closed under the generators")


Claim = tuple[IntArray, IntArray, Iterator[Edges], int]
"""Labels and signs of some slots, the moves of those slots, and how often the slots occur."""


def full_moves(tying: Tying) -> Iterator[Claim]:
    """Claim all slots at once, moved by the generators."""
    ansatz = tying.ansatz
    labels, signs = tying.table()

    def moves() -> Iterator[Edges]:
        for index in range(len(ansatz.causes)):
            rows = ansatz.output.images[index]
            columns = ansatz.space.move([r.images[index] for r in ansatz.inputs])
            perm = rows.perm[:, None] * columns.n + columns.perm
            signs = np.outer(rows.signs, columns.signs)
            yield np.arange(perm.size), perm.ravel(), signs.ravel()

    yield labels.ravel(), signs.ravel(), moves(), 1


def stream_moves(tying: Tying) -> Iterator[Claim]:
    """Claim the slots of the first output of each orbit, moved by all that fixes it.

    The other outputs of an orbit are carried there by the walk that :func:`check_walks` checked,
    so they say nothing new: a slot k moved by g is the first output moved by ``u_{gk}^-1 g u_k``.
    """
    for orbit in tying.orbits:
        yield orbit.labels, orbit.signs, fixing_moves(tying.ansatz, orbit), len(orbit.outputs)


def fixing_moves(ansatz: Ansatz, orbit: OutputOrbit) -> Iterator[Edges]:
    """Move the slots of an orbit's first output by every ``u_{gk}^-1 g u_k``.

    Slots that an element surely keeps, sign included, are left out.
    """
    first = int(orbit.outputs[0])
    representations = (*ansatz.inputs, ansatz.output)
    carried = [tuple(SignedPermutation.identity(r.dim) for r in representations)]
    for parent, step in zip(orbit.parents[1:], orbit.steps[1:], strict=True):
        pairs = zip(representations, carried[parent], strict=True)
        carried.append(tuple(r.images[step] @ u for r, u in pairs))
    back = [tuple(u.inverse() for u in element) for element in carried]
    place = {int(k): i for i, k in enumerate(orbit.outputs)}
    for index in range(len(ansatz.causes)):
        for position, k in enumerate(orbit.outputs):
            target = place[int(ansatz.output.images[index].perm[k])]
            triples = zip(back[target], representations, carried[position], strict=True)
            element = tuple(b @ r.images[index] @ u for b, r, u in triples)
            if all(g.is_identity for g in element):
                continue
            if element[-1].signs[first] > 0:
                yield ansatz.space.trace(element[:-1])
            else:
                moved = ansatz.space.move(element[:-1])
                yield np.arange(moved.n), moved.perm, -moved.signs


def compare_classes(
    ansatz: Ansatz, labels: IntArray, signs: IntArray, moves: Iterator[Edges]
) -> tuple[int, int]:
    """Check that moves keep the claimed classes, and count the true classes and zeros.

    Raises:
        CertificateError: A class is not fixed, or falls apart into several.
    """
    size = len(labels)
    points = follow_moves(ansatz, labels, signs, moves)
    plus, minus = points[:size], points[size:]
    alive = plus != minus
    if not np.array_equal(alive, labels >= 0):
        raise CertificateError(f"the zeros claimed in {_name(ansatz)} are not those forced")
    return len(np.unique(points[np.concatenate([alive, alive])])) // 2, int((~alive).sum())


def follow_moves(
    ansatz: Ansatz, labels: IntArray, signs: IntArray, moves: Iterator[Edges]
) -> IntArray:
    """Check that moves keep the claimed labels, and join what they join.

    Returns:
        The component of each signed slot, ``+`` first, named by its least member.

    Raises:
        CertificateError: A label or a sign is not kept.
    """
    _check_signs(labels, signs)
    size = len(labels)
    points = np.arange(2 * size)
    for sources, targets, turns in moves:
        if not np.array_equal(labels[targets], labels[sources]):
            raise CertificateError(f"a class of {_name(ansatz)} is not fixed by a generator")
        if not np.array_equal(signs[targets] * turns, signs[sources]):
            raise CertificateError(f"a sign in {_name(ansatz)} is not kept by a generator")
        flip = np.where(turns > 0, 0, size)
        starts = np.concatenate([sources, sources + size])
        ends = np.concatenate([targets + flip, targets + size - flip])
        points = propagate_least(points, starts, ends)
    return points


def _name(ansatz: Ansatz) -> str:
    return f"degree {ansatz.degree} {ansatz.shape}"


def _check_signs(labels: IntArray, signs: IntArray) -> None:
    """Check that labels are ``-1..classes-1``, signs +-1 on classes, 0 on zeros, +1 to start."""
    kept = labels >= 0
    _, first = np.unique(labels[kept], return_index=True)
    if np.any(labels < -1) or np.any(np.diff(np.flatnonzero(kept)[first]) <= 0):
        raise CertificateError("classes are not numbered by their least slot")
    if not np.array_equal(np.abs(signs), kept.astype(np.int64)) or np.any(signs[kept][first] != 1):
        raise CertificateError(
            "a sign is not +-1 on a class, 0 on a zero and +1 where a class starts"
        )


def propagate_least(points: IntArray, starts: IntArray, stops: IntArray) -> IntArray:
    """Join the components of both ends of every edge, each named by its least member.

    ``points[p]`` names the component of p. Components that an edge joins are merged by letting the
    least label run along the edges between components, halving the distance to it at every turn
    (pointer jumping), until nothing changes.
    """
    left, right = points[starts], points[stops]
    differ = left != right
    if not differ.any():
        return points
    ends = np.stack([left[differ], right[differ]])
    roots, local = np.unique(ends, return_inverse=True)
    sources, targets = local.reshape(2, -1)
    least = np.arange(len(roots))
    while True:
        before = least
        reached = np.minimum(before[sources], before[targets])
        least = before.copy()
        np.minimum.at(least, before[sources], reached)
        np.minimum.at(least, before[targets], reached)
        least = least[least]
        if np.array_equal(least, before):
            break
    merged = np.arange(len(points))
    merged[roots] = roots[least]
    return np.asarray(merged[points])
