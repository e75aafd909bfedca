"""Straight-line kernels by themselves: run in the interpreter, and compiled for two targets.

Their launches are written out here, so that neither the launches nor the tables of the emitted
package have a part in the result.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from eqcompile.emit.straight import render_straight
from eqcompile.exact.monomials import list_tuples
from eqcompile.layers.problem import LayerProblem
from eqcompile.solve.layer import LayerSolution
from tests.actions_of import cyclic, make_problem, permute, symmetric
from tests.emit.problems import pose, solve_posed

BLOCK = 16
ROWS = 2 * BLOCK

PROBLEMS = {
    "S_4": pose("S_4", (0, 1, 2)),
    "C_5": make_problem(cyclic(5), cyclic(5), (0, 1, 2)),
    "B_2": pose("B_2", (0, 1, 2)),
    "turn": pose("turning the plane", (0, 1, 2)),
    "D2Q9": pose("D2Q9", (0, 1, 2)),
    "intransitive": pose("C_2 with fixed points", (0, 1, 2)),
    "no constants": pose("S_3", (2,)),
    "depthwise": pose("S_4", (0, 1, 2), mixing="depthwise", inputs=3, outputs=3),
}


@dataclass(frozen=True)
class Layer:
    """The kernels of a layer."""

    solution: LayerSolution
    module: ModuleType

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Classes of degree 0, 1 and 2."""
        degrees = self.solution.problem.degrees
        none, linear, square = (
            self.solution.tying((d,)).classes if (d,) in degrees else 0 for d in (0, 1, 2)
        )
        return none, linear, square

    def kernel(self, word: str) -> Any:
        return getattr(self.module, f"{word}_Layer", None)


