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
from eqcompile.exact.monomials import count_product_tuples
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
from eqcompile.plan.sources import Source, list_factor_sources, spell_shape
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
        inputs: Per input of the layer, shape ``(elements, n_in)``.
        input_signs: The same shapes.
    """

    outputs: IntArray
    output_signs: IntArray
    inputs: tuple[IntArray, ...]
    input_signs: tuple[IntArray, ...]


def find_cosets(problem: LayerProblem, orbit: OutputOrbit) -> Cosets:
    """Find the elements for the outputs of one orbit: the products along its walk."""
    walk = OrbitWalk(orbit.outputs, orbit.parents, orbit.steps)
    inputs = [given.action.images for given in problem.inputs]
    carriers = OrbitCarriers([problem.output.images, *inputs], walk)
    found = [carriers.carry(int(place)) for place in np.argsort(walk.outputs)]
    least = int(walk.outputs[0])
    turns, *moves = zip(*found, strict=True)
    return Cosets(
        freeze(np.sort(walk.outputs)),
        freeze([turn.signs[least] for turn in turns]),
        tuple(freeze([move.perm for move in moved]) for moved in moves),
        tuple(freeze([move.signs for move in moved]) for moved in moves),
    )


def lower_lifted(
    builder: PlanBuilder, problem: LayerProblem, block: Block, sides: list[int], lead: str
) -> Iterator[Piece]:
    """Form the monomials of the gathered input, orbit by orbit of the outputs."""
    sources = list_factor_sources(problem, block.shape)
    for orbit in block.tying.orbits:
        if orbit.labels.max(initial=-1) < 0:
            continue
        cosets = find_cosets(problem, orbit)
        whole = len(cosets.outputs) == problem.output.dim and bool(np.all(cosets.output_signs > 0))
        outputs = "k" if whole else builder.size(f"g{len(cosets.outputs)}", len(cosets.outputs))
        indices = [builder.size("j" + source.ending, source.dim) for source in sources]
        lifted = []
        for side, source, index in zip(sides, sources, indices, strict=True):
            table = builder.declare(coset_table(cosets, source))
            lifted.append(builder.map(side, table, (source.index,), (outputs, index)))
        head = ("b", lead, outputs)
        features, axes = form_monomials(builder, problem, block, lifted, head, indices)
        place = None if whole else place_table(cosets, problem.output.dim)
        yield Piece(features, lifted_table(problem, block, orbit), axes, outputs, place)


def coset_table(cosets: Cosets, source: Source) -> Table:
    """Return the signed gather of one input by every element."""
    least, columns = int(cosets.outputs[0]), cosets.inputs[source.number].ravel()
    rows, signs = np.arange(len(columns)), cosets.input_signs[source.number].ravel()
    recipe, name = ("cosets", least, *source.recipe), f"cosets_{least}{source.ending}"
    return Table(name, recipe, len(rows), source.dim, rows, columns, signs, np.ones_like(rows))


def place_table(cosets: Cosets, n_out: int) -> Table:
    """Return the placing of the orbit's outputs among all outputs."""
    least, outputs = int(cosets.outputs[0]), cosets.outputs
    columns, ones = np.arange(len(outputs)), np.ones_like(outputs)
    recipe, signs = ("place", least), cosets.output_signs
    return Table(f"place_{least}", recipe, n_out, len(outputs), outputs, columns, signs, ones)


def lifted_table(problem: LayerProblem, block: Block, orbit: OutputOrbit) -> Table:
    """Return the expansion of class coefficients to the slots of the orbit's least output."""
    least = int(orbit.outputs[0])
    recipe: Recipe = ("lifted", least, block.total, *spell_shape(block.shape))
    name = f"lifted_{suffix(problem, block)}_{least}"
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
    channels, widths = problem.channels, [given.channels for given in problem.inputs]

    def count(shape: Shape) -> int:
        products = channels.rank if channels.mixing == "factored" else None
        copies = products or count_product_tuples(shape, widths)
        return copies * expand(problem, shape).slots

    shapes = [s for d in problem.degrees if sum(d) for s in problem.block_shapes(d)]
    return max(map(count, shapes), default=0)
