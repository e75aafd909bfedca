"""The slots of a layer, and linear equations between them."""

from __future__ import annotations

from dataclasses import dataclass

from eqcompile.exact.fields import Scalar
from eqcompile.spec.inputs import Degree


@dataclass(frozen=True, slots=True)
class LayerSlots:
    """The slots that a layer has.

    Attributes:
        outputs: Dimension of the output.
        inputs: Name and dimension of each input.
        degrees: The degrees in each input that the layer has.
    """

    outputs: int
    inputs: tuple[tuple[str, int], ...]
    degrees: tuple[Degree, ...]

    def spell_degree(self, degree: Degree) -> str:
        """Write a degree as in ``2``, or ``x:1,y:1`` where there are several inputs."""
        if len(self.inputs) == 1:
            return str(degree[0])
        pairs = zip(self.inputs, degree, strict=True)
        return ",".join(f"{name}:{d}" for (name, _), d in pairs)

    def spell_slot(self, slot: Slot) -> str:
        """Write a slot as in ``w[0; 1, 2]``, or ``w[0; x.1, y.2]`` for several inputs."""
        named = len(self.inputs) > 1
        indices = [
            f"{name}.{i}" if named else str(i)
            for (name, _), part in zip(self.inputs, slot.indices, strict=True)
            for i in part
        ]
        return f"w[{slot.output}; {', '.join(indices)}]" if indices else f"w[{slot.output}]"


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """One coefficient: an output and, per input, the non-decreasing indices of a monomial."""

    output: int
    indices: tuple[tuple[int, ...], ...]

    @property
    def degree(self) -> Degree:
        """The degree in each input."""
        return tuple(len(part) for part in self.indices)


@dataclass(frozen=True, slots=True)
class SlotEquation:
    """The equation ``sum_j terms[j][1] * terms[j][0] == right``.

    Attributes:
        terms: Slots of one degree, increasing, each once with its coefficient, which is not 0;
            none where everything cancels.
        right: The right-hand side.
        degree: The degree of its slots in each input.
    """

    terms: tuple[tuple[Slot, Scalar], ...]
    right: Scalar
    degree: Degree
