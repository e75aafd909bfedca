"""Expressions that make sense for every n: direct sums of tensor powers of V = R^n."""

from __future__ import annotations

from math import comb, prod

from eqcompile.actions.syntax import Expression, parse_expression
from eqcompile.errors import Refusal
from eqcompile.exact.multigraphs import Parts, Terms

NOMINAL = 16
"""The n that contractions are planned for and initial variances are 1 at, unless a spec says."""

MAX_TERMS = 16
MAX_ORDER = 8


def read_tensor_powers(text: str) -> Terms:
    """Read an expression as a direct sum of tensor powers of V.

    Args:
        text: Made of V, 1, +, *, **, copies, Sym(V, k) and dual.

    Returns:
        One entry per summand, in the order of coordinates.

    Raises:
        Refusal: With ``offset``: the expression is malformed, too large, or not of this kind.
    """
    return _read(parse_expression(text))


def _read(expression: Expression) -> Terms:
    found = _combine(expression)
    if len(found) > MAX_TERMS or any(sum(parts) > MAX_ORDER for parts in found):
        text = f"for any n, at most {MAX_TERMS} summands of at most {MAX_ORDER} indices are served"
        raise _refuse(expression, "too-large", text, "use a smaller power or fewer summands")
    return found


def _combine(expression: Expression) -> Terms:
    parts = [_read(part) for part in expression.parts]
    k = expression.number
    match expression.kind:
        case "name" if expression.name == "V":
            return ((1,),)
        case "name" if expression.name == "1":
            return ((),)
        case "+":
            return tuple(term for part in parts for term in part)
        case "copies" if k <= MAX_TERMS:
            return parts[0] * k
        case "dual":
            return parts[0]
        case "*":
            return (_multiply(expression, parts),)
        case "**" if k <= MAX_ORDER:
            return (_multiply(expression, parts * k),)
        case "Sym" if parts[0] == ((1,),) and k <= MAX_ORDER:
            return ((k,),) if k else ((),)
        case "Sym" if k == 1 or parts[0] == ((),):
            return parts[0]
        case "copies" | "**" | "Sym" if k > MAX_ORDER:
            bound = MAX_TERMS if expression.kind == "copies" else MAX_ORDER
            text = f"for any n, at most {bound} is served here, found {k}"
            raise _refuse(expression, "too-large", text, "use a smaller number")
    what = expression.name or f"{expression.kind}(...)"
    text = f"{what} is not yet served for a symmetric group of any size"
    help = "use V, 1, V ** k, V * V, Sym(V, k) and sums of these, or write the number of points"
    raise _refuse(expression, "not-yet-served", text, help)


def _multiply(expression: Expression, parts: list[Terms]) -> Parts:
    """Join the indices of a product; products of sums do not keep the order of coordinates."""
    if any(len(part) > 1 for part in parts):
        text = "a product of sums is not yet served for a symmetric group of any size"
        raise _refuse(expression, "not-yet-served", text, "multiply it out, as V * V + V")
    return tuple(run for part in parts for run in part[0])


def _refuse(expression: Expression, rule: str, text: str, help: str) -> Refusal:
    return Refusal(rule, text, help, offset=(expression.start, expression.end))


def count_coordinates(terms: Terms, n: int) -> int:
    """Return the dimension of a direct sum of tensor powers of R^n."""
    return sum(prod(comb(n + part - 1, part) for part in parts) for parts in terms)
