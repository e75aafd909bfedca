"""Layers of charges and positions for tests, and a dense definition of them."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from tests.actions_of import Generators, cyclic, scalar
from tests.emit.parameterised_packages import describe_tie, make_package

MODULES = (
    *("balance", "blocks", "coulomb", "coulomb_checks", "pair_formulas", "pair_gradients"),
    *("pair_kernels", "pair_launch", "pair_ops", "pairs"),
)

FACTS: dict[str, str] = {
    "Force": '12, 12, "float64", True, (3, 2)',
    "Chemistry": '11, 11, "float64", True, (2, 3), diagonal="chemistry", exponent=1.0, bias=True',
    "Soft": '9, 9, "float64", True, (3, 1), learn_softening=True, signature=(1, -1, 1)',
    "Rectangle": '7, 10, "float64", False, (3, 2), exponent=3.0, signature=(-1, 1, 1), bias=True',
    "Bare": '8, 6, "float64", False, (2, 3), exponent=2.5, softening=0.0, learn_softening=False',
    "Squares": '12, 12, "float64", True, (3, 2), kernel="product", diagonal="free"',
    "Oblong": '7, 10, "float64", False, (3, 2), kernel="product", signature=(1, -1, 1), bias=True',
    "Distances": '10, 10, "float64", True, (2, 2), kernel="product", exponent=1.0',
    "Cubes": '5, 9, "float64", False, (2, 2), kernel="product", exponent=3.0',
    "Fourths": '9, 9, "float64", True, (2, 2), kernel="product", exponent=4.0, diagonal="free"',
    "Given": '4, 4, "float64", True, (2, 2), positions="given", softening=0.0',
    "Start": '4, 3, "float64", False, (2, 2), positions="start"',
    "Ring": (
        '6, 6, "float64", True, (3, 3), diagonal="free", bias=True, '
        'ties=("mu", "x", "diagonal", "bias")'
    ),
    "Single": '40, 40, "float32", True, (4, 3)',
    "SingleSquares": '40, 40, "float32", True, (4, 3), kernel="product", softening=0.0',
}
"""Facts of layers by name."""

FREE = tuple(name for name in FACTS if name not in ("Given", "Start", "Ring"))

CORNERS = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]

TURN: Generators = cyclic(3)
RING: Generators = cyclic(6)


def write_layers(facts: dict[str, str]) -> str:
    """Write the module of layers with these facts."""
    lines = [
        "from __future__ import annotations\n",
        "from .coulomb import CoulombFacts as _CoulombFacts",
        "from .coulomb import CoulombLayer as _CoulombLayer",
    ]
    for name, text in facts.items():
        lines.append(f'\n\nclass {name}(_CoulombLayer):\n    """A layer of a test."""\n')
        lines.append(f'    facts = _CoulombFacts("{name}", {text})')
    return "\n".join(lines) + "\n"


def make_coulomb(folder: Path, facts: dict[str, str] | None = None) -> ModuleType:
    """Write and import a package of the layers above, or of others."""
    return make_package(folder, MODULES, write_layers(facts or FACTS), list_data())


def list_data() -> dict[str, Any]:
    """Return what tying.json says: given positions, and the ring that a rotation of R^3 turns."""
    places = {"x": CORNERS[:3], "y": CORNERS}
    return {
        "parameterised_layers": [
            {"name": "Given", "positions": {"x": CORNERS}},
            {"name": "Start", "positions": places},
        ],
        "parameters": [
            describe_tie("Ring.mu", RING, TURN),
            describe_tie("Ring.x", RING, TURN),
            describe_tie("Ring.diagonal", RING, scalar(1)),
            describe_tie("Ring.bias", RING, scalar(1)),
        ],
    }


def find(package: ModuleType, module: str) -> Any:
    """Return a module of a package."""
    return importlib.import_module(f"{package.__name__}.{module}")


def make(package: ModuleType, name: str, **options: Any) -> Any:
    """Make a layer with all vectors of parameters drawn, biases too."""
    layer = getattr(package, name)(**options)
    with torch.no_grad():
        for parameter in layer.parameters():
            if parameter.ndim:
                parameter.normal_()
    return layer


def draw(layer: Any, *lead: int) -> Tensor:
    dtype = next(layer.parameters()).dtype
    return torch.randn(*(lead or (3,)), layer.facts.n_in).to(dtype)


def spell(layer: Any) -> Tensor:
    """Form the weights pair by pair, as the definition has them, without a diagonal of NaN."""
    facts, mu, x = layer.facts, layer.full("mu"), layer.full("x")
    nu, y = (mu, x) if facts.square else (layer.full("nu"), layer.full("y"))
    signs = torch.tensor(facts.signature or (1,) * facts.dims[0], dtype=mu.dtype)
    squares = torch.stack([(a - b).pow(2).sum() for a in x for b in y])
    squares = squares.reshape(len(x), len(y))
    if facts.square:
        squares = squares + torch.eye(len(x), dtype=mu.dtype)
    if facts.kernel == "product":
        factors = squares ** (facts.exponent / 2)
    else:
        factors = (squares + layer.softening) ** (-facts.exponent / 2)
    weights: Tensor = (mu * signs) @ nu.mT * factors
    if not facts.square:
        return weights
    diagonal = torch.zeros(len(x), dtype=mu.dtype)
    if facts.diagonal == "free":
        diagonal = layer.full("diagonal")
    elif facts.diagonal == "chemistry":
        diagonal = 0.5 * mu.norm(dim=1) ** 2.4
    outside: Tensor = weights * (1 - torch.eye(len(x), dtype=mu.dtype))
    return outside + torch.diag(diagonal)


def apply(layer: Any, z: Tensor) -> Tensor:
    """Evaluate a layer by its definition."""
    y = z @ spell(layer).mT
    bias: Tensor = layer.full("bias") if layer.facts.bias else torch.zeros(())
    return y + bias.to(y.dtype)
