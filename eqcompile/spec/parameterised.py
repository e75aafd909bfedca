"""Parameterised layers in the spec: coulomb, distance_product, spectral, homeostatic."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, Strict, WithJsonSchema

from eqcompile.actions.group import GroupEntry
from eqcompile.errors import Refusal
from eqcompile.exact.scalars import parse_scalar
from eqcompile.reading import refuse_value, shorten, spell_value
from eqcompile.spec.entries import Action, Entry
from eqcompile.spec.names import LayerName

MAX_SIZE = 10_000_000
MAX_DENSE = 16_384
"""Neurons of a layer whose weights are stored as they are."""
MAX_DIM = 4096
MAX_EXPONENT = 16
MAX_ORDER = 6
MAX_SCALE = 1_000_000
MAX_COORDINATE = 1_000_000_000

Size = Annotated[int, Field(ge=1, le=MAX_SIZE)]
DenseSize = Annotated[int, Field(ge=1, le=MAX_DENSE)]
Dim = Annotated[int, Field(ge=1, le=MAX_DIM)]
Positive = Annotated[float, Field(gt=0, le=MAX_SCALE)]
NotNegative = Annotated[float, Field(ge=0, le=MAX_SCALE)]
Exponent = Annotated[float, Field(gt=0, le=MAX_EXPONENT)]
Order = Annotated[int, Field(ge=2, le=MAX_ORDER)]
Leak = Annotated[float, Field(ge=-MAX_SCALE, le=MAX_SCALE)]


_SMALLER = "measure positions in a larger unit"


def _read_sign(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value not in (1, -1):
        text = f"expected 1 or -1, found {spell_value(value)}"
        raise refuse_value("choice", text, "write 1 or -1")
    return value


def _read_expression(text: str) -> float:
    """Read a coordinate from an exact expression."""
    try:
        value = float(parse_scalar(text))
    except Refusal as refusal:
        raise refuse_value(refusal.rule, refusal.text, refusal.help) from None
    if not abs(value) <= MAX_COORDINATE:
        found = f"{shorten(text)} is beyond {MAX_COORDINATE}, the largest coordinate there is"
        raise refuse_value("scalar", found, _SMALLER)
    return value


def _read_coordinate(value: object) -> float:
    """Read a coordinate: a number, or an exact expression."""
    if isinstance(value, str):
        return _read_expression(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        text = f"expected a number, found {spell_value(value)}"
        raise refuse_value("type", text, 'write a number, or an expression such as "sqrt(3)/2"')
    if not abs(value) <= MAX_COORDINATE:
        text = f"expected a coordinate of at most {MAX_COORDINATE}, found {value}"
        raise refuse_value("range", text, _SMALLER)
    return float(value)


Sign = Annotated[
    int, PlainValidator(_read_sign), WithJsonSchema({"type": "integer", "enum": [1, -1]})
]
_NUMBER = {"type": "number", "minimum": -MAX_COORDINATE, "maximum": MAX_COORDINATE}
Coordinate = Annotated[
    float,
    PlainValidator(_read_coordinate),
    WithJsonSchema({"anyOf": [_NUMBER, {"type": "string"}]}),
]
Points = Annotated[
    tuple[Annotated[tuple[Coordinate, ...], Strict(False), Field(min_length=1)], ...],
    Strict(False),
    Field(min_length=1),
]
Signature = Annotated[tuple[Sign, ...], Strict(False), Field(min_length=1)]


class Rectangle(Entry):
    """A layer with two sets of neurons."""

    inputs: Size = Field(alias="in", description="neurons in")
    outputs: Size = Field(alias="out", description="neurons out")


class CoulombDims(Entry):
    """Dimensions of the parameters of a coulomb layer."""

    mu: Dim = Field(description="dimension of mu")
    x: Dim = Field(description="dimension of the positions")


class Softening(Entry):
    """A softening, fixed or learnt."""

    value: NotNegative = Field(description="what it is, or starts as")
    learnable: bool = Field(default=False, description="whether it is trained")


class PositionPair(Entry):
    """Positions of both sets of neurons of a rectangular layer."""

    inputs: Points = Field(alias="in", description="one row per neuron in")
    outputs: Points = Field(alias="out", description="one row per neuron out")


class Positions(Entry):
    """Given positions."""

    values: Points | PositionPair = Field(description="one row per neuron")
    learnable: bool = Field(default=False, description="whether they are trained from there")


class ActionsEntry(Entry):
    """How the group acts on the neurons; V where it is left out."""

    neurons: Action | None = Field(default=None, description="action on the neurons")
    inputs: Action | None = Field(
        default=None, alias="in", description="action on the neurons in, of a rectangular layer"
    )
    outputs: Action | None = Field(
        default=None, alias="out", description="action on the neurons out, of a rectangular layer"
    )


class CoulombActionsEntry(ActionsEntry):
    """How the group acts on a coulomb layer; trivially on mu and x where it is left out."""

    mu: Action | None = Field(default=None, description="action on the columns of mu")
    x: Action | None = Field(default=None, description="action on the coordinates of positions")


class SpectralActionsEntry(ActionsEntry):
    """How the group acts on a spectral layer; trivially on q where it is left out."""

    q: Action | None = Field(default=None, description="action on the directions")


class HomeostaticActionsEntry(Entry):
    """How the group acts on a homeostatic layer."""

    neurons: Action | None = Field(default=None, description="action on the neurons")


class PairLayer(Entry):
    """A layer whose weights are a function of the charges and positions of two neurons."""

    name: LayerName = Field(description="class name in the package")
    family: Any
    size: Size | Rectangle = Field(description="number of neurons")
    dims: CoulombDims = Field(description="dimensions of mu and x")
    exponent: Exponent = Field(default=2.0, description="power of the distance")
    signature: Signature | None = Field(
        default=None, description="1 or -1 per component of mu, for an indefinite inner product"
    )
    diagonal: Literal["none", "free", "chemistry"] = Field(
        default="none", description="w_ii, of one set of neurons"
    )
    bias: bool = Field(default=False, description="whether there is a bias")
    positions: Positions | None = Field(default=None, description="given positions")
    group: GroupEntry | None = Field(default=None, description="a group over the neurons")
    actions: CoulombActionsEntry | None = Field(default=None, description="how the group acts")


class CoulombLayer(PairLayer):
    """``w_ij = <mu_i, mu_j> / (|x_i - x_j|^2 + softening)``."""

    family: Literal["coulomb"] = Field(description="the family")
    softening: NotNegative | Softening = Field(
        default=0.1, description="what is added to the squared distance"
    )


class DistanceLayer(PairLayer):
    """``w_ij = <mu_i, mu_j> |x_i - x_j|^2``."""

    family: Literal["distance_product"] = Field(description="the family")


class SpectralLayer(Entry):
    """``W = Q diag(lam) Q^T``, or ``U diag(lam) V^T``."""

    name: LayerName = Field(description="class name in the package")
    family: Literal["spectral"] = Field(description="the family")
    size: Size | Rectangle = Field(description="number of neurons")
    rank: Dim = Field(description="number of directions")
    order: Order = Field(default=2, description="order of the tensor; 2 for a matrix")
    constraint: Literal["none", "column_norm", "qr"] = Field(
        default="none", description="what holds the directions"
    )
    asymmetric: bool = Field(default=False, description="u and v of their own, on one size")
    imbalance: Positive = Field(default=1.0, description="how much larger u starts than v")
    bias: bool = Field(default=False, description="whether there is a bias")
    group: GroupEntry | None = Field(default=None, description="a group over the neurons")
    actions: SpectralActionsEntry | None = Field(default=None, description="how the group acts")


class HomeostaticLayer(Entry):
    """``R_i = r_i / (sigma^2 + (W r)_i / n)``."""

    name: LayerName = Field(description="class name in the package")
    family: Literal["homeostatic"] = Field(description="the family")
    size: DenseSize = Field(description="number of neurons")
    sigma: Positive = Field(default=1.0, description="the constant of the normalisation")
    alpha: NotNegative = Field(default=0.1, description="rate of adaptation")
    leak: Leak = Field(default=0.0, description="rate at which weights return")
    allow_unstable: bool = Field(default=False, description="whether a leak below 0 is meant")
    group: GroupEntry | None = Field(default=None, description="a group over the neurons")
    actions: HomeostaticActionsEntry | None = Field(default=None, description="how the group acts")


ParameterisedLayer = CoulombLayer | DistanceLayer | SpectralLayer | HomeostaticLayer
PARAMETERISED = (CoulombLayer, DistanceLayer, SpectralLayer, HomeostaticLayer)
MODELS: dict[str, type[ParameterisedLayer]] = {
    "coulomb": CoulombLayer,
    "distance_product": DistanceLayer,
    "spectral": SpectralLayer,
    "homeostatic": HomeostaticLayer,
}
ACTIONS_OF: dict[type[ParameterisedLayer], type[Entry]] = {
    CoulombLayer: CoulombActionsEntry,
    DistanceLayer: CoulombActionsEntry,
    SpectralLayer: SpectralActionsEntry,
    HomeostaticLayer: HomeostaticActionsEntry,
}
