"""Homeostatic layers: when adaptation is stable, where it ends, and what it lowers.

These are the proofs behind docs/homeostatic.md.
"""

from __future__ import annotations

import math
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest
import sympy
import torch
from torch import Tensor
from torch.func import jacrev

from tests.emit.homeostatic import (
    adapt,
    draw_input,
    draw_weights,
    find_module,
    follow,
    make_homeostatic,
    make_layer,
)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return make_homeostatic(tmp_path_factory.mktemp("homeostatic"))


def make_adapted(package: ModuleType, n: int, leak: float, r: Tensor, **facts: Any) -> Any:
    """Make a layer with a target of one input, and weights far from any fixed point."""
    facts = {"sigma": 0.7, "alpha": 0.3} | facts
    layer = make_layer(package, n, leak=leak, allow_unstable=True, **facts)
    layer.calibrate_(r)
    layer.set_parameters({"weights": draw_weights(n)})
    return layer


def list_spectrum(found: Any) -> Tensor:
    """All factors, increasing: those on pooled activities, and those no response sees."""
    unseen = torch.full((found.null_dim,), found.null_multiplier, dtype=torch.float64)
    return torch.cat([found.multipliers, unseen]).sort().values


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("leak", [0.1, 0.0, -0.1, 1.4])
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_the_spectrum_of_the_whole_update(
    package: ModuleType, n: int, leak: float, silent: bool
) -> None:
    r = draw_input(n, silent)
    layer = make_adapted(package, n, leak, draw_input(n))
    jacobian = jacrev(lambda w: follow(package, layer, r, w))(layer.weights)
    eigenvalues = torch.linalg.eigvals(jacobian.reshape(n * n, n * n))
    found = layer.stability(r, at="present")
    assert eigenvalues.imag.abs().max() < 1e-8
    assert (eigenvalues.real.sort().values - list_spectrum(found)).abs().max() < 1e-8
    assert found.spectral_radius == pytest.approx(float(eigenvalues.abs().max()), abs=1e-8)
    if any(r > 0):
        layer.alpha = found.alpha_max
        fastest = layer.stability(r, at="present").multipliers[0]
        assert float(fastest) == pytest.approx(-1, abs=1e-12)
    assert leak == 0 or found.weight_stable == bool(eigenvalues.abs().max() < 1)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_what_no_response_sees(package: ModuleType, n: int) -> None:
    """Deviations Z with Z r = 0, all and symmetric ones, have the dimension and factor told."""
    r = draw_input(n)
    layer = make_adapted(package, n, 0.15, draw_input(n))
    found = layer.stability(r, at="present")
    jacobian = jacrev(lambda w: follow(package, layer, r, w))(layer.weights)
    jacobian = jacobian.reshape(n * n, n * n)
    pool = torch.kron(torch.eye(n, dtype=torch.float64), r[None])
    swap = torch.eye(n * n, dtype=torch.float64).reshape(n, n, n, n).transpose(0, 1)
    skew = torch.eye(n * n, dtype=torch.float64) - swap.reshape(n * n, n * n)
    for rows, dim in ((pool, found.null_dim), (torch.cat([pool, skew]), found.null_dim_symmetric)):
        null = torch.linalg.svd(rows, full_matrices=True)
        basis = null.Vh[int((null.S > 1e-10).sum()) :]
        assert len(basis) == dim
        moved = basis @ jacobian.mT
        torch.testing.assert_close(moved, found.null_multiplier * basis)


@pytest.mark.parametrize("fraction", [0.9, 1.1])
@pytest.mark.parametrize(("n", "leak"), [(1, 0.3), (2, 0.05), (5, 0.1), (5, 1.2)])
def test_alpha_max_is_where_adaptation_stops_converging(
    package: ModuleType, n: int, leak: float, fraction: float
) -> None:
    """600 steps from a deviation of 1e-6: below it rounding is left, above it more than 1e-3."""
    before, r = draw_input(n), draw_input(n)
    layer = make_layer(package, n, sigma=0.6, leak=leak)
    layer.calibrate_(before)
    largest = layer.stability(r).alpha_max
    layer.alpha = fraction * largest
    fixed = layer.fixed_point(r)
    assert fixed.residual < 1e-13
    assert layer.stability(r).alpha_max == pytest.approx(largest, rel=1e-12)
    assert layer.stability(r).weight_stable == (fraction < 1)
    layer.set_parameters({"weights": fixed.weights + 1e-6 * draw_weights(n)})
    adapt(layer, r, 600)
    distance = float((layer.weights - fixed.weights).abs().max())
    if fraction < 1:
        assert distance < 1e-12
    else:
        assert distance > 1e-3


