"""The formats of ``eqcompile inspect`` for parameterised layers: parameters, ties and orbitals.

Ties are linear maps, drawn like the other layers of a spec and beside them. A layer without a
group has none; what it has is the table of its parameters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from eqcompile.draw.data import describe_tying
from eqcompile.draw.formats import FORMATS, list_drawings, name_drawing
from eqcompile.draw.page import PageBlock, PageSection, make_table
from eqcompile.draw.parameterised import (
    describe_layer,
    name_layer,
    spell_counts,
    tabulate_parameters,
)
from eqcompile.draw.report import render_drawing
from eqcompile.draw.sections import write_paragraph, write_table
from eqcompile.errors import Refusal
from eqcompile.solve.layer import LayerSolution
from eqcompile.solve.parameterised import LINEAR, ParameterisedSolution

Layers = Sequence[ParameterisedSolution]
Tyings = Sequence[LayerSolution]

READING = (
    "Below, x_i is neuron i and y_k entry k of its row: the letter of slot w[k; i] is the class of "
    "entry k of row i."
)


def draw_parameters(solution: ParameterisedSolution) -> str:
    """Write the table of the parameters of a layer as text."""
    lines = [name_layer(solution.problem), f"  {solution.problem.formula}", ""]
    lines += ["  " + line for line in write_table(*tabulate_parameters(solution), left=2)]
    lines += ["", f"  {spell_counts(solution)}."]
    if solution.ties:
        lines += ["", *write_paragraph(READING, "  ")]
    return "\n".join(lines) + "\n"


def format_text(tyings: Tyings, layers: Layers, degree: str | None) -> str:
    """Draw with letters."""
    drawn = [FORMATS["text"](tyings, degree)] if tyings else []
    for layer in layers:
        ties = FORMATS["text"](layer.solutions, None)
        drawn.append(draw_parameters(layer) + (f"\n{ties}" if ties else ""))
    return "\n".join(drawn)


def format_json(tyings: Tyings, layers: Layers, degree: str | None) -> str:
    """Write the facts of everything."""
    found = json.loads(FORMATS["json"](tyings, degree))["layers"]
    for layer in layers:
        ties = {
            solution.problem.name.removeprefix(f"{layer.problem.name}."): {
                "input": solution.problem.spell_inputs(),
                "output": solution.problem.output.text,
                **describe_tying(solution.tying(LINEAR)),
            }
            for solution in layer.solutions
        }
        found.append({**describe_layer(layer), "ties": ties})
    return json.dumps({"layers": found}, indent=1) + "\n"


def format_html(tyings: Tyings, layers: Layers, degree: str | None) -> str:
    """Draw as one HTML page: diagrams, then the tables of parameters."""
    drawn = [*tyings, *(tie for layer in layers for tie in layer.solutions)]
    drawings = [
        (f"{name_drawing(s)}, degree {key}", tying)
        for s, key, tying in list_drawings(drawn, degree)
    ]
    tables = [
        PageSection(f"parameters-{i}", name_layer(layer.problem), (tabulate(layer),))
        for i, layer in enumerate(layers)
    ]
    return render_drawing("Tying diagrams", drawings, tables)


def tabulate(layer: ParameterisedSolution) -> PageBlock:
    """Make the table of the parameters of a layer."""
    (name, _, *others), rows = tabulate_parameters(layer)
    return make_table((name, "meaning", *others), rows)


def draw_ties(form: str) -> Callable[[Tyings, Layers, str | None], str]:
    """Return what draws the ties like other layers, in a format that has no other content."""

    def render(tyings: Tyings, layers: Layers, degree: str | None) -> str:
        drawn = [*tyings, *(tie for layer in layers for tie in layer.solutions)]
        if not drawn:
            names = ", ".join(layer.problem.name for layer in layers)
            text = f"nothing to draw in the format {form}: no group acts on {names}"
            raise Refusal("no-ties", text, "use the format text, html or json, or add a group")
        return FORMATS[form](drawn, degree)

    return render


PARAMETERISED_FORMATS: dict[str, Callable[[Tyings, Layers, str | None], str]] = {
    "text": format_text,
    "json": format_json,
    "html": format_html,
    "svg": draw_ties("svg"),
    "dot": draw_ties("dot"),
}
