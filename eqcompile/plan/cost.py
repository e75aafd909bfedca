"""What a plan costs: operations, bytes and launches, from one table of constants per device.

The model is coarse on purpose and fixed, so that builds are reproducible: products run at the
speed of a matrix product, whole arrays stream, gathers are slow, every op starts once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from eqcompile.plan.evaluate import resolve_size
from eqcompile.plan.ir import Add, Contract, Input, Map, Op, Plan, Reduce, Rename, Table

NOMINAL_BATCH = 256
"""Rows of the batch that costs are quoted for."""

ITEM_BYTES = 4


@dataclass(frozen=True, slots=True)
class Device:
    """Speeds of one class of device.

    Attributes:
        name: Shown beside every cost.
        flops: Floating-point operations per second of a matrix product.
        stream: Bytes per second read or written in order.
        gather: Bytes per second read through an index.
        launch: Seconds to start one op.
    """

    name: str
    flops: float
    stream: float
    gather: float
    launch: float


CPU = Device("one CPU core", 50e9, 6e9, 1.3e9, 15e-6)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a plan does once.

    Attributes:
        flops: Floating-point operations of contractions.
        streamed: Bytes read and written in order.
        gathered: Bytes moved through an index.
        launches: Ops started.
    """

    flops: int = 0
    streamed: int = 0
    gathered: int = 0
    launches: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.flops + other.flops,
            self.streamed + other.streamed,
            self.gathered + other.gathered,
            self.launches + other.launches,
        )

    def seconds(self, device: Device) -> float:
        """Estimate the time on a device."""
        return (
            self.flops / device.flops
            + self.streamed / device.stream
            + self.gathered / device.gather
            + self.launches * device.launch
        )


def estimate_cost(plan: Plan, channels: Mapping[str, int]) -> Cost:
    """Add up the ops of a plan for given channels and batch."""
    sizes = {axis: resolve_size(size, channels) for axis, size in plan.sizes}
    total = Cost()
    for op in plan.ops:
        total += _cost_op(plan, op, sizes)
    return total


def _cost_op(plan: Plan, op: Op, sizes: Mapping[str, int]) -> Cost:
    def count(axes: tuple[str, ...]) -> int:
        return prod(sizes[a] for a in axes)

    result = count(op.axes)
    match op:
        case Input() | Rename():
            return Cost()
        case Map(argument=a, table=t, source=s, target=g, transposed=flip):
            table = plan.table(t)
            entries = len(table.rows) if isinstance(table, Table) else count(s if flip else g)
            rest = count(plan.ops[a].axes) // max(1, count(s))
            return Cost(gathered=2 * ITEM_BYTES * entries * rest, launches=1)
        case Contract(left=a, right=b):
            left, right = plan.ops[a].axes, plan.ops[b].axes
            every = tuple(dict.fromkeys((*left, *right)))
            moved = ITEM_BYTES * (count(left) + count(right) + result)
            flops = 2 * count(every) if len(every) > len(op.axes) else result
            return Cost(flops, moved, launches=1)
        case Add(arguments=args):
            return Cost(streamed=ITEM_BYTES * result * (len(args) + 1), launches=len(args))
        case Reduce(argument=a):
            return Cost(streamed=ITEM_BYTES * (count(plan.ops[a].axes) + result), launches=1)
