"""The lifted form: one output per orbit is evaluated, on the input as each of its orbit sees it.

Let q carry the least output k0 of an orbit to k, up to a sign s. As the layer f is equivariant,
``f(x)[k] = s f(q^-1 x)[k0]``, and ``(q^-1 x)[j] = s_j x[q(j)]`` is a signed gather. So the
monomials are formed of the gathered input, and the weights are those of k0 alone: tied under its
stabiliser, and n_out times fewer than the slots.

The Triton kernels are this form without the gathered input in memory; tables have the recipes

* ``("cosets", k0)``: the input as the orbit of k0 sees it, (element, index) from index;
* ``("lifted", k0, d, *shape)``: the signed class of each slot of k0;
* ``("place", k0)``: the outputs of the orbit among all outputs, with their signs.

Elements are in increasing order of the output they carry k0 to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from eqcompile.actions.stabilisers import OrbitCarriers, OrbitWalk
from eqcompile.exact.monomials import count_channel_tuples
from eqcompile.exact.signed import IntArray, freeze
from eqcompile.layers.problem import LayerProblem, Shape
from eqcompile.plan.build import PlanBuilder
from eqcompile.plan.cost import NOMINAL_BATCH
from eqcompile.plan.features import (
    Need,
    Piece,
    Recipe,
    expand_classes,
    form_monomials,
    need_slots,
    suffix,
)
from eqcompile.plan.ir import Table
from eqcompile.solve.ansatz import expand
from eqcompile.solve.layer import Block
from eqcompile.solve.solver import walk_outputs
from eqcompile.solve.tying import OutputOrbit

ORBITS = 32
"""Most orbits of outputs; each has products of its own, and so lines of its own in programs."""

BATCH_FEATURES = 2**26
"""Most features gathered at the nominal batch, 256 MB, unless a spec asks for the form."""


@dataclass(frozen=True, slots=True, eq=False)
class Cosets:
    """One element per output of an orbit, in increasing order of the outputs.

    The element of an output carries the least output k0 of the orbit to it; it sends ``e_j`` to
    ``input_signs[j] e_inputs[j]``.

    Attributes:
        outputs: Shape ``(elements,)``; the first is k0.
        output_signs: Shape ``(elements,)``: the sign k0 arrives with.
        inputs: Shape ``(elements, n_in)``.
        input_signs: The same shape.
    """

    outputs: IntArray
    output_signs: IntArray
    inputs: IntArray
    input_signs: IntArray


def find_cosets(problem: LayerProblem, orbit: OutputOrbit) -> Cosets:
    """Find the elements for the outputs of one orbit: the products along its walk."""
    walk = OrbitWalk(orbit.outputs, orbit.parents, orbit.steps)
    carriers = OrbitCarriers([problem.output.images, problem.input.images], walk)
    found = [carriers.carry(int(place)) for place in np.argsort(walk.outputs)]
    least = int(walk.outputs[0])
    return Cosets(
        freeze(np.sort(walk.outputs)),
        freeze([output.signs[least] for output, _ in found]),
        freeze([move.perm for _, move in found]),
        freeze([move.signs for _, move in found]),
    )


def lower_lifted(
    builder: PlanBuilder, problem: LayerProblem, block: Block, sides: list[int], lead: str
) -> Iterator[Piece]:
    """Form the monomials of the gathered input, orbit by orbit of the outputs."""
    for orbit in block.tying.orbits:
        if orbit.labels.max(initial=-1) < 0:
            continue
        cosets = find_cosets(problem, orbit)
        table = builder.declare(coset_table(cosets))
        index = builder.size("j", problem.input.dim)
        whole = len(cosets.outputs) == problem.output.dim and bool(np.all(cosets.output_signs > 0))
        outputs = "k" if whole else builder.size(f"g{len(cosets.outputs)}", len(cosets.outputs))
        lifted = [builder.map(side, table, ("i",), (outputs, index)) for side in sides]
        features, axes = form_monomials(builder, block, lifted, ("b", lead, outputs), index)
        place = None if whole else place_table(cosets, problem.output.dim)
        yield Piece(features, lifted_table(block, orbit), axes, outputs, place)


def coset_table(cosets: Cosets) -> Table:
    """Return the signed gather of the input by every element."""
    least, (elements, n) = int(cosets.outputs[0]), cosets.inputs.shape
    rows = np.arange(elements * n)
    columns, signs = cosets.inputs.ravel(), cosets.input_signs.ravel()
    recipe = ("cosets", least)
    return Table(f"cosets_{least}", recipe, len(rows), n, rows, columns, signs, np.ones_like(rows))


def place_table(cosets: Cosets, n_out: int) -> Table:
    """Return the placing of the orbit's outputs among all outputs."""
    least, outputs = int(cosets.outputs[0]), cosets.outputs
    columns, ones = np.arange(len(outputs)), np.ones_like(outputs)
    recipe, signs = ("place", least), cosets.output_signs
    return Table(f"place_{least}", recipe, n_out, len(outputs), outputs, columns, signs, ones)


def lifted_table(block: Block, orbit: OutputOrbit) -> Table:
    """Return the expansion of class coefficients to the slots of the orbit's least output."""
    least = int(orbit.outputs[0])
    recipe: Recipe = ("lifted", least, block.degree, *block.shape)
    name = f"lifted_{suffix(block)}_{least}"
    ones = np.ones_like(orbit.labels)
    return expand_classes(name, recipe, block, orbit.labels, orbit.signs, ones)


def need_lifted(problem: LayerProblem) -> tuple[Need, ...]:
    """Count the monomials of a layer's largest block at all outputs, and the orbits of outputs."""
    needs = (
        *need_slots(problem, "gathered features per channel"),
        Need(len(walk_outputs(problem.output)), "orbits of outputs", ORBITS),
    )
    if problem.form != "auto":
        return needs
    batch = f"gathered features at batch {NOMINAL_BATCH}"
    return (*needs, Need(NOMINAL_BATCH * count_features(problem), batch, BATCH_FEATURES))


def count_features(problem: LayerProblem) -> int:
    """Count the gathered features of a layer's largest block in all channels, per batch row."""
    channels = problem.channels

    def count(shape: Shape) -> int:
        products = channels.rank if channels.mixing == "factored" else None
        copies = products or count_channel_tuples(shape, channels.inputs)
        return copies * expand(problem, shape).slots

    shapes = [s for d in problem.degrees if d for s in problem.block_shapes(d)]
    return max(map(count, shapes), default=0)
