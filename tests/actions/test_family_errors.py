"""Every mistake in a group entry: its rule, its place, its text and its remedy."""

from __future__ import annotations

import pytest

from eqcompile.actions.sizes import MAX_ENTRIES, MAX_POINTS, check_extent, spell_count
from eqcompile.errors import Refusal
from tests.actions.entries import Entry, build, edges, grid, pair, refuse, spell_entry

FAMILIES = (
    "symmetric, alternating, cyclic, dihedral, hyperoctahedral, trivial, grid, lattice, graph, "
    "lie, matrices, lie_algebra, polyhedron, wreath, product, permutations, signed_permutations"
)


GOLDEN: tuple[tuple[Entry, Refusal], ...] = (
    (
        {"symetric": 3},
        Refusal(
            "unknown-group",
            f"unknown group 'symetric'; known: {FAMILIES}",
            "did you mean 'symmetric'?",
            ("symetric",),
            on_key=True,
        ),
    ),
    (
        {"lee": "so", "n": 3},
        Refusal(
            "unknown-group",
            f"unknown group 'lee'; known: {FAMILIES}",
            "did you mean 'lie'?",
            ("lee",),
            on_key=True,
        ),
    ),
    (
        {"symmetric": 3, "cyclic": 3},
        Refusal(
            "group-family",
            "a group names one family, this one names symmetric and cyclic",
            "write one family, such as {cyclic: 4}",
        ),
    ),
    (
        {},
        Refusal(
            "group-family",
            "a group names one family, this one names none",
            "write one family, such as {cyclic: 4}",
        ),
    ),
    (
        {"wreath": [{"symmetric": "any"}, {"symmetric": 2}]},
        Refusal(
            "not-yet-served",
            "a symmetric group of any size inside another group is not yet served",
            "write the number of points",
            ("wreath", 0),
        ),
    ),
    (
        {"symmetric": 3, "nominal": 8},
        Refusal(
            "nominal",
            "nominal belongs to symmetric: any, this group has 3 points",
            "leave nominal out",
            ("nominal",),
            on_key=True,
        ),
    ),
    (
        {"symmetric": 0},
        Refusal("range", "expected at least 1, found 0", "write at least 1", ("symmetric",)),
    ),
    (
        {"symmetric": True},
        Refusal(
            "type", "expected a whole number, found true", "write a whole number", ("symmetric",)
        ),
    ),
    *(
        (
            {family: 10**12},
            Refusal(
                "too-large",
                "a group acts on at most 5000 points, this one on 1000000000000",
                "use a smaller size",
                (family,),
            ),
        )
        for family in (
            "symmetric",
            "alternating",
            "cyclic",
            "dihedral",
            "hyperoctahedral",
            "trivial",
        )
    ),
    (
        {"wreath": [{"symmetric": 5000}, {"symmetric": 5000}]},
        Refusal(
            "too-large",
            "a group acts on at most 5000 points, this one on 25000000",
            "use a smaller size",
            ("wreath",),
        ),
    ),
    (
        pair("product", *[{"cyclic": 5000}] * 9),
        Refusal(
            "too-large",
            "a group acts on at most 5000 points, this one on about 10^33",
            "use a smaller size",
            ("product", "factors"),
        ),
    ),
    (
        pair("union", *[{"trivial": 1}] * 4000),
        Refusal(
            "too-large",
            "4000 generators on 4000 points are too many: at most 1250 on so many points",
            "use fewer generators",
            ("product", "factors"),
        ),
    ),
    (
        {"wreath": [3, {"cyclic": 2}]},
        Refusal(
            "type",
            "expected the name of a group or a mapping, found 3",
            "write a name or one family, such as {cyclic: 4}",
            ("wreath", 0),
        ),
    ),
    (
        grid(2, 3, "D4"),
        Refusal(
            "not-square",
            "D4 needs a square grid, this one is 2x3",
            "use symmetry: flips or translations, or a square size",
            ("grid", "size"),
        ),
    ),
    (
        grid(100, 100, "C4"),
        Refusal(
            "too-large",
            "a group acts on at most 5000 points, this one on 10000",
            "use a smaller size",
            ("grid", "size"),
        ),
    ),
    (
        {"graph": {}},
        Refusal(
            "graph-source", "a graph has edges or a file, one of them", "give edges", ("graph",)
        ),
    ),
    (
        edges(),
        Refusal("graph-source", "a graph without vertices", "give edges or n", ("graph",)),
    ),
    (
        edges([0, 1], [2, 0], [1, 0]),
        Refusal(
            "edge-repeated",
            "edge 1-0 is listed twice",
            "list it once, or write directed: true",
            ("graph", "edges", 2),
        ),
    ),
    (
        edges([0, 1], [0, 1], directed=True),
        Refusal("edge-repeated", "edge 0-1 is listed twice", "list it once", ("graph", "edges", 1)),
    ),
    (
        edges([0, 7], n=4),
        Refusal("vertex", "edge 0-7 needs 8 vertices, n is 4", "write n: 8", ("graph", "edges", 0)),
    ),
    (
        edges([0, 10**9]),
        Refusal(
            "too-large",
            "automorphisms are searched for up to 1000 vertices, this graph has 1000000001",
            "give generators under permutations: instead",
            ("graph",),
        ),
    ),
    (
        {"matrices": [[[1, 2], [2, 4]]]},
        Refusal(
            "singular",
            "this matrix is singular, and generators are invertible",
            "check its entries",
            ("matrices", 0),
        ),
    ),
    (
        {"matrices": [[[1, 0], [0]]]},
        Refusal(
            "not-square",
            "a row of 1 entries in a matrix with 2 rows",
            "write 2 entries",
            ("matrices", 0, 1),
        ),
    ),
    (
        {"matrices": [{"n": 2, "entries": [[0, 0, 1], [1, 1, "1/"]]}]},
        Refusal(
            "scalar",
            "expected a number, the number ends here",
            'write an integer, or for example "1/2", "-(1+sqrt(5))/4" or "cos(2*pi/5)"',
            ("matrices", 0, "entries", 1, 2),
            offset=(2, 3),
        ),
    ),
    (
        {"lie": "su", "n": 3, "component": "full"},
        Refusal(
            "component",
            "SU(3) has one component only",
            "leave component out",
            ("component",),
        ),
    ),
    (
        {"matrices": [], "lie_algebra": []},
        Refusal(
            "no-generators",
            "a group without generators does not say on what it acts",
            "write {trivial: n}",
            ("lie_algebra",),
        ),
    ),
    (
        {"lie_algebra": [[[0, 1], [0, 0]]], "matrices": [[[1]]]},
        Refusal(
            "size-mismatch",
            "a matrix with 1 row, the first one here has 2",
            "give 2 x 2 matrices",
            ("matrices", 0),
        ),
    ),
    (
        {"wreath": [{"cyclic": 2}, {"matrices": [[[2]]]}]},
        Refusal(
            "outer-group",
            "the outer group of a wreath product permutes blocks, <g0> on R^1 does not",
            "use a group of permutations, or a product on tuples",
            ("wreath", 1),
        ),
    ),
)


