"""The whole pipeline on one screen: from a spec to proven layers, and from there to a package."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from eqcompile import anysize, parameterised
from eqcompile.draw.derivation import explain_layer
from eqcompile.draw.program import explain_forms
from eqcompile.draw.report import ReportedLayer, draw_html, render_report
from eqcompile.emit.claims import ProvenLayer, dump_json, hash_text, seal, state_claims
from eqcompile.emit.diagram_claims import ProvenDiagrams, state_diagrams
from eqcompile.emit.package import Origin, render_package
from eqcompile.emit.parameterised_claims import ProvenParameterised, state_parameterised
from eqcompile.emit.served import refuse_basis, refuse_kernels
from eqcompile.emit.views import EmittedLayer
from eqcompile.emit.write import write_package
from eqcompile.errors import Refusal
from eqcompile.layers.any_size import DiagramProblem, resolve_diagrams
from eqcompile.layers.parameterised import ParameterisedProblem, resolve_parameterised
from eqcompile.layers.polynomial import list_places, resolve
from eqcompile.layers.problem import Degree, LayerProblem
from eqcompile.plan.forms import choose, refuse_large
from eqcompile.plan.proof import prove_kernels, prove_plan
from eqcompile.solve.certificate import prove
from eqcompile.solve.diagrams import DiagramBlock, DiagramSolution, solve_diagrams
from eqcompile.solve.layer import LayerSolution, solve_layer
from eqcompile.solve.parameterised import ParameterisedSolution, solve_parameterised
from eqcompile.solve.tying import Tying
from eqcompile.spec import Spec, load, read_files
from eqcompile.templating import template_root
from eqcompile.version import TOOL, VERSION

Tying.draw_html = staticmethod(draw_html)

Source = Spec | Path | str | dict[str, Any]
Progress = Callable[[str], None]
T = TypeVar("T")

Problem = LayerProblem | DiagramProblem | ParameterisedProblem
"""What a layer asks, by its kind: for one n, for every n, or of parameters behind its weights.

What is done to a layer of any kind is one function that matches on it; a kind is its cases.
"""

Solution = LayerSolution | DiagramSolution | ParameterisedSolution
Proven = ProvenLayer | ProvenDiagrams | ProvenParameterised
Degrees = dict[int | str, Tying | DiagramBlock]


def keep_quiet(text: str) -> None:
    """Report no progress."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A spec with every layer solved and proven, in its order; polynomial ones lowered."""

    spec: Spec
    layers: tuple[Proven, ...]

    def pick(self, kind: type[T]) -> list[T]:
        """Return the layers of one kind, in order."""
        return [layer for layer in self.layers if isinstance(layer, kind)]


def read(source: Source) -> Spec:
    """Load a spec unless it is one already."""
    return source if isinstance(source, Spec) else load(source)


def solve_spec(
    source: Source, *, blocks: bool = False, progress: Progress = keep_quiet
) -> tuple[LayerSolution, ...]:
    """Solve every polynomial layer of a spec that is for one n.

    Args:
        source: A spec, or what :func:`eqcompile.load` takes.
        blocks: Solve the channel blocks as well, which only building needs.
        progress: Called with a short text before each long step.
    """

    def carry(problem: Problem) -> LayerSolution | None:
        if not isinstance(problem, LayerProblem):
            return None
        return solve_layer(problem, blocks=blocks, progress=progress)

    return tuple(found for found in carry_layers(read(source), carry) if found is not None)


def list_problems(spec: Spec) -> list[tuple[int, Problem]]:
    """List what every layer of a spec asks, with its place in the spec, in order."""
    found: list[tuple[int, Problem]] = list(zip(list_places(spec), resolve(spec), strict=True))
    found += [*resolve_diagrams(spec), *resolve_parameterised(spec)]
    return sorted(found, key=lambda pair: pair[0])


