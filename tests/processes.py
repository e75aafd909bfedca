"""Which tests a process can run: Triton is either its interpreter or its compiler, never both.

Triton reads TRITON_INTERPRET when it is imported. Tests marked ``interpreter`` need it set, all
others need it unset; what the process cannot run is deselected, and the header says how to run it.
"""

from __future__ import annotations

import os
import sys
from functools import cache

import pytest

INTERPRETED = os.environ.get("TRITON_INTERPRET", "").lower() in ("1", "true", "yes", "on", "y")
"""Whether this process runs kernels in the interpreter; the words are those Triton takes."""

HAS_TRITON = sys.platform == "linux"
"""Whether Triton is made for this system; where it is, a missing one is an error."""

KINDS = ("interpreter", "offline", "gpu")


def describe_process() -> str:
    """Say which tests of kernels this process leaves out, and how to run them."""
    if not HAS_TRITON:
        return "kernels: left out, Triton is made for Linux only"
    if INTERPRETED:
        return "kernels: only interpreter tests run here; unset TRITON_INTERPRET for all others"
    return "kernels: interpreter tests are left out; run them by TRITON_INTERPRET=1 pytest"


def can_run(item: pytest.Item) -> bool:
    kinds = {kind for kind in KINDS if item.get_closest_marker(kind)}
    if not HAS_TRITON:
        return not kinds
    return ("interpreter" in kinds) == INTERPRETED


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of the other process; skip those that need a missing GPU."""
    left_out = [item for item in items if not can_run(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if can_run(item)]
    for item in items:
        for marker in item.iter_markers("gpu"):
            reason = find_gpu_fault(marker.kwargs.get("gib", 0))
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@cache
def find_gpu_fault(gib: float) -> str:
    """Say why tests that need a GPU with so much free memory cannot run; empty if they can."""
    import torch

    if not torch.cuda.is_available():
        return "no CUDA device"
    free, _ = torch.cuda.mem_get_info()
    return "" if free >= gib * 2**30 else f"no CUDA device with {gib} GiB of free memory"
