"""Read untrusted plain data into pydantic models, and say what is wrong in our own words."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from eqcompile.errors import Refusal, Refusals

M = TypeVar("M", bound=BaseModel)


def read_model(model: type[M], value: object) -> M:
    """Validate ``value`` against ``model``.

    Raises:
        Refusals: One refusal per thing that is wrong, with ``at`` inside ``value``.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise Refusals(
            tuple(Refusal("value", e["msg"], "see the schema", tuple(e["loc"])) for e in found)
        ) from None
