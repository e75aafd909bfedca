"""Solve equality constraints: coefficients are signed orbits of slots.

Two ways lead to the same tying. The *table* takes the components of all slots under the
generators. The *stabiliser* way takes, per orbit of outputs, the components of the slots of its
first output under everything that fixes this output; it needs n_out times less memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from eqcompile.actions.stabilisers import OrbitWalk, schreier_generators, walk_orbit
from eqcompile.exact.components import classify
from eqcompile.exact.monomials import Edges
from eqcompile.exact.signed import IntArray
from eqcompile.layers.problem import SignedAction
from eqcompile.solve.constraints import Constraints
from eqcompile.solve.fibration import tie_orbits
from eqcompile.solve.linear import impose
from eqcompile.solve.tying import OutputOrbit, Tying

TABLE_SLOTS = 2**20
"""Above this many slots the table is not built unless asked for."""

Path = Literal["auto", "table", "stabiliser"]


def solve(constraints: Constraints, path: Path = "auto") -> Tying:
    """Solve the constraints into tying classes; linear equations come last, on the coefficients.

    Args:
        constraints: From :func:`eqcompile.solve.constraints.constrain`.
        path: ``table`` or ``stabiliser``; ``auto`` takes the table while it is small.

    Returns:
        The classes; both paths return equal tyings.
    """
    if path == "auto":
        path = "table" if constraints.ansatz.slots <= TABLE_SLOTS else "stabiliser"
    walks = walk_outputs(constraints.ansatz.output)
    if constraints.ansatz.fibration is not None:
        orbits = tie_orbits(constraints.ansatz, walks)
    elif path == "table":
        orbits = tuple(_number_slices(walks, solve_table(constraints, walks)))
    else:
        orbits = tuple(_number_slices(walks, solve_slices(constraints, walks)))
    tying = Tying(constraints.ansatz, orbits)
    return impose(tying, constraints) if constraints.has_rows else tying


def solve_table(
    constraints: Constraints, walks: list[OrbitWalk]
) -> list[tuple[IntArray, IntArray]]:
    """Classify all slots at once, and keep the slots of the first output of each orbit."""
    ansatz = constraints.ansatz
    every = np.arange(ansatz.slots)
    moves = ((every, m.perm, m.signs) for m in (move.slots() for move in constraints.moves))
    labels, signs = classify(ansatz.slots, moves, signed=constraints.is_signed)
    shape = (ansatz.output.dim, ansatz.space.size)
    table, turns = labels.reshape(shape), signs.reshape(shape)
    return [(table[w.outputs[0]], turns[w.outputs[0]]) for w in walks]


def solve_slices(
    constraints: Constraints, walks: list[OrbitWalk]
) -> list[tuple[IntArray, IntArray]]:
    """Classify the slots of the first output of each orbit under its stabiliser."""
    size, signed = constraints.ansatz.space.size, constraints.is_signed
    return [classify(size, _stabiliser_moves(constraints, walk), signed=signed) for walk in walks]


def _stabiliser_moves(constraints: Constraints, walk: OrbitWalk) -> Iterator[Edges]:
    """Trace the monomials of the first output under each stabiliser generator."""
    ansatz = constraints.ansatz
    inputs = list(dict.fromkeys(ansatz.inputs))
    paired = [ansatz.output.images, *(r.images for r in inputs)]
    for turn, *images in schreier_generators(paired, walk):
        moved = [images[inputs.index(r)] for r in ansatz.inputs]
        if turn.signs[walk.outputs[0]] > 0:
            yield ansatz.space.trace(moved)
        else:
            # An element that negates the output says something of every monomial, moved or not.
            monomials = ansatz.space.move(moved)
            yield np.arange(monomials.n), monomials.perm, -monomials.signs


def walk_outputs(output: SignedAction) -> list[OrbitWalk]:
    """Walk every orbit of outputs from its least one, in order of these."""
    walks: list[OrbitWalk] = []
    seen: set[int] = set()
    for point in range(output.dim):
        if point not in seen:
            walks.append(walk_orbit(output.images, point))
            seen.update(walks[-1].outputs.tolist())
    return walks


def _number_slices(
    walks: list[OrbitWalk], slices: list[tuple[IntArray, IntArray]]
) -> Iterator[OutputOrbit]:
    """Number the classes across orbits by least slot."""
    offset = 0
    for walk, (labels, signs) in zip(walks, slices, strict=True):
        kept = labels >= 0
        names = np.unique(labels[kept])
        numbered = np.full_like(labels, -1)
        # classify() numbers by least member, so sorted names are already in order of least slot.
        numbered[kept] = offset + np.searchsorted(names, labels[kept])
        offset += len(names)
        yield OutputOrbit(walk.outputs, walk.parents, walk.steps, numbered, signs)
