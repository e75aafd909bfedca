"""What README.md and CONTRIBUTING.md show is what happens.

The blocks of the README are run in order in one empty folder: a ``yaml`` block is saved under the
name in its first line, the commands of a ``console`` block are run and their output is compared, a
``python`` block is run and its output compared with the ``text`` block that follows it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import eqcompile
from eqcompile.actions.group import Group

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Shown:
    """One command of a document, with what it is shown to print."""

    arguments: tuple[str, ...]
    output: str


def read_blocks(text: str) -> list[tuple[str, str]]:
    """Return the language and content of every fenced block."""
    return [(m[1], m[2]) for m in FENCE.finditer(text)]


def build_group(code: str) -> Group:
    """Build a group as it would stand in a spec."""
    layer = f"{{name: L, group: {code}, input: V, output: V, degree: 0}}"
    spec = eqcompile.load(f"version: 1\npackage: groups\nlayers: [{layer}]\n")
    ((_, _, actions),) = spec.list_polynomial()
    return actions.group


def read_console(block: str) -> Iterator[Shown]:
    """Split a console block into commands and their output."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        command, *arguments = shlex.split(line)
        assert command == "eqcompile", f"{command} cannot be tested"
        yield Shown(("-m", "eqcompile", *arguments), output)


def run(shown: Shown, folder: Path) -> str:
    """Run Python in a folder where what was built in ``build`` can be imported."""
    search = os.pathsep.join([str(folder / "build"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, *shown.arguments],
        env={**os.environ, "PYTHONPATH": search, "COLUMNS": "100"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def follow(text: str, folder: Path) -> int:
    """Do everything a document shows, and compare; return how many outputs were compared."""
    blocks, compared = read_blocks(text), 0
    for i, (language, block) in enumerate(blocks):
        if language == "yaml":
            (folder / block.split()[1]).write_text(block, "utf-8")
        shown = list(read_console(block)) if language == "console" else []
        if language == "python":
            assert blocks[i + 1][0] == "text", "a python block is followed by its output"
            shown = [Shown(("-c", block), blocks[i + 1][1])]
        for one in shown:
            assert run(one, folder).rstrip("\n") == one.output.rstrip("\n"), one.arguments
            compared += 1
    return compared


@pytest.mark.slow
def test_the_readme_is_true(tmp_path: Path) -> None:
    assert follow((ROOT / "README.md").read_text("utf-8"), tmp_path) >= 5


def test_a_wrong_output_is_found(tmp_path: Path) -> None:
    text = "```python\nprint(1 + 1)\n```\n```text\n3\n```\n"
    with pytest.raises(AssertionError, match="print"):
        follow(text, tmp_path)


def test_the_picture_is_what_inspect_draws(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    spec = next(block for language, block in read_blocks(text) if language == "yaml")
    (tmp_path / "spec.yaml").write_text(spec, "utf-8")
    arguments = ["inspect", "spec.yaml", "--degree", "2", "--format", "svg", "-o", "tying.svg"]
    run(Shown(("-m", "eqcompile", *arguments), ""), tmp_path)
    drawn = (ROOT / "docs" / "images" / "tying.svg").read_text("utf-8")
    assert (tmp_path / "tying.svg").read_text("utf-8") == drawn


def test_the_readme_lists_every_group_and_form(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    for what, spelled in (("groups", "`{{{}: "), ("forms", "`{}`")):
        for line in run(Shown(("-m", "eqcompile", "list", what), ""), tmp_path).splitlines():
            assert spelled.format(line.split()[0]) in text or "not yet served" in line, line


def test_every_group_of_the_table_can_be_built() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    table = text[text.index("| group | acts on |") : text.index("Inputs and outputs are")]
    cells = [cell for line in table.splitlines()[2:] if line for cell in line.split(" | ")[:1]]
    written = [code for cell in cells for code in re.findall(r"`(\{.*?\})`", cell)]
    sizes = {" n}": " 3}", "h, w": "4, 4", "[A, B]": "[{symmetric: 2}, {cyclic: 3}]"}
    for code in written:
        for name, size in sizes.items():
            code = code.replace(name, size)
        assert build_group(code).dim > 0, code
    assert len(written) == 20


def test_the_readme_repeats_the_examples() -> None:
    """The digits table of the README has the figures of the table in the example's README."""
    printed = (ROOT / "examples" / "digits" / "README.md").read_text("utf-8")
    rows = re.findall(r"  ([\d,]+)\| +(\S+) +\S+ +(\S+) +(\S+)\|", printed)
    assert len(rows) == 3
    text = (ROOT / "README.md").read_text("utf-8")
    for row in rows:
        assert f"| {' | '.join(row)} |" in text


def test_contributing_shows_the_code_that_is_there() -> None:
    """A block under a comment ``from FILE`` stands in that file, word for word."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    quoted = re.findall(r"<!-- from (\S+) -->\n```python\n(.*?)^```$", text, re.M | re.S)
    assert len(quoted) == 2
    for file, block in quoted:
        assert block in (ROOT / file).read_text("utf-8"), file


def test_the_family_of_contributing_works(tmp_path: Path) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    example = next(block for language, block in read_blocks(text) if language == "python")
    check = """
import eqcompile
for n in (1, 2, 3, 4, 5):
    layer = {"name": "L", "group": {"prism": n}, "input": "V", "output": "V", "degrees": [1]}
    spec = {"version": 1, "package": "prisms", "layers": [layer]}
    print(n, eqcompile.solve(eqcompile.load(spec))["L"][1].classes)
"""
    printed = run(Shown(("-c", example + check), ""), tmp_path)
    expected = [f"{n} {2 * (n // 2 + 1)}" for n in (1, 2, 3, 4, 5)]
    assert printed.splitlines() == expected
