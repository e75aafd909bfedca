"""Polynomial layers: the most general equivariant polynomial between two representations."""

from __future__ import annotations

from dataclasses import replace

from eqcompile.layers.families import register_layer
from eqcompile.layers.problem import Channels, LayerInput, LayerProblem
from eqcompile.layers.relations import resolve_relations
from eqcompile.layers.split import split_generators
from eqcompile.spec import Spec
from eqcompile.spec.actions import LayerActions
from eqcompile.spec.inputs import list_channels, list_degrees
from eqcompile.spec.model import PolynomialLayer


def resolve(spec: Spec) -> tuple[LayerProblem, ...]:
    """Turn every polynomial layer of a spec into the problem it poses, but for those of any n.

    Args:
        spec: A loaded spec; what cannot be served has been refused by then.
    """
    dtype = spec.document.emit.dtype
    return tuple(
        replace(resolve_polynomial(entry, actions, dtype), relations=resolve_relations(spec, index))
        for index, entry, actions in spec.list_polynomial()
        if actions.powers is None
    )


def list_places(spec: Spec) -> tuple[int, ...]:
    """Return the number in the spec of every layer that `resolve` returns a problem for."""
    return tuple(i for i, _, actions in spec.list_polynomial() if actions.powers is None)


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
