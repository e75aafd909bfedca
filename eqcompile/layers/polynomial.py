"""Polynomial layers: the most general equivariant polynomial between two representations."""

from __future__ import annotations

from eqcompile.layers.families import LAYERS, LayerFamily, register_layer
from eqcompile.layers.problem import Channels, LayerProblem
from eqcompile.spec import Spec
from eqcompile.spec.actions import LayerActions
from eqcompile.spec.bounds import list_degrees
from eqcompile.spec.model import ChannelsEntry, PolynomialLayer

_LATER = (
    ("coulomb", "w_ij = <mu_i, mu_j> / (|x_i - x_j|^2 + softening)"),
    ("distance_product", "w_ij = <mu_i, mu_j> |x_i - x_j|^2"),
    ("spectral", "W = Q diag(lam) Q^T"),
    ("homeostatic", "R_i = r_i / (sigma^2 + (W r)_i / n)"),
)


def resolve(spec: Spec) -> tuple[LayerProblem, ...]:
    """Turn every layer of a spec into the problem it poses.

    Args:
        spec: A loaded spec; what cannot be served has been refused by then.
    """
    dtype = spec.document.emit.dtype
    problems = []
    for entry, actions in zip(spec.document.layers, spec.actions, strict=True):
        family = LAYERS[entry.family]
        if family.resolve is None:
            raise ValueError(f"a spec with the layer family {entry.family!r} was loaded")
        problems.append(family.resolve(entry, actions, dtype))
    return tuple(problems)


@register_layer("polynomial", "all equivariant polynomials of given degrees")
def resolve_polynomial(entry: PolynomialLayer, actions: LayerActions, dtype: str) -> LayerProblem:
    """Pose the problem of a polynomial layer."""
    return LayerProblem(
        name=entry.name,
        group=actions.group,
        input=actions.input,
        output=actions.output,
        degrees=list_degrees(entry),
        channels=_resolve_channels(entry.channels),
        form=entry.form,
        dtype=dtype,
    )


def _resolve_channels(entry: ChannelsEntry) -> Channels:
    if not isinstance(entry.inputs, int):
        raise ValueError("a spec with several inputs was loaded")
    return Channels(entry.inputs, entry.outputs, entry.mixing, entry.rank)


for _name, _summary in _LATER:
    LAYERS.add(_name, LayerFamily(_name, f"{_summary} (not yet served)"))
