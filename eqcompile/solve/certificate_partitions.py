"""A second, independent computation that a list of multigraphs is all classes of S_n.

It shares no code with the enumeration. For every block it shows that

1. every claimed diagram is well formed: so many factors of each variable, through nodes numbered
   without gaps. Its slots are those whose indices are equal exactly where they share a node, which
   every permutation of points keeps: it is a class of slots, not empty from as many points on as it
   has nodes;
2. no class is claimed twice: the polynomials ``sum over points of all nodes``, which isomorphic
   diagrams share, have different values at a point over a prime field;
3. there are no more: Burnside's lemma counts as many, for each number of nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from eqcompile.errors import CertificateError
from eqcompile.exact.multigraphs import Diagram, Nodes, Parts, Terms
from eqcompile.exact.signed import IntArray
from eqcompile.solve.partitions import count_by_nodes

PRIME = 67_108_859
"""The largest prime below 2**26: products of two residues, summed over n points, fit in 63 bits."""

POINTS = 2
SIZES = (3, 4, 6)


@dataclass(frozen=True, slots=True)
class DiagramProof:
    """What was found for one block.

    Attributes:
        classes: Number of classes, confirmed.
        by_nodes: How many have 0, 1, 2, .. nodes; those of at most n exist at n.
        proof: Methods that gave this number, in the words of ``solve --json``.
        size: Number of points at which the polynomials of the classes differ.
    """

    classes: int
    by_nodes: tuple[int, ...]
    proof: tuple[str, ...]
    size: int


def prove_diagrams(
    diagrams: Sequence[Diagram], output: Terms, inputs: Terms, shape: tuple[int, ...]
) -> DiagramProof:
    """Prove that some diagrams are all classes of one multidegree, each once.

    Args:
        diagrams: The claim.
        output: The output representation.
        inputs: The representation of every variable.
        shape: Degree in each of several variables.

    Raises:
        CertificateError: They are not; the message names the first check that failed.
    """
    for diagram in diagrams:
        check_form(diagram, output, inputs, shape)
    expected = count_by_nodes(inputs, output, shape)
    found = Counter(diagram.nodes for diagram in diagrams)
    counted = tuple(found[nodes] for nodes in range(len(expected)))
    if counted != expected:
        text = f"{len(diagrams)} classes are claimed, by nodes {counted}"
        raise CertificateError(f"{text}; Burnside's lemma counts {sum(expected)}, {expected}")
    size = tell_apart(diagrams, output, inputs, shape)
    return DiagramProof(len(diagrams), expected, ("partitions",), size)


def check_form(diagram: Diagram, output: Terms, inputs: Terms, shape: tuple[int, ...]) -> None:
    """Check that a diagram is a partition of the indices of one multidegree."""
    factors = tuple(edge.factor for edge in diagram.edges)
    expected = tuple(f for f, copies in enumerate(shape) for _ in range(copies))
    tuples = [diagram.outputs, *(edge.nodes for edge in diagram.edges)]
    known = 0 <= diagram.target < len(output)
    known = known and all(0 <= edge.term < len(inputs) for edge in diagram.edges)
    if factors != expected or not known:
        raise CertificateError(f"{diagram} is not of degree {shape}")
    orders = [sum(output[diagram.target]), *(sum(inputs[edge.term]) for edge in diagram.edges)]
    if orders != [len(nodes) for nodes in tuples]:
        raise CertificateError(f"{diagram} has an edge of a wrong number of indices")
    nodes = sorted({node for each in tuples for node in each})
    if nodes != list(range(len(nodes))):
        raise CertificateError(f"the nodes of {diagram} are not numbered without gaps")


def tell_apart(
    diagrams: Sequence[Diagram], output: Terms, inputs: Terms, shape: tuple[int, ...]
) -> int:
    """Find a number of points at which no two polynomials of classes have the same values."""
    for n in SIZES:
        tensors = draw_tensors(n, inputs, len(shape), seed=1)
        marks = draw_tensors(n, output, 1, seed=2)[0]
        values = {
            evaluate_diagram(diagram, tensors, marks[diagram.target]).tobytes()
            for diagram in diagrams
        }
        if len(values) == len(diagrams):
            return n
    raise CertificateError("two of the classes claimed seem to be one")


def draw_tensors(
    n: int, terms: Terms, variables: int, *, seed: int
) -> tuple[tuple[IntArray, ...], ...]:
    """Draw one tensor over the prime field per variable and summand, always the same ones.

    Returns:
        Each of shape ``(POINTS, n, .., n)``, symmetric in indices that commute.
    """
    random = np.random.default_rng((seed, n))
    return tuple(
        tuple(symmetrise(random.integers(0, PRIME, (POINTS, *(n,) * sum(p))), p) for p in terms)
        for _ in range(variables)
    )


def symmetrise(tensor: IntArray, parts: Parts) -> IntArray:
    """Give every order of indices that commute the entry of the sorted one."""
    places = np.indices(tensor.shape)
    start = 1
    for part in parts:
        places[start : start + part] = np.sort(places[start : start + part], axis=0)
        start += part
    return tensor[tuple(places)]


def evaluate_diagram(
    diagram: Diagram, tensors: Sequence[Sequence[IntArray]], mark: IntArray
) -> IntArray:
    """Sum a diagram over all points of all nodes, over the prime field.

    Nodes are summed over one by one, those in the smallest products first.

    Args:
        diagram: A diagram.
        tensors: Per variable and summand, shape ``(POINTS, n, .., n)``.
        mark: What the output is multiplied by, likewise.

    Returns:
        Shape ``(POINTS,)``.
    """
    factors = [take_diagonal(mark, diagram.outputs)]
    factors += [take_diagonal(tensors[e.factor][e.term], e.nodes) for e in diagram.edges]
    for _ in range(diagram.nodes):
        reach: dict[int, set[int]] = {}
        for nodes, _ in factors:
            for node in nodes:
                reach.setdefault(node, set()).update(nodes)
        chosen = min(reach, key=lambda node: (len(reach[node]), node))
        joined = [factor for factor in factors if chosen in factor[0]]
        factors = [factor for factor in factors if chosen not in factor[0]]
        nodes, values = reduce(multiply, joined)
        rest = tuple(node for node in nodes if node != chosen)
        factors.append((rest, values.sum(axis=1 + nodes.index(chosen)) % PRIME))
    return reduce(multiply, factors)[1]


Factor = tuple[Nodes, IntArray]
"""Different nodes, and a tensor with an axis for each after that of the points."""


def take_diagonal(tensor: IntArray, nodes: Nodes) -> Factor:
    """Set equal the indices of a tensor that stand at the same node."""
    left = tuple(dict.fromkeys(nodes))
    # Axis 0 is called 0, that of node i is called i + 1.
    names = [0, *(node + 1 for node in nodes)]
    return left, np.einsum(tensor, names, [0, *(node + 1 for node in left)])


def multiply(left: Factor, right: Factor) -> Factor:
    """Multiply two tensors where they share nodes."""
    nodes = tuple(dict.fromkeys(left[0] + right[0]))
    spread = []
    for names, values in (left, right):
        order = [0, *(1 + names.index(node) for node in nodes if node in names)]
        shape = [len(values)]
        sizes = dict(zip(names, values.shape[1:], strict=True))
        shape += [sizes.get(node, 1) for node in nodes]
        spread.append(values.transpose(order).reshape(shape))
    return nodes, spread[0] * spread[1] % PRIME
