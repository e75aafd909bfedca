"""Small layers whose coefficients depend on each other, with bases spelled out by hand."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eqcompile.emit.package import render_package
from eqcompile.emit.views import EmittedLayer
from eqcompile.exact.fields import Field, Scalar
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import SignedPermutation
from eqcompile.layers.problem import LayerProblem, LinearGenerator
from eqcompile.plan.forms import choose
from eqcompile.solve.ansatz import Rows
from eqcompile.solve.basis import Basis
from eqcompile.solve.layer import Block, LayerSolution, solve_layer
from eqcompile.solve.tying import OutputOrbit, Tying
from tests.actions_of import make_problem
from tests.emit.problems import ORIGIN, import_written, pose

Number = int | Fraction | Scalar
Columns = Sequence[Sequence[Number]]

FIFTH = Scalar(Field(5), (0, 1))
"""2 cos(2 pi / 5)."""


def find_kernel(rows: list[list[Fraction]], width: int) -> list[list[Fraction]]:
    """Return the solutions of ``rows u = 0`` in which one free unknown is 1, by elimination.

    Unknowns are eliminated from the last on, so that the first ones are free.
    """
    pivots: dict[int, list[Fraction]] = {}
    for row in rows:
        for column, pivot in pivots.items():
            row = [a - row[column] * b for a, b in zip(row, pivot, strict=True)]
        last = max((j for j, a in enumerate(row) if a), default=-1)
        if last >= 0:
            new = [a / row[last] for a in row]
            for column, own in pivots.items():
                pivots[column] = [a - own[last] * b for a, b in zip(own, new, strict=True)]
            pivots[last] = new
    found = []
    for free in (j for j in range(width) if j not in pivots):
        solution = [Fraction(int(j == free)) for j in range(width)]
        for place, row in pivots.items():
            solution[place] = -row[free]
        found.append(solution)
    return found


def demand(tying: Tying, right: int) -> Tying:
    """State that the outputs add up to the sum of the inputs or to zero, as a relation."""
    size, dim = tying.ansatz.space.size, tying.ansatz.output.dim
    matrix = Matrix.from_entries(
        size, size * dim, [(a, k * size + a, 1) for a in range(size) for k in range(dim)]
    )
    fixed = Matrix.from_entries(size, 1, [(a, 0, 1) for a in range(size)]) if right else None
    rows = Rows("conserve (line 7)", matrix, fixed)
    return replace(tying, ansatz=replace(tying.ansatz, relations=(rows,)))


def sum_outputs(tying: Tying) -> list[list[Fraction]]:
    """Demand that the outputs add up to zero: one equation per monomial."""
    labels, signs = tying.table()
    rows = []
    for column, turns in zip(labels.T, signs.T, strict=True):
        row = [Fraction(0)] * tying.coefficients
        for label, turn in zip(column.tolist(), turns.tolist(), strict=True):
            if label >= 0:
                row[label] += turn
        rows.append(row)
    return rows


def impose(
    tying: Tying,
    columns: Columns,
    fixed: Sequence[Number] = (),
    squares: Sequence[Fraction] = (),
) -> Tying:
    """Give a tying a basis by its columns, and drop the coefficients that are always zero.

    Args:
        tying: Of the signed generators alone.
        columns: One per class, each of the length of its coefficients.
        fixed: The fixed part.
        squares: Of the units of the coefficients that are kept.
    """
    sides = [*columns, *([fixed] if fixed else [])]
    kept = [c for c in range(tying.coefficients) if any(side[c] for side in sides)]
    number = np.full(tying.coefficients + 1, -1)
    number[kept] = np.arange(len(kept))
    orbits = tuple(_renumber(orbit, number) for orbit in tying.orbits)
    free = [next(i for i, c in enumerate(kept) if column[c]) for column in columns]
    entries = [(i, j, column[c]) for j, column in enumerate(columns) for i, c in enumerate(kept)]
    matrix = Matrix.from_entries(len(kept), len(columns), entries)
    offset = None
    if fixed:
        offset = Matrix.from_entries(len(kept), 1, [(i, 0, fixed[c]) for i, c in enumerate(kept)])
    basis = Basis(matrix, np.array(free, dtype=np.int64), offset, tuple(squares))
    return replace(tying, orbits=orbits, basis=basis)


def _renumber(orbit: OutputOrbit, number: Any) -> OutputOrbit:
    labels = number[orbit.labels]
    return replace(orbit, labels=labels, signs=np.where(labels >= 0, orbit.signs, 0))


def conserve(tying: Tying) -> Tying:
    """Demand that the outputs add up to zero; to the sum of the inputs at degree 1."""
    columns = find_kernel(sum_outputs(tying), tying.coefficients)
    if tying.ansatz.shape != (1,):
        return demand(impose(tying, columns), 0)
    # S_3: w[0; 0] + 2 w[0; 1] = 1, of which the first one is free.
    return demand(impose(tying, columns, [0, Fraction(1, 2)]), 1)


def balance(tying: Tying) -> Tying:
    """Demand that the outputs add up to zero at every degree."""
    return demand(impose(tying, find_kernel(sum_outputs(tying), tying.coefficients)), 0)


def keep(tying: Tying) -> Tying:
    """Demand nothing."""
    return tying


def fix_identity(tying: Tying) -> Tying:
    """Demand that the layer is the identity."""
    return impose(tying, [], [int(k == a) for k, a in tying.representatives.tolist()])


def still(n: int) -> list[SignedPermutation]:
    return [SignedPermutation.identity(n)]


def generate(cause: str, left: Columns, right: Columns, *, lie: bool = False) -> LinearGenerator:
    return LinearGenerator(cause, lie, (Matrix.from_dense(left),), Matrix.from_dense(right))


def list_slots(tying: Tying, values: dict[tuple[int, ...], Number]) -> list[Number]:
    """Return one column of a basis from the slots ``(output, *indices)`` that are not zero."""
    columns = tying.ansatz.space.columns().tolist()
    return [values.get((k, *columns[a]), 0) for k, a in tying.representatives.tolist()]


# A rotation by a fifth in coordinates where it is rational in g; its commutant is 1 and itself.
TURN: list[list[Number]] = [[0, -1], [1, FIFTH]]
# Of infinite order, and no orthogonal matrix.
CAT = [[2, 1], [1, 1]]

ROTATIONS = [
    [[0, 0, 0], [0, 0, -1], [0, 1, 0]],
    [[0, 0, 1], [0, 0, 0], [-1, 0, 0]],
    [[0, -1, 0], [1, 0, 0], [0, 0, 0]],
]
"""A basis of so(3)."""

# Harmonic polynomials x y, y z, 2 z^2 - x^2 - y^2, x z, x^2 - y^2, by their monomials.
HARMONICS: list[dict[tuple[int, int], int]] = [
    {(0, 1): 1},
    {(1, 2): 1},
    {(0, 0): -1, (1, 1): -1, (2, 2): 2},
    {(0, 2): 1},
    {(0, 0): 1, (1, 1): -1},
]
UNITS = (Fraction(1), Fraction(1), Fraction(1, 12), Fraction(1), Fraction(1, 4))
"""Squares of the units in which rotations move these polynomials by orthogonal matrices."""


def derive_harmonics(rotation: Sequence[Sequence[int]]) -> list[list[Fraction]]:
    """Return the matrix of an element of so(3) on the harmonic polynomials."""
    pivots = [(0, 1), (1, 2), (2, 2), (0, 2), (0, 0)]
    rows = []
    for terms in HARMONICS:
        moved: dict[tuple[int, int], Fraction] = {}
        for (i, j), value in terms.items():
            for a, b in ((i, j), (j, i)):
                for k, entry in enumerate(rotation[a]):
                    key = (min(k, b), max(k, b))
                    moved[key] = moved.get(key, Fraction(0)) + entry * value
        row = [moved.get(key, Fraction(0)) for key in pivots]
        row[2] /= 2
        row[4] += row[2]
        rows.append(row)
    return rows


def turn_fifth(tying: Tying) -> Tying:
    """Solve for maps that commute with the rotation by a fifth: ``a + b R``."""
    if tying.ansatz.shape != (1,):
        return impose(tying, [])
    return impose(tying, [[1, 0, 0, 1], [0, 1, -1, -FIFTH]])


def stretch(tying: Tying) -> Tying:
    """Solve for maps that commute with the matrix `CAT`."""
    return impose(tying, [[1, 0, 0, 1], [0, 1, 1, -1]])


def rotate(tying: Tying) -> Tying:
    """Solve for maps of vectors to vectors: the identity and the cross product."""
    match tying.ansatz.shape:
        case (1,):
            return impose(tying, [list_slots(tying, {(k, k): 1 for k in range(3)})])
        case (1, 1):
            values: dict[tuple[int, ...], Number] = {}
            for k in range(3):
                values[k, (k + 1) % 3, (k + 2) % 3] = 1
                values[k, (k + 2) % 3, (k + 1) % 3] = -1
            return impose(tying, [list_slots(tying, values)])
    return impose(tying, [])


def square(tying: Tying) -> Tying:
    """Solve for maps of vectors to harmonic polynomials of degree 2."""
    ordered = tying.ansatz.shape == (1, 1)
    values: dict[tuple[int, ...], Number] = {}
    for k, row in enumerate(HARMONICS):
        for (i, j), value in row.items():
            # A monomial of two different indices is shared by both orders, and twice as much.
            shared = value if ordered and i != j else 2 * value
            values[k, i, j] = shared
            if ordered:
                values[k, j, i] = shared
    column = list_slots(tying, values)
    kept = [k for (k, _), v in zip(tying.representatives.tolist(), column, strict=True) if v]
    return impose(tying, [column], squares=[UNITS[k] for k in kept])


def solve_additive(
    problem: LayerProblem,
    solve: Callable[[Tying], Tying],
    *,
    linear: Sequence[LinearGenerator] = (),
    parametrisation: Any = "orthonormal",
) -> LayerSolution:
    """Solve a layer for its signed generators, then by hand for the rest."""
    solution = solve_layer(problem)
    blocks = tuple(_solve_block(block, solve, linear) for block in solution.blocks)
    posed = replace(problem, linear=tuple(linear), parametrisation=parametrisation)
    return replace(solution, problem=posed, blocks=blocks)


def _solve_block(
    block: Block, solve: Callable[[Tying], Tying], linear: Sequence[LinearGenerator]
) -> Block:
    tying = solve(block.tying)
    factors = len(tying.ansatz.shape)
    spread = tuple(replace(g, inputs=g.inputs * factors) for g in linear)
    return replace(block, tying=replace(tying, ansatz=replace(tying.ansatz, linear=spread)))


def pose_still(n: int, m: int, degrees: Sequence[int], name: str, **options: Any) -> LayerProblem:
    """Pose a layer none of whose generators is a signed permutation."""
    return make_problem(still(n), still(m), degrees, name=name, form="monomial", **options)


def give_units(solution: LayerSolution) -> LayerSolution:
    """Let the output have the units of the harmonics, in the problem and in every block."""
    blocks = []
    for block in solution.blocks:
        output = replace(block.tying.ansatz.output, squares=UNITS)
        ansatz = replace(block.tying.ansatz, output=output)
        blocks.append(replace(block, tying=replace(block.tying, ansatz=ansatz)))
    problem = solution.problem
    posed = replace(problem, output=replace(problem.output, squares=UNITS))
    return replace(solution, problem=posed, blocks=tuple(blocks))


@cache
def list_layers() -> tuple[LayerSolution, ...]:
    """Return a layer of every mixing, field, kind of generator and parametrisation."""
    harmonic = [
        generate(f"X{j}", r, derive_harmonics(r), lie=True) for j, r in enumerate(ROTATIONS)
    ]
    rotations = [generate(f"X{j}", r, r, lie=True) for j, r in enumerate(ROTATIONS)]
    both: Any = {"inputs": 2, "outputs": 2}
    spin = solve_additive(
        pose_still(3, 5, (2,), "Harmonic", channels=(2, 2)), square, linear=harmonic
    )
    spin = give_units(spin)
    return (
        solve_additive(pose("S_3", (0, 1, 2), **both, name="Sums"), conserve),
        solve_additive(
            pose("S_3", (0, 1, 2), **both, name="Eliminated"),
            conserve,
            parametrisation="eliminate",
        ),
        solve_additive(
            pose("S_3", (0, 1, 2), **both, name="Plain"), keep, parametrisation="eliminate"
        ),
        solve_additive(
            pose("S_3", (1, 2), inputs=2, outputs=3, mixing="channelwise", name="Within"), conserve
        ),
        solve_additive(
            pose("S_3", (1, 2), **both, mixing="depthwise", name="Depth", form="dense"), conserve
        ),
        solve_additive(
            pose("S_3", (1, 2), **both, mixing="factored", rank=3, name="Factored"), balance
        ),
        solve_additive(
            pose_still(2, 2, (1, 2), "Fifth", channels=(2, 2)),
            turn_fifth,
            linear=[generate("R", TURN, TURN)],
        ),
        solve_additive(
            pose_still(2, 2, (1,), "Cat", channels=(1, 1)),
            stretch,
            linear=[generate("A", CAT, CAT)],
        ),
        solve_additive(pose_still(3, 3, (1, 2), "Spin", channels=(3, 2)), rotate, linear=rotations),
        spin,
        solve_additive(pose("S_3", (1,), inputs=2, outputs=3, name="Given"), fix_identity),
    )


def emit_solution(solution: LayerSolution) -> EmittedLayer:
    choice = choose(solution)
    plans = (choice.plan, choice.backward, choice.double)
    return EmittedLayer(solution, *plans, choice.form, "monomial: 1 ms", "It is a solution.")


def render_solutions(package: str, solutions: Sequence[LayerSolution]) -> Any:
    return render_package(
        package,
        [emit_solution(solution) for solution in solutions],
        certificate_json="{}\n",
        report_html="<!doctype html>\n",
        origin=ORIGIN,
    )


def install_solutions(folder: Path, package: str, solutions: Sequence[LayerSolution]) -> ModuleType:
    return import_written(folder, package, render_solutions(package, solutions))


NAMES = tuple(solution.problem.name for solution in list_layers())


def find(name: str) -> LayerSolution:
    """Return one of the layers."""
    return next(s for s in list_layers() if s.problem.name == name)


def tying_of(name: str, *shape: int) -> Tying:
    """Return the tying of one of its blocks."""
    return next(b.tying for b in find(name).blocks if b.tying.ansatz.shape == shape)


def load(module: str) -> Any:
    """Import a module of the package that the tests of these layers share."""
    return importlib.import_module(f"additive.{module}")


def draw(layer: Any, batch: int = 3) -> Tensor:
    """Draw an input of a layer."""
    return torch.randn(batch, layer.in_channels, layer.layout.n_in, dtype=torch.float64)


def assert_equal(found: Any, expected: Any) -> None:
    """Compare what was calculated in float64."""
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
