"""Layers over a fibration in words: true at every output, told apart, and with what is promised."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

import eqcompile
from eqcompile.draw.fibres import find_cell, spell_class
from eqcompile.draw.graph import draw_dot
from eqcompile.draw.text import draw_text
from eqcompile.solve.tying import Tying
from eqcompile.views import explain, explain_why
from tests.solve.test_fibration import LOOPED, RINGS, solve_graph


def read_words(tying: Tying) -> list[str]:
    return [": ".join(spell_class(tying.ansatz, k, a)) for k, a in tying.representatives.tolist()]


def list_members(tying: Tying, words: str) -> list[list[int]]:
    """List the slots that the words of a class sum over, from the words alone."""
    fibration, ansatz = tying.ansatz.fibration, tying.ansatz
    assert fibration is not None
    head, _, text = words.partition(": ")
    product, _, ranges = text.partition(" over ")
    found = re.search(r" in F(\d+)", head)
    outputs = fibration.members[int(found[1])] if found else (0,)
    cells: dict[str, str] = {}
    for letters, cell in re.findall(r"(?:different )?([a-z](?:(?: <|,) [a-z])*) in (\w+)", ranges):
        cells |= dict.fromkeys(re.findall("[a-z]", letters), cell)
    ordered = [tuple(p) for p in re.findall(r"([a-z]) < (?=([a-z]))", ranges)]
    factors = re.findall(r"([a-z]\w*?)_([a-z])(?:\^(\d+))?", product)
    slots = []
    for k in outputs:
        for values in assign(sorted(cells), fibration.n):
            value = {**values, "k": k}
            own = None if not found else k
            if any(find_cell(fibration, own, value[i]) != cells[i] for i in cells):
                continue
            if len(set(values.values())) < len(values):
                continue
            if any(value[i] > value[j] for i, j in ordered):
                continue
            parts: list[list[int]] = [[] for _ in ansatz.shape]
            for name, index, power in factors:
                at = [n or "x" for n in ansatz.names].index(name)
                parts[at] += [value[index]] * int(power or 1)
            slots.append([k, ansatz.space.rank(parts)])
    return sorted(slots)


def assign(letters: Sequence[str], n: int) -> list[dict[str, int]]:
    found: list[dict[str, int]] = [{}]
    for letter in letters:
        found = [{**one, letter: v} for one in found for v in range(n)]
    return found


CASES: tuple[tuple[nx.Graph[int], tuple[int, ...], str], ...] = (
    (RINGS, (), "V"),
    (RINGS, (1,), "V"),
    (RINGS, (2,), "V"),
    (RINGS, (1, 1), "V"),
    (RINGS, (2, 1), "1"),
    (nx.path_graph(5), (3,), "V"),
    (nx.path_graph(5), (2,), "1"),
    (nx.empty_graph(4), (4,), "V"),
    (LOOPED, (2,), "V"),
    (nx.DiGraph([(0, 1), (1, 0), (0, 2), (2, 3)]), (2,), "V"),
)


@pytest.mark.parametrize(("graph", "shape", "output"), CASES)
def test_words_say_which_slots_a_class_has(
    graph: nx.Graph[int], shape: tuple[int, ...], output: str
) -> None:
    tying = solve_graph(graph, *shape, output=output)
    labels, _ = tying.table()
    words = read_words(tying)
    assert len(set(words)) == tying.classes
    for c, text in enumerate(words):
        assert list_members(tying, text) == np.argwhere(labels == c).tolist()


def test_the_words_of_two_rings() -> None:
    assert read_words(solve_graph(RINGS, 2)) == [
        "y_k, k in F0: x_k^2",
        "y_k, k in F0: x_k * sum of x_i over i in N0",
        "y_k, k in F0: x_k * sum of x_i over i in R0",
        "y_k, k in F0: sum of x_i^2 over i in N0",
        "y_k, k in F0: sum of x_i x_j over i < j in N0",
        "y_k, k in F0: sum of x_i x_j over i in N0, j in R0",
        "y_k, k in F0: sum of x_i^2 over i in R0",
        "y_k, k in F0: sum of x_i x_j over i < j in R0",
    ]
    assert read_words(solve_graph(nx.path_graph(2), 2, 1, inputs="1V", output="1")) == [
        "y_0: x0^2 * sum of x1_i over i in F0"
    ]


def test_a_drawing_lists_each_class_once() -> None:
    drawn = draw_text(solve_graph(RINGS, 1))
    assert [line.split()[0] for line in drawn.split("formula\n")[1].splitlines()] == [*"abc"]
    assert draw_dot(solve_graph(RINGS, 1)).count('style=dotted, color="#999999"') == 49 - 3


def make_spec(graph: nx.Graph[int], **layer: object) -> dict[str, object]:
    edges = [[int(a), int(b)] for a, b in graph.edges]
    group = {"graph": {"edges": edges, "symmetry": "fibration"}}
    entry = {"name": "Layer", "group": group, "input": "V", "output": "V", "degree": 1, **layer}
    return {"version": 1, "package": "fibres", "layers": [entry]}


def test_the_derivation_says_what_is_promised() -> None:
    words = " ".join(explain(make_spec(nx.path_graph(3))).split())
    assert "F0 {0, 2} 1 in F1 F1 {1} 2 in F0" in words
    assert "inputs that are constant on fibres are mapped to outputs that are constant" in words
    assert "It does not promise that every polynomial with these two properties" in words
    assert "found the coarsest balanced colouring again by naming vertices in rounds" in words
    assert "every equivariant polynomial map" not in words
    assert "F0 some vertices have a loop" in " ".join(explain(make_spec(LOOPED)).split())


def test_why_two_slots_are_tied(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_text(str(make_spec(RINGS)).replace("'", '"'))
    assert explain_why(path, ("w[0; 1]", "w[3; 4]")) == (
        "w[3; 4] = w[0; 1]\n  both are a slot of y_k, k in F0: sum of x_i over i in N0"
    )
    assert explain_why(path, ("w[0; 1]", "w[0; 0]")) == (
        "w[0; 1] and w[0; 0] are not tied: they are seen unlike\n"
        "  w[0; 1] is a slot of y_k, k in F0: sum of x_i over i in N0\n"
        "  w[0; 0] is a slot of y_k, k in F0: x_k"
    )
    assert eqcompile.solve(path)["Layer"]
