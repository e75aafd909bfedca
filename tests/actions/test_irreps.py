"""Irreps of SO(3) and O(3): e3nn's numbers, the brackets, the products with other groups."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from eqcompile.actions.expressions import build_representation
from eqcompile.actions.group import Representation
from eqcompile.actions.images import as_matrix
from eqcompile.errors import Refusal
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import SignedPermutation
from tests.actions.entries import build

Floats = npt.NDArray[np.float64]

SO3 = {"lie": "so", "n": 3}
O3 = {"lie": "o", "n": 3}

# e3nn 0.6.0, `e3nn.o3._wigner.so3_generators(2)`, for rotations about x and z.
E3NN_X = """
 0 1 0 0 0
-1 0 0 0 0
 0 0 0 -1.7320508075688772 0
 0 0 1.7320508075688772 0 -1
 0 0 0 1 0
"""
E3NN_Z = """
 0 0 0 -1 0
 0 0 -1.7320508075688772 0 -1
 0 1.7320508075688772 0 0 0
 1 0 0 0 0
 0 1 0 0 0
"""
# `o3.Irrep(f"{l}e").D_from_matrix(diag(-1, 1, 1))` is diagonal: its signs for l = 0 .. 4.
E3NN_MIRROR = ("+", "+--", "--+++", "+++----", "----+++++")


def evaluate(text: str, entry: dict[str, object] = SO3) -> Representation:
    return build_representation(text, build(entry), {})


def scale(representation: Representation, element: Matrix) -> Floats:
    """Return an element in the coordinates of the representation, not of x'."""
    roots = np.sqrt([float(s) for s in representation.squares or [1] * representation.dim])
    scaled: Floats = roots[:, None] * element.to_float() / roots[None, :]
    return scaled


def make_e3nn_generators(degree: int) -> tuple[Floats, Floats]:
    """Return rotations about x and z from spherical harmonics in the complex basis.

    The formulas of e3nn: ladder operators, and its change from the real to the complex basis.
    """
    m = np.arange(-degree, degree)
    up = np.diag(-np.sqrt(degree * (degree + 1) - m * (m + 1)), -1)
    m = np.arange(-degree + 1, degree + 1)
    down = np.diag(np.sqrt(degree * (degree + 1) - m * (m - 1)), 1)
    change = np.zeros((2 * degree + 1,) * 2, dtype=np.complex128)
    for i in range(-degree, 0):
        change[degree + i, degree - i] = 1 / np.sqrt(2)
        change[degree + i, degree + i] = -1j / np.sqrt(2)
    change[degree, degree] = 1
    for i in range(1, degree + 1):
        change[degree + i, degree + i] = (-1) ** i / np.sqrt(2)
        change[degree + i, degree - i] = 1j * (-1) ** i / np.sqrt(2)
    change = (-1j) ** degree * change
    complexes = (0.5 * (up + down), -0.5j * (up - down))
    x, z = ((change.conj().T @ c @ change).real for c in complexes)
    return x, z


@pytest.mark.parametrize("degree", range(9))
def test_equal_to_e3nn(degree: int) -> None:
    irrep = evaluate(f"irrep({degree})")
    z, x = irrep.algebra
    expected_x, expected_z = make_e3nn_generators(degree)
    assert np.allclose(scale(irrep, x), expected_x, atol=1e-12)
    assert np.allclose(scale(irrep, z), expected_z, atol=1e-12)


def test_numbers_of_e3nn() -> None:
    irrep = evaluate("irrep(2)")
    z, x = irrep.algebra
    for element, text in ((x, E3NN_X), (z, E3NN_Z)):
        table = np.array([[float(v) for v in row.split()] for row in text.split("\n") if row])
        assert np.allclose(scale(irrep, element), table, atol=1e-15)
    assert irrep.squares == tuple(Fraction(s) for s in (3, 3, 1, 3, 3))


def test_degree_one_is_the_defining_action() -> None:
    irrep, defining = evaluate("irrep(1)"), evaluate("V")
    assert (irrep.images, irrep.algebra, irrep.squares) == (
        defining.images,
        defining.algebra,
        defining.squares,
    )
    irrep, defining = evaluate('irrep("1o")', O3), evaluate("V", O3)
    assert (irrep.images, irrep.algebra) == (defining.images, defining.algebra)


def bracket(a: Matrix, b: Matrix) -> Matrix:
    return a @ b - b @ a


@pytest.mark.parametrize("degree", [0, 1, 2, 3, 4, 7, 20, 64])
def test_brackets_hold_exactly(degree: int) -> None:
    z, x = evaluate(f"irrep({degree})").algebra
    y = bracket(z, x)
    assert bracket(x, y) == z
    assert bracket(y, z) == x


@pytest.mark.parametrize("degree", [1, 2, 3, 6])
def test_casimir_is_a_number(degree: int) -> None:
    """The sum of squares is ``-l (l + 1)``, so the irrep has this degree and no other."""
    z, x = evaluate(f"irrep({degree})").algebra
    y = bracket(z, x)
    total = x @ x + y @ y + z @ z
    assert total == Matrix.identity(2 * degree + 1).scale(-degree * (degree + 1))


