"""Representation expressions: ``Sym(V, 2) + 3 sign * V`` to one matrix per generator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from eqcompile.actions.constructions import (
    add_representations,
    dualise_representation,
    list_subset_action,
    multiply_representations,
    raise_representation,
    take_defining,
    take_det,
    take_sign,
    take_trivial,
)
from eqcompile.actions.extents import check_entries
from eqcompile.actions.group import Group, Representation
from eqcompile.actions.irreps import build_irrep
from eqcompile.actions.sizes import MAX_ENTRIES
from eqcompile.actions.syntax import (
    CALLS,
    MAX_DIM,
    WORDS,
    Expression,
    parse_expression,
    refuse_part,
)
from eqcompile.errors import Refusal
from eqcompile.reading import shorten
from eqcompile.registry import nearest


def build_representation(
    text: str, group: Group, named: Mapping[str, Representation]
) -> Representation:
    """Evaluate an expression: one matrix per generator of the group, signed where it can be.

    The dimension is computed, and refused if too large, before anything is built.

    Args:
        text: The expression.
        group: The group; ``V`` is its defining action.
        named: Representations of the same group, by name.

    Raises:
        Refusal: With ``offset``, the characters of ``text`` at fault.
    """
    expression = parse_expression(text)
    dim = _measure(expression, group, named)
    if dim * len(group.labels) > MAX_ENTRIES:
        text = f"dimension {dim} is too large for {len(group.labels)} generators"
        help = "use a smaller power or fewer generators"
        raise refuse_part(expression, "too-large", text, help)
    built = _Evaluation(group, named).build(expression)
    names = dict.fromkeys(part.name for part in expression.list_names() if part.name in named)
    scope = next((named[name].scope for name in names if named[name].scope), "")
    return replace(built, text=text.strip(), scope=scope)


def _measure(expression: Expression, group: Group, named: Mapping[str, Representation]) -> int:
    """Return the dimension; refuse names that are not known and what is larger than `MAX_DIM`."""
    dims = [_measure(part, group, named) for part in expression.parts]
    match expression.kind:
        case "name":
            dim = _measure_name(expression, group, named)
        case "irrep":
            dim = 2 * expression.number + 1
        case "+":
            dim = sum(dims)
        case "*":
            dim = _multiply(dims)
        case "**":
            dim = _multiply([dims[0]] * expression.number)
        case "copies":
            dim = dims[0] * expression.number
        case "Sym":
            dim = _choose(dims[0] + expression.number - 1, expression.number)
        case "Alt" | "subsets":
            dim = _choose(dims[0], expression.number)
        case _:
            dim = dims[0]
    if dim < 1:
        text, help_ = "the dimension of this part is 0", "leave it out, or use a smaller power"
        raise refuse_part(expression, "empty-representation", text, help_)
    if dim > MAX_DIM:
        text = f"a representation has at most dimension {MAX_DIM}, this one has more"
        raise refuse_part(expression, "too-large", text, "use a smaller power or fewer copies")
    return dim


def _multiply(dims: list[int]) -> int:
    total = 1
    for dim in dims:
        total = min(total * dim, MAX_DIM + 1)
    return total


def _choose(n: int, k: int) -> int:
    """Return the binomial coefficient, or any number above `MAX_DIM` if it is larger."""
    k = min(k, n - k)
    total = 1 if k >= 0 else 0
    for i in range(k):
        total = total * (n - i) // (i + 1)
        if total > MAX_DIM:
            break
    return total


def _measure_name(expression: Expression, group: Group, named: Mapping[str, Representation]) -> int:
    name = expression.name
    if name in ("1", "sign", "det"):
        return 1
    if name == "V":
        return group.dim
    if name in named:
        return named[name].dim
    known = [*WORDS, *CALLS, *named]
    close = nearest(name, known)
    text = f"no representation is called {shorten(name)!r}; known: {', '.join(known)}"
    help_ = f"did you mean {close!r}?" if close else "name it under `representations:`"
    raise refuse_part(expression, "unknown-representation", text, help_)


class _Evaluation:
    """Builds expressions over one group; each name is built once."""

    def __init__(self, group: Group, named: Mapping[str, Representation]) -> None:
        self.group = group
        self.named = named
        self.known: dict[tuple[str, str, int], Representation] = {}

    def build(self, expression: Expression) -> Representation:
        """Build an expression.

        Raises:
            Refusal: With ``offset``, the part at fault.
        """
        parts = [self.build(part) for part in expression.parts]
        try:
            if not parts:
                return self._recall(expression)
            check_entries(expression.kind, parts, expression.number)
            return self._combine(expression, parts)
        except Refusal as refusal:
            if refusal.offset is not None:
                raise
            offset = (expression.start, expression.end)
            raise replace(refusal, offset=offset) from None

    def _recall(self, expression: Expression) -> Representation:
        key = expression.kind, expression.name, expression.number
        if key not in self.known:
            self.known[key] = self._build_atom(expression)
        return self.known[key]

    def _build_atom(self, expression: Expression) -> Representation:
        if expression.kind == "irrep":
            return build_irrep(self.group, expression.number, expression.name)
        match expression.name:
            case "V":
                return take_defining(self.group)
            case "1":
                return take_trivial(self.group)
            case "sign":
                return take_sign(self.group)
            case "det":
                return take_det(self.group)
        return self.named[expression.name]

    def _combine(self, expression: Expression, parts: list[Representation]) -> Representation:
        number = expression.number
        match expression.kind:
            case "+":
                return add_representations(parts)
            case "copies":
                return add_representations(parts * number)
            case "*":
                return multiply_representations(parts, self.group)
            case "**":
                return multiply_representations(parts * number, self.group)
            case "Sym" | "Alt":
                return raise_representation(parts[0], expression.kind, number)
            case "subsets":
                return list_subset_action(parts[0], number)
        return dualise_representation(parts[0])
