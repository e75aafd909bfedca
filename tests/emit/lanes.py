"""One lane of a Triton kernel in exact integers, without Triton: what the text itself says."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any


@dataclass(frozen=True)
class Pointer:
    """A place in one of the arrays a kernel is called with."""

    array: str
    place: int = 0

    @property
    def dtype(self) -> Any:
        return SimpleNamespace(element_ty=None)

    def __add__(self, offset: int) -> Pointer:
        return Pointer(self.array, self.place + offset)


class Number(int):
    """An exact integer that takes the casts of Triton."""

    def to(self, dtype: Any) -> Number:
        return self

    def __add__(self, other: int) -> Number:
        return Number(int(self) + other)

    def __sub__(self, other: int) -> Number:
        return Number(int(self) - other)

    def __mul__(self, other: int) -> Number:
        return Number(int(self) * other)

    def __neg__(self) -> Number:
        return Number(-int(self))

    __rmul__ = __mul__


class Language:
    """What the kernels use of Triton, for one lane and exact integers."""

    constexpr = int64 = None

    def __init__(self, arrays: dict[str, list[int]], ids: tuple[int, ...]) -> None:
        self.arrays, self.ids = arrays, ids
        self.stored: dict[tuple[str, int], int] = {}
        self.loaded: list[tuple[str, int]] = []

    def program_id(self, axis: int) -> Number:
        return Number(self.ids[axis])

    def arange(self, start: int, stop: int) -> Number:
        assert (start, stop) == (0, 1)
        return Number(0)

    def zeros(self, shape: tuple[int], dtype: Any) -> Number:
        return Number(0)

    def load(self, at: Pointer, mask: bool = True, other: float | None = None) -> Number:
        if not mask:
            assert other == 0.0
            return Number(0)
        self.loaded.append((at.array, at.place))
        return Number(self.arrays[at.array][at.place])

    def store(self, at: Pointer, value: Number, mask: bool = True) -> None:
        if mask:
            assert (at.array, at.place) not in self.stored
            self.stored[at.array, at.place] = int(value)

    def sum(self, value: Number) -> Number:
        return value


def run_kernel(
    text: str, name: str, arrays: dict[str, list[int]], ids: tuple[int, ...], **sizes: int
) -> Language:
    """Run one kernel for one lane."""
    language = Language(arrays, ids)
    jit = SimpleNamespace(jit=lambda **_: lambda function: function)
    scope: dict[str, Any] = {"triton": jit, "tl": language}
    exec(compile("from __future__ import annotations\n" + text, "<emitted>", "exec"), scope)
    function = scope[name]
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    known = {"BLOCK": 1, "ACC": None, **sizes}
    function(*(known[n] if n in known else Pointer(n) for n in names))
    return language
