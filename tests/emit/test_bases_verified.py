"""What a package says of its bases and linear generators is proven, and its own checks see lies."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from eqcompile.emit.tying_json import describe_basis, describe_generator, describe_layer
from eqcompile.emit.write import write_package
from eqcompile.errors import CertificateError
from eqcompile.solve.certificate import prove
from eqcompile.verification import check_tying, read_basis, read_generators, read_rows
from tests.emit.additive import find, list_layers, render_solutions
from tests.emit.problems import import_written
from tests.emit.test_standalone import run

Data = dict[str, Any]

# The ties of all classes, demanded by nothing: no certificate can prove them complete.
DEMANDED = [s for s in list_layers() if s.problem.name != "Given"]


def describe(name: str) -> Data:
    layer = describe_layer(find(name), form="", costs="", explanation="")
    return {"layers": [json.loads(json.dumps(layer))]}


@pytest.mark.parametrize("name", [s.problem.name for s in DEMANDED])
def test_every_basis_is_proven(name: str) -> None:
    """The bases of these tests themselves, and what is read back from the package."""
    for block in find(name).blocks:
        prove(block.tying)
    assert check_tying(describe(name)) == len(find(name).blocks)


@pytest.mark.parametrize("name", [s.problem.name for s in list_layers()])
def test_what_is_written_is_read(name: str) -> None:
    (layer,) = describe(name)["layers"]
    assert read_generators(layer) == find(name).problem.linear
    assert [describe_generator(g) for g in read_generators(layer)] == layer["linear"]
    for stored, block in zip(layer["blocks"], find(name).blocks, strict=True):
        tying = block.tying
        basis = read_basis(stored["basis"], tying.coefficients)
        assert (basis is None) == (tying.basis is None)
        if basis is not None and tying.basis is not None:
            assert describe_basis(basis) == stored["basis"]
            assert basis.matrix == tying.basis.matrix
            assert basis.offset == tying.basis.offset
            assert basis.free.tolist() == tying.basis.free.tolist()
            assert basis.squares == tying.basis.squares
        found = tuple(read_rows(rows, tying.ansatz.slots) for rows in stored["relations"])
        assert found == tying.ansatz.relations


def block_of(data: Data, *shape: int) -> Data:
    found: Data = next(b for b in data["layers"][0]["blocks"] if b["shape"] == list(shape))
    return found


def drop_class(data: Data) -> None:
    block = block_of(data, 1)
    block["classes"] -= 1
    block["basis"]["entries"] = [e for e in block["basis"]["entries"] if e[1] == 0]
    block["basis"]["free"].pop()


def set_entry(data: Data, *number: int) -> None:
    block_of(data, 1)["basis"]["entries"][-1][2] = list(number)


MUTANTS: dict[str, tuple[str, Callable[[Data], Any]]] = {
    "another entry": ("Fifth", lambda d: set_entry(d, 0, 1)),
    "an entry of another field": ("Fifth", lambda d: block_of(d, 1)["basis"].update(conductor=8)),
    "a field too large": ("Fifth", lambda d: block_of(d, 1)["basis"].update(conductor=10**9)),
    "a class dropped": ("Fifth", drop_class),
    "another free coefficient": ("Cat", lambda d: block_of(d, 1)["basis"].update(free=[0, 3])),
    "no basis": ("Cat", lambda d: block_of(d, 1).update(basis=None)),
    "another fixed part": (
        "Sums",
        lambda d: block_of(d, 1)["basis"]["offset"].update(denominator=3),
    ),
    "no fixed part": ("Sums", lambda d: block_of(d, 1)["basis"].update(offset=None)),
    "a constraint dropped": ("Sums", lambda d: block_of(d, 2).update(relations=[])),
    "another right-hand side": (
        "Sums",
        lambda d: block_of(d, 1)["relations"][0]["right"]["entries"].pop(),
    ),
    "a generator dropped": ("Cat", lambda d: d["layers"][0].update(linear=[])),
    "another generator": (
        "Cat",
        lambda d: d["layers"][0]["linear"][0]["output"]["entries"][0].__setitem__(2, [3]),
    ),
    "a generator of another kind": (
        "Spin",
        lambda d: d["layers"][0]["linear"][0].update(infinitesimal=False),
    ),
    "a generator too large": (
        "Cat",
        lambda d: d["layers"][0]["linear"][0]["output"].update(height=10**12),
    ),
    "fewer coefficients": ("Cat", lambda d: block_of(d, 1).update(coefficients=3)),
}


@pytest.mark.parametrize("mutant", list(MUTANTS))
def test_lies_are_refused(mutant: str) -> None:
    name, change = MUTANTS[mutant]
    data = describe(name)
    change(data)
    with pytest.raises(CertificateError):
        check_tying(data)


# The package's own checks.


def test_a_package_checks_itself(additive: ModuleType) -> None:
    results = importlib.import_module("additive.selfcheck").run()
    assert len(results) == 4 * len(list_layers())
    assert [r for r in results if not r.passed] == []


USE = """
import runpy, torch, alone
layer = alone.Sums()
x = torch.randn(5, 2, 3, requires_grad=True)
y = layer(x)
torch.testing.assert_close(y.sum(-1), x.sum(-1))
y.sum().backward()
assert layer.load_dense(1, layer.dense_weight(1)) == 0.0
assert "eqcompile" not in sys.modules
sys.argv = ["selfcheck"]
try:
    runpy.run_module("alone.selfcheck", run_name="__main__")
