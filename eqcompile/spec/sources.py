"""Where a spec comes from: a file, a text or a dict; always a text, so that errors have places."""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eqcompile.errors import Diagnostic, Refusal, Span, SpecError
from eqcompile.spec.positions import Source
from eqcompile.spec.yaml_tree import MAX_DEPTH

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
    lines: list[str] = []
    try:
        _render_block(data, 0, "", lines)
    except Refusal as refusal:
        where = " at " + ".".join(str(part) for part in refusal.at) if refusal.at else ""
        raise _refuse_whole("<dict>", refusal.rule, refusal.text + where, refusal.help) from None
    return _check_size(Source("<dict>", "\n".join(lines) + "\n"), sum(map(len, lines)))


def _render_block(value: object, indent: int, lead: str, lines: list[str]) -> None:
    """Append the lines of a value; ``lead`` is what its first line starts with (a key, a dash)."""
    pad = " " * indent
    entries: list[tuple[str, object]]
    if isinstance(value, Mapping) and value:
        entries = [(_render_key(key) + ":", entry) for key, entry in value.items()]
    elif isinstance(value, list | tuple) and any(isinstance(v, Mapping) for v in value):
        entries = [("-", entry) for entry in value]
    else:
        lines.append(
            f"{lead} {_render_flow(value, indent // 2)}" if lead else _render_flow(value, 0)
        )
        return
    if indent > 2 * MAX_DEPTH:
        raise _too_deep()
    if lead:
        lines.append(lead)
    for head, entry in entries:
        _render_block(entry, indent + 2, pad + head, lines)


def _render_flow(value: object, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise _too_deep()
    match value:
        case None | bool() | str():
            return json.dumps(value, ensure_ascii=False)
        case int():
            return repr(int(value)) if abs(value) < 10**18 else "1" + "0" * 18
        case float():
            return json.dumps(float(value)) if math.isfinite(value) else ".nan"
        case list() | tuple():
            return "[" + ", ".join(_render_flow(v, depth + 1) for v in value) + "]"
        case Mapping():
            pairs = (f"{_render_key(k)}: {_render_flow(v, depth + 1)}" for k, v in value.items())
            return "{" + ", ".join(pairs) + "}"
    text = f"a spec is plain data, found a {type(value).__name__}"
    raise Refusal("not-plain", text, "use dict, list, str, int, float, bool; arrays have tolist()")


def _render_key(key: object) -> str:
    return key if isinstance(key, str) and key.isidentifier() else _render_flow(key, 0)


def _too_deep() -> Refusal:
    text = f"values are nested more than {MAX_DEPTH} deep"
    return Refusal("too-deep", text, "name inner groups and representations, and use the names")
