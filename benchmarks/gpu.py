"""Time, bytes per second and flops per second of every kernel on a CUDA device.

    python benchmarks/gpu.py                      rewrites benchmarks/results/gpu.*
    python benchmarks/gpu.py --build FOLDER       only writes the package that is measured
    python benchmarks/gpu.py --packages FOLDER    measures that one, without eqcompile

Every kernel is timed by itself, with the arguments a layer gives it, and compared with what a copy
and a product of matrices reach on the same device in the same run. Layers are compared with the
same layer run by its torch programs, as they are and compiled, and with a compiled einsum of dense
tensors. Times are medians, taken with an empty cache. Bytes are those of all arrays a kernel is
given, each once; flops are those of the tables it reads. Kernels come first, those of pairs of
neurons last of them, then comparisons until MINUTES have passed; what is left out is said.

Exits with 2 where there is no CUDA device.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.counting import count_bytes, count_flops  # noqa: E402
from benchmarks.dense import Einsum, count_numbers  # noqa: E402
from benchmarks.gpu_pairs import find_pairs, measure_pairs  # noqa: E402
from benchmarks.recording import Call, describe, record_calls  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
PACKAGE = "measured_layers"
MINUTES = 8.5

Row = dict[str, Any]
Time = Callable[[Callable[[], Any]], float]

SPEC = f"""\
version: 1
package: {PACKAGE}
layers:
  - {{name: Sets, group: {{symmetric: 8}}, input: V, output: V, degree: 2,
     channels: {{in: 32, out: 32}}}}
  - {{name: Ring, group: {{cyclic: 16}}, input: V, output: V, degree: 2,
     channels: {{in: 64, out: 64, mixing: channelwise}}}}
  - {{name: Wreath, group: {{wreath: [{{symmetric: 4}}, {{symmetric: 4}}]}}, input: V, output: V,
     degree: 2, channels: {{in: 64, out: 64, mixing: channelwise}}}}
  - {{name: Torus, group: {{grid: {{size: [8, 8], symmetry: p4m}}}}, input: V, output: V, degree: 2,
     channels: {{in: 16, out: 16, mixing: channelwise}}}}
  - {{name: Lattice, group: {{lattice: D2Q9}}, input: V, output: V, degree: 2,
     channels: {{in: 64, out: 64, mixing: depthwise}}}}
  - {{name: Signed, group: {{hyperoctahedral: 3}}, input: V, output: "V + Alt(V, 2)", degree: 2,
     channels: {{in: 32, out: 32}}}}
  - {{name: Small, group: {{cyclic: 8}}, input: V, output: V, degree: 2}}
  - {{name: Charges, family: coulomb, size: 64, dims: {{mu: 8, x: 3}}}}
"""

BATCHES = {
    "Sets": 8192,
    "Ring": 8192,
    "Wreath": 8192,
    "Torus": 2048,
    "Lattice": 65536,
    "Signed": 16384,
    "Small": 2**21,
}

ARITHMETICS: dict[str, tuple[torch.dtype, str]] = {
    "bfloat16": (torch.bfloat16, "highest"),
    "tf32": (torch.float32, "medium"),
    "float32": (torch.float32, "highest"),
}
"""Name to dtype and ``torch.set_float32_matmul_precision``."""

COMPARED = ("bfloat16", "tf32")
"""Arithmetics in which layers are compared with compiled torch, which takes long to compile."""

DENSE_LIMIT = 2**31
"""Numbers in dense tensors and of what an einsum makes of them, beyond which it is left out."""


def time_on_device(function: Callable[[], Any]) -> float:
    """Return the median time of a function in seconds; the device's cache is emptied between."""
    import triton.testing

    found: float = triton.testing.do_bench(function, warmup=20, rep=80, return_mode="median")
    return found / 1e3


