"""The page: complete, self-contained, escaped, the same bytes under any hash seed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from eqcompile.draw.formats import FORMATS
from eqcompile.draw.report import ReportedLayer, draw_html, render_report
from eqcompile.errors import Refusal
from tests.draw.actions_drawn import tie
from tests.draw.layers_drawn import compile_named, solve_named

ROOT = Path(__file__).resolve().parent.parent.parent
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Reader(HTMLParser):
    """Checks that tags nest, and keeps names, ids and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.names: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            self.names.append(name)
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href", "action", "srcset", "data"):
                self.links.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


def make_report(title: str = "board_nets", spec: str = "version: 1\n") -> str:
    layers = []
    for name, degrees, layer in (("S_3", (0, 1, 2), "Quad"), ("B_2", (1, 3), "Odd")):
        choice, proofs = compile_named(name, *degrees, layer=layer)
        layers.append(ReportedLayer(solve_named(name, *degrees, layer=layer), choice, proofs))
    facts = [("spec digest", "0123abcd")]
    return render_report(title, spec, layers, facts=facts, certificate='{"format": 1}')


def test_report_is_one_self_contained_page() -> None:
    page = make_report()
    reader = read(page)
    assert len(reader.ids) == len(set(reader.ids))
    assert all(link.startswith("#") and link[1:] in reader.ids for link in reader.links)
    assert "script" not in reader.tags
    assert not any(name.startswith("on") for name in reader.names)
    assert not re.search(r"url\((?!#)|@import", page)
    # The only address is the name of the SVG language, which nothing loads.
    assert set(re.findall(r"https?://[^\s\"<]+", page)) == {"http://www.w3.org/2000/svg"}


def test_report_holds_everything() -> None:
    page = make_report(spec="package: board_nets  # ours\n")
    for text in (
        "package: board_nets  # ours",
        "0123abcd",
        "W = a I + b 11^T",
        "y_k: x_k * sum of the others",
        "return y = ",
        "components, burnside",
        "{&#34;format&#34;: 1}",
        "The constraints",
        "Quad: S_3, V \N{RIGHTWARDS ARROW} V",
    ):
        assert text in page
    pictures = re.findall(r"<svg .*?</svg>", page, re.DOTALL)
    assert len(pictures) == 5
    for picture in pictures:
        ET.fromstring(picture)
    assert page.count("<tr><td>Quad</td>") == 3


def test_report_escapes_what_it_is_given() -> None:
    page = make_report(title="<script>alert(1)</script>", spec="</pre><script>x</script>\n&amp;")
    assert "script" not in read(page).tags
    assert "&lt;/pre&gt;&lt;script&gt;" in page
    assert "&amp;amp;" in page


def test_fragment_for_notebooks() -> None:
    fragment = draw_html(tie("S_3", 2))
    assert read(fragment).tags[:2] == ["div", "svg"]


@pytest.mark.parametrize("form", ["text", "svg", "html", "dot", "json"])
def test_every_format_draws_several_layers(form: str) -> None:
    solutions = [solve_named("S_3", 0, 1, 2, layer="Quad"), solve_named("B_2", 1, 3, layer="Odd")]
    drawn = FORMATS[form](solutions, None)
    assert "Quad" in drawn
    assert "Odd" in drawn
    only = FORMATS[form](solutions[:1], "2")
    assert "Odd" not in only
    assert len(only) < len(drawn)
    match form:
        case "json":
            layers = json.loads(drawn)["layers"]
            assert [list(layer["degrees"]) for layer in layers] == [["0", "1", "2"], ["1", "3"]]
        case "svg":
            whole, single = ET.fromstring(drawn), ET.fromstring(only)
            assert len(whole.findall("{http://www.w3.org/2000/svg}svg")) == 5
            assert int(whole.attrib["height"]) > int(single.attrib["height"])
        case "html":
            assert read(drawn).tags.count("svg") == 5
        case "dot":
            assert drawn.count("graph ") == 5
        case _:
            assert drawn.count("class  slots  formula") == 5


def test_formats_to_come_are_refused() -> None:
    for form in ("png", "latex"):
        with pytest.raises(Refusal, match="not yet served"):
            FORMATS[form]([], None)
    with pytest.raises(Refusal, match="unknown format 'jpeg'"):
        FORMATS["jpeg"]


PROGRAM = """
from tests.draw.test_report import make_report
from tests.draw.layers_drawn import solve_named
from eqcompile.draw.formats import FORMATS
print(make_report())
for name in ("D2Q9", "B_3 twisted", "S_3 wr S_2"):
    for form in ("text", "svg", "html", "dot", "json"):
        print(FORMATS[form]([solve_named(name, 0, 1)], None))
"""


def test_same_bytes_under_any_hash_seed() -> None:
    outputs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    ]
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) > 100_000
