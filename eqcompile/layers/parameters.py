"""The question a parameterised layer asks: which parameters a group over its neurons allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eqcompile.actions.group import Group
from eqcompile.layers.problem import LayerProblem

Points = tuple[tuple[float, ...], ...]
"""One row of coordinates per neuron."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a layer.

    Attributes:
        name: Its name in the emitted class; tied ones are stored as ``theta_<name>``.
        shape: Shape in full, as if nothing were tied.
        meaning: What it is, in a few words.
    """

    name: str
    shape: tuple[int, ...]
    meaning: str


@dataclass(frozen=True, slots=True)
class ParameterisedProblem:
    """One layer whose weights are a function of its parameters.

    Attributes:
        name: Class name in the emitted package.
        family: What ``family:`` says.
        formula: What the layer computes, on one line.
        n_in: Neurons in.
        n_out: Neurons out.
        square: Whether the neurons in are the neurons out, with one parameter for both.
        dtype: Default dtype of the emitted layer.
        options: What else is fixed, by name: the further fields of the facts of the family in the
            emitted package, sorted.
        parameters: What state_dict holds, in order.
        positions: Given positions: ``("x", rows)`` of the neurons out, ``("y", rows)`` of the
            neurons in.
        group: The group over the neurons, where there is one.
        ties: One problem of degree 1 per tied parameter, named ``<layer>.<parameter>``: linear
            maps from the neurons whose columns are the rows of the parameter.
        orbitals: The weights as a linear map between the neurons, named ``<layer>.weights``; None
            without a group, and where they are a tied parameter themselves.
    """

    name: str
    family: str
    formula: str
    n_in: int
    n_out: int
    square: bool
    dtype: str
    options: tuple[tuple[str, Any], ...]
    parameters: tuple[Parameter, ...]
    positions: tuple[tuple[str, Points], ...] = ()
    group: Group | None = None
    ties: tuple[LayerProblem, ...] = ()
    orbitals: LayerProblem | None = None

    @property
    def tied(self) -> tuple[str, ...]:
        """Names of the parameters that the group ties."""
        return tuple(tie.name.removeprefix(f"{self.name}.") for tie in self.ties)
