"""Layers for any n from end to end: the command line, the certificate, tampering, determinism."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import eqcompile
from eqcompile.draw.diagrams import derive_sections
from eqcompile.errors import CertificateError, SpecError
from eqcompile.solve.diagrams import DiagramBlock
from eqcompile.verification import check_tying, verify_package
from tests.test_cli import call
from tests.test_verification import edit, reseal

ROOT = Path(__file__).resolve().parent.parent

SPEC = """\
version: 1
package: graph_nets
groups:
  Any: {symmetric: any, nominal: 12}
layers:
  - name: Graph
    group: Any
    input: Sym(V, 2)
    output: V ** 2
    degree: 2
    channels: {in: 2, out: 1}
  - name: Quad
    group: {symmetric: 3}
    input: V
    output: V
    degree: 2
  - {name: Readout, group: {symmetric: any}, input: V ** 2, output: V, degrees: [1]}
"""

ALONE = """\
version: 1
package: alone_nets
layers:
  - {name: Graph, group: {symmetric: any}, input: V ** 2, output: V ** 2, degrees: [0, 1]}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return eqcompile.build(SPEC, tmp_path_factory.mktemp("built"))


@pytest.fixture
def package(built: Path, tmp_path: Path) -> Path:
    target = tmp_path / built.name
    shutil.copytree(built, target)
    return target


def test_solve(spec: Path) -> None:
    found: Any = json.loads(call("solve", spec, "--json")[0])
    assert [layer["name"] for layer in found["layers"]] == ["Graph", "Quad", "Readout"]
    assert found["layers"][0]["degrees"]["2"] == {
        "slots": 36 * 231,
        "classes": 56,
        "ordered_classes": 92,
        "zeros": 0,
        "additive": 0,
        "affine": False,
        "proof": ["partitions"],
        "n": 6,
    }
    assert re.search(r"^Graph +2 +8316 +56 +92 +0 +0 +partitions$", call("solve", spec)[0], re.M)
    solved = eqcompile.solve(SPEC)
    block = solved["Graph"][2]
    assert isinstance(block, DiagramBlock)
    assert (block.classes, block.count_alive(3)) == (56, 34)
    assert list(solved) == ["Graph", "Quad", "Readout"]


def test_large_degrees_are_solved_and_not_emitted(tmp_path: Path) -> None:
    layer = "{name: Big, group: {symmetric: any}, input: V ** 2, output: V ** 2, degrees: [4]}"
    text = f"version: 1\npackage: big_nets\nlayers:\n  - {layer}\n"
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    found: Any = json.loads(call("solve", path, "--json")[0])
    assert found["layers"][0]["degrees"]["4"]["classes"] == 6719
    assert found["layers"][0]["degrees"]["4"]["ordered_classes"] == 115975
    with pytest.raises(SpecError, match=r"error\[too-large\]: layer Big is too large to emit"):
        eqcompile.build(text, tmp_path / "out")
    assert "There is no plan: layer Big is too large to emit" in call("explain", path)[0]
    assert "Big has no plan" in call("verify", path)[0]
    high = text.replace("V ** 2", "V").replace("[4]", "[8], channels: {mixing: channelwise}")
    with pytest.raises(SpecError, match="its degree is 8, at most 6 is served"):
        eqcompile.build(high, tmp_path / "out")


def test_explain(spec: Path) -> None:
    text = call("explain", spec)[0]
    assert text.index("Graph: S_n for any n, Sym(V, 2) -> V ** 2") < text.index("Quad: S_3, V -> V")
    assert "y_ij = sum_k x_ik x_jj     ik,jj->ij" in text
    assert "degree  n = 1  n = 2  n = 3  n = 4  n = 5  n >= 6" in text
    assert "2           1     12     34     50     55      56" in text
    assert "in the order that is cheapest at n = 12" in " ".join(text.split())
    assert max(len(line) for line in text.splitlines()) <= 100


