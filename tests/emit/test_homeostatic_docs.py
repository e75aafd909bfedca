"""docs/homeostatic.md names tests that exist, and its figures can be made again."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "docs" / "homeostatic.md").read_text("utf-8")
FIGURES = re.findall(r"!\[[^]]+\]\((images/homeostatic-[a-z]+\.svg)\)", TEXT)


def test_every_proof_named_is_a_test() -> None:
    theory = ROOT / "tests" / "emit" / "test_homeostatic_theory.py"
    found = {
        node.name for node in ast.parse(theory.read_text("utf-8")).body if hasattr(node, "name")
    }
    named = set(re.findall(r"`(test_\w+)`", TEXT))
    assert named - found == set()
    assert len(named) > 15


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    assert len(links) >= 7
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


@pytest.mark.slow
def test_the_figures_are_made_by_the_script(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "docs/figures/homeostatic.py", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "EQCOMPILE_CACHE": str(tmp_path / "cache")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = {path.name for path in tmp_path.glob("*.svg")}
    assert made == {Path(figure).name for figure in FIGURES}
    for name in made:
        new, old = (ET.parse(f / name) for f in (tmp_path, ROOT / "docs" / "images"))
        # Digits may differ between processors; what is drawn may not.
        assert [e.tag for e in new.iter()] == [e.tag for e in old.iter()]
        assert [e.text for e in new.iter() if e.tag.endswith("text")] == [
            e.text for e in old.iter() if e.tag.endswith("text")
        ]
