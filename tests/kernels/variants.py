"""The kernels that are shipped: layers, channel counts and arithmetics that make every variant.

Import only where TRITON_INTERPRET is unset. A kernel is compiled for the sizes of a layer, so there
is no end to them; what decides registers is the shape of its blocks, how it calculates, and which
branches it has. Each of those is here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from eqcompile.exact.signed import SignedPermutation
from tests.actions_of import cyclic, make_problem, permute, symmetric
from tests.emit.problems import install, make
from tests.kernels.launches import Launched, list_launches
from tests.kernels.offline import Compiled
from tests.kernels.problems import ODD, join, same

CAPABILITIES = (80, 90)

BATCH = 4096

ARITHMETICS: dict[str, tuple[torch.dtype, str]] = {
    "bfloat16": (torch.bfloat16, "highest"),
    "float16": (torch.float16, "highest"),
    "float32": (torch.float32, "highest"),
    "tf32x3": (torch.float32, "high"),
    "tf32": (torch.float32, "medium"),
    "float64": (torch.float64, "highest"),
}
"""Name to dtype and ``torch.set_float32_matmul_precision``."""

TENSOR_CORES = {
    **dict.fromkeys(("bfloat16", "float16", "tf32x3", "tf32", "mixed"), True),
    "float32": False,
}
"""Whether a product of matrices is one of tensor cores; in float64 Triton decides by the target."""

BLOCKS = ((16, 16), (16, 32), (16, 64), (32, 16), (32, 32), (32, 64))
"""Channels in and out of all shapes of blocks for multiples of 16; others have smaller blocks."""

TWIST = SignedPermutation(np.array([1, 0]), np.array([-1, -1]))
SIGNS = ([join(TWIST, permute(1, 0))], [join(TWIST, ODD[0])])
"""Group elements have signs, and so have members of one class at one output."""


class Family(NamedTuple):
    """Layers of one action and mixing.

    Attributes:
        mixing: Of channels.
        actions: Generators on inputs and outputs.
        channels: Pairs of channel counts.
        straight: Whether straight-line kernels are used.
    """

    mixing: Any
    actions: Any
    channels: tuple[tuple[int, int], ...]
    straight: bool = False


FAMILIES: dict[str, Family] = {
    "Full": Family("full", same(cyclic(4)), (*BLOCKS, (3, 5), (33, 65), (48, 80))),
    "FullSigns": Family("full", SIGNS, ((32, 64), (16, 16))),
    "Wise": Family("channelwise", same(cyclic(4)), ((32, 64), (16, 16))),
    "Depth": Family("depthwise", same(cyclic(4)), ((8, 8),)),
    "DepthSigns": Family("depthwise", SIGNS, ((8, 8),)),
    "One": Family("full", same(cyclic(16)), ((1, 1),)),
    "Straight": Family("depthwise", same(symmetric(4)), ((8, 8),), straight=True),
    "StraightSigns": Family("full", SIGNS, ((1, 1),), straight=True),
    "StraightLong": Family("full", same(cyclic(7)), ((1, 1),), straight=True),
}

ALLOWED_SPILLS: dict[str, tuple[int, str]] = {}
"""Variant to bytes of spills that are allowed, up to 64, and their cause."""


class Variant(NamedTuple):
    """One kernel as it is shipped.

    Attributes:
        name: Of all that distinguishes it, but the target.
        arithmetic: One of ARITHMETICS, or of those of pairs.
        launched: Its call.
    """

    name: str
    arithmetic: str
    launched: Launched

    def find_faults(self, compiled: Compiled) -> list[str]:
        """Say in which ways it may not be shipped."""
        mixes = not {"DOT", "VALUE"}.isdisjoint(dict(self.launched.constants))
        expected = TENSOR_CORES.get(self.arithmetic) if mixes else False
        allowed = ALLOWED_SPILLS.get(f"{self.name} sm_{compiled.capability}", (0, ""))[0]
        return compiled.find_faults(spill=allowed, tensor_cores=expected)


def install_families(folder: Path) -> Any:
    """Write the package of all families and import it."""
    return install(
        folder,
        "kernel_families",
        [
            make_problem(
                family.actions[0],
                family.actions[1],
                (0, 1, 2),
                channels=family.channels[0],
                mixing=family.mixing,
                name=name,
                form="monomial",
            )
            for name, family in FAMILIES.items()
        ],
    )


def list_variants(
    package: Any, family: str, channels: tuple[int, int], arithmetic: str
) -> Iterator[Variant]:
    """List the kernels that one layer of a family launches."""
    layer = make(package, family, *channels, backend="torch")
    dtype, precision = ARITHMETICS[arithmetic]
    straight = FAMILIES[family].straight
    found = list_launches(layer, BATCH, dtype, precision, straight=straight)
    for what, launched in found.items():
        # Of second derivatives a straight layer has the kernels of Depth and One.
        if not straight or launched.name.endswith(f"_{family}"):
            name = f"{family} {channels[0]}x{channels[1]} {arithmetic}: {what}"
            yield Variant(name, arithmetic, launched)


def list_settings() -> list[tuple[str, tuple[int, int], str]]:
    """List family, channels and arithmetic of everything in the table."""
    return [
        (name, channels, arithmetic)
        for name, family in FAMILIES.items()
        for channels in family.channels
        for arithmetic in ARITHMETICS
    ]
