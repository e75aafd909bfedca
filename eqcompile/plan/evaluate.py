"""Reference evaluation of any plan over any ring.

A ring is given by the dtype of its arrays and one operation: reduction to normal form. Python
integers, fractions, polynomials and dual numbers are object arrays that need none; integers
modulo a prime are int64 arrays, reduced after every product and sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from eqcompile.plan.ir import (
    Add,
    Axes,
    ChannelTable,
    ChannelTuples,
    Contract,
    Input,
    Map,
    Plan,
    Reduce,
    Rename,
    Size,
    Table,
)

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Ring:
    """How to calculate with arrays of ring elements.

    Attributes:
        name: Shown in certificates.
        dtype: Of the arrays.
        reduce: Normal form of an array, such as ``values % p``.
        scale: The ring's elements ``numerator / denominator``, given as two int64 arrays.
    """

    name: str
    dtype: type
    reduce: Callable[[Array], Array]
    scale: Callable[[Array, Array], Array]


def modular(p: int) -> Ring:
    """Return the field of integers modulo a prime below 2^31."""

    def scale(numerators: Array, denominators: Array) -> Array:
        kinds, where = np.unique(denominators, return_inverse=True)
        inverses = np.array([pow(int(v), -1, p) for v in kinds], dtype=np.int64)
        return np.asarray(numerators % p * inverses[where] % p)

    return Ring(f"integers modulo {p}", np.int64, lambda values: values % p, scale)


def evaluate(
    plan: Plan, inputs: Mapping[str, Array], ring: Ring, channels: Mapping[str, int]
) -> dict[str, Array]:
    """Run a plan.

    Args:
        plan: The program.
        inputs: One array per argument, axes in the argument's order.
        ring: Where to calculate.
        channels: Sizes of ``batch``, ``out`` and ``rank``, and of ``in`` or each ``in_<name>``.

    Returns:
        One array per output of the plan.
    """
    sizes = {axis: resolve_size(size, channels) for axis, size in plan.sizes}
    values: list[Array] = []
    value: Array
    for op in plan.ops:
        match op:
            case Input(name=name, axes=axes):
                value = np.asarray(inputs[name], dtype=ring.dtype)
                if value.shape != tuple(sizes[a] for a in axes):
                    raise ValueError(
                        f"{name} has shape {value.shape}, expected axes {axes} of {sizes}"
                    )
            case Map():
                value = _apply(plan, op, values[op.argument], ring, sizes, channels)
            case Contract(left=a, right=b, axes=axes):
                left, right = plan.ops[a].axes, plan.ops[b].axes
                summed = tuple(x for x in left if x not in axes)
                full = (*axes, *summed)
                product = _align(values[a], left, full) * _align(values[b], right, full)
                value = _sum_tail(ring.reduce(product), len(summed), ring)
            case Add(arguments=args, axes=axes):
                shape = tuple(sizes[x] for x in axes)
                value = np.zeros(shape, dtype=ring.dtype)
                for a in args:
                    value = ring.reduce(value + _align(values[a], plan.ops[a].axes, axes))
            case Reduce(argument=a, axes=axes):
                have = plan.ops[a].axes
                summed = tuple(x for x in have if x not in axes)
                value = _sum_tail(_align(values[a], have, (*axes, *summed)), len(summed), ring)
            case Rename(argument=a):
                value = values[a]
        values.append(value)
    return {name: values[position] for name, position in plan.outputs}


def resolve_size(size: Size, channels: Mapping[str, int]) -> int:
    """Return the size of an axis for given channel counts."""
    if isinstance(size, int):
        return size
    return size.count(channels) if isinstance(size, ChannelTuples) else channels[size]


def _align(value: Array, have: Axes, want: Axes) -> Array:
    """Transpose to the order of ``want``, with axes of size 1 for those that are missing."""
    order = [have.index(a) for a in want if a in have]
    shape = [value.shape[have.index(a)] if a in have else 1 for a in want]
    return value.transpose(order).reshape(shape)


def _sum_tail(value: Array, count: int, ring: Ring) -> Array:
    """Sum over the last ``count`` axes."""
    if not count:
        return value
    shape = value.shape[: value.ndim - count]
    flat = value.reshape((*shape, prod(value.shape[value.ndim - count :])))
    return ring.reduce(flat.sum(axis=-1)) if flat.shape[-1] else np.zeros(shape, dtype=ring.dtype)


def _apply(
    plan: Plan,
    op: Map,
    value: Array,
    ring: Ring,
    sizes: Mapping[str, int],
    channels: Mapping[str, int],
) -> Array:
    """Apply the table of a map op to the axes it names."""
    have = plan.ops[op.argument].axes
    kept = tuple(a for a in have if a not in op.source)
    lead = tuple(sizes[a] for a in kept)
    flat = value.transpose([have.index(a) for a in (*kept, *op.source)]).reshape(
        (prod(lead), prod(sizes[a] for a in op.source))
    )
    rows, columns, coefficients = _entries(plan.table(op.table), ring, channels)
    if op.transposed:
        rows, columns = columns, rows
    result: Array = np.zeros((prod(sizes[a] for a in op.target), flat.shape[0]), dtype=ring.dtype)
    terms = ring.reduce(flat[:, columns] * coefficients)
    np.add.at(result, rows, terms.T)
    shaped = ring.reduce(result.T).reshape((*lead, *(sizes[a] for a in op.target)))
    return _align(shaped, (*kept, *op.target), op.axes)


def _entries(
    table: Table | ChannelTable, ring: Ring, channels: Mapping[str, int]
) -> tuple[Array, Array, Array]:
    if isinstance(table, ChannelTable):
        tuples = table.tuples.list_all(channels)
        columns = np.array([t[table.position] for t in tuples], dtype=np.int64)
        ones = np.ones(len(columns), dtype=np.int64)
        return np.arange(len(columns)), columns, ring.scale(ones, ones)
    return table.rows, table.columns, ring.scale(table.numerators, table.denominators)
