"""How the tables of a plan are applied in torch: one kind of index tensors per table and direction.

* ``gather``: every row has at most one entry, so the result is a selection;
* ``matrix``: a small table of sums is a product with an integer matrix;
* ``fold``: a large one gathers the entries of each row, in buckets of rows of like length, and
  sums them in a fixed order. There is no scatter and no atomic addition, so sums are the same on
  every run.

The kind is decided here, from the table; the package makes the tensors by the same rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm

import numpy as np

from eqcompile.emit.spelling import check_identifier, fit_call, spell_tuple
from eqcompile.exact.signed import IntArray
from eqcompile.plan.ir import ChannelTable, Map, Plan, Table
from eqcompile.plan.sources import spell_shape

MATRIX_ENTRIES = 2**16
"""Largest table, height times width, that is applied as a matrix."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """One table in one direction.

    Attributes:
        name: Of its first tensor in emitted code.
        recipe: How the package makes the table: a word, then integers.
        transposed: Whether the transpose of the table is applied.
        kind: ``gather``, ``matrix`` or ``fold``.
        weighted: Whether it has coefficients other than 1, or rows without an entry.
        denominator: What all coefficients are divided by, so that the tensors are integers.
        widths: Of a fold: the longest row of each bucket, increasing.
        padded: Of a fold: whether some row is shorter than its bucket's width.
    """

    name: str
    recipe: tuple[str | int, ...]
    transposed: bool
    kind: str
    weighted: bool
    denominator: int
    widths: tuple[int, ...] = ()
    padded: bool = False

    @property
    def indices(self) -> tuple[str, ...]:
        """Names of its tensors of positions, in order."""
        match self.kind:
            case "matrix":
                return ()
            case "gather":
                return (self.name,)
        return (f"{self.name}_rows", *(f"{self.name}_{width}" for width in self.widths))

    @property
    def coefficients(self) -> tuple[str, ...]:
        """Names of its tensors of integer coefficients, in order."""
        if self.kind == "matrix":
            return (self.name,)
        if not self.weighted:
            return ()
        if self.kind == "gather":
            return (f"{self.name}_coefficients",)
        return tuple(f"{self.name}_{width}_coefficients" for width in self.widths)

    def spell(self) -> str:
        """Write the constructor call that declares this lookup, for a line indented by 4."""
        recipe = spell_tuple(
            [f'"{part}"' if isinstance(part, str) else str(part) for part in self.recipe]
        )
        parts = [f'"{self.name}"', recipe]
        if self.transposed:
            parts.append("transposed=True")
        parts.append(f'kind="{self.kind}"')
        if self.weighted:
            parts.append("weighted=True")
        if self.denominator != 1:
            parts.append(f"denominator={self.denominator}")
        if self.widths:
            parts.append(f"widths={spell_tuple([str(w) for w in self.widths])}")
        return fit_call("Lookup(", parts, indent=4)


def choose_lookup(table: Table | ChannelTable, *, transposed: bool) -> Lookup:
    """Decide how one table is applied in one direction."""
    name = check_identifier(table.name) + ("_transposed" if transposed else "")
    if isinstance(table, ChannelTable):
        kind = "matrix" if transposed else "gather"
        recipe = ("channels", table.position, *spell_shape(table.tuples.shape))
        return Lookup(name, recipe, transposed, kind, False, 1)
    rows, height, width = table.rows, table.height, table.width
    if transposed:
        rows, height, width = table.columns, table.width, table.height
    counts = np.bincount(rows, minlength=height)
    denominator = lcm(1, *np.unique(table.denominators).tolist())
    plain = bool(np.all(table.numerators == table.denominators))
    if counts.max(initial=0) <= 1:
        full = plain and bool(np.all(counts == 1))
        return Lookup(name, table.recipe, transposed, "gather", not full, denominator)
    if height * width <= MATRIX_ENTRIES:
        return Lookup(name, table.recipe, transposed, "matrix", not plain, denominator)
    widths = choose_widths(counts)
    padded = not set(counts.tolist()) <= set(widths)
    kind = "fold"
    return Lookup(name, table.recipe, transposed, kind, not plain, denominator, widths, padded)


def choose_widths(counts: IntArray) -> tuple[int, ...]:
    """Split rows into buckets of like length, so that padding at most doubles the work."""
    longest: dict[int, int] = {}
    for count in np.unique(counts).tolist():
        bucket = max(count - 1, 0).bit_length()
        longest[bucket] = max(longest.get(bucket, 1), count)
    return tuple(longest[bucket] for bucket in sorted(longest))


def list_lookups(plans: tuple[Plan, ...]) -> dict[tuple[str, bool], Lookup]:
    """Return every lookup that some plan of a layer needs, in order of first use."""
    found: dict[tuple[str, bool], Lookup] = {}
    for plan in plans:
        for op in plan.ops:
            if isinstance(op, Map) and (op.table, op.transposed) not in found:
                table = plan.table(op.table)
                found[op.table, op.transposed] = choose_lookup(table, transposed=op.transposed)
    return found
