"""Everything about a parameterised layer that its model does not say."""

from __future__ import annotations

from eqcompile.errors import Refusal
from eqcompile.spec.bounds import check_tie
from eqcompile.spec.neurons import NeuronActions, check_neurons
from eqcompile.spec.options import check_options
from eqcompile.spec.parameterised import CoulombLayer, DistanceLayer, ParameterisedLayer
from eqcompile.spec.placements import check_given, check_positions
from eqcompile.spec.tied_weights import check_ties


def check_parameterised(entry: ParameterisedLayer, actions: object) -> list[Refusal]:
    """Refuse options, positions and actions of a layer that do not fit it or each other.

    Args:
        entry: The layer.
        actions: What its group does, where that is known.
    """
    found = check_options(entry)
    pairs = entry if isinstance(entry, CoulombLayer | DistanceLayer) else None
    if pairs is not None:
        found += check_positions(pairs)
    if not isinstance(actions, NeuronActions):
        return found
    found += check_neurons(entry, actions)
    if found:
        return found
    found = _check_size(actions)
    if pairs is not None and not found:
        found = check_given(pairs, actions)
    return found or check_ties(entry, actions)


def _check_size(actions: NeuronActions) -> list[Refusal]:
    """Refuse ties that are too large to solve."""
    columns = [action for _, action in actions.columns] or [actions.outputs]
    for neurons in (actions.inputs, actions.outputs):
        for action in columns:
            refused = check_tie(actions.group, neurons, action)
            if refused is not None:
                return [refused.move(("group",))]
    return []