class Bench:
    """A run: where it measures, how it takes time, until when.

    Args:
        device: Of all tensors.
        clock: From a function to its time in seconds.
        shrink: Divides every batch; 1 but in a test of this script.
    """

    def __init__(self, device: str, clock: Time, shrink: int = 1) -> None:
        self.device, self.clock, self.shrink = device, clock, shrink
        self.end = time.monotonic() + 60 * MINUTES
        self.left_out: list[str] = []

    def has_time(self, what: str, seconds: float = 0.0) -> bool:
        """Say whether there is time left; if not, note what is left out."""
        enough = time.monotonic() + seconds < self.end
        if not enough:
            self.left_out.append(f"{what}: out of time")
        return enough

    def measure_ceilings(self) -> dict[str, float]:
        """Measure bytes per second of a copy and flops per second of matrix products."""
        source = torch.randn(2**28 // self.shrink, device=self.device)
        target = torch.empty_like(source)
        moved = 2 * source.numel() * source.element_size()
        found = {"copy": moved / self.clock(lambda: target.copy_(source))}
        n = 8192 // self.shrink
        for name, (dtype, precision) in ARITHMETICS.items():
            torch.set_float32_matmul_precision(precision)
            left, right = (torch.randn(n, n, device=self.device).to(dtype) for _ in range(2))
            product = torch.empty_like(left)
            seconds = self.clock(lambda: torch.mm(left, right, out=product))  # noqa: B023
            found[name] = 2 * n**3 / seconds
        return found

    def make_layer(self, package: Any, name: str, backend: str, dtype: torch.dtype) -> Any:
        """Make a layer with normal parameters, the same for every backend."""
        layer = getattr(package, name)(backend=backend, device=self.device, dtype=dtype)
        torch.manual_seed(0)
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.copy_(torch.randn(parameter.shape))
        return layer

    def draw(self, layer: Any, name: str, dtype: torch.dtype) -> Tensor:
        """Draw an input of the size that is measured."""
        batch = max(1, BATCHES[name] // self.shrink)
        shape = (batch, layer.in_channels, layer.layout.n_in)
        return torch.randn(shape, device=self.device).to(dtype)

    def measure_kernels(self, package: Any, name: str, arithmetic: str) -> list[Row]:
        """Time every kernel that value, gradients and second derivatives of a layer launch."""
        dtype, precision = ARITHMETICS[arithmetic]
        torch.set_float32_matmul_precision(precision)
        layer = self.make_layer(package, name, "triton", dtype)
        launch = importlib.import_module(f"{package.__name__}.launch")
        x = self.draw(layer, name, dtype)
        facts, tables = layer.layout.kernels, layer._schedule
        weights = [layer._scale(n, w).detach().to(dtype) for n, w in layer._named_weights()]
        hats = [torch.randn_like(t) for t in (x, *weights)]
        with record_calls(launch) as calls:
            y = launch.forward(facts, x, *weights, tables)
            gradient = torch.randn_like(y)
            launch.backward(facts, gradient, x, *weights, tables, True, True)
            launch.double_backward(facts, *hats, gradient, x, *weights, tables)
        # Several terms of a second derivative may launch one kernel.
        found = {describe(call, name): call for call in reversed(calls)}
        return [
            {
                "layer": name,
                "arithmetic": arithmetic,
                **self.measure_call(call, layer, what, len(x)),
            }
            for what, call in reversed(found.items())
            if self.has_time(f"{name} {arithmetic} {what}")
        ]

    def measure_call(self, call: Call, layer: Any, what: str, batch: int) -> Row:
        """Time one kernel and count what it moves and calculates."""
        schedules = importlib.import_module(type(layer).__module__.replace(".layers", ".schedule"))
        schedule = schedules.make_schedule(layer.layout.kernels, layer.in_channels)
        kinds = {"output": "output", "input": "input", "weight": "weight", "wgrad": "weight"}
        kind = next(kinds[word] for word in kinds if word in call.kernel.__name__.lower())
        flops = batch * count_flops(
            kind,
            schedule,
            layer.in_channels,
            layer.out_channels,
            mixed="DOT" in call.constants,
            tangent="tangent" in what and kind != "input",
            across="across" in what,
        )
        moved = count_bytes(call.args)
        seconds = self.clock(call.run)
        return {"kernel": what, "seconds": seconds, "bytes": moved, "flops": flops}

    def compare(self, package: Any, name: str, arithmetic: str) -> list[Row]:
        """Time a layer by its kernels, by its programs, and as an einsum of dense tensors."""
        dtype, precision = ARITHMETICS[arithmetic]
        torch.set_float32_matmul_precision(precision)
        programs = self.make_layer(package, name, "torch", dtype)
        x = self.draw(programs, name, dtype)
        ways: dict[str, Callable[[], Any]] = {
            "kernels": lambda: self.make_layer(package, name, "triton", dtype),
            "torch programs": lambda: programs,
            "torch programs, compiled": lambda: torch.compile(programs),
            "einsum, compiled": lambda: torch.compile(Einsum(programs).to(self.device, dtype)),
        }
        rows = []
        for way, build in ways.items():
            label = f"{name} {arithmetic} {way}"
            if way.startswith("einsum") and count_numbers(programs, len(x)) > DENSE_LIMIT:
                self.left_out.append(f"{label}: dense tensors of more than {DENSE_LIMIT} numbers")
                continue
            if not self.has_time(label, 20 if "compiled" in way else 0):
                continue
            try:
                with plain_torch(package) if way == "torch programs, compiled" else nullcontext():
                    forward, training = self.time_layer(build(), x)
            except torch.OutOfMemoryError:
                self.left_out.append(f"{label}: out of memory")
                continue
            row = {"layer": name, "arithmetic": arithmetic, "way": way, "batch": len(x)}
            rows.append({**row, "forward": forward, "training": training})
            torch._dynamo.reset()
        return rows

    def time_layer(self, layer: Any, x: Tensor) -> tuple[float, float]:
        """Time an evaluation, and one with all gradients."""
        leaf = x.detach().clone().requires_grad_()
        variables = (leaf, *layer.parameters())
        with torch.no_grad():
            gradient = torch.randn_like(layer(x))

        def evaluate() -> Any:
            with torch.no_grad():
                return layer(x)

        def train() -> Any:
            return torch.autograd.grad(layer(leaf), variables, gradient)

        return self.clock(evaluate), self.clock(train)

    def check(self, package: Any, name: str) -> float:
        """Return the relative error of a layer by its kernels in float32, on a few rows."""
        torch.set_float32_matmul_precision("highest")
        layer = self.make_layer(package, name, "triton", torch.float32)
        exact = self.make_layer(package, name, "torch", torch.float64)
        x = self.draw(layer, name, torch.float32)[:100]
        with torch.no_grad():
            expected = exact(x.double())
            return float((layer(x) - expected).norm() / expected.norm())


@contextmanager
def plain_torch(package: Any) -> Iterator[None]:
    """Have layers run their programs in plain torch, which torch.compile sees through."""
    dispatch = importlib.import_module(f"{package.__name__}.dispatch")
    with mock.patch.object(dispatch, "transforms_are_active", return_true):
        yield


def return_true() -> bool:
    return True


def build_package(folder: Path) -> None:
    """Write the package that is measured into a folder."""
    from eqcompile import build, load

    build(load(SPEC), folder)


def import_package(folder: Path) -> Any:
    sys.path.insert(0, str(folder))
    return importlib.import_module(PACKAGE)


def tabulate(data: dict[str, Any]) -> list[str]:
    """Write the results as tables."""
    ceilings = data["ceilings"]
    lines = [
        f"{data['machine']['device']}, torch {data['machine']['torch']}, "
        f"triton {data['machine']['triton']}, Python {data['machine']['python']}",
        "",
        "| ceiling | |",
        "|---|---|",
        f"| copy | {ceilings['copy'] / 1e9:.0f} GB/s |",
        *(f"| product, {name} | {ceilings[name] / 1e12:.1f} TFLOP/s |" for name in ARITHMETICS),
        "",
        "| layer | arithmetic | kernel | ms | GB/s | of copy | TFLOP/s | of product |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in data["kernels"]:
        rate, speed = row["bytes"] / row["seconds"], row["flops"] / row["seconds"]
        lines.append(
            f"| {row['layer']} | {row['arithmetic']} | {row['kernel']} "
            f"| {1e3 * row['seconds']:.3f} | {rate / 1e9:.0f} | {rate / ceilings['copy']:.1%} "
            f"| {speed / 1e12:.2f} | {speed / ceilings[row['arithmetic']]:.1%} |"
        )
    lines += ["", "| layer | arithmetic | batch | way | forward ms | with gradients ms |"]
    lines += ["|---|---|---|---|---|---|"]
    for row in data["comparisons"]:
        times = f"{1e3 * row['forward']:.3f} | {1e3 * row['training']:.3f}"
        what = f"{row['layer']} | {row['arithmetic']} | {row['batch']} | {row['way']}"
        lines.append(f"| {what} | {times} |")
    lines += ["", "Relative errors of float32 against float64: "]
    lines[-1] += ", ".join(f"{name} {error:.1e}" for name, error in data["errors"].items())
    lines += [f"* left out: {what}" for what in data["left_out"]]
    return lines


def measure(bench: Bench, package: Any, names: Sequence[str]) -> dict[str, Any]:
    """Measure everything there is time for."""
    start = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - start:4.0f} s  {what}", file=sys.stderr)

    ceilings = bench.measure_ceilings()
    errors = {name: bench.check(package, name) for name in names}
    kernels, comparisons, pairs = [], [], find_pairs(package)
    for arithmetic, how in ARITHMETICS.items():
        for name in names:
            kernels += bench.measure_kernels(package, name, arithmetic)
            say(f"{name} {arithmetic}: kernels")
        if pairs is not None:
            kernels += measure_pairs(bench, pairs, arithmetic, *how)
            say(f"pairs {arithmetic}: kernels")
    for arithmetic in COMPARED:
        for name in names:
            comparisons += bench.compare(package, name, arithmetic)
            say(f"{name} {arithmetic}: layers")
    return {
        "minutes": round((time.monotonic() - start) / 60, 1),
        "ceilings": ceilings,
        "errors": errors,
        "kernels": kernels,
        "comparisons": comparisons,
        "left_out": bench.left_out,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Time the Triton kernels on a CUDA device.")
    parser.add_argument("--build", type=Path, help="only write the package that is measured")
    parser.add_argument("--packages", type=Path, help="where that package is")
    arguments = parser.parse_args()
    if arguments.build:
        build_package(arguments.build)
        return 0
    if not torch.cuda.is_available():
        print("no CUDA device", file=sys.stderr)
        return 2
    import triton

    with tempfile.TemporaryDirectory() as folder:
        if arguments.packages is None:
            build_package(Path(folder))
        package = import_package(arguments.packages or Path(folder))
        found = measure(Bench("cuda", time_on_device), package, list(BATCHES))
    machine = {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "triton": triton.__version__,
        "python": platform.python_version(),
    }
    data = {"machine": machine, **found}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "gpu.json").write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    text = "\n".join(tabulate(data)) + "\n"
    (RESULTS / "gpu.md").write_text(text, "utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
