"""Layers with several inputs, from the command line to a verified package."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import eqcompile
from eqcompile.errors import CertificateError, SpecError
from eqcompile.verification import check_tying
from tests.test_cli import call

SPEC = """\
version: 1
package: pair_nets
layers:
  - name: Pair
    group: {symmetric: 3}
    input: {x: V, y: "Alt(V, 2)"}
    output: V
    degree: 2
    channels: {in: {x: 2, y: 1}, out: 2}
  - name: Tensor
    group: {lie: so, n: 3}
    input: {x: irrep(1) + irrep(2), y: irrep(1)}
    output: irrep(2)
    degrees: [{x: 1, y: 1}]
    channels: {in: {x: 4}, out: 3}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return eqcompile.build(SPEC, tmp_path_factory.mktemp("pair"))


def test_keys_of_results_list_every_input(spec: Path) -> None:
    found: Any = json.loads(call("solve", spec, "--json")[0])
    pair, tensor = found["layers"]
    assert {key: row["classes"] for key, row in pair["degrees"].items()} == {
        **{"x:0,y:0": 1, "x:1,y:0": 2, "x:0,y:1": 1},
        **{"x:2,y:0": 4, "x:1,y:1": 4, "x:0,y:2": 4},
    }
    assert list(tensor["degrees"]) == ["x:1,y:1"]
    row = tensor["degrees"]["x:1,y:1"]
    assert (row["slots"], row["classes"], row["ordered_classes"]) == (5 * 8 * 3, 2, 2)
    assert "x:1,y:1" in call("solve", spec)[0]


def test_ties_are_asked_for_by_input(spec: Path) -> None:
    why = ("inspect", spec, "--layer", "Pair", "--why")
    assert call(*why, "w[0; x.1, y.1]", "w[1; x.0, y.2]")[0] == (
        "w[1; x.0, y.2] = w[0; x.1, y.1]\n  w[1; x.0, y.2] =  w[0; x.1, y.1]   by (0 1)\n"
    )
    assert "is zero" in call(*why, "w[0; x.0, y.2]", "w[0; y.0, x.0]")[0]
    for slots, message in (
        (("w[0; 1, 2]", "w[0; 1, 2]"), "no layer has degree 2"),
        (("w[0; x.1]", "w[0; y.1]"), "different degrees"),
        (("w[0; z.1]", "w[0; z.1]"), "no layer has degree 1 in z"),
        (("w[0; x.3]", "w[0; x.1]"), "is no tuple of 1 indices below 3"),
        (("w[0; x.]", "w[0; x.1]"), "is no slot"),
    ):
        assert message in call(*why, *slots, code=2)[1]


def test_a_degree_is_asked_for_by_its_key(spec: Path, tmp_path: Path) -> None:
    text = call("inspect", spec, "--layer", "Pair", "--degree", "x:1, y:1")[0]
    assert text.startswith("Pair: S_3, x: V, y: Alt(V, 2) -> V, degree 2 (x: 1, y: 1): 27 slots")
    assert text.count("Pair:") == 1
    assert "no layer has degree x:3,y:0" in call("inspect", spec, "--degree", "x:3,y:0", code=2)[1]
    for form in ("svg", "html", "dot", "json"):
        target = tmp_path / f"drawing.{form}"
        call(
            "inspect",
            spec,
            "--degree",
            "x:1,y:1",
            "--layer",
            "Pair",
            "--format",
            form,
            "-o",
            target,
        )
        assert target.stat().st_size > 100


def test_results_in_python_have_the_same_keys() -> None:
    found = eqcompile.solve(SPEC)
    assert list(found["Tensor"]) == ["x:1,y:1"]
    assert found["Pair"]["x:1,y:1"].classes == 4


def test_a_package_is_verified(built: Path) -> None:
    lines = call("verify", built)[0]
    assert "the package's self-check passed" in lines
    assert "files are what the spec compiles to" in lines
    certificate = json.loads((built / "certificate.json").read_text())["claims"]["layers"][0]
    assert certificate["input"] == {"x": "V", "y": "Alt(V, 2)"}
    assert dict(certificate["plan"]["channels"]) == {
        **{"batch": 1, "in_x": 2, "in_y": 2, "out": 1, "rank": 2}
    }


def block_of(data: Any, name: str) -> Any:
    return next(b for b in data["layers"][0]["blocks"] if b["parameter"] == name)


def exchange_inputs(data: Any) -> None:
    sides = data["layers"][0]["input"]
    sides["x"], sides["y"] = sides["y"], sides["x"]


def flip_sign(data: Any) -> None:
    row = block_of(data, "weight_x1_y1")["slots"][1]
    row[0] = -row[0]


def exchange_shapes(data: Any) -> None:
    first, second = (block_of(data, f"weight_{name}2") for name in "xy")
    first["shape"], second["shape"] = second["shape"], first["shape"]


def drop_input(data: Any) -> None:
    del data["layers"][0]["n_in"]["y"]


@pytest.mark.parametrize("spoil", [exchange_inputs, flip_sign, exchange_shapes, drop_input])
def test_a_spoiled_tying_is_refused(built: Path, spoil: Callable[[Any], None]) -> None:
    data = json.loads((built / "tying.json").read_text())
    assert check_tying(data) == sum(len(layer["blocks"]) for layer in data["layers"])
    spoil(data)
    with pytest.raises(CertificateError):
        check_tying(data)


def test_a_package_is_the_same_twice(built: Path, tmp_path: Path) -> None:
    again = eqcompile.build(SPEC, tmp_path)
    names = sorted(p.name for p in built.iterdir() if p.is_file())
    assert names == sorted(p.name for p in again.iterdir())
    assert all((built / n).read_bytes() == (again / n).read_bytes() for n in names)


EMPTY = """\
version: 1
package: empty
layers:
  - name: Empty
    group: {symmetric: 3}
    input: {x: 1, y: sign}
    output: sign
    degrees: [{x: 1}, {y: 2}]
"""


def test_empty_layers_name_their_degrees(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no equivariant polynomial of degree x:1,y:0; x:0,y:2"):
        eqcompile.build(EMPTY, tmp_path)


@pytest.mark.slow
def test_a_notebook_calls_it_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setenv("EQCOMPILE_CACHE", str(tmp_path))
    module = eqcompile.compile(SPEC)
    layer = module.Tensor(in_channels={"x": 4, "y": 2}, out_channels=3)
    y = layer(x=torch.randn(5, 4, 8), y=torch.randn(5, 2, 3))
    assert y.shape == (5, 3, 5)
    assert layer.weight_x1_y1.shape == (3, 8, 2)
    assert layer.dense_weight({"x": 1, "y": 1}).shape == (3, 5, 4, 8, 2, 3)
    del sys.modules[module.__name__]