# What the reader of values says in its own words: rule and place.
READ: tuple[tuple[Entry, str, tuple[str | int, ...]], ...] = (
    ({"cyclic": 2.0}, "type", ("cyclic",)),
    ({"cyclic": True}, "type", ("cyclic",)),
    ({"trivial": 0}, "range", ("trivial",)),
    ({"dihedral": 4, "size": 3}, "unknown-key", ("size",)),
    ({"wreath": [{"cyclic": 2}]}, "length", ("wreath",)),
    ({"wreath": ["Bord", {"cyclic": 2}]}, "unknown-name", ("wreath", 0)),
    ({"product": {"factors": [{"cyclic": 2}]}}, "missing-key", ("product",)),
    (pair("unoin", {"cyclic": 2}), "choice", ("product", "on")),
    (pair("union"), "length", ("product", "factors")),
    ({"grid": {"size": [3, 0], "symmetry": "flips"}}, "range", ("grid", "size", 1)),
    ({"lattice": "D2Q8"}, "choice", ("lattice",)),
    ({"polyhedron": {"kind": "cube", "on": 3}}, "choice", ("polyhedron", "on")),
    (
        {"polyhedron": {"kind": "cube", "on": "faces", "rotations": 1}},
        "type",
        ("polyhedron", "rotations"),
    ),
    (edges([0, 1, 2]), "length", ("graph", "edges", 0)),
    (edges([0, -1]), "range", ("graph", "edges", 0, 1)),
    ({"permutations": []}, "length", ("permutations",)),
    (
        {"signed_permutations": [{"perm": [0]}]},
        "missing-key",
        ("signed_permutations", 0),
    ),
    ({"lie": "e8", "n": 8}, "choice", ("lie",)),
    ({"lie": "so", "n": 0}, "range", ("n",)),
    ({"lie": "so", "n": 101}, "range", ("n",)),
    ({"lie": "so"}, "missing-key", ()),
    ({"lie": "so", "n": 3, "component": "half"}, "choice", ("component",)),
    ({"matrices": []}, "length", ("matrices",)),
    ({"matrices": [[[0.5]]]}, "type", ("matrices", 0, 0, 0)),
    ({"matrices": ["ab"]}, "type", ("matrices", 0)),
    ({"matrices": [{"n": 0, "entries": []}]}, "range", ("matrices", 0, "n")),
    ({"matrices": [{"n": 1, "entries": [[0, 0]]}]}, "length", ("matrices", 0, "entries", 0)),
    ({"lie_algebra": [[[True]]]}, "type", ("lie_algebra", 0, 0, 0)),
)


