"""The features of a block, in the forms that expand its weights to all outputs, and their tables.

Tables carry a recipe from which the emitted package makes them again:

* ``("monomial", d, j)``: index j of each monomial of degree d, as a selection of inputs;
* ``("classes", d, *shape)``: the signed class of each slot (output, monomial);
* ``("ordered", d, *shape)``: the same over all index tuples, shared out over their orderings.

In a layer with several inputs, a recipe ends in ``"of"`` and the number of the input of each
factor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import factorial, prod

import numpy as np

from eqcompile.exact.monomials import MonomialSpace, count_monomials, list_tuples, rank_tuples
from eqcompile.exact.signed import IntArray
from eqcompile.layers.problem import LayerProblem
from eqcompile.plan.build import PlanBuilder
from eqcompile.plan.ir import Axes, Table
from eqcompile.plan.sources import Source, list_factor_sources, spell_shape
from eqcompile.solve.ansatz import expand
from eqcompile.solve.layer import Block

EXPANDED_SLOTS = 2**22
"""Most numbers per channel that a form may expand weights to, or gather features to."""


Recipe = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """The features of some outputs of a block, and the table that expands its weights to match.

    Attributes:
        features: Position of the features; they and the expanded weights share the axes that are
            summed over, and one of the two has the outputs.
        table: From the block's classes to the axes ``expanded``.
        expanded: Axes of the expanded weights in the place of the classes.
        outputs: The axis of the outputs.
        place: Puts these outputs where they belong among all outputs k; None where they are k.
    """

    features: int
    table: Table
    expanded: Axes
    outputs: str = "k"
    place: Table | None = None


Features = Callable[[PlanBuilder, LayerProblem, Block, list[int], str], Iterable[Piece]]


@dataclass(frozen=True, slots=True)
class Need:
    """How much of something a form needs for a layer.

    Attributes:
        count: How much.
        what: In words.
        most: Up to how much is served.
    """

    count: int
    what: str
    most: int


def suffix(problem: LayerProblem, block: Block) -> str:
    """Return what the names of a block's axes and tables end in: ``2``, ``2_11``, ``x1_y1``."""
    return problem.name_block(block.shape)


def lower_monomials(
    builder: PlanBuilder, problem: LayerProblem, block: Block, sides: list[int], lead: str
) -> list[Piece]:
    """Form every monomial once, for all outputs."""
    indices = [source.index for source in list_factor_sources(problem, block.shape)]
    features, axes = form_monomials(builder, problem, block, sides, ("b", lead), indices)
    return [Piece(features, class_table(problem, block), ("k", *axes))]


def form_monomials(
    builder: PlanBuilder,
    problem: LayerProblem,
    block: Block,
    sides: list[int],
    head: Axes,
    indices: Sequence[str],
) -> tuple[int, Axes]:
    """Form every monomial of a block once: gather the indices of each factor and multiply.

    Args:
        builder: The plan.
        problem: The layer.
        block: The block.
        sides: One value per factor, with the axes ``(*head, index)``.
        head: Axes that the monomials keep.
        indices: Per factor the axis of its components.

    Returns:
        The monomials, and their axes after ``head``, one per factor.
    """
    factors, axes = [], []
    sources = list_factor_sources(problem, block.shape)
    quads = zip(block.parts, sides, indices, sources, strict=True)
    for f, (part, side, index, source) in enumerate(quads):
        count = count_monomials(source.dim, part)
        axis = builder.size(f"t{suffix(problem, block)}_{f}", count)
        axes.append(axis)
        if part == 1:
            factors.append(builder.rename(side, (*head, axis)))
            continue
        value = None
        for j in range(part):
            table = builder.declare(monomial_table(source, part, j))
            gathered = builder.map(side, table, (index,), (axis,))
            value = (
                gathered
                if value is None
                else builder.contract(value, gathered, builder.axes(value))
            )
        assert value is not None
        factors.append(value)
    return _outer(builder, factors, head, axes), tuple(axes)


