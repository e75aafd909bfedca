"""Slot equations: ``w[0; 1, 2] == 2*w[0; 0, 1]`` to exact linear equations between slots.

Grammar::

    equation = sum "==" sum
    sum      = product { ("+" | "-") product }
    product  = signed { ("*" | "/") signed }
    signed   = { "+" | "-" } atom
    atom     = slot | integer | ("sqrt" | "cos" | "sin") "(" ... ")" | "(" sum ")"
    slot     = "w" "[" integer [ ";" index { "," index } ] "]"
    index    = integer | input "." integer

Roots and cosines are left to the parser of scalars. The parser is our own: nothing of a spec is
ever evaluated by Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from eqcompile.errors import Refusal
from eqcompile.exact.fields import Scalar
from eqcompile.exact.scalars import CALLS, MAX_BITS, parse_scalar
from eqcompile.reading import shorten
from eqcompile.registry import nearest
from eqcompile.spec.slots import LayerSlots, Slot, SlotEquation

MAX_DEPTH = 64
MAX_LENGTH = 4096
MAX_DIGITS = 18
MAX_DIVISIONS = 2**20
"""Sum of the squared degrees of the fields that divisors lie in; their inverses are slow."""

_TOKEN = re.compile(
    r"\s*(?:(?P<index>[A-Za-z_][A-Za-z0-9_]*\.[0-9]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<decimal>[0-9]*\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+\.|[0-9]+[eE][-+]?[0-9]+)"
    r"|(?P<integer>[0-9]+)|(?P<operator>==|\*\*|[<>!:]=|[-+*/()\[\];,=<>^]))"
)
_EXAMPLE = "write for example w[0; 1, 2] == 2*w[0; 0, 1]"
_COMPARE = "write ==, the only relation there is"


def parse_equation(text: str, slots: LayerSlots) -> SlotEquation:
    """Parse a slot equation of a layer.

    Args:
        text: Such as ``w[0; 1, 2] == 2*w[0; 0, 1]``; the indices of a monomial come in any order.
        slots: The slots there are.

    Raises:
        Refusal: With ``offset``, the characters of ``text`` at fault.
    """
    if len(text) > MAX_LENGTH:
        found = f"an equation has at most {MAX_LENGTH} characters, this one {len(text)}"
        raise Refusal("too-large", found, "split it into several equations")
    return _Parser(text, slots).parse()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Linear:
    """A linear combination of slots plus a constant, and the characters it is written in."""

    terms: Mapping[Slot, Scalar]
    constant: Scalar
    start: int
    end: int

    def scale(self, factor: Scalar, start: int, end: int) -> _Linear:
        terms = {slot: value * factor for slot, value in self.terms.items()}
        return _Linear(terms, self.constant * factor, start, end)


def _tokenise(text: str) -> tuple[_Token, ...]:
    tokens: list[_Token] = []
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            start = len(text) - len(text[position:].lstrip())
            found = f"unexpected character {text[start]!r}"
            raise _refuse_part(start, start + 1, found, _EXAMPLE)
        kind = str(match.lastgroup)
        tokens.append(_Token(kind, match[kind], match.start(kind), match.end(kind)))
        position = match.end()
    end = len(text.rstrip())
    return (*tokens, _Token("end", "", end, end + 1))


def _refuse_part(start: int, end: int, text: str, help: str) -> Refusal:
    return Refusal("equation", text, help, offset=(start, end))


def _refuse_slot(start: int, end: int, text: str, help: str) -> Refusal:
    return Refusal("unknown-slot", text, help, offset=(start, end))


def _add(left: _Linear, right: _Linear) -> _Linear:
    terms = dict(left.terms)
    for slot, value in right.terms.items():
        terms[slot] = terms.get(slot, Scalar.of(0)) + value
    return _Linear(terms, left.constant + right.constant, left.start, right.end)


def _subtract(left: _Linear, right: _Linear) -> _Linear:
    return _add(left, right.scale(Scalar.of(-1), right.start, right.end))


def _multiply(left: _Linear, right: _Linear) -> _Linear:
    if left.terms and right.terms:
        text = "a product of slots is not linear"
        raise _refuse_part(left.start, right.end, text, "multiply slots by numbers only")
    factor, scaled = (left, right) if right.terms else (right, left)
    return scaled.scale(factor.constant, left.start, right.end)


def _divide(left: _Linear, right: _Linear) -> _Linear:
    if right.terms:
        text = "a division by slots is not linear"
        raise _refuse_part(right.start, right.end, text, "divide by numbers only")
    if not right.constant:
        raise _refuse_part(right.start, right.end, "a division by 0", "divide by another number")
    return left.scale(right.constant.inverse(), left.start, right.end)


def _is_long(number: Scalar) -> bool:
    return max(n.bit_length() for n in (number.denominator, *number.numerators)) > MAX_BITS


class _Parser:
    """Recursive descent over the tokens of one equation; ``depth`` counts open brackets."""

    def __init__(self, text: str, slots: LayerSlots) -> None:
        self.text = text
        self.slots = slots
        self.tokens = _tokenise(text)
        self.position = 0
        self.depth = 0
        self.divisions = 0
        self.first: Slot | None = None

    @property
    def token(self) -> _Token:
        return self.tokens[self.position]

    def parse(self) -> SlotEquation:
        if self.token.kind == "end":
            raise _refuse_part(0, 1, "the equation is empty", _EXAMPLE)
        left = self._parse_sum()
        if not self._take("=="):
            raise self._refuse_token("expected == or a further term")
        right = self._parse_sum()
        if self.token.text == "==":
            raise self._refuse_token("an equation has one ==", "write one equation for each ==")
        if self.token.kind != "end":
            raise self._refuse_token("expected the end or a further term")
        if self.first is None:
            help = "slots are written as in w[0; 1, 2]"
            raise _refuse_part(left.start, right.end, "there is no slot in this equation", help)
        terms = self._combine(left, right, _subtract).terms
        kept = tuple((slot, terms[slot]) for slot in sorted(terms) if terms[slot])
        return SlotEquation(kept, right.constant - left.constant, self.first.degree)

    def _refuse_token(self, text: str, help: str = _EXAMPLE) -> Refusal:
        token = self.token
        if token.kind == "decimal":
            text, help = "numbers are exact", "write a fraction, as in 1/2, for a decimal number"
        elif token.text in ("=", "<", ">", "<=", ">=", "!=", ":="):
            help = _COMPARE
        elif token.text in ("**", "^"):
            help = "an equation is linear in the slots; write powers of numbers as products"
        found = f"found {shorten(token.text)!r}" if token.text else "the equation ends here"
        return _refuse_part(token.start, token.end, f"{text}, {found}", help)

    def _take(self, text: str) -> bool:
        if self.token.kind == "operator" and self.token.text == text:
            self.position += 1
            return True
        return False

    def _expect(self, text: str) -> int:
        """Step over an operator; return the index after it."""
        if not self._take(text):
            raise self._refuse_token(f"expected {text!r}")
        return self.tokens[self.position - 1].end

    def _parse_sum(self) -> _Linear:
        found = self._parse_product()
        while self.token.text in ("+", "-"):
            operator = self.token.text
            self.position += 1
            other = self._parse_product()
            found = self._combine(found, other, _add if operator == "+" else _subtract)
        return found

    def _parse_product(self) -> _Linear:
        found = self._parse_signed()
        while self.token.text in ("*", "/"):
            operator = self.token.text
            self.position += 1
            other = self._parse_signed()
            if operator == "/":
                self._count_division(other)
            found = self._combine(found, other, _divide if operator == "/" else _multiply)
        return found

    def _count_division(self, divisor: _Linear) -> None:
        """Refuse more inverses of irrational numbers than can be found in a moment."""
        if not divisor.constant.is_rational:
            self.divisions += divisor.constant.field.degree**2
        if self.divisions > MAX_DIVISIONS:
            text = "there are too many divisions by irrational numbers in this equation"
            offset = (divisor.start, divisor.end)
            raise Refusal("too-large", text, "divide once, by their product", offset=offset)

    @staticmethod
    def _combine(
        left: _Linear, right: _Linear, combine: Callable[[_Linear, _Linear], _Linear]
    ) -> _Linear:
        """Combine two parts; numbers that grow too large are refused at the place of both."""
        try:
            found = combine(left, right)
        except Refusal as refusal:
            raise replace(refusal, offset=refusal.offset or (left.start, right.end)) from None
        changed = (found.terms[slot] for slot in (right.terms or left.terms))
        if any(map(_is_long, (found.constant, *changed))):
            text = "the numbers of this equation are too long"
            offset = (left.start, right.end)
            raise Refusal("too-large", text, "use smaller numbers", offset=offset)
        return found

    def _parse_signed(self) -> _Linear:
        start, sign = self.token.start, 1
        while self.token.text in ("+", "-"):
            sign *= -1 if self.token.text == "-" else 1
            self.position += 1
        found = self._parse_atom()
        return found.scale(Scalar.of(sign), start, found.end)

    def _parse_atom(self) -> _Linear:
        token = self.token
        if token.kind == "integer":
            self.position += 1
            return self._read_scalar(token.start, token.end)
        if token.kind == "name" and self.tokens[self.position + 1].text == "[":
            return self._parse_slot()
        if token.kind == "name" and token.text in CALLS:
            return self._parse_call()
        if token.kind == "name":
            raise self._refuse_name()
        if self._take("("):
            found = self._nest()
            return replace(found, start=token.start, end=self._expect(")"))
        raise self._refuse_token("expected a slot or a number")

    def _refuse_name(self) -> Refusal:
        text, help = "expected a slot or a number", _EXAMPLE
        if self.token.text == "pi":
            help = "pi stands in cos(...) and sin(...) only"
        elif self.token.text in ("w", "W"):
            help = "a slot is written as in w[0; 1, 2]"
        elif close := nearest(self.token.text, [*CALLS]):
            help = f"did you mean {close!r}?"
        return self._refuse_token(text, help)

    def _nest(self) -> _Linear:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._too_deep(self.tokens[self.position - 1])
        found = self._parse_sum()
        self.depth -= 1
        return found

    def _too_deep(self, token: _Token) -> Refusal:
        text = f"the equation is nested more than {MAX_DEPTH} deep"
        offset = (token.start, token.end)
        return Refusal("too-deep", text, "multiply out", offset=offset)

    def _parse_call(self) -> _Linear:
        """Hand a call such as ``sqrt(2)`` to the parser of scalars."""
        start, depth = self.token.start, 0
        self.position += 1
        while True:
            token = self.token
            depth += (token.text == "(") - (token.text == ")")
            if token.kind == "end" or not depth:
                break
            if token.text in ("[", "=="):
                raise self._refuse_token("a root or a cosine is of numbers")
            self.position += 1
        end = self._expect(")")
        return self._read_scalar(start, end)

    def _read_scalar(self, start: int, end: int) -> _Linear:
        try:
            value = parse_scalar(self.text[start:end])
        except Refusal as refusal:
            first, last = refusal.offset or (0, end - start)
            raise replace(refusal, offset=(start + first, start + last)) from None
        return _Linear({}, value, start, end)

    def _parse_slot(self) -> _Linear:
        start = self.token.start
        if self.token.text != "w":
            raise self._refuse_token("expected w[...]", "slots are called w, as in w[0; 1, 2]")
        self.position += 2
        output = self._read_number("output", self.slots.outputs)
        indices: list[list[int]] = [[] for _ in self.slots.inputs]
        if self._take(";"):
            self._read_index(indices)
            while self._take(","):
                self._read_index(indices)
        elif self.token.text == ",":
            raise self._refuse_token("expected ; after the output", "write w[output; index, index]")
        end = self._expect("]")
        slot = Slot(output, tuple(tuple(sorted(part)) for part in indices))
        self._check_degree(slot, start, end)
        return _Linear({slot: Scalar.of(1)}, Scalar.of(0), start, end)

    def _read_index(self, indices: list[list[int]]) -> None:
        """Read one index of a monomial, after its input where there are several."""
        token = self.token
        names = [name for name, _ in self.slots.inputs]
        place = 0
        if token.kind == "index":
            place = self._find_input(token, names)
        elif token.kind == "integer" and len(names) > 1:
            text = "the layer has several inputs, and this index names none"
            help = f"write for example {names[0]}.{shorten(token.text)}"
            raise _refuse_slot(token.start, token.end, text, help)
        name, bound = self.slots.inputs[place]
        what = "index" if len(names) == 1 else f"index of {name}"
        indices[place].append(self._read_number(what, bound))

    def _find_input(self, token: _Token, names: list[str]) -> int:
        name = token.text.partition(".")[0]
        if name in names:
            return names.index(name)
        close = nearest(name, names)
        text = f"the layer has no input {shorten(name)!r}; it has: {', '.join(names)}"
        help = f"did you mean {close!r}?" if close else "use the names under input"
        end = token.start + len(name)
        raise _refuse_slot(token.start, end, text, help)

    def _read_number(self, what: str, bound: int) -> int:
        """Read a number below a bound; one after the name of an input may have that before it."""
        token = self.token
        if token.kind != "integer" and (token.kind != "index" or what == "output"):
            raise self._refuse_token(f"expected an {what}")
        digits = token.text.rpartition(".")[2]
        if len(digits) > MAX_DIGITS or int(digits) >= bound:
            text = f"there is no {what} {shorten(digits)}: it is from 0 to {bound - 1}"
            start = token.end - len(digits)
            raise _refuse_slot(start, token.end, text, "count from 0")
        self.position += 1
        return int(digits)

    def _check_degree(self, slot: Slot, start: int, end: int) -> None:
        spelled, degree = self.slots.spell_slot(slot), self.slots.spell_degree(slot.degree)
        if slot.degree not in self.slots.degrees:
            known = shorten(" and ".join(map(self.slots.spell_degree, self.slots.degrees)), 80)
            text = f"{spelled} is of degree {degree}, the layer has {known}"
            help = "give as many indices as the degree, or add the degree to the layer"
            raise _refuse_slot(start, end, text, help)
        if self.first is None:
            self.first = slot
        if slot.degree != self.first.degree:
            before = self.slots.spell_degree(self.first.degree)
            text = f"{spelled} is of degree {degree}, the slots before it of degree {before}"
            help = "relate slots of one degree; the degrees of a layer are solved apart"
            raise _refuse_part(start, end, text, help)
