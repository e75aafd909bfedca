"""Measure one call of a solver in this very interpreter, the same way for every solver."""

from __future__ import annotations

import gc
import json
import resource
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

AGAIN_BELOW = 10.0  # CPU seconds of a first call that is worth a second one

Solve = Callable[[], Any]
Count = Callable[[Any], int]


def measure(
    packages: tuple[str, ...], warm: Solve, prepare: Callable[[], Solve], count: Count
) -> None:
    """Print what one solve costs, as lines of JSON.

    The first line is written before the call that is measured, so that a driver which ends it
    knows how much was spent on it.

    Args:
        packages: Distributions whose versions matter.
        warm: Solves another, tiny problem, so that lazy imports and start-up are over.
        prepare: Poses the problem, and returns the call to measure. It is called anew for a
            second call, and must drop every cached solution.
        count: Tells the dimension of what the call returned.
    """
    warm()
    before = time.process_time()
    solve = prepare()
    prepared = time.process_time() - before
    versions = {name: version for name in packages if (version := _find_version(name))}
    _report(versions=versions, prepared=prepared, resting_mib=_read_peak())
    _report(started=time.process_time())
    found, seconds = _time(solve)
    _report(seconds=seconds, peak_mib=_read_peak(), dimension=count(found))
    if seconds < AGAIN_BELOW:
        _report(again=_time(prepare())[1])


def _time(solve: Solve) -> tuple[Any, float]:
    """Return what a call returns, and its CPU seconds."""
    # What imports left behind would be collected in this call or in that, by chance: 50 ms.
    gc.collect()
    gc.freeze()
    start = time.process_time()
    found = solve()
    return found, time.process_time() - start


def _find_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _read_peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _report(**values: Any) -> None:
    print(json.dumps(values), flush=True)
