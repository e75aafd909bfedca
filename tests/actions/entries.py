"""Group entries as a spec writes them, with what is known about each group; words read back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eqcompile.actions.families
from eqcompile.actions.group import Environment, Group
from eqcompile.actions.words import Word
from eqcompile.errors import Refusal, Refusals
from eqcompile.exact.signed import SignedPermutation, direct_sum

assert eqcompile.actions.families.list_families()

Entry = dict[str, Any]

# The usual generators of the Mathieu groups, points counted from 0.
M11 = ["(0 1 2 3 4 5 6 7 8 9 10)", "(2 6 10 7)(3 9 4 5)"]
M12 = [*M11, "(0 11)(1 10)(2 5)(3 7)(4 8)(6 9)"]

RUBIK_FACES = (
    ((1, 3, 8, 6), (2, 5, 7, 4), (9, 33, 25, 17), (10, 34, 26, 18), (11, 35, 27, 19)),
    ((9, 11, 16, 14), (10, 13, 15, 12), (1, 17, 41, 40), (4, 20, 44, 37), (6, 22, 46, 35)),
    ((17, 19, 24, 22), (18, 21, 23, 20), (6, 25, 43, 16), (7, 28, 42, 13), (8, 30, 41, 11)),
    ((25, 27, 32, 30), (26, 29, 31, 28), (3, 38, 43, 19), (5, 36, 45, 21), (8, 33, 48, 24)),
    ((33, 35, 40, 38), (34, 37, 39, 36), (3, 9, 46, 32), (2, 12, 47, 29), (1, 14, 48, 27)),
    ((41, 43, 48, 46), (42, 45, 47, 44), (14, 22, 30, 38), (15, 23, 31, 39), (16, 24, 32, 40)),
)
# Singmaster's numbering of the 48 moving facelets, counted from 0.
RUBIK = [
    "".join("(" + " ".join(str(v - 1) for v in cycle) + ")" for cycle in face)
    for face in RUBIK_FACES
]


def build(entry: Entry | str, groups: Mapping[str, Group] | None = None) -> Group:
    return Environment(groups or {}, Path()).build(entry)


def refuse(entry: Entry) -> tuple[Refusal, ...]:
    """Return every mistake that is found in an entry."""
    with pytest.raises(Refusals) as caught:
        build(entry)
    return caught.value.refusals


def grid(height: int, width: int, symmetry: str) -> Entry:
    return {"grid": {"size": [height, width], "symmetry": symmetry}}


def solid(kind: str, on: str, rotations: bool = False) -> Entry:
    return {"polyhedron": {"kind": kind, "on": on, "rotations": rotations}}


def pair(on: str, *factors: Entry) -> Entry:
    return {"product": {"factors": list(factors), "on": on}}


def edges(*pairs: Sequence[int], **more: Any) -> Entry:
    return {"graph": {"edges": [list(p) for p in pairs], **more}}


PETERSEN = edges(
    *((i, (i + 1) % 5) for i in range(5)),
    *((i, i + 5) for i in range(5)),
    *((5 + i, 5 + (i + 2) % 5) for i in range(5)),
)

_SOLIDS = (
    ("tetrahedron", 24, (4, 6, 4)),
    ("cube", 48, (8, 12, 6)),
    ("octahedron", 48, (6, 12, 8)),
    ("dodecahedron", 120, (20, 30, 12)),
    ("icosahedron", 120, (12, 30, 20)),
)

# Entry, number of points, of generators (None: as nauty finds them), order of the group.
KNOWN: tuple[tuple[Entry, int, int | None, int], ...] = (
    *(({"symmetric": n}, n, 2, factorial(n)) for n in (1, 2, 3, 4, 7, 50)),
    *(({"alternating": n}, n, 2, max(factorial(n) // 2, 1)) for n in (1, 2, 3, 4, 5, 8, 9, 30)),
    *(({"cyclic": n}, n, 1, n) for n in (1, 2, 3, 12, 400)),
    *(({"dihedral": n}, n, 2, 2 * n if n > 2 else n) for n in (1, 2, 3, 4, 9)),
    *(({"hyperoctahedral": n}, n, 3, 2**n * factorial(n)) for n in (1, 2, 3, 5, 20)),
    *(({"trivial": n}, n, 1, 1) for n in (1, 2, 5)),
    ({"wreath": [{"symmetric": 1}, {"symmetric": 1}]}, 1, 4, 1),
    ({"wreath": [{"symmetric": 2}, {"symmetric": 1}]}, 2, 4, 2),
    ({"wreath": [{"cyclic": 1}, {"cyclic": 2}]}, 2, 2, 2),
    ({"wreath": [{"symmetric": 2}, {"symmetric": 3}]}, 6, 4, 48),
    ({"wreath": [{"symmetric": 3}, {"cyclic": 4}]}, 12, 3, 6**4 * 4),
    # B does not carry block 0 to block 1: A acts on each block all the same.
    ({"wreath": [{"cyclic": 3}, {"trivial": 2}]}, 6, 3, 9),
    ({"wreath": [{"hyperoctahedral": 1}, {"symmetric": 3}]}, 3, 5, 48),
    ({"wreath": [{"symmetric": 2}, {"hyperoctahedral": 2}]}, 4, 5, 2**2 * 8),
    (pair("union", {"symmetric": 3}), 3, 2, 6),
    (pair("union", {"symmetric": 2}, {"cyclic": 3}), 5, 3, 6),
    (pair("product", {"symmetric": 3}, {"symmetric": 4}), 12, 4, 144),
    (pair("product", {"cyclic": 1}, {"cyclic": 2}, {"dihedral": 5}), 10, 4, 20),
    (pair("product", {"hyperoctahedral": 2}, {"symmetric": 3}), 6, 5, 48),
    *((grid(1, 1, s), 1, k, 1) for s, k in (("D4", 2), ("C4", 1), ("flips", 2), ("p4m", 4))),
    *((grid(2, 2, s), 4, k, o) for s, k, o in (("D4", 2, 8), ("C4", 1, 4), ("flips", 2, 4))),
    (grid(2, 2, "translations"), 4, 2, 4),
    (grid(2, 2, "p4m"), 4, 4, 8),
    (grid(5, 5, "D4"), 25, 2, 8),
    (grid(4, 4, "C4"), 16, 1, 4),
    (grid(2, 5, "flips"), 10, 2, 4),
    (grid(1, 7, "translations"), 7, 2, 7),
    (grid(3, 4, "translations"), 12, 2, 12),
    (grid(5, 5, "p4m"), 25, 4, 200),
    ({"lattice": "D2Q9"}, 9, 2, 8),
    ({"lattice": "D3Q15"}, 15, 3, 48),
    ({"lattice": "D3Q19"}, 19, 3, 48),
    ({"lattice": "D3Q27"}, 27, 3, 48),
    *(
        (
            solid(kind, on, rotations),
            points,
            2 if rotations else 3,
            order // (2 if rotations else 1),
        )
        for kind, order, counts in _SOLIDS
        for on, points in zip(("vertices", "edges", "faces"), counts, strict=True)
        for rotations in (False, True)
    ),
    (edges(n=1), 1, 1, 1),
    (edges([0, 0]), 1, 1, 1),
    (edges([0, 1]), 2, 1, 2),
    (edges([0, 1], directed=True), 2, 1, 1),
    (edges([0, 1], [1, 1]), 2, 1, 1),
    (edges([0, 1], [1, 2], [2, 0], directed=True), 3, 1, 3),
    (edges([0, 1], [1, 2], n=5), 5, None, 4),
    (PETERSEN, 10, None, 120),
    ({"permutations": ["()"], "n": 1}, 1, 1, 1),
    ({"permutations": ["(0 1)"]}, 2, 1, 2),
    ({"permutations": ["(0 1 2)(3 4)", [1, 0, 2, 4, 3]], "n": 5}, 5, 2, 12),
    ({"permutations": M11}, 11, 2, 7920),
    ({"permutations": M12}, 12, 3, 95040),
    ({"permutations": RUBIK}, 48, 6, 43252003274489856000),
    ({"signed_permutations": [{"perm": [0], "signs": [-1]}], "n": 1}, 1, 1, 2),
    ({"signed_permutations": [{"perm": [1, 0], "signs": [1, -1]}]}, 2, 1, 4),
)

# One entry per family, whose generators satisfy relations that images can break.
FAMILIES: tuple[Entry, ...] = (
    {"symmetric": 4},
    {"alternating": 5},
    {"cyclic": 6},
    {"dihedral": 5},
    {"hyperoctahedral": 3},
    {"trivial": 3},
    {"wreath": [{"symmetric": 3}, {"cyclic": 2}]},
    pair("union", {"symmetric": 3}, {"cyclic": 2}),
    pair("product", {"symmetric": 3}, {"symmetric": 2}),
    *(grid(3, 3, s) for s in ("D4", "C4", "flips", "translations", "p4m")),
    {"lattice": "D2Q9"},
    {"lattice": "D3Q19"},
    solid("icosahedron", "vertices", rotations=True),
    solid("cube", "edges"),
    PETERSEN,
    {"permutations": M11},
    {
        "signed_permutations": [
            {"perm": [1, 0], "signs": [1, -1]},
            {"perm": [1, 0], "signs": [1, 1]},
        ]
    },
    # Sizes 1 and 2, where generators coincide.
    {"symmetric": 1},
    {"symmetric": 2},
    {"alternating": 2},
    {"dihedral": 2},
    {"hyperoctahedral": 1},
)


def spell_entry(value: Any) -> str:
    """Name a test after its entry."""
    return re.sub(r"[{}'\" ]", "", str(value))[:60] if isinstance(value, dict) else ""


def parse_word(text: str, labels: Sequence[str]) -> Word:
    """Read a printed word back, by hand: factors are labels or brackets, each with an exponent."""
    word: list[tuple[int, int]] = []
    rest = text
    by_length = sorted(range(len(labels)), key=lambda i: -len(labels[i]))
    while rest:
        label = next((i for i in by_length if re.match(_factor(labels[i]), rest)), None)
        if label is not None:
            match = re.match(_factor(labels[label]), rest)
            assert match
            word.append((label, int(match["exponent"] or 1)))
            end = match.end()
        else:
            inner, end = _read_bracket(rest)
            exponent = re.match(r"\^(-?\d+)", rest[end:])
            assert exponent, rest
            end += exponent.end()
            if inner in labels:
                word.append((labels.index(inner), int(exponent[1])))
            else:
                assert int(exponent[1]) > 0
                word += list(parse_word(inner, labels)) * int(exponent[1])
        assert rest[end : end + 1] in ("", " "), rest
        rest = rest[end + 1 :]
    return tuple(word)


def _factor(label: str) -> str:
    return re.escape(label) + r"(?:\^(?P<exponent>-?\d+))?(?= |$)"


def _read_bracket(text: str) -> tuple[str, int]:
    assert text[0] == "(", text
    depth = 0
    for i, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if not depth:
            return text[1:i], i + 1
    raise AssertionError(text)


def turn(length: int) -> SignedPermutation:
    return SignedPermutation.unsigned(np.roll(np.arange(length), -1))


def twist_centres() -> tuple[Group, list[SignedPermutation]]:
    """Return the cube group, and images that also turn the centre of the face: no action."""
    group = build({"permutations": RUBIK})
    still = SignedPermutation.identity(4)
    return group, [direct_sum([turn(4) if i == j else still for j in range(6)]) for i in range(6)]
