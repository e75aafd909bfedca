"""Homeostatic layers: what they compute, how they adapt, what they keep and refuse."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, jvp, vmap

from eqcompile.exact.signed import SignedPermutation
from tests.emit.homeostatic import (
    LAYERS,
    MODULES,
    TIED,
    adapt,
    draw_input,
    draw_weights,
    find_module,
    make_homeostatic,
    make_layer,
)
from tests.emit.parameterised_packages import describe_tie, make_package

# Forward-mode AD imports decompositions that torch itself still scripts.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return make_homeostatic(tmp_path_factory.mktemp("homeostatic"))


def normalise(r: Tensor, weights: Tensor, sigma: float) -> Tensor:
    """The formula for one input, neuron by neuron."""
    n = len(r)
    pools = [sum(float(weights[i, j]) * float(r[j]) for j in range(n)) / n for i in range(n)]
    found = [float(r[i]) / (sigma**2 + pools[i]) for i in range(n)]
    return torch.tensor(found, dtype=torch.float64)


@pytest.mark.parametrize("backend", ["auto", "torch", "reference"])
def test_the_formula(package: ModuleType, backend: str) -> None:
    layer = package.Neurons(backend=backend)
    layer.set_parameters({"weights": torch.rand(5, 5, dtype=torch.float64)})
    r = torch.rand(2, 3, 5, dtype=torch.float64)
    expected = [normalise(own, layer.weights, 0.6) for own in r.reshape(-1, 5)]
    torch.testing.assert_close(layer(r).reshape(-1, 5), torch.stack(expected))
    torch.testing.assert_close(layer.dense_weight(), layer.weights)


@pytest.mark.parametrize("shape", [(5,), (0, 5), (1, 5), (2, 0, 5), (2, 3, 4, 5)])
def test_leading_shapes(package: ModuleType, shape: tuple[int, ...]) -> None:
    assert package.Neurons()(torch.rand(shape, dtype=torch.float64)).shape == shape


def test_nothing_is_trained(package: ModuleType) -> None:
    layer = package.Neurons()
    assert list(layer.parameters()) == []
    assert list(layer.state_dict()) == ["weights", "target", "calibrated"]
    assert torch.equal(layer.weights, torch.ones(5, 5, dtype=torch.float64))
    assert not layer.calibrated


def test_forward_changes_no_state(package: ModuleType) -> None:
    layer = package.Neurons()
    before = copy.deepcopy(layer.state_dict())
    layer(draw_input(5))
    for name, value in layer.state_dict().items():
        assert torch.equal(value, before[name])


def test_the_first_adaptation_sets_the_target(package: ModuleType) -> None:
    layer = package.Neurons()
    r, (alpha, leak) = draw_input(5), (0.2, 0.1)
    first = layer(r)
    ones = layer.weights.clone()
    change = layer.adapt_()
    target = torch.outer(first, first)
    torch.testing.assert_close(layer.target, target)
    assert layer.calibrated
    torch.testing.assert_close(layer.weights, ones - leak * (ones - target))
    torch.testing.assert_close(change, (layer.weights - ones).abs().max())
    second, before = layer(2 * r), layer.weights.clone()
    layer.adapt_()
    moved = alpha * (torch.outer(second, second) - target) - leak * (before - target)
    torch.testing.assert_close(layer.weights, before + moved)
    torch.testing.assert_close(layer.target, target)


def test_a_batch_adapts_by_its_mean(package: ModuleType) -> None:
    one, other = package.Neurons(), package.Neurons()
    r = torch.rand(2, 3, 5, dtype=torch.float64)
    responses = one(r)
    one.adapt_()
    other.adapt_(responses)
    assert torch.equal(one.weights, other.weights)
    rows = responses.reshape(-1, 5)
    torch.testing.assert_close(one.target, sum(torch.outer(row, row) for row in rows) / 6)


def test_adaptation_is_in_place(package: ModuleType) -> None:
    layer = package.Neurons()
    weights, address = layer.weights, layer.weights.data_ptr()
    adapt(layer, draw_input(5), 3)
    assert layer.weights is weights
    assert weights.data_ptr() == address
    kept = layer.dense_weight()
    adapt(layer, 2 * draw_input(5), 1)
    assert not torch.equal(kept, layer.weights)


def test_an_adaptation_may_come_before_the_backward_pass(package: ModuleType) -> None:
    layer, twin = package.Neurons(), package.Neurons()
    r = draw_input(5).requires_grad_()
    found = layer(r).square().sum()
    layer.adapt_()
    expected = torch.autograd.grad(twin(r).square().sum(), r)[0]
    torch.testing.assert_close(torch.autograd.grad(found, r)[0], expected)


def test_calibration_starts_again(package: ModuleType) -> None:
    layer, r = package.Neurons(), draw_input(5)
    adapt(layer, 3 * r, 4)
    layer.calibrate_(r)
    assert torch.equal(layer.weights, torch.ones_like(layer.weights))
    responses = layer(r)
    torch.testing.assert_close(layer.target, torch.outer(responses, responses))
    layer.reset_parameters()
    assert not layer.calibrated
    assert not layer.target.any()


def test_derivatives(package: ModuleType) -> None:
    layer = package.Neurons()
    layer.set_parameters({"weights": draw_weights(5)})
    r = torch.rand(2, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (r,))
    assert torch.autograd.gradgradcheck(layer, (r,))


def test_transforms(package: ModuleType) -> None:
    layer = package.Neurons()
    layer.set_parameters({"weights": draw_weights(5)})
    r = torch.rand(4, 5, dtype=torch.float64)
    responses = layer(r)
    last = layer._last
    torch.testing.assert_close(vmap(layer)(r), responses)
    assert layer._last is last
    leaf = r.clone().requires_grad_()
    expected = torch.autograd.grad(layer(leaf).pow(2).sum(), leaf)[0]
    last = layer._last
    torch.testing.assert_close(grad(lambda z: layer(z).pow(2).sum())(r), expected)
    assert layer._last is last
    step = 1e-6 * torch.ones_like(r)
    difference = (layer(r + step) - layer(r - step)) / 2e-6
    torch.testing.assert_close(jvp(layer, (r,), (step / 1e-6,))[1], difference)
    state = {name: torch.stack([value] * 4) for name, value in layer.state_dict().items()}
    several = vmap(lambda own, z: functional_call(layer, own, (z,)))(state, r)
    torch.testing.assert_close(several, responses)
    # What a transform computes is no response that an adaptation could use.
    layer.adapt_()


def test_narrow_dtypes_run_in_float32(package: ModuleType) -> None:
    for dtype in (torch.bfloat16, torch.float16):
        layer, wide = package.Neurons(dtype=dtype), package.Neurons(dtype=torch.float32)
        r = (torch.rand(3, 5) + 0.5).to(dtype)
        responses = layer(r)
        assert torch.equal(responses, wide(r.float()).to(dtype))
        layer.adapt_()
        wide.adapt_(responses.float())
        assert torch.equal(layer.weights, wide.weights.to(dtype))


def test_autocast_rounds_no_weights(package: ModuleType) -> None:
    layer, twin = package.Still(), package.Still()
    for each in (layer, twin):
        each.set_parameters({"weights": 1 + 1e-3 * torch.arange(9.0).reshape(3, 3)})
    r = torch.rand(4, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        narrow = layer(r)
        layer.adapt_()
    assert torch.equal(narrow, twin(r.bfloat16().float()).bfloat16())
    twin.adapt_(narrow.float())
    assert layer.weights.dtype == torch.float32
    assert torch.equal(layer.weights, twin.weights)
    assert torch.equal(layer.target, twin.target)


def test_state_and_copies(package: ModuleType) -> None:
    layer, r = package.Neurons(), draw_input(5)
    adapt(layer, r, 5)
    layer.alpha = 0.05
    fresh = package.Neurons()
    fresh.load_state_dict(layer.state_dict())
    fresh.alpha = 0.05
    copies = [fresh, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]
    with pytest.raises(RuntimeError, match="no forward came before"):
        copies[1].adapt_()
    responses = layer(r)
    assert all(torch.equal(other(r), responses) for other in copies)
    layer.adapt_()
    for other in copies:
        other.adapt_(responses)
        assert torch.equal(other.weights, layer.weights)


def test_meta(package: ModuleType) -> None:
    for name in ("Neurons", "Ring"):
        cls = getattr(package, name)
        layer = cls(device="meta")
        n = layer.facts.n_in
        assert layer(torch.empty(3, n, device="meta", dtype=torch.float64)).shape == (3, n)
        layer = layer.to_empty(device="cpu")
        layer.reset_parameters()
        twin, r = cls(), draw_input(n)
        adapt(layer, r, 2)
        adapt(twin, r, 2)
        assert torch.equal(layer.weights, twin.weights)


def test_inference_mode(package: ModuleType) -> None:
    layer, twin, r = package.Neurons(), package.Neurons(), draw_input(5)
    with torch.inference_mode():
        layer(r)
    layer.adapt_()
    adapt(twin, r, 1)
    assert torch.equal(layer.weights, twin.weights)
    with torch.inference_mode():
        adapt(layer, r, 1)
    assert layer(r.requires_grad_()).requires_grad


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"leak": -0.1}, r"leak = -0.1 is unstable for two neurons or more.*1 \+ \|leak\|"),
    ({"alpha": -1.0}, "alpha not negative"),
    ({"sigma": 0.0}, "sigma is positive"),
    ({"leak": float("nan"), "allow_unstable": True}, "unstable"),
]


@pytest.mark.parametrize(("facts", "reason"), REFUSED)
def test_rates_are_refused(package: ModuleType, facts: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make_layer(package, 3, **facts)
    layer = make_layer(package, 3)
    for name in set(facts) & {"alpha", "leak"}:
        with pytest.raises(ValueError, match=reason):
            setattr(layer, name, facts[name])
        assert getattr(layer, name) == getattr(layer.facts, name)


def test_unstable_on_demand(package: ModuleType) -> None:
    layer = package.Runaway()
    assert layer.leak == -0.05
    layer.leak = -0.2
    assert layer.leak == -0.2


def test_sizes_must_agree(package: ModuleType) -> None:
    module = find_module(package, "homeostatic")
    facts = module.HomeostaticFacts("Wrong", 3, 4, "float32")
    with pytest.raises(ValueError, match="one set of neurons"):
        type("Wrong", (module.HomeostaticLayer,), {"facts": facts})()


def test_calls_are_refused(package: ModuleType) -> None:
    layer, r = package.Neurons(), draw_input(5)
    with pytest.raises(RuntimeError, match="no forward came before"):
        layer.adapt_()
    layer.calibrate_(r)
    for wrong in (torch.rand(4), torch.rand(0, 5), torch.tensor(1.0)):
        with pytest.raises(ValueError, match="at least one"):
            layer.adapt_(wrong)
    for method in (layer.stability, layer.fixed_point, layer.energy):
        with pytest.raises(ValueError, match="one constant input"):
            method(torch.rand(2, 5))
        with pytest.raises(ValueError, match="not negative"):
            method(-r)
    with pytest.raises(ValueError, match="'fixed point' or 'present'"):
        layer.stability(r, at="elsewhere")
    layer.set_parameters({"weights": -draw_weights(5, 20.0)})
    with pytest.raises(ValueError, match="denominator is not positive"):
        layer.energy(r)
    with pytest.raises(RuntimeError, match="no kernels"):
        package.Neurons(backend="triton")


def test_questions_before_any_adaptation(package: ModuleType) -> None:
    """Without a target the answers are those for the one that the first adaptation will set."""
    for name in ("Neurons", "Runaway"):
        layer = getattr(package, name)(dtype=torch.float64)
        r = draw_input(layer.facts.n_in)
        twin = copy.deepcopy(layer)
        twin.calibrate_(r)
        torch.testing.assert_close(layer.energy(r), twin.energy(r))
        for found, expected in zip(layer.stability(r), twin.stability(r), strict=True):
            assert found == pytest.approx(expected)
        assert not bool(layer.calibrated)
    with pytest.raises(ValueError, match="no unique fixed point"):
        layer.stability(r, at="fixed point")
    assert layer.stability(r).null_multiplier == 1.05
    layer = package.Neurons(dtype=torch.float64)
    responses = layer.fixed_point(draw_input(5)).responses
    assert bool((responses > 0).all())


def test_words(package: ModuleType) -> None:
    layer = package.Ring()
    assert repr(layer) == "Ring(7, sigma=0.7, alpha=0.3, leak=0.2, tied, backend=auto)"
    assert "alpha (<R R^T> - C) - leak (W - C)" in layer.explain()


def list_elements() -> list[Tensor]:
    """The four elements of the group of Ring, as matrices."""
    turn = torch.zeros(7, 7, dtype=torch.float64)
    for i, moved in enumerate((1, 2, 3, 0, 5, 4, 6)):
        turn[moved, i] = 1
    return [torch.linalg.matrix_power(turn, k) for k in range(4)]


def test_a_group_keeps_the_weights_in_its_commutant(package: ModuleType) -> None:
    layer, r = package.Ring(), torch.rand(3, 7, dtype=torch.float64)
    matrix = torch.randn(7, 7, dtype=torch.float64)
    mean = sum(g @ matrix @ g.mT for g in list_elements()) / 4
    torch.testing.assert_close(layer.symmetrise(matrix), mean)
    layer.set_parameters({"weights": matrix})
    torch.testing.assert_close(layer.weights, mean)
    layer.reset_parameters()
    for _ in range(3):
        layer(r)
        layer.adapt_()
    for g in list_elements():
        torch.testing.assert_close(g @ layer.weights, layer.weights @ g)
        torch.testing.assert_close(layer(r @ g.mT), layer(r) @ g.mT)
    assert (layer.weights - 1).abs().max() > 0.01


def test_a_group_counts_orbits(package: ModuleType) -> None:
    layer = package.Ring()
    r = torch.tensor([0.5, 0.5, 0.5, 0.5, 1.2, 1.2, 0.3], dtype=torch.float64)
    layer.calibrate_(r)
    found = layer.stability(r)
    # Orbits of neurons: ring, pair, one; of pairs: 4 + 2 + 1 within, 2 * (2 + 1 + 1) across.
    assert len(found.multipliers) == 3
    assert found.null_dim == 4 + 2 + 1 + 2 * (2 + 1 + 1) - 3
    # Steps by 1 and by 3 are one on the ring, and pairs across are one with their reverse.
    assert found.null_dim_symmetric == 3 + 2 + 1 + (2 + 1 + 1) - 3
    with pytest.raises(ValueError, match="inputs that it fixes"):
        layer.stability(draw_input(7))


def test_a_group_changes_nothing_for_inputs_it_fixes(package: ModuleType) -> None:
    tied = package.Ring()
    free = make_layer(package, 7, sigma=0.7, alpha=0.3, leak=0.2)
    r = torch.tensor([0.5, 0.5, 0.5, 0.5, 1.2, 1.2, 0.3], dtype=torch.float64)
    for layer in (tied, free):
        layer.calibrate_(r)
        adapt(layer, 2 * r, 4)
    torch.testing.assert_close(tied.weights, free.weights)
    torch.testing.assert_close(tied.fixed_point(r).weights, free.fixed_point(r).weights)
    torch.testing.assert_close(tied.energy(r), free.energy(r))
    among = free.stability(r).multipliers
    for multiplier in tied.stability(r).multipliers:
        assert (among - multiplier).abs().min() < 1e-12


def test_signs_are_refused(tmp_path: Path) -> None:
    signed = SignedPermutation(np.array([1, 0]), np.array([1, -1]))
    text = LAYERS + TIED.replace('"Ring", 7, 7', '"Ring", 2, 2')
    tying = {"parameters": [describe_tie("Ring.weights", [signed], [signed])]}
    package = make_package(tmp_path, MODULES, text, tying)
    with pytest.raises(ValueError, match="not change signs"):
        package.Ring()


def test_the_package_checks_itself(package: ModuleType) -> None:
    results = find_module(package, "homeostatic_checks").run()
    assert {name for name, *_ in results} == {"Neurons", "Still", "Runaway", "Ring"}
    assert len(results) == 20
    assert [row for row in results if not row[2]] == []


def test_checks_fail_on_what_is_wrong(package: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    checks, module = find_module(package, "homeostatic_checks"), package.Neurons.__mro__[1]
    source = find_module(package, "homeostatic")
    respond = source.respond

    def find_failed() -> set[str]:
        return {check for name, check, passed, _ in checks.run() if name == "Ring" and not passed}

    with monkeypatch.context() as patch:
        patch.setattr(source, "respond", lambda r, w, s: 1.01 * respond(r, w, s))
        assert {"definition", "fixed point"} <= find_failed()
    with monkeypatch.context() as patch:
        patch.setattr(module, "symmetrise", lambda self, matrix: matrix)
        assert "equivariance" in find_failed()
    with monkeypatch.context() as patch:
        patch.setattr(source, "respond", lambda r, w, s: respond(r.detach(), w, s))
        assert "gradients" in find_failed()
    with monkeypatch.context() as patch:
        patch.setattr(checks, "update", lambda w, c, m, rates: w + 1.1 * rates[0] * (m - c))
        assert "spectrum" in find_failed()
    assert find_failed() == set()


@pytest.mark.slow
def test_the_package_is_formatted_clean_and_typed(package: ModuleType) -> None:
    assert package.__file__ is not None
    folder = Path(package.__file__).parent
    config = str(ROOT / "pyproject.toml")
    # One module of the compiled packages is named by the neighbours and not among them.
    (folder / "launch.py").write_text('"""Nothing."""\n', "utf-8")
    files = [folder / f"{name}.py" for name in (*MODULES, "ties", "parameterised")]
    for tool in (
        ["ruff", "format", "--check", "--config", config],
        ["ruff", "check", "--config", config],
        ["mypy", "--strict", "--follow-imports=silent", "--cache-dir", str(folder / "mypy")],
    ):
        command = [sys.executable, "-m", *tool, *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        assert done.returncode == 0, done.stdout + done.stderr
