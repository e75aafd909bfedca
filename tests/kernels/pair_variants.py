"""The kernels of pairs that are shipped: functions of the distance, sizes and arithmetics.

Import only where TRITON_INTERPRET is unset. The compiled code does not depend on the number of
components of positions, nor on the batch but for the width of its blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from benchmarks.recording import record
from tests.kernels.launches import Launched, note_call, use_precision
from tests.kernels.variants import ARITHMETICS, Variant

INVERSE = "PairsInverse"
"""The family whose kernels are compiled in all sizes."""

FAMILIES: dict[str, tuple[float, bool]] = {
    INVERSE: (2.0, False),
    "PairsRoot": (1.0, False),
    "PairsQuarters": (3.5, False),
    "PairsPower": (2.7, False),
    "PairsSquare": (2.0, True),
    "PairsDistance": (1.0, True),
    "PairsDistancePower": (0.7, True),
}
"""Name to exponent, and whether it multiplies."""

MIXED = "mixed"
"""What autocast leaves: z is bfloat16, neurons are float32."""

PAIR_ARITHMETICS = {**ARITHMETICS, MIXED: (torch.bfloat16, "highest")}

SIZES = tuple((d, batch) for d in (1, 3, 8, 16, 32) for batch in (1, 256))
"""Components of mu and batch; 256 stands for 64, and 1 for 16: blocks are the same."""

NEURONS = (4096, 1001)
"""Numbers of neurons: loads of 16 bytes, and of one entry each."""

Setting = tuple[str, tuple[int, int], str]


def list_pair_settings() -> list[Setting]:
    """List family, sizes (components of mu, batch) and arithmetic of everything in the table."""
    return [
        (family, sizes, arithmetic)
        for family in FAMILIES
        for sizes in (SIZES if family == INVERSE else ((8, 256),))
        for arithmetic in PAIR_ARITHMETICS
    ]


def list_pair_launches(
    module: Any,
    family: str,
    d: int,
    batch: int,
    neurons: int,
    dtypes: tuple[torch.dtype, torch.dtype],
    p: int = 3,
) -> list[Launched]:
    """List what result and gradients of one set of neurons launch; nothing is run.

    Args:
        module: The launches.
        family: Of FAMILIES.
        d: Components of mu.
        batch: Rows.
        neurons: Number of neurons.
        dtypes: Of z, and of the neurons.
        p: Components of positions.
    """
    calls: list[Launched] = []

    def note(kernel: Any, grid: tuple[int, ...], args: Any, kwargs: Any) -> None:
        calls.append(note_call(kernel, grid, *args, **kwargs))

    dtype, wide = dtypes
    z = torch.empty(batch, neurons, dtype=dtype)
    mu, x = (torch.empty(neurons, count, dtype=wide) for count in (d, p))
    rest = (z, mu, x, mu, x, torch.ones((), dtype=wide), *FAMILIES[family], True)
    with record(module, note):
        module.forward(*rest)
        module.backward(z, *rest, [True] * 6)
    return calls


def list_pair_variants(
    module: Any, family: str, sizes: tuple[int, int], arithmetic: str
) -> Iterator[Variant]:
    """List the kernels of one family that are compiled, each different one once."""
    dtype, precision = PAIR_ARITHMETICS[arithmetic]
    wide = torch.float32 if arithmetic == MIXED else dtype
    seen = set()
    for neurons in NEURONS if family == INVERSE else NEURONS[1:]:
        with use_precision(precision):
            calls = list_pair_launches(module, family, *sizes, neurons, (dtype, wide))
        for call in calls:
            constants = dict(call.constants)
            what = " and eps" if constants.get("EPS") else ""
            name = f"{family} {sizes[0]}x{sizes[1]} {arithmetic}: {call.name}{what} of {neurons}"
            if name not in seen:
                seen.add(name)
                yield Variant(name, arithmetic, call)
