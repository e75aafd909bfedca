"""Settings that hold for every test."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from tests.processes import describe_process, select

# Before any test imports numpy or torch: parallel workers must not each start a thread per core.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

# The same examples on every run and no deadline: a slow machine is not a failure.
settings.register_profile("eqcompile", derandomize=True, deadline=None, database=None)
settings.load_profile("eqcompile")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files")


def pytest_report_header() -> str:
    return describe_process()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    select(config, items)


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be rewritten instead of compared."""
    return bool(request.config.getoption("--update-golden"))
