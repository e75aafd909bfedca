"""The registry of layer families: from a spec entry to the problem it poses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from eqcompile.layers.parameters import ParameterisedProblem
from eqcompile.layers.problem import LayerProblem
from eqcompile.registry import Registry

Problem = LayerProblem | ParameterisedProblem
# The resolver of a family takes the entries of that family and its kind of actions.
Resolve = Callable[[Any, Any, str], Problem]
R = TypeVar("R", bound=Resolve)


@dataclass(frozen=True, slots=True)
class LayerFamily:
    """One kind of layer.

    Attributes:
        name: What ``family:`` says.
        summary: One line for ``eqcompile list layers``.
        resolve: Makes the problem from the entry, its actions and the dtype of the package.
    """

    name: str
    summary: str
    resolve: Resolve


LAYERS: Registry[LayerFamily] = Registry("layer-family")


def register_layer(name: str, summary: str) -> Callable[[R], R]:
    """Register the decorated function as the resolver of a layer family."""

    def add(resolve: R) -> R:
        LAYERS.add(name, LayerFamily(name, summary, resolve))
        return resolve

    return add
