"""Spell signed sums as Python statements that fit their lines, as a formatter would leave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from eqcompile.emit.spelling import LINE

LONGEST_SUM = 32
"""Most terms of one expression: what reads emitted code descends one level per term."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a sum.

    Attributes:
        sign: 1 or -1.
        factors: Names and numbers to multiply.
        inner: A sum to multiply them by; none where it is empty.
    """

    sign: int
    factors: tuple[str, ...]
    inner: tuple[Term, ...] = ()


Piece = tuple[int, str]
"""The sign and the text of a term."""


def multiply(factors: tuple[str, ...], inner: Sequence[Term]) -> Term:
    """Return the product of some factors and a sum that is not empty."""
    if len(inner) > 1:
        return Term(1, factors, tuple(inner))
    (term,) = inner
    return Term(term.sign, factors + term.factors, term.inner)


def spell_term(term: Term) -> Piece:
    """Write a term on one line; the first sign of its inner sum stands before the whole term."""
    head = " * ".join(term.factors)
    if not term.inner:
        return term.sign, head
    pieces = [spell_term(inner) for inner in term.inner]
    turn = pieces[0][0]
    return term.sign * turn, f"{head} * ({join_pieces(pieces, turn)})"


def join_pieces(pieces: Sequence[Piece], turn: int = 1) -> str:
    """Write a sum on one line, all its signs multiplied by ``turn``."""
    (sign, first), *rest = pieces
    signed = (f" {'+' if turn * s > 0 else '-'} {text}" for s, text in rest)
    return ("" if turn * sign > 0 else "-") + first + "".join(signed)


@dataclass(slots=True)
class Writer:
    """The statements of one function in the making.

    Attributes:
        indent: Spaces before each line.
        lines: What was written.
        sums: How many sums were too long for their place and got a name.
    """

    indent: int = 4
    lines: list[str] = field(default_factory=list)
    sums: int = 0

    def write(self, *lines: str) -> None:
        """Write lines as they are."""
        self.lines += [" " * self.indent + line for line in lines]

    def assign(self, name: str, terms: Sequence[Term]) -> None:
        """Write a sum into a variable, one term per line where they do not fit on one."""
        line = f"{name} = {join_pieces([spell_term(term) for term in terms])}"
        if self.indent + len(line) <= LINE:
            self.write(line)
            return
        if len(terms) > LONGEST_SUM:
            self.accumulate(name, terms, fresh=True)
            return
        # Two terms are made so short that they fit on one line: formatters break them in many ways.
        room = LINE - self.indent - len("    + ") if len(terms) > 2 else LINE // 4
        pieces = [self._shorten(term, room) for term in terms]
        line = f"{name} = {join_pieces(pieces)}"
        if self.indent + len(line) <= LINE:
            self.write(line)
            return
        self.write(f"{name} = (", f"    {join_pieces(pieces[:1])}")
        self.write(*(f"    {'+' if sign > 0 else '-'} {text}" for sign, text in pieces[1:]), ")")

    def accumulate(self, name: str, terms: Sequence[Term], *, fresh: bool) -> None:
        """Add a sum to a variable in statements that fill their lines.

        Args:
            name: The variable.
            terms: What is added.
            fresh: Whether the variable begins with this sum.
        """
        room = LINE - self.indent - len(f"{name} += ")
        pieces = [self._shorten(term, room) for term in terms]
        while pieces:
            sign = 1 if fresh else pieces[0][0]
            head = f"{name} = " if fresh else f"{name} {'+' if sign > 0 else '-'}= "
            count = 1
            while count < len(pieces) and self._fits(head, pieces[: count + 1], sign):
                count += 1
            self.write(head + join_pieces(pieces[:count], sign))
            pieces, fresh = pieces[count:], False

    def _fits(self, head: str, pieces: Sequence[Piece], turn: int) -> bool:
        return self.indent + len(head) + len(join_pieces(pieces, turn)) <= LINE

    def _shorten(self, term: Term, room: int) -> Piece:
        """Spell a term; where it is longer than ``room``, its inner sum gets a name first."""
        sign, text = spell_term(term)
        if len(text) <= room or not term.inner:
            return sign, text
        name = f"s{self.sums}"
        self.sums += 1
        # As on one line, the first sign stands before the whole term.
        turn = spell_term(term.inner[0])[0]
        inner = [replace(t, sign=t.sign * turn) for t in term.inner]
        self.accumulate(name, inner, fresh=True)
        return term.sign * turn, " * ".join((*term.factors, name))
