"""Classes for any n: equal to the generic solver's, proven again, and lies about them seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eqcompile.actions.tensor_powers import read_tensor_powers
from eqcompile.errors import CertificateError, Refusal
from eqcompile.exact.multigraphs import Diagram, Edge
from eqcompile.exact.partitions import list_diagrams
from eqcompile.exact.signed import IntArray
from eqcompile.layers.any_size import DiagramProblem
from eqcompile.layers.problem import Channels
from eqcompile.solve.certificate_partitions import (
    PRIME,
    draw_tensors,
    evaluate_diagram,
    prove_diagrams,
)
from eqcompile.solve.diagram_comparison import (
    compare_at,
    compare_with_solver,
    list_coordinates,
    solve_at,
)
from eqcompile.solve.diagrams import DiagramBlock, DiagramSolution, solve_diagrams


def pose(source: str, target: str, degrees: tuple[int, ...]) -> DiagramProblem:
    sides = read_tensor_powers(source), read_tensor_powers(target)
    return DiagramProblem("Layer", *sides, source, target, degrees)


def solve(source: str, target: str, *degrees: int) -> DiagramSolution:
    return solve_diagrams(pose(source, target, degrees))


@pytest.mark.parametrize(
    ("source", "target", "degrees", "sizes"),
    [
        ("V", "V", (0, 1, 2, 3, 4, 5), range(1, 8)),
        ("V ** 2", "V ** 2", (0, 1, 2), (1, 2, 3, 4, 5, 6)),
        ("V ** 2", "V", (3,), (2, 3)),
        ("Sym(V, 2)", "V ** 2", (1, 2), (1, 2, 3, 4, 5, 6)),
        ("Sym(V, 2)", "Sym(V, 2)", (1, 2, 3), (2, 3, 4)),
        ("V + 1 + V ** 2", "V + Sym(V, 2)", (1, 2), (1, 2, 3, 4)),
        ("V * Sym(V, 2)", "Sym(V, 2) * V", (1,), (1, 3, 5)),
        ("Sym(V, 3)", "1", (2, 3), (2, 3)),
    ],
)
def test_every_class_is_that_of_the_solver_in_its_order(
    source: str, target: str, degrees: tuple[int, ...], sizes: range | tuple[int, ...]
) -> None:
    solution = solve(source, target, *degrees)
    for block in solution.blocks:
        for n in sizes:
            found = compare_at(solution.problem, block, n)
            assert found.classes == block.count_alive(n)


def test_counts_at_small_n() -> None:
    block = solve("V ** 2", "V ** 2", 2).block(2)
    assert [block.count_alive(n) for n in range(1, 8)] == [1, 20, 70, 107, 116, 117, 117]
    assert block.room == 6


def spread(
    diagram: Diagram, n: int, solution: DiagramSolution, shape: tuple[int, ...]
) -> np.ndarray:
    """Return how often each slot occurs in the polynomial of a diagram."""
    problem = solution.problem
    ansatz = solve_at(problem, shape, n).ansatz
    targets = {c: i for i, c in enumerate(list_coordinates(problem.output, n))}
    sources = {c: i for i, c in enumerate(list_coordinates(problem.input, n))}
    table = np.zeros((ansatz.output.dim, ansatz.space.size), dtype=np.int64)
    for points in np.ndindex(*(n,) * diagram.nodes):
        output = targets.get((diagram.target, tuple(points[i] for i in diagram.outputs)))
        if output is None:
            continue
        parts: list[list[int]] = [[] for _ in shape]
        for edge in diagram.edges:
            indices = tuple(points[i] for i in edge.nodes)
            sorted_ = _sort(indices, problem.input[edge.term])
            parts[edge.factor].append(sources[edge.term, sorted_])
        table[output, ansatz.space.rank([tuple(sorted(part)) for part in parts])] += 1
    return table


def _sort(indices: tuple[int, ...], parts: tuple[int, ...]) -> tuple[int, ...]:
    found: list[int] = []
    for part in parts:
        found += sorted(indices[len(found) : len(found) + part])
    return tuple(found)


@pytest.mark.parametrize(
    ("source", "target", "degree", "n"),
    [("V", "V", 3, 4), ("V ** 2", "V ** 2", 1, 4), ("Sym(V, 2)", "V", 2, 5), ("V + 1", "V", 2, 3)],
)
def test_polynomials_are_constant_on_the_solvers_orbits_and_span_them(
    source: str, target: str, degree: int, n: int
) -> None:
    """Unrestricted sums: each is a combination of orbits, and those that exist are a basis."""
    solution = solve(source, target, degree)
    block = solution.block(degree)
    labels, _ = solve_at(solution.problem, (degree,), n).table()
    rows = []
    for diagram in block.diagrams:
        table = spread(diagram, n, solution, (degree,))
        first = [
            table.ravel()[np.flatnonzero(labels.ravel() == c)] for c in range(labels.max() + 1)
        ]
        assert all((values == values[0]).all() for values in first)
        rows.append([values[0] for values in first])
    alive = [diagram.nodes <= n for diagram in block.diagrams]
    assert np.linalg.matrix_rank(np.array(rows)) == sum(alive) == labels.max() + 1
    assert np.linalg.matrix_rank(np.array(rows)[alive]) == sum(alive)


def test_the_proof_and_its_figures() -> None:
    block = solve("V ** 2", "V ** 2", 2).block(2)
    proof = prove_diagrams(block.diagrams, block.output, block.inputs, (2,))
    assert (proof.classes, proof.proof) == (117, ("partitions",))
    assert proof.by_nodes == (0, 1, 19, 50, 37, 9, 1)


def lie(block: DiagramBlock, what: str) -> list[Diagram]:
    """Change a list of classes in one way."""
    found = list(block.diagrams)
    square = next(d for d in found if d.outputs == (0, 1) and d.edges[0].nodes == (0, 2))
    place = found.index(square)
    edges = square.edges
    match what:
        case "dropped":
            del found[place]
        case "twice":
            found[place] = next(d for d in found if d.nodes == square.nodes and d != square)
        case "isomorphic":
            other = next(d for d in found if d.nodes == square.nodes and d != square)
            renamed = tuple(
                e._replace(nodes=tuple(2 - i if i != 1 else 1 for i in e.nodes))
                for e in other.edges
            )
            outputs = tuple(2 - i if i != 1 else 1 for i in other.outputs)
            found[place] = replace(other, outputs=outputs, edges=renamed)
        case "degree":
            found[place] = replace(square, edges=edges[:1])
        case "gap":
            found[place] = replace(square, edges=(edges[0], edges[1]._replace(nodes=(4, 4))))
        case "index":
            found[place] = replace(square, edges=(edges[0]._replace(nodes=(0, 2, 2)), edges[1]))
        case "summand":
            found[place] = replace(square, edges=(edges[0]._replace(term=1), edges[1]))
        case "output":
            found[place] = replace(square, target=1)
    return found


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("dropped", "Burnside's lemma counts 117"),
        ("twice", "seem to be one"),
        ("isomorphic", "seem to be one"),
        ("degree", "is not of degree"),
        ("gap", "without gaps"),
        ("index", "wrong number of indices"),
        ("summand", "is not of degree"),
        ("output", "is not of degree"),
    ],
)
def test_lies_about_classes_are_seen(what: str, why: str) -> None:
    block = solve("V ** 2", "V ** 2", 2).block(2)
    with pytest.raises(CertificateError, match=why):
        prove_diagrams(lie(block, what), block.output, block.inputs, (2,))


def test_the_comparison_sees_another_class_and_another_order() -> None:
    solution = solve("V ** 2", "V", 2)
    block = solution.block(2)
    wrong = replace(block, diagrams=block.diagrams[:-1])
    with pytest.raises(CertificateError, match="which are not the 31 diagrams"):
        compare_at(solution.problem, wrong, 5)
    turned = replace(block, diagrams=(block.diagrams[1], block.diagrams[0], *block.diagrams[2:]))
    with pytest.raises(CertificateError, match="for n = 4 the solver finds"):
        compare_at(solution.problem, turned, 4)
    found = compare_with_solver(solution.problem, block)
    assert found is not None
    assert (found.n, found.classes, found.slots) == (5, 32, 5 * 325)


def test_values_over_the_prime_field_are_sums_over_points() -> None:
    matrix = ((1, 1),)
    block = solve("V ** 2", "V ** 2", 2).block(2)
    ((x,),) = draw_tensors(3, matrix, 1, seed=5)
    ((u,),) = draw_tensors(3, matrix, 1, seed=6)
    for diagram in block.diagrams[::7]:
        total = 0
        for points in np.ndindex(*(3,) * diagram.nodes):
            term = int(u[0][tuple(points[i] for i in diagram.outputs)])
            for edge in diagram.edges:
                term *= int(x[0][tuple(points[i] for i in edge.nodes)])
            total += term
        assert evaluate_diagram(diagram, [[x]], u)[0] == total % PRIME


def rook() -> IntArray:
    """Return the adjacency of the 4 x 4 rook's graph."""
    places = [divmod(i, 4) for i in range(16)]
    return np.array([[(a == c) != (b == d) for c, d in places] for a, b in places], dtype=np.int64)


