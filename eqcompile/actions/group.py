"""A group by its generators, and a representation by its images of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eqcompile.exact.signed import SignedPermutation, spell_cycles
from eqcompile.registry import Registry

GROUPS: Registry[GroupFamily]


@dataclass(frozen=True, slots=True)
class Group:
    """A finite group acting on R^n by signed permutations, known by its generators.

    Attributes:
        name: What people call it, such as ``S_3`` or ``D_4 on the 3x3 grid``.
        generators: The defining action of each generator; at least one (the trivial group has the
            identity).
        labels: One short name per generator, printed in derivations and words.
        points: Coordinates of the points, where they have any (velocities of a lattice).
    """

    name: str
    generators: tuple[SignedPermutation, ...]
    labels: tuple[str, ...]
    points: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        if not self.generators or len(self.labels) != len(self.generators):
            raise ValueError("a group needs at least one generator, and one label for each")
        if len({g.n for g in self.generators}) != 1:
            raise ValueError("all generators of a group act on the same points")

    @property
    def dim(self) -> int:
        """Dimension of the defining action."""
        return self.generators[0].n

    @property
    def is_unsigned(self) -> bool:
        """Whether every generator permutes without signs."""
        return all(g.is_unsigned for g in self.generators)


@dataclass(frozen=True, slots=True)
class Representation:
    """One signed permutation per generator of a group.

    Attributes:
        text: The expression it came from, such as ``Sym(V, 2)``.
        dim: Dimension.
        images: The image of each generator, in the generators' order.
    """

    text: str
    dim: int
    images: tuple[SignedPermutation, ...]

    def __post_init__(self) -> None:
        if any(g.n != self.dim for g in self.images):
            raise ValueError(f"an image of {self.text} does not act on R^{self.dim}")


def name_generators(generators: Sequence[SignedPermutation]) -> tuple[str, ...]:
    """Return cycle notation for short generators, ``g0, g1, ...`` where it would be long."""
    spelled = [spell_cycles(g) for g in generators]
    return tuple(s if len(s) <= 32 else f"g{i}" for i, s in enumerate(spelled))
