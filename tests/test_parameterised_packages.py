"""Packages of parameterised layers: modules, contract, certificate, tampering, determinism."""

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

import pytest

import eqcompile
from eqcompile.driver import render_spec
from eqcompile.emit.further_files import PARAMETERISED_MODULES
from eqcompile.emit.package import SHARED
from eqcompile.emit.parameterised import FAMILIES
from eqcompile.errors import CertificateError
from eqcompile.templating import template_root
from eqcompile.verification import check_tying, verify_package
from tests.emit.test_package import TRITON
from tests.test_anysize import run_selfcheck
from tests.test_cli import call
from tests.test_parameterised import ALONE, HEAD, NAMES, QUAD, SPEC
from tests.test_verification import edit, reseal

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return eqcompile.build(SPEC, tmp_path_factory.mktemp("built"))


@pytest.fixture
def package(built: Path, tmp_path: Path) -> Path:
    target = tmp_path / built.name
    shutil.copytree(built, target, ignore=shutil.ignore_patterns("__pycache__"))
    return target


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
    files = render_spec(ALONE["coulomb"]).files
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


COMPILED = """
import torch, force_nets

for name in ("Force", "Low"):
    layer = getattr(force_nets, name)(dtype=torch.float64)
    z = torch.randn(5, layer.facts.n_in, dtype=torch.float64)
    compiled = torch.compile(layer, fullgraph=True)
    found = torch.autograd.grad(compiled(z).pow(2).sum(), list(layer.parameters()))
    expected = torch.autograd.grad(layer(z).pow(2).sum(), list(layer.parameters()))
    for left, right in zip(found, expected, strict=True):
        torch.testing.assert_close(left, right)
"""


@pytest.mark.slow
def test_inductor_differentiates_ties_of_one_number(built: Path) -> None:
    """In another process: where warnings are errors, inductor finds no vector instructions."""
    done = subprocess.run(
        [sys.executable, "-c", COMPILED],
        cwd=built.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


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
