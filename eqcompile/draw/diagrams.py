"""Layers for every n: their classes as multigraphs, in words, as data and as graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eqcompile.draw.sections import Section, cut_text, write_paragraph, write_sections, write_table
from eqcompile.draw.spelling import spell_count
from eqcompile.exact.multigraphs import Diagram, name_node, spell_diagram, spell_einsum
from eqcompile.plan.contractions import Contractions
from eqcompile.solve.diagrams import DiagramBlock, DiagramSolution, count_classes

WIDTH = 100
SHOWN_CLASSES = 40


def name_layer(solution: DiagramSolution) -> str:
    """Name a layer and what acts: ``Graph: S_n for any n, V ** 2 -> V ** 2``."""
    problem = solution.problem
    return f"{problem.name}: S_n for any n, {problem.input_text} -> {problem.output_text}"


def draw_text(solution: DiagramSolution, degree: int) -> str:
    """List the classes of one degree, each as the polynomial of its multigraph."""
    block = solution.block(degree)
    head = f"{name_layer(solution)}, degree {degree}: {spell_count(block.classes, 'class')}"
    lines = [f"{head} for n >= {block.room}"]
    if block.room > 1:
        lines.append(f"  {spell_small(block)}")
    lines += ["  " + line for line in list_classes(solution, block)]
    return "\n".join(lines) + "\n"


def spell_small(block: DiagramBlock) -> str:
    """Write how many classes exist where n is too small for some."""
    sizes = range(1, block.room)
    counts = ", ".join(str(block.count_alive(n)) for n in sizes)
    return f"at n = {', '.join(map(str, sizes))} there are {counts}"


def list_classes(
    solution: DiagramSolution, block: DiagramBlock, most: int | None = None
) -> list[str]:
    """Write a table of the classes of a block."""
    problem = solution.problem
    rows = [
        (
            str(number),
            spell_diagram(diagram, problem.output, problem.input),
            spell_einsum(diagram) if diagram.edges else "",
            str(diagram.nodes),
        )
        for number, diagram in enumerate(block.diagrams[:most])
    ]
    return write_table(("class", "polynomial", "einsum", "nodes"), rows, left=3)


def explain_diagrams(
    solution: DiagramSolution,
    programs: Sequence[Contractions] = (),
    proofs: Sequence[str] = (),
) -> str:
    """Write the derivation of a layer for every n as plain text of at most 100 columns.

    Args:
        solution: The solved layer.
        programs: What evaluates its parameter blocks of positive degree, if it is emitted.
        proofs: What was proven, one sentence each.
    """
    sections = derive_sections(solution, programs, proofs)
    return write_sections(cut_text(name_layer(solution), WIDTH), sections)


def derive_sections(
    solution: DiagramSolution,
    programs: Sequence[Contractions] = (),
    proofs: Sequence[str] = (),
) -> tuple[Section, ...]:
    """Return the derivation section by section; the arguments are those of `explain_diagrams`."""
    sections = [
        ("The action", explain_action(solution)),
        ("The solution", explain_solution(solution)),
        ("Small n", explain_small(solution)),
        ("The channels", explain_channels(solution)),
        ("The plan", explain_programs(solution, programs) if programs else []),
        ("The proof", [line for text in proofs for line in write_paragraph(text)]),
    ]
    return tuple(Section(title, tuple(lines)) for title, lines in sections if lines)


def explain_action(solution: DiagramSolution) -> list[str]:
    """Say what permutations of points can see."""
    problem = solution.problem
    return write_paragraph(
        f"The input is {problem.input_text} and the output is {problem.output_text}, where V = R^n "
        "for any n. A permutation of the n points moves all indices alike, so of a slot (an output "
        "and a monomial) it keeps one thing: which of their indices are equal. Two slots with the "
        "same indices equal are tied, and no others. A class is therefore a partition of the "
        "indices into blocks. Drawn as a multigraph, a block is a node, a factor of the monomial "
        "is an edge through the nodes of its indices, and the nodes of the output's indices are "
        "marked; equal factors, and indices that commute, may be exchanged."
    )


def explain_solution(solution: DiagramSolution) -> list[str]:
    """List the classes of every degree as polynomials."""
    lines = write_paragraph(
        "The polynomial of a class is the sum over all points of its free nodes. (The slots of the "
        "class itself have different points at different nodes; sums without this condition span "
        "the same space.)"
    )
    for degree in solution.problem.degrees:
        block = solution.block(degree)
        ordered = spell_count(solution.ordered_classes(degree), "class")
        lines += ["", f"degree {degree}: {spell_count(block.classes, 'class')}"]
        if degree > 1:
            lines[-1] += f"; {ordered} if factors did not commute"
        lines += ["", *("  " + row for row in list_classes(solution, block, SHOWN_CLASSES))]
        if block.classes > SHOWN_CLASSES:
            lines.append(f"  ... ({block.classes - SHOWN_CLASSES} more; `eqcompile inspect`)")
    return lines


def explain_small(solution: DiagramSolution) -> list[str]:
    """Say how many classes exist at small n."""
    blocks = [solution.block(degree) for degree in solution.problem.degrees]
    room = max(block.room for block in blocks)
    lines = write_paragraph(
        "A class has slots only from as many points on as it has nodes. At smaller n its "
        "polynomial is a combination of those of classes of fewer nodes, and its parameter is one "
        "too many."
    )
    head = ("degree", *(f"n = {n}" for n in range(1, room)), f"n >= {room}")
    rows = [
        (str(block.degree), *(str(block.count_alive(n)) for n in range(1, room + 1)))
        for block in blocks
    ]
    return [*lines, "", *write_table(head, rows)] if room > 1 else []


def explain_channels(solution: DiagramSolution) -> list[str]:
    """Say which blocks of channels have parameters."""
    problem = solution.problem
    channels = problem.channels
    lines = write_paragraph(
        f"mixing {channels.mixing}, {problem.in_channels} -> {channels.outputs} channels unless "
        "the layer is made with others."
    )
    rows = [
        (problem.name_weight(degree, shape), str(shape), str(count_classes(problem, shape)))
        for degree in problem.degrees
        for shape in problem.block_shapes(degree)
    ]
    return [*lines, "", *write_table(("parameter", "degrees", "classes"), rows, left=2)]


def explain_programs(solution: DiagramSolution, programs: Sequence[Contractions]) -> list[str]:
    """Say how the classes are evaluated and how their parameters are scaled."""
    problem = solution.problem
    lines = write_paragraph(
        "Each polynomial is a contraction of tensors, evaluated two factors at a time in the order "
        f"that is cheapest at n = {problem.nominal}; what several classes need is made once. "
        "Channels are mixed before a value is spread over outputs. No table depends on n."
    )
    lines += ["", *write_table(*tabulate_programs(solution, programs), left=1), ""]
    lines += write_paragraph(
        "The layer takes means over free nodes instead of sums, so values stay bounded as n grows. "
        "A parameter theta multiplies a mean times a fixed scale, which makes its mean square 1 "
        f"for unit normal input at n = {problem.nominal}, where initial outputs have variance 1."
    )
    return lines


def spell_costs(solution: DiagramSolution, programs: Sequence[Contractions]) -> str:
    """Write the costs of the programs as text."""
    return "\n".join(write_table(*tabulate_programs(solution, programs), left=1))


def tabulate_programs(
    solution: DiagramSolution, programs: Sequence[Contractions]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return head and rows of the table of costs."""
    problem = solution.problem
    blocks = [block for block in solution.parameter_blocks() if block.degree]
    head = ("parameter", "classes", "values", f"multiplications (n = {problem.nominal})", "numbers")
    rows: list[tuple[str, ...]] = [
        (
            problem.name_weight(block.degree, block.shape),
            str(block.classes),
            str(len(program.values)),
            f"{program.multiplications:,}",
            f"{program.numbers:,}",
        )
        for block, program in zip(blocks, programs, strict=True)
    ]
    return head, rows


