"""Find a short way to write a polynomial whose coefficients are 1 and -1.

Every expression found here equals the polynomial: the symmetric pattern by counting its monomials,
all others by multiplying out and comparing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import factorial, perm, prod

import numpy as np
import numpy.typing as npt
from scipy.sparse.csgraph import connected_components

from eqcompile.draw.formula import (
    Blocks,
    Explicit,
    Expression,
    Linear,
    Power,
    Product,
    Sum,
    Symmetric,
    Terms,
    collect,
    expand_expression,
)
from eqcompile.exact.signed import IntArray

SEARCHED_TERMS = 4096
"""Above this many monomials only the symmetric pattern is looked for."""

SUM_PARTS = 8
"""A sum of more parts is no shorter than the monomials."""


def recognise(terms: Terms, inputs: int, anchor: Sequence[int]) -> Iterator[Expression]:
    """Propose ways to write a polynomial, the ones that hold for every output first.

    Args:
        terms: The polynomial, coefficients 1 and -1.
        inputs: Number of inputs per factor.
        anchor: The variables that carry the index of the output, if any do.

    Yields:
        Expressions equal to the polynomial; the last one always comes.
    """
    if anchor:
        powers, rest = divide_out(terms, anchor)
        pattern = match_symmetric(rest, inputs)
        if pattern is not None:
            yield join_factors([*powers, pattern])
    powers, rest = divide_out(terms, sorted(set(terms.rows[0].tolist())))
    yield join_factors([*powers, factorise(rest, inputs)])


def join_factors(factors: Sequence[Expression]) -> Expression:
    """Return the product of the factors, nested products flattened."""
    flat: list[Expression] = []
    for factor in factors:
        flat += factor.factors if isinstance(factor, Product) else (factor,)
    return flat[0] if len(flat) == 1 else Product(tuple(flat))


def divide_out(terms: Terms, variables: Sequence[int]) -> tuple[list[Expression], Terms]:
    """Take out the highest power of each variable that divides every monomial."""
    rows, powers = terms.rows, list[Expression]()
    for variable in variables:
        hits = rows == variable
        exponent = int(hits.sum(axis=1).min())
        if exponent:
            taken = hits & (np.cumsum(hits, axis=1) <= exponent)
            rows = rows[~taken].reshape(len(rows), -1)
            powers.append(Power(variable, exponent))
    return powers, Terms(rows, terms.coefficients)


def factorise(terms: Terms, inputs: int) -> Expression:
    """Write a polynomial that no variable divides by the shortest form that is found."""
    if terms.degree == 0 and terms.coefficients.tolist() == [1]:
        return Product(())
    if terms.degree == 1:
        order = np.argsort(terms.rows[:, 0])
        variables, signs = terms.rows[order, 0].tolist(), terms.coefficients[order].tolist()
        return Linear(tuple(variables), tuple(signs))
    pattern = match_symmetric(terms, inputs)
    if pattern is not None:
        return pattern
    if 1 < terms.count <= SEARCHED_TERMS:
        for match in (_match_product, _match_sum, _match_blocks):
            found = match(terms, inputs)
            if found is not None and expand_expression(found, inputs) == collect(
                terms.rows, terms.coefficients
            ):
                return found
    return Explicit(terms)


def match_symmetric(terms: Terms, inputs: int) -> Expression | None:
    """Recognise all monomials of one pattern over a set of inputs, none left out."""
    if terms.degree == 0 or (terms.coefficients != 1).any():
        return None
    patterns = {_read_pattern(code) for code in _pattern_codes(terms.rows, inputs)}
    if len(patterns) != 1:
        return None
    pattern, members = patterns.pop(), np.unique(terms.rows % inputs).tolist()
    repeats = prod(factorial(pattern.count(v)) for v in set(pattern))
    if terms.count * repeats != perm(len(members), len(pattern)):
        return None
    if len(members) == 1:
        return join_factors(
            [Power(f * inputs + members[0], e) for f, e in enumerate(pattern[0]) if e]
        )
    if len(pattern) == 1 and sum(pattern[0]) == 1:
        factor = pattern[0].index(1)
        variables = tuple(factor * inputs + i for i in members)
        return Linear(variables, (1,) * len(members))
    return Symmetric(pattern, tuple(members))


def _pattern_codes(rows: IntArray, inputs: int) -> IntArray:
    """Return the different ways in which inputs coincide: pairs (new input?, factor) in a row."""
    factors = int(rows.max()) // inputs + 1
    keys = np.sort((rows % inputs) * factors + rows // inputs, axis=1)
    index, factor = keys // factors, keys % factors
    fresh = np.ones_like(index)
    fresh[:, 1:] = index[:, 1:] != index[:, :-1]
    codes = (fresh * factors + factor) @ ((2 * factors) ** np.arange(rows.shape[1]))
    _, first = np.unique(codes, return_index=True)
    return np.stack([fresh[first], factor[first], np.full_like(factor[first], factors)], axis=2)


def _read_pattern(code: IntArray) -> tuple[tuple[int, ...], ...]:
    """Turn one coincidence code into exponents per input, decreasing."""
    factors = int(code[0, 2])
    exponents: list[list[int]] = []
    for fresh, factor, _ in code.tolist():
        if fresh:
            exponents.append([0] * factors)
        exponents[-1][factor] += 1
    return tuple(sorted((tuple(e) for e in exponents), reverse=True))


def _exponents(terms: Terms) -> tuple[IntArray, IntArray]:
    """Return the variables that occur and the exponent of each in every monomial."""
    support, place = np.unique(terms.rows, return_inverse=True)
    table = np.zeros((terms.count, len(support)), dtype=np.int64)
    np.add.at(table, (np.arange(terms.count)[:, None], place.reshape(terms.rows.shape)), 1)
    return support, table


def _match_product(terms: Terms, inputs: int) -> Expression | None:
    """Split a polynomial into factors that share no variable."""
    support, table = _exponents(terms)
    levels = [(table == e).astype(np.int64) for e in range(int(table.max()) + 1)]
    bound = np.zeros((len(support), len(support)), dtype=bool)
    for first in levels:
        for second in levels:
            possible = np.outer(first.any(axis=0), second.any(axis=0))
            bound |= possible & (first.T @ second == 0)
    count, part = connected_components(bound, directed=False)
    if count == 1:
        return None
    factors: list[Expression] = []
    for p in _order_parts(part):
        inside = np.isin(terms.rows, support[part == p])
        widths = inside.sum(axis=1)
        if (widths != widths[0]).any():
            return None
        # The terms that agree with the first one elsewhere carry this factor's own signs.
        elsewhere = terms.rows[~inside].reshape(terms.count, -1)
        alike = (elsewhere == elsewhere[0]).all(axis=1)
        rows = terms.rows[inside].reshape(terms.count, -1)[alike]
        own = Terms(rows, terms.coefficients[alike] * terms.coefficients[0])
        factors.append(factorise(own, inputs))
    if terms.coefficients[0] < 0:
        return None
    return join_factors(factors)


def _match_sum(terms: Terms, inputs: int) -> Expression | None:
    """Split a polynomial into parts that share no variable."""
    support, table = _exponents(terms)
    count, part = connected_components(table.T @ table, directed=False)
    if not 1 < count <= SUM_PARTS or count == terms.count:
        return None
    parts: list[Expression] = []
    for p in _order_parts(part):
        own = np.isin(terms.rows[:, 0], support[part == p])
        powers, rest = divide_out(
            Terms(terms.rows[own], terms.coefficients[own]), support[part == p].tolist()
        )
        parts.append(join_factors([*powers, factorise(rest, inputs)]))
    if any(_holds_explicit(p) for p in parts):
        return None
    return Sum(tuple(parts))


def _match_blocks(terms: Terms, inputs: int) -> Expression | None:
    """Recognise the sum of products of d variables from d different blocks."""
    support, table = _exponents(terms)
    if table.max() > 1 or (terms.coefficients != 1).any():
        return None
    count, part = connected_components(table.T @ table == 0, directed=False)
    if not terms.degree < count <= len(support) // 2:
        return None
    blocks = tuple(tuple(support[part == p].tolist()) for p in _order_parts(part))
    return Blocks(terms.degree, blocks)


def _order_parts(part: npt.NDArray[np.int32]) -> list[int]:
    """Return the labels of connected components in order of their least member."""
    return list(dict.fromkeys(part.tolist()))


def _holds_explicit(expression: Expression) -> bool:
    match expression:
        case Product(factors=inner) | Sum(parts=inner):
            return any(_holds_explicit(e) for e in inner)
        case _:
            return isinstance(expression, Explicit)
