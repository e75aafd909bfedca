"""The most general polynomial layer of one multidegree, before any constraint."""

from __future__ import annotations

from dataclasses import dataclass, replace

from eqcompile.actions.fibrations import Fibration
from eqcompile.actions.torus import Torus
from eqcompile.errors import PathPart
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.monomials import MonomialSpace
from eqcompile.layers.problem import (
    LayerProblem,
    LinearGenerator,
    Shape,
    SignedAction,
    flatten_shape,
    number_factors,
)
from eqcompile.solve.relations import spell_rows


@dataclass(frozen=True, slots=True)
class Rows:
    """Linear equations between the slots of an ansatz, ``matrix w = right``.

    Attributes:
        cause: Label of a generator, or the line of the spec that demands them.
        matrix: Shape ``(equations, slots)``.
        right: Shape ``(equations, 1)``; None where it is zero.
        at: Where the spec demands them, below its layer.
    """

    cause: str
    matrix: Matrix
    right: Matrix | None = None
    at: tuple[PathPart, ...] = ()


@dataclass(frozen=True, slots=True)
class Ansatz:
    """One unknown coefficient ``w[k; a]`` per output k and monomial a.

    The layer is ``y[k] = sum_a w[k; a] x^a``; a slot is numbered ``k * space.size + rank(a)``. The
    factors of a monomial are in different inputs, or in different channels of one.

    Attributes:
        output: Action of the signed generators on the outputs.
        inputs: Their action on each factor of the monomials; the same one twice for two channels.
        shape: Degree in each factor; ``()`` is the constant.
        causes: Label of each signed generator.
        names: What slots call each factor: ``("",)`` where there is but one, ``("x0", "x1")`` for
            two channels, ``("x", "y")`` for two inputs. Left out: channels of one input.
        linear: The generators that are no signed permutations, with one matrix per factor.
        relations: Further equations.
        fibration: A balanced colouring that makes ties of its own, or None.
        sources: The number of the input each factor is in. Left out: the first.
        letter: What diagrams call the output.
        torus: Where solutions can be counted by weights: what commutes, and the roots.
    """

    output: SignedAction
    inputs: tuple[SignedAction, ...]
    shape: tuple[int, ...]
    causes: tuple[str, ...]
    names: tuple[str, ...] = ()
    linear: tuple[LinearGenerator, ...] = ()
    relations: tuple[Rows, ...] = ()
    fibration: Fibration | None = None
    sources: tuple[int, ...] = ()
    letter: str = "y"
    torus: Torus | None = None

    def __post_init__(self) -> None:
        if not self.names:
            object.__setattr__(self, "names", name_factors(("",), (self.shape,)))
        if not self.sources:
            object.__setattr__(self, "sources", (0,) * len(self.shape))

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
        """Write a slot: ``w[k; i, j]``, ``w[k; x0.1, x1.2]``, ``w[k; x.1, y.2]``."""
        parts = zip(self.names, self.space.tuples(rank), strict=True)
        indices = [f"{name}.{i}" if name else str(i) for name, part in parts for i in part]
        return f"w[{output}; {', '.join(indices)}]" if indices else f"w[{output}]"


def name_factors(inputs: tuple[str, ...], shape: Shape) -> tuple[str, ...]:
    """Name the factors of a shape: the channels of each input are numbered if there are several.

    Args:
        inputs: Names of the inputs; a lone one that has none is ``""``, its channels ``x0, x1``.
        shape: Per input the degree in each channel.
    """
    return tuple(
        name if len(parts) == 1 else f"{name or 'x'}{c}"
        for name, parts in zip(inputs, shape, strict=True)
        for c in range(len(parts))
    )


def expand(problem: LayerProblem, shape: Shape) -> Ansatz:
    """List the unknown coefficients of one multidegree of a layer, with what is asked of them.

    Args:
        problem: The layer.
        shape: Per input the degree in each of several different channels.

    Source: the general polynomial map of degree d has ``n_out C(n_in + d - 1, d)`` coefficients;
    for several inputs and channels, one such count per factor multiplies.
    """
    factors = number_factors(shape)
    several = len(problem.inputs) > 1
    names = tuple(source.name if several else "" for source in problem.inputs)
    return Ansatz(
        output=problem.output,
        inputs=tuple(problem.inputs[i].action for i in factors),
        shape=flatten_shape(shape),
        causes=problem.labels,
        names=name_factors(names, shape),
        sources=factors,
        letter=problem.letter,
        linear=tuple(
            replace(generator, inputs=tuple(generator.inputs[i] for i in factors))
            for generator in problem.linear
        ),
        relations=tuple(
            Rows(relation.cause, *sides, relation.at)
            for relation in problem.relations
            if (sides := spell_rows(relation, problem, shape)) is not None
        ),
        fibration=problem.group.fibration,
        torus=problem.group.torus,
    )
