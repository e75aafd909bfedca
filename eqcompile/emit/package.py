"""Render the package: one template per file, from a view in which everything is decided."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from eqcompile.emit.diagrams import EmittedDiagrams, describe_diagrams, view_diagrams
from eqcompile.emit.further_files import (
    list_checks,
    render_diagram_files,
    render_parameterised_files,
    render_stubs,
)
from eqcompile.emit.parameterised import (
    EmittedParameterised,
    describe_parameterised,
    describe_ties,
    view_parameterised,
)
from eqcompile.emit.served import spell_straight_table
from eqcompile.emit.spelling import check_digest, check_identifier, spell_json
from eqcompile.emit.tying_json import FORMAT, describe_layer
from eqcompile.emit.views import EmittedLayer, LayerView, view_layer
from eqcompile.emit.write import MARK
from eqcompile.templating import open_templates

Files = tuple[tuple[str, str], ...]

SHARED = (
    *("access", "actions", "arrays", "backends", "base", "bases", "batching", "blocks", "cosets"),
    *("dense", "depthwise", "dispatch", "exact", "fitting", "kernels", "launch", "layout"),
    *("lookups", "reference", "schedule", "selfcheck", "tables"),
)
"""Modules that are the same in every package but for their header."""

FACES = {
    True: "Equivariant polynomial layers",
    False: "Layers with weights made of parameters",
}
"""What a package is, by whether it has polynomial layers."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a package comes from; stands at the head of each of its files.

    Attributes:
        version: Of eqcompile.
        spec_digest: Of the spec.
        certificate_digest: Of the certificate.
    """

    version: str
    spec_digest: str
    certificate_digest: str


def render_package(
    package: str,
    layers: Sequence[EmittedLayer],
    *,
    certificate_json: str,
    report_html: str,
    origin: Origin,
    diagrams: Sequence[EmittedDiagrams] = (),
    parameterised: Sequence[EmittedParameterised] = (),
) -> Files:
    """Render every file of a package.

    Args:
        package: Its name, an identifier.
        layers: Its layers, names unique.
        certificate_json: Text of ``certificate.json``.
        report_html: Text of ``report.html``.
        origin: Where it comes from.
        diagrams: Its layers for any number of points.
        parameterised: Its layers with weights made of parameters.

    Returns:
        Relative path and text of every file, sorted by path; a function of the arguments alone.
    """
    check_identifier(package)
    header = spell_header(origin)
    tying = describe_package(package, layers, diagrams, parameterised)
    views = [view_layer(layer) for layer in layers]
    further = [view_diagrams(layer) for layer in diagrams]
    weighted = [view_parameterised(layer) for layer in parameterised]
    shared = {"header": header, **list_checks(further, weighted)}
    files = {name + ".py": render(name, shared) for name in SHARED}
    context = {"header": header, "layers": views}
    files["programs.py"] = render("programs", {**context, **list_imports(views)})
    files["straight.py"] = render_straight_kernels(header, views)
    constants = sort_imports(f"OPERATORS_{view.name}" for view in views)
    owners = [name.removeprefix("OPERATORS_") for name in constants]
    bases = sorted({view.base for view in views})
    several = any(view.opening for view in views)
    imports = ["from collections.abc import Mapping as _Mapping"] if several else []
    extra = {"owners": owners, "bases": bases, "imports": imports}
    extra["further"] = sort_imports(view.name for view in further)
    extra["parameterised"] = sort_imports(view.name for view in weighted)
    files["layers.py"] = render("layers", {**context, **extra})
    files["tying.json"] = spell_json(tying) + "\n"
    files["ops.py"] = render_ops(package, header, views, files)
    files |= render_diagram_files(render, header, further)
    namespace = f"{package}_pairs_{hash_files(files)}"
    files |= render_parameterised_files(render, header, weighted, namespace)
    files |= {} if views else render_stubs(render, header, further, weighted)
    names = [*(v.name for v in views), *(v.name for v in further), *(v.name for v in weighted)]
    face = {
        "header": header,
        "names": sort_imports(names),
        "summary": FACES[bool(views or further)],
    }
    digests = {"spec_digest": origin.spec_digest, "certificate_digest": origin.certificate_digest}
    files["__init__.py"] = render("init", {**face, **digests, "version": origin.version})
    files |= {"certificate.json": certificate_json, "report.html": report_html, "py.typed": ""}
    return tuple(sorted(files.items()))


def describe_package(
    package: str,
    layers: Sequence[EmittedLayer],
    diagrams: Sequence[EmittedDiagrams],
    parameterised: Sequence[EmittedParameterised],
) -> dict[str, object]:
    """Return what ``tying.json`` says."""
    tying: dict[str, object] = {
        "format": FORMAT,
        "package": package,
        "layers": [
            describe_layer(
                layer.solution, form=layer.form, costs=layer.costs, explanation=layer.explanation
            )
            for layer in layers
        ],
    }
    if diagrams:
        tying["diagram_layers"] = [describe_diagrams(layer) for layer in diagrams]
    if parameterised:
        tying["parameterised_layers"] = [describe_parameterised(layer) for layer in parameterised]
        tying["parameters"] = [tie for layer in parameterised for tie in describe_ties(layer)]
    return tying


def list_imports(views: Sequence[LayerView]) -> dict[str, object]:
    """List what the programs of a package import."""
    text = "".join(program for view in views for program in view.programs)
    functions = {kind for view in views for kind in view.kinds}
    functions |= {"contract"} if "= contract(" in text else set()
    lines = ["import torch"] if "= torch." in text else []
    return {"functions": ", ".join(sorted(functions)), "torch_imports": lines}


def spell_header(origin: Origin) -> str:
    """Write the comment at the head of every emitted module."""
    return "\n".join(
        (
            f"{MARK} {check_digest(origin.version)}; do not edit, build again instead.",
            f"# spec {check_digest(origin.spec_digest)}",
            f"# certificate {check_digest(origin.certificate_digest)}",
        )
    )


def render(name: str, context: Mapping[str, object]) -> str:
    """Render one template."""
    return open_templates(escape=False).get_template(f"{name}.py.jinja").render(context)


def render_ops(package: str, header: str, views: Sequence[LayerView], files: dict[str, str]) -> str:
    """Render the operators, under a name that no other build of this package has."""
    words = ("forward", "backward", "double_backward")
    context = {
        "header": header,
        "layers": views,
        "programs": sort_imports(f"{word}_{view.name}" for view in views for word in words),
        "facts": ["Facts"] if any(not view.unserved for view in views) else [],
        "namespace": f"{package}_{hash_files(files)}",
    }
    return render("ops", context)


def hash_files(files: Mapping[str, str]) -> str:
    """Return a short digest of some files."""
    digest = hashlib.sha256()
    for name, text in sorted(files.items()):
        digest.update(f"{name}\0{text}\0".encode())
    return digest.hexdigest()[:12]


def render_straight_kernels(header: str, views: Sequence[LayerView]) -> str:
    """Render the straight-line kernels of the layers that have any."""
    served = [view for view in views if view.straight]
    imports = ("", "import triton", "import triton.language as tl") if served else ()
    table = spell_straight_table({view.name: view.straight for view in served})
    context = {"header": header, "layers": served, "imports": imports, "table": table}
    return render("straight", context)


def sort_imports(names: Iterable[str]) -> list[str]:
    """Sort names as linters want them: constants, classes, then the rest, numbers by value."""

    def rank(name: str) -> tuple[bool, bool, list[tuple[int, str]], str]:
        parts = re.findall(r"\d+|\D+", name.lower())
        natural = [(int(p), "") if p.isdigit() else (-1, p) for p in parts]
        return not name.isupper(), not name[0].isupper(), natural, name

    return sorted(names, key=rank)
