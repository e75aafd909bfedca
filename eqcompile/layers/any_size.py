"""The question a layer asks that serves S_n for every n: which diagrams, whatever n is."""

from __future__ import annotations

from dataclasses import dataclass, field

from eqcompile.actions.tensor_powers import NOMINAL
from eqcompile.exact.monomials import partitions
from eqcompile.exact.multigraphs import Terms
from eqcompile.layers.problem import Channels
from eqcompile.spec import Spec
from eqcompile.spec.inputs import list_channels, list_degrees


@dataclass(frozen=True, slots=True)
class DiagramProblem:
    """A layer between direct sums of tensor powers of V = R^n, n known only at run time.

    Attributes:
        name: Class name in the emitted package.
        input: The input, as tensor powers.
        output: The output, likewise.
        input_text: The expression the input came from, such as ``V ** 2``.
        output_text: That of the output.
        degrees: The degrees present, increasing.
        in_channels: Length of the input's channel axis.
        channels: How the channels mix.
        nominal: The n at which costs are counted and initial outputs have variance 1.
        dtype: Default dtype of the emitted layer.
    """

    name: str
    input: Terms
    output: Terms
    input_text: str
    output_text: str
    degrees: tuple[int, ...]
    in_channels: int = 1
    channels: Channels = field(default_factory=Channels)
    nominal: int = NOMINAL
    dtype: str = "float32"

    def block_shapes(self, degree: int) -> tuple[tuple[int, ...], ...]:
        """List the degrees in different channels that the mixing has parameters for."""
        if degree == 0:
            return ((),)
        match self.channels.mixing:
            case "full":
                return tuple(partitions(degree))
            case "factored":
                return ((1,) * degree,)
            case "channelwise" | "depthwise":
                return ((degree,),)

    def name_weight(self, degree: int, shape: tuple[int, ...]) -> str:
        """Name the parameter of one block: ``bias``, ``weight_2``, ``weight_2_11``."""
        if degree == 0:
            return "bias"
        if len(shape) == 1 or self.channels.mixing == "factored":
            return f"weight_{degree}"
        return f"weight_{degree}_{''.join(map(str, shape))}"


def resolve_diagrams(spec: Spec) -> tuple[tuple[int, DiagramProblem], ...]:
    """Turn every layer of S_n for any n into the problem it poses, with its place in the spec."""
    found = []
    for index, entry, actions in spec.list_polynomial():
        if actions.powers is None:
            continue
        ((_, source),) = actions.inputs
        problem = DiagramProblem(
            name=entry.name,
            input=actions.powers[0],
            output=actions.powers[1],
            input_text=source.text,
            output_text=actions.output.text,
            degrees=tuple(degree for (degree,) in list_degrees(entry)),
            in_channels=list_channels(entry)[0],
            channels=Channels(entry.channels.outputs, entry.channels.mixing, entry.channels.rank),
            nominal=actions.group.nominal or NOMINAL,
            dtype=spec.document.emit.dtype,
        )
        found.append((index, problem))
    return tuple(found)
