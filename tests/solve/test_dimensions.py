"""Dimensions against tables from the literature and against other people's software."""

from __future__ import annotations

import pytest

from eqcompile.layers.problem import keep_degree, split_degree
from eqcompile.solve.ansatz import expand
from eqcompile.solve.certificate import prove
from eqcompile.solve.constraints import constrain
from eqcompile.solve.layer import solve_layer
from eqcompile.solve.solver import solve
from eqcompile.solve.tying import Tying
from tests.actions_of import (
    Generators,
    cyclic,
    dihedral,
    load_cases,
    make_problem,
    read_case,
    symmetric,
)


def count(generators: Generators, degree: int, *, ordered: bool = False) -> int:
    problem = make_problem(generators, generators, [degree])
    shape = split_degree((degree,)) if ordered else keep_degree((degree,))
    return solve(constrain(expand(problem, shape))).classes


def test_every_public_case() -> None:
    """All 806 permutation and signed cases: both ways of solving, exactly equal, and proven.

    The dimensions were computed with GAP (Molien series), exact null spaces modulo a prime and
    orbit counts; see tests/data/README.md.
    """
    cases = load_cases()
    assert len(cases) == 806
    for case in cases:
        problem = read_case(case)
        degree = case["degree"]
        constraints = constrain(expand(problem, keep_degree((degree,))))
        tying = solve(constraints, "table")
        assert tying.classes == case["dimension"], case["id"]
        assert same_tying(tying, solve(constraints, "stabiliser")), case["id"]
        proof = prove(tying)
        assert proof.classes == case["dimension"], case["id"]
        sizes: dict[str, int] = {}
        for size in tying.sizes.tolist():
            sizes[str(size)] = sizes.get(str(size), 0) + 1
        assert case.get("orbit_sizes", sizes) == sizes, case["id"]


def same_tying(left: Tying, right: Tying) -> bool:
    pairs = zip(left.orbits, right.orbits, strict=True)
    return all(
        (a.labels == b.labels).all()
        and (a.signs == b.signs).all()
        and (a.outputs == b.outputs).all()
        for a, b in pairs
    )


@pytest.mark.parametrize(
    ("n", "effective", "ordered"), [(2, 3, 4), (3, 4, 5), (4, 4, 5), (5, 4, 5)]
)
def test_symmetric_quadratic(n: int, effective: int, ordered: int) -> None:
    """S_n: linear 2; quadratic 3/4/4/4 as functions and 4/5/5/5 entry by entry (YKY 2019)."""
    assert count(symmetric(n), 1) == 2
    assert count(symmetric(n), 2) == effective
    assert count(symmetric(n), 2, ordered=True) == ordered


@pytest.mark.parametrize(("n", "expected"), [(3, 6), (4, 10), (5, 15), (6, 21), (8, 36)])
def test_cyclic_quadratic(n: int, expected: int) -> None:
    assert count(cyclic(n), 2) == expected


@pytest.mark.parametrize(("n", "expected"), [(3, 4), (4, 7), (5, 9), (6, 13), (8, 21)])
def test_dihedral_quadratic(n: int, expected: int) -> None:
    assert count(dihedral(n), 2) == expected


@pytest.mark.parametrize(("degree", "expected"), [(0, 1), (1, 2), (2, 4), (3, 7), (4, 12)])
def test_symmetric_degrees(degree: int, expected: int) -> None:
    """S_n, n > d: sum over partitions of d of (number of distinct parts + 1)."""
    assert count(symmetric(6), degree) == expected


@pytest.mark.parametrize(("channels", "expected"), [(1, 4), (2, 13), (3, 27), (4, 46)])
def test_full_mixing_of_channels(channels: int, expected: int) -> None:
    """S_n, n >= 3, quadratic: 4 C(C+1)/2 + C(C-1)/2 maps from C channels to one."""
    problem = make_problem(symmetric(3), symmetric(3), [2], channels=(channels, 1))
    solution = solve_layer(problem)
    squares, products = (solution.block((2,), (s,)).tying.classes for s in ((2,), (1, 1)))
    assert channels * squares + channels * (channels - 1) // 2 * products == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("generators", "degree", "expected"),
    [(symmetric(100), 3, 7), (symmetric(1000), 2, 4), (cyclic(1000), 2, 500500)],
    ids=["S_100 degree 3", "S_1000 degree 2", "C_1000 degree 2"],
)
def test_large_groups(generators: Generators, degree: int, expected: int) -> None:
    """Tables of 17 million to 500 million slots are solved and proven without being stored."""
    problem = make_problem(generators, generators, [degree])
    tying = solve(constrain(expand(problem, ((degree,),))))
    assert tying.classes == expected
    proof = prove(tying)
    assert proof.streamed
    assert proof.classes == expected
