"""Packages shared by the tests of the emitter, written once per session."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from tests.emit.additive import install_solutions, list_layers
from tests.emit.machines import forget, pretend_version
from tests.emit.problems import install, pose
from tests.emit.several import PROBLEMS as SEVERAL


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Small layers gain nothing from threads, and lose much on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def fresh_compiler() -> Iterator[None]:
    """Let torch.compile know of no graph before a test, nor after it."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield
    torch._dynamo.reset()


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder on the path for packages that tests write."""
    return tmp_path_factory.mktemp("packages")


@pytest.fixture(scope="session")
def zoo(packages: Path) -> ModuleType:
    """One package with a layer of every mixing and form, and unlike groups."""
    return install(
        packages,
        "zoo",
        [
            pose("C_4", (0, 1, 2), inputs=2, outputs=3, name="Cycle"),
            pose("S_3", (0, 1, 2, 3), inputs=3, outputs=2, name="Cubic"),
            pose("S_3", (0, 1, 2), inputs=2, outputs=2, name="Dense", form="dense"),
            pose("B_2", (1, 3), inputs=2, outputs=2, mixing="factored", rank=3, name="Factored"),
            pose("D2Q9", (0, 1, 2), inputs=2, outputs=2, mixing="depthwise", name="Collide"),
            pose(
                "C_2 with fixed points",
                (0, 1, 2),
                inputs=2,
                outputs=2,
                mixing="channelwise",
                name="Fixed",
                form="lifted",
            ),
            pose("turning the plane", (1, 2, 3), inputs=2, outputs=1, name="Turn", form="dense"),
            pose("S_3 to scalar", (0, 2), inputs=2, outputs=1, name="Invariant"),
            pose("one point", (0, 1, 2), inputs=2, outputs=2, name="Point"),
        ],
    )


@pytest.fixture(scope="session")
def additive(packages: Path) -> ModuleType:
    """One package of layers whose coefficients depend on each other."""
    return install_solutions(packages, "additive", list_layers())


@pytest.fixture(scope="session")
def several(packages: Path) -> ModuleType:
    """One package with layers of several inputs."""
    return install(packages, "several", SEVERAL)


@pytest.fixture
def backends(zoo: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module that decides, on a machine with the newest Triton and no GPU."""
    found: Any = importlib.import_module(f"{zoo.__name__}.backends")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    pretend_version(found, monkeypatch, "3.9.0")
    yield found
    forget(found)
