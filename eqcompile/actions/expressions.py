"""Representation expressions: ``Sym(V, 2) + 3 sign * V`` to signed permutations.

Grammar, loosest first: ``**`` binds tighter than a multiple, a multiple tighter than ``*``::

    sum      = product { "+" product }
    product  = multiple { "*" multiple }
    multiple = { integer } power                 (a lone 1 is the trivial representation)
    power    = atom [ "**" integer ]
    atom     = "1" | word | name | call | "(" sum ")"
    call     = ("Sym" | "Alt" | "subsets") "(" sum "," integer ")" | "dual" "(" sum ")"

The parser is our own: nothing of a spec is ever evaluated by Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from eqcompile.actions.group import Group, Representation
from eqcompile.actions.sizes import MAX_ENTRIES
from eqcompile.errors import Refusal, not_yet_served
from eqcompile.exact.monomials import move_subsets, move_tuples
from eqcompile.exact.signed import SignedPermutation, direct_sum, kron
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
        name: The word, for ``name``.
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


def build_representation(
    text: str, group: Group, named: Mapping[str, Representation]
) -> Representation:
    """Evaluate an expression: one signed permutation per generator of the group.

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
    if dim * len(group.generators) > MAX_ENTRIES:
        text = f"dimension {dim} is too large for {len(group.generators)} generators"
        raise _refuse(expression, "too-large", text, "use a smaller power or fewer generators")
    images = tuple(
        _build(expression, _list_atoms(group, named, i)) for i in range(len(group.generators))
    )
    return Representation(text.strip(), dim, images)


def parse_expression(text: str) -> Expression:
    """Parse an expression; names are not looked up yet.

    Raises:
        Refusal: With ``offset``.
    """
    if len(text) > MAX_LENGTH:
        found = f"an expression has at most {MAX_LENGTH} characters, this one {len(text)}"
        raise Refusal("too-large", found, "name parts of it under `representations:`")
    return _Parser(text).parse()


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


def _refuse(expression: Expression, rule: str, text: str, help: str) -> Refusal:
    return Refusal(rule, text, help, offset=(expression.start, expression.end))


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
            refusal = not_yet_served(
                "irrep(...)", "build the representation from V, Sym, Alt and *"
            )
            refusal.offset = (token.start, token.end)
            raise refusal
        part = self._nest(self._parse_sum)
        number = 0
        if token.text != "dual":
            self._expect(",")
            number = self._read_integer(MAX_POWER)
        end = self._expect(")")
        return Expression(token.text, (part,), number, "", token.start, end)

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


def _measure(expression: Expression, group: Group, named: Mapping[str, Representation]) -> int:
    """Return the dimension; refuse names that are not known and what is larger than `MAX_DIM`."""
    dims = [_measure(part, group, named) for part in expression.parts]
    match expression.kind:
        case "name":
            dim = _measure_name(expression, group, named)
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
        raise _refuse(expression, "empty-representation", text, help_)
    if dim > MAX_DIM:
        text = f"a representation has at most dimension {MAX_DIM}, this one has more"
        raise _refuse(expression, "too-large", text, "use a smaller power or fewer copies")
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
    raise _refuse(expression, "unknown-representation", text, help_)


def _list_atoms(
    group: Group, named: Mapping[str, Representation], i: int
) -> dict[str, SignedPermutation]:
    """Return the image of generator i in every representation that has a name."""
    g = group.generators[i]
    plus = SignedPermutation.identity(1)
    scalar = {1: plus, -1: SignedPermutation(plus.perm, -plus.signs)}
    atoms = {name: representation.images[i] for name, representation in named.items()}
    return {**atoms, "V": g, "1": scalar[1], "sign": scalar[g.parity()], "det": scalar[g.det()]}


def _build(expression: Expression, atoms: Mapping[str, SignedPermutation]) -> SignedPermutation:
    """Evaluate an expression at one generator."""
    if expression.kind == "name":
        return atoms[expression.name]
    parts = [_build(part, atoms) for part in expression.parts]
    k = expression.number
    match expression.kind:
        case "+":
            return direct_sum(parts)
        case "*":
            return _tensor(parts)
        case "**":
            return _tensor(parts * k)
        case "copies":
            return direct_sum(parts * k)
        case "Sym":
            return move_tuples(parts[0], k)
        case "Alt":
            return move_subsets(parts[0], k, alternating=True)
        case "subsets":
            return move_subsets(parts[0], k, alternating=False)
    # Signed permutation matrices are orthogonal, so the dual representation has the same images.
    return parts[0]


def _tensor(parts: list[SignedPermutation]) -> SignedPermutation:
    product = SignedPermutation.identity(1)
    for part in parts:
        product = kron(product, part)
    return product
