"""Kernels on a CUDA device against the definition in float64: what the interpreter cannot tell."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.emit.problems import install, make
from tests.kernels.checks import check, check_launch, draw, expect, find_launch, launch, measure
from tests.kernels.poison import poison, shrink_blocks
from tests.kernels.problems import CASES, LARGE, Case

pytestmark = pytest.mark.gpu

DEVICE = "cuda"

# Largest relative errors. A factor of tf32 and of float16 has 11 binary digits, one of bfloat16
# has 8; results of the narrow dtypes are rounded once more.
TOLERANCES: dict[str, tuple[torch.dtype, str, float]] = {
    "float64": (torch.float64, "highest", 1e-13),
    "float32": (torch.float32, "highest", 2e-6),
    "tf32x3": (torch.float32, "high", 4e-6),
    "tf32": (torch.float32, "medium", 2e-3),
    "float16": (torch.float16, "highest", 2e-3),
    "bfloat16": (torch.bfloat16, "highest", 1e-2),
}

SINGLE = TOLERANCES["float32"][2]

WIDE: dict[str, Case] = {
    "Wide": Case("C_3", (0, 1, 2), "full", (32, 64)),
    "WideSigns": Case("twisted S_2", (0, 1, 2), "full", (48, 80)),
    "WideDepth": Case("S_2 wr S_3", (0, 1, 2), "depthwise", (64, 64)),
}


@pytest.fixture(scope="module")
def wide(packages: Path) -> ModuleType:
    return install(packages, "kernels_on_gpu", [case.pose(n) for n, case in WIDE.items()])


def build(package: ModuleType, name: str, **options: Any) -> Any:
    case = {**CASES, **LARGE, **WIDE}[name]
    layer = make(package, name, *case.channels, backend="triton", **options)
    return layer.to(DEVICE)


@pytest.fixture
def precision(request: pytest.FixtureRequest) -> Any:
    """The name of an arithmetic, while torch is set to it."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(TOLERANCES[request.param][1])
    yield request.param
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("batch", [0, 1, 37])
@pytest.mark.parametrize("name", [*CASES, *LARGE])
def test_float32(zoo: ModuleType, name: str, batch: int) -> None:
    layer = build(zoo, name)
    check_launch(layer, draw(layer, batch, torch.float32, DEVICE), single=SINGLE)


@pytest.mark.parametrize("name", [*CASES, *LARGE])
def test_float64(zoo: ModuleType, name: str) -> None:
    layer = build(zoo, name)
    check_launch(layer, draw(layer, 37, torch.float64, DEVICE))


@pytest.mark.parametrize("name", ["One", "Twist", "SignDepth"])
def test_several_small_blocks(zoo: ModuleType, name: str) -> None:
    layer = build(zoo, name)
    with shrink_blocks(find_launch(layer)):
        for straight in (True, False):
            arguments = draw(layer, 100, torch.float32, DEVICE)
            check_launch(layer, arguments, straight=straight, single=SINGLE)


@pytest.mark.parametrize("precision", TOLERANCES, indirect=True)
@pytest.mark.parametrize("name", WIDE)
def test_precisions(wide: ModuleType, name: str, precision: str) -> None:
    """Products of real size: rounding of factors and results, sums in float32 at least."""
    dtype, _, tolerance = TOLERANCES[precision]
    layer = build(wide, name)
    arguments = draw(layer, 300, dtype, DEVICE)
    with poison() as memory:
        found = launch(layer, arguments)
    torch.cuda.synchronize()
    memory.check()
    assert {t.dtype for t in found.values()} == {dtype}
    check(measure(found, expect(layer, arguments)), tolerance)


@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"], indirect=True)
@pytest.mark.parametrize("name", WIDE)
def test_all_results_are_the_same_bits_every_time(
    wide: ModuleType, name: str, precision: str
) -> None:
    """Many splits of a large batch, with other work on the device in between."""
    layer = build(wide, name)
    arguments = draw(layer, 20_000, TOLERANCES[precision][0], DEVICE)
    first = launch(layer, arguments)
    for _ in range(3):
        noise = torch.randn(1000, 1000, device=DEVICE)
        again = launch(layer, arguments)
        noise @ noise
        assert all(torch.equal(first[n], again[n]) for n in first)


def test_non_contiguous_arguments(zoo: ModuleType) -> None:
    layer = build(zoo, "Twist")
    for change in (lambda t: t.mT.contiguous().mT, lambda t: t[:1].expand_as(t)):
        arguments = draw(layer, 37, torch.float32, DEVICE).convert(change)
        check_launch(layer, arguments, single=SINGLE)


def test_another_stream(zoo: ModuleType) -> None:
    layer = build(zoo, "Twist")
    arguments = draw(layer, 37, torch.float32, DEVICE)
    make_stream: Any = torch.cuda.Stream
    stream = make_stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        found = launch(layer, arguments)
    stream.synchronize()
    check(measure(found, expect(layer, arguments)), SINGLE)


def test_auto_runs_the_kernels(zoo: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES["Twist"]
    layer = make(zoo, "Twist", *case.channels, backend="auto").to(DEVICE)
    plain = make(zoo, "Twist", *case.channels, backend="reference").to(DEVICE)
    plain.load_state_dict(layer.state_dict())
    module, seen = find_launch(layer), []
    original = module.forward

    def note(*args: Any) -> Any:
        seen.append("forward")
        return original(*args)

    monkeypatch.setattr(module, "forward", note)
    x = torch.randn(5, layer.in_channels, layer.layout.n_in, device=DEVICE, dtype=torch.float64)
    torch.testing.assert_close(layer(x), plain(x))
    assert seen == ["forward"]


def train(model: nn.Module, step: Any, x: Tensor, target: Tensor) -> list[float]:
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(5):
        optimiser.zero_grad()
        loss = step(x, target)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_compiled_training(packages: Path) -> None:
    """Several layers in one graph learn as they do without compilation."""
    torch._dynamo.reset()
    cases = {
        "First": Case("twisted S_2", (0, 1, 2), "full", (2, 16)),
        "Second": Case("twisted S_2", (1, 2), "full", (16, 16)),
        "Third": Case("twisted S_2", (0, 1, 2), "depthwise", (16, 16)),
    }
    package = install(packages, "kernels_trained", [c.pose(n) for n, c in cases.items()])
    losses = []
    for compiled in (False, True):
        torch.manual_seed(0)
        layers = [getattr(package, name)(backend="triton") for name in cases]
        model = nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2]).to(DEVICE)

        def step(x: Tensor, target: Tensor, model: nn.Module = model) -> Tensor:
            return nn.functional.mse_loss(model(x), target)

        x, target = (torch.randn(256, c, 2).to(DEVICE) for c in (2, 16))
        run: Any = torch.compile(step, fullgraph=True) if compiled else step
        losses.append(train(model, run, x, target))
    assert losses[0][-1] < losses[0][0]
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.gpu(gib=40)
@pytest.mark.parametrize("name", ["Twist", "TwistDepth"])
def test_offsets_beyond_32_bits(zoo: ModuleType, name: str) -> None:
    """Rows at the far end of arrays of more than 2^31 entries are what they are by themselves."""
    layer = build(zoo, name).to(torch.bfloat16)
    c_in, n_in = layer.in_channels, layer.layout.n_in
    batch = 2**31 // (c_in * n_in) + 100
    x = torch.zeros(batch, c_in, n_in, dtype=torch.bfloat16, device=DEVICE)
    x[-100:] = torch.randn(100, c_in, n_in).to(x)
    with torch.no_grad():
        assert torch.equal(layer(x)[-100:], layer(x[-100:].clone()))
