"""What the templates spell of a parameterised layer: its facts and parameters; and its data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from eqcompile.emit.parameterised_claims import describe_options
from eqcompile.emit.signatures import spell_long_tuple
from eqcompile.emit.spelling import LINE, check_identifier
from eqcompile.emit.tying_json import describe_layer
from eqcompile.emit.views import DTYPES
from eqcompile.layers.parameters import Parameter, ParameterisedProblem
from eqcompile.solve.parameterised import ParameterisedSolution


@dataclass(frozen=True, slots=True)
class FamilyCode:
    """The modules of a package that serve one family.

    Attributes:
        title: What its layers are called.
        module: Where its base class is.
        prefix: How the names of the base class and of its facts begin.
        modules: Every module it needs beside those of all parameterised layers.
        backends: The backends its layers take.
        trained: Whether its parameters are parameters to torch.
    """

    title: str
    module: str
    prefix: str
    modules: tuple[str, ...]
    backends: str = "``auto``, ``torch`` or ``reference``"
    trained: bool = True

    @property
    def checks(self) -> str:
        """Name of the module that checks its layers."""
        return f"{self.module}_checks"


PAIRS = FamilyCode(
    "Coulomb layer",
    "coulomb",
    "Coulomb",
    (
        *("balance", "coulomb", "coulomb_checks", "pair_formulas", "pair_gradients"),
        *("pair_kernels", "pair_launch", "pair_ops", "pairs"),
    ),
    "``auto``, ``torch``, ``triton`` or ``reference``",
)

FAMILIES = {
    "coulomb": PAIRS,
    "distance_product": PAIRS,
    "spectral": FamilyCode(
        "Spectral layer",
        "spectral",
        "Spectral",
        ("directions", "extremes", "growth", "memories", "spectral", "spectral_checks"),
    ),
    "homeostatic": FamilyCode(
        "Homeostatic layer",
        "homeostatic",
        "Homeostatic",
        ("homeostatic", "homeostatic_checks", "stability"),
        trained=False,
    ),
}
"""The code of each family of layers."""

TITLES = {"distance_product": "Distance-product layer"}
"""Where one base class serves several families, what the others are called."""


@dataclass(frozen=True, slots=True)
class EmittedParameterised:
    """Everything the package needs to know of one parameterised layer.

    Attributes:
        solution: Its ties.
        explanation: The derivation, as text.
    """

    solution: ParameterisedSolution
    explanation: str


@dataclass(frozen=True, slots=True)
class ParameterisedView:
    """One parameterised layer as the templates see it; every field is text or a number."""

    name: str
    family: FamilyCode
    dtype: str
    title: str
    formula: tuple[str, ...]
    heading: str
    documentation: tuple[str, ...]
    annotations: tuple[str, ...]
    facts: tuple[str, ...]
    properties: tuple[str, ...]


def view_parameterised(layer: EmittedParameterised) -> ParameterisedView:
    """Make the view of one layer.

    Raises:
        ValueError: A name, a text or a dtype is not safe in code; an earlier floor should have
            refused.
    """
    solution, problem = layer.solution, layer.solution.problem
    if problem.dtype not in DTYPES:
        raise ValueError(f"{problem.dtype!r} is no dtype an emitted layer can have")
    family = FAMILIES[problem.family]
    documented = [line for p in problem.parameters for line in _document(solution, p)]
    title = TITLES.get(problem.family, family.title)
    return ParameterisedView(
        name=check_identifier(problem.name),
        family=family,
        dtype=problem.dtype,
        title=f"{title}, ``(..., {problem.n_in}) -> (..., {problem.n_out})``",
        formula=tuple(wrap(_check_plain(problem.formula), LINE - 4)),
        heading="Parameters" if family.trained else "State",
        documentation=tuple(documented),
        annotations=tuple(_annotate(problem)) if family.trained else (),
        facts=tuple(_spell_facts(problem)),
        properties=tuple(_spell_properties(problem)) if family.trained else (),
    )


def _check_plain(text: str) -> str:
    """Return a text that is safe in a docstring."""
    if any(mark in text for mark in ('"', "\\", "\n")) or not text.isascii():
        raise ValueError(f"{text!r} is not a text that can stand in emitted code")
    return text


def _document(solution: ParameterisedSolution, parameter: Parameter) -> list[str]:
    """Write what a parameter is, as it is stored."""
    shape = spell_shape(parameter.shape)
    text = f"{check_identifier(parameter.name)}: {shape}, {_check_plain(parameter.meaning)}"
    stored = parameter.name in solution.problem.tied and FAMILIES[solution.problem.family].trained
    if stored:
        text = f"theta_{parameter.name}: ({solution.count_free(parameter)},), coordinates of {text}"
    return wrap(text, LINE - 8, subsequent_indent="    ")


def spell_shape(shape: tuple[int, ...]) -> str:
    """Write a shape: ``(6, 2)``, ``(6,)``, ``()``."""
    return str(tuple(shape))


def _annotate(problem: ParameterisedProblem) -> list[str]:
    """Declare the parameters that are stored."""
    names = [f"theta_{p.name}" if p.name in problem.tied else p.name for p in problem.parameters]
    return [*(f"    {check_identifier(name)}: _torch.nn.Parameter" for name in names), ""]


def _spell_properties(problem: ParameterisedProblem) -> list[str]:
    """Write a property for every tied parameter: what it is in full."""
    lines = []
    for name in problem.tied:
        check_identifier(name)
        lines += [
            "",
            "    @property",
            f"    def {name}(self) -> _torch.Tensor:",
            f'        """Parameter {name} in full, from the coordinates ``theta_{name}``."""',
            f'        return self.full("{name}")',
        ]
    return lines


def _spell_facts(problem: ParameterisedProblem) -> list[str]:
    """Write the arguments of the facts, one per line or broken over several."""
    ties = tuple(check_identifier(name) for name in problem.tied)
    values = [
        *(("name", problem.name), ("n_in", problem.n_in), ("n_out", problem.n_out)),
        *(("dtype", problem.dtype), *problem.options, ("ties", ties)),
    ]
    lines = [f"        {check_identifier(name)}={_spell(name, v)}," for name, v in values]
    return [*lines, f'        explanation=_read_parameterised("{problem.name}")["explanation"],']


def _spell(name: str, value: object) -> str:
    """Write the value of one fact as Python does."""
    if isinstance(value, tuple):
        return spell_long_tuple(name, [_spell("", item) for item in value])
    if isinstance(value, str):
        return json.dumps(_check_plain(value))
    if not isinstance(value, bool | int | float):
        raise ValueError(f"{value!r} is no fact of an emitted layer")
    return repr(value)


def describe_parameterised(layer: EmittedParameterised) -> dict[str, Any]:
    """Return one layer for ``tying.json``; its ties stand beside it."""
    solution, problem = layer.solution, layer.solution.problem
    positions = {name: [list(row) for row in rows] for name, rows in problem.positions}
    return {
        "name": problem.name,
        "family": problem.family,
        "formula": problem.formula,
        "group": None if problem.group is None else problem.group.name,
        "n_in": problem.n_in,
        "n_out": problem.n_out,
        "dtype": problem.dtype,
        "options": describe_options(problem),
        "parameters": [
            {
                "name": parameter.name,
                "shape": list(parameter.shape),
                "meaning": parameter.meaning,
                "free": solution.count_free(parameter),
            }
            for parameter in problem.parameters
        ],
        "ties": list(problem.tied),
        "positions": positions or None,
        "explanation": layer.explanation,
    }


def describe_ties(layer: EmittedParameterised) -> list[dict[str, Any]]:
    """Return what is solved of one layer for ``tying.json``, each named ``<layer>.<parameter>``."""
    return [
        describe_layer(solution, form="", costs="", explanation="")
        for solution in layer.solution.solutions
    ]
