"""The count by weights, for every connected classical group, beside the solver's."""

from __future__ import annotations

import pytest

from eqcompile.errors import CertificateError
from eqcompile.layers.polynomial import resolve
from eqcompile.solve import certificate
from eqcompile.solve.ansatz import expand
from eqcompile.solve.certificate import prove
from eqcompile.solve.constraints import constrain
from eqcompile.solve.solver import solve
from eqcompile.solve.tying import Tying
from eqcompile.solve.weyl import count_by_weyl
from eqcompile.spec import load


def pose(kind: str, n: int, inputs: str, output: str, degree: int) -> Tying:
    layer = {
        "name": "Layer",
        "group": {"lie": kind, "n": n},
        "input": inputs,
        "output": output,
        "degrees": [degree],
    }
    (problem,) = resolve(load({"version": 1, "package": "weights", "layers": [layer]}))
    return solve(constrain(expand(problem, ((degree,),))))


@pytest.mark.parametrize(
    ("kind", "n", "inputs", "output", "degree", "expected"),
    [
        ("so", 2, "V", "V", 3, 2),
        ("so", 3, "2 V", "V", 2, 1),
        ("so", 3, "V ** 3", "V ** 2", 1, 6),
        ("so", 4, "V ** 2", "V ** 2", 1, 4),
        ("so", 5, "2 V", "V", 3, 6),
        ("so", 6, "Alt(V, 2)", "1", 3, 1),
        ("lorentz", 2, "V", "V", 3, 2),
        ("lorentz", 3, "V ** 2", "V", 1, 1),
        ("lorentz", 4, "V ** 2", "V ** 2", 1, 4),
        ("lorentz", 5, "2 V", "V", 1, 2),
        ("sl", 2, "Sym(V, 4)", "1", 3, 1),
        ("sl", 3, "2 V", "dual(V)", 2, 1),
        ("gl", 2, "V * dual(V)", "V * dual(V)", 2, 3),
        ("gl", 3, "V", "V", 1, 1),
        ("sp", 1, "Sym(V, 2)", "1", 2, 1),
        ("sp", 2, "V ** 2", "V ** 2", 1, 3),
        ("su", 2, "V", "V", 1, 4),
        ("su", 3, "V", "V", 3, 2),
    ],
)
def test_weights_count_what_the_solver_finds(
    kind: str, n: int, inputs: str, output: str, degree: int, expected: int
) -> None:
    tying = pose(kind, n, inputs, output, degree)
    assert (tying.classes, count_by_weyl(tying.ansatz)) == (expected, expected)
    assert "weyl" in prove(tying).proof


def test_irreps_of_rotations_have_their_weights() -> None:
    tying = pose("so", 3, "irrep(2)", "irrep(2)", 2)
    assert count_by_weyl(tying.ansatz) == tying.classes == 1


def test_no_weights_where_the_group_is_not_connected() -> None:
    assert count_by_weyl(pose("o", 3, "V", "V", 1).ansatz) is None


def test_a_wrong_count_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "count_by_weyl", lambda ansatz: 2)
    with pytest.raises(CertificateError, match="the weights give 2"):
        prove(pose("so", 3, "V", "V", 1))
