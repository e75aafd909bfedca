"""Families the spec language knows and this version does not serve: matrix groups and Lie groups.

They are read like the others, so that a spec that asks for one hears "not yet served" and not
that the family is unknown.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from eqcompile.actions.group import Arguments, Environment, Group, register_group
from eqcompile.actions.sizes import Size
from eqcompile.errors import not_yet_served

HELP = "use permutations or signed_permutations"


class MatricesArguments(Arguments):
    """``{matrices: [...]}``."""

    matrices: list[Any] = Field(description="one matrix per generator")


class LieArguments(Arguments):
    """``{lie: so, n: 3}``."""

    lie: Literal["so", "o", "sl", "gl", "sp", "su", "lorentz"] = Field(description="the group")
    n: Size = Field(description="its dimension")
    component: Literal["identity", "full"] = "identity"


class LieAlgebraArguments(Arguments):
    """``{lie_algebra: [...], matrices: [...]}``."""

    lie_algebra: list[Any] = Field(description="one matrix per generator of the Lie algebra")
    matrices: list[Any] = Field(default=[], description="discrete generators beside it")


@register_group("matrices", "a group of matrices (not yet served)", MatricesArguments)
def build_matrices(arguments: MatricesArguments, environment: Environment) -> Group:
    """Refuse a group of matrices."""
    raise not_yet_served("a group given by matrices", HELP, at=("matrices",))


@register_group("lie", "a classical Lie group (not yet served)", LieArguments)
def build_lie(arguments: LieArguments, environment: Environment) -> Group:
    """Refuse a Lie group."""
    raise not_yet_served(f"the Lie group {arguments.lie}({arguments.n})", HELP, at=("lie",))


@register_group("lie_algebra", "a Lie algebra of matrices (not yet served)", LieAlgebraArguments)
def build_lie_algebra(arguments: LieAlgebraArguments, environment: Environment) -> Group:
    """Refuse a Lie algebra."""
    raise not_yet_served("a group given by a Lie algebra", HELP, at=("lie_algebra",))
