"""Layers over a fibration in words: the fibres, what ties two slots, and each class as a sum.

``F0, F1, ...`` are the fibres. Seen from an output k, ``N0`` are the vertices of F0 that k receives
from, and ``R0`` the others of F0, without k. In a fibre where some vertices have a loop and others
have none, k is not told from the others: it is in N0 if it has a loop, else in R0.
"""

from __future__ import annotations

from itertools import groupby

from eqcompile.actions.fibrations import Fibration
from eqcompile.draw.sections import glue, write_paragraph, write_table
from eqcompile.draw.spelling import INDICES, spell_count, spell_members
from eqcompile.solve.ansatz import Ansatz
from eqcompile.solve.layer import LayerSolution
from eqcompile.solve.tying import Tying

SHOWN_FIBRES = 24

Powers = tuple[int, ...]
Vertex = tuple[str, Powers]
"""Where a vertex of a monomial lies, and its power in each factor."""


def spell_class(ansatz: Ansatz, output: int, rank: int) -> tuple[str, str]:
    """Write what a slot is tied with: for which outputs, and the sum over all such monomials.

    Returns:
        Such as ``y_k, k in F0`` and ``x_k * sum of x_i over i in N0``.
    """
    fibration = ansatz.fibration
    assert fibration is not None
    own = ansatz.output.dim == fibration.n
    head = f"{ansatz.letter}_k, k in F{fibration.fibres[output]}" if own else f"{ansatz.letter}_0"
    vertices, constant = _list_vertices(ansatz, output, rank)
    alone = [(cell, powers) for cell, powers in vertices if cell == "k"]
    others = sorted(vertex for vertex in vertices if vertex[0] != "k")
    letters = INDICES if len(others) <= len(INDICES) else [f"i{j}" for j in range(len(others))]
    named = list(zip(letters, others, strict=False))
    fixed = " ".join([*constant, *(_spell_power(ansatz, "k", powers) for _, powers in alone)])
    if not named:
        return head, fixed or "1"
    summand = " ".join(_spell_power(ansatz, letter, powers) for letter, (_, powers) in named)
    cells = groupby(named, key=lambda pair: pair[1][0])
    ranges = ", ".join(_spell_range(cell, list(group)) for cell, group in cells)
    return head, f"{fixed}{' * ' if fixed else ''}sum of {summand} over {ranges}"


def _list_vertices(ansatz: Ansatz, output: int, rank: int) -> tuple[list[Vertex], list[str]]:
    """List the vertices of a monomial, and what stems from inputs that are one number."""
    fibration = ansatz.fibration
    assert fibration is not None
    powers: dict[int, list[int]] = {}
    constant = []
    for f, part in enumerate(ansatz.space.tuples(rank)):
        if ansatz.inputs[f].dim != fibration.n:
            constant.append(_raise(ansatz.names[f] or "x", len(part)))
            continue
        for i in part:
            powers.setdefault(i, [0] * len(ansatz.shape))[f] += 1
    own = ansatz.output.dim == fibration.n
    found = [(find_cell(fibration, output if own else None, i), tuple(powers[i])) for i in powers]
    return found, constant


def find_cell(fibration: Fibration, output: int | None, vertex: int) -> str:
    """Name what an output sees a vertex in: ``k``, ``N0``, ``R0``; ``F0`` where it is no vertex."""
    fibre = fibration.fibres[vertex]
    if output is None:
        return f"F{fibre}"
    if vertex == output and fibre not in fibration.mixed:
        return "k"
    return f"{'N' if (vertex, output) in fibration.arrows else 'R'}{fibre}"


def _spell_power(ansatz: Ansatz, letter: str, powers: Powers) -> str:
    pairs = zip(ansatz.names, powers, strict=True)
    return " ".join(_raise(f"{name or 'x'}_{letter}", p) for name, p in pairs if p)


def _raise(word: str, power: int) -> str:
    return word if power == 1 else f"{word}^{power}"


