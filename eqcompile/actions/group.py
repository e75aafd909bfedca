"""A group by its generators, and a representation by its images of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainValidator, RootModel, WithJsonSchema

from eqcompile.actions.fibrations import Fibration, refuse_inside
from eqcompile.actions.torus import Torus
from eqcompile.errors import PathPart, Refusal, Refusals, not_yet_served
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import SignedPermutation, spell_cycles
from eqcompile.reading import read_model, refuse_value, spell_value
from eqcompile.registry import Registry, nearest

MAX_DEPTH = 64


Image = SignedPermutation | Matrix
"""What stands for one generator: a signed permutation is always kept as one."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group acting linearly on R^n, known by generators of two kinds.

    Attributes:
        name: What people call it, such as ``S_3`` or ``D_4 on the 3x3 grid``.
        generators: The defining action of each discrete generator; the trivial group has the
            identity, a group with a Lie algebra may have none.
        labels: One short name per generator, then one per element of the algebra, printed in
            derivations and words.
        points: Coordinates of the points, where they have any (velocities of a lattice).
        fibration: The balanced colouring of a graph that ties more than its automorphisms, which
            are the generators; None where the group is all there is.
        algebra: Elements that generate the Lie algebra of the group, in the defining action.
        rotations: ``so3`` or ``o3`` where this group or one factor of it is SO(3) or O(3) in its
            own three coordinates, so that irreps are known; else empty.
        turns: There, one name per label (see `eqcompile.actions.irreps`); empty names act
            trivially in irreps.
        torus: A maximal torus, where one is known.
        nominal: The n that costs are counted at, where this stands for S_n with an n known only
            at run time; the generators are then those of S_2.
    """

    name: str
    generators: tuple[Image, ...]
    labels: tuple[str, ...]
    points: tuple[tuple[int, ...], ...] = ()
    fibration: Fibration | None = None
    algebra: tuple[Matrix, ...] = ()
    rotations: str = ""
    turns: tuple[str, ...] = ()
    torus: Torus | None = None
    nominal: int | None = None

    def __post_init__(self) -> None:
        count = len(self.generators) + len(self.algebra)
        if not count or len(self.labels) != count:
            raise ValueError("a group needs at least one generator, and one label for each")
        if len({measure_image(g) for g in (*self.generators, *self.algebra)}) != 1:
            raise ValueError("all generators of a group act on the same points")
        if self.rotations and len(self.turns) != count:
            raise ValueError("a group of rotations says how each generator turns")

    @property
    def dim(self) -> int:
        """Dimension of the defining action."""
        return measure_image((*self.generators, *self.algebra)[0])

    @property
    def is_signed(self) -> bool:
        """Whether signed permutations generate it, so that it is finite."""
        return not self.algebra and all(isinstance(g, SignedPermutation) for g in self.generators)

    @property
    def is_unsigned(self) -> bool:
        """Whether permutations without signs generate it."""
        return not self.algebra and all(
            isinstance(g, SignedPermutation) and g.is_unsigned for g in self.generators
        )


@dataclass(frozen=True, slots=True)
class Representation:
    """One matrix per generator of a group, of either kind.

    Attributes:
        text: The expression it came from, such as ``Sym(V, 2)``.
        dim: Dimension.
        images: The image of each discrete generator, in the generators' order.
        algebra: The image of each element of the Lie algebra, in their order.
        squares: The images are written in coordinates x', those of the representation are
            ``x_i = sqrt(squares[i]) x'_i``; empty where all are 1.
        scope: Where its images were written and not everything could be decided: what was
            checked, such as ``words up to length 8``; else empty.
    """

    text: str
    dim: int
    images: tuple[Image, ...]
    algebra: tuple[Matrix, ...] = ()
    squares: tuple[Fraction, ...] = ()
    scope: str = ""

    def __post_init__(self) -> None:
        if any(measure_image(g) != self.dim for g in (*self.images, *self.algebra)):
            raise ValueError(f"an image of {self.text} does not act on R^{self.dim}")
        if self.squares and len(self.squares) != self.dim:
            raise ValueError(f"{self.text} has one square per coordinate")


def measure_image(image: Image) -> int:
    """Return the dimension of the space that an image acts on."""
    return image.n if isinstance(image, SignedPermutation) else image.height


def name_generators(generators: Sequence[Image], names: Sequence[str] = ()) -> tuple[str, ...]:
    """Return one label per generator, no two alike.

    Cycle notation where it is short and names only one generator; else the family's own name for
    it, from ``names``, or ``g0, g1, ...``.
    """
    spelled = [spell_cycles(g) if isinstance(g, SignedPermutation) else "" for g in generators]
    names = names or [f"g{i}" for i in range(len(spelled))]
    return tuple(
        s if 0 < len(s) <= 32 and spelled.count(s) == 1 else name
        for s, name in zip(spelled, names, strict=True)
    )


class Arguments(BaseModel):
    """What stands under a group family in a spec: the family's key and its sibling keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _read_entry(value: object) -> object:
    """Accept what may describe a group: a name or a mapping; its content is read later."""
    if isinstance(value, (str, dict)):
        return value
    text = f"expected the name of a group or a mapping, found {spell_value(value)}"
    raise refuse_value("type", text, "write a name or one family, such as {cyclic: 4}")


