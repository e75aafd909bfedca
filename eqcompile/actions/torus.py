"""Maximal tori of the connected classical groups, and their positive roots.

A representation of a connected reductive group is known by its weights: the joint eigenvalues of
a few commuting elements of the Lie algebra. Here stands which elements those are, in terms of the
generators of `eqcompile.actions.lie`, and what the roots are in their units.

Source: Fulton and Harris, Representation Theory, 1991, lectures 15 to 18.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

Weight = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Torus:
    """Commuting elements of a Lie algebra and the positive roots.

    Attributes:
        elements: Per element the numbers of the generators it is made of: one is the generator
            itself, two are their bracket.
        units: Per element ``(turns, size)``: its eigenvalues are ``size`` times an integer,
            times i where it turns.
        roots: The positive roots, as integers per element.
    """

    elements: tuple[tuple[int, ...], ...]
    units: tuple[tuple[bool, int], ...]
    roots: tuple[Weight, ...]


def find_torus(kind: str, n: int) -> Torus | None:
    """Return the torus of a classical group; None where it is not connected or has none.

    Args:
        kind: As ``lie:`` in a spec.
        n: Its size.
    """
    match kind:
        case "so" if n > 1:
            return _turn_planes([(k,) for k in range(0, n - 1, 2)], n)
        case "lorentz" if n > 1:
            # The boost, then the rotations of planes that do not move what it moves.
            planes = [(k,) for k in range(2, n - 1, 2)]
            torus = _turn_planes([(0,), *planes], n)
            return Torus(torus.elements, ((False, 1), *torus.units[1:]), torus.roots)
        case "gl":
            return Torus(_number(n), ((False, 1),) * n, _list_differences(n))
        case "sp":
            doubles = [tuple(2 * (i == k) for k in range(n)) for i in range(n)]
            roots = (*_list_differences(n), *_list_sums(n), *doubles)
            return Torus(_number(n), ((False, 1),) * n, roots)
        case "sl" if n > 1:
            return Torus(_number(n - 1), ((False, 1),) * (n - 1), _list_dynkin(n))
        case "su" if n > 1:
            # Plane i and its partner i + (n - 1) make diag(.., 2i, -2i, ..) by their bracket.
            elements = tuple((i, n - 1 + i) for i in range(n - 1))
            return Torus(elements, ((True, 2),) * (n - 1), _list_dynkin(n))
    return None


def _turn_planes(elements: list[tuple[int, ...]], n: int) -> Torus:
    """Return the torus of an orthogonal group of n dimensions."""
    rank = len(elements)
    roots = [*_list_differences(rank), *_list_sums(rank)]
    if n % 2:
        roots += [tuple(int(i == k) for k in range(rank)) for i in range(rank)]
    return Torus(tuple(elements), ((True, 1),) * rank, tuple(roots))


def _number(count: int) -> tuple[tuple[int, ...], ...]:
    return tuple((i,) for i in range(count))


def _list_differences(n: int) -> tuple[Weight, ...]:
    return tuple(tuple((k == i) - (k == j) for k in range(n)) for i, j in combinations(range(n), 2))


def _list_sums(n: int) -> tuple[Weight, ...]:
    return tuple(tuple(int(k in (i, j)) for k in range(n)) for i, j in combinations(range(n), 2))


def _list_dynkin(n: int) -> tuple[Weight, ...]:
    """List ``e_i - e_j`` by its values on ``e_k - e_{k+1}``."""
    return tuple(
        tuple(root[k] - root[k + 1] for k in range(n - 1)) for root in _list_differences(n)
    )
