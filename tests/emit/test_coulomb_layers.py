"""Layers of charges and positions: what they are, by definition."""

from __future__ import annotations

import copy
import io
import math
import pickle
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.emit.coulomb import CORNERS, FACTS, apply, draw, find, make, make_coulomb, spell

NAMES = tuple(FACTS)
DOUBLE = tuple(name for name in FACTS if not name.startswith("Single"))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return make_coulomb(tmp_path_factory.mktemp("coulomb"))


@pytest.fixture(params=[2**19, 8 * 6])
def tiles(package: ModuleType, request: pytest.FixtureRequest, monkeypatch: Any) -> int:
    """Bytes of a tile: all of a small layer in one, or six entries."""
    monkeypatch.setitem(find(package, "pairs").TILE_BYTES, "cpu", request.param)
    return int(request.param)


def differentiate(layer: Any, y: Tensor, z: Tensor) -> list[Tensor]:
    """First and second derivatives along random directions."""
    torch.manual_seed(1)
    variables = (z, *layer.parameters())
    options: dict[str, Any] = {"allow_unused": True, "materialize_grads": True}
    first = torch.autograd.grad(y, variables, torch.randn_like(y), create_graph=True, **options)
    total = torch.stack([(t * torch.randn_like(t)).sum() for t in first]).sum()
    return [*first, *torch.autograd.grad(total, variables, **options)]


def assert_near(found: Tensor, expected: Tensor, most: float = 1e-12) -> None:
    """Compare up to an error relative to the largest entry, and to 1."""
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    scale = expected.detach().abs().max().clamp(min=1.0)
    assert float((found - expected).detach().abs().max() / scale) <= most


@pytest.mark.parametrize("name", DOUBLE)
@pytest.mark.parametrize("backend", ["auto", "reference"])
def test_the_definition(package: ModuleType, name: str, backend: str, tiles: int) -> None:
    layer = make(package, name, backend=backend)
    z = draw(layer, 4).requires_grad_()
    y, expected = layer(z), apply(layer, z)
    assert_near(y, expected)
    assert_near(layer.dense_weight(), spell(layer))
    pairs = zip(differentiate(layer, y, z), differentiate(layer, expected, z), strict=True)
    for found, right in pairs:
        assert_near(found, right)


@pytest.mark.parametrize("name", DOUBLE)
def test_dense_weights_carry_gradients(package: ModuleType, name: str) -> None:
    layer = make(package, name)
    mu = layer.theta_mu if name == "Ring" else layer.mu
    found, expected = (
        torch.autograd.grad(w.pow(2).sum(), mu)[0] for w in (layer.dense_weight(), spell(layer))
    )
    assert_near(found, expected)


@pytest.mark.parametrize("name", DOUBLE)
def test_subsets_of_gradients(package: ModuleType, name: str, tiles: int) -> None:
    layer = make(package, name)
    z = draw(layer)
    expected = torch.autograd.grad(apply(layer, z).pow(2).sum(), list(layer.parameters()))
    for parameter, right in zip(layer.parameters(), expected, strict=True):
        layer.requires_grad_(False)
        parameter.requires_grad_()
        layer(z).pow(2).sum().backward()
        assert_near(parameter.grad, right)
    layer.requires_grad_(False)
    z.requires_grad_()
    found, right = (
        torch.autograd.grad(f(z).pow(2).sum(), z)[0] for f in (layer, lambda z: apply(layer, z))
    )
    assert_near(found, right)


@pytest.mark.parametrize("name", NAMES)
def test_shapes(package: ModuleType, name: str) -> None:
    layer = make(package, name)
    for lead in ((), (1,), (0,), (2, 3), (2, 0, 3)):
        z = draw(layer, *lead) if lead else draw(layer, 1)[0]
        y = layer(z)
        assert y.shape == (*lead, layer.facts.n_out)
        torch.testing.assert_close(y, apply(layer, z), rtol=1e-4, atol=1e-3)
    z = draw(layer, 5)
    strided = torch.stack([z, z], 2)[:, :, 0]
    assert not strided.is_contiguous()
    assert torch.equal(layer(strided), layer(z))
    assert torch.equal(layer(z.mT.contiguous().mT), layer(z))