def describe_layer(solution: DiagramSolution, degrees: Sequence[int]) -> dict[str, Any]:
    """Return the facts of a layer as JSON-ready values."""
    problem = solution.problem
    return {
        "name": problem.name,
        "group": "S_n for any n",
        "input": problem.input_text,
        "output": problem.output_text,
        "degrees": {str(d): describe_degree(solution, solution.block(d)) for d in degrees},
    }


def describe_degree(solution: DiagramSolution, block: DiagramBlock) -> dict[str, Any]:
    """Return the facts of one degree.

    Keys: ``degree``, ``class_count``, ``ordered_classes``, ``room`` (the least n with all
    classes), ``by_n`` (how many there are at n = 1, 2, ..), ``classes`` (name, formula, einsum,
    nodes, target, outputs, edges as ``[summand, nodes]``).
    """
    problem = solution.problem
    return {
        "degree": block.degree,
        "class_count": block.classes,
        "ordered_classes": solution.ordered_classes(block.degree),
        "room": block.room,
        "by_n": [block.count_alive(n) for n in range(1, block.room + 1)],
        "classes": [
            {
                "name": str(number),
                "formula": spell_diagram(diagram, problem.output, problem.input),
                "einsum": spell_einsum(diagram),
                "nodes": diagram.nodes,
                "target": diagram.target,
                "outputs": list(diagram.outputs),
                "edges": [[edge.term, list(edge.nodes)] for edge in diagram.edges],
            }
            for number, diagram in enumerate(block.diagrams)
        ],
    }


def draw_dot(solution: DiagramSolution, degree: int) -> str:
    """Draw the multigraphs of one degree for Graphviz, one cluster per class.

    Marked nodes are filled; an edge of two indices that do not commute has an arrow; one of another
    number of indices is a box.
    """
    problem, lines = solution.problem, []
    lines.append(f'digraph "{problem.name} degree {degree}" {{')
    lines.append("  node [shape=circle];")
    for number, diagram in enumerate(solution.block(degree).diagrams):
        formula = spell_diagram(diagram, problem.output, problem.input)
        lines.append(f"  subgraph cluster_{number} {{")
        lines.append(f'    label="{number}: {formula}";')
        lines += [f"    {line}" for line in _list_graph(solution, number, diagram)]
        lines.append("  }")
    return "\n".join([*lines, "}", ""])


def _list_graph(solution: DiagramSolution, number: int, diagram: Diagram) -> list[str]:
    lines = []
    for node in range(diagram.nodes):
        style = " style=filled" if node < diagram.marked else ""
        lines.append(f'c{number}n{node} [label="{name_node(node)}"{style}];')
    for j, edge in enumerate(diagram.edges):
        parts = solution.problem.input[edge.term]
        ends = [f"c{number}n{node}" for node in edge.nodes]
        if len(ends) == 2:
            lines.append(f"{ends[0]} -> {ends[1]}{'' if parts == (1, 1) else ' [dir=none]'};")
            continue
        lines.append(f'c{number}e{j} [shape=box label=""];')
        lines += [f"c{number}e{j} -> {end} [dir=none];" for end in ends]
    return lines
