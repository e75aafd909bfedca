"""The specs these tests share: valid ones, wrong ones with their errors, and a schema validator."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from eqcompile.errors import SpecError
from eqcompile.spec import load
from eqcompile.spec.schema import json_schema

HERE = Path(__file__).parent
VALID = tuple(sorted((HERE / "valid").glob("*.yaml")))
WRONG = tuple(sorted((HERE / "errors").glob("*.yaml")))


@cache
def make_validator() -> Validator:
    """Return a validator that, like YAML, tells 2.0 from an integer."""
    checker = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    kind = extend(Draft202012Validator, type_checker=checker)
    return kind(json_schema())


def list_rules(source: Path | str) -> list[str]:
    """Return the rules a spec breaks, in order of place."""
    try:
        load(source)
    except SpecError as error:
        return [found.rule for found in error.diagnostics]
    return []