except SystemExit as end:
    sys.exit(end.code)
"""


def test_a_package_needs_no_eqcompile(tmp_path: Path) -> None:
    sums = find("Sums")
    # Without its constant part, of which nothing is left: it would warn.
    problem = replace(sums.problem, degrees=sums.problem.degrees[1:])
    sums = replace(sums, problem=problem, blocks=sums.blocks[1:])
    files = render_solutions("alone", [sums, find("Harmonic"), find("Fifth")])
    write_package(files, tmp_path / "alone")
    found = run(USE, tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "12 of 12 checks passed" in found.stdout


def scale_output(data: Data) -> None:
    """Make the image of the first generator on the outputs another matrix."""
    for entry in data["layers"][0]["linear"][0]["output"]["entries"]:
        entry[2] = [2 * c for c in entry[2]]


LIES: dict[str, tuple[str, str, Callable[[Data], Any]]] = {
    "another entry": ("Fifth", "equivariance", lambda d: set_entry(d, 0, 1)),
    "another field": (
        "Fifth",
        "equivariance",
        lambda d: block_of(d, 1)["basis"].update(conductor=8),
    ),
    "a matrix of infinite order": ("Cat", "equivariance", lambda d: set_entry(d, -2)),
    "another generator": ("Spin", "equivariance", scale_output),
    "other units": (
        "Harmonic",
        "equivariance",
        lambda d: block_of(d, 2)["basis"].update(squares=["1"] * 8),
    ),
    "other coordinates": (
        "Harmonic",
        "equivariance",
        lambda d: d["layers"][0]["output"].update(squares=[]),
    ),
    "a class too few": ("Cat", "equivariance", drop_class),
    "other sizes": ("Cat", "tables", lambda d: block_of(d, 1).update(sizes=[1, 1, 1, 2])),
}


@pytest.mark.parametrize("lie", list(LIES))
def test_the_own_checks_see_lies(packages: Path, lie: str) -> None:
    name, check, change = LIES[lie]
    package = f"lie_{list(LIES).index(lie)}"
    files = dict(render_solutions(package, [find(name)]))
    data = json.loads(files["tying.json"])
    change(data)
    files["tying.json"] = json.dumps(data)
    import_written(packages, package, tuple(files.items()))
    results = importlib.import_module(f"{package}.selfcheck").run()
    assert check in {result.check for result in results if not result.passed}