def test_results_are_the_same_at_every_run(package: ModuleType, tiles: int) -> None:
    layer = make(package, "Single")
    z = draw(layer, 5).requires_grad_()
    runs = [torch.autograd.grad(layer(z).pow(2).sum(), (z, *layer.parameters())) for _ in range(2)]
    for left, right in zip(*runs, strict=True):
        assert torch.equal(left, right)


@pytest.mark.parametrize("name", ["Single", "SingleSquares"])
def test_far_from_the_origin(package: ModuleType, name: str) -> None:
    """Float32 loses nothing by an offset of 1000 but what the positions themselves lose."""
    layer = make(package, name)
    with torch.no_grad():
        layer.x += 1000
    z = draw(layer, 8).requires_grad_()
    wide = getattr(package, name)(dtype=torch.float64, backend="reference")
    wide.load_state_dict(layer.state_dict())
    there = z.detach().double().requires_grad_()
    pairs = []
    for one, at in ((layer, z), (wide, there)):
        y = one(at)
        pairs.append((y, *torch.autograd.grad(y.pow(2).sum(), (at, *one.parameters()))))
    for found, expected in zip(*pairs, strict=True):
        error = (found - expected).abs().max() / expected.abs().max()
        assert error < 1e-5


def test_neurons_that_meet(package: ModuleType) -> None:
    """Where positions of two neurons coincide, distances have the gradient 0, not NaN."""
    for name in ("Distances", "Cubes", "Force"):
        layer, plain = make(package, name), make(package, name, backend="reference")
        with torch.no_grad():
            layer.x[1] = layer.x[0]
            if name == "Cubes":
                layer.y[2] = layer.x[0]
        plain.load_state_dict(layer.state_dict())
        z = draw(layer).requires_grad_()
        results = [differentiate(one, one(z), z) for one in (layer, plain)]
        for left, right in zip(*results, strict=True):
            assert left.isfinite().all()
            assert_near(left, right)


def test_given_positions(package: ModuleType) -> None:
    layer = package.Given()
    assert list(layer.state_dict()) == ["mu"]
    assert layer.x.tolist() == CORNERS
    assert not layer.x.requires_grad
    assert layer.float().x.dtype == torch.float32
    start = package.Start()
    assert list(start.state_dict()) == ["mu", "x", "nu", "y"]
    assert (start.x.tolist(), start.y.tolist()) == (CORNERS[:3], CORNERS)


def test_softening_is_learnt(package: ModuleType) -> None:
    layer = package.Soft()
    assert list(layer.state_dict()) == ["mu", "x", "raw_softening"]
    assert math.isclose(layer.softening.item(), 0.1, rel_tol=1e-7)
    with torch.no_grad():
        layer.raw_softening.fill_(-30.0)
    assert 0 < layer.softening.item() < 1e-12
    layer(draw(layer)).pow(2).sum().backward()
    assert layer.raw_softening.grad.isfinite()


def test_names_of_parameters(package: ModuleType) -> None:
    assert list(package.Rectangle().state_dict()) == ["mu", "x", "nu", "y", "bias"]
    assert list(package.Squares().state_dict()) == ["mu", "x", "diagonal"]
    words = ["theta_mu", "theta_x", "theta_diagonal", "theta_bias"]
    assert list(package.Ring().state_dict()) == words


@pytest.mark.parametrize("softening", [1e-300, 1e-3, 20.0, 1e6])
def test_any_softening_can_be_learnt(package: ModuleType, softening: float) -> None:
    facts = package.Soft.facts._replace(softening=softening, learn_softening=True)
    layer = type("Soft", (package.Soft,), {"facts": facts})(dtype=torch.float64)
    assert math.isclose(layer.softening.item(), softening, rel_tol=1e-4)


