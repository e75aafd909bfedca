"""The command line; every command is a few lines over the driver."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from os import cpu_count
from pathlib import Path
from typing import Annotated, Any

import typer

from eqcompile import driver, views
from eqcompile.console import format_table, note, say, show_progress, speak_errors
from eqcompile.errors import Diagnostic, Refusal, SpecError, not_yet_served
from eqcompile.spec import Spec, load
from eqcompile.version import TOOL

app = typer.Typer(
    name="eqcompile",
    help="Compile group actions into proven equivariant PyTorch layers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SpecFile = Annotated[Path, typer.Argument(metavar="SPEC", help="The spec, a YAML file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        say(TOOL)
        raise typer.Exit


@app.callback()
def start(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Compile group actions into proven equivariant PyTorch layers."""


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Folder to write into.")] = Path(),
) -> None:
    """Write a commented starter spec."""
    from eqcompile.starter import STARTER

    with speak_errors():
        target = folder / "spec.yaml"
        if target.exists():
            raise Refusal("target-exists", f"{target} exists", "remove it, or name another folder")
        folder.mkdir(parents=True, exist_ok=True)
        target.write_text(STARTER)
        say(f"wrote {target}; next: eqcompile build {target} -o {folder / 'build'}")


@app.command()
def solve(spec: SpecFile, as_json: Json = False) -> None:
    """Solve every layer and print what was found and how it was proven."""
    with speak_errors():
        with show_progress() as progress:
            found = views.summarise(spec, progress)
        for layer in found["layers"]:
            for cause in layer["redundant"]:
                note(f"note: {layer['name']}: {cause} follows from what else is demanded")
        if as_json:
            say(json.dumps(found, indent=1))
            return
        say("\n\n".join(_list_tables(found)))


def _list_tables(found: dict[str, Any]) -> list[str]:
    """Write one table for layers with degrees, and one for parameterised layers."""
    head = ("layer", "degree", "slots", "classes", "ordered", "zeros", "additive", "proof")
    further = ("layer", "family", "parameters", "free", "dense", "proof")
    weighted = _list_parameters(found)
    rows = _list_rows(found)
    tables = [format_table(head, rows)] if rows or not weighted else []
    return [*tables, format_table(further, weighted)] if weighted else tables


def _list_parameters(found: dict[str, Any]) -> list[tuple[object, ...]]:
    return [
        (
            *(layer[key] for key in ("name", "family", "numbers", "free", "dense")),
            ", ".join(layer["proof"]),
        )
        for layer in found["layers"]
        if "family" in layer
    ]


def _list_rows(found: dict[str, Any]) -> list[tuple[object, ...]]:
    return [
        (
            layer["name"],
            int(degree) if degree.isdecimal() else degree,
            *(row[k] for k in ("slots", "classes", "ordered_classes", "zeros", "additive")),
            ", ".join(row["proof"]),
        )
        for layer in found["layers"]
        for degree, row in layer["degrees"].items()
    ]


