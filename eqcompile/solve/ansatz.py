"""The most general polynomial layer of one multidegree, before any constraint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eqcompile.actions.group import Representation
from eqcompile.exact.monomials import MonomialSpace
from eqcompile.layers.problem import LayerProblem, Shape


@dataclass(frozen=True, slots=True)
class Ansatz:
    """One unknown coefficient ``w[k; a]`` per output k and monomial a.

    The layer is ``y[k] = sum_a w[k; a] x^a``; a slot is numbered ``k * space.size + rank(a)``.

    Attributes:
        output: Action on the outputs.
        inputs: Action on each factor of the monomials; the same one twice for two channels.
        shape: Degree in each factor; ``()`` is the constant.
        causes: Label of each generator.
    """

    output: Representation
    inputs: tuple[Representation, ...]
    shape: Shape
    causes: tuple[str, ...]

    @property
    def space(self) -> MonomialSpace:
        """The monomials."""
        pairs = zip(self.inputs, self.shape, strict=True)
        return MonomialSpace(tuple((r.dim, d) for r, d in pairs))

    @property
    def degree(self) -> int:
        """Total degree."""
        return sum(self.shape)

    @property
    def slots(self) -> int:
        """Number of coefficients."""
        return self.output.dim * self.space.size

    def spell_slot(self, output: int, rank: int) -> str:
        """Write a slot as ``w[k; i, j]``; several factors as ``w[k; x0.1, x1.2]``."""
        parts = self.space.tuples(rank)
        if len(parts) == 1:
            inside = ", ".join(str(i) for i in parts[0])
        else:
            inside = ", ".join(f"x{c}.{i}" for c, part in enumerate(parts) for i in part)
        return f"w[{output}; {inside}]" if inside else f"w[{output}]"


def expand(problem: LayerProblem, shape: Sequence[int]) -> Ansatz:
    """List the unknown coefficients of one multidegree of a layer.

    Args:
        problem: The layer.
        shape: Degree in each of ``len(shape)`` different channels.

    Source: the general polynomial map of degree d has ``n_out C(n_in + d - 1, d)`` coefficients;
    for several channels, one such count per channel multiplies.
    """
    shape = tuple(shape)
    return Ansatz(problem.output, (problem.input,) * len(shape), shape, problem.group.labels)
