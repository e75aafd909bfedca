"""A lattice-Boltzmann fluid: populations per velocity that stream to neighbours and collide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from examples.fitting import Array

FASTEST, SPREAD = 0.1, 0.005

Model = Callable[[Array], Array]


@dataclass(frozen=True)
class Lattice:
    """A set of velocities.

    Attributes:
        velocities: Shape ``(populations, dimensions)``.
        shares: Of the populations at rest, by squared speed.
        relaxation: Time in which a collision moves towards the equilibrium.
    """

    velocities: npt.NDArray[np.int64]
    shares: tuple[float, ...]
    relaxation: float

    @property
    def weights(self) -> Array:
        """Share of each population at rest, shape ``(populations,)``."""
        return np.array(self.shares)[(self.velocities**2).sum(1)]

    def relax_fully(self, velocity: Array) -> Array:
        """Return the equilibrium at density 1 and velocities of shape ``(count, dimensions)``."""
        along = 3 * velocity @ self.velocities.T
        square = 3 * (velocity**2).sum(1, keepdims=True)
        return np.asarray(self.weights * (1 + along + (along**2 - square) / 2))

    def collide(self, populations: Array) -> Array:
        """Move populations of density 1 towards their equilibrium (Bhatnagar, Gross, Krook)."""
        equilibrium = self.relax_fully(populations @ self.velocities)
        return populations + (equilibrium - populations) / self.relaxation

    def list_conserved(self) -> Array:
        """Return an orthonormal basis of mass and momentum, shape ``(populations, 1 + dims)``."""
        moments = np.concatenate([np.ones((len(self.velocities), 1)), self.velocities], axis=1)
        return np.asarray(moments / np.linalg.norm(moments, axis=0))

    def draw_states(self, count: int, seed: int) -> Array:
        """Draw states of density 1: an equilibrium, and a part without mass and momentum."""
        rng = np.random.default_rng(seed)
        velocity = rng.normal(size=(count, self.velocities.shape[1]))
        velocity /= np.linalg.norm(velocity, axis=1, keepdims=True)
        velocity *= FASTEST * np.sqrt(rng.uniform(size=(count, 1)))
        rest = SPREAD * rng.normal(size=(count, len(self.velocities)))
        conserved = self.list_conserved()
        return self.relax_fully(velocity) + rest - rest @ conserved @ conserved.T


def start_taylor_green(lattice: Lattice, shape: tuple[int, ...], speed: float) -> Array:
    """Return populations of vortices in the plane of the first two axes, shape ``(*shape, q)``."""
    x, y = (2 * np.pi * np.arange(n) / n for n in shape[:2])
    velocity = np.zeros((*shape, len(shape)))
    rest = (1,) * (len(shape) - 2)
    velocity[..., 0] = speed * np.outer(np.sin(x), np.cos(y)).reshape(*shape[:2], *rest)
    velocity[..., 1] = -speed * np.outer(np.cos(x), np.sin(y)).reshape(*shape[:2], *rest)
    return lattice.relax_fully(velocity.reshape(-1, len(shape))).reshape(*shape, -1)


@dataclass(frozen=True)
class Run:
    """A simulation: the mean speed after each step, and the relative change of mass at the end."""

    speeds: Array
    drift: float


def simulate(lattice: Lattice, model: Model, start: Array, steps: int) -> Run:
    """Let populations stream and collide; a model collides states of density 1.

    Args:
        lattice: The velocities.
        model: From states to states, shape ``(cells, populations)``.
        start: Shape ``(*cells, populations)``.
        steps: How many.
    """
    populations, axes = start, tuple(range(start.ndim - 1))
    speeds = []
    for _ in range(steps):
        moved = [
            np.roll(populations[..., k], v, axis=axes) for k, v in enumerate(lattice.velocities)
        ]
        states = np.stack(moved, axis=-1).reshape(-1, len(lattice.velocities))
        density = states.sum(1, keepdims=True)
        populations = (density * model(states / density)).reshape(start.shape)
        speeds.append(np.linalg.norm(states @ lattice.velocities / density, axis=1).mean())
    return Run(np.array(speeds), abs(populations.sum() / start.sum() - 1))
