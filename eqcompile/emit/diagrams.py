"""What the templates spell of a layer for every n: its contractions in torch, and its data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from eqcompile.actions.tensor_powers import count_coordinates
from eqcompile.emit.moments import Moments, find_moments
from eqcompile.emit.spelling import LINE, check_identifier, spell_call, spell_tuple
from eqcompile.exact.multigraphs import Diagram, Nodes, name_node, spell_diagram
from eqcompile.layers.any_size import DiagramProblem
from eqcompile.plan.contractions import Contractions, Result, Value
from eqcompile.solve.diagrams import DiagramBlock, DiagramSolution

DTYPES = ("float16", "bfloat16", "float32", "float64")
LEAD = "bc"


@dataclass(frozen=True, slots=True)
class EmittedDiagrams:
    """Everything the package needs to know of one layer for every n.

    Attributes:
        solution: Its classes.
        programs: One per parameter block of positive degree, in order.
        costs: What they cost, as text.
        explanation: The derivation, as text.
    """

    solution: DiagramSolution
    programs: tuple[Contractions, ...]
    costs: str
    explanation: str


@dataclass(frozen=True, slots=True)
class DiagramView:
    """One layer as the templates see it; every field is text or a number."""

    name: str
    dtype: str
    in_channels: int
    out_channels: int
    shape: str
    documentation: tuple[str, ...]
    parameters: tuple[str, ...]
    functions: tuple[str, ...]
    layout: str


def list_programmed(solution: DiagramSolution) -> list[DiagramBlock]:
    """List the blocks that have a program: those of a positive degree."""
    return [block for block in solution.parameter_blocks() if block.degree]


def name_block(problem: DiagramProblem, block: DiagramBlock) -> str:
    """Name the parameter of one block."""
    return check_identifier(problem.name_weight(block.degree, block.shape))


def view_diagrams(layer: EmittedDiagrams) -> DiagramView:
    """Make the view of one layer.

    Raises:
        ValueError: A name or a dtype is not safe in code; an earlier floor should have refused.
    """
    problem = layer.solution.problem
    if problem.dtype not in DTYPES:
        raise ValueError(f"{problem.dtype!r} is no dtype an emitted layer can have")
    name = check_identifier(problem.name)
    blocks = list_programmed(layer.solution)
    names = [f"_contract_{name}_{name_block(problem, b).removeprefix('weight_')}" for b in blocks]
    functions = tuple(
        render_function(function, problem, block, program)
        for function, block, program in zip(names, blocks, layer.programs, strict=True)
    )
    return DiagramView(
        name=name,
        dtype=problem.dtype,
        in_channels=problem.in_channels,
        out_channels=problem.channels.outputs,
        shape=spell_shape(problem),
        documentation=tuple(list_documentation(layer.solution)),
        parameters=tuple(word.partition(":")[0] for word in list_documentation(layer.solution)),
        functions=functions,
        layout=spell_call("layout = _make_layout(", [f'"{name}"', *names], indent=4),
    )


def spell_shape(problem: DiagramProblem) -> str:
    """Write the shapes a layer maps between: ``(..., C_in, n^2) -> (..., C_out, n)``."""
    sizes = (spell_size(problem.input), spell_size(problem.output))
    return f"(..., C_in, {sizes[0]}) -> (..., C_out, {sizes[1]})"


def spell_size(terms: Sequence[tuple[int, ...]]) -> str:
    """Write the dimension of a direct sum of tensor powers of R^n."""
    words = []
    for parts in terms:
        power = sum(part == 1 for part in parts)
        factors = [f"n^{power}" if power > 1 else "n"] if power else []
        factors += [
            "n(n+1)/2" if part == 2 else f"C(n+{part - 1}, {part})" for part in parts if part > 1
        ]
        words.append(" ".join(factors) or "1")
    return " + ".join(words)


def list_documentation(solution: DiagramSolution) -> list[str]:
    """List the parameters of a layer with their shapes and what they are."""
    problem, found = solution.problem, []
    rank = problem.channels.rank
    for block in solution.parameter_blocks():
        name, m, d = name_block(problem, block), block.classes, block.degree
        if d == 0:
            found.append(f"{name}: (C_out, {m}), the constant part")
        elif problem.channels.mixing == "depthwise":
            found.append(f"{name}: (C, {m}), degree {d} within a channel")
        elif problem.channels.mixing == "factored":
            found.append(f"{name}: ({rank}, {m}), ordered classes of degree {d}")
            found += [
                f"factor_{d}_{j + 1}: ({rank}, C_in), mixes the channels of one factor"
                for j in range(d)
            ]
            found.append(f"mix_{d}: (C_out, {rank}), mixes the products")
        elif len(block.shape) == 1:
            found.append(f"{name}: (C_out, C_in, {m}), degree {d} within a channel")
        else:
            parts = " and ".join(map(str, block.shape))
            channels = f"degrees {parts} in {len(block.shape)} different channels"
            found.append(f"{name}: (C_out, tuples, {m}), {channels}")
    return found


def render_function(
    name: str, problem: DiagramProblem, block: DiagramBlock, program: Contractions
) -> str:
    """Spell the contractions of one block as a function."""
    writer = _Writer(problem, block, program)
    writer.write_values()
    arguments = [
        f"{writer.name_input(f, t)}: _Tensor"
        for f in range(len(block.shape))
        for t in range(len(problem.input))
    ]
    returned = writer.list_results()
    lines = [
        spell_call(f"def {name}(", [*arguments, "n: int"], ") -> tuple[_Tensor, ...]:"),
        f'    """Evaluate the diagrams of {problem.name} of {_spell_degree(block)}."""',
        *writer.lines,
        "    return (",
        *returned,
        "    )",
    ]
    return "\n".join(lines)


def _spell_degree(block: DiagramBlock) -> str:
    if len(block.shape) == 1:
        return f"degree {block.degree} within a channel"
    return f"degrees {' and '.join(map(str, block.shape))} in different channels"


class _Writer:
    """The statements of one function in the making."""

    def __init__(self, problem: DiagramProblem, block: DiagramBlock, program: Contractions) -> None:
        self.problem, self.block, self.program = problem, block, program
        self.lines: list[str] = []
        self.names: list[str] = []

    def name_input(self, factor: int, term: int) -> str:
        """Name the argument of one summand of one variable."""
        name = f"x{factor + 1}" if len(self.block.shape) > 1 else "x"
        return f"{name}_{term}" if len(self.problem.input) > 1 else name

    def write_values(self) -> None:
        """Write one statement per value that is not an argument."""
        for number, value in enumerate(self.program.values):
            if not value.operands:
                (edge,) = value.edges
                self.names.append(self.name_input(edge.factor, edge.term))
                continue
            self.names.append(f"v{number}")
            line = f"    v{number} = {self.spell_value(value)}"
            diagram = Diagram(0, tuple(range(value.axes)), value.edges)
            meaning = spell_diagram(diagram, ((1,),), self.problem.input, "mean")
            comment = f"  # {meaning.partition(' = ')[2]}"
            self.lines.append(line + comment if len(line + comment) <= LINE else line)

    def spell_value(self, value: Value) -> str:
        """Write the right-hand side of one value."""
        names = [self.names[operand] for operand in value.operands]
        if len(names) == 1 and _is_mean(value):
            axes = [str(2 + j) for j, node in enumerate(value.labels[0]) if node in value.means]
            return f"{names[0]}.mean({axes[0] if len(axes) == 1 else spell_tuple(axes)})"
        if len(names) == 2 and not value.means:
            spread = [
                _align(name, labels, value.axes)
                for name, labels in zip(names, value.labels, strict=True)
            ]
            if all(spread):
                return " * ".join(spread)
        words = ",".join(LEAD + _spell_labels(labels) for labels in value.labels)
        subscripts = f"{words}->{LEAD}{_spell_labels(value.labels_out)}"
        power = len(value.means)
        share = "" if not power else " / n" if power == 1 else f" / n**{power}"
        return f'_torch.einsum("{subscripts}", {", ".join(names)}){share}'

    def list_results(self) -> list[str]:
        """Write one line per diagram, under a comment that says what it is."""
        found = []
        pairs = zip(self.block.diagrams, self.program.results, strict=True)
        for number, (diagram, result) in enumerate(pairs):
            formula = spell_diagram(diagram, self.problem.output, self.problem.input, "mean")
            line = f"        {self.spell_result(result)},"
            comment = f"  # {number}: {formula}"
            found.append(line + comment if len(line + comment) <= LINE else line)
        return found

    def spell_result(self, result: Result) -> str:
        """Write a value with its axes in the order of the diagram's nodes."""
        assert result.value is not None
        name, order = self.names[result.value], sorted(result.nodes)
        if list(result.nodes) == order:
            return name
        if len(order) == 2:
            return f"{name}.mT"
        axes = [0, 1, *(2 + result.nodes.index(node) for node in order)]
        return f"{name}.permute({', '.join(map(str, axes))})"


