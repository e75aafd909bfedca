"""Every rule has a test with its exact text and place, and a line in the table of rules."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import eqcompile
from eqcompile.errors import SpecError
from eqcompile.reading import STRUCTURAL_RULES
from eqcompile.spec import load
from tests.spec.cases import WRONG

PACKAGE = Path(eqcompile.__file__).parent
TABLE = PACKAGE.parent / "docs" / "errors.md"

# Calls that make an error, and which argument is its rule.
RULE_ARGUMENT = {
    "Refusal": 0,
    "refuse_value": 0,
    "Diagnostic": 1,
    "refuse": 2,
    "_fail": 1,
    "_report": 1,
    "_refuse": 1,
    "_refuse_key": 1,
    "_refuse_plain": 1,
    "_refuse_whole": 1,
    "refuse_part": 1,
}
# Their tests stand in test_loader.py, test_reading.py and those of the command line.
ELSEWHERE = {"file", "not-plain", "value"}


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_error_text(path: Path, update_golden: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    with pytest.raises(SpecError) as caught:
        load(Path(path.name))
    golden = path.with_suffix(".err")
    if update_golden:
        golden.write_text(f"{caught.value}\n")
    assert f"{caught.value}\n" == golden.read_text()


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_error_shows_its_rule_where_it_stands(path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load(path)
    found = caught.value.diagnostics
    assert path.stem == "everything-at-once" or any(path.stem.startswith(d.rule) for d in found)
    lines = path.read_bytes().decode(errors="replace").splitlines()
    for diagnostic in found:
        assert diagnostic.help
        assert diagnostic.span.path == str(path)
        assert 1 <= diagnostic.span.column <= len(lines[diagnostic.span.line - 1]) + 1
    assert list(found) == sorted(found, key=lambda d: d.span)


def list_raised() -> Iterator[str]:
    """List the rules the sources name."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield from list_named(node)


def list_named(call: ast.Call) -> Iterator[str]:
    name = str(getattr(call.func, "attr", None) or getattr(call.func, "id", ""))
    if name == "Registry":
        yield f"unknown-{ast.literal_eval(call.args[0])}"
    position = RULE_ARGUMENT.get(name)
    if position is None or len(call.args) <= position:
        return
    rule = call.args[position]
    if isinstance(rule, ast.Constant) and isinstance(rule.value, str):
        yield rule.value


def read_table() -> dict[str, str]:
    """Return the rules of the table, each with its whole line."""
    rows = re.findall(r"^\| `([a-z-]+)` \|.*$", TABLE.read_text(), re.MULTILINE)
    lines = [line for line in TABLE.read_text().splitlines() if line.startswith("| `")]
    assert len(rows) == len(set(rows)) == len(lines)
    return dict(zip(rows, lines, strict=True))


def test_table_lists_the_rules_there_are() -> None:
    assert set(list_raised()) == set(read_table())


def test_table_marks_the_rules_of_the_schema() -> None:
    assert {rule for rule, line in read_table().items() if "(schema)" in line} == STRUCTURAL_RULES


def test_every_rule_of_a_spec_has_an_error_text() -> None:
    texts = "".join(path.with_suffix(".err").read_text() for path in WRONG)
    shown = set(re.findall(r"error\[([a-z-]+)\]", texts))
    about_specs = TABLE.read_text().split("## The command line")[0]
    assert shown == set(re.findall(r"^\| `([a-z-]+)`", about_specs, re.MULTILINE)) - ELSEWHERE
