"""The formats of ``eqcompile inspect`` for layers of any n, beside those of tyings."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from xml.sax.saxutils import quoteattr

from eqcompile.draw.diagrams import describe_layer, draw_dot, draw_text, name_layer
from eqcompile.draw.multigraphs import draw_degree
from eqcompile.draw.page import Page, PageBlock, PageSection, render_page
from eqcompile.errors import not_yet_served
from eqcompile.solve.diagrams import DiagramSolution

Drawing = tuple[DiagramSolution, int]


def list_drawings(solutions: Sequence[DiagramSolution], degree: str | None) -> list[Drawing]:
    """List what to draw: every layer and degree, or one degree of the layers that have it."""
    return [
        (solution, d)
        for solution in solutions
        for d in solution.problem.degrees
        if degree is None or str(d) == degree
    ]


def format_text(solutions: Sequence[DiagramSolution], degree: str | None) -> str:
    """List the classes as polynomials."""
    return "\n".join(draw_text(*drawing) for drawing in list_drawings(solutions, degree))


def format_dot(solutions: Sequence[DiagramSolution], degree: str | None) -> str:
    """Draw one graph per layer and degree for Graphviz."""
    return "\n".join(draw_dot(*drawing) for drawing in list_drawings(solutions, degree))


def format_json(solutions: Sequence[DiagramSolution], degree: str | None) -> str:
    """Write the facts of all classes."""
    drawings = list_drawings(solutions, degree)
    layers = [
        describe_layer(solution, [d for other, d in drawings if other is solution])
        for solution in solutions
    ]
    return json.dumps({"layers": layers}, indent=1) + "\n"


def format_svg(solutions: Sequence[DiagramSolution], degree: str | None) -> str:
    """Draw the multigraphs as one SVG document, degrees below each other."""
    drawn = list_pictures(solutions, degree)
    placed, height, width = "", 0, 0
    for _, svg in drawn:
        *_, wide, tall = svg.split('viewBox="', 1)[1].split('"', 1)[0].split()
        placed += svg.replace("<svg ", f'<svg y="{height}" ', 1)
        height, width = height + int(tall), max(width, int(wide))
    names = quoteattr("; ".join(name_layer(solution) for solution in solutions))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label={names}>\n{placed}</svg>\n'
    )


def format_html(solutions: Sequence[DiagramSolution], degree: str | None) -> str:
    """Draw the multigraphs as one HTML page."""
    sections = tuple(
        PageSection(f"classes-{i}", title, (PageBlock("figure", picture=svg),))
        for i, (title, svg) in enumerate(list_pictures(solutions, degree))
    )
    return render_page(Page("Classes for any n", "one multigraph per class", (), sections))


def list_pictures(
    solutions: Sequence[DiagramSolution], degree: str | None
) -> list[tuple[str, str]]:
    """Draw every degree; return titles and pictures."""
    found = []
    for i, (solution, d) in enumerate(list_drawings(solutions, degree)):
        title = f"{name_layer(solution)}, degree {d}"
        found.append((title, draw_degree(solution, d, f"d{i}")))
    return found


ANY_FORMATS: dict[str, Callable[[Sequence[DiagramSolution], str | None], str]] = {
    "text": format_text,
    "svg": format_svg,
    "html": format_html,
    "dot": format_dot,
    "json": format_json,
}


def join_drawings(form: str, drawn: Sequence[str]) -> str:
    """Join what was drawn of layers of one n, and of layers of any n."""
    if len(drawn) == 1:
        return drawn[0]
    if form == "json":
        layers = [layer for text in drawn for layer in json.loads(text)["layers"]]
        return json.dumps({"layers": layers}, indent=1) + "\n"
    if form in ("svg", "html"):
        what = f"the format {form} for layers of one n and of any n together"
        raise not_yet_served(what, "name one layer with --layer")
    return "\n".join(drawn)
