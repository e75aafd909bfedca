"""Which backend serves a call, and who says no and why, on machines of several kinds."""

from __future__ import annotations

import pickle
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from eqcompile.emit.served import refuse_kernels
from eqcompile.emit.write import write_package
from tests.actions_of import cyclic, make_problem
from tests.emit.machines import forget, pretend_gpu, pretend_version
from tests.emit.problems import install, pose, render_problems

CUDA = torch.device("cuda", 0)
CPU = torch.device("cpu")


def test_layers_that_kernels_do_not_serve(zoo: ModuleType, backends: Any) -> None:
    reason = "they serve degrees up to 2, and the layer has degree 3"
    for name in ("Cubic", "Factored"):
        cls = getattr(zoo, name)
        with pytest.raises(RuntimeError, match=f"{name}: backend='triton' cannot be served: they"):
            cls(backend="triton")
        assert cls.layout.unserved == reason
        assert cls.layout.kernels is None
        assert f"not the Triton kernels, because {reason}." in cls().explain()
        assert len(cls()._schedule) == 0


def test_layers_with_too_many_points_are_not_served() -> None:
    wide = make_problem(cyclic(2049), cyclic(2048), (1,))
    assert refuse_kernels(wide) == (
        "they serve at most 4096 inputs and outputs, and the layer has 4097"
    )
    assert refuse_kernels(make_problem(cyclic(2048), cyclic(2048), (1,))) == ""


def test_facts_of_the_layers_they_serve(zoo: ModuleType) -> None:
    facts = zoo.Cycle.layout.kernels
    assert facts == ("Cycle", 4, 4, ((), (1,), (2,), (1, 1)), False, False)
    assert zoo.Collide.layout.kernels[4:] == (True, True)
    assert zoo.Invariant.layout.kernels.parts == ((), (2,), (1, 1))
    for name in ("Cycle", "Collide", "Fixed", "Invariant", "Point", "Dense"):
        assert getattr(zoo, name).layout.unserved == ""


def test_factored_layers_of_degree_two_are_not_served(packages: Path, backends: Any) -> None:
    package = install(
        packages,
        "factored_twos",
        [pose("S_3", (1, 2), inputs=2, outputs=2, mixing="factored", rank=2, name="Two")],
    )
    assert package.Two.layout.unserved == "they do not serve factored mixing"
    assert "Facts" not in Path(str(package.__file__)).with_name("ops.py").read_text()


