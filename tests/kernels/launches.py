"""Which kernels a launch would run, with which arguments; nothing is run.

Import only where TRITON_INTERPRET is unset. Everything that distinguishes one compiled kernel from
another is read off the real call: types, constants, block shapes, options, and what Triton assumes
of integers and addresses. So what is compiled offline is what is shipped.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest import mock

import torch
from torch import Tensor

from benchmarks.recording import record
from tests.kernels.checks import draw, find_launch, launch
from tests.kernels.offline import Compiled, compile_kernel

TYPES = {
    torch.float16: "fp16",
    torch.bfloat16: "bf16",
    torch.float32: "fp32",
    torch.float64: "fp64",
    torch.int32: "i32",
    torch.int64: "i64",
}


class Launched(NamedTuple):
    """One call of a kernel.

    Attributes:
        kernel: The ``triton.jit`` function.
        grid: Number of programs along each axis.
        types: Argument to type.
        constants: Argument to value, for those that are compiled in.
        divisible: Arguments that are multiples of 16.
        options: Such as ``num_warps``.
    """

    kernel: Any
    grid: tuple[int, ...]
    types: tuple[tuple[str, str], ...]
    constants: tuple[tuple[str, Any], ...]
    divisible: tuple[str, ...]
    options: tuple[tuple[str, Any], ...]

    @property
    def name(self) -> str:
        """Name of the kernel."""
        return str(self.kernel.__name__)

    def compile(self, capability: int) -> Compiled:
        """Compile the kernel for a target as this call would."""
        return compile_kernel(
            self.kernel,
            dict(self.types),
            dict(self.constants),
            capability,
            divisible=self.divisible,
            **dict(self.options),
        )


def note_call(kernel: Any, grid: tuple[int, ...], *args: Any, **kwargs: Any) -> Launched:
    """Read off a call what Triton would compile."""
    named = dict(zip(kernel.arg_names, args, strict=False))
    named |= {n: v for n, v in kwargs.items() if n in kernel.arg_names}
    options = {n: v for n, v in kwargs.items() if n not in kernel.arg_names}
    types: dict[str, str] = {}
    constants: dict[str, Any] = {}
    divisible: list[str] = []
    for parameter in kernel.params:
        name, value = parameter.name, named[parameter.name]
        if parameter.is_constexpr:
            constants[name] = value
        elif isinstance(value, Tensor):
            types[name] = f"*{TYPES[value.dtype]}"
            # An address that is not aligned would be a mistake of the launch.
            assert value.data_ptr() % 16 == 0, name
            divisible.append(name)
        elif value == 1 and not parameter.do_not_specialize:
            constants[name] = value
        else:
            types[name] = "i32" if abs(value) < 2**31 else "i64"
            if value % 16 == 0 and not parameter.do_not_specialize:
                divisible.append(name)
    return Launched(
        kernel,
        tuple(grid),
        tuple(types.items()),
        tuple(constants.items()),
        tuple(divisible),
        tuple(options.items()),
    )


@contextmanager
def record_launches(layer: Any) -> Iterator[list[Launched]]:
    """Have the launches of a layer's package note what they would run."""
    calls: list[Launched] = []

    def note(kernel: Any, grid: tuple[int, ...], args: Any, kwargs: Any) -> None:
        calls.append(note_call(kernel, grid, *args, **kwargs))

    with record(find_launch(layer), note):
        yield calls


@contextmanager
def use_precision(precision: str) -> Iterator[None]:
    """Set how torch, and so the kernels, multiply matrices of float32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def list_launches(
    layer: Any, batch: int, dtype: torch.dtype, precision: str = "highest", *, straight: bool = True
) -> dict[str, Launched]:
    """List the kernels that value, gradients and second derivatives of a layer launch.

    Args:
        layer: With ``backend="torch"``: it is never evaluated.
        batch: Rows.
        dtype: Of all arguments.
        precision: Of products of float32.
        straight: Whether straight-line kernels are used.

    Returns:
        What the launch is for to the launch; each different one once.
    """
    package = type(layer).__module__.rpartition(".")[0]
    schedules = importlib.import_module(f"{package}.schedule")
    schedule = schedules.make_schedule(layer.layout.kernels, layer.in_channels)
    tables = mock.patch.object(layer, "_schedule", schedule.tables)
    with tables, use_precision(precision), record_launches(layer) as calls:
        launch(layer, draw(layer, batch, dtype), straight=straight)
    seen: dict[tuple[Any, ...], Launched] = {}
    for call in calls:
        seen.setdefault((call.name, call.types, str(call.constants), call.divisible), call)
    return {describe(call): call for call in seen.values()}


def describe(call: Launched) -> str:
    """Say what distinguishes a launch from others of one layer and dtype."""
    constants, words = dict(call.constants), [call.name]
    if constants.get("SAME") is False or constants.get("ONE") == 0.0:
        words.append("tangent")
    if constants.get("ACROSS"):
        words.append("across")
    types = dict(call.types)
    result = types.get("y") or types.get("gradient") or types.get("grad_x") or ""
    return " ".join([*words, *([f"to {result[1:]}"] if result else [])])
