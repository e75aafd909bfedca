"""Time the Triton kernels on a CUDA device against ceilings measured there, and against torch.

    python benchmarks/gpu.py                  builds, measures, rewrites benchmarks/results/gpu.*
    python benchmarks/gpu.py --build DIR      only builds the package, where eqcompile is
    python benchmarks/gpu.py --package DIR    measures a package built before; needs torch alone

Every figure is the median of repeated runs with a cold cache (triton.testing.do_bench), all in one
process. Ceilings are what a copy of 1 GiB and a product of two matrices of 8192 x 8192 reach. Bytes
are those a kernel cannot avoid: every input read once and every result written once. Operations are
those of the kernel's own algorithm, so that its share of the ceiling says how well it is written,
and the ratios of times say how good the algorithm is.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

RESULTS = Path(__file__).parent / "results"

SPEC = """\
version: 1
package: gpu_nets
layers:
  - {name: Board, group: {grid: {size: [8, 8], symmetry: p4m}}, input: V, output: V, degree: 2,
     channels: {in: 32, out: 32, mixing: channelwise}}
  - {name: Cycle, group: {cyclic: 16}, input: V, output: V, degree: 2,
     channels: {in: 32, out: 64, mixing: channelwise}}
  - {name: Sets, group: {symmetric: 16}, input: V, output: V, degree: 2,
     channels: {in: 32, out: 32, mixing: channelwise}}
  - {name: Pairs, group: {dihedral: 8}, input: V, output: V, degree: 2,
     channels: {in: 16, out: 16}}
  - {name: Signs, group: {hyperoctahedral: 8}, input: V, output: "Sym(V, 2)", degree: 2,
     channels: {in: 16, out: 16}}
  - {name: Deep, group: {cyclic: 16}, input: V, output: V, degree: 2,
     channels: {in: 64, out: 64, mixing: depthwise}}
  - {name: Fluid, group: {lattice: D2Q9}, input: V, output: V, degree: 2}
