"""Spectral layers: what they compute, how they start, their canonical form, their ties."""

from __future__ import annotations

import copy
import math
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from eqcompile.exact.signed import SignedPermutation
from tests.emit.parameterised_packages import describe_tie, make_package
from tests.emit.spectral import FREE, GROUPED, MODULES, PAIRS, install_spectral, make

MATRICES = ("Low", "Crowded", "Unit", "Frame", "Wide", "Narrow")


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return install_spectral(tmp_path_factory.mktemp("spectral"))


def draw(layer: Any, count: int = 5) -> Tensor:
    return torch.randn(count, layer.facts.n_in, dtype=torch.float64)


def sum_by_hand(layer: Any, z: Tensor) -> Tensor:
    """The definition, direction by direction and entry by entry."""
    (left, right), lam = layer.directions(), layer.full("lam")
    rows = []
    for row in z:
        overlaps = [sum(right[j, k] * row[j] for j in range(len(row))) for k in range(len(lam))]
        powers = torch.stack([torch.as_tensor(o) ** (layer.facts.order - 1) for o in overlaps])
        rows.append(sum(lam[k] * left[:, k] * powers[k] for k in range(len(lam))))
    bias = layer.full("bias") if layer.facts.bias else 0.0
    return torch.stack(rows) + bias


@pytest.mark.parametrize("name", FREE + GROUPED)
@pytest.mark.parametrize("backend", ["auto", "torch", "reference"])
def test_definition(layers: ModuleType, name: str, backend: str) -> None:
    layer = getattr(layers, name)(backend=backend)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    z = draw(layer)
    torch.testing.assert_close(layer(z), sum_by_hand(layer, z), rtol=1e-12, atol=1e-12)


def test_dense_weight_of_every_order(layers: ModuleType) -> None:
    low = layers.Low()
    expected = low.q @ torch.diag(low.lam) @ low.q.mT
    torch.testing.assert_close(low.dense_weight(), expected)
    wide = layers.Wide()
    assert wide.dense_weight().shape == (11, 7)
    torch.testing.assert_close(wide.dense_weight(), wide.u @ torch.diag(wide.lam) @ wide.v.mT)
    quadratic = layers.Quadratic()
    expected = torch.einsum("r,kr,ir,jr->kij", quadratic.lam, *[quadratic.q] * 3)
    torch.testing.assert_close(quadratic.dense_weight(), expected)


def test_quadratic_layers_are_tensors_of_order_three(layers: ModuleType) -> None:
    """Matrices ``W^k = sum_r a_kr lam_r v_r v_r^T``, one per output: u holds the a."""

    class Forms(layers.SpectralLayer):  # type: ignore
        facts = layers.SpectralFacts("Forms", 4, 3, "float64", False, 5, order=3)

    layer, z = Forms(), torch.randn(6, 4, dtype=torch.float64)
    found = []
    for k in range(3):
        matrix = layer.v @ torch.diag(layer.u[k] * layer.lam) @ layer.v.mT
        found.append(((z @ matrix) * z).sum(-1))
    torch.testing.assert_close(layer(z), torch.stack(found, -1))


@pytest.mark.parametrize(
    "name", ["Low", "Crowded", "Wide", "Quadratic", "Cubic", "Turns", "Unit", "Frame", "Narrow"]
)
def test_every_output_starts_with_variance_one(layers: ModuleType, name: str) -> None:
    """Exactly: moments are taken from the dense tensor, not from the formula of the start."""
    for _ in range(3):
        layer = getattr(layers, name)()
        variances = expect_variances(layer.dense_weight().detach())
        assert float((variances - 1).abs().max()) < 1e-3, variances


