"""What the further constraints of a spec demand of the slots of one block.

A block is a multidegree over different channels. For an output channel c and input channels
c', c'' ... it has one map ``W[c, c', c'', ...]``, and all of them are solved alike, so an equation
here holds for each of them; its right-hand side holds where all these channels have one number,
and is 0 elsewhere.

* ``conserve`` is ``M W_1[c, c'] = delta_cc' M``, and ``M W = 0`` at every other degree and block.
* ``symmetric`` and ``zero_diagonal`` are about each ``W_1[c, c']``.
* A slot equation holds within a channel. Over several channels it holds of the polynomial that is
  left when all channels carry the same input: a slot of a monomial stands for the sum over the
  ways to share the monomial among the channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product

import numpy as np

from eqcompile.exact.fields import Scalar
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.monomials import MonomialSpace, rank_tuples
from eqcompile.exact.signed import IntArray
from eqcompile.layers.problem import (
    LayerProblem,
    Shape,
    flatten_shape,
    keep_degree,
)
from eqcompile.layers.relations import (
    Conserve,
    Relation,
    SlotEquation,
    SymmetricPart,
    ZeroDiagonal,
)

Sides = tuple[Matrix, Matrix | None]
"""The equations ``left w = right``: shapes ``(equations, slots)`` and ``(equations, 1)``.

The right-hand side is None where it is zero.
"""


def spell_rows(relation: Relation, problem: LayerProblem, shape: Shape) -> Sides | None:
    """Write the equations of one constraint on the slots of one block.

    Args:
        relation: One of the problem's.
        problem: The layer.
        shape: Per input the degree in each of several channels.

    Returns:
        The equations; None where the constraint says nothing of this block.
    """
    degree = tuple(sum(parts) for parts in shape)
    right: Matrix | None = None
    match relation.meaning:
        case Conserve() as conserve:
            matrix = conserve.rows.kron(Matrix.identity(make_space(problem, shape).size))
            if degree == tuple(int(i == conserve.input) for i in range(len(degree))):
                right = _flatten(conserve.fixed)
        case SlotEquation() as equation:
            if equation.degree != degree:
                return None
            matrix = _spell_equation(equation, problem, shape)
            if shape == keep_degree(degree) and equation.right:
                right = Matrix.from_entries(1, 1, [(0, 0, equation.right)])
        case SymmetricPart() | ZeroDiagonal() if degree != (1,):
            return None
        case SymmetricPart(units):
            matrix = _spell_symmetric(problem.output.dim, units)
        case ZeroDiagonal():
            matrix = _spell_diagonal(problem.output.dim)
    return matrix, right


def make_space(problem: LayerProblem, shape: Shape) -> MonomialSpace:
    """Return the monomials of a block."""
    factors = zip(problem.list_factors(shape), flatten_shape(shape), strict=True)
    return MonomialSpace(tuple((source.action.dim, d) for source, d in factors))


def _flatten(matrix: Matrix) -> Matrix:
    """Return the entries of a matrix below each other, row by row."""
    places = (matrix.rows * matrix.width + matrix.columns, np.zeros_like(matrix.rows))
    shape = (matrix.height * matrix.width, 1)
    return Matrix(matrix.field, shape, places, matrix.values, matrix.denominator)


def _spell_symmetric(n: int, units: Sequence[Scalar]) -> Matrix:
    """Write ``units[k] w[k; a] - units[a] w[a; k] = 0`` for k < a."""
    k, a = np.triu_indices(n, 1)
    rows = np.arange(len(k))
    slots = np.concatenate([k * n + a, a * n + k])
    if not units:
        signs = np.repeat([1, -1], len(k))
        return Matrix.from_arrays(np.tile(rows, 2), slots, signs, len(k), n * n)
    scales = [units[i] for i in k.tolist()] + [-units[i] for i in a.tolist()]
    entries = zip(np.tile(rows, 2).tolist(), slots.tolist(), scales, strict=True)
    return Matrix.from_entries(len(k), n * n, entries)


def _spell_diagonal(n: int) -> Matrix:
    """Write ``w[k; k] = 0``."""
    index = np.arange(n)
    return Matrix.from_arrays(index, index * (n + 1), np.ones(n, np.int64), n, n * n)


def _spell_equation(equation: SlotEquation, problem: LayerProblem, shape: Shape) -> Matrix:
    space = make_space(problem, shape)
    entries = [
        (0, slot.output * space.size + int(rank), value)
        for slot, value in equation.terms
        for rank in share_monomial(slot.indices, space, shape)
    ]
    return Matrix.from_entries(1, problem.output.dim * space.size, entries)


def share_monomial(
    indices: Sequence[Sequence[int]], space: MonomialSpace, shape: Shape
) -> IntArray:
    """List the monomials of a block that one commutative monomial splits into.

    Args:
        indices: Per input the non-decreasing indices of the monomial.
        space: The monomials of the block.
        shape: Per input the degree in each of several channels.

    Returns:
        Their ranks, each once.
    """
    pairs = zip(indices, shape, strict=True)
    choices = [list(share_indices(tuple(own), parts)) for own, parts in pairs]
    columns = [sum(choice, ()) for choice in product(*choices)]
    table = np.array(columns, dtype=np.int64).reshape(len(columns), space.degree)
    ranks = np.zeros(len(table), dtype=np.int64)
    start = 0
    for (n, d), size in zip(space.factors, space.sizes, strict=True):
        ranks = ranks * size + rank_tuples(table[:, start : start + d], n)
        start += d
    return ranks


def share_indices(indices: tuple[int, ...], parts: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """List the ways to share indices among parts of given sizes, each part non-decreasing."""
    if not parts:
        yield ()
        return
    for chosen in sorted(set(combinations(indices, parts[0]))):
        rest = list(indices)
        for i in chosen:
            rest.remove(i)
        for shared in share_indices(tuple(rest), parts[1:]):
            yield (*chosen, *shared)
