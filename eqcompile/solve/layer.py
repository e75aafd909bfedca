"""The solution of a whole layer: one tying per degree and channel multiplicity."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import comb, prod

import numpy as np

from eqcompile.actions.fibrations import MAX_SLOTS as STORED_SLOTS
from eqcompile.errors import Refusal
from eqcompile.exact.monomials import count_monomials
from eqcompile.layers.problem import (
    Degree,
    LayerProblem,
    LinearGenerator,
    Shape,
    flatten_shape,
    keep_degree,
    number_factors,
    split_degree,
)
from eqcompile.solve.ansatz import expand
from eqcompile.solve.constraints import constrain
from eqcompile.solve.solver import solve
from eqcompile.solve.tying import Tying

ORDERED_SLOTS = 2**21
"""Up to this many ordered slots the ordered classes are counted although no block needs them."""

ORDERED_EQUATIONS = 2**12
"""The same where slots are tied by linear equations."""

LINEAR_SLOTS = 2**18
"""Most slots of a block that is solved by linear equations."""

LINEAR_ENTRIES = 2**23
"""Most coefficients of the equations that one generator demands."""

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
    most = ORDERED_EQUATIONS if problem.linear else ORDERED_SLOTS
    if problem.output.dim * ordered <= most and not problem.relations:
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
            name = problem.name_block(shape)
            text = f"layer {problem.name} has {slots} slots in the block {name}; over a fibration"
            help = "lower the degree, or use mixing: channelwise, which has fewer"
            raise Refusal("too-large", f"{text} at most {STORED_SLOTS} are served", help)


def refuse_systems(problem: LayerProblem, shapes: Iterable[Shape]) -> None:
    """Refuse blocks whose linear equations would have too many unknowns.

    Raises:
        Refusal: Naming the first such block.
    """
    if not problem.linear and not problem.relations:
        return
    for shape in shapes:
        factors = zip(problem.list_factors(shape), flatten_shape(shape), strict=True)
        monomials = prod(count_monomials(given.action.dim, d) for given, d in factors)
        slots = problem.output.dim * monomials
        if slots > LINEAR_SLOTS:
            name = problem.name_block(shape)
            text = f"layer {problem.name} has {slots} slots in the block {name}; linear equations"
            help = "lower the degree or the dimensions, or use mixing: channelwise"
            raise Refusal("too-large", f"{text} are solved for at most {LINEAR_SLOTS}", help)
        for generator in problem.linear:
            entries = count_entries(problem, generator, shape, monomials)
            if entries > LINEAR_ENTRIES:
                name = problem.name_block(shape)
                text = f"{generator.cause} demands equations with up to {entries} coefficients"
                help = "lower the degree or the dimensions, or use mixing: channelwise"
                most = f"of the block {name}; at most {LINEAR_ENTRIES} are served"
                raise Refusal("too-large", f"layer {problem.name}: {text} {most}", help)


def count_entries(
    problem: LayerProblem, generator: LinearGenerator, shape: Shape, monomials: int
) -> int:
    """Bound the coefficients of the equations that a generator demands of a block."""
    widths = [
        int(np.bincount(generator.inputs[i].rows, minlength=1).max()) for i in number_factors(shape)
    ]
    degrees = flatten_shape(shape)
    if generator.infinitesimal:
        terms = sum(d * w for d, w in zip(degrees, widths, strict=True))
    else:
        terms = prod(comb(w + d - 1, d) for d, w in zip(degrees, widths, strict=True))
    terms = min(terms, monomials)
    return monomials * (problem.output.dim * terms + len(generator.output.rows))


def solve_layer(
    problem: LayerProblem, *, blocks: bool = True, progress: Progress = lambda text: None
) -> LayerSolution:
    """Solve every degree of a layer.

    Args:
        problem: The layer.
        blocks: Solve every channel block as well, not only what the counts need.
        progress: Called with a short text before each block.

    Raises:
        Refusal: A layer over a fibration is too large to be stored, or a system of equations to
            be solved; or constraints of the spec contradict each other.
    """
    found = []
    shapes = {d: list_shapes(problem, d, blocks=blocks) for d in problem.degrees}
    every = [shape for listed in shapes.values() for shape in listed]
    refuse_unstored(problem, every)
    refuse_systems(problem, every)
    for degree in problem.degrees:
        for shape in shapes[degree]:
            spelled = ",".join(map(str, flatten_shape(shape)))
            where = f"degree {problem.spell_degree(degree)} ({spelled})"
            progress(f"{problem.name}: solving {where}")
            tying = solve(constrain(expand(problem, shape)))
            found.append(Block(degree, shape, tying))
    return LayerSolution(problem, tuple(found))
