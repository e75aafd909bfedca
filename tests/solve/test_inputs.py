"""Classes of several inputs: against the null space, written out slot by slot."""

from __future__ import annotations

from itertools import combinations_with_replacement, product
from math import prod
from typing import Any

import numpy as np
import pytest

from eqcompile.exact.signed import SignedPermutation, direct_sum
from eqcompile.layers.problem import Degree, LayerProblem, Shape, keep_degree, split_degree
from eqcompile.solve.ansatz import expand
from eqcompile.solve.certificate import prove
from eqcompile.solve.constraints import constrain
from eqcompile.solve.layer import solve_layer
from eqcompile.solve.solver import solve
from tests.actions_of import SEVERAL, list_degrees, make_problem_of_several, make_several


def write_matrix(g: SignedPermutation) -> Any:
    matrix = np.zeros((g.n, g.n), dtype=np.int64)
    matrix[g.perm, np.arange(g.n)] = g.signs
    return matrix


def list_monomials(problem: LayerProblem, degree: Degree) -> list[tuple[tuple[int, ...], ...]]:
    dims = [given.action.dim for given in problem.inputs]
    return list(
        product(
            *(combinations_with_replacement(range(n), d) for n, d in zip(dims, degree, strict=True))
        )
    )


def write_constraints(problem: LayerProblem, degree: Degree) -> Any:
    """Write what f(g x, g y) = g f(x, y) says of the slots, comparing coefficients of monomials.

    ``(g x)_j`` is ``sum_i g[j, i] x_i``: a monomial goes to a sum over all ways to choose i.
    """
    monomials = list_monomials(problem, degree)
    rank = {monomial: number for number, monomial in enumerate(monomials)}
    rows = []
    for index in range(len(problem.labels)):
        sides = [write_matrix(given.action.images[index]) for given in problem.inputs]
        moved = np.zeros((len(monomials), len(monomials)), dtype=np.int64)
        for target, monomial in enumerate(monomials):
            flat = [(s, j) for s, part in enumerate(monomial) for j in part]
            for chosen in product(*(range(len(sides[s])) for s, _ in flat)):
                factor = prod(int(sides[s][j, i]) for (s, j), i in zip(flat, chosen, strict=True))
                parts: list[list[int]] = [[] for _ in sides]
                for (s, _), i in zip(flat, chosen, strict=True):
                    parts[s].append(i)
                moved[rank[tuple(tuple(sorted(p)) for p in parts)], target] += factor
        output = write_matrix(problem.output.images[index])
        # Slot (k, a) is w[k, a]: w moved^T - output w = 0.
        eye_k, eye_a = np.eye(len(output), dtype=np.int64), np.eye(len(monomials), dtype=np.int64)
        rows.append(np.kron(eye_k, moved) - np.kron(output, eye_a))
    return np.concatenate(rows)


@pytest.mark.parametrize("name", SEVERAL)
def test_classes_are_the_null_space(name: str) -> None:
    problem = make_several(name, list_degrees(len(SEVERAL[name][0]), 2))
    for degree in problem.degrees:
        tying = solve(constrain(expand(problem, keep_degree(degree))))
        rows = write_constraints(problem, degree)
        rank = int(np.linalg.matrix_rank(rows.astype(float)))
        assert tying.classes == rows.shape[1] - rank, degree
        labels, signs = (part.ravel() for part in tying.table())
        for label in range(tying.classes):
            assert not (rows @ np.where(labels == label, signs, 0)).any(), degree
        assert prove(tying).classes == tying.classes


@pytest.mark.parametrize("path", ["table", "stabiliser"])
@pytest.mark.parametrize("name", SEVERAL)
def test_both_ways_to_solve_agree_and_are_proven(name: str, path: Any) -> None:
    count = len(SEVERAL[name][0])
    problem = make_several(name, [(2, 1, *(0 for _ in range(count - 2)))])
    (degree,) = problem.degrees
    for shape in (*problem.block_shapes(degree), split_degree(degree)):
        tying = solve(constrain(expand(problem, shape)), path)
        other = solve(constrain(expand(problem, shape)))
        labels, signs = tying.table()
        assert np.array_equal(labels, other.table()[0])
        assert np.array_equal(signs, other.table()[1])
        assert prove(tying).classes == tying.classes


@pytest.mark.parametrize("widths", [(1, 1), (2, 1), (1, 2), (2, 3)])
@pytest.mark.parametrize("degree", [(1, 1), (2, 1), (2, 2), (0, 2)])
@pytest.mark.parametrize("name", ["S_3 on two", "C_2 unlike"])
def test_full_mixing_is_all_of_it_once(name: str, degree: Degree, widths: tuple[int, int]) -> None:
    """The parameters per output channel are as many as the classes of one long channel each."""
    from eqcompile.exact.monomials import count_product_tuples

    solution = solve_layer(make_several(name, [degree], widths=widths))
    found = sum(
        count_product_tuples(block.shape, widths) * block.tying.classes
        for block in solution.parameter_blocks()
    )
    inputs, outputs = SEVERAL[name]
    pairs = zip(inputs.items(), widths, strict=True)
    long = {w: ([direct_sum([g] * c) for g in images], 1) for (w, images), c in pairs}
    whole = solve_layer(make_problem_of_several(long, outputs, [degree]), blocks=False)
    assert found == whole.tying(degree).classes


def test_inputs_of_equal_action_are_not_exchanged() -> None:
    """x_i y_j and x_j y_i are two monomials, unlike x_i x_j: S_3 has 5 classes, not 4."""
    solution = solve_layer(make_several("S_3 on two", [(1, 1), (2, 0)]))
    assert solution.tying((1, 1)).classes == solution.ordered_classes((2, 0)) == 5
    assert solution.tying((2, 0)).classes == 4


@pytest.mark.parametrize(
    ("degree", "shape", "slot"),
    [
        ((1, 1), ((1,), (1,)), "w[1; x.0, y.2]"),
        ((2, 0), ((2,), ()), "w[1; x.0, x.2]"),
        ((2, 1), ((1, 1), (1,)), "w[1; x0.0, x1.2, y.1]"),
        ((0, 0), ((), ()), "w[1]"),
    ],
)
def test_slots_name_their_inputs(degree: Degree, shape: Shape, slot: str) -> None:
    ansatz = expand(make_several("S_3 on two", [degree]), shape)
    indices = iter([0, 2, 1])
    rank = ansatz.space.rank([[next(indices) for _ in range(d)] for d in ansatz.shape])
    assert ansatz.spell_slot(1, rank) == slot
    assert ansatz.sources == tuple(0 if name.startswith("x") else 1 for name in ansatz.names)
