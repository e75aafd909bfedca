"""Each example builds, proves itself, trains, and prints the figures its README claims."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {
    "digits": "digit_nets",
    "graphs": "graph_nets",
    "growth": "growth_nets",
    "homeostasis": "homeostasis",
    "lattice_boltzmann": "collision_nets",
    "lorentz": "lorentz_nets",
    "molecules": "molecule_nets",
    "tensor_products": "rotation_nets",
}
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[+-]\d+)?")


def run(*arguments: str, path: Path = ROOT) -> str:
    """Run Python with ``path`` importable, and return what it prints."""
    search = os.pathsep.join([str(path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": search},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_row(printed: str, name: str) -> list[float]:
    """Return the numbers of the one line of a printed table that starts with ``name``."""
    (line,) = (line for line in printed.splitlines() if re.match(rf"{re.escape(name)}  ", line))
    return [float(word.replace(",", "")) for word in NUMBER.findall(line[len(name) :])]


def drop_seconds(printed: str) -> str:
    return re.sub(r"\|[ \d.]+$", "", printed, flags=re.MULTILINE)


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build every example with one command."""
    folder = tmp_path_factory.mktemp("packages")
    specs = [f"examples/{name}/spec.yaml" for name in PACKAGES]
    run("-m", "eqcompile", "build", *specs, "-o", str(folder))
    return folder


@pytest.mark.parametrize("name", PACKAGES)
def test_the_class_counts_of_the_readme_are_solved(name: str) -> None:
    """Every row of degree, coefficients and classes is what ``solve`` says."""
    solved = json.loads(run("-m", "eqcompile", "solve", f"examples/{name}/spec.yaml", "--json"))
    rows = [
        f"| {degree} | {counts['slots']:,} | {counts['classes']:,} |"
        for layer in solved["layers"]
        for degree, counts in layer["degrees"].items()
    ]
    readme = (ROOT / "examples" / name / "README.md").read_text("utf-8")
    assert [row for row in rows if row not in readme] == []


def test_the_packages_are_formatted_and_clean(packages: Path) -> None:
    config = str(ROOT / "pyproject.toml")
    run("-m", "ruff", "format", "--check", "--config", config, str(packages))
    run("-m", "ruff", "check", "--config", config, str(packages))


def test_every_example_is_listed() -> None:
    assert {path.name for path in (ROOT / "examples").iterdir() if path.is_dir()} == set(PACKAGES)


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES.values())
def test_the_package_checks_itself(package: str, packages: Path) -> None:
    run("-m", f"{package}.selfcheck", path=packages)


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES.values())
def test_the_package_is_verified(package: str, packages: Path) -> None:
    run("-m", "eqcompile", "verify", str(packages / package))


