"""What a plan calls the inputs of a layer: its arguments, their axes and the words for their sizes.

A lone input is the argument ``x`` with the axes (b, c, i), whatever the spec calls it. Of several
inputs each is an argument ``in_<name>`` with the axes (b, c_<name>, i_<name>); in a depthwise layer
they share the channel axis c.
"""

from __future__ import annotations

from dataclasses import dataclass

from eqcompile.exact.signed import SignedPermutation
from eqcompile.layers.problem import LayerProblem, Shape, flatten_shape, number_factors
from eqcompile.plan.ir import Axes, ChannelTuples


@dataclass(frozen=True, slots=True)
class Source:
    """One input, as a plan sees it.

    Attributes:
        number: Its place among the inputs.
        argument: Name of the argument.
        dim: Dimension.
        channel: Axis of its channels.
        count: Word for their number.
        ending: What the names of its own axes and tables end in; empty for a lone input.
        images: How the signed generators act on it.
    """

    number: int
    argument: str
    dim: int
    channel: str
    count: str
    ending: str
    images: tuple[SignedPermutation, ...]

    @property
    def index(self) -> str:
        """Axis of its components."""
        return "i" + self.ending

    @property
    def axes(self) -> Axes:
        """Axes of the argument."""
        return ("b", self.channel, self.index)

    @property
    def recipe(self) -> tuple[str | int, ...]:
        """What the recipe of a table of this input ends in."""
        return ("of", self.number) if self.ending else ()


def list_sources(problem: LayerProblem) -> tuple[Source, ...]:
    """Name the inputs of a layer."""
    several = len(problem.inputs) > 1
    # Depthwise layers have as many channels in each input as out: one size, one word.
    own = several and problem.channels.mixing != "depthwise"
    return tuple(
        Source(
            number=number,
            argument=f"in_{given.name}" if several else "x",
            dim=given.action.dim,
            channel=f"c_{given.name}" if own else "c",
            count=f"in_{given.name}" if own else "in",
            ending=f"_{given.name}" if several else "",
            images=given.action.images,
        )
        for number, given in enumerate(problem.inputs)
    )


def list_factor_sources(problem: LayerProblem, shape: Shape) -> tuple[Source, ...]:
    """Return the input of each factor of a block."""
    sources = list_sources(problem)
    return tuple(sources[number] for number in number_factors(shape))


def spell_shape(shape: Shape) -> tuple[str | int, ...]:
    """Write a shape in a recipe: the parts, then the input of each if there are several.

    ``1, 1`` is x_c x_c'; of several inputs ``1, 1, "of", 0, 1`` is x y.
    """
    parts = flatten_shape(shape)
    return (*parts, "of", *number_factors(shape)) if len(shape) > 1 else parts


def tuples_of(problem: LayerProblem, shape: Shape) -> ChannelTuples:
    """Return the tuples of channels of a block."""
    return ChannelTuples(shape, tuple(source.count for source in list_sources(problem)))


def count_channels(problem: LayerProblem, batch: int) -> dict[str, int]:
    """Return the sizes that the words of a plan stand for, as the spec has them."""
    sources = list_sources(problem)
    pairs = zip(sources, problem.inputs, strict=True)
    return {
        "batch": batch,
        **{source.count: given.channels for source, given in pairs},
        "out": problem.channels.outputs,
        "rank": problem.channels.rank or 1,
    }
