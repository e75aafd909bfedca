"""One self-contained HTML page: sections of text, tables and pictures, no scripts, no loads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from eqcompile.templating import open_templates


@dataclass(frozen=True, slots=True)
class PageBlock:
    """A piece of a section.

    Attributes:
        kind: ``text`` (kept as typed), ``fold`` (the same, closed at first), ``figure`` or
            ``table`` (the first row is its head).
        title: Heading of the piece; may be empty.
        text: Of a text.
        picture: Of a figure: an SVG element; the only text that is not escaped again.
        rows: Of a table.
    """

    kind: Literal["text", "fold", "figure", "table"]
    title: str = ""
    text: str = ""
    picture: str = ""
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class PageSection:
    """A chapter of a page, listed in its contents."""

    anchor: str
    title: str
    blocks: tuple[PageBlock, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A page.

    Attributes:
        title: Its heading.
        subtitle: Line under it.
        facts: Names and values beside the heading.
        sections: The chapters.
    """

    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[PageSection, ...]


def render_page(page: Page) -> str:
    """Render a page as HTML."""
    return open_templates(escape=True).get_template("report.html.jinja").render(page=page)


def make_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> PageBlock:
    """Make a table block."""
    return PageBlock("table", rows=(tuple(head), *(tuple(r) for r in rows)))