def test_stability_is_lost_once(package: ModuleType) -> None:
    """Below alpha_max every alpha is stable, above it none is: 24 inputs, 33 rates each."""
    stability = find_module(package, "stability")
    for trial in range(24):
        n = 1 + trial % 6
        layer = make_layer(package, n, sigma=0.2 + trial / 24, leak=0.02 + 0.08 * trial)
        layer.calibrate_(3 * draw_input(n, silent=trial % 4 == 3 and n > 1))
        system = layer._pose(draw_input(n, silent=trial % 4 == 1 and n > 1))
        largest = stability.find_largest_alpha(system)
        rates = [largest * 1.3**k for k in range(-16, 17)]
        below = [stability._settles(system, rate) for rate in rates if rate != largest]
        assert below == [rate < largest for rate in rates if rate != largest]


@pytest.mark.parametrize("leak", [0.05, 0.4, 1.9])
def test_the_bound_before_any_adaptation(package: ModuleType, leak: float) -> None:
    """alpha <= (2 - leak) sigma^6 / (2 max r^3) is stable wherever W r >= 0.

    It is so at the fixed point if alpha <= leak as well: W* is then a mean of C and R R^T.
    """
    for n in (1, 2, 3, 5, 8):
        layer = make_adapted(package, n, leak, draw_input(n), sigma=0.9)
        r = draw_input(n)
        bound = (2 - leak) * 0.9**6 / (2 * float(r.max()) ** 3)
        assert bound <= layer.stability(r, at="present").alpha_max
        layer.alpha = min(leak, bound)
        assert bool((layer.fixed_point(r).weights >= 0).all())
        assert layer.stability(r).weight_stable


def test_weights_that_start_positive_stay_so(package: ModuleType) -> None:
    layer = make_adapted(package, 4, 0.3, draw_input(4), alpha=0.3)
    for _ in range(50):
        adapt(layer, 5 * draw_input(4, silent=True), 1)
        assert bool((layer.weights >= 0).all())


def test_six_starts_meet(package: ModuleType) -> None:
    """From anywhere the weights end at the fixed point found by Newton; the energy never rises."""
    n = 5
    r = draw_input(n)
    layer = make_layer(package, n, sigma=0.6, leak=0.1)
    layer.calibrate_(draw_input(n))
    layer.alpha = 0.5 * layer.stability(r).alpha_max
    expected = layer.fixed_point(r)
    for _ in range(6):
        layer.set_parameters({"weights": draw_weights(n, 6.0)})
        energies = [float(layer.energy(r))]
        for _ in range(400):
            adapt(layer, r, 1)
            energies.append(float(layer.energy(r)))
        assert max(b - a for a, b in pairwise(energies)) < 1e-13
        assert (layer.weights - expected.weights).abs().max() < 1e-10
        assert (layer(r) - expected.responses).abs().max() < 1e-10


def test_the_energy_may_rise_beyond_alpha_max(package: ModuleType) -> None:
    r = draw_input(5)
    layer = make_layer(package, 5, sigma=0.6, leak=0.1)
    layer.calibrate_(r)
    layer.alpha = 1.1 * layer.stability(r).alpha_max
    adapt(layer, r, 300)
    energies = []
    for _ in range(20):
        adapt(layer, r, 1)
        energies.append(float(layer.energy(r)))
    assert max(b - a for a, b in pairwise(energies)) > 1e-3


