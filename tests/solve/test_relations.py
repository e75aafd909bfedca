"""What further constraints demand of the slots, against the polynomials they are about."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, permutations
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eqcompile.errors import Refusal
from eqcompile.exact.fields import Scalar
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.monomials import partitions
from eqcompile.exact.nullspace import find_kernel
from eqcompile.layers.polynomial import resolve
from eqcompile.layers.problem import LayerProblem, Shape
from eqcompile.layers.relations import SymmetricPart
from eqcompile.solve.ansatz import expand
from eqcompile.solve.constraints import constrain
from eqcompile.solve.layer import solve_layer
from eqcompile.solve.linear import spread_coefficients
from eqcompile.solve.relations import share_indices, share_monomial, spell_rows
from eqcompile.solve.solver import solve
from eqcompile.spec import load

MOMENTS = [
    [1, 1, 1, 1, 1, 1, 1, 1, 1],
    [0, 1, 0, -1, 0, 1, -1, -1, 1],
    [0, 0, 1, 0, -1, 1, 1, -1, -1],
]


LAYER = {
    "name": "Quad",
    "group": {"trivial": 3},
    "input": "V",
    "output": "V",
    "degree": 2,
    "channels": {"in": 2, "out": 2},
}


def pose(*constraints: Any, **changes: Any) -> LayerProblem:
    """Pose a layer of the trivial group on three points, or what the changes make of it."""
    merged = {**LAYER, **changes, "constraints": list(constraints)}
    layer = {key: value for key, value in merged.items() if value is not None}
    (problem,) = resolve(load({"version": 1, "package": "nets", "layers": [layer]}))
    return problem


def list_blocks(problem: LayerProblem) -> list[Shape]:
    return [shape for degree in problem.degrees for shape in problem.block_shapes(degree)]


def multiply(matrix: Matrix, vector: list[Fraction]) -> list[Fraction]:
    """Multiply a rational matrix and a vector, entry by entry."""
    found = [Fraction(0)] * matrix.height
    for i, j, value in matrix.entries():
        found[i] += value.as_fraction() * vector[j]
    return found


def draw_slots(size: int, seed: int = 0) -> list[Fraction]:
    draws = np.random.default_rng(seed).integers(-9, 10, size)
    return [Fraction(int(v), 1 + i % 3) for i, v in enumerate(draws)]


def collapse(problem: LayerProblem, shape: Shape, slots: list[Fraction]) -> dict[Any, Fraction]:
    """Return the coefficients of a block's polynomial when all channels carry the same input."""
    ansatz = expand(problem, shape)
    owner = [i for i, parts in enumerate(shape) for d in parts for _ in range(d)]
    found: dict[Any, Fraction] = {}
    columns = ansatz.space.columns().tolist()
    for k in range(ansatz.output.dim):
        for rank, row in enumerate(columns):
            names = zip(owner, row, strict=True)
            monomial = tuple(sorted(names))
            value = slots[k * len(columns) + rank]
            found[k, monomial] = found.get((k, monomial), Fraction(0)) + value
    return found


EQUATIONS = [
    "w[0; 1, 2] == 2*w[0; 0, 1]",
    "w[0; 1, 1] + w[2; 0, 0]/3 - w[1; 0, 2] == 5/2",
    "w[0; 1] - 7*w[2; 2] == 4",
    "w[0] + w[1] == 1",
    "w[0; 0, 0, 1] == w[1; 1, 1, 1] + 3*w[1; 0, 1, 2] - 1",
    "w[0; 0, 0, 1, 1] == w[1; 0, 1, 1, 2]",
]


@pytest.mark.parametrize("text", EQUATIONS)
@pytest.mark.parametrize("mixing", ["full", "channelwise", "depthwise"])
def test_an_equation_is_about_equal_inputs(text: str, mixing: str) -> None:
    degree = 4 if text.count(",") > 4 else 3 if text.count(",") > 3 else 2
    channels = {"in": 2, "out": 2, "mixing": mixing}
    problem = pose(text, degree=degree, channels=channels)
    (relation,) = problem.relations
    meaning: Any = relation.meaning
    told = 0
    for shape in list_blocks(problem):
        sides = spell_rows(relation, problem, shape)
        assert (sides is None) == (sum(map(sum, shape)) != meaning.degree[0])
        if sides is None:
            continue
        matrix, right = sides
        slots = draw_slots(matrix.width)
        values = collapse(problem, shape, slots)
        wanted = sum(
            factor.as_fraction() * values[s.output, tuple((0, i) for i in s.indices[0])]
            for s, factor in meaning.terms
        )
        assert multiply(matrix, slots) == [wanted]
        within = shape in (((sum(map(sum, shape)),),), ((),))
        assert (right is None) == (not within or not meaning.right)
        assert right is None or list(right.entries()) == [(0, 0, meaning.right)]
        told += 1
    assert told == (1 if mixing != "full" else {0: 1, 1: 1, 2: 2, 3: 3, 4: 5}[meaning.degree[0]])


