"""A build over an existing package that is killed at any moment leaves a package that works."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from eqcompile.driver import _import_package
from tests.test_cli import SPEC, run_cold

KILLS = 20


def start_build(spec: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "eqcompile", "build", str(spec), "-o", str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.slow
def test_a_killed_build_leaves_a_working_package(tmp_path: Path) -> None:
    """SIGKILL at random moments, half of them around the time when files are written."""
    specs = []
    for size in (3, 4):
        specs.append(tmp_path / f"{size}.yaml")
        specs[-1].write_text(SPEC.replace("symmetric: 3", f"symmetric: {size}"))
    out = tmp_path / "out"
    assert run_cold("build", specs[0], "-o", out).returncode == 0
    began = time.monotonic()
    assert run_cold("build", specs[1], "-o", out).returncode == 0
    whole = time.monotonic() - began
    chance = random.Random(0)
    survived = []
    for kill in range(KILLS):
        child = start_build(specs[kill % 2], out)
        late = kill % 4 >= 2
        time.sleep(whole * chance.uniform(0.85 if late else 0.0, 1.05))
        child.kill()
        child.wait()
        module = _import_package(f"killed_{kill}", out / "small_nets")
        survived.append(module.Quad().layout.n_in)
        x = torch.zeros(2, 2, survived[-1])
        assert module.Quad()(x).shape == (2, 1, survived[-1])
        for name in [n for n in sys.modules if n.startswith(f"killed_{kill}")]:
            del sys.modules[name]
    assert set(survived) <= {3, 4}
    # The next build that is let be succeeds, and leaves nothing of the killed ones behind.
    assert run_cold("build", specs[0], "-o", out).returncode == 0
    assert [p.name for p in out.iterdir()] == ["small_nets"]