@pytest.mark.parametrize("degree", range(5))
@pytest.mark.parametrize("parity", ["o", "e"])
def test_mirror_of_e3nn(degree: int, parity: str) -> None:
    (mirror,) = evaluate(f'irrep("{degree}{parity}")', O3).images
    assert isinstance(mirror, SignedPermutation)
    sign = (-1) ** degree * (1 if parity == "e" else -1)
    even = np.array([1 if c == "+" else -1 for c in E3NN_MIRROR[degree]])
    # For even parity e3nn gives D of the rotation alone; odd parity negates it.
    assert mirror.signs.tolist() == (even if parity == "e" else -even).tolist()
    assert mirror.signs[degree] == sign


@pytest.mark.parametrize("text", ['irrep("2e")', 'irrep("3o")', 'irrep("2o") * irrep("1e")'])
def test_mirror_turns_rotations_round(text: str) -> None:
    """``r X r^-1`` is minus the rotation about z, and the rotation about x itself."""
    irrep = evaluate(text, O3)
    r = as_matrix(irrep.images[0])
    z, x = irrep.algebra
    assert r @ z @ r == -z
    assert r @ x @ r == x


def read_squares(text: str) -> str:
    """Evaluate an expression and write its squares; 1 stands for none."""
    return " ".join(str(s) for s in evaluate(text).squares) or "1"


@pytest.mark.parametrize(
    ("text", "squares"),
    [
        ("irrep(2) + V", "3 3 1 3 3 1 1 1"),
        ("2 irrep(2)", "3 3 1 3 3 3 3 1 3 3"),
        ("det * irrep(2)", "3 3 1 3 3"),
        ("irrep(2) * (1 + 1)", "3 3 3 3 1 1 3 3 3 3"),
        ("Sym(irrep(2), 2)", "9 9 3 9 9 9 3 9 9 1 3 3 9 9 9"),
        ("Alt(irrep(2), 2)", "9 3 9 9 3 9 9 3 3 9"),
        ("dual(irrep(2))", "1/3 1/3 1 1/3 1/3"),
        ("Alt(irrep(2), 5) + dual(irrep(1))", "81 1 1 1"),
        ("V ** 2 + Sym(V, 2)", "1"),
    ],
)
def test_squares_follow(text: str, squares: str) -> None:
    assert read_squares(text) == squares
    power = read_squares("irrep(2) * dual(irrep(2))").split()
    assert power[:5] == ["1", "1", "3", "1", "1"]
    assert read_squares("irrep(2) ** 2").split()[:6] == ["9", "9", "3", "9", "9", "9"]


@pytest.mark.parametrize(
    "text", ["Sym(irrep(2), 2)", "Alt(irrep(3), 2)", "irrep(2) * irrep(1)", "dual(irrep(2))"]
)
def test_constructions_in_both_coordinates_agree(text: str) -> None:
    """Built from the coordinates x' and scaled, or scaled and then built: antisymmetric again.

    In its own coordinates the irrep is orthogonal; tensor products, wedges and duals keep that.
    """
    representation = evaluate(text)
    for element in representation.algebra:
        scaled = scale(representation, element)
        if text.startswith("Sym"):
            weights = np.sqrt([1 if i == j else 0.5 for i in range(5) for j in range(i, 5)])
            scaled = weights[:, None] * scaled / weights[None, :]
        assert np.allclose(scaled, -scaled.T, atol=1e-12)


def test_other_factors_act_trivially() -> None:
    entry: dict[str, object] = {"product": {"factors": [{"symmetric": 3}, O3], "on": "product"}}
    group = build(entry)
    assert group.rotations == "o3"
    irrep = evaluate('irrep("2o")', entry)
    alone = evaluate('irrep("2o")', O3)
    assert irrep.images == (SignedPermutation.identity(5),) * 2 + alone.images
    assert irrep.algebra == alone.algebra
    entry = {"product": {"factors": [SO3, {"lie": "so", "n": 2}, {"cyclic": 2}], "on": "union"}}
    irrep = evaluate("irrep(2)", entry)
    assert irrep.algebra == (*evaluate("irrep(2)").algebra, Matrix.zero(5, 5))


@pytest.mark.parametrize(
    ("text", "entry", "said"),
    [
        ("irrep(1)", {"symmetric": 3}, "S_3 has no irreps by degree"),
        ("irrep(1)", {"lie": "so", "n": 4}, "SO\\(4\\) has no irreps by degree"),
        ("irrep(1)", O3, "an irrep of O\\(3\\) has a parity"),
        ('irrep("1o")', SO3, "rotations alone have no parity"),
        (
            "irrep(1)",
            {"product": {"factors": [SO3, SO3], "on": "union"}},
            "SO\\(3\\) x SO\\(3\\) on the union has no irreps",
        ),
    ],
)
def test_refusals(text: str, entry: dict[str, object], said: str) -> None:
    with pytest.raises(Refusal, match=said) as caught:
        evaluate(text, entry)
    assert caught.value.rule == "undefined-representation"
    assert caught.value.offset == (0, len(text))