@app.command()
def build(
    specs: Annotated[list[Path], typer.Argument(metavar="SPEC...", help="One spec or several.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="DIR", help="Folder for the packages.")
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Replace a folder that is no package.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Emit a PyTorch package for each spec."""
    with speak_errors():
        loaded = _load_all(specs)
        _refuse_shared_names(loaded)
        if len(loaded) == 1:
            with show_progress() as progress:
                built = [driver.build(loaded[0], out, force=force, progress=progress)]
        else:
            built = _build_side_by_side(specs, out, force)
        rows = [{"package": path.name, "path": str(path)} for path in built]
        say(json.dumps({"packages": rows}, indent=1) if as_json else _spell_built(built))


def _load_all(specs: Sequence[Path]) -> list[Spec]:
    """Load every spec; the errors of all of them are shown together."""
    loaded: list[Spec] = []
    errors: list[Diagnostic] = []
    for path in specs:
        try:
            loaded.append(load(path))
        except SpecError as error:
            errors.extend(error.diagnostics)
    if errors:
        raise SpecError(tuple(errors))
    return loaded


def _refuse_shared_names(loaded: Sequence[Spec]) -> None:
    """Refuse two specs that would write one package."""
    seen: dict[str, Spec] = {}
    for spec in loaded:
        name = spec.document.package
        if name in seen:
            text = f"{seen[name].source.path} also makes a package called {name!r}"
            refusal = Refusal("shared-package", text, "give each spec a package name of its own")
            raise spec.source.locate((refusal,), ("package",))
        seen[name] = spec


def _build_side_by_side(specs: Sequence[Path], out: Path, force: bool) -> list[Path]:
    """Compile in parallel processes; write only when every spec has been served."""
    with (
        ProcessPoolExecutor(min(len(specs), cpu_count() or 1)) as pool,
        show_progress() as progress,
    ):
        jobs = [pool.submit(driver.render_spec, path) for path in specs]
        rendered: list[driver.Rendered] = []
        errors: list[Diagnostic] = []
        for done, (path, job) in enumerate(zip(specs, jobs, strict=True)):
            progress(f"building {path} ({done} of {len(specs)} done)")
            try:
                rendered.append(job.result())
            except SpecError as error:
                errors.extend(error.diagnostics)
    if errors:
        raise SpecError(tuple(errors))
    return [driver.write(package, out, force=force) for package in rendered]


def _spell_built(built: Sequence[Path]) -> str:
    return "\n".join(f"built {path}" for path in built)


@app.command()
def inspect(
    spec: SpecFile,
    layer: Annotated[
        str | None,
        typer.Option("--layer", metavar="L", help="Only this layer, or tied parameter: L.mu."),
    ] = None,
    degree: Annotated[
        str | None,
        typer.Option("--degree", metavar="D", help="Only this degree: 2, or x:1,y:1."),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="text, svg, html, dot or json.")] = "text",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write here.")
    ] = None,
    why: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--why", metavar="SLOT SLOT", help="Why two slots are tied: 'w[0;1,2]' 'w[1;0,2]'."
        ),
    ] = None,
) -> None:
    """Draw the tying of a spec, or say why two slots are tied."""
    with speak_errors():
        with show_progress() as progress:
            if why is not None:
                text = views.explain_why(spec, why, layer)
            else:
                text = views.draw(spec, form, layer, degree, progress)
        if out is None:
            say(text)
        else:
            out.write_text(text)
            note(f"wrote {out}")


@app.command()
def explain(spec: SpecFile) -> None:
    """Print the derivation of every layer: constraints, solution, forms and plan."""
    with speak_errors():
        with show_progress() as progress:
            text = views.explain(spec, progress)
        say(text)


@app.command()
def verify(
    target: Annotated[
        Path, typer.Argument(metavar="SPEC_OR_PACKAGE", help="A spec or a built package.")
    ],
    as_json: Json = False,
) -> None:
    """Prove a spec again, or check a built package against its certificate."""
    from eqcompile.verification import verify_package, verify_spec

    with speak_errors():
        with show_progress() as progress:
            checks = (verify_package if target.is_dir() else verify_spec)(target, progress)
        if as_json:
            say(json.dumps({"checks": list(checks), "holds": True}, indent=1))
        else:
            say("\n".join(f"ok  {check}" for check in checks))


@app.command()
def bench(
    package: Annotated[Path, typer.Argument(metavar="PACKAGE", help="A built package.")],
) -> None:
    """Time the forms and backends of a built package (not yet served)."""
    with speak_errors():
        raise not_yet_served(f"bench {package}", "time the package's layers in your own loop")


@app.command(name="list")
def list_entries(
    what: Annotated[str, typer.Argument(metavar="groups|layers|forms", help="What to list.")],
) -> None:
    """List the group families, layer families or forms there are, one line each."""
    with speak_errors():
        rows = views.list_entries(what)
        width = max(len(name) for name, _ in rows)
        say("\n".join(f"{name.ljust(width)}  {summary}" for name, summary in rows))


@app.command()
def schema() -> None:
    """Print the JSON Schema of a spec, for editors."""
    from eqcompile.spec.schema import json_schema

    with speak_errors():
        say(json.dumps(json_schema(), indent=1))
