"""What ``k``, ``the others`` and plain numbers mean for the outputs of one orbit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

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
from eqcompile.layers.problem import SignedAction
from eqcompile.solve.ansatz import Ansatz
from eqcompile.solve.tying import OutputOrbit, Tying

Reading = Literal["every", "cycle", "first"]


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean for the outputs of one orbit.

    Attributes:
        dims: Number of inputs of each factor.
        letters: Name of each factor.
        is_lone: Whether there is but one factor, of a layer with one input.
        output: The first output of the orbit.
        outputs: All of them.
        n_out: Number of outputs of the layer.
        letter: Name of the output.
        is_anchored: Whether the group moves outputs and inputs alike, so that ``x_k`` makes sense.
        is_cyclic: Whether a generator moves both by ``i -> i + 1``.
        kinds: Per factor a number, the same for factors that the group moves alike.
        orbits: Per factor, shape ``(dim,)``: orbit of each input, named by its least member.
    """

    dims: tuple[int, ...]
    letters: tuple[str, ...]
    is_lone: bool
    output: int
    outputs: IntArray
    n_out: int
    letter: str
    is_anchored: bool
    is_cyclic: bool
    kinds: tuple[int, ...]
    orbits: tuple[IntArray, ...]

    @property
    def inputs(self) -> int:
        """Stride of the numbering of variables: the most inputs a factor has."""
        return max(self.dims, default=1)

    @property
    def factors(self) -> int:
        """Number of factors."""
        return len(self.dims)

    @property
    def anchor(self) -> tuple[int, ...]:
        """The variables ``x_k`` of every factor."""
        if not self.is_anchored:
            return ()
        return tuple(f * self.inputs + self.output for f in range(self.factors))

    def orbit(self, i: int, factor: int = 0) -> set[int]:
        """Return the inputs of a factor that the group moves to input i."""
        orbits = self.orbits[factor]
        return set(np.flatnonzero(orbits == orbits[i]).tolist())


def find_orbits(action: SignedAction) -> IntArray:
    """Name the orbit of each basis vector, signs aside, by its least member, shape ``(dim,)``."""
    n = action.dim
    targets = np.concatenate([g.perm for g in action.images])
    sources = np.tile(np.arange(n), len(action.images))
    graph = coo_array((np.ones(len(targets), dtype=np.int8), (sources, targets)), shape=(n, n))
    _, labels = connected_components(graph.tocsr(), directed=False)
    _, first = np.unique(labels, return_index=True)
    return np.asarray(first[labels], dtype=np.int64)


def name_letters(ansatz: Ansatz) -> tuple[tuple[str, ...], bool]:
    """Name the variables of each factor, and say whether one of them needs no name."""
    letters = tuple(name or "x" for name in ansatz.names)
    return letters, ansatz.names == ("",)


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
    actions = list(dict.fromkeys((r.dim, r.images) for r in factors))
    letters, is_lone = name_letters(ansatz)
    return Scope(
        dims=tuple(r.dim for r in factors),
        letters=letters,
        is_lone=is_lone,
        output=int(orbit.outputs[0]),
        outputs=orbit.outputs,
        n_out=output.dim,
        letter=ansatz.letter,
        is_anchored=alike and bool(factors),
        is_cyclic=several and any(turns) and bool(factors),
        kinds=tuple(actions.index((r.dim, r.images)) for r in factors),
        orbits=tuple(find_orbits(r) for r in factors),
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
        dims=scope.dims,
        letters=scope.letters,
        is_lone=scope.is_lone,
        spelled=tuple(spelled),
        output=scope.output if speaks_of_k else None,
        own_orbit=tuple(sorted(scope.orbit(scope.output))) if speaks_of_k else (),
    )


def spell_head(scope: Scope, reading: Reading) -> str:
    """Name the outputs that a formula speaks of."""
    if reading == "first" or len(scope.outputs) == 1:
        return f"{scope.letter}_{scope.output}"
    if len(scope.outputs) == scope.n_out:
        return f"{scope.letter}_k"
    return f"{scope.letter}_k, k in {spell_members(scope.outputs.tolist())}"


def holds_for_orbit(expression: Expression, scope: Scope) -> bool:
    """Whether every index set of an expression is fixed by all that fix the output k.

    Then the group element that carries the first output to k carries the expression to the one
    with the same words, signs aside.
    """
    match expression:
        case Power(variable=v):
            return _hold_fixed((v,), scope) and _is_spelled_alike(v, scope)
        case Linear(variables=variables, signs=signs):
            inside = len({v // scope.inputs for v in variables}) == 1
            return inside and set(signs) == {1} and _hold_fixed(variables, scope)
        case Symmetric(pattern=pattern, inputs=members):
            used = [f for f in range(len(pattern[0])) if any(e[f] for e in pattern)]
            # One index runs through several factors, so these must be moved alike.
            alike = len({scope.kinds[f] for f in used}) == 1
            return alike and _is_fixed(set(members), used[0], scope)
        case Blocks(blocks=blocks):
            return all(_hold_fixed(block, scope) for block in blocks)
        case Product(factors=inner) | Sum(parts=inner):
            return all(holds_for_orbit(e, scope) for e in inner)
        case Explicit():
            return False


def _is_spelled_alike(variable: int, scope: Scope) -> bool:
    """Whether a variable is ``x_k`` or keeps its number at every output."""
    factor, i = divmod(variable, scope.inputs)
    return not scope.is_anchored or i == scope.output or scope.output not in scope.orbit(i, factor)


def _hold_fixed(variables: tuple[int, ...], scope: Scope) -> bool:
    """Whether a set of variables of factors that are moved alike is fixed."""
    factors = sorted({v // scope.inputs for v in variables})
    alike = len({scope.kinds[f] for f in factors}) == 1
    return alike and _is_fixed({v % scope.inputs for v in variables}, factors[0], scope)


def _is_fixed(members: set[int], factor: int, scope: Scope) -> bool:
    """Whether a set of inputs of a factor is fixed by all that fix the output k."""
    if scope.is_anchored and members == {scope.output}:
        return True
    for i in sorted(members):
        orbit = scope.orbit(i, factor)
        if scope.is_anchored:
            orbit.discard(scope.output)
        if not orbit <= members:
            return False
    # A set that holds x_k must hold its whole orbit, or its words would need both.
    return (
        scope.output not in members
        or not scope.is_anchored
        or scope.orbit(scope.output, factor) <= members
    )
