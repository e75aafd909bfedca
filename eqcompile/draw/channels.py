"""The channel axis: which parameters a mixing has, and how many numbers that is."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, prod

from eqcompile.draw.sections import write_paragraph, write_table
from eqcompile.exact.monomials import count_channel_tuples
from eqcompile.layers.problem import Channels, LayerProblem, Shape
from eqcompile.solve.layer import LayerSolution

MANY_CHANNELS = 64

MEANINGS = {
    "full": "every equivariant polynomial map of all channels, nothing counted twice",
    "channelwise": "products stay within a channel, then channels mix",
    "depthwise": "each channel has its own layer, channels do not mix",
    "factored": "products of mixtures of the channels, then mixed to the output",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of the emitted layer."""

    name: str
    shape: tuple[int, ...]
    meaning: str

    @property
    def size(self) -> int:
        """Number of its entries."""
        return prod(self.shape)


def list_parameters(solution: LayerSolution) -> tuple[Parameter, ...]:
    """List the parameters of a layer whose channel blocks were solved."""
    problem, found = solution.problem, list[Parameter]()
    channels = problem.channels
    for block in solution.parameter_blocks():
        name = problem.name_weight(block.degree, block.shape)
        shape, meaning = _shape_weight(channels, block.degree, block.shape, block.tying.classes)
        found.append(Parameter(name, shape, meaning))
        if channels.mixing == "factored" and block.degree:
            rank = channels.rank or 1
            found += [
                Parameter(f"factor_{block.degree}_{j + 1}", (rank, channels.inputs), "mixture")
                for j in range(block.degree)
            ]
            found.append(
                Parameter(f"mix_{block.degree}", (channels.outputs, rank), "to the outputs")
            )
    return tuple(found)


def _shape_weight(
    channels: Channels, degree: int, shape: Shape, classes: int
) -> tuple[tuple[int, ...], str]:
    if degree == 0:
        return (channels.outputs, classes), "constant"
    match channels.mixing:
        case "depthwise":
            return (channels.inputs, classes), "per channel"
        case "factored":
            return (channels.rank or 1, classes), "ordered classes per product"
        case "channelwise":
            return (channels.outputs, channels.inputs, classes), "one channel"
        case "full":
            tuples = count_channel_tuples(shape, channels.inputs)
            return (channels.outputs, tuples, classes), _spell_tuples(shape)


def _spell_tuples(shape: Shape) -> str:
    """Say which channels a block multiplies: ``c c c'``."""
    if len(shape) == 1:
        return "one channel" if shape[0] == 1 else "products within one channel"
    letters = " ".join("c" + "'" * position for position, d in enumerate(shape) for _ in range(d))
    return f"products over different channels {letters}"


def count_unconstrained(problem: LayerProblem) -> int:
    """Count the coefficients of a general polynomial layer over the same channels."""
    channels, n = problem.channels, problem.input.dim
    outputs = channels.outputs * problem.output.dim
    return sum(outputs * comb(channels.inputs * n + d - 1, d) for d in problem.degrees)


def explain_channels(solution: LayerSolution) -> list[str]:
    """Say how the channels mix and count the parameters, with an advice where they are many."""
    problem = solution.problem
    channels = problem.channels
    rank = f", rank {channels.rank}" if channels.mixing == "factored" else ""
    lines = write_paragraph(
        f"{channels.inputs} in, {channels.outputs} out, mixing {channels.mixing}{rank}: "
        f"{MEANINGS[channels.mixing]}."
    )
    if all(solution.find(d, s) for d in problem.degrees for s in problem.block_shapes(d)):
        parameters = list_parameters(solution)
        rows = [(p.name, p.meaning, str(p.shape), str(p.size)) for p in parameters]
        head = ("parameter", "multiplies", "shape", "numbers")
        lines += ["", *write_table(head, rows, left=3), ""]
        total = sum(p.size for p in parameters)
        lines += write_paragraph(
            f"{total} numbers in all; a polynomial layer without symmetry over the same channels "
            f"has {count_unconstrained(problem)}."
        )
    if channels.mixing == "full" and channels.inputs > MANY_CHANNELS and max(problem.degrees) > 1:
        lines += write_paragraph(
            f"Full mixing grows like C_in^{max(problem.degrees)}; above {MANY_CHANNELS} channels "
            "consider mixing: factored with a rank, which multiplies mixtures of the channels."
        )
    return lines
