"""Arrays of integers that are exact: int64 while that is surely safe, else Python's.

An array is *packed*: its dtype is int64 if every absolute value is below `SAFE`, else object. So
equal content means equal arrays.
"""

from __future__ import annotations

from math import gcd
from operator import index
from typing import Any

import numpy as np
import numpy.typing as npt

SAFE = 1 << 62
"""Sums of two smaller absolute values fit into an int64."""

Integers = npt.NDArray[Any]
"""An array of integers, of dtype int64 or object."""


def read_integers(values: npt.ArrayLike) -> Integers:
    """Return integers as a packed array.

    Raises:
        TypeError: If there is anything but integers.
    """
    array = np.asarray(values)
    if array.dtype == object or array.dtype.kind == "u":
        listed = [index(value) for value in array.ravel().tolist()]
        array = np.array(listed, dtype=object).reshape(array.shape)
    elif array.size and array.dtype.kind not in "ib":
        raise TypeError(f"exact matrices are made of integers, not of {array.dtype}")
    return pack(array if array.dtype == object else array.astype(np.int64))


def find_bound(values: Integers) -> int:
    """Return the greatest absolute value; 0 of an empty array."""
    if not values.size:
        return 0
    return max(abs(int(values.max())), abs(int(values.min())))


def pack(values: Integers) -> Integers:
    """Return the integers in the smallest dtype that is safe for them."""
    if values.dtype == np.int64:
        return values if find_bound(values) < SAFE else values.astype(object)
    return values.astype(np.int64) if find_bound(values) < SAFE else values


def widen(values: Integers, bound: int) -> Integers:
    """Return the array in a dtype in which results up to ``bound`` are exact."""
    return values if bound < SAFE else values.astype(object)


def find_common(values: Integers, start: int = 0) -> int:
    """Return the greatest common divisor of all integers of an array, and of ``start``."""
    if values.dtype == np.int64:
        return gcd(start, int(np.gcd.reduce(values, axis=None))) if values.size else start
    for value in values.ravel():
        if start == 1:
            break
        start = gcd(start, value)
    return start


def sum_groups(values: Integers, starts: npt.NDArray[np.int64]) -> Integers:
    """Sum stretches of rows, each from one start to the next; there is no empty stretch.

    Args:
        values: Shape ``(rows, ...)``.
        starts: Increasing, the first is 0.
    """
    if not len(starts):
        return values[:0]
    longest = int(np.diff(np.append(starts, len(values))).max())
    wide = widen(values, find_bound(values) * longest)
    summed: Integers = np.add.reduceat(wide, starts, axis=0)
    return summed
