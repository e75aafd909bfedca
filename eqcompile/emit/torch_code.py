"""Spell a plan as a straight-line torch function, one variable per value.

Nothing is decided here that changes the program: ops are spelled in the plan's order, renames
vanish, and contractions become ``*``, ``@`` or ``contract`` by their axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eqcompile.emit.lookups import Lookup
from eqcompile.emit.spelling import LINE, check_identifier, spell_call, spell_tuple
from eqcompile.plan.ir import (
    Add,
    Axes,
    Contract,
    Input,
    Map,
    Plan,
    Reduce,
    Rename,
    arguments_of,
)

Lookups = Mapping[tuple[str, bool], Lookup]
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Result:
    """One result of an emitted function.

    Attributes:
        name: Its variable, and the plan's output of that name, if there is one.
        like: The argument whose shape it has; zero where the plan has no such output.
        group: Results of one group are computed only if the flag ``needs_<group>`` is set; the
            empty group always.
    """

    name: str
    like: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """A variable of the emitted function.

    Attributes:
        text: Its name.
        axes: Its axes in order.
        origin: Position of the op whose storage it may share; arguments are their own origin.
    """

    text: str
    axes: Axes
    origin: int


@dataclass(slots=True)
class Writer:
    """The body of one function in the making."""

    plan: Plan
    lookups: Lookups
    sizes: dict[str, str]
    indent: int = 4
    names: dict[int, str] = field(default_factory=dict)
    used: dict[tuple[str, bool], Lookup] = field(default_factory=dict)
    values: dict[int, Value] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def write(self, position: int) -> None:
        """Spell one op, unless it only renames."""
        op = self.plan.ops[position]
        if isinstance(op, Input):
            self.values[position] = Value(check_identifier(op.name), op.axes, position)
            return
        if isinstance(op, Rename):
            old = self.values[op.argument]
            self.values[position] = Value(old.text, op.axes, old.origin)
            return
        name = self.names.get(position, f"v{position}")
        axes, origin = op.axes, position
        match op:
            case Map():
                lines, axes = self.spell_map(name, op)
            case Contract():
                lines = self.spell_contract(name, op)
            case Add():
                lines = self.spell_add(name, op)
                if len(op.arguments) == 1:
                    origin = self.values[op.arguments[0]].origin
            case Reduce():
                lines, summed = self.spell_reduce(name, op)
                origin = position if summed else self.values[op.argument].origin
        comment = f"  # {' '.join(axes)}"
        if "\n" in lines or len(lines) + len(comment) > LINE:
            self.lines += [" " * self.indent + comment.lstrip(), lines]
        else:
            self.lines.append(lines + comment)
        self.values[position] = Value(name, axes, origin)

    def align(self, position: int, want: Axes) -> str:
        """Spell a value with its axes in the order of ``want``, broadcasting those it lacks."""
        value = self.values[position]
        have = tuple(a for a in want if a in value.axes)
        text = value.text
        if have != value.axes:
            text += f".permute({', '.join(str(value.axes.index(a)) for a in have)})"
        missing = [a not in value.axes for a in want]
        # Leading axes broadcast by themselves.
        lead = missing.index(False) if False in missing else len(missing)
        if any(missing[lead:]):
            text += f"[{', '.join('None' if m else ':' for m in missing[lead:])}]"
        return text

    def spell_map(self, name: str, op: Map) -> tuple[str, Axes]:
        """Spell a lookup: sources flattened to one axis, looked up, split into the targets."""
        lookup = self.lookups[op.table, op.transposed]
        value = self.values[op.argument]
        kept = tuple(a for a in value.axes if a not in op.source)
        head, axis = value.text, -1
        if len(op.source) == 1 and (lookup.kind == "gather" or value.axes[-1:] == op.source):
            axis = value.axes.index(op.source[0])
            axes = (*value.axes[:axis], *op.target, *value.axes[axis + 1 :])
        else:
            axes = (*kept, *op.target)
            head = self.align(op.argument, (*kept, *op.source))
            if len(op.source) > 1:
                head += f".flatten({-len(op.source)})"
        axis = -1 if axis == len(value.axes) - 1 else axis
        self.used[op.table, op.transposed] = lookup
        arguments = [head, *self._spell_lookup(lookup, axis, op.target)]
        if len(op.target) > 1:
            arguments.append(f"split={spell_tuple([self.sizes[a] for a in op.target])}")
        call = spell_call(f"{name} = {lookup.kind}(", arguments, indent=self.indent)
        return call, axes

    def _spell_lookup(self, lookup: Lookup, axis: int, target: Axes) -> list[str]:
        """Spell what a lookup passes beside the value."""
        match lookup.kind:
            case "matrix":
                parts = [*lookup.coefficients, " * ".join(self.sizes[a] for a in target)]
            case "gather":
                parts = [*lookup.indices, *lookup.coefficients]
                parts += [f"axis={axis}"] if axis != -1 else []
            case _:
                rows, *buckets = lookup.indices
                widths = spell_tuple([str(width) for width in lookup.widths])
                parts = [rows, self._spell_list("[", buckets), widths]
                if lookup.weighted:
                    parts.append(self._spell_list("coefficients=[", lookup.coefficients))
                parts += ["padded=True"] if lookup.padded else []
        return parts + ([f"denominator={lookup.denominator}"] if lookup.denominator != 1 else [])

    def _spell_list(self, head: str, names: Sequence[str]) -> str:
        """Spell a list that may stand on a line of its own, with a comma, or be broken there."""
        return spell_call(head, names, "],", indent=self.indent + 4).strip()[:-1]

    def spell_contract(self, name: str, op: Contract) -> str:
        """Spell a product: elementwise, as a matrix product where the axes allow, or by axes."""
        left, right = self.values[op.left], self.values[op.right]
        space = " " * self.indent
        if set(op.axes) == set(left.axes) | set(right.axes):
            return (
                f"{space}{name} = {self.align(op.left, op.axes)} * {self.align(op.right, op.axes)}"
            )
        for first, second in ((left, right), (right, left)):
            summed = [a for a in first.axes if a not in op.axes]
            if len(second.axes) == 2 and summed == [first.axes[-1]] and summed[0] in second.axes:
                (other,) = [a for a in second.axes if a != summed[0]]
                if op.axes == (*first.axes[:-1], other):
                    turn = "" if second.axes[0] == summed[0] else ".mT"
                    return f"{space}{name} = {first.text} @ {second.text}{turn}"
        letters = _assign_letters((*left.axes, *right.axes))
        spelled = ["".join(letters[a] for a in axes) for axes in (left.axes, right.axes, op.axes)]
        formula = f'"{spelled[0]},{spelled[1]}->{spelled[2]}"'
        arguments = [formula, left.text, right.text]
        return spell_call(f"{name} = contract(", arguments, indent=self.indent)

    def spell_add(self, name: str, op: Add) -> str:
        """Spell a sum, expanded to axes that no term has."""
        terms = [self.align(a, op.axes) for a in op.arguments]
        have = {axis for a in op.arguments for axis in self.values[a].axes}
        text = " + ".join(terms)
        if not set(op.axes) <= have:
            text = f"({text})" if len(terms) > 1 else text
            sizes = ", ".join("-1" if a in have else self.sizes[a] for a in op.axes)
            text += f".expand({sizes})"
        line = " " * self.indent + f"{name} = {text}"
        if len(line) <= LINE:
            return line
        lines = [f"{' ' * self.indent}{name} = {terms[0]}"]
        lines += [f"{' ' * self.indent}{name} = {name} + {term}" for term in terms[1:]]
        return "\n".join(lines)

    def spell_reduce(self, name: str, op: Reduce) -> tuple[str, bool]:
        """Spell a sum over axes, or the transposition that is left if there are none."""
        value = self.values[op.argument]
        summed = [str(j) for j, a in enumerate(value.axes) if a not in op.axes]
        rest = tuple(a for a in value.axes if a in op.axes)
        text = value.text
        if summed:
            text += f".sum({summed[0] if len(summed) == 1 else '(' + ', '.join(summed) + ')'})"
        if rest != op.axes:
            text += f".permute({', '.join(str(rest.index(a)) for a in op.axes)})"
        return f"{' ' * self.indent}{name} = {text}", bool(summed)


def _assign_letters(axes: Sequence[str]) -> dict[str, str]:
    """Give every axis a letter for einsum, its own first letter where that is free."""
    letters: dict[str, str] = {}
    for axis in sorted(dict.fromkeys(axes), key=len):
        free = [c for c in (axis[0], *LETTERS) if c not in letters.values()]
        letters[axis] = free[0]
    return letters


def render_function(
    name: str,
    plan: Plan,
    lookups: Lookups,
    *,
    arguments: Sequence[tuple[str, Axes]],
    results: Sequence[Result],
    summary: str,
) -> str:
    """Spell a plan as a torch function.

    Args:
        name: Of the function.
        plan: The program; its arguments are among ``arguments``.
        lookups: How each table of the layer's programs is applied.
        arguments: Tensors the function takes, with their axes; more than the plan reads is fine.
        results: What it returns, in order.
        summary: First line of its docstring.

    Returns:
        The text of a function ``name(*arguments, tables, *flags) -> Tensor | tuple``; ``tables``
        holds the index tensors of all lookups in order, then their coefficients.
    """
    names = [check_identifier(argument) for argument, _ in arguments]
    groups = list(dict.fromkeys(r.group for r in results if r.group))
    flags = [f"needs_{group}" for group in groups]
    writer = Writer(plan, lookups, spell_sizes(plan, arguments))
    parameters = [*(f"{n}: Tensor" for n in names), "tables: Sequence[Tensor]"]
    parameters += [f"{flag}: bool = True" for flag in flags]
    kind = "Tensor" if len(results) == 1 else "tuple[Tensor, ...]"
    head = spell_call(f"def {name}(", parameters, f") -> {kind}:")
    shapes = [f"    {a}: {' '.join(axes)}" for a, axes in arguments]
    doc = [f'    """{summary}', "", "    Axes:", *(f"    {line}" for line in shapes), '    """']
    _write_groups(writer, results, groups)
    body = [*_spell_tables(writer.used, lookups), *_spell_return(writer.lines, results)]
    return "\n".join([head, *doc, *body, ""])


def _spell_tables(used: Lookups, lookups: Lookups) -> list[str]:
    """Give the tensors that a function uses their names."""
    order = [name for lookup in lookups.values() for name in lookup.indices]
    order += [name for lookup in lookups.values() for name in lookup.coefficients]
    wanted = {n for lookup in used.values() for n in (*lookup.indices, *lookup.coefficients)}
    return [f"    {n} = tables[{place}]" for place, n in enumerate(order) if n in wanted]


def _name_results(plan: Plan, results: Sequence[Result]) -> dict[int, str]:
    """Return the ops whose variable is a result, so that it is called so at once."""
    outputs = dict(plan.outputs)
    names: dict[int, str] = {}
    for result in results:
        position = outputs.get(result.name, -1)
        while position >= 0 and isinstance(op := plan.ops[position], Rename):
            position = op.argument
        if position >= 0 and not isinstance(plan.ops[position], Input):
            names.setdefault(position, result.name)
    return names


def _spell_return(lines: list[str], results: Sequence[Result]) -> list[str]:
    """End a body with its return; a lone result is returned where it is computed."""
    if len(results) == 1:
        start = f"    {results[0].name} = "
        if lines[-1].startswith(start) and lines[-1].count("\n    ") == lines[-1].count("\n     "):
            return [*lines[:-1], *_fit_return(lines[-1].removeprefix(start))]
        return [*lines, f"    return {results[0].name}"]
    names = [result.name for result in results]
    line = f"    return {', '.join(names)}"
    return [*lines, line if len(line) <= LINE else spell_call("return (", names, indent=4)]


def _fit_return(text: str) -> list[str]:
    """Return a value, which is longer by a word than what assigned it."""
    line = f"    return {text}"
    if "\n" in line or len(line) <= LINE:
        return [line]
    code, _, comment = line.partition("  # ")
    if len(code) <= LINE:
        return [f"    # {comment}", code]
    return ["    return (", f"        {code.removeprefix('    return ')}", f"    )  # {comment}"]


def spell_sizes(plan: Plan, arguments: Sequence[tuple[str, Axes]]) -> dict[str, str]:
    """Return how emitted code spells the size of each axis: a number, or a shape it can read."""
    known = {axis: str(size) for axis, size in plan.sizes if isinstance(size, int)}
    for name, axes in arguments:
        for place, axis in enumerate(axes):
            known.setdefault(axis, f"{name}.shape[{place}]")
    return known


def _write_groups(writer: Writer, results: Sequence[Result], groups: list[str]) -> None:
    """Write what several groups need first, then each group's own ops under its flag."""
    outputs = dict(writer.plan.outputs)
    reach = {g: _list_needed(writer.plan, results, g) for g in ("", *groups)}
    shared = set(reach[""])
    for place, group in enumerate(groups):
        for other in groups[place + 1 :]:
            shared |= reach[group] & reach[other]
    named = _name_results(writer.plan, results)
    # What several groups need is no result yet: whether it is one, the flags say.
    writer.names = {p: name for p, name in named.items() if not (groups and p in shared)}
    for position in sorted(shared):
        writer.write(position)
    taken: list[int] = []
    for group in ("", *groups):
        if group:
            empty = [r for r in results if r.group == group]
            writer.lines += [f"    {r.name} = {r.like}.new_empty(0)" for r in empty]
            writer.lines.append(f"    if needs_{group}:")
            writer.indent = 8
        for position in sorted(reach[group] - shared):
            writer.write(position)
        for result in results:
            if result.group == group:
                _write_result(writer, result, outputs, taken)
        writer.indent = 4


def _list_needed(plan: Plan, results: Sequence[Result], group: str) -> set[int]:
    """Return the positions the results of a group depend on."""
    outputs = dict(plan.outputs)
    wanted = {outputs[r.name] for r in results if r.group == group and r.name in outputs}
    for position in range(len(plan.ops) - 1, -1, -1):
        if position in wanted:
            wanted.update(arguments_of(plan.ops[position]))
    return wanted


def _write_result(
    writer: Writer, result: Result, outputs: Mapping[str, int], taken: list[int]
) -> None:
    """Assign one result, as a copy where it would share storage with an argument or a result."""
    space = " " * writer.indent
    if result.name not in outputs:
        writer.lines.append(f"{space}{result.name} = torch.zeros_like({result.like})")
        return
    position = outputs[result.name]
    value = writer.values[position]
    text = writer.align(position, writer.plan.ops[position].axes)
    shared = isinstance(writer.plan.ops[value.origin], Input) or value.origin in taken
    taken.append(value.origin)
    text += ".clone()" if shared else ""
    if text != result.name:
        writer.lines.append(f"{space}{result.name} = {text}")
