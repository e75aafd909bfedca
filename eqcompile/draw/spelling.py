"""How formulas are written: ``x_k^2``, ``x_k * sum of the others``, ``(x_1 - x_3)``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import factorial, perm, prod

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
    expand_expression,
)

SPELLED_TERMS = 8
"""Sums of more terms are named by their index set, or cut."""

COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
POWERS = {1: "", 2: "squares of ", 3: "cubes of "}
INDICES = "ijlmpqrstu"


@dataclass(frozen=True, slots=True)
class Names:
    """How variables are spelled.

    Attributes:
        inputs: Stride of the numbering of variables, the largest of ``dims``.
        dims: Number of inputs of each factor.
        letters: Name of each factor; ``x0_3`` is input 3 of ``x0``.
        is_lone: Whether there is but one factor, of a layer with one input, which needs no name.
        spelled: Spelling of each input's index: ``3``, ``k`` or ``{k+1}``.
        output: The input that ``the others`` leaves out, None where no output is spoken of.
        own_orbit: The orbit of that input.
    """

    inputs: int
    dims: tuple[int, ...]
    letters: tuple[str, ...]
    is_lone: bool
    spelled: tuple[str, ...]
    output: int | None = None
    own_orbit: tuple[int, ...] = ()

    def variable(self, variable: int) -> str:
        """Spell one variable."""
        factor, i = divmod(variable, self.inputs)
        return f"{self.letters[factor]}_{self.spelled[i]}"


def spell_members(members: Sequence[int]) -> str:
    """Write a set of numbers with its runs shortened: ``{0, 2..5}``."""
    runs: list[list[int]] = []
    for m in sorted(members):
        if runs and m == runs[-1][-1] + 1:
            runs[-1].append(m)
        else:
            runs.append([m])
    words = [f"{r[0]}..{r[-1]}" if len(r) > 2 else ", ".join(map(str, r)) for r in runs]
    return "{" + cut_list(words, 12) + "}"


def cut_list(words: Sequence[str], most: int) -> str:
    """Join words by commas, at most ``most`` of them."""
    kept = list(words[:most])
    return ", ".join(kept + (["..."] if len(words) > most else []))


def spell_monomial(row: Iterable[int], names: Names) -> str:
    """Write a monomial as ``x_0^2 x_1``; the empty one is 1."""
    powers = [(names.variable(v), len(list(g))) for v, g in groupby(sorted(row))]
    return " ".join(v if e == 1 else f"{v}^{e}" for v, e in powers) or "1"


def spell_terms(terms: Terms, names: Names, most: int = SPELLED_TERMS) -> str:
    """Write a polynomial term by term, cut after ``most`` terms with its length stated."""
    text = ""
    shown = most if terms.count > most + 1 else terms.count
    for row, coefficient in zip(
        terms.rows[:shown].tolist(), terms.coefficients[:shown].tolist(), strict=True
    ):
        text += (" - " if coefficient < 0 else " + ") if text else ("-" if coefficient < 0 else "")
        text += spell_monomial(row, names)
    return text if shown == terms.count else f"{text} + ... ({terms.count} terms)"


def spell_expression(expression: Expression, names: Names) -> str:
    """Write an expression in words."""
    match expression:
        case Power(variable=v, exponent=e):
            return names.variable(v) if e == 1 else f"{names.variable(v)}^{e}"
        case Linear():
            return _spell_linear(expression, names)
        case Symmetric():
            return _spell_symmetric(expression, names)
        case Blocks(chosen=chosen, blocks=blocks):
            sums = [spell_expression(Linear(b, (1,) * len(b)), names) for b in blocks]
            listed = cut_list([f"({s})" for s in sums], SPELLED_TERMS)
            return f"sum of products of {_count(chosen)} different ones of {listed}"
        case Product(factors=factors):
            return _spell_product(factors, names)
        case Sum(parts=parts):
            return " + ".join(
                _enclose(p, names) if _is_wordy(p, names) else spell_expression(p, names)
                for p in parts
            )
        case Explicit(terms=terms):
            return spell_terms(terms, names)


def _count(number: int) -> str:
    return COUNTS[number] if number < len(COUNTS) else str(number)


def _spell_product(factors: tuple[Expression, ...], names: Names) -> str:
    """Put a sum into parentheses unless it is words at the end."""
    spelled = [_enclose(f, names) for f in factors]
    if len(factors) > 1 and _is_wordy(factors[-1], names):
        spelled[-1] = spell_expression(factors[-1], names)
    text = "".join(
        word if not i else f"{_join(factors[i - 1], factors[i])}{word}"
        for i, word in enumerate(spelled)
    )
    return text or "1"


def _join(left: Expression, right: Expression) -> str:
    return " " if isinstance(left, Power) and isinstance(right, Power) else " * "


def _is_wordy(expression: Expression, names: Names) -> bool:
    return isinstance(expression, Linear | Symmetric | Blocks) and " of " in spell_expression(
        expression, names
    )


def _enclose(expression: Expression, names: Names) -> str:
    text = spell_expression(expression, names)
    atomic = isinstance(expression, Power) or text.startswith("product of ") or text == "the other"
    return text if atomic or " " not in text else f"({text})"


def _spell_set(members: tuple[int, ...], names: Names, dim: int) -> tuple[str, str]:
    """Name a set of inputs: ``the others`` or ``all`` where it is, and how to say j is in it.

    Args:
        members: The set.
        names: How variables are spelled.
        dim: Number of inputs it is taken from.
    """
    if len(members) == dim:
        return "all inputs", ""
    if names.output is not None and names.output not in members:
        if len(members) == dim - 1:
            return "the others", "among the others"
        rest = tuple(i for i in names.own_orbit if i != names.output)
        if members == rest:
            inside = f"the others in {spell_members(names.own_orbit)}"
            return inside, f"among {inside}"
        if set(rest) & set(members):
            everything = sorted({*members, *names.own_orbit})
            if len(everything) == len(members) + 1 and names.spelled[names.output] == "k":
                return "", f"in {spell_members(everything)} but not k"
    if any("k" in names.spelled[i] for i in members):
        spelled = [names.spelled[i].strip("{}") for i in members]
        return "", "in {" + cut_list(spelled, 12) + "}"
    return "", f"in {spell_members(members)}"


def _spell_linear(expression: Linear, names: Names) -> str:
    variables, signs = expression.variables, expression.signs
    factors = {v // names.inputs for v in variables}
    members = tuple(v % names.inputs for v in variables)
    if set(signs) == {1} and len(factors) == 1:
        factor = factors.pop()
        named, inside = _spell_set(members, names, names.dims[factor])
        of = "" if names.is_lone else f" {names.letters[factor]}"
        if named == "the others" and len(members) == 1:
            return f"the other{of}"
        if named and len(members) > 1:
            return f"sum of {'all' if named == 'all inputs' and of else named}{of}"
        if len(variables) > SPELLED_TERMS + 1 and len(members) > 1:
            letter = of.strip() or "x"
            return f"sum of {letter}_j over j {inside}"
    text = ""
    shown = SPELLED_TERMS if len(variables) > SPELLED_TERMS + 1 else len(variables)
    for v, s in zip(variables[:shown], signs[:shown], strict=True):
        text += (" - " if s < 0 else " + ") if text else ("-" if s < 0 else "")
        text += names.variable(v)
    return text if shown == len(variables) else f"{text} + ... ({len(variables)} terms)"


def _spell_symmetric(expression: Symmetric, names: Names) -> str:
    pattern, members = expression.pattern, expression.inputs
    named, inside = _spell_set(members, names, names.inputs)
    repeats = prod(factorial(pattern.count(v)) for v in set(pattern))
    count = perm(len(members), len(pattern)) // repeats
    if not names.is_lone:
        return _spell_pattern(pattern, inside, names)
    ones = all(v == (1,) for v in pattern)
    if count == 1 and ones and named:
        return f"product of {named}"
    if not named and count <= SPELLED_TERMS + 1:
        return spell_terms(expand_expression(expression, names.inputs), names)
    if len(pattern) == 1 and len(pattern[0]) == 1:
        (exponent,) = pattern[0]
        power = POWERS.get(exponent, f"{exponent}th powers of ")
        return f"sum of {power}{named}" if named else f"sum of {power}x_j over j {inside}"
    if ones and named in ("all inputs", "the others"):
        last = "others" if named == "the others" else "inputs"
        return f"sum of products of {_count(len(pattern))} different {last}"
    if ones:
        return f"sum of products of {_count(len(pattern))} different x_j with j {inside}"
    return _spell_pattern(pattern, inside, names)


def _spell_pattern(pattern: tuple[tuple[int, ...], ...], inside: str, names: Names) -> str:
    """Write ``sum of x_i^2 x_j over different i, j among the others``."""
    words = [
        f"{names.letters[f]}_{letter}" + (f"^{e}" if e > 1 else "")
        for letter, exponents in zip(INDICES, pattern, strict=False)
        for f, e in enumerate(exponents)
        if e
    ]
    runs = [list(run) for _, run in groupby(range(len(pattern)), key=lambda j: pattern[j])]
    letters = ", ".join(" < ".join(INDICES[j] for j in run) for run in runs)
    different = "different " if len(runs) > 1 else ""
    every = "all " if not inside else ""
    return f"sum of {' '.join(words)} over {every}{different}{letters} {inside}".rstrip()


def spell_count(number: int, noun: str) -> str:
    """Write a number and its noun: ``1 class``, ``4 classes``."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun}es" if noun.endswith("s") else f"{number} {noun}s"
