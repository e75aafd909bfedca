"""The language of representations: ``Sym(V, 2) + 3 sign * V`` to a tree.

Grammar, loosest first: ``**`` binds tighter than a multiple, a multiple tighter than ``*``::

    sum      = product { "+" product }
    product  = multiple { "*" multiple }
    multiple = { integer } power                 (a lone 1 is the trivial representation)
    power    = atom [ "**" integer ]
    atom     = "1" | word | name | call | "(" sum ")"
    call     = ("Sym" | "Alt" | "subsets") "(" sum "," integer ")" | "dual" "(" sum ")"
             | "irrep" "(" integer | string ")"

The parser is our own: nothing of a spec is ever evaluated by Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from eqcompile.errors import Refusal
from eqcompile.reading import shorten
from eqcompile.registry import nearest

MAX_DEPTH = 64
MAX_POWER = 64
MAX_DIM = 20_000
MAX_LENGTH = 4096

WORDS = ("V", "sign", "det")
CALLS = ("Sym", "Alt", "subsets", "dual", "irrep")
RESERVED = (*WORDS, *CALLS)
"""Words of the language; groups and representations may not be called like them."""

_TOKEN = re.compile(
    r"\s*(?:(\*\*|[-+*(),])|([0-9]+)|([A-Za-z_][A-Za-z0-9_]*)|(\"[^\"]*\"|'[^']*'))"
)
_SLIPS = {"^": "write ** for a tensor power", "@": "write * for a tensor product"}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression.

    Attributes:
        kind: ``name`` (words and named representations), ``+``, ``*``, ``copies``, or the call.
        parts: What it is made of.
        number: The integer of copies, powers and calls.
        name: The word, for ``name``; of an irrep its parity, ``o``, ``e`` or empty.
        start: Index of its first character.
        end: Index after its last character.
    """

    kind: str
    parts: tuple[Expression, ...]
    number: int
    name: str
    start: int
    end: int

    def list_names(self) -> Iterator[Expression]:
        """List the words and names in it, from left to right."""
        if self.kind == "name":
            yield self
        for part in self.parts:
            yield from part.list_names()


def parse_expression(text: str) -> Expression:
    """Parse an expression; names are not looked up yet.

    Raises:
        Refusal: With ``offset``.
    """
    if len(text) > MAX_LENGTH:
        found = f"an expression has at most {MAX_LENGTH} characters, this one {len(text)}"
        raise Refusal("too-large", found, "name parts of it under `representations:`")
    return _Parser(text).parse()


def refuse_part(expression: Expression, rule: str, text: str, help: str) -> Refusal:
    """Refuse a part of an expression, at its characters."""
    return Refusal(rule, text, help, offset=(expression.start, expression.end))


def _tokenise(text: str) -> tuple[_Token, ...]:
    tokens: list[_Token] = []
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            start = len(text) - len(text[position:].lstrip())
            help_ = _SLIPS.get(
                text[start], "an expression is made of V, names, numbers, + * ** ( ) and ,"
            )
            raise _refuse_at(start, start + 1, f"unexpected character {text[start]!r}", help_)
        kind = ("operator", "integer", "name", "string")[(match.lastindex or 1) - 1]
        word = match[match.lastindex or 1]
        tokens.append(_Token(kind, word, match.end() - len(word), match.end()))
        position = match.end()
    end = len(text.rstrip())
    return (*tokens, _Token("end", "", end, end + 1))


def _refuse_at(start: int, end: int, text: str, help: str) -> Refusal:
    return Refusal("expression", text, help, offset=(start, end))