@pytest.mark.parametrize("leak", [0.2, 0.0, -0.1])
def test_pooled_activity_descends_the_energy(package: ModuleType, leak: float) -> None:
    """One adaptation moves v by -(1 / R) dPhi/dv: a gradient in a metric that depends on R."""
    stability = find_module(package, "stability")
    r = draw_input(6, silent=True)
    layer = make_adapted(package, 6, leak, draw_input(6))
    system = layer._pose(r)
    v = (layer.weights @ r / 6).requires_grad_()
    (slope,) = torch.autograd.grad(stability.measure_energy(system, v), v)
    moved = follow(package, layer, r, layer.weights) @ r / 6 - v.detach()
    active = r > 0
    responses = layer(r)
    assert (moved + slope / responses)[active].abs().max() < 1e-12
    assert not slope[~active].any()
    # And with the energy that the layer reports, through W.
    weights = layer.weights.clone().requires_grad_()
    layer.weights = weights
    (through,) = torch.autograd.grad(layer.energy(r), weights)
    torch.testing.assert_close(through, torch.outer(slope, r / 6))


@pytest.mark.parametrize("leak", [0.2, 0.0])
def test_the_energy_is_convex_in_the_logarithm_of_the_pool(
    package: ModuleType, leak: float
) -> None:
    stability = find_module(package, "stability")
    layer = make_adapted(package, 4, leak, draw_input(4))
    system = layer._pose(draw_input(4))

    def energy(xi: Tensor) -> Tensor:
        found: Tensor = stability.measure_energy(system, xi.exp() - layer.facts.sigma**2)
        return found

    for _ in range(20):
        hessian = jacrev(jacrev(energy))(torch.randn(4, dtype=torch.float64))
        assert float(torch.linalg.eigvalsh(hessian).min()) > 0


def test_the_energy_is_unbounded_below_when_the_leak_is_negative(package: ModuleType) -> None:
    r = draw_input(3)
    layer = make_adapted(package, 3, -0.05, r)
    found = []
    for size in (1e2, 1e4, 1e6):
        layer.weights.fill_(size)
        found.append(float(layer.energy(r)))
    assert found[2] < 10 * found[1] < 100 * found[0] < 0
    with pytest.raises(ValueError, match="no unique fixed point"):
        layer.fixed_point(r)
    assert layer.stability(r).spectral_radius >= 1.05


def test_a_negative_leak_runs_away_at_its_rate(package: ModuleType) -> None:
    """A deviation of 1e-12 that no response sees grows by log(1 + beta) a step, within 5 %.

    The responses stay where they are until the weights are gone.
    """
    r = torch.full((3,), 1.2, dtype=torch.float64)
    unseen = torch.tensor([[1.0, -1, 0], [-1, 2, -1], [0, -1, 1]], dtype=torch.float64)
    assert not (unseen @ r).any()
    layer, twin = package.Runaway(), package.Runaway()
    for each in (layer, twin):
        each.facts = each.facts._replace(sigma=math.sqrt(0.1))
        each.calibrate_(r)
    layer.weights += 1e-12 * unseen
    sizes = []
    for _ in range(6):
        adapt(layer, r, 100)
        adapt(twin, r, 100)
        sizes.append(float((layer.weights - twin.weights).abs().max()))
    assert sizes[-1] > 1
    rates = [math.log(b / a) / 100 for a, b in pairwise(sizes)]
    assert rates == pytest.approx([math.log(1.05)] * 5, rel=0.05)
    torch.testing.assert_close(layer(r), twin(r), rtol=1e-9, atol=0.0)
    found = twin.stability(r, at="present")
    assert found.output_stable
    assert not found.weight_stable
    assert found.null_multiplier == 1.05
    assert found.spectral_radius == 1.05


@pytest.mark.parametrize("leak", [0.01, 0.3, 1.0])
@pytest.mark.parametrize("alpha", [0.05, 0.8])
def test_the_cubic_of_one_neuron(package: ModuleType, alpha: float, leak: float) -> None:
    """alpha R^3 - ((alpha - leak) R_0^2 - leak (1/R_0 - 1)) R - leak = 0, with R_0 calibrated."""
    for r in (0.1, 1.0, 4.0):
        layer = make_layer(package, 1, sigma=0.8, alpha=alpha, leak=leak)
        drive = torch.tensor([r], dtype=torch.float64)
        layer.calibrate_(drive)
        start, found = float(layer(drive)), float(layer.fixed_point(drive).responses)
        slope = (alpha - leak) * start**2 - leak * (1 / start - 1)
        assert alpha * found**3 - slope * found - leak == pytest.approx(0.0, abs=1e-13)
        (multiplier,) = layer.stability(drive).multipliers.tolist()
        assert multiplier == pytest.approx(1 - leak - 2 * alpha * found**3, abs=1e-12)