def carry_layers(spec: Spec, carry: Callable[[Problem], T]) -> tuple[T, ...]:
    """Do something with every layer of a spec, in order.

    Raises:
        SpecError: Layers that cannot be served, each at its place, all at once.
    """
    found, refused = [], []
    for index, problem in list_problems(spec):
        try:
            found.append(carry(problem))
        except Refusal as refusal:
            refused.append(replace(refusal, at=("layers", index, *(refusal.at or ("name",)))))
    if refused:
        raise spec.source.locate(refused)
    return tuple(found)


def solve_problem(problem: Problem, progress: Progress = keep_quiet) -> Solution:
    """Solve one layer within one channel of each input."""
    match problem:
        case LayerProblem():
            return solve_layer(problem, blocks=False, progress=progress)
        case DiagramProblem():
            return solve_diagrams(problem, blocks=False, progress=progress)
        case ParameterisedProblem():
            return solve_parameterised(problem, progress=progress)


def solve(source: Source) -> dict[str, Degrees]:
    """Solve a spec into tying classes.

    Returns:
        Per layer name and degree, the classes within one channel of each input. A degree is a
        number, or a key such as ``x:1,y:1`` where the layer has several inputs. Classes for any
        number of points are a list of multigraphs. Parameterised layers have no degrees.
    """
    found = carry_layers(read(source), solve_problem)
    return {solution.problem.name: list_degrees(solution) for solution in found}


def list_degrees(solution: Solution) -> Degrees:
    """Return the classes of every degree of a layer."""
    match solution:
        case LayerSolution(problem):
            return {key_degree(problem, d): solution.tying(d) for d in problem.degrees}
        case DiagramSolution(problem):
            return {degree: solution.block(degree) for degree in problem.degrees}
        case ParameterisedSolution():
            return {}


def key_degree(problem: LayerProblem, degree: Degree) -> int | str:
    """Return what names a degree of a layer: the number itself where there is one input."""
    return degree[0] if len(degree) == 1 else problem.spell_degree(degree)


def compile_layer(problem: LayerProblem, progress: Progress = keep_quiet) -> ProvenLayer:
    """Carry one layer from its problem to a proven plan. Each line is one stage."""
    refuse_large(problem)
    solution = solve_layer(problem, progress=progress)
    refuse_empty(solution)
    refuse_basis(solution)
    progress(f"{problem.name}: choosing a form")
    choice = choose(solution)
    progress(f"{problem.name}: proving")
    proofs = tuple(prove(block.tying) for block in solution.blocks)
    kernels = None if refuse_kernels(problem) else prove_kernels(solution)
    return ProvenLayer(solution, choice, proofs, prove_plan(solution, choice), kernels)


def refuse_empty(solution: LayerSolution) -> None:
    """Refuse a layer that has no parameter and no fixed part at any degree."""
    if any(b.tying.classes or b.tying.is_affine for b in solution.parameter_blocks()):
        return
    problem = solution.problem
    separator = ", " if len(problem.inputs) == 1 else "; "
    degrees = separator.join(problem.spell_degree(degree) for degree in problem.degrees)
    text = f"layer {problem.name} has no equivariant polynomial of degree {degrees}"
    raise Refusal("no-classes", text, "add a degree, or change the input or output action")


def compile_spec(source: Source, progress: Progress = keep_quiet) -> Compiled:
    """Compile every layer of a spec; nothing is written.

    Raises:
        SpecError: Layers that cannot be served, each at its place, all at once.
    """
    spec = read(source)
    return Compiled(spec, carry_layers(spec, lambda problem: compile_problem(problem, progress)))


def compile_problem(problem: Problem, progress: Progress = keep_quiet) -> Proven:
    """Compile one layer of any kind."""
    match problem:
        case LayerProblem():
            return compile_layer(problem, progress)
        case DiagramProblem():
            return anysize.compile_diagrams(problem, progress)
        case ParameterisedProblem():
            return parameterised.compile_parameterised(problem, progress)


