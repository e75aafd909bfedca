# mypy: disable-error-code="no-untyped-def, untyped-decorator"
"""Kernels that the gate of offline compilation must, and must not, let pass."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def copy(x, y, count, BLOCK: tl.constexpr):
    rows = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + rows, tl.load(x + rows, mask=rows < count), mask=rows < count)


@triton.jit
def normalise(x, y, BLOCK: tl.constexpr):
    """Everything is alive until the sum is known: a wide block does not fit the registers."""
    rows = tl.arange(0, BLOCK)
    values = tl.load(x + rows)
    tl.store(y + rows, values / tl.sum(values, axis=0))


@triton.jit
def count_up(x, total, BLOCK: tl.constexpr):
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.atomic_add(total, tl.sum(tl.load(x + rows), axis=0))


@triton.jit
def multiply(x, y, z, N: tl.constexpr, PRECISION: tl.constexpr):
    rows = tl.arange(0, N)
    places = rows[:, None] * N + rows[None, :]
    product = tl.dot(tl.load(x + places), tl.load(y + places), input_precision=PRECISION)
    tl.store(z + places, product)
