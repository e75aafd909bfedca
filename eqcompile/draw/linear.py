"""The derivation of what mixes slots: matrix and Lie generators, and the constraints of a spec."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, islice

from eqcompile.draw.picture import note_dependence
from eqcompile.draw.sections import WIDTH, cut_text, glue, write_paragraph, write_table
from eqcompile.draw.spelling import spell_count
from eqcompile.exact.matrices import Matrix
from eqcompile.layers.problem import LayerProblem
from eqcompile.solve.ansatz import Ansatz, Rows
from eqcompile.solve.constraints import constrain
from eqcompile.solve.layer import LayerSolution
from eqcompile.solve.tying import Tying

SHOWN_ENTRIES = 6
SHOWN_EQUATIONS = 3
SHOWN_TERMS = 4
READ_SLOTS = 2**14
"""Equations of blocks with more slots are counted in words only."""


def explain_linear_action(problem: LayerProblem) -> list[str]:
    """List the generators that are no signed permutations, with their matrices."""
    if not problem.linear:
        return []
    lie = [g for g in problem.linear if g.infinitesimal]
    discrete = [g for g in problem.linear if not g.infinitesimal]
    counts = [
        *([f"{len(discrete)} matri{'x' if len(discrete) == 1 else 'ces'}"] if discrete else []),
        *([spell_count(len(lie), "element") + " of its Lie algebra"] if lie else []),
    ]
    units = any(a.squares for a in (*(i.action for i in problem.inputs), problem.output))
    note = (
        " They are written in coordinates x' with x_i = sqrt(s_i) x'_i, where they are rational."
        if units
        else ""
    )
    lines = write_paragraph(
        f"{problem.group.name} is given by {' and '.join(counts)}, shown as entries "
        f"(row, column): value.{note}"
    )
    named = [given.name for given in problem.inputs] if len(problem.inputs) > 1 else ["input"]
    rows = []
    for generator in problem.linear:
        for place, matrix in zip(
            [*named, "output"], (*generator.inputs, generator.output), strict=True
        ):
            label = cut_text(generator.cause, 20) if place == named[0] else ""
            rows.append((label, place, cut_text(spell_entries(matrix), 66)))
    return [*lines, "", *write_table(("generator", "on", "matrix"), rows, left=3)]


def spell_entries(matrix: Matrix) -> str:
    """Write the first entries of a matrix that are not 0."""
    shown = [f"({i}, {j}): {value}" for i, j, value in islice(matrix.entries(), SHOWN_ENTRIES)]
    more = len(matrix.rows) - len(shown)
    return ", ".join(shown) + (f", ... ({more} more)" if more else "") if shown else "0"


def explain_equations(solution: LayerSolution) -> list[str]:
    """Write the linear equations that generators and constraints demand, the first of each."""
    problem = solution.problem
    if not problem.linear and not problem.relations:
        return []
    lines: list[str] = []
    if any(not g.infinitesimal for g in problem.linear):
        lines += write_paragraph(
            "A generator that mixes coordinates mixes slots. With (g x)^b = sum_a P[b, a] x^a and "
            "its matrix U on the outputs it demands"
        )
        lines += ["", "  sum_b w[k; b] P[b, a] = sum_l U[k, l] w[l; a]", ""]
    if any(g.infinitesimal for g in problem.linear):
        lines += write_paragraph(
            "An element X of the Lie algebra, acting on the outputs as Y, demands Df(x)(X x) = "
            "Y f(x): with D the derivation that X makes on the monomials,"
        )
        lines += ["", "  sum_b w[k; b] D[b, a] = sum_l Y[k, l] w[l; a]", ""]
    for number, degree in enumerate(problem.degrees):
        tying = solution.tying(degree)
        lines += [*([""] if number or not lines else []), f"degree {problem.spell_degree(degree)}"]
        for rows in constrain(tying.ansatz).rows():
            lines += _spell_rows(tying, rows)
    return lines


def _spell_rows(tying: Tying, rows: Rows) -> list[str]:
    """Write the first equations of one generator or constraint."""
    count = len(set(rows.matrix.rows.tolist()))
    said = " (follows from the others)" if rows.cause in tying.redundant else ""
    lines = write_paragraph(f"{rows.cause}: {spell_count(count, 'equation')}{said}", "  ")
    if tying.ansatz.slots > READ_SLOTS:
        return lines
    shown = list(islice(spell_equations(tying.ansatz, rows), SHOWN_EQUATIONS))
    more = ", ..." if count > len(shown) else ""
    # Long equations are wrapped like any text, short ones stay on one line.
    listed = ", ".join(glue(text) if len(text) < WIDTH - 12 else text for text in shown)
    return lines + (write_paragraph(listed + more, "    ", "  ") if shown else [])


def spell_equations(ansatz: Ansatz, rows: Rows) -> Iterator[str]:
    """Walk the equations of one cause: ``w[0; 1] - 2*w[1; 0] = 0``."""
    right = {i: value for i, _, value in rows.right.entries()} if rows.right else {}
    for number, entries in groupby(rows.matrix.entries(), key=lambda entry: entry[0]):
        listed = list(entries)
        terms = ""
        for _, slot, value in listed[:SHOWN_TERMS]:
            name = ansatz.spell_slot(*divmod(slot, ansatz.space.size))
            text = str(value)
            factor = {"1": "", "-1": "-"}.get(text, f"({text})*" if " " in text else f"{text}*")
            sign = " - " if factor.startswith("-") else " + "
            terms += f"{sign}{factor.removeprefix('-')}{name}" if terms else f"{factor}{name}"
        dots = " + ..." if len(listed) > SHOWN_TERMS else ""
        yield f"{terms}{dots} = {right.get(number, 0)}"


def explain_dependence(tying: Tying) -> list[str]:
    """Say how the letters of a merged tying depend on each other."""
    if tying.basis is None:
        return []
    free, *formulas = note_dependence(tying)
    return [
        "",
        *write_paragraph(
            f"The letters are not free one by one; {free}, and the others follow from them:", "  "
        ),
        *(line for formula in formulas for line in write_paragraph(formula, "    ", "  ")),
    ]
