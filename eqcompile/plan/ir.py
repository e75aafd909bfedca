"""The plan: a small SSA program over arrays with named axes.

A value is an array whose axes have names; ``b`` is the batch, the others are declared by the
plan. There are six operations, and each one's derivative is made of the same six, so the
language is closed under differentiation (``plan/differentiate.py``):

* ``Input``   an argument of the program;
* ``Map``     a constant sparse linear map from some axes to others (gather, class expansion,
  channel selection; transposed, the matching sums);
* ``Contract``  the product of two values summed over the axes the result leaves out (an einsum);
* ``Add``     the sum of values, broadcast over the axes they lack;
* ``Reduce``  the sum over the axes the result leaves out (the transpose of broadcasting);
* ``Rename``  the same value with other axis names.

Ops are numbered by position and refer only backwards. Nothing here knows a group or torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from eqcompile.exact.monomials import count_product_tuples, list_product_tuples
from eqcompile.exact.signed import IntArray, freeze
from eqcompile.layers.problem import Shape

Axes = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Table:
    """A constant sparse matrix ``out[rows] += coefficients * in[columns]`` on flattened axes.

    Attributes:
        name: Unique in the plan; an identifier.
        recipe: How the emitted package makes this table from ``tying.json``, see
            ``plan/lowering.py``; a word, then integers.
        height: Flat size of the result's axes.
        width: Flat size of the argument's axes.
        rows: Shape ``(entries,)``, non-decreasing.
        columns: Shape ``(entries,)``.
        numerators: Shape ``(entries,)``: numerator of each coefficient.
        denominators: Shape ``(entries,)``: denominator, positive.
    """

    name: str
    recipe: tuple[str | int, ...]
    height: int
    width: int
    rows: IntArray
    columns: IntArray
    numerators: IntArray
    denominators: IntArray

    def __post_init__(self) -> None:
        for field in ("rows", "columns", "numerators", "denominators"):
            object.__setattr__(self, field, freeze(getattr(self, field)))

    def coefficient(self, entry: int) -> Fraction:
        """Return one coefficient exactly."""
        return Fraction(int(self.numerators[entry]), int(self.denominators[entry]))

    def key(self) -> tuple[object, ...]:
        """Return what equality and hashing compare: the whole content."""
        arrays = (self.rows, self.columns, self.numerators, self.denominators)
        return (self.name, self.recipe, self.height, self.width, *(a.tobytes() for a in arrays))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())


@dataclass(frozen=True, slots=True)
class ChannelTuples:
    """The tuples of distinct channels of a block, known once the channel counts are.

    Attributes:
        shape: Per input the degree in each of several different channels of it.
        counts: Per input the word for its number of channels.
    """

    shape: Shape
    counts: tuple[str, ...]

    def __str__(self) -> str:
        return "tuples:" + ";".join(",".join(map(str, parts)) for parts in self.shape)

    def list_all(self, channels: Mapping[str, int]) -> tuple[tuple[int, ...], ...]:
        """List the tuples, the first input slowest."""
        return list_product_tuples(self.shape, [channels[word] for word in self.counts])

    def count(self, channels: Mapping[str, int]) -> int:
        """Return how many there are."""
        return count_product_tuples(self.shape, [channels[word] for word in self.counts])


Size = int | str | ChannelTuples


@dataclass(frozen=True, slots=True)
class ChannelTable:
    """The selection of one channel per tuple of channels.

    Row p is the p-th of the tuples; its only column is the channel at ``position`` of that tuple.
    """

    name: str
    tuples: ChannelTuples
    position: int


@dataclass(frozen=True, slots=True)
class Input:
    """An argument of the program."""

    name: str
    axes: Axes


@dataclass(frozen=True, slots=True)
class Map:
    """Apply a constant table: axes ``source`` of the argument become axes ``target``.

    In ``axes``, the axes of the result, ``target`` takes the place of the first source axis.
    ``transposed`` applies the transpose of the table.
    """

    argument: int
    table: str
    source: Axes
    target: Axes
    transposed: bool
    axes: Axes


@dataclass(frozen=True, slots=True)
class Contract:
    """The product of two values, summed over every axis that ``axes`` leaves out."""

    left: int
    right: int
    axes: Axes


@dataclass(frozen=True, slots=True)
class Add:
    """The sum of values; an argument that lacks an axis of the result is broadcast along it."""

    arguments: tuple[int, ...]
    axes: Axes


@dataclass(frozen=True, slots=True)
class Reduce:
    """The sum of a value over the axes that ``axes`` leaves out."""

    argument: int
    axes: Axes


@dataclass(frozen=True, slots=True)
class Rename:
    """The same value; its axes take the names ``axes`` in order."""

    argument: int
    axes: Axes


Op = Input | Map | Contract | Add | Reduce | Rename


def arguments_of(op: Op) -> tuple[int, ...]:
    """Return the positions of the values an op reads."""
    match op:
        case Input():
            return ()
        case Map(argument=a) | Reduce(argument=a) | Rename(argument=a):
            return (a,)
        case Contract(left=a, right=b):
            return (a, b)
        case Add(arguments=args):
            return args


@dataclass(frozen=True, slots=True)
class Plan:
    """A straight-line program.

    Attributes:
        sizes: Axis name and size. A size that depends on the channels is a word: ``batch``,
            ``in`` (C_in; of several inputs ``in_<name>``), ``out`` (C_out), ``rank``; or the number
            of the tuples of channels of a block.
        tables: The constants, by name.
        ops: The program.
        outputs: Name and position of each result.
    """

    sizes: tuple[tuple[str, Size], ...]
    tables: tuple[Table | ChannelTable, ...]
    ops: tuple[Op, ...]
    outputs: tuple[tuple[str, int], ...]

    def table(self, name: str) -> Table | ChannelTable:
        """Return the constant of this name."""
        return next(t for t in self.tables if t.name == name)

    def inputs(self) -> tuple[Input, ...]:
        """Return the arguments in order."""
        return tuple(op for op in self.ops if isinstance(op, Input))

    def __str__(self) -> str:
        names = {position: name for name, position in self.outputs}
        lines = [f"%{i}: [{' '.join(op.axes)}] = {spell_op(op)}" for i, op in enumerate(self.ops)]
        lines += [f"return {names[p]} = %{p}" for p in sorted(names)]
        return "\n".join(lines)


def spell_op(op: Op) -> str:
    """Write the right-hand side of one line of a printed plan."""
    match op:
        case Input(name=name):
            return f"input {name}"
        case Map(argument=a, table=t, source=s, target=g, transposed=flip):
            return f"map %{a} by {t}{'^T' if flip else ''}: {' '.join(s)} -> {' '.join(g)}"
        case Contract(left=a, right=b):
            return f"contract %{a} %{b}"
        case Add(arguments=args):
            return "add " + " ".join(f"%{a}" for a in args)
        case Reduce(argument=a):
            return f"reduce %{a}"
        case Rename(argument=a):
            return f"rename %{a}"
