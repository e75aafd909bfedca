"""The question a polynomial layer asks: which polynomial maps commute with these actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Literal, TypeVar

from eqcompile.actions.group import Group
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.monomials import partitions
from eqcompile.exact.signed import SignedPermutation
from eqcompile.layers.relations import Relation
from eqcompile.spec.inputs import name_block, name_degree

T = TypeVar("T")

Mixing = Literal["full", "channelwise", "depthwise", "factored"]
Parametrisation = Literal["orthonormal", "eliminate"]

OUTPUT_LETTERS = ("y", "f", "z", "out")

Degree = tuple[int, ...]
"""The degree in each input: ``(2,)`` for one input, ``(1, 1)`` for x y."""

Shape = tuple[tuple[int, ...], ...]
"""Per input the degree in each of several different channels, a partition of its degree."""


@dataclass(frozen=True, slots=True)
class SignedAction:
    """An action of those generators that are signed permutations wherever the layer has them.

    Attributes:
        text: The expression it came from, such as ``Sym(V, 2)``.
        dim: Dimension.
        images: The image of each signed generator.
        squares: The coordinates of the layer are ``x_i = sqrt(squares[i]) x'_i``, where linear
            generators are written in the x'; empty where all are 1. Signed generators keep them.
    """

    text: str
    dim: int
    images: tuple[SignedPermutation, ...]
    squares: tuple[Fraction, ...] = ()


@dataclass(frozen=True, slots=True)
class LinearGenerator:
    """A generator that is no signed permutation somewhere, in the coordinates x'.

    Attributes:
        cause: Its label.
        infinitesimal: Whether it is an element of the Lie algebra: ``Df(x)(X x) = Y f(x)``.
        inputs: Its matrix on each input (in an ansatz: on each factor of the monomials).
        output: Its matrix on the output.
    """

    cause: str
    infinitesimal: bool
    inputs: tuple[Matrix, ...]
    output: Matrix


@dataclass(frozen=True, slots=True)
class LayerInput:
    """One input of a layer.

    Attributes:
        name: Its name in the spec; ``x`` where it has none there.
        action: Action on it.
        channels: Length of its channel axis.
    """

    name: str
    action: SignedAction
    channels: int = 1


@dataclass(frozen=True, slots=True)
class Channels:
    """How the channel axes mix.

    Attributes:
        outputs: Channels out.
        mixing: ``full``, ``channelwise``, ``depthwise`` or ``factored`` (design: emitted package).
        rank: Number of products of a factored layer, else None.
    """

    outputs: int = 1
    mixing: Mixing = "full"
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class LayerProblem:
    """One polynomial layer to solve.

    Attributes:
        name: Class name in the emitted package.
        group: The group, by generators.
        labels: Labels of the signed generators, whose images the actions hold.
        inputs: The inputs, in the order of the spec.
        output: Action on the output.
        degrees: The degrees present: by total degree, then by degree in the first input, highest
            first, and so on.
        channels: How the channels mix.
        form: ``auto`` or the form of the plan that the spec asks for.
        dtype: Default dtype of the emitted layer, such as ``float32``.
        parametrisation: What the parameters are where coefficients depend on each other.
        linear: The other generators.
        relations: Further linear constraints of the spec.
        scope: How far it was decided that the images are actions; empty where they surely are.
    """

    name: str
    group: Group
    labels: tuple[str, ...]
    inputs: tuple[LayerInput, ...]
    output: SignedAction
    degrees: tuple[Degree, ...]
    channels: Channels
    form: str = "auto"
    dtype: str = "float32"
    parametrisation: Parametrisation = "orthonormal"
    linear: tuple[LinearGenerator, ...] = ()
    relations: tuple[Relation, ...] = ()
    scope: tuple[str, ...] = ()

    def block_shapes(self, degree: Degree) -> tuple[Shape, ...]:
        """List the multidegrees over distinct channels that the mixing has parameters for.

        ``full`` has every partition of the degree in each input: the exact channel space is the
        sum over them (Sym^d of R^C (x) V splits by channel multiplicity). A ``factored`` layer
        multiplies as many different mixtures as the total degree, hence shapes of ones; the others
        stay within one channel of each input.
        """
        match self.channels.mixing:
            case "full":
                return tuple(product(*(tuple(partitions(d)) for d in degree)))
            case "factored":
                return (split_degree(degree),)
            case "channelwise" | "depthwise":
                return (keep_degree(degree),)

    def list_factors(self, shape: Shape) -> tuple[LayerInput, ...]:
        """Return the input that each factor of the monomials of a shape is in."""
        return tuple(self.inputs[i] for i in number_factors(shape))

    def spell_degree(self, degree: Degree) -> str:
        """Write a degree as the key of results: ``2``, or ``x:1,y:1``."""
        if len(self.inputs) == 1:
            return str(degree[0])
        pairs = zip(self.inputs, degree, strict=True)
        return ",".join(f"{source.name}:{d}" for source, d in pairs)

    def key_by_input(self, values: Sequence[T]) -> T | dict[str, T]:
        """Return what there is one of per input: alone for a lone input, else by name."""
        if len(self.inputs) == 1:
            return values[0]
        return {given.name: value for given, value in zip(self.inputs, values, strict=True)}

    def spell_inputs(self) -> str:
        """Write the actions on the inputs: ``V``, or ``x: V, y: Alt(V, 2)``."""
        if len(self.inputs) == 1:
            return self.inputs[0].action.text
        return ", ".join(f"{source.name}: {source.action.text}" for source in self.inputs)

    @property
    def letter(self) -> str:
        """What diagrams call the output: ``y`` unless an input has that name."""
        names = {given.name for given in self.inputs} if len(self.inputs) > 1 else set()
        return next(c for c in (*OUTPUT_LETTERS, "".join(names) + "_") if c not in names)

    def name_degree(self, degree: Degree) -> str:
        """Name a degree inside the names of what belongs to it: ``2``, or ``x1_y1``."""
        return name_degree([given.name for given in self.inputs], degree)

    def name_block(self, shape: Shape) -> str:
        """Name one block: ``bias``, ``2``, ``2_11``, ``x2_y1_11_1``."""
        return name_block([given.name for given in self.inputs], shape)

    def name_weight(self, degree: Degree, shape: Shape) -> str:
        """Name the parameter of one block; a factored layer has one weight per degree."""
        if self.channels.mixing == "factored":
            shape = keep_degree(degree)
        name = self.name_block(shape)
        return f"weight_{name}" if sum(degree) else name

    def name_maps(self, degree: Degree) -> tuple[str, ...]:
        """Name the maps of a factored degree, one per factor: ``factor_2_1, factor_2_2``."""
        name = self.name_degree(degree)
        return tuple(f"factor_{name}_{j + 1}" for j in range(sum(degree)))

    def name_mix(self, degree: Degree) -> str:
        """Name what mixes the products of a factored degree."""
        return f"mix_{self.name_degree(degree)}"


def keep_degree(degree: Degree) -> Shape:
    """Return the shape of a degree within one channel of each input."""
    return tuple((d,) if d else () for d in degree)


def split_degree(degree: Degree) -> Shape:
    """Return the shape of a degree whose factors are all in different channels."""
    return tuple((1,) * d for d in degree)


def flatten_shape(shape: Shape) -> tuple[int, ...]:
    """Return the degree in each factor of the monomials of a shape."""
    return tuple(part for parts in shape for part in parts)


def number_factors(shape: Shape) -> tuple[int, ...]:
    """Return the number of the input that each factor of a shape is in."""
    return tuple(i for i, parts in enumerate(shape) for _ in parts)
