"""The command line as its users meet it."""

from __future__ import annotations

import json
import os
import pickle
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from eqcompile.cli import app
from eqcompile.errors import Diagnostic, Refusal, Refusals, Span, SpecError

SPEC = """\
version: 1
package: small_nets
layers:
  - name: Quad
    group: {symmetric: 3}
    input: V
    output: V
    degree: 2
    channels: {in: 2, out: 1}
  - name: Odd
    group: {hyperoctahedral: 2}
    input: V
    output: V
    degrees: [1, 3]
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return path


def call(*arguments: object, code: int = 0) -> tuple[str, str]:
    """Run one command and return what it wrote to stdout and stderr."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
    return result.stdout, result.stderr


def test_solve_prints_json_of_the_contract(spec: Path) -> None:
    found: Any = json.loads(call("solve", spec, "--json")[0])
    quad, odd = found["layers"]
    assert quad["name"] == "Quad"
    assert quad["degrees"]["2"] == {
        "slots": 18,
        "classes": 4,
        "ordered_classes": 5,
        "zeros": 0,
        "additive": 0,
        "affine": False,
        "proof": ["components", "burnside"],
    }
    assert {d: row["classes"] for d, row in quad["degrees"].items()} == {"0": 1, "1": 2, "2": 4}
    assert odd["degrees"]["1"]["zeros"] == 2
    assert odd["degrees"]["3"]["proof"] == ["components", "molien"]


def test_solve_prints_a_table(spec: Path) -> None:
    lines = call("solve", spec)[0].splitlines()
    assert lines[0].split() == [
        "layer",
        "degree",
        "slots",
        "classes",
        "ordered",
        "zeros",
        "additive",
        "proof",
    ]
    assert lines[4].split() == ["Quad", "2", "18", "4", "5", "0", "0", "components,", "burnside"]


def test_init_build_verify(tmp_path: Path) -> None:
    """The starter spec builds, is verified, and is not overwritten."""
    call("init", tmp_path)
    out, _ = call("build", tmp_path / "spec.yaml", "-o", tmp_path / "out", "--json")
    assert json.loads(out) == {
        "packages": [{"package": "board_nets", "path": str(tmp_path / "out" / "board_nets")}]
    }
    assert "ok  " in call("verify", tmp_path / "out" / "board_nets")[0]
    _, errors = call("init", tmp_path, code=2)
    assert "error[target-exists]" in errors


def test_verify_a_spec(spec: Path) -> None:
    lines = call("verify", spec)[0].splitlines()
    assert "ok  Quad degree 2 (2): 4 classes by components, burnside" in lines
    assert any(line.startswith("ok  Odd plan ") for line in lines)
    assert "ok  Quad kernels lifted: equal to its ansatz by polynomial" in lines
    assert not any(line.startswith("ok  Odd kernels ") for line in lines)


def test_verify_proves_what_cannot_be_emitted(spec: Path) -> None:
    spec.write_text(SPEC.replace("symmetric: 3", "cyclic: 400"))
    lines = call("verify", spec)[0].splitlines()
    assert "ok  Quad degree 2 (2): 80200 classes by components, burnside" in lines
    assert any(line.startswith("ok  Quad has no plan: ") for line in lines)


