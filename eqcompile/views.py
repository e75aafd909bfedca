"""What people ask of a spec without building it: counts, diagrams, derivations, chains of ties."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from eqcompile import anysize, parameterised
from eqcompile.draw.derivation import explain_layer
from eqcompile.draw.diagram_formats import ANY_FORMATS, join_drawings
from eqcompile.draw.fibres import explain_difference
from eqcompile.draw.formats import FORMATS
from eqcompile.draw.parameterised_formats import PARAMETERISED_FORMATS
from eqcompile.driver import (
    Problem,
    Progress,
    Solution,
    Source,
    carry_layers,
    compile_layer,
    keep_quiet,
    read,
    solve_problem,
)
from eqcompile.errors import Refusal
from eqcompile.layers.any_size import DiagramProblem, resolve_diagrams
from eqcompile.layers.parameters import ParameterisedProblem
from eqcompile.layers.problem import Degree, LayerProblem
from eqcompile.registry import Registry
from eqcompile.solve.ansatz import Ansatz
from eqcompile.solve.certificate import prove
from eqcompile.solve.diagrams import DiagramSolution
from eqcompile.solve.layer import LayerSolution, solve_layer
from eqcompile.solve.parameterised import ParameterisedSolution
from eqcompile.solve.tying import Tying
from eqcompile.solve.why import Chain, Slot, explain_tie, explain_zero

INDEX = r"(?:[A-Za-z][A-Za-z0-9_]*\s*\.\s*)?\d+"
SLOT = re.compile(rf"\s*w\[\s*(\d+)\s*(?:;\s*({INDEX}(?:\s*,\s*{INDEX})*)?\s*)?\]\s*", re.ASCII)

WrittenSlot = tuple[int, tuple[tuple[str, int], ...]]
"""An output, and the input and index of each factor; the input is "" where it is not named."""


def summarise(source: Source, progress: Progress = keep_quiet) -> dict[str, Any]:
    """Solve and prove a spec, and return the counts as plain data (``solve --json``)."""
    found = carry_layers(read(source), lambda problem: summarise_problem(problem, progress))
    return {"layers": list(found)}


def summarise_problem(problem: Problem, progress: Progress) -> dict[str, Any]:
    """Solve and prove one layer of any kind, and return the counts as plain data."""
    match problem:
        case LayerProblem():
            return summarise_layer(problem, progress)
        case DiagramProblem():
            return anysize.summarise_layer(problem, progress)
        case ParameterisedProblem():
            return parameterised.summarise_layer(problem, progress)


def summarise_layer(problem: LayerProblem, progress: Progress) -> dict[str, Any]:
    """Solve and prove one polynomial layer for one n."""
    solution = solve_layer(problem, blocks=False, progress=progress)
    degrees = {}
    for degree in problem.degrees:
        key = problem.spell_degree(degree)
        progress(f"{problem.name}: proving degree {key}")
        degrees[key] = count_degree(solution, degree)
    redundant = list(list_redundant(solution))
    return {"name": problem.name, "degrees": degrees, "redundant": redundant}


def list_redundant(solution: LayerSolution) -> tuple[str, ...]:
    """List the constraints of the spec that say nothing new at any degree."""
    said = {
        rows.cause
        for block in solution.blocks
        for rows in block.tying.ansatz.relations
        if rows.cause not in block.tying.redundant
    }
    causes = (relation.cause for relation in solution.problem.relations)
    return tuple(cause for cause in causes if cause not in said)


def count_degree(solution: LayerSolution, degree: Degree) -> dict[str, Any]:
    """Return the proven counts of one degree."""
    tying = solution.tying(degree)
    proof = prove(tying)
    return {
        "slots": proof.slots,
        "classes": proof.classes,
        "ordered_classes": solution.ordered_classes(degree),
        "zeros": proof.zeros,
        "additive": tying.additive,
        "affine": tying.is_affine,
        "proof": list(proof.proof),
    }


def pick_layers(solutions: tuple[Solution, ...], layer: str | None) -> tuple[Solution, ...]:
    """Return the layer of a name, or all of them.

    A tied parameter is named ``<layer>.<parameter>``, the orbitals of weights ``<layer>.weights``.

    Raises:
        Refusal: No layer has that name.
    """
    if layer is None:
        return solutions
    known: Registry[Solution] = Registry("layer")
    for solution in (*solutions, *list_ties(solutions)):
        known.add(solution.problem.name, solution)
    return (known[layer],)


def list_ties(solutions: tuple[Solution, ...]) -> tuple[LayerSolution, ...]:
    """Return the ties of all parameterised layers."""
    layers = (s for s in solutions if isinstance(s, ParameterisedSolution))
    return tuple(tie for layer in layers for tie in layer.solutions)


def draw(
    source: Source,
    form: str = "text",
    layer: str | None = None,
    degree: str | None = None,
    progress: Progress = keep_quiet,
) -> str:
    """Draw the tyings of a spec in one format.

    Args:
        source: The spec.
        form: A name of :data:`eqcompile.draw.formats.FORMATS`.
        layer: Only this layer, or tied parameter.
        degree: Only the degree of this key: ``2``, or ``x:1,y:1``.
        progress: Called before each long step.
    """
    render = FORMATS[form]

    solved = carry_layers(read(source), lambda problem: solve_problem(problem, progress))
    found = pick_layers(solved, layer)
    if degree is not None:
        degree = degree.replace(" ", "")
        found = tuple(s for s in found if degree in list_keys(s.problem))
        if not found:
            raise Refusal("degree", f"no layer has degree {degree}", "ask for a degree of the spec")
    tyings = tuple(s for s in found if isinstance(s, LayerSolution))
    diagrams = tuple(s for s in found if isinstance(s, DiagramSolution))
    weighted = tuple(s for s in found if isinstance(s, ParameterisedSolution))
    drawn = []
    if weighted and form in PARAMETERISED_FORMATS:
        drawn.append(PARAMETERISED_FORMATS[form](tyings, weighted, degree))
    elif tyings or form not in ANY_FORMATS:
        drawn.append(render(tyings, degree))
    if diagrams:
        drawn.append(ANY_FORMATS[form](diagrams, degree))
    return join_drawings(form, drawn)


def list_keys(problem: Problem) -> list[str]:
    """List the keys of the degrees of a layer; a parameterised layer has none."""
    match problem:
        case LayerProblem():
            return [problem.spell_degree(degree) for degree in problem.degrees]
        case DiagramProblem():
            return [str(degree) for degree in problem.degrees]
        case ParameterisedProblem():
            return []


def explain(source: Source, progress: Progress = keep_quiet) -> str:
    """Write the derivation of every layer of a spec, down to the chosen plan and its proof.

    A layer that is solved but cannot be emitted is derived without a plan, and the reason stands
    in its place.
    """
    found = carry_layers(read(source), lambda problem: explain_problem(problem, progress))
    return "\n\n".join(found)


def explain_problem(problem: Problem, progress: Progress = keep_quiet) -> str:
    """Write the derivation of one layer of any kind."""
    match problem:
        case LayerProblem():
            return explain_polynomial(problem, progress)
        case DiagramProblem():
            return anysize.explain_problem(problem, progress)
        case ParameterisedProblem():
            return parameterised.explain_problem(problem, progress)


def explain_polynomial(problem: LayerProblem, progress: Progress = keep_quiet) -> str:
    """Write the derivation of one polynomial layer for one n."""
    try:
        layer = compile_layer(problem, progress)
    except Refusal as refusal:
        solution = solve_layer(problem, blocks=False, progress=progress)
        return f"{explain_layer(solution)}\n\nThere is no plan: {refusal.text}."
    return explain_layer(layer.solution, layer.choice, layer)


def read_slot(text: str) -> WrittenSlot:
    """Read ``w[k; i, j]`` or ``w[k; x.i, y.j]`` as an output and a monomial.

    Raises:
        Refusal: The text is no slot.
    """
    found = SLOT.fullmatch(text)
    if not found or len(text) > 200:
        help = "write w[output; index, ...], such as 'w[0; 1, 2]', 'w[0; x.1, y.2]' or 'w[3]'"
        raise Refusal("slot", f"{text[:60]!r} is no slot", help)
    factors = []
    for word in found[2].split(",") if found[2] else ():
        name, _, index = word.rpartition(".")
        factors.append((name.strip(), int(index)))
    return int(found[1]), tuple(factors)


def explain_why(source: Path, slots: tuple[str, str], layer: str | None = None) -> str:
    """Say by which chain of generators two slots are tied, or that they are not.

    Raises:
        Refusal: A slot is malformed, outside the layer, or of another degree.
    """
    first, last = (read_slot(text) for text in slots)
    if count_names(first) != count_names(last):
        raise Refusal("slot", "the two slots have different degrees", "compare slots of one degree")
    spec = read(source)
    if layer in [problem.name for _, problem in resolve_diagrams(spec)]:
        text = f"slots of {layer} have no numbers: it serves every number of points"
        raise Refusal("slot", text, "write the number of points, as {symmetric: 4}")
    solved = carry_layers(spec, solve_problem)
    for solution in pick_layers((*solved, *list_ties(solved)) if layer is None else solved, layer):
        if isinstance(solution, ParameterisedSolution) and layer is not None:
            raise refuse_slots(solution)
        if not isinstance(solution, LayerSolution):
            continue
        degree = read_degree(solution.problem, first)
        if degree in solution.problem.degrees:
            tying = solution.tying(degree)
            ends = (find_slot(solution.problem, tying.ansatz, slot) for slot in (first, last))
            return spell_why(tying, *ends)
    named = ", ".join(f"{d} in {name}" if name else str(d) for name, d in count_names(first))
    raise Refusal("degree", f"no layer has degree {named}", "ask for slots of a degree of the spec")


def refuse_slots(layer: ParameterisedSolution) -> Refusal:
    """Say that slots belong to the tied parameters of a layer, not to the layer."""
    name = layer.problem.name
    ties = ", ".join(tie.problem.name for tie in layer.solutions)
    help = f"name one with --layer: {ties}" if ties else "add a group over its neurons"
    return Refusal("slot", f"slots are of tied parameters, and {name} is a layer of them", help)


def count_names(slot: WrittenSlot) -> list[tuple[str, int]]:
    """Count the factors of a written slot by input."""
    counts = Counter(name for name, _ in slot[1])
    return sorted(counts.items()) or [("", 0)]


def read_degree(problem: LayerProblem, slot: WrittenSlot) -> Degree | None:
    """Return the degree of a written slot in each input; None where it names none of the layer."""
    names = [given.name for given in problem.inputs]
    written = [name for name, _ in slot[1]]
    if len(names) == 1:
        written = [name or names[0] for name in written]
    if not set(written) <= set(names):
        return None
    return tuple(written.count(name) for name in names)


def find_slot(problem: LayerProblem, ansatz: Ansatz, slot: WrittenSlot) -> Slot:
    """Return a slot within one channel by output and monomial rank.

    Raises:
        Refusal: It is outside the layer.
    """
    output, factors = slot
    names = [given.name for given in problem.inputs]
    parts = [[i for name, i in factors if name in (own, "")] for own in names]
    try:
        rank = ansatz.space.rank([part for part in parts if part])
    except ValueError as error:
        raise Refusal("slot", str(error), "indices count from 0") from None
    if output >= ansatz.output.dim:
        text = f"output {output} is beyond the last, {ansatz.output.dim - 1}"
        raise Refusal("slot", text, "outputs count from 0")
    return output, rank


def spell_why(tying: Tying, first: Slot, last: Slot) -> str:
    """Write the chain from one slot to another, or what keeps them apart."""
    ansatz = tying.ansatz
    if ansatz.fibration is not None:
        return explain_difference(tying, first, last)
    for slot in (first, last):
        zero = explain_zero(ansatz, slot)
        if zero is not None:
            name = ansatz.spell_slot(*slot)
            return f"{name} is zero: it equals its own negative\n" + spell_chain(ansatz, zero)
    chain = explain_tie(ansatz, first, last)
    names = [ansatz.spell_slot(*slot) for slot in (first, last)]
    if chain is None:
        return f"{names[0]} and {names[1]} are not tied: no chain of generators joins them"
    sign = "" if chain.sign > 0 else "-"
    return f"{names[1]} = {sign}{names[0]}\n" + spell_chain(ansatz, chain)


def spell_chain(ansatz: Ansatz, chain: Chain) -> str:
    """Write one line per link of a chain."""
    if not chain.steps:
        return "  the two slots are one"
    lines = []
    for step in chain.steps:
        sign = " " if step.sign > 0 else "-"
        source, target = (ansatz.spell_slot(*slot) for slot in (step.source, step.target))
        lines.append(f"  {target} = {sign}{source}   by {step.cause}")
    return "\n".join(lines)


def list_entries(what: str) -> list[tuple[str, str]]:
    """List the group families, layer families or forms with a line about each.

    Raises:
        Refusal: There is no such list.
    """
    from eqcompile.actions.families import list_families
    from eqcompile.layers.families import LAYERS
    from eqcompile.plan.lowering import FORMS as PLAN_FORMS

    lists: Registry[list[tuple[str, str]]] = Registry("list")
    lists.add("groups", list(list_families()))
    lists.add("layers", [(name, family.summary) for name, family in LAYERS.items()])
    lists.add("forms", [(name, form.summary) for name, form in PLAN_FORMS.items()])
    return lists[what]
