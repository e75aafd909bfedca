"""Kernels of weights between pairs of neurons in the interpreter, against a dense definition.

The interpreter calculates every product of matrices exactly and cannot tell tf32 from float32:
rounding of tensor cores is tested on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from tests.kernels.checks import SINGLE, check
from tests.kernels.pairs import (
    CASES,
    NAMES,
    Case,
    check_launch,
    compare,
    compare_rounded,
    draw,
    expect,
    install_pairs,
    launch,
    shrink_blocks,
    use_splits,
)
from tests.kernels.poison import poison

pytestmark = pytest.mark.interpreter

ROWS = 5
SOME = ("inverse square", "distance 3.5")


@pytest.fixture(scope="module")
def pairs(packages: Path) -> ModuleType:
    return install_pairs(packages, "pairs_interpreted")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", CASES)
def test_all_gradients(pairs: ModuleType, name: str, dtype: torch.dtype) -> None:
    check_launch(pairs, CASES[name], draw(CASES[name], ROWS, dtype))


@pytest.mark.parametrize(
    ("rows", "columns", "batch"),
    [(1, 1, 1), (1, 100, 37), (37, 1, 100), (100, 37, 1), (64, 64, 64), (37, 37, 37)],
)
def test_sizes(pairs: ModuleType, rows: int, columns: int, batch: int) -> None:
    """One, ragged, full and several blocks of everything that is cut."""
    case = CASES["inverse square"]._replace(rows=rows, columns=columns, p=2)
    check_launch(pairs, case, draw(case, batch, torch.float32))


@pytest.mark.parametrize(("name", "programs"), [("inverse", 1), ("inverse", 4), ("square", 1000)])
def test_several_blocks_and_splits(pairs: ModuleType, name: str, programs: int) -> None:
    """Blocks of 16 of everything that is cut: neurons, rows of the batch, components of mu."""
    case = CASES[name]._replace(rows=37, columns=37, d=20, p=2)
    with shrink_blocks(pairs), use_splits(pairs, programs):
        check_launch(pairs, case, draw(case, 18, torch.float32))


def test_several_parts_of_positions(pairs: ModuleType) -> None:
    case = CASES["inverse"]._replace(rows=18, columns=18, d=1, p=17)
    check_launch(pairs, case, draw(case, 2, torch.float32))


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_other_precisions_of_float32(pairs: ModuleType, precision: str) -> None:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        check_launch(pairs, CASES["inverse"], draw(CASES["inverse"], ROWS, torch.float32))
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", SOME)
def test_narrow_inputs_accumulate_in_float32(
    pairs: ModuleType, name: str, dtype: torch.dtype
) -> None:
    """Before they are rounded, results are those of the widened arguments."""
    arguments = draw(CASES[name], ROWS, dtype)
    expected = expect(CASES[name], arguments)
    with poison(widen=True), use_splits(pairs, 1):
        found = launch(pairs, CASES[name], arguments)
    assert {t.dtype for t in found.values()} == {dtype}
    compare_rounded(found, expected, SINGLE)
    with shrink_blocks(pairs):
        compare_rounded(launch(pairs, CASES[name], arguments), expected, SINGLE)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_results_are_rounded_once(pairs: ModuleType, dtype: torch.dtype) -> None:
    """The interpreter cuts off the digits that bfloat16 does not have."""
    case = CASES["inverse square"]
    arguments = draw(case, ROWS, dtype)
    with use_splits(pairs, 1):
        found = launch(pairs, case, arguments)
    bound = torch.finfo(dtype).eps * (1 if dtype == torch.bfloat16 else 0.5)
    check(compare(found, expect(case, arguments)), bound)


@pytest.mark.parametrize("wide", [torch.float32, torch.float64])
def test_rows_narrower_than_neurons(pairs: ModuleType, wide: torch.dtype) -> None:
    """What autocast leaves: z is bfloat16, charges and positions are not."""
    case = CASES["inverse square"]
    arguments = draw(case, ROWS, wide)
    arguments = arguments._replace(grad=arguments.grad.bfloat16(), z=arguments.z.bfloat16())
    found, expected = launch(pairs, case, arguments), expect(case, arguments)
    assert [t.dtype for t in found.values()] == [torch.bfloat16] * 2 + [wide] * 5
    compare_rounded({n: found[n] for n in ("result", "grad_z")}, expected, SINGLE)
    kept = list(found)[2:]
    check(compare({n: found[n] for n in kept}, expected), SINGLE)


@pytest.mark.parametrize("name", CASES)
def test_an_empty_batch(pairs: ModuleType, name: str) -> None:
    check_launch(pairs, CASES[name], draw(CASES[name], 0, torch.float32))


STRIDES: dict[str, Callable[[Tensor], Tensor]] = {
    "transposed": lambda t: t.mT.contiguous().mT if t.dim() else t,
    "sliced": lambda t: torch.cat([t, t, t], -1)[..., 1::3].copy_(t) if t.dim() else t,
    "expanded": lambda t: t[:1].expand_as(t) if t.dim() else t,
    "offset": lambda t: torch.cat([t.flatten()[:1], t.flatten()])[1:].view(t.shape),
}


@pytest.mark.parametrize("how", STRIDES)
@pytest.mark.parametrize("name", ["inverse square", "square"])
def test_any_strides(pairs: ModuleType, name: str, how: str) -> None:
    case = CASES[name]
    check_launch(pairs, case, draw(case, ROWS, torch.float32).convert(STRIDES[how]))


@pytest.mark.parametrize("name", ["inverse square", "square"])
def test_only_what_is_needed(pairs: ModuleType, name: str) -> None:
    """Every gradient by itself, and none."""
    case = CASES[name]._replace(rows=20, columns=20)
    arguments = draw(case, 3, torch.float32)
    expected = expect(case, arguments)
    for one in range(len(NAMES) + 1):
        needs = [place == one for place in range(len(NAMES))]
        found = launch(pairs, case, arguments, needs)
        for place, word in enumerate(NAMES):
            value = found[f"grad_{word}"]
            if needs[place]:
                check(compare({f"grad_{word}": value}, expected), SINGLE)
            else:
                assert value.shape == (0,)


def test_results_are_the_same_bits_every_time(pairs: ModuleType) -> None:
    arguments = draw(CASES["inverse"], 18, torch.float32)
    with shrink_blocks(pairs):
        runs = [launch(pairs, CASES["inverse"], arguments) for _ in range(2)]
    assert all(torch.equal(runs[0][n], runs[1][n]) for n in runs[0])


def test_a_neuron_is_no_pole_of_its_own(pairs: ModuleType) -> None:
    """Without softening the weights left out are infinite, and neurons beyond the last may be."""
    case = CASES["inverse square"]._replace(skip=True, rows=37, columns=37)
    arguments = draw(case, ROWS, torch.float32)
    arguments = arguments._replace(y=arguments.x, eps=torch.zeros(()))
    arguments.x[0] = 0.0
    # Close neurons have large weights, and large errors with them.
    check_launch(pairs, case, arguments, single=1e-5)


@pytest.mark.parametrize("exponent", [0.7, 1.0, 1.5])
def test_where_distances_vanish_their_roots_have_no_slope(
    pairs: ModuleType, exponent: float
) -> None:
    case = Case(exponent, True, False, 5, 4, 2, 3)
    arguments = draw(case, ROWS, torch.float64)
    arguments.y[:] = arguments.x[:4]
    found = launch(pairs, case, arguments)
    assert all(t.isfinite().all() for t in found.values())
    moved = arguments._replace(y=arguments.y + 1e-9)
    apart = expect(case._replace(skip=True), arguments)
    near = expect(case, moved)
    # Weights at distance 0 are 0, and give no gradient.
    check(compare({"grad_x": found["grad_x"]}, apart), 1e-12)
    check(compare({"result": found["result"]}, near), 1e-5)


@pytest.mark.parametrize("name", ["inverse square", "square"])
def test_positions_far_from_the_origin(pairs: ModuleType, name: str) -> None:
    """Differences of positions lose nothing, where products of matrices would lose all digits."""
    arguments = draw(CASES[name], ROWS, torch.float32)
    far = arguments._replace(x=arguments.x + 3000, y=arguments.y + 3000)
    check_launch(pairs, CASES[name], far)


def test_unwritten_entries_would_show(pairs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A launch that does nothing leaves the poison where it was."""

    class Nothing:
        def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
            return lambda *args, **kwargs: None

    for word in ("apply_pairs", "differentiate_pairs"):
        monkeypatch.setattr(pairs.pair_kernels, word, Nothing())
    case = CASES["inverse square"]
    arguments = draw(case, ROWS, torch.float32)
    with poison():
        found = launch(pairs, case, arguments)
    assert all(t.isnan().all() for t in found.values())


def test_powers_are_split_into_products_and_roots(pairs: ModuleType) -> None:
    split = {e: pairs.split_power(e, False)[1:] for e in (1.0, 2.0, 3.5, 16.0, 0.5, 2.7)}
    assert split == {
        1.0: (0.5, 0, 2),
        2.0: (1.0, 1, 0),
        3.5: (1.75, 1, 3),
        16.0: (8.0, 8, 0),
        0.5: (0.25, 0, 1),
        2.7: (1.35, 1, -1),
    }


@pytest.mark.parametrize(("programs", "columns"), [(1, 100), (7, 1000), (512, 1000), (3000, 64)])
def test_splits_cover_all_columns(pairs: ModuleType, programs: int, columns: int) -> None:
    span = pairs.choose_span(programs, columns, 32)
    splits = -(-columns // span)
    assert span % 32 == 0
    assert (splits - 1) * span < columns <= splits * span
    assert splits == 1 or splits * programs <= pairs.PROGRAMS
