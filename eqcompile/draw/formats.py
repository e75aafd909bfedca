"""The formats of ``eqcompile inspect``: name to a function from solved layers to text."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

from eqcompile.draw.data import describe_tying
from eqcompile.draw.graph import draw_dot
from eqcompile.draw.report import render_drawing
from eqcompile.draw.svg import draw_svg
from eqcompile.draw.text import draw_text
from eqcompile.errors import not_yet_served
from eqcompile.registry import Registry
from eqcompile.solve.layer import LayerSolution
from eqcompile.solve.tying import Tying

Format = Callable[[Sequence[LayerSolution], str | None], str]

FORMATS: Registry[Format] = Registry("format")


def list_drawings(
    solutions: Sequence[LayerSolution], degree: str | None
) -> list[tuple[LayerSolution, str, Tying]]:
    """List what to draw: every layer and degree, or one degree of the layers that have it.

    Args:
        solutions: The layers.
        degree: The key of a degree, ``2`` or ``x:1,y:1``; None for all.

    Returns:
        The layer, the key of the degree, and the classes within one channel.
    """
    return [
        (solution, key, solution.tying(d))
        for solution in solutions
        for d in solution.problem.degrees
        if (key := solution.problem.spell_degree(d)) == degree or degree is None
    ]


def name_drawing(solution: LayerSolution) -> str:
    """Name a layer and what acts: ``Quad: S_3, V -> V``."""
    problem = solution.problem
    acts = f"{problem.spell_inputs()} -> {problem.output.text}"
    return f"{problem.name}: {problem.group.name}, {acts}"


@FORMATS.register("text")
def format_text(solutions: Sequence[LayerSolution], degree: str | None) -> str:
    """Draw with letters."""
    return "\n".join(
        f"{name_drawing(s)}, {draw_text(tying)}" for s, _, tying in list_drawings(solutions, degree)
    )


@FORMATS.register("svg")
def format_svg(solutions: Sequence[LayerSolution], degree: str | None) -> str:
    """Draw as one SVG document, several tyings below each other."""
    drawn = [
        draw_svg(tying, key=f"t{i}", title=name_drawing(s))
        for i, (s, _, tying) in enumerate(list_drawings(solutions, degree))
    ]
    if len(drawn) == 1:
        return drawn[0]
    placed, height, width = "", 0, 0
    for svg in drawn:
        # The first line of a drawing states its size as the last two numbers of its viewBox.
        *_, wide, tall = svg.split('viewBox="', 1)[1].split('"', 1)[0].split()
        placed += svg.replace("<svg ", f'<svg y="{height}" ', 1)
        height, width = height + int(tall), max(width, int(wide))
    names = quoteattr("; ".join(name_drawing(s) for s in solutions))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label={names}>\n{placed}</svg>\n'
    )


@FORMATS.register("html")
def format_html(solutions: Sequence[LayerSolution], degree: str | None) -> str:
    """Draw as one HTML page."""
    drawings = [
        (f"{name_drawing(s)}, degree {key}", tying)
        for s, key, tying in list_drawings(solutions, degree)
    ]
    return render_drawing("Tying diagrams", drawings)


@FORMATS.register("dot")
def format_dot(solutions: Sequence[LayerSolution], degree: str | None) -> str:
    """Draw the constraint graphs, one graph per tying."""
    return "\n".join(
        draw_dot(tying, name=f"{s.problem.name} degree {key}")
        for s, key, tying in list_drawings(solutions, degree)
    )


@FORMATS.register("json")
def format_json(solutions: Sequence[LayerSolution], degree: str | None) -> str:
    """Write the facts of all tyings."""
    layers = []
    for solution in solutions:
        problem = solution.problem
        facts: dict[str, Any] = {
            "name": problem.name,
            "group": problem.group.name,
            "input": problem.key_by_input([given.action.text for given in problem.inputs]),
            "output": problem.output.text,
            "degrees": {
                key: describe_tying(tying) for _, key, tying in list_drawings([solution], degree)
            },
        }
        layers.append(facts)
    return json.dumps({"layers": layers}, indent=1) + "\n"


@FORMATS.register("png")
def format_png(solutions: Sequence[LayerSolution], degree: str | None) -> str:
    """Refuse pixels for now."""
    raise not_yet_served("the format png", "use the format svg, which every browser converts")


@FORMATS.register("latex")
def format_latex(solutions: Sequence[LayerSolution], degree: str | None) -> str:
    """Refuse LaTeX for now."""
    raise not_yet_served("the format latex", "use the format svg or text")
