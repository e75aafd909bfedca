"""Parameterised layers in words: formula, parameters, ties, cost, and what keeps the weights."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import Any

from eqcompile.draw.dependence import merge_equal
from eqcompile.draw.derivation import explain_action, spell_classes
from eqcompile.draw.invariance import PAIRS, explain_cost, explain_gauge
from eqcompile.draw.linear import explain_dependence
from eqcompile.draw.matrices import explain_matrix
from eqcompile.draw.program import METHODS, PROVEN
from eqcompile.draw.sections import (
    WIDTH,
    Section,
    cut_text,
    write_paragraph,
    write_sections,
    write_table,
)
from eqcompile.draw.spelling import spell_count
from eqcompile.layers.parameters import ParameterisedProblem
from eqcompile.solve.certificate import BlockProof
from eqcompile.solve.layer import LayerSolution
from eqcompile.solve.parameterised import (
    LINEAR,
    ORBITAL_SLOTS,
    ParameterisedSolution,
    count_entries,
)

UNTRAINED = ("homeostatic",)
"""Families whose parameters are state that the layer changes itself."""


def name_layer(problem: ParameterisedProblem) -> str:
    """Name a layer: ``Force: coulomb, C_6, 6 -> 6``."""
    group = f", {problem.group.name}" if problem.group is not None else ""
    return f"{problem.name}: {problem.family}{group}, {problem.n_in} -> {problem.n_out}"


def explain_parameterised(
    solution: ParameterisedSolution,
    proofs: Sequence[Sequence[BlockProof]] = (),
    dimension: int | None = None,
) -> str:
    """Write the derivation of a layer as plain text of at most 100 columns.

    Args:
        solution: The ties.
        proofs: For each of its `solutions`, one per block, if they were proven.
        dimension: Of the weights that parameters without ties can be, where a formula is known.
    """
    title = cut_text(name_layer(solution.problem), WIDTH)
    return write_sections(title, derive_sections(solution, proofs, dimension))


def derive_sections(
    solution: ParameterisedSolution,
    proofs: Sequence[Sequence[BlockProof]] = (),
    dimension: int | None = None,
) -> tuple[Section, ...]:
    """Return the derivation section by section; arguments are those of `explain_parameterised`."""
    problem = solution.problem
    sections = [
        ("The layer", explain_formula(problem)),
        ("The parameters", explain_parameters(solution)),
        ("The group", explain_group(solution)),
        ("The ties", explain_ties(solution)),
        ("The weights", explain_weights(solution)),
        ("The cost", explain_cost(problem)),
        ("What keeps the weights", explain_gauge(problem, dimension)),
        ("The proof", explain_proofs(solution, proofs)),
    ]
    return tuple(Section(title, tuple(lines)) for title, lines in sections if lines)


def explain_formula(problem: ParameterisedProblem) -> list[str]:
    """Write what the layer computes, and from what."""
    options = dict(problem.options)
    one = "one set of neurons" if problem.square else "two sets of neurons"
    head = f"z in R^{problem.n_in} to R^{problem.n_out}, {one}."
    lines = [*write_paragraph(head), "", *write_paragraph(problem.formula, "  ", "  ")]
    said: list[str] = []
    if problem.family in PAIRS:
        d, p = options["dims"]
        minus = sum(sign < 0 for sign in options["signature"])
        inner = f", of which {minus} count negative in <,>_S" if minus else ""
        where = {
            "learn": "drawn and trained",
            "start": "those of the spec at the start, and trained",
            "given": "those of the spec, and fixed",
        }[options["positions"]]
        text = (
            f"Charges have {spell_count(d, 'component')}{inner}; positions are in R^{p}, {where}."
        )
        said += write_paragraph(text)
    elif problem.family == "homeostatic":
        said += write_paragraph(
            "r is the input z and R the output, C the products R R^T it had when it was "
            "calibrated. W changes only when the layer is asked to adapt; nothing is trained."
        )
    if options.get("bias"):
        said += write_paragraph("A bias is added, 0 at the start.")
    return [*lines, "", *said] if said else lines


def explain_parameters(solution: ParameterisedSolution) -> list[str]:
    """List the parameters with their sizes, and compare them with dense weights."""
    problem = solution.problem
    lines = write_table(*tabulate_parameters(solution), left=2)
    has_bias = any(parameter.name == "bias" for parameter in problem.parameters)
    order = dict(problem.options).get("order", 2)
    monomials = comb(problem.n_in + order - 2, order - 1)
    dense = problem.n_out * (monomials + has_bias)
    what = "a dense layer" if order == 2 else f"a dense layer of degree {order - 1}"
    summary = f"{spell_counts(solution)}; {what} of this size has {dense:,}."
    return [*lines, "", *write_paragraph(summary)]


def spell_counts(solution: ParameterisedSolution) -> str:
    """Write how many numbers the parameters of a layer have."""
    if solution.problem.family in UNTRAINED:
        return "Nothing is trained: this is state, which adaptation changes"
    full, free = count_parameters(solution)
    tied = f"{free:,} of them free under the group" if solution.ties else "all free: no group acts"
    return f"{full:,} number{'s' * (full != 1)}, {tied}"


def tabulate_parameters(
    solution: ParameterisedSolution,
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return head and rows of the table of parameters."""
    rows: list[tuple[str, ...]] = [
        (
            parameter.name,
            f"{parameter.meaning}",
            str(tuple(parameter.shape)),
            f"{count_entries(parameter):,}",
            f"{solution.count_free(parameter):,}",
        )
        for parameter in solution.problem.parameters
    ]
    return ("parameter", "", "shape", "numbers", "free"), rows


