"""Does an image keep the relations of a Lie algebra? If not, which brackets break it?

The group's elements X and their images Y are paired. Brackets with the generators, and conjugates
by the discrete generators, span the Lie algebra of the group; a linear relation between them that
the images do not keep shows that the paired algebra is larger. Jacobi's identity makes brackets
with generators enough. Which brackets are independent is found modulo a prime and confirmed by the
exact kernel that gives the relations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eqcompile.actions.group import Group, Image
from eqcompile.actions.images import as_matrix, invert_image
from eqcompile.errors import Refusal
from eqcompile.exact.fields import Scalar
from eqcompile.exact.matrices import Matrix, direct_sum, stack_columns
from eqcompile.exact.nullspace import find_kernel

MAX_BRACKETS = 4000
_PRIMES = 8


@dataclass(frozen=True, slots=True)
class _Element:
    """An element of the Lie algebra beside its image, on one diagonal, and how it was made."""

    label: str
    pair: Matrix


@dataclass(frozen=True, slots=True)
class _Turn:
    """A discrete generator beside its image, on one diagonal."""

    label: str
    pair: Matrix
    inverse: Matrix


Relation = tuple[tuple[Scalar, str], ...]
"""Coefficients and labels of a sum that is 0 in the group."""


def find_broken_relation(
    group: Group, images: Sequence[Image], algebra: Sequence[Matrix]
) -> Relation | None:
    """Find a linear relation between brackets that holds in the group and not in the image.

    Args:
        group: The group.
        images: The images of its discrete generators.
        algebra: The images of the elements of its Lie algebra.

    Returns:
        A relation with few terms, None if the image keeps them all.

    Raises:
        Refusal: The algebra is too large (rule ``too-large``).
    """
    if not algebra:
        return None
    generators, turns = _pair_up(group, images, algebra)
    for index in range(_PRIMES):
        elements, basis = _span(generators, turns, group.dim, index)
        # Dependent elements come first: each kernel vector then expresses one of them.
        rest = sorted(set(range(len(elements))) - set(basis))
        order = [*rest, *basis]
        own, image = _flatten([elements[i].pair for i in order], group.dim)
        relations = find_kernel(own)
        if relations.width == len(rest):
            return _choose_broken(relations, image, [elements[i].label for i in order])
    raise AssertionError("no prime shows which brackets are independent")


def _choose_broken(relations: Matrix, image: Matrix, labels: Sequence[str]) -> Relation | None:
    broken = image @ relations
    if broken.is_zero:
        return None
    counts = np.bincount(relations.columns, minlength=relations.width)
    chosen = min(set(broken.columns.tolist()), key=lambda j: (int(counts[j]), j))
    vector = relations.take_columns([chosen])
    return tuple((value, labels[i]) for i, _, value in vector.entries())


def spell_relation(relation: Relation) -> str:
    """Write the sum of a relation: ``[J01, J12] - 2 J02``."""
    words: list[str] = []
    for value, label in relation:
        text = str(value)
        single = not any(c in text[1:] for c in "+-")
        negative = single and text.startswith("-")
        size = text.removeprefix("-") if negative else text
        term = label if size == "1" else f"{size if single else f'({size})'} {label}"
        joint = (" - " if negative else " + ") if words else ("-" if negative else "")
        words.append(joint + term)
    return "".join(words)


def _pair_up(
    group: Group, images: Sequence[Image], algebra: Sequence[Matrix]
) -> tuple[list[_Element], list[_Turn]]:
    split = len(group.generators)
    generators = [
        _Element(label, direct_sum([own, image]))
        for label, own, image in zip(group.labels[split:], group.algebra, algebra, strict=True)
    ]
    turns = []
    for label, own, image in zip(group.labels, group.generators, images, strict=False):
        pair = direct_sum([as_matrix(own), as_matrix(image)])
        turns.append(_Turn(label, pair, as_matrix(invert_image(pair))))
    return generators, turns


def _span(
    generators: Sequence[_Element], turns: Sequence[_Turn], dim: int, index: int
) -> tuple[list[_Element], list[int]]:
    """List brackets until they are closed, and the numbers of those that are independent."""
    elements = list(generators)
    basis = _list_independent(elements, dim, index)
    fresh = basis
    while fresh:
        before = len(elements)
        if before + len(fresh) * (len(generators) + len(turns)) > MAX_BRACKETS:
            text = "its Lie algebra is too large to be compared with images"
            raise Refusal("too-large", text, "write the image as an expression in V")
        for i in fresh:
            here = elements[i]
            elements += [_bracket(x, here) for x in generators if x is not here]
            elements += [_conjugate(turn, here) for turn in turns]
        basis = _list_independent(elements, dim, index)
        fresh = [i for i in basis if i >= before]
    return elements, basis


def _bracket(left: _Element, right: _Element) -> _Element:
    pair = left.pair @ right.pair - right.pair @ left.pair
    return _Element(f"[{left.label}, {right.label}]", pair)


def _conjugate(turn: _Turn, element: _Element) -> _Element:
    label = f"{turn.label} {element.label} {turn.label}^-1"
    return _Element(label, turn.pair @ element.pair @ turn.inverse)


def _list_independent(elements: Sequence[_Element], dim: int, index: int) -> list[int]:
    """Return the numbers of the first elements that span all, modulo a prime, in the group."""
    from flint import nmod_mat

    own, _ = _flatten([element.pair for element in elements], dim)
    while own.denominator % own.field.prime(index) == 0:
        index += _PRIMES
    p = own.field.prime(index)
    places, rows = np.unique(own.rows, return_inverse=True)
    if not len(places):
        return []
    dense = np.zeros((len(places), own.width), dtype=np.int64)
    dense[rows, own.columns] = own.reduce(p, own.field.roots(p)[0])
    reduced, rank = nmod_mat(dense.tolist(), p).rref()
    table = [[int(value) for value in row] for row in reduced.tolist()[:rank]]
    return [next(j for j, value in enumerate(row) if value) for row in table]


def _flatten(pairs: Sequence[Matrix], dim: int) -> tuple[Matrix, Matrix]:
    """Write matrices as columns: their part in the group, and their part in the image."""
    size = pairs[0].height
    columns = stack_columns([_write_column(pair) for pair in pairs])
    inside = columns.rows < dim * size
    parts = [_select(columns, inside), _select(columns, ~inside)]
    return parts[0], parts[1]


def _write_column(matrix: Matrix) -> Matrix:
    places = (matrix.rows * matrix.width + matrix.columns, np.zeros_like(matrix.rows))
    shape = (matrix.height * matrix.width, 1)
    return Matrix(matrix.field, shape, places, matrix.values, matrix.denominator)


def _select(matrix: Matrix, kept: npt.NDArray[np.bool_]) -> Matrix:
    places = (matrix.rows[kept], matrix.columns[kept])
    values, denominator = matrix.values[kept], matrix.denominator
    return Matrix(matrix.field, matrix.shape, places, values, denominator)
