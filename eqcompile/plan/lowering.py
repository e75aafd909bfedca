"""From tying classes to a plan, in one of the forms that expand the weights.

Weights enter a plan as coefficients, one per class (the ``w`` of the diagrams): the square roots
of the orthonormal parameterisation stay outside, so plans are exact. Tables carry a recipe from
which the emitted package makes them again:

* ``("monomial", d, j)``: index j of each monomial of degree d, as a selection of inputs;
* ``("classes", d, *shape)``: the signed class of each slot (output, monomial);
* ``("ordered", d, *shape)``: the same over all index tuples, shared out over their orderings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial

import numpy as np

from eqcompile.exact.monomials import count_monomials, list_tuples, rank_tuples
from eqcompile.exact.signed import IntArray
from eqcompile.layers.problem import LayerProblem, Shape, name_weight
from eqcompile.plan.build import PlanBuilder
from eqcompile.plan.ir import Axes, ChannelTable, Plan, Table
from eqcompile.solve.ansatz import expand
from eqcompile.solve.layer import Block, LayerSolution


def lower(solution: LayerSolution, form: str) -> Plan:
    """Spell a layer as a plan in one form.

    Args:
        solution: The solved layer.
        form: ``dense`` or ``monomial``.

    Returns:
        A plan with arguments ``x`` (b, c, i) and the layer's weights, and one output ``y``
        (b, o, k). A block without classes has no part in it.
    """
    builder = _declare_axes(solution.problem)
    lower_features = FORMS[form].features
    terms = []
    for block in solution.parameter_blocks():
        weight = _declare_weight(builder, solution.problem, block)
        if block.tying.classes:
            terms.append(lower_block(builder, solution.problem, block, weight, lower_features))
    return builder.finish([("y", builder.add(terms, ("b", "o", "k")))])


Features = Callable[[PlanBuilder, LayerProblem, Block, list[int], str], tuple[int, Table, Axes]]


@dataclass(frozen=True, slots=True)
class Form:
    """One shape of program.

    Attributes:
        features: Makes the features of a block from its factors; returns them, the table that
            expands the block's weights to match, and the axes the two share.
        summary: One line for ``eqcompile list forms``.
    """

    features: Features
    summary: str


def suffix(block: Block) -> str:
    """Return what the names of a block's axes and tables end in: ``2`` or ``2_11``."""
    return name_weight(block.degree, block.shape).removeprefix("weight_")


def _declare_axes(problem: LayerProblem) -> PlanBuilder:
    builder = PlanBuilder()
    # A depthwise layer renames its input channels to output channels: one size, one word.
    out = "in" if problem.channels.mixing == "depthwise" else "out"
    sizes = {"b": "batch", "c": "in", "o": out, "r": "rank"}
    for axis, word in sizes.items():
        builder.size(axis, word)
    builder.size("i", problem.input.dim)
    builder.size("k", problem.output.dim)
    builder.input("x", ("b", "c", "i"))
    return builder


def _declare_weight(builder: PlanBuilder, problem: LayerProblem, block: Block) -> int:
    """Declare a block's weight with the axes of its mixing."""
    name = problem.name_weight(block.degree, block.shape)
    classes = builder.size("m" + suffix(block), block.tying.classes)
    if block.degree == 0:
        return builder.input(name, ("o", classes))
    match problem.channels.mixing:
        case "depthwise":
            return builder.input(name, ("c", classes))
        case "factored":
            return builder.input(name, ("r", classes))
        case "full" | "channelwise":
            return builder.input(name, ("o", _tuple_axis(builder, block), classes))


def _tuple_axis(builder: PlanBuilder, block: Block) -> str:
    """Return the axis of the channel tuples of a block: the channels, if it has one factor."""
    if len(block.shape) == 1:
        return "c"
    spelled = ",".join(str(part) for part in block.shape)
    return builder.size("p" + suffix(block), f"tuples:{spelled}")


def lower_block(
    builder: PlanBuilder, problem: LayerProblem, block: Block, weight: int, features: Features
) -> int:
    """Lower one multidegree; the result has the output's axes, the bias without the batch."""
    if block.degree == 0:
        constant = builder.declare(class_table(block))
        return builder.map(weight, constant, ("m" + suffix(block),), ("k",))
    mixing = problem.channels.mixing
    sides = _list_sides(builder, problem, block)
    lead = {"depthwise": "c", "factored": "r"}.get(mixing, _tuple_axis(builder, block))
    phi, table, axes = features(builder, problem, block, sides, lead)
    expanded = builder.map(weight, builder.declare(table), ("m" + suffix(block),), ("k", *axes))
    if mixing == "depthwise":
        value = builder.contract(expanded, phi, ("b", "c", "k"))
        return builder.rename(value, ("b", "o", "k"))
    if mixing == "factored":
        value = builder.contract(expanded, phi, ("b", "r", "k"))
        mix = builder.input(f"mix_{block.degree}", ("o", "r"))
        return builder.contract(mix, value, ("b", "o", "k"))
    return builder.contract(expanded, phi, ("b", "o", "k"))


def _list_sides(builder: PlanBuilder, problem: LayerProblem, block: Block) -> list[int]:
    """Return the input as each factor of the block sees it: one value per part of the shape."""
    x = builder.input("x", ("b", "c", "i"))
    if problem.channels.mixing == "factored":
        maps = [
            builder.input(f"factor_{block.degree}_{j + 1}", ("r", "c"))
            for j in range(len(block.shape))
        ]
        return [builder.contract(m, x, ("b", "r", "i")) for m in maps]
    if len(block.shape) == 1:
        return [x]
    tuples = _tuple_axis(builder, block)
    sides = []
    for position in range(len(block.shape)):
        table = ChannelTable(f"channel_{suffix(block)}_{position}", block.shape, position)
        sides.append(builder.map(x, builder.declare(table), ("c",), (tuples,)))
    return sides