def test_inspect(spec: Path) -> None:
    text = call("inspect", spec, "--layer", "Graph", "--degree", "1")[0]
    assert "degree 1: 11 classes for n >= 4" in text
    assert "at n = 1, 2, 3 there are 1, 6, 10" in text
    assert re.search(r"^  6 +y_ij = sum_k x_ik +ik->i +3$", text, re.MULTILINE)
    both = call("inspect", spec)[0]
    assert "Quad: S_3, V -> V, degree 2: 18 slots" in both
    assert "Readout: S_n for any n, V ** 2 -> V, degree 1: 5 classes" in both
    data: Any = json.loads(call("inspect", spec, "--format", "json", "--degree", "1")[0])
    assert {layer["name"] for layer in data["layers"]} == {"Graph", "Quad", "Readout"}
    graph = next(layer for layer in data["layers"] if layer["name"] == "Graph")
    degree = graph["degrees"]["1"]
    assert (degree["class_count"], degree["room"], degree["by_n"]) == (11, 4, [1, 6, 10, 11])
    assert degree["classes"][5] == {
        "name": "5",
        "formula": "y_ij = x_ij",
        "einsum": "ij->ij",
        "nodes": 2,
        "target": 0,
        "outputs": [0, 1],
        "edges": [[0, [0, 1]]],
    }


def test_pictures(spec: Path) -> None:
    svg = call("inspect", spec, "--layer", "Graph", "--format", "svg")[0]
    root = ET.fromstring(svg)
    cells = [e for e in root.iter("{http://www.w3.org/2000/svg}g") if "data-class" in e.attrib]
    assert len(cells) == 2 + 11 + 56
    html = call("inspect", spec, "--layer", "Readout", "--format", "html")[0]
    assert html.count("data-class=") == 5
    dot = call("inspect", spec, "--layer", "Readout", "--format", "dot")[0]
    assert dot.count("subgraph cluster_") == 5
    assert "c1n0 -> c1n1;" in dot
    graph = call("inspect", spec, "--layer", "Graph", "--format", "dot", "--degree", "1")[0]
    assert "c1n0 -> c1n1 [dir=none];" in graph
    error = call("inspect", spec, "--format", "svg", code=2)[1]
    assert "name one layer with --layer" in error
    assert "no layer has degree 7" in call("inspect", spec, "--degree", "7", code=2)[1]
    assert "unknown layer 'Grap'" in call("inspect", spec, "--layer", "Grap", code=2)[1]


def test_slots_have_no_numbers(spec: Path) -> None:
    slots = ("w[0; 1]", "w[1; 0]")
    error = call("inspect", spec, "--layer", "Graph", "--why", *slots, code=2)[1]
    assert "slots of Graph have no numbers: it serves every number of points" in error
    assert "w[1; 0] = w[0; 1]" in call("inspect", spec, "--layer", "Quad", "--why", *slots)[0]


def test_edges_of_every_size_are_drawn(tmp_path: Path) -> None:
    for source in ("1 + V", "Sym(V, 3)", "V ** 3 + V ** 2"):
        layer = (
            f'{{name: Any, group: {{symmetric: any}}, input: "{source}", output: V, degrees: [2]}}'
        )
        path = tmp_path / "spec.yaml"
        path.write_text(f"version: 1\npackage: nets\nlayers:\n  - {layer}\n")
        root = ET.fromstring(call("inspect", path, "--format", "svg")[0])
        numbers = [e.attrib["data-class"] for e in root.iter() if "data-class" in e.attrib]
        assert numbers == [str(j) for j in range(len(numbers))]
        assert "shape=box" in call("inspect", path, "--format", "dot")[0]


def test_certificate(built: Path) -> None:
    claims = json.loads((built / "certificate.json").read_text())["claims"]
    assert [layer["name"] for layer in claims["layers"]] == ["Quad"]
    graph, readout = claims["diagram_layers"]
    assert [b["shape"] for b in graph["blocks"]] == [[], [1], [2], [1, 1]]
    block = graph["blocks"][2]
    assert (block["classes"], block["proof"]) == (56, ["partitions"])
    assert block["by_nodes"] == [0, 1, 11, 22, 16, 5, 1]
    assert block["solver"] == {"n": 6, "slots": 8316, "classes": 56}
    assert {plan["prime"] for plan in graph["plans"]} == {67_108_859}
    assert len({b["digest"] for b in (*graph["blocks"], *readout["blocks"])}) == 5
    report = (built / "report.html").read_text()
    assert "Graph: S_n for any n" in report
    assert report.count("data-class=") > 56
    assert "8,316" in report


