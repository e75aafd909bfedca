"""Families of groups: order of generators and points, orders, sizes 1 and 2, schema."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from eqcompile.actions.families import list_families
from eqcompile.actions.group import GROUPS, Environment, find_family
from eqcompile.actions.polyhedra import Solid, build_solid
from eqcompile.actions.relations import compute_group_order
from eqcompile.errors import Refusals
from eqcompile.exact.signed import SignedPermutation, spell_cycles
from tests.actions.entries import KNOWN, Entry, build, grid, pair, solid, spell_entry
from tests.actions_of import load_cases, read_generator

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("entry", "points", "generators", "order"), KNOWN, ids=spell_entry)
def test_a_group_has_its_size_and_order(
    entry: Entry, points: int, generators: int | None, order: int
) -> None:
    group = build(entry)
    assert group.dim == points
    assert generators in (None, len(group.signed))
    assert compute_group_order(group) == order
    assert len(set(group.labels)) == len(group.labels)


# Generators in cycle notation; `-` before a point says that it arrives negated.
GOLDEN: tuple[tuple[Entry, tuple[str, ...]], ...] = (
    ({"symmetric": 1}, ("()", "()")),
    ({"symmetric": 2}, ("(0 1)", "(0 1)")),
    ({"symmetric": 4}, ("(0 1)", "(0 1 2 3)")),
    ({"alternating": 2}, ("()", "()")),
    ({"alternating": 3}, ("(0 1 2)", "(0 1 2)")),
    ({"alternating": 4}, ("(0 1 2)", "(1 2 3)")),
    ({"alternating": 5}, ("(0 1 2)", "(0 1 2 3 4)")),
    ({"cyclic": 4}, ("(0 1 2 3)",)),
    ({"dihedral": 2}, ("(0 1)", "()")),
    ({"dihedral": 5}, ("(0 1 2 3 4)", "(1 4)(2 3)")),
    ({"hyperoctahedral": 1}, ("(-0)", "()", "()")),
    ({"hyperoctahedral": 3}, ("(-0)", "(0 1)", "(0 1 2)")),
    ({"trivial": 2}, ("()",)),
    ({"wreath": [{"cyclic": 3}, {"cyclic": 2}]}, ("(0 1 2)", "(0 3)(1 4)(2 5)")),
    ({"wreath": [{"cyclic": 2}, {"trivial": 2}]}, ("(0 1)", "(2 3)", "()")),
    (pair("union", {"cyclic": 2}, {"cyclic": 3}), ("(0 1)", "(2 3 4)")),
    (pair("product", {"cyclic": 2}, {"cyclic": 3}), ("(0 3)(1 4)(2 5)", "(0 1 2)(3 4 5)")),
    (grid(2, 2, "D4"), ("(0 1 3 2)", "(0 1)(2 3)")),
    (grid(3, 3, "C4"), ("(0 2 8 6)(1 5 7 3)",)),
    (grid(2, 3, "flips"), ("(0 3)(1 4)(2 5)", "(0 2)(3 5)")),
    (grid(2, 3, "translations"), ("(0 3)(1 4)(2 5)", "(0 1 2)(3 4 5)")),
    (grid(2, 2, "p4m"), ("(0 2)(1 3)", "(0 1)(2 3)", "(0 1 3 2)", "(0 1)(2 3)")),
    ({"lattice": "D2Q9"}, ("(1 2 3 4)(5 6 7 8)", "(2 4)(5 8)(6 7)")),
    (solid("tetrahedron", "vertices", True), ("(0 1 2)", "(0 1)(2 3)")),
    (solid("cube", "faces"), ("(1 2 4 3)", "(0 2)(1 4)(3 5)", "(1 4)")),
    (solid("octahedron", "vertices"), ("(0 1 2)(3 5 4)", "(0 1)(2 3)(4 5)", "(0 1)(4 5)")),
    (
        solid("icosahedron", "vertices", True),
        ("(0 1 2)(3 5 4)(6 7 8)(9 11 10)", "(0 1)(2 3)(4 7)(5 6)(8 9)(10 11)"),
    ),
    (
        {"permutations": ["(0 1 2)(3 4)", [1, 0, 2, 4, 3]], "n": 5},
        ("(0 1 2)(3 4)", "(0 1)(3 4)"),
    ),
    ({"permutations": [[2, 0, 1]]}, ("(0 2 1)",)),
    ({"signed_permutations": [{"perm": [1, 0], "signs": [1, -1]}]}, ("(-0 1)",)),
)


@pytest.mark.parametrize(("entry", "cycles"), GOLDEN, ids=spell_entry)
def test_generators_come_in_the_documented_order(entry: Entry, cycles: tuple[str, ...]) -> None:
    assert tuple(spell_cycles(g) for g in build(entry).signed) == cycles


@pytest.mark.parametrize(
    ("prefix", "entry"),
    [
        ("S4_nat", {"symmetric": 4}),
        ("A7_nat", {"alternating": 7}),
        ("A12_nat", {"alternating": 12}),
        ("C6_nat", {"cyclic": 6}),
        ("D7_nat", {"dihedral": 7}),
        ("D4_grid5", grid(5, 5, "D4")),
        ("C4_grid3", grid(3, 3, "C4")),
        ("torus5_transl", grid(5, 5, "translations")),
        ("torus4_p4m", grid(4, 4, "p4m")),
        ("D2Q9", {"lattice": "D2Q9"}),
        ("D3Q15", {"lattice": "D3Q15"}),
        ("D3Q19", {"lattice": "D3Q19"}),
        ("S3xS4_prod", pair("product", {"symmetric": 3}, {"symmetric": 4})),
        ("S4xS5_union", pair("union", {"symmetric": 4}, {"symmetric": 5})),
        ("B3_vec", {"hyperoctahedral": 3}),
    ],
    ids=spell_entry,
)
def test_points_and_generators_are_those_of_the_cases(prefix: str, entry: Entry) -> None:
    case = next(c for c in load_cases() if c["id"] == f"{prefix}.d1")
    assert list(build(entry).signed) == [read_generator(g) for g in case["generators"]]


def test_lattices_list_their_velocities() -> None:
    square = build({"lattice": "D2Q9"}).points
    assert square[:5] == ((0, 0), (1, 0), (0, 1), (-1, 0), (0, -1))
    assert square[5:] == ((1, 1), (-1, 1), (-1, -1), (1, -1))
    for name, count in (("D3Q15", 15), ("D3Q19", 19), ("D3Q27", 27)):
        points = build({"lattice": name}).points
        assert len(set(points)) == count
        keys = [(sum(v * v for v in p), *(-v for v in p)) for p in points]
        assert keys == sorted(keys)
    assert build({"lattice": "D3Q19"}).points[:4] == ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
    assert {sum(v * v for v in p) for p in build({"lattice": "D3Q15"}).points} == {0, 1, 3}


def test_every_lattice_symmetry_is_a_matrix() -> None:
    for name in ("D2Q9", "D3Q15", "D3Q19", "D3Q27"):
        group = build({"lattice": name})
        points = np.array(group.points)
        for g in group.signed:
            matrix, *_ = np.linalg.lstsq(points, points[g.perm], rcond=None)
            assert np.array_equal(points @ np.round(matrix).astype(int), points[g.perm])


def to_floats(built: Solid) -> np.ndarray[Any, np.dtype[np.float64]]:
    phi = (1 + 5**0.5) / 2
    return np.array([[c.a + c.b * phi for c in vertex] for vertex in built.vertices])


@pytest.mark.parametrize(
    "kind", ["tetrahedron", "cube", "octahedron", "dodecahedron", "icosahedron"]
)
def test_a_solid_is_ordered_and_moved_as_documented(kind: Any) -> None:
    built = build_solid(kind)
    vertices = to_floats(built)
    assert np.allclose(np.linalg.norm(vertices, axis=1), np.linalg.norm(vertices[0]))
    centres = [
        np.array([vertices[list(e)].sum(axis=0) for e in s]) for s in (built.edges, built.faces)
    ]
    for points in (vertices, *centres):
        rows = [tuple(row) for row in np.round(points, 9) + 0.0]
        assert rows == sorted(rows, reverse=True)
    assert all(face[0] == min(face) for face in built.faces)
    assert len(vertices) - len(built.edges) + len(built.faces) == 2
    length = np.linalg.norm(vertices[built.edges[0][0]] - vertices[built.edges[0][1]])
    shortest = min(np.linalg.norm(a - b) for a, b in combinations(vertices, 2))
    assert np.isclose(length, shortest)
    turn, half_turn, mirror = (
        np.linalg.lstsq(vertices, vertices[g.perm], rcond=None)[0].T
        for g in build(solid(kind, "vertices")).signed
    )
    for move, det in ((turn, 1), (half_turn, 1), (mirror, -1)):
        assert np.allclose(move @ move.T, np.eye(3))
        assert np.isclose(np.linalg.det(move), det)
    face, axis = built.faces[0], centres[1][0]
    corner = vertices[face[0]]
    assert np.allclose(turn @ axis, axis)
    assert np.linalg.det([corner, turn @ corner, axis]) > 0
    assert np.allclose(turn @ corner, vertices[face[1]])
    assert np.allclose(half_turn @ (corner + vertices[face[1]]), corner + vertices[face[1]])
    assert np.allclose(mirror @ axis, axis)
    assert np.allclose(mirror @ corner, vertices[face[1]])


def test_named_groups_are_used_by_name() -> None:
    board = build(grid(3, 3, "D4"))
    assert build("Board", {"Board": board}) is board
    product = build(pair("union", "Board", {"cyclic": 2}), {"Board": board})  # type: ignore[arg-type]
    assert product.dim == 11
    assert product.name == "(D_4 on the 3x3 grid) x C_2 on the union"


def test_labels_say_which_generator() -> None:
    assert build({"symmetric": 50}).labels == ("(0 1)", "(0 1 ... 49)")
    assert build({"symmetric": 2}).labels == ("swap", "cycle")
    assert build(grid(8, 8, "D4")).labels == ("turn", "mirror")
    assert build({"wreath": [{"symmetric": 2}, {"cyclic": 2}]}).labels == (
        "A0:swap",
        "A0:cycle",
        "(0 2)(1 3)",
    )


def test_an_unsigned_group_stays_unsigned() -> None:
    assert build({"wreath": [{"symmetric": 2}, {"symmetric": 2}]}).is_unsigned
    assert not build({"wreath": [{"hyperoctahedral": 1}, {"symmetric": 2}]}).is_unsigned


def test_every_family_has_a_schema_that_agrees() -> None:
    names = [name for name, _ in list_families()]
    assert names == sorted(names, key=names.index)
    assert all(summary for _, summary in list_families())
    for entry, *_ in KNOWN:
        schema = GROUPS[find_family(entry)].arguments.model_json_schema()
        jsonschema.validate(entry, schema)


@pytest.mark.parametrize(
    "entry",
    [
        {"symmetric": 0},
        {"symmetric": True},
        {"symmetric": 5001},
        {"cyclic": "3"},
        {"dihedral": 3, "n": 3},
        {"wreath": [{"cyclic": 2}]},
        {"wreath": [3, 4]},
        {"product": {"factors": [], "on": "union"}},
        {"product": {"factors": [{"cyclic": 2}], "on": "both"}},
        {"grid": {"size": [3], "symmetry": "D4"}},
        {"lattice": "D2Q8"},
        {"polyhedron": {"kind": "cube", "on": "corners"}},
        {"graph": {"edges": [[0]]}},
        {"permutations": []},
        {"permutations": [3]},
        {"signed_permutations": [{"perm": [0]}]},
        {"lie": "e8", "n": 8},
    ],
    ids=spell_entry,
)
def test_schema_and_reader_refuse_alike(entry: Entry) -> None:
    schema = GROUPS[find_family(entry)].arguments.model_json_schema()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(entry, schema)
    with pytest.raises(Refusals):
        build(entry)


SHOW = """
import sys
from pathlib import Path
from eqcompile.actions.families import list_families
from eqcompile.actions.group import Environment
from eqcompile.actions.relations import find_breaking_word
from eqcompile.exact.signed import SignedPermutation
heavy = [m for m in ("networkx", "pynauty", "torch", "sympy") if m in sys.modules]
for entry in (
    {"polyhedron": {"kind": "dodecahedron", "on": "edges"}},
    {"graph": {"edges": [[i, (i + 1) % 9] for i in range(9)] + [[2, 9], [5, 10]]}},
    {"wreath": [{"symmetric": 3}, {"symmetric": 3}]},
):
    group = Environment({}, Path()).build(entry)
    print(group.name, group.labels, [g.perm.tolist() for g in group.signed])
    turned = [g.perm.tolist() for g in group.signed[1:] + group.signed[:1]]
    print(find_breaking_word(group, [SignedPermutation.unsigned(p) for p in turned]))
print(heavy)
"""


def test_nothing_depends_on_the_hash_seed_and_heavy_imports_are_lazy() -> None:
    shown = [
        subprocess.run(
            [sys.executable, "-c", SHOW],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    ]
    assert shown[0] == shown[1]
    assert shown[0].splitlines()[-1] == "[]"


def test_environment_is_used_for_names() -> None:
    group = Environment({"A": build({"cyclic": 3})}).build("A")
    assert group.signed == (SignedPermutation.unsigned([1, 2, 0]),)
