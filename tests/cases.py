"""The public cases as specs: what a user would write to ask for the same dimension."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from tests.actions_of import CASES

Sparse = dict[str, Any]


@cache
def load_all_cases() -> tuple[dict[str, Any], ...]:
    """Return every public case."""
    with gzip.open(CASES, "rt", encoding="utf-8") as file:
        return tuple(json.load(file))


def spell_case(case: dict[str, Any]) -> dict[str, Any]:
    """Write a case as a spec: its group by input and output side by side."""
    images = {
        "permutation": _spell_permutations,
        "signed_permutation": _spell_signed,
        "matrix": _spell_matrices,
        "lie": _spell_matrices,
    }[case["kind"]](case)
    group, inputs, output = images
    degrees: list[Any] = [case["degree"]]
    if "multidegree" in case:
        degrees = [dict(zip(inputs, case["multidegree"], strict=True))]
    else:
        (inputs,) = inputs.values()
    layer = {"name": "Case", "group": group, "input": inputs, "output": output}
    return {"version": 1, "package": "cases", "layers": [{**layer, "degrees": degrees}]}


Spelled = tuple[dict[str, Any], dict[str, Any], dict[str, Any]]


def _spell_permutations(case: dict[str, Any]) -> Spelled:
    left, right, n = case["generators"], case["output_generators"], case["n"]
    joined = [[*a, *(n + i for i in b)] for a, b in zip(left, right, strict=True)]
    return {"permutations": joined}, {"x": {"permutations": left}}, {"permutations": right}


def _spell_signed(case: dict[str, Any]) -> Spelled:
    key, n = "signed_permutations", case["n"]
    left, right = ([_sign(g) for g in case[k]] for k in ("generators", "output_generators"))
    joined = [
        {"perm": [*a["perm"], *(n + i for i in b["perm"])], "signs": [*a["signs"], *b["signs"]]}
        for a, b in zip(left, right, strict=True)
    ]
    return {key: joined}, {"x": {key: left}}, {key: right}


def _sign(generator: Any) -> dict[str, Any]:
    if isinstance(generator, dict):
        return generator
    return {"perm": generator, "signs": [1] * len(generator)}


def _spell_matrices(case: dict[str, Any]) -> Spelled:
    blocks = case.get("blocks", [case["n"]])
    starts = [sum(blocks[:i]) for i in range(len(blocks))]
    group: dict[str, Any] = {}
    inputs: dict[str, dict[str, Any]] = {name: {} for name in "xyz"[: len(blocks)]}
    output: dict[str, Any] = {}
    for key, left, right in (
        ("lie_algebra", "lie_generators", "lie_output_generators"),
        ("matrices", "generators", "output_generators"),
    ):
        pairs = list(
            zip(
                map(_list_entries, case.get(left, ())),
                map(_list_entries, case.get(right, ())),
                strict=True,
            )
        )
        if not pairs:
            continue
        group[key] = [_join(a, b, case["n"], case["m"]) for a, b in pairs]
        for name, start, size in zip(inputs, starts, blocks, strict=True):
            inputs[name][key] = [_cut(a, start, size) for a, _ in pairs]
        output[key] = [_cut(b, 0, case["m"]) for _, b in pairs]
    return group, inputs, output


def _list_entries(matrix: Any) -> list[list[Any]]:
    if isinstance(matrix, dict):
        return list(matrix["entries"])
    return [
        [i, j, value]
        for i, row in enumerate(matrix)
        for j, value in enumerate(row)
        if value not in (0, "0")
    ]


def _join(left: Sequence[Any], right: Sequence[Any], n: int, m: int) -> Sparse:
    return {"n": n + m, "entries": [*left, *([n + i, n + j, value] for i, j, value in right)]}


def _cut(entries: Sequence[Any], start: int, size: int) -> Sparse:
    stop = start + size
    kept = [[i - start, j - start, v] for i, j, v in entries if start <= i < stop]
    return {"n": size, "entries": kept}
