"""The tying of every layer as data: what the package makes its tables from, and others read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eqcompile.actions.group import Representation
from eqcompile.layers.problem import LayerProblem
from eqcompile.solve.layer import Block, LayerSolution
from eqcompile.solve.tying import Tying

FORMAT = 1
STORED_SLOTS = 10**6
"""Up to this many slots a block's table is stored; above, the representatives say all."""


def describe_layer(
    solution: LayerSolution, *, form: str, costs: str, explanation: str
) -> dict[str, Any]:
    """Return one layer of ``tying.json``.

    Args:
        solution: The solved layer.
        form: Form of its plan.
        costs: The forms considered, as text.
        explanation: The derivation, as text.
    """
    problem = solution.problem
    channels = problem.channels
    return {
        "name": problem.name,
        "group": problem.group.name,
        "generators": list(problem.group.labels),
        "n_in": problem.input.dim,
        "n_out": problem.output.dim,
        "input": describe_action(problem.input),
        "output": describe_action(problem.output),
        "degrees": list(problem.degrees),
        "channels": {
            "in": channels.inputs,
            "out": channels.outputs,
            "mixing": channels.mixing,
            "rank": channels.rank,
        },
        "dtype": problem.dtype,
        "form": form,
        "costs": costs,
        "explanation": explanation,
        "blocks": [describe_block(problem, block) for block in solution.blocks],
    }


def describe_action(action: Representation) -> dict[str, Any]:
    """Return a representation: its expression, and the image of each generator."""
    images = [{"perm": g.perm.tolist(), "signs": g.signs.tolist()} for g in action.images]
    return {"text": action.text, "images": images}


def describe_block(problem: LayerProblem, block: Block) -> dict[str, Any]:
    """Return one multidegree: its classes, by least slot, and all slots where they are few."""
    tying = block.tying
    kept = block.shape in problem.block_shapes(block.degree)
    entry: dict[str, Any] = {
        "degree": block.degree,
        "shape": list(block.shape),
        "parameter": problem.name_weight(block.degree, block.shape) if kept else None,
        "classes": tying.classes,
        "zeros": tying.zeros,
        "sizes": tying.sizes.tolist(),
        "representatives": list_representatives(tying),
    }
    if tying.ansatz.slots <= STORED_SLOTS:
        labels, signs = tying.table()
        entry["slots"] = ((labels + 1) * signs).tolist()
    return entry


def list_representatives(tying: Tying) -> list[list[Any]]:
    """Return the least slot of each class as ``[output, [index tuple per factor]]``."""
    columns = tying.ansatz.space.columns()
    found = []
    for output, rank in tying.representatives.tolist():
        found.append([output, _split(columns[rank].tolist(), tying.ansatz.shape)])
    return found


def _split(indices: list[int], shape: Sequence[int]) -> list[list[int]]:
    parts = []
    for degree in shape:
        parts.append(indices[:degree])
        indices = indices[degree:]
    return parts
