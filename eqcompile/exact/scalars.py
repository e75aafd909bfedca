"""Exact numbers as text: ``-(1 + sqrt(5))/4`` to an element of a real cyclotomic field.

Grammar::

    sum     = product { ("+" | "-") product }
    product = signed { ("*" | "/") signed }
    signed  = { "-" } atom
    atom    = integer | "pi" | "(" sum ")" | ("sqrt" | "cos" | "sin") "(" sum ")"

The argument of sqrt is a non-negative rational, that of cos and sin a rational multiple of pi;
pi stands nowhere else. The parser is our own: nothing of a spec is ever evaluated by Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from eqcompile.errors import Refusal
from eqcompile.exact.fields import Scalar, cosine, root

MAX_LENGTH = 16_384
MAX_DEPTH = 64
MAX_DIGITS = 1000
MAX_BITS = 3322
"""Bits of the largest number of `MAX_DIGITS` digits."""

CALLS = ("sqrt", "cos", "sin")

_EXAMPLE = 'write an integer, or for example "1/2", "-(1+sqrt(5))/4" or "cos(2*pi/5)"'
_TOKEN = re.compile(
    r"\s*(?:(?P<decimal>[0-9]*\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+\.?[eE][-+]?[0-9]+|[0-9]+\.)"
    r"|(?P<integer>[0-9]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<operator>\*\*|[-+*/()^,]))"
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Value:
    """The number ``plain + turned pi``, and the characters it is written in."""

    plain: Scalar
    turned: Scalar
    start: int
    end: int


def parse_scalar(value: int | str) -> Scalar:
    """Parse an exact number.

    Args:
        value: An integer, or an expression such as ``1/2``, ``sqrt(3)/2`` or ``cos(2*pi/5)``.

    Raises:
        Refusal: ``scalar`` for what is no exact number, ``too-large`` and ``too-deep`` for what
            is beyond what is served; with ``offset``, the characters of ``value`` at fault.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if value.bit_length() > MAX_BITS:
            raise _refuse_size(None)
        return Scalar.of(value)
    if not isinstance(value, str):
        kind = "a float" if isinstance(value, float) else f"{value!r:.20}"
        raise Refusal("scalar", f"{kind} is no exact number", _EXAMPLE)
    if len(value) > MAX_LENGTH:
        text = f"a number is written in at most {MAX_LENGTH} characters, this one in {len(value)}"
        raise Refusal("too-large", text, "write it shorter")
    return _Parser(value).parse()


def _refuse(start: int, end: int, text: str, help: str = _EXAMPLE) -> Refusal:
    return Refusal("scalar", text, help, offset=(start, end))


def _refuse_size(offset: tuple[int, int] | None) -> Refusal:
    text = f"a number has more than {MAX_DIGITS} digits"
    return Refusal("too-large", text, "use smaller numbers", offset=offset)


def _tokenise(text: str) -> tuple[_Token, ...]:
    tokens: list[_Token] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            start = len(text) - len(text[position:].lstrip())
            raise _refuse(start, start + 1, f"unexpected character {text[start]!r}")
        kind = str(match.lastgroup)
        tokens.append(_Token(kind, match[kind], match.start(kind), match.end(kind)))
        position = match.end()
    return (*tokens, _Token("end", "", end, end + 1))


