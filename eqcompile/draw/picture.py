"""Which slots a diagram shows, and how they are laid out: shared by text and SVG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from eqcompile.draw.dependence import merge_equal, spell_dependence
from eqcompile.draw.spelling import spell_count, spell_members
from eqcompile.draw.words import ClassWords, describe_classes, name_class
from eqcompile.exact.signed import IntArray
from eqcompile.solve.ansatz import Ansatz
from eqcompile.solve.tying import Tying

Layout = Literal["column", "matrix", "triangle", "square", "list"]

LEGEND_CLASSES = 80
"""More classes than these are counted in the legend, not listed."""


@dataclass(frozen=True, slots=True)
class OutputBlock:
    """The slots of one output.

    Attributes:
        output: Its index.
        stands_for: The outputs that look alike up to the group; just this one where all are shown.
        labels: Shape ``(monomials,)``: class, -1 for zero.
        signs: Shape ``(monomials,)``: sign in the class, 0 for zero.
    """

    output: int
    stands_for: tuple[int, ...]
    labels: IntArray
    signs: IntArray


@dataclass(frozen=True, slots=True)
class Picture:
    """A tying made ready to draw.

    Attributes:
        tying: What is drawn.
        layout: Shape of a block: degree 0 a column, 1 a matrix, 2 a triangle (a square for two
            different channels), a list of monomials beyond.
        blocks: Outputs shown, increasing; empty where one alone would be too large.
        words: The classes in words, at most ``LEGEND_CLASSES``.
        notes: What is left out, one sentence each.
        columns: Shape ``(monomials, degree)``: the inputs of each monomial.
    """

    tying: Tying
    layout: Layout
    blocks: tuple[OutputBlock, ...]
    words: tuple[ClassWords, ...]
    notes: tuple[str, ...]
    columns: IntArray

    @property
    def title(self) -> str:
        """Name the degree and count what there is."""
        ansatz = self.tying.ansatz
        several = _spell_factors(ansatz)
        counts = [
            spell_count(ansatz.slots, "slot"),
            spell_count(self.tying.classes, "class"),
            spell_count(self.tying.zeros, "zero"),
        ]
        if self.tying.basis is not None:
            dependent = self.tying.coefficients - self.tying.classes
            counts.insert(2, spell_count(dependent, "dependent coefficient"))
        return f"degree {ansatz.degree}{several}: {', '.join(counts)}"


def lay_out(tying: Tying, cells: int, columns: int | None = None) -> Picture:
    """Choose the outputs to show so that a diagram fits.

    Args:
        tying: The classes.
        cells: Most cells in all.
        columns: Most columns of a matrix; None where there is no such bound.
    """
    notes: list[str] = []
    tying = merge_equal(tying)
    size, layout = tying.ansatz.space.size, choose_layout(tying)
    wide = max((r.dim for r in tying.ansatz.inputs), default=1)
    if columns is not None and layout in ("matrix", "triangle", "square") and wide > columns:
        blocks: tuple[OutputBlock, ...] = ()
        notes.append(f"{wide} columns are too many to draw; the classes are listed")
    elif tying.ansatz.slots <= cells:
        rows = sorted(tying.rows(), key=lambda row: row[0])
        blocks = tuple(OutputBlock(k, (k,), labels, signs) for k, labels, signs in rows)
    elif len(tying.orbits) * size <= cells:
        blocks = tuple(
            OutputBlock(int(o.outputs[0]), tuple(sorted(o.outputs.tolist())), o.labels, o.signs)
            for o in tying.orbits
        )
        notes.append("one block per orbit of outputs; the group carries it to the others")
    else:
        blocks = ()
        notes.append(f"{size} monomials per output are too many to draw; the classes are listed")
    words = describe_classes(tying, LEGEND_CLASSES)
    named = len({w.name for w in words})
    if named < tying.coefficients:
        notes.append(f"the first {named} of {tying.coefficients} classes are listed")
    if any(w.reading == "cycle" for w in words):
        notes.append(f"indices such as k+1 are taken modulo {tying.ansatz.output.dim}")
    notes += _note_channels(tying.ansatz)
    notes += note_dependence(tying)
    shown = tying.ansatz.space.columns() if blocks else np.zeros((0, 0), dtype=np.int64)
    return Picture(tying, layout, blocks, words, tuple(notes), shown)


def note_dependence(tying: Tying) -> list[str]:
    """Say which letters are free, and what the others are."""
    if tying.basis is None:
        return []
    free = ", ".join(name_class(int(c)) for c in tying.basis.free[:LEGEND_CLASSES])
    formulas = enumerate(spell_dependence(tying)[:LEGEND_CLASSES])
    return [
        f"free: {free}" if free else "nothing is free",
        *(f"{name_class(c)} = {formula}" for c, formula in formulas if formula),
    ]


def _spell_factors(ansatz: Ansatz) -> str:
    """Say what the degree is made of, where there are several factors or inputs."""
    if len(set(ansatz.sources)) == 1 and len(ansatz.shape) > 1:
        return f" in channels of degrees {ansatz.shape}"
    named = zip(ansatz.names, ansatz.shape, strict=True)
    listed = ", ".join(f"{name}: {degree}" for name, degree in named if name)
    return f" ({listed})" if listed else ""


def _note_channels(ansatz: Ansatz) -> list[str]:
    """Say which factors are channels of one input."""
    notes = []
    for source in dict.fromkeys(ansatz.sources):
        pairs = zip(ansatz.sources, ansatz.names, strict=True)
        named = [name for number, name in pairs if number == source]
        if len(named) > 1:
            one = "the input" if len(named) == len(ansatz.names) else "one input"
            notes.append(f"{', '.join(named)} are different channels of {one}")
    return notes


def choose_layout(tying: Tying) -> Layout:
    """Return how the slots of one output are laid out."""
    match tying.ansatz.shape:
        case ():
            return "column"
        case (1,):
            return "matrix"
        case (2,):
            return "triangle"
        case (1, 1):
            return "square"
        case _:
            return "list"


def caption(picture: Picture, block: OutputBlock) -> str:
    """Name the outputs a block shows."""
    letter = picture.tying.ansatz.letter
    if len(block.stands_for) == 1:
        return f"{letter}_{block.output}"
    alike = f"{letter}_k, k in {spell_members(block.stands_for)}"
    return f"{letter}_{block.output}, standing for {alike}"
