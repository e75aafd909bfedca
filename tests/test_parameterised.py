"""Parameterised layers from end to end: commands, diagrams, packages, certificate, tampering."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import eqcompile
from eqcompile.driver import compile_spec, read, render_spec
from eqcompile.emit.further_files import PARAMETERISED_MODULES
from eqcompile.emit.package import SHARED
from eqcompile.emit.parameterised import FAMILIES
from eqcompile.errors import CertificateError
from eqcompile.layers.parameterised import resolve_parameterised
from eqcompile.parameterised import find_dimension
from eqcompile.templating import template_root
from eqcompile.verification import check_tying, verify_package
from tests.emit.test_package import TRITON
from tests.test_anysize import run_selfcheck
from tests.test_cli import call
from tests.test_verification import edit, reseal

ROOT = Path(__file__).resolve().parent.parent

HEAD = """\
version: 1
package: force_nets
groups:
  Ring: {cyclic: 6}
  Any: {symmetric: any, nominal: 12}
layers:
"""

FORCE = """\
  - name: Force
    family: coulomb
    size: 6
    dims: {mu: 2, x: 2}
    group: Ring
    bias: true
    diagonal: free
    actions: {x: {matrices: [[["1/2", "-sqrt(3)/2"], ["sqrt(3)/2", "1/2"]]]}}
"""

CROSS = """\
  - name: Cross
    family: coulomb
    size: {in: 5, out: 4}
    dims: {mu: 3, x: 2}
    softening: {value: 0.2, learnable: true}
    signature: [1, 1, -1]
"""

DIST = """\
  - name: Dist
    family: distance_product
    size: 4
    dims: {mu: 2, x: 3}
    positions: {values: [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.5]]}
"""

SPECTRAL = """\
  - name: Low
    family: spectral
    size: 6
    rank: 3
    group: Ring
    actions: {q: {permutations: [[1, 2, 0]]}}
  - {name: Asym, family: spectral, size: 4, rank: 2, asymmetric: true, imbalance: 10, bias: true}
  - {name: Mem, family: spectral, size: 7, rank: 2, order: 3}
"""

HOMEOSTATIC = """\
  - {name: Norm, family: homeostatic, size: 6, group: Ring, leak: 0.05}
  - {name: Plain, family: homeostatic, size: 3}
