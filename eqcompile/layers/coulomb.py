"""Coulomb and distance-product layers: weights of the charges and positions of two neurons."""

from __future__ import annotations

from typing import Any

from eqcompile.layers.families import register_layer
from eqcompile.layers.neurons import TieBuilder, measure_neurons
from eqcompile.layers.parameters import Parameter, ParameterisedProblem, Points
from eqcompile.layers.problem import LayerProblem
from eqcompile.spec.neurons import NeuronActions
from eqcompile.spec.parameterised import CoulombLayer, DistanceLayer, PositionPair, Softening
from eqcompile.spec.placements import find_centre


@register_layer("distance_product", "w_ij = <mu_i, mu_j> |x_i - x_j|^2")
@register_layer("coulomb", "w_ij = <mu_i, mu_j> / (|x_i - x_j|^2 + softening)")
def resolve_coulomb(
    entry: CoulombLayer | DistanceLayer, actions: NeuronActions | None, dtype: str
) -> ParameterisedProblem:
    """Pose the problem of a layer of charges and positions."""
    n_in, n_out, square = measure_neurons(entry.size)
    options = _list_options(entry, square)
    return ParameterisedProblem(
        name=entry.name,
        family=entry.family,
        formula=_write_formula(options),
        n_in=n_in,
        n_out=n_out,
        square=square,
        dtype=dtype,
        options=tuple(sorted(options.items())),
        parameters=_list_parameters(options, n_in, n_out),
        positions=_list_positions(entry, actions),
        group=actions.group if actions is not None else None,
        ties=() if actions is None else _tie(entry.name, options, actions),
        orbitals=None if actions is None else TieBuilder(entry.name, actions).tie_weights(),
    )


def _list_options(entry: CoulombLayer | DistanceLayer, square: bool) -> dict[str, Any]:
    softening, learnt = 0.0, False
    if isinstance(entry, CoulombLayer):
        given = entry.softening
        written = given if isinstance(given, Softening) else Softening(value=given)
        softening, learnt = written.value, written.learnable
    positions = "learn"
    if entry.positions is not None:
        positions = "start" if entry.positions.learnable else "given"
    return {
        "square": square,
        "dims": (entry.dims.mu, entry.dims.x),
        "kernel": "inverse" if isinstance(entry, CoulombLayer) else "product",
        "exponent": float(entry.exponent),
        "softening": float(softening),
        "learn_softening": learnt,
        "signature": entry.signature or (),
        "diagonal": entry.diagonal,
        "bias": entry.bias,
        "positions": positions,
    }


def _write_formula(options: dict[str, Any]) -> str:
    """Write the weights as people would: ``w_ij = <mu_i, mu_j> / (|x_i - x_j|^2 + 0.1)``."""
    other, place = ("mu_j", "x_j") if options["square"] else ("nu_j", "y_j")
    charges = f"<mu_i, {other}>" + ("_S" if options["signature"] else "")
    distance, exponent = f"|x_i - {place}|", f"{options['exponent']:g}"
    if options["kernel"] == "product":
        weights = f"{charges} {distance}" + ("" if exponent == "1" else f"^{exponent}")
    else:
        weights = f"{charges} / {_write_distance(distance, options)}"
    if not options["square"]:
        return f"w_ij = {weights}"
    diagonal = {"none": "0", "free": "diagonal_i", "chemistry": "0.5 |mu_i|^2.4"}
    return f"w_ij = {weights}, w_ii = {diagonal[options['diagonal']]}"


def _write_distance(distance: str, options: dict[str, Any]) -> str:
    """Write what a Coulomb layer divides by."""
    if not options["softening"]:
        return f"{distance}^{options['exponent']:g}"
    softening = "softening" if options["learn_softening"] else f"{options['softening']:g}"
    power = f"{options['exponent'] / 2:g}"
    return f"({distance}^2 + {softening})" + ("" if power == "1" else f"^{power}")


def _list_parameters(options: dict[str, Any], n_in: int, n_out: int) -> tuple[Parameter, ...]:
    d, p = options["dims"]
    where = "" if options["square"] else " out"
    found = [Parameter("mu", (n_out, d), f"charges of the neurons{where}")]
    if options["positions"] != "given":
        found.append(Parameter("x", (n_out, p), f"positions of the neurons{where}"))
    if not options["square"]:
        found.append(Parameter("nu", (n_in, d), "charges of the neurons in"))
        if options["positions"] != "given":
            found.append(Parameter("y", (n_in, p), "positions of the neurons in"))
    if options["learn_softening"]:
        found.append(Parameter("raw_softening", (), "softplus of it is the softening"))
    if options["diagonal"] == "free":
        found.append(Parameter("diagonal", (n_out,), "weights of the neurons to themselves"))
    if options["bias"]:
        found.append(Parameter("bias", (n_out,), "what is added to the output"))
    return tuple(found)


def _list_positions(
    entry: CoulombLayer | DistanceLayer, actions: NeuronActions | None
) -> tuple[tuple[str, Points], ...]:
    """Return given positions; about the centre of the group where there is one."""
    if entry.positions is None:
        return ()
    values = entry.positions.values
    if isinstance(values, PositionPair):
        sides = [("x", values.outputs), ("y", values.inputs)]
    else:
        sides = [("x", values)]
    centre = None if actions is None else find_centre(entry, actions)
    if centre is None:
        return tuple(sides)
    return tuple((name, _shift(rows, centre)) for name, rows in sides)


def _shift(rows: Points, centre: tuple[float, ...]) -> Points:
    return tuple(tuple(a - b for a, b in zip(row, centre, strict=True)) for row in rows)


def _tie(name: str, options: dict[str, Any], actions: NeuronActions) -> tuple[LayerProblem, ...]:
    """Pose the ties: charges carry the signs of the neurons, positions and diagonal do not."""
    builder = TieBuilder(name, actions)
    columns = dict(actions.columns)
    found = [builder.tie_rows("mu", actions.outputs, columns["mu"])]
    fixed = options["positions"] == "given"
    if not fixed:
        found.append(builder.tie_rows("x", actions.outputs, columns["x"], signed=False))
    if not options["square"]:
        found.append(builder.tie_rows("nu", actions.inputs, columns["mu"]))
        if not fixed:
            found.append(builder.tie_rows("y", actions.inputs, columns["x"], signed=False))
    if options["diagonal"] == "free":
        found.append(builder.tie_vector("diagonal", actions.outputs, signed=False))
    if options["bias"]:
        found.append(builder.tie_vector("bias", actions.outputs))
    return tuple(found)
