"""Least squares for layers that are affine in their parameters, shared by the examples."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils import vector_to_parameters

import eqcompile

Array = npt.NDArray[np.float64]

CUTOFF = 1e-12
"""Singular values below this share of the largest one count as zero."""


def load_package(spec: Path, name: str, folder: Path) -> ModuleType:
    """Import a compiled package from a folder, building it there first if need be."""
    if not (folder / name).exists():
        eqcompile.build(eqcompile.load(spec), folder)
    sys.path.insert(0, str(folder))
    return importlib.import_module(name)


def count_parameters(layer: nn.Module) -> int:
    return sum(parameter.numel() for parameter in layer.parameters())


def solve_least_squares(design: Array, answers: Array) -> Array:
    """Return the solution of least norm."""
    return np.asarray(np.linalg.lstsq(design, answers, rcond=CUTOFF)[0])


@torch.no_grad()
def fit_layer(layer: nn.Module, evaluate: Callable[[], Tensor], answers: Tensor) -> int:
    """Fit a layer that is affine in its parameters, by least squares of least norm.

    Args:
        layer: Its parameters are replaced.
        evaluate: Evaluates the layer, as it is at that moment, at the samples.
        answers: What it should return, of the same shape.

    Returns:
        How many directions of the parameters the samples determine.
    """
    dtype, count = answers.dtype, count_parameters(layer)
    vector_to_parameters(torch.zeros(count, dtype=dtype), layer.parameters())
    fixed = evaluate()
    columns = []
    for unit in torch.eye(count, dtype=dtype):
        vector_to_parameters(unit, layer.parameters())
        columns.append((evaluate() - fixed).flatten())
    design = torch.stack(columns, 1).numpy()
    found = solve_least_squares(design, (answers - fixed).flatten().numpy())
    vector_to_parameters(torch.from_numpy(found), layer.parameters())
    return int(np.linalg.matrix_rank(design, tol=CUTOFF * np.linalg.norm(design, 2)))
