"""Count solutions by characters, modulo primes, for finite groups that have matrices.

The average of the characters is a rational integer below the primes, so its residue is itself.
Modulo a prime that does not divide its order a finite group keeps all its elements, and an
infinite one has far more of them than are listed here; two primes must agree on the order.

Source: Molien 1897; Newton's identities for the complete homogeneous functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from eqcompile.exact.fields import RATIONALS, Field
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import IntArray
from eqcompile.solve.ansatz import Ansatz
from eqcompile.solve.burnside import GROUP_ORDER, CharacterCount
from eqcompile.solve.modular import reduce_matrix, take_primes

LARGEST_DIM = 64
"""Largest dimension of an action whose elements are listed as dense matrices."""


@dataclass(frozen=True, slots=True)
class _Elements:
    """All elements of a group: per action a stack of matrices of residues."""

    actions: tuple[IntArray, ...]

    @property
    def order(self) -> int:
        return len(self.actions[0])


def count_by_molien(ansatz: Ansatz) -> CharacterCount | None:
    """Count the solutions of an ansatz without further constraints by characters.

    Returns:
        None where the group is infinite, too large to list, or acts on too many dimensions.
    """
    actions = (*ansatz.inputs, ansatz.output)
    infinitesimal = any(generator.infinitesimal for generator in ansatz.linear)
    if infinitesimal or max(action.dim for action in actions) > LARGEST_DIM:
        return None
    generators = _list_generators(ansatz)
    field = reduce(Field.join, (m.field for g in generators for m in g), RATIONALS)
    counts = {_count(ansatz, generators, field, p) for p in take_primes(field.conductor, 2)}
    if len(counts) != 1:
        return None
    (count,) = counts
    return count


def _list_generators(ansatz: Ansatz) -> list[tuple[Matrix, ...]]:
    """Return the matrices of each generator, on the factors and then on the output."""
    actions = (*ansatz.inputs, ansatz.output)
    signed = [
        tuple(Matrix.from_signed(action.images[i]) for action in actions)
        for i in range(len(ansatz.causes))
    ]
    return signed + [(*g.inputs, g.output) for g in ansatz.linear]


def _count(
    ansatz: Ansatz, generators: list[tuple[Matrix, ...]], field: Field, p: int
) -> CharacterCount | None:
    root = field.roots(p)[0]
    reduced = [
        tuple(reduce_matrix(m, field, p, root).toarray() for m in generator)
        for generator in generators
    ]
    elements = _list_elements(reduced, p)
    if elements is None:
        return None
    total = np.ones(elements.order, dtype=np.int64)
    for stack, degree in zip(elements.actions, (*ansatz.shape, 1), strict=True):
        total = total * _trace_symmetric(stack, degree, p) % p
    dimension = int(total.sum() % p) * pow(elements.order, -1, p) % p
    return CharacterCount(dimension, elements.order, "molien")


def _list_elements(generators: list[tuple[IntArray, ...]], p: int) -> _Elements | None:
    """List a group of matrices of residues, None beyond `GROUP_ORDER` elements."""
    one = tuple(np.eye(len(m), dtype=np.int64) for m in generators[0])
    known = {_key(one)}
    elements = [one]
    for element in elements:
        for generator in generators:
            product = tuple((g @ m) % p for g, m in zip(generator, element, strict=True))
            key = _key(product)
            if key not in known:
                if len(elements) >= GROUP_ORDER:
                    return None
                known.add(key)
                elements.append(product)
    return _Elements(tuple(np.stack(parts) for parts in zip(*elements, strict=True)))


def _key(element: tuple[IntArray, ...]) -> bytes:
    return b"".join(matrix.tobytes() for matrix in element)


def _trace_symmetric(stack: IntArray, degree: int, p: int) -> IntArray:
    """Return the trace of every element on the forms of a degree, modulo p."""
    power = np.broadcast_to(np.eye(stack.shape[1], dtype=np.int64), stack.shape)
    traces = []
    for _ in range(degree):
        power = (power @ stack) % p
        traces.append(np.trace(power, axis1=1, axis2=2) % p)
    complete = [np.ones(len(stack), dtype=np.int64)]
    for d in range(1, degree + 1):
        terms = [traces[k - 1] * complete[d - k] % p for k in range(1, d + 1)]
        complete.append(sum(terms, np.zeros_like(complete[0])) % p * pow(d, -1, p) % p)
    return complete[degree]
