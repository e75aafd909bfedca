"""What a package claims to have been proven, as plain data with a digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eqcompile.actions.fibrations import Fibration
from eqcompile.emit.tying_json import describe_basis, name_block
from eqcompile.layers.problem import LayerProblem
from eqcompile.plan.forms import Choice
from eqcompile.plan.ir import Plan, Table
from eqcompile.plan.proof import KernelProof, PlanProof
from eqcompile.solve.certificate import BlockProof
from eqcompile.solve.layer import Block, LayerSolution
from eqcompile.solve.tying import Tying

FORMAT = 1
"""Version of the layout of ``certificate.json``."""


@dataclass(frozen=True, slots=True)
class ProvenLayer:
    """A layer with its program and every proof.

    Attributes:
        solution: The tyings.
        choice: The chosen plan and its derivatives.
        proofs: One per block of the solution, in its order.
        plan_proof: How the plan was compared with the ansatz.
        kernels: How the plan of its Triton kernels was, or None where it has none.
    """

    solution: LayerSolution
    choice: Choice
    proofs: tuple[BlockProof, ...]
    plan_proof: PlanProof
    kernels: KernelProof | None = None


def hash_text(text: str) -> str:
    """Return the SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def hash_tying(tying: Tying) -> str:
    """Return a digest of every class, sign and walk of a tying, and of its basis."""
    digest = hashlib.sha256()
    for orbit in tying.orbits:
        for array in (orbit.outputs, orbit.parents, orbit.steps, orbit.labels, orbit.signs):
            digest.update(f"{len(array)}:".encode())
            digest.update(array.astype("<i8").tobytes())
    if tying.basis is not None:
        digest.update(dump_json(describe_basis(tying.basis)).encode())
    return digest.hexdigest()


def hash_plan(plan: Plan) -> str:
    """Return a digest of every op of a plan and every entry of its tables."""
    digest = hashlib.sha256(str(plan).encode())
    for table in plan.tables:
        if isinstance(table, Table):
            digest.update(f"{table.name} {table.height} {table.width}:".encode())
            for array in (table.rows, table.columns, table.numerators, table.denominators):
                digest.update(array.astype("<i8").tobytes())
    return digest.hexdigest()


def dump_json(value: object) -> str:
    """Write plain data in the one way digests are taken of."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def state_claims(
    tool: str,
    spec_digest: str,
    spec_text: str,
    spec_files: Mapping[str, str],
    layers: Sequence[ProvenLayer],
) -> dict[str, Any]:
    """State what was proven of a whole spec.

    Args:
        tool: Name and version of this compiler.
        spec_digest: Digest of the spec's meaning.
        spec_text: The spec itself, so that a package can be checked against its source.
        spec_files: Files the spec names, by relative path.
        layers: What was compiled.
    """
    return {
        "format": FORMAT,
        "tool": tool,
        "spec": {"digest": spec_digest, "text": spec_text, "files": dict(spec_files)},
        "layers": [_state_layer(layer) for layer in layers],
    }


def _state_layer(layer: ProvenLayer) -> dict[str, Any]:
    problem = layer.solution.problem
    pairs = zip(layer.solution.blocks, layer.proofs, strict=True)
    return {
        "name": problem.name,
        "group": {
            "name": problem.group.name,
            "generators": list(problem.group.labels),
            **_state_fibration(problem.group.fibration),
        },
        "input": problem.key_by_input([given.action.text for given in problem.inputs]),
        "output": problem.output.text,
        "action": list(dict.fromkeys(problem.scope)),
        "blocks": [state_block(problem, block, proof) for block, proof in pairs],
        "plan": {
            "form": layer.choice.form,
            **_plain(layer.plan_proof),
            "digest": hash_plan(layer.choice.plan),
        },
        "kernels": _state_kernels(layer.kernels),
    }


def _state_fibration(fibration: Fibration | None) -> dict[str, str]:
    """Say what "components" stands for where the classes are no components of a group's moves."""
    if fibration is None:
        return {}
    return {
        "fibration": f"fibres: {fibration.count}, found again as the coarsest balanced colouring; "
        "the classes are the different keys of the slots, balanced over every monomial of fibres"
    }


def _state_kernels(proof: KernelProof | None) -> dict[str, Any] | None:
    if proof is None:
        return None
    return {"form": proof.form, **_plain(proof.proof), "digest": hash_plan(proof.plan)}


def state_block(problem: LayerProblem, block: Block, proof: BlockProof) -> dict[str, Any]:
    """State what was proven of one block."""
    claim = name_block(problem, block)
    return {**claim, **_plain(proof), "digest": hash_tying(block.tying)}


def _plain(value: PlanProof | BlockProof) -> dict[str, Any]:
    """Return a dataclass of numbers, words and tuples as plain data."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(value).items()}


def seal(claims: Mapping[str, Any], files: Mapping[str, str]) -> str:
    """Return ``certificate.json``: the claims, their digest, and a digest of every other file."""
    return dump_json(
        {
            "claims": claims,
            "digest": hash_text(dump_json(claims)),
            "files": {path: hash_text(files[path]) for path in sorted(files)},
        }
    )
