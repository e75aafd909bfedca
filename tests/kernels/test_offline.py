"""Kernels compiled for two targets without a GPU: registers, spills, shared memory, instructions.

All variants are in benchmarks/results/offline_kernels.json; those with the largest blocks and all
branches are compiled anew here, and must be what the table says.
"""

from __future__ import annotations

import importlib
import json
from functools import cache, partial
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.offline

TABLE = Path(__file__).parents[2] / "benchmarks" / "results" / "offline_kernels.json"
REMEDY = "run: python benchmarks/offline_kernels.py"

MIXING = ("bfloat16", "float16", "float32", "tf32x3", "tf32", "float64")

FRESH = [
    *(("Full", (32, 64), arithmetic) for arithmetic in MIXING),
    *(("FullSigns", (32, 64), arithmetic) for arithmetic in ("bfloat16", "float32")),
    *(("DepthSigns", (8, 8), arithmetic) for arithmetic in ("bfloat16", "float64")),
    ("StraightSigns", (1, 1), "bfloat16"),
    ("StraightLong", (1, 1), "float32"),
]


@pytest.fixture(scope="session")
def families(packages: Path) -> ModuleType:
    from tests.kernels.variants import install_families

    found: ModuleType = install_families(packages)
    return found


@cache
def read_table() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = json.loads(TABLE.read_text("utf-8"))
    return found


def read_rows(version: str, capability: int) -> dict[str, dict[str, Any]]:
    """Return the rows of one release of Triton and one target, by variant."""
    rows = read_table().get(version, ())
    return {row["variant"]: row for row in rows if row["target"] == f"sm_{capability}"}


@pytest.mark.slow
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize(
    ("family", "channels", "arithmetic"), FRESH, ids=lambda value: str(value).replace(" ", "")
)
def test_kernels_compile_as_the_table_says(
    families: ModuleType, family: str, channels: tuple[int, int], arithmetic: str, capability: int
) -> None:
    import triton

    from tests.kernels.variants import list_variants

    rows = read_rows(triton.__version__, capability)
    variants = list(list_variants(families, family, channels, arithmetic))
    assert variants
    for variant in variants:
        found = variant.launched.compile(capability)
        assert variant.find_faults(found) == [], variant.name
        if rows:
            row = rows[variant.name]
            told = (row["registers"], row["spill_stores"], row["spill_loads"], row["shared"])
            now = (found.registers, found.spill_stores, found.spill_loads, found.shared)
            assert now == told, f"{variant.name}: {REMEDY}"


@pytest.mark.parametrize("capability", [80, 90])
def test_a_batch_that_is_no_multiple_of_anything(families: ModuleType, capability: int) -> None:
    """Triton compiles another kernel where it cannot assume that sizes are multiples of 16."""
    from tests.emit.problems import make
    from tests.kernels.launches import list_launches
    from tests.kernels.variants import ARITHMETICS, Variant

    layer = make(families, "FullSigns", 32, 64, backend="torch")
    launches = list_launches(layer, 1001, *ARITHMETICS["bfloat16"])
    for what in ("bilin_output to bf16", "bilin_input to bf16", "wgrad across"):
        assert "batch" not in launches[what].divisible
        found = launches[what].compile(capability)
        assert Variant(what, "bfloat16", launches[what]).find_faults(found) == []


def test_the_table_is_whole_and_without_faults() -> None:
    from tests.kernels.pair_variants import list_pair_settings
    from tests.kernels.variants import ALLOWED_SPILLS, CAPABILITIES, list_settings

    table = read_table()
    assert "3.9.0" in table, REMEDY
    for version, rows in table.items():
        assert [row["variant"] for row in rows if row["faults"]] == [], version
        told = {(row["variant"].split(":")[0], row["target"]) for row in rows}
        wanted = {
            (f"{family} {channels[0]}x{channels[1]} {arithmetic}", f"sm_{capability}")
            for family, channels, arithmetic in [*list_settings(), *list_pair_settings()]
            for capability in CAPABILITIES
        }
        assert told == wanted, REMEDY
        spills = {row["variant"] for row in rows if row["spill_stores"] or row["spill_loads"]}
        assert spills <= {name.rpartition(" ")[0] for name in ALLOWED_SPILLS}
    assert all(0 < allowed <= 64 and cause for allowed, cause in ALLOWED_SPILLS.values())


def test_blocks_of_all_channel_counts_are_compiled(families: ModuleType) -> None:
    from tests.kernels.launches import use_precision
    from tests.kernels.variants import ARITHMETICS, FAMILIES

    blocks = importlib.import_module(f"{families.__name__}.blocks")
    counts = (1, 2, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100, 128, 129, 1000)
    for dtype, precision in ARITHMETICS.values():
        with use_precision(precision):
            arithmetic = blocks.choose_arithmetic(dtype)
        for kind, tangent in product(("output", "input", "class"), (False, True)):
            choose = partial(blocks.choose_blocks, kind, arithmetic=arithmetic, tangent=tangent)
            every = {choose(c, o) for c, o in product(counts, counts)}
            assert every == {choose(c, o) for c, o in FAMILIES["Full"].channels}


def test_launches_say_how_they_are_compiled(families: ModuleType) -> None:
    """Nothing that changes results is left to a default of Triton."""
    from tests.kernels.variants import list_variants

    kernels = set()
    for family in ("Full", "Depth", "Straight"):
        channels = (32, 64) if family == "Full" else (8, 8)
        for variant in list_variants(families, family, channels, "float32"):
            options, constants = dict(variant.launched.options), dict(variant.launched.constants)
            assert options["enable_fp_fusion"] is True
            assert options["num_warps"] == 4
            assert ("PRECISION" in constants) == (family == "Full")
            kernels.add(variant.launched.name)
    assert kernels == {
        *("bilin_output", "bilin_input", "wgrad"),
        *("depthwise_output", "depthwise_input", "depthwise_wgrad"),
        *("output_Straight", "input_Straight", "weight_Straight"),
    }


def test_a_kernel_that_spills_is_a_fault(families: ModuleType) -> None:
    """The gate on a shipped kernel with blocks that are too large for it."""
    from tests.kernels.variants import list_variants

    variant = next(list_variants(families, "Full", (32, 64), "float32"))
    constants = dict(variant.launched.constants) | {"BB": 128, "BC": 32, "BO": 64}
    large = variant.launched._replace(constants=tuple(constants.items()))
    faults = variant._replace(launched=large).find_faults(large.compile(90))
    assert any("spills" in fault for fault in faults)