@pytest.mark.parametrize(("entry", "rule", "at"), READ, ids=spell_entry)
def test_a_value_of_the_wrong_kind_is_named_with_its_place(
    entry: Entry, rule: str, at: tuple[str | int, ...]
) -> None:
    (refusal,) = refuse(entry)
    assert (refusal.rule, refusal.at) == (rule, at)
    assert refusal.text
    assert refusal.help


@pytest.mark.parametrize(("entry", "refusal"), GOLDEN, ids=spell_entry)
def test_a_mistake_is_named_with_its_place_and_remedy(entry: Entry, refusal: Refusal) -> None:
    assert refuse(entry) == (refusal,)


def test_all_mistakes_are_named_at_once() -> None:
    entry = {"wreath": [{"symmetric": 0}, {"permutations": ["(0 0)", [0, 0], "(1)"], "n": 2}]}
    assert [r.at for r in refuse(entry)] == [
        ("wreath", 0, "symmetric"),
        ("wreath", 1, "permutations", 0),
        ("wreath", 1, "permutations", 1, 1),
    ]


def test_groups_inside_groups_end_somewhere() -> None:
    entry: Entry = {"cyclic": 1}
    for _ in range(64):
        entry = {"wreath": [{"cyclic": 1}, entry]}
    assert build(entry).dim == 1
    for _ in range(200):
        entry = {"wreath": [{"cyclic": 1}, entry]}
    (refusal,) = refuse(entry)
    assert refusal.rule == "too-deep"
    assert refusal.text == "groups are written inside one another more than 64 deep"
    assert refusal.at == ("wreath", 1) * 64 + ("wreath",)


def test_sizes_up_to_the_limit_are_served() -> None:
    check_extent(MAX_POINTS, MAX_ENTRIES // MAX_POINTS)
    assert build({"cyclic": MAX_POINTS}).dim == MAX_POINTS
    with pytest.raises(Refusal, match="too many: at most 1000 on so many points"):
        check_extent(MAX_POINTS, MAX_ENTRIES // MAX_POINTS + 1)


@pytest.mark.parametrize(
    ("count", "text"), [(7, "7"), (10**14, "1" + "0" * 14), (10**40, "about 10^40")]
)
def test_long_numbers_are_written_short(count: int, text: str) -> None:
    assert spell_count(count) == text
    assert spell_count(10**5000) == "about 10^4999"
