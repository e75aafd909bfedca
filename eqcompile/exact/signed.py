"""Signed permutations of a basis: ``g e_i = signs[i] e_perm[i]``.

The one convention of the project (column vectors): ``(g x)[perm[i]] = signs[i] x[i]``. A signed
permutation of n basis vectors is at the same time a permutation of the 2n points ``+-e_i``
(:meth:`SignedPermutation.double`), so every question about orders, relations and orbits is asked
there once, for both kinds of action.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


def freeze(values: npt.ArrayLike) -> IntArray:
    """Return a read-only int64 array of ``values``, copied unless it is one already."""
    array = np.asarray(values, dtype=np.int64)
    if array.flags.writeable:
        array = array.copy()
        array.flags.writeable = False
    return array


@dataclass(frozen=True, slots=True, eq=False)
class SignedPermutation:
    """A permutation matrix with signs, ``e_i -> signs[i] e_perm[i]``.

    Attributes:
        perm: Shape ``(n,)``, a permutation of ``0..n-1``.
        signs: Shape ``(n,)``, each entry 1 or -1.
    """

    perm: IntArray
    signs: IntArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "perm", freeze(self.perm))
        object.__setattr__(self, "signs", freeze(self.signs))
        n = len(self.perm)
        if self.signs.shape != (n,) or not np.array_equal(np.sort(self.perm), np.arange(n)):
            raise ValueError("not a signed permutation: perm must list 0..n-1 once, signs as many")
        if not np.all(np.abs(self.signs) == 1):
            raise ValueError("signs of a signed permutation are 1 or -1")

    @classmethod
    def unsigned(cls, perm: npt.ArrayLike) -> SignedPermutation:
        """Return the permutation ``e_i -> e_perm[i]``."""
        array = freeze(perm)
        return cls(array, np.ones(len(array), dtype=np.int64))

    @classmethod
    def identity(cls, n: int) -> SignedPermutation:
        """Return the identity on n basis vectors."""
        return cls.unsigned(np.arange(n))

    @property
    def n(self) -> int:
        """Number of basis vectors."""
        return len(self.perm)

    @property
    def is_unsigned(self) -> bool:
        """Whether every sign is plus."""
        return bool(np.all(self.signs == 1))

    @property
    def is_identity(self) -> bool:
        """Whether this fixes every basis vector with its sign."""
        return self.is_unsigned and bool(np.array_equal(self.perm, np.arange(self.n)))

    def double(self) -> IntArray:
        """Return the permutation of the 2n points: ``i`` is ``+e_i``, ``n + i`` is ``-e_i``."""
        flip = np.where(self.signs > 0, 0, self.n)
        return np.concatenate([self.perm + flip, self.perm + (self.n - flip)])

    def __matmul__(self, other: SignedPermutation) -> SignedPermutation:
        """Return the product ``self other``: apply ``other`` first."""
        return SignedPermutation(self.perm[other.perm], self.signs[other.perm] * other.signs)

    def inverse(self) -> SignedPermutation:
        """Return the inverse, which is also the transpose."""
        perm = np.empty(self.n, dtype=np.int64)
        perm[self.perm] = np.arange(self.n)
        return SignedPermutation(perm, self.signs[perm])

    def parity(self) -> int:
        """Return the sign of the underlying permutation, signs of the entries left out."""
        seen = np.zeros(self.n, dtype=bool)
        even = True
        for start in range(self.n):
            length = 0
            point = start
            while not seen[point]:
                seen[point] = True
                point = int(self.perm[point])
                length += 1
            if length and length % 2 == 0:
                even = not even
        return 1 if even else -1

    def det(self) -> int:
        """Return the determinant of the matrix."""
        return self.parity() * int(np.prod(self.signs))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SignedPermutation):
            return NotImplemented
        return np.array_equal(self.perm, other.perm) and np.array_equal(self.signs, other.signs)

    def __hash__(self) -> int:
        return hash((self.perm.tobytes(), self.signs.tobytes()))

    def __repr__(self) -> str:
        return f"SignedPermutation({spell_cycles(self)})"


def direct_sum(parts: Sequence[SignedPermutation]) -> SignedPermutation:
    """Return the block-diagonal sum, blocks in order."""
    offsets = np.cumsum([0, *(p.n for p in parts)])
    perm = np.concatenate([p.perm + o for p, o in zip(parts, offsets, strict=False)])
    return SignedPermutation(perm, np.concatenate([p.signs for p in parts]))


def kron(left: SignedPermutation, right: SignedPermutation) -> SignedPermutation:
    """Return the tensor product on pairs ``(i, j)`` in row-major order."""
    perm = left.perm[:, None] * right.n + right.perm[None, :]
    return SignedPermutation(perm.ravel(), np.outer(left.signs, right.signs).ravel())


def spell_cycles(g: SignedPermutation) -> str:
    """Write ``g`` in cycle notation; ``-`` before a point says that it arrives negated.

    ``(0 1 -2)`` sends ``e_0 -> e_1 -> -e_2`` and ``e_2 -> e_0``; ``(-0)`` negates ``e_0``.
    """
    seen = np.zeros(g.n, dtype=bool)
    cycles = []
    for start in range(g.n):
        if seen[start]:
            continue
        words, point = [], start
        while not seen[point]:
            seen[point] = True
            words.append(point)
            point = int(g.perm[point])
        if len(words) > 1 or g.signs[start] < 0:
            arrives = [g.signs[words[i - 1]] for i in range(len(words))]
            cycles.append(
                "("
                + " ".join(
                    ("-" if s < 0 else "") + str(w) for s, w in zip(arrives, words, strict=True)
                )
                + ")"
            )
    return "".join(cycles) or "()"
