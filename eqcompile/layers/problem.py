"""The question a polynomial layer asks: which polynomial maps commute with these two actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eqcompile.actions.group import Group, Representation
from eqcompile.exact.monomials import partitions

Mixing = Literal["full", "channelwise", "depthwise", "factored"]
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Channels:
    """How the channel axis mixes.

    Attributes:
        inputs: Channels in.
        outputs: Channels out.
        mixing: ``full``, ``channelwise``, ``depthwise`` or ``factored`` (design: emitted package).
        rank: Number of products of a factored layer, else None.
    """

    inputs: int = 1
    outputs: int = 1
    mixing: Mixing = "full"
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class LayerProblem:
    """One polynomial layer to solve.

    Attributes:
        name: Class name in the emitted package.
        group: The group, by generators.
        input: Action on the input.
        output: Action on the output.
        degrees: The degrees present, increasing.
        channels: The channel axis.
        form: ``auto`` or the form of the plan that the spec asks for.
        dtype: Default dtype of the emitted layer, such as ``float32``.
    """

    name: str
    group: Group
    input: Representation
    output: Representation
    degrees: tuple[int, ...]
    channels: Channels
    form: str = "auto"
    dtype: str = "float32"

    def block_shapes(self, degree: int) -> tuple[Shape, ...]:
        """List the multidegrees over distinct channels that the mixing has parameters for.

        ``full`` has every partition of the degree: the exact channel space is the sum over them
        (Sym^d of R^C (x) V splits by channel multiplicity). A ``factored`` layer multiplies d
        different mixtures, hence the all-ones shape; the others stay within a channel.
        """
        if degree == 0:
            return ((),)
        match self.channels.mixing:
            case "full":
                return tuple(partitions(degree))
            case "factored":
                return ((1,) * degree,)
            case "channelwise" | "depthwise":
                return ((degree,),)

    def name_weight(self, degree: int, shape: Shape) -> str:
        """Name the parameter of one block; a factored layer has one weight per degree."""
        return name_weight(degree, (degree,) if self.channels.mixing == "factored" else shape)


def name_weight(degree: int, shape: Shape) -> str:
    """Name what belongs to one block: ``bias``, ``weight_2``, ``weight_2_11``."""
    if degree == 0:
        return "bias"
    suffix = "" if len(shape) == 1 else "_" + "".join(str(part) for part in shape)
    return f"weight_{degree}{suffix}"