def test_verify(built: Path, spec: Path) -> None:
    lines = verify_package(built)
    assert "9 stored blocks are fixed by every generator and complete" in lines
    text = call("verify", spec)[0]
    assert "Graph degree 2 (1,1): 92 classes for any n by partitions, and 92 of the solver" in text
    assert "Graph contractions weight_2: equal to its diagrams" in text
    assert "Quad plan" in text


@pytest.mark.parametrize("what", ["dropped", "edge", "twice"])
def test_a_list_of_classes_that_is_wrong_is_refused(package: Path, what: str) -> None:
    def change(data: Any) -> None:
        block = data["diagram_layers"][0]["blocks"][2]
        match what:
            case "dropped":
                del block["diagrams"][7]
            case "edge":
                block["diagrams"][7]["edges"][0][2] = [0]
            case "twice":
                block["diagrams"][7] = block["diagrams"][8]

    edit(package / "tying.json", change)
    with pytest.raises(CertificateError):
        check_tying(json.loads((package / "tying.json").read_text()))
    reseal(package)
    with pytest.raises(CertificateError):
        verify_package(package)


def run_selfcheck(package: Path) -> tuple[int, str]:
    """Run the checks of a package where eqcompile cannot be imported."""
    trap = "import sys\nsys.modules['eqcompile'] = None\n"
    code = f"import runpy\nrunpy.run_module('{package.name}.selfcheck', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", trap + code],
        cwd=package.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_package_checks_itself(built: Path) -> None:
    code, text = run_selfcheck(built)
    assert code == 0, text
    assert "ok    Graph    definition" in text
    assert "10 of 10 checks passed" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ('"bcij,bcij->bci", x, x) / n', '"bcij,bcij->bci", x, x) / n**2', "definition"),
        ("x.mean(3)", "x[..., 0]", "equivariance"),
        ("v1 * v1", "v1 * v1.detach()", "gradients"),
    ],
)
def test_the_self_check_sees_a_planted_bug(package: Path, old: str, new: str, check: str) -> None:
    path = package / "contractions.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    code, text = run_selfcheck(package)
    assert code == 1
    assert f"FAIL  Graph    {check}" in text


@pytest.mark.slow
def test_the_self_check_sees_another_diagram(package: Path) -> None:
    def change(data: Any) -> None:
        blocks = data["diagram_layers"][0]["blocks"]
        blocks[1]["diagrams"][1]["edges"] = [[0, 0, [1, 1]]]

    edit(package / "tying.json", change)
    code, text = run_selfcheck(package)
    assert code == 1
    assert "FAIL  Graph    definition" in text


def test_a_package_without_other_layers(tmp_path: Path) -> None:
    folder = eqcompile.build(ALONE, tmp_path)
    code, text = run_selfcheck(folder)
    assert code == 0, text
    assert "3 of 3 checks passed" in text
    assert json.loads((folder / "tying.json").read_text())["layers"] == []
    verify_package(folder)
    for tool in (["ruff", "format", "--check"], ["ruff", "check"]):
        config = ["--config", str(ROOT / "pyproject.toml")]
        command = [sys.executable, "-m", *tool, *config, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_package_is_clean_and_typed(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / built.name)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for tool in (["ruff", "format", "--check"], ["ruff", "check"], ["mypy", "--strict"]):
        command = [sys.executable, "-m", *tool, built.name]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


SCRIPT = """
import hashlib, sys
from eqcompile.driver import render_spec
from tests.test_anysize import SPEC
files = sorted(render_spec(SPEC).files.items())
print(hashlib.sha256(repr(files).encode()).hexdigest())
"""


def test_the_same_bytes_under_any_hash_seed(built: Path) -> None:
    found = set()
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", SCRIPT]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        found.add(done.stdout.strip())
    paths = sorted(p for p in built.iterdir() if p.is_file())
    files = [(p.name, p.read_text()) for p in paths]
    assert found == {hashlib.sha256(repr(files).encode()).hexdigest()}


def test_sections_are_left_out_where_there_is_nothing_to_say() -> None:
    from eqcompile.driver import read
    from eqcompile.layers.any_size import resolve_diagrams
    from eqcompile.solve.diagrams import solve_diagrams

    text = ALONE.replace("V ** 2, output: V ** 2", "V, output: 1").replace("[0, 1]", "[1]")
    ((_, problem),) = resolve_diagrams(read(text))
    titles = [section.title for section in derive_sections(solve_diagrams(problem))]
    assert titles == ["The action", "The solution", "The channels"]
