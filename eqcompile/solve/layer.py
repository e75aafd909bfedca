"""The solution of a whole layer: one tying per degree and channel multiplicity."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod

from eqcompile.actions.fibrations import MAX_SLOTS as STORED_SLOTS
from eqcompile.errors import Refusal
from eqcompile.layers.problem import (
    Degree,
    LayerProblem,
    Shape,
    flatten_shape,
    keep_degree,
    split_degree,
)
from eqcompile.solve.ansatz import expand
from eqcompile.solve.constraints import constrain
from eqcompile.solve.solver import solve
from eqcompile.solve.tying import Tying

ORDERED_SLOTS = 2**21
"""Up to this many ordered slots the ordered classes are counted although no block needs them."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Block:
    """One multidegree of a layer.

    Attributes:
        degree: The degree in each input.
        shape: Per input the degree in each of several different channels.
        tying: Its solution.
    """

    degree: Degree
    shape: Shape
    tying: Tying

    @property
    def total(self) -> int:
        """Total degree."""
        return sum(self.degree)

    @property
    def parts(self) -> tuple[int, ...]:
        """The degree in each factor of the monomials."""
        return flatten_shape(self.shape)


@dataclass(frozen=True, slots=True)
class LayerSolution:
    """Every tying of a layer.

    Attributes:
        problem: What was solved.
        blocks: Per degree the shape within a channel first, then the others that the mixing has
            parameters for or that were counted.
    """

    problem: LayerProblem
    blocks: tuple[Block, ...]

    def tying(self, degree: Degree) -> Tying:
        """Return the classes of one degree within a channel of each input."""
        return self.block(degree, keep_degree(degree)).tying

    def find(self, degree: Degree, shape: Shape) -> Block | None:
        """Return the block of this shape, or None where it was not solved."""
        return next((b for b in self.blocks if (b.degree, b.shape) == (degree, shape)), None)

    def block(self, degree: Degree, shape: Shape) -> Block:
        """Return the block of this shape."""
        found = self.find(degree, shape)
        if found is None:
            raise KeyError(f"degree {degree} has no solved block of shape {shape}")
        return found

    def ordered_classes(self, degree: Degree) -> int | None:
        """Return dim Hom_G of tensor powers of the inputs, or None where it was not counted.

        Further constraints have no part in it, and where there are some it is not counted.
        """
        if self.problem.relations:
            return None
        found = self.find(degree, split_degree(degree))
        return None if found is None else found.tying.classes

    def parameter_blocks(self) -> tuple[Block, ...]:
        """Return the blocks the layer has parameters for, in order of degree and shape."""
        problem = self.problem
        return tuple(self.block(d, s) for d in problem.degrees for s in problem.block_shapes(d))


def list_shapes(problem: LayerProblem, degree: Degree, *, blocks: bool) -> tuple[Shape, ...]:
    """List the shapes to solve for one degree.

    Args:
        problem: The layer.
        degree: One of its degrees.
        blocks: Whether every block of the mixing is wanted (to build), or the counts only.
    """
    shapes: list[Shape] = [keep_degree(degree)]
    pairs = zip(problem.inputs, degree, strict=True)
    ordered = prod(source.action.dim**d for source, d in pairs)
    if problem.output.dim * ordered <= ORDERED_SLOTS and not problem.relations:
        shapes.append(split_degree(degree))
    if blocks:
        shapes += problem.block_shapes(degree)
    return tuple(dict.fromkeys(shapes))


def refuse_unstored(problem: LayerProblem, shapes: Iterable[Shape]) -> None:
    """Refuse blocks over a fibration that have too many slots to be stored one by one.

    Raises:
        Refusal: Naming the first such block.
    """
    if problem.group.fibration is None:
        return
    for shape in shapes:
        slots = expand(problem, shape).slots
        if slots > STORED_SLOTS:
            name = problem.name_block(tuple(sum(parts) for parts in shape), shape)
            text = f"layer {problem.name} has {slots} slots in the block {name}; over a fibration"
            help = "lower the degree, or use mixing: channelwise, which has fewer"
            raise Refusal("too-large", f"{text} at most {STORED_SLOTS} are served", help)


def solve_layer(
    problem: LayerProblem, *, blocks: bool = True, progress: Progress = lambda text: None
) -> LayerSolution:
    """Solve every degree of a layer.

    Args:
        problem: The layer.
        blocks: Solve every channel block as well, not only what the counts need.
        progress: Called with a short text before each block.

    Raises:
        Refusal: A layer over a fibration is too large to be stored.
    """
    found = []
    shapes = {d: list_shapes(problem, d, blocks=blocks) for d in problem.degrees}
    refuse_unstored(problem, [shape for listed in shapes.values() for shape in listed])
    for degree in problem.degrees:
        for shape in shapes[degree]:
            spelled = ",".join(map(str, flatten_shape(shape)))
            where = f"degree {problem.spell_degree(degree)} ({spelled})"
            progress(f"{problem.name}: solving {where}")
            tying = solve(constrain(expand(problem, shape)))
            found.append(Block(degree, shape, tying))
    return LayerSolution(problem, tuple(found))
