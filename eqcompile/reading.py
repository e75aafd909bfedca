"""Read untrusted plain data into pydantic models, and say what is wrong in our own words."""

from __future__ import annotations

from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from eqcompile.errors import PathPart, Refusal, Refusals
from eqcompile.registry import nearest

M = TypeVar("M", bound=BaseModel)

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
    "none_required": "nothing",
}


def refuse_value(rule: str, text: str, help: str) -> PydanticCustomError:
    """Return what a validator raises so that `read_model` reports this rule, text and remedy."""
    # Braces in the text would be read as a template, so text and help travel as its context.
    return PydanticCustomError("refused", "{text}", {"rule": rule, "text": text, "help": help})


def read_model(model: type[M], value: object) -> M:
    """Validate ``value`` against ``model``.

    Raises:
        Refusals: One refusal per thing that is wrong, with ``at`` inside ``value``.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise Refusals(tuple(_explain(model, details) for details in found)) from None


def spell_value(value: object) -> str:
    """Write an offending value on one short line."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    spelled = repr(value)
    return spelled if len(spelled) <= 40 else spelled[:37] + "..."


def _explain(model: type[BaseModel], details: ErrorDetails) -> Refusal:
    """Turn one pydantic error into a refusal."""
    at: tuple[PathPart, ...] = tuple(details["loc"])
    kind, context, value = details["type"], details.get("ctx", {}), details["input"]
    if kind == "refused":
        return Refusal(context["rule"], context["text"], context["help"], at)
    if kind == "missing":
        return Refusal("missing-key", f"the key {at[-1]!r} is missing", f"add {at[-1]!r}", at[:-1])
    if kind == "extra_forbidden":
        return _explain_extra(model, at)
    if kind in _EXPECTED:
        wanted = _EXPECTED[kind]
        return Refusal(
            "type", f"expected {wanted}, found {spell_value(value)}", f"write {wanted}", at
        )
    if kind in ("literal_error", "enum"):
        return _explain_choice(model, at, value, context)
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = context.get("ge", context.get("le"))
        side = "at least" if kind == "greater_than_equal" else "at most"
        return Refusal(
            "range", f"expected {side} {bound}, found {value}", f"write {side} {bound}", at
        )
    if kind in ("too_short", "too_long"):
        side, bound = (
            ("at least", context["min_length"])
            if kind == "too_short"
            else ("at most", context["max_length"])
        )
        text = f"expected {side} {bound} entries, found {context['actual_length']}"
        return Refusal("length", text, f"write {side} {bound}", at)
    return Refusal("value", details["msg"], "see `eqcompile schema`", at)


def _explain_extra(model: type[BaseModel], at: tuple[PathPart, ...]) -> Refusal:
    known = _list_fields(model, at[:-1])
    close = nearest(str(at[-1]), known)
    text = f"unknown key {at[-1]!r}" + (f"; known: {', '.join(known)}" if known else "")
    help = f"did you mean {close!r}?" if close else f"remove {at[-1]!r}"
    return Refusal("unknown-key", text, help, at)


def _explain_choice(
    model: type[BaseModel], at: tuple[PathPart, ...], value: object, context: dict[str, Any]
) -> Refusal:
    annotation = _find_annotation(model, at)
    choices = [str(c) for c in get_args(annotation)] if annotation is not None else []
    listed = ", ".join(choices) or str(context.get("expected", ""))
    close = nearest(str(value), choices)
    help = f"did you mean {close!r}?" if close else f"use one of: {listed}"
    return Refusal("choice", f"expected one of {listed}; found {spell_value(value)}", help, at)


def _find_annotation(model: type[BaseModel], at: tuple[PathPart, ...]) -> Any:
    """Return the annotation of the field a path leads to, None where it cannot be followed."""
    here: Any = model
    for part in at:
        if isinstance(part, int):
            arguments = get_args(here)
            here = arguments[0] if arguments else None
        elif isinstance(here, type) and issubclass(here, BaseModel) and part in here.model_fields:
            here = here.model_fields[part].annotation
        else:
            return None
    return here


def _list_fields(model: type[BaseModel], at: tuple[PathPart, ...]) -> list[str]:
    """List the keys of the mapping a path leads to."""
    here = _find_annotation(model, at)
    candidates = [here, *get_args(here)]
    for candidate in candidates:
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return list(candidate.model_fields)
    return []
