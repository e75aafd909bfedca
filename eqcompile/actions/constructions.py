"""Representations made of representations: sums, products, powers and duals.

Each works on all generators at once: discrete ones as group elements, those of the Lie algebra as
derivations. Scales of coordinates follow: those of a product are the products of those of its
factors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import reduce
from math import prod

from eqcompile.actions.group import Group, Image, Representation, measure_image
from eqcompile.actions.images import (
    dualise_image,
    find_determinant,
    sum_images,
    tensor_images,
)
from eqcompile.actions.powers import (
    derive_alternating,
    derive_symmetric,
    derive_tensor,
    raise_alternating,
    raise_symmetric,
)
from eqcompile.errors import Refusal
from eqcompile.exact import matrices
from eqcompile.exact.fields import Scalar
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.monomials import list_subsets, list_tuples, move_subsets
from eqcompile.exact.signed import SignedPermutation

Squares = tuple[Fraction, ...]

_PLUS = SignedPermutation.identity(1)
_MINUS = SignedPermutation(_PLUS.perm, -_PLUS.signs)


def take_defining(group: Group) -> Representation:
    """Return ``V``."""
    return Representation("V", group.dim, group.generators, group.algebra)


def take_trivial(group: Group) -> Representation:
    """Return ``1``."""
    return _act_on_line(group, "1", [_PLUS] * len(group.generators))


def take_sign(group: Group) -> Representation:
    """Return ``sign``, the sign of the permutations that underlie the generators.

    Raises:
        Refusal: A generator is no signed permutation.
    """
    images: list[Image] = []
    for g, label in zip(group.generators, group.labels, strict=False):
        if not isinstance(g, SignedPermutation):
            text = f"the generator {label} of {group.name} permutes no points, so it has no sign"
            raise Refusal("undefined-representation", text, "write det for the determinant")
        images.append(_PLUS if g.parity() > 0 else _MINUS)
    return _act_on_line(group, "sign", images)


def take_det(group: Group) -> Representation:
    """Return ``det``: determinants of the generators, traces of the Lie algebra."""
    images = [_scale_line(find_determinant(g)) for g in group.generators]
    traces = [Matrix.from_entries(1, 1, [(0, 0, _trace(x))]) for x in group.algebra]
    return Representation("det", 1, tuple(images), tuple(traces))


def _trace(element: Matrix) -> Scalar:
    diagonal = (value for i, j, value in element.entries() if i == j)
    return sum(diagonal, start=Scalar.of(0))


def _scale_line(factor: Scalar) -> Image:
    if factor == 1 or factor == -1:
        return _PLUS if factor == 1 else _MINUS
    return Matrix.from_entries(1, 1, [(0, 0, factor)])


def _act_on_line(group: Group, text: str, images: Sequence[Image]) -> Representation:
    return Representation(text, 1, tuple(images), (Matrix.zero(1, 1),) * len(group.algebra))


def add_representations(parts: Sequence[Representation]) -> Representation:
    """Return the direct sum, blocks in order."""
    squares: Squares = ()
    if any(part.squares for part in parts):
        squares = tuple(s for part in parts for s in _list_squares(part))
    return _combine(parts, sum_images, matrices.direct_sum, squares)


def multiply_representations(parts: Sequence[Representation], group: Group) -> Representation:
    """Return the tensor product in row-major order; of no parts the trivial representation."""
    if not parts:
        return take_trivial(group)
    squares: Squares = ()
    if any(part.squares for part in parts):
        lists = [_list_squares(part) for part in parts]
        squares = tuple(reduce(lambda a, b: [s * t for s in a for t in b], lists, [Fraction(1)]))
    return _combine(parts, tensor_images, derive_tensor, squares)


def raise_representation(part: Representation, kind: str, k: int) -> Representation:
    """Return ``Sym(part, k)`` or ``Alt(part, k)``."""
    squares: Squares = ()
    symmetric = kind == "Sym"
    if part.squares:
        tuples = list_tuples(part.dim, k) if symmetric else list_subsets(part.dim, k)
        squares = tuple(prod((part.squares[i] for i in t), start=Fraction(1)) for t in tuples)
    raise_image = raise_symmetric if symmetric else raise_alternating
    derive = derive_symmetric if symmetric else derive_alternating
    return _combine(
        [part], lambda images: raise_image(images[0], k), lambda x: derive(x[0], k), squares
    )


def list_subset_action(part: Representation, k: int) -> Representation:
    """Return the action on k-subsets of the basis, signs left out.

    Raises:
        Refusal: The part does not permute its basis up to sign.
    """
    permuted = [g for g in part.images if isinstance(g, SignedPermutation)]
    if len(permuted) < len(part.images) or any(not x.is_zero for x in part.algebra):
        text = "subsets need a representation that permutes its basis"
        raise Refusal("undefined-representation", text, "write Alt or Sym")
    return _combine(
        [part],
        lambda images: move_subsets(_keep_signed(images[0]), k, alternating=False),
        lambda x: derive_alternating(x[0], k),
        (),
    )


def _keep_signed(image: Image) -> SignedPermutation:
    assert isinstance(image, SignedPermutation)
    return image


def dualise_representation(part: Representation) -> Representation:
    """Return the dual: inverse transposes, and ``-X^T`` in the Lie algebra."""
    squares = tuple(1 / s for s in part.squares)
    return _combine(
        [part], lambda images: dualise_image(images[0]), lambda x: -x[0].transpose(), squares
    )


def _combine(
    parts: Sequence[Representation],
    combine: Callable[[Sequence[Image]], Image],
    derive: Callable[[Sequence[Matrix]], Matrix],
    squares: Squares,
) -> Representation:
    images = tuple(combine(images) for images in zip(*(p.images for p in parts), strict=True))
    algebra = tuple(derive(x) for x in zip(*(p.algebra for p in parts), strict=True))
    dim = measure_image((*images, *algebra)[0])
    kept = squares if any(s != 1 for s in squares) else ()
    return Representation("", dim, images, algebra, kept)


def _list_squares(part: Representation) -> Squares:
    return part.squares or (Fraction(1),) * part.dim
