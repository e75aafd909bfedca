"""Tensor products of irreducible representations of SO(3), and invariants of SL(2)."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sympy import S
from sympy.physics.wigner import clebsch_gordan

from eqcompile.layers.polynomial import resolve
from eqcompile.solve.ansatz import expand
from eqcompile.solve.certificate import prove
from eqcompile.solve.constraints import constrain
from eqcompile.solve.solver import solve
from eqcompile.solve.tying import Tying
from eqcompile.spec import load

Array = npt.NDArray[Any]
LARGEST = 4


def pose_product(left: int, right: int, output: int) -> Tying:
    """Solve for the bilinear maps of two irreducible representations to a third."""
    layer = {
        "name": "Path",
        "group": {"lie": "so", "n": 3},
        "input": {"x": f"irrep({left})", "y": f"irrep({right})"},
        "output": f"irrep({output})",
        "degrees": [{"x": 1, "y": 1}],
    }
    (problem,) = resolve(load({"version": 1, "package": "paths", "layers": [layer]}))
    return solve(constrain(expand(problem, ((1,), (1,)))))


@cache
def change_to_complex(l: int) -> Array:  # noqa: E741
    """Return the real basis of e3nn in the complex one, one complex vector per row."""
    q = np.zeros((2 * l + 1, 2 * l + 1), dtype=complex)
    q[l, l] = 1
    for m in range(1, l + 1):
        q[l - m, l + m], q[l - m, l - m] = 1 / np.sqrt(2), -1j / np.sqrt(2)
        q[l + m, l + m], q[l + m, l - m] = (-1) ** m / np.sqrt(2), 1j * (-1) ** m / np.sqrt(2)
    return (-1j) ** l * q


def couple(left: int, right: int, output: int) -> Array:
    """Return the real coupling coefficients of e3nn, shape ``(out, left, right)``, of norm 1.

    Source: Condon and Shortley's coefficients in e3nn's real basis (e3nn 0.5, `o3.wigner_3j`).
    """
    table = np.zeros((2 * left + 1, 2 * right + 1, 2 * output + 1))
    for m, n in product(range(-left, left + 1), range(-right, right + 1)):
        if abs(m + n) <= output:
            value = clebsch_gordan(S(left), S(right), S(output), m, n, m + n)
            table[left + m, right + n, output + m + n] = float(value)
    changes = [change_to_complex(l) for l in (left, right, output)]  # noqa: E741
    real = np.einsum("ij,kl,mn,ikn->jlm", *changes[:2], changes[2].conj().T, table)
    assert abs(real.imag).max() < 1e-14
    dense = np.moveaxis(real.real, 2, 0)
    return np.asarray(dense / np.linalg.norm(dense))


def read_path(tying: Tying) -> Array:
    """Return the one class of a path as a dense array of norm 1."""
    assert tying.classes == 1
    ansatz = tying.ansatz
    dense = np.zeros((ansatz.output.dim, ansatz.space.size))
    values = np.ones(tying.coefficients)
    if tying.basis is not None:
        squares = np.array(tying.basis.squares or [1] * tying.coefficients, dtype=float)
        values = np.sqrt(squares) * tying.basis.matrix.to_float()[:, 0]
    labels, signs = tying.table()
    kept = labels >= 0
    dense[kept] = values[labels[kept]] * signs[kept]
    return dense.reshape(-1, *(r.dim for r in ansatz.inputs)) / np.linalg.norm(dense)


@pytest.mark.parametrize("left", range(LARGEST + 1))
def test_paths_are_the_coupling_coefficients(left: int) -> None:
    for right, output in product(range(LARGEST + 1), repeat=2):
        tying = pose_product(left, right, output)
        allowed = abs(left - right) <= output <= left + right
        assert prove(tying).classes == allowed, (left, right, output)
        if allowed:
            found, known = read_path(tying), couple(left, right, output)
            sign = np.sign((found * known).sum())
            assert abs(found * sign - known).max() < 1e-12, (left, right, output)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (2, (0, 1, 0, 1, 0, 1, 0, 1)),
        (3, (0, 0, 0, 1, 0, 0, 0, 1)),
        (4, (0, 1, 1, 1, 1, 2, 1, 2)),
        (5, (0, 0, 0, 1, 0, 0, 0, 2)),
    ],
)
def test_invariants_of_binary_forms(form: int, expected: tuple[int, ...]) -> None:
    # Classical invariant theory: the invariants of binary forms of degrees 2 to 5.
    layer = {
        "name": "Invariants",
        "group": {"lie": "sl", "n": 2},
        "input": f"Sym(V, {form})",
        "output": "1",
        "degrees": list(range(1, 9)),
    }
    (problem,) = resolve(load({"version": 1, "package": "forms", "layers": [layer]}))
    found = [
        prove(solve(constrain(expand(problem, ((degree,),))))).classes
        for (degree,) in problem.degrees
    ]
    assert tuple(found) == expected
