"""Where a spec comes from: a file, a text or a dict; always a text, so that errors have places."""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eqcompile.errors import Diagnostic, PathPart, Span, SpecError
from eqcompile.spec.positions import Source
from eqcompile.spec.yaml_tree import MAX_DEPTH, MAX_VALUES

MAX_BYTES = 1 << 20

SpecSource = Path | str | Mapping[str, Any]


def open_source(source: SpecSource) -> tuple[Source, Path]:
    """Return the text of a spec and the folder that the files it names stand in.

    Args:
        source: A path; a text, which is taken for a path if it names a file or is one line that
            ends in ``.yaml`` or ``.yml``; or the plain data of a spec.

    Raises:
        SpecError: The file cannot be read, is too large or is not UTF-8; the data is not plain.
    """
    if isinstance(source, Path):
        return _read_file(source), source.parent
    if isinstance(source, str):
        if _names_file(source):
            return _read_file(Path(source)), Path(source).parent
        return _check_size(Source("<text>", source.removeprefix("\ufeff")), len(source)), Path()
    if isinstance(source, Mapping):
        return render_plain(source), Path()
    raise TypeError(f"a spec is a path, a YAML text or a dict, not a {type(source).__name__}")


def _names_file(text: str) -> bool:
    if not text.isprintable() or len(text) > 1024:
        return False
    try:
        return Path(text).is_file() or text.endswith((".yaml", ".yml"))
    except OSError:
        return False


def _read_file(path: Path) -> Source:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _refuse_whole(
            str(path), "file", f"cannot read the spec: {reason}", "check the path"
        ) from None
    _check_size(Source(str(path), ""), len(data))
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return Source(str(path), data.decode())
    except UnicodeDecodeError as error:
        good = Source(str(path), data[: error.start].decode())
        end = len(good.text)
        text = f"a spec is UTF-8 text, byte 0x{data[error.start]:02x} here is not"
        found = good.refuse(end, end + 1, "encoding", text, "save the file as UTF-8")
        raise SpecError((found,)) from None


def _check_size(source: Source, size: int) -> Source:
    if size > MAX_BYTES:
        text = f"a spec has at most {MAX_BYTES} bytes"
        raise _refuse_whole(
            source.path, "too-large", text, "put large graphs into a file of their own"
        )
    return source


def _refuse_whole(path: str, rule: str, text: str, help: str) -> SpecError:
    return SpecError((Diagnostic(Span(path, 1, 1, 2), rule, text, help),))


def render_plain(data: Mapping[str, Any]) -> Source:
    """Write plain data as YAML: mappings and lists of mappings in blocks, the rest in one line.

    Raises:
        SpecError: Something is not a dict, list, tuple, string, number, bool or None, or nests
            more than a spec may.
    """
    _check_plain(data)
    lines: list[str] = []
    _render_block(data, 0, "", lines)
    return _check_size(Source("<dict>", "\n".join(lines) + "\n"), sum(map(len, lines)))


def _check_plain(data: Mapping[str, Any]) -> None:
    """Refuse the first part that is not plain, or nested or shared too much to write."""
    stack: list[tuple[Any, tuple[PathPart, ...]]] = [(data, ())]
    count = 0
    while stack:
        value, at = stack.pop()
        count += 1
        if count > MAX_VALUES:
            text = f"written out, the data makes more than {MAX_VALUES} values"
            raise _refuse_whole("<dict>", "too-large", text, "share fewer parts")
        if len(at) > MAX_DEPTH:
            text = f"values are nested more than {MAX_DEPTH} deep"
            raise _refuse_plain(at[:3], "too-deep", text, "name inner groups, and use the names")
        if isinstance(value, Mapping):
            stack += [(entry, (*at, key)) for key, entry in reversed(list(value.items()))]
            value = next((key for key in value if not _is_scalar(key)), None)
        elif isinstance(value, list | tuple):
            stack += [(value[i], (*at, i)) for i in reversed(range(len(value)))]
            continue
        if not _is_scalar(value):
            text = f"a spec is plain data, found a {type(value).__name__}"
            help = "use dict, list, str, int, float and bool; arrays have tolist()"
            raise _refuse_plain(at, "not-plain", text, help)


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | bool | int | float)


def _refuse_plain(at: tuple[PathPart, ...], rule: str, text: str, help: str) -> SpecError:
    where = ".".join(str(part) for part in at) + ": " if at else ""
    return _refuse_whole("<dict>", rule, where + text, help)


def _render_block(value: Any, indent: int, lead: str, lines: list[str]) -> None:
    """Append the lines of a value; ``lead`` is what its first line starts with (a key, a dash)."""
    pad = " " * indent
    entries: list[tuple[str, object]]
    if isinstance(value, Mapping) and value:
        entries = [(_render_key(key) + ":", entry) for key, entry in value.items()]
    elif isinstance(value, list | tuple) and any(isinstance(v, Mapping) for v in value):
        entries = [("-", entry) for entry in value]
    else:
        lines.append(f"{lead} {_render_flow(value)}" if lead else _render_flow(value))
        return
    if lead:
        lines.append(lead)
    for head, entry in entries:
        _render_block(entry, indent + 2, pad + head, lines)


def _render_flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{_render_key(k)}: {_render_flow(v)}" for k, v in value.items()) + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_render_flow(v) for v in value) + "]"
    if isinstance(value, int) and not isinstance(value, bool):
        # Beyond this YAML refuses it, and Python may refuse to spell it.
        return repr(int(value)) if abs(value) < 10**18 else "1" + "0" * 18
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan"
    spelled = json.dumps(value, ensure_ascii=False)
    # YAML would take these for ends of lines, or drop them.
    return re.sub("[\x85\u2028\u2029\ufeff]", lambda c: f"\\u{ord(c.group()):04x}", spelled)


def _render_key(key: object) -> str:
    return key if isinstance(key, str) and key.isidentifier() else _render_flow(key)
