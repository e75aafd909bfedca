"""Compile a kernel for a GPU that is not there, and read off what the compiler made of it.

Import only where TRITON_INTERPRET is unset. Nothing here needs a driver: the code comes from the
assembler that Triton brings along, called by Triton itself with its own flags.
"""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import triton
from triton import knobs
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

BINARIES = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"

SHARED_LIMITS = {80: 166912, 90: 232448}
"""Bytes of shared memory one block can have, by compute capability."""

INSTRUCTION = re.compile(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)", re.M)


@dataclass(frozen=True, slots=True)
class Compiled:
    """One kernel compiled for one target.

    Attributes:
        capability: Of the target: 80 or 90.
        registers: Of a thread.
        stack: Bytes of a thread's stack frame.
        spill_stores: Bytes a thread writes because registers run out.
        spill_loads: Bytes it reads back.
        shared: Bytes of shared memory of a block.
        warps: Of a block.
        seconds: Wall time of compilation, from Python to machine code.
        instructions: Names of machine instructions, with modifiers, and how many there are.
    """

    capability: int
    registers: int
    stack: int
    spill_stores: int
    spill_loads: int
    shared: int
    warps: int
    seconds: float
    instructions: tuple[tuple[str, int], ...]

    def count(self, pattern: str) -> int:
        """Count the instructions whose name with modifiers begins with a pattern."""
        return sum(number for name, number in self.instructions if re.match(pattern, name))

    @property
    def size(self) -> int:
        """Number of instructions."""
        return self.count("")

    @property
    def atomics(self) -> int:
        """Number of atomic updates of memory; REDUX, a reduction within a warp, is none."""
        return self.count(r"(ATOM[GS]?|RED[GS]?)(\.|$)")

    @property
    def tensor_cores(self) -> int:
        """Number of tensor-core instructions, of any precision."""
        return self.count(r"(HMMA|HGMMA|QGMMA|DMMA|IMMA|IGMMA)(\.|$)")

    @property
    def local_accesses(self) -> int:
        """Number of reads and writes of a thread's own memory: spills and stack frames."""
        return self.count(r"(LDL|STL)(\.|$)")

    @property
    def wide_loads(self) -> int:
        """Number of loads of 16 bytes at once."""
        return self.count(r"(LDG|LDGSTS)\..*\b128")

    def find_faults(self, *, spill: int = 0, tensor_cores: bool | None = None) -> list[str]:
        """Say in which ways the kernel may not be shipped.

        Args:
            spill: Bytes of spills that are allowed.
            tensor_cores: Whether it must have tensor-core instructions; None says nothing.
        """
        faults = []
        spilled = max(self.spill_stores, self.spill_loads)
        if spilled > spill:
            faults.append(f"spills {spilled} bytes, {spill} are allowed")
        if self.shared > SHARED_LIMITS[self.capability]:
            faults.append(f"needs {self.shared} bytes of shared memory")
        if self.atomics:
            faults.append(f"has {self.atomics} atomic instructions")
        if tensor_cores is not None and tensor_cores != bool(self.tensor_cores):
            faults.append(f"has {self.tensor_cores} tensor-core instructions")
        return faults


def compile_kernel(
    kernel: Any,
    types: Mapping[str, str],
    constants: Mapping[str, Any],
    capability: int,
    *,
    divisible: Collection[str] | None = None,
    **options: Any,
) -> Compiled:
    """Compile one kernel with all its constants fixed.

    Args:
        kernel: A ``triton.jit`` function whose source is a file.
        types: Argument to type, as Triton spells it: ``*fp32``, ``*i32``, ``i32``.
        constants: The other arguments: constexpr argument to value.
        capability: 80 or 90.
        divisible: Arguments known to be multiples of 16; None is every pointer.
        **options: Such as ``num_warps``, ``num_stages``; fused multiply-add is on unless said.

    Raises:
        ValueError: An argument has no type and no value, or has both, or is unknown.
    """
    names = list(kernel.arg_names)
    if sorted([*types, *constants]) != sorted(names):
        raise ValueError(f"{kernel.__name__} takes {names}, got {[*types, *constants]}")
    signature = {name: types.get(name, "constexpr") for name in names}
    if divisible is None:
        divisible = [name for name, kind in types.items() if kind.startswith("*")]
    attributes = {
        (place,): [["tt.divisibility", 16]] for place, n in enumerate(names) if n in divisible
    }
    source = ASTSource(fn=kernel, signature=signature, constexprs=dict(constants), attrs=attributes)
    # Its default changes with Triton 3.10; the emitted launches say it too.
    options.setdefault("enable_fp_fusion", True)
    log = io.StringIO()
    with _keep_log(), contextlib.redirect_stdout(log):
        start = time.perf_counter()
        found = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
        seconds = time.perf_counter() - start
    return Compiled(
        capability=capability,
        registers=_read(r"Used (\d+) registers", log.getvalue()),
        stack=_read(r"(\d+) bytes stack frame", log.getvalue()),
        spill_stores=_read(r"(\d+) bytes spill stores", log.getvalue()),
        spill_loads=_read(r"(\d+) bytes spill loads", log.getvalue()),
        shared=found.metadata.shared,
        warps=found.metadata.num_warps,
        seconds=seconds,
        instructions=tuple(sorted(Counter(_disassemble(found.asm["cubin"])).items())),
    )


@contextlib.contextmanager
def _keep_log() -> Iterator[None]:
    """Have Triton print what its assembler says, and compile in an empty cache."""
    with (
        tempfile.TemporaryDirectory() as folder,
        knobs.nvidia.scope(),
        knobs.cache.scope(),
        knobs.compilation.scope(),
    ):
        knobs.nvidia.dump_ptxas_log = True
        knobs.cache.dir = folder
        knobs.compilation.always_compile = True
        yield


def _read(pattern: str, log: str) -> int:
    found = re.search(pattern, log)
    if found is None:
        raise ValueError(f"the assembler does not say {pattern!r}: {log!r}")
    return int(found[1])


def _disassemble(binary: bytes) -> list[str]:
    """List the instructions of a kernel in order."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(binary)
        file.flush()
        command = [str(BINARIES / "nvdisasm"), "-c", file.name]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return INSTRUCTION.findall(text)
