"""Coulomb matrices of molecules: values, invariance, and what they have to do with the layer."""

from __future__ import annotations

import re

import numpy as np
import pytest

from eqcompile.analysis import CoulombMatrix, Kernel, find_square_law_positions, represent
from eqcompile.analysis.kernels import Array, square_distances, weigh_pairs

Molecule = tuple[Array, Array]

# MP2(full)/6-31G(d) geometry of the G2/97 set, in angstrom.
METHANOL: Molecule = (
    np.array([6.0, 8, 1, 1, 1, 1]),
    np.array(
        [
            [-0.047131, 0.664389, 0.0],
            [-0.047131, -0.758551, 0.0],
            [-1.092995, 0.969785, 0.0],
            [0.878534, -1.048458, 0.0],
            [0.437145, 1.080376, 0.891772],
            [0.437145, 1.080376, -0.891772],
        ]
    ),
)
CORNERS = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1.0]]) / 3**0.5
METHANE: Molecule = (
    np.array([6.0, 1, 1, 1, 1]),
    np.concatenate([np.zeros((1, 3)), 1.09 * CORNERS]),
)
TURN = np.arange(6) * np.pi / 3
RING = np.stack([np.cos(TURN), np.sin(TURN), np.zeros(6)], 1)
BENZENE: Molecule = (np.repeat([6.0, 1], 6), np.concatenate([1.395 * RING, 2.482 * RING]))
# Four methyl groups around a carbon: twelve hydrogens alike.
NEOPENTANE: Molecule = (
    np.array([6.0] * 5 + [1] * 12),
    np.concatenate(
        [
            np.zeros((1, 3)),
            1.53 * CORNERS,
            *(1.53 * c - 1.09 * np.delete(CORNERS, k, 0) for k, c in enumerate(CORNERS)),
        ]
    ),
)
MOLECULES = {
    "methanol": METHANOL, "methane": METHANE, "benzene": BENZENE, "neopentane": NEOPENTANE,
}  # fmt: skip

KINDS = [
    CoulombMatrix(20, "sorted"),
    CoulombMatrix(20, "eigenspectrum"),
    CoulombMatrix(20, "random", sigma=5.0, seed=3),
]


def move(molecule: Molecule, rng: np.random.Generator) -> Molecule:
    """Rotate or reflect, translate and renumber."""
    numbers, positions = molecule
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    order = rng.permutation(len(numbers))
    return numbers[order], (positions @ turn + rng.standard_normal(3))[order]


def test_methanol() -> None:
    """Values of DScribe's documentation, 36.9, 73.5 and 33.7: its distances are in angstrom."""
    matrix = CoulombMatrix(8, "raw")(*METHANOL)
    assert matrix.shape == (8, 8)
    assert matrix[0, 0] == pytest.approx(36.86, abs=5e-3)
    assert matrix[1, 1] == pytest.approx(73.52, abs=5e-3)
    assert matrix[0, 1] == pytest.approx(33.73, abs=5e-3)
    assert matrix[2, 2] == 0.5
    assert np.array_equal(matrix, matrix.T)
    assert not matrix[6:].any()
    hartree = CoulombMatrix(8, "raw", unit="bohr")(*METHANOL)
    assert hartree[0, 1] == pytest.approx(33.733 * 0.529177, abs=1e-3)
    assert np.array_equal(np.diagonal(hartree), np.diagonal(matrix))


@pytest.mark.parametrize("features", KINDS, ids=lambda f: f.kind)
@pytest.mark.parametrize("name", MOLECULES)
def test_motions_and_the_order_of_atoms_change_nothing(name: str, features: CoulombMatrix) -> None:
    rng = np.random.default_rng(0)
    first = features(*MOLECULES[name])
    for _ in range(20):
        moved = features(*move(MOLECULES[name], rng))
        assert np.abs(moved - first).max() < 1e-10 * np.abs(first).max()


def test_raw_matrices_follow_the_order_of_atoms() -> None:
    raw = CoulombMatrix(6, "raw")
    numbers, positions = METHANOL
    order = [1, 0, 5, 4, 3, 2]
    swapped = raw(numbers[order], positions[order])
    assert np.abs(swapped - raw(*METHANOL)[np.ix_(order, order)]).max() < 1e-13
    assert np.abs(swapped - raw(*METHANOL)).max() > 1


