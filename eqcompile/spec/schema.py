"""The JSON Schema of a spec, made from the models of the language and of the group families."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

import eqcompile.actions.families  # noqa: F401  (registers the group families)
from eqcompile.actions.group import GROUPS
from eqcompile.spec.model import Document

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a spec.

    A spec that breaks one of `eqcompile.reading.STRUCTURAL_RULES` is invalid under it, and a spec
    that is invalid under it is refused by the loader. Group families are those registered.
    """
    families = [family.arguments for _, family in GROUPS.items()]
    models: list[type[BaseModel]] = [Document, *families]
    names, combined = models_json_schema([(model, "validation") for model in models])
    definitions = _tidy(combined["$defs"])
    references = [names[model, "validation"] for model in families]
    definitions["GroupEntry"] = {
        "description": "the name of a group, or one family",
        "anyOf": [{"type": "string"}, *references],
    }
    root = definitions.pop(names[Document, "validation"]["$ref"].removeprefix(_REF))
    return {"$schema": DIALECT, **root, "title": "eqcompile spec", "$defs": definitions}


def _tidy(node: Any) -> Any:
    """Drop nulls, which no spec may write, defaults and titles; close mappings with named keys."""
    if isinstance(node, list):
        return [_tidy(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    kept = {k: _tidy(v) for k, v in node.items() if not _is_noise(k, v)}
    if "anyOf" in kept:
        kept["anyOf"] = [option for option in kept["anyOf"] if option != {"type": "null"}]
        if len(kept["anyOf"]) == 1:
            (option,) = kept.pop("anyOf")
            kept = {**option, **kept}
    if "patternProperties" in kept:
        kept.setdefault("additionalProperties", False)
    return kept


def _is_noise(key: str, value: object) -> bool:
    # Under `properties` these words would be keys of the spec, whose schemas are mappings.
    return (key == "title" and isinstance(value, str)) or (
        key == "default" and not (isinstance(value, dict) and "type" in value)
    )
