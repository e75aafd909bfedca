"""Layers with several inputs, of unlike actions, in every mixing and form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from eqcompile.layers.problem import LayerProblem
from tests.actions_of import SEVERAL, list_degrees, make_several

ACTION_OF = {
    "Pair": "S_3 on two",
    "Signed": "S_3 and its sign",
    "Unlike": "C_2 unlike",
    "Turn": "a turn and its square",
    "Deep": "S_3 on two",
    "Mixed": "S_3 and its sign",
    "Lifted": "B_2 on three",
}


def pose(name: str, highest: int = 2, **options: Any) -> LayerProblem:
    action = ACTION_OF[name]
    degrees = list_degrees(len(SEVERAL[action][0]), highest)
    return make_several(action, degrees, name=name, channels=2, **options)


PROBLEMS = (
    pose("Pair", widths=(2, 3)),
    pose("Signed", 3, widths=(2, 1)),
    pose("Unlike", mixing="channelwise", widths=(1, 2)),
    pose("Turn", form="monomial"),
    pose("Deep", 3, mixing="depthwise"),
    pose("Mixed", 3, mixing="factored", rank=3, widths=(3, 2)),
    pose("Lifted", form="lifted", widths=(2, 1, 2)),
)
LAYERS = tuple(problem.name for problem in PROBLEMS)
SOME = ("Pair", "Deep", "Mixed")


def draw(layer: Any, *batch: int, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    sizes = zip(layer.layout.inputs, layer._widths, layer.layout.dims, strict=True)
    return {name: torch.randn(*batch, c, n, dtype=dtype) for name, c, n in sizes}


def define(layer: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Evaluate a layer by its dense tensors and nothing else of it."""
    total: Any = 0.0
    for degree in layer.layout.degrees:
        value = layer.dense_weight(dict(zip(layer.layout.inputs, degree, strict=True)))
        factors = [x for x, d in zip(inputs.values(), degree, strict=True) for _ in range(d)]
        batch = next(iter(inputs.values())).shape[0]
        value = value.expand(batch, *value.shape)
        for x in factors:
            value = torch.einsum("bokci...,bci->bok...", value, x)
        total = total + value
    return torch.as_tensor(total)


def as_function(layer: Any) -> Callable[..., Tensor]:
    names, words = [n for n, _ in layer.named_parameters()], layer.layout.inputs

    def evaluate(*tensors: Tensor) -> Any:
        given = dict(zip(words, tensors[: len(words)], strict=True))
        parameters = dict(zip(names, tensors[len(words) :], strict=True))
        return functional_call(layer, parameters, (), given)

    return evaluate


def list_arguments(layer: Any) -> tuple[list[Tensor], tuple[Any, ...]]:
    weights = [layer._scale(n, w).detach().requires_grad_() for n, w in layer._named_weights()]
    inputs = [x.requires_grad_() for x in draw(layer, 2).values()]
    packed = (layer._indices, layer._coefficients, layer._table_sizes)
    return [*inputs, *weights], (*packed, layer._schedule, False)
