"""The solution of a layer for every n: its classes as multigraphs, one list per block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import comb

from eqcompile.actions.tensor_powers import count_coordinates
from eqcompile.errors import Refusal
from eqcompile.exact.multigraphs import Diagram, Terms, spell_diagram
from eqcompile.exact.partitions import list_diagrams
from eqcompile.layers.any_size import DiagramProblem
from eqcompile.solve.partitions import count_diagrams

MAX_INDICES = 24
MAX_CLASSES = 100_000

Shape = tuple[int, ...]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DiagramBlock:
    """The classes of one multidegree.

    Attributes:
        degree: Total degree.
        shape: Degree in each of several different channels.
        output: The output representation.
        inputs: The representation of every variable.
        diagrams: The classes, in order.
    """

    degree: int
    shape: Shape
    output: Terms
    inputs: Terms
    diagrams: tuple[Diagram, ...]

    def _repr_html_(self) -> str:
        """Return the list of classes that a notebook shows."""
        words = (spell_diagram(diagram, self.output, self.inputs) for diagram in self.diagrams)
        lines = "\n".join(f"{number}: {text}" for number, text in enumerate(words))
        return f"<pre>{lines}</pre>"

    @property
    def classes(self) -> int:
        """Number of classes, the dimension for every n from :attr:`room` on."""
        return len(self.diagrams)

    @property
    def room(self) -> int:
        """The least n at which all classes exist."""
        return max((diagram.nodes for diagram in self.diagrams), default=0)

    def count_alive(self, n: int) -> int:
        """Count the classes that exist at n: those of no more nodes."""
        return sum(diagram.nodes <= n for diagram in self.diagrams)


@dataclass(frozen=True, slots=True)
class DiagramSolution:
    """All classes of a layer for every n.

    Attributes:
        problem: What was solved.
        blocks: The shape ``(degree,)`` of every degree first, then the others that the mixing has
            parameters for.
    """

    problem: DiagramProblem
    blocks: tuple[DiagramBlock, ...]

    def block(self, degree: int, shape: Shape | None = None) -> DiagramBlock:
        """Return a block, by default the one within a channel."""
        wanted = ((degree,) if degree else ()) if shape is None else shape
        for block in self.blocks:
            if (block.degree, block.shape) == (degree, wanted):
                return block
        raise KeyError(f"degree {degree} has no solved block of shape {wanted}")

    def ordered_classes(self, degree: int) -> int:
        """Return dim Hom(input^(x)d, output), by the closed form."""
        problem = self.problem
        return count_diagrams(None, problem.input, problem.output, (1,) * degree)

    def count_slots(self, degree: int) -> int:
        """Count the slots at the least n at which all classes of a degree exist."""
        n = max(self.block(degree).room, 1)
        monomials = comb(count_coordinates(self.problem.input, n) + degree - 1, degree)
        return count_coordinates(self.problem.output, n) * monomials

    def parameter_blocks(self) -> tuple[DiagramBlock, ...]:
        """Return the blocks the layer has parameters for, in order of degree and shape."""
        problem = self.problem
        return tuple(self.block(d, s) for d in problem.degrees for s in problem.block_shapes(d))


def solve_diagrams(
    problem: DiagramProblem, *, blocks: bool = True, progress: Progress = lambda text: None
) -> DiagramSolution:
    """List the classes of every degree of a layer.

    Args:
        problem: The layer.
        blocks: List those of every channel block as well, not only within a channel.
        progress: Called with a short text before each block.

    Raises:
        Refusal: There are more classes than are served.
    """
    found = []
    for degree in problem.degrees:
        lone = (degree,) if degree else ()
        more = problem.block_shapes(degree) if blocks else ()
        for shape in dict.fromkeys((lone, *more)):
            refuse_many(problem, shape)
            progress(f"{problem.name}: listing the diagrams of degree {degree}")
            diagrams = list_diagrams(problem.output, problem.input, shape)
            sides = problem.output, problem.input
            found.append(DiagramBlock(degree, shape, *sides, diagrams))
    return DiagramSolution(problem, tuple(found))


def refuse_many(problem: DiagramProblem, shape: Shape) -> None:
    """Refuse a block of too many classes, counted before any is listed."""
    classes = count_classes(problem, shape)
    if classes > MAX_CLASSES:
        text = f"degree {sum(shape)} has {classes} classes, at most {MAX_CLASSES} are listed"
        raise Refusal("too-large", text, "use a smaller degree or fewer indices")


def count_classes(problem: DiagramProblem, shape: Shape) -> int:
    """Count the classes of one block in closed form.

    Raises:
        Refusal: It has more indices than are served.
    """
    indices = sum(shape) * max(map(sum, problem.input)) + max(map(sum, problem.output))
    if indices > MAX_INDICES:
        text = f"degree {sum(shape)} joins {indices} indices, at most {MAX_INDICES} are served"
        raise Refusal("too-large", text, "use a smaller degree or fewer indices")
    return count_diagrams(None, problem.input, problem.output, shape)
