"""Kernels in Triton's interpreter against an independent definition in float64.

The interpreter calculates every product of matrices exactly and cannot tell tf32 from float32:
rounding of tensor cores is tested on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.emit.problems import make
from tests.kernels.checks import (
    SINGLE,
    check,
    check_launch,
    check_rounded,
    draw,
    expect,
    find_launch,
    launch,
    measure,
)
from tests.kernels.poison import poison, shrink_blocks
from tests.kernels.problems import CASES, LARGE

pytestmark = pytest.mark.interpreter

ROWS = 37
"""A batch that fills no block."""

# Of every kernel one or two: with signs, coefficients, several orbits, bias.
SOME = ("One", "OneTwist", "Cross", "Twist", "Sign", "Pairs", "TwistWise", "SignDepth", "Linear")
THIN = ("One", "OneTwist", "Point", "SignDepth", "TwistDepth", "LinearOne")


def build(zoo: ModuleType, name: str) -> Any:
    case = {**CASES, **LARGE}[name]
    return make(zoo, name, *case.channels, backend="triton")


@pytest.mark.parametrize("name", CASES)
def test_float32(zoo: ModuleType, name: str) -> None:
    layer = build(zoo, name)
    check_launch(layer, draw(layer, ROWS, torch.float32))


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_large_layers(zoo: ModuleType, name: str) -> None:
    layer = build(zoo, name)
    check_launch(layer, draw(layer, 5, torch.float32))


@pytest.mark.parametrize("name", SOME)
def test_float64(zoo: ModuleType, name: str) -> None:
    layer = build(zoo, name)
    check_launch(layer, draw(layer, ROWS, torch.float64))


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_other_precisions_of_float32(zoo: ModuleType, precision: str) -> None:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        layer = build(zoo, "Mirror")
        check_launch(layer, draw(layer, 3, torch.float32))
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", SOME)
def test_narrow_inputs_accumulate_in_float32(
    zoo: ModuleType, name: str, dtype: torch.dtype
) -> None:
    """Before they are rounded, results are those of the widened arguments."""
    layer = build(zoo, name)
    arguments = draw(layer, ROWS, dtype)
    expected = expect(layer, arguments)
    with poison(widen=True):
        found = launch(layer, arguments)
    # All others are sums of what kernels return, in float32, and are rounded after.
    wide = {n: t for n, t in found.items() if t.dtype == torch.float32}
    assert list(wide) == ["y", "grad_x"]
    check(measure(wide, {n: expected[n] for n in wide}), SINGLE)
    rounded = {n: t for n, t in found.items() if t.dtype == dtype}
    assert set(wide) | set(rounded) == set(expected)
    check_rounded(rounded, expected, SINGLE)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_results_are_rounded_once(zoo: ModuleType, dtype: torch.dtype) -> None:
    """The interpreter cuts off the digits that bfloat16 does not have."""
    layer = build(zoo, "Mirror")
    arguments = draw(layer, ROWS, dtype)
    found, expected = launch(layer, arguments), expect(layer, arguments)
    assert {t.dtype for t in found.values()} == {dtype}
    bound = torch.finfo(dtype).eps * (1 if dtype == torch.bfloat16 else 0.5)
    check(measure({"y": found["y"]}, {"y": expected["y"]}), bound)


@pytest.mark.parametrize("name", ["One", "Twist", "Cross", "SignDepth", "Five"])
def test_several_blocks(zoo: ModuleType, name: str) -> None:
    """Blocks of 16: two full ones and a part in the batch, several splits of the batch."""
    layer = build(zoo, name)
    with shrink_blocks(find_launch(layer)):
        check_launch(layer, draw(layer, ROWS, torch.float32), straight=False)
        if name in THIN:
            check_launch(layer, draw(layer, ROWS, torch.float32))


@pytest.mark.parametrize(("name", "channels"), [("Swap", (7, 17)), ("Swapwise", (17, 18))])
def test_several_blocks_of_channels(
    packages: Any, wide: ModuleType, name: str, channels: tuple[int, int]
) -> None:
    layer = make(wide, name, *channels, backend="triton")
    with shrink_blocks(find_launch(layer)):
        check_launch(layer, draw(layer, 3, torch.float32))


@pytest.fixture(scope="module")
def wide(packages: Any) -> ModuleType:
    from tests.emit.problems import install
    from tests.kernels.problems import Case

    cases = {
        "Swap": Case("S_2", (2,), "full", (7, 17)),
        "Swapwise": Case("twisted S_2", (0, 1, 2), "channelwise", (17, 18)),
    }
    return install(packages, "kernels_wide", [case.pose(n) for n, case in cases.items()])


@pytest.mark.parametrize("name", THIN)
def test_straight_layers_by_tables(zoo: ModuleType, name: str) -> None:
    layer = build(zoo, name)
    assert layer.layout.kernels.straight
    check_launch(layer, draw(layer, ROWS, torch.float32), straight=False)


@pytest.mark.parametrize("name", [*CASES, *LARGE])
def test_an_empty_batch(zoo: ModuleType, name: str) -> None:
    layer = build(zoo, name)
    check_launch(layer, draw(layer, 0, torch.float32))


@pytest.mark.parametrize("name", SOME)
def test_one_row(zoo: ModuleType, name: str) -> None:
    layer = build(zoo, name)
    check_launch(layer, draw(layer, 1, torch.float32))


STRIDES: dict[str, Callable[[Tensor], Tensor]] = {
    "transposed": lambda t: t.transpose(0, -1).contiguous().transpose(0, -1),
    "sliced": lambda t: torch.cat([t, t, t], dim=-1)[..., 1::3].copy_(t),
    "expanded": lambda t: t[:1].expand_as(t),
    "offset": lambda t: torch.cat([t.flatten()[:1], t.flatten()])[1:].view_as(t),
}


@pytest.mark.parametrize("how", STRIDES)
@pytest.mark.parametrize("name", ["OneTwist", "Twist", "SignDepth"])
def test_any_strides(zoo: ModuleType, name: str, how: str) -> None:
    layer = build(zoo, name)
    arguments = draw(layer, 5, torch.float32).convert(STRIDES[how])
    check_launch(layer, arguments)


@pytest.mark.parametrize("name", ["OneTwist", "Twist", "SignDepth"])
def test_only_what_is_needed(zoo: ModuleType, name: str) -> None:
    layer = build(zoo, name)
    arguments = draw(layer, 3, torch.float32)
    expected = expect(layer, arguments)
    names = [n for n in expected if n.startswith("grad_")]
    module, tables = find_launch(layer), layer._schedule
    rest = (arguments.grad_y, arguments.x, *arguments.weights, tables)
    for needs in ((True, False), (False, True), (False, False)):
        found = dict(zip(names, module.backward(layer.layout.kernels, *rest, *needs), strict=True))
        for n, value in found.items():
            if needs[n != "grad_x"]:
                check(measure({n: value}, {n: expected[n]}), SINGLE)
            else:
                assert value.shape == (0,)


@pytest.mark.parametrize("name", ["OneTwist", "Twist", "SignDepth"])
def test_weight_gradients_are_the_same_bits_every_time(zoo: ModuleType, name: str) -> None:
    layer = build(zoo, name)
    arguments = draw(layer, ROWS, torch.float32)
    with shrink_blocks(find_launch(layer)):
        runs = [launch(layer, arguments) for _ in range(2)]
    assert all(torch.equal(runs[0][n], runs[1][n]) for n in runs[0])


def test_unwritten_entries_would_show(zoo: ModuleType) -> None:
    """A launch that does nothing leaves the poison where it was."""
    layer = build(zoo, "Mirror")
    arguments = draw(layer, 3, torch.float32)
    module = find_launch(layer)

    class Nothing:
        def __getitem__(self, grid: Any) -> Callable[..., None]:
            return lambda *_, **__: None

    names = ("bilin_output", "bilin_input", "wgrad")
    with pytest.MonkeyPatch.context() as patch, poison():
        for kernel in names:
            patch.setattr(module.kernels, kernel, Nothing())
        found = launch(layer, arguments)
    errors = measure(found, expect(layer, arguments))
    bias = {"grad_bias", "hat_bias"}
    assert {n for n, error in errors.items() if error == float("inf")} == set(errors) - bias
    with pytest.raises(AssertionError, match="inf"):
        check(errors, SINGLE)
