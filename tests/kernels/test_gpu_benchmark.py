"""The measurement on a GPU: says so without one; otherwise measures what it says it measures."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from benchmarks import gpu
from benchmarks.counting import count_bytes, count_flops
from benchmarks.dense import Einsum
from benchmarks.gpu_pairs import SIZES, Pairs, find_pairs, measure_pairs, record_pairs
from benchmarks.gpu_pairs import count_flops as count_pair_flops
from tests.emit.problems import make
from tests.kernels.pairs import install_pairs
from tests.kernels.problems import CASES

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"

BATCHES = {"Twist": 3, "SignDepth": 4}


def test_without_a_device_nothing_is_measured(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "no CUDA device\n")
    assert not any(tmp_path.iterdir())


class Clock:
    """Runs what it is given once, and says it took a second."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, function: Callable[[], Any]) -> float:
        self.calls += 1
        function()
        return 1.0


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> gpu.Bench:
    monkeypatch.setattr(gpu, "BATCHES", BATCHES)
    monkeypatch.setattr(gpu, "ARITHMETICS", {"float32": (torch.float32, "highest")})
    monkeypatch.setattr(gpu, "COMPARED", ("float32",))
    monkeypatch.setattr(torch, "compile", lambda layer: layer)
    return gpu.Bench("cpu", Clock(), shrink=1024)


@pytest.mark.interpreter
def test_everything_is_measured(
    zoo: ModuleType, bench: gpu.Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the CPU, in the interpreter, with a clock that does not count."""
    monkeypatch.setattr(bench, "draw", draw)
    data = gpu.measure(bench, zoo, list(BATCHES))
    assert data["left_out"] == []
    assert all(error < 1e-6 for error in data["errors"].values())
    assert set(data["ceilings"]) == {"copy", "float32"}
    found = {(row["layer"], row["kernel"]) for row in data["kernels"]}
    assert found == {
        *(("Twist", f"bilin_{word}") for word in ("output", "input")),
        *(("Twist", f"bilin_{word} tangent") for word in ("output", "input")),
        *(("Twist", f"wgrad{word}") for word in ("", " tangent", " across", " tangent across")),
        *(("SignDepth", f"straight {word}") for word in ("output", "input", "weight")),
        *(("SignDepth", f"depthwise_{word} tangent") for word in ("output", "input", "wgrad")),
    }
    assert all(row["bytes"] > 0 and row["flops"] > 0 for row in data["kernels"])
    ways = [(row["layer"], row["way"]) for row in data["comparisons"]]
    assert len(ways) == len(set(ways)) == 4 * len(BATCHES)
    machine = dict.fromkeys(("device", "torch", "triton", "python"), "none")
    text = "\n".join(gpu.tabulate({"machine": machine, **data}))
    assert text.count("| Twist | float32 |") == 8 + 4


@pytest.mark.interpreter
def test_kernels_of_pairs_are_measured(zoo: ModuleType, packages: Path, bench: gpu.Bench) -> None:
    launch = install_pairs(packages, "pairs_measured")
    assert find_pairs(importlib.import_module("pairs_measured")) is launch
    assert find_pairs(zoo) is None
    rows = measure_pairs(bench, launch, "float32", torch.float32, "highest")
    kernels = ("apply_pairs", "differentiate_pairs and eps", "differentiate_pairs")
    found = [(row["layer"], row["kernel"]) for row in rows]
    assert found == [(size.name, kernel) for size in SIZES for kernel in kernels]
    assert all(row["bytes"] > 0 and row["flops"] > 0 for row in rows)
    size = Pairs(10, 3, 2, 5)
    flops = [
        count_pair_flops(call, size) for call in record_pairs(launch, size, torch.float32, "cpu")
    ]
    # Products and distances; times z; the gradient of a weight, of vectors, of positions.
    weight, values = 2 * 3 + 3 * 2 + 3, 2 * 5
    assert flops[:2] == [100 * (weight + values)] * 2
    assert flops[2:] == [100 * (weight + values + 4 + 2 * 3 + 3 * 2)] * 2


def draw(layer: Any, name: str, dtype: torch.dtype) -> torch.Tensor:
    return torch.randn(BATCHES[name], layer.in_channels, layer.layout.n_in).to(dtype)


@pytest.mark.interpreter
def test_what_there_is_no_time_for_is_said(zoo: ModuleType, bench: gpu.Bench) -> None:
    bench.end = 0.0
    assert bench.measure_kernels(zoo, "SignDepth", "float32") == []
    assert bench.compare(zoo, "SignDepth", "float32") == []
    assert all(line.endswith("out of time") for line in bench.left_out)
    assert len(bench.left_out) == 6 + 4


@pytest.mark.parametrize("name", ["Set", "Grid", "SignDepth"])
def test_dense_layers_have_the_layers_shapes(zoo: ModuleType, name: str) -> None:
    layer = make(zoo, name, *CASES[name].channels)
    x = torch.randn(5, layer.in_channels, layer.layout.n_in)
    dense = Einsum(layer)
    assert dense(x).shape == layer(x.double()).shape
    double = dense(2 * x) - 2 * dense(x) + dense(0 * x)
    quadratic = dense(x) + dense(-x) - 2 * dense(0 * x)
    torch.testing.assert_close(double, quadratic)


def test_flops_are_those_of_the_sums(zoo: ModuleType) -> None:
    """S_3, full, 3 to 2 channels: per output 3 linear inputs, 6 squares and 9 pairs of each."""
    from kernel_zoo.schedule import make_schedule  # type: ignore[import-not-found]

    layer = make(zoo, "Set")
    schedule = make_schedule(layer.layout.kernels, 3)

    def count(kernel: str, **options: bool) -> int:
        flags = {"mixed": True, "tangent": False, "across": False, **options}
        return count_flops(kernel, schedule, 3, 2, **flags)

    # 2 + 4 classes within 3 channels, 5 across 3 pairs of channels; 2 flops each, 3 outputs.
    within, across = 2 * 3 * (9 * 3), 2 * 3 * (9 * 3)
    mixing_within, mixing_across = 2 * 3 * (6 * 3 * 2), 2 * 3 * (5 * 3 * 2)
    assert count("output") == within + across + mixing_within + mixing_across
    assert count("output", tangent=True) == 3 * (within + across) + mixing_within + mixing_across
    assert count("weight") == within + mixing_within
    assert count("weight", across=True) == across + mixing_across
    assert count("output", mixed=False) > 0


def test_bytes_are_counted_once() -> None:
    x = torch.zeros(10)
    assert count_bytes((x, x, 3, torch.zeros(2, dtype=torch.float64))) == 40 + 16
