"""Classical Lie groups: their generators, the forms they keep, the algebras they generate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eqcompile.actions.group import Group
from eqcompile.actions.images import as_matrix
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.nullspace import find_kernel
from tests.actions.entries import build

Dense = list[list[int]]


def lie(kind: str, n: int, **options: str) -> Group:
    return build({"lie": kind, "n": n, **options})


def dense(matrix: Matrix) -> Dense:
    values: Dense = np.rint(matrix.to_float()).astype(int).tolist()
    assert Matrix.from_dense(values) == matrix
    return values


def unit(n: int, *entries: tuple[int, int, int]) -> Dense:
    table = [[0] * n for _ in range(n)]
    for i, j, value in entries:
        table[i][j] = value
    return table


def turn(n: int, i: int) -> Dense:
    """Return the rotation ``e_i -> e_{i+1} -> -e_i``."""
    return unit(n, (i + 1, i, 1), (i, i + 1, -1))


GOLDEN: tuple[tuple[str, int, dict[str, Dense]], ...] = (
    ("so", 1, {}),
    ("so", 2, {"J01": [[0, -1], [1, 0]]}),
    ("so", 3, {"J01": turn(3, 0), "J12": [[0, 0, 0], [0, 0, -1], [0, 1, 0]]}),
    ("so", 4, {"J01": turn(4, 0), "J12": turn(4, 1), "J23": turn(4, 2)}),
    ("o", 1, {}),
    ("o", 2, {"J01": [[0, -1], [1, 0]]}),
    ("o", 3, {"J01": turn(3, 0), "J12": turn(3, 1)}),
    ("o", 4, {"J01": turn(4, 0), "J12": turn(4, 1), "J23": turn(4, 2)}),
    ("sl", 1, {}),
    ("sl", 2, {"H0": [[1, 0], [0, -1]], "E01": [[0, 1], [0, 0]], "E10": [[0, 0], [1, 0]]}),
    (
        "sl",
        3,
        {
            "H0": [[1, 0, 0], [0, -1, 0], [0, 0, 0]],
            "H1": [[0, 0, 0], [0, 1, 0], [0, 0, -1]],
            "E01": unit(3, (0, 1, 1)),
            "E12": unit(3, (1, 2, 1)),
            "E10": unit(3, (1, 0, 1)),
            "E21": unit(3, (2, 1, 1)),
        },
    ),
    ("gl", 1, {"E00": [[1]]}),
    (
        "gl",
        2,
        {
            "E00": [[1, 0], [0, 0]],
            "E11": [[0, 0], [0, 1]],
            "E01": [[0, 1], [0, 0]],
            "E10": [[0, 0], [1, 0]],
        },
    ),
    ("sp", 1, {"H0": [[1, 0], [0, -1]], "B0": [[0, 1], [0, 0]], "C0": [[0, 0], [1, 0]]}),
    (
        "sp",
        2,
        {
            "H0": unit(4, (0, 0, 1), (2, 2, -1)),
            "H1": unit(4, (1, 1, 1), (3, 3, -1)),
            "A01": unit(4, (0, 1, 1), (3, 2, -1)),
            "A10": unit(4, (1, 0, 1), (2, 3, -1)),
            "B1": unit(4, (1, 3, 1)),
            "C1": unit(4, (3, 1, 1)),
        },
    ),
    ("su", 1, {}),
    (
        "su",
        2,
        {
            "J01": [[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]],
            "S01": [[0, 0, 0, -1], [0, 0, -1, 0], [0, 1, 0, 0], [1, 0, 0, 0]],
        },
    ),
    ("lorentz", 1, {}),
    ("lorentz", 2, {"K01": [[0, 1], [1, 0]]}),
    ("lorentz", 3, {"K01": [[0, 1, 0], [1, 0, 0], [0, 0, 0]], "J12": turn(3, 1)}),
    (
        "lorentz",
        4,
        {"K01": unit(4, (0, 1, 1), (1, 0, 1)), "J12": turn(4, 1), "J23": turn(4, 2)},
    ),
)


@pytest.mark.parametrize(("kind", "n", "elements"), GOLDEN)
def test_generators_of_the_lie_algebra(kind: str, n: int, elements: dict[str, Dense]) -> None:
    group = lie(kind, n)
    labels = group.labels[len(group.generators) :]
    assert dict(zip(labels, map(dense, group.algebra), strict=True)) == elements


def reflections(group: Group) -> dict[str, list[int]]:
    """Return the diagonal of every discrete generator."""
    found = {}
    for label, g in zip(group.labels, group.generators, strict=False):
        matrix = np.array(dense(as_matrix(g)))
        assert np.array_equal(matrix, np.diag(np.diag(matrix)))
        found[label] = np.diag(matrix).tolist()
    return found


DISCRETE: tuple[tuple[str, int, dict[str, Any], dict[str, list[int]]], ...] = (
    ("so", 1, {}, {"()": [1]}),
    ("sl", 1, {}, {"()": [1]}),
    ("su", 1, {}, {"()": [1, 1]}),
    ("lorentz", 1, {}, {"()": [1]}),
    ("so", 2, {}, {}),
    ("gl", 1, {}, {}),
    ("o", 1, {}, {"(-0)": [-1]}),
    ("o", 2, {}, {"(-0)": [-1, 1]}),
    ("o", 4, {}, {"(-0)": [-1, 1, 1, 1]}),
    ("o", 2, {"component": "full"}, {"(-0)": [-1, 1]}),
    ("gl", 3, {"component": "full"}, {"(-0)": [-1, 1, 1]}),
    ("lorentz", 1, {"component": "full"}, {"P": [1], "T": [-1]}),
    ("lorentz", 2, {"component": "full"}, {"P": [1, -1], "T": [-1, 1]}),
    ("lorentz", 3, {"component": "full"}, {"P": [1, -1, 1], "T": [-1, 1, 1]}),
    ("lorentz", 4, {"component": "full"}, {"P": [1, -1, -1, -1], "T": [-1, 1, 1, 1]}),
    ("lorentz", 5, {"component": "full"}, {"P": [1, -1, 1, 1, 1], "T": [-1, 1, 1, 1, 1]}),
)


@pytest.mark.parametrize(("kind", "n", "options", "expected"), DISCRETE)
def test_discrete_generators(
    kind: str, n: int, options: dict[str, str], expected: dict[str, list[int]]
) -> None:
    assert reflections(lie(kind, n, **options)) == expected


def test_parity_reverses_space_in_every_dimension() -> None:
    """P is no element of the identity component: space and all have determinant -1."""
    for n in range(2, 9):
        diagonal = reflections(lie("lorentz", n, component="full"))["P"]
        assert np.prod(diagonal) == np.prod(diagonal[1:]) == -1


def close_brackets(elements: tuple[Matrix, ...]) -> int:
    """Return the dimension of the Lie algebra that elements generate, by exact elimination."""
    basis: list[Matrix] = []
    waiting = list(elements)
    while waiting:
        element = waiting.pop()
        stacked = [
            Matrix.from_entries(
                e.height**2, 1, ((i * e.width + j, 0, v) for i, j, v in e.entries())
            )
            for e in (*basis, element)
        ]
        columns = Matrix.from_entries(
            stacked[0].height,
            len(stacked),
            ((i, c, v) for c, column in enumerate(stacked) for i, _, v in column.entries()),
        )
        if find_kernel(columns).width:
            continue
        waiting += [element @ other - other @ element for other in basis]
        basis.append(element)
    return len(basis)


@pytest.mark.parametrize(
    ("kind", "dimension"),
    [
        ("so", lambda n: n * (n - 1) // 2),
        ("o", lambda n: n * (n - 1) // 2),
        ("sl", lambda n: n * n - 1),
        ("gl", lambda n: n * n),
        ("sp", lambda n: n * (2 * n + 1)),
        ("su", lambda n: n * n - 1),
        ("lorentz", lambda n: n * (n - 1) // 2),
    ],
)
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_dimension_of_the_algebra(kind: str, dimension: Any, n: int) -> None:
    """Brackets of the generators give the whole algebra, and nothing more."""
    assert close_brackets(lie(kind, n).algebra) == dimension(n)


def make_form(kind: str, n: int) -> Matrix:
    """Return the bilinear form that a group keeps."""
    if kind == "lorentz":
        return Matrix.from_entries(n, n, [(i, i, 1 if i == 0 else -1) for i in range(n)])
    if kind == "sp":
        upper = [(i, n + i, 1) for i in range(n)]
        return Matrix.from_entries(2 * n, 2 * n, [*upper, *((n + i, i, -1) for i in range(n))])
    return Matrix.identity(2 * n if kind == "su" else n)


@pytest.mark.parametrize("kind", ["so", "o", "lorentz", "sp", "su"])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_forms_are_kept(kind: str, n: int) -> None:
    options = {"component": "full"} if kind == "lorentz" else {}
    group, form = lie(kind, n, **options), make_form(kind, n)
    for g in map(as_matrix, group.generators):
        assert g.transpose() @ form @ g == form
    for x in group.algebra:
        assert (x.transpose() @ form + form @ x).is_zero


@pytest.mark.parametrize("n", [2, 3, 4])
def test_unitary_elements_are_complex_linear_without_trace(n: int) -> None:
    """They commute with multiplication by i, and the complex trace is 0."""
    turned = Matrix.from_entries(
        2 * n, 2 * n, [(n + i, i, 1) for i in range(n)] + [(i, n + i, -1) for i in range(n)]
    )
    for x in lie("su", n).algebra:
        assert x @ turned == turned @ x
        table = np.array(dense(x))
        assert np.trace(table[:n, :n]) == np.trace(table[n:, :n]) == 0


def test_names() -> None:
    kinds = ("so", "o", "sl", "gl", "sp", "su", "lorentz")
    assert [lie(kind, 2).name for kind in kinds] == [
        "SO(2)",
        "O(2)",
        "SL(2)",
        "GL+(2)",
        "Sp(4)",
        "SU(2)",
        "SO+(1,1)",
    ]
    assert lie("lorentz", 4, component="full").name == "O(1,3)"
    assert lie("gl", 2, component="full").name == "GL(2)"
    assert lie("so", 12).labels[-2:] == ("J9_10", "J10_11")


def test_the_largest_is_built_at_once() -> None:
    group = lie("sp", 100)
    assert group.dim == 200
    assert len(group.algebra) == 300


def test_rotations_are_known_in_three_dimensions_only() -> None:
    assert lie("so", 3).rotations == "so3"
    assert lie("o", 3).rotations == "o3"
    assert {lie(kind, n).rotations for kind in ("so", "o") for n in (1, 2, 4)} == {""}
