"""What every emitted layer promises to torch, of spectral layers."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, jacrev, jvp, vmap

from tests.emit.spectral import FREE, GROUPED, install_spectral

pytestmark = pytest.mark.usefixtures("fresh_compiler")

# Warnings of torch's own compiler and of what it imports.
COMPILED = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"
)


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return install_spectral(tmp_path_factory.mktemp("spectral"))


def draw(layer: Any, *lead: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*lead, layer.facts.n_in, dtype=dtype)


@pytest.mark.parametrize("name", FREE + GROUPED)
@pytest.mark.parametrize("backend", ["auto", "reference"])
def test_derivatives(layers: ModuleType, name: str, backend: str) -> None:
    layer = getattr(layers, name)(backend=backend)
    names = [key for key, _ in layer.named_parameters()]
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()

    def evaluate(z: Tensor, *parameters: Tensor) -> Any:
        return functional_call(layer, dict(zip(names, parameters, strict=True)), (z,))

    arguments = (draw(layer, 2).requires_grad_(), *layer.parameters())
    assert torch.autograd.gradcheck(evaluate, arguments, fast_mode=name != "Frame")
    assert torch.autograd.gradgradcheck(evaluate, arguments, fast_mode=True)


@pytest.mark.parametrize("name", FREE + GROUPED)
def test_shapes(layers: ModuleType, name: str) -> None:
    layer = getattr(layers, name)()
    z = draw(layer, 2, 3, 4)
    y = layer(z)
    assert y.shape == (2, 3, 4, layer.facts.n_out)
    torch.testing.assert_close(layer(z[1, 2, 3]), y[1, 2, 3])
    for empty in (draw(layer, 0), draw(layer, 3, 0, 2)):
        assert layer(empty).shape == (*empty.shape[:-1], layer.facts.n_out)
    strided = draw(layer, 4, 6)[::2, ::3]
    torch.testing.assert_close(layer(strided), layer(strided.contiguous()))
    layer(draw(layer, 0)).sum().backward()
    assert all(p.grad is not None and not p.grad.any() for p in layer.parameters())


def test_wrong_inputs(layers: ModuleType) -> None:
    layer = layers.Wide()
    with pytest.raises(ValueError, match=r"expects z of shape \(\.\.\., 7\), got \(2, 11\)"):
        layer(torch.ones(2, 11, dtype=torch.float64))
    with pytest.raises(TypeError, match=r"expects z of its parameters' torch\.float64"):
        layer(torch.ones(2, 7))
    with pytest.raises(TypeError, match="expects a tensor, got list"):
        layer([0.0])


@COMPILED
@pytest.mark.parametrize("name", ["Low", "Frame", "Cubic", "Turns"])
def test_transforms(layers: ModuleType, name: str) -> None:
    layer = getattr(layers, name)()
    z, step = draw(layer, 5), draw(layer, 5)
    torch.testing.assert_close(vmap(layer)(z), layer(z))
    found = vmap(grad(lambda row: layer(row).pow(2).sum()))(z)
    leaf = z.clone().requires_grad_()
    (expected,) = torch.autograd.grad(layer(leaf).pow(2).sum(), leaf)
    torch.testing.assert_close(found, expected)
    tangent = jvp(layer, (z,), (step,))[1]
    jacobian = vmap(jacrev(layer))(z)
    torch.testing.assert_close(tangent, (jacobian @ step[:, :, None]).squeeze(-1))

    def find_loss(parameters: dict[str, Tensor]) -> Tensor:
        loss: Tensor = functional_call(layer, parameters, (z,)).pow(2).sum()
        return loss

    slopes = grad(find_loss)({key: p.detach() for key, p in layer.named_parameters()})
    layer(z).pow(2).sum().backward()
    for key, parameter in layer.named_parameters():
        torch.testing.assert_close(slopes[key], parameter.grad)


@COMPILED
@pytest.mark.slow
@pytest.mark.parametrize("name", ["Low", "Unit", "Frame", "Cubic", "Turns"])
def test_one_graph(layers: ModuleType, name: str) -> None:
    layer = getattr(layers, name)()
    compiled: Any = torch.compile(layer, fullgraph=True, backend="aot_eager")
    for batch in (5, 7):
        z = draw(layer, batch).requires_grad_()
        found = torch.autograd.grad(compiled(z).pow(2).sum(), (z, *layer.parameters()))
        expected = torch.autograd.grad(layer(z).pow(2).sum(), (z, *layer.parameters()))
        for left, right in zip(found, expected, strict=True):
            torch.testing.assert_close(left, right)


@COMPILED
@pytest.mark.slow
def test_a_grown_layer_is_compiled_anew(layers: ModuleType) -> None:
    layer = layers.Frame(dtype=torch.float32)
    compiled: Any = torch.compile(layer, fullgraph=True, backend="aot_eager")
    z = draw(layer, 3, dtype=torch.float32)
    before = compiled(z)
    with pytest.raises(RuntimeError, match="not a compiled or an exported copy"):
        layer.grow_(1, lambda: layers.Frame(dtype=torch.float32)(z).sum())
    layer.grow_(1, lambda: layer(z).pow(2).sum())
    torch.testing.assert_close(compiled(z), before)
    with torch.no_grad():
        layer.lam[-1] = 1.0
    torch.testing.assert_close(compiled(z), layer(z))
    assert float((layer(z) - before).detach().abs().max()) > 0.01


@COMPILED
@pytest.mark.slow
@pytest.mark.parametrize("name", ["Low", "Frame", "Quadratic", "Signs"])
def test_export(layers: ModuleType, name: str) -> None:
    layer = getattr(layers, name)()
    rows = torch.export.Dim("rows", min=2)
    program = torch.export.export(layer, (draw(layer, 4),), dynamic_shapes=({0: rows},))
    z = draw(layer, 9)
    torch.testing.assert_close(program.module()(z), layer(z))


@pytest.mark.parametrize("name", ["Low", "Frame", "Wide", "Cubic", "Turns"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_narrow_floats_are_summed_in_wide_ones(
    layers: ModuleType, name: str, dtype: torch.dtype
) -> None:
    layer = getattr(layers, name)(dtype=torch.float32)
    z = draw(layer, 6, dtype=torch.float32)
    with torch.autocast("cpu", dtype=dtype):
        y = layer(z)
    assert y.dtype == dtype
    # Exact but for the rounding of arguments and of the result.
    rounded = getattr(layers, name)(dtype=torch.float32)
    rounded.load_state_dict({k: v.to(dtype) for k, v in layer.state_dict().items()})
    torch.testing.assert_close(y, rounded(z.to(dtype).float()).to(dtype), rtol=2e-2, atol=2e-2)
    narrow = getattr(layers, name)(dtype=dtype)
    assert narrow(z.to(dtype)).dtype == dtype
    assert narrow.directions()[0].dtype == dtype


def test_meta_layers_get_values_later(layers: ModuleType) -> None:
    layer = layers.Turns(device="meta")
    assert layer(torch.empty(3, 6, device="meta", dtype=torch.float64)).is_meta
    layer = layer.to_empty(device="cpu")
    layer.reset_parameters()
    assert layer(draw(layer, 2)).isfinite().all()


def test_fake_layers(layers: ModuleType) -> None:
    with torch._subclasses.FakeTensorMode():
        layer = layers.Low()
        assert layer(torch.empty(3, 12, dtype=torch.float64)).shape == (3, 12)


def test_the_package_checks_itself(layers: ModuleType) -> None:
    checks = importlib.import_module(f"{layers.__name__}.spectral_checks")
    rows = checks.run()
    assert [row for row in rows if not row[2]] == []
    assert {row[0] for row in rows} == set(FREE + GROUPED)
    assert {row[1] for row in rows} == set(checks.CHECKS)


def break_bias(self: Any, z: Tensor, *tensors: Tensor) -> Tensor:
    return z @ tensors[0] @ tensors[0].mT + 1e-6


BROKEN: dict[str, tuple[str, Any]] = {
    "definition": ("_evaluate_wide", break_bias),
    "growth": ("grow_", lambda self, k, *rest: self.full("lam")[:1].detach()),
    "canonical form": ("canonicalize_", lambda self: self.full("lam").data.neg_()),
    "renaming of neurons": (
        "_evaluate_wide",
        lambda self, z, *tensors: z.cumsum(-1) @ tensors[0] @ tensors[0].mT,
    ),
    "equivariance": (
        "_evaluate_wide",
        lambda self, z, *tensors: z.cumsum(-1) @ tensors[0] @ tensors[0].mT,
    ),
    "gradients": (
        "_evaluate_wide",
        lambda self, z, *tensors: z @ tensors[0] @ tensors[0].detach().mT,
    ),
}


@pytest.mark.parametrize("check", BROKEN)
def test_every_check_can_fail(
    layers: ModuleType, check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = importlib.import_module(f"{layers.__name__}.spectral_checks")
    assert set(checks.CHECKS) == set(BROKEN)
    kind = layers.Turns if check == "equivariance" else layers.Low
    assert checks.CHECKS[check](checks.make_layer(kind))[0]
    monkeypatch.setattr(layers.SpectralLayer, *BROKEN[check])
    assert not checks.CHECKS[check](checks.make_layer(kind))[0]
