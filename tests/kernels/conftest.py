"""Packages shared by the tests of kernels, written once per session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
import torch

from tests.emit.problems import install
from tests.kernels.problems import CASES, LARGE
from tests.processes import INTERPRETED


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Small layers gain nothing from threads, and lose much on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="session")
def _quick_calls() -> Iterator[None]:
    """The interpreter prepares the language at a launch, and again, which takes half of the time,
    at every call of a function by the kernel; only functions of Triton itself need that."""
    if not INTERPRETED:
        yield
        return
    from triton.runtime import interpreter

    original: Any = interpreter.InterpretedFunction.__call__

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.fn.__module__.startswith("triton."):
            return original(self, *args, **kwargs)
        return self.rewrite()(*args, **kwargs)

    with mock.patch.object(interpreter.InterpretedFunction, "__call__", call):
        yield


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder on the path for packages that tests write."""
    return tmp_path_factory.mktemp("packages")


@pytest.fixture(scope="session")
def zoo(packages: Path) -> ModuleType:
    """One package with every layer of CASES and LARGE."""
    cases = {**CASES, **LARGE}
    return install(packages, "kernel_zoo", [case.pose(name) for name, case in cases.items()])
