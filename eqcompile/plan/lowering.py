"""From tying classes to a plan, in one of several forms.

Weights enter a plan as coefficients, one per class (the ``w`` of the diagrams): the square roots
of the orthonormal parameterisation stay outside, so plans are exact. Tables carry a recipe from
which the emitted package makes them again: a word, then integers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eqcompile.layers.problem import LayerProblem
from eqcompile.plan.build import PlanBuilder
from eqcompile.plan.features import (
    Features,
    Need,
    Piece,
    class_table,
    lower_dense,
    lower_monomials,
    need_ordered,
    need_slots,
    suffix,
)
from eqcompile.plan.ir import ChannelTable, Plan, Table
from eqcompile.plan.lifted import lower_lifted, need_lifted
from eqcompile.plan.sources import list_factor_sources, list_sources, tuples_of
from eqcompile.solve.layer import Block, LayerSolution


@dataclass(frozen=True, slots=True)
class Form:
    """One shape of program.

    Attributes:
        features: Makes the features of a block from its factors, and says which weights match.
        needs: What it needs for a layer, counted from the sizes alone.
        summary: One line for ``eqcompile list forms``.
    """

    features: Features
    needs: Callable[[LayerProblem], tuple[Need, ...]]
    summary: str


FORMS: dict[str, Form] = {
    "dense": Form(
        lower_dense,
        need_ordered,
        "expand the weights to all index tuples; outer products, then one matrix product",
    ),
    "monomial": Form(
        lower_monomials,
        need_slots,
        "form every monomial once; expand the weights to its slots; one matrix product",
    ),
    "lifted": Form(
        lower_lifted,
        need_lifted,
        "gather the input as each output sees it; one matrix product per orbit of outputs",
    ),
}


@dataclass(frozen=True, slots=True)
class Term:
    """The part of the result that one piece of a block gives.

    Attributes:
        value: Its position; axes ``(b, o, outputs)``, the bias without the batch.
        outputs: The axis of its outputs.
        place: Puts them where they belong among all outputs k; None where they are k.
    """

    value: int
    outputs: str = "k"
    place: Table | None = None


def lower(solution: LayerSolution, form: str) -> Plan:
    """Spell a layer as a plan in one form.

    Args:
        solution: The solved layer.
        form: One of ``FORMS``.

    Returns:
        A plan with arguments ``x`` (b, c, i), or those of :mod:`eqcompile.plan.sources`, and the
        layer's weights, and one output ``y`` (b, o, k). A block without classes has no part in it.
    """
    builder = _declare_axes(solution.problem)
    terms: list[Term] = []
    for block in solution.parameter_blocks():
        weight = _declare_weight(builder, solution.problem, block)
        if block.tying.coefficients:
            features = FORMS[form].features
            terms += lower_block(builder, solution.problem, block, weight, features)
    return builder.finish([("y", builder.add(_place_terms(builder, terms), ("b", "o", "k")))])


def _place_terms(builder: PlanBuilder, terms: list[Term]) -> list[int]:
    """Add up what belongs to the same outputs, and put each sum in its place."""
    found = [term.value for term in terms if term.place is None]
    places = {term.place.name: term for term in terms if term.place is not None}
    for name, first in places.items():
        values = [t.value for t in terms if t.place is not None and t.place.name == name]
        total = builder.add(values, ("b", "o", first.outputs))
        found.append(builder.map(total, name, (first.outputs,), ("k",)))
    return found


def _declare_axes(problem: LayerProblem) -> PlanBuilder:
    builder = PlanBuilder()
    sources = list_sources(problem)
    # A depthwise layer renames its input channels to output channels: one size, one word.
    out = "in" if problem.channels.mixing == "depthwise" else "out"
    channels = {source.channel: source.count for source in sources}
    sizes = {"b": "batch", **channels, "o": out, "r": "rank"}
    for axis, word in sizes.items():
        builder.size(axis, word)
    for source in sources:
        builder.size(source.index, source.dim)
    builder.size("k", problem.output.dim)
    for source in sources:
        builder.input(source.argument, source.axes)
    return builder


def _declare_weight(builder: PlanBuilder, problem: LayerProblem, block: Block) -> int:
    """Declare a block's weight with the axes of its mixing."""
    name = problem.name_weight(block.degree, block.shape)
    classes = builder.size("m" + suffix(problem, block), block.tying.coefficients)
    if not block.total:
        return builder.input(name, ("o", classes))
    match problem.channels.mixing:
        case "depthwise":
            return builder.input(name, ("c", classes))
        case "factored":
            return builder.input(name, ("r", classes))
        case "full" | "channelwise":
            return builder.input(name, ("o", _tuple_axis(builder, problem, block), classes))


