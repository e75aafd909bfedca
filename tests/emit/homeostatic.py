"""Homeostatic layers of any size and rates, and small laws of theirs, shared by tests."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from tests.actions_of import Generators, permute
from tests.emit.parameterised_packages import describe_tie, make_package

MODULES = ("homeostatic", "stability", "homeostatic_checks")

LAYERS = '''from __future__ import annotations

from .homeostatic import HomeostaticFacts as _HomeostaticFacts
from .homeostatic import HomeostaticLayer as _HomeostaticLayer


class Neurons(_HomeostaticLayer):
    """Five neurons."""

    facts = _HomeostaticFacts("Neurons", 5, 5, "float64", sigma=0.6, alpha=0.2, leak=0.1)


class Still(_HomeostaticLayer):
    """Three neurons without leak."""

    facts = _HomeostaticFacts("Still", 3, 3, "float32", sigma=1.0, alpha=0.1)


class Runaway(_HomeostaticLayer):
    """Three neurons whose leak is negative."""

    facts = _HomeostaticFacts(
        "Runaway", 3, 3, "float64", sigma=0.4, alpha=0.5, leak=-0.05, allow_unstable=True
    )
'''

TIED = '''

class Ring(_HomeostaticLayer):
    """Four neurons on a ring, two off it that take turns, and one alone."""

    facts = _HomeostaticFacts(
        "Ring", 7, 7, "float64", sigma=0.7, alpha=0.3, leak=0.2, ties=("weights",)
    )
'''

RING: Generators = [permute(1, 2, 3, 0, 5, 4, 6)]


def make_homeostatic(folder: Path, layers: str = LAYERS + TIED) -> ModuleType:
    """Write a package with the layers above and import it."""
    tying = {"parameters": [describe_tie("Ring.weights", RING, RING)]}
    return make_package(folder, MODULES, layers, tying)


def find_module(package: ModuleType, name: str) -> Any:
    """Import a module of a package."""
    return importlib.import_module(f"{package.__name__}.{name}")


def make_layer(package: ModuleType, n: int, **facts: Any) -> Any:
    """Make a layer of n neurons in float64."""
    module = find_module(package, "homeostatic")
    known = module.HomeostaticFacts("Made", n, n, "float64", **facts)
    made: Any = type("Made", (module.HomeostaticLayer,), {"facts": known})
    return made()


def draw_input(n: int, silent: bool = False) -> Tensor:
    """Draw an input between 0.2 and 2; a silent one has its first neuron at zero."""
    r = 0.2 + 1.8 * torch.rand(n, dtype=torch.float64)
    if silent:
        r[0] = 0.0
    return r


def draw_weights(n: int, largest: float = 2.0) -> Tensor:
    """Draw a symmetric matrix between 0 and the largest entry."""
    drawn = largest * torch.rand(n, n, dtype=torch.float64)
    return (drawn + drawn.mT) / 2


def adapt(layer: Any, r: Tensor, steps: int) -> None:
    """Adapt to one constant input."""
    for _ in range(steps):
        layer(r)
        layer.adapt_()


def follow(package: ModuleType, layer: Any, r: Tensor, weights: Tensor) -> Tensor:
    """Return the weights after one adaptation, for autograd: the layer itself is untouched."""
    module = find_module(package, "homeostatic")
    responses = module.respond(r, weights, layer.facts.sigma)
    moment = layer.symmetrise(torch.outer(responses, responses))
    adapted: Tensor = module.update(weights, layer.target, moment, (layer.alpha, layer.leak))
    return adapted
