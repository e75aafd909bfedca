"""Read untrusted plain data into pydantic models, and say what is wrong in our own words."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, RootModel, Tag, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from eqcompile.errors import PathPart, Refusal, Refusals
from eqcompile.registry import nearest

M = TypeVar("M", bound=BaseModel)

STRUCTURAL_RULES = frozenset(
    {
        "choice",
        "degree-or-degrees",
        "duplicate-degree",
        "group-family",
        "images-kind",
        "length",
        "missing-key",
        "name",
        "range",
        "type",
        "unknown-group",
        "unknown-key",
        "unknown-layer-family",
    }
)
"""Rules about the shape of a spec: what breaks one of them its JSON Schema refuses as well."""

# What pydantic calls a wrong type, and what a writer of a spec calls what should have been there.
_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "a string",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_LENGTHS = {
    "too_short": ("min_length", "at least", ("entry", "entries")),
    "too_long": ("max_length", "at most", ("entry", "entries")),
    "string_too_short": ("min_length", "at least", ("character", "characters")),
    "string_too_long": ("max_length", "at most", ("character", "characters")),
}


@dataclass(frozen=True, slots=True)
class _Tagged:
    """A step of a pydantic location that names the branch of a union, not a place in the data."""

    name: str


@dataclass(frozen=True, slots=True)
class _Found:
    """One error of pydantic: its kind, where it stands, what stood there and its parameters."""

    kind: str
    steps: tuple[PathPart | _Tagged, ...]
    value: object
    parameters: Mapping[str, Any]
    message: str
    on_key: bool = False

    @property
    def at(self) -> tuple[PathPart, ...]:
        return tuple(step for step in self.steps if not isinstance(step, _Tagged))

    @property
    def expected(self) -> str | None:
        """What the schema wants here, if the kind of value is wrong."""
        if self.kind == "expected":
            return str(self.parameters["expected"])
        if self.kind in ("literal_error", "enum"):
            return str(self.parameters["expected"])
        return _EXPECTED.get(self.kind)


def read_model(model: type[M], value: object) -> M:
    """Validate ``value`` against ``model``.

    Raises:
        Refusals: One refusal per thing that is wrong, with ``at`` inside ``value``.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        errors = [e for e in error.errors(include_url=False) if not _counts_valid_only(e)]
        found = _drop_keys_of_unknown([_locate(e, value) for e in errors])
        raise Refusals(tuple(_spell(f, model) for f in _settle(found, 0))) from None


def refuse_value(rule: str, text: str, help: str) -> PydanticCustomError:
    """Return what a validator raises so that `read_model` reports this rule, text and remedy."""
    # Braces in the text would be read as a template, so text and help travel as its context.
    return PydanticCustomError("refused", "{text}", {"rule": rule, "text": text, "help": help})


