"""Parameterised layers: from a loaded spec to the problem of each."""

from __future__ import annotations

import eqcompile.layers.coulomb
import eqcompile.layers.homeostatic
import eqcompile.layers.spectral  # noqa: F401  (each registers its families)
from eqcompile.layers.families import LAYERS
from eqcompile.layers.parameters import Parameter, ParameterisedProblem, Points
from eqcompile.spec import Spec

__all__ = ["Parameter", "ParameterisedProblem", "Points", "resolve_parameterised"]


def resolve_parameterised(spec: Spec) -> tuple[tuple[int, ParameterisedProblem], ...]:
    """Turn every parameterised layer into the problem it poses, with its place in the spec."""
    dtype = spec.document.emit.dtype
    found = []
    for index, entry, actions in spec.list_parameterised():
        problem = LAYERS[entry.family].resolve(entry, actions, dtype)
        assert isinstance(problem, ParameterisedProblem)
        found.append((index, problem))
    return tuple(found)