def test_ties(package: ModuleType, tiles: int) -> None:
    """A ring of neurons, turned with its charges and positions: the layer commutes with it."""
    layer = make(package, "Ring")
    z = draw(layer)
    assert_near(layer(z.roll(1, 1)), layer(z).roll(1, 1))
    assert_near(layer.full("mu").roll(-1, 0), layer.full("mu").roll(1, 1))
    assert layer.theta_mu.numel() == 6 * 3 // 6
    free = make(package, "Force")
    z = draw(free)
    assert float((free(z.roll(1, 1)) - free(z).roll(1, 1)).detach().abs().max()) > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_copies(package: ModuleType, name: str) -> None:
    layer = make(package, name)
    z = draw(layer)
    stored = io.BytesIO()
    torch.save(layer.state_dict(), stored)
    stored.seek(0)
    other = getattr(package, name)(backend="reference")
    other.load_state_dict(torch.load(stored))
    torch.testing.assert_close(other(z), layer(z), rtol=1e-5, atol=1e-4)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(twin(z), layer(z))
        assert twin.facts == layer.facts


@pytest.mark.parametrize("name", NAMES)
def test_meta(package: ModuleType, name: str) -> None:
    with torch.device("meta"):
        layer = getattr(package, name)()
        z = torch.empty(2, layer.facts.n_in, dtype=next(layer.parameters()).dtype)
    y = layer(z)
    assert (y.is_meta, y.shape) == (True, (2, layer.facts.n_out))
    layer = layer.to_empty(device="cpu")
    layer.reset_parameters()
    z = draw(layer)
    torch.testing.assert_close(layer(z), apply(layer, z), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["Single", "SingleSquares"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("backend", ["auto", "reference"])
def test_narrow_dtypes(package: ModuleType, name: str, dtype: torch.dtype, backend: str) -> None:
    """They accumulate in float32: the error is that of what is stored, and of the result."""
    layer = getattr(package, name)(backend=backend)
    z = draw(layer, 6).to(dtype)
    with torch.autocast("cpu", dtype=dtype):
        y = layer(z.float())
    assert y.dtype == dtype
    expected = apply(layer, z.float())
    assert_near(y.float(), expected, torch.finfo(dtype).eps)
    small = getattr(package, name)(dtype=dtype, backend=backend)
    z = z.requires_grad_()
    y = small(z)
    wide = getattr(package, name)(dtype=torch.float32, backend="reference")
    wide.load_state_dict(small.state_dict())
    assert y.dtype == dtype
    assert_near(y.float(), wide(z.float()), torch.finfo(dtype).eps)
    y.float().pow(2).sum().backward()
    assert z.grad is not None
    assert z.grad.dtype == small.mu.grad.dtype == dtype


def test_mixed_dtypes_are_refused(package: ModuleType) -> None:
    with pytest.raises(TypeError, match=r"Force expects z of its parameters' torch.float64"):
        package.Force()(torch.randn(2, 12))
    with pytest.raises(ValueError, match=r"Force expects z of shape \(..., 12\), got \(2, 11\)"):
        package.Force()(torch.randn(2, 11))
    with pytest.raises(TypeError, match="Force expects a tensor, got list"):
        package.Force()([1.0])


def test_backends_that_cannot_be_served(package: ModuleType, monkeypatch: Any) -> None:
    with pytest.raises(ValueError, match="Force: backend is one of"):
        package.Force(backend="cuda")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match=r"Force: backend='triton' cannot be served: .*TRITON"):
        package.Force(backend="triton")


def test_words(package: ModuleType) -> None:
    assert package.Force().extra_repr() == (
        "12 -> 12, mu 3, x 2, inverse, exponent 2, softening 0.1, diagonal none, backend=auto"
    )
    assert "60 parameters stand for 12 x 12 weights" in package.Force().explain()
    assert "tiles of the weights" in package.Force(backend="torch").explain()
    assert "rank 12, O(n d (p + 2))" in package.Squares().explain()
    assert "the weights are formed" in package.Cubes(backend="reference").explain()


def test_facts_are_those_of_the_compiler(package: ModuleType) -> None:
    words = "name n_in n_out dtype square dims kernel exponent softening learn_softening signature"
    words += " diagonal bias positions ties explanation"
    assert find(package, "coulomb").CoulombFacts._fields == tuple(words.split())


def test_seeds(package: ModuleType, tmp_path: Path) -> None:
    layers = []
    for _ in range(2):
        torch.manual_seed(5)
        layers.append(package.Force())
    assert torch.equal(layers[0].mu, layers[1].mu)
    assert not torch.equal(package.Force().mu, layers[0].mu)
