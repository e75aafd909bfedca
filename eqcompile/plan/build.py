"""Build plans op by op; the axes of every result follow from its arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod

from eqcompile.plan.ir import (
    Add,
    Axes,
    ChannelTable,
    Contract,
    Input,
    Map,
    Op,
    Plan,
    Reduce,
    Rename,
    Size,
    Table,
    arguments_of,
)


@dataclass(slots=True)
class PlanBuilder:
    """A plan in the making: equal ops are computed once, in order of first use."""

    sizes: dict[str, Size] = field(default_factory=dict)
    tables: dict[str, Table | ChannelTable] = field(default_factory=dict)
    ops: dict[Op, int] = field(default_factory=dict)

    def put(self, op: Op) -> int:
        """Append an op unless the plan has an equal one; return its position."""
        return self.ops.setdefault(op, len(self.ops))

    def axes(self, position: int) -> Axes:
        """Return the axes of a value."""
        return list(self.ops)[position].axes

    def size(self, axis: str, size: Size) -> str:
        """Declare an axis; a second declaration must agree."""
        if self.sizes.setdefault(axis, size) != size:
            raise ValueError(f"axis {axis} is {self.sizes[axis]}, not {size}")
        return axis

    def declare(self, table: Table | ChannelTable) -> str:
        """Declare a table; a second one of that name must be equal."""
        if self.tables.setdefault(table.name, table) != table:
            raise ValueError(f"two different tables are called {table.name}")
        return table.name

    def input(self, name: str, axes: Sequence[str]) -> int:
        """Declare an argument."""
        return self.put(Input(name, tuple(axes)))

    def map(
        self,
        argument: int,
        table: str,
        source: Sequence[str],
        target: Sequence[str],
        *,
        transposed: bool = False,
    ) -> int:
        """Apply a table, or its transpose; ``target`` takes the place of the first ``source``."""
        have = self.axes(argument)
        place = have.index(source[0])
        kept = tuple(a for a in have[place:] if a not in source)
        axes = (*have[:place], *target, *kept)
        return self.put(Map(argument, table, tuple(source), tuple(target), transposed, axes))

    def contract(self, left: int, right: int, axes: Sequence[str]) -> int:
        """Multiply two values and sum over the axes left out."""
        return self.put(Contract(left, right, tuple(axes)))

    def add(self, arguments: Sequence[int], axes: Sequence[str]) -> int:
        """Add values, broadcasting; a lone argument of the right axes is returned itself."""
        if len(arguments) == 1 and self.axes(arguments[0]) == tuple(axes):
            return arguments[0]
        return self.put(Add(tuple(arguments), tuple(axes)))

    def reduce(self, argument: int, axes: Sequence[str]) -> int:
        """Sum over the axes left out; nothing to sum returns the argument."""
        return (
            argument
            if self.axes(argument) == tuple(axes)
            else self.put(Reduce(argument, tuple(axes)))
        )

    def rename(self, argument: int, axes: Sequence[str]) -> int:
        """Give the axes other names."""
        return (
            argument
            if self.axes(argument) == tuple(axes)
            else self.put(Rename(argument, tuple(axes)))
        )

    def finish(self, outputs: Sequence[tuple[str, int]]) -> Plan:
        """Drop what no output needs (arguments stay) and return the verified plan."""
        ops = list(self.ops)
        needed = {p for _, p in outputs} | {i for i, op in enumerate(ops) if isinstance(op, Input)}
        for position in range(len(ops) - 1, -1, -1):
            if position in needed:
                needed.update(arguments_of(ops[position]))
        place = {old: new for new, old in enumerate(sorted(needed))}
        kept = tuple(replace_arguments(ops[old], place) for old in sorted(needed))
        used = {op.table for op in kept if isinstance(op, Map)}
        names = {axis for op in kept for axis in op.axes}
        plan = Plan(
            tuple((a, s) for a, s in self.sizes.items() if a in names),
            tuple(t for name, t in self.tables.items() if name in used),
            kept,
            tuple((name, place[p]) for name, p in outputs),
        )
        verify(plan)
        return plan


def replace_arguments(op: Op, place: dict[int, int]) -> Op:
    """Return the op reading its arguments from other positions."""
    match op:
        case Input():
            return op
        case Map() | Reduce() | Rename():
            return replace(op, argument=place[op.argument])
        case Contract():
            return replace(op, left=place[op.left], right=place[op.right])
        case Add():
            return replace(op, arguments=tuple(place[a] for a in op.arguments))


def verify(plan: Plan) -> None:
    """Check that every op refers backwards, with axes that fit.

    Raises:
        ValueError: The plan is malformed, which is our bug.
    """
    sizes = dict(plan.sizes)
    for position, op in enumerate(plan.ops):
        arguments = arguments_of(op)
        if any(a >= position for a in arguments):
            raise ValueError(f"%{position} reads a later value")
        have = [set(plan.ops[a].axes) for a in arguments]
        if len(set(op.axes)) != len(op.axes) or not set(op.axes) <= set(sizes):
            raise ValueError(f"%{position} has a repeated or unknown axis: {op.axes}")
        problem = _misfit(plan, op, have)
        if problem:
            raise ValueError(f"%{position}: {problem}")


def _misfit(plan: Plan, op: Op, have: list[set[str]]) -> str | None:
    """Say what is wrong with one op, given the axes of its arguments."""
    want = set(op.axes)
    match op:
        case Input():
            return None
        case Map():
            if not set(op.source) <= have[0] or want != (have[0] - set(op.source)) | set(op.target):
                return f"map from {op.source} to {op.target} does not fit {sorted(have[0])}"
            return _misfit_table(plan, op)
        case Contract():
            lone = (have[0] ^ have[1]) - want
            if not want <= have[0] | have[1] or lone:
                return f"contract sums {sorted(lone)}, which only one factor has"
        case Add():
            if not all(axes <= want for axes in have):
                return "add has an argument with an axis the sum lacks"
        case Reduce():
            if not want <= have[0]:
                return "reduce adds an axis"
        case Rename():
            old = [dict(plan.sizes)[a] for a in plan.ops[op.argument].axes]
            if old != [dict(plan.sizes)[a] for a in op.axes]:
                return "rename changes a size"
    return None


def _misfit_table(plan: Plan, op: Map) -> str | None:
    sizes, table = dict(plan.sizes), plan.table(op.table)
    source, target = (op.target, op.source) if op.transposed else (op.source, op.target)
    if isinstance(table, ChannelTable):
        return (
            None if (len(source), len(target)) == (1, 1) else "channel tables map one axis to one"
        )
    flat = [prod(_read_number(sizes[a]) for a in axes) for axes in (target, source)]
    return (
        None
        if flat == [table.height, table.width]
        else f"table {table.name} is {table.height} x {table.width}, not {flat}"
    )


def _read_number(size: Size) -> int:
    if not isinstance(size, int):
        raise ValueError(f"a table maps axes of fixed sizes, not {size}")
    return size
