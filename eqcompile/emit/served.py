"""Which layers the Triton kernels serve, and what a package tells the kernels of a layer."""

from __future__ import annotations

from collections.abc import Mapping

from eqcompile.emit.spelling import check_identifier, spell_call, spell_tuple
from eqcompile.emit.straight import serves_straight
from eqcompile.errors import Refusal
from eqcompile.layers.problem import LayerProblem
from eqcompile.solve.layer import LayerSolution
from eqcompile.solve.solver import walk_outputs

MOST_POINTS = 4096
"""Most inputs and outputs together of a layer that the kernels serve.

Their tables have an entry for every two of them, which is 128 MB at this bound.
"""


BASIS_ENTRIES = 2**24
"""Most entries, coefficients times classes, of the matrix that a package makes of a basis."""


def refuse_basis(solution: LayerSolution) -> None:
    """Refuse a layer whose parameters do not become coefficients by one matrix product per block.

    Raises:
        Refusal: A basis is too large, or a factored degree has a fixed part.
    """
    problem = solution.problem
    for block in solution.parameter_blocks():
        tying, degree = block.tying, problem.spell_degree(block.degree)
        if tying.basis is not None and tying.coefficients * tying.classes > BASIS_ENTRIES:
            text = (
                f"layer {problem.name} is too large to emit: degree {degree} has "
                f"{tying.classes} classes of {tying.coefficients} coefficients that depend on each "
                f"other, and a table of at most {BASIS_ENTRIES} numbers is served"
            )
            raise Refusal("too-large", text, "lower the degree or the dimensions")
        if tying.is_affine and block.total and problem.channels.mixing == "factored":
            text = (
                f"layer {problem.name} is factored, and its constraints fix a part of degree "
                f"{degree}, which no product of parameters can be"
            )
            raise Refusal("constraint", text, "use another mixing for this layer")


def refuse_kernels(problem: LayerProblem) -> str:
    """Say why the Triton kernels do not serve a layer; empty where they do."""
    if len(problem.inputs) > 1:
        return f"they serve one input, and the layer has {len(problem.inputs)}"
    highest = max(map(sum, problem.degrees))
    if highest > 2:
        return f"they serve degrees up to 2, and the layer has degree {highest}"
    if problem.channels.mixing == "factored":
        return "they do not serve factored mixing"
    points = problem.inputs[0].action.dim + problem.output.dim
    if points > MOST_POINTS:
        return f"they serve at most {MOST_POINTS} inputs and outputs, and the layer has {points}"
    if shares_coefficients(problem):
        # The gradient of a coefficient is summed by one program per orbit of outputs.
        return "they do not serve coefficients that outputs of several orbits share"
    return ""


def shares_coefficients(problem: LayerProblem) -> bool:
    """Say whether outputs that no generator exchanges may share coefficients: in one fibre."""
    fibration = problem.group.fibration
    if fibration is None or problem.output.dim != fibration.n:
        return False
    return len(walk_outputs(problem.output)) > fibration.count


def spell_facts(solution: LayerSolution, *, indent: int) -> str:
    """Write the argument that tells the kernels of a layer, or None where they do not serve it."""
    problem = solution.problem
    if refuse_kernels(problem):
        return " " * indent + "kernels=None,"
    parts = [spell_tuple([str(p) for p in b.parts]) for b in solution.parameter_blocks()]
    arguments = (
        f'"{check_identifier(problem.name)}"',
        str(problem.inputs[0].action.dim),
        str(problem.output.dim),
        spell_tuple(parts),
        f"depthwise={problem.channels.mixing == 'depthwise'}",
        f"straight={serves_straight(solution)}",
    )
    return spell_call("kernels=Facts(", arguments, "),", indent=indent)


def spell_straight_table(kernels: Mapping[str, str]) -> str:
    """Write the list of all straight-line kernels, with the blank lines before it.

    Args:
        kernels: Per layer their text; the last of the three is not in it where there are too many
            classes.
    """
    head = "STRAIGHT: dict[str, tuple[Any, Any, Any]] = {"
    if not kernels:
        return f"\n{head}}}"
    entries = [_spell_entry(name, text) for name, text in kernels.items()]
    return "\n".join(("", "", head, *entries, "}"))


def _spell_entry(name: str, text: str) -> str:
    words = ("output", "input", "weight")
    found = [f"{word}_{name}" if f"def {word}_{name}(" in text else "None" for word in words]
    return spell_call(f'"{name}": (', found, "),", indent=4)