def test_an_equation_of_several_inputs() -> None:
    text = "w[0; x.1, y.0, y.1] == 3*w[1; x.0, y.1, y.1] + 1"
    degrees = [{"x": 1, "y": 2}, {"x": 2, "y": 1}]
    problem = pose(text, input={"x": "V", "y": "V"}, degree=None, degrees=degrees)
    (relation,) = problem.relations
    for shape in list_blocks(problem):
        sides = spell_rows(relation, problem, shape)
        if tuple(map(sum, shape)) != (1, 2):
            assert sides is None
            continue
        assert sides is not None
        slots = draw_slots(sides[0].width)
        values = collapse(problem, shape, slots)
        left = values[0, ((0, 1), (1, 0), (1, 1))]
        assert multiply(sides[0], slots) == [left - 3 * values[1, ((0, 0), (1, 1), (1, 1))]]
        assert (sides[1] is None) == (shape != ((1,), (2,)))


@given(
    indices=st.lists(st.integers(0, 3), max_size=6).map(lambda found: tuple(sorted(found))),
    seed=st.integers(0, 10),
)
def test_indices_are_shared_in_every_way_once(indices: tuple[int, ...], seed: int) -> None:
    parts = tuple(partitions(len(indices)))[seed % len(tuple(partitions(len(indices))))]
    found = list(share_indices(indices, parts))
    assert len(set(found)) == len(found)
    cuts = np.cumsum([0, *parts])
    wanted = {
        tuple(i for a, b in pairwise(cuts) for i in sorted(order[a:b]))
        for order in permutations(indices)
    }
    assert set(found) == wanted


def test_a_monomial_of_many_factors_is_shared_fast() -> None:
    """The ways are listed as one table, not ranked one by one."""
    problem = pose(degree=None, degrees=[7], group={"trivial": 7})
    shape = ((1,) * 7,)
    space = expand(problem, shape).space
    ranks = share_monomial((tuple(range(7)),), space, shape)
    assert len(set(ranks.tolist())) == 5040
    assert all(sorted(space.tuples(r)) == [(i,) for i in range(7)] for r in ranks[:20].tolist())


def evaluate(problem: LayerProblem, shape: Shape, slots: list[Fraction], point: Any) -> Any:
    """Return the block's map at a point: one vector per factor of the monomials."""
    ansatz = expand(problem, shape)
    owner = [f for f, d in enumerate(ansatz.shape) for _ in range(d)]
    found = []
    columns = ansatz.space.columns().tolist()
    for k in range(ansatz.output.dim):
        terms = (
            slots[k * len(columns) + rank]
            * prod(point[f][i] for f, i in zip(owner, row, strict=True))
            for rank, row in enumerate(columns)
        )
        found.append(sum(terms, Fraction(0)))
    return found


@pytest.mark.parametrize("mixing", ["full", "channelwise"])
def test_conserve_is_about_every_input(mixing: str) -> None:
    """The equations of a block, summed with the monomials of a point, are M f(x) - M x."""
    rows: list[list[int | str]] = [[1, "1/2", 0], [0, 3, -1]]
    problem = pose({"conserve": rows}, degree=3, channels={"in": 2, "out": 2, "mixing": mixing})
    (relation,) = problem.relations
    for shape in list_blocks(problem):
        sides = spell_rows(relation, problem, shape)
        assert sides is not None
        slots = draw_slots(sides[0].width)
        point = [[Fraction(2 * f + 3 * i + 1, i + 2) for i in range(3)] for f in range(4)]
        image = evaluate(problem, shape, slots, point)
        fixed = [value if shape == ((1,),) else 0 for value in point[0]]
        moved = [y - x for y, x in zip(image, fixed, strict=True)]
        wanted = [sum(Fraction(m) * v for m, v in zip(row, moved, strict=True)) for row in rows]
        left = multiply(sides[0], slots)
        if sides[1] is not None:
            right = multiply(sides[1], [Fraction(1)])
            left = [a - b for a, b in zip(left, right, strict=True)]
        assert (sides[1] is not None) == (shape == ((1,),))
        # One equation per row and monomial, rows slowest.
        size = len(left) // len(rows)
        unit = [Fraction(int(i == 0)) for i in range(3 * size)]
        monomials = [
            evaluate(problem, shape, unit[-r:] + unit[:-r] if r else unit, point)[0]
            for r in range(size)
        ]
        found = [
            sum(a * b for a, b in zip(left[r * size : (r + 1) * size], monomials, strict=True))
            for r in range(len(rows))
        ]
        assert found == wanted