def _spell_labels(labels: Nodes) -> str:
    return "".join(name_node(label) for label in labels)


def _is_mean(value: Value) -> bool:
    """Whether a value of one operand is nothing but a mean over some of its axes."""
    (labels,) = value.labels
    kept = tuple(node for node in labels if node not in value.means)
    return len(set(labels)) == len(labels) and kept == value.labels_out and bool(value.means)


def _align(name: str, labels: Nodes, axes: int) -> str:
    """Write an operand with an axis of length 1 for every label it lacks; empty if it is turned."""
    if list(labels) == [1, 0] and axes == 2:
        return f"{name}.mT"
    if list(labels) != sorted(set(labels)):
        return ""
    missing = [node not in labels for node in range(axes)]
    while missing and not missing[0]:
        missing.pop(0)
    marks = ", ".join("None" if lacks else ":" for lacks in missing)
    return f"{name}[..., {marks}]" if missing else name


def describe_diagrams(layer: EmittedDiagrams) -> dict[str, Any]:
    """Return one layer for ``tying.json``."""
    solution, problem = layer.solution, layer.solution.problem
    channels = problem.channels
    programs = dict(zip((b.shape for b in list_programmed(solution)), layer.programs, strict=True))
    return {
        "name": problem.name,
        "group": "S_n for any n",
        "input": {"text": problem.input_text, "terms": list(map(list, problem.input))},
        "output": {"text": problem.output_text, "terms": list(map(list, problem.output))},
        "degrees": list(problem.degrees),
        "classes": [solution.block(degree).classes for degree in problem.degrees],
        "channels": {
            "in": problem.in_channels,
            "out": channels.outputs,
            "mixing": channels.mixing,
            "rank": channels.rank,
        },
        "nominal": problem.nominal,
        "dtype": problem.dtype,
        "costs": layer.costs,
        "explanation": layer.explanation,
        "blocks": [
            describe_block(problem, block, programs.get(block.shape))
            for block in solution.parameter_blocks()
        ],
    }


