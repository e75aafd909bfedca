"""Spectral layers: weights, or symmetric tensors, of a few directions."""

from __future__ import annotations

from typing import Any

from eqcompile.layers.families import register_layer
from eqcompile.layers.neurons import TieBuilder, measure_neurons
from eqcompile.layers.parameters import Parameter, ParameterisedProblem
from eqcompile.layers.problem import LayerProblem
from eqcompile.spec.neurons import NeuronActions
from eqcompile.spec.parameterised import SpectralLayer


@register_layer("spectral", "W = Q diag(lam) Q^T, or a tensor of directions of higher order")
def resolve_spectral(
    entry: SpectralLayer, actions: NeuronActions | None, dtype: str
) -> ParameterisedProblem:
    """Pose the problem of a spectral layer."""
    n_in, n_out, square = measure_neurons(entry.size)
    options: dict[str, Any] = {
        "square": square and not entry.asymmetric,
        "rank": entry.rank,
        "order": entry.order,
        "constraint": entry.constraint,
        "imbalance": float(entry.imbalance),
        "bias": entry.bias,
    }
    return ParameterisedProblem(
        name=entry.name,
        family=entry.family,
        formula=_write_formula(options),
        n_in=n_in,
        n_out=n_out,
        square=options["square"],
        dtype=dtype,
        options=tuple(sorted(options.items())),
        parameters=_list_parameters(options, n_in, n_out),
        group=actions.group if actions is not None else None,
        ties=() if actions is None else _tie(entry.name, options, actions),
        orbitals=None if actions is None else TieBuilder(entry.name, actions).tie_weights(),
    )


def _write_formula(options: dict[str, Any]) -> str:
    left, right = ("q", "q") if options["square"] else ("u", "v")
    if options["order"] == 2:
        formula = f"W = {left.upper()} diag(lam) {right.upper()}^T"
    else:
        formula = f"f(z) = sum_k lam_k {left}_k <{right}_k, z>^{options['order'] - 1}"
    sides = " and ".join(dict.fromkeys((left.upper(), right.upper())))
    said = {
        "none": "",
        "column_norm": f", columns of {sides} of length 1",
        "qr": f", columns of {sides} orthonormal",
    }
    return formula + said[options["constraint"]]


def _list_parameters(options: dict[str, Any], n_in: int, n_out: int) -> tuple[Parameter, ...]:
    rank = options["rank"]
    if options["square"]:
        found = [Parameter("q", (n_out, rank), "directions, one per column")]
    else:
        found = [
            Parameter("u", (n_out, rank), "directions out, one per column"),
            Parameter("v", (n_in, rank), "directions in, one per column"),
        ]
    found.append(Parameter("lam", (rank,), "one factor per direction"))
    if options["bias"]:
        found.append(Parameter("bias", (n_out,), "what is added to the output"))
    return tuple(found)


def _tie(name: str, options: dict[str, Any], actions: NeuronActions) -> tuple[LayerProblem, ...]:
    """Pose the ties: the factors go with the directions, with their signs to the order."""
    builder = TieBuilder(name, actions)
    directions = dict(actions.columns)["q"]
    sides = {"q": actions.outputs}
    if not options["square"]:
        sides = {"u": actions.outputs, "v": actions.inputs}
    found = [builder.tie_rows(side, neurons, directions) for side, neurons in sides.items()]
    even = options["order"] % 2 == 0
    found.append(builder.tie_vector("lam", directions, signed=not even))
    if options["bias"]:
        found.append(builder.tie_vector("bias", actions.outputs))
    return tuple(found)
