"""The files of a package that has layers for any number of points, beside those it always has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from eqcompile.emit.diagrams import DiagramView

Render = Callable[[str, Mapping[str, object]], str]

SHARED = ("definition", "diagram_checks", "diagram_layout", "diagrams", "points")
"""Modules that are the same in every such package but for their header."""

STUBS = {
    "layers": "The layers: every layer of this package serves any number of points.",
    "ops": "No operators: layers for any number of points run in plain torch.",
    "programs": "No programs: layers for any number of points are in contractions.py.",
}


def list_checks(views: Sequence[DiagramView]) -> dict[str, object]:
    """Return what the self-check spells: whose checks it runs beside its own."""
    modules = ["diagram_checks"] if views else []
    return {"checkers": modules, "further": "(run_diagram_checks,)" if views else "()"}


def render_diagram_files(
    render: Render, header: str, views: Sequence[DiagramView], *, alone: bool
) -> dict[str, str]:
    """Render the modules that layers for any number of points need.

    Args:
        render: Renders one template.
        header: The head of every module.
        views: The layers.
        alone: Whether the package has no other layers; then what would be about those is a stub.
    """
    if not views:
        return {}
    files = {f"{name}.py": render(name, {"header": header}) for name in SHARED}
    files["contractions.py"] = render("contractions", {"header": header, "layers": views})
    if alone:
        names = sorted((view.name for view in views), key=str.lower)
        imports = [
            "",
            "from __future__ import annotations",
            "",
            *(f"from .contractions import {name} as {name}  # noqa: PLC0414" for name in names),
        ]
        for name, text in STUBS.items():
            lines = imports if name == "layers" else []
            files[f"{name}.py"] = render("stub", {"header": header, "text": text, "lines": lines})
    return files
