"""What the spec language knows and this version does not serve, refused where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eqcompile.errors import Refusal, not_yet_served
from eqcompile.spec.model import FORMS

SERVED_FORMS = ("auto", "dense", "monomial", "lifted")


def list_unserved(data: Mapping[str, Any]) -> list[Refusal]:
    """List everything in the plain data of a spec that is not yet served.

    The data may break any rule; what is not well-formed is left to those who say so. Groups are
    left to their families.
    """
    found: list[Refusal] = []
    for i, layer in enumerate(_list_of(data.get("layers"))):
        if isinstance(layer, dict):
            found += [refusal.move(("layers", i)) for refusal in _list_in_layer(layer)]
    if _list_of(data.get("networks")):
        help = "build the layers, and chain them in torch.nn.Sequential"
        found.append(not_yet_served("a network of layers", help, at=("networks",)))
    return found


def _list_in_layer(layer: Mapping[str, Any]) -> Iterator[Refusal]:
    form = layer.get("form", "auto")
    if form in FORMS and form not in SERVED_FORMS:
        help = f"write form: {' or '.join(SERVED_FORMS)}"
        yield not_yet_served(f"the form {form!r}", help, at=("form",))


def _list_of(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
