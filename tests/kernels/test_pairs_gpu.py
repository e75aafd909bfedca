"""Kernels of pairs on a CUDA device against a dense definition in float64."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.kernels.checks import check
from tests.kernels.pairs import (
    CASES,
    Case,
    check_launch,
    compare,
    draw,
    expect,
    install_pairs,
    launch,
    shrink_blocks,
    use_splits,
)
from tests.kernels.poison import poison
from tests.kernels.test_gpu import DEVICE, SINGLE, TOLERANCES, precision

pytestmark = pytest.mark.gpu

__all__ = ["precision"]

WIDE: dict[str, Case] = {
    "aligned": Case(2.0, False, True, 512, 512, 8, 3),
    "ragged": Case(3.5, False, False, 333, 517, 33, 17),
    "product": Case(2.0, True, True, 512, 512, 8, 8),
    "power": Case(2.7, False, False, 100, 999, 3, 3),
}
"""Many blocks and splits."""


@pytest.fixture(scope="module")
def pairs(packages: Path) -> ModuleType:
    return install_pairs(packages, "pairs_on_gpu")


@pytest.mark.parametrize("batch", [0, 1, 37])
@pytest.mark.parametrize("name", CASES)
def test_float32(pairs: ModuleType, name: str, batch: int) -> None:
    # Powers that are neither products nor roots are approximate instructions, of a few units.
    single = 1e-5 if "of no quarters" in name else SINGLE
    check_launch(pairs, CASES[name], draw(CASES[name], batch, torch.float32, DEVICE), single)


@pytest.mark.parametrize("name", CASES)
def test_float64(pairs: ModuleType, name: str) -> None:
    check_launch(pairs, CASES[name], draw(CASES[name], 37, torch.float64, DEVICE))


@pytest.mark.parametrize("programs", [1, 1000])
def test_several_small_blocks(pairs: ModuleType, programs: int) -> None:
    case = CASES["inverse square"]._replace(d=20, p=18)
    with shrink_blocks(pairs), use_splits(pairs, programs):
        check_launch(pairs, case, draw(case, 37, torch.float32, DEVICE), SINGLE)


@pytest.mark.parametrize("precision", TOLERANCES, indirect=True)
@pytest.mark.parametrize("name", WIDE)
def test_precisions(pairs: ModuleType, name: str, precision: str) -> None:
    """Sizes of use: rounding of factors and results; positions and sums in float32 at least."""
    dtype, _, tolerance = TOLERANCES[precision]
    arguments = draw(WIDE[name], 100, dtype, DEVICE)
    with poison() as memory:
        found = launch(pairs, WIDE[name], arguments)
    torch.cuda.synchronize()
    memory.check()
    assert {t.dtype for t in found.values()} == {dtype}
    # Powers are steep: 3.5 / 2 times the relative error of a squared distance.
    check(compare(found, expect(WIDE[name], arguments)), 5 * tolerance)


def test_rows_narrower_than_neurons(pairs: ModuleType) -> None:
    """What autocast leaves: z is bfloat16, charges and positions are not."""
    case = WIDE["aligned"]
    arguments = draw(case, 100, torch.float32, DEVICE)
    arguments = arguments._replace(grad=arguments.grad.bfloat16(), z=arguments.z.bfloat16())
    found = launch(pairs, case, arguments)
    assert [t.dtype for t in found.values()] == [torch.bfloat16] * 2 + [torch.float32] * 5
    check(compare(found, expect(case, arguments)), TOLERANCES["bfloat16"][2])


@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16", "float64"], indirect=True)
@pytest.mark.parametrize("name", WIDE)
def test_all_results_are_the_same_bits_every_time(
    pairs: ModuleType, name: str, precision: str
) -> None:
    """Many splits, with other work on the device in between."""
    arguments = draw(WIDE[name], 100, TOLERANCES[precision][0], DEVICE)
    first = launch(pairs, WIDE[name], arguments)
    for _ in range(3):
        noise = torch.randn(1000, 1000, device=DEVICE)
        again = launch(pairs, WIDE[name], arguments)
        noise @ noise
        assert all(torch.equal(first[n], again[n]) for n in first)


@pytest.mark.parametrize("name", ["inverse square", "square"])
def test_positions_far_from_the_origin(pairs: ModuleType, name: str) -> None:
    arguments = draw(CASES[name], 5, torch.float32, DEVICE)
    far = arguments._replace(x=arguments.x + 3000, y=arguments.y + 3000)
    check_launch(pairs, CASES[name], far, SINGLE)


def test_non_contiguous_arguments(pairs: ModuleType) -> None:
    def turn(value: Tensor) -> Tensor:
        return value.mT.contiguous().mT if value.dim() else value

    arguments = draw(CASES["inverse square"], 37, torch.float32, DEVICE).convert(turn)
    check_launch(pairs, CASES["inverse square"], arguments, SINGLE)


@pytest.mark.slow
def test_more_blocks_of_rows_than_the_second_axis_has_places(pairs: ModuleType) -> None:
    """Rows are counted on the first axis of a grid: the last ones are what they are alone."""
    case = Case(2.0, False, False, 64 * 65_536 + 7, 16, 3, 3)
    arguments = draw(case, 2, torch.float32, DEVICE)
    last = slice(-100, None)
    few = arguments._replace(
        grad=arguments.grad[:, last], mu=arguments.mu[last], x=arguments.x[last]
    )
    found = launch(pairs, case, arguments)
    expected = expect(case._replace(rows=100), few)
    ends: dict[str, Tensor] = {
        "result": found["result"][:, last],
        "grad_mu": found["grad_mu"][last],
        "grad_x": found["grad_x"][last],
    }
    check(compare(ends, expected), SINGLE)


@pytest.mark.slow
@pytest.mark.gpu(gib=40)
def test_offsets_beyond_32_bits(pairs: ModuleType) -> None:
    """Rows of the batch at the far end of arrays of more than 2^31 entries."""
    case = Case(2.0, False, False, 1000, 1100, 3, 3)
    batch = 2**31 // 1000 + 100
    few = draw(case, 100, torch.bfloat16, DEVICE)
    z = torch.zeros(batch, 1100, dtype=torch.bfloat16, device=DEVICE)
    z[-100:] = few.z
    rest: tuple[Any, ...] = (*few[2:], *case.options)
    found = pairs.forward(z, *rest)
    check(compare({"result": found[-100:]}, expect(case, few)), TOLERANCES["bfloat16"][2])
    assert not found[:-100].any()
