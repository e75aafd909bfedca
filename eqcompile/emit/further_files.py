"""The files of a package that has layers of other kinds than polynomial ones for one n."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from eqcompile.emit.diagrams import DiagramView
from eqcompile.emit.parameterised import ParameterisedView
from eqcompile.emit.spelling import spell_call

Render = Callable[[str, Mapping[str, object]], str]

DIAGRAM_MODULES = ("definition", "diagram_checks", "diagram_layout", "diagrams", "points")
"""Modules that are the same in every package with layers for any number of points."""

PARAMETERISED_MODULES = ("parameterised", "ties")
"""Modules of every package with parameterised layers; each family has more."""

STUBS = {
    "diagrams": {
        "layers": "The layers: every layer of this package serves any number of points.",
        "ops": "No operators: layers for any number of points run in plain torch.",
        "programs": "No programs: layers for any number of points are in contractions.py.",
    },
    "parameterised": {
        "layers": "The layers: the weights of each are a function of its parameters.",
        "ops": "No operators: parameterised layers run in plain torch, or have their own.",
        "programs": "No programs: parameterised layers are in parameterised_layers.py.",
    },
    "both": {
        "layers": "The layers: for any number of points, or with weights made of parameters.",
        "ops": "No operators: such layers run in plain torch, or have their own.",
        "programs": "No programs: see contractions.py and parameterised_layers.py.",
    },
}
"""What stands where there are no polynomial layers for one n."""

CHECKED = "FURTHER: tuple[Callable[[], list[tuple[str, str, bool, str]]], ...] = "
"""What the list of further checks follows on its line."""

GAPS = {"checkers": "exact", "middle_checkers": "layout", "last_checkers": "tables"}
"""Which import of the self-check follows the checkers that sort before it."""


def list_modules(views: Sequence[ParameterisedView]) -> list[str]:
    """List the modules that the families of some layers need."""
    found = {module for view in views for module in view.family.modules}
    return sorted({*PARAMETERISED_MODULES, *found}) if views else []


def list_checks(
    diagrams: Sequence[DiagramView], parameterised: Sequence[ParameterisedView]
) -> dict[str, object]:
    """Return what the self-check spells: whose checks it runs beside its own, imports in order."""
    modules = {view.family.checks for view in parameterised}
    names = sorted(modules | ({"diagram_checks"} if diagrams else set()))
    imports: dict[str, object] = {}
    rest = names
    for key, following in GAPS.items():
        imports[key] = [name for name in rest if name < following]
        rest = [name for name in rest if name > following]
    runs = [f"run_{name}" for name in names]
    line = f"{CHECKED}({runs[0]},)" if len(runs) == 1 else spell_call(f"{CHECKED}(", runs)
    return {**imports, "further": line.removeprefix(CHECKED)}


def render_diagram_files(
    render: Render, header: str, views: Sequence[DiagramView]
) -> dict[str, str]:
    """Render the modules that layers for any number of points need.

    Args:
        render: Renders one template.
        header: The head of every module.
        views: The layers.
    """
    if not views:
        return {}
    files = {f"{name}.py": render(name, {"header": header}) for name in DIAGRAM_MODULES}
    files["contractions.py"] = render("contractions", {"header": header, "layers": views})
    return files


def render_parameterised_files(
    render: Render, header: str, views: Sequence[ParameterisedView], namespace: str
) -> dict[str, str]:
    """Render the modules that parameterised layers need.

    Args:
        render: Renders one template.
        header: The head of every module.
        views: The layers.
        namespace: Of the operators of pairs, unique to this build.
    """
    if not views:
        return {}
    context = {"header": header, "namespace": namespace}
    files = {f"{name}.py": render(name, context) for name in list_modules(views)}
    families = sorted({(view.family.module, view.family.prefix) for view in views})
    imports = [
        f"from .{module} import {prefix}{what} as _{prefix}{what}"
        for module, prefix in families
        for what in ("Facts", "Layer")
    ]
    opening = ["import torch as _torch", ""] if any(view.annotations for view in views) else []
    layers = {"header": header, "opening": opening, "imports": imports, "layers": views}
    return {**files, "parameterised_layers.py": render("parameterised_layers", layers)}


def render_stubs(
    render: Render,
    header: str,
    diagrams: Sequence[DiagramView],
    parameterised: Sequence[ParameterisedView],
) -> dict[str, str]:
    """Render what stands in place of polynomial layers in a package without any."""
    kind = "both" if diagrams and parameterised else "diagrams" if diagrams else "parameterised"
    homes = {
        "contractions": [view.name for view in diagrams],
        "parameterised_layers": [view.name for view in parameterised],
    }
    imports = [
        f"from .{module} import {name} as {name}  # noqa: PLC0414"
        for module, names in homes.items()
        for name in sorted(names, key=str.lower)
    ]
    lines = ["", "from __future__ import annotations", "", *imports]
    return {
        f"{name}.py": render(
            "stub", {"header": header, "text": text, "lines": lines if name == "layers" else []}
        )
        for name, text in STUBS[kind].items()
    }
