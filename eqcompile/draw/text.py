"""A tying on a terminal: one block of class letters per output, and a legend in words."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from eqcompile.draw.picture import OutputBlock, Picture, caption, lay_out
from eqcompile.draw.scope import name_letters
from eqcompile.draw.spelling import Names, spell_monomial
from eqcompile.draw.words import name_class
from eqcompile.solve.tying import Tying

WIDTH = 100
TEXT_CELLS = 1500
"""More slots than these are shown by one block per orbit of outputs."""

TEXT_COLUMNS = 60

Grid = list[list[str]]


def draw_text(tying: Tying) -> str:
    """Draw a tying as text, at most 100 columns where its matrices allow it.

    A letter is a class, ``-b`` a slot with minus the coefficient of b, ``.`` a slot forced to zero.
    """
    picture = lay_out(tying, TEXT_CELLS, TEXT_COLUMNS)
    parts = [picture.title, *_draw_blocks(picture), draw_legend(picture)]
    return "\n\n".join(part for part in parts if part) + "\n"


def draw_legend(picture: Picture) -> str:
    """List the classes: letter, number of slots, formula; then what the diagram leaves out."""
    tying = picture.tying
    rows = [(w.name, str(w.size), f"{w.head}: {w.text}") for w in picture.words]
    if tying.zeros:
        rows.append((".", str(tying.zeros), "zero"))
    if not rows:
        return ""
    widths = [max(len(r[i]) for r in [*rows, ("class", "slots", "")]) for i in (0, 1)]
    lines = [f"{'class':{widths[0]}}  {'slots':>{widths[1]}}  formula"]
    indent = widths[0] + widths[1] + 4
    for name, size, formula in rows:
        head = f"{name:{widths[0]}}  {size:>{widths[1]}}  "
        wrapped = wrap(formula, WIDTH - indent, subsequent_indent="  ") or [""]
        lines += [head + wrapped[0], *(" " * indent + line for line in wrapped[1:])]
    for note in picture.notes:
        lines += wrap(f"({note})", WIDTH)
    return "\n".join(lines)


def spell_slot_class(label: int, sign: int) -> str:
    """Write the coefficient of a slot: a class letter with its sign, or ``.`` for zero."""
    if label < 0:
        return "."
    return ("-" if sign < 0 else "") + name_class(label)


def _draw_blocks(picture: Picture) -> list[str]:
    match picture.layout:
        case "column" | "matrix":
            return _draw_matrix(picture)
        case "triangle" | "square":
            return _draw_side_by_side([_draw_square(picture, b) for b in picture.blocks])
        case "list":
            return [_draw_list(picture, block) for block in picture.blocks]


def _draw_matrix(picture: Picture) -> list[str]:
    """Draw one row per output and one column per input."""
    if not picture.blocks:
        return []
    rows = [[caption(picture, b), *_spell_row(b)] for b in picture.blocks]
    if picture.layout == "matrix":
        (letter,) = name_plainly(picture.tying).letters
        rows.insert(0, ["", *(f"{letter}_{i}" for i in range(len(picture.columns)))])
    return ["\n".join(_align(rows))]


def _spell_row(block: OutputBlock) -> list[str]:
    return [
        spell_slot_class(c, s)
        for c, s in zip(block.labels.tolist(), block.signs.tolist(), strict=True)
    ]


def _draw_square(picture: Picture, block: OutputBlock) -> list[str]:
    """Draw a matrix of monomials ``x_i x_j``: row i, column j."""
    heights, widths = int(picture.columns[:, 0].max()) + 1, int(picture.columns[:, 1].max()) + 1
    cells = [[""] * widths for _ in range(heights)]
    for (i, j), word in zip(picture.columns.tolist(), _spell_row(block), strict=True):
        cells[i][j] = word
    rows = [["", *(str(j) for j in range(widths))]]
    rows += [[str(i), *row] for i, row in enumerate(cells)]
    return [caption(picture, block), *_align(rows)]


def _align(rows: Grid) -> list[str]:
    """Align columns: the first to the left, the others to the right, without gaps if too wide."""
    first = max(len(r[0]) for r in rows)
    other = max((len(w) for r in rows for w in r[1:]), default=0)
    if first + (other + 1) * (len(rows[0]) - 1) > WIDTH:
        other = max((len(w) for r in rows[1:] for w in r[1:]), default=0)
        # There is no room for every column's number, so every tenth is named.
        head = "".join(f"{w:<{10 * other}}" for w in rows[0][1::10])
        body = (f"{r[0]:<{first}} " + "".join(f"{w:>{other}}" for w in r[1:]) for r in rows[1:])
        return [f"{'':<{first}} {head}".rstrip(), *(line.rstrip() for line in body)]
    lines = (f"{r[0]:<{first}} " + " ".join(f"{w:>{other}}" for w in r[1:]) for r in rows)
    return [line.rstrip() for line in lines]


def _draw_side_by_side(blocks: Sequence[list[str]], gap: int = 4) -> list[str]:
    """Put blocks of lines next to each other as far as the width goes."""
    bands: list[list[list[str]]] = []
    room = 0
    for block in blocks:
        width = max(len(line) for line in block)
        if not bands or room + gap + width > WIDTH:
            bands.append([])
            room = -gap
        bands[-1].append(block)
        room += gap + width
    drawn = []
    for band in bands:
        widths = [max(len(line) for line in block) for block in band]
        height = max(len(block) for block in band)
        lines = [
            (" " * gap)
            .join(
                f"{block[i] if i < len(block) else '':<{width}}"
                for block, width in zip(band, widths, strict=True)
            )
            .rstrip()
            for i in range(height)
        ]
        drawn.append("\n".join(lines))
    return drawn


def _draw_list(picture: Picture, block: OutputBlock) -> str:
    """List the monomials of each class, zeros last."""
    ansatz = picture.tying.ansatz
    names = name_plainly(picture.tying)
    offsets = [f * names.inputs for f, d in enumerate(ansatz.shape) for _ in range(d)]
    found: dict[int, list[str]] = {}
    for row, label, sign in zip(
        picture.columns.tolist(), block.labels.tolist(), block.signs.tolist(), strict=True
    ):
        word = spell_monomial([v + o for v, o in zip(row, offsets, strict=True)], names)
        found.setdefault(label, []).append(f"-{word}" if sign < 0 else word)
    lines = [caption(picture, block)]
    width = max(len(spell_slot_class(label, 1)) for label in found)
    for label in sorted(found, key=lambda c: (c < 0, c)):
        head = f"  {spell_slot_class(label, 1):<{width}}  "
        lines += wrap(
            ",~".join(w.replace(" ", "\0") for w in found[label]).replace("~", " "),
            WIDTH,
            initial_indent=head,
            subsequent_indent=" " * len(head),
        )
    return "\n".join(lines).replace("\0", " ")


def name_plainly(tying: Tying) -> Names:
    """Spell every index as its number."""
    dims = tuple(r.dim for r in tying.ansatz.inputs)
    inputs = max(dims, default=1)
    letters, is_lone = name_letters(tying.ansatz)
    return Names(inputs, dims, letters, is_lone, tuple(str(i) for i in range(inputs)))
