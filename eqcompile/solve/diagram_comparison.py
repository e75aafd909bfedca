"""Compare the classes for every n with what the generic solver finds for one small n."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from math import comb

from eqcompile.actions.classical import SymmetricArguments, build_symmetric
from eqcompile.actions.expressions import build_representation
from eqcompile.actions.group import Environment
from eqcompile.actions.tensor_powers import count_coordinates
from eqcompile.errors import CertificateError
from eqcompile.exact.multigraphs import Diagram, Edge, Nodes, Terms
from eqcompile.layers.any_size import DiagramProblem
from eqcompile.layers.problem import Channels, LayerInput, LayerProblem
from eqcompile.layers.split import split_generators
from eqcompile.solve.ansatz import expand
from eqcompile.solve.constraints import constrain
from eqcompile.solve.diagrams import DiagramBlock
from eqcompile.solve.solver import solve
from eqcompile.solve.tying import Tying

COMPARED_SLOTS = 40_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the generic solver found for one n.

    Attributes:
        n: Number of points.
        slots: Number of slots there.
        classes: Number of classes there, each of them the diagram of its least slot, in order.
    """

    n: int
    slots: int
    classes: int


def compare_with_solver(problem: DiagramProblem, block: DiagramBlock) -> Comparison | None:
    """Solve one block for the largest n that is cheap, and compare class by class.

    Returns:
        What was found; None where even two points have too many slots.

    Raises:
        CertificateError: The classes of the solver are not the diagrams that exist at that n.
    """
    sizes = [
        n
        for n in range(1, max(block.room, 1) + 1)
        if count_slots(problem, block.shape, n) <= COMPARED_SLOTS
    ]
    if not sizes or (max(sizes) < 2 and block.room > 1):
        return None
    return compare_at(problem, block, max(sizes))


def compare_at(problem: DiagramProblem, block: DiagramBlock, n: int) -> Comparison:
    """Solve one block for one n, and compare class by class."""
    tying = solve_at(problem, block.shape, n)
    found = read_classes(tying, problem.output, problem.input, n)
    expected = tuple(diagram for diagram in block.diagrams if diagram.nodes <= n)
    if found != expected:
        text = f"for n = {n} the solver finds {len(found)} classes of shape {block.shape}"
        raise CertificateError(f"{text}, which are not the {len(expected)} diagrams")
    return Comparison(n, tying.ansatz.slots, len(found))


def count_slots(problem: DiagramProblem, shape: Sequence[int], n: int) -> int:
    """Count the slots of one multidegree for one n."""
    slots = count_coordinates(problem.output, n)
    for degree in shape:
        slots *= comb(count_coordinates(problem.input, n) + degree - 1, degree)
    return slots


def solve_at(problem: DiagramProblem, shape: tuple[int, ...], n: int) -> Tying:
    """Solve one multidegree for one n by the orbits of its slots."""
    group = build_symmetric(SymmetricArguments(symmetric=n), Environment())
    source, target = (
        build_representation(text, group, {}) for text in (problem.input_text, problem.output_text)
    )
    split = split_generators(group, [source], target)
    posed = LayerProblem(
        name=problem.name,
        group=group,
        labels=split.labels,
        inputs=(LayerInput("x", split.inputs[0]),),
        output=split.output,
        degrees=((sum(shape),),),
        channels=Channels(),
    )
    return solve(constrain(expand(posed, (shape,))))


def read_classes(tying: Tying, output: Terms, inputs: Terms, n: int) -> tuple[Diagram, ...]:
    """Read the least slot of every class as a diagram."""
    targets, sources = list_coordinates(output, n), list_coordinates(inputs, n)
    found = []
    for place, rank in tying.representatives.tolist():
        factors = [
            (factor, *sources[index])
            for factor, part in enumerate(tying.ansatz.space.tuples(rank))
            for index in part
        ]
        found.append(name_points(targets[place], factors))
    return tuple(found)


def list_coordinates(terms: Terms, n: int) -> list[tuple[int, Nodes]]:
    """List the coordinates of a direct sum in order: summand, and index tuple."""
    return [
        (term, tuple(i for run in chosen for i in run))
        for term, parts in enumerate(terms)
        for chosen in product(*(combinations_with_replacement(range(n), part) for part in parts))
    ]


def name_points(target: tuple[int, Nodes], factors: Sequence[tuple[int, int, Nodes]]) -> Diagram:
    """Replace the points of a slot by numbers in order of occurrence."""
    names: dict[int, int] = {}
    term, points = target
    outputs = tuple(names.setdefault(point, len(names)) for point in points)
    edges = [
        Edge(factor, summand, tuple(names.setdefault(point, len(names)) for point in indices))
        for factor, summand, indices in factors
    ]
    return Diagram(term, outputs, tuple(edges))
