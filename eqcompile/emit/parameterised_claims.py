"""What a package claims to have been proven of a parameterised layer, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eqcompile.emit.claims import dump_json, hash_text, state_block
from eqcompile.layers.parameters import ParameterisedProblem
from eqcompile.solve.certificate import BlockProof
from eqcompile.solve.layer import LayerSolution
from eqcompile.solve.parameterised import ParameterisedSolution


@dataclass(frozen=True, slots=True)
class ProvenParameterised:
    """A parameterised layer with the proof of every tie.

    Attributes:
        solution: Its ties, and the orbitals of its weights.
        proofs: For each of its `solutions`, one per block.
    """

    solution: ParameterisedSolution
    proofs: tuple[tuple[BlockProof, ...], ...]


def state_parameterised(layer: ProvenParameterised) -> dict[str, Any]:
    """State what a layer is, and what was proven of its ties."""
    problem = layer.solution.problem
    pairs = zip(layer.solution.solutions, layer.proofs, strict=True)
    return {
        "name": problem.name,
        "family": problem.family,
        "n_in": problem.n_in,
        "n_out": problem.n_out,
        "options": describe_options(problem),
        "parameters": {p.name: list(p.shape) for p in problem.parameters},
        "positions": hash_text(dump_json(problem.positions)) if problem.positions else None,
        "group": None if problem.group is None else _state_group(problem),
        "ties": [_state_tie(solution, proofs) for solution, proofs in pairs],
    }


def describe_options(problem: ParameterisedProblem) -> dict[str, Any]:
    """Return the options of a layer as plain data."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in problem.options}


def _state_group(problem: ParameterisedProblem) -> dict[str, Any]:
    assert problem.group is not None
    return {"name": problem.group.name, "generators": list(problem.group.labels)}


def _state_tie(solution: LayerSolution, proofs: tuple[BlockProof, ...]) -> dict[str, Any]:
    problem = solution.problem
    pairs = zip(solution.blocks, proofs, strict=True)
    return {
        "name": problem.name,
        "input": problem.inputs[0].action.text,
        "output": problem.output.text,
        "action": list(dict.fromkeys(problem.scope)),
        "blocks": [state_block(problem, block, proof) for block, proof in pairs],
    }
