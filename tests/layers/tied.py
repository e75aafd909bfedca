"""Parameters that a group ties, in plain numpy: what it demands, drawn and solved a second time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.linalg import null_space

from eqcompile.actions.group import Representation
from eqcompile.actions.images import as_matrix
from eqcompile.layers.problem import LayerProblem
from eqcompile.solve.layer import solve_layer

Floats = npt.NDArray[np.float64]


def take_images(action: Representation) -> list[Floats]:
    """Return the matrices of the discrete generators, in the coordinates of the action."""
    scale = np.sqrt([float(square) for square in action.squares] or [1.0] * action.dim)
    return [scale[:, None] * as_matrix(image).to_float() / scale for image in action.images]


def list_allowed(tie: LayerProblem) -> Floats:
    """Return a basis of what a tie allows, as solved: ``(classes, neurons, columns)``."""
    tying = solve_layer(tie, blocks=False).tying((1,))
    coefficients = np.eye(tying.coefficients)
    if tying.basis is not None:
        units = [float(square) for square in tying.basis.squares] or [1.0] * tying.coefficients
        coefficients = (np.sqrt(units)[:, None] * tying.basis.matrix.to_float()).T
    labels, signs = tying.table()
    padded = np.concatenate([coefficients, np.zeros((len(coefficients), 1))], axis=1)
    return np.asarray((padded[:, labels] * signs).swapaxes(1, 2), dtype=np.float64)


def list_demanded(neurons: list[Floats], columns: list[Floats]) -> Floats:
    """Return a basis of all parameters p with ``g p = p R``, one row per neuron, from scratch.

    ``row_{g i} = sign R row_i`` says that ``p^T g = R p^T``.
    """
    n, d = len(neurons[0]), len(columns[0])
    rows = [
        np.kron(g.T, np.eye(d)) - np.kron(np.eye(n), image)
        for g, image in zip(neurons, columns, strict=True)
    ]
    found = null_space(np.concatenate(rows))
    return np.asarray(found.T.reshape(-1, n, d))


def draw(tie: LayerProblem, rng: np.random.Generator) -> Floats:
    """Return a parameter that a tie allows, ``(neurons, columns)``."""
    allowed = list_allowed(tie)
    return np.asarray(np.tensordot(rng.normal(size=len(allowed)), allowed, axes=1))