def lower_dense(
    builder: PlanBuilder, problem: LayerProblem, block: Block, sides: list[int], lead: str
) -> list[Piece]:
    """Form every ordered product by outer products, without a gather."""
    factors: list[int] = []
    axes: list[str] = []
    sources = list_factor_sources(problem, block.shape)
    for part, side, source in zip(block.parts, sides, sources, strict=True):
        for _ in range(part):
            axes.append(builder.size(f"i{len(axes) + 1}{source.ending}", source.dim))
            factors.append(builder.rename(side, ("b", lead, axes[-1])))
    features = _outer(builder, factors, ("b", lead), axes)
    return [Piece(features, ordered_table(problem, block), ("k", *axes))]


def _outer(builder: PlanBuilder, factors: list[int], head: Axes, axes: list[str]) -> int:
    """Multiply values with different last axes."""
    value = factors[0]
    for count, factor in enumerate(factors[1:], start=2):
        value = builder.contract(value, factor, (*head, *axes[:count]))
    return value


def monomial_table(source: Source, degree: int, position: int) -> Table:
    """Return the selection of one index of every monomial of a degree in one input."""
    columns = list_tuples(source.dim, degree)[:, position]
    height = len(columns)
    ones = np.ones(height, dtype=np.int64)
    recipe = ("monomial", degree, position, *source.recipe)
    name = f"monomial_{degree}_{position}{source.ending}"
    return Table(name, recipe, height, source.dim, np.arange(height), columns, ones, ones)


def class_table(problem: LayerProblem, block: Block) -> Table:
    """Return the expansion of class coefficients to all slots (output, monomial)."""
    labels, signs = block.tying.table()
    ones = np.ones(labels.shape[1], dtype=np.int64)
    return _expansion("classes", problem, block, labels, signs, ones)


def ordered_table(problem: LayerProblem, block: Block) -> Table:
    """Return the expansion of class coefficients to all index tuples, symmetric in each factor."""
    labels, signs = block.tying.table()
    rank, orderings = order_monomials(block.tying.ansatz.space)
    return _expansion("ordered", problem, block, labels[:, rank], signs[:, rank], orderings)


def _expansion(
    word: str,
    problem: LayerProblem,
    block: Block,
    labels: IntArray,
    signs: IntArray,
    share: IntArray,
) -> Table:
    """Return the table of signed classes of shape ``(n_out, columns)``, each column shared out."""
    recipe: Recipe = (word, block.total, *spell_shape(block.shape))
    spread = np.tile(share, len(labels))
    name = f"{word}_{suffix(problem, block)}"
    return expand_classes(name, recipe, block, labels, signs, spread)


def expand_classes(
    name: str,
    recipe: Recipe,
    block: Block,
    labels: IntArray,
    signs: IntArray,
    denominators: IntArray,
) -> Table:
    """Return the table from the classes of a block to some of its slots.

    Args:
        name: Of the table.
        recipe: How the emitted package makes it.
        block: The block.
        labels: Class of each slot in flat order, -1 where it is zero.
        signs: Sign of each slot in its class.
        denominators: What the coefficient of each slot is divided by.
    """
    flat = labels.ravel()
    rows = np.flatnonzero(flat >= 0)
    height, width = len(flat), block.tying.coefficients
    signs = signs.ravel()[rows]
    return Table(name, recipe, height, width, rows, flat[rows], signs, denominators[rows])


def order_monomials(space: MonomialSpace) -> tuple[IntArray, IntArray]:
    """Return the monomial rank of every ordered index tuple, and how many tuples share it."""
    rank, orderings = np.zeros(1, dtype=np.int64), np.ones(1, dtype=np.int64)
    for n, degree in space.factors:
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


def need_ordered(problem: LayerProblem) -> tuple[Need, ...]:
    """Count the index tuples of the degree of a layer that has most of them, at all outputs."""
    dims = [given.action.dim for given in problem.inputs]
    tuples = max(
        prod(n**d for n, d in zip(dims, degree, strict=True)) for degree in problem.degrees
    )
    count = problem.output.dim * tuples
    return (Need(count, "expanded weights per channel", EXPANDED_SLOTS),)


def need_slots(
    problem: LayerProblem, what: str = "expanded weights per channel"
) -> tuple[Need, ...]:
    """Count the slots of a layer's largest block."""
    ansatze = [expand(problem, s) for d in problem.degrees for s in problem.block_shapes(d)]
    return (Need(max(a.slots for a in ansatze), what, EXPANDED_SLOTS),)