def _spell_range(cell: str, named: list[tuple[str, Vertex]]) -> str:
    """Write what the indices in one cell run over: ``i < j in N0``, ``different i, j in N0``."""
    alike = [[letter for letter, _ in group] for _, group in groupby(named, lambda v: v[1][1])]
    if len(alike) == 1:
        return f"{' < '.join(alike[0])} in {cell}"
    letters = ", ".join(letter for group in alike for letter in group)
    ordered = [" < ".join(group) for group in alike if len(group) > 1]
    return f"different {letters} in {cell}" + "".join(f" with {word}" for word in ordered)


def explain_fibration(solution: LayerSolution) -> list[str]:
    """Say what the fibres are, what ties two slots, and what that promises and does not."""
    fibration = solution.problem.group.fibration
    assert fibration is not None
    arrow = "arrow" if fibration.is_directed else "edge"
    loops = sum(a == b for a, b in fibration.arrows)
    edges = len(fibration.arrows)
    edges = edges if fibration.is_directed else (edges - loops) // 2 + loops
    lines = write_paragraph(
        f"The graph has {spell_count(edges, arrow)} on {fibration.n} vertices. In a balanced "
        "colouring, any two vertices of one colour receive equally many arrows from every colour "
        f"(an edge without a direction counts both ways). The coarsest one has "
        f"{spell_count(fibration.count, 'colour')}; the sets of one colour are the fibres:"
    )
    lines += [
        "",
        *write_table(("fibre", "vertices", "each receives from"), _list_fibres(fibration), left=3),
    ]
    if fibration.count > SHOWN_FIBRES:
        lines.append(f"... ({fibration.count - SHOWN_FIBRES} more)")
    lines += [
        "",
        *write_paragraph(
            "Two slots share one coefficient if messages along the edges cannot tell them apart: "
            "if their outputs k lie in one fibre, and their monomials have the same vertices, each "
            "known by its fibre, by whether it is k, by whether k receives from it, and by its "
            "power. Edges between two vertices of a monomial are not seen. Below, Np are the "
            "vertices of the fibre Fp that k receives from, and Rp the others of Fp, without k."
        ),
    ]
    if fibration.mixed:
        lines += write_paragraph(
            f"In {', '.join(f'F{q}' for q in sorted(fibration.mixed))} some vertices have a loop "
            "and others have none, so that k itself is not told from the others there: it is in "
            "Np if it has a loop, else in Rp."
        )
    lines += ["", *write_paragraph(PROMISE), "", *write_paragraph(NO_PROMISE)]
    return lines


PROMISE = (
    "This promises, whatever the parameters: inputs that are constant on fibres are mapped to "
    "outputs that are constant on fibres, " + glue("f(P x) = P g(x)") + " for the lift P of values "
    "of fibres to vertices; in degree 1, " + glue("A P = P B") + ". The layer is equivariant under "
    "the automorphisms of the graph too, since they keep fibres and edges, and so the ties."
)
NO_PROMISE = (
    "It does not promise that every polynomial with these two properties is reached: ties that "
    "see edges among inputs, as the automorphisms do (triangles), would leave more classes."
)


def _list_fibres(fibration: Fibration) -> list[tuple[str, str, str]]:
    rows = []
    base = fibration.collapse()
    for q, members in enumerate(fibration.members[:SHOWN_FIBRES]):
        received = [f"{count} in F{p}" for p, count in enumerate(base[q]) if count]
        shown = ", ".join(received[:6]) + (", ..." if len(received) > 6 else "")
        rows.append((f"F{q}", spell_members(members), shown or "none"))
    return rows


def explain_difference(tying: Tying, first: tuple[int, int], last: tuple[int, int]) -> str:
    """Say why two slots share a coefficient, or what tells them apart."""
    ansatz = tying.ansatz
    names = [ansatz.spell_slot(*slot) for slot in (first, last)]
    words = [": ".join(spell_class(ansatz, *slot)) for slot in (first, last)]
    if words[0] == words[1]:
        return f"{names[1]} = {names[0]}\n  both are a slot of {words[0]}"
    lines = [f"  {name} is a slot of {word}" for name, word in zip(names, words, strict=True)]
    return "\n".join([f"{names[0]} and {names[1]} are not tied: they are seen unlike", *lines])
