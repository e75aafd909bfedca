"""A text with the place of every character, and the values of a spec with the place of each."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from eqcompile.errors import Diagnostic, PathPart, Refusal, Span, SpecError

Scalar = str | int | float | bool | None
Path = tuple[PathPart, ...]


@dataclass(frozen=True)
class Source:
    r"""The text of a spec and the name it is known by.

    Attributes:
        path: What errors call it: the path as given, ``<text>`` or ``<dict>``.
        text: All of it; lines end in ``\n``, ``\r\n`` or ``\r``.
    """

    path: str
    text: str

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        """Index at which each line starts."""
        return (0, *(m.end() for m in re.finditer(r"\r\n|\n|\r", self.text)))

    def read_line(self, number: int) -> str:
        """Return a line without its end; lines count from 1."""
        starts = self._starts
        end = starts[number] if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].rstrip("\r\n")

    def locate(self, start: int, end: int) -> Span:
        """Return the span of the characters ``start..end``, cut at the end of the first line."""
        number = bisect_right(self._starts, start)
        first = self._starts[number - 1]
        column = start - first + 1
        line_end = len(self.read_line(number)) + 1
        return Span(self.path, number, column, max(column + 1, min(end - first + 1, line_end)))

    def diagnose(self, span: Span, refusal: Refusal) -> Diagnostic:
        """Give a refusal its place and the line it stands in."""
        line = self.read_line(span.line)
        return Diagnostic(span, refusal.rule, refusal.text, refusal.help, line)

    def refuse(self, start: int, end: int, rule: str, text: str, help: str) -> Diagnostic:
        """Make the error that stands at the characters ``start..end``."""
        return self.diagnose(self.locate(start, end), Refusal(rule, text, help))


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar.

    Attributes:
        value: Its value.
        start: Index of its first character.
        end: Index after its last character.
        inside: Index of the first character of a string's text, None where the text as written
            differs from the value (escapes, folded lines), so that no offset can be trusted.
    """

    value: Scalar
    start: int
    end: int
    inside: int | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    entries: tuple[Node, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping: its keys, which are strings, and its values, in the order they are written."""

    entries: tuple[tuple[Leaf, Node], ...]
    start: int
    end: int


Node = Leaf | Items | Fields


def strip_places(node: Node) -> object:
    """Return the plain data of a node: dicts, lists and scalars."""
    match node:
        case Leaf(value):
            return value
        case Items(entries):
            return [strip_places(entry) for entry in entries]
        case Fields(entries):
            return {str(key.value): strip_places(value) for key, value in entries}


def walk_leaves(node: Node, at: Path = ()) -> Iterator[tuple[Path, Leaf]]:
    """List every scalar with the path that leads to it."""
    match node:
        case Leaf():
            yield at, node
        case Items(entries):
            for i, entry in enumerate(entries):
                yield from walk_leaves(entry, (*at, i))
        case Fields(entries):
            for key, value in entries:
                yield from walk_leaves(value, (*at, str(key.value)))


@dataclass(frozen=True, slots=True)
class Located:
    """A spec as it was written: its text and the tree of its values."""

    source: Source
    root: Node

    def find(self, at: Path) -> tuple[Leaf | None, Node]:
        """Return the key and the value at a path, or at the longest part of it that exists."""
        key: Leaf | None = None
        node = self.root
        for part in at:
            step = _enter(node, part)
            if step is None:
                break
            key, node = step
        return key, node

    @property
    def path(self) -> str:
        """What errors call the spec."""
        return self.source.path

    @property
    def text(self) -> str:
        """The spec as it was written."""
        return self.source.text

    def locate(self, refusals: Iterable[Refusal], at: Path = ()) -> SpecError:
        """Give refusals of the value at ``at`` their places; the caller raises the result."""
        # Two places that alias one value are one error.
        found = dict.fromkeys(self._diagnose(refusal.move(at)) for refusal in refusals)
        return SpecError(tuple(found))

    def place(self, at: Path) -> Span:
        """Return where the value at a path stands."""
        _, node = self.find(at)
        return self.source.locate(node.start, node.end)

    def span(self, refusal: Refusal) -> Span:
        """Return where a refusal stands; what concerns the whole file stands at 1:1."""
        if not refusal.at:
            return self.source.locate(0, 1)
        key, node = self.find(refusal.at)
        if refusal.on_key and key is not None:
            node = key
        start, end = node.start, node.end
        if refusal.offset is not None and isinstance(node, Leaf) and node.inside is not None:
            start, end = (node.inside + offset for offset in refusal.offset)
        return self.source.locate(start, end)

    def _diagnose(self, refusal: Refusal) -> Diagnostic:
        return self.source.diagnose(self.span(refusal), refusal)


def _enter(node: Node, part: PathPart) -> tuple[Leaf | None, Node] | None:
    match node:
        case Items(entries) if isinstance(part, int) and 0 <= part < len(entries):
            return None, entries[part]
        case Fields(entries):
            return next(((k, v) for k, v in entries if k.value == part), None)
    return None
