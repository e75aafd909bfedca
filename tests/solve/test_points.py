"""The closed form as a proof for one n: recognised from the generators, and never wrongly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from eqcompile.errors import CertificateError
from eqcompile.exact.signed import SignedPermutation
from eqcompile.layers.polynomial import resolve
from eqcompile.layers.problem import LayerProblem, keep_degree
from eqcompile.solve import certificate
from eqcompile.solve.ansatz import Ansatz, expand
from eqcompile.solve.certificate import prove
from eqcompile.solve.constraints import constrain
from eqcompile.solve.points import count_by_partitions, is_symmetric
from eqcompile.solve.solver import solve
from eqcompile.spec import load


def pose(group: Any, source: str, target: str, degree: int) -> LayerProblem:
    layer = {"name": "L", "group": group, "input": source, "output": target, "degrees": [degree]}
    (problem,) = resolve(load({"version": 1, "package": "nets", "layers": [layer]}))
    return problem


def expand_lone(problem: LayerProblem) -> Ansatz:
    return expand(problem, keep_degree(problem.degrees[0]))


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
@pytest.mark.parametrize(
    ("source", "target", "degree"),
    [
        ("V", "V", 3),
        ("V", "1", 2),
        ("Sym(V, 2)", "V", 1),
        ("1 + V", "V ** 2", 2),
        ("V ** 2", "2 V", 1),
        ("V", "V ** 2", 0),
        ("1", "V", 2),
    ],
)
def test_symmetric_groups_are_recognised_and_counted(
    n: int, source: str, target: str, degree: int
) -> None:
    ansatz = expand_lone(pose({"symmetric": n}, source, target, degree))
    assert count_by_partitions(ansatz) == solve(constrain(ansatz)).classes


def test_shuffled_generators_are_recognised_too() -> None:
    """A cycle, an exchange of two points that are no neighbours on it, and a third element."""
    written = ["(0 3 1 4 2 6 5)", "(0 5)", "(1 2)(3 4)"]
    ansatz = expand_lone(pose({"permutations": written, "n": 7}, "V ** 2", "V", 1))
    assert count_by_partitions(ansatz) == 5


@pytest.mark.parametrize(
    "group",
    [
        {"alternating": 7},
        {"cyclic": 7},
        {"dihedral": 8},
        {"wreath": [{"symmetric": 4}, {"symmetric": 2}]},
        {"product": {"factors": [{"symmetric": 4}, {"symmetric": 4}], "on": "union"}},
        {"hyperoctahedral": 5},
        {"permutations": ["(0 1)", "(0 1 2 3)", "(4 5)"], "n": 6},
        {"permutations": ["(0 2)", "(0 1 2 3)"], "n": 4},
    ],
)
def test_other_groups_are_not_taken_for_symmetric_ones(group: Any) -> None:
    assert count_by_partitions(expand_lone(pose(group, "V", "V", 2))) is None


@pytest.mark.parametrize("source", ["sign * V", "Alt(V, 2)", "subsets(V, 2)", "sign"])
def test_other_representations_are_left_alone(source: str) -> None:
    assert count_by_partitions(expand_lone(pose({"symmetric": 7}, source, "V", 1))) is None


def test_an_action_that_is_not_what_it_says_is_seen() -> None:
    """The mixed convention, and a sign: the expressions still read V -> V."""
    problem = pose({"symmetric": 7}, "V", "V", 2)
    inverse = tuple(g.inverse() for g in problem.output.images)
    mixed = replace(problem, output=replace(problem.output, images=inverse))
    assert count_by_partitions(expand_lone(problem)) == 4
    assert count_by_partitions(expand_lone(mixed)) is None
    signs = np.ones(7, dtype=np.int64)
    signs[0] = -1
    first = problem.output.images[0]
    turned = (SignedPermutation(first.perm, signs), *problem.output.images[1:])
    signed = replace(problem, output=replace(problem.output, images=turned))
    assert count_by_partitions(expand_lone(signed)) is None
    longer = replace(problem, output=replace(problem.output, text="V + 1"))
    assert count_by_partitions(expand_lone(longer)) is None


def test_images_of_diagonals_must_be_diagonals() -> None:
    problem = pose({"symmetric": 4}, "V", "V ** 2", 1)
    shift = SignedPermutation.unsigned(np.roll(np.arange(16), 1))
    wrong = replace(problem.output, images=(shift, *problem.output.images[1:]))
    assert count_by_partitions(expand_lone(replace(problem, output=wrong))) is None


def test_symmetric_groups_by_an_exchange_and_connection() -> None:
    swap, cycle = np.array([1, 0, 2, 3, 4]), np.array([1, 2, 3, 4, 0])
    assert is_symmetric([swap, cycle])
    assert not is_symmetric([cycle])
    assert not is_symmetric([swap, np.array([1, 0, 3, 4, 2])])
    assert is_symmetric([np.array([0])])
    # Of a hundred points only as many pairs are walked as connect them.
    assert is_symmetric([np.r_[1, 0, 2:100], np.roll(np.arange(100), -1)])


def test_the_certificate_uses_it_for_large_groups_and_sees_a_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tying = solve(constrain(expand_lone(pose({"symmetric": 8}, "V", "V", 3))))
    assert prove(tying).proof == ("components", "partitions")
    monkeypatch.setattr(certificate, "count_by_partitions", lambda ansatz: 8)
    with pytest.raises(CertificateError, match="7 classes were counted, there are 8 partitions"):
        prove(tying)
