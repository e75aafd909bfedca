"""Tying classes: the solution of equality constraints, as orbits of signed slots.

A tying is stored as one slice per output orbit (the classes of the slots of its first output)
and, per output, a group element that carries that first output there. So the table of all slots,
n_out times larger, exists only where somebody asks for it row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from eqcompile.exact.signed import IntArray, SignedPermutation, freeze
from eqcompile.solve.ansatz import Ansatz
from eqcompile.solve.basis import Basis


@dataclass(frozen=True)
class OutputOrbit:
    """The slots of one orbit of outputs.

    Attributes:
        outputs: The outputs, in the order a breadth-first walk from the least one reaches them;
            ``outputs[0]`` is the least.
        parents: Position in ``outputs`` that each output is reached from; 0 for the first.
        steps: Generator that leads there from the parent; -1 for the first.
        labels: Shape ``(monomials,)``: coefficient of each slot of ``outputs[0]``, -1
            where it is zero.
        signs: Shape ``(monomials,)``: its sign there, 0 where it is zero.
    """

    outputs: IntArray
    parents: IntArray
    steps: IntArray
    labels: IntArray
    signs: IntArray

    def __post_init__(self) -> None:
        for name in ("outputs", "parents", "steps", "labels", "signs"):
            object.__setattr__(self, name, freeze(getattr(self, name)))


@dataclass(frozen=True)
class Tying:
    """The solution of one multidegree.

    Slots that the signed generators tie share one coefficient, up to sign. Coefficients are
    numbered by their least slot ``(output, monomial rank)``, where the sign is +1; this order
    depends on the action only, neither on the solver's path nor on the form. Where nothing but
    signed permutations was asked for, the coefficients are the classes; otherwise the ``basis``
    says how they depend on each other.

    Attributes:
        ansatz: What was solved.
        orbits: One per orbit of outputs, in order of their least output.
        basis: The classes as combinations of coefficients; None where each coefficient is one.
        redundant: Causes of the constraints of the spec that said nothing new.
    """

    ansatz: Ansatz
    orbits: tuple[OutputOrbit, ...]
    basis: Basis | None = None
    redundant: tuple[str, ...] = ()

    # Set by the driver: diagrams stand on a floor above, and notebooks ask the class itself.
    draw_html: ClassVar[Callable[[Tying], str] | None] = None

    def _repr_html_(self) -> str | None:
        """Return the diagram a notebook shows, once the drawing floor is loaded."""
        draw = type(self).draw_html
        return draw(self) if draw else None

    @cached_property
    def coefficients(self) -> int:
        """Number of different coefficients: slots that are equal up to sign share one."""
        return 1 + max((int(o.labels.max(initial=-1)) for o in self.orbits), default=-1)

    @property
    def classes(self) -> int:
        """Dimension of the solution space; of its directions, where it has an offset."""
        return self.coefficients if self.basis is None else self.basis.classes

    @property
    def is_affine(self) -> bool:
        """Whether the coefficients have a fixed part."""
        return self.basis is not None and self.basis.offset is not None

    @cached_property
    def zeros(self) -> int:
        """Number of slots forced to zero."""
        return sum(len(o.outputs) * int((o.labels < 0).sum()) for o in self.orbits)

    @cached_property
    def additive(self) -> int:
        """Number of slots whose coefficient is not 0 and not +- a free one."""
        if self.basis is None:
            return 0
        return int(self.sizes[self.basis.dependent].sum())

    @cached_property
    def sizes(self) -> IntArray:
        """Number of slots of each coefficient, shape ``(coefficients,)``."""
        sizes = np.zeros(self.coefficients, dtype=np.int64)
        for orbit in self.orbits:
            kept = orbit.labels[orbit.labels >= 0]
            sizes += len(orbit.outputs) * np.bincount(kept, minlength=self.coefficients)
        return freeze(sizes)

    @cached_property
    def representatives(self) -> IntArray:
        """The least slot of each coefficient, ``(output, monomial rank)``, one per row."""
        found = np.zeros((self.coefficients, 2), dtype=np.int64)
        # A coefficient may stand in several orbits of outputs; the first one is told last.
        for orbit in reversed(self.orbits):
            labels, first = np.unique(orbit.labels, return_index=True)
            kept = labels >= 0
            found[labels[kept], 0] = orbit.outputs[0]
            found[labels[kept], 1] = first[kept]
        return freeze(found)

    def carry(self, orbit: OutputOrbit) -> Iterator[tuple[int, SignedPermutation, int]]:
        """Walk the outputs of an orbit with the group element that carries the first one there.

        Yields:
            The output k, how the element moves the monomials, and the sign ``s`` of
            ``e_first -> s e_k``.
        """
        ansatz = self.ansatz
        inputs = [tuple(SignedPermutation.identity(r.dim) for r in ansatz.inputs)]
        signs = [1]
        for position, (parent, step) in enumerate(zip(orbit.parents, orbit.steps, strict=True)):
            if position:
                above = zip(ansatz.inputs, inputs[parent], strict=True)
                inputs.append(tuple(r.images[step] @ h for r, h in above))
                turn = ansatz.output.images[step].signs[orbit.outputs[parent]]
                signs.append(signs[parent] * int(turn))
            yield int(orbit.outputs[position]), ansatz.space.move(inputs[position]), signs[position]

    def rows(self) -> Iterator[tuple[int, IntArray, IntArray]]:
        """Walk all outputs, orbit by orbit, with the labels and signs of their slots.

        Yields:
            The output, and two arrays of shape ``(monomials,)`` as in :class:`OutputOrbit`.
        """
        for orbit in self.orbits:
            for output, moved, turn in self.carry(orbit):
                labels = np.empty_like(orbit.labels)
                signs = np.empty_like(orbit.signs)
                labels[moved.perm] = orbit.labels
                signs[moved.perm] = orbit.signs * moved.signs * turn
                yield output, labels, signs

    def table(self) -> tuple[IntArray, IntArray]:
        """Return labels and signs of all slots, each of shape ``(n_out, monomials)``."""
        shape = (self.ansatz.output.dim, self.ansatz.space.size)
        labels, signs = np.full(shape, -1, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for output, row_labels, row_signs in self.rows():
            labels[output], signs[output] = row_labels, row_signs
        return labels, signs
