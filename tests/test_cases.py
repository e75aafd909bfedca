"""Every public case, from a spec to a proven dimension: other people's software found the same."""

from __future__ import annotations

from itertools import groupby

import pytest

from eqcompile.layers.polynomial import resolve
from eqcompile.layers.problem import keep_degree
from eqcompile.solve.ansatz import expand
from eqcompile.solve.certificate import prove
from eqcompile.solve.constraints import constrain
from eqcompile.solve.solver import solve
from eqcompile.spec import load
from tests.cases import load_all_cases, spell_case

FAMILIES = sorted({case["family"] for case in load_all_cases()})


def measure(case: dict[str, object]) -> int:
    """Solve and prove a case; return its dimension."""
    (problem,) = resolve(load(spell_case(case)))
    (degree,) = problem.degrees
    return prove(solve(constrain(expand(problem, keep_degree(degree))))).classes


@pytest.mark.parametrize("family", FAMILIES)
def test_every_public_case(family: str) -> None:
    wrong = {}
    for case in load_all_cases():
        if case["family"] == family:
            found = measure(case)
            if found != case["dimension"]:
                wrong[case["id"]] = (found, case["dimension"])
    assert not wrong


def test_the_cases_are_all_there() -> None:
    kinds = sorted(case["kind"] for case in load_all_cases())
    counts = {kind: len(list(group)) for kind, group in groupby(kinds)}
    assert counts == {"lie": 398, "matrix": 173, "permutation": 527, "signed_permutation": 279}