"""

BATCHES = {"Board": 1024, "Fluid": 2**21}
BATCH = 4096

ARITHMETICS = {
    "float32 highest": ("float32", "highest"),
    "float32 high": ("float32", "high"),
    "float32 medium": ("float32", "medium"),
    "bfloat16": ("bfloat16", "highest"),
}

EINSUM_BYTES = 2**33
"""Largest array of products or of untied weights that is tried."""


class Case(NamedTuple):
    """One layer in one arithmetic, on the device.

    Attributes:
        layer: The layer.
        x: Its input.
        grad_y: A cotangent.
    """

    layer: Any
    x: Any
    grad_y: Any


def build(folder: Path) -> Path:
    import eqcompile

    return Path(eqcompile.build(SPEC, folder, force=True))


def load(package: Path) -> Any:
    sys.path.insert(0, str(package.resolve().parent))
    return importlib.import_module(package.name)


def time_call(call: Callable[[], Any]) -> float:
    """Return the median seconds of a call."""
    from triton.testing import do_bench

    return float(do_bench(call, warmup=25, rep=100, quantiles=[0.5])) / 1e3


def measure_ceilings() -> dict[str, float]:
    """Measure bytes per second of a copy, and operations per second of matrix products."""
    import torch

    source = torch.empty(2**28, device="cuda")
    target = torch.empty_like(source)
    found = {"copy": 2 * source.nbytes / time_call(lambda: target.copy_(source))}
    before = torch.get_float32_matmul_precision()
    for name, (dtype, precision) in ARITHMETICS.items():
        torch.set_float32_matmul_precision(precision)
        a, b = (torch.randn(8192, 8192, device="cuda", dtype=getattr(torch, dtype)) for _ in "ab")
        found[name] = 2 * 8192**3 / time_call(lambda a=a, b=b: a @ b)
    torch.set_float32_matmul_precision(before)
    return found


def make_case(package: Any, name: str, dtype: Any, backend: str) -> Case:
    import torch

    layer = getattr(package, name)(device="cuda", dtype=dtype, backend=backend)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    batch = BATCHES.get(name, BATCH)
    shape = (batch, layer.in_channels, layer.layout.n_in)
    x = torch.randn(shape, device="cuda", dtype=dtype, requires_grad=True)
    return Case(layer, x, torch.randn_like(layer(x)).detach())


def list_arguments(case: Case) -> tuple[Any, ...]:
    """Return the weights and the tables as the launches take them."""
    layer, dtype = case.layer, case.x.dtype
    weights = (layer._scale(name, w).to(dtype).detach() for name, w in layer._named_weights())
    return (*weights, layer._schedule)


def count_work(case: Case) -> dict[str, tuple[float, float]]:
    """Return the bytes and the operations that forward and both gradients need."""
    layer, (batch, c_in, _) = case.layer, case.x.shape
    *weights, _ = list_arguments(case)
    schedule = importlib.import_module(type(layer).__module__.rpartition(".")[0] + ".schedule")
    facts = layer.layout.kernels
    plan = schedule.make_schedule(facts, c_in)
    side = plan.split(plan.tables)[0]
    groups = side.groups.reshape(-1, schedule.GROUP).long()
    members = side.orbits.reshape(-1, 2).long()
    outputs = (members[:, 1] - members[:, 0])[groups[:, 1]]
    entries = groups[:, 3] - groups[:, 2]
    pairs = max(1, c_in * (c_in - 1) // 2)
    width = [c_in] * plan.within + [pairs] * plan.across
    mixed = 1 if facts.depthwise else layer.out_channels
    flops = sum(
        2 * int(k) * wide * (int(e) + mixed)
        for k, e, wide in zip(outputs, entries, width, strict=True)
    )
    x, y = case.x.nbytes, case.grad_y.nbytes
    held = sum(w.nbytes for w in weights)
    # The gradient for x has two factors per product, that of the weights as many as the forward.
    return {
        "forward": (x + y + held, batch * flops),
        "input gradient": (2 * x + y + held, 2 * batch * flops),
        "weight gradient": (x + y + held, batch * flops),
    }


def measure_kernels(case: Case) -> dict[str, float]:
    """Time forward and both gradients by the kernels, layouts and second stages included."""
    root = type(case.layer).__module__.rpartition(".")[0]
    launch = importlib.import_module(root + ".launch")
    facts, rest = case.layer.layout.kernels, list_arguments(case)
    x, g = case.x.detach(), case.grad_y
    return {
        "forward": time_call(lambda: launch.forward(facts, x, *rest)),
        "input gradient": time_call(lambda: launch.backward(facts, g, x, *rest, True, False)),
        "weight gradient": time_call(lambda: launch.backward(facts, g, x, *rest, False, True)),
    }


def time_training(call: Callable[[Any], Any], leaves: list[Any], case: Case) -> float:
    """Time one forward and backward pass through autograd."""

    def step() -> None:
        y = call(case.x)
        for leaf in (case.x, *leaves):
            leaf.grad = None
        y.backward(case.grad_y)

    return time_call(step)


def time_layer(case: Case) -> float:
    return time_training(case.layer, [p for p in case.layer.parameters() if p.numel()], case)


def expand(case: Case) -> tuple[Any, Any] | None:
    """Return untied weights of degree 1 and 2 as a person would store them, or None.

    Shapes are ``(C_in n_in .., C_out n_out)``, without mixing ``(C, n_in .., n_out)``.
    """
    layer = case.layer
    mixing, n, c = layer.layout.mixing, layer.layout.n_in, layer.in_channels
    per_output = c * n if mixing == "full" else n
    features = case.x.numel() * per_output
    weights = case.x[0].numel() * per_output * case.grad_y[0].numel()
    if max(features, weights) * case.x.element_size() > EINSUM_BYTES:
        return None
    if mixing == "full":
        found = [layer.dense_weight(d).flatten(0, 1).flatten(1).mT for d in (1, 2)]
    else:
        formula = {"channelwise": "ocm,mk...->c...ok", "depthwise": "cm,mk...->c...k"}[mixing]
        found = [einsum(formula, getattr(layer, f"weight_{d}"), layer.basis(d)) for d in (1, 2)]
        last = 2 if mixing == "channelwise" else 1
        first = 0 if mixing == "channelwise" else 1
        found = [w.flatten(-last).flatten(first, -2) for w in found]
    return tuple(w.detach().contiguous().requires_grad_() for w in found)


def einsum(formula: str, weight: Any, basis: Any) -> Any:
    import torch

    indices = "ij"[: basis.ndim - 2]
    return torch.einsum(formula.replace("...", indices), weight, basis)


def time_einsum(case: Case) -> float | None:
    """Time the compiled products with untied weights; None where they would be too large."""
    import torch

    weights = expand(case)
    if weights is None:
        return None
    mixing, bias = case.layer.layout.mixing, case.layer.dense_weight(0).detach()

    def evaluate(x: Any) -> Any:
        first, second = weights
        if mixing == "depthwise":
            products = (x[..., :, None] * x[..., None, :]).flatten(-2)
            y = torch.einsum("bci,cik->bck", x, first)
            return y + torch.einsum("bci,cik->bck", products, second) + bias
        v = x.flatten(1) if mixing == "full" else x
        products = (v[..., :, None] * v[..., None, :]).flatten(1)
        return (x.flatten(1) @ first + products @ second).unflatten(1, bias.shape) + bias

    return time_training(torch.compile(evaluate), list(weights), case)


def measure_layer(package: Any, name: str, dtype: Any) -> dict[str, Any]:
    """Measure one layer in the arithmetic that is set."""
    import torch

    case = make_case(package, name, dtype, "triton")
    work, seconds = count_work(case), measure_kernels(case)
    found: dict[str, Any] = {
        "batch": len(case.x),
        "kernels": {
            word: {"seconds": seconds[word], "bytes": work[word][0], "flops": work[word][1]}
            for word in seconds
        },
        "training": time_layer(case),
    }
    others: dict[str, Callable[[], float | None]] = {
        "programs": lambda: time_layer(make_case(package, name, dtype, "torch")),
        "einsum": lambda: time_einsum(case),
    }
    for word, call in others.items():
        try:
            found[word] = call()
        except torch.OutOfMemoryError as error:
            found[word] = None
            print(f"{name}: {word} not measured: {error}", file=sys.stderr)
        gc.collect()
    return found


def measure(package: Any) -> dict[str, Any]:
    import torch
    import triton

    ceilings = measure_ceilings()
    rows: dict[str, dict[str, Any]] = {}
    for name in ("Fluid", "Deep", "Pairs", "Signs", "Cycle", "Sets", "Board"):
        for arithmetic, (dtype, precision) in ARITHMETICS.items():
            torch.set_float32_matmul_precision(precision)
            rows[f"{name}, {arithmetic}"] = measure_layer(package, name, getattr(torch, dtype))
            torch.cuda.empty_cache()
            print(f"{name}, {arithmetic}: measured", file=sys.stderr)
    machine = {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "triton": triton.__version__,
        "python": sys.version.split()[0],
    }
    return {"machine": machine, "ceilings": ceilings, "rows": rows}


def tabulate(data: dict[str, Any]) -> str:
    """Write the results as a table in Markdown."""
    ceilings = data["ceilings"]
    machine = data["machine"]
    lines = [
        f"{machine['device']}, torch {machine['torch']}, triton {machine['triton']}.",
        "",
        f"A copy moves {ceilings['copy'] / 1e12:.2f} TB/s. Products of matrices: "
        + "; ".join(f"{n} {v / 1e12:.0f} TFLOP/s" for n, v in ceilings.items() if n != "copy")
        + ".",
        "",
        "| layer | batch | kernel | time | of copy | of product |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in data["rows"].items():
        product = ceilings[name.partition(", ")[2]]
        for word, found in row["kernels"].items():
            seconds = found["seconds"]
            moved = found["bytes"] / seconds / ceilings["copy"]
            flops = found["flops"] / seconds / product
            lines.append(
                f"| {name} | {row['batch']} | {word} | {seconds * 1e6:.1f} us "
                f"| {moved:.1%} | {flops:.1%} |"
            )
    lines += ["", "Forward and backward through autograd; ratios above 1 are times slower.", ""]
    lines += ["| layer | kernels | programs / kernels | untied, compiled / kernels |"]
    lines += ["|---|---|---|---|"]
    for name, row in data["rows"].items():
        ours = row["training"]
        others = (row["programs"], row["einsum"])
        spelled = ("not measured" if t is None else f"{t / ours:.2f}" for t in others)
        lines.append(f"| {name} | {ours * 1e6:.1f} us | {' | '.join(spelled)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Time the Triton kernels on a CUDA device.")
    parser.add_argument("--build", type=Path, help="folder to build the package in; nothing else")
    parser.add_argument("--package", type=Path, help="a package built before")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the results")
    arguments = parser.parse_args()
    if arguments.build:
        print(build(arguments.build))
        return 0
    import torch

    if not torch.cuda.is_available():
        print("no CUDA device: nothing was measured, nothing was written", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        data = measure(load(arguments.package or build(Path(folder))))
    arguments.results.mkdir(parents=True, exist_ok=True)
    (arguments.results / "gpu.json").write_text(json.dumps(data, indent=1) + "\n")
    text = tabulate(data)
    (arguments.results / "gpu.md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
