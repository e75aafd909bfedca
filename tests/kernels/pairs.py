"""Weights between pairs of neurons: their definition in float64, and the launches against it.

The definition forms the weights and leaves derivatives to autograd; it shares nothing with the
kernels.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from unittest import mock

import torch
from torch import Tensor

from eqcompile.emit.package import render, spell_header
from tests.emit.problems import ORIGIN, import_written
from tests.kernels.checks import DOUBLE, SINGLE, check, check_rounded, measure
from tests.kernels.poison import guard, poison

MODULES = ("blocks", "pair_kernels", "pair_launch")
NAMES = ("z", "mu", "x", "nu", "y", "eps")


class Case(NamedTuple):
    """Weights ``<mu_i, nu_j> k(|x_i - y_j|^2)``.

    Attributes:
        exponent: Of the distance.
        product: Whether it multiplies, or divides.
        skip: Whether a neuron has no weight with that of its own number.
        rows: Neurons out.
        columns: Neurons in.
        d: Components of mu and nu.
        p: Components of positions.
    """

    exponent: float
    product: bool
    skip: bool
    rows: int
    columns: int
    d: int
    p: int

    @property
    def options(self) -> tuple[float, bool, bool]:
        """What the launches take after their tensors."""
        return self.exponent, self.product, self.skip


CASES = {
    "inverse square": Case(2.0, False, False, 37, 70, 3, 3),
    "inverse": Case(1.0, False, True, 37, 37, 8, 1),
    "inverse 3.5": Case(3.5, False, False, 20, 37, 1, 2),
    "inverse of no quarters": Case(2.7, False, True, 37, 20, 2, 3),
    "inverse 4": Case(4.0, False, False, 1, 37, 16, 5),
    "square": Case(2.0, True, True, 37, 37, 3, 3),
    "distance": Case(1.0, True, False, 37, 40, 3, 2),
    "distance 3": Case(3.0, True, False, 20, 1, 17, 3),
    "distance 3.5": Case(3.5, True, True, 20, 20, 2, 17),
    "distance of no quarters": Case(0.7, True, False, 37, 20, 2, 3),
}


class Arguments(NamedTuple):
    """What weights are made of and applied to, and a cotangent of the result."""

    grad: Tensor
    z: Tensor
    mu: Tensor
    x: Tensor
    nu: Tensor
    y: Tensor
    eps: Tensor

    def convert(self, change: Callable[[Tensor], Tensor]) -> Arguments:
        """Apply one change to every tensor."""
        return Arguments(*map(change, self))


def draw(case: Case, batch: int, dtype: torch.dtype, device: str = "cpu") -> Arguments:
    """Draw normal arguments, a softening of 0.3; the same on every device."""
    generator = torch.Generator().manual_seed(batch + 1)
    rows, columns, d, p = case[3:]
    shapes = [(batch, rows), (batch, columns), (rows, d), (rows, p), (columns, d), (columns, p)]
    drawn = [torch.randn(*shape, dtype=torch.float64, generator=generator) for shape in shapes]
    eps = torch.tensor(0.3, dtype=torch.float64)
    return Arguments(*(t.to(dtype).to(device) for t in (*drawn, eps)))


def define(case: Case, *tensors: Tensor) -> Tensor:
    """Form the weights and multiply by them."""
    z, mu, x, nu, y, eps = tensors
    squares = (x[:, None] - y[None]).square().sum(-1)
    left_out = torch.zeros_like(squares, dtype=torch.bool)
    if case.skip:
        left_out.fill_diagonal_(True)
    squares = squares.masked_fill(left_out, 1.0)
    power = case.exponent / 2
    kernel = squares**power if case.product else (squares + eps) ** -power
    return z @ ((mu @ nu.T) * kernel.masked_fill(left_out, 0.0)).T


def expect(case: Case, arguments: Arguments) -> dict[str, Tensor]:
    """Return the result and all gradients in float64 on the CPU; that of eps row by row."""
    grad, *tensors = arguments.convert(lambda t: t.detach().double().cpu())
    tensors[5] = tensors[5].expand(case.rows, 1)
    tensors = [t.clone().requires_grad_() for t in tensors]
    result = define(case, *tensors)
    found = torch.autograd.grad(result, tensors, grad, allow_unused=True, materialize_grads=True)
    names = ("result", *(f"grad_{name}" for name in NAMES))
    return dict(zip(names, (result.detach(), *found), strict=True))


def compare(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, float]:
    """Return the relative error of every result that was found; NaN is infinite.

    The gradient of eps is one number, the sum of rows of either sign: its error is relative to
    the norm of those.
    """
    rest = [name for name in found if name != "grad_eps"]
    errors = measure({n: found[n] for n in rest}, {n: expected[n] for n in rest})
    if "grad_eps" in found:
        assert found["grad_eps"].shape == ()
        rows = expected["grad_eps"]
        error = float(abs(found["grad_eps"].double().cpu() - rows.sum()) / rows.norm().clamp(1e-30))
        errors["grad_eps"] = error if error == error else float("inf")
    return errors


def compare_rounded(
    found: Mapping[str, Tensor], expected: Mapping[str, Tensor], tolerance: float
) -> None:
    """Check values that were rounded once, see `check_rounded`."""
    rows = expected["grad_eps"]
    check_rounded({n: t for n, t in found.items() if n != "grad_eps"}, expected, tolerance)
    if "grad_eps" in found:
        half = torch.finfo(found["grad_eps"].dtype).eps / 2
        bound = half * abs(rows.sum()) + tolerance * rows.norm()
        assert abs(found["grad_eps"].double() - rows.sum()) <= bound


def launch(
    module: Any, case: Case, arguments: Arguments, needs: Sequence[bool] = (True,) * 6
) -> dict[str, Tensor]:
    """Run the kernels of both directions."""
    grad, *tensors = arguments
    found = {"result": module.forward(*tensors, *case.options)}
    grads = module.backward(grad, *tensors, *case.options, list(needs))
    return found | {f"grad_{name}": t for name, t in zip(NAMES, grads, strict=True)}


def check_launch(module: Any, case: Case, arguments: Arguments, single: float = SINGLE) -> None:
    """Launch both kernels between guards of NaN and compare all they return with the definition.

    Raises:
        AssertionError: A result is wrong, is not written in full, has another dtype, or a kernel
            wrote beside it.
    """
    double = arguments.z.dtype == torch.float64
    expected = expect(case, arguments)
    with poison() as memory:
        found = launch(module, case, arguments.convert(guard))
        memory.check()
        assert memory.shapes or not arguments.z.numel()
    assert {t.dtype for t in found.values()} == {arguments.z.dtype}
    check(compare(found, expected), DOUBLE if double else single)


def install_pairs(
    folder: Path, package: str, change: Callable[[str, str], str] | None = None
) -> ModuleType:
    """Write a package of the kernels alone and return the module that launches them.

    Args:
        folder: A folder on the path for packages.
        package: A name that is new to the process.
        change: From the name of a module and its text to what is written.
    """
    files = {"__init__.py": ""}
    for name in MODULES:
        text = render(name, {"header": spell_header(ORIGIN)})
        files[f"{name}.py"] = change(name, text) if change else text
    import_written(folder, package, tuple(sorted(files.items())))
    return importlib.import_module(f"{package}.pair_launch")


@contextmanager
def shrink_blocks(module: Any) -> Iterator[None]:
    """Cut the work of a launch into blocks so small that every loop over them runs twice."""
    small = module.PairBlocks(16, 16, 16, 16, 16, 16)
    with mock.patch.object(module, "choose_pair_blocks", return_value=small):
        yield


@contextmanager
def use_splits(module: Any, programs: int) -> Iterator[None]:
    """Have columns split until there are so many programs."""
    with mock.patch.object(module, "PROGRAMS", programs):
        yield