def render(compiled: Compiled) -> dict[str, str]:
    """Render the files of a package, by relative path; the same bytes every time."""
    spec, text = compiled.spec, compiled.spec.source.text
    layers, diagrams = compiled.pick(ProvenLayer), compiled.pick(ProvenDiagrams)
    further = compiled.pick(ProvenParameterised)
    stated = state_claims(TOOL, spec.digest, text, read_files(spec), layers)
    if diagrams:
        stated["diagram_layers"] = [state_diagrams(layer) for layer in diagrams]
    if further:
        stated["parameterised_layers"] = [state_parameterised(layer) for layer in further]
    claims = dump_json(stated)
    more = [anysize.report_proven(number, layer) for number, layer in enumerate(diagrams)]
    more += [parameterised.report_proven(number, layer) for number, layer in enumerate(further)]
    report = render_report(
        spec.document.package,
        text,
        [ReportedLayer(layer.solution, layer.choice, layer) for layer in layers],
        facts=(("made by", TOOL), ("spec", spec.digest), ("certificate", hash_text(claims))),
        certificate=claims,
        more=more,
    )
    files = dict(
        render_package(
            spec.document.package,
            [emit_layer(layer) for layer in layers],
            diagrams=[anysize.emit_diagrams(layer) for layer in diagrams],
            parameterised=[parameterised.emit_parameterised(layer) for layer in further],
            certificate_json="",
            report_html=report,
            origin=Origin(VERSION, spec.digest, hash_text(claims)),
        )
    )
    del files["certificate.json"]
    return {**files, "certificate.json": seal(json.loads(claims), files)}


def emit_layer(layer: ProvenLayer) -> EmittedLayer:
    """Hand one proven layer to the emitter, with what it says of itself in words."""
    choice = layer.choice
    return EmittedLayer(
        solution=layer.solution,
        forward=choice.plan,
        backward=choice.backward,
        double=choice.double,
        form=choice.form,
        costs="\n".join(explain_forms(choice)),
        explanation=explain_layer(layer.solution, choice, layer),
    )


def build(
    source: Source, out: Path | str, *, force: bool = False, progress: Progress = keep_quiet
) -> Path:
    """Compile a spec and write its package.

    Args:
        source: A spec, or what :func:`eqcompile.load` takes.
        out: Folder to put the package's folder into; made if missing.
        force: Replace a folder of that name even if it is no package of ours.
        progress: Called with a short text before each long step.

    Returns:
        The package's folder.
    """
    return write(render_spec(source, progress), out, force=force)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A package that is not written yet: its name, and its files by relative path."""

    package: str
    files: dict[str, str]


def render_spec(source: Source, progress: Progress = keep_quiet) -> Rendered:
    """Compile a spec and render its package; nothing is written."""
    compiled = compile_spec(source, progress)
    return Rendered(compiled.spec.document.package, render(compiled))


def write(rendered: Rendered, out: Path | str, *, force: bool = False) -> Path:
    """Write a rendered package into a folder; see :func:`build`."""
    target = Path(out) / rendered.package
    write_package(sorted(rendered.files.items()), target, force=force)
    return target


def compile(source: Source) -> ModuleType:
    """Build a spec into a cache named by its content, import the package and return it.

    The cache is ``$EQCOMPILE_CACHE``, else ``~/.cache/eqcompile``. The module is imported under a
    name of its own, so that two versions of one package can be used side by side.
    """
    spec = read(source)
    files = dump_json(read_files(spec))
    key = hash_text(f"{TOOL}\n{spec.digest}\n{files}\n{_hash_compiler()}")[:24]
    folder = _find_cache() / key
    target = folder / spec.document.package
    if not target.exists():
        build(spec, folder)
    name = f"eqcompile_cache_{key}_{spec.document.package}"
    return sys.modules.get(name) or _import_package(name, target)


def _find_cache() -> Path:
    configured = os.environ.get("EQCOMPILE_CACHE")
    return Path(configured) if configured else Path.home() / ".cache" / "eqcompile"


@cache
def _hash_compiler() -> str:
    """Digest the compiler's own sources, so that a changed compiler builds anew."""
    roots: Mapping[str, Path] = {"*.py": Path(__file__).parent, "*.jinja": template_root()}
    texts = [p.read_text() for pattern, root in roots.items() for p in sorted(root.rglob(pattern))]
    return hash_text("".join(texts))


def _import_package(name: str, folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
