"""Small actions by matrices and Lie algebras for tests, spelled out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import reduce
from itertools import combinations

from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import SignedPermutation
from eqcompile.layers.problem import LinearGenerator, SignedAction
from eqcompile.solve.ansatz import Ansatz

Number = int | Fraction


def still(dim: int, text: str = "V", squares: tuple[Fraction, ...] = ()) -> SignedAction:
    """Return the action on which no generator is signed."""
    return SignedAction(text, dim, (SignedPermutation.identity(dim),), squares)


def rotate_plane(n: int, i: int, j: int, sign: int = 1) -> Matrix:
    """Return the infinitesimal rotation of a plane, a boost where sign is -1."""
    return Matrix.from_entries(n, n, [(i, j, -1), (j, i, sign)])


def list_rotations(signature: Sequence[int]) -> list[Matrix]:
    """Return a basis of so(p, q)."""
    n = len(signature)
    return [
        rotate_plane(n, i, j, signature[i] * signature[j]) for i, j in combinations(range(n), 2)
    ]


def act_on_tensors(element: Matrix, up: int, down: int = 0) -> Matrix:
    """Return the derivation of an element of a Lie algebra on tensors, duals last."""
    n, rank = element.height, up + down
    total = Matrix.zero(n**rank, n**rank)
    for i in range(rank):
        own = element if i < up else -element.transpose()
        before, after = Matrix.identity(n**i), Matrix.identity(n ** (rank - i - 1))
        total = total + before.kron(own).kron(after)
    return total


def pose(
    shape: tuple[int, ...],
    inputs: Sequence[Sequence[Matrix]],
    outputs: Sequence[Matrix],
    *,
    infinitesimal: bool,
    squares: Sequence[tuple[Fraction, ...]] = (),
) -> Ansatz:
    """Pose a problem whose generators are all linear.

    Args:
        shape: Degree in each factor.
        inputs: Per factor one matrix per generator.
        outputs: One matrix per generator.
        infinitesimal: Whether they generate a Lie algebra.
        squares: Of each factor and of the output.
    """
    squares = squares or [()] * (len(shape) + 1)
    generators = tuple(
        LinearGenerator(f"g{i}", infinitesimal, tuple(f[i] for f in inputs), output)
        for i, output in enumerate(outputs)
    )
    actions = tuple(
        still(f[0].height, squares=s) for f, s in zip(inputs, squares[:-1], strict=True)
    )
    output = still(outputs[0].height, "U", squares[-1])
    return Ansatz(output, actions, shape, ("identity",), linear=generators)


def power(matrix: Matrix, exponent: int) -> Matrix:
    return reduce(Matrix.__matmul__, [matrix] * exponent, Matrix.identity(matrix.height))