"""

QUAD = "  - {name: Quad, group: {symmetric: 3}, input: V, output: V, degree: 2}\n"
GRAPH = "  - {name: Graph, group: Any, input: V ** 2, output: V, degrees: [1]}\n"

SPEC = HEAD + FORCE + QUAD + CROSS + DIST + SPECTRAL + GRAPH + HOMEOSTATIC
NAMES = ["Force", "Quad", "Cross", "Dist", "Low", "Asym", "Mem", "Graph", "Norm", "Plain"]

ALONE = {
    "coulomb": HEAD + FORCE + CROSS,
    "distance_product": HEAD + DIST,
    "spectral": HEAD + SPECTRAL,
    "homeostatic": HEAD + HOMEOSTATIC,
}


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
    shutil.copytree(built, target, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def test_solve_prints_json(spec: Path) -> None:
    found: Any = json.loads(call("solve", spec, "--json")[0])
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert list(layers) == NAMES
    force = layers["Force"]
    assert (force["degrees"], force["redundant"], force["family"]) == ({}, [], "coulomb")
    assert force["parameters"]["mu"] == {"shape": [6, 2], "numbers": 12, "free": 2}
    assert force["parameters"]["x"] == {"shape": [6, 2], "numbers": 12, "free": 2}
    assert (force["numbers"], force["free"], force["dense"]) == (36, 6, 42)
    assert force["proof"] == ["components", "burnside", "rank_mod_p", "molien"]
    assert list(layers["Cross"]["parameters"]) == ["mu", "x", "nu", "y", "raw_softening"]
    assert list(layers["Dist"]["parameters"]) == ["mu"]
    assert (layers["Low"]["numbers"], layers["Low"]["free"], layers["Low"]["dense"]) == (21, 4, 36)
    norm = layers["Norm"]["parameters"]
    assert {name: entry["free"] for name, entry in norm.items()} == {
        "weights": 6,
        "target": 6,
        "calibrated": 1,
    }
    assert (layers["Norm"]["numbers"], layers["Norm"]["dense"]) == (0, 36)
    # y_k = sum over pairs i <= j of w[k; i, j] z_i z_j
    assert layers["Mem"]["dense"] == 7 * 28
    assert layers["Quad"]["degrees"]["2"]["classes"] == 4


def test_solve_prints_two_tables(spec: Path) -> None:
    text = call("solve", spec)[0]
    degrees, weighted = text.split("\n\n")
    assert [line.split()[0] for line in degrees.splitlines()[2:]] == ["Quad"] * 3 + ["Graph"]
    lines = weighted.splitlines()
    assert lines[0].split() == ["layer", "family", "parameters", "free", "dense", "proof"]
    assert lines[2].split()[:5] == ["Force", "coulomb", "36", "6", "42"]
    spec.write_text(ALONE["spectral"])
    assert call("solve", spec)[0].splitlines()[0].split() == lines[0].split()


def test_solving_and_compiling_keep_the_order_of_the_spec() -> None:
    found = eqcompile.solve(SPEC)
    assert list(found) == NAMES
    assert [found[name] for name in ("Force", "Mem", "Plain")] == [{}, {}, {}]
    assert set(found["Quad"]) == {0, 1, 2}
    compiled = compile_spec(SPEC)
    assert [layer.solution.problem.name for layer in compiled.layers] == NAMES


def test_inspect_draws_text(spec: Path) -> None:
    text = call("inspect", spec, "--layer", "Force")[0]
    assert text.startswith("Force: coulomb, C_6, 6 -> 6\n  w_ij = <mu_i, mu_j> / ")
    assert "y_0   a   b   c  -a  -b  -c" in text
    assert "Force.weights: C_6, V -> V, degree 1: 36 slots, 6 classes, 0 zeros" in text
    assert call("inspect", spec, "--layer", "Force.mu")[0].startswith("Force.mu: C_6, V -> 2 1")
    assert "all free: no group acts" in call("inspect", spec, "--layer", "Mem")[0]
    every = call("inspect", spec)[0]
    assert [name for name in NAMES if f"{name}: " in every] == NAMES
    _, errors = call("inspect", spec, "--layer", "Force.y", code=2)
    assert "unknown layer 'Force.y'" in errors


def test_inspect_draws_only_layers_of_a_degree(spec: Path) -> None:
    text = call("inspect", spec, "--degree", "2")[0]
    assert text.startswith("Quad: ")
    assert "Force" not in text


def test_inspect_writes_json(spec: Path) -> None:
    layers = {
        x["name"]: x for x in json.loads(call("inspect", spec, "--format", "json")[0])["layers"]
    }
    assert sorted(layers) == sorted(NAMES)
    assert list(layers["Force"]["ties"]) == ["mu", "x", "diagonal", "bias", "weights"]
    assert layers["Force"]["ties"]["mu"]["blocks"][1]["classes"] == [1] * 6
    assert layers["Norm"]["ties"]["weights"]["class_count"] == 6
    assert layers["Mem"]["ties"] == {}
    assert layers["Mem"]["parameters"][0] == {
        "name": "q",
        "meaning": "directions, one per column",
        "shape": [7, 2],
        "numbers": 14,
        "free": 14,
    }


def test_inspect_draws_pictures(spec: Path) -> None:
    svg = call("inspect", spec, "--format", "svg", "--layer", "Force")[0]
    drawn = ET.fromstring(svg)
    assert sum(e.get("data-class") is not None for e in drawn.iter()) >= 12 + 12 + 6 + 6 + 36
    dot = call("inspect", spec, "--format", "dot", "--layer", "Force")[0]
    assert re.findall(r"^graph \"(\S+) degree 1\"", dot, re.M) == [
        f"Force.{name}" for name in ("mu", "x", "diagonal", "bias", "weights")
    ]
    spec.write_text(HEAD + QUAD + FORCE + HOMEOSTATIC)
    page = call("inspect", spec, "--format", "html")[0]
    for title in ("Quad: S_3", "Force.mu: C_6", "Norm.weights: C_6", "Plain: homeostatic, 3"):
        assert title in page
    assert "Quad degree 2" in call("inspect", spec, "--format", "dot")[0]


def test_inspect_refuses_pictures_of_nothing(spec: Path) -> None:
    for form in ("svg", "dot"):
        _, errors = call("inspect", spec, "--format", form, "--layer", "Mem", code=2)
        assert (
            f"error[no-ties]: nothing to draw in the format {form}: no group acts on Mem" in errors
        )
    assert "the format png" in call("inspect", spec, "--format", "png", "--layer", "Mem", code=2)[1]


def test_inspect_says_why_entries_of_a_parameter_are_tied(spec: Path) -> None:
    why = ("--why", "w[0; 1]", "w[0; 2]")
    text = call("inspect", spec, "--layer", "Force.mu", *why)[0]
    assert text == "w[0; 2] = w[0; 1]\n  w[0; 2] =  w[0; 1]   by (0 1 2 3 4 5)\n"
    _, errors = call("inspect", spec, "--layer", "Force", *why, code=2)
    assert "name one with --layer: Force.mu, Force.x" in errors
    # Without a name it is about the first layer that has the degree, which is polynomial.
    assert "not tied" in call("inspect", spec, "--why", "w[0; 0]", "w[0; 1]")[0]


def test_explain_derives_every_family(spec: Path) -> None:
    text = call("explain", spec)[0]
    assert all(len(line) <= 100 for line in text.splitlines())
    shown = [
        *("w_ij = <mu_i, mu_j> / (|x_i - x_j|^2 + 0.1), w_ii = diagonal_i", "mu^T = a A_a + b A_b"),
        *("c = -a + b", "d = sqrt(3)*a/3 - 2*sqrt(3)*b/3"),
        "36 numbers, 6 of them free under the group; a dense layer of this size has 42.",
        "W commutes with the group, so it is a combination of 6 orbitals",
        "Force.x         rank_mod_p, molien",
        "any invertible map of the charges out, undone on those in, keeps every weight",
        "scaling the positions by s, with charges times s^1 and the softening times s^2: likewise",
        "so W has rank d (p + 2) and is never formed",
        "numbering the directions in another order keeps every weight",
        "multiplying q_k by s and dividing lam_k by s^3: likewise",
        "the symmetric tensors reached are a family of 14 of 84 dimensions.",
        "W is averaged over them after every step, so 6 numbers are free.",
        "Nothing is trained: this is state, which adaptation changes; a dense layer of this size",
    ]
    joined = " ".join(text.split())
    for words in shown:
        assert " ".join(words.split()) in joined, words


def count_rank(kernel: Any, n: int, m: int, d: int) -> int:
    """Return the rank of the Jacobian of weights in the charges, between n and m neurons."""
    rng = np.random.default_rng(n + 10 * d)
    mu, nu = rng.normal(size=(m, d)), rng.normal(size=(n, d))
    rows = []
    for i in range(m):
        for j in range(i) if n == m else range(n):
            row = np.zeros((m + (0 if n == m else n), d))
            row[i] += (mu if n == m else nu)[j] * kernel[i, j]
            row[j if n == m else m + j] += mu[i] * kernel[i, j]
            rows.append(row.ravel())
    return int(np.linalg.matrix_rank(np.array(rows)))


@pytest.mark.parametrize(("n", "m"), [(4, 4), (6, 6), (5, 3)])
def test_given_positions_leave_the_dimension_of_the_charges(n: int, m: int) -> None:
    rng = np.random.default_rng(0)
    left, right = rng.integers(-9, 9, (m, 4)) + 0.5, rng.integers(-9, 9, (n, 4))
    size: Any = n if n == m else {"in": n, "out": m}
    values: Any = {"in": right.tolist(), "out": left.tolist()}
    given = right if n == m else left
    distances = ((given[:, None] - right[None]) ** 2).sum(-1) + 0.1
    for d in range(1, 6):
        layer = {"name": "Layer", "family": "coulomb", "size": size, "dims": {"mu": d, "x": 4}}
        layer["positions"] = {"values": right.tolist() if n == m else values}
        document = {"version": 1, "package": "given", "layers": [layer]}
        ((_, problem),) = resolve_parameterised(read(document))
        assert find_dimension(problem) == count_rank(1 / distances, n, m, d)


def list_own(families: list[str]) -> set[str]:
    modules = {m for name in families for m in FAMILIES[name].modules}
    return {f"{m}.py" for m in (*PARAMETERISED_MODULES, "parameterised_layers", *modules)}


def list_shared() -> set[str]:
    names = [*SHARED, "__init__", "layers", "ops", "programs", "straight"]
    data = {"tying.json", "certificate.json", "report.html", "py.typed"}
    return {f"{name}.py" for name in names} | data


@pytest.mark.parametrize("family", list(FAMILIES))
def test_modules_are_those_of_the_families_present(family: str) -> None:
    files = render_spec(ALONE[family]).files
    assert set(files) == list_shared() | list_own([family])
    quad = render_spec(HEAD + QUAD).files
    assert set(quad) == list_shared()
    assert "parameters" not in json.loads(quad["tying.json"])


def list_imported(text: str) -> set[str]:
    """Return the modules of its own package that a module imports."""
    found = set(re.findall(r"^ *from \.(\w+) import", text, re.M))
    for names in re.findall(r"^ *from \. import (.+)$", text, re.M):
        found |= {name.split(" as ")[0].strip() for name in names.split(",")}
    return found


def test_families_have_every_module_that_they_import() -> None:
    for family in FAMILIES:
        files = render_spec(ALONE[family]).files
        for name, text in files.items():
            assert {f"{module}.py" for module in list_imported(text)} <= set(files), (family, name)
        own = {m for f in files for m in list_imported(files[f])}
        assert set(FAMILIES[family].modules) <= own, family
    known = {m for code in FAMILIES.values() for m in code.modules}
    assert {m for m in known if not (template_root() / f"{m}.py.jinja").exists()} == set()


def test_triton_is_imported_late() -> None:
    """By modules that hold or launch kernels, which others import inside functions only."""
    files = {name: text for name, text in render_spec(ALONE["coulomb"]).files.items()}
    lazy = {*TRITON, "pair_kernels.py", "pair_launch.py"}
    for name, text in files.items():
        if not name.endswith(".py") or name in lazy:
            continue
        nodes = [n for n in ast.parse(text).body if isinstance(n, ast.Import | ast.ImportFrom)]
        named = {alias.name for node in nodes for alias in node.names}
        named |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        assert not named & {"triton", *(f.removesuffix(".py") for f in lazy)}, name
    assert "import triton" in files["pair_kernels.py"]


USE = """
import copy, io, json, pickle, sys
sys.modules["eqcompile"] = None
import torch, force_nets

