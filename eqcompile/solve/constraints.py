"""What equivariance demands of the coefficients, generator by generator.

``f(g x) = g f(x)`` for the ansatz ``f_k(x) = sum_a w[k; a] x^a`` with ``g x^a = s_a x^{g a}``
and ``g e_k = s_k e_{g k}`` compares, monomial by monomial, to

    w[g k; g a] = s_k s_a w[k; a],

one equality per slot and generator. The pair of factors is kept instead of the equalities.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from eqcompile.exact.signed import SignedPermutation, kron
from eqcompile.solve.ansatz import Ansatz


@dataclass(frozen=True, slots=True)
class SlotMove:
    """The equalities one generator imposes: ``w[g k; g a] = +-w[k; a]``.

    Attributes:
        cause: Label of the generator.
        outputs: How it moves the outputs.
        monomials: How it moves the monomials.
    """

    cause: str
    outputs: SignedPermutation
    monomials: SignedPermutation

    def slots(self) -> SignedPermutation:
        """Return the move of all slots, outputs slowest."""
        return kron(self.outputs, self.monomials)


@dataclass(frozen=True, slots=True)
class Equality:
    """One equality ``w[left] = sign w[right]``, slots as ``(output, monomial rank)``."""

    left: tuple[int, int]
    right: tuple[int, int]
    sign: int
    cause: str


@dataclass(frozen=True, slots=True)
class Constraints:
    """All equalities of one ansatz.

    Attributes:
        ansatz: The coefficients they speak of.
        moves: One per generator.
    """

    ansatz: Ansatz
    moves: tuple[SlotMove, ...]

    @property
    def is_signed(self) -> bool:
        """Whether any equality carries a minus sign."""
        return not all(m.outputs.is_unsigned and m.monomials.is_unsigned for m in self.moves)

    def equalities(self) -> Iterator[Equality]:
        """Walk the equalities that say something, generator by generator, slot by slot."""
        for move in self.moves:
            for k in range(move.outputs.n):
                for a in range(move.monomials.n):
                    left = (int(move.outputs.perm[k]), int(move.monomials.perm[a]))
                    sign = int(move.outputs.signs[k] * move.monomials.signs[a])
                    if left != (k, a) or sign < 0:
                        yield Equality(left, (k, a), sign, move.cause)


def constrain(ansatz: Ansatz) -> Constraints:
    """Impose equivariance under every generator on an ansatz."""
    moves = tuple(
        SlotMove(
            cause,
            ansatz.output.images[i],
            ansatz.space.move([r.images[i] for r in ansatz.inputs]),
        )
        for i, cause in enumerate(ansatz.causes)
    )
    return Constraints(ansatz, moves)
