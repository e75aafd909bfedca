"""Every family of groups: importing this module registers them all."""

from __future__ import annotations

from eqcompile.actions import (
    classical,
    geometry,
    graphs,
    lie,
    matrix_groups,
    polyhedra,
    products,
    written,
)
from eqcompile.actions.group import GROUPS

FAMILY_MODULES = (classical, geometry, graphs, lie, matrix_groups, polyhedra, products, written)


def list_families() -> tuple[tuple[str, str], ...]:
    """Return the name and the summary of every family, in order of registration."""
    return tuple((name, family.summary) for name, family in GROUPS.items())
