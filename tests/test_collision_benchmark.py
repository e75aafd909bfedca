"""The benchmark of collisions compares like with like, and runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks import collision

ROOT = Path(__file__).resolve().parent.parent
SQUARE = torch.tensor(
    [[0, 0], [1, 0], [0, 1], [-1, 0], [0, -1], [1, 1], [-1, 1], [-1, -1], [1, -1]]
)


class Wrong(collision.InOneBatch):
    """Moves answers back by the element itself, not by its inverse."""

    def forward(self, states: Tensor) -> Tensor:
        """Map ``(count, populations)`` to itself."""
        self.inverses = self.get_buffer("symmetries")
        return super().forward(states)


def make_models(batched: type[collision.Perceptron]) -> dict[str, collision.Model]:
    torch.manual_seed(0)
    first = collision.OneByOne(SQUARE).double()
    models: dict[str, collision.Model] = {"layer": lambda states: 2 * states}
    models["average, one by one"] = first
    for name, made in (
        ("average, in one batch", batched),
        ("average, weights moved", collision.Folded),
        ("network alone", collision.Alone),
    ):
        other = made(SQUARE).double()
        other.load_state_dict(first.state_dict())
        models[name] = other
    return models


@torch.no_grad()
def test_averages_are_one_equivariant_function_that_conserves() -> None:
    models, symmetries = make_models(collision.InOneBatch), collision.list_symmetries(SQUARE)
    states = collision.draw_states(SQUARE, 20, torch.float64)
    assert len({tuple(p) for p in symmetries.tolist()}) == 8
    collision.check_contenders(models, states, symmetries)
    change = models["average, one by one"](states) - states
    assert float(change.abs().max()) > 1e-3
    moments = torch.cat([torch.ones(9, 1), SQUARE], 1).double()
    assert float((change @ moments).abs().max()) < 1e-14


@torch.no_grad()
def test_another_function_is_noticed() -> None:
    symmetries = collision.list_symmetries(SQUARE)
    states = collision.draw_states(SQUARE, 20, torch.float64)
    with pytest.raises(SystemExit, match="average, in one batch: another function"):
        collision.check_contenders(make_models(Wrong), states, symmetries)
    models = make_models(collision.InOneBatch) | {"layer": lambda states: states * torch.arange(9)}
    with pytest.raises(SystemExit, match="layer: moving the states"):
        collision.check_contenders(models, states, symmetries)


@pytest.mark.slow
def test_a_quick_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/collision.py", "--quick", f"--results={tmp_path}"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "collision.json").read_text())["rows"]
    assert [row["elements"] for row in rows] == [8, 8, 48, 48]
    assert all(min(row["ratios"].values()) > 0 for row in rows)
    assert (tmp_path / "collision.md").read_text() in done.stdout


def test_results_are_those_of_a_full_run() -> None:
    results = ROOT / "benchmarks" / "results"
    data = json.loads((results / "collision.json").read_text())
    assert (results / "collision.md").read_text() == collision.write_table(data["rows"])
    assert {row["batch"] for row in data["rows"]} == set(collision.BATCHES)
