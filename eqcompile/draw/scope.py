"""What ``k``, ``the others`` and plain numbers mean for the outputs of one orbit."""

from __future__ import annotations

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
)
from eqcompile.draw.spelling import Names, spell_members
from eqcompile.exact.signed import IntArray
from eqcompile.solve.tying import OutputOrbit, Tying

Reading = Literal["every", "cycle", "first"]


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