def describe_block(
    problem: DiagramProblem, block: DiagramBlock, program: Contractions | None
) -> dict[str, Any]:
    """Return one block: its diagrams, their scales, and the variance that they add up to."""
    results = program.results if program else [Result(None, ())] * block.classes
    moments = [
        find_moments(d, problem.output, problem.input, problem.nominal) for d in block.diagrams
    ]
    scales = [
        find_scale(diagram, found, problem.nominal)
        for diagram, found in zip(block.diagrams, moments, strict=True)
    ]
    shares = measure_shares(problem)
    variance = sum(
        (
            scale**2 * float(found.variance) * shares[diagram.target]
            for diagram, scale, found in zip(block.diagrams, scales, moments, strict=True)
        ),
        0.0,
    )
    rows = zip(block.diagrams, results, scales, strict=True)
    return {
        "degree": block.degree,
        "shape": list(block.shape),
        "parameter": name_block(problem, block),
        "variance": variance,
        "diagrams": [
            {
                "formula": spell_diagram(diagram, problem.output, problem.input),
                "target": diagram.target,
                "outputs": list(diagram.outputs),
                "edges": [[e.factor, e.term, list(e.nodes)] for e in diagram.edges],
                "axes": sorted(result.nodes),
                "scale": scale,
            }
            for diagram, result, scale in rows
        ],
    }


def find_scale(diagram: Diagram, moments: Moments, n: int) -> float:
    """Return what makes the mean square of a diagram 1, over the outputs it is not zero at."""
    zeros = len(diagram.outputs) - diagram.marked
    return 1.0 / sqrt(moments.square * n**zeros)


def measure_shares(problem: DiagramProblem) -> list[float]:
    """Return which share of all outputs each summand of the output has, at the nominal n."""
    sizes = [count_coordinates((parts,), problem.nominal) for parts in problem.output]
    return [size / sum(sizes) for size in sizes]