class _Parser:
    """Recursive descent over the tokens of one number; ``depth`` counts open brackets."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokenise(text)
        self.position = 0
        self.depth = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.position]

    def parse(self) -> Scalar:
        if self.token.kind == "end":
            raise _refuse(0, 1, "the number is empty")
        found = self._parse_sum()
        if self.token.kind != "end":
            raise self._fail("expected an operator or the end")
        self._forbid_pi(found)
        return found.plain

    def _fail(self, text: str) -> Refusal:
        token = self.token
        shown = token.text if len(token.text) <= 20 else token.text[:17] + "..."
        found = f"found {shown!r}" if shown else "the number ends here"
        help = _EXAMPLE
        if token.kind == "decimal":
            help = "numbers are exact: write a fraction, such as 1/2 for 0.5"
        elif token.text in {"**", "^"}:
            help = "there are no powers: write a product"
        elif token.text == "pi" and self.position:
            help = "write a * between two factors, such as 2*pi"
        elif token.kind == "name":
            help = f"the functions are {', '.join(CALLS)}, and pi stands inside cos and sin"
        return _refuse(token.start, token.end, f"{text}, {found}", help)

    def _take(self, *texts: str) -> str:
        """Step over one of some operators and return it; an empty text if there is none."""
        token = self.token
        if token.kind != "operator" or token.text not in texts:
            return ""
        self.position += 1
        return token.text

    def _expect(self, text: str) -> int:
        """Step over an operator; return the index after it."""
        if not self._take(text):
            raise self._fail(f"expected {text!r}")
        return self.tokens[self.position - 1].end

    def _parse_sum(self) -> _Value:
        value = self._parse_product()
        while sign := self._take("+", "-"):
            other = self._parse_product()
            value = self._combine(value, other, _add if sign == "+" else _subtract)
        return value

    def _parse_product(self) -> _Value:
        value = self._parse_signed()
        while operator := self._take("*", "/"):
            other = self._parse_signed()
            if operator == "/":
                self._forbid_pi(other)
                if not other.plain:
                    raise _refuse(
                        other.start, other.end, "division by zero", "write a divisor that is not 0"
                    )
            if value.turned and other.turned:
                text = "a product of two multiples of pi is no exact number"
                raise _refuse(value.start, other.end, text)
            value = self._combine(value, other, _multiply if operator == "*" else _divide)
        return value

    def _combine(
        self,
        left: _Value,
        right: _Value,
        combine: Callable[[_Value, _Value], tuple[Scalar, Scalar]],
    ) -> _Value:
        """Combine two values; what is too large is refused at the place of both."""
        offset = (left.start, right.end)
        try:
            plain, turned = combine(left, right)
        except Refusal as refusal:
            refusal.offset = offset
            raise
        for part in (plain, turned):
            if max(n.bit_length() for n in (part.denominator, *part.numerators)) > MAX_BITS:
                raise _refuse_size(offset)
        return _Value(plain, turned, *offset)

    def _parse_signed(self) -> _Value:
        start, negative = self.token.start, False
        while self._take("-"):
            negative = not negative
        value = self._parse_atom()
        if negative:
            return _Value(-value.plain, -value.turned, start, value.end)
        return value

    def _parse_atom(self) -> _Value:
        token = self.token
        if token.kind == "integer":
            self.position += 1
            if len(token.text) > MAX_DIGITS:
                raise _refuse_size((token.start, token.end))
            return _Value(Scalar.of(int(token.text)), Scalar.of(0), token.start, token.end)
        if token.text == "pi":
            self.position += 1
            return _Value(Scalar.of(0), Scalar.of(1), token.start, token.end)
        if token.text in CALLS:
            self.position += 1
            self._expect("(")
            value = self._nest()
            return self._call(token, value, self._expect(")"))
        if self._take("("):
            value = self._nest()
            return _Value(value.plain, value.turned, token.start, self._expect(")"))
        raise self._fail("expected a number")

    def _nest(self) -> _Value:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            token = self.tokens[self.position - 1]
            text = f"the number is nested more than {MAX_DEPTH} deep"
            offset = (token.start, token.end)
            raise Refusal("too-deep", text, "use fewer brackets", offset=offset)
        value = self._parse_sum()
        self.depth -= 1
        return value

    def _call(self, token: _Token, value: _Value, end: int) -> _Value:
        """Evaluate sqrt, cos or sin of a value."""
        try:
            found = self._find_root(value) if token.text == "sqrt" else _turn(token.text, value)
        except Refusal as refusal:
            refusal.offset = refusal.offset or (token.start, end)
            raise
        return _Value(found, Scalar.of(0), token.start, end)

    def _find_root(self, value: _Value) -> Scalar:
        self._forbid_pi(value)
        if not value.plain.is_rational:
            text = "sqrt is served of rational numbers only"
            raise _refuse(value.start, value.end, text, "write for example sqrt(5) or sqrt(3/4)")
        inner = value.plain.as_fraction()
        if inner < 0:
            help = "all numbers are real: write the matrices over the reals"
            raise _refuse(value.start, value.end, "the root of a negative number", help)
        return root(inner)

    @staticmethod
    def _forbid_pi(value: _Value) -> None:
        if value.turned:
            help = "write for example cos(2*pi/5)"
            raise _refuse(value.start, value.end, "pi stands inside cos and sin only", help)


def _turn(name: str, value: _Value) -> Scalar:
    """Return the cosine or the sine of a rational multiple of pi."""
    if value.plain or not value.turned.is_rational:
        text = f"the argument of {name} is a rational multiple of pi"
        raise _refuse(value.start, value.end, text, f"write for example {name}(2*pi/5)")
    turns = value.turned.as_fraction() / 2
    if name == "sin":
        turns = Fraction(1, 4) - turns
    return cosine(turns.numerator, turns.denominator)


def _add(left: _Value, right: _Value) -> tuple[Scalar, Scalar]:
    return left.plain + right.plain, left.turned + right.turned


def _subtract(left: _Value, right: _Value) -> tuple[Scalar, Scalar]:
    return left.plain - right.plain, left.turned - right.turned


def _multiply(left: _Value, right: _Value) -> tuple[Scalar, Scalar]:
    return left.plain * right.plain, left.plain * right.turned + left.turned * right.plain


def _divide(left: _Value, right: _Value) -> tuple[Scalar, Scalar]:
    inverse = right.plain.inverse()
    return left.plain * inverse, left.turned * inverse
