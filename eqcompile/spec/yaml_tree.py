"""YAML 1.2 to values with places, from the events of ruamel.yaml's scanner.

Events and not its constructors or composer: nothing is ever constructed from a tag, nesting is
bounded before any recursion, aliases are counted, and every error of the text is collected.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from eqcompile.errors import Diagnostic, SpecError
from eqcompile.reading import shorten
from eqcompile.spec.positions import Fields, Items, Leaf, Located, Node, Scalar, Source

MAX_DEPTH = 64
MAX_VALUES = 1_000_000

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_MARK = re.compile(r"&\S+\s+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_HELP = (
    ("'\\t'", "indent with spaces; YAML allows no tabs there"),
    ("mapping values are not allowed", "put a text that contains ': ' in quotes"),
    ("that cannot start any token", "put a text that starts with this character in quotes"),
    ("the end of the text", "close the quote or bracket that is opened here"),
    ("<block end>", "align the keys of a mapping and the dashes of a list"),
)


@dataclass(slots=True)
class _Frame:
    """A list or mapping whose end has not been seen yet."""

    event: MappingStartEvent | SequenceStartEvent
    size: int = 1
    height: int = 1
    items: list[Node] = field(default_factory=list)
    fields: dict[str, tuple[Leaf, Node]] = field(default_factory=dict)
    key: Node | None = None

    @property
    def start(self) -> int:
        return int(self.event.start_mark.index)


@dataclass(slots=True)
class _Built:
    """A finished value, with the number of values in it and the depth of its nesting."""

    node: Node
    size: int
    height: int


class _Fatal(Exception):
    """An error after which the rest of the text cannot be read."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic


def read_yaml(source: Source) -> Located:
    """Read the one document of a YAML text.

    Raises:
        SpecError: Every error of the text; after a syntax error nothing more is read.
    """
    builder = _Builder(source)
    try:
        root = builder.build()
    except _Fatal as fatal:
        raise SpecError((*builder.found, fatal.diagnostic)) from None
    if builder.found:
        raise SpecError(tuple(builder.found))
    return Located(source, root)


