"""Polynomials as people write them: a small tree that is both spelled and expanded.

Variables are numbered through all factors of the monomials: variable ``f * n + i`` is input i of
factor f, with n the most inputs a factor has (a tying within one channel has one factor). The tree
keeps actual variables; how it is spelled, with ``k`` or with numbers, is decided in
``draw/words.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from eqcompile.exact.signed import IntArray, freeze


@dataclass(frozen=True, eq=False)
class Terms:
    """A homogeneous polynomial term by term.

    Attributes:
        rows: Shape ``(terms, degree)``: the variables of each monomial, non-decreasing.
        coefficients: Shape ``(terms,)``.
    """

    rows: IntArray
    coefficients: IntArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", freeze(self.rows))
        object.__setattr__(self, "coefficients", freeze(self.coefficients))

    @property
    def degree(self) -> int:
        """Degree of every monomial."""
        return int(self.rows.shape[1])

    @property
    def count(self) -> int:
        """Number of monomials."""
        return len(self.rows)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Terms):
            return NotImplemented
        return np.array_equal(self.rows, other.rows) and np.array_equal(
            self.coefficients, other.coefficients
        )

    def __hash__(self) -> int:
        return hash((self.rows.tobytes(), self.coefficients.tobytes()))


def collect(rows: IntArray, coefficients: IntArray) -> Terms:
    """Sort monomials lexicographically, add equal ones up and drop those that cancel."""
    rows = np.sort(rows, axis=1)
    if not rows.shape[1]:
        total = int(coefficients.sum())
        return Terms(rows[: 1 if total else 0], np.full(1 if total else 0, total))
    unique, inverse = np.unique(rows, axis=0, return_inverse=True)
    sums = np.zeros(len(unique), dtype=np.int64)
    np.add.at(sums, inverse.reshape(-1), coefficients)
    return Terms(unique[sums != 0], sums[sums != 0])


def multiply(left: Terms, right: Terms) -> Terms:
    """Multiply two polynomials."""
    rows = np.concatenate(
        [np.repeat(left.rows, right.count, axis=0), np.tile(right.rows, (left.count, 1))], axis=1
    )
    return collect(rows, np.outer(left.coefficients, right.coefficients).reshape(-1))


@dataclass(frozen=True, slots=True)
class Power:
    """``x_v^exponent``."""

    variable: int
    exponent: int


@dataclass(frozen=True, slots=True)
class Linear:
    """``+-x_v +- x_w ...``, signs in step with the variables, which increase."""

    variables: tuple[int, ...]
    signs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Symmetric:
    """The sum of all different monomials of one pattern over a set of inputs.

    Attributes:
        pattern: Per different input of a monomial its exponents, one per factor, decreasing:
            ``((2,), (1,))`` is the sum of ``x_i^2 x_j`` over different i and j.
        inputs: The set the inputs are taken from, increasing.
    """

    pattern: tuple[tuple[int, ...], ...]
    inputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Blocks:
    """The sum of products of ``chosen`` different block sums; the blocks are disjoint."""

    chosen: int
    blocks: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Product:
    """The product of the factors; the empty product is 1."""

    factors: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of the parts."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Explicit:
    """A polynomial that nothing shorter was found for."""

    terms: Terms


Expression = Power | Linear | Symmetric | Blocks | Product | Sum | Explicit

ONE = Terms(np.zeros((1, 0), dtype=np.int64), np.ones(1, dtype=np.int64))


def expand_expression(expression: Expression, inputs: int) -> Terms:
    """Multiply an expression out.

    Args:
        expression: What was recognised.
        inputs: Number of inputs per factor.

    Returns:
        Every monomial once, lexicographically.
    """
    match expression:
        case Power(variable=v, exponent=e):
            return Terms(np.full((1, e), v), np.ones(1, dtype=np.int64))
        case Linear(variables=variables, signs=signs):
            return collect(np.array(variables)[:, None], np.array(signs))
        case Symmetric():
            return _expand_symmetric(expression, inputs)
        case Blocks(chosen=chosen, blocks=blocks):
            sums = [Linear(block, (1,) * len(block)) for block in blocks]
            return expand_expression(
                Sum(tuple(Product(some) for some in combinations(sums, chosen))), inputs
            )
        case Product(factors=factors):
            result = ONE
            for factor in factors:
                result = multiply(result, expand_expression(factor, inputs))
            return result
        case Sum(parts=parts):
            terms = [expand_expression(part, inputs) for part in parts]
            return collect(
                np.concatenate([t.rows for t in terms]),
                np.concatenate([t.coefficients for t in terms]),
            )
        case Explicit(terms=terms):
            return collect(terms.rows, terms.coefficients)


def _expand_symmetric(expression: Symmetric, inputs: int) -> Terms:
    """List the placements of the pattern on different inputs, interchangeable ones once."""
    pattern, members = expression.pattern, np.array(expression.inputs, dtype=np.int64)
    grids = np.indices((len(members),) * len(pattern)).reshape(len(pattern), -1)
    for j in range(len(pattern)):
        for i in range(j):
            same = pattern[i] == pattern[j]
            kept = grids[i] < grids[j] if same else grids[i] != grids[j]
            grids = grids[:, kept]
    columns = [
        members[grids[j]] + factor * inputs
        for j, exponents in enumerate(pattern)
        for factor, exponent in enumerate(exponents)
        for _ in range(exponent)
    ]
    return collect(np.stack(columns, axis=1), np.ones(grids.shape[1], dtype=np.int64))


def map_expression(expression: Expression, image: IntArray) -> Expression:
    """Replace every variable v by ``image[v]``, for an image that moves inputs, not factors."""

    def rename(some: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(int(image[v]) for v in some))

    match expression:
        case Power(variable=v, exponent=e):
            return Power(int(image[v]), e)
        case Linear(variables=variables, signs=signs):
            pairs = sorted(zip((int(image[v]) for v in variables), signs, strict=True))
            return Linear(tuple(v for v, _ in pairs), tuple(s for _, s in pairs))
        case Symmetric(pattern=pattern, inputs=members):
            return Symmetric(pattern, rename(members))
        case Blocks(chosen=chosen, blocks=blocks):
            return Blocks(chosen, tuple(rename(block) for block in blocks))
        case Product(factors=factors):
            return Product(tuple(map_expression(f, image) for f in factors))
        case Sum(parts=parts):
            return Sum(tuple(map_expression(p, image) for p in parts))
        case Explicit(terms=terms):
            return Explicit(Terms(np.sort(image[terms.rows], axis=1), terms.coefficients))
