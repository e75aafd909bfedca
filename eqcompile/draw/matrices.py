"""Degree 1 as matrices: which intertwiners span it, with the forms the literature knows by name."""

from __future__ import annotations

import numpy as np

from eqcompile.draw.sections import WIDTH, write_paragraph
from eqcompile.draw.words import name_class
from eqcompile.exact.signed import IntArray
from eqcompile.solve.tying import Tying

MATRIX_SLOTS = 2**21
PRINTED_SIDE = 12
"""Larger matrices are not printed."""

REST = "(11^T - I)"
PRINTED_MATRICES = 8
"""More classes are shown by one matrix of letters."""


def explain_matrix(tying: Tying, name: str = "W") -> list[str]:
    """Write the linear part through its orbital matrices.

    Args:
        tying: Of degree 1.
        name: Of the matrix.

    Returns:
        Lines; empty where the matrix is too large to look at.

    Source: ``a I + b 11^T`` for the symmetric group is Zaheer et al. 2017, "Deep sets", lemma 3.
    """
    ansatz = tying.ansatz
    if ansatz.slots > MATRIX_SLOTS or not ansatz.slots:
        return []
    if not tying.classes:
        return [f"  {name} = 0"]
    labels, signs = tying.table()
    fits = max(labels.shape) <= PRINTED_SIDE
    if tying.basis is not None:
        return _print_letters(name, labels, signs)[1:] if fits else []
    if tying.classes > PRINTED_MATRICES:
        lines = [f"  {name} = a A_a + b A_b + ... ({tying.classes} terms)"]
        return [
            *lines,
            *_explain_orbitals(tying),
            *(_print_letters(name, labels, signs) if fits else []),
        ]
    matrices = [np.where(labels == c, signs, 0) for c in range(tying.classes)]
    named = [name_matrix(m) for m in matrices]
    if named == ["I", REST] and tying.ansatz.fibration is None and tying.ansatz.output.dim > 1:
        return _explain_deep_sets(name)
    lines = [f"  {name} = {_join_terms([n or f'A_{name_class(c)}' for c, n in enumerate(named)])}"]
    if all(named):
        return lines
    shown = [(f"A_{name_class(c)}", m) for c, m in enumerate(matrices) if not named[c]]
    return [*lines, *_explain_orbitals(tying), *(["", *_print_matrices(shown)] if fits else [])]


def _explain_orbitals(tying: Tying) -> list[str]:
    if tying.ansatz.fibration is not None:
        return write_paragraph(
            "where A is the 0/1 matrix of a class. Each is balanced, A P = P B for the matrix P "
            "that gives each vertex the value of its fibre, and commutes with the automorphisms.",
            "  ",
        )
    if tying.ansatz.linear:
        return write_paragraph(
            "where entry (k, i) of the matrix A of a class is the sign of w[k; i] in it, 0 outside "
            "it. Each is an intertwiner: A rho_in(g) = rho_out(g) A.",
            "  ",
        )
    return write_paragraph(
        "where A is the matrix of an orbital: entry (k, i) is the sign of w[k; i] in that class, 0 "
        "outside it. Each is an intertwiner: A rho_in(g) = rho_out(g) A.",
        "  ",
    )


def _explain_deep_sets(name: str) -> list[str]:
    return [
        f"  {name} = a I + b 11^T",
        "",
        *write_paragraph(
            "The orbitals are the diagonal and the rest, so the classes are the matrices I and "
            "11^T - I; with their coefficients w_a and w_b, "
            f"{name} = w_a I + w_b (11^T - I), hence a = w_a - w_b and b = w_b.",
            "  ",
        ),
    ]


def _print_letters(name: str, labels: IntArray, signs: IntArray) -> list[str]:
    """Print a matrix as one of class letters."""
    words = [
        [
            ("-" if s < 0 else "") + name_class(c) if c >= 0 else "."
            for c, s in zip(*row, strict=True)
        ]
        for row in zip(labels.tolist(), signs.tolist(), strict=True)
    ]
    return ["", *("  " + line for line in _print_matrix(name, words))]


def _join_terms(names: list[str]) -> str:
    return " + ".join(f"{name_class(c)} {name}" for c, name in enumerate(names))


def name_matrix(matrix: IntArray) -> str:
    """Name a matrix that has a name: ``I``, ``11^T``, ``1^T``, ``1``; else the empty text."""
    height, width = matrix.shape
    if height == width and np.array_equal(matrix, np.eye(height, dtype=np.int64)):
        return "I"
    if (matrix == 1).all():
        return "11^T" if height > 1 and width > 1 else "1^T" if width > 1 else "1"
    if height == width and np.array_equal(matrix, 1 - np.eye(height, dtype=np.int64)):
        return REST
    return ""


def _print_matrices(named: list[tuple[str, IntArray]]) -> list[str]:
    """Print matrices side by side, as many in a row as fit."""
    lines: list[str] = []
    band: list[list[str]] = []
    for name, matrix in named:
        words = [[str(v) if v else "." for v in row] for row in matrix.tolist()]
        block = _print_matrix(name, words)
        if band and sum(len(b[0]) + 3 for b in [*band, block]) > WIDTH - 4:
            lines += [*_join_beside(band), ""]
            band = []
        band.append(block)
    return [*lines, *_join_beside(band)]


def _join_beside(band: list[list[str]]) -> list[str]:
    return ["  " + "   ".join(parts).rstrip() for parts in zip(*band, strict=True)]


def _print_matrix(name: str, words: list[list[str]]) -> list[str]:
    wide = max(len(w) for row in words for w in row)
    rows = [" ".join(f"{w:>{wide}}" for w in row) for row in words]
    lead, middle = f"{name} = ", (len(rows) - 1) // 2
    return [f"{lead if r == middle else ' ' * len(lead)}[{row}]" for r, row in enumerate(rows)]
