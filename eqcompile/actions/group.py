"""A group by its generators, and a representation by its images of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, RootModel

from eqcompile.errors import Refusal, Refusals
from eqcompile.exact.signed import SignedPermutation, spell_cycles
from eqcompile.reading import read_model
from eqcompile.registry import Registry


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


class Arguments(BaseModel):
    """What stands under a group family in a spec: the family's key and its sibling keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class GroupEntry(RootModel[str | dict[str, Any]]):
    """A group written inside another one: a name, or a mapping with one family."""

    model_config = ConfigDict(frozen=True)


@dataclass(frozen=True, slots=True)
class GroupFamily:
    """One way to write a group in a spec.

    Attributes:
        name: The key in the spec.
        summary: One line for ``eqcompile list groups``.
        arguments: Model of the whole mapping; one field is called like the family.
        build: Makes the group; raises `Refusal` with ``at`` inside the mapping.
    """

    name: str
    summary: str
    arguments: type[Arguments]
    build: Callable[[Any, Environment], Group]


@dataclass(frozen=True, slots=True)
class Environment:
    """What a group entry may refer to.

    Attributes:
        groups: Named groups that are already built.
        folder: Folder of the spec; files a spec names stand in or below it.
    """

    groups: Mapping[str, Group] = field(default_factory=dict)
    folder: Path = field(default_factory=Path)

    def build(self, entry: GroupEntry | str | Mapping[str, Any]) -> Group:
        """Build the group an entry describes.

        Raises:
            Refusals: With ``at`` relative to the entry.
        """
        value = entry.root if isinstance(entry, GroupEntry) else entry
        if isinstance(value, str):
            if value not in self.groups:
                raise Refusals((_unknown_name(value, self.groups),))
            return self.groups[value]
        family = GROUPS[find_family(value)]
        return family.build(read_model(family.arguments, value), self)


GROUPS: Registry[GroupFamily] = Registry("group")


def _unknown_name(name: str, groups: Mapping[str, Group]) -> Refusal:
    known: Registry[Group] = Registry("group")
    for key, group in groups.items():
        known.add(key, group)
    return known.unknown(name)


def find_family(value: Mapping[str, Any]) -> str:
    """Return the one key of a group mapping that names a family.

    Raises:
        Refusals: No key or several keys name a family.
    """
    found = [key for key in value if key in GROUPS]
    if len(found) == 1:
        return found[0]
    if not found and len(value) == 1:
        (key,) = value
        refusal = GROUPS.unknown(str(key))
        refusal.at = (key,)
        raise Refusals((refusal,))
    what = "several families: " + ", ".join(found) if found else "no family"
    raise Refusals(
        (Refusal("group-family", f"a group names one family, this one {what}", "write one family, such as {cyclic: 4}"),)
    )


def register_group(
    name: str, summary: str, arguments: type[Arguments]
) -> Callable[[Callable[[Any, Environment], Group]], Callable[[Any, Environment], Group]]:
    """Register the decorated function as the builder of a group family."""

    def add(build: Callable[[Any, Environment], Group]) -> Callable[[Any, Environment], Group]:
        GROUPS.add(name, GroupFamily(name, summary, arguments, build))
        return build

    return add
