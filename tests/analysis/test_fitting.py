"""Fits in few dimensions, and what proves that there are none."""

from __future__ import annotations

import numpy as np
import pytest

from eqcompile.analysis import Kernel, check_fit, fit
from eqcompile.analysis.fitting import _form_equations
from eqcompile.analysis.kernels import Array, KernelName, weigh_pairs
from tests.analysis.test_representation import KERNELS, clear_diagonal, draw_symmetric


def plant(kernel: KernelName, n: int, d: int, p: int, seed: int, exponent: float = 2.0) -> Array:
    """Draw weights that have these dimensions."""
    rng = np.random.default_rng(seed)
    return weigh_pairs(
        Kernel(kernel, exponent), rng.standard_normal((n, d)), rng.standard_normal((n, p))
    )


def make_ptolemy(value: float) -> Array:
    """Four neurons, all weights 1 but those of two opposite pairs."""
    w = np.ones((4, 4)) - np.eye(4)
    w[[0, 1, 2, 3], [1, 0, 3, 2]] = value
    return w


@pytest.mark.parametrize("kernel", KERNELS)
def test_nothing_obstructs_what_was_planted(kernel: KernelName) -> None:
    for n in (4, 6, 9, 14):
        for d in (1, 2, 3):
            for p in (1, 2, 3):
                for seed in range(3):
                    assert check_fit(plant(kernel, n, d, p, seed), d, p, kernel) == ()


@pytest.mark.parametrize("kernel", KERNELS)
def test_planted_weights_are_found(kernel: KernelName) -> None:
    w = plant(kernel, 12, 3, 2, 1)
    found = fit(w, 3, 2, kernel)
    assert found.residual < 1e-10
    assert np.linalg.norm(clear_diagonal(found.dense_weight() - w)) < 1e-9 * np.linalg.norm(w)
    assert found.obstructions == ()
    assert found.dimension < found.entries


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0])
def test_one_component_is_solved_without_a_search(kernel: KernelName, exponent: float) -> None:
    """Distances up to scaling are points of a sphere: the first start is the answer."""
    w = plant(kernel, 11, 1, 3, 2, exponent)
    assert check_fit(w, 1, 3, kernel, exponent=exponent) == ()
    found = fit(w, 1, 3, kernel, exponent=exponent, steps=1)
    assert len(found.residuals) == 1
    assert found.residual < 1e-10


def test_all_negative_weights() -> None:
    """Residuals at n = 6, p = 3 and their bounds by Turan's theorem, sharp for d = 4 and 5."""
    w = np.eye(6) - np.ones((6, 6))
    np.fill_diagonal(w, 0.0)
    expected = {1: 0.8165, 2: 0.6325, 3: 0.4472, 4: 0.2582, 5: 0.0}
    bounds = {1: 0.6325, 2: 0.4472, 3: 0.3651, 4: 0.2582, 5: 0.0}
    for d, residual in expected.items():
        found = fit(w, d, 3, restarts=10)
        assert found.residual == pytest.approx(residual, abs=3e-4)
        assert found.bound == pytest.approx(bounds[d], abs=1e-4)
        assert found.residual >= found.bound - 1e-12
        assert bool(found.obstructions) == (d < 5)
    assert "neurons 0, 1, 2 all do" in fit(w, 1, 3, restarts=0, steps=1).obstructions[0]


def test_ptolemy() -> None:
    """The three numbers (w12 w34)^-1/2, ... must be sides of a triangle, a flat one for p = 1."""
    for value, solvable in ((0.1, False), (0.3, False), (0.7, True)):
        w = make_ptolemy(value)
        for p in (2, 3):
            found = fit(w, 1, p)
            assert (found.residual < 1e-10) == solvable == (check_fit(w, 1, p) == ())
        assert fit(w, 1, 1).residual > 0.1
        assert "Ptolemy" in check_fit(w, 1, 1)[0]
    assert fit(make_ptolemy(0.1), 1, 3).residual == pytest.approx(0.266, abs=1e-3)
    assert fit(make_ptolemy(0.3), 1, 3).residual == pytest.approx(0.1304, abs=1e-3)


def test_the_condition_on_one_component_is_sufficient() -> None:
    """Positive 4 x 4 matrices: what is not excluded is fitted, exactly."""
    rng = np.random.default_rng(6)
    solved = 0
    for _ in range(30):
        a = rng.uniform(0.3, 2, (4, 4))
        w = clear_diagonal(a * a.T)
        excluded = check_fit(w, 1, 2)
        assert (fit(w, 1, 2, restarts=0).residual < 1e-9) == (not excluded)
        solved += not excluded
    assert 0 < solved < 30