def count_parameters(solution: ParameterisedSolution) -> tuple[int, int]:
    """Count the numbers of all trained parameters, in full and free."""
    parameters = solution.problem.parameters
    if solution.problem.family in UNTRAINED:
        return 0, 0
    free = sum(solution.count_free(parameter) for parameter in parameters)
    return sum(count_entries(parameter) for parameter in parameters), free


def explain_group(solution: ParameterisedSolution) -> list[str]:
    """Write how the generators move the neurons."""
    shown = solution.orbitals or (solution.ties[-1] if solution.ties else None)
    if shown is None:
        return []
    sides = (shown.problem.inputs[0].action, shown.problem.output)
    signed = any((image.signs < 0).any() for side in sides for image in side.images)
    how = "permutes the neurons up to signs" if signed else "permutes the neurons"
    lines = write_paragraph(
        f"The group {how}, in as inputs and out as outputs. The layer "
        "commutes with it: f(g z) = g f(z) whatever its parameters."
    )
    return [*lines, "", *explain_action(shown)]


def explain_ties(solution: ParameterisedSolution) -> list[str]:
    """Write the classes of every tied parameter."""
    problem = solution.problem
    if not solution.ties or problem.family == "homeostatic":
        return []
    lines = write_paragraph(
        "A parameter with a row per neuron is a linear map from the neurons: x_i stands for neuron "
        "i, and its coefficient in y_k is entry k of row i. The group demands that row g i is R(g) "
        "times row i (times the sign of neuron i where rows have one), so that the map commutes "
        "with the group; a class is one free number."
    )
    for name, tie in zip(problem.tied, solution.ties, strict=True):
        lines += ["", *explain_tie(name, tie)]
    return lines


def explain_tie(name: str, tie: LayerSolution) -> list[str]:
    """Write the classes of one tied parameter."""
    problem, tying = tie.problem, merge_equal(tie.tying(LINEAR))
    action = f"{problem.inputs[0].action.text} -> {problem.output.text}"
    counts = f"{spell_count(tying.ansatz.slots, 'number')}, {spell_count(tying.classes, 'class')}"
    lines = [cut_text(f"{name} ({action}): {counts}", WIDTH - 2)]
    if not tying.classes:
        return [*lines, "  the group allows 0 alone"]
    lines += explain_matrix(tying, f"{cut_text(name, 20)}^T")
    return [*lines, *spell_classes(tying), *explain_dependence(tying)]


def explain_weights(solution: ParameterisedSolution) -> list[str]:
    """Write the orbitals that the weights are combinations of, where they are a matrix."""
    problem, shown = solution.problem, solution.orbitals
    if dict(problem.options).get("order", 2) > 2:
        return []
    if problem.family == "homeostatic" and solution.ties:
        shown = solution.ties[0]
    if shown is None:
        if problem.group is None:
            return []
        return write_paragraph(
            f"The orbits of the {problem.n_in * problem.n_out:,} pairs of neurons were not listed: "
            f"that is done up to {ORBITAL_SLOTS:,}."
        )
    tying = shown.tying(LINEAR)
    count = spell_count(tying.classes, "orbital")
    text = f"W commutes with the group, so it is a combination of {count}"
    text += ", one per orbit of pairs of neurons"
    if problem.family == "homeostatic":
        text += f"; W is averaged over them after every step, so {tying.classes} numbers are free"
    lines = write_paragraph(f"{text}.")
    return [*lines, "", *explain_matrix(tying)]


def explain_proofs(
    solution: ParameterisedSolution, proofs: Sequence[Sequence[BlockProof]]
) -> list[str]:
    """Say what was proven of the ties and how."""
    rows = []
    for tie, found in zip(solution.solutions, proofs, strict=bool(proofs)):
        for proof in found[:1]:
            order = "" if proof.group_order is None else str(proof.group_order)
            counts = (str(proof.slots), str(proof.classes), str(proof.zeros), order)
            rows.append((tie.problem.name, ", ".join(proof.proof), *counts))
    if not rows:
        return []
    head = ("what", "proof", "slots", "classes", "zeros", "group order")
    lines = [*write_paragraph(PROVEN), "", *write_table(head, rows, left=2), ""]
    used = {method for found in proofs for proof in found for method in proof.proof}
    named = "; ".join(f"{m}: {METHODS[m]}" for m in METHODS if m in used)
    lines += write_paragraph(f"{named}.")
    for scope in dict.fromkeys(s for tie in solution.ties for s in tie.problem.scope):
        lines += ["", *write_paragraph(f"That the images are an action was checked on {scope}.")]
    return lines


def describe_layer(solution: ParameterisedSolution) -> dict[str, Any]:
    """Return the facts of a layer as JSON-ready values, but for the drawings of its ties."""
    problem = solution.problem
    full, free = count_parameters(solution)
    return {
        "name": problem.name,
        "family": problem.family,
        "formula": problem.formula,
        "group": None if problem.group is None else problem.group.name,
        "inputs": problem.n_in,
        "outputs": problem.n_out,
        "parameters": [
            {
                "name": parameter.name,
                "meaning": parameter.meaning,
                "shape": list(parameter.shape),
                "numbers": count_entries(parameter),
                "free": solution.count_free(parameter),
            }
            for parameter in problem.parameters
        ],
        "numbers": full,
        "free": free,
        "degrees": {},
    }
