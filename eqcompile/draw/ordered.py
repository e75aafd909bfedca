"""What storing ``x_i x_j`` and ``x_j x_i`` apart would show: tied sums and gauge differences.

With one weight ``W[k, i, j]`` per ordered tuple, only the sum over the orderings of a monomial
reaches the output. Equivariance then ties sums, additively, and leaves the differences free; they
do nothing. With one weight per monomial, as here, only equalities remain.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from math import prod

from eqcompile.draw.sections import glue, write_paragraph, write_table
from eqcompile.layers.problem import Degree
from eqcompile.solve.constraints import SlotMove, constrain
from eqcompile.solve.layer import LayerSolution
from eqcompile.solve.tying import Tying

SEARCHED_MONOMIALS = 20_000
SEARCHED_OUTPUTS = 12
SHOWN_DEGREE = 6
TABLE_SLOTS = 2**18
"""In larger layers the relation shown may be between zeros."""


def explain_ordered(solution: LayerSolution) -> list[str]:
    """Count what ordered storage would hold, and show one of its additive relations.

    Returns:
        Lines; empty where the layer has no degree above 1.

    Source: the relation ``W^h_hk + W^h_kh = W^k_hk + W^k_kh`` of quadratic symmetric layers.
    """
    degrees = [d for d in solution.problem.degrees if max(d) >= 2]
    if not degrees:
        return []
    rows = [_count_row(solution, d) for d in degrees]
    head = ("degree", "weights", "classes", "gauge", "relations", "ordered classes")
    lines = write_paragraph(
        "A layer is often stored with one weight W[k; i, j] per ordered tuple. Because "
        "x_i x_j = x_j x_i only the sum over the orderings of a monomial acts, so equivariance "
        "ties sums, and the differences are gauge: free numbers that do nothing."
    )
    lines += ["", *write_table(head, rows), ""]
    lines += write_paragraph(
        "weights = n_out n_in^d = classes + gauge + relations, with gauge = weights - slots and "
        "relations the number of independent additive equations. Tying ordered weights one by one "
        "instead leaves the ordered classes: enough for equivariance, often more than the "
        "functions need."
    )
    for degree in degrees:
        shown = show_relation(solution.tying(degree))
        if shown:
            return [*lines, "", *shown]
    return lines


def _count_row(solution: LayerSolution, degree: Degree) -> tuple[str, ...]:
    problem, tying = solution.problem, solution.tying(degree)
    slots = tying.ansatz.slots
    pairs = zip(problem.inputs, degree, strict=True)
    weights = problem.output.dim * prod(given.action.dim**d for given, d in pairs)
    ordered = solution.ordered_classes(degree)
    counts = (weights, tying.classes, weights - slots, slots - tying.classes)
    spelled = "not counted" if ordered is None else str(ordered)
    return (problem.spell_degree(degree), *map(str, counts), spelled)


def show_relation(tying: Tying) -> list[str]:
    """Show one additive relation of this layer, and the difference that stays free.

    Only of monomials in one factor: the indices of several inputs are never exchanged.
    """
    found = find_relation(tying) if len(tying.ansatz.shape) == 1 else None
    if found is None:
        return []
    cause, (k, a), (h, b), sign = found
    left, right = (
        _spell_orderings(out, tying.ansatz.space.tuples(m)[0]) for out, m in ((h, b), (k, a))
    )
    minus = "" if sign > 0 else "-"
    sum_right = " + ".join(right) if sign > 0 else f"({' + '.join(right)})"
    lines = write_paragraph(f"For instance {cause} gives")
    lines += ["", *write_paragraph(f"{' + '.join(left)} = {minus}{sum_right}", "  ", "  "), ""]
    textbook = ""
    if sign > 0 and a == b and sorted(tying.ansatz.space.tuples(a)[0]) == sorted((k, h)):
        textbook = f"the relation W^h_hk + W^h_kh = W^k_hk + W^k_kh for h = {k} and k = {h}: "
    equality, difference = glue(_spell_equality(tying, found)), glue(" - ".join(right[:2]))
    return lines + write_paragraph(
        f"({textbook}here the one equality {equality}), while {difference} multiplies zero and "
        "stays free."
    )


Relation = tuple[str, tuple[int, int], tuple[int, int], int]


def find_relation(tying: Tying) -> Relation | None:
    """Find an equality between slots of mixed monomials, the textbook one if there is one.

    Returns:
        Its cause, the slot it starts from, the slot it leads to, and the sign; or None.
    """
    if tying.ansatz.space.size > SEARCHED_MONOMIALS or tying.ansatz.degree > SHOWN_DEGREE:
        return None
    every = [r for move in constrain(tying.ansatz).moves for r in _list_relations(tying, move)]
    signs = tying.table()[1] if tying.ansatz.slots <= TABLE_SLOTS else None
    alive = [r for r in every if signs is None or signs[r[1]]]
    for relation in alive:
        _, (k, a), (h, b), _ = relation
        if a == b and sorted(tying.ansatz.space.tuples(a)[0]) == sorted((k, h)):
            return relation
    return next(iter(alive or every), None)


def _list_relations(tying: Tying, move: SlotMove) -> Iterator[Relation]:
    columns = tying.ansatz.space.columns()
    mixed = (columns[:, :1] != columns).any(axis=1)
    for k in range(min(move.outputs.n, SEARCHED_OUTPUTS)):
        h = int(move.outputs.perm[k])
        for a in mixed.nonzero()[0][:SEARCHED_OUTPUTS].tolist():
            b = int(move.monomials.perm[a])
            if (h, b) != (k, a):
                sign = int(move.outputs.signs[k] * move.monomials.signs[a])
                yield move.cause, (k, a), (h, b), sign


def _spell_orderings(output: int, monomial: tuple[int, ...]) -> list[str]:
    orders = list(dict.fromkeys(permutations(monomial)))
    shown = [f"W[{output}; {', '.join(map(str, o))}]" for o in orders[:6]]
    return shown if len(orders) <= 6 else [*shown, f"... ({len(orders)} orderings)"]


def _spell_equality(tying: Tying, relation: Relation) -> str:
    _, right, left, sign = relation
    slots = [tying.ansatz.spell_slot(*slot) for slot in (left, right)]
    return f"{slots[0]} = {'' if sign > 0 else '-'}{slots[1]}"
