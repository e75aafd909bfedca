"""The registry of layer families: from a spec entry to a layer problem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eqcompile.layers.problem import LayerProblem
from eqcompile.registry import Registry
from eqcompile.spec.actions import LayerActions

Resolve = Callable[[Any, LayerActions, str], LayerProblem]


@dataclass(frozen=True, slots=True)
class LayerFamily:
    """One kind of layer.

    Attributes:
        name: What ``family:`` says.
        summary: One line for ``eqcompile list layers``.
        resolve: Makes the problem from the entry, its actions and the dtype of the package; None
            where the family is not yet served, which the loader refuses.
    """

    name: str
    summary: str
    resolve: Resolve | None = None


LAYERS: Registry[LayerFamily] = Registry("layer-family")


def register_layer(name: str, summary: str) -> Callable[[Resolve], Resolve]:
    """Register the decorated function as the resolver of a layer family."""

    def add(resolve: Resolve) -> Resolve:
        LAYERS.add(name, LayerFamily(name, summary, resolve))
        return resolve

    return add