def test_triton_must_be_there_and_new(
    zoo: ModuleType, backends: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_gpu(monkeypatch)
    assert zoo.Cycle(backend="triton").backend == "triton"
    for version, words in {
        "3.5.1": r"triton is 3\.5\.1, older than 3\.6",
        "2.10.0": r"triton is 2\.10\.0, older",
        "": "triton is of unknown version",
    }.items():
        pretend_version(backends, monkeypatch, version)
        with pytest.raises(RuntimeError, match=words):
            zoo.Cycle(backend="triton")
    for version in ("3.6.0", "3.10.0+git1234", "4.0"):
        pretend_version(backends, monkeypatch, version)
        assert zoo.Cycle(backend="triton").backend == "triton"
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    forget(backends)
    with pytest.raises(RuntimeError, match=r"triton is not installed \(pip install 'triton>=3\.6'"):
        zoo.Cycle(backend="triton")
    assert "because triton is not installed" in zoo.Cycle().explain()
    assert len(zoo.Cycle()._schedule) == 0


def test_builds_of_triton_under_other_names(backends: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_version(name: str) -> str:
        if name == "triton":
            raise PackageNotFoundError(name)
        return {"pytorch-triton": "3.8.0", "old-triton": "3.0.0"}[name]

    monkeypatch.setattr(backends, "version", find_version)
    for names, fault in ((["pytorch-triton"], ""), (["old-triton"], "3.0.0"), ([], "unknown")):
        monkeypatch.setattr(
            backends, "packages_distributions", lambda names=names: {"triton": names}
        )
        forget(backends)
        found = backends.find_triton_fault()
        assert fault in found
        assert bool(fault) == bool(found)


def test_a_machine_without_a_gpu(
    zoo: ModuleType, backends: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RuntimeError, match="no CUDA device is available, and TRITON_INTERPRET=1"):
        zoo.Cycle(backend="triton")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    layer = zoo.Cycle(backend="triton")
    assert "the Triton kernels" in layer.explain()
    monkeypatch.delenv("TRITON_INTERPRET")
    with pytest.raises(
        RuntimeError, match=r"does not serve this call: tensors on cpu.*CUDA device, or set TRITON"
    ):
        layer(torch.randn(2, 2, 4))
    assert "the Triton kernels, but not where the layer is now" in layer.explain()


def test_which_calls_run_kernels(
    zoo: ModuleType, backends: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = zoo.Cycle.layout

    def choose(backend: str, device: torch.device = CUDA, dtype: Any = torch.float32) -> bool:
        return bool(backends.choose_kernels(layout, backend, device, dtype))

    assert not choose("auto")
    pretend_gpu(monkeypatch)
    forget(backends)
    assert choose("auto")
    assert choose("triton")
    assert not choose("torch")
    assert not choose("auto", CPU)
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        assert choose("triton", dtype=dtype)
    assert not choose("auto", dtype=torch.float8_e4m3fn)
    with pytest.raises(RuntimeError, match=r"float8_e4m3fn is none of torch\.float16"):
        choose("triton", dtype=torch.float8_e4m3fn)
    with pytest.raises(RuntimeError, match="tensors on mps are not served; move the layer"):
        choose("triton", torch.device("mps"))
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert choose("triton", CPU)
    assert not choose("auto", CPU)
    pretend_gpu(monkeypatch, (7, 5))
    forget(backends)
    assert not choose("auto")
    with pytest.raises(RuntimeError, match=r"compute capability 7\.5; use one that has 8\.0"):
        choose("triton")


def test_explain_says_by_what_a_layer_runs(zoo: ModuleType, backends: Any) -> None:
    assert "backend auto: the programs of programs.py" in zoo.Cycle().explain()
    assert "CUDA devices only, and the layer is on cpu" in zoo.Cycle().explain()
    said = zoo.Cycle(backend="torch").explain()
    assert "in torch, as registered operators.\n" in said
    assert "reference.py" in zoo.Cycle(backend="reference").explain()


IMPORTS = """
import fresh
import torch
layer = fresh.Layer(2, 2)
x = torch.randn(3, 2, 3, requires_grad=True)
layer(x).sum().backward()
try:
    fresh.Layer(2, 2, backend="triton")
except RuntimeError as error:
    print(error)
print(layer.explain())
assert not {f"fresh.{n}" for n in ("launch", "kernels", "blocks", "depthwise", "straight")} & set(
    sys.modules
)
"""


@pytest.mark.parametrize("missing", [False, True])
def test_triton_is_not_needed_before_a_kernel_runs(tmp_path: Path, missing: bool) -> None:
    """Nor imported by the package; torch itself may import what there is."""
    hide = 'sys.modules["triton"] = None\n' if missing else ""
    write_package(render_problems("fresh", [pose("S_3", (0, 1, 2))]), tmp_path / "fresh")
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import sys\n{hide}{IMPORTS}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert found.returncode == 0, found.stderr
    assert "backend='triton' cannot be served" in found.stdout
    assert ("because triton is not installed" in found.stdout) == missing


def test_tables_of_kernels_come_back(
    zoo: ModuleType, backends: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A layer pickled where Triton is missing gets its tables where it is there."""
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    forget(backends)
    layer = zoo.Cycle()
    assert len(layer._schedule) == 0
    text = pickle.dumps(layer)
    pretend_version(backends, monkeypatch, "3.9.0")
    assert len(pickle.loads(text)._schedule) > 0
    assert "_schedule" not in layer.state_dict()
    assert len(layer.half()._schedule) > 0
    with torch.device("meta"):
        assert zoo.Cycle()._schedule.shape == layer._schedule.shape
