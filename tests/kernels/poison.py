"""Memory in which a kernel's mistakes show: what it leaves out, and what it touches beside it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple
from unittest import mock

import torch
from torch import Tensor

NARROW = (torch.float16, torch.bfloat16)

GUARD = 2**14
"""Entries of NaN before and after every array."""


def guard(value: Tensor) -> Tensor:
    """Copy an array between two guards; only one of positive size, contiguous, of floats."""
    if not value.is_floating_point() or not value.numel() or not value.is_contiguous():
        return value
    return _surround(value.numel(), value.dtype, value.device).view(value.shape).copy_(value)


def _surround(count: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    buffer = torch.full((count + 2 * GUARD,), float("nan"), dtype=dtype, device=device)
    return buffer[GUARD : GUARD + count]


class Memory(NamedTuple):
    """What a launch allocated.

    Attributes:
        shapes: Of each array, as a proof that the poison is in use.
        arrays: Each array, flat.
    """

    shapes: list[tuple[int, ...]]
    arrays: list[Tensor]

    def check(self) -> None:
        """Fail if a kernel wrote beside an array it was given."""
        for shape, array in zip(self.shapes, self.arrays, strict=True):
            start, count = array.storage_offset(), array.numel()
            whole = torch.as_strided(array, (count + 2 * GUARD,), (1,), start - GUARD)
            beside = torch.cat([whole[:GUARD], whole[-GUARD:]])
            assert beside.isnan().all(), f"written beside an array of shape {shape}"


@contextmanager
def poison(*, widen: bool = False) -> Iterator[Memory]:
    """Fill what a launch allocates with NaN, so that entries that are not written show.

    Args:
        widen: Give results of float16 and bfloat16 the dtype float32, so that what is compared
            has not been rounded; the interpreter cuts off the digits of bfloat16.
    """
    new_empty: Any = Tensor.new_empty
    contiguous: Any = Tensor.contiguous
    memory = Memory([], [])

    def allocate(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        found = new_empty(self, *args, **kwargs)
        if not _is_launch(sys._getframe(1)) or not found.is_floating_point() or not found.numel():
            return found
        dtype = torch.float32 if widen and found.dtype in NARROW else found.dtype
        array = _surround(found.numel(), dtype, found.device)
        memory.shapes.append(tuple(found.shape))
        memory.arrays.append(array)
        return array.view(found.shape)

    def lay_out(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        found = contiguous(self, *args, **kwargs)
        return guard(found) if _is_launch(sys._getframe(1)) else found

    with (
        mock.patch.object(Tensor, "new_empty", allocate),
        mock.patch.object(Tensor, "contiguous", lay_out),
    ):
        yield memory


def _is_launch(frame: Any) -> bool:
    return bool(frame.f_globals["__name__"].endswith((".launch", ".pair_launch")))


@contextmanager
def shrink_blocks(module: ModuleType) -> Iterator[None]:
    """Cut the work of a launch into blocks so small that every loop over them runs twice."""
    blocks = importlib.import_module(module.__name__.replace(".launch", ".blocks"))
    small = blocks.Blocks(16, 16, 16)
    with (
        mock.patch.object(module, "LANES", 16),
        mock.patch.object(module, "choose_blocks", return_value=small),
        mock.patch.object(blocks, "ROWS_PER_SPLIT", 16),
    ):
        yield
