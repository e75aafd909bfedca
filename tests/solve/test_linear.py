"""Generators that are no signed permutations: exact bases, and certificates that see mutants."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from eqcompile.errors import CertificateError, Refusal
from eqcompile.exact.fields import cosine
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import SignedPermutation
from eqcompile.layers.polynomial import resolve
from eqcompile.layers.problem import SignedAction
from eqcompile.solve.ansatz import Ansatz, Rows
from eqcompile.solve.basis import Basis
from eqcompile.solve.certificate import prove
from eqcompile.solve.constraints import constrain
from eqcompile.solve.layer import solve_layer
from eqcompile.solve.solver import solve
from eqcompile.solve.tying import Tying
from eqcompile.spec import load
from tests.linear_actions import act_on_tensors, list_rotations, pose

EUCLIDEAN, LORENTZ = (1, 1, 1, 1), (1, -1, -1, -1)


def solve_ansatz(ansatz: Ansatz) -> Tying:
    return solve(constrain(ansatz))


def pose_tensors(signature: tuple[int, ...], inputs: int, outputs: int) -> Ansatz:
    rotations = list_rotations(signature)
    left = [act_on_tensors(x, inputs) for x in rotations]
    right = [act_on_tensors(x, outputs) for x in rotations]
    return pose((1,), [left], right, infinitesimal=True)


def rotation(n: int) -> Matrix:
    """Return the rotation of the plane by a full turn over n."""
    c, s = cosine(1, n), cosine(n - 4, 4 * n)
    return Matrix.from_dense([[c, -s], [s, c]])


@pytest.mark.parametrize(
    ("inputs", "outputs", "expected"), [(1, 1, 1), (2, 1, 1), (2, 2, 3), (3, 2, 6)]
)
def test_rotations_of_space(inputs: int, outputs: int, expected: int) -> None:
    tying = solve_ansatz(pose_tensors((1, 1, 1), inputs, outputs))
    assert prove(tying).classes == tying.classes == expected
    assert prove(tying).proof == ("rank_mod_p",)


@pytest.mark.parametrize("signature", [EUCLIDEAN, LORENTZ])
def test_tensors_of_four_dimensions(signature: tuple[int, ...]) -> None:
    # Weyl's first theorem, with the alternating tensor: SO(4) and SO(1, 3) alike.
    assert prove(solve_ansatz(pose_tensors(signature, 2, 2))).classes == 4


def test_the_cross_product_is_found_with_its_signs() -> None:
    rotations = list_rotations((1, 1, 1))
    tying = solve_ansatz(pose((1, 1), [rotations, rotations], rotations, infinitesimal=True))
    assert (tying.classes, tying.coefficients, tying.zeros, tying.additive) == (1, 6, 21, 0)
    assert tying.basis is not None
    values = {
        tying.ansatz.spell_slot(*slot): int(value)
        for slot, value in zip(
            tying.representatives.tolist(), tying.basis.matrix.to_float()[:, 0], strict=True
        )
    }
    assert values == {
        "w[0; x0.1, x1.2]": 1,
        "w[0; x0.2, x1.1]": -1,
        "w[1; x0.0, x1.2]": -1,
        "w[1; x0.2, x1.0]": 1,
        "w[2; x0.0, x1.1]": 1,
        "w[2; x0.1, x1.0]": -1,
    }


@pytest.mark.parametrize(
    ("n", "degree", "expected"), [(5, 4, 2), (5, 3, 2), (8, 7, 4), (7, 6, 2), (12, 5, 2)]
)
def test_rotations_of_the_plane_over_their_field(n: int, degree: int, expected: int) -> None:
    # Maps z -> z^a conj(z)^b with a - b = 1 modulo n, two real dimensions each.
    g = rotation(n)
    tying = solve_ansatz(pose((degree,), [[g]], [g], infinitesimal=False))
    assert sum(2 for a in range(degree + 1) if (2 * a - degree - 1) % n == 0) == expected
    assert prove(tying).classes == tying.classes == expected
    assert "molien" in prove(tying).proof


def test_an_infinite_group_of_rational_matrices() -> None:
    g = Matrix.from_dense([[Fraction(3, 5), Fraction(-4, 5)], [Fraction(4, 5), Fraction(3, 5)]])
    tying = solve_ansatz(pose((3,), [[g]], [g], infinitesimal=False))
    assert prove(tying).classes == 2
    assert prove(tying).proof == ("rank_mod_p",)


def test_signed_tie_first() -> None:
    # S_2 permutes two vectors of the plane, SO(2) rotates both.
    swap = SignedPermutation.unsigned([2, 3, 0, 1])
    turn = Matrix.from_entries(2, 2, [(0, 1, -1), (1, 0, 1)])
    both = Matrix.identity(2).kron(turn)
    plain = pose((1,), [[both]], [both], infinitesimal=True)
    action = SignedAction("V", 4, (swap,))
    ansatz = replace(plain, inputs=(action,), output=action, causes=("swap",))
    tying = solve_ansatz(ansatz)
    assert prove(tying).classes == 4
    assert tying.coefficients == 8
    assert tying.table()[0].max() == 7


def test_units_of_coordinates_stand_in_the_basis() -> None:
    # The same rotation in coordinates x' = (x_0, x_1 / sqrt(2)).
    half = Matrix.from_entries(2, 2, [(0, 1, -2), (1, 0, 1)])
    squares = (Fraction(1), Fraction(1, 2))
    ansatz = pose((1,), [[half]], [half], infinitesimal=True, squares=[squares, squares])
    tying = solve_ansatz(ansatz)
    assert prove(tying).classes == 2
    assert tying.basis is not None
    units = np.sqrt(np.array(tying.basis.squares, dtype=float))
    dense = np.zeros(4)
    slots = [k * 2 + a for k, a in tying.representatives.tolist()]
    dense[slots] = units * (tying.basis.matrix.to_float() @ [3.0, 5.0])
    w = dense.reshape(2, 2)
    s = np.sqrt(np.array(squares, dtype=float))
    rotated = np.diag(s) @ half.to_float() @ np.diag(1 / s)
    assert np.allclose(w @ rotated, rotated @ w)


def one_relation(n: int, entries: list[tuple[int, int]], right: int | None) -> Rows:
    matrix = Matrix.from_entries(1, n * n, [(0, slot, value) for slot, value in entries])
    column = None if right is None else Matrix.from_entries(1, 1, [(0, 0, right)])
    return Rows(f"the line {entries} == {right}", matrix, column, ("constraints", 0))


def constrained(*relations: Rows) -> Ansatz:
    """Pose a linear map of the plane without a group, with some relations between its slots."""
    identity = SignedAction("V", 2, (SignedPermutation.identity(2),))
    return Ansatz(identity, (identity,), (1,), ("identity",), relations=relations)


def test_relations_and_right_hand_sides() -> None:
    ansatz = constrained(one_relation(2, [(0, 1), (1, -2)], None), one_relation(2, [(3, 2)], 3))
    tying = solve_ansatz(ansatz)
    assert prove(tying).classes == tying.classes == 2
    assert tying.is_affine
    assert tying.additive == 2
    assert tying.basis is not None
    assert tying.basis.offset == Matrix.from_entries(4, 1, [(3, 0, Fraction(3, 2))])
    assert tying.basis.matrix.to_float().tolist() == [[2, 0], [1, 0], [0, 1], [0, 0]]


def test_a_redundant_relation_is_reported() -> None:
    twice = one_relation(2, [(0, 2), (1, 2)], None)
    tying = solve_ansatz(constrained(one_relation(2, [(0, 1), (1, 1)], None), twice))
    assert tying.redundant == (twice.cause,)


def test_a_contradiction_is_refused_where_it_stands() -> None:
    first, second = one_relation(2, [(0, 1)], 1), one_relation(2, [(0, 1)], 2)
    with pytest.raises(Refusal) as caught:
        solve_ansatz(constrained(first, second))
    assert caught.value.rule == "inconsistent-constraints"
    assert second.cause in caught.value.text
    assert caught.value.at == ("constraints", 0)


def change_basis(tying: Tying, matrix: Matrix, free: list[int]) -> Tying:
    return replace(tying, basis=Basis(matrix, np.array(free)))


def test_mutants_are_refused() -> None:
    tying = solve_ansatz(pose_tensors((1, 1, 1), 2, 2))
    basis = tying.basis
    assert basis is not None
    prove(tying)
    missing = basis.matrix.take_columns([0, 1])
    kept = np.unique(missing.rows)
    with pytest.raises(CertificateError, match="zero in every solution"):
        prove(change_basis(tying, missing, basis.free[:2].tolist()))
    assert len(kept) < tying.coefficients
    wrong = basis.matrix + Matrix.from_entries(*basis.matrix.shape, [(5, 0, 1)])
    with pytest.raises(CertificateError, match="does not satisfy g"):
        prove(change_basis(tying, wrong, basis.free.tolist()))
    joined = basis.matrix @ Matrix.from_dense([[1, 0], [0, 1], [1, 0]])
    with pytest.raises(CertificateError):
        prove(change_basis(tying, joined, basis.free[:2].tolist()))


def test_a_smaller_space_is_refused_by_the_rank() -> None:
    # Both classes of the plane's rotations, then one alone on all its coefficients.
    turn = Matrix.from_entries(2, 2, [(0, 1, -1), (1, 0, 1)])
    tying = solve_ansatz(pose((1,), [[turn]], [turn], infinitesimal=True))
    assert tying.basis is not None
    assert tying.classes == 2
    one = tying.basis.matrix @ Matrix.from_dense([[1], [1]])
    with pytest.raises(CertificateError, match="1 classes are claimed"):
        prove(change_basis(tying, one, [0]))


def test_wrong_equations_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    from eqcompile.exact import substitution
    from eqcompile.solve import linear_proof

    tying = solve_ansatz(pose_tensors((1, 1, 1), 1, 1))
    monkeypatch.setattr(
        linear_proof,
        "derive_monomials",
        lambda factors, shape: substitution.derive_monomials([-f for f in factors], shape),
    )
    with pytest.raises(CertificateError, match="are not equivariance"):
        prove(tying)


def test_wrong_units_are_refused() -> None:
    half = Matrix.from_entries(2, 2, [(0, 1, -2), (1, 0, 1)])
    squares = (Fraction(1), Fraction(1, 2))
    tying = solve_ansatz(
        pose((1,), [[half]], [half], infinitesimal=True, squares=[squares, squares])
    )
    assert tying.basis is not None
    prove(tying)
    units = (*tying.basis.squares[:-1], Fraction(3))
    with pytest.raises(CertificateError, match="unit of"):
        prove(replace(tying, basis=replace(tying.basis, squares=units)))


def test_too_many_unknowns_are_refused() -> None:
    layer = {
        "name": "Large",
        "group": {"lie": "so", "n": 10},
        "input": "V ** 3",
        "output": "V ** 3",
        "degrees": [1],
    }
    (problem,) = resolve(load({"version": 1, "package": "large", "layers": [layer]}))
    with pytest.raises(Refusal, match="1000000 slots"):
        solve_layer(problem)