found = {}
for name in sorted(set(vars(force_nets)) - {"layers"}):
    cls = getattr(force_nets, name)
    if not isinstance(cls, type) or not hasattr(cls, "facts"):
        continue
    layer = cls(backend="torch", device="cpu", dtype=torch.float64)
    facts = layer.facts
    z = torch.rand(2, 3, facts.n_in, dtype=torch.float64)
    assert layer(z).shape == (2, 3, facts.n_out)
    assert layer(z[0, 0]).shape == (facts.n_out,)
    assert layer(z[:0]).shape == (0, 3, facts.n_out)
    other = cls(dtype=torch.float64)
    other.load_state_dict(layer.state_dict())
    torch.testing.assert_close(other(z), layer(z))
    torch.testing.assert_close(pickle.loads(pickle.dumps(layer))(z), layer(z))
    torch.testing.assert_close(copy.deepcopy(layer)(z), layer(z))
    assert name + ": " in layer.explain() and "1. The layer" in layer.explain(), layer.explain()
    assert next(iter(cls().state_dict().values())).dtype == torch.float32
    found[name] = {k: list(v.shape) for k, v in layer.state_dict().items()}
print(json.dumps(found))
"""


def test_the_package_has_the_layers_of_the_contract(built: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", USE],
        cwd=built.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    homeostatic = {"weights": [6, 6], "target": [6, 6], "calibrated": []}
    assert found == {
        "Asym": {"u": [4, 2], "v": [4, 2], "lam": [2], "bias": [4]},
        "Cross": {"mu": [4, 3], "x": [4, 2], "nu": [5, 3], "y": [5, 2], "raw_softening": []},
        "Dist": {"mu": [4, 2]},
        "Force": {"theta_mu": [2], "theta_x": [2], "theta_diagonal": [1], "theta_bias": [1]},
        "Low": {"theta_q": [3], "theta_lam": [1]},
        "Mem": {"q": [7, 2], "lam": [2]},
        "Norm": homeostatic,
        "Plain": {"weights": [3, 3], "target": [3, 3], "calibrated": []},
    }


def test_documented_state_is_what_is_stored() -> None:
    problems = [problem for _, problem in resolve_parameterised(read(SPEC))]
    named = {problem.name: [p.name for p in problem.parameters] for problem in problems}
    assert named["Cross"] == ["mu", "x", "nu", "y", "raw_softening"]
    assert named["Norm"] == ["weights", "target", "calibrated"]


def test_the_package_is_verified(built: Path) -> None:
    checks = verify_package(built)
    assert any("stored blocks are fixed by every generator and complete" in c for c in checks)
    assert any("self-check passed" in c for c in checks)


@pytest.mark.slow
def test_the_package_checks_every_layer(built: Path) -> None:
    code, text = run_selfcheck(built)
    assert code == 0, text
    checked = {line.split()[1] for line in text.splitlines() if line.startswith("ok  ")}
    assert checked == set(NAMES)


def test_verify_proves_the_ties_of_a_spec(spec: Path) -> None:
    lines = call("verify", spec)[0].splitlines()
    assert "ok  Force.x: 2 classes by rank_mod_p, molien" in lines
    assert "ok  Norm.weights: 6 classes by components, burnside" in lines
    assert "ok  Mem: no ties, all parameters are free" in lines


Data = dict[str, Any]


def find_tie(data: Data, name: str) -> Data:
    found: Data = next(tie for tie in data["parameters"] if tie["name"] == name)
    return found


def split_class(data: Data) -> None:
    find_tie(data, "Force.mu")["blocks"][0]["slots"][0][5] = 3


def merge_classes(data: Data) -> None:
    block = find_tie(data, "Force.mu")["blocks"][0]
    block["slots"] = [[1] * 6, [1] * 6]


def flip_sign(data: Data) -> None:
    find_tie(data, "Low.q")["blocks"][0]["slots"][0][0] *= -1


def change_basis(data: Data) -> None:
    basis = find_tie(data, "Force.x")["blocks"][0]["basis"]
    basis["entries"][2][2] = [5 * number for number in basis["entries"][2][2]]


def change_generator(data: Data) -> None:
    find_tie(data, "Norm.weights")["input"]["images"][0]["perm"] = [0, 1, 2, 3, 4, 5]


def change_matrix(data: Data) -> None:
    find_tie(data, "Force.x")["linear"][0]["output"]["denominator"] += 1


def lose_tie(data: Data) -> None:
    data["parameters"].remove(find_tie(data, "Low.lam"))


def add_tie(data: Data) -> None:
    data["parameters"].append({**find_tie(data, "Low.lam"), "name": "Low.bias"})


def repeat_tie(data: Data) -> None:
    data["parameters"].append(find_tie(data, "Low.lam"))


def swap_shapes(data: Data) -> None:
    first, second = find_tie(data, "Low.lam"), find_tie(data, "Low.q")
    first["name"], second["name"] = second["name"], first["name"]


MUTANTS: dict[str, Callable[[Data], None]] = {
    "a class split": split_class,
    "two classes merged": merge_classes,
    "a sign flipped": flip_sign,
    "another basis": change_basis,
    "another generator": change_generator,
    "another matrix": change_matrix,
    "a tie gone": lose_tie,
    "a tie of nothing": add_tie,
    "a tie twice": repeat_tie,
    "ties exchanged": swap_shapes,
}


@pytest.mark.parametrize("mutant", list(MUTANTS))
def test_a_tampered_tie_is_refused_by_the_certificate_alone(package: Path, mutant: str) -> None:
    data = json.loads((package / "tying.json").read_text())
    assert check_tying(data) > 0
    MUTANTS[mutant](data)
    with pytest.raises(CertificateError):
        check_tying(data)


def test_tampering_is_refused_however_it_is_sealed(package: Path) -> None:
    edit(package / "tying.json", split_class)
    with pytest.raises(CertificateError, match="does not match its digest"):
        verify_package(package)
    reseal(package)
    assert "refused: " in call("verify", package, code=3)[1]
    shutil.rmtree(package)


@pytest.mark.parametrize("key", ["options", "parameters", "ties", "positions"])
def test_claims_are_compared_with_the_spec(package: Path, key: str) -> None:
    def change(data: Data) -> None:
        data["claims"]["parameterised_layers"][0 if key != "positions" else 2][key] = {}

    edit(package / "certificate.json", change)
    reseal(package)
    with pytest.raises(CertificateError, match="is not what the spec compiles to"):
        verify_package(package)


def test_the_certificate_states_every_tie(built: Path) -> None:
    claims = json.loads((built / "certificate.json").read_text())["claims"]
    force, _, dist, *_ = claims["parameterised_layers"]
    assert [tie["name"] for tie in force["ties"]] == [
        f"Force.{name}" for name in ("mu", "x", "diagonal", "bias", "weights")
    ]
    (block,) = force["ties"][1]["blocks"]
    assert (block["classes"], block["proof"]) == (2, ["rank_mod_p", "molien"])
    assert force["options"]["kernel"] == "inverse"
    assert len(dist["positions"]) == 64
    data = json.loads((built / "tying.json").read_text())
    entries = {entry["name"]: entry for entry in data["parameterised_layers"]}
    assert entries["Dist"]["positions"]["x"][3] == [0.0, 0.0, 1.5]
    assert entries["Force"]["explanation"].startswith("Force: coulomb, C_6, 6 -> 6\n")


def test_the_report_shows_parameters_and_diagrams(built: Path) -> None:
    page = (built / "report.html").read_text()
    for words in ("Free</th>", "Force: coulomb, C_6", "charges of the neurons", "The ties"):
        assert words in page
    assert page.count("<svg") > 12


SCRIPT = """
import hashlib
from eqcompile.driver import render_spec
from tests.test_parameterised import SPEC
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
    files = [(p.name, p.read_text()) for p in sorted(p for p in built.iterdir() if p.is_file())]
    assert found == {hashlib.sha256(repr(files).encode()).hexdigest()}


def run_tools(folder: Path, *tools: list[str]) -> None:
    shutil.copy(ROOT / "pyproject.toml", folder.parent)
    for tool in tools:
        command = [sys.executable, "-m", *tool, folder.name]
        done = subprocess.run(
            command, cwd=folder.parent, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_the_code_is_clean(package: Path) -> None:
    run_tools(package, ["ruff", "format", "--check"], ["ruff", "check"])


@pytest.mark.slow
def test_the_code_is_typed(package: Path) -> None:
    run_tools(package, ["mypy", "--strict"])


@pytest.mark.slow
@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_package_of_one_family_stands_alone(family: str, tmp_path: Path) -> None:
    folder = eqcompile.build(ALONE[family], tmp_path)
    code, text = run_selfcheck(folder)
    assert code == 0, text
    assert "checks passed" in text
    run_tools(folder, ["ruff", "format", "--check"], ["ruff", "check"])
