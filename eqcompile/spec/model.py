"""The spec language as pydantic models: one source for validation and for the JSON Schema.

What this version does not serve is in the language all the same; `eqcompile.spec.unserved` refuses
it by name.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Strict,
    Tag,
    WithJsonSchema,
    model_validator,
)

from eqcompile.actions.group import GroupEntry
from eqcompile.actions.written_matrices import Rows
from eqcompile.reading import refuse_value, shorten, spell_value
from eqcompile.registry import nearest
from eqcompile.spec.entries import Action, Entry, InputAction, NamedRepresentation
from eqcompile.spec.names import ActionName, LayerName, Name, PackageName
from eqcompile.spec.parameterised import (
    CoulombLayer,
    DistanceLayer,
    HomeostaticLayer,
    SpectralLayer,
)

MAX_DEGREE = 12
MAX_CHANNELS = 65_536
MAX_LAYERS = 1000

FAMILIES = ("polynomial", "coulomb", "distance_product", "spectral", "homeostatic")
FORMS = ("auto", "dense", "monomial", "orbital", "lifted", "weight-first", "sparse", "spectral")

Form = Literal[
    "auto", "dense", "monomial", "orbital", "lifted", "weight-first", "sparse", "spectral"
]
Dtype = Literal["float16", "bfloat16", "float32", "float64"]


def _read_version(value: object) -> int:
    if value != 1 or isinstance(value, bool | float):
        text = f"expected version 1 of the spec language, found {spell_value(value)}"
        raise refuse_value("choice", text, "write 1")
    return 1


def _check_family(value: object) -> object:
    if isinstance(value, str) and value not in FAMILIES:
        close = nearest(value, list(FAMILIES))
        known = ", ".join(FAMILIES)
        text = f"unknown layer family {shorten(value)!r}; known: {known}"
        help = f"did you mean {close!r}?" if close else f"use one of: {known}"
        raise refuse_value("unknown-layer-family", text, help)
    return value


def _check_distinct(degrees: tuple[Any, ...]) -> tuple[Any, ...]:
    for i, degree in enumerate(degrees):
        if degree in degrees[:i]:
            spelled = spell_value(degree) if not isinstance(degree, dict) else str(degree)
            text = f"the degree {spelled} is listed twice"
            raise refuse_value("duplicate-degree", text, "list each degree once")
    return degrees


def _kind_of_layer(value: object) -> str:
    family = value.get("family", "polynomial") if isinstance(value, dict) else "polynomial"
    known = family if isinstance(family, str) and family in FAMILIES else "polynomial"
    return f"<{known}>"


Degree = Annotated[int, Field(ge=0, le=MAX_DEGREE)]
Count = Annotated[int, Field(ge=1, le=MAX_CHANNELS)]
Version = Annotated[
    int, PlainValidator(_read_version), WithJsonSchema({"type": "integer", "const": 1})
]


class ChannelsEntry(Entry):
    """The channel axis of a layer."""

    inputs: Count | Annotated[dict[Name, Count], Field(min_length=1)] = Field(
        default=1, alias="in", description="channels in, of each input"
    )
    outputs: Count = Field(default=1, alias="out", description="channels out")
    mixing: Literal["full", "channelwise", "depthwise", "factored"] = Field(
        default="full", description="how products mix channels"
    )
    rank: Count | None = Field(default=None, description="number of products, factored only")

    @model_validator(mode="after")
    def _check_mixing(self) -> ChannelsEntry:
        inputs = [self.inputs] if isinstance(self.inputs, int) else list(self.inputs.values())
        if self.mixing == "depthwise" and any(c != self.outputs for c in inputs):
            here = f"here {' and '.join(map(str, (*inputs, self.outputs)))}"
            text = f"a depthwise layer has as many channels in as out, {here}"
            raise refuse_value("channels", text, f"write in: {self.outputs}, out: {self.outputs}")
        if self.mixing == "factored" and self.rank is None:
            text = "a factored layer needs its rank, the number of products"
            raise refuse_value("channels", text, "add for example rank: 8")
        if self.mixing != "factored" and self.rank is not None:
            text = f"rank belongs to factored layers, this one is {self.mixing}"
            raise refuse_value("channels", text, "write mixing: factored, or leave rank out")
        return self


class ConservedRows(Entry):
    """Rows that are conserved, of one of several inputs."""

    rows: Rows = Field(description="rows M with M f(x) = M x")
    input: Name = Field(description="the input x")


class ConstraintEntry(Entry):
    """A further linear constraint on the coefficients, written as a mapping."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    conserve: Rows | ConservedRows | None = Field(
        default=None, description="rows M with M f(x) = M x, and of which input if it has several"
    )
    symmetric: bool | None = Field(default=None, description="a symmetric linear part")
    zero_diagonal: bool | None = Field(default=None, description="a linear part with diagonal 0")

    @model_validator(mode="after")
    def _check_kind(self) -> ConstraintEntry:
        if len(self.model_fields_set) != 1:
            text = f"expected one kind of constraint, found {len(self.model_fields_set)}"
            raise refuse_value("length", text, "write conserve, symmetric or zero_diagonal")
        return self


