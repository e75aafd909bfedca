"""What entries of a spec have in common: keys, sizes, expressions and images of generators."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Strict,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic.config import JsonDict

from eqcompile.actions.group import GroupEntry
from eqcompile.actions.written import WrittenPermutation, WrittenSigned
from eqcompile.actions.written_matrices import WrittenMatrix
from eqcompile.reading import refuse_value, spell_value
from eqcompile.spec.names import Name

IMAGE_KEYS = ("permutations", "signed_permutations", "matrices", "lie_algebra")


class Entry(BaseModel):
    """A mapping of the spec: unknown keys and silent conversions are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _read_expression(value: object) -> str:
    """Accept a representation expression; YAML reads a lone 1 as a number."""
    if isinstance(value, str):
        return value
    if value == 1 and not isinstance(value, bool | float):
        return "1"
    text = f"expected a representation, found {spell_value(value)}"
    raise refuse_value("type", text, "write an expression such as Sym(V, 2), or images")


def _kind_of_action(value: object) -> str:
    if isinstance(value, list):
        return "<list of images>"
    if isinstance(value, dict):
        names = not set(value) <= set(IMAGE_KEYS) or not value
        return "<named inputs>" if names else "<images>"
    return "<expression>"


def _kind_of_output(value: object) -> str:
    kind = _kind_of_action(value)
    return "<images>" if kind == "<named inputs>" else kind


Expression = Annotated[
    str,
    PlainValidator(_read_expression),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer", "const": 1}]}),
]
Permutations = Annotated[tuple[WrittenPermutation, ...], Strict(False), Field(min_length=1)]
Matrices = Annotated[tuple[WrittenMatrix, ...], Strict(False)]

_IMAGE_CHOICE: JsonDict = {
    "oneOf": [
        {"required": ["permutations"]},
        {"required": ["signed_permutations"]},
        {"anyOf": [{"required": ["matrices"]}, {"required": ["lie_algebra"]}]},
    ]
}


class Images(Entry):
    """One image per generator of the group, in its order."""

    model_config = ConfigDict(json_schema_extra=_IMAGE_CHOICE)

    permutations: Permutations | None = Field(default=None, description="cycles or lists of images")
    signed_permutations: (
        Annotated[tuple[WrittenSigned, ...], Strict(False), Field(min_length=1)] | None
    ) = Field(default=None, description="mappings with perm and signs")
    matrices: Matrices | None = Field(default=None, description="rows, or sparse")
    lie_algebra: Matrices | None = Field(default=None, description="rows, or sparse")

    @model_validator(mode="after")
    def _check_kind(self) -> Images:
        given = [key for key in IMAGE_KEYS if getattr(self, key) is not None]
        if len(given) != 1 and given != ["matrices", "lie_algebra"]:
            text = f"images are of one kind, found {' and '.join(given) or 'none'}"
            help = "write permutations, signed_permutations, or matrices with lie_algebra"
            raise refuse_value("images-kind", text, help)
        return self


class NamedRepresentation(Images):
    """An entry under ``representations:``."""

    of: GroupEntry = Field(description="the group, a name or a family")


Action = Annotated[
    Annotated[Expression, Tag("<expression>")]
    | Annotated[Permutations, Tag("<list of images>")]
    | Annotated[Images, Tag("<images>")],
    Discriminator(_kind_of_output),
]
_NOT_IMAGES: JsonDict = {"not": {"propertyNames": {"enum": list(IMAGE_KEYS)}}}
NamedInputs = Annotated[dict[Name, Action], Field(min_length=1, json_schema_extra=_NOT_IMAGES)]
InputAction = Annotated[
    Annotated[Expression, Tag("<expression>")]
    | Annotated[Permutations, Tag("<list of images>")]
    | Annotated[Images, Tag("<images>")]
    | Annotated[NamedInputs, Tag("<named inputs>")],
    Discriminator(_kind_of_action),
]
