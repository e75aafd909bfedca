"""Further linear constraints of a layer: what the spec says, checked against the slots it has.

Meanings are written in the coordinates that representations are written in: where those have
``squares``, the layer's coordinates are ``x_i = sqrt(squares[i]) x'_i``, and the slots of the
layer are multiples of those of the x'.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from eqcompile.actions.group import Representation
from eqcompile.actions.sizes import spell_count
from eqcompile.errors import PathPart, Refusal, Refusals
from eqcompile.exact.fields import RATIONALS, Scalar, root
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.monomials import count_monomials
from eqcompile.exact.scalars import parse_scalar
from eqcompile.reading import shorten
from eqcompile.registry import nearest
from eqcompile.spec.actions import LayerActions
from eqcompile.spec.equations import parse_equation
from eqcompile.spec.inputs import Degree, list_channels, list_degrees
from eqcompile.spec.model import ConservedRows, ConstraintEntry, PolynomialLayer
from eqcompile.spec.slots import LayerSlots, Slot, SlotEquation

MAX_SLOTS = 2**22
"""Slots of one degree of a layer with constraints: they are solved from a table of all slots."""

MAX_ENTRIES = 2**23
"""Entries of the equations that one `conserve` makes of one degree."""


@dataclass(frozen=True, slots=True)
class Conserve:
    """The constraint ``rows f(x) = fixed x`` for all x.

    Attributes:
        input: Number of the input x; it holds whatever the others are.
        rows: Shape ``(quantities, n_out)``.
        fixed: Shape ``(quantities, n_in)``; the same as ``rows`` unless coordinates are rescaled.
    """

    input: int
    rows: Matrix
    fixed: Matrix


@dataclass(frozen=True, slots=True)
class SymmetricPart:
    """The constraint ``units[k] w[k; a] = units[a] w[a; k]``: a linear part with ``W = W^T``.

    Attributes:
        units: Scales of the coordinates; empty where all are 1.
    """

    units: tuple[Scalar, ...] = ()


@dataclass(frozen=True, slots=True)
class ZeroDiagonal:
    """The constraint ``w[k; k] = 0``."""


Meaning = Conserve | SlotEquation | SymmetricPart | ZeroDiagonal
Entry = str | ConstraintEntry


def check_constraints(layer: PolynomialLayer, actions: LayerActions) -> list[Refusal]:
    """List what is wrong with the constraints of a layer, each with its place in the layer."""
    found: list[Refusal] = []
    for i, entry in enumerate(layer.constraints):
        try:
            read_constraint(entry, layer, actions)
        except Refusals as several:
            found += [refusal.move(("constraints", i)) for refusal in several.refusals]
        except Refusal as refusal:
            found.append(refusal.move(("constraints", i)))
    return found


def read_constraint(entry: Entry, layer: PolynomialLayer, actions: LayerActions) -> Meaning | None:
    """Read one constraint of a layer; None where it asks for nothing (``symmetric: false``).

    Raises:
        Refusal: It does not fit the layer, at a place inside the entry.
        Refusals: Several numbers of it are wrong.
    """
    kind = entry if isinstance(entry, str) else _name_kind(entry)
    if isinstance(entry, ConstraintEntry) and not getattr(entry, kind):
        return None
    _check_size(layer, actions, () if isinstance(entry, str) else (kind,))
    if isinstance(entry, str):
        return _read_equation(entry, layer, actions)
    if entry.conserve is not None:
        return _Conservation(layer, actions, entry.conserve).read()
    _check_square(kind, layer, actions)
    return ZeroDiagonal() if kind == "zero_diagonal" else SymmetricPart(_list_units(actions))


def list_slots(layer: PolynomialLayer, actions: LayerActions) -> LayerSlots:
    """Return the slots a layer has."""
    inputs = tuple((name, action.dim) for name, action in actions.inputs)
    return LayerSlots(actions.output.dim, inputs, list_degrees(layer))


def _name_kind(entry: ConstraintEntry) -> str:
    (kind,) = entry.model_fields_set
    return kind


def _refuse_misfit(text: str, help: str, at: tuple[PathPart, ...] = ()) -> Refusal:
    return Refusal("constraint", text, help, at)


def _check_size(layer: PolynomialLayer, actions: LayerActions, at: tuple[PathPart, ...]) -> None:
    for degree in list_degrees(layer):
        slots = actions.output.dim * _count_monomials(layer, actions, degree)
        if slots > MAX_SLOTS:
            text = (
                f"with constraints of its own a layer has at most {MAX_SLOTS} slots of one degree, "
                f"this one {spell_count(slots)}"
            )
            help = "use a smaller degree or representation, or fewer channels or channelwise mixing"
            raise Refusal("too-large", text, help, at)


def _count_monomials(layer: PolynomialLayer, actions: LayerActions, degree: Degree) -> int:
    """Count the monomials of the largest block: all degree in different channels, if there are."""
    mixed = layer.channels.mixing in ("full", "factored")
    parts = zip(actions.inputs, degree, list_channels(layer), strict=True)
    return prod(
        action.dim**d if mixed and channels > 1 else count_monomials(action.dim, d)
        for (_, action), d, channels in parts
    )


def _read_equation(text: str, layer: PolynomialLayer, actions: LayerActions) -> SlotEquation:
    equation = _rescale_equation(parse_equation(text, list_slots(layer, actions)), actions)
    _join_fields([*(value for _, value in equation.terms), equation.right])
    if layer.channels.mixing == "factored":
        help = "write mixing: full, or leave the equation out"
        if equation.right:
            raise _refuse_misfit(
                "a factored layer has no fixed part, so the right-hand side is 0", help
            )
        if sum(equation.degree) > 1:
            raise _refuse_misfit("a factored layer takes equations of degree 0 and 1 only", help)
    return equation


def _join_fields(numbers: Iterable[Scalar]) -> None:
    """Refuse numbers that lie in no field that is served."""
    field = RATIONALS
    for number in numbers:
        field = field.join(number.field)


def _rescale_equation(equation: SlotEquation, actions: LayerActions) -> SlotEquation:
    """Write an equation in the slots of the x', of ratios of their units.

    A term ``w' x'_i x'_j`` of ``y'_k`` is the term ``sqrt(s_k / (s_i s_j)) w' x_i x_j`` of
    ``y_k``; the equation is divided by the unit of its first slot.
    """
    if not _has_squares(actions) or not equation.terms:
        return equation
    first = _square_unit(equation.terms[0][0], actions)
    terms = tuple(
        (slot, value * _find_root(_square_unit(slot, actions) / first))
        for slot, value in equation.terms
    )
    right = equation.right * _find_root(1 / first) if equation.right else equation.right
    return SlotEquation(terms, right, equation.degree)


def _square_unit(slot: Slot, actions: LayerActions) -> Fraction:
    square = _list_squares(actions.output)[slot.output]
    for (_, action), part in zip(actions.inputs, slot.indices, strict=True):
        squares = _list_squares(action)
        for i in part:
            square /= squares[i]
    return square


def _has_squares(actions: LayerActions) -> bool:
    return any(action.squares for action in (actions.output, *(a for _, a in actions.inputs)))


def _list_squares(action: Representation) -> Sequence[Fraction]:
    return action.squares or (Fraction(1),) * action.dim


def _find_root(square: Fraction) -> Scalar:
    """Return a ratio of units."""
    try:
        return root(square)
    except Refusal as refusal:
        text = f"the slots of this constraint are in units whose ratio is sqrt({square})"
        help = "relate slots of one irreducible representation, or leave the constraint out"
        raise Refusal(refusal.rule, f"{text}: {refusal.text}", help) from None


def _check_square(kind: str, layer: PolynomialLayer, actions: LayerActions) -> None:
    """Refuse what is said of a square linear part, unless there is one."""
    if len(actions.inputs) > 1:
        names = ", ".join(name for name, _ in actions.inputs)
        text = f"{kind} is for layers with one input, this one has {names}"
        raise _refuse_misfit(text, "write the equations, such as w[0; x.1] == w[1; x.0]", (kind,))
    dims = actions.output.dim, actions.inputs[0][1].dim
    if dims[0] != dims[1]:
        text = f"{kind} needs an output of the dimension of the input, here {dims[0]} and {dims[1]}"
        raise _refuse_misfit(text, f"leave {kind} out", (kind,))
    if (1,) not in list_degrees(layer):
        text = f"{kind} is about the linear part, and the layer has none"
        raise _refuse_misfit(text, f"add the degree 1, or leave {kind} out", (kind,))


def _list_units(actions: LayerActions) -> tuple[Scalar, ...]:
    """Return the ratios of the units in ``w[k; a] = w[a; k]``, empty where all are 1.

    ``sqrt(o_k / i_a) w'[k; a] = sqrt(o_a / i_k) w'[a; k]`` for squares o and i of output and input.
    """
    outputs, inputs = _list_squares(actions.output), _list_squares(actions.inputs[0][1])
    squares = [o * i for o, i in zip(outputs, inputs, strict=True)]
    if len(set(squares)) == 1:
        return ()
    return tuple(_find_root(square / squares[0]) for square in squares)


@dataclass(frozen=True, slots=True)
class _Conservation:
    """Reads one ``conserve`` of a layer; ``written`` is what stands under that key."""

    layer: PolynomialLayer
    actions: LayerActions
    written: tuple[tuple[int | str, ...], ...] | ConservedRows

    def read(self) -> Conserve:
        place = self._find_input()
        name, action = self.actions.inputs[place]
        if self.actions.output.dim != action.dim:
            dims = f"here {self.actions.output.dim} and {action.dim}"
            text = f"conserve needs an output of the dimension of the input, {dims}"
            raise self._refuse_here(text, "compare outputs with an input of the same kind")
        if self.layer.channels.mixing == "factored":
            text = (
                "conserve fixes a part of the coefficients, and a factored layer has no such part"
            )
            raise self._refuse_here(text, "write mixing: full or channelwise")
        degrees = list_degrees(self.layer)
        if tuple(int(i == place) for i in range(len(self.actions.inputs))) not in degrees:
            text = f"M f({name}) = M {name} needs a linear part, and the layer has none"
            help = "add the degree 1, or write the equations that M W = 0 stands for"
            raise Refusal("inconsistent-constraints", text, help, ("conserve",))
        rows = self._read_rows(action.dim)
        for degree in degrees:
            entries = len(rows.rows) * _count_monomials(self.layer, self.actions, degree)
            if entries > MAX_ENTRIES:
                text = f"conserve makes equations of {spell_count(entries)} entries of one degree"
                help = "use a smaller degree or representation, or fewer rows"
                raise Refusal("too-large", text, help, ("conserve",))
        return self._rescale(place, rows)

    def _refuse_here(self, text: str, help: str) -> Refusal:
        return _refuse_misfit(text, help, ("conserve",))

    def _find_input(self) -> int:
        names = [name for name, _ in self.actions.inputs]
        if isinstance(self.written, ConservedRows):
            name = self.written.input
            if name not in names:
                close = nearest(name, names)
                text = f"the layer has no input {shorten(name)!r}; it has: {', '.join(names)}"
                help = f"did you mean {close!r}?" if close else "use the names under input"
                raise Refusal("unknown-name", text, help, ("conserve", "input"))
            return names.index(name)
        if len(names) > 1:
            text = f"conserve must say of which input: {', '.join(names)}"
            raise self._refuse_here(text, f"write conserve: {{rows: [...], input: {names[0]}}}")
        return 0

    def _read_rows(self, width: int) -> Matrix:
        """Read the numbers; every one that is none is refused."""
        at: tuple[PathPart, ...] = ("conserve",)
        rows = self.written
        if isinstance(rows, ConservedRows):
            at, rows = ("conserve", "rows"), rows.rows
        entries: list[tuple[int, int, Scalar]] = []
        refused: list[Refusal] = []
        for r, row in enumerate(rows):
            if len(row) != width:
                text = f"a row has one number per coordinate, {width}, this one {len(row)}"
                refused.append(_refuse_misfit(text, f"write {width} numbers", (*at, r)))
            for c, number in enumerate(row):
                try:
                    entries.append((r, c, parse_scalar(number)))
                except Refusal as refusal:
                    refused.append(refusal.move((*at, r, c)))
        if refused:
            raise Refusals(tuple(refused))
        try:
            return Matrix.from_entries(len(rows), width, entries)
        except Refusal as refusal:
            raise refusal.move(("conserve",)) from None

    def _rescale(self, place: int, rows: Matrix) -> Conserve:
        """Write ``M f(x) = M x`` in the x', each row divided by the unit of its first output."""
        outputs = _list_squares(self.actions.output)
        inputs = _list_squares(self.actions.inputs[place][1])
        if not _has_squares(self.actions):
            return Conserve(place, rows, rows)
        first: dict[int, Fraction] = {}
        left, fixed = [], []
        try:
            for r, k, value in rows.entries():
                unit = first.setdefault(r, outputs[k])
                left.append((r, k, value * _find_root(outputs[k] / unit)))
                fixed.append((r, k, value * _find_root(inputs[k] / unit)))
            sides = [Matrix.from_entries(*rows.shape, side) for side in (left, fixed)]
        except Refusal as refusal:
            raise refusal.move(("conserve",)) from None
        return Conserve(place, *sides)