def test_equal_inputs_have_three_factors(package: ModuleType) -> None:
    layer = make_adapted(package, 4, 0.2, draw_input(4))
    layer.set_parameters({"weights": torch.full((4, 4), 0.6)})
    r = torch.full((4,), 1.1, dtype=torch.float64)
    response, found = float(layer(r)[0]), layer.stability(r, at="present")
    single = 1 - 0.2 - 0.3 * response**3
    expected = [single - 0.3 * response**3, single, single, single]
    assert found.multipliers.tolist() == pytest.approx(expected, abs=1e-12)


def test_without_leak_nothing_moves_under_the_input_of_the_start(package: ModuleType) -> None:
    layer, r = package.Still(dtype=torch.float64), draw_input(3)
    adapt(layer, r, 50)
    assert torch.equal(layer.weights, torch.ones_like(layer.weights))
    found = layer.fixed_point(r)
    assert found.residual < 1e-15
    torch.testing.assert_close(found.weights, layer.weights)
    assert layer.stability(r).output_stable
    assert not layer.stability(r).weight_stable


def test_silent_neurons_have_no_part_in_the_stability_of_responses(package: ModuleType) -> None:
    """What feeds a silent neuron does not fade without leak; the responses return all the same."""
    layer = package.Still(dtype=torch.float64)
    r = draw_input(3, silent=True)
    layer.calibrate_(r)
    found = layer.stability(r)
    assert found.multipliers[-1] == 1.0
    assert found.output_stable
    layer.set_parameters({"weights": draw_weights(3)})
    adapt(layer, r, 3000)
    torch.testing.assert_close(layer(r), layer.fixed_point(r).responses)


def test_with_leak_the_first_steps_leave_the_start(package: ModuleType) -> None:
    """The source's W = C and R R^T = C is not where one ends: a fixed point is neither."""
    layer, r = package.Neurons(), draw_input(5)
    layer.calibrate_(r)
    fixed = layer.fixed_point(r)
    outer = torch.outer(fixed.responses, fixed.responses)
    assert (outer - layer.target).abs().max() > 1e-2
    assert (fixed.weights - layer.target).abs().max() > 1e-2
    assert fixed.residual < 1e-14
    assert int((torch.linalg.svdvals(fixed.weights) > 1e-10).sum()) == 2


def test_weights_equal_to_the_target_rest_for_one_input_alone(package: ModuleType) -> None:
    """W = C stays for active inputs all equal to sigma^2 / (1 - m / n), with responses 1."""
    layer = make_layer(package, 4, sigma=0.5**0.5, alpha=0.3, leak=0.2)
    r = torch.tensor([1.0, 1.0, 0.0, 0.0], dtype=torch.float64)
    layer.calibrate_(r)
    layer.set_parameters({"weights": layer.target})
    torch.testing.assert_close(layer(r), (r > 0).double())
    adapt(layer, r, 3)
    assert (layer.weights - layer.target).abs().max() < 1e-15
    layer.calibrate_(0.9 * r)
    layer.set_parameters({"weights": layer.target})
    adapt(layer, 0.9 * r, 1)
    assert (layer.weights - layer.target).abs().max() > 1e-3


def test_without_leak_responses_rest_and_weights_drift(package: ModuleType) -> None:
    """A target of several inputs: R = C r / sqrt(r.C r), and W moves on where Z r = 0."""
    layer, r = package.Still(dtype=torch.float64), draw_input(3)
    layer.calibrate_(torch.stack([draw_input(3), draw_input(3)]))
    expected = layer.target @ r / (r @ layer.target @ r).sqrt()
    fixed = layer.fixed_point(r)
    torch.testing.assert_close(fixed.responses, expected)
    adapt(layer, r, 4000)
    torch.testing.assert_close(layer(r), expected)
    before = layer.dense_weight()
    adapt(layer, r, 1)
    drift = layer.weights - before
    assert drift.abs().max() == pytest.approx(fixed.residual, rel=1e-6)
    assert fixed.residual > 1e-3
    assert (drift @ r).abs().max() < 1e-12
    # The nearest weights with these responses, symmetric as the present ones.
    nearest = layer.fixed_point(r).weights
    torch.testing.assert_close(nearest, before, rtol=0.0, atol=2 * fixed.residual)
    torch.testing.assert_close(nearest, nearest.mT)


