"""Split the generators of a layer: orbits solve signed permutations, equations the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eqcompile.actions.group import Group, Representation
from eqcompile.actions.images import is_signed
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import SignedPermutation
from eqcompile.layers.problem import LinearGenerator, SignedAction


@dataclass(frozen=True, slots=True)
class SplitActions:
    """The actions of a layer, generator by generator of either kind.

    Attributes:
        labels: Labels of the signed generators; ``("identity",)`` where none is signed.
        inputs: What they do to each input.
        output: What they do to the output.
        linear: The other generators, discrete ones first.
    """

    labels: tuple[str, ...]
    inputs: tuple[SignedAction, ...]
    output: SignedAction
    linear: tuple[LinearGenerator, ...]


def split_generators(
    group: Group, inputs: Sequence[Representation], output: Representation
) -> SplitActions:
    """Split the generators of a group by what they do to the inputs and the output of a layer.

    A generator is signed where all its images are signed permutations of coordinates of one
    scale, so that it moves the coordinates of the layer as it moves those it is written in.
    """
    actions = (*inputs, output)
    count = len(output.images)
    signed = [i for i in range(count) if all(is_signed(action, i) for action in actions)]
    linear = [
        _pose_linear(group.labels[i], False, [action.images[i] for action in actions])
        for i in range(count)
        if i not in signed
    ]
    linear += [
        _pose_linear(label, True, [action.algebra[j] for action in actions])
        for j, label in enumerate(group.labels[count:])
    ]
    labels = tuple(group.labels[i] for i in signed) or ("identity",)
    *split, last = (_keep_signed(action, signed) for action in actions)
    return SplitActions(labels, tuple(split), last, tuple(linear))


def _keep_signed(action: Representation, signed: Sequence[int]) -> SignedAction:
    images = [action.images[i] for i in signed]
    kept = tuple(image for image in images if isinstance(image, SignedPermutation))
    identity = SignedPermutation.identity(action.dim)
    return SignedAction(action.text, action.dim, kept or (identity,), action.squares)


def _pose_linear(
    cause: str, infinitesimal: bool, images: Sequence[SignedPermutation | Matrix]
) -> LinearGenerator:
    *inputs, output = (
        Matrix.from_signed(image) if isinstance(image, SignedPermutation) else image
        for image in images
    )
    return LinearGenerator(cause, infinitesimal, tuple(inputs), output)
