"""Intercept the launches of an emitted package's kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from unittest import mock

MIXING = ("bilin_output", "bilin_input", "wgrad")
DEPTHWISE = ("depthwise_output", "depthwise_input", "depthwise_wgrad")
PAIRS = ("apply_pairs", "differentiate_pairs")
KERNELS = {"kernels": MIXING, "depthwise": DEPTHWISE, "pair_kernels": PAIRS}

Note = Callable[[Any, tuple[int, ...], tuple[Any, ...], dict[str, Any]], None]


class Recorder:
    """Stands in for a kernel, and hands its launches on.

    Args:
        kernel: The kernel.
        note: Gets the kernel, the grid, and the arguments by position and by name.
    """

    def __init__(self, kernel: Any, note: Note) -> None:
        self.kernel, self.note = kernel, note

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        def call(*args: Any, **kwargs: Any) -> None:
            self.note(self.kernel, grid, args, kwargs)

        return call


@contextmanager
def record(launch: Any, note: Note) -> Iterator[None]:
    """Have the launches of a package's kernels noted, and nothing run unless the note does.

    Args:
        launch: Module of the package that launches its kernels: ``launch`` or ``pair_launch``.
        note: See `Recorder`.
    """
    with ExitStack() as stack:
        for owner in filter(lambda name: hasattr(launch, name), KERNELS):
            module = getattr(launch, owner)
            for name in KERNELS[owner]:
                recorder = Recorder(getattr(module, name), note)
                stack.enter_context(mock.patch.object(module, name, recorder))
        table = getattr(launch, "STRAIGHT", {})
        straight = {
            name: tuple(kernel and Recorder(kernel, note) for kernel in kernels)
            for name, kernels in table.items()
        }
        stack.enter_context(mock.patch.dict(table, straight))
        yield


class Call(NamedTuple):
    """One launch of a kernel, with its arguments."""

    kernel: Any
    grid: tuple[int, ...]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def run(self) -> None:
        """Launch the kernel once more."""
        self.kernel[self.grid](*self.args, **self.kwargs)

    @property
    def constants(self) -> dict[str, Any]:
        """All arguments by name."""
        return dict(zip(self.kernel.arg_names, self.args, strict=False)) | self.kwargs


@contextmanager
def record_calls(launch: Any) -> Iterator[list[Call]]:
    """Keep the calls of all kernels, which run."""
    calls: list[Call] = []

    def note(*call: Any) -> None:
        calls.append(Call(*call))
        calls[-1].run()

    with record(launch, note):
        yield calls


def describe(call: Call, name: str) -> str:
    """Say which kernel it is and what it is for."""
    words, constants = [call.kernel.__name__.removesuffix(f"_{name}")], call.constants
    if words[0] in ("output", "input", "weight"):
        words[0] = f"straight {words[0]}"
    if constants.get("SAME") is False or constants.get("ONE") == 0.0:
        words.append("tangent")
    if constants.get("ACROSS"):
        words.append("across")
    return " ".join(words)