def test_a_missing_package_is_built_by_the_script(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    run("examples/lattice_boltzmann/train.py", "--packages", str(folder))
    assert (folder / "collision_nets" / "certificate.json").exists()


def test_lattice_boltzmann(packages: Path) -> None:
    """Laws of conservation leave 56 parameters; what they learn from 20 samples drives a fluid."""
    printed = run("examples/lattice_boltzmann/train.py", "--packages", str(packages))
    count, training, test, asymmetry, lost = read_row(printed, "D4 and conservation (eqcompile)")
    assert count == 2 + 10 + 44
    assert max(training, test) < 1e-12
    assert max(asymmetry, lost) < 1e-14
    count, training, test, asymmetry, lost = read_row(printed, "D4 (eqcompile)")
    assert count == 3 + 15 + 65
    assert max(training, test) < 2e-12
    assert asymmetry < 1e-14 < 1e-2 < lost
    count, training, test, asymmetry, lost = read_row(printed, "unconstrained")
    assert count == 9 * 55
    assert training < 1e-12 < 1e-4 < min(test, asymmetry)
    count, training, test, asymmetry, lost = read_row(printed, "unconstrained, 8 moved copies")
    assert max(training, test, asymmetry) < 2e-12
    assert "determine: 44 of 56, 65 of 83" in printed
    for name, free in (("D2Q9, 32 x 32 cells", 56), ("D3Q19, 24 x 24 x 3 cells", 115)):
        count, theory, bgk, layer, difference, drift = read_row(printed, name)
        assert count == free
        assert abs(bgk / theory - 1) < 5e-3
        assert layer == bgk
        assert difference < 1e-10
        assert drift < 1e-11


def test_tensor_products(packages: Path) -> None:
    """Layers move as their inputs do, and find bilinear laws from a few samples."""
    printed = run("examples/tensor_products/train.py", "--packages", str(packages))
    checked, fitted = printed.split("\n\n")
    for name, classes in (("TensorProduct", 18), ("Multipole", 15), ("MirroredMultipole", 9)):
        paths, found, turned, mirrored = read_row(checked, name)
        assert paths == found == classes
        assert turned < 1e-13
        assert (mirrored < 1e-13) == (name == "MirroredMultipole")
    for name, free in (("rotations, mirrors (eqcompile)", 9), ("rotations (eqcompile)", 15)):
        count, *errors = read_row(fitted, name)
        assert count == free
        assert max(errors) < 1e-13
    count, training, test, *asymmetry = read_row(fitted, "unconstrained")
    assert count == 7 * 81
    assert training < 1e-13 < 1e-1 < min(test, *asymmetry)
    assert max(read_row(fitted, "unconstrained, 20 moved copies")[1:]) < 1e-12


def test_lorentz(packages: Path) -> None:
    """What is learnt from slow particles holds for fast ones, because it commutes with boosts."""
    printed = run("examples/lorentz/train.py", "--packages", str(packages))
    checked, decay, electron, path = printed.split("\n\n")
    assert read_row(checked, "Decay")[0] == 6
    assert read_row(checked, "Electron")[0] == 9
    assert max(read_row(checked, name)[1] for name in ("Decay", "Electron")) < 1e-11
    assert "determine 6 of 6" in decay
    assert "determine 6 of 9" in electron
    for part, free, bound in ((decay, 5 * 45, 1e-10), (electron, 4 * 528, 1e-6)):
        assert max(read_row(part, "boosts, rotations (eqcompile)")[1:]) < 1e-10
        count, training, *errors = read_row(part, "unconstrained")
        assert count == free
        assert training < 1e-13 < 1e-1 < min(errors)
        assert max(read_row(part, "unconstrained, 200 moved copies")[1:]) < bound
    difference, shell = (float(word) for word in re.findall(r"\d\.\de-\d+", path))
    assert max(difference, shell) < 1e-8


def test_graphs(packages: Path) -> None:
    """Triangles are learnt at degree 3 alone, and then counted at a size never seen."""
    printed = run("examples/graphs/train.py", "--packages", str(packages))
    for name, count in (("Linear", 5), ("Quadratic", 22)):
        parameters, _, *errors, asymmetry = read_row(printed, name)
        assert parameters == count
        assert min(errors) > 1e-3 > 1e-12 > asymmetry
    parameters, determined, training, small, large, asymmetry = read_row(printed, "Cubic")
    assert (parameters, determined) == (91, 33)
    assert max(training, small, large, asymmetry) < 1e-12


@pytest.mark.slow
def test_growth(packages: Path) -> None:
    """The error falls with the rank, from next to chance to near that of a dense layer."""
    arguments = ("examples/growth/train.py", "--packages", str(packages), "--seeds", "1")
    printed = run(*arguments)
    rows = {rank: read_row(printed, str(rank)) for rank in (1, 2, 4, 8, 16, 24)}
    assert [row[0] for row in rows.values()] == [64 + rank * 65 for rank in rows]
    for part in (1, 2, 3, -2, -1):
        errors = {rank: row[part] for rank, row in rows.items()}
        assert errors[1] > 60 > 40 > errors[4] > 10 > errors[16] > errors[24] - 2
        assert errors[24] < 7
    dense = read_row(printed, "dense")
    assert dense[0] == 64 * 65
    assert dense[3] < 5


def check_digits(printed: str) -> list[float]:
    """Check what holds after any number of epochs; return the row of the equivariant network."""
    ours = read_row(printed, "D4-equivariant (eqcompile)")
    free = read_row(printed, "unconstrained")
    assert ours[0] == 2 * (10 + 528 + 16768) + 10 * (1 + 2 * (10 + 288))
    assert free[0] == 2 * 64 * (1 + 64 + 2080) + 10 * (1 + 2 * (64 + 2080))
    assert ours[3] == ours[4], "turned test digits err exactly as often as upright ones"
    assert ours[5] < 1e-4
    assert free[5] > 1e-2
    assert free[4] > 50
    return ours


@pytest.mark.slow
def test_digits_quickly_and_twice_the_same(packages: Path) -> None:
    arguments = ("examples/digits/train.py", "--packages", str(packages), "--quick")
    printed = run(*arguments)
    check_digits(printed)
    assert drop_seconds(run(*arguments)) == drop_seconds(printed)


@pytest.mark.slow
def test_digits(packages: Path) -> None:
    printed = run("examples/digits/train.py", "--packages", str(packages))
    ours = check_digits(printed)
    assert ours[1] < 1
    assert ours[3] < 6
    assert read_row(printed, "unconstrained, training turned")[4] < 8


def test_homeostasis(packages: Path, tmp_path: Path) -> None:
    """Responses return after a change of contrast, to where the layer said they would."""
    figure = tmp_path / "homeostasis.svg"
    arguments = ("--packages", str(packages), "--figure", str(figure))
    printed = run("examples/homeostasis/adapt.py", *arguments)
    readme = (ROOT / "examples" / "homeostasis" / "README.md").read_text("utf-8")
    assert printed.rpartition("figure: ")[0] in readme
    assert figure.read_text("utf-8").startswith("<?xml")
    rows = {name: read_row(printed, name) for name in ("before", "during", "after")}
    _, drive, start, *_, settled, fixed, unadapted, error = rows["during"][:9]
    assert drive / rows["before"][1] > 7
    assert start > 2.8 * rows["before"][5]
    assert unadapted > 2.8
    assert settled == fixed < 1.08 * rows["before"][5]
    assert error < 1e-4
    assert rows["after"][2] < 0.7 * rows["after"][5]
    assert rows["after"][6] == rows["before"][6]


@pytest.mark.slow
def test_molecules(packages: Path) -> None:
    """A few numbers per neuron do about as well as a full matrix; counting elements does better."""
    printed = run("examples/molecules/train.py", "--packages", str(packages))
    assert printed.startswith("148 molecules of up to 14 atoms, 14 elements; ")
    readme = (ROOT / "examples" / "molecules" / "README.md").read_text("utf-8")
    for name in (
        "mean of the training part",
        "linear, counts of elements",
        "linear, sorted matrix",
    ):
        (line,) = (line for line in printed.splitlines() if line.startswith(name))
        assert drop_seconds(line) in readme
    linear = read_row(printed, "linear, sorted matrix")[1]
    for name, count in (
        ("hidden layer: Coulomb", 105 * (8 + 3) + 105),
        ("hidden layer: distance product", 105 * (4 + 3) + 105),
        ("hidden layer: spectral", 105 * 8 + 8 + 105),
        ("hidden layer: full matrix", 105 * 105 + 105),
    ):
        parameters, error = read_row(printed, name)[:2]
        assert parameters == count + 106
        assert error < linear - 4
    assert read_row(printed, "linear, counts of elements")[1] < 35
