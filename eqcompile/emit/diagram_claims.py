"""What a package claims to have been proven of a layer for every n, as plain data."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eqcompile.exact.multigraphs import Diagram
from eqcompile.plan.contraction_proof import ContractionProof
from eqcompile.plan.contractions import Contractions
from eqcompile.solve.certificate_partitions import DiagramProof
from eqcompile.solve.diagram_comparison import Comparison
from eqcompile.solve.diagrams import DiagramBlock, DiagramSolution


@dataclass(frozen=True, slots=True)
class ProvenDiagrams:
    """A layer for every n with its programs and every proof.

    Attributes:
        solution: Its classes.
        proofs: One per block of the solution, in its order.
        comparisons: What the generic solver found for one n, likewise; None where out of reach.
        programs: One per parameter block of positive degree.
        program_proofs: How each was compared with its diagrams.
    """

    solution: DiagramSolution
    proofs: tuple[DiagramProof, ...]
    comparisons: tuple[Comparison | None, ...]
    programs: tuple[Contractions, ...]
    program_proofs: tuple[ContractionProof, ...]


def hash_diagrams(diagrams: Sequence[Diagram]) -> str:
    """Return a digest of a list of diagrams."""
    digest = hashlib.sha256()
    for diagram in diagrams:
        edges = [(edge.factor, edge.term, edge.nodes) for edge in diagram.edges]
        digest.update(f"{diagram.target} {diagram.outputs} {edges}\n".encode())
    return digest.hexdigest()


def hash_program(program: Contractions) -> str:
    """Return a digest of every step of a program."""
    return hashlib.sha256(repr((program.values, program.results)).encode()).hexdigest()


def state_diagrams(layer: ProvenDiagrams) -> dict[str, Any]:
    """State what was proven of one layer."""
    problem = layer.solution.problem
    rows = zip(layer.solution.blocks, layer.proofs, layer.comparisons, strict=True)
    pairs = zip(layer.programs, layer.program_proofs, strict=True)
    return {
        "name": problem.name,
        "group": "S_n for any n",
        "input": problem.input_text,
        "output": problem.output_text,
        "blocks": [_state_block(*row) for row in rows],
        "plans": [{**_plain(proof), "digest": hash_program(plan)} for plan, proof in pairs],
    }


def _state_block(
    block: DiagramBlock, proof: DiagramProof, comparison: Comparison | None
) -> dict[str, Any]:
    return {
        "degree": block.degree,
        "shape": list(block.shape),
        **_plain(proof),
        "solver": None if comparison is None else asdict(comparison),
        "digest": hash_diagrams(block.diagrams),
    }


def _plain(value: DiagramProof | ContractionProof) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(value).items()}


def spell_proofs(layer: ProvenDiagrams) -> tuple[str, ...]:
    """Write what was proven, one sentence each."""
    solution = layer.solution
    rows = zip(solution.blocks, layer.proofs, layer.comparisons, strict=True)
    lines = [spell_proof(*row) for row in rows]
    if layer.program_proofs:
        sizes = " and ".join(map(str, layer.program_proofs[0].sizes))
        lines.append(
            f"The contractions give the polynomials of the diagrams at random tensors modulo "
            f"{layer.program_proofs[0].prime:,}, for n = {sizes}."
        )
    return tuple(lines)


def spell_proof(block: DiagramBlock, proof: DiagramProof, comparison: Comparison | None) -> str:
    """Write what was proven of one block."""
    shape = f" {block.shape}" if len(block.shape) > 1 else ""
    text = (
        f"Degree {block.degree}{shape}: Burnside's lemma over the exchanges of factors and indices "
        f"counts {proof.classes} set partitions; the polynomials of the diagrams listed differ at "
        f"n = {proof.size}, so these are all, each once."
    )
    if comparison is not None:
        text += (
            f" For n = {comparison.n} the orbits of all {comparison.slots:,} slots are the "
            f"{comparison.classes} diagrams of at most {comparison.n} nodes, in the same order."
        )
    return text