def shrikhande() -> IntArray:
    """Return the adjacency of the Shrikhande graph, the Cayley graph of Z_4^2 on six steps."""
    steps = {(0, 1), (0, 3), (1, 0), (3, 0), (1, 1), (3, 3)}
    places = [divmod(i, 4) for i in range(16)]
    return np.array(
        [[((c - a) % 4, (d - b) % 4) in steps for c, d in places] for a, b in places],
        dtype=np.int64,
    )


def test_two_strongly_regular_graphs_differ_first_at_degree_six() -> None:
    """The point of Puny et al.: a K4 has six edges, and only one of the two graphs has any."""
    graphs = [np.stack([g, g]) for g in (rook(), shrikhande())]
    one = np.ones(2, dtype=np.int64)
    for degree in (2, 3, 4, 5):
        for diagram in list_diagrams(((),), ((2,),), (degree,)):
            left, right = (evaluate_diagram(diagram, [[g]], one) for g in graphs)
            assert (left == right).all(), diagram
    pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    clique = Diagram(0, (), tuple(Edge(0, 0, pair) for pair in pairs))
    assert clique in list_diagrams(((),), ((2,),), (6,))
    assert [int(evaluate_diagram(clique, [[g]], one)[0]) for g in graphs] == [192, 0]


def test_blocks_of_the_mixings() -> None:
    problem = pose("V", "V", (0, 2))
    assert [b.shape for b in solve_diagrams(problem).blocks] == [(), (2,), (1, 1)]
    assert [b.shape for b in solve_diagrams(problem, blocks=False).blocks] == [(), (2,)]
    factored = replace(problem, channels=Channels(1, "factored", 2))
    solution = solve_diagrams(factored)
    assert [b.shape for b in solution.blocks] == [(), (2,), (1, 1)]
    assert [b.shape for b in solution.parameter_blocks()] == [(), (1, 1)]
    assert [factored.name_weight(b.degree, b.shape) for b in solution.parameter_blocks()] == [
        "bias",
        "weight_2",
    ]
    assert solution.ordered_classes(2) == 5
    with pytest.raises(KeyError):
        solution.block(3)


def test_too_many_classes_are_counted_and_not_listed() -> None:
    with pytest.raises(Refusal, match="degree 6 has 422824 classes"):
        solve("V ** 2", "V ** 2", 6)
    with pytest.raises(Refusal, match="joins 26 indices"):
        solve("V ** 2", "V ** 2", 12)


def test_a_notebook_shows_the_polynomials() -> None:
    html = solve("V", "V", 1).block(1)._repr_html_()
    assert "0: y_i = x_i" in html
    assert "1: y_i = sum_j x_j" in html
