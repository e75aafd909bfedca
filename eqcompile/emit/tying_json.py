"""The tying of every layer as data: what the package makes its tables from, and others read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eqcompile.actions.fibrations import Fibration
from eqcompile.exact.matrices import Matrix
from eqcompile.layers.problem import LayerProblem, LinearGenerator, SignedAction
from eqcompile.solve.ansatz import Rows
from eqcompile.solve.basis import Basis
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
    channels, actions = problem.channels, [given.action for given in problem.inputs]
    return {
        "name": problem.name,
        "group": problem.group.name,
        "generators": list(problem.labels),
        "n_in": problem.key_by_input([action.dim for action in actions]),
        "n_out": problem.output.dim,
        "input": problem.key_by_input([describe_action(action) for action in actions]),
        "output": describe_action(problem.output),
        "linear": [describe_generator(g) for g in problem.linear],
        "fibration": describe_fibration(problem.group.fibration),
        "degrees": [problem.key_by_input(degree) for degree in problem.degrees],
        "channels": {
            "in": problem.key_by_input([given.channels for given in problem.inputs]),
            "out": channels.outputs,
            "mixing": channels.mixing,
            "rank": channels.rank,
        },
        "dtype": problem.dtype,
        "parametrisation": problem.parametrisation,
        "form": form,
        "costs": costs,
        "explanation": explanation,
        "blocks": [describe_block(problem, block) for block in solution.blocks],
    }


def name_block(problem: LayerProblem, block: Block) -> dict[str, Any]:
    """Return what tells a block from others: its degree, and its shape."""
    return {
        "degree": problem.key_by_input(block.degree),
        "shape": problem.key_by_input([list(parts) for parts in block.shape]),
    }


def describe_action(action: SignedAction) -> dict[str, Any]:
    """Return a representation: its expression, and the image of each generator."""
    images = [{"perm": g.perm.tolist(), "signs": g.signs.tolist()} for g in action.images]
    squares = [str(square) for square in action.squares]
    return {"text": action.text, "images": images, "squares": squares}


def describe_fibration(fibration: Fibration | None) -> dict[str, Any] | None:
    """Return the arrows of a graph, from who sends to who receives, and the fibre of each vertex.

    Its ties come from no generator, so all slots of such a layer are stored.
    """
    if fibration is None:
        return None
    return {"arrows": [list(arrow) for arrow in fibration.arrows], "fibres": [*fibration.fibres]}


def describe_generator(generator: LinearGenerator) -> dict[str, Any]:
    """Return a generator that is no signed permutation: its matrices in coordinates x'."""
    return {
        "cause": generator.cause,
        "infinitesimal": generator.infinitesimal,
        "inputs": [describe_matrix(matrix) for matrix in generator.inputs],
        "output": describe_matrix(generator.output),
    }


def describe_matrix(matrix: Matrix) -> dict[str, Any]:
    """Return a matrix: its nonzero entries ``[row, column, coefficients of powers of g]``."""
    return {
        "conductor": matrix.field.conductor,
        "height": matrix.height,
        "width": matrix.width,
        "denominator": matrix.denominator,
        "entries": _list_entries(matrix),
    }


def _list_entries(matrix: Matrix) -> list[list[Any]]:
    columns = (matrix.rows.tolist(), matrix.columns.tolist(), matrix.values.tolist())
    return [[i, j, [int(c) for c in value]] for i, j, value in zip(*columns, strict=True)]


def describe_basis(basis: Basis) -> dict[str, Any]:
    """Return how coefficients depend on each other; see `eqcompile.solve.basis.Basis`."""
    field, fixed = basis.matrix.field, basis.offset
    if fixed is not None:
        field = field.join(fixed.field)
        fixed = fixed.in_field(field)
    matrix = basis.matrix.in_field(field)
    return {
        "conductor": field.conductor,
        "denominator": matrix.denominator,
        "entries": _list_entries(matrix),
        "free": basis.free.tolist(),
        "offset": None if fixed is None else _describe_offset(fixed),
        "squares": [str(square) for square in basis.squares],
    }


def _describe_offset(fixed: Matrix) -> dict[str, Any]:
    entries = [[c, number] for c, _, number in _list_entries(fixed)]
    return {"denominator": fixed.denominator, "entries": entries}


def describe_rows(rows: Rows) -> dict[str, Any]:
    """Return further equations between the slots of a block."""
    right = None if rows.right is None else describe_matrix(rows.right)
    return {"cause": rows.cause, "matrix": describe_matrix(rows.matrix), "right": right}


def describe_block(problem: LayerProblem, block: Block) -> dict[str, Any]:
    """Return one multidegree: its coefficients, by least slot, and how they depend on each other.

    All slots are told where they are few.
    """
    tying = block.tying
    kept = block.shape in problem.block_shapes(block.degree)
    entry: dict[str, Any] = {
        **name_block(problem, block),
        "parameter": problem.name_weight(block.degree, block.shape) if kept else None,
        "classes": tying.classes,
        "coefficients": tying.coefficients,
        "zeros": tying.zeros,
        "sizes": tying.sizes.tolist(),
        "representatives": list_representatives(tying),
        "basis": describe_basis(tying.basis) if tying.basis else None,
        "relations": [describe_rows(rows) for rows in tying.ansatz.relations],
    }
    if tying.ansatz.slots <= STORED_SLOTS:
        labels, signs = tying.table()
        entry["slots"] = ((labels + 1) * signs).tolist()
    return entry


def list_representatives(tying: Tying) -> list[list[Any]]:
    """Return the least slot of each coefficient as ``[output, [index tuple per factor]]``."""
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
