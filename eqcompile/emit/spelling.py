"""Spell identifiers, calls and JSON: the small print of emitted text.

Only names that passed `check_identifier` and numbers ever reach emitted code; free text of a spec
goes into data files.
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Sequence

LINE = 100
"""Longest line of emitted code."""

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
DIGEST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]*", re.ASCII)


def check_identifier(name: str) -> str:
    """Return a name that is safe in emitted code.

    Raises:
        ValueError: It is no ASCII identifier, or a keyword; an earlier floor should have refused.
    """
    if not IDENTIFIER.fullmatch(name) or keyword.iskeyword(name):
        raise ValueError(f"{name!r} is not a name that can stand in emitted code")
    return name


def check_digest(text: str) -> str:
    """Return a digest or version that is safe in a comment.

    Raises:
        ValueError: It holds anything but letters, digits and ``. _ : + -``.
    """
    if not DIGEST.fullmatch(text):
        raise ValueError(f"{text!r} is not a digest or a version")
    return text


def spell_call(head: str, arguments: Sequence[str], tail: str = ")", *, indent: int = 0) -> str:
    """Write ``head`` with arguments and ``tail`` on one line, or one argument per line.

    Args:
        head: Up to and with the opening bracket, such as ``y = f(``.
        arguments: In order.
        tail: From the closing bracket on.
        indent: Spaces before the first line.
    """
    space = " " * indent
    line = space + head + ", ".join(arguments) + tail
    if len(line) <= LINE:
        return line
    inner = "".join(f"{space}    {argument},\n" for argument in arguments)
    return f"{space}{head}\n{inner}{space}{tail}"


def fit_call(head: str, arguments: Sequence[str], *, indent: int) -> str:
    """Write a call that stands in a list, broken if it would not fit after ``indent``."""
    line = head + ", ".join(arguments) + ")"
    if len(line) + indent < LINE:
        return line
    return head + "\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"


def spell_tuple_lines(head: str, items: Sequence[str], tail: str, *, indent: int = 0) -> str:
    """Write a tuple with one item per line; a lone item that fits stays on the line.

    Args:
        head: Up to and with the opening bracket.
        items: Each on one line or several, without indent.
        tail: From the closing bracket on.
        indent: Spaces before the first line.
    """
    space = " " * indent
    if len(items) == 1:
        line = f"{space}{head}{items[0]},{tail}"
        if len(line) <= LINE and "\n" not in line:
            return line
    inner = "".join(
        f"{space}    {item.replace(chr(10), chr(10) + space + '    ')},\n" for item in items
    )
    return f"{space}{head}\n{inner}{space}{tail}"


def spell_tuple(items: Sequence[str]) -> str:
    """Write a tuple; one item keeps its comma."""
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


def spell_json(value: object, indent: int = 0) -> str:
    """Write JSON for people: what fits is on one line, flat lists always are."""
    flat = json.dumps(value, separators=(", ", ": "))
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if len(flat) + indent <= LINE or not any(isinstance(item, dict | list) for item in inner):
        return flat
    space = " " * (indent + 1)
    if isinstance(value, dict):
        items = [f"{json.dumps(k)}: {spell_json(v, indent + 1)}" for k, v in value.items()]
    else:
        items = [spell_json(item, indent + 1) for item in inner]
    left, right = ("{", "}") if isinstance(value, dict) else ("[", "]")
    lines = ",\n".join(space + item for item in items)
    return f"{left}\n{lines}\n{' ' * indent}{right}"