def load(folder: Path, problem: LayerProblem, change: Callable[[str], str] = str) -> Layer:
    """Write the kernels of a layer to a file, where Triton reads them, and import it."""
    solution = solve_posed(problem)
    path = folder / "straight.py"
    head = "from __future__ import annotations\n\nimport triton\nimport triton.language as tl\n\n\n"
    path.write_text(head + change(render_straight(solution)), "utf-8")
    spec = importlib.util.spec_from_file_location(f"straight_{folder.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Layer(solution, module)


def evaluate(layer: Layer, x: Tensor, weight: Tensor, constant: Tensor) -> Tensor:
    """Evaluate a layer by its table of slots; x ``(batch, C, n)``, weights ``(C, classes)``."""
    problem = layer.solution.problem
    _, linear, square = layer.sizes
    parts = {0: constant, 1: weight[:, :linear], 2: weight[:, linear : linear + square]}
    y = x.new_zeros(*x.shape[:2], problem.output.dim)
    for degree in problem.degrees:
        tying = layer.solution.tying(degree)
        if tying.classes:
            labels, signs = (torch.from_numpy(part.copy()) for part in tying.table())
            slots = parts[sum(degree)][:, labels.clamp(min=0)] * signs
            monomials = torch.from_numpy(list_tuples(problem.inputs[0].action.dim, *degree).copy())
            y = y + torch.einsum("bct,ckt->bck", x[..., monomials].prod(-1), slots)
    return y


def draw(*shape: int, dtype: torch.dtype) -> Tensor:
    """Draw a batch with NaN behind its end, where a kernel must not look."""
    values = torch.randn(shape[0] + ROWS, *shape[1:], dtype=torch.float64).to(dtype)
    values[shape[0] :] = float("nan")
    return values[: shape[0]]


def poison(*shape: int, dtype: torch.dtype) -> Tensor:
    """Make a result full of NaN, with room behind its end."""
    return torch.full((shape[0] + ROWS, *shape[1:]), float("nan"), dtype=dtype)


def run(layer: Layer, batch: int, channels: int, dtype: torch.dtype) -> dict[str, float]:
    """Run all kernels of a layer and return their errors, relative to the norm.

    Results are of the dtype of sums, since the interpreter does not round to bfloat16 as GPUs do.
    """
    import triton.language as tl

    constants, linear, square = layer.sizes
    problem, classes = layer.solution.problem, linear + square
    sums = torch.float64 if dtype == torch.float64 else torch.float32
    x = draw(batch, channels, problem.inputs[0].action.dim, dtype=dtype)
    grad_y = draw(batch, channels, problem.output.dim, dtype=dtype)
    weight, constant = (torch.randn(channels, m).to(dtype) for m in (classes, constants))
    splits = -(-batch // ROWS)
    y = poison(batch, channels, problem.output.dim, dtype=sums)
    grad_x = poison(batch, channels, problem.inputs[0].action.dim, dtype=sums)
    partial = poison(splits, channels, classes, dtype=sums)
    options = (BLOCK, tl.float64 if sums == torch.float64 else tl.float32)
    grid = (-(-batch // BLOCK), channels)
    sizes = (channels, classes)
    layer.kernel("output")[grid](x, weight, constant, y, batch, *sizes, constants, *options)
    layer.kernel("input")[grid](grad_y, x, weight, grad_x, batch, *sizes, *options)
    at = tuple(t.double().requires_grad_() for t in (x, weight, constant))
    expected = evaluate(layer, *at)
    grads = torch.autograd.grad(expected, at[:2], grad_y.double())
    errors = {"y": compare(y, expected.detach()), "grad_x": compare(grad_x, grads[0])}
    if layer.kernel("weight") is not None:
        launch = layer.kernel("weight")[1, splits, channels]
        launch(grad_y, x, partial, batch, ROWS, *sizes, *options)
        assert partial[splits:].isnan().all()
        total = partial[:splits].sum(0)
        errors["partial"] = float((total - grads[1]).norm() / grads[1].norm())
    return errors


def compare(found: Tensor, expected: Tensor) -> float:
    """Return the error of a result; infinite where something was written behind its end."""
    if not found[len(expected) :].isnan().all():
        return float("inf")
    difference = found[: len(expected)] - expected
    return float(difference.norm() / expected.norm()) if expected.numel() else 0.0


def is_close(errors: dict[str, float], tolerance: float) -> bool:
    """Say whether all errors are small; NaN is not."""
    return all(error <= tolerance for error in errors.values())


@pytest.mark.interpreter
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("case", PROBLEMS)
def test_kernels_in_the_interpreter(case: str, dtype: torch.dtype, tmp_path: Path) -> None:
    problem = PROBLEMS[case]
    layer = load(tmp_path, problem)
    errors = run(layer, 2 * ROWS + 5, problem.inputs[0].channels, dtype)
    assert is_close(errors, 1e-14 if dtype == torch.float64 else 5e-7), errors
    assert ("partial" in errors) == (case != "D2Q9")


@pytest.mark.interpreter
@pytest.mark.parametrize("batch", [1, BLOCK, ROWS])
def test_batches_in_the_interpreter(batch: int, tmp_path: Path) -> None:
    layer = load(tmp_path, PROBLEMS["intransitive"])
    errors = run(layer, batch, 2, torch.float32)
    assert is_close(errors, 5e-7), errors


BUGS: dict[str, tuple[str, str, set[str]]] = {
    "wrong stride of a row": ("row * C", "row", {"y", "grad_x", "partial"}),
    "wrong stride of a channel": ("C + channel", "C + 2 * channel", {"y", "grad_x", "partial"}),
    "missing mask of a store": (".element_ty), mask=inside)", ".element_ty))", {"y", "grad_x"}),
    "missing mask of a load": (", mask=inside, other=0.0", "", {"partial"}),
    "swapped outputs": ("target + 0", "target + 1", {"y", "grad_x", "partial"}),
    "wrong weight": ("weights + 1", "weights + 2", {"y", "grad_x"}),
    "wrong constant": ("channel * M0", "channel", {"y"}),
    "missing factor": ("2 * w", "w", {"grad_x"}),
    "wrong block": ("* BLOCK + tl", "* 2 * BLOCK + tl", {"y", "grad_x"}),
    "wrong split": ("split * rows", "split", {"partial"}),
    "one block of a split": ("range(0, rows, BLOCK)", "range(0, BLOCK, BLOCK)", {"partial"}),
}
"""What is replaced by what, and the results that are then wrong."""


@pytest.mark.interpreter
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_caught(bug: str, tmp_path: Path) -> None:
    old, new, wrong = BUGS[bug]
    layer = load(tmp_path, PROBLEMS["intransitive"], lambda text: text.replace(old, new))
    errors = run(layer, 2 * ROWS + 5, 3, torch.float32)
    assert {name for name, error in errors.items() if not error <= 5e-7} == wrong, errors


COMPILED = {
    **{case: PROBLEMS[case] for case in ("S_4", "D2Q9", "intransitive")},
    "S_8": make_problem(symmetric(8), symmetric(8), (0, 1, 2)),
    "C_9": make_problem(cyclic(9), cyclic(9), (0, 1, 2)),
    "no symmetry": make_problem([permute(0, 1, 2, 3)], [permute(0, 1, 2, 3)], (0, 1, 2)),
}


@pytest.mark.offline
@pytest.mark.slow
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("kind", ["fp32", "bf16", "fp64"])
@pytest.mark.parametrize("case", COMPILED)
def test_kernels_compile_without_spills(
    case: str, kind: str, capability: int, tmp_path: Path
) -> None:
    import triton.language as tl

    from tests.kernels.offline import compile_kernel

    layer = load(tmp_path, COMPILED[case])
    constants, linear, square = layer.sizes
    sums, dtype = ("fp64", tl.float64) if kind == "fp64" else ("fp32", tl.float32)
    known = {"C": 1, "M": linear + square, "M0": constants, "BLOCK": 128, "ACC": dtype}
    types = {"batch": "i32", "rows": "i32", "partial": f"*{sums}"}
    for kernel in filter(None, map(layer.kernel, ("output", "input", "weight"))):
        values = {name: value for name, value in known.items() if name in kernel.arg_names}
        kinds = {n: types.get(n, f"*{kind}") for n in kernel.arg_names if n not in values}
        found = compile_kernel(kernel, kinds, values, capability, num_warps=4)
        assert found.find_faults(tensor_cores=False) == [], kernel.__name__
