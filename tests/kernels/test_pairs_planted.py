"""Every check of the kernels of pairs is seen to fail: one mistake at a time is planted."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from tests.kernels.pairs import (
    CASES,
    Case,
    check_launch,
    draw,
    install_pairs,
    shrink_blocks,
    use_splits,
)

pytestmark = pytest.mark.interpreter

INVERSE = CASES["inverse square"]._replace(rows=18, columns=20, d=18, p=2)
SQUARE = CASES["square"]._replace(rows=20, columns=20, d=2, p=2)
DISTANCE = CASES["distance"]._replace(rows=18, columns=20, d=2, p=2)
LONG = INVERSE._replace(d=2, p=17)
WIDE = INVERSE._replace(rows=37)


class Bug(NamedTuple):
    """A mistake.

    Attributes:
        right: What stands in the module.
        wrong: What is put in its place.
        case: Whose check finds it.
        module: Where it is planted.
        programs: Until there are so many, columns are split.
    """

    right: str
    wrong: str
    case: Case
    module: str = "pair_kernels"
    programs: int = 1000


BUGS: dict[str, Bug] = {
    "a power that lacks a factor": Bug(
        "tl.static_range(WHOLE)", "tl.static_range(WHOLE - 1)", INVERSE
    ),
    "a root that is left out": Bug("if QUARTERS >= 2:", "if QUARTERS >= 4:", DISTANCE),
    "a fourth root that is left out": Bug(
        "if QUARTERS % 2 == 1:", "if False:", DISTANCE._replace(exponent=3.5)
    ),
    "a power of the exponent, not of its half": Bug(
        "power = exponent / 2", "power = exponent", INVERSE, "pair_launch"
    ),
    "a slope of the wrong sign": Bug("slope = -POWER", "slope = POWER", INVERSE),
    "a slope without its power": Bug(
        "slope = POWER * raise_power", "slope = raise_power", SQUARE._replace(exponent=4.0)
    ),
    "a slope of a root without its power": Bug(
        "distance > 0, POWER * power / base", "distance > 0, power / base", DISTANCE
    ),
    "no softening": Bug("(distance + softening)", "(distance)", INVERSE),
    "neurons of one number have a weight": Bug(
        "i[:, None] != j[None, :]", "i[:, None] != -1 - j[None, :]", SQUARE
    ),
    "weights of one number in the result only": Bug(
        "gradient = tl.where(valid, gradient, 0.0)", "gradient = gradient", SQUARE
    ),
    "weights of one number in gradients only": Bug(
        "weight = tl.where(valid, weight, 0.0)", "weight = weight", SQUARE
    ),
    "one component of distances": Bug("x += rows", "x += 0 * rows", INVERSE),
    "sides exchanged in distances": Bug("y += columns", "y += rows", INVERSE),
    "wrong stride of vectors": Bug("i.to(tl.int64) * D)", "i.to(tl.int64) * BD)", SQUARE),
    "missing mask of components": Bug(
        "(i < count)[:, None] & (c < D)[None, :]", "(i < count)[:, None] & (c >= 0)[None, :]",
        INVERSE,
    ),
    "missing mask of neurons": Bug(
        "mask=(i < count)[:, None] & (c < D)", "mask=(i >= 0)[:, None] & (c < D)", SQUARE
    ),
    "only the first block of components": Bug(
        "range(BD, D, BD)", "range(BD, BD, BD)", INVERSE
    ),
    "missing offset of a block of rows": Bug(
        "i = tl.program_id(0) % blocks * BI + tl.arange(0, BI)\n    b =",
        "i = tl.program_id(0) % blocks + tl.arange(0, BI)\n    b =", INVERSE,
    ),
    "missing offset of a block of the batch": Bug(
        "blocks).to(tl.int64) * BB +", "blocks).to(tl.int64) +", INVERSE
    ),
    "missing offset of a split": Bug(
        "for start in range(split * span,", "for start in range(0 * span,", WIDE
    ),
    "missing end of a split": Bug(
        "tl.minimum(split * span + span, columns)", "columns", INVERSE._replace(columns=37)
    ),
    "missing offset of the sum of a split": Bug(
        "(split.to(tl.int64) * batch + b) * rows", "b * rows", INVERSE
    ),
    "missing mask of rows of the batch": Bug(
        "mask=(j < columns)[:, None] & (b < batch)[None, :]",
        "mask=(j < columns)[:, None] & (b < batch - 1)[None, :]", INVERSE,
    ),
    "missing mask of results": Bug(
        "mask=(i < rows)[:, None] & (b < batch)[None, :],\n    )\n\n\n@triton.jit\ndef pair",
        "mask=(i < rows)[:, None] & (b >= 0)[None, :],\n    )\n\n\n@triton.jit\ndef pair", INVERSE,
    ),
    "only the first block of the batch": Bug(
        "range(0, batch, BB)", "range(0, BB, BB)", INVERSE
    ),
    "gradients of rows and columns exchanged": Bug(
        "(g + b * rows)[None, :]", "(g + b * columns)[None, :]", INVERSE
    ),
    "charges in the place of gradients": Bug(
        "(gradient * value).to(VECTOR)", "value.to(VECTOR)", INVERSE
    ),
    "weights of the wrong part": Bug("part * BM, D, BM)", "0, D, BM)", INVERSE),
    "missing offset of a part of vectors": Bug(
        "c = part * BM + tl", "c = tl", INVERSE
    ),
    "missing offset of a part of positions": Bug("c = part * BP + tl", "c = tl", LONG),
    "positions of the wrong part": Bug("component - first,", "component,", LONG),
    "differences of the wrong part": Bug(
        "x += tl.cast(first, tl.int64) * rows", "x += 0 * first", LONG
    ),
    "half a gradient of positions": Bug("(2 * total_x)", "(total_x)", SQUARE),
    "a gradient of positions of the wrong sign": Bug(
        "slope * (a[:, None] - b[None, :])", "slope * (b[None, :] - a[:, None])", SQUARE
    ),
    "a gradient of the softening of the last block": Bug(
        "total_eps += tl", "total_eps = tl", WIDE, programs=1
    ),
    "a gradient of the softening of one block": Bug(
        "place = split * blocks + tl.program_id(0)", "place = split * blocks", WIDE
    ),
    "sums of too few digits": Bug(
        "weight.to(VALUE), tile", "weight.to(tl.float16).to(VALUE), tile", SQUARE
    ),
    "vectors of too few digits": Bug(
        "product = tl.dot(first.to(VECTOR)", "product = tl.dot(first.to(tl.float16).to(VECTOR)",
        SQUARE,
    ),
    "only the first split is added up": Bug(
        "partial.sum(0)", "partial[:1].sum(0)", INVERSE, "pair_launch"
    ),
    "a gradient of z by the weights, not transposed": Bug(
        "_apply(task.exchange(), grad)", "_apply(task, grad)", SQUARE._replace(skip=False),
        "pair_launch",
    ),
    "sides that are not exchanged": Bug(
        "_differentiate(task.exchange(), z, grad", "_differentiate(task, z, grad", SQUARE,
        "pair_launch",
    ),
    "a result that is not written": Bug(
        "pair_kernels.apply_pairs[programs, splits]",
        "pair_kernels.apply_pairs[programs - 1, splits]", INVERSE, "pair_launch",
    ),
}  # fmt: skip

BATCH = 18
"""Two blocks of 16, of which the second is not full."""


def check_planted(folder: Path, package: str, bug: Bug) -> None:
    """Write the kernels with a bug and compare them with the definition."""

    def plant(name: str, text: str) -> str:
        if name != bug.module:
            return text
        assert bug.right in text, f"{name} has no {bug.right!r}"
        return text.replace(bug.right, bug.wrong)

    module = install_pairs(folder, package, plant)
    with shrink_blocks(module), use_splits(module, bug.programs):
        check_launch(module, bug.case, draw(bug.case, BATCH, torch.float32))


@pytest.mark.parametrize("what", BUGS)
def test_a_planted_bug_is_found(packages: Path, what: str) -> None:
    number = list(BUGS).index(what)
    with pytest.raises(AssertionError):
        check_planted(packages, f"pairs_planted_{number}", BUGS[what])


@pytest.mark.parametrize("name", ["INVERSE", "SQUARE", "DISTANCE", "LONG", "WIDE"])
def test_without_a_bug_nothing_is_found(packages: Path, name: str) -> None:
    nothing = Bug("partial.sum(0)", "partial.sum(0)", globals()[name], "pair_launch")
    check_planted(packages, f"pairs_unplanted_{name.lower()}", nothing)
