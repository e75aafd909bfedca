"""Kernels of pairs compiled for two targets without a GPU; test_offline.py has the whole table."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch

from benchmarks.recording import record
from tests.kernels.pairs import install_pairs

pytestmark = pytest.mark.offline

FRESH = [
    *(("PairsInverse", (3, 256), name) for name in ("bfloat16", "float32", "tf32", "float64")),
    ("PairsInverse", (32, 1), "float32"),
    ("PairsInverse", (32, 256), "mixed"),
    ("PairsDistancePower", (8, 256), "float64"),
]
"""Aligned and not; the widest blocks of everything, and where registers are scarce."""


@pytest.fixture(scope="session")
def pairs(packages: Path) -> ModuleType:
    return install_pairs(packages, "pairs_offline")


@pytest.mark.slow
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize(
    ("family", "sizes", "arithmetic"), FRESH, ids=lambda value: str(value).replace(" ", "")
)
def test_kernels_compile_as_the_table_says(
    pairs: ModuleType, family: str, sizes: tuple[int, int], arithmetic: str, capability: int
) -> None:
    import triton

    from tests.kernels.pair_variants import list_pair_variants
    from tests.kernels.test_offline import REMEDY, read_rows

    rows = read_rows(triton.__version__, capability)
    variants = list(list_pair_variants(pairs, family, sizes, arithmetic))
    kernels = [variant.launched.name for variant in variants]
    assert {*kernels} == {"apply_pairs", "differentiate_pairs"}
    for variant in variants:
        found = variant.launched.compile(capability)
        assert variant.find_faults(found) == [], variant.name
        if rows:
            row = rows[variant.name]
            told = (row["registers"], row["spill_stores"], row["spill_loads"], row["shared"])
            now = (found.registers, found.spill_stores, found.spill_loads, found.shared)
            assert now == told, f"{variant.name}: {REMEDY}"


def test_what_is_compiled_does_not_depend_on(pairs: ModuleType) -> None:
    """Components of positions, and the batch but for its blocks: the table leaves them out."""
    from tests.kernels.pair_variants import INVERSE, list_pair_launches

    def list_calls(batch: int, p: int) -> list[tuple[object, ...]]:
        dtypes = (torch.float32, torch.float32)
        calls = list_pair_launches(pairs, INVERSE, 3, batch, 1001, dtypes, p=p)
        return [(call.name, str(call.constants), call.types, call.divisible) for call in calls]

    assert list_calls(1, 3) == list_calls(16, 3) == list_calls(16, 1) == list_calls(16, 64)
    assert list_calls(64, 3) == list_calls(256, 3) != list_calls(16, 3)


@pytest.mark.parametrize(
    ("batch", "neurons", "d", "p", "programs"),
    [
        (1, 1, 1, 1, (1, 1, 1)),
        (2**23, 8, 1, 1, (2**18, 1, 1)),
        (1, 2**23, 1, 1, (2**17, 2**18, 2**18)),
        # Two parts of vectors, three of positions.
        (1, 2**23, 40, 40, (2**17, 3 * 2**18, 3 * 2**18)),
    ],
)
def test_grids_have_room(
    pairs: ModuleType, batch: int, neurons: int, d: int, p: int, programs: tuple[int, ...]
) -> None:
    """The second axis of a grid has 65535 places, the first 2^31 - 1; arrays have no memory."""
    grids: list[tuple[int, ...]] = []

    def note(kernel: object, grid: tuple[int, ...], *rest: object) -> None:
        grids.append(grid)

    with torch.device("meta"):
        z, eps = torch.empty(batch, neurons), torch.empty(())
        mu, x = torch.empty(neurons, d), torch.empty(neurons, p)
    arguments = (z, mu, x, mu, x, eps, 2.0, False, True)
    with record(pairs, note):
        pairs.forward(*arguments)
        pairs.backward(z, *arguments, [True] * 6)
    first, second = zip(*grids, strict=True)
    assert first == (programs[0], *programs)
    assert max(second) <= pairs.PROGRAMS < 2**16