def test_conserve_of_one_of_several_inputs() -> None:
    conserve = {"conserve": {"rows": [[1, 1, 1]], "input": "y"}}
    problem = pose(conserve, input={"x": "V", "y": "V"}, degree=1)
    (relation,) = problem.relations
    found = {shape: spell_rows(relation, problem, shape) for shape in list_blocks(problem)}
    fixed = [shape for shape, sides in found.items() if sides is not None and sides[1] is not None]
    assert fixed == [((), (1,))]
    assert len(found) == 3
    matrix, right = found[fixed[0]] or (None, None)
    assert matrix == Matrix.from_dense([[1, 1, 1]]).kron(Matrix.identity(3))
    assert right == Matrix.from_dense([[1], [1], [1]])


@pytest.mark.parametrize("kind", ["symmetric", "zero_diagonal"])
def test_shapes_of_the_linear_part(kind: str) -> None:
    problem = pose({kind: True}, channels={"in": 2, "out": 3})
    (relation,) = problem.relations
    for shape in list_blocks(problem):
        assert (spell_rows(relation, problem, shape) is None) == (shape != ((1,),))
    matrix, right = spell_rows(relation, problem, ((1,),)) or (None, None)
    assert matrix is not None
    assert right is None
    kernel = find_kernel(matrix).to_float().T.reshape(-1, 3, 3)
    assert len(kernel) == 6
    for weights in kernel:
        assert (
            np.array_equal(weights, weights.T)
            if kind == "symmetric"
            else not weights.diagonal().any()
        )


def test_units_of_a_symmetric_part() -> None:
    """The units of coordinates stand in the equations, as ratios."""
    units = (Scalar.of(1), Scalar.of(2), Scalar.of(3))
    problem = pose({"symmetric": True})
    (relation,) = problem.relations
    scaled = replace(relation, meaning=SymmetricPart(units))
    matrix, _ = spell_rows(scaled, problem, ((1,),)) or (Matrix.zero(0, 0), None)
    for weights in find_kernel(matrix).to_float().T.reshape(-1, 3, 3):
        moved = np.array([1.0, 2.0, 3.0])[:, None] * weights
        assert np.array_equal(moved, moved.T)


# What the solver makes of them.


def count(problem: LayerProblem) -> list[int]:
    solution = solve_layer(problem, blocks=False)
    return [solution.tying(degree).classes for degree in problem.degrees]


LATTICE = {"group": {"lattice": "D2Q9"}, "channels": None}


def test_mass_and_momentum_on_the_lattice() -> None:
    """Of 83 classes, conservation leaves 56 = 2 + 10 + 44."""
    assert count(pose(**LATTICE)) == [3, 15, 65]
    problem = pose({"conserve": MOMENTS}, **LATTICE)
    assert count(problem) == [2, 10, 44]
    solution = solve_layer(problem, blocks=False)
    assert solution.tying((1,)).is_affine
    assert solution.tying((1,)).redundant == ()
    assert [solution.ordered_classes(degree) for degree in problem.degrees] == [None] * 3


def test_counts_agree_with_a_dense_rank() -> None:
    """The same by E^T rows of all slots and one dense kernel."""
    problem = pose({"conserve": MOMENTS}, **LATTICE)
    for degree, wanted in zip(problem.degrees, [2, 10, 44], strict=True):
        (shape,) = (s for s in problem.block_shapes(degree) if len(s[0]) < 2)
        free = solve(constrain(expand(pose(**LATTICE), shape)))
        (rows,) = expand(problem, shape).relations
        assert find_kernel(rows.matrix @ spread_coefficients(free)).width == wanted


def test_mass_and_momentum_in_3d() -> None:
    """V = 3 A1g + 2 Eg + 2 T1u + T2g + T2u; maps into what is left of A1g and T1u are 6 + 2."""
    lattice = {"group": {"lattice": "D3Q19"}, "channels": None, "degree": 1}
    free = pose(**lattice)
    points = np.array(free.group.points)
    rows = [[1] * 19, *points.T.tolist()]
    assert count(free) == [3, 3 * 3 + 2 * 2 + 2 * 2 + 1 + 1]
    assert count(pose({"conserve": rows}, **lattice)) == [2, 3 * 2 + 2 * 2 + 2 * 1 + 1 + 1]


