"""Charges at the start: every row of the weights has variance 1, in little memory and time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from tests.emit.coulomb import FACTS, MODULES, find, make_coulomb, write_layers
from tests.emit.parameterised_packages import render_modules

LARGE = {
    "Sharp": '300, 300, "float32", True, (4, 3), softening=0.001',
    "Line": '200, 200, "float32", True, (2, 1), softening=0.01',
    "Atoms": '150, 150, "float64", True, (1, 3), exponent=1.0, softening=0.0, diagonal="chemistry"',
    "Wide": '300, 100, "float32", False, (4, 3)',
    "Far": '300, 300, "float32", True, (4, 3), kernel="product", softening=0.0',
    "Sampled": '4200, 4200, "float32", True, (4, 3)',
    "SampledAtoms": '4200, 4200, "float32", True, (4, 3), diagonal="chemistry"',
    "SampledWide": '4200, 900, "float32", False, (4, 3)',
    "Alone": '1, 1, "float32", True, (4, 3)',
    "AloneAtom": '1, 1, "float32", True, (4, 3), diagonal="chemistry"',
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return make_coulomb(tmp_path_factory.mktemp("coulomb"), FACTS | LARGE)


def measure_rows(layer: Any) -> torch.Tensor:
    """The variance of every output over unit normal input."""
    variances: torch.Tensor = layer.dense_weight().detach().double().pow(2).sum(1)
    return variances


EXACT = (*FACTS, "Sharp", "Line", "Atoms", "Wide", "Far", "AloneAtom")


@pytest.mark.parametrize("name", EXACT)
def test_every_row_has_variance_1(package: ModuleType, name: str) -> None:
    for seed in range(3):
        torch.manual_seed(seed)
        rows = measure_rows(getattr(package, name)())
        assert float((rows - 1).abs().max()) < 1e-3


def test_outputs_have_variance_1(package: ModuleType) -> None:
    layer = package.Sharp()
    y = layer(torch.randn(4000, 300)).detach()
    assert abs(float(y.var()) - 1) < 0.05


@pytest.mark.parametrize("name", ["Sampled", "SampledAtoms", "SampledWide"])
def test_large_layers_have_it_on_average(package: ModuleType, monkeypatch: Any, name: str) -> None:
    layer = getattr(package, name)()
    assert float(measure_rows(layer).mean()) == pytest.approx(1, rel=0.2)
    # The mean of a sample of all rows is exact.
    monkeypatch.setattr(find(package, "balance"), "SAMPLE", 4200)
    layer.reset_parameters()
    assert float(measure_rows(layer).mean()) == pytest.approx(1, rel=1e-4)


def test_rows_of_zeros_stay(package: ModuleType) -> None:
    layer = package.Alone()
    assert measure_rows(layer).tolist() == [0.0]
    assert layer.mu.isfinite().all()


def test_what_is_drawn(package: ModuleType) -> None:
    """Positions and directions of charges are those drawn; the rest is fixed."""
    torch.manual_seed(0)
    layer = package.Sharp()
    torch.manual_seed(0)
    mu, x = torch.randn(300, 4), torch.randn(300, 3)
    assert torch.equal(layer.x, x)
    scales = layer.mu.detach() / mu
    assert float((scales / scales[:, :1] - 1).abs().max()) < 1e-5
    assert float(scales.min()) > 0
    assert package.Squares().diagonal.tolist() == [0.0] * 12
    assert package.Rectangle().bias.tolist() == [0.0] * 10


def test_ties_are_kept(package: ModuleType) -> None:
    layer = package.Ring()
    rows = measure_rows(layer)
    assert float((rows - 1).abs().max()) < 1e-3
    torch.testing.assert_close(layer.full("mu").roll(-1, 0), layer.full("mu").roll(1, 1))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_dtypes(package: ModuleType, dtype: torch.dtype) -> None:
    rows = measure_rows(package.Sharp(dtype=dtype).to(torch.float64))
    assert float((rows - 1).abs().max()) < (1e-3 if dtype == torch.float64 else 0.3)


PROGRAM = """
import json, resource, sys, time
import torch
from {package} import Large
torch.set_num_threads(1)
def measure():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
rest = measure()
layer = Large()
z = torch.randn(4, {n}, requires_grad=True)
made = measure()
layer(z).pow(2).sum().backward()
trained = measure()
print(json.dumps([rest, made, trained, float(layer.mu.grad.abs().max())]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["inverse", "product"])
def test_memory_is_linear(tmp_path: Path, kernel: str) -> None:
    """16,384 neurons: weights would take a GiB; drawing, evaluating and training take little."""
    n = 16384
    facts = {"Large": f'{n}, {n}, "float32", True, (8, 3), kernel="{kernel}"'}
    files = render_modules("lean", MODULES, write_layers(facts), json.dumps({"layers": []}))
    for name, text in files.items():
        (tmp_path / "lean").mkdir(exist_ok=True)
        (tmp_path / "lean" / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(package="lean", n=n)],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    rest, made, trained, slope = json.loads(done.stdout)
    # What a draw adds is a few rows of weights at a time; gradients load more of torch.
    assert made - rest < 64
    assert trained - rest < 200
    assert slope > 0