def lower_monomials(
    builder: PlanBuilder, problem: LayerProblem, block: Block, sides: list[int], lead: str
) -> tuple[int, Table, Axes]:
    """Form every monomial once: gather the indices of each factor and multiply."""
    n = problem.input.dim
    factors, axes = [], []
    for f, (part, side) in enumerate(zip(block.shape, sides, strict=True)):
        axis = builder.size(f"t{suffix(block)}_{f}", count_monomials(n, part))
        axes.append(axis)
        if part == 1:
            factors.append(builder.rename(side, ("b", lead, axis)))
            continue
        value = None
        for j in range(part):
            table = builder.declare(monomial_table(n, part, j))
            gathered = builder.map(side, table, ("i",), (axis,))
            value = (
                gathered
                if value is None
                else builder.contract(value, gathered, builder.axes(value))
            )
        assert value is not None
        factors.append(value)
    return _outer(builder, factors, lead, axes), class_table(block), tuple(axes)


def lower_dense(
    builder: PlanBuilder, problem: LayerProblem, block: Block, sides: list[int], lead: str
) -> tuple[int, Table, Axes]:
    """Form every ordered product by outer products, without a gather."""
    n = problem.input.dim
    factors: list[int] = []
    axes: list[str] = []
    for part, side in zip(block.shape, sides, strict=True):
        for _ in range(part):
            axes.append(builder.size(f"i{len(axes) + 1}", n))
            factors.append(builder.rename(side, ("b", lead, axes[-1])))
    return _outer(builder, factors, lead, axes), ordered_table(block, n), tuple(axes)


FORMS: dict[str, Form] = {
    "dense": Form(
        lower_dense,
        "expand the weights to all index tuples; outer products, then one matrix product",
    ),
    "monomial": Form(
        lower_monomials,
        "form every monomial once; expand the weights to its slots; one matrix product",
    ),
}


def _outer(builder: PlanBuilder, factors: list[int], lead: str, axes: list[str]) -> int:
    """Multiply values with different last axes."""
    value = factors[0]
    for count, factor in enumerate(factors[1:], start=2):
        value = builder.contract(value, factor, ("b", lead, *axes[:count]))
    return value


def monomial_table(n: int, degree: int, position: int) -> Table:
    """Return the selection of one index of every monomial of a degree."""
    columns = list_tuples(n, degree)[:, position]
    height = len(columns)
    ones = np.ones(height, dtype=np.int64)
    recipe = ("monomial", degree, position)
    name = f"monomial_{degree}_{position}"
    return Table(name, recipe, height, n, np.arange(height), columns, ones, ones)


def class_table(block: Block) -> Table:
    """Return the expansion of class coefficients to all slots (output, monomial)."""
    labels, signs = block.tying.table()
    return _expansion("classes", block, labels, signs, np.ones(labels.shape[1], dtype=np.int64))


def ordered_table(block: Block, n: int) -> Table:
    """Return the expansion of class coefficients to all index tuples, symmetric in each factor."""
    labels, signs = block.tying.table()
    rank, orderings = order_monomials(n, block.shape)
    return _expansion("ordered", block, labels[:, rank], signs[:, rank], orderings)


def _expansion(
    word: str, block: Block, labels: IntArray, signs: IntArray, share: IntArray
) -> Table:
    """Return the table of signed classes of shape ``(n_out, columns)``, each column shared out."""
    flat = labels.ravel()
    rows = np.flatnonzero(flat >= 0)
    return Table(
        f"{word}_{suffix(block)}",
        (word, block.degree, *block.shape),
        len(flat),
        block.tying.classes,
        rows,
        flat[rows],
        signs.ravel()[rows],
        np.tile(share, len(labels))[rows],
    )


def order_monomials(n: int, shape: Shape) -> tuple[IntArray, IntArray]:
    """Return the monomial rank of every ordered index tuple, and how many tuples share it."""
    rank, orderings = np.zeros(1, dtype=np.int64), np.ones(1, dtype=np.int64)
    for degree in shape:
        grid = np.indices((n,) * degree).reshape(degree, -1).T
        local = rank_tuples(np.sort(grid, axis=1), n)
        count = count_orderings(list_tuples(n, degree))[local]
        rank = (rank[:, None] * count_monomials(n, degree) + local).ravel()
        orderings = (orderings[:, None] * count).ravel()
    return rank, orderings


def count_orderings(tuples: IntArray) -> IntArray:
    """Return the number of orderings of each non-decreasing tuple, a multinomial coefficient."""
    degree = tuples.shape[1]
    result = np.full(len(tuples), factorial(degree), dtype=np.int64)
    run = np.ones(len(tuples), dtype=np.int64)
    for j in range(1, degree):
        run = np.where(tuples[:, j] == tuples[:, j - 1], run + 1, 1)
        result //= run
    return result


def count_expanded(problem: LayerProblem, form: str) -> int:
    """Return the size of a layer's largest table of expanded weights for one channel tuple."""
    ansatze = [expand(problem, s) for d in problem.degrees for s in problem.block_shapes(d)]
    if form == "dense":
        tuples: int = problem.input.dim ** max(a.degree for a in ansatze)
        return problem.output.dim * tuples
    return max(a.slots for a in ansatze)
