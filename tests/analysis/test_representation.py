"""Every symmetric matrix as Coulomb weights, every matrix between two sets of neurons."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eqcompile.analysis import Kernel, represent, spread_positions
from eqcompile.analysis.kernels import Array, KernelName, square_distances, weigh_pairs

KERNELS: tuple[KernelName, ...] = ("inverse", "product")


def draw_symmetric(n: int, seed: int = 0) -> Array:
    a = np.random.default_rng(seed).standard_normal((n, n))
    return np.asarray((a + a.T) / 2)


def clear_diagonal(w: Array) -> Array:
    return np.asarray(w - np.diag(np.diagonal(w)))


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_random_matrix_of_256_neurons_at_8_dimensions(kernel: KernelName) -> None:
    w = clear_diagonal(draw_symmetric(256))
    found = represent(w, 8, kernel)
    assert found.mu.shape == (256, 255)
    assert found.x.shape == (256, 8)
    assert np.abs(found.dense_weight() - w).max() == found.error < 1e-12 * np.abs(w).max()
    assert found.relative_error < found.bound < 1e-10
    assert found.amplification < 40


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dim", [1, 2, 3, 5, 8, 20])
@pytest.mark.parametrize("n", [2, 3, 10, 40])
def test_any_dimension_of_positions_will_do(n: int, dim: int, kernel: KernelName) -> None:
    w = clear_diagonal(draw_symmetric(n, dim))
    found = represent(w, dim, kernel)
    assert found.mu_dim <= n - 1
    assert found.relative_error <= min(found.bound, 3e-12)


def test_few_dimensions_of_positions_amplify_rounding() -> None:
    w = draw_symmetric(100)
    spread = [represent(w, p) for p in (1, 2, 8, 99)]
    assert [s.amplification for s in spread] == sorted(s.amplification for s in spread)[::-1]
    # In float32 one loses these digits; the line keeps hardly any.
    errors = []
    for part in spread:
        mu = part.mu.astype(np.float32).astype(np.float64)
        off = ~np.eye(100, dtype=bool)
        errors.append(np.abs((weigh_pairs(part.kernel, mu, part.x) - w)[off]).max())
    assert errors[0] > 30 * errors[1] > 30 * errors[2]


@pytest.mark.parametrize(
    ("exponent", "softening"), [(1.0, 0.0), (3.0, 0.5), (6.0, 0.0), (2.0, 0.1)]
)
def test_other_exponents_and_softenings(exponent: float, softening: float) -> None:
    w = clear_diagonal(draw_symmetric(30))
    found = represent(w, 8, exponent=exponent, softening=softening)
    assert found.relative_error < 1e-12
    squares = square_distances(found.x) + softening
    np.fill_diagonal(squares, 1.0)
    direct = clear_diagonal(found.mu @ found.mu.T / squares ** (exponent / 2))
    assert np.abs(direct - w).max() < 1e-12
    if not softening:
        found = represent(w, 8, "product", exponent=exponent)
        assert found.relative_error < 1e-12


@given(
    st.integers(0, 7).flatmap(
        lambda n: st.lists(
            st.lists(st.integers(-3, 3), min_size=n, max_size=n), min_size=n, max_size=n
        )
    ),
    st.integers(1, 9),
    st.sampled_from(KERNELS),
)
def test_degenerate_matrices_are_represented_too(
    rows: list[list[int]], dim: int, kernel: KernelName
) -> None:
    a = np.array(rows, dtype=np.float64).reshape(len(rows), len(rows))
    w = clear_diagonal(a + a.T)
    found = represent(w, dim, kernel)
    assert found.mu_dim <= max(len(w) - 1, 0)
    assert np.abs(found.dense_weight() - w).max(initial=0) < 1e-12


def test_minus_one_everywhere_needs_all_components() -> None:
    """Charges that repel each other pairwise are at most d + 1."""
    assert represent(np.eye(7) - np.ones((7, 7)), 3).mu_dim == 6


def test_the_diagonal_is_kept_apart() -> None:
    w = draw_symmetric(9)
    found = represent(w)
    assert np.array_equal(found.diagonal, np.diagonal(w))
    assert np.allclose(found.dense_weight(), w, atol=1e-13)
    with pytest.raises(ValueError, match="zero on the diagonal; take it off first"):
        represent(w, kernel="product")


@pytest.mark.parametrize("kernel", KERNELS)
def test_given_positions_are_kept(kernel: KernelName) -> None:
    x = np.random.default_rng(1).standard_normal((12, 3))
    w = clear_diagonal(draw_symmetric(12))
    found = represent(w, kernel=kernel, positions=x)
    assert np.array_equal(found.x, x)
    assert found.relative_error < 1e-11


@pytest.mark.parametrize("shape", [(40, 17), (17, 40), (1, 5), (6, 1)])
@pytest.mark.parametrize("dim", [1, 3, 8])
def test_two_sets_of_neurons(shape: tuple[int, int], dim: int) -> None:
    w = np.random.default_rng(2).standard_normal(shape)
    found = represent(w, dim)
    assert found.nu is not None
    assert found.y is not None
    assert found.mu_dim <= min(shape)
    assert found.relative_error <= found.bound
    direct = found.mu @ found.nu.T / square_distances(found.x, found.y)
    assert np.abs(direct - w).max() < 2e-12
    assert np.allclose(represent(w, dim, "product").dense_weight(), w, atol=1e-12)


def test_a_square_matrix_between_two_sets_need_not_be_symmetric() -> None:
    w = np.random.default_rng(3).standard_normal((8, 8))
    assert represent(w, square=False).relative_error < 1e-13


@pytest.mark.parametrize(
    ("weights", "options", "text"),
    [
        ([[0, 1], [2, 0]], {}, "w[0, 1] = 1 and w[1, 0] = 2; pass square=False"),
        ([[0, np.nan], [np.nan, 0]], {}, "weights are finite, got nan at (0, 1)"),
        ([[0, 1j], [1j, 0]], {}, "weights are real numbers, got dtype complex128"),
        ([0, 1], {}, "weights are a matrix, got shape (2,)"),
        ([[0, 1, 2]], {"square": True}, "needs a square matrix, got shape (1, 3)"),
        ([[0, 1], [1, 0]], {"kernel": "yukawa"}, "kernel is one of inverse, product"),
        ([[0, 1], [1, 0]], {"exponent": 0}, "the exponent is a positive number"),
        ([[0, 1], [1, 0]], {"softening": -1}, "the softening is not negative"),
        (
            [[0, 1], [1, 0]],
            {"softening": 1, "kernel": "product"},
            "only the inverse kernel takes a softening",
        ),
        ([[0, 1], [1, 0]], {"position_dim": 0}, "a dimension of at least 1"),
        ([[0, 1], [1, 0]], {"positions": [[0], [0]]}, "neurons 0 and 1 stand at one place"),
        ([[0, 1], [1, 0]], {"positions": [[0]]}, "positions are 2 rows of finite numbers"),
        ([[1, 2]], {"positions": [[0], [1]]}, "need a pair of positions"),
        ([[1, 2]], {"positions": ([[0]], [[0, 1], [1, 1]])}, "of dimensions 1 and 2 do not fit"),
        ([[1, 2]], {"positions": ([[0]], [[1], [0]])}, "neurons 0 and 1 stand at one place"),
    ],
)
def test_what_cannot_be_represented_is_refused(
    weights: object, options: dict[str, object], text: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        represent(weights, **options)  # type: ignore[arg-type]


def test_spread_positions_keep_apart() -> None:
    """Measured ratios of the largest to the least squared distance; 1 is a regular simplex."""
    bounds = {(256, 1): 65025, (256, 2): 330, (256, 3): 62, (256, 8): 6, (256, 32): 2.2}
    bounds |= {(256, 255): 1 + 1e-10, (5, 4): 1 + 1e-10, (5, 9): 1 + 1e-10}
    for (n, dim), bound in bounds.items():
        x = spread_positions(n, dim)
        squares = square_distances(x)[~np.eye(n, dtype=bool)]
        assert squares.max() / squares.min() <= bound, (n, dim)
        assert abs(squares.min() - 1) < 1e-9
        assert np.abs(x.mean(0)).max() < 1e-12
        assert np.array_equal(x, spread_positions(n, dim))


@pytest.mark.parametrize("kernel", KERNELS)
def test_inversion_and_scaling_keep_the_weights(kernel: KernelName) -> None:
    """The gauge: rotations of charges, and the conformal group of the positions."""
    rng = np.random.default_rng(4)
    mu, x = rng.standard_normal((9, 3)), rng.standard_normal((9, 3))
    chosen = Kernel(kernel)
    w = weigh_pairs(chosen, mu, x)
    r2 = (x**2).sum(1, keepdims=True)
    power = 1 if kernel == "inverse" else -1
    turn, move = np.linalg.qr(rng.standard_normal((3, 3)))[0], rng.standard_normal(3)
    for same in (
        weigh_pairs(chosen, mu @ turn, x),
        weigh_pairs(chosen, mu, x @ turn + move),
        weigh_pairs(chosen, mu * 3.0**power, 3.0 * x),
        weigh_pairs(chosen, mu * r2**-power, x / r2),
    ):
        assert np.abs(same - w).max() < 1e-12 * np.abs(w).max()
    assert np.abs(weigh_pairs(chosen, mu, x / r2) - w).max() > 1e-3