@pytest.mark.parametrize(
    ("constraints", "counts"),
    [
        ([], [1, 2, 4]),
        ([{"symmetric": True}], [1, 2, 4]),
        ([{"zero_diagonal": True}], [1, 1, 4]),
        (["w[0; 0] == 2*w[0; 1]"], [1, 1, 4]),
        (["w[0; 0] == 2*w[0; 1]", "w[1; 1] == 1"], [1, 0, 4]),
        (["w[0] == w[1]", "w[0; 0, 0] == w[0; 1, 2]"], [1, 2, 3]),
        ([{"conserve": [[1, 1, 1]]}], [0, 1, 2]),
        ([{"symmetric": False}], [1, 2, 4]),
    ],
)
def test_counts_of_the_symmetric_group(constraints: list[Any], counts: list[int]) -> None:
    assert count(pose(*constraints, group={"symmetric": 3}, channels=None)) == counts


@pytest.mark.parametrize(
    ("constraints", "number"),
    [
        (["w[0; 0] == 1", "w[1; 1] == 2"], 1),
        (["w[0; 0] == w[1; 1] + 1"], 0),
        (["w[0; 0] == 3", {"zero_diagonal": True}], 1),
        ([{"conserve": [[1, 1, 1]]}, "w[0; 0] == 1", "w[0; 1] == 5"], 2),
    ],
)
def test_a_contradiction_is_refused_where_it_stands(constraints: list[Any], number: int) -> None:
    problem = pose(*constraints, group={"symmetric": 3}, channels=None)
    with pytest.raises(Refusal) as caught:
        solve_layer(problem, blocks=False)
    assert caught.value.rule == "inconsistent-constraints"
    assert caught.value.at == ("constraints", number)
    assert problem.relations[number].cause in caught.value.text


def test_what_says_nothing_new_is_reported() -> None:
    told = ["w[0; 0] == w[1; 1]", {"symmetric": True}, "w[0; 0] == 1", "2*w[2; 2] == 2"]
    problem = pose(*told, group={"symmetric": 3}, channels=None)
    causes = [problem.relations[i].cause for i in (0, 1, 3)]
    assert list(solve_layer(problem, blocks=False).tying((1,)).redundant) == causes


CYCLE = np.eye(3)[[2, 0, 1]]
GROUPS: dict[str, list[Any]] = {"trivial": [np.eye(3)], "cyclic": [CYCLE]}
NUMBERS = st.integers(-2, 2)


@st.composite
def draw_equations(draw: st.DrawFn) -> list[tuple[list[int], int]]:
    """Draw equations between the nine slots of a linear map: coefficients and right-hand side."""
    rows = st.lists(NUMBERS, min_size=9, max_size=9).filter(any)
    return draw(st.lists(st.tuples(rows, st.sampled_from([0, 0, 1])), max_size=4))


@given(
    equations=draw_equations(),
    shapes=st.sets(st.sampled_from(["symmetric", "zero_diagonal"])),
    group=st.sampled_from(sorted(GROUPS)),
)
def test_random_constraints_leave_what_a_dense_rank_says(
    equations: list[tuple[list[int], int]], shapes: set[str], group: str
) -> None:
    told: list[Any] = [{kind: True} for kind in sorted(shapes)]
    rows = [np.kron(g, np.eye(3)) - np.kron(np.eye(3), g.T) for g in GROUPS[group]]
    rows += [np.eye(9) - np.eye(9)[[0, 3, 6, 1, 4, 7, 2, 5, 8]]] if "symmetric" in shapes else []
    rows += [np.eye(9)[[0, 4, 8]]] if "zero_diagonal" in shapes else []
    matrix = np.concatenate([*rows, np.zeros((0, 9))])
    right = np.zeros(len(matrix))
    for factors, value in equations:
        terms = [f"{f}*w[{i // 3}; {i % 3}]" for i, f in enumerate(factors) if f]
        told.append(f"{' + '.join(terms)} == {value}")
        matrix, right = np.vstack([matrix, factors]), np.append(right, value)
    rank = int(np.linalg.matrix_rank(matrix))
    met = int(np.linalg.matrix_rank(np.column_stack([matrix, right]))) == rank
    problem = pose(*told, group={group: 3}, degree=None, degrees=[1], channels=None)
    if not met:
        with pytest.raises(Refusal, match="contradicts"):
            solve_layer(problem, blocks=False)
        return
    tying = solve_layer(problem, blocks=False).tying((1,))
    assert tying.classes == 9 - rank
    assert tying.is_affine == bool(right.any())
