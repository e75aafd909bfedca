"""The classical families of groups: permutations, rotations, reflections and signs of n points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field, PlainValidator, WithJsonSchema

from eqcompile.actions.group import (
    Arguments,
    Environment,
    Group,
    name_generators,
    register_group,
)
from eqcompile.actions.sizes import MAX_POINTS, Size, check_points
from eqcompile.actions.tensor_powers import NOMINAL
from eqcompile.errors import Refusal
from eqcompile.exact.signed import SignedPermutation
from eqcompile.reading import refuse_value, spell_value


def _read_size(value: object) -> int | str:
    """Accept a size, or ``any`` for a size known only at run time."""
    if value == "any":
        return "any"
    if isinstance(value, bool) or not isinstance(value, int):
        text = f"expected a whole number, found {spell_value(value)}"
        raise refuse_value("type", text, "write a whole number")
    if value < 1:
        raise refuse_value("range", f"expected at least 1, found {value}", "write at least 1")
    return int(value)


SizeOrAny = Annotated[
    int | str,
    PlainValidator(_read_size),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": MAX_POINTS}, {"const": "any"}]}
    ),
]


class SymmetricArguments(Arguments):
    """``{symmetric: n}``, or ``{symmetric: any, nominal: 16}`` for an n known at run time."""

    symmetric: SizeOrAny = Field(description="number of points, or any")
    nominal: Size | None = Field(
        default=None, description="with any: the n that costs and initial variances are for"
    )


class AlternatingArguments(Arguments):
    """``{alternating: n}``."""

    alternating: Size = Field(description="number of points")


class CyclicArguments(Arguments):
    """``{cyclic: n}``."""

    cyclic: Size = Field(description="number of points")


class DihedralArguments(Arguments):
    """``{dihedral: n}``."""

    dihedral: Size = Field(description="number of points, the corners of an n-gon")


class HyperoctahedralArguments(Arguments):
    """``{hyperoctahedral: n}``."""

    hyperoctahedral: Size = Field(description="dimension of the cube")


class TrivialArguments(Arguments):
    """``{trivial: n}``."""

    trivial: Size = Field(description="number of points")


@register_group("symmetric", "all permutations of n points", SymmetricArguments)
def build_symmetric(arguments: SymmetricArguments, environment: Environment) -> Group:
    """Build S_n from the transposition (0 1) and the cycle (0 1 ... n-1), two also at n = 1, 2.

    Raises:
        Refusal: More points than are served, or a nominal number beside a fixed one.
    """
    n = arguments.symmetric
    if isinstance(n, str):
        nominal = NOMINAL if arguments.nominal is None else arguments.nominal
        check_points(nominal, ("nominal",))
        pair = (swap_points(2), cycle_points(2))
        return Group("S_n for any n", pair, ("swap", "cycle"), nominal=nominal)
    if arguments.nominal is not None:
        text = f"nominal belongs to symmetric: any, this group has {n} points"
        raise Refusal("nominal", text, "leave nominal out", ("nominal",), on_key=True)
    check_points(n, ("symmetric",))
    names = ("(0 1)", f"(0 1 ... {n - 1})") if n > 2 else ("swap", "cycle")
    return _name_group(f"S_{n}", (swap_points(n), cycle_points(n)), names)


@register_group("alternating", "all even permutations of n points", AlternatingArguments)
def build_alternating(arguments: AlternatingArguments, environment: Environment) -> Group:
    """Build A_n from (0 1 2), then the longest even cycle of (0 1 ... n-1) and (1 2 ... n-1).

    Two generators also at n = 1 and 2, where both are the identity.
    """
    n = arguments.alternating
    check_points(n, ("alternating",))
    turn = np.arange(n)
    if n > 2:
        turn[:3] = [1, 2, 0]
    start = 1 - n % 2
    long = np.arange(n)
    if n > 2:
        long[start:] = np.roll(long[start:], -1)
    names = ("(0 1 2)", f"({start} {start + 1} ... {n - 1})") if n > 3 else ("turn", "cycle")
    generators = (SignedPermutation.unsigned(turn), SignedPermutation.unsigned(long))
    return _name_group(f"A_{n}", generators, names)


@register_group("cyclic", "rotations of n points on a ring", CyclicArguments)
def build_cyclic(arguments: CyclicArguments, environment: Environment) -> Group:
    """Build C_n from i -> i + 1."""
    n = arguments.cyclic
    check_points(n, ("cyclic",))
    return _name_group(f"C_{n}", (cycle_points(n),), (f"(0 1 ... {n - 1})",))


@register_group("dihedral", "rotations and reflections of n points on a ring", DihedralArguments)
def build_dihedral(arguments: DihedralArguments, environment: Environment) -> Group:
    """Build D_n from i -> i + 1, then i -> -i, both modulo n."""
    n = arguments.dihedral
    check_points(n, ("dihedral",))
    flip = SignedPermutation.unsigned(-np.arange(n) % n)
    return _name_group(f"D_{n}", (cycle_points(n), flip), ("turn", "flip"))


@register_group(
    "hyperoctahedral", "all signed permutations of n coordinates", HyperoctahedralArguments
)
def build_hyperoctahedral(arguments: HyperoctahedralArguments, environment: Environment) -> Group:
    """Build B_n from the negation of e_0, then the two generators of S_n; three at every n."""
    n = arguments.hyperoctahedral
    check_points(n, ("hyperoctahedral",))
    signs = np.ones(n, dtype=np.int64)
    signs[0] = -1
    negation = SignedPermutation(np.arange(n), signs)
    names = ("(-0)", "(0 1)", f"(0 1 ... {n - 1})") if n > 2 else ("(-0)", "swap", "cycle")
    return _name_group(f"B_{n}", (negation, swap_points(n), cycle_points(n)), names)


@register_group("trivial", "the identity on n points", TrivialArguments)
def build_trivial(arguments: TrivialArguments, environment: Environment) -> Group:
    """Build the trivial group: one generator, the identity."""
    n = arguments.trivial
    check_points(n, ("trivial",))
    return _name_group(f"1 on {n} points", (SignedPermutation.identity(n),), ("()",))


def swap_points(n: int) -> SignedPermutation:
    """Return the transposition (0 1), at n = 1 the identity."""
    points = np.arange(n)
    points[:2] = points[:2][::-1].copy()
    return SignedPermutation.unsigned(points)


def cycle_points(n: int) -> SignedPermutation:
    """Return the cycle (0 1 ... n-1)."""
    return SignedPermutation.unsigned(np.roll(np.arange(n), -1))


def _name_group(
    name: str, generators: tuple[SignedPermutation, ...], names: Sequence[str]
) -> Group:
    return Group(name, generators, name_generators(generators, names))