def test_without_leak_responses_return_to_those_of_the_start(package: ModuleType) -> None:
    """A target of one input: whatever comes, its responses are those of that input, R = R_0."""
    layer, before = package.Still(dtype=torch.float64), draw_input(3)
    start = layer(before)
    layer.adapt_()
    for _ in range(3):
        r = draw_input(3)
        adapt(layer, r, 3000)
        torch.testing.assert_close(layer(r), start)
        torch.testing.assert_close(layer.fixed_point(r).responses, start)
        assert layer.fixed_point(r).residual < 1e-12


def test_without_leak_a_neuron_cannot_be_kept_silent(package: ModuleType) -> None:
    layer, r = package.Still(dtype=torch.float64), draw_input(3)
    layer.calibrate_(torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64))
    with pytest.raises(ValueError, match="target is zero"):
        layer.fixed_point(r)
    layer.leak = 0.1
    assert layer.fixed_point(r).residual < 1e-13


def test_silence(package: ModuleType) -> None:
    """No input at all: nothing responds, the weights relax to where products have no part."""
    layer, nothing = package.Neurons(), torch.zeros(5, dtype=torch.float64)
    layer.calibrate_(draw_input(5))
    found, fixed = layer.stability(nothing), layer.fixed_point(nothing)
    assert found.multipliers.tolist() == [0.9] * 5
    assert found.alpha_max == math.inf
    assert fixed.responses.tolist() == [0.0] * 5
    torch.testing.assert_close(fixed.weights, -layer.target)
    adapt(layer, nothing, 300)
    torch.testing.assert_close(layer.weights, fixed.weights)


def test_extreme_inputs_reach_rounding(package: ModuleType) -> None:
    for scale in (1e-8, 1e-3, 1e3, 1e8):
        layer = make_layer(package, 4, sigma=0.5, alpha=0.1, leak=0.5)
        r = scale * draw_input(4)
        r[0] = 1e-12
        layer.calibrate_(draw_input(4))
        fixed = layer.fixed_point(r)
        assert fixed.residual < 1e-12
        assert bool(fixed.responses.isfinite().all())


def test_no_energy_of_the_weights_in_the_plain_metric() -> None:
    """Two neurons: the update has a curl on symmetric weights, unless the pools are equal."""
    w11, w12, w22, r1, r2, s, alpha, leak = sympy.symbols("w11 w12 w22 r1 r2 s a l", positive=True)
    c11, c12, c22 = sympy.symbols("c11 c12 c22", positive=True)
    u1, u2 = s + (w11 * r1 + w12 * r2) / 2, s + (w12 * r1 + w22 * r2) / 2
    f11 = alpha * ((r1 / u1) ** 2 - c11) - leak * (w11 - c11)
    f12 = alpha * (r1 * r2 / (u1 * u2) - c12) - leak * (w12 - c12)
    f22 = alpha * ((r2 / u2) ** 2 - c22) - leak * (w22 - c22)
    # <F, dW> = f11 dw11 + 2 f12 dw12 + f22 dw22 would be closed.
    curl = sympy.diff(f11, w12) - 2 * sympy.diff(f12, w11)
    assert sympy.simplify(curl - alpha * r1**2 * r2 * (u1 - u2) / (u1**3 * u2)) == 0
    point = {w11: 1, w12: 2, w22: 3, r1: 1, r2: 2, s: 1, alpha: 1, leak: sympy.Rational(1, 3)}
    assert curl.subs(point) != 0
    assert sympy.simplify(sympy.diff(f11, w22) - sympy.diff(f22, w11)) == 0


def test_the_energy_of_one_neuron() -> None:
    weight, drive, s, alpha, leak, target = sympy.symbols("w r s a l c", positive=True)
    response = drive / (s + weight * drive)
    energy = alpha * (response + target * weight) + leak / 2 * (weight - target) ** 2
    update = alpha * (response**2 - target) - leak * (weight - target)
    assert sympy.simplify(sympy.diff(energy, weight) + update) == 0
