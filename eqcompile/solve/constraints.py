"""What equivariance demands of the coefficients, generator by generator.

``f(g x) = g f(x)`` for the ansatz ``f_k(x) = sum_a w[k; a] x^a`` with ``g x^a = s_a x^{g a}``
and ``g e_k = s_k e_{g k}`` compares, monomial by monomial, to

    w[g k; g a] = s_k s_a w[k; a],

one equality per slot and generator. The pair of factors is kept instead of the equalities.

A generator that is no signed permutation mixes slots. With ``(g x)^b = sum_a P[b, a] x^a`` and
``U`` its matrix on the outputs, the same comparison is

    sum_b w[k; b] P[b, a] = sum_l U[k, l] w[l; a],

one linear equation per slot. An element X of a Lie algebra demands ``Df(x)(X x) = Y f(x)``, the
same equation with P and U replaced by the derivation X makes on the monomials and by Y.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import SignedPermutation, kron
from eqcompile.exact.substitution import derive_monomials, substitute_monomials
from eqcompile.layers.problem import LinearGenerator
from eqcompile.solve.ansatz import Ansatz, Rows


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
    """Everything that is demanded of one ansatz.

    Attributes:
        ansatz: The coefficients they speak of.
        moves: One per signed generator; the other generators and constraints are equations.
    """

    ansatz: Ansatz
    moves: tuple[SlotMove, ...]

    @property
    def is_signed(self) -> bool:
        """Whether any equality carries a minus sign."""
        return not all(m.outputs.is_unsigned and m.monomials.is_unsigned for m in self.moves)

    @property
    def has_rows(self) -> bool:
        """Whether anything but equalities is demanded."""
        return bool(self.ansatz.linear or self.ansatz.relations)

    def equalities(self) -> Iterator[Equality]:
        """Walk the equalities that say something, generator by generator, slot by slot."""
        for move in self.moves:
            for k in range(move.outputs.n):
                for a in range(move.monomials.n):
                    left = (int(move.outputs.perm[k]), int(move.monomials.perm[a]))
                    sign = int(move.outputs.signs[k] * move.monomials.signs[a])
                    if left != (k, a) or sign < 0:
                        yield Equality(left, (k, a), sign, move.cause)

    def rows(self) -> Iterator[Rows]:
        """Walk the equations of the other generators, the sparsest first, then the constraints."""
        linear = sorted(self.ansatz.linear, key=_count_entries)
        yield from (spell_generator(self.ansatz, generator) for generator in linear)
        yield from self.ansatz.relations


def _count_entries(generator: LinearGenerator) -> int:
    return sum(len(matrix.rows) for matrix in (*generator.inputs, generator.output))


def spell_generator(ansatz: Ansatz, generator: LinearGenerator) -> Rows:
    """Write the equations one generator demands, one per slot."""
    outputs, monomials = Matrix.identity(ansatz.output.dim), Matrix.identity(ansatz.space.size)
    spell = derive_monomials if generator.infinitesimal else substitute_monomials
    moved = spell(generator.inputs, ansatz.shape)
    matrix = outputs.kron(moved.transpose()) - generator.output.kron(monomials)
    return Rows(generator.cause, matrix)


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
