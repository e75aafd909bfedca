"""The certificate of what is more than signed permutations: exact solutions, rank modulo a prime.

The equations are written anew and compared with a direct evaluation of ``f(g x) - g f(x)`` at
random points for random coefficients, so a wrong equation is seen whoever wrote it. Then

1. every class, and the fixed part, satisfies every equation exactly, in the field;
2. the classes are independent (each has a free coefficient of its own) and as many as the kernel
   of the equations modulo a prime has dimensions, so there are no others.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import reduce
from math import prod

import numpy as np
from scipy.sparse import csr_array

from eqcompile.errors import CertificateError
from eqcompile.exact.fields import RATIONALS, Field
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import IntArray
from eqcompile.exact.substitution import derive_monomials, substitute_monomials
from eqcompile.layers.problem import LinearGenerator
from eqcompile.solve.ansatz import Ansatz, Rows
from eqcompile.solve.modular import (
    count_solutions,
    draw_residues,
    multiply,
    reduce_matrix,
    take_primes,
)
from eqcompile.solve.tying import Tying

PRIMES = 4
"""Primes that are tried before too small a rank is taken for the truth."""

SAMPLES = 2


def prove_linear(tying: Tying, labels: IntArray, signs: IntArray) -> None:
    """Prove that a basis solves all linear equations, and that nothing else does.

    Args:
        tying: What is claimed.
        labels: Component of each slot under the signed generators, counted by the certificate
            itself, -1 where it is zero; shape ``(slots,)``.
        signs: Sign of each slot in its component.

    Raises:
        CertificateError: It does not hold.
    """
    ansatz = tying.ansatz
    systems = list(spell_equations(ansatz))
    told, turns = (array.ravel() for array in tying.table())
    claimed = spread(told, turns, tying.coefficients)
    own = spread(labels, signs, 1 + int(labels.max(initial=-1)))
    field = reduce(Field.join, (rows.matrix.field for rows in systems), RATIONALS)
    primes = take_primes(field.conductor, PRIMES)
    check_equations(ansatz, systems, field, primes[0], field.roots(primes[0])[0])
    check_basis(tying)
    for rows in systems:
        check_solutions(tying, claimed, rows)
    matrices = [rows.matrix @ own for rows in systems]
    found = tying.classes
    for p in primes:
        root = field.roots(p)[0]
        reduced = [reduce_matrix(matrix, field, p, root) for matrix in matrices]
        found = count_solutions(reduced, own.width, p)
        if found == tying.classes:
            return
    raise CertificateError(
        f"{tying.classes} classes are claimed, the equations modulo primes leave {found}"
    )


def spell_equations(ansatz: Ansatz) -> Iterator[Rows]:
    """Write the equations of every generator and constraint, the sparsest generators first."""
    size, dim = Matrix.identity(ansatz.space.size), Matrix.identity(ansatz.output.dim)
    found = []
    for generator in ansatz.linear:
        spell = derive_monomials if generator.infinitesimal else substitute_monomials
        monomials = spell(generator.inputs, ansatz.shape).transpose()
        matrix = dim.kron(monomials) - generator.output.kron(size)
        found.append(Rows(generator.cause, matrix))
    yield from sorted(found, key=lambda rows: len(rows.matrix.rows))
    yield from ansatz.relations


def spread(labels: IntArray, signs: IntArray, width: int) -> Matrix:
    """Return the matrix from components to slots."""
    kept = np.flatnonzero(labels >= 0)
    return Matrix.from_arrays(kept, labels[kept], signs[kept], len(labels), width)


def check_basis(tying: Tying) -> None:
    """Check that classes are independent, and that no coefficient is zero throughout."""
    basis = tying.basis
    if basis is None:
        return
    if basis.matrix.height != tying.coefficients:
        raise CertificateError("the basis does not speak of every coefficient")
    own = basis.matrix.take_rows(basis.free)
    diagonal = np.array_equal(own.rows, own.columns)
    if not diagonal or len(own.rows) != basis.classes or np.any(np.diff(basis.free) <= 0):
        raise CertificateError("a class has no free coefficient of its own, in order")
    offset = basis.offset.rows if basis.offset is not None else np.zeros(0, np.int64)
    if np.intersect1d(offset, basis.free).size:
        raise CertificateError("a free coefficient has a fixed part")
    alive = np.union1d(basis.matrix.rows, offset)
    if len(alive) != tying.coefficients:
        raise CertificateError("a coefficient is zero in every solution and not told so")
    check_units(tying)


def check_units(tying: Tying) -> None:
    """Check that every slot of a coefficient has the unit the basis says."""
    ansatz = tying.ansatz
    if tying.basis is None or not any(a.squares for a in (ansatz.output, *ansatz.inputs)):
        if tying.basis is not None and tying.basis.squares:
            raise CertificateError("coefficients have units, coordinates have none")
        return
    claimed = tying.basis.squares or (Fraction(1),) * tying.coefficients
    if len(claimed) != tying.coefficients:
        raise CertificateError("there is not one unit per coefficient")
    monomials = []
    for parts in map(ansatz.space.tuples, range(ansatz.space.size)):
        pairs = zip(ansatz.inputs, parts, strict=True)
        monomials.append(prod(a.squares[i] for a, part in pairs for i in part if a.squares))
    labels, _ = tying.table()
    for k, a in np.argwhere(labels >= 0).tolist():
        unit = (ansatz.output.squares[k] if ansatz.output.squares else 1) / Fraction(monomials[a])
        if unit != claimed[labels[k, a]]:
            raise CertificateError(f"the unit of {ansatz.spell_slot(k, a)} is not that claimed")


def check_solutions(tying: Tying, claimed: Matrix, rows: Rows) -> None:
    """Check exactly that all claimed solutions satisfy some equations."""
    matrix = rows.matrix @ claimed
    basis = tying.basis
    if basis is not None:
        right = rows.right or Matrix.zero(matrix.height, 1)
        fixed = matrix @ basis.offset if basis.offset is not None else Matrix.zero(*right.shape)
        if not (fixed - right).is_zero:
            raise CertificateError(f"the fixed part does not satisfy {rows.cause}")
        matrix = matrix @ basis.matrix
    if not matrix.is_zero:
        raise CertificateError(f"a class does not satisfy {rows.cause}")


def check_equations(ansatz: Ansatz, systems: list[Rows], field: Field, p: int, root: int) -> None:
    """Compare the equations of each generator with ``f(g x) - g f(x)`` at random points."""
    causes = {rows.cause: rows for rows in systems}
    for generator in ansatz.linear:
        rows = reduce_matrix(causes[generator.cause].matrix, field, p, root)
        for sample in range(SAMPLES):
            weights = draw_residues(ansatz.slots, p, sample)
            points = [draw_residues(r.dim, p, 7 + sample + f) for f, r in enumerate(ansatz.inputs)]
            found = _apply(rows, weights, p).reshape(ansatz.output.dim, -1)
            values = _multiply(found, evaluate_monomials(ansatz, points, p)[0], p)
            direct = _compare(ansatz, generator, weights, points, field, p, root)
            if not np.array_equal(values, direct):
                raise CertificateError(f"the equations of {generator.cause} are not equivariance")


def _compare(
    ansatz: Ansatz,
    generator: LinearGenerator,
    weights: IntArray,
    points: list[IntArray],
    field: Field,
    p: int,
    root: int,
) -> IntArray:
    """Evaluate ``f(g x) - g f(x)``, or ``Df(x)(X x) - Y f(x)``, modulo p."""
    inputs = [reduce_matrix(m, field, p, root) for m in generator.inputs]
    moved = [_apply(m, x, p) for m, x in zip(inputs, points, strict=True)]
    table = weights.reshape(ansatz.output.dim, -1)
    if generator.infinitesimal:
        left = evaluate_monomials(ansatz, points, p, moved)[1]
    else:
        left = evaluate_monomials(ansatz, moved, p)[0]
    here = _multiply(table, evaluate_monomials(ansatz, points, p)[0], p)
    output = reduce_matrix(generator.output, field, p, root)
    return np.asarray((_multiply(table, left, p) - _apply(output, here, p)) % p)


def evaluate_monomials(
    ansatz: Ansatz, points: list[IntArray], p: int, tangents: list[IntArray] | None = None
) -> tuple[IntArray, IntArray]:
    """Evaluate all monomials modulo p, and their derivatives along tangents."""
    columns = ansatz.space.columns()
    values = np.ones(len(columns), dtype=np.int64)
    slopes = np.zeros(len(columns), dtype=np.int64)
    factors = [f for f, degree in enumerate(ansatz.shape) for _ in range(degree)]
    for position, f in enumerate(factors):
        here = points[f][columns[:, position]]
        slopes = slopes * here % p
        if tangents is not None:
            slopes = (slopes + values * tangents[f][columns[:, position]]) % p
        values = values * here % p
    return values, slopes


def _multiply(table: IntArray, vector: IntArray, p: int) -> IntArray:
    """Multiply a dense matrix by a vector; summed in parts that fit into 64 bits."""
    products = table * vector % p
    return np.asarray(products.sum(axis=1) % p)


def _apply(matrix: csr_array, vector: IntArray, p: int) -> IntArray:
    column = csr_array(vector.reshape(-1, 1))
    return np.asarray(multiply(matrix, column, p).toarray().ravel())
