"""A package stands on its own, checks itself, and its checks can fail."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from eqcompile.emit.write import write_package
from eqcompile.exact.signed import SignedPermutation
from tests.actions_of import make_problem
from tests.emit.problems import ACTIONS, act, install, make, pose, render_problems

FORBID = """
import sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "eqcompile":
            raise ImportError("eqcompile is forbidden here")

sys.meta_path.insert(0, Forbidden())
"""


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code where importing eqcompile raises, although it is on the path."""
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, str(folder)])}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", FORBID + code],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=folder,
    )


USE = """
import runpy, torch, alone
layer = alone.Quad()
x = torch.randn(5, 2, 4, requires_grad=True)
layer(x).sum().backward()
assert layer.load_dense(2, layer.dense_weight(2)) == 0.0
assert "eqcompile" not in sys.modules and "numpy" not in alone.layers.__dict__
sys.argv = ["selfcheck"]
try:
    runpy.run_module("alone.selfcheck", run_name="__main__")
except SystemExit as end:
    sys.exit(end.code)
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    problems = [pose("C_4", (0, 1, 2), inputs=2, outputs=2, name="Quad")]
    write_package(render_problems("alone", problems), folder / "alone")
    return folder


def test_a_package_needs_no_eqcompile(alone: Path) -> None:
    found = run(USE, alone)
    assert found.returncode == 0, found.stderr
    assert "4 of 4 checks passed" in found.stdout
    assert "Quad  equivariance" in found.stdout


def test_importing_eqcompile_would_have_failed(alone: Path) -> None:
    found = run("import eqcompile", alone)
    assert found.returncode == 1
    assert "eqcompile is forbidden here" in found.stderr


def tamper(data: Any, what: str) -> None:
    layer = data["layers"][0]
    block = next(b for b in layer["blocks"] if b["shape"] == [2])
    match what:
        case "generator":
            layer["output"]["images"][0]["perm"] = [3, 0, 1, 2]
        case "representative":
            block["representatives"].pop()
        case "slot":
            block["slots"][0][0] = -block["slots"][0][0]
        case "sizes":
            block["sizes"][0] += 1


@pytest.mark.parametrize("what", ["generator", "representative", "slot", "sizes"])
def test_tampering_is_found(tmp_path: Path, what: str) -> None:
    files = dict(render_problems("alone", [pose("C_4", (0, 1, 2), inputs=2, name="Quad")]))
    data = json.loads(files["tying.json"])
    tamper(data, what)
    files["tying.json"] = json.dumps(data)
    write_package(tuple(files.items()), tmp_path / "alone")
    code = "import alone.selfcheck as s\nsys.exit(s.main())"
    found = run(code, tmp_path)
    assert "FAIL  Quad  tables" in found.stdout, found.stdout + found.stderr
    assert found.returncode == 1


def mixed_convention() -> Any:
    """Input moved by g, output by its inverse: right dimensions, wrong tables."""
    group, images = ACTIONS["C_4"]
    return make_problem(
        group, [g.inverse() for g in images], (0, 1, 2), name="Mixed", form="monomial"
    )


def measure_equivariance(layer: Any, generators: Any, images: Any) -> float:
    worst = 0.0
    x = torch.randn(6, layer.in_channels, layer.layout.n_in, dtype=torch.float64)
    words = torch.randint(len(generators), (10, 6)).tolist()
    for word in [[j] for j in range(len(generators))] + words:
        left = SignedPermutation.identity(generators[0].n)
        right = SignedPermutation.identity(images[0].n)
        for j in word:
            left, right = generators[j] @ left, images[j] @ right
        error = (layer(act(left, x)) - act(right, layer(x))).detach().abs().max()
        worst = max(worst, float(error) / max(1.0, float(layer(x).detach().abs().max())))
    return worst


@pytest.fixture(scope="module")
def conventions(packages: Path) -> ModuleType:
    problems = [
        pose(action, (0, 1, 2), name=f"L{j}")
        for j, action in enumerate(ACTIONS)
        if action != "parity"
    ]
    return install(packages, "conventions", [*problems, mixed_convention()])


@pytest.mark.parametrize("action", [a for a in ACTIONS if a != "parity"])
def test_equivariance_in_the_convention_of_the_compiler(
    conventions: ModuleType, action: str
) -> None:
    layer = make(conventions, f"L{list(ACTIONS).index(action)}")
    assert measure_equivariance(layer, *ACTIONS[action]) < 1e-12


def test_the_mixed_convention_is_caught(conventions: ModuleType) -> None:
    """It has the right number of classes, and only an element that is no involution tells."""
    mixed = make(conventions, "Mixed")
    right = make(conventions, f"L{list(ACTIONS).index('C_4')}")
    assert mixed.layout.classes == right.layout.classes
    assert measure_equivariance(mixed, *ACTIONS["C_4"]) > 1e-2
    half_turn = [g @ g for g in ACTIONS["C_4"][0]]
    assert measure_equivariance(mixed, half_turn, half_turn) < 1e-12


def test_two_builds_of_one_name_live_together(packages: Path, tmp_path: Path) -> None:
    old = install(packages, "twice", [pose("S_3", (1,), name="Quad")])
    layer = make(old, "Quad")
    x = torch.randn(2, 1, 3, dtype=torch.float64, requires_grad=True)
    before = layer(x)
    kept = {n: m for n, m in sys.modules.items() if n.split(".")[0] == "twice"}
    for name in kept:
        del sys.modules[name]
    sys.path.insert(0, str(tmp_path))
    try:
        write_package(
            render_problems("twice", [pose("S_3", (0, 1, 2), name="Quad")]), tmp_path / "twice"
        )
        importlib.invalidate_caches()
        new = importlib.import_module("twice")
        assert new is not old
        fresh = make(new, "Quad")
        fresh(x).sum().backward()
        torch.testing.assert_close(layer(x), before)
        layer(x).sum().backward()
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.update(kept)
