"""Names to entries, each registered once; an unknown name is answered with the nearest one."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from eqcompile.errors import Refusal

T = TypeVar("T")


def nearest(name: str, known: list[str]) -> str | None:
    """Return the known name closest to ``name``, if any is close."""
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return found[0] if found else None


class Registry(Generic[T]):
    """A table of named entries of one kind, in order of registration."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def add(self, name: str, entry: T) -> T:
        """Register ``entry`` under ``name``; a second entry of that name is our bug."""
        if name in self._entries:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._entries[name] = entry
        return entry

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers what it decorates under ``name``."""
        return lambda entry: self.add(name, entry)

    def __getitem__(self, name: str) -> T:
        if name not in self._entries:
            raise self.unknown(name)
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def items(self) -> list[tuple[str, T]]:
        """Return names and entries in order of registration."""
        return list(self._entries.items())

    def unknown(self, name: str) -> Refusal:
        """Say that ``name`` is not known, which names are, and which is nearest."""
        close = nearest(name, list(self._entries))
        known = ", ".join(self._entries)
        return Refusal(
            f"unknown-{self.kind}",
            f"unknown {self.kind} {name!r}; known: {known}",
            f"did you mean {close!r}?" if close else f"use one of: {known}",
        )
