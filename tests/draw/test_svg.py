"""The picture is read back: its colours partition the slots exactly as the tying does."""

from __future__ import annotations

import time
from collections import defaultdict
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from eqcompile.draw.palette import list_colours
from eqcompile.draw.svg import draw_svg
from eqcompile.draw.words import name_class
from eqcompile.solve.tying import Tying
from tests.draw.actions_drawn import ACTIONS, cyclic, symmetric, tie, tie_group

NAMESPACE = "{http://www.w3.org/2000/svg}"
Slot = tuple[int, int]


def read_cells(svg: str, tying: Tying) -> dict[Slot, dict[str, str]]:
    """Read every cell: slot to its attributes; no slot may be drawn twice."""
    root = ET.fromstring(svg)
    assert root.tag == f"{NAMESPACE}svg"
    space, found = tying.ansatz.space, dict[Slot, dict[str, str]]()
    for rect in root.iter(f"{NAMESPACE}rect"):
        if "data-output" in rect.attrib:
            word = rect.attrib["data-monomial"]
            indices = [int(i) for i in word.split()]
            parts, start = [], 0
            for degree in tying.ansatz.shape:
                parts.append(indices[start : start + degree])
                start += degree
            slot = (int(rect.attrib["data-output"]), space.rank(parts))
            assert slot not in found
            title = rect.find(f"{NAMESPACE}title")
            assert title is not None
            found[slot] = {**rect.attrib, "title": title.text or ""}
    return found


def partition(keys: dict[Slot, str]) -> set[frozenset[Slot]]:
    groups: defaultdict[str, set[Slot]] = defaultdict(set)
    for slot, key in keys.items():
        groups[key].add(slot)
    return {frozenset(g) for g in groups.values()}


@pytest.mark.parametrize("degree", range(4))
@pytest.mark.parametrize("name", ACTIONS)
def test_colours_partition_the_slots_as_the_tying_does(name: str, degree: int) -> None:
    tying = tie(name, degree)
    if tying.ansatz.slots > 4000:
        tying = tie(name, 2)
    labels, signs = tying.table()
    cells = read_cells(draw_svg(tying), tying)
    every = [(k, a) for k in range(labels.shape[0]) for a in range(labels.shape[1])]
    assert sorted(cells) == every
    solved = {slot: str(labels[slot]) for slot in every}
    assert partition({s: c["fill"] for s, c in cells.items()}) == partition(solved)
    for slot, cell in cells.items():
        label, sign = int(labels[slot]), int(signs[slot])
        assert cell["data-sign"] == str(sign)
        assert cell["data-class"] == (name_class(label) if label >= 0 else "")
        value = ("-" if sign < 0 else "") + name_class(label) if label >= 0 else "0"
        assert cell["title"] == f"{tying.ansatz.spell_slot(*slot)} = {value}"


def test_a_recoloured_cell_is_noticed() -> None:
    tying = tie("S_3", 2)
    labels, _ = tying.table()
    colours = list_colours(4)
    svg = draw_svg(tying).replace(f'fill="{colours[1]}" data-o', f'fill="{colours[2]}" data-o', 1)
    cells = read_cells(svg, tying)
    drawn = partition({s: c["fill"] for s, c in cells.items()})
    assert drawn != partition({s: str(labels[s]) for s in cells})


def test_large_layers_show_one_block_per_orbit() -> None:
    tying = tie_group(symmetric(50), 2)
    start = time.process_time()
    svg = draw_svg(tying)
    assert time.process_time() - start < 2
    cells = read_cells(svg, tying)
    (orbit,) = tying.orbits
    assert {s: c["data-class"] for s, c in cells.items()} == {
        (0, a): name_class(int(c)) for a, c in enumerate(orbit.labels)
    }
    assert "one block per orbit of outputs" in svg
    assert "standing for y_k, k in {0..49}" in svg


def test_huge_layers_are_summarised_and_say_so() -> None:
    tying = tie_group(cyclic(100), 2)
    svg = draw_svg(tying)
    assert not read_cells(svg, tying)
    assert "too many to draw" in svg
    assert "the first 80 of 5050 classes are listed" in svg


def test_wide_matrices_are_summarised_and_say_so() -> None:
    svg = draw_svg(tie_group(symmetric(200), 1))
    assert "200 columns are too many to draw" in svg
    assert int(ET.fromstring(svg).attrib["width"]) < 1000


def test_minus_signs_and_zeros_are_visible() -> None:
    svg = draw_svg(tie("D_4 twisted", 2), key="quad")
    assert "\N{MINUS SIGN}a" in svg
    assert 'fill="url(#quad-zero)"' in svg
    assert 'id="quad-zero"' in svg
    assert "a dark corner and a minus sign" in svg
    plain = draw_svg(tie("S_3", 2))
    assert "dark corner" not in plain


def test_titles_are_escaped() -> None:
    svg = draw_svg(tie("S_2", 1), title='<script>"&')
    root = ET.fromstring(svg)
    assert (root.attrib["aria-label"]).startswith('<script>"&')
    assert "<script" not in svg


def test_colours_are_distinct_and_keep_their_place() -> None:
    many = list_colours(4000)
    assert len(set(many)) == 4000
    assert list_colours(7) == many[:7]
    first = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in many[:12]])
    apart = np.abs(first[:, None] - first[None]).sum(axis=2) + 1000 * np.eye(12, dtype=int)
    assert apart.min() > 40
