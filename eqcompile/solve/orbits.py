"""Orbits of outputs, the elements that carry along them, and what fixes their first output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from eqcompile.exact.signed import IntArray, SignedPermutation
from eqcompile.solve.ansatz import Ansatz


@dataclass(frozen=True, slots=True)
class OutputWalk:
    """A breadth-first walk over one orbit of outputs, from its least output.

    Attributes:
        outputs: The outputs in order of the walk.
        parents: Position each is reached from; 0 for the first.
        steps: Generator that leads there; -1 for the first.
    """

    outputs: IntArray
    parents: IntArray
    steps: IntArray


def walk_outputs(generators: Sequence[SignedPermutation], start: int) -> OutputWalk:
    """Walk the orbit of one output; signs do not matter here."""
    reached = {start: 0}
    outputs, parents, steps = [start], [0], [-1]
    images = [g.perm.tolist() for g in generators]
    for position, output in enumerate(outputs):
        for step, image in enumerate(images):
            target = image[output]
            if target not in reached:
                reached[target] = len(outputs)
                outputs.append(target)
                parents.append(position)
                steps.append(step)
    return OutputWalk(np.array(outputs), np.array(parents), np.array(steps))


def walk_all_outputs(generators: Sequence[SignedPermutation]) -> list[OutputWalk]:
    """Walk every orbit of outputs, in order of their least output."""
    walks: list[OutputWalk] = []
    seen: set[int] = set()
    for output in range(generators[0].n):
        if output not in seen:
            walks.append(walk_outputs(generators, output))
            seen.update(walks[-1].outputs.tolist())
    return walks


@dataclass(frozen=True, slots=True)
class Element:
    """One group element: its images on each factor of the input, and on the outputs."""

    inputs: tuple[SignedPermutation, ...]
    output: SignedPermutation

    def __matmul__(self, other: Element) -> Element:
        pairs = zip(self.inputs, other.inputs, strict=True)
        return Element(tuple(a @ b for a, b in pairs), self.output @ other.output)

    def inverse(self) -> Element:
        """Return the inverse element."""
        return Element(tuple(g.inverse() for g in self.inputs), self.output.inverse())


def list_elements(ansatz: Ansatz) -> list[Element]:
    """Return the generators, each with its images on the inputs and on the outputs."""
    return [
        Element(tuple(r.images[i] for r in ansatz.inputs), ansatz.output.images[i])
        for i in range(len(ansatz.causes))
    ]


def carry_elements(ansatz: Ansatz, walk: OutputWalk) -> list[Element]:
    """Return, per output of a walk, the element that carries the first output there."""
    generators = list_elements(ansatz)
    identities = tuple(SignedPermutation.identity(r.dim) for r in ansatz.inputs)
    carried = [Element(identities, SignedPermutation.identity(ansatz.output.dim))]
    for parent, step in zip(walk.parents[1:], walk.steps[1:], strict=True):
        carried.append(generators[step] @ carried[parent])
    return carried


def list_stabiliser(ansatz: Ansatz, walk: OutputWalk) -> Iterator[Element]:
    """List generators of the elements that fix the first output of a walk, up to sign.

    These are the Schreier generators ``u_{g k}^-1 g u_k`` of all outputs k and generators g, so
    they generate the whole stabiliser (Schreier's lemma); identities and repetitions are left out.
    """
    carried = carry_elements(ansatz, walk)
    place = {int(output): i for i, output in enumerate(walk.outputs)}
    seen: set[bytes] = set()
    for step, generator in enumerate(list_elements(ansatz)):
        for position, output in enumerate(walk.outputs):
            target = place[int(generator.output.perm[output])]
            if walk.parents[target] == position and walk.steps[target] == step and target:
                continue
            element = carried[target].inverse() @ generator @ carried[position]
            key = b"".join(
                part.tobytes()
                for g in (*element.inputs, element.output)
                for part in (g.perm, g.signs)
            )
            if key not in seen:
                seen.add(key)
                if not (element.output.is_identity and all(g.is_identity for g in element.inputs)):
                    yield element
