"""Homeostatic layers: divisive normalisation whose weights adapt."""

from __future__ import annotations

from typing import Any

from eqcompile.layers.families import register_layer
from eqcompile.layers.neurons import TieBuilder, measure_neurons
from eqcompile.layers.parameters import Parameter, ParameterisedProblem
from eqcompile.layers.problem import LayerProblem
from eqcompile.spec.neurons import NeuronActions
from eqcompile.spec.parameterised import HomeostaticLayer


@register_layer("homeostatic", "R_i = r_i / (sigma^2 + (W r)_i / n), W adapted by what it sees")
def resolve_homeostatic(
    entry: HomeostaticLayer, actions: NeuronActions | None, dtype: str
) -> ParameterisedProblem:
    """Pose the problem of a homeostatic layer."""
    n, _, square = measure_neurons(entry.size)
    options: dict[str, Any] = {
        "sigma": float(entry.sigma),
        "alpha": float(entry.alpha),
        "leak": float(entry.leak),
        "allow_unstable": entry.allow_unstable,
    }
    ties: tuple[LayerProblem, ...] = ()
    if actions is not None:
        builder = TieBuilder(entry.name, actions)
        ties = (builder.tie_rows("weights", actions.inputs, actions.outputs),)
    return ParameterisedProblem(
        name=entry.name,
        family=entry.family,
        formula=_write_formula(options),
        n_in=n,
        n_out=n,
        square=square,
        dtype=dtype,
        options=tuple(sorted(options.items())),
        parameters=(
            Parameter("weights", (n, n), "how the neurons normalise each other"),
            Parameter("target", (n, n), "products of responses that the weights adapt to"),
            Parameter("calibrated", (), "whether there is a target"),
        ),
        group=actions.group if actions is not None else None,
        ties=ties,
    )


def _write_formula(options: dict[str, Any]) -> str:
    leak = options["leak"]
    back = "" if leak == 0 else f" {'-' if leak > 0 else '+'} {abs(leak):g} (W - C)"
    return (
        f"R_i = r_i / ({options['sigma'] ** 2:g} + (W r)_i / n), "
        f"W <- W + {options['alpha']:g} (R R^T - C){back}"
    )
