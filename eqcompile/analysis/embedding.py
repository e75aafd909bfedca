"""Multilayer perceptrons as networks with symmetric weights: spectral, and Coulomb.

The activations of successive layers stand alternately at the two ends of N coordinates, N the
largest sum of two successive widths. A weight matrix A then is a block of a symmetric matrix,
``S[out, in] = A``, ``S[in, out] = A^T``, zero elsewhere, whose eigenvectors are the singular
vectors of A: ``sigma`` and ``-sigma`` with ``(v, u)`` and ``(v, -u)`` over the square root of 2.
What an activation makes of the other coordinates, ``s(0)`` say, is never read: the next layer
reads the block that was written. So spectral networks with ``d = 2 rank`` and, as S has a zero
diagonal, Coulomb networks with ``d <= N - 1`` can do all that perceptrons can, at a larger width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eqcompile.analysis.kernels import Array, KernelName
from eqcompile.analysis.positions import spread_positions
from eqcompile.analysis.representation import (
    ROUNDING,
    CoulombRepresentation,
    read_matrix,
    represent,
)

Activation = Callable[[Array], Array]

Layers = Sequence[tuple[npt.ArrayLike, npt.ArrayLike | None]] | Iterable[Any]

# Modules that act on each number by itself, by the names of torch.nn.
ELEMENTWISE = {
    "CELU", "ELU", "GELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "Identity",
    "LeakyReLU", "LogSigmoid", "Mish", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softplus",
    "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class SpectralRepresentation:
    """A matrix as ``sum_k lam_k u_k v_k^T``, or, symmetric, as ``sum_k lam_k q_k q_k^T``.

    Attributes:
        u: Directions of the outputs, shape ``(n, d)``; those called q where ``v is u``.
        v: Directions of the inputs, shape ``(m, d)``.
        lam: Shape ``(d,)``, the largest in absolute value first.
        relative_error: Norm of what is left, as a share of that of the matrix.
    """

    u: Array
    v: Array
    lam: Array
    relative_error: float

    @property
    def square(self) -> bool:
        """Whether there is one set of directions, q."""
        return self.v is self.u

    def dense_weight(self) -> Array:
        """Form the matrix again."""
        return np.asarray((self.u * self.lam) @ self.v.T)


@dataclass(frozen=True, eq=False)
class SpectralWeights:
    """One layer ``z -> q (lam * (q^T z)) + bias`` of an embedded perceptron.

    Attributes:
        q: Shape ``(width, d)``, orthonormal columns.
        lam: Shape ``(d,)``.
        bias: Shape ``(width,)``.
        reads: The coordinates that it reads.
        writes: The coordinates that it writes; the others are not read again.
    """

    q: Array
    lam: Array
    bias: Array
    reads: slice
    writes: slice

    def apply(self, z: Array) -> Array:
        """Map ``(..., width)`` to ``(..., width)``."""
        return np.asarray((z @ self.q * self.lam) @ self.q.T + self.bias)


@dataclass(frozen=True, eq=False)
class CoulombWeights:
    """One layer ``z -> W z + bias`` of an embedded perceptron, W of Coulomb or product weights.

    Attributes:
        mu: Shape ``(width, d)``.
        x: Shape ``(width, p)``, the same in every layer.
        bias: Shape ``(width,)``.
        reads: The coordinates that it reads.
        writes: The coordinates that it writes; the others are not read again.
        representation: How well the charges represent the symmetric matrix.
    """

    mu: Array
    x: Array
    bias: Array
    reads: slice
    writes: slice
    representation: CoulombRepresentation

    def apply(self, z: Array) -> Array:
        """Map ``(..., width)`` to ``(..., width)``."""
        return np.asarray(z @ self.representation.dense_weight() + self.bias)


@dataclass(frozen=True, eq=False)
class EmbeddedNetwork:
    """A perceptron with symmetric weight matrices of one width.

    Attributes:
        width: Number of neurons of every layer.
        layers: Its layers; the activation stands between two of them.
    """

    width: int
    layers: tuple[SpectralWeights | CoulombWeights, ...]

    def pad(self, inputs: npt.ArrayLike) -> Array:
        """Place inputs ``(..., n_in)`` among zeros ``(..., width)``."""
        given = np.asarray(inputs, dtype=np.float64)
        reads = self.layers[0].reads
        if given.shape[-1:] != (reads.stop - reads.start,):
            raise ValueError(
                f"inputs have shape (..., {reads.stop - reads.start}), got {given.shape}"
            )
        padded = np.zeros((*given.shape[:-1], self.width))
        padded[..., reads] = given
        return padded

    def crop(self, outputs: Array) -> Array:
        """Take the outputs ``(..., n_out)`` out of ``(..., width)``."""
        return np.asarray(outputs[..., self.layers[-1].writes])

    def evaluate(self, inputs: npt.ArrayLike, activation: Activation) -> Array:
        """Evaluate the network at inputs ``(..., n_in)``; the activation acts on each number."""
        z = self.pad(inputs)
        for place, layer in enumerate(self.layers):
            z = layer.apply(z if place == 0 else activation(z))
        return self.crop(z)


def matrix_to_spectral(
    weights: npt.ArrayLike, rank: int | None = None, *, square: bool = False
) -> SpectralRepresentation:
    """Write a matrix as spectral weights, as nearly as a rank allows (Eckart and Young).

    Args:
        weights: Shape ``(n, m)``.
        rank: How many directions; where left out, the rank of the matrix.
        square: One set of directions, of a symmetric matrix.

    Raises:
        ValueError: The matrix is not finite, not symmetric though square, or the rank below 1.
    """
    w = read_matrix(weights)
    if rank is not None and rank < 1:
        raise ValueError(f"the rank is at least 1, got {rank}")
    if square:
        if w.shape[0] != w.shape[1] or np.abs(w - w.T).max(initial=0) > 1e-12 * np.abs(w).max(
            initial=0
        ):
            raise ValueError("one set of directions needs a symmetric matrix; pass square=False")
        lam, u = np.linalg.eigh((w + w.T) / 2)
        order = np.argsort(-np.abs(lam), kind="stable")
        lam, u = lam[order], u[:, order]
        v = u
    else:
        u, lam, transposed = np.linalg.svd(w, full_matrices=False)
        v = transposed.T
    kept = _count_rank(np.abs(lam), w.shape) if rank is None else min(rank, len(lam))
    u, lam = u[:, :kept], lam[:kept]
    v = u if square else v[:, :kept]
    norm = float(np.linalg.norm(w))
    error = float(np.linalg.norm((u * lam) @ v.T - w)) / norm if norm else 0.0
    return SpectralRepresentation(u, v, lam, error)


def mlp_to_spectral(layers: Layers) -> EmbeddedNetwork:
    """Write a multilayer perceptron as a network of symmetric spectral weights, equal to it.

    Args:
        layers: Pairs of a weight ``(n_out, n_in)`` and a bias ``(n_out,)`` or None, or a
            torch.nn.Sequential of Linear layers with an elementwise activation between two.

    Raises:
        ValueError: Layers do not fit each other, or are of another kind.
    """
    chain = read_layers(layers)
    width = _find_width(chain)
    found = []
    for weight, bias, reads, writes in _place(chain, width):
        part = matrix_to_spectral(weight)
        rank = len(part.lam)
        q = np.zeros((width, 2 * rank))
        q[reads] = np.concatenate([part.v, part.v], axis=1) / 2**0.5
        q[writes] = np.concatenate([part.u, -part.u], axis=1) / 2**0.5
        lam = np.concatenate([part.lam, -part.lam])
        found.append(SpectralWeights(q, lam, bias, reads, writes))
    return EmbeddedNetwork(width, tuple(found))


def mlp_to_coulomb(
    layers: Layers,
    position_dim: int = 8,
    kernel: KernelName = "inverse",
    *,
    positions: npt.ArrayLike | None = None,
    exponent: float = 2.0,
    softening: float = 0.0,
) -> EmbeddedNetwork:
    """Write a multilayer perceptron as a network of Coulomb weights without diagonal.

    All layers share the positions; only charges and biases differ.

    Args:
        layers: As for `mlp_to_spectral`.
        position_dim: Dimension of the positions, if none are given.
        kernel: ``inverse`` or ``product``.
        positions: Shape ``(width, p)``.
        exponent: Of the distance.
        softening: Of the inverse kernel.

    Raises:
        ValueError: Layers do not fit each other or are of another kind, or positions coincide.
    """
    chain = read_layers(layers)
    width = _find_width(chain)
    x = spread_positions(width, position_dim) if positions is None else positions
    found = []
    for weight, bias, reads, writes in _place(chain, width):
        symmetric = np.zeros((width, width))
        symmetric[writes, reads] = weight
        symmetric[reads, writes] = weight.T
        part = represent(symmetric, position_dim, kernel, x, exponent=exponent, softening=softening)
        found.append(CoulombWeights(part.mu, part.x, bias, reads, writes, part))
    return EmbeddedNetwork(width, tuple(found))


def read_layers(layers: Layers) -> tuple[tuple[Array, Array], ...]:
    """Return weights and biases of a perceptron; torch is not imported for it.

    Raises:
        ValueError: A module is neither Linear nor an elementwise activation, an activation is
            missing or stands at an end, or shapes do not fit.
    """
    given = list(layers)
    if not given:
        raise ValueError("a perceptron has at least one layer, got none")
    pairs = given if isinstance(given[0], tuple | list) else _read_modules(given)
    found: list[tuple[Array, Array]] = []
    for place, (weight, bias) in enumerate(pairs):
        w = read_matrix(weight)
        b = np.zeros(len(w)) if bias is None else np.asarray(bias, dtype=np.float64)
        if b.shape != (len(w),) or not np.isfinite(b).all():
            raise ValueError(
                f"layer {place}: the bias has shape {b.shape} or infinite entries; a weight of "
                f"shape {w.shape} goes with {len(w)} finite numbers"
            )
        if found and w.shape[1] != len(found[-1][0]):
            raise ValueError(
                f"layer {place} takes {w.shape[1]} numbers, but the layer before gives "
                f"{len(found[-1][0])}"
            )
        found.append((w, b))
    return tuple(found)


def _read_modules(modules: Sequence[Any]) -> list[tuple[Any, Any]]:
    pairs: list[tuple[Any, Any]] = []
    linear = False
    for place, module in enumerate(modules):
        name = type(module).__name__
        weight = getattr(module, "weight", None)
        if weight is not None and getattr(weight, "ndim", 0) == 2 and hasattr(module, "bias"):
            if linear:
                raise ValueError(
                    f"module {place} is a second linear layer in a row: put Identity() between "
                    "them if there is no activation, and let the activation leave numbers as are"
                )
            bias = module.bias
            pairs.append((_read_tensor(weight), None if bias is None else _read_tensor(bias)))
            linear = True
        elif name in ELEMENTWISE and linear:
            linear = False
        elif name in ELEMENTWISE:
            raise ValueError(
                f"module {place} ({name}) follows no linear layer: activations stand between two"
            )
        else:
            raise ValueError(
                f"module {place} ({name}) is neither Linear nor an elementwise activation; "
                "pass pairs of weight and bias instead"
            )
    if not linear:
        raise ValueError(
            "the last module is an activation: leave it out, and apply it to what evaluate returns"
        )
    return pairs


def _read_tensor(tensor: Any) -> Array:
    return np.asarray(tensor.detach().cpu().double().numpy())


def _find_width(chain: Sequence[tuple[Array, Array]]) -> int:
    return max(sum(weight.shape) for weight, _ in chain)


def _place(
    chain: Sequence[tuple[Array, Array]], width: int
) -> Iterable[tuple[Array, Array, slice, slice]]:
    """Put what layers read and write alternately at the two ends."""
    reads = slice(0, chain[0][0].shape[1])
    for place, (weight, bias) in enumerate(chain):
        size = len(weight)
        writes = slice(0, size) if place % 2 else slice(width - size, width)
        whole = np.zeros(width)
        whole[writes] = bias
        yield weight, whole, reads, writes
        reads = writes


def _count_rank(values: Array, shape: tuple[int, ...]) -> int:
    least = max(shape) * ROUNDING * float(values.max(initial=0.0))
    return int((values > least).sum())