def spell_value(value: object) -> str:
    """Write an offending value on one short line."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return f"a list of {len(value)}"
        case str():
            return repr(shorten(value))
    return shorten(repr(value))


def shorten(text: str, width: int = 40) -> str:
    """Cut a text from a spec to a length that fits a message."""
    return text if len(text) <= width else text[: width - 3] + "..."


def _counts_valid_only(error: ErrorDetails) -> bool:
    """Whether pydantic finds a list short only because it leaves out the wrong entries."""
    if error["type"] not in ("too_short", "too_long") or not isinstance(error["input"], list):
        return False
    return bool(len(error["input"]) != error["ctx"]["actual_length"])


def _locate(error: ErrorDetails, data: object) -> _Found:
    """Tell the steps that lead into the data from those that name a branch of a union."""
    steps: list[PathPart | _Tagged] = []
    place = data
    loc: tuple[PathPart, ...] = tuple(error["loc"])
    on_key = bool(loc) and loc[-1] == "[key]"
    last = len(loc) - (2 if on_key else 1)
    for i, part in enumerate(loc[: last + 1]):
        inside = _contains(place, part)
        names_key = i == last and (on_key or error["type"] in ("missing", "extra_forbidden"))
        steps.append(part if inside or names_key else _Tagged(str(part)))
        place = place[part] if inside else place  # type: ignore[index]
    return _Found(
        error["type"],
        tuple(steps),
        error.get("input"),
        error.get("ctx") or {},
        error["msg"],
        on_key or error["type"] == "extra_forbidden",
    )


def _drop_keys_of_unknown(found: list[_Found]) -> list[_Found]:
    """Leave out what is said of the keys of a layer whose family nobody knows, but of its name."""
    unknown = {f.at[:-1] for f in found if f.parameters.get("rule") == "unknown-layer-family"}
    return [
        f
        for f in found
        if f.kind not in ("missing", "extra_forbidden")
        or f.at[:-1] not in unknown
        or f.at[-1] == "name"
    ]


def _contains(place: object, part: PathPart) -> bool:
    if isinstance(place, Mapping):
        return part in place
    return isinstance(place, list | tuple) and isinstance(part, int) and 0 <= part < len(place)


def _settle(found: list[_Found], depth: int) -> list[_Found]:
    """Keep, of the branches of each union, the one the value was meant for.

    A branch that takes another kind of value says nothing of interest; if all do, one error
    lists what they take.
    """
    here = [f for f in found if len(f.steps) == depth]
    deeper: dict[PathPart | _Tagged, list[_Found]] = {}
    for f in found:
        if len(f.steps) > depth:
            deeper.setdefault(f.steps[depth], []).append(f)
    branches = [
        _settle(part, depth + 1) for step, part in deeper.items() if isinstance(step, _Tagged)
    ]
    rest = [
        _settle(part, depth + 1) for step, part in deeper.items() if not isinstance(step, _Tagged)
    ]
    return here + [f for part in rest for f in part] + _choose(branches)


def _choose(branches: list[list[_Found]]) -> list[_Found]:
    if len(branches) <= 1:
        return [f for branch in branches for f in branch]
    place = min((f.at for branch in branches for f in branch), key=len)
    meant = [b for b in branches if not any(f.expected and f.at == place for f in b)]
    if meant:
        return meant[0]
    first = branches[0][0]
    wanted = dict.fromkeys(f.expected for b in branches for f in b if f.expected and f.at == place)
    parameters = {"expected": " or ".join(str(w) for w in wanted)}
    return [replace(first, kind="expected", steps=place, parameters=parameters)]


def _spell(found: _Found, model: type[BaseModel]) -> Refusal:
    """Turn an error of pydantic into a refusal."""
    at, kind, ctx = found.at, found.kind, found.parameters
    if kind == "missing":
        return _spell_missing(at, _find_field(model, found.steps))
    if kind == "extra_forbidden":
        return _spell_unknown(found, model)
    if kind in ("literal_error", "enum", "union_tag_invalid"):
        return _spell_choice(found)
    if kind == "refused":
        return Refusal(ctx["rule"], ctx["text"], ctx["help"], at, on_key=found.on_key)
    if found.expected:
        text = f"expected {found.expected}, found {spell_value(found.value)}"
        return Refusal("type", text, _suggest(found), at, on_key=found.on_key)
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        bound = int(ctx[key]) if _is_whole(ctx[key]) else ctx[key]
        text = f"expected {words} {bound}, found {found.value}"
        return Refusal("range", text, f"write {words} {bound}", at)
    if kind in _LENGTHS:
        key, words, what = _LENGTHS[kind]
        size = len(found.value) if isinstance(found.value, str | list | tuple | dict) else 0
        text = f"expected {words} {ctx[key]} {what[ctx[key] != 1]}, found {size}"
        return Refusal("length", text, f"write {words} {ctx[key]}", at, on_key=found.on_key)
    text = re.sub(r"^(Value|Assertion) error,\s*", "", found.message)
    return Refusal("value", text, "see `eqcompile schema`", at, on_key=found.on_key)


def _is_whole(value: object) -> bool:
    return isinstance(value, float) and value.is_integer()


def _suggest(found: _Found) -> str:
    value, expected = found.value, str(found.expected)
    if expected == "a whole number" and _is_whole(value):
        return f"write {int(value)} without a decimal point"  # type: ignore[call-overload]
    if isinstance(value, str) and "whole number" in expected and re.fullmatch(r"[-+]?\d+", value):
        return "remove the quotes"
    return f"write {expected}"


def _spell_missing(at: tuple[PathPart, ...], field: FieldInfo | None) -> Refusal:
    key = at[-1]
    what = f": {field.description}" if field is not None and field.description else ""
    return Refusal("missing-key", f"the key {key!r} is missing", f"add {key!r}{what}", at[:-1])


def _spell_unknown(found: _Found, model: type[BaseModel]) -> Refusal:
    key = str(found.at[-1])
    owner = _find_model(model, found.steps[:-1])
    known = [f.alias or name for name, f in owner.model_fields.items()] if owner else []
    close = nearest(key, known)
    text = f"unknown key {shorten(key)!r}" + (f"; known: {', '.join(known)}" if known else "")
    help_ = f"did you mean {close!r}?" if close else f"remove {shorten(key)!r}"
    return Refusal("unknown-key", text, help_, found.at, on_key=True)


def _spell_choice(found: _Found) -> Refusal:
    expected = str(found.parameters.get("expected") or found.parameters.get("expected_tags"))
    known = re.findall(r"'([^']*)'", expected)
    value = found.parameters.get("tag", found.value)
    close = nearest(value, known) if isinstance(value, str) else None
    text = f"expected {expected}, found {spell_value(value)}"
    help_ = f"did you mean {close!r}?" if close else f"write {expected}"
    return Refusal("choice", text, help_, found.at)


def _find_model(model: Any, steps: Sequence[PathPart | _Tagged]) -> type[BaseModel] | None:
    """Return the model that reads the value at ``steps``."""
    place = model
    for step in steps:
        place = _descend(place, step)
    place = _strip(place)
    return place if isinstance(place, type) and issubclass(place, BaseModel) else None


def _find_field(model: Any, steps: Sequence[PathPart | _Tagged]) -> FieldInfo | None:
    owner = _find_model(model, steps[:-1])
    fields = owner.model_fields if owner else {}
    return next((f for name, f in fields.items() if (f.alias or name) == steps[-1]), None)


def _strip(annotation: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if isinstance(annotation, type) and issubclass(annotation, RootModel):
        return _strip(annotation.model_fields["root"].annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        options = [a for a in get_args(annotation) if a is not type(None)]
        return _strip(options[0]) if len(options) == 1 else annotation
    return annotation


def _descend(annotation: Any, step: PathPart | _Tagged) -> Any:
    """Return the annotation one step further in: a field, an entry or a branch of a union."""
    annotation = _strip(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        if isinstance(step, _Tagged):
            return next((o for o in arguments if _is_branch(o, step.name)), None)
        return None
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        return next((_rebuild(f) for name, f in fields if (f.alias or name) == step), None)
    if origin in (list, tuple):
        return arguments[0]
    if origin is dict:
        return arguments[1]
    return None


def _rebuild(field: FieldInfo) -> Any:
    return field.annotation


def _is_branch(option: Any, label: str) -> bool:
    """Whether pydantic calls this branch of a union so: by its tag, its name or its validator's."""
    if any(m.tag == label for m in getattr(option, "__metadata__", ()) if isinstance(m, Tag)):
        return True
    name = getattr(_strip(option), "__name__", None)
    return name is not None and (label == name or label.endswith(f", {name}]"))
