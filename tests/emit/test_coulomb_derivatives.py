"""Derivatives and transforms of layers of charges and positions: every order, never zero unseen."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, stack_module_state, vmap

from tests.emit.coulomb import FREE, draw, find, make, make_coulomb

# Forward-mode AD imports decompositions that torch itself still scripts.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

HESSIAN: Any = hessian
NAMES = tuple(name for name in FREE if not name.startswith("Single"))
SOME = ("Soft", "Rectangle", "Squares", "Distances")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return make_coulomb(tmp_path_factory.mktemp("coulomb"))


@pytest.fixture
def tiles(package: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of twenty entries."""
    monkeypatch.setitem(find(package, "pairs").TILE_BYTES, "cpu", 160)


def as_function(layer: Any) -> Callable[..., Tensor]:
    names = [n for n, _ in layer.named_parameters()]

    def evaluate(z: Tensor, *parameters: Tensor) -> Any:
        return functional_call(layer, dict(zip(names, parameters, strict=True)), (z,))

    return evaluate


def pair(package: ModuleType, name: str) -> tuple[Any, Any]:
    """A layer and its plain definition, with equal parameters."""
    layer, plain = make(package, name), make(package, name, backend="reference")
    plain.load_state_dict(layer.state_dict())
    return layer, plain


def assert_same(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("tiles")
def test_gradcheck(package: ModuleType, name: str) -> None:
    layer = make(package, name)
    arguments = (draw(layer, 2).requires_grad_(), *layer.parameters())
    assert torch.autograd.gradcheck(as_function(layer), arguments, fast_mode=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("tiles")
def test_gradgradcheck(package: ModuleType, name: str) -> None:
    layer = make(package, name)
    arguments = (draw(layer, 2).requires_grad_(), *layer.parameters())
    assert torch.autograd.gradgradcheck(as_function(layer), arguments, fast_mode=True)


@pytest.mark.parametrize("name", ["Soft", "Rectangle"])
@pytest.mark.usefixtures("tiles")
def test_gradcheck_entry_by_entry(package: ModuleType, name: str) -> None:
    layer = make(package, name)
    arguments = (draw(layer, 1).requires_grad_(), *layer.parameters())
    assert torch.autograd.gradcheck(as_function(layer), arguments)


@pytest.mark.parametrize("name", SOME)
@pytest.mark.usefixtures("tiles")
def test_third_derivatives(package: ModuleType, name: str) -> None:
    results = []
    for layer in pair(package, name):
        torch.manual_seed(2)
        z = draw(layer, 2).requires_grad_()
        variables = (z, *layer.parameters())
        total = layer(z).pow(3).sum()
        for _ in range(2):
            found = torch.autograd.grad(total, variables, create_graph=True)
            total = torch.stack([t.pow(2).sum() for t in found]).sum()
        results.append(torch.autograd.grad(total, variables))
    assert_same(*results)


TRANSFORMS: dict[str, Callable[[Any, Tensor], Any]] = {
    "grad": lambda f, z: grad(lambda u: f(u).pow(2).sum())(z),
    "jvp": lambda f, z: jvp(f, (z,), (torch.ones_like(z),)),
    "vmap": lambda f, z: vmap(f)(z),
    "vmap of grad": lambda f, z: vmap(grad(lambda u: f(u).pow(2).sum()))(z),
    "jacrev": lambda f, z: jacrev(f)(z),
    "jacfwd": lambda f, z: jacfwd(f)(z),
    "hessian": lambda f, z: HESSIAN(lambda u: f(u).pow(3).sum())(z),
}


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("word", TRANSFORMS)
def test_transforms_of_inputs(package: ModuleType, name: str, word: str) -> None:
    layer, plain = pair(package, name)
    z = draw(layer, 3)
    assert_same(TRANSFORMS[word](layer, z), TRANSFORMS[word](plain, z))


@pytest.mark.parametrize("name", SOME)
def test_transforms_of_parameters(package: ModuleType, name: str) -> None:
    z = draw(make(package, name), 2)
    results = []
    for layer in pair(package, name):
        f = as_function(layer)
        values = tuple(p.detach() for p in layer.parameters())
        places = tuple(range(1, len(values) + 1))
        first = grad(lambda *a, f=f: f(*a).pow(2).sum(), argnums=places)(z, *values)
        second = HESSIAN(lambda mu, f=f, v=values: f(z, mu, *v[1:]).pow(2).sum())(values[0])
        tangents = tuple(torch.ones_like(v) for v in values)
        moved = jvp(lambda *v, f=f: f(z, *v), values, tangents)[1]
        assert float(moved.abs().max()) > 0.01
        results.append((*first, second, moved))
    assert_same(*results)


def test_ensemble(package: ModuleType) -> None:
    layers = [make(package, "Soft") for _ in range(3)]
    parameters, buffers = stack_module_state(layers)
    z = draw(layers[0], 4)

    def call(p: Any, b: Any) -> Any:
        return functional_call(layers[0], (p, b), (z,))

    assert_same(vmap(call)(parameters, buffers), torch.stack([layer(z) for layer in layers]))


@pytest.mark.parametrize("name", SOME)
def test_batched_gradients(package: ModuleType, name: str) -> None:
    """The backward of a call made outside vmap, called inside it."""
    found = []
    for layer in pair(package, name):
        torch.manual_seed(3)
        z = draw(layer, 2).requires_grad_()
        y = layer(z)
        directions = torch.randn(5, *y.shape, dtype=y.dtype)
        variables = (z, *layer.parameters())
        found.append(torch.autograd.grad(y, variables, directions, is_grads_batched=True))
    assert_same(*found)


def test_second_derivatives_run_the_tiles(package: ModuleType, monkeypatch: Any) -> None:
    """A gradient penalty forms no weights, neither in the first pass nor in the second."""
    formulas = find(package, "pair_formulas")

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("the weights are formed")

    for word in ("define", "differentiate", "differentiate_twice"):
        monkeypatch.setattr(formulas, word, refuse)
    layer = make(package, "Soft")
    z = draw(layer).requires_grad_()
    (slope,) = torch.autograd.grad(layer(z).pow(2).sum(), z, create_graph=True)
    torch.autograd.backward(slope.pow(2).sum())
    assert float(layer.mu.grad.abs().max()) > 0
    with pytest.raises(AssertionError, match="the weights are formed"):
        vmap(layer)(z)
