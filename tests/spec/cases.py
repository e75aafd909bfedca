"""The specs these tests share: valid ones, wrong ones with their errors, and a schema validator."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from eqcompile.errors import SpecError
from eqcompile.spec import Spec, load
from eqcompile.spec.actions import LayerActions
from eqcompile.spec.schema import json_schema

HERE = Path(__file__).parent
VALID = tuple(sorted((HERE / "valid").glob("*.yaml")))
WRONG = tuple(sorted((HERE / "errors").glob("*.yaml")))


@cache
def make_validator() -> Any:
    """Return a validator that, like YAML, tells 2.0 from an integer."""
    draft: Any = jsonschema.Draft202012Validator
    checker = draft.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    validators: Any = jsonschema.validators
    return validators.extend(draft, type_checker=checker)(json_schema())


def list_rules(source: Path | str) -> list[str]:
    """Return the rules a spec breaks, in order of place."""
    try:
        load(source)
    except SpecError as error:
        return [found.rule for found in error.diagnostics]
    return []


def read_actions(spec: Spec) -> LayerActions:
    """Return the actions of the one layer of a spec, a polynomial one."""
    ((_, _, actions),) = spec.list_polynomial()
    return actions