def _tuple_axis(builder: PlanBuilder, problem: LayerProblem, block: Block) -> str:
    """Return the axis of the channel tuples of a block: the channels, if it has one factor."""
    if len(block.parts) == 1:
        (source,) = list_factor_sources(problem, block.shape)
        return source.channel
    return builder.size("p" + suffix(problem, block), tuples_of(problem, block.shape))


def lower_block(
    builder: PlanBuilder, problem: LayerProblem, block: Block, weight: int, features: Features
) -> list[Term]:
    """Lower one multidegree, piece by piece."""
    if not block.total:
        constant = builder.declare(class_table(problem, block))
        return [Term(builder.map(weight, constant, ("m" + suffix(problem, block),), ("k",)))]
    mixing = problem.channels.mixing
    sides = _list_sides(builder, problem, block)
    match mixing:
        case "depthwise":
            lead = "c"
        case "factored":
            lead = "r"
        case "full" | "channelwise":
            lead = _tuple_axis(builder, problem, block)
    return [
        _contract_piece(builder, problem, block, weight, piece)
        for piece in features(builder, problem, block, sides, lead)
    ]


def _contract_piece(
    builder: PlanBuilder, problem: LayerProblem, block: Block, weight: int, piece: Piece
) -> Term:
    """Multiply features by their weights, as the mixing says."""
    phi, k = piece.features, piece.outputs
    table = builder.declare(piece.table)
    expanded = builder.map(weight, table, ("m" + suffix(problem, block),), piece.expanded)
    match problem.channels.mixing:
        case "depthwise":
            value = builder.contract(expanded, phi, ("b", "c", k))
            value = builder.rename(value, ("b", "o", k))
        case "factored":
            value = builder.contract(expanded, phi, ("b", "r", k))
            mix = builder.input(problem.name_mix(block.degree), ("o", "r"))
            value = builder.contract(mix, value, ("b", "o", k))
        case "full" | "channelwise":
            value = builder.contract(expanded, phi, ("b", "o", k))
    if piece.place is not None:
        builder.declare(piece.place)
    return Term(value, k, piece.place)


def _list_sides(builder: PlanBuilder, problem: LayerProblem, block: Block) -> list[int]:
    """Return the input as each factor of the block sees it: one value per part of the shape."""
    sources = list_factor_sources(problem, block.shape)
    values = [builder.input(source.argument, source.axes) for source in sources]
    mixing = problem.channels.mixing
    if mixing == "factored":
        named = zip(problem.name_maps(block.degree), sources, strict=True)
        maps = [builder.input(name, ("r", source.channel)) for name, source in named]
        triples = zip(maps, values, sources, strict=True)
        return [builder.contract(m, x, ("b", "r", source.index)) for m, x, source in triples]
    # One channel needs no choice, and a depthwise layer has the same one in every input.
    if len(block.parts) == 1 or mixing == "depthwise":
        return values
    axis, tuples = _tuple_axis(builder, problem, block), tuples_of(problem, block.shape)
    sides = []
    for position, (source, value) in enumerate(zip(sources, values, strict=True)):
        name = f"channel_{suffix(problem, block)}_{position}"
        table = builder.declare(ChannelTable(name, tuples, position))
        sides.append(builder.map(value, table, (source.channel,), (axis,)))
    return sides