class _Builder:
    """Builds the tree of one text; recoverable errors are collected in ``found``."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.found: list[Diagnostic] = []
        self._frames: list[_Frame] = []
        self._anchors: dict[str, _Built | None] = {}
        self._root: Node | None = None

    def build(self) -> Node:
        """Read all events; return the root."""
        self._check_characters()
        documents = 0
        for event in self._scan():
            match event:
                case DocumentStartEvent():
                    documents += 1
                    self._check_document(event, documents)
                case MappingStartEvent() | SequenceStartEvent():
                    self._open(event)
                case MappingEndEvent() | SequenceEndEvent():
                    self._close(int(event.end_mark.index))
                case ScalarEvent():
                    self._check_tag(event)
                    leaf = self._read_scalar(event)
                    self._finish(_Built(leaf, 1, 0), event.anchor)
                case AliasEvent():
                    self._resolve_alias(event)
        if self._root is None or (isinstance(self._root, Leaf) and self._root.value is None):
            help_ = "start with 'version: 1', or run 'eqcompile init'"
            raise _Fatal(self.source.refuse(0, 1, "empty-spec", "the spec is empty", help_))
        return self._root

    def _scan(self) -> Iterator[Event]:
        try:
            yield from YAML(typ="safe", pure=True).parse(self.source.text)
        except MarkedYAMLError as error:
            raise _Fatal(self._spell(error)) from None
        except (YAMLError, ValueError, OverflowError) as error:
            # ruamel lets chr() speak for itself where an escape names no character.
            text = f"this is not YAML: {shorten(str(error), 120)}"
            help_ = "check the escapes in double quotes"
            raise _Fatal(self.source.refuse(0, 1, "yaml-syntax", text, help_)) from None

    def _spell(self, error: MarkedYAMLError) -> Diagnostic:
        mark = error.problem_mark or error.context_mark
        start = min(int(mark.index), max(len(self.source.text) - 1, 0)) if mark else 0
        text = f"{error.context}: {error.problem}" if error.context else str(error.problem)
        text = re.sub("'<stream end>'|end of stream", "the end of the text", text)
        if "the end of the text" in text and error.context_mark:
            start = int(error.context_mark.index)
        help_ = next(
            (h for words, h in _HELP if words in text), "check brackets, quotes and indentation"
        )
        return self.source.refuse(start, start + 1, "yaml-syntax", " ".join(text.split()), help_)

    def _fail(self, event: Event, rule: str, text: str, help: str) -> _Fatal:
        return _Fatal(self._diagnose(event, rule, text, help))

    def _report(self, event: Event, rule: str, text: str, help: str) -> None:
        self.found.append(self._diagnose(event, rule, text, help))

    def _diagnose(self, event: Event, rule: str, text: str, help: str) -> Diagnostic:
        start, end = int(event.start_mark.index), int(event.end_mark.index)
        return self.source.refuse(start, end, rule, text, help)

    def _check_characters(self) -> None:
        bad = _UNPRINTABLE.search(self.source.text)
        if bad:
            text = f"a spec holds no control characters, this is U+{ord(bad.group()):04X}"
            start = bad.start()
            raise _Fatal(
                self.source.refuse(start, start + 1, "control-character", text, "remove it")
            )

    def _check_document(self, event: DocumentStartEvent, number: int) -> None:
        if number > 1:
            help_ = "write one spec per file, as one document"
            raise self._fail(
                event, "yaml-feature", "a spec is one YAML document, this is a second", help_
            )
        if event.tags:
            raise self._fail(
                event, "yaml-feature", "tag directives are not allowed", "remove the %TAG line"
            )
        if event.version not in (None, (1, 2)):
            version = ".".join(str(v) for v in event.version)
            text = f"a spec is YAML 1.2, this asks for {version}"
            raise self._fail(event, "yaml-feature", text, "remove the %YAML line")

    def _check_tag(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent) -> None:
        if event.tag is not None:
            text = f"tags are not allowed, found {shorten(str(event.tag))!r}"
            self._report(event, "yaml-feature", text, "write the plain value")

    def _open(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        self._check_tag(event)
        if len(self._frames) >= MAX_DEPTH:
            raise self._too_deep(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._frames.append(_Frame(event))

    def _too_deep(self, event: Event) -> _Fatal:
        text = f"values are nested more than {MAX_DEPTH} deep"
        return self._fail(
            event, "too-deep", text, "name inner groups and representations, and use the names"
        )

    def _close(self, end: int) -> None:
        frame = self._frames.pop()
        node: Node
        if isinstance(frame.event, MappingStartEvent):
            node = Fields(tuple(frame.fields.values()), frame.start, end)
        else:
            node = Items(tuple(frame.items), frame.start, end)
        self._finish(_Built(node, frame.size, frame.height), frame.event.anchor)

    def _finish(self, built: _Built, anchor: str | None) -> None:
        """Put a finished value where it belongs: into its list, as a key or under its key."""
        if anchor is not None:
            self._anchors[anchor] = built
        if not self._frames:
            self._root = built.node
            return
        frame = self._frames[-1]
        frame.size += built.size
        frame.height = max(frame.height, built.height + 1)
        if isinstance(frame.event, SequenceStartEvent):
            frame.items.append(built.node)
        elif frame.key is None:
            frame.key = built.node
        else:
            self._add_field(frame, frame.key, built.node)
            frame.key = None

    def _add_field(self, frame: _Frame, key: Node, value: Node) -> None:
        if not isinstance(key, Leaf) or not isinstance(key.value, str):
            text = "a key is a word" + (f", this is {key.value!r}" if isinstance(key, Leaf) else "")
            self._refuse_key(key, "key-type", text, "put it in quotes if it is meant as a word")
        elif key.value == "<<" and key.inside == key.start:
            text = "merge keys are no part of YAML 1.2"
            self._refuse_key(
                key, "yaml-feature", text, "write the keys out, or alias a whole value"
            )
        elif key.value in frame.fields:
            first = self.source.locate(frame.fields[key.value][0].start, 0)
            place = f"{first.line}:{first.column}"
            text = f"key {shorten(key.value)!r} stands here a second time, first at {place}"
            self._refuse_key(key, "duplicate-key", text, "keep one of the two")
        else:
            frame.fields[key.value] = (key, value)

    def _refuse_key(self, key: Node, rule: str, text: str, help: str) -> None:
        self.found.append(self.source.refuse(key.start, key.end, rule, text, help))

    def _resolve_alias(self, event: AliasEvent) -> None:
        name = str(event.anchor)
        built = self._anchors.get(name)
        if built is None:
            if name in self._anchors:
                text = f"the alias {shorten(name)!r} stands inside of what it repeats"
                help_ = "write the value out"
            else:
                text = f"no value above is marked {shorten('&' + name)!r}"
                help_ = "put the mark before the value that the alias repeats"
            raise self._fail(event, "alias", text, help_)
        total = built.size + sum(frame.size for frame in self._frames)
        if total > MAX_VALUES:
            text = f"written out, the aliases make more than {MAX_VALUES} values"
            raise self._fail(event, "too-large", text, "use fewer aliases inside aliased values")
        if built.height + len(self._frames) > MAX_DEPTH:
            raise self._too_deep(event)
        self._finish(built, None)

    def _read_scalar(self, event: ScalarEvent) -> Leaf:
        """Resolve a scalar by the core schema of YAML 1.2."""
        start, end = int(event.start_mark.index), int(event.end_mark.index)
        text = str(event.value)
        if start == end:
            # The scanner places what is left out at the next word, lines later.
            before = self.source.text[max(0, start - 1000) : start]
            start = end = start - len(before) + len(before.rstrip())
        if event.anchor is not None:
            mark = _MARK.match(self.source.text, start)
            start += len(mark.group()) if mark else 0
        quotes = 0 if event.style is None else 1
        raw = (
            self.source.text[start + quotes : end - quotes]
            if event.style in (None, "'", '"')
            else None
        )
        inside = start + quotes if raw == text else None
        bad = _UNPRINTABLE.search(text)
        if bad:
            found = f"a value holds no control characters, this has U+{ord(bad.group()):04X}"
            self._report(event, "control-character", found, "remove the escape")
        if event.style is not None:
            return Leaf(text, start, end, inside)
        return Leaf(self._resolve_plain(event, text), start, end, inside)

    def _resolve_plain(self, event: ScalarEvent, text: str) -> Scalar:
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            if len(text) > 18:
                self._report(
                    event, "number", "an integer has at most 18 digits", "write a smaller number"
                )
                return 0
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if _FLOAT.fullmatch(text) or _NOT_FINITE.fullmatch(text):
            value = float(text) if _FLOAT.fullmatch(text) else math.inf
            if not math.isfinite(value):
                self._report(
                    event, "number", f"{shorten(text)} is no finite number", "write a finite number"
                )
                return 0
            return value
        return text
