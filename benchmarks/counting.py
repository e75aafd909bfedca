"""Count what the kernels of an emitted layer calculate, from the tables they read."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor


class Sums(NamedTuple):
    """Multiplications and additions of one kernel on one row of the batch, each a flop.

    Attributes:
        products: Of elements of the input, and the sums of those products within a class.
        mixing: Of those sums, or gradients, and the weights.
    """

    products: int
    mixing: int

    @property
    def flops(self) -> int:
        """Both together."""
        return self.products + self.mixing


def _count_entries(groups: Tensor, start: int, stop: int) -> int:
    return int((groups[start:stop, 3] - groups[start:stop, 2]).sum())


def _list_ranges(side: Any, begin: int) -> list[tuple[int, int]]:
    """Return the number of groups and of entries of every point, in one range of its record."""
    groups = side.groups.reshape(-1, 4)
    found = []
    for start, stop in side.elements.reshape(-1, 8)[:, begin : begin + 2].tolist():
        found.append((stop - start, _count_entries(groups, start, stop)))
    return found


def count_flops(
    kernel: str, schedule: Any, c_in: int, c_out: int, *, mixed: bool, tangent: bool, across: bool
) -> int:
    """Count the flops of one kernel on one row of the batch.

    Args:
        kernel: ``output``, ``input`` or ``weight``.
        schedule: Of the layer.
        c_in: Input channels.
        c_out: Output channels.
        mixed: Whether channels are mixed.
        tangent: Whether two inputs are multiplied both ways.
        across: Of a weight gradient that mixes: whether it is that of products of two channels.
    """
    outputs, inputs, pair_table = schedule.split(schedule.tables)
    pairs = len(pair_table) // 2
    width = c_out if mixed else 1
    each = 6 if tangent else 2
    if kernel == "input":
        total = Sums(0, 0)
        for begin, columns in ((0, c_in), (2, pairs), (4, pairs)):
            for groups, entries in _list_ranges(inputs, begin):
                mixing = 2 * groups * columns * width + (2 * groups * columns if mixed else 0)
                total = Sums(total.products + 2 * entries * columns, total.mixing + mixing)
        return total.flops
    families = [(0, c_in)] if kernel == "weight" and not across else [(0, c_in), (2, pairs)]
    if kernel == "weight" and across:
        families = [(2, pairs)]
    flops = 0
    for begin, columns in families:
        for groups, entries in _list_ranges(outputs, begin):
            flops += Sums(each * entries * columns, 2 * groups * columns * width).flops
    return flops


def count_bytes(tensors: tuple[Any, ...]) -> int:
    """Count the bytes of the arrays a kernel is given, each once."""
    sizes = {t.data_ptr(): t.numel() * t.element_size() for t in tensors if isinstance(t, Tensor)}
    return sum(sizes.values())
