"""What a layer of S_n for any n cannot have: everything that means one number of points."""

from __future__ import annotations

from collections.abc import Iterator

from eqcompile.errors import Refusal, not_yet_served
from eqcompile.exact.multigraphs import Terms
from eqcompile.spec.inputs import list_inputs
from eqcompile.spec.model import PolynomialLayer

WHERE = "for a symmetric group of any size,"


def check_any_size(layer: PolynomialLayer, powers: tuple[Terms, Terms]) -> list[Refusal]:
    """List what a layer of S_n for any n asks for that is not served there."""
    return list(_list_refusals(layer, powers))


def _list_refusals(layer: PolynomialLayer, powers: tuple[Terms, Terms]) -> Iterator[Refusal]:
    if len(list_inputs(layer)) > 1:
        help = "give one input; A + B puts two side by side"
        yield not_yet_served(f"a layer of several inputs, {WHERE}", help, at=("input",))
    if not any(sum(parts) for parts in powers[0]):
        text = "an input without V does not tell the number of points"
        yield Refusal("no-points", text, "use an input with V in it", ("input",))
    if layer.constraints:
        what = f"a further linear constraint, {WHERE}"
        yield not_yet_served(what, "write the number of points", at=("constraints",))
    if layer.form != "auto":
        what = f"the form {layer.form!r}, {WHERE}"
        yield not_yet_served(what, "leave form out", at=("form",))
    if layer.parametrisation != "orthonormal":
        what = f"the parametrisation {layer.parametrisation!r}, {WHERE}"
        yield not_yet_served(what, "leave parametrisation out", at=("parametrisation",))
