"""Classical Lie groups in their defining action, by generators of their Lie algebras.

Few sparse elements with entries 0 and +-1 suffice, as long as brackets of them give the rest: the
simple root vectors of a Chevalley basis, or rotations of neighbouring planes. Diagonal elements
are added where the group has them, first: each cuts the coefficients down to one weight space.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from eqcompile.actions.group import (
    Arguments,
    Environment,
    Group,
    name_generators,
    register_group,
)
from eqcompile.actions.irreps import MIRROR, X_AXIS, Z_AXIS
from eqcompile.actions.sizes import check_points
from eqcompile.actions.torus import find_torus
from eqcompile.errors import Refusal
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import IntArray, SignedPermutation, freeze

MAX_SIZE = 100

Entry = tuple[int, int, int]
Element = tuple[str, tuple[Entry, ...]]
"""A label and the entries ``(row, column, value)`` of an element of a Lie algebra."""


class LieArguments(Arguments):
    """``{lie: so, n: 3}``."""

    lie: Literal["so", "o", "sl", "gl", "sp", "su", "lorentz"] = Field(description="the group")
    n: int = Field(ge=1, le=MAX_SIZE, description="its dimension; sp and su act on R^(2n)")
    component: Literal["identity", "full"] = Field(
        default="identity", description="lorentz and gl: with reflections"
    )


@dataclass(frozen=True, slots=True)
class _Family:
    """A family of Lie groups.

    Attributes:
        spell: Writes the name for a size.
        list_elements: Lists the generating elements for a size.
        blocks: The group acts on ``blocks * n`` dimensions.
    """

    spell: Callable[[int], str]
    list_elements: Callable[[int], list[Element]]
    blocks: int = 1


def _number(*indices: int) -> str:
    """Write indices together, or apart where one has two digits."""
    return ("" if max(indices) < 10 else "_").join(str(i) for i in indices)


def _list_planes(start: int, n: int) -> list[Element]:
    """List the rotations of neighbouring planes, ``e_i -> e_j -> -e_i``."""
    return [_rotate(i, i + 1) for i in range(start, n - 1)]


def _rotate(i: int, j: int) -> Element:
    return f"J{_number(i, j)}", ((j, i, 1), (i, j, -1))


def _list_shifts(n: int) -> list[Element]:
    """List the matrix units beside the diagonal, ``e_j -> e_i``."""
    places = [(i, i + 1) for i in range(n - 1)] + [(i + 1, i) for i in range(n - 1)]
    return [(f"E{_number(i, j)}", ((i, j, 1),)) for i, j in places]


def _list_special(n: int) -> list[Element]:
    weights: list[Element] = [(f"H{i}", ((i, i, 1), (i + 1, i + 1, -1))) for i in range(n - 1)]
    return weights + _list_shifts(n)


def _list_general(n: int) -> list[Element]:
    return [(f"E{_number(i, i)}", ((i, i, 1),)) for i in range(n)] + _list_shifts(n)


def _list_symplectic(n: int) -> list[Element]:
    """List elements ``[[A, B], [C, -A^T]]`` with symmetric B and C."""
    found: list[Element] = [(f"H{i}", ((i, i, 1), (n + i, n + i, -1))) for i in range(n)]
    places = [(i, i + 1) for i in range(n - 1)] + [(i + 1, i) for i in range(n - 1)]
    found += [(f"A{_number(i, j)}", ((i, j, 1), (n + j, n + i, -1))) for i, j in places]
    last = n - 1
    found += [(f"B{last}", ((last, n + last, 1),)), (f"C{last}", ((n + last, last, 1),))]
    return found


def _list_unitary(n: int) -> list[Element]:
    """List anti-Hermitian matrices ``A + iB`` as ``[[A, -B], [B, A]]`` on (Re; Im)."""
    found: list[Element] = []
    for i in range(n - 1):
        label, plane = _rotate(i, i + 1)
        found.append((label, plane + tuple((n + a, n + b, v) for a, b, v in plane)))
    for i in range(n - 1):
        j = i + 1
        upper = ((i, n + j, -1), (j, n + i, -1))
        found.append((f"S{_number(i, j)}", (*upper, (n + i, j, 1), (n + j, i, 1))))
    return found


def _list_lorentz(n: int) -> list[Element]:
    """List one boost, ``e_0 <-> e_1``, and the rotations of space."""
    boosts: list[Element] = [("K01", ((0, 1, 1), (1, 0, 1)))] if n > 1 else []
    return boosts + _list_planes(1, n)


_FAMILIES = {
    "so": _Family(lambda n: f"SO({n})", lambda n: _list_planes(0, n)),
    "o": _Family(lambda n: f"O({n})", lambda n: _list_planes(0, n)),
    "sl": _Family(lambda n: f"SL({n})", _list_special),
    "gl": _Family(lambda n: f"GL+({n})", _list_general),
    "sp": _Family(lambda n: f"Sp({2 * n})", _list_symplectic, 2),
    "su": _Family(lambda n: f"SU({n})", _list_unitary, 2),
    "lorentz": _Family(lambda n: f"SO+(1,{n - 1})", _list_lorentz),
}
_FULL = {"gl": "GL({})", "lorentz": "O(1,{})"}


@register_group("lie", "a classical Lie group: so, o, sl, gl, sp, su or lorentz", LieArguments)
def build_lie(arguments: LieArguments, environment: Environment) -> Group:
    """Build a classical Lie group.

    Discrete generators: ``diag(-1, 1, .., 1)`` of O(n) and of the full GL(n); P and T of the full
    Lorentz group, where P negates all of space or, in an even number of space dimensions, where
    that is a rotation, its first coordinate. A group without an algebra has the identity.
    """
    kind, n = arguments.lie, arguments.n
    family = _FAMILIES[kind]
    full = arguments.component == "full" and kind != "o"
    _check_component(arguments)
    dim = family.blocks * n
    check_points(dim, ("n",))
    elements = family.list_elements(n)
    algebra = tuple(Matrix.from_entries(dim, dim, entries) for _, entries in elements)
    signs = _list_reflections(kind, n, full)
    if not signs and not algebra:
        signs = [np.ones(dim, dtype=np.int64)]
    generators = tuple(SignedPermutation(np.arange(dim), freeze(sign)) for sign in signs)
    names = ("P", "T") if kind == "lorentz" and full else ()
    labels = names or name_generators(generators)
    rotations, turns = _find_rotations(kind, n)
    return Group(
        _FULL[kind].format(n - (kind == "lorentz")) if full else family.spell(n),
        generators,
        (*labels, *(label for label, _ in elements)),
        algebra=algebra,
        rotations=rotations,
        turns=turns,
        torus=None if signs else find_torus(kind, n),
    )


def _check_component(arguments: LieArguments) -> None:
    kind, given = arguments.lie, arguments.component
    if given == "full" and kind not in (*_FULL, "o"):
        text = f"{_FAMILIES[kind].spell(arguments.n)} has one component only"
        help = "leave component out" + (", or write lie: o" if kind == "so" else "")
        raise Refusal("component", text, help, ("component",))
    if kind == "o" and given == "identity" and "component" in arguments.model_fields_set:
        text = f"the identity component of O({arguments.n}) is SO({arguments.n})"
        raise Refusal("component", text, "write lie: so, or component: full", ("component",))


def _list_reflections(kind: str, n: int, full: bool) -> list[IntArray]:
    first = np.array([-1] + [1] * (n - 1))
    if kind == "o" or (kind == "gl" and full):
        return [first]
    if kind == "lorentz" and full:
        space = np.array([1] + [-1] * (n - 1))
        if n % 2:
            space[2:] = 1
        return [space, first]
    return []


def _find_rotations(kind: str, n: int) -> tuple[str, tuple[str, ...]]:
    """Say how the generators of SO(3) and O(3) turn space: J01 about z, J12 about x."""
    if n == 3 and kind == "so":
        return "so3", (Z_AXIS, X_AXIS)
    if n == 3 and kind == "o":
        return "o3", (MIRROR, Z_AXIS, X_AXIS)
    return "", ()
