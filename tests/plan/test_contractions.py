"""Contractions: right over a prime field, shared, in a cheap order, and lies about them seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eqcompile.errors import CertificateError
from eqcompile.exact.multigraphs import Diagram, Edge, Terms
from eqcompile.exact.partitions import list_diagrams
from eqcompile.plan.contraction_proof import prove_contractions
from eqcompile.plan.contractions import Contractions, Result, plan_contractions

MATRIX: Terms = ((1, 1),)
PARTS = st.sampled_from([(), (1,), (1, 1), (2,)])


@settings(max_examples=40)
@given(
    st.lists(PARTS, min_size=1, max_size=2).map(tuple),
    PARTS,
    st.sampled_from([(1,), (2,), (1, 1)]),
    st.integers(1, 40),
)
def test_programs_evaluate_their_diagrams(
    inputs: Terms, output: tuple[int, ...], shape: tuple[int, ...], nominal: int
) -> None:
    diagrams = list_diagrams((output,), inputs, shape)
    program = plan_contractions(diagrams, inputs, nominal)
    proof = prove_contractions(program, diagrams, (output,), inputs, len(shape))
    assert proof.sizes == (2, 5)


@pytest.fixture(scope="module")
def quadratic() -> tuple[tuple[Diagram, ...], Contractions]:
    diagrams = list_diagrams(MATRIX, MATRIX, (2,))
    return diagrams, plan_contractions(diagrams, MATRIX, 16)


def test_values_are_shared(quadratic: tuple[tuple[Diagram, ...], Contractions]) -> None:
    """117 classes need 57 tensors, of which no two are isomorphic."""
    _, program = quadratic
    assert len(program.values) == 57
    keys = [(value.edges, value.axes) for value in program.values]
    assert len(set(keys)) == 57
    assert len(program.results) == 117
    for number, value in enumerate(program.values):
        assert all(operand < number for operand in value.operands)


def test_a_chain_is_contracted_two_at_a_time() -> None:
    chain = Diagram(0, (0, 1), tuple(Edge(0, 0, ends) for ends in ((0, 2), (2, 3), (3, 1))))
    program = plan_contractions([chain], MATRIX, 16)
    assert program.multiplications == 2 * 16**3
    ends = Diagram(0, (), tuple(Edge(0, 0, ends) for ends in ((0, 1), (1, 2), (2, 3))))
    program = plan_contractions([ends], MATRIX, 16)
    # From the ends inwards, only vectors: three sums of a matrix, one of a vector.
    assert program.multiplications == 3 * 16**2 + 16


def test_many_factors_have_an_order_too() -> None:
    star = Diagram(0, (0,), tuple(Edge(0, 0, (0, j)) for j in range(1, 9)))
    program = plan_contractions([star], MATRIX, 16)
    prove_contractions(program, [star], ((1,),), MATRIX, 1)
    assert len(program.values) < 10


def lie(program: Contractions, what: str) -> Contractions:
    values, results = list(program.values), list(program.results)
    product = next(j for j, v in enumerate(values) if len(set(v.operands)) == 2 and v.means)
    match what:
        case "operand":
            values[product] = replace(values[product], operands=values[product].operands[::-1])
        case "labels":
            left, right = values[product].labels
            values[product] = replace(values[product], labels=(left[::-1], right))
        case "mean":
            value = values[product]
            values[product] = replace(value, means=value.means[1:])
        case "result":
            results[5] = results[6]
        case "axes":
            place = next(j for j, result in enumerate(results) if len(result.nodes) == 2)
            results[place] = Result(results[place].value, results[place].nodes[::-1])
    return replace(program, values=tuple(values), results=tuple(results))


@pytest.mark.parametrize("what", ["operand", "labels", "result", "axes"])
def test_lies_about_programs_are_seen(
    quadratic: tuple[tuple[Diagram, ...], Contractions], what: str
) -> None:
    diagrams, program = quadratic
    prove_contractions(program, diagrams, MATRIX, MATRIX, 1)
    with pytest.raises((CertificateError, ValueError)):
        prove_contractions(lie(program, what), diagrams, MATRIX, MATRIX, 1)


def test_a_mean_left_out_is_seen(quadratic: tuple[tuple[Diagram, ...], Contractions]) -> None:
    diagrams, program = quadratic
    with pytest.raises((CertificateError, ValueError)):
        prove_contractions(lie(program, "mean"), diagrams, MATRIX, MATRIX, 1)
