"""Every formula in words is true: multiplied out it is the class, at every output it speaks of."""

from __future__ import annotations

import time

import numpy as np
import pytest

from eqcompile.draw.formula import Linear, Symmetric, Terms, collect, expand_expression
from eqcompile.draw.scope import open_scope
from eqcompile.draw.words import (
    describe_classes,
    list_terms,
    name_class,
    place_expression,
    rank_terms,
)
from eqcompile.solve.tying import Tying
from tests.draw.actions_drawn import ACTIONS, cyclic, symmetric, tie, tie_group, wreath

SHAPES = ((), (1,), (2,), (3,), (1, 1), (2, 1))


def assert_words_are_true(tying: Tying) -> int:
    """Compare every class at every output that its words speak of; returns how many were."""
    words = describe_classes(tying)
    assert [w.name for w in words] == [name_class(c) for c in range(tying.classes)]
    labels, signs = tying.table()
    compared = 0
    for orbit in tying.orbits:
        scope = open_scope(tying, orbit)
        for c, terms in list_terms(tying, orbit, None):
            whole = expand_expression(words[c].expression, scope.inputs)
            assert whole == collect(terms.rows, terms.coefficients)
            spoken = orbit.outputs.tolist() if words[c].reading != "first" else [scope.output]
            for output in spoken:
                placed = expand_expression(place_expression(words[c], scope, output), scope.inputs)
                ranks, coefficients = rank_terms(tying, placed)
                row = np.where(labels[output] == c, signs[output], 0)
                told = np.zeros_like(row)
                told[ranks] = coefficients
                assert np.array_equal(row, told), (words[c].text, output)
                compared += 1
    return compared


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ACTIONS)
def test_words_are_the_class_at_every_output(name: str, shape: tuple[int, ...]) -> None:
    tying = tie(name, sum(shape), shape)
    if tying.ansatz.slots > 20_000:
        tying = tie(name, 2)
    assert assert_words_are_true(tying) >= tying.classes


def test_wrong_words_would_be_noticed() -> None:
    """The comparison above can fail: 'the others' of output 0 is not a class of C_5."""
    tying = tie("C_5", 1)
    (orbit,) = tying.orbits
    others = expand_expression(Linear((1, 2, 3, 4), (1, 1, 1, 1)), 5)
    found = [collect(t.rows, t.coefficients) for _, t in list_terms(tying, orbit, None)]
    assert others not in found


def texts(tying: Tying) -> list[str]:
    return [f"{w.head}: {w.text}" for w in describe_classes(tying)]


def test_symmetric_group_in_words() -> None:
    assert texts(tie("S_5", 1)) == ["y_k: x_k", "y_k: sum of the others"]
    assert texts(tie("S_5", 2)) == [
        "y_k: x_k^2",
        "y_k: x_k * sum of the others",
        "y_k: sum of squares of the others",
        "y_k: sum of products of two different others",
    ]
    assert texts(tie("S_5", 3)) == [
        "y_k: x_k^3",
        "y_k: x_k^2 * sum of the others",
        "y_k: x_k * sum of squares of the others",
        "y_k: x_k * sum of products of two different others",
        "y_k: sum of cubes of the others",
        "y_k: sum of x_i^2 x_j over different i, j among the others",
        "y_k: sum of products of three different others",
    ]
    assert texts(tie("S_4 to scalar", 2)) == [
        "y_0: sum of squares of all inputs",
        "y_0: sum of products of two different inputs",
    ]
    assert texts(tie("S_3", 2))[3] == "y_k: product of the others"


def test_ordered_classes_name_both_channels() -> None:
    assert texts(tie("S_5", 2, (1, 1))) == [
        "y_k: x0_k x1_k",
        "y_k: x0_k * sum of the others x1",
        "y_k: x1_k * sum of the others x0",
        "y_k: sum of x0_i x1_i over i among the others",
        "y_k: sum of x0_i x1_j over different i, j among the others",
    ]


def test_cyclic_groups_count_from_k() -> None:
    assert texts(tie("D_4", 2)) == [
        "y_k: x_k^2",
        "y_k: x_k * (x_{k+1} + x_{k-1})",
        "y_k: x_k x_{k+2}",
        "y_k: x_{k+1}^2 + x_{k-1}^2",
        "y_k: x_{k+2} * (x_{k+1} + x_{k-1})",
        "y_k: x_{k+1} x_{k-1}",
        "y_k: x_{k+2}^2",
    ]


def test_signs_and_blocks() -> None:
    assert texts(tie("B_3", 3)) == ["y_k: x_k^3", "y_k: x_k * sum of squares of the others"]
    # The rotation sends x_1 in y_0 to -x_0 in y_1, so x_1 is said of y_0 only.
    assert texts(tie("plane", 1)) == ["y_k: x_k", "y_0: x_1"]
    # The swap negates outputs: y_1 holds -x_1, so x_k would be false.
    assert texts(tie("S_2 twisted", 1)) == ["y_0: x_0", "y_0: x_1"]
    assert texts(tie("S_3 wr S_2", 2))[5] == "y_0: (x_1 + x_2) * (x_3 + x_4 + x_5)"
    assert texts(tie("C_4 to scalar", 2)) == [
        "y_0: sum of squares of all inputs",
        "y_0: (x_0 + x_2) * (x_1 + x_3)",
        "y_0: x_0 x_2 + x_1 x_3",
    ]
    assert texts(tie("D_4 twisted", 2)) == [
        "y_0: x_0 * (x_1 - x_3)",
        "y_0: x_1^2 - x_3^2",
        "y_0: x_2 * (x_1 - x_3)",
    ]
    assert texts(tie("B_3 twisted", 3)) == ["y_k: x_k * (x_{k+1}^2 - x_{k-1}^2)"]


def test_large_classes_are_cut_with_their_length() -> None:
    texts_of = texts(tie_group(wreath(4, 3), 3))
    assert texts_of[-1].startswith("y_0: x_4 x_5 x_8 + x_4 x_5 x_9 + ")
    assert texts_of[-1].endswith(" + ... (48 terms)")
    assert "y_0: x_0 * (x_4 + x_5 + x_6 + x_7) * (x_8 + x_9 + x_10 + x_11)" in texts_of


def test_class_names() -> None:
    assert [name_class(c) for c in (0, 25, 26, 27, 701, 702)] == ["a", "z", "aa", "ab", "zz", "aaa"]


def test_terms_compare_by_value() -> None:
    rows = np.array([[0, 1]])
    assert Terms(rows, np.array([1])) == Terms(rows, np.array([1]))
    assert Terms(rows, np.array([1])) != Terms(rows, np.array([-1]))
    assert expand_expression(Symmetric(((2,), (1,)), (0, 1)), 2).rows.tolist() == [
        [0, 0, 1],
        [0, 1, 1],
    ]


def test_seventeen_million_slots_in_words() -> None:
    tying = tie_group(symmetric(100), 3)
    start = time.process_time()
    words = describe_classes(tying)
    assert time.process_time() - start < 2
    assert words[6].text == "sum of products of three different others"
    assert words[6].size == 100 * 99 * 98 * 97 // 6


def test_limit_cuts_the_list() -> None:
    tying = tie_group(cyclic(100), 2)
    assert len(describe_classes(tying, 20)) == 20
