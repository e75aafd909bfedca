"""Every test runs in exactly one of the two processes, and each says what it leaves out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.processes import HAS_TRITON

ROOT = Path(__file__).resolve().parent.parent

MARKED = """
import os
import pytest

@pytest.mark.interpreter
def test_interpreter(): assert os.environ["TRITON_INTERPRET"] == "1"

@pytest.mark.offline
def test_offline(): assert "TRITON_INTERPRET" not in os.environ

@pytest.mark.gpu
def test_gpu(): assert "TRITON_INTERPRET" not in os.environ

def test_plain(): assert "TRITON_INTERPRET" not in os.environ
"""


def run_pytest(folder: Path, interpreted: bool) -> str:
    """Run tests of every kind under the project's settings; return what pytest says."""
    (folder / "test_marked.py").write_text(MARKED, "utf-8")
    (folder / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text("utf-8"))
    # Options of whoever runs this test are not those of the project.
    foreign = ("TRITON_INTERPRET", "PYTEST_ADDOPTS")
    environment = {k: v for k, v in os.environ.items() if k not in foreign}
    environment |= {"PYTHONPATH": str(ROOT)} | ({"TRITON_INTERPRET": "1"} if interpreted else {})
    command = [sys.executable, "-m", "pytest", "-v", "-c", str(ROOT / "pyproject.toml")]
    command += ["-p", "no:cacheprovider", f"--rootdir={folder}", str(folder)]
    # What torch sees of a GPU does not matter here.
    environment["CUDA_VISIBLE_DEVICES"] = ""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_compiler_process(tmp_path: Path) -> None:
    said = run_pytest(tmp_path, interpreted=False)
    if HAS_TRITON:
        assert "run them by TRITON_INTERPRET=1 pytest" in said
        assert ": no CUDA device" in said
        assert "2 passed, 1 skipped, 1 deselected" in said
    else:
        assert "1 passed, 3 deselected" in said


def test_the_interpreter_process(tmp_path: Path) -> None:
    if HAS_TRITON:
        said = run_pytest(tmp_path, interpreted=True)
        assert "unset TRITON_INTERPRET" in said
        assert "1 passed, 3 deselected" in said
