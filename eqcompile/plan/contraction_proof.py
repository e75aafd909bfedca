"""Compare a program of contractions with the definition of its diagrams, over a prime field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from eqcompile.errors import CertificateError
from eqcompile.exact.multigraphs import Diagram, Terms
from eqcompile.exact.signed import IntArray
from eqcompile.plan.contractions import Contractions, Result
from eqcompile.solve.certificate_partitions import (
    PRIME,
    draw_tensors,
    evaluate_diagram,
    multiply,
    take_diagonal,
)

SIZES = (2, 5)
"""Numbers of points at which programs are compared."""


@dataclass(frozen=True, slots=True)
class ContractionProof:
    """How a program was compared with its diagrams.

    Attributes:
        method: How: random tensors over a prime field.
        prime: The prime.
        sizes: Numbers of points.
    """

    method: str
    prime: int
    sizes: tuple[int, ...]


def prove_contractions(
    program: Contractions, diagrams: Sequence[Diagram], output: Terms, inputs: Terms, variables: int
) -> ContractionProof:
    """Check that a program gives the mean over points that each diagram stands for.

    Both are multiplied by a random tensor of the output's kind and summed, so that every entry
    counts.

    Raises:
        CertificateError: A diagram and its program differ.
    """
    for n in SIZES:
        tensors = draw_tensors(n, inputs, variables, seed=3)
        marks = draw_tensors(n, output, 1, seed=4)[0]
        values = run_contractions(program, tensors, n)
        for diagram, result in zip(diagrams, program.results, strict=True):
            found = sum_result(diagram, result, values, marks[diagram.target], n)
            total = evaluate_diagram(diagram, tensors, marks[diagram.target])
            if not np.array_equal(found * pow(n, diagram.free, PRIME) % PRIME, total):
                raise CertificateError(f"the contractions of {diagram} do not evaluate it")
    return ContractionProof("random points of a prime field", PRIME, SIZES)


def run_contractions(
    program: Contractions, tensors: Sequence[Sequence[IntArray]], n: int
) -> list[IntArray]:
    """Run a program over the prime field.

    Args:
        program: The program.
        tensors: Per variable and summand, shape ``(points, n, .., n)``.
        n: Number of points of an axis.

    Returns:
        Every value, its first axis that of the points.
    """
    values: list[IntArray] = []
    for value in program.values:
        if not value.operands:
            (edge,) = value.edges
            values.append(tensors[edge.factor][edge.term])
            continue
        factors = [
            take_diagonal(values[operand], labels)
            for operand, labels in zip(value.operands, value.labels, strict=True)
        ]
        nodes, product = reduce(multiply, factors)
        for node in value.means:
            product = product.sum(axis=1 + nodes.index(node)) % PRIME
            nodes = tuple(other for other in nodes if other != node)
        order = [0, *(1 + nodes.index(node) for node in value.labels_out)]
        share = pow(n, -len(value.means), PRIME)
        values.append(product.transpose(order) * share % PRIME)
    return values


def sum_result(
    diagram: Diagram, result: Result, values: Sequence[IntArray], mark: IntArray, n: int
) -> IntArray:
    """Put the value of a diagram at its outputs, multiply by a tensor and sum."""
    nodes, product = take_diagonal(mark, diagram.outputs)
    if result.value is not None:
        nodes, product = multiply((nodes, product), (result.nodes, values[result.value]))
    for _ in nodes:
        product = product.sum(axis=-1) % PRIME
    return product