def test_inertia_of_distance_products() -> None:
    """At most d positive and d(p+1) negative eigenvalues; both are reached."""
    w = plant("product", 30, 3, 2, 7)
    values = np.linalg.eigvalsh(w)
    least = 1e-9 * np.abs(values).max()
    assert ((values > least).sum(), (values < -least).sum()) == (3, 9)
    text = check_fit(w, 2, 2, "product")[0]
    assert text.startswith("inertia: the matrix has 3 positive and 9 negative eigenvalues")
    found = fit(w, 2, 2, "product", restarts=2)
    expected = (np.sort(values)[-3] ** 2 + (np.sort(values)[6:9] ** 2).sum()) ** 0.5
    assert found.bound == pytest.approx(expected / np.linalg.norm(w))
    assert found.residual >= found.bound


@pytest.mark.parametrize("kernel", KERNELS)
def test_no_fit_falls_below_its_bound(kernel: KernelName) -> None:
    for seed in range(4):
        w = clear_diagonal(draw_symmetric(9, seed))
        for d, p in ((1, 2), (2, 1), (2, 3)):
            found = fit(w, d, p, kernel, restarts=2)
            assert found.residual >= found.bound - 1e-12
            assert found.obstructions == check_fit(w, d, p, kernel)


def test_flipped_charges_do_not_hide_repulsion() -> None:
    """Rows and columns with other signs: the same obstruction, found up to flips."""
    w = np.eye(8) - np.ones((8, 8))
    signs = np.array([1, -1, 1, 1, -1, -1, 1, -1.0])
    assert check_fit(w, 3, 2)
    assert check_fit(w * np.outer(signs, signs), 3, 2)
    assert check_fit(-w, 3, 2) == ()


def test_a_lone_zero_weight_needs_two_components() -> None:
    w = np.ones((4, 4)) - np.eye(4)
    w[0, 1] = w[1, 0] = 0.0
    assert any(text.startswith("zeros: w[0, 1] = 0") for text in check_fit(w, 1, 3))
    assert check_fit(w, 2, 3) == ()
    alone = w.copy()
    alone[0] = alone[:, 0] = 0.0
    assert check_fit(alone, 1, 3) == ()


def test_generic_matrices_of_8_neurons() -> None:
    """The dimension of the family is necessary, not sufficient; 5 and 3 components always do."""
    for seed in range(4):
        w = clear_diagonal(draw_symmetric(8, 100 + seed))
        assert fit(w, 5, 3).residual < 1e-9
        few = fit(w, 2, 2, restarts=2)
        assert few.residual > 1e-2
        assert (few.dimension, few.entries) == (25, 28)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_normal_equations_are_those_of_the_jacobian(kernel: KernelName) -> None:
    rng = np.random.default_rng(8)
    n, d, p = 5, 2, 3
    mu, x, w = (rng.standard_normal(shape) for shape in ((n, d), (n, p), (n, n)))
    w = clear_diagonal(w + w.T)
    chosen = Kernel(kernel, 3.0, 0.2 if kernel == "inverse" else 0.0)
    rows, columns = np.triu_indices(n, 1)

    def weigh(flat: Array) -> Array:
        table = flat.reshape(n, d + p)
        return np.asarray(weigh_pairs(chosen, table[:, :d], table[:, d:])[rows, columns])

    point = np.concatenate([mu, x], axis=1).ravel()
    step = 1e-6
    jacobian = np.stack(
        [(weigh(point + e) - weigh(point - e)) / (2 * step) for e in step * np.eye(len(point))], 1
    )
    rest = weigh_pairs(chosen, mu, x) - w
    normal, slope = _form_equations(mu, x, rest, chosen)
    assert np.allclose(normal, jacobian.T @ jacobian, atol=1e-6 * np.abs(normal).max())
    assert np.allclose(slope, jacobian.T @ rest[rows, columns], atol=1e-6 * np.abs(slope).max())


def test_small_and_empty_matrices() -> None:
    for n in range(3):
        w = clear_diagonal(np.ones((n, n)))
        found = fit(w, 1, 1)
        assert found.residual < 1e-10
        assert found.dense_weight().shape == (n, n)
    zero = fit(np.diag([1.0, 2.0, 3.0]), 2, 2)
    assert zero.residual == 0
    assert np.array_equal(zero.dense_weight(), np.diag([1.0, 2.0, 3.0]))


def test_the_same_call_gives_the_same_fit() -> None:
    w = clear_diagonal(draw_symmetric(7))
    first, second = (fit(w, 2, 2, restarts=2, seed=3) for _ in range(2))
    assert np.array_equal(first.mu, second.mu)
    assert first.residuals == second.residuals
    assert fit(w, 2, 2, restarts=2, seed=4).residuals[1:] != first.residuals[1:]


def test_what_cannot_be_fitted_is_refused() -> None:
    w = clear_diagonal(draw_symmetric(4))
    for call, text in (
        (lambda: fit(w, 0, 1), "at least one component"),
        (lambda: fit(w, 1, 1, restarts=-1), "restarts >= 0"),
        (lambda: fit(w, 1, 1, steps=0), "steps >= 1"),
        (lambda: fit(np.triu(w), 1, 1), "pass square=False"),
        (lambda: check_fit(w[:2], 1, 1), "needs a square matrix"),
    ):
        with pytest.raises(ValueError, match=text):
            call()
