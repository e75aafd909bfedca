"""What a group does to the neurons of a parameterised layer, and to its parameters."""

from __future__ import annotations

from dataclasses import dataclass

from eqcompile.actions.group import Group, Representation


@dataclass(frozen=True, slots=True)
class NeuronActions:
    """The actions of one parameterised layer.

    Attributes:
        group: The group.
        inputs: Its action on the neurons in, by signed permutations.
        outputs: That on the neurons out; the same where there is one set of neurons.
        columns: By parameter (``mu``, ``x``, ``q``), the action on its columns.
    """

    group: Group
    inputs: Representation
    outputs: Representation
    columns: tuple[tuple[str, Representation], ...] = ()
