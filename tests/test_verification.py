"""A package that was tampered with is refused, also when all digests were recomputed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import eqcompile
from eqcompile.emit.claims import dump_json, hash_text
from eqcompile.errors import CertificateError
from eqcompile.layers.problem import LayerProblem
from eqcompile.plan.lifted import Cosets, find_cosets
from eqcompile.solve.tying import OutputOrbit
from eqcompile.verification import check_tying, verify_package
from tests.test_cli import SPEC, call

Data = dict[str, Any]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return eqcompile.build(SPEC, tmp_path_factory.mktemp("built"))


@pytest.fixture
def package(built: Path, tmp_path: Path) -> Path:
    target = tmp_path / built.name
    shutil.copytree(built, target)
    return target


def reseal(folder: Path) -> None:
    """Recompute every digest of a package, as somebody who means to deceive would."""
    path = folder / "certificate.json"
    certificate = json.loads(path.read_text())
    certificate["digest"] = hash_text(dump_json(certificate["claims"]))
    for name in certificate["files"]:
        certificate["files"][name] = hash_text((folder / name).read_text())
    path.write_text(dump_json(certificate))


def edit(path: Path, change: Callable[[Data], None]) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(dump_json(data))


def slots_of(data: Data, layer: int, degree: int) -> list[list[int]]:
    blocks = data["layers"][layer]["blocks"]
    found: list[list[int]] = next(b["slots"] for b in blocks if b["shape"] == [degree])
    return found


def replace_class(old: int, new: int) -> Callable[[list[list[int]]], None]:
    def change(slots: list[list[int]]) -> None:
        for row in slots:
            row[:] = [(new if v > 0 else -new) if abs(v) == old else v for v in row]

    return change


def split(slots: list[list[int]]) -> None:
    top = max(abs(v) for row in slots for v in row)
    place = next(i for i, v in enumerate(slots[-1]) if abs(v) == top)
    slots[-1][place] = top + 1


def flip(slots: list[list[int]]) -> None:
    place = next(i for i, v in enumerate(slots[-1]) if v)
    slots[-1][place] *= -1


def free_zero(slots: list[list[int]]) -> None:
    top = max(abs(v) for row in slots for v in row)
    place = next(i for i, v in enumerate(slots[-1]) if not v)
    slots[-1][place] = top + 1


MUTANTS: dict[str, Callable[[Data], None]] = {
    "a class split": lambda d: split(slots_of(d, 0, 2)),
    "two classes merged": lambda d: replace_class(4, 3)(slots_of(d, 0, 2)),
    "a sign flipped": lambda d: flip(slots_of(d, 1, 3)),
    "a zero freed": lambda d: free_zero(slots_of(d, 1, 3)),
    "a class dropped": lambda d: replace_class(4, 0)(slots_of(d, 0, 2)),
    "a generator changed": lambda d: d["layers"][0]["input"]["images"][1].update(perm=[0, 1, 2]),
    "fewer zeros claimed": lambda d: d["layers"][1]["blocks"][0].update(zeros=0),
    "another representative": lambda d: d["layers"][0]["blocks"][1]["representatives"][0].reverse(),
    "a number for a table": lambda d: d["layers"][0]["blocks"][1].update(slots=3),
    "an absurd class": lambda d: replace_class(4, 10**12)(slots_of(d, 0, 2)),
    "a layer gone": lambda d: d["layers"].pop(),
}


def test_an_honest_package_holds(package: Path) -> None:
    checks = verify_package(package)
    assert any("fixed by every generator" in c for c in checks)
    assert any("self-check passed" in c for c in checks)


@pytest.mark.parametrize("resealed", [False, True], ids=["plain", "digests recomputed"])
@pytest.mark.parametrize("mutant", list(MUTANTS))
def test_a_tampered_tying_is_refused(package: Path, mutant: str, resealed: bool) -> None:
    edit(package / "tying.json", MUTANTS[mutant])
    if resealed:
        reseal(package)
    with pytest.raises(CertificateError, match=None if resealed else "does not match its digest"):
        verify_package(package)
    assert "refused: " in call("verify", package, code=3)[1]


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m != "a layer gone"])
def test_the_stored_tying_is_refused_by_the_certificate_alone(package: Path, mutant: str) -> None:
    """Not only because the file differs from what the spec compiles to."""
    data = json.loads((package / "tying.json").read_text())
    assert check_tying(data) > 0
    MUTANTS[mutant](data)
    with pytest.raises(CertificateError):
        check_tying(data)


CLAIMS: dict[str, Callable[[Data], None]] = {
    "more classes": lambda d: d["claims"]["layers"][0]["blocks"][2].update(classes=5),
    "another spec": lambda d: d["claims"]["spec"].update(text=SPEC.replace("3", "4", 1)),
    "no spec": lambda d: d["claims"].pop("spec"),
    "a file outside": lambda d: d["claims"]["spec"].update(files={"../x": "y"}),
    "kernels that are not proven": lambda d: d["claims"]["layers"][0].update(kernels=None),
    "other kernels": lambda d: d["claims"]["layers"][0]["kernels"].update(digest="0" * 64),
    "another tool": lambda d: d["claims"].update(tool="eqcompile 0.0.1"),
    "no claims": lambda d: d.pop("claims"),
}


@pytest.mark.parametrize("resealed", [False, True], ids=["plain", "digests recomputed"])
@pytest.mark.parametrize("mutant", list(CLAIMS))
def test_a_tampered_certificate_is_refused(package: Path, mutant: str, resealed: bool) -> None:
    edit(package / "certificate.json", CLAIMS[mutant])
    if resealed and mutant != "no claims":
        reseal(package)
    with pytest.raises(CertificateError):
        verify_package(package)


def test_the_plan_of_the_kernels_is_proven_again(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By comparing it with the ansatz, not only by comparing files."""

    def swap(problem: LayerProblem, orbit: OutputOrbit) -> Cosets:
        found = find_cosets(problem, orbit)
        order = [1, 0, *range(2, len(found.outputs))]
        return replace(found, inputs=tuple(moved[order] for moved in found.inputs))

    monkeypatch.setattr("eqcompile.plan.lifted.find_cosets", swap)
    with pytest.raises(CertificateError, match="plan of Quad differs from the ansatz"):
        verify_package(package)


def test_tampered_code_is_refused(package: Path) -> None:
    layers = package / "layers.py"
    layers.write_text(layers.read_text() + "\n# harmless\n")
    with pytest.raises(CertificateError, match=r"layers\.py does not match its digest"):
        verify_package(package)
    reseal(package)
    with pytest.raises(CertificateError, match=r"layers\.py is not what the spec compiles to"):
        verify_package(package)


def test_missing_and_extra_files_are_refused(package: Path) -> None:
    (package / "extra.py").write_text("")
    with pytest.raises(CertificateError, match=r"extra\.py is not in the certificate"):
        verify_package(package)
    (package / "extra.py").unlink()
    (package / "programs.py").unlink()
    with pytest.raises(CertificateError, match=r"programs\.py is missing"):
        verify_package(package)
    (package / "certificate.json").write_text("{")
    with pytest.raises(CertificateError, match=r"certificate\.json cannot be read"):
        verify_package(package)
