"""The pipeline of parameterised layers: solve the ties of their parameters, and prove them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import comb, prod
from typing import Any

from eqcompile.analysis.dimension import coulomb_dimension, spectral_dimension
from eqcompile.draw.invariance import PAIRS
from eqcompile.draw.page import PageBlock, PageSection
from eqcompile.draw.parameterised import (
    count_parameters,
    derive_sections,
    explain_parameterised,
    name_layer,
)
from eqcompile.draw.parameterised_formats import tabulate
from eqcompile.draw.report import FurtherLayer, draw_figure
from eqcompile.emit.parameterised import EmittedParameterised
from eqcompile.emit.parameterised_claims import ProvenParameterised
from eqcompile.errors import CertificateError
from eqcompile.layers.parameters import ParameterisedProblem
from eqcompile.solve.certificate import prove
from eqcompile.solve.parameterised import (
    LINEAR,
    count_entries,
    solve_parameterised,
)

Progress = Callable[[str], None]


def compile_parameterised(problem: ParameterisedProblem, progress: Progress) -> ProvenParameterised:
    """Carry one layer from its problem to proven ties. Each line is one stage."""
    solution = solve_parameterised(problem, progress=progress)
    progress(f"{problem.name}: proving")
    proofs = (tuple(prove(block.tying) for block in tie.blocks) for tie in solution.solutions)
    return ProvenParameterised(solution, tuple(proofs))


def find_dimension(problem: ParameterisedProblem) -> int | None:
    """Return how many dimensions the weights have without ties, where a formula is known."""
    options = dict(problem.options)
    size = problem.n_in if problem.square else (problem.n_out, problem.n_in)
    if problem.family in PAIRS:
        if options["diagonal"] == "chemistry":
            return None
        d, p = options["dims"]
        if options["positions"] == "given":
            return _count_charges(problem, d)
        softened = bool(options["softening"] or options["learn_softening"])
        return coulomb_dimension(size, d, p, softened=softened)
    if problem.family == "spectral" and (problem.square or options["order"] == 2):
        return spectral_dimension(size, options["rank"], options["order"])
    return None


def _count_charges(problem: ParameterisedProblem, d: int) -> int:
    """Return the dimension of weights of charges alone: of inner products, off the diagonal.

    Source: for one set of neurons, Drton, Sturmfels and Sullivant 2007, "Algebraic factor
    analysis", theorem 2, less the diagonal.
    """
    n, m = problem.n_in, problem.n_out
    if not problem.square:
        d = min(d, n, m)
        return d * (n + m - d)
    d = min(d, n)
    return min(n * (n - 1) // 2, n * d - d * (d - 1) // 2)


def count_dense(problem: ParameterisedProblem) -> int:
    """Return how many weights a dense layer of this size and degree has, with its bias if any."""
    order = dict(problem.options).get("order", 2)
    bias = any(parameter.name == "bias" for parameter in problem.parameters)
    return problem.n_out * (comb(problem.n_in + order - 2, order - 1) + bias)


def emit_parameterised(layer: ProvenParameterised) -> EmittedParameterised:
    """Hand one proven layer to the emitter, with what it says of itself in words."""
    return EmittedParameterised(layer.solution, explain_proven(layer))


def explain_proven(layer: ProvenParameterised) -> str:
    """Write the derivation of one proven layer."""
    dimension = find_dimension(layer.solution.problem)
    return explain_parameterised(layer.solution, layer.proofs, dimension)


def explain_problem(problem: ParameterisedProblem, progress: Progress) -> str:
    """Write the derivation of one layer."""
    return explain_proven(compile_parameterised(problem, progress))


def list_methods(layer: ProvenParameterised) -> list[str]:
    """List the methods that proved the ties of a layer, each once."""
    found = (method for proofs in layer.proofs for proof in proofs for method in proof.proof)
    return list(dict.fromkeys(found))


def summarise_layer(problem: ParameterisedProblem, progress: Progress) -> dict[str, Any]:
    """Solve and prove the ties of one layer, and return the counts as plain data."""
    layer = compile_parameterised(problem, progress)
    solution = layer.solution
    full, free = count_parameters(solution)
    return {
        "name": problem.name,
        "degrees": {},
        "redundant": [],
        "family": problem.family,
        "parameters": {
            parameter.name: {
                "shape": list(parameter.shape),
                "numbers": count_entries(parameter),
                "free": solution.count_free(parameter),
            }
            for parameter in problem.parameters
        },
        "numbers": full,
        "free": free,
        "dense": count_dense(problem),
        "proof": list_methods(layer),
    }


def report_proven(number: int, layer: ProvenParameterised) -> FurtherLayer:
    """Make the section of one proven layer in the report of its package."""
    solution, problem = layer.solution, layer.solution.problem
    full, free = count_parameters(solution)
    row = (
        problem.name,
        problem.family,
        "" if problem.group is None else problem.group.name,
        f"{full:,}",
        f"{free:,}",
        f"{count_dense(problem):,}",
        ", ".join(list_methods(layer)),
    )
    blocks: list[PageBlock] = []
    last = solution.ties if problem.family == "homeostatic" else solution.solutions[-1:]
    drawn = {"The ties": solution.ties, "The weights": last if solution.ties else ()}
    for section in derive_sections(solution, layer.proofs, find_dimension(problem)):
        if section.title == "The parameters":
            blocks += [PageBlock("text", section.title, section.lines[-1]), tabulate(solution)]
            continue
        blocks.append(PageBlock("text", section.title, "\n".join(section.lines)))
        for tie in drawn.get(section.title, ()):
            key = f"p{number}{tie.problem.name.partition('.')[2]}"
            blocks.append(draw_figure(tie.tying(LINEAR), key))
    page = PageSection(f"parameterised-{number}", name_layer(problem), tuple(blocks))
    return FurtherLayer((), page, row)


def list_proofs(problem: ParameterisedProblem, progress: Progress) -> list[str]:
    """Prove one layer again; return what held, one line per tie."""
    layer = compile_parameterised(problem, progress)
    lines = [
        f"{tie.problem.name}: {proofs[0].classes} classes by {', '.join(proofs[0].proof)}"
        for tie, proofs in zip(layer.solution.solutions, layer.proofs, strict=True)
    ]
    if problem.group is None:
        lines.append(f"{problem.name}: no ties, all parameters are free")
    return lines


def check_listed(data: Mapping[str, Any]) -> None:
    """Check that ``tying.json`` stores a tie for every tied parameter, of its shape.

    Raises:
        CertificateError: One is missing, is twice, or has another shape.
    """
    stored = [tie["name"] for tie in data.get("parameters", ())]
    ties = dict(zip(stored, data.get("parameters", ()), strict=True))
    if len(ties) != len(stored):
        raise CertificateError("tying.json stores a tie twice")
    known = set[str]()
    for layer in data.get("parameterised_layers", ()):
        shapes = {p["name"]: tuple(p["shape"]) for p in layer["parameters"]}
        for name in layer["ties"]:
            key = f"{layer['name']}.{name}"
            if key not in ties:
                raise CertificateError(f"tying.json stores no tie of {key}")
            tie, shape = ties[key], shapes[name]
            if (tie["n_in"], tie["n_out"]) != (shape[0], prod(shape[1:])):
                raise CertificateError(f"tying.json: the tie of {key} is not of shape {shape}")
            known.add(key)
        known.add(f"{layer['name']}.weights")
    for key in sorted(set(stored) - known):
        raise CertificateError(f"tying.json stores a tie of {key}, which is no parameter")
