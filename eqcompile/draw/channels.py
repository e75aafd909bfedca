"""The channel axis: which parameters a mixing has, and how many numbers that is."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, prod

from eqcompile.draw.sections import write_paragraph, write_table
from eqcompile.exact.monomials import count_product_tuples
from eqcompile.layers.problem import LayerProblem, Shape, flatten_shape
from eqcompile.solve.layer import Block, LayerSolution

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
        shape, meaning = _shape_weight(problem, block)
        found.append(Parameter(name, shape, meaning))
        if channels.mixing == "factored" and block.total:
            rank = channels.rank or 1
            sources = problem.list_factors(block.shape)
            pairs = zip(problem.name_maps(block.degree), sources, strict=True)
            found += [Parameter(m, (rank, given.channels), "mixture") for m, given in pairs]
            mix = problem.name_mix(block.degree)
            found.append(Parameter(mix, (channels.outputs, rank), "to the outputs"))
    return tuple(found)


def _shape_weight(problem: LayerProblem, block: Block) -> tuple[tuple[int, ...], str]:
    channels, classes = problem.channels, block.tying.classes
    if not block.total:
        return (channels.outputs, classes), "constant"
    match channels.mixing:
        case "depthwise":
            return (channels.outputs, classes), "per channel"
        case "factored":
            return (channels.rank or 1, classes), "ordered classes per product"
        case "full" | "channelwise":
            widths = [given.channels for given in problem.inputs]
            tuples = count_product_tuples(block.shape, widths)
            return (channels.outputs, tuples, classes), _spell_tuples(problem, block.shape)


def _spell_tuples(problem: LayerProblem, shape: Shape) -> str:
    """Say which channels a block multiplies: ``c c c'``, or ``x_c x_c' y_c``."""
    several, parts = len(problem.inputs) > 1, flatten_shape(shape)
    if len(parts) == 1:
        (given,) = problem.list_factors(shape)
        one = f"one channel of {given.name}" if several else "one channel"
        return (
            one if parts[0] == 1 or problem.channels.mixing != "full" else f"products within {one}"
        )
    letters = [
        (f"{given.name}_c" if several else "c") + "'" * position
        for given, own in zip(problem.inputs, shape, strict=True)
        for position, d in enumerate(own)
        for _ in range(d)
    ]
    over = "" if several else "over different channels "
    return f"products {over}{' '.join(letters)}"


def count_unconstrained(problem: LayerProblem) -> int:
    """Count the coefficients of a general polynomial layer over the same channels."""
    widths = [given.channels * given.action.dim for given in problem.inputs]
    outputs = problem.channels.outputs * problem.output.dim
    return outputs * sum(
        prod(comb(n + d - 1, d) for n, d in zip(widths, degree, strict=True))
        for degree in problem.degrees
    )


def explain_channels(solution: LayerSolution) -> list[str]:
    """Say how the channels mix and count the parameters, with an advice where they are many."""
    problem = solution.problem
    channels = problem.channels
    rank = f", rank {channels.rank}" if channels.mixing == "factored" else ""
    meaning = MEANINGS[channels.mixing]
    if channels.mixing == "full" and problem.group.fibration is not None:
        meaning = "every polynomial map of all channels with these ties, nothing counted twice"
    lines = write_paragraph(
        f"{_spell_widths(problem)} in, {channels.outputs} out, mixing {channels.mixing}{rank}: "
        f"{meaning}."
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
    highest, widest = max(map(sum, problem.degrees)), max(i.channels for i in problem.inputs)
    if channels.mixing == "full" and widest > MANY_CHANNELS and highest > 1:
        lines += write_paragraph(
            f"Full mixing grows like C_in^{highest}; above {MANY_CHANNELS} channels "
            "consider mixing: factored with a rank, which multiplies mixtures of the channels."
        )
    return lines


def _spell_widths(problem: LayerProblem) -> str:
    if len(problem.inputs) == 1:
        return str(problem.inputs[0].channels)
    return ", ".join(f"{given.channels} of {given.name}" for given in problem.inputs)
