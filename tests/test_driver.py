"""The Python interface: load, solve, build, compile."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import eqcompile
from eqcompile.driver import solve_spec
from eqcompile.emit.claims import hash_plan
from eqcompile.errors import SpecError
from eqcompile.plan.ir import Table
from eqcompile.plan.lowering import lower
from tests.test_cli import SPEC


def test_solve_returns_tyings_that_draw_themselves() -> None:
    found = eqcompile.solve(SPEC)
    assert list(found) == ["Quad", "Odd"]
    assert {d: t.classes for d, t in found["Quad"].items()} == {0: 1, 1: 2, 2: 4}
    html = found["Quad"][2]._repr_html_()
    assert html is not None
    assert html.count("data-class=") == 18


def test_a_spec_is_a_path_a_text_or_a_dict(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    data = {
        "version": 1,
        "package": "small_nets",
        "layers": [
            {
                "name": "Quad",
                "group": {"symmetric": 3},
                "input": "V",
                "output": "V",
                "degree": 2,
                "channels": {"in": 2, "out": 1},
            },
            {
                "name": "Odd",
                "group": {"hyperoctahedral": 2},
                "input": "V",
                "output": "V",
                "degrees": [1, 3],
            },
        ],
    }
    specs = [eqcompile.load(source) for source in (path, str(path), SPEC, data)]
    assert len({s.digest for s in specs}) == 1
    assert eqcompile.solve(specs[0]).keys() == eqcompile.solve(data).keys()


def test_the_plan_of_the_kernels_is_stated_where_there_are_any(tmp_path: Path) -> None:
    folder = eqcompile.build(SPEC, tmp_path)
    quad, odd = json.loads((folder / "certificate.json").read_text())["claims"]["layers"]
    proven = quad["kernels"]
    assert (proven["form"], proven["method"], proven["points"]) == ("lifted", "polynomial", 0)
    assert proven["channels"] == quad["plan"]["channels"]
    assert len(proven["digest"]) == 64
    assert proven["digest"] != quad["plan"]["digest"]
    assert odd["kernels"] is None


def test_digests_of_plans_know_their_tables() -> None:
    plan = lower(solve_spec(SPEC, blocks=True)[0], "lifted")
    tables = [t for t in plan.tables if isinstance(t, Table)]
    assert hash_plan(plan) == hash_plan(replace(plan))
    signs = tables[0].numerators.copy()
    signs[0] *= -1
    others = (replace(tables[0], numerators=signs), *plan.tables[1:])
    assert str(replace(plan, tables=others)) == str(plan)
    assert hash_plan(replace(plan, tables=others)) != hash_plan(plan)


def test_a_layer_without_any_class_is_refused(tmp_path: Path) -> None:
    text = SPEC.replace("degrees: [1, 3]", "degrees: [2]")
    assert eqcompile.solve(text)["Odd"][2].classes == 0
    with pytest.raises(SpecError, match=r"<text>:10:11: error\[no-classes\]: layer Odd has no"):
        eqcompile.build(text, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_layer_too_large_to_emit_is_solved_and_refused(tmp_path: Path) -> None:
    text = (
        "version: 1\npackage: large\nlayers:\n"
        "  - {name: Big, group: {cyclic: 400}, input: V, output: V, degrees: [2]}\n"
    )
    assert eqcompile.solve(text)["Big"][2].classes == 400 * 401 // 2
    with pytest.raises(SpecError, match=r"error\[too-large\]: layer Big is too large to emit"):
        eqcompile.build(text, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_compile_imports_from_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EQCOMPILE_CACHE", str(tmp_path))
    first = eqcompile.compile(SPEC)
    assert first.Quad(2, 1).weight_2.shape == (1, 2, 4)
    assert eqcompile.compile(SPEC) is first
    second = eqcompile.compile(SPEC.replace("symmetric: 3", "symmetric: 4"))
    assert second is not first
    assert (first.Quad.layout.n_in, second.Quad.layout.n_in) == (3, 4)
    for module in (first, second):
        del sys.modules[module.__name__]
