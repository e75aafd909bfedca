"""Registers, spills, shared memory and instructions of every kernel, compiled without a GPU.

    python benchmarks/offline_kernels.py             rewrites benchmarks/results/offline_kernels.*
    python benchmarks/offline_kernels.py NAME...     only what has a name, as "Full 3x5 tf32", in
                                                     which one of these stands; other rows stay

Of the kernels of pairs, "PairsInverse 3x256 tf32", the sizes are components of mu and the batch.

Kernels are compiled for sm_80 and sm_90 as the emitted launches would have them compiled; nothing
runs. Results are kept per version of Triton; a run replaces those of its own version. Exits with 1
if a kernel may not be shipped: tests/kernels/offline.py says when.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"

Setting = tuple[str, tuple[int, int], str]
Row = dict[str, Any]


def compile_setting(setting: Setting) -> list[Row]:
    """Compile all kernels of one layer, in a process of its own."""
    import torch

    from tests.kernels import variants

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for variant in list_variants(setting, Path(folder)):
            for capability in variants.CAPABILITIES:
                found = variant.launched.compile(capability)
                rows.append(
                    {
                        "variant": variant.name,
                        "kernel": variant.launched.name,
                        "arithmetic": variant.arithmetic,
                        "target": f"sm_{capability}",
                        "registers": found.registers,
                        "stack": found.stack,
                        "spill_stores": found.spill_stores,
                        "spill_loads": found.spill_loads,
                        "shared": found.shared,
                        "instructions": found.size,
                        "tensor_cores": found.tensor_cores,
                        "wide_loads": found.wide_loads,
                        "local_accesses": found.local_accesses,
                        "atomics": found.atomics,
                        "seconds": round(found.seconds, 2),
                        "faults": variant.find_faults(found),
                    }
                )
    return rows


def list_variants(setting: Setting, folder: Path) -> list[Any]:
    """List the kernels of one setting, whose package is written into a folder."""
    from tests.kernels import pair_variants, pairs, variants

    if setting[0] in pair_variants.FAMILIES:
        module = pairs.install_pairs(folder, "kernel_pairs")
        return list(pair_variants.list_pair_variants(module, *setting))
    package = variants.install_families(folder)
    return list(variants.list_variants(package, *setting))


def name_setting(setting: Setting) -> str:
    """Return the name of a setting, with which the names of its variants begin."""
    family, channels, arithmetic = setting
    return f"{family} {channels[0]}x{channels[1]} {arithmetic}"


def compile_all(known: Sequence[Row], names: Sequence[str]) -> list[Row]:
    """Compile what is asked for, or everything, and return its rows among those known before."""
    from tests.kernels.pair_variants import list_pair_settings
    from tests.kernels.variants import list_settings

    settings = [*list_settings(), *list_pair_settings()]
    order = {name_setting(setting): setting for setting in settings}
    fresh = [name for name in order if not names or any(word in name for word in names)]
    found = {name: [row for row in known if read_setting(row) == name] for name in order}
    start = time.monotonic()
    with ProcessPoolExecutor(os.cpu_count(), max_tasks_per_child=1) as pool:
        found_rows = pool.map(compile_setting, [order[name] for name in fresh])
        for name, rows in zip(fresh, found_rows, strict=True):
            found[name] = rows
            print(f"{time.monotonic() - start:5.0f} s  {name}", file=sys.stderr)
    return [row for rows in found.values() for row in rows]


def read_setting(row: Row) -> str:
    """Return the name of the setting a row belongs to."""
    return str(row["variant"]).partition(":")[0]


def summarise(rows: list[Row]) -> list[str]:
    """Make a table of the largest figure of each kernel in each arithmetic on each target."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        family = row["variant"].split()[0]
        name = row["kernel"].removesuffix(f"_{family}")
        name = f"straight {name}" if name in ("output", "input", "weight") else name
        name += " tangent" if "tangent" in row["variant"] else ""
        groups.setdefault((name, row["arithmetic"], row["target"]), []).append(row)
    columns = ("registers", "spill_stores", "shared", "tensor_cores", "wide_loads", "seconds")
    lines = [
        "| kernel | arithmetic | target | variants | registers | spill bytes | shared bytes "
        "| tensor-core instructions | 16-byte loads | compile seconds |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (name, arithmetic, target), found in sorted(groups.items()):
        largest = [str(max(row[column] for row in found)) for column in columns]
        lines.append(f"| {' | '.join([name, arithmetic, target, str(len(found)), *largest])} |")
    return lines


def main() -> int:
    import triton

    path = RESULTS / "offline_kernels.json"
    known = json.loads(path.read_text("utf-8")) if path.exists() else {}
    rows = compile_all(known.get(triton.__version__, []), sys.argv[1:])
    known[triton.__version__] = rows
    known = dict(sorted(known.items()))
    text = json.dumps(known, indent=None, separators=(",", ":")).replace(
        '{"variant"', '\n{"variant"'
    )
    path.write_text(text + "\n", "utf-8")
    lines = ["Largest figures over all variants of a kernel; nothing here ran on a GPU."]
    for version, found in known.items():
        faults = [
            f"{row['variant']} {row['target']}: {row['faults']}" for row in found if row["faults"]
        ]
        lines += ["", f"## Triton {version}", "", *summarise(found), ""]
        total = sum(row["seconds"] for row in found)
        lines += [
            f"{len(found)} kernels, {total:.0f} seconds of compilation, {len(faults)} faults."
        ]
        lines += [f"* {fault}" for fault in faults]
    (RESULTS / "offline_kernels.md").write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))
    return int(any(row["faults"] for row in rows))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
