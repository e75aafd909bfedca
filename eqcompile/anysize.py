"""The pipeline of layers for every n: list the classes, prove them, plan and prove contractions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from eqcompile.draw.diagrams import derive_sections, explain_diagrams, name_layer, spell_costs
from eqcompile.draw.multigraphs import draw_degree
from eqcompile.draw.page import PageBlock, PageSection
from eqcompile.draw.report import DRAWN_AFTER, FurtherLayer
from eqcompile.emit.diagram_claims import ProvenDiagrams, spell_proofs
from eqcompile.emit.diagrams import EmittedDiagrams, list_programmed
from eqcompile.errors import Refusal
from eqcompile.exact.multigraphs import Diagram, Edge, Terms
from eqcompile.layers.any_size import DiagramProblem
from eqcompile.plan.contraction_proof import prove_contractions
from eqcompile.plan.contractions import plan_contractions
from eqcompile.solve.certificate_partitions import DiagramProof, prove_diagrams
from eqcompile.solve.diagram_comparison import compare_with_solver
from eqcompile.solve.diagrams import (
    DiagramBlock,
    DiagramSolution,
    count_classes,
    solve_diagrams,
)

MAX_EMITTED_CLASSES = 1200
MAX_EMITTED_DEGREE = 6

Progress = Callable[[str], None]


def compile_diagrams(problem: DiagramProblem, progress: Progress) -> ProvenDiagrams:
    """Carry one layer from its problem to proven contractions. Each line is one stage."""
    refuse_unemitted(problem)
    solution = solve_diagrams(problem, progress=progress)
    progress(f"{problem.name}: proving")
    proofs = tuple(prove_block(block) for block in solution.blocks)
    compared = tuple(compare_with_solver(problem, block) for block in solution.blocks)
    progress(f"{problem.name}: choosing contractions")
    blocks = list_programmed(solution)
    programs = tuple(plan_contractions(b.diagrams, problem.input, problem.nominal) for b in blocks)
    sides = problem.output, problem.input
    shown = tuple(
        prove_contractions(program, block.diagrams, *sides, len(block.shape))
        for program, block in zip(programs, blocks, strict=True)
    )
    return ProvenDiagrams(solution, proofs, compared, programs, shown)


def prove_block(block: DiagramBlock) -> DiagramProof:
    """Prove that a block lists all classes, each once."""
    return prove_diagrams(block.diagrams, block.output, block.inputs, block.shape)


def refuse_unemitted(problem: DiagramProblem) -> None:
    """Refuse a layer of more straight-line code than is served, before anything is listed."""
    shapes = [shape for degree in problem.degrees for shape in problem.block_shapes(degree)]
    total = sum(count_classes(problem, shape) for shape in shapes)
    help = "lower the degree, or write mixing: channelwise"
    if total > MAX_EMITTED_CLASSES:
        text = f"layer {problem.name} is too large to emit: its blocks have {total} classes, "
        raise Refusal("too-large", f"{text}at most {MAX_EMITTED_CLASSES} are served", help)
    if max(problem.degrees) > MAX_EMITTED_DEGREE:
        text = f"layer {problem.name} is too large to emit: its degree is {max(problem.degrees)}, "
        raise Refusal("too-large", f"{text}at most {MAX_EMITTED_DEGREE} is served", help)


def emit_diagrams(layer: ProvenDiagrams) -> EmittedDiagrams:
    """Hand one proven layer to the emitter, with what it says of itself in words."""
    return EmittedDiagrams(
        solution=layer.solution,
        programs=layer.programs,
        costs=spell_costs(layer.solution, layer.programs),
        explanation=explain_proven(layer),
    )


def explain_proven(layer: ProvenDiagrams) -> str:
    """Write the derivation of one proven layer."""
    return explain_diagrams(layer.solution, layer.programs, spell_proofs(layer))


def report_proven(number: int, layer: ProvenDiagrams) -> FurtherLayer:
    """Make the section of one proven layer in the report of its package."""
    solution = layer.solution
    rows = []
    for degree in solution.problem.degrees:
        counts = count_degree(solution, degree)
        words = (f"{counts[key]:,}" for key in ("slots", "classes", "ordered_classes", "zeros"))
        proof = ", ".join(counts["proof"])
        rows.append((solution.problem.name, "S_n for any n", str(degree), *words, proof))
    blocks: list[PageBlock] = []
    for section in derive_sections(solution, layer.programs, spell_proofs(layer)):
        blocks.append(PageBlock("text", section.title, "\n".join(section.lines)))
        if section.title == DRAWN_AFTER:
            blocks += [
                PageBlock("figure", picture=draw_degree(solution, degree, f"a{number}d{degree}"))
                for degree in solution.problem.degrees
            ]
    anchor = f"diagrams-{number}"
    return FurtherLayer(tuple(rows), PageSection(anchor, name_layer(solution), tuple(blocks)))


def explain_problem(problem: DiagramProblem, progress: Progress) -> str:
    """Write the derivation of one layer; where it is not emitted, why not."""
    try:
        layer = compile_diagrams(problem, progress)
    except Refusal as refusal:
        solution = solve_diagrams(problem, blocks=False, progress=progress)
        return f"{explain_diagrams(solution)}\n\nThere is no plan: {refusal.text}."
    return explain_proven(layer)


def count_degree(solution: DiagramSolution, degree: int) -> dict[str, Any]:
    """Return the proven counts of one degree, as ``solve --json`` shows them.

    Slots depend on n: they are counted at the least n that has all classes, which is added.
    """
    block = solution.block(degree)
    proof = prove_block(block)
    return {
        "slots": solution.count_slots(degree),
        "classes": proof.classes,
        "ordered_classes": solution.ordered_classes(degree),
        "zeros": 0,
        "additive": 0,
        "affine": False,
        "proof": list(proof.proof),
        "n": max(block.room, 1),
    }


def summarise_layer(problem: DiagramProblem, progress: Progress) -> dict[str, Any]:
    """List and prove the classes of one layer, and return the counts as plain data."""
    solution = solve_diagrams(problem, blocks=False, progress=progress)
    degrees = {str(degree): count_degree(solution, degree) for degree in problem.degrees}
    return {"name": problem.name, "degrees": degrees, "redundant": []}


def check_stored(layers: Iterable[Mapping[str, Any]]) -> int:
    """Prove every block of the layers for any n that ``tying.json`` stores.

    Returns:
        How many blocks there are.

    Raises:
        CertificateError: A list of diagrams is not all classes, each once.
    """
    proven = 0
    for layer in layers:
        output, source = read_terms(layer["output"]), read_terms(layer["input"])
        for block in layer["blocks"]:
            diagrams = [read_diagram(diagram) for diagram in block["diagrams"]]
            prove_diagrams(diagrams, output, source, read_nodes(block["shape"]))
            proven += 1
    return proven


def read_diagram(data: Mapping[str, Any]) -> Diagram:
    """Read one stored diagram."""
    edges = tuple(Edge(int(f), int(term), read_nodes(nodes)) for f, term, nodes in data["edges"])
    return Diagram(int(data["target"]), read_nodes(data["outputs"]), edges)


def read_nodes(data: Iterable[Any]) -> tuple[int, ...]:
    """Read a stored list of numbers."""
    return tuple(int(node) for node in data)


def read_terms(action: Mapping[str, Any]) -> Terms:
    """Read a stored direct sum of tensor powers."""
    return tuple(read_nodes(parts) for parts in action["terms"])


def list_proofs(problem: DiagramProblem, progress: Progress) -> list[str]:
    """Prove one layer again; return what held, one line per block and per plan."""
    try:
        layer = compile_diagrams(problem, progress)
    except Refusal as refusal:
        solution = solve_diagrams(problem, blocks=False, progress=progress)
        lines = [_spell_block(problem, block, prove_block(block)) for block in solution.blocks]
        return [*lines, f"{problem.name} has no plan: {refusal.text}"]
    rows = zip(layer.solution.blocks, layer.proofs, layer.comparisons, strict=True)
    lines = []
    for block, proof, comparison in rows:
        line = _spell_block(problem, block, proof)
        if comparison is not None:
            line += f", and {comparison.classes} of the solver at n = {comparison.n}"
        lines.append(line)
    for block, shown in zip(list_programmed(layer.solution), layer.program_proofs, strict=True):
        name = problem.name_weight(block.degree, block.shape)
        lines.append(f"{problem.name} contractions {name}: equal to its diagrams at {shown.method}")
    return lines


def _spell_block(problem: DiagramProblem, block: DiagramBlock, proof: DiagramProof) -> str:
    shape, methods = ",".join(map(str, block.shape)), ", ".join(proof.proof)
    where = f"{problem.name} degree {block.degree} ({shape})"
    return f"{where}: {proof.classes} classes for any n by {methods}"
