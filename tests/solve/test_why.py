"""The chain of generators behind a tie is one that really ties."""

from __future__ import annotations

import pytest

from eqcompile.errors import Refusal
from eqcompile.solve import why
from eqcompile.solve.ansatz import Ansatz, expand
from eqcompile.solve.constraints import constrain
from eqcompile.solve.solver import solve
from eqcompile.solve.why import Chain, explain_tie, explain_zero
from tests.actions_of import SMALL, make_problem


def follow(ansatz: Ansatz, chain: Chain) -> None:
    """Redo every step of a chain with the generators' own images."""
    total = 1
    for i, step in enumerate(chain.steps):
        name, backwards = step.cause.removesuffix("^-1"), step.cause.endswith("^-1")
        index = ansatz.causes.index(name)
        output = ansatz.output.images[index]
        moved = ansatz.space.move([r.images[index] for r in ansatz.inputs])
        source, target = (step.target, step.source) if backwards else (step.source, step.target)
        assert (output.perm[source[0]], moved.perm[source[1]]) == target
        assert output.signs[source[0]] * moved.signs[source[1]] == step.sign
        assert i == 0 or chain.steps[i - 1].target == step.source
        total *= step.sign
    assert total == chain.sign


@pytest.mark.parametrize("name", list(SMALL))
@pytest.mark.parametrize("degree", [1, 2])
def test_every_tie_has_its_chain(name: str, degree: int) -> None:
    inputs, outputs = SMALL[name]
    tying = solve(constrain(expand(make_problem(inputs, outputs, [degree]), ((degree,),))))
    ansatz = tying.ansatz
    for output, labels, signs in tying.rows():
        for rank, label in enumerate(labels.tolist()):
            if label < 0:
                chain = explain_zero(ansatz, (output, rank))
                assert chain is not None
                assert chain.sign == -1
                assert chain.steps[-1].target == chain.steps[0].source == (output, rank)
            else:
                first = tying.representatives[label].tolist()
                chain = explain_tie(ansatz, (first[0], first[1]), (output, rank))
                assert chain is not None
                assert chain.sign == signs[rank]
            follow(ansatz, chain)


def test_slots_of_different_classes_have_no_chain() -> None:
    inputs, outputs = SMALL["S_3"]
    ansatz = expand(make_problem(inputs, outputs, [1]), ((1,),))
    assert explain_tie(ansatz, (0, 0), (0, 1)) is None
    assert explain_zero(ansatz, (0, 0)) is None


def test_too_many_slots_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(why, "REACH", 10)
    inputs, outputs = SMALL["S_3"]
    with pytest.raises(Refusal, match="out of reach"):
        explain_tie(expand(make_problem(inputs, outputs, [2]), ((2,),)), (0, 0), (0, 1))
