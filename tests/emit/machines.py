"""Machines that are pretended: with some version of Triton, with and without a GPU."""

from __future__ import annotations

from typing import Any

import pytest
import torch


def forget(backends: Any) -> None:
    backends.find_triton_fault.cache_clear()
    backends._find_device_fault.cache_clear()


def pretend_version(backends: Any, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: object())
    monkeypatch.setattr(backends, "version", lambda name: version)
    forget(backends)


def pretend_gpu(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int] = (9, 0)) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: capability)