class _Parser:
    """Recursive descent over the tokens of one expression; ``depth`` counts open brackets."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokenise(text)
        self.position = 0
        self.depth = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.position]

    def parse(self) -> Expression:
        if self.token.kind == "end":
            raise _refuse_at(0, 1, "the expression is empty", "write V for the defining action")
        found = self._parse_sum()
        if self.token.kind != "end":
            raise self._fail("expected + or * or the end")
        return found

    def _fail(self, text: str) -> Refusal:
        token = self.token
        found = f"found {shorten(token.text)!r}" if token.text else "the expression ends here"
        help_ = "write for example V + Sym(V, 2) or 3 V ** 2"
        if token.text == "-":
            help_ = "representations are added, not subtracted"
        return _refuse_at(token.start, token.end, f"{text}, {found}", help_)

    def _take(self, text: str) -> bool:
        if self.token.kind == "operator" and self.token.text == text:
            self.position += 1
            return True
        return False

    def _expect(self, text: str) -> int:
        """Step over an operator; return the index after it."""
        if not self._take(text):
            raise self._fail(f"expected {text!r}")
        return self.tokens[self.position - 1].end

    def _parse_sum(self) -> Expression:
        return self._parse_chain("+", lambda: self._parse_chain("*", self._parse_multiple))

    def _parse_chain(self, operator: str, parse_part: Callable[[], Expression]) -> Expression:
        parts = [parse_part()]
        while self._take(operator):
            parts.append(parse_part())
        if len(parts) == 1:
            return parts[0]
        return Expression(operator, tuple(parts), 0, "", parts[0].start, parts[-1].end)

    def _parse_multiple(self) -> Expression:
        start, copies = self.token.start, 1
        while self.token.kind == "integer" and self._starts_atom(self.tokens[self.position + 1]):
            copies *= self._read_integer(MAX_DIM)
            if copies > MAX_DIM:
                raise self._too_large(start, f"more than {MAX_DIM} copies")
        part = self._parse_power()
        if part.start == start:
            return part
        return Expression("copies", (part,), copies, "", start, part.end)

    @staticmethod
    def _starts_atom(token: _Token) -> bool:
        return token.kind in ("integer", "name") or token.text == "("

    def _parse_power(self) -> Expression:
        base = self._parse_atom()
        if not self._take("**"):
            return base
        number = self._read_integer(MAX_POWER)
        if self._take("**"):
            self.position -= 1
            raise self._fail("a power of a power needs brackets")
        return Expression("**", (base,), number, "", base.start, self.tokens[self.position - 1].end)

    def _parse_atom(self) -> Expression:
        token = self.token
        if token.kind == "name" and token.text in CALLS:
            return self._parse_call(token)
        if token.kind == "name" and self.tokens[self.position + 1].text == "(":
            close = nearest(token.text, list(CALLS))
            text = f"{shorten(token.text)!r} takes no arguments; what does: {', '.join(CALLS)}"
            help_ = f"did you mean {close!r}?" if close else "put a * before the bracket"
            raise _refuse_at(token.start, token.end, text, help_)
        if token.kind == "name" or (token.kind == "integer" and token.text == "1"):
            self.position += 1
            return Expression("name", (), 0, token.text, token.start, token.end)
        if token.kind == "integer":
            help_ = f"write {shorten(token.text)} V for copies of V; only 1 is a representation"
            raise _refuse_at(token.start, token.end, "a number alone is no representation", help_)
        if self._take("("):
            found = self._nest(self._parse_sum)
            return replace(found, start=token.start, end=self._expect(")"))
        raise self._fail("expected a representation")

    def _parse_call(self, token: _Token) -> Expression:
        self.position += 1
        self._expect("(")
        if token.text == "irrep":
            return self._parse_irrep(token)
        part = self._nest(self._parse_sum)
        number = 0
        if token.text != "dual":
            self._expect(",")
            number = self._read_integer(MAX_POWER)
        end = self._expect(")")
        return Expression(token.text, (part,), number, "", token.start, end)

    def _parse_irrep(self, token: _Token) -> Expression:
        """Read what stands after ``irrep(``: 2, or a degree and a parity such as "2e"."""
        word, parity = self.token, ""
        if word.kind == "string":
            match = re.fullmatch(r"([0-9]{1,9})([oe])", word.text[1:-1])
            if match is None:
                help_ = 'write for example irrep("1o") or irrep("2e")'
                text = f"{shorten(word.text)} is no degree with a parity o or e"
                raise _refuse_at(word.start, word.end, text, help_)
            self.position += 1
            number, parity = int(match[1]), match[2]
            if number > MAX_POWER:
                raise self._too_large(word.start, f"at most {MAX_POWER} is served here")
        else:
            number = self._read_integer(MAX_POWER)
        return Expression("irrep", (), number, parity, token.start, self._expect(")"))

    def _nest(self, parse: Callable[[], Expression]) -> Expression:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            token = self.tokens[self.position - 1]
            text = f"the expression is nested more than {MAX_DEPTH} deep"
            help_ = "name inner parts under `representations:`"
            raise Refusal("too-deep", text, help_, offset=(token.start, token.end))
        found = parse()
        self.depth -= 1
        return found

    def _read_integer(self, largest: int) -> int:
        token = self.token
        if token.kind != "integer":
            raise self._fail("expected a whole number")
        self.position += 1
        if len(token.text) > 9 or int(token.text) > largest:
            raise self._too_large(token.start, f"at most {largest} is served here")
        return int(token.text)

    def _too_large(self, start: int, text: str) -> Refusal:
        end = self.tokens[self.position - 1].end
        return Refusal("too-large", text, "use a smaller number", offset=(start, end))
