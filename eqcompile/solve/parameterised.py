"""Solve what a group over the neurons of a parameterised layer ties: parameters, and weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from eqcompile.layers.parameters import Parameter, ParameterisedProblem
from eqcompile.layers.problem import LayerProblem
from eqcompile.solve.layer import LayerSolution, solve_layer
from eqcompile.solve.tying import Tying

LINEAR = (1,)
"""The degree of every tie."""

TIED_ALIKE = {"target": "weights"}
"""State that is averaged over the group like another one."""

ORBITAL_SLOTS = 2**16
"""Orbitals of the weights are found up to this many entries; no parameter needs them."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ParameterisedSolution:
    """The ties of a parameterised layer.

    Attributes:
        problem: What was solved.
        ties: One per tied parameter, in the order of the problem's.
        orbitals: The weights as a linear map between the neurons; None where no group acts, where
            they are a tied parameter themselves, or where they are too many.
    """

    problem: ParameterisedProblem
    ties: tuple[LayerSolution, ...] = ()
    orbitals: LayerSolution | None = None

    @property
    def solutions(self) -> tuple[LayerSolution, ...]:
        """Everything solved: the ties, then the orbitals of the weights."""
        return self.ties if self.orbitals is None else (*self.ties, self.orbitals)

    def find_tying(self, parameter: str) -> Tying | None:
        """Return the tie of a parameter, or None where it is free."""
        wanted = TIED_ALIKE.get(parameter, parameter)
        names = zip(self.problem.tied, self.ties, strict=True)
        return next((tie.tying(LINEAR) for name, tie in names if name == wanted), None)

    def count_free(self, parameter: Parameter) -> int:
        """Return how many numbers of a parameter are free."""
        tying = self.find_tying(parameter.name)
        return count_entries(parameter) if tying is None else tying.classes


def count_entries(parameter: Parameter) -> int:
    """Return how many numbers a parameter has in full."""
    return prod(parameter.shape)


def solve_parameterised(
    problem: ParameterisedProblem, *, progress: Progress = lambda text: None
) -> ParameterisedSolution:
    """Solve the ties of a layer, and the orbitals of its weights where they are few.

    Args:
        problem: The layer.
        progress: Called with a short text before each long step.
    """

    def solve(tie: LayerProblem) -> LayerSolution:
        return solve_layer(tie, blocks=False, progress=progress)

    orbitals = problem.orbitals
    if orbitals is not None and problem.n_in * problem.n_out > ORBITAL_SLOTS:
        orbitals = None
    ties = tuple(solve(tie) for tie in problem.ties)
    return ParameterisedSolution(problem, ties, None if orbitals is None else solve(orbitals))
