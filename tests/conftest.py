"""Settings that hold for every test."""

from __future__ import annotations

import os

from hypothesis import settings

# Before any test imports numpy or torch: parallel workers must not each start a thread per core.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

# The same examples on every run and no deadline: a slow machine is not a failure.
settings.register_profile("eqcompile", derandomize=True, deadline=None, database=None)
settings.load_profile("eqcompile")
