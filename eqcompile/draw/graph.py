"""The constraint graph in DOT: slots as nodes, an edge per equality that a generator imposes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from eqcompile.draw.dependence import merge_equal
from eqcompile.draw.palette import list_colours
from eqcompile.draw.spelling import spell_count
from eqcompile.draw.words import name_class
from eqcompile.errors import Refusal
from eqcompile.solve.constraints import constrain
from eqcompile.solve.tying import Tying

DOT_SLOTS = 600
"""A graph of more slots shows nobody anything."""

STYLES = ("solid", "dashed", "dotted", "bold")


def draw_dot(tying: Tying, *, name: str = "slots") -> str:
    """Draw the slots of a tying as a graph; each connected component is a class or zero.

    Args:
        tying: The classes.
        name: Name of the graph.

    Raises:
        Refusal: More than ``DOT_SLOTS`` slots.
    """
    ansatz, tying = tying.ansatz, merge_equal(tying)
    if ansatz.slots > DOT_SLOTS:
        raise Refusal(
            "too-large",
            f"a graph of {spell_count(ansatz.slots, 'slot')} is more than the {DOT_SLOTS} that fit",
            "use the format text, svg or json, or a smaller layer",
        )
    lines = [f"graph {quote(name)} {{", "  node [shape=box, style=filled, fontsize=10];"]
    lines += _list_nodes(tying)
    colours = list_colours(len(ansatz.causes))
    for number, cause in enumerate(ansatz.causes):
        style = f'style={STYLES[number % len(STYLES)]}, color="{_darken(colours[number])}"'
        lines.append(f"  // generator {number}: {cause}".replace("\n", " "))
        lines += [
            f"  s{left} -- s{right} [{style}, label={quote(cause + (' -' if sign < 0 else ''))}];"
            for left, right, sign in _list_edges(tying, number)
        ]
    if ansatz.fibration is not None:
        lines += ["  // slots that message passing sees alike", *_list_alike(tying)]
    return "\n".join([*lines, "}"]) + "\n"


def _list_alike(tying: Tying) -> list[str]:
    """Join each slot with the next one of its coefficient, whatever generators join."""
    labels = tying.table()[0].ravel()
    chains = (np.flatnonzero(labels == c).tolist() for c in range(tying.coefficients))
    style = 'style=dotted, color="#999999"'
    return [f"  s{a} -- s{b} [{style}];" for chain in chains for a, b in pairwise(chain)]


def _list_nodes(tying: Tying) -> list[str]:
    ansatz, size = tying.ansatz, tying.ansatz.space.size
    labels, signs = tying.table()
    colours = list_colours(max(1, tying.coefficients))
    lines = []
    for slot, (label, sign) in enumerate(
        zip(labels.ravel().tolist(), signs.ravel().tolist(), strict=True)
    ):
        value = ("-" if sign < 0 else "") + name_class(label) if label >= 0 else "0"
        fill = colours[label] if label >= 0 else "#ffffff"
        text = f"{ansatz.spell_slot(*divmod(slot, size))} = {value}"
        lines.append(f'  s{slot} [label={quote(text)}, fillcolor="{fill}"];')
    return lines


def _list_edges(tying: Tying, number: int) -> list[tuple[int, int, int]]:
    """List the equalities of one generator as slot numbers and a sign, each pair of slots once."""
    move = constrain(tying.ansatz).moves[number].slots()
    edges: dict[tuple[int, int, int], None] = {}
    for source, (target, sign) in enumerate(
        zip(move.perm.tolist(), move.signs.tolist(), strict=True)
    ):
        if source != target or sign < 0:
            edges[(min(source, target), max(source, target), sign)] = None
    return list(edges)


def _darken(colour: str) -> str:
    """Return a colour that shows as a thin line on white."""
    return "#" + "".join(f"{int(colour[i : i + 2], 16) * 6 // 10:02x}" for i in (1, 3, 5))


def quote(text: str) -> str:
    """Write a DOT string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