def test_two_specs_are_built_side_by_side(spec: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(SPEC.replace("small_nets", "other_nets"))
    out, _ = call("build", spec, other, "-o", tmp_path / "out")
    assert len(out.splitlines()) == 2
    assert (tmp_path / "out" / "other_nets" / "layers.py").exists()
    other.write_text(SPEC)
    _, errors = call("build", spec, other, "-o", tmp_path / "none", code=2)
    assert "other.yaml:2:10: error[shared-package]" in errors
    assert not (tmp_path / "none").exists()


def test_errors_of_all_specs_are_shown_and_nothing_is_written(spec: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / f"{name}.yaml").write_text(SPEC.replace("symmetric: 3", "symetric: 3"))
    _, errors = call(
        "build",
        tmp_path / "first.yaml",
        spec,
        tmp_path / "second.yaml",
        "-o",
        tmp_path / "o",
        code=2,
    )
    assert errors.count("error[unknown-group]") == 2
    assert errors.count("did you mean 'symmetric'?") == 2
    assert not (tmp_path / "o").exists()


def test_layers_refused_in_parallel_builds_are_all_shown(tmp_path: Path) -> None:
    """What only compiling finds out comes back from the processes with its place."""
    for name in ("first", "second"):
        text = SPEC.replace("small_nets", f"{name}_nets").replace("[1, 3]", "[2]")
        (tmp_path / f"{name}.yaml").write_text(text)
    (tmp_path / "good.yaml").write_text(SPEC)
    specs = [tmp_path / f"{name}.yaml" for name in ("first", "good", "second")]
    _, errors = call("build", *specs, "-o", tmp_path / "o", code=2)
    assert errors.count(":10:11: error[no-classes]: layer Odd has no equivariant polynomial") == 2
    assert not (tmp_path / "o").exists()


def test_errors_travel_between_processes() -> None:
    refusal = Refusal("rule", "text", "help", at=("layers", 1), offset=(2, 3), on_key=True)
    assert pickle.loads(pickle.dumps(refusal)) == refusal
    several = pickle.loads(pickle.dumps(Refusals((refusal, refusal))))
    assert several.refusals == (refusal, refusal)
    error = SpecError((Diagnostic(Span("spec.yaml", 1, 2, 3), "rule", "text", "help"),))
    assert pickle.loads(pickle.dumps(error)).diagnostics == error.diagnostics


def test_a_foreign_folder_is_kept_unless_forced(spec: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "small_nets"
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("precious")
    _, errors = call("build", spec, "-o", tmp_path / "out", code=2)
    assert "error[target-exists]" in errors
    assert (folder / "thesis.txt").read_text() == "precious"
    call("build", spec, "-o", tmp_path / "out", "--force")
    assert not (folder / "thesis.txt").exists()


@pytest.mark.parametrize("form", ["text", "svg", "html", "dot", "json"])
def test_inspect_in_every_format(spec: Path, tmp_path: Path, form: str) -> None:
    target = tmp_path / "drawing"
    call("inspect", spec, "--layer", "Quad", "--degree", 2, "--format", form, "-o", target)
    assert target.read_text().strip()


def test_inspect_refuses_what_is_not_there(spec: Path) -> None:
    assert "did you mean 'Quad'?" in call("inspect", spec, "--layer", "Qad", code=2)[1]
    assert "no layer has degree 7" in call("inspect", spec, "--degree", 7, code=2)[1]
    assert "unknown format" in call("inspect", spec, "--format", "jpeg", code=2)[1]
    assert "not yet served" in call("inspect", spec, "--format", "png", code=2)[1]


def test_why_prints_the_chain(spec: Path) -> None:
    assert call("inspect", spec, "--why", "w[0;1,2]", "w[1;0,2]")[0] == (
        "w[1; 0, 2] = w[0; 1, 2]\n  w[1; 0, 2] =  w[0; 1, 2]   by (0 1)\n"
    )
    assert "are not tied" in call("inspect", spec, "--why", "w[0;1,2]", "w[0;0,0]")[0]
    zero, _ = call("inspect", spec, "--layer", "Odd", "--why", "w[0;0,0,1]", "w[0;0,0,0]")
    assert zero.startswith("w[0; 0, 0, 1] is zero: it equals its own negative")


@pytest.mark.parametrize(
    ("slots", "message"),
    [
        (("w[0;1", "w[0;1]"), "is no slot"),
        (("w[0;1]", "w[0;1,2]"), "different degrees"),
        (("w[9;1]", "w[0;1]"), "beyond the last"),
        (("w[0;7]", "w[0;1]"), "no tuple of 1 indices below 3"),
        (("w[0;1,1,1,1]", "w[0;1,1,1,2]"), "no layer has degree 4"),
    ],
)
def test_why_refuses_malformed_slots(spec: Path, slots: tuple[str, str], message: str) -> None:
    assert message in call("inspect", spec, "--why", *slots, code=2)[1]


def test_explain_derives_this_very_spec(spec: Path) -> None:
    text, _ = call("explain", spec)
    assert "W = a I + b 11^T" in text
    assert "hyperoctahedral" in text or "B_2" in text


def test_explain_derives_what_cannot_be_emitted(spec: Path) -> None:
    spec.write_text(SPEC.replace("symmetric: 3", "cyclic: 400"))
    text, _ = call("explain", spec)
    assert "32080000 slots, 80200 classes" in text
    assert "There is no plan: layer Quad is too large to emit" in text


def test_lists_and_schema() -> None:
    assert "symmetric" in call("list", "groups")[0]
    assert "polynomial" in call("list", "layers")[0]
    assert "monomial" in call("list", "forms")[0]
    assert "did you mean 'groups'?" in call("list", "group", code=2)[1]
    assert json.loads(call("schema")[0])["$schema"].startswith("https://json-schema.org/")


def test_bench_says_that_it_is_not_yet_served(tmp_path: Path) -> None:
    assert "not yet served" in call("bench", tmp_path, code=2)[1]


def test_our_own_bugs_leave_with_1(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr("eqcompile.views.summarise", fail)
    _, errors = call("solve", spec, code=1)
    assert "a bug of ours" in errors
    assert "please report" in errors


def run_cold(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "eqcompile", *(str(a) for a in arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


def test_two_builds_are_identical_bytes(spec: Path, tmp_path: Path) -> None:
    trees = []
    for seed in ("0", "1", "2"):
        out = tmp_path / seed
        assert run_cold("build", spec, "-o", out, PYTHONHASHSEED=seed).returncode == 0
        trees.append(
            {p.relative_to(out): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}
        )
    assert trees[0] == trees[1] == trees[2]


def test_a_cold_build_takes_little(tmp_path: Path) -> None:
    """An S_16 quadratic layer is solved, proven and emitted without importing torch.

    The CPU time itself is measured in benchmarks/; here only a bound no loaded machine breaks.
    """
    path = tmp_path / "spec.yaml"
    path.write_text(
        "version: 1\npackage: sixteen\nlayers:\n"
        "  - {name: Quad, group: {symmetric: 16}, input: V, output: V, degree: 2}\n"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert run_cold("build", path, "-o", tmp_path / "out").returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 10


def test_output_may_be_cut_short(spec: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m eqcompile explain {spec} | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
