"""The certificate refuses every way a tying can be wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from eqcompile.errors import CertificateError
from eqcompile.exact.signed import IntArray
from eqcompile.layers.problem import keep_degree
from eqcompile.solve import certificate
from eqcompile.solve.ansatz import expand
from eqcompile.solve.certificate import prove
from eqcompile.solve.constraints import constrain
from eqcompile.solve.solver import solve
from eqcompile.solve.tying import Tying
from tests.actions_of import SMALL, cyclic, hyperoctahedral, make_problem, symmetric

Mutant = Callable[[IntArray, IntArray], tuple[IntArray, IntArray]]


def solve_small(name: str, degree: int) -> Tying:
    inputs, outputs = SMALL[name]
    problem = make_problem(inputs, outputs, [degree])
    return solve(constrain(expand(problem, keep_degree((degree,)))))


def mutate(tying: Tying, mutant: Mutant) -> Tying:
    labels, signs = mutant(tying.orbits[0].labels.copy(), tying.orbits[0].signs.copy())
    return replace(
        tying, orbits=(replace(tying.orbits[0], labels=labels, signs=signs), *tying.orbits[1:])
    )


def split(labels: IntArray, signs: IntArray) -> tuple[IntArray, IntArray]:
    """Split the last class: its last slot becomes a class of its own."""
    labels[np.flatnonzero(labels == labels.max())[-1]] = labels.max() + 1
    return labels, signs


def merge(labels: IntArray, signs: IntArray) -> tuple[IntArray, IntArray]:
    """Merge the last two classes."""
    labels[labels == labels.max()] = labels.max() - 1
    return labels, signs


def flip(labels: IntArray, signs: IntArray) -> tuple[IntArray, IntArray]:
    """Flip the sign of one slot that is not the least of its class."""
    for label in range(labels.max() + 1):
        members = np.flatnonzero(labels == label)
        if len(members) > 1:
            signs[members[-1]] *= -1
            return labels, signs
    raise AssertionError("the example has no class with two slots of one output")


def free_zero(labels: IntArray, signs: IntArray) -> tuple[IntArray, IntArray]:
    """Give one forced zero a class of its own, numbered as it should be."""
    place = np.flatnonzero(labels < 0)[-1]
    labels[place], signs[place] = labels.max() + 1, 1
    return labels, signs


def drop(labels: IntArray, signs: IntArray) -> tuple[IntArray, IntArray]:
    """Declare the last class zero."""
    gone = labels == labels.max()
    labels[gone], signs[gone] = -1, 0
    return labels, signs


@pytest.mark.parametrize("streamed", [False, True], ids=["table", "streamed"])
@pytest.mark.parametrize("mutant", [split, merge, flip, free_zero, drop])
def test_mutants_are_refused(
    mutant: Mutant, streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One class split, two merged, a sign flipped, a zero freed, a class dropped."""
    if streamed:
        monkeypatch.setattr(certificate, "FULL_TABLE", 0)
    tying = solve_small("B_3", 3)
    assert prove(tying).streamed == streamed
    with pytest.raises(CertificateError):
        prove(mutate(tying, mutant))


def test_a_merged_unsigned_class_is_refused_by_the_count() -> None:
    """Two whole orbits merged pass every invariance check; only completeness sees it."""
    tying = solve_small("S_3", 2)
    with pytest.raises(CertificateError, match=r"3 classes are claimed, 4 were counted"):
        prove(mutate(tying, merge))


def test_the_characters_alone_see_a_missing_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the component count blinded, the average of characters still refuses."""
    merged = mutate(solve_small("S_3", 2), merge)
    monkeypatch.setattr(
        certificate,
        "compare_classes",
        lambda ansatz, labels, signs, moves: (int(labels.max()) + 1, 0),
    )
    with pytest.raises(CertificateError, match="characters give 4"):
        prove(merged)


def test_a_wrong_walk_is_refused() -> None:
    tying = solve_small("C_4", 1)
    orbit = tying.orbits[0]
    wrong = replace(orbit, outputs=orbit.outputs[[0, 2, 1, 3]])
    with pytest.raises(CertificateError, match="not made by its generator"):
        prove(replace(tying, orbits=(wrong,)))
    with pytest.raises(CertificateError, match="every output once"):
        prove(replace(tying, orbits=()))


def test_mixed_convention_is_refused() -> None:
    """Hankel instead of circulant: input moved by g, output by its inverse, has the right count."""
    inputs, outputs = cyclic(4), [g.inverse() for g in cyclic(4)]
    right = solve(constrain(expand(make_problem(inputs, cyclic(4), [1]), ((1,),))))
    wrong = solve(constrain(expand(make_problem(inputs, outputs, [1]), ((1,),))))
    assert right.classes == wrong.classes
    with pytest.raises(CertificateError):
        prove(replace(wrong, ansatz=right.ansatz))


@pytest.mark.parametrize("name", list(SMALL))
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_every_small_action_is_proven(name: str, degree: int) -> None:
    proof = prove(solve_small(name, degree))
    assert proof.proof[0] == "components"
    assert len(proof.proof) == 2
    assert proof.group_order is not None


def test_large_groups_are_proven_without_characters() -> None:
    generators = hyperoctahedral(6)
    tying = solve(constrain(expand(make_problem(generators, generators, [3]), ((3,),))))
    assert prove(tying).proof == ("components",)
    assert (
        prove(
            solve(constrain(expand(make_problem(symmetric(8), symmetric(8), [2]), ((2,),))))
        ).group_order
        is None
    )
