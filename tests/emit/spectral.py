"""A package of unlike spectral layers, shared by their tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eqcompile.exact.signed import SignedPermutation
from tests.actions_of import permute, scalar
from tests.emit.parameterised_packages import describe_tie, make_package

MODULES = ("directions", "extremes", "growth", "memories", "spectral", "spectral_checks")

TEXT = """
from __future__ import annotations

from .spectral import SpectralFacts, SpectralLayer

_SpectralFacts, _SpectralLayer = SpectralFacts, SpectralLayer


class Low(_SpectralLayer):
    facts = _SpectralFacts("Low", 12, 12, "float64", True, 3)


class Crowded(_SpectralLayer):
    facts = _SpectralFacts("Crowded", 4, 4, "float64", True, 7, bias=True)


class Unit(_SpectralLayer):
    facts = _SpectralFacts("Unit", 9, 9, "float64", True, 4, constraint="column_norm")


class Frame(_SpectralLayer):
    facts = _SpectralFacts("Frame", 9, 9, "float64", True, 4, constraint="qr", bias=True)


class Wide(_SpectralLayer):
    facts = _SpectralFacts("Wide", 7, 11, "float64", False, 4, imbalance=3.0, bias=True)


class Narrow(_SpectralLayer):
    facts = _SpectralFacts("Narrow", 8, 5, "float64", False, 3, constraint="qr")


class Quadratic(_SpectralLayer):
    facts = _SpectralFacts("Quadratic", 6, 6, "float64", True, 4, order=3, bias=True)


class Cubic(_SpectralLayer):
    facts = _SpectralFacts("Cubic", 5, 4, "float64", False, 3, order=4, imbalance=2.0)


class Line(_SpectralLayer):
    facts = _SpectralFacts("Line", 1, 1, "float64", True, 1, order=5)
"""

TIED = '''

class Pairs(_SpectralLayer):
    """Neurons exchanged in pairs; the directions stay."""

    facts = _SpectralFacts(
        "Pairs", 6, 6, "float64", True, 3, constraint="qr", bias=True, ties=("q", "lam", "bias")
    )


class Turns(_SpectralLayer):
    """The group turns the directions as it turns the neurons."""

    facts = _SpectralFacts("Turns", 6, 6, "float64", True, 3, ties=("q", "lam"))


class Signs(_SpectralLayer):
    """A turn of planes, of neurons and of directions, with signs."""

    facts = _SpectralFacts(
        "Signs", 4, 4, "float64", True, 4, order=4, bias=True, ties=("q", "lam", "bias")
    )


class Odd(_SpectralLayer):
    """The same of odd order: its square is minus the identity, so only zero is left."""

    facts = _SpectralFacts("Odd", 4, 4, "float64", True, 4, order=3, ties=("q", "lam"))


class Folds(_SpectralLayer):
    """From six neurons to two, which a turn exchanges."""

    facts = _SpectralFacts(
        "Folds", 6, 2, "float64", False, 4, constraint="column_norm", ties=("u", "v", "lam")
    )
'''

FREE = ("Low", "Crowded", "Unit", "Frame", "Wide", "Narrow", "Quadratic", "Cubic", "Line")
GROUPED = ("Pairs", "Turns", "Signs", "Odd", "Folds")

PAIRS = [permute(1, 0, 3, 2, 4, 5)]
CYCLES = [permute(1, 2, 0, 4, 5, 3)]
CYCLE = [permute(1, 2, 0)]
PLANES = [SignedPermutation(np.array([1, 0, 3, 2]), np.array([1, -1, 1, -1]))]
ROUND = [permute(1, 2, 3, 4, 5, 0)]
SWAPS = [permute(1, 0, 3, 2)]

TIES = (
    ("Pairs.q", PAIRS, [SignedPermutation.identity(3)]),
    ("Pairs.lam", [SignedPermutation.identity(3)], scalar(1)),
    ("Pairs.bias", PAIRS, scalar(1)),
    ("Turns.q", CYCLES, CYCLE),
    ("Turns.lam", CYCLE, scalar(1)),
    ("Signs.q", PLANES, PLANES),
    ("Signs.lam", [permute(1, 0, 3, 2)], scalar(1)),
    ("Signs.bias", PLANES, scalar(1)),
    ("Odd.q", PLANES, PLANES),
    ("Odd.lam", PLANES, scalar(1)),
    ("Folds.u", [permute(1, 0)], SWAPS),
    ("Folds.v", ROUND, SWAPS),
    ("Folds.lam", SWAPS, scalar(1)),
)


Loss = Callable[[], Any]


def make(layers: ModuleType, *facts: Any, **options: Any) -> Any:
    """Make a layer of a class that is in no package."""
    fixed = layers.SpectralFacts("Made", *facts, **options)
    return type("Made", (layers.SpectralLayer,), {"facts": fixed})()


def pose(layer: Any, count: int = 20) -> tuple[Tensor, Loss]:
    """Draw inputs, and a loss that has no gradient of zero."""
    z = torch.randn(count, layer.facts.n_in, dtype=torch.float64)
    target = torch.randn(count, layer.facts.n_out, dtype=torch.float64)
    return z, lambda: (layer(z).tanh() - target).pow(2).sum()


def install_spectral(folder: Path) -> ModuleType:
    """Write and import the package."""
    parameters = [describe_tie(*tie) for tie in TIES]
    return make_package(folder, MODULES, TEXT + TIED, {"parameters": parameters})
