"""The diagram on a terminal: golden text, and the same facts as the tying."""

from __future__ import annotations

import json
import re
import time

import pytest

from eqcompile.draw.data import describe_tying, draw_json
from eqcompile.draw.graph import draw_dot
from eqcompile.draw.text import draw_text
from eqcompile.draw.words import name_class
from eqcompile.errors import Refusal
from tests.draw.actions_drawn import ACTIONS, cyclic, symmetric, tie, tie_group

S_3 = """\
degree 2: 18 slots, 4 classes, 0 zeros

y_0        y_1        y_2
  0 1 2      0 1 2      0 1 2
0 a b b    0 c b d    0 c d b
1   c d    1   a b    1   c b
2     c    2     c    2     a

class  slots  formula
a          3  y_k: x_k^2
b          6  y_k: x_k * sum of the others
c          6  y_k: sum of squares of the others
d          3  y_k: product of the others
"""

TWISTED = """\
degree 1: 16 slots, 1 class, 8 zeros

    x_0 x_1 x_2 x_3
y_0   .   a   .  -a
y_1   a   .  -a   .
y_2   .  -a   .   a
y_3  -a   .   a   .

class  slots  formula
a          8  y_0: x_1 - x_3
.          8  zero
"""

B_2 = """\
degree 3: 8 slots, 2 classes, 4 zeros

y_0
  a  x_0^3
  b  x_0 x_1^2
  .  x_0^2 x_1, x_1^3

y_1
  a  x_1^3
  b  x_0^2 x_1
  .  x_0^3, x_0 x_1^2

class  slots  formula
a          2  y_k: x_k^3
b          2  y_k: x_k x_{k+1}^2
.          4  zero
(indices such as k+1 are taken modulo 2)
"""


def test_golden_text() -> None:
    assert draw_text(tie("S_3", 2)) == S_3
    assert draw_text(tie("D_4 twisted", 1)) == TWISTED
    assert draw_text(tie("B_2", 3)) == B_2


@pytest.mark.parametrize("name", ACTIONS)
def test_matrix_letters_are_the_classes(name: str) -> None:
    tying = tie(name, 1)
    labels, signs = tying.table()
    grid = [line.split()[1:] for line in draw_text(tying).splitlines() if re.match(r"y_\d+ ", line)]
    expected = [
        [
            ("-" if s < 0 else "") + name_class(c) if c >= 0 else "."
            for c, s in zip(row, turns, strict=True)
        ]
        for row, turns in zip(labels.tolist(), signs.tolist(), strict=True)
    ]
    assert grid == expected


@pytest.mark.parametrize("degree", range(4))
@pytest.mark.parametrize("name", ACTIONS)
def test_text_keeps_to_the_page(name: str, degree: int) -> None:
    assert max(map(len, draw_text(tie(name, degree)).splitlines())) <= 100


def test_large_layers_are_cut_and_say_so() -> None:
    start = time.process_time()
    text = draw_text(tie_group(symmetric(50), 2))
    huge = draw_text(tie_group(symmetric(100), 3))
    assert time.process_time() - start < 7
    assert "y_0, standing for y_k, k in {0..49}" in text
    assert max(map(len, text.splitlines())) <= 100
    assert "g      15684900  y_k: sum of products of three different others" in huge
    wide = [draw_text(tie_group(symmetric(n), 1)) for n in (50, 60, 70, 1000)]
    assert max(len(line) for text in wide for line in text.splitlines()) <= 100
    assert "1000 columns are too many to draw" in wide[-1]
    assert "171700 monomials per output are too many to draw" in huge


@pytest.mark.parametrize("degree", range(4))
@pytest.mark.parametrize("name", ACTIONS)
def test_json_holds_the_whole_tying(name: str, degree: int) -> None:
    tying = tie(name, degree)
    data = json.loads(draw_json(tying))
    labels, signs = tying.table()
    assert [b["classes"] for b in data["blocks"]] == labels.tolist()
    assert [b["signs"] for b in data["blocks"]] == signs.tolist()
    assert data["class_count"] == tying.classes
    assert data["zeros"] == tying.zeros
    assert [c["size"] for c in data["classes"]] == tying.sizes.tolist()[:80]
    assert data["monomials"] == tying.ansatz.space.columns().tolist()


def test_json_of_a_large_layer_leaves_the_blocks_out() -> None:
    data = describe_tying(tie_group(cyclic(1000), 2))
    assert data["blocks"] == []
    assert data["class_count"] == 500500
    assert any("too many" in note for note in data["notes"])


@pytest.mark.parametrize("name", ["S_3", "B_2", "D_4 twisted", "mixed"])
def test_components_of_the_graph_are_the_classes(name: str) -> None:
    tying = tie(name, 1)
    dot = draw_dot(tying)
    nodes = dict(re.findall(r'  s(\d+) \[label="w\[[^"]* = -?([a-z0]+)"', dot))
    assert len(nodes) == tying.ansatz.slots
    parent = {n: n for n in nodes}

    def root(n: str) -> str:
        while parent[n] != n:
            n = parent[n]
        return n

    for left, right in re.findall(r"  s(\d+) -- s(\d+) ", dot):
        assert nodes[left] == nodes[right]
        parent[root(left)] = root(right)
    alive = {n for n, c in nodes.items() if c != "0"}
    assert len({root(n) for n in alive}) == tying.classes


def test_a_graph_of_many_slots_is_refused() -> None:
    with pytest.raises(Refusal, match="a graph of 2200 slots"):
        draw_dot(tie_group(cyclic(10), 3))
