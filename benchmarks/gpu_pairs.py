"""Time, bytes and flops of the kernels of weights between pairs of neurons; part of gpu.py."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch

from benchmarks.counting import count_bytes
from benchmarks.recording import Call, record_calls

Row = dict[str, Any]


class Pairs(NamedTuple):
    """Sizes of one set of neurons, all paired with all.

    Attributes:
        neurons: Their number.
        d: Components of mu.
        p: Components of positions.
        batch: Rows.
    """

    neurons: int
    d: int
    p: int
    batch: int

    @property
    def name(self) -> str:
        """All sizes, as results name them."""
        return f"Pairs n{self.neurons} d{self.d} p{self.p} b{self.batch}"


SIZES = (
    Pairs(1024, 8, 3, 16),
    Pairs(8192, 8, 3, 1),
    Pairs(8192, 8, 3, 64),
    Pairs(8192, 32, 8, 256),
    Pairs(65_536, 8, 3, 16),
)

SHRUNK = 64
"""Neurons at most where sizes are divided, in a test of gpu.py."""


def find_pairs(package: Any) -> Any:
    """Return the module that launches a package's kernels of pairs; None if it has none."""
    name = f"{package.__name__}.pair_launch"
    return importlib.import_module(name) if find_spec(name) else None


def measure_pairs(
    bench: Any, launch: Any, arithmetic: str, dtype: torch.dtype, precision: str
) -> list[Row]:
    """Time the kernels that results and all gradients of inverse squares of distances launch.

    Args:
        bench: A ``Bench`` of gpu.py.
        launch: The module that launches them.
        arithmetic: Name of dtype and precision.
        dtype: Of all arguments.
        precision: Of products of float32, as torch names it.
    """
    torch.set_float32_matmul_precision(precision)
    rows = []
    for whole in SIZES:
        size = whole if bench.shrink == 1 else whole._replace(neurons=SHRUNK, batch=2)
        found: dict[str, Call] = {}
        for call in record_pairs(launch, size, dtype, bench.device):
            found.setdefault(describe(call), call)
        for what, call in found.items():
            if bench.has_time(f"{whole.name} {arithmetic} {what}"):
                figures = {"bytes": count_bytes(call.args), "flops": count_flops(call, size)}
                times = {"kernel": what, "seconds": bench.clock(call.run)}
                rows.append({"layer": whole.name, "arithmetic": arithmetic, **times, **figures})
    return rows


def record_pairs(launch: Any, size: Pairs, dtype: torch.dtype, device: str) -> list[Call]:
    """Run result and gradients once and return the calls of kernels."""
    shapes = [(size.batch, size.neurons)] * 2 + [(size.neurons, size.d), (size.neurons, size.p)]
    grad, z, mu, x = (torch.randn(shape, device=device).to(dtype) for shape in shapes)
    arguments = (z, mu, x, mu, x, torch.ones((), device=device, dtype=dtype), 2.0, False, True)
    with record_calls(launch) as calls:
        launch.forward(*arguments)
        launch.backward(grad, *arguments, [True] * 6)
    return calls


def describe(call: Call) -> str:
    """Say which kernel it is and what it is for."""
    return f"{call.kernel.__name__}{' and eps' if call.constants.get('EPS') else ''}"


def count_flops(call: Call, size: Pairs) -> int:
    """Count multiplications and additions; an inverse, and its slope, are a few of them."""
    d, p, batch = size.d, size.p, size.batch
    weight = 2 * d + 3 * p + 3
    if call.kernel.__name__ == "apply_pairs":
        each = weight + 2 * batch
    else:
        # Gradients of weights, times the kernel and times its slope; of vectors; of positions.
        each = weight + 2 * batch + 4 + 2 * d + 3 * p
    return size.neurons**2 * each
