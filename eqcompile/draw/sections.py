"""Plain text in sections: headings, wrapped paragraphs, aligned tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

WIDTH = 100
INDENT = "  "

_GLUE = "\x1f"
_SLOT = re.compile(r"[wW]\[[^\]]*\]")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the lines under it."""

    title: str
    lines: tuple[str, ...]


def write_paragraph(text: str, indent: str = "", hang: str = "") -> list[str]:
    """Wrap a paragraph; following lines are indented by ``hang`` more.

    A slot such as ``w[0; 1, 2]`` and a sum with spaces glued by :func:`glue` stay on one line.
    """
    lines = wrap(
        _SLOT.sub(lambda found: glue(found[0]), text),
        WIDTH - len(INDENT),
        initial_indent=indent,
        subsequent_indent=indent + hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_GLUE, " ") for line in lines]


def glue(text: str) -> str:
    """Keep a text on one line in :func:`write_paragraph`."""
    return text.replace(" ", _GLUE)


def write_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> list[str]:
    """Align a table: the first ``left`` columns to the left, the others to the right."""
    every = [list(head), *(list(r) for r in rows)]
    widths = [max(len(r[i]) for r in every) for i in range(len(head))]
    lines = []
    for row in every:
        cells = [
            f"{word:<{width}}" if i < left else f"{word:>{width}}"
            for i, (word, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def write_sections(title: str, sections: Sequence[Section]) -> str:
    """Write a title and numbered sections."""
    lines = [title, "=" * len(title)]
    for number, section in enumerate(sections, start=1):
        lines += ["", f"{number}. {section.title}", ""]
        lines += [(INDENT + line).rstrip() for line in section.lines]
    return "\n".join(lines) + "\n"


def cut_text(text: str, most: int) -> str:
    """Cut a text that is too long, and show that it was."""
    return text if len(text) <= most else text[: most - 4].rstrip() + " ..."
