"""The derivation a person would write for one layer: from the polynomial to the chosen plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from eqcompile.draw.channels import explain_channels
from eqcompile.draw.dependence import merge_equal
from eqcompile.draw.fibres import explain_fibration
from eqcompile.draw.linear import explain_dependence, explain_equations, explain_linear_action
from eqcompile.draw.matrices import explain_matrix
from eqcompile.draw.ordered import explain_ordered
from eqcompile.draw.program import Proof, explain_forms, explain_plan, explain_proof
from eqcompile.draw.sections import (
    WIDTH,
    Section,
    cut_text,
    glue,
    write_paragraph,
    write_sections,
    write_table,
)
from eqcompile.draw.spelling import spell_count
from eqcompile.draw.words import OrbitWords, describe_classes, join_classes
from eqcompile.exact.signed import spell_cycles
from eqcompile.layers.problem import Degree, LayerProblem
from eqcompile.plan.forms import Choice
from eqcompile.solve.constraints import Equality, SlotMove, constrain
from eqcompile.solve.layer import LayerSolution
from eqcompile.solve.tying import Tying

SHOWN_EQUALITIES = 4
SHOWN_CLASSES = 24
TERM_INDICES = "ijlmpqrstu"


def explain_layer(
    solution: LayerSolution, choice: Choice | None = None, proof: Proof | None = None
) -> str:
    """Write the derivation of a layer as plain text of at most 100 columns.

    Args:
        solution: The solved layer.
        choice: Forms considered and the chosen plan, if there is one.
        proof: What was proven, if it was.
    """
    problem = solution.problem
    acts = f"{problem.spell_inputs()} -> {problem.output.text}"
    title = f"{problem.name}: {problem.group.name}, {acts}"
    return write_sections(cut_text(title, WIDTH), derive_sections(solution, choice, proof))


def derive_sections(
    solution: LayerSolution, choice: Choice | None = None, proof: Proof | None = None
) -> tuple[Section, ...]:
    """Return the derivation section by section; the arguments are those of ``explain_layer``."""
    coloured = solution.problem.group.fibration is not None
    sections = [
        ("The layer polynomial", explain_polynomial(solution)),
        ("The action", explain_action(solution)),
        ("The fibration", explain_fibration(solution))
        if coloured
        else ("The constraints", explain_constraints(solution)),
        ("The solution", explain_solution(solution)),
        ("If x_i x_j and x_j x_i were stored apart", explain_ordered(solution)),
        ("The channels", explain_channels(solution)),
    ]
    if choice is not None:
        sections += [
            ("The forms considered", explain_forms(choice)),
            ("The plan", explain_plan(choice)),
        ]
    if proof is not None:
        sections.append(("The proof", explain_proof(solution, proof)))
    return tuple(Section(title, tuple(lines)) for title, lines in sections if lines)


def explain_polynomial(solution: LayerSolution) -> list[str]:
    """Write the most general polynomial and count its coefficients."""
    problem = solution.problem
    # A term stays on one line while it fits.
    terms = " + ".join(
        glue(t) if len(t) < WIDTH - 10 else t
        for t in (_spell_degree(problem, degree) for degree in problem.degrees)
    )
    lines = write_paragraph(
        f"{_spell_spaces(problem)}, output {problem.letter} in "
        f"R^{problem.output.dim} (as {problem.output.text}). The most general polynomial of "
        f"{'degree' if len(problem.degrees) == 1 else 'degrees'} "
        f"{', '.join(glue(problem.spell_degree(d)) for d in problem.degrees)} has one unknown "
        "coefficient, a slot, per output k and monomial:"
    )
    lines += ["", *write_paragraph(f"{problem.letter}_k = {terms}", "  ", "    "), ""]
    rows = [_count_monomials(solution, degree) for degree in problem.degrees]
    head = ("degree", "monomials", f"slots (x {problem.output.dim})")
    lines += write_table(head, rows)
    if max(max(degree) for degree in problem.degrees) > 1:
        lines += ["", *write_paragraph("Inputs commute, so x_i x_j = x_j x_i is counted once.")]
    return lines


def _spell_spaces(problem: LayerProblem) -> str:
    """Write the inputs with their spaces: ``Input x in R^3 (as V)``."""
    named = problem.inputs if len(problem.inputs) > 1 else (replace(problem.inputs[0], name="x"),)
    spelled = [f"{i.name} in R^{i.action.dim} (as {i.action.text})" for i in named]
    return f"Input{'s' if len(named) > 1 else ''} {', '.join(spelled)}"


def _count_monomials(solution: LayerSolution, degree: Degree) -> tuple[str, str, str]:
    """Count the monomials and slots of a degree: ``C(4, 2) = 6``."""
    problem, ansatz = solution.problem, solution.tying(degree).ansatz
    pairs = zip(problem.inputs, degree, strict=True)
    binomials = [f"C({given.action.dim + d - 1}, {d})" for given, d in pairs if d]
    count = f"{' '.join(binomials)} = {ansatz.space.size}" if binomials else "1"
    return problem.spell_degree(degree), count, str(ansatz.slots)


def _spell_degree(problem: LayerProblem, degree: Degree) -> str:
    """Write the terms of one degree: ``sum_{i<=j} w[k; i, j] x_i x_j``."""
    if not sum(degree):
        return "w[k]"
    if sum(degree) > len(TERM_INDICES):
        return f"(terms of degree {problem.spell_degree(degree)})"
    free, unders, slots, factors = TERM_INDICES, list[str](), list[str](), list[str]()
    several = len(problem.inputs) > 1
    for given, d in zip(problem.inputs, degree, strict=True):
        letters, free = free[:d], free[d:]
        name = given.name if several else "x"
        unders += ["<=".join(letters)] if d else []
        slots += [f"{name}.{i}" if several else i for i in letters]
        factors += [f"{name}_{i}" for i in letters]
    under = ", ".join(unders)
    sub = f"sum_{under}" if sum(degree) == 1 else f"sum_{{{under}}}"
    return f"{sub} w[k; {', '.join(slots)}] {' '.join(factors)}"


def explain_action(solution: LayerSolution) -> list[str]:
    """Write each generator: signed permutations in cycle notation, the others as matrices."""
    problem = solution.problem
    if not has_signed(problem):
        return explain_linear_action(problem)
    actions = [*(given.action for given in problem.inputs), problem.output]
    signed = not all(g.is_unsigned for action in actions for g in action.images)
    lines = write_paragraph(
        f"{_name_acting(problem)} by {spell_count(len(problem.labels), 'generator')}. "
        "A cycle (0 1 2) sends e_0 to e_1, e_1 to e_2 and e_2 to e_0, so "
        + glue("(g x)_{g i} = x_i")
        + ("; -1 in a cycle means that e_1 arrives negated." if signed else ".")
    )
    rows = [
        (
            cut_text(label, 24),
            *(cut_text(spell_cycles(action.images[i]), 66 // len(actions)) for action in actions),
        )
        for i, label in enumerate(problem.labels)
    ]
    named = [given.name for given in problem.inputs] if len(problem.inputs) > 1 else ["inputs"]
    head = ("generator", *named, "outputs")
    lines += ["", *write_table(head, rows, left=len(head))]
    linear = explain_linear_action(problem)
    return [*lines, "", *linear] if linear else lines


def has_signed(problem: LayerProblem) -> bool:
    """Say whether signed permutations are among the generators, or all there is."""
    return not problem.linear or problem.labels != ("identity",)


def _name_acting(problem: LayerProblem) -> str:
    if problem.group.fibration is not None:
        return "The automorphisms of the graph are given"
    return f"{problem.group.name} is given"


def explain_constraints(solution: LayerSolution) -> list[str]:
    """Compare coefficients, generator by generator, with the first equalities of each."""
    problem = solution.problem
    equations = explain_equations(solution)
    if not has_signed(problem):
        return equations
    constraints = {d: constrain(solution.tying(d).ansatz) for d in problem.degrees}
    signed = any(c.is_signed for c in constraints.values())
    rule = "w[g k; g a] = s w[k; a]" if signed else "w[g k; g a] = w[k; a]"
    where = (
        "where s is the sign with which g moves output k times that of monomial a, "
        if signed
        else ""
    )
    lines = write_paragraph(
        "Equivariance is f(g x) = g f(x). Comparing the coefficient of every monomial a in every "
        "output on both sides, a generator g demands"
    )
    lines += ["", f"  {rule}", ""]
    lines += write_paragraph(f"{where}and it is enough to ask it of the generators:")
    for degree in problem.degrees:
        lines += ["", f"degree {problem.spell_degree(degree)}"]
        for move in constraints[degree].moves:
            lines += _spell_move(solution.tying(degree), move)
    return [*lines, "", *equations] if equations else lines


def _spell_move(tying: Tying, move: SlotMove) -> list[str]:
    ansatz = tying.ansatz
    total = count_equalities(move)
    cause = cut_text(move.cause, 24)
    if not total:
        return write_paragraph(f"{cause} fixes every slot and demands nothing", "  ")
    words = []
    for equality in islice(list_equalities(move), SHOWN_EQUALITIES + 1):
        left, right = (ansatz.spell_slot(*slot) for slot in (equality.left, equality.right))
        words.append(glue(f"{left} = {'' if equality.sign > 0 else '-'}{right}"))
    more = ", ..." if len(words) > SHOWN_EQUALITIES else ""
    listed = ", ".join(words[:SHOWN_EQUALITIES]) + more
    unsigned = move.outputs.is_unsigned and move.monomials.is_unsigned
    does = "moves" if unsigned else "moves or negates"
    counted = f"{does} {total} of {spell_count(ansatz.slots, 'slot')}"
    return write_paragraph(f"{cause} {counted}:", "  ") + write_paragraph(listed, "    ")


def count_equalities(move: SlotMove) -> int:
    """Count the slots a generator moves or negates."""
    fixed = []
    for g in (move.outputs, move.monomials):
        still = g.perm == np.arange(g.n)
        fixed.append((int((still & (g.signs > 0)).sum()), int((still & (g.signs < 0)).sum())))
    (plus, minus), (more, less) = fixed
    return move.outputs.n * move.monomials.n - plus * more - minus * less


def list_equalities(move: SlotMove) -> Iterator[Equality]:
    """Walk the equalities of one generator, leaving out those already said the other way round."""
    images, signs = move.monomials.perm, move.monomials.signs
    seen: set[tuple[tuple[int, int], tuple[int, int], int]] = set()
    for k in range(move.outputs.n):
        h, turn = int(move.outputs.perm[k]), int(move.outputs.signs[k])
        says = (images != np.arange(len(images))) | (signs * turn < 0) | (h != k)
        for a in np.flatnonzero(says).tolist():
            left, sign = (h, int(images[a])), int(signs[a]) * turn
            if (left, (k, a), sign) not in seen:
                seen.add(((k, a), left, sign))
                yield Equality(left, (k, a), sign, move.cause)


def explain_solution(solution: LayerSolution) -> list[str]:
    """Name the classes of every degree as polynomials, and degree 1 as a matrix."""
    lines = write_paragraph(_explain_solving(solution.problem))
    for degree in solution.problem.degrees:
        tying = merge_equal(solution.tying(degree))
        counts = [
            spell_count(tying.classes, "class"),
            *([spell_count(tying.zeros, "zero")] if tying.zeros else []),
        ]
        lines += [
            "",
            f"degree {solution.problem.spell_degree(degree)}: "
            f"{spell_count(tying.ansatz.slots, 'slot')}, {', '.join(counts)}",
        ]
        if not tying.coefficients:
            lines.append("  nothing of this degree is equivariant")
            continue
        if sum(degree) == 1:
            lines += ["", *explain_matrix(tying)]
        lines += spell_classes(tying)
        lines += explain_dependence(tying)
    return lines


def _explain_solving(problem: LayerProblem) -> str:
    """Say how the constraints were solved."""
    if problem.group.fibration is not None:
        return "All slots that are seen alike are one class, one free number."
    points = (
        "Take slots as points and equalities as edges: each connected component is a class, one "
        "free number; a component that meets its own negative is zero."
    )
    if not problem.linear and not problem.relations:
        return points
    rest = (
        "The equations are solved exactly, the kernel of one cause restricted by the next, each "
        "connected component on its own. A letter stands for slots that are equal up to sign in "
        "every solution; a class is a letter that is free."
    )
    return f"{points.replace('class', 'letter')} {rest}" if has_signed(problem) else rest


def spell_classes(tying: Tying) -> list[str]:
    """Write the polynomial of each orbit of outputs, one class per line."""
    lines: list[str] = []
    joined = join_classes(tying, describe_classes(tying, SHOWN_CLASSES))
    for orbit in joined:
        lines += ["", *_spell_orbit(orbit)]
        if any("{k" in formula for _, formula in orbit.terms):
            lines.append(f"  with indices modulo {tying.ansatz.output.dim}")
    named = {name for orbit in joined for name, _ in orbit.terms}
    rest = tying.coefficients - len(named) - sum(orbit.more for orbit in joined)
    if rest > 0:
        other = (
            f"and {spell_count(rest, 'class')} of other outputs (`eqcompile inspect` draws them)"
        )
        lines += ["", *write_paragraph(other, "  ")]
    return lines


def _spell_orbit(orbit: OrbitWords) -> list[str]:
    head, _, where = orbit.head.partition(", ")
    lead, gap = f"  {head} = ", " " * (len(head) + 3) + "+ "
    lines: list[str] = [] if orbit.terms else [f"{lead}0"]
    for name, formula in orbit.terms:
        term = _spell_term(name, formula)
        indent = gap if lines else lead
        wrapped = write_paragraph(term, " " * len(indent), "    ")
        lines += [indent + wrapped[0].lstrip(), *wrapped[1:]]
    if orbit.more:
        lines.append(f"{gap}... ({orbit.more} more; `eqcompile inspect` draws them)")
    if where:
        lines.append(f"  for {where}")
    if orbit.images:
        letter, _, _ = orbit.head.partition("_")
        named = ", ".join(f"{letter}_{k}" for k in orbit.images)
        others = named if len(orbit.images) <= 6 else f"the {len(orbit.images)} others of its orbit"
        lines.append(f"  and the group carries this to {others}")
    return lines


def _spell_term(name: str, formula: str) -> str:
    """Write a coefficient times a formula, a bare sum in parentheses."""
    if formula == "1":
        return name
    is_sum = " + " in formula or " - " in formula or formula.startswith("-")
    return f"{name} * ({formula})" if is_sum and " * " not in formula else f"{name} * {formula}"
