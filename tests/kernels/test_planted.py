"""Every check of the kernels is seen to fail: one mistake at a time is planted in emitted code."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from eqcompile.emit.write import write_package
from tests.emit.problems import make, render_problems
from tests.kernels.checks import check_launch, draw, find_launch
from tests.kernels.poison import shrink_blocks
from tests.kernels.problems import CASES

pytestmark = pytest.mark.interpreter


class Bug(NamedTuple):
    """A mistake.

    Attributes:
        module: The module of the package where it is planted.
        right: What stands there.
        wrong: What is put in its place.
        layers: The layers whose check finds it, each by itself.
    """

    module: str
    right: str
    wrong: str
    layers: tuple[str, ...]


BUGS: dict[str, Bug] = {
    "wrong stride of rows": Bug(
        "kernels", "start = (row * (N * C))", "start = (row * (N * O))", ("Twist",)
    ),
    "wrong stride of weights": Bug(
        "kernels", "within + c[:, None] * O +", "within + c[:, None] * C +", ("Twist", "TwistWise")
    ),
    "wrong stride of channels": Bug(
        "depthwise", "u += c * N * batch + row", "u += c * K * batch + row", ("SignDepth",)
    ),
    "wrong stride of a straight layer": Bug(
        "straight", "source = x + (row * C + channel) * 3", "source = x + row * C * 3 + channel",
        ("SignDepth",),
    ),
    "missing mask of the rows of a result": Bug(
        "kernels", "total.to(y.dtype.element_ty), mask=row_mask & o_mask",
        "total.to(y.dtype.element_ty), mask=o_mask", ("Twist", "Linear"),
    ),
    "missing mask of the rows of a sum": Bug(
        "kernels", "row_mask = (row * (N * C))[:, None], (row < batch)[:, None]",
        "row_mask = (row * (N * C))[:, None], (row >= 0)[:, None]", ("Twist",),
    ),
    "missing mask of channels": Bug(
        "kernels", "mask=row_mask & (c < C)[None, :]", "mask=row_mask & (c < C + 1)[None, :]",
        ("Twist",),
    ),
    "missing mask of a straight layer": Bug(
        "straight", "inside = row < batch", "inside = row >= 0", ("OneTwist", "SignDepth")
    ),
    "missing mask without mixing": Bug(
        "depthwise", "mask = row < batch", "mask = row <= batch", ("SignDepth",)
    ),
    "swapped tables of outputs and inputs": Bug(
        "kernels", "g + tl.load(outputs + k) * O", "g + tl.load(inputs + k) * O", ("Pairs",)
    ),
    "swapped tables of the two sides": Bug(
        "launch", "tables = _list_features(task.outputs)",
        "tables = _list_features(task.inputs)", ("Twist",),
    ),
    "swapped channels of a pair": Bug(
        "schedule", "for position in (0, 1) for c in", "for position in (1, 0) for c in",
        ("Cross",),
    ),
    "swapped factors of a product": Bug(
        "kernels", "load_factor(v_second, step, mask, j,", "load_factor(v_second, step, mask, i,",
        ("Twist",),
    ),
    "swapped order of group elements": Bug(
        "cosets", "return a[e], b[e] * f, c[g], d[g] * h", "return e[a], f[a] * b, g[c], h[c] * d",
        ("Wreath",),
    ),
    "missing offset of a split": Bug(
        "kernels", "row = split * rows + block", "row = block", ("Twist",)
    ),
    "missing offset of a split's sum": Bug(
        "kernels", "place = ((split * CLASSES + label)", "place = ((label)", ("Twist",)
    ),
    "missing offset of a split without mixing": Bug(
        "depthwise", "row = split * rows + block", "row = block", ("SignDepth",)
    ),
    "missing offset of a split in a straight layer": Bug(
        "straight", "row = split * rows + (start", "row = (start", ("OneTwist",)
    ),
    "only the first split is added up": Bug(
        "launch", "total = partial.sum(0)", "total = partial[0]", ("Twist", "SignDepth")
    ),
    "missing offset of a block of rows": Bug(
        "kernels", "row = (tl.program_id(0) // K).to(tl.int64) * BB +",
        "row = (tl.program_id(0) // K).to(tl.int64) +", ("Twist",),
    ),
    "dropped sign of a factor": Bug(
        "kernels", "value * tl.load(signs + coordinate)",
        "value * tl.abs(tl.load(signs + coordinate))", ("Twist", "TwistDepth"),
    ),
    "dropped sign of an output": Bug(
        "kernels", "total *= tl.load(elements + 5)", "total *= tl.abs(tl.load(elements + 5))",
        ("Twist",),
    ),
    "dropped sign of an input's gradient": Bug(
        "kernels", "total *= tl.load(elements + 6)", "total *= tl.abs(tl.load(elements + 6))",
        ("Twist",),
    ),
    "dropped sign in a class": Bug("kernels", "if not UNIT:", "if False:", ("Sign",)),
    "dropped sign in a straight layer": Bug(
        "straight", "w0 * (x0 - x1)", "w0 * (x0 + x1)", ("SignDepth",)
    ),
    "a constant in a tangent": Bug(
        "launch", '{"ONE": 0.0 if tangent else 1.0', '{"ONE": 1.0', ("Twist", "TwistDepth")
    ),
    "bias in a tangent": Bug(
        "kernels", "if SAME and CONSTANTS > 0:", "if CONSTANTS > 0:", ("Twist",),
    ),
    "half of a polarised product": Bug(
        "kernels", "product += other", "other += product", ("Twist",)
    ),
    "accumulation of too few digits": Bug(
        "kernels", "            feature.to(DOT), tile.to(DOT), total,",
        "            feature.to(tl.float16).to(DOT), tile.to(DOT), total,", ("Twist",),
    ),
    "sums of too few digits without mixing": Bug(
        "depthwise", "total *= tl.load(elements + 5).to(ACC)",
        "total = (total * tl.load(elements + 5).to(ACC)).to(tl.float16).to(ACC)", ("TwistDepth",),
    ),
    "sums of too few digits in a straight layer": Bug(
        "straight", "tl.store(target + 0, y0.to(", "tl.store(target + 0, y0.to(tl.float16).to(",
        ("OneTwist", "SignDepth"),
    ),
    "a tangent that is missing": Bug(
        "launch", "hat_x += _pull_back(task, g, v, along",
        "hat_x += 0 * _pull_back(task, g, v, along", ("OneTwist", "Twist"),
    ),
    "results rounded twice": Bug(
        "launch", "hat_x = _pull_back(task, g, u, at, wide, tangent=True)",
        "hat_x = _pull_back(task, g, u, at, wide, tangent=True).half().float()", ("Twist",),
    ),
}  # fmt: skip

ROWS = 18
"""Two blocks of 16, of which the second is not full."""

PLANTED = [(what, layer) for what, bug in BUGS.items() for layer in bug.layers]


def install_planted(folder: Path, package: str, bug: Bug, name: str) -> object:
    """Write a package with one layer and one bug and make the layer."""
    import importlib
    import sys

    case = CASES[name]
    files = dict(render_problems(package, [case.pose(name)]))
    module = f"{bug.module}.py"
    assert bug.right in files[module], f"{module} has no {bug.right!r}"
    files[module] = files[module].replace(bug.right, bug.wrong)
    write_package(tuple(files.items()), folder / package)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    return make(importlib.import_module(package), name, *case.channels, backend="triton")


@pytest.mark.parametrize(("what", "name"), PLANTED)
def test_a_planted_bug_is_found(packages: Path, what: str, name: str) -> None:
    number = PLANTED.index((what, name))
    bug = BUGS[what]
    # Straight-line code has its own bugs; all others are looked for in the tables' kernels.
    straight = bug.module in ("straight", "launch")
    layer = install_planted(packages, f"planted_{number}", bug, name)
    with pytest.raises(AssertionError), shrink_blocks(find_launch(layer)):
        check_launch(layer, draw(layer, ROWS, torch.float32), straight=straight)


@pytest.mark.parametrize("name", ["OneTwist", "Twist", "SignDepth"])
def test_without_a_bug_nothing_is_found(packages: Path, name: str) -> None:
    nothing = Bug("launch", "total = partial.sum(0)", "total = partial.sum(0)", (name,))
    layer = install_planted(packages, f"unplanted_{name}", nothing, name)
    with shrink_blocks(find_launch(layer)):
        check_launch(layer, draw(layer, ROWS, torch.float32), straight=False)
        check_launch(layer, draw(layer, ROWS, torch.float32))
