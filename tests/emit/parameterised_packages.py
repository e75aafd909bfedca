"""Packages with parameterised layers, made of templates alone: no spec, no compiler before them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from eqcompile.emit.package import render, spell_header
from eqcompile.emit.spelling import spell_json
from eqcompile.emit.tying_json import describe_layer
from eqcompile.layers.problem import LayerProblem
from eqcompile.solve.layer import solve_layer
from tests.actions_of import Generators, make_problem
from tests.emit.problems import ORIGIN, import_written

NEIGHBOURS = (
    *("arrays", "backends", "bases", "batching", "cosets", "dispatch", "exact", "layout"),
    *("lookups", "parameterised", "schedule", "tables", "ties"),
)
"""What parameterised layers import, directly or not."""

LAYERS = "parameterised_layers.py"


def render_modules(
    name: str, modules: Sequence[str], layers_text: str, tying: str
) -> dict[str, str]:
    """Render the files of a package.

    Args:
        name: Of the package.
        modules: Templates beside `NEIGHBOURS`, such as ``coulomb``.
        layers_text: Text of parameterised_layers.py below its header.
        tying: Text of tying.json.
    """
    header = spell_header(ORIGIN)
    digest = hashlib.sha256(f"{name}{modules}{layers_text}{tying}".encode()).hexdigest()
    context = {"header": header, "namespace": f"{name}_{digest[:12]}"}
    files = {f"{word}.py": render(word, context) for word in (*NEIGHBOURS, *modules)}
    imports = "from . import parameterised_layers\nfrom .parameterised_layers import *\n"
    files["__init__.py"] = f'"""A package of a test."""\n\n{imports}'
    files[LAYERS] = f'"""Layers of a test."""\n\n{layers_text}'
    files["tying.json"] = tying
    return files


def make_package(
    tmp_path: Path, modules: Sequence[str], layers_text: str, tying: dict[str, Any] | None = None
) -> ModuleType:
    """Write a package with parameterised layers and import it.

    Args:
        tmp_path: An empty folder for it.
        modules: Templates beside those every package of this kind has, such as ``coulomb``; those
            they import too.
        layers_text: The module parameterised_layers.py, from its imports on; the package has its
            public names.
        tying: Entries of tying.json: ``parameters`` (see `describe_tie`) and
            ``parameterised_layers``.

    Returns:
        The package; its name is new to this process.
    """
    data = {"format": 1, "layers": [], "parameters": [], "parameterised_layers": []} | (tying or {})
    text = spell_json(data) + "\n"
    # Operators have the name of their package, and are registered once in a process.
    digest = hashlib.sha256(f"{tmp_path}{modules}{layers_text}{text}".encode()).hexdigest()
    name = f"made_{digest[:12]}"
    files = render_modules(name, modules, layers_text, text)
    return import_written(tmp_path, name, tuple(sorted(files.items())))


def describe_tie(name: str, neurons: Generators, columns: Generators) -> dict[str, Any]:
    """Solve the tie of one parameter; return its entry under ``parameters`` of tying.json.

    Args:
        name: ``<Layer>.<parameter>``.
        neurons: How the generators move the neurons.
        columns: How they move the columns of the parameter: ``mu_{g i} = R(g) mu_i``.
    """
    problem: LayerProblem = make_problem(neurons, columns, (1,), name=name)
    return describe_layer(solve_layer(problem), form="monomial", costs="", explanation="")
