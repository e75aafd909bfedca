"""Polynomial layers: the most general equivariant polynomial between two representations."""

from __future__ import annotations

from dataclasses import replace

from eqcompile.layers.families import LAYERS, LayerFamily, register_layer
from eqcompile.layers.problem import Channels, LayerInput, LayerProblem
from eqcompile.layers.relations import resolve_relations
from eqcompile.layers.split import split_generators
from eqcompile.spec import Spec
from eqcompile.spec.actions import LayerActions
from eqcompile.spec.inputs import list_channels, list_degrees
from eqcompile.spec.model import PolynomialLayer

_LATER = (
    ("coulomb", "w_ij = <mu_i, mu_j> / (|x_i - x_j|^2 + softening)"),
    ("distance_product", "w_ij = <mu_i, mu_j> |x_i - x_j|^2"),
    ("spectral", "W = Q diag(lam) Q^T"),
    ("homeostatic", "R_i = r_i / (sigma^2 + (W r)_i / n)"),
)


def resolve(spec: Spec) -> tuple[LayerProblem, ...]:
    """Turn every layer of a spec into the problem it poses, but for those of any n.

    Args:
        spec: A loaded spec; what cannot be served has been refused by then.
    """
    dtype = spec.document.emit.dtype
    problems = []
    layers = zip(spec.document.layers, spec.actions, strict=True)
    for index, (entry, actions) in enumerate(layers):
        if actions.powers is not None:
            continue
        family = LAYERS[entry.family]
        if family.resolve is None:
            raise ValueError(f"a spec with the layer family {entry.family!r} was loaded")
        problem = family.resolve(entry, actions, dtype)
        problems.append(replace(problem, relations=resolve_relations(spec, index)))
    return tuple(problems)


def list_places(spec: Spec) -> tuple[int, ...]:
    """Return the number in the spec of every layer that `resolve` returns a problem for."""
    return tuple(i for i, actions in enumerate(spec.actions) if actions.powers is None)


@register_layer("polynomial", "all equivariant polynomials of given degrees")
def resolve_polynomial(entry: PolynomialLayer, actions: LayerActions, dtype: str) -> LayerProblem:
    """Pose the problem of a polynomial layer."""
    names, representations = zip(*actions.inputs, strict=True)
    split = split_generators(actions.group, representations, actions.output)
    inputs = zip(names, split.inputs, list_channels(entry), strict=True)
    return LayerProblem(
        name=entry.name,
        group=actions.group,
        labels=split.labels,
        inputs=tuple(LayerInput(*source) for source in inputs),
        output=split.output,
        degrees=list_degrees(entry),
        channels=Channels(entry.channels.outputs, entry.channels.mixing, entry.channels.rank),
        form=entry.form,
        dtype=dtype,
        parametrisation=entry.parametrisation,
        linear=split.linear,
        scope=tuple(r.scope for r in (*representations, actions.output) if r.scope),
    )


for _name, _summary in _LATER:
    LAYERS.add(_name, LayerFamily(_name, f"{_summary} (not yet served)"))