@pytest.mark.parametrize("n", [1, 2, 5, 9, 40])
def test_drawn_directions_are_orthonormal_and_even(layers: ModuleType, n: int) -> None:
    draw = sys.modules[f"{layers.__package__}.directions"].draw_directions
    for d in sorted({1, 2, n // 2, n - 1, n} & set(range(1, n + 1))):
        found = draw(n, d, dtype=torch.float64, device=torch.device("cpu"))
        torch.testing.assert_close(found.mT @ found, torch.eye(d, dtype=torch.float64))
        torch.testing.assert_close(found.square().sum(1), torch.full((n,), d / n).double())


@pytest.mark.parametrize("name", ["Pairs", "Folds"])
def test_tied_and_constrained_outputs_start_with_mean_variance_one(
    layers: ModuleType, name: str
) -> None:
    layer = getattr(layers, name)()
    assert float(expect_variances(layer.dense_weight().detach()).mean()) == pytest.approx(1)


def expect_variances(dense: Tensor) -> Tensor:
    """Return the variance of each ``sum T[k, i, ..] z_i ..`` over unit normal z, by quadrature."""
    nodes, weights = hermite(8)
    n, degree = dense.shape[-1], dense.ndim - 1
    if degree == 1:
        return (dense**2).sum(-1)
    grid = torch.cartesian_prod(*[nodes] * n) if n > 1 else nodes[:, None]
    chance = torch.cartesian_prod(*[weights] * n).prod(-1) if n > 1 else weights
    y = grid @ dense.reshape(-1, n).mT
    for _ in range(degree - 1):
        y = (y.reshape(len(grid), -1, n) @ grid[:, :, None]).squeeze(-1)
    mean = chance @ y
    return chance @ (y - mean) ** 2


def hermite(count: int) -> tuple[Tensor, Tensor]:
    """Return nodes and weights that integrate polynomials below degree 2 count exactly."""
    roots = torch.arange(1, count, dtype=torch.float64).sqrt()
    values, vectors = torch.linalg.eigh(torch.diag(roots, 1) + torch.diag(roots, -1))
    return values, vectors[0] ** 2


def test_rows_at_scale_have_variance_one(layers: ModuleType) -> None:
    class Large(layers.SpectralLayer):  # type: ignore
        facts = layers.SpectralFacts("Large", 700, 700, "float32", True, 5)

    weight = Large().dense_weight().detach().double()
    assert float(((weight**2).sum(-1) - 1).abs().max()) < 1e-3


def test_directions_start_orthonormal_with_both_signs(layers: ModuleType) -> None:
    for name in ("Frame", "Narrow"):
        layer = getattr(layers, name)()
        for side in layer.sides:
            gram = getattr(layer, side).mT @ getattr(layer, side)
            torch.testing.assert_close(gram, torch.eye(layer.rank, dtype=torch.float64))
    signs = {tuple(layers.Low().lam.sign().tolist()) for _ in range(40)}
    assert len(signs) == 6
    assert {sum(own) for own in signs} == {-1, 1}


@pytest.mark.parametrize("name", ["Wide", "Cubic"])
def test_imbalance_leaves_the_variance_alone(layers: ModuleType, name: str) -> None:
    layer = getattr(layers, name)()
    ratio = layer.u.norm() / layer.v.norm()
    assert float(ratio.detach()) == pytest.approx(layer.facts.imbalance)


@pytest.mark.parametrize("name", ["Unit", "Frame", "Narrow", "Pairs", "Folds"])
def test_constraints_hold_for_any_parameters(layers: ModuleType, name: str) -> None:
    layer = getattr(layers, name)()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_().mul_(5)
    for side in layer.directions():
        gram = side.mT @ side
        if layer.facts.constraint == "column_norm":
            gram = torch.diag(gram.diagonal())
        torch.testing.assert_close(gram, torch.eye(len(gram), dtype=torch.float64))


def test_qr_is_continuous(layers: ModuleType) -> None:
    """Signs are fixed by the parameters: a small step never flips a direction."""
    layer = layers.Frame()
    with torch.no_grad():
        layer.q.normal_()
        before = layer.directions()[0].clone()
        assert float((before * layer.q).sum(0)[0]) > 0
        layer.q += 1e-6 * torch.randn_like(layer.q)
        assert float((layer.directions()[0] - before).abs().max()) < 1e-4


@pytest.mark.parametrize("name", MATRICES)
def test_canonical_form(layers: ModuleType, name: str) -> None:
    layer = getattr(layers, name)()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    weight, z = layer.dense_weight().detach(), draw(layer)
    y = layer(z).detach()
    assert layer.canonicalize_() is layer
    torch.testing.assert_close(layer(z), y, rtol=1e-13, atol=1e-13)
    lam, used = layer.lam.detach(), min(layer.rank, *weight.shape)
    assert bool((lam.abs().diff() <= 0).all())
    for stored in (getattr(layer, side) for side in layer.sides):
        kept = stored[:, :used]
        torch.testing.assert_close(kept.mT @ kept, torch.eye(used, dtype=torch.float64))
    expected = torch.linalg.svdvals(weight)[:used]
    torch.testing.assert_close(lam[:used].abs(), expected)
    first = layer.directions()[0]
    assert bool((first.gather(0, first.abs().argmax(0, keepdim=True)) > 0).all())
    assert layer.facts.square or bool((lam >= 0).all())


def test_canonical_forms_of_equal_functions_are_equal(layers: ModuleType) -> None:
    layer = layers.Low()
    with torch.no_grad():
        layer.lam.mul_(torch.tensor([3.0, 1.0, 2.0]))
    other = copy.deepcopy(layer)
    with torch.no_grad():
        order = torch.tensor([2, 0, 1])
        other.q.copy_(-2 * other.q[:, order])
        other.lam.copy_(other.lam[order] / 4)
    for one in (layer, other):
        one.canonicalize_()
    torch.testing.assert_close(layer.q, other.q)
    torch.testing.assert_close(layer.lam, other.lam)


@pytest.mark.parametrize("name", [*MATRICES, "Dull"])
def test_canonical_form_of_equal_strengths(layers: ModuleType, name: str) -> None:
    """Directions of equal strengths can be turned into each other; the form does not depend on it.

    All strengths are equal at the start, and in layers of one direction all entries are.
    """
    layer = make(layers, 6, 6, "float64", True, 1) if name == "Dull" else getattr(layers, name)()
    z = draw(layer)
    y = layer(z).detach()
    layer.canonicalize_()
    torch.testing.assert_close(layer(z), y, rtol=1e-12, atol=1e-12)
    assert bool((layer.lam.abs().diff() <= 0).all())
    other = copy.deepcopy(layer)
    with torch.no_grad():
        equal = (layer.lam == layer.lam[0]).sum()
        turn = torch.linalg.qr(torch.randn(equal, equal, dtype=torch.float64)).Q
        for side in layer.sides:
            stored = getattr(other, side)
            stored[:, :equal] = stored[:, :equal] @ turn
    other.canonicalize_()
    for name_, parameter in layer.named_parameters():
        torch.testing.assert_close(parameter, other.get_parameter(name_), rtol=0, atol=1e-12)


def test_canonical_form_without_full_rank_is_not_dead(layers: ModuleType) -> None:
    layer = layers.Low()
    with torch.no_grad():
        layer.q[:, 2] = layer.q[:, 0]
    weight = layer.dense_weight().detach()
    layer.canonicalize_()
    torch.testing.assert_close(layer.dense_weight(), weight)
    torch.testing.assert_close(layer.q.norm(dim=0), torch.ones(3, dtype=torch.float64))
    assert layer.lam[2] == 0


def test_canonical_form_stays_tied_or_is_refused(layers: ModuleType) -> None:
    pairs = layers.Pairs()
    weight = pairs.dense_weight().detach()
    pairs.canonicalize_()
    torch.testing.assert_close(pairs.dense_weight(), weight)
    turns = layers.Turns()
    before = copy.deepcopy(turns.state_dict())
    with pytest.raises(RuntimeError, match="would break the ties of lam"):
        turns.canonicalize_()
    assert all(torch.equal(before[key], value) for key, value in turns.state_dict().items())


@pytest.mark.parametrize("beta", [None, 0.5])
def test_rebalancing_keeps_the_function(layers: ModuleType, beta: float | None) -> None:
    class Free(layers.SpectralLayer):  # type: ignore
        facts = layers.SpectralFacts("Free", 6, 8, "float64", False, 3, imbalance=9.0)

    layer = Free()
    with torch.no_grad():
        layer.lam[1] = 0.0
        layer.u *= torch.tensor([1.0, 1e-3, 2.0])
    weight, largest = layer.dense_weight().detach(), torch.linalg.matrix_norm(layer.u.detach(), 2)
    assert layer.rebalance_(beta) is layer
    torch.testing.assert_close(layer.dense_weight(), weight)
    size = float(largest) if beta is None else beta
    gram = layer.u.mT @ layer.u
    torch.testing.assert_close(gram, size**2 * torch.eye(3, dtype=torch.float64))
    assert bool((layer.lam == 1).all())


def test_refusals(layers: ModuleType) -> None:
    with pytest.raises(RuntimeError, match="needs free directions u and v"):
        layers.Low().rebalance_()
    with pytest.raises(RuntimeError, match="needs free directions u and v"):
        layers.Narrow().rebalance_()
    with pytest.raises(RuntimeError, match="canonicalize_ needs order 2, not 3"):
        layers.Quadratic().canonicalize_()
    with pytest.raises(ValueError, match="beta is positive and finite, got -1"):
        layers.Wide().rebalance_(-1.0)
    with pytest.raises(RuntimeError, match="no kernels"):
        layers.Low(backend="triton")
    with pytest.raises(ValueError, match="backend is one of"):
        layers.Low(backend="cuda")

    class Huge(layers.SpectralLayer):  # type: ignore
        facts = layers.SpectralFacts("Huge", 300, 300, "float32", True, 2, order=4)

    with pytest.raises(RuntimeError, match="its dense tensor has 8,100,000,000 entries"):
        Huge(backend="reference")
    with pytest.raises(RuntimeError, match="its dense tensor"):
        Huge().dense_weight()

    class Many(layers.SpectralLayer):  # type: ignore
        facts = layers.SpectralFacts("Many", 3, 5, "float32", False, 4, constraint="qr")

    with pytest.raises(ValueError, match="there are no 4 orthonormal directions"):
        Many()


def test_qr_needs_as_many_orbits_as_directions(tmp_path: Path) -> None:
    """Six neurons in pairs have four orbits: rank 3 fits (see Pairs), rank 5 does not."""
    facts = '"Few", 6, 6, "float64", True, 5, constraint="qr", ties=("q",)'
    text = (
        "from .spectral import SpectralFacts, SpectralLayer\n\n\n"
        f"class Few(SpectralLayer):\n    facts = SpectralFacts({facts})\n"
    )
    tie = describe_tie("Few.q", PAIRS, [SignedPermutation.identity(5)])
    few = make_package(tmp_path, MODULES, text, {"parameters": [tie]})
    with pytest.raises(ValueError, match="Few: there are no 5 orthonormal directions"):
        few.Few()


@pytest.mark.parametrize("name", FREE + GROUPED)
def test_state_travels(layers: ModuleType, name: str) -> None:
    layer = getattr(layers, name)()
    z = draw(layer)
    for other in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        assert torch.equal(other(z), layer(z))
    fresh = getattr(layers, name)()
    fresh.load_state_dict(layer.state_dict())
    assert torch.equal(fresh(z), layer(z))


def test_a_grown_layer_loads_into_a_fresh_one(layers: ModuleType) -> None:
    grown, fresh = layers.Wide(), layers.Wide()
    grown.grow_(2)
    fresh.load_state_dict(grown.state_dict())
    z = draw(grown)
    assert torch.equal(fresh(z), grown(z))
    assert fresh.rank == 6
    fresh.reset_parameters()
    assert fresh.rank == 6
    with pytest.raises(RuntimeError, match="size mismatch"):
        layers.Low().load_state_dict(layers.Unit().state_dict())


def test_words(layers: ModuleType) -> None:
    layer = layers.Wide()
    text = repr(layer)
    assert "7 -> 11, rank 4, order 2, constraint=none, bias=True, backend=auto" in text
    told = layer.explain()
    assert "y = sum_(k < 4) lam_k u_k (v_k . z) + bias" in told
    assert "72 multiply-adds per row in two products; dense weights need 77." in told
    assert "q_k (q_k . z)^2" in layers.Quadratic().explain()
    assert "the dense tensor" in layers.Low(backend="reference").explain()
    assert math.comb(6 + 1, 2) * 6 == 126
    assert "need 126" in layers.Quadratic().explain()
