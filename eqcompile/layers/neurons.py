"""Parameters tied by a group over the neurons, posed as layers of degree 1.

A parameter with one row per neuron is a linear map from the neurons to the columns: its value at
neuron i is row i. The group demands ``row_{g i} = sign R(g) row_i``, so that the map commutes with
it; the machinery of polynomial layers solves and proves that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from eqcompile.actions.constructions import take_trivial
from eqcompile.actions.group import Representation
from eqcompile.exact.signed import SignedPermutation
from eqcompile.layers.problem import Channels, LayerInput, LayerProblem
from eqcompile.layers.split import split_generators
from eqcompile.spec.neurons import NeuronActions
from eqcompile.spec.parameterised import Rectangle


def measure_neurons(size: int | Rectangle) -> tuple[int, int, bool]:
    """Return the neurons in, the neurons out, and whether they are the same."""
    if isinstance(size, Rectangle):
        return size.inputs, size.outputs, False
    return size, size, True


@dataclass(frozen=True, slots=True)
class TieBuilder:
    """Poses the ties of one layer.

    Attributes:
        layer: Name of the layer.
        actions: What the group does to it.
    """

    layer: str
    actions: NeuronActions

    def tie_rows(
        self, name: str, neurons: Representation, columns: Representation, *, signed: bool = True
    ) -> LayerProblem:
        """Pose the tie of a parameter with one row per neuron.

        Args:
            name: Of the parameter.
            neurons: Action on the neurons.
            columns: Action on the columns.
            signed: Whether rows change sign with their neuron.
        """
        moved = neurons if signed else drop_signs(neurons)
        split = split_generators(self.actions.group, (moved,), columns)
        return LayerProblem(
            name=f"{self.layer}.{name}",
            group=self.actions.group,
            labels=split.labels,
            inputs=(LayerInput("x", split.inputs[0]),),
            output=split.output,
            degrees=((1,),),
            channels=Channels(),
            linear=split.linear,
            scope=tuple(action.scope for action in (moved, columns) if action.scope),
        )

    def tie_vector(
        self, name: str, entries: Representation, *, signed: bool = True
    ) -> LayerProblem:
        """Pose the tie of a parameter with one number per neuron, or per direction."""
        trivial = take_trivial(self.actions.group)
        return self.tie_rows(name, entries, trivial, signed=signed)

    def tie_weights(self) -> LayerProblem:
        """Pose the weights themselves, a linear map between the neurons."""
        return self.tie_rows("weights", self.actions.inputs, self.actions.outputs)


def drop_signs(action: Representation) -> Representation:
    """Return an action by signed permutations without its signs."""
    found = [image for image in action.images if isinstance(image, SignedPermutation)]
    if all(image.is_unsigned for image in found):
        return action
    images = tuple(SignedPermutation.unsigned(image.perm) for image in found)
    return replace(action, text=f"|{action.text}|", images=images)