class PolynomialLayer(Entry):
    """The most general equivariant polynomial of some degrees."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["degree"]}, {"required": ["degrees"]}]}
    )

    name: LayerName = Field(description="class name in the package")
    family: Annotated[Literal["polynomial"], BeforeValidator(_check_family)] = "polynomial"
    group: GroupEntry = Field(description="a name from groups, or a family")
    input: InputAction = Field(description="an expression such as V, images, or inputs by name")
    output: Action = Field(description="an expression such as V, or images")
    degree: Degree | None = Field(default=None, description="all total degrees from 0 to this one")
    degrees: (
        Annotated[
            tuple[Degree | Annotated[dict[Name, Degree], Field(min_length=1)], ...],
            Strict(False),
            Field(min_length=1, json_schema_extra={"uniqueItems": True}),
            AfterValidator(_check_distinct),
        ]
        | None
    ) = Field(default=None, description="exactly these degrees, total or by input")
    channels: ChannelsEntry = Field(default=ChannelsEntry(), description="the channel axis")
    constraints: Annotated[tuple[str | ConstraintEntry, ...], Strict(False)] = Field(
        default=(), description="further linear constraints on the coefficients"
    )
    parametrisation: Literal["orthonormal", "eliminate"] = "orthonormal"
    form: Form = Field(default="auto", description="the form of the plan")

    @model_validator(mode="after")
    def _check_degrees(self) -> PolynomialLayer:
        if (self.degree is None) == (self.degrees is None):
            text = "a layer has degree or degrees, this one " + ("both" if self.degrees else "none")
            help = "write degree: 2 for all degrees 0..2, or degrees: [2] for degree 2 alone"
            raise refuse_value("degree-or-degrees", text, help)
        return self


LayerEntry = Annotated[
    Annotated[PolynomialLayer, Tag("<polynomial>")]
    | Annotated[CoulombLayer, Tag("<coulomb>")]
    | Annotated[DistanceLayer, Tag("<distance_product>")]
    | Annotated[SpectralLayer, Tag("<spectral>")]
    | Annotated[HomeostaticLayer, Tag("<homeostatic>")],
    Discriminator(_kind_of_layer),
]


class Activation(Entry):
    """A pointwise step of a network."""

    activation: str = Field(description="such as relu")


class NetworkEntry(Entry):
    """Layers in a row."""

    name: LayerName = Field(description="class name in the package")
    layers: Annotated[tuple[Name | Activation, ...], Strict(False), Field(min_length=1)] = Field(
        description="names of layers, and activations"
    )
    symmetry: Literal["layerwise", "reynolds", "composite"] = "layerwise"


class EmitEntry(Entry):
    """How the package is written."""

    dtype: Dtype = Field(default="float32", description="default dtype of the parameters")


class Document(Entry):
    """A whole spec."""

    version: Version = Field(description="version of the spec language, 1")
    package: PackageName = Field(description="name of the emitted Python package")
    groups: dict[ActionName, GroupEntry] = Field(default={}, description="groups to reuse")
    representations: dict[ActionName, NamedRepresentation] = Field(
        default={}, description="representations by their images, for use in expressions"
    )
    layers: Annotated[
        tuple[LayerEntry, ...], Strict(False), Field(min_length=1, max_length=MAX_LAYERS)
    ] = Field(description="the layers of the package")
    networks: Annotated[tuple[NetworkEntry, ...], Strict(False)] = Field(
        default=(), description="networks of these layers"
    )
    emit: EmitEntry = Field(default=EmitEntry(), description="how the package is written")