GroupValue = Annotated[
    Any,
    PlainValidator(_read_entry),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]}),
]


class GroupEntry(RootModel[GroupValue]):
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
        depth: How many groups the entry stands inside.
    """

    groups: Mapping[str, Group] = field(default_factory=dict)
    folder: Path = field(default_factory=Path)
    depth: int = 0

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
        arguments = read_model(family.arguments, value)
        try:
            return family.build(arguments, self)
        except Refusal as refusal:
            raise Refusals((refusal,)) from None

    def build_factors(
        self, entries: Sequence[GroupEntry], at: tuple[PathPart, ...]
    ) -> tuple[Group, ...]:
        """Build the groups of a list that stands at ``at``.

        Raises:
            Refusals: Everything that is wrong with any of them.
        """
        if self.depth >= MAX_DEPTH:
            text = f"groups are written inside one another more than {MAX_DEPTH} deep"
            raise Refusals((Refusal("too-deep", text, "name inner groups under `groups:`", at),))
        inner = replace(self, depth=self.depth + 1)
        built: list[Group] = []
        found: list[Refusal] = []
        for i, entry in enumerate(entries):
            try:
                built.append(inner.build(entry))
            except Refusals as refusals:
                found += [refusal.move((*at, i)) for refusal in refusals.refusals]
                continue
            if built[-1].fibration is not None:
                found.append(refuse_inside((*at, i)))
            if built[-1].nominal is not None:
                found.append(refuse_any_inside((*at, i)))
        if found:
            raise Refusals(tuple(found))
        return tuple(built)


GROUPS: Registry[GroupFamily] = Registry("group")


def refuse_any_inside(at: tuple[PathPart, ...]) -> Refusal:
    """Refuse S_n for any n inside a group made of others."""
    what = "a symmetric group of any size inside another group"
    return not_yet_served(what, "write the number of points", at=at)


def _unknown_name(name: str, groups: Mapping[str, Group]) -> Refusal:
    known = ", ".join(groups) or "none"
    close = nearest(name, list(groups))
    if close is None and name in GROUPS:
        help = f"a family is written as a mapping, such as {{{name}: ...}}"
    else:
        help = f"did you mean {close!r}?" if close else "name it under `groups:`"
    return Refusal("unknown-name", f"no group is called {name!r}; known: {known}", help)


def find_family(value: Mapping[str, Any]) -> str:
    """Return the one key of a group mapping that names a family.

    Raises:
        Refusals: No key or several keys name a family.
    """
    found = [key for key in value if key in GROUPS]
    # A family may take the key of another one beside its own: lie_algebra with matrices.
    owners = [key for key in found if set(found) <= set(GROUPS[key].arguments.model_fields)]
    if len(owners) == 1:
        return owners[0]
    if not found:
        likely = [key for key in value if len(value) == 1 or nearest(str(key), list(GROUPS))]
        if likely:
            refusal = replace(GROUPS.unknown(str(likely[0])), at=(likely[0],), on_key=True)
            raise Refusals((refusal,))
    names = " and ".join(found) or "none"
    text = f"a group names one family, this one names {names}"
    raise Refusals((Refusal("group-family", text, "write one family, such as {cyclic: 4}"),))


def register_group(
    name: str, summary: str, arguments: type[Arguments]
) -> Callable[[Callable[[Any, Environment], Group]], Callable[[Any, Environment], Group]]:
    """Register the decorated function as the builder of a group family."""

    def add(build: Callable[[Any, Environment], Group]) -> Callable[[Any, Environment], Group]:
        GROUPS.add(name, GroupFamily(name, summary, arguments, build))
        return build

    return add
