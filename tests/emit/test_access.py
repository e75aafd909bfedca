"""Access to a layer's classes and dense tensors, in both directions."""

from __future__ import annotations

import importlib
import math
from types import ModuleType

import pytest
import torch

from tests.emit.problems import make, pose, solve_posed

LAYERS = ("Cycle", "Cubic", "Dense", "Factored", "Collide", "Fixed", "Turn", "Invariant", "Point")


@pytest.mark.parametrize("name", LAYERS)
def test_loading_its_own_tensor_keeps_the_layer(zoo: ModuleType, name: str) -> None:
    layer = make(zoo, name)
    before = {n: p.clone() for n, p in layer.named_parameters()}
    for degree in layer.layout.degrees:
        assert layer.load_dense(degree, layer.dense_weight(degree)) == 0.0
    for n, p in layer.named_parameters():
        torch.testing.assert_close(p, before[n], rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("name", [n for n in LAYERS if n != "Factored"])
def test_loading_projects_orthogonally(zoo: ModuleType, name: str) -> None:
    """The rest is orthogonal to every layer of the family, and its norm is what is returned."""
    layer, other = (make(zoo, name).requires_grad_(False) for _ in range(2))
    for degree in layer.layout.degrees:
        target = torch.randn_like(layer.dense_weight(degree))
        distance = layer.load_dense(degree, target)
        rest = target - layer.dense_weight(degree)
        assert math.isclose(distance, float(rest.norm()), rel_tol=1e-12)
        inner = float((rest * other.dense_weight(degree)).sum())
        assert abs(inner) < 1e-11 * max(1.0, float(other.dense_weight(degree).norm()))


def test_loading_a_factored_layer_fits_it(zoo: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a nearby start the layer comes back; a far target is approached, never left."""
    monkeypatch.setattr(importlib.import_module("zoo.fitting"), "SWEEPS", 25)
    layer, other = (make(zoo, "Factored").requires_grad_(False) for _ in range(2))
    target = layer.dense_weight(3)
    for parameter in layer.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    start = float((target - layer.dense_weight(3)).norm())
    distance = layer.load_dense(3, target)
    assert distance < 0.1 * start
    assert math.isclose(distance, float((target - layer.dense_weight(3)).norm()), rel_tol=1e-9)
    before = float((target - other.dense_weight(3)).norm())
    assert other.load_dense(3, target) < before


def test_fitting_a_single_product(zoo: ModuleType) -> None:
    """One factor at a time is exact for one degree: the rank-1 matrix nearest a matrix."""
    target = torch.randn(4, 5, dtype=torch.float64)
    start = {n: torch.randn(s, dtype=torch.float64) for n, s in (("a", 4), ("b", 5))}
    fit = importlib.import_module("zoo.fitting").fit_factors
    found = fit(lambda at: torch.outer(at["a"], at["b"]), start, target)
    rest = (target - torch.outer(found["a"], found["b"])).norm()
    assert math.isclose(float(rest), float(torch.linalg.svdvals(target)[1:].norm()), rel_tol=1e-5)


def test_loading_a_wrong_shape_is_refused(zoo: ModuleType) -> None:
    layer = make(zoo, "Cycle")
    with pytest.raises(ValueError, match=r"degree 2 of shape \(3, 4, 2, 4, 2, 4\), got \(3, 4\)"):
        layer.load_dense(2, torch.zeros(3, 4))
    with pytest.raises(ValueError, match=r"has degrees \(0, 1, 2\), not 5"):
        layer.load_dense(5, torch.zeros(3, 4))


def test_loading_into_single_precision(zoo: ModuleType) -> None:
    layer = zoo.Cubic()
    x = torch.randn(4, 3, 3)
    y = layer(x)
    for degree in layer.layout.degrees:
        assert layer.load_dense(degree, layer.dense_weight(degree)) == 0.0
    torch.testing.assert_close(layer(x), y, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_dense_weights_are_symmetric(zoo: ModuleType, name: str) -> None:
    layer = make(zoo, name)
    sizes = (layer.in_channels, layer.layout.n_in)
    for degree in layer.layout.degrees:
        dense = layer.dense_weight(degree)
        assert dense.shape == (layer.out_channels, layer.layout.n_out, *sizes * degree)
        if degree >= 2:
            swapped = dense.transpose(2, 4).transpose(3, 5)
            torch.testing.assert_close(dense, swapped, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", LAYERS)
def test_basis(zoo: ModuleType, name: str) -> None:
    """One tensor per class, disjoint, symmetric; unit theta within a channel."""
    layer = make(zoo, name)
    for degree in layer.layout.degrees:
        basis = layer.basis(degree)
        n_in, n_out = layer.layout.n_in, layer.layout.n_out
        assert basis.shape == (layer.classes(degree), n_out, *(n_in,) * degree)
        assert ((basis != 0).sum(0) <= 1).all()
        if degree >= 2:
            torch.testing.assert_close(basis, basis.transpose(2, 3), rtol=0, atol=1e-15)


def test_basis_is_what_a_parameter_multiplies(zoo: ModuleType) -> None:
    layer = make(zoo, "Cubic", 1, 1)
    for degree in layer.layout.degrees:
        parameter = layer.bias if degree == 0 else getattr(layer, f"weight_{degree}")
        sizes = (layer.layout.n_out, *(layer.layout.n_in,) * degree)
        spelled = torch.einsum("m,m...->...", parameter.flatten(), layer.basis(degree))
        torch.testing.assert_close(layer.dense_weight(degree).reshape(sizes), spelled)


@pytest.mark.parametrize("name", ["Cycle", "Collide", "Fixed"])
def test_coefficients_are_those_of_the_diagrams(zoo: ModuleType, name: str) -> None:
    """Theta is orthonormal over slots: every slot of a class carries theta / sqrt(size)."""
    layer = make(zoo, name)
    for block in layer.layout.blocks:
        found = layer.coefficients(block.degree, block.shape)
        theta = getattr(layer, block.name)
        data = __import__("zoo.tables", fromlist=["*"]).expand_block(name, *block[:2])
        torch.testing.assert_close(found, theta / data.sizes.sqrt())
        assert torch.equal(layer.coefficients(block.degree), found) or len(block.shape) > 1
    with pytest.raises(ValueError, match="not 9"):
        layer.coefficients(9)
    with pytest.raises(ValueError, match=r"not \(1, 1, 1\)"):
        layer.coefficients(2, (1, 1, 1))


def test_classes_are_numbered_by_their_least_slot(zoo: ModuleType) -> None:
    tying = solve_posed(pose("C_4", (0, 1, 2), inputs=2, outputs=3, name="Cycle")).tying((2,))
    layer = make(zoo, "Cycle")
    assert layer.classes(2) == tying.classes
    first = layer.basis(2).reshape(tying.classes, -1).abs().argmax(1)
    assert first.tolist() == sorted(first.tolist())


def test_gradients_flow_through_dense_weights(zoo: ModuleType) -> None:
    for name in ("Cycle", "Factored", "Collide"):
        layer = make(zoo, name)
        loss = sum((layer.dense_weight(d) ** 2).sum() for d in layer.layout.degrees)
        found = torch.autograd.grad(loss, list(layer.parameters()))
        assert all(g.abs().sum() > 0 for g in found if g.numel())


def test_words_about_a_layer(zoo: ModuleType) -> None:
    layer = make(zoo, "Cycle")
    assert repr(layer) == (
        "Cycle(2 x 4 -> 3 x 4, classes 0: 1, 1: 4, 2: 10, mixing=full, backend=auto)"
    )
    assert "mixing=factored(rank 3)" in repr(make(zoo, "Factored"))
    text = layer.explain()
    for words in ("form: monomial", "monomial: 1 ms", "forward-mode AD", "make_fx", "It commutes"):
        assert words in text
    assert "factored" not in text
    assert "above 64" in zoo.Dense(65, 1).explain()
    assert "dense tensor" in make(zoo, "Cycle", backend="reference").explain()
