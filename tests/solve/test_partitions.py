"""The closed form against lists, the oracle's tables, and the generic solver for one n."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eqcompile.actions.tensor_powers import count_coordinates, read_tensor_powers
from eqcompile.errors import Refusal
from eqcompile.exact.multigraphs import Terms
from eqcompile.exact.partitions import list_diagrams
from eqcompile.layers.any_size import DiagramProblem
from eqcompile.solve.diagram_comparison import solve_at
from eqcompile.solve.partitions import count_by_nodes, count_diagrams, count_kept

# The oracle's tables up to degree 6, found by orbits on set partitions.
TABLES = {
    ("V ** 2", "1"): [1, 2, 11, 52, 296, 1724, 11060],
    ("V ** 2", "V"): [1, 5, 32, 199, 1323, 9094, 65729],
    ("V ** 2", "V ** 2"): [2, 15, 117, 877, 6719, 52505, 422824],
    ("Sym(V, 2)", "1"): [1, 2, 7, 23, 79, 274, 1003],
    ("Sym(V, 2)", "V"): [1, 4, 17, 69, 281, 1147, 4784],
    ("Sym(V, 2)", "V ** 2"): [2, 11, 56, 266, 1238, 5714, 26554],
}


@pytest.mark.parametrize(("source", "target"), TABLES)
def test_tables_of_the_oracle(source: str, target: str) -> None:
    sides = read_tensor_powers(source), read_tensor_powers(target)
    counts = [count_diagrams(None, *sides, d) for d in range(7)]
    assert counts == TABLES[source, target]


def test_counting_takes_no_time() -> None:
    count_by_nodes.cache_clear()
    count_kept.cache_clear()
    start = time.process_time()
    test_tables_of_the_oracle("V ** 2", "V ** 2")
    assert time.process_time() - start < 2


def test_bell_numbers() -> None:
    matrix = ((1, 1),)
    ordered = [count_diagrams(None, matrix, matrix, (1,) * d) for d in range(5)]
    assert ordered == [2, 15, 203, 4140, 115975]
    # A permutation with one cycle of length 6 keeps one partition per divisor.
    assert count_kept((6,)) == (0, 1, 1, 1, 0, 0, 1)
    assert sum(count_kept((1,) * 10)) == 115975


PARTS = st.sampled_from([(), (1,), (1, 1), (2,)])
TERMS = st.lists(PARTS, min_size=1, max_size=2).map(tuple)
SHAPES = st.sampled_from([(), (1,), (2,), (3,), (1, 1), (2, 1)])


@given(TERMS, TERMS, SHAPES)
def test_the_closed_form_counts_the_list_node_by_node(
    source: Terms, target: Terms, shape: tuple[int, ...]
) -> None:
    if sum(shape) > 2:
        source = source[:1]
    found = Counter(diagram.nodes for diagram in list_diagrams(target, source, shape))
    counts = count_by_nodes(source, target, shape)
    assert [found[nodes] for nodes in range(len(counts))] == list(counts)


POWERS = ["1", "V", "V ** 2", "Sym(V, 2)", "V + 1", "V * Sym(V, 2)", "Sym(V, 3)", "V + V ** 2"]


@given(
    st.sampled_from(POWERS),
    st.sampled_from(POWERS),
    st.integers(0, 3),
    st.integers(1, 5),
)
def test_the_closed_form_for_one_n_is_what_the_solver_finds(
    source: str, target: str, degree: int, n: int
) -> None:
    """For n too small for some classes as well, and without the list of diagrams."""
    sides = read_tensor_powers(source), read_tensor_powers(target)
    while count_coordinates(sides[0], n) ** degree * count_coordinates(sides[1], n) > 20_000:
        n -= 1
    problem = DiagramProblem("Layer", *sides, source, target, (degree,))
    shape = (degree,) if degree else ()
    assert solve_at(problem, shape, n).classes == count_diagrams(n, *sides, degree)
    if degree > 1:
        ordered = (1,) * degree
        assert solve_at(problem, ordered, n).classes == count_diagrams(n, *sides, ordered)


def test_expressions() -> None:
    assert read_tensor_powers("V * V + 2 Sym(V, 2) + 1") == ((1, 1), (2,), (2,), ())
    assert read_tensor_powers("dual(V) ** 3") == ((1, 1, 1),)
    assert read_tensor_powers("Sym(V ** 1, 2) * V") == ((2, 1),)
    assert read_tensor_powers("Sym(V, 0) + Sym(V * V, 1)") == ((), (1, 1))
    assert count_coordinates(read_tensor_powers("V * Sym(V, 2) + 1"), 4) == 41


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Alt(V, 2)", "not-yet-served"),
        ("subsets(V, 2)", "not-yet-served"),
        ("Sym(V ** 2, 2)", "not-yet-served"),
        ("V * (V + 1)", "not-yet-served"),
        ("sign", "not-yet-served"),
        ("V ** 9", "too-large"),
        ("(V ** 8) * V", "too-large"),
        ("17 V", "too-large"),
        ("V +", "expression"),
    ],
)
def test_what_is_no_tensor_power_is_refused_where_it_stands(text: str, rule: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_tensor_powers(text)
    assert caught.value.rule == rule
    assert caught.value.offset is not None