def test_kinds() -> None:
    raw = CoulombMatrix(6, "raw")(*METHANOL)
    matrix = CoulombMatrix(9, "sorted")(*METHANOL)
    norms = np.linalg.norm(matrix, axis=1)
    assert (np.diff(norms) <= 1e-12).all()
    assert np.allclose(np.sort(np.diagonal(matrix)[:6]), np.sort(np.diagonal(raw)))
    values = CoulombMatrix(9, "eigenspectrum")(*METHANOL)
    assert values.shape == (9,)
    assert (np.diff(np.abs(values)) <= 0).all()
    assert np.allclose(np.sort(values[:6]), np.linalg.eigvalsh(raw))
    noisy = CoulombMatrix(9, "random", sigma=20.0)
    draws = [noisy(*METHANOL, draw=k) for k in range(20)]
    assert np.array_equal(draws[3], noisy(*METHANOL, draw=3))
    assert len({d.tobytes() for d in draws}) > 5
    for draw in draws:
        assert np.allclose(np.linalg.eigvalsh(draw), np.linalg.eigvalsh(np.pad(raw, (0, 3))))
    other = CoulombMatrix(9, "random", sigma=20.0, seed=1)
    assert any(not np.array_equal(other(*METHANOL, draw=k), d) for k, d in enumerate(draws))


@pytest.mark.parametrize("name", MOLECULES)
def test_it_is_the_weight_of_a_coulomb_layer(name: str) -> None:
    """One component of mu, the diagonal ``chemistry``, and exponent 1 or Schoenberg's points."""
    numbers, positions = MOLECULES[name]
    matrix = CoulombMatrix(len(numbers), "raw")(numbers, positions)
    mu, diagonal = numbers[:, None], np.diag(0.5 * np.abs(numbers) ** 2.4)
    linear = weigh_pairs(Kernel("inverse", 1.0), mu, positions) + diagonal
    assert np.abs(linear - matrix).max() < 1e-12 * np.abs(matrix).max()
    x = find_square_law_positions(positions)
    assert x.shape[1] <= len(numbers) - 1
    distances = square_distances(positions) ** 0.5
    assert np.abs(square_distances(x) - distances).max() < 1e-12
    square_law = weigh_pairs(Kernel("inverse", 2.0), mu, x) + diagonal
    assert np.abs(square_law - matrix).max() < 1e-11 * np.abs(matrix).max()


def test_the_square_law_at_the_true_positions_needs_more_components() -> None:
    numbers, positions = METHANE
    matrix = CoulombMatrix(5, "raw")(numbers, positions)
    found = represent(matrix, positions=positions)
    assert found.mu_dim == 4
    assert np.abs(found.dense_weight() - matrix).max() < 1e-13
    assert find_square_law_positions(positions).shape == (5, 4)


def test_what_is_no_molecule_is_refused() -> None:
    numbers, positions = METHANOL
    raw = CoulombMatrix(6, "raw")
    cases: list[tuple[object, str]] = [
        (lambda: CoulombMatrix(5, "raw")(*METHANOL), "6 atoms, but max_atoms is 5; raise it"),
        (lambda: raw(numbers[:2], positions), "a molecule is (atoms,) numbers and (atoms, 3)"),
        (lambda: raw([], np.zeros((0, 3))), "a molecule is"),
        (lambda: raw([0, 1], positions[:2]), "atomic numbers are positive"),
        (lambda: raw([1, 1], np.full((2, 3), np.inf)), "positions finite"),
        (lambda: raw([1, 1], np.zeros((2, 3))), "atoms 0 and 1 stand at one place"),
        (lambda: CoulombMatrix(0), "max_atoms is at least 1"),
        (lambda: CoulombMatrix(3, "random"), "kind 'random' needs sigma > 0"),
        (lambda: CoulombMatrix(3, "sorted", sigma=1.0), "sigma belongs to kind 'random'"),
        (lambda: CoulombMatrix(3, "other"), "kind is raw, sorted"),  # type: ignore[arg-type]
        (lambda: CoulombMatrix(3, unit="nm"), "unit is angstrom or bohr"),  # type: ignore[arg-type]
        (lambda: find_square_law_positions([1.0, 2.0]), "positions are rows"),
    ]
    for call, text in cases:
        assert callable(call)
        with pytest.raises(ValueError, match=re.escape(text)):
            call()
