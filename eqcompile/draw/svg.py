"""A tying as a coloured picture: one block of cells per output, a legend in words.

Every cell says what it is (``data-output``, ``data-monomial``, ``data-class``, ``data-sign``), so
the picture can be read back; a test does, and compares it with the tying.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import wrap
from xml.sax.saxutils import escape, quoteattr

from eqcompile.draw.palette import list_colours
from eqcompile.draw.picture import OutputBlock, Picture, caption, lay_out
from eqcompile.draw.words import name_class
from eqcompile.solve.tying import Tying

SVG_CELLS = 4000
"""More slots than these are shown by one block per orbit of outputs."""

SVG_COLUMNS = 120
PAGE_WIDTH = 960
MARGIN = 12
LINE = 20
LETTER_WIDTH = 8
GAP = 24
GUTTER = 26
INK = "#1a1a1a"
FONT = "ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, sans-serif"


@dataclass(frozen=True, slots=True)
class Cell:
    """One slot on the page, relative to its block."""

    x: int
    y: int
    width: int
    height: int
    monomial: tuple[int, ...]
    label: int
    sign: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A block of cells with its labels: width, height, and the elements."""

    width: int
    height: int
    elements: str


def draw_svg(tying: Tying, *, key: str = "tying", title: str = "") -> str:
    """Draw a tying as an SVG element that stands alone or goes into a page.

    Args:
        tying: The classes.
        key: An identifier that is unique among the pictures of one page.
        title: Put above the counts.

    Returns:
        One ``<svg>`` element without scripts or references to anything outside it.
    """
    picture = lay_out(tying, SVG_CELLS, SVG_COLUMNS)
    heading = f"{title}, {picture.title}" if title else picture.title
    colours = list_colours(_count_shown(picture))
    pieces = [_draw_heading(heading), *_draw_pieces(picture, key, colours)]
    pieces.append(_draw_legend(picture, key, colours))
    body, height = _stack(pieces)
    width = max([PAGE_WIDTH, *(p.width for p in pieces)]) + 2 * MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label={quoteattr(heading)} '
        f'font-family={quoteattr(FONT)} font-size="13" fill="currentColor">\n'
        f"<title>{escape(heading)}</title>\n{_draw_hatching(key)}{body}</svg>\n"
    )


def _count_shown(picture: Picture) -> int:
    shown = max((int(b.labels.max(initial=-1)) for b in picture.blocks), default=-1) + 1
    return max(shown, len(picture.words))


def _draw_hatching(key: str) -> str:
    return (
        f'<defs><pattern id="{key}-zero" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect width="6" height="6" fill="#ffffff"/>'
        '<rect width="1" height="6" fill="#9a9a9a"/></pattern></defs>\n'
    )


def _stack(pieces: list[Piece]) -> tuple[str, int]:
    """Put pieces in rows from left to right, then below each other."""
    body, x, y, row = "", MARGIN, MARGIN, 0
    for piece in pieces:
        if x > MARGIN and x + piece.width > PAGE_WIDTH + MARGIN:
            x, y, row = MARGIN, y + row + LINE, 0
        body += f'<g transform="translate({x} {y})">\n{piece.elements}</g>\n'
        x += piece.width + GAP
        row = max(row, piece.height)
    return body, y + row + MARGIN


def _draw_heading(heading: str) -> Piece:
    text = f'<text x="0" y="15" font-size="15" font-weight="600">{escape(heading)}</text>\n'
    return Piece(PAGE_WIDTH, LINE, text)


def _draw_pieces(picture: Picture, key: str, colours: tuple[str, ...]) -> Iterator[Piece]:
    match picture.layout:
        case "column" | "matrix":
            if picture.blocks:
                yield _draw_matrix(picture, key, colours)
        case "triangle" | "square":
            for block in picture.blocks:
                yield _draw_square(picture, block, key, colours)
        case "list":
            for block in picture.blocks:
                yield _draw_list(picture, block, key, colours)


def _choose_side(columns: int) -> int:
    """Return the side of a square cell: as large as the page allows, within reason."""
    return max(9, min(28, (PAGE_WIDTH - 80) // max(1, columns)))


def _draw_matrix(picture: Picture, key: str, colours: tuple[str, ...]) -> Piece:
    """Draw one row per output, one column per input."""
    side, columns = _choose_side(len(picture.columns)), len(picture.columns)
    gutter = max(len(caption(picture, b)) for b in picture.blocks) * LETTER_WIDTH + 8
    labels, top = "", LINE if picture.layout == "matrix" else 0
    if top and side >= 20:
        letter = picture.tying.ansatz.names[0] or "x"
        heads = [(gutter + side * i + side // 2, LINE - 6, f"{letter}_{i}") for i in range(columns)]
        labels += _draw_words(heads, size=10, anchor="middle")
    rows = [
        (gutter - 8, top + side * r + side // 2 + 4, caption(picture, b))
        for r, b in enumerate(picture.blocks)
    ]
    labels += _draw_words(rows, size=11, anchor="end")
    cells = ""
    for r, block in enumerate(picture.blocks):
        placed = [
            Cell(gutter + side * i, top + side * r, side, side, tuple(m), c, s)
            for i, (m, c, s) in enumerate(_walk(picture, block))
        ]
        cells += _draw_cells(picture, block, placed, key, colours)
    width, height = gutter + side * columns, top + side * len(picture.blocks)
    return Piece(width, height, labels + cells)


def _draw_square(picture: Picture, block: OutputBlock, key: str, colours: tuple[str, ...]) -> Piece:
    """Draw the monomials ``x_i x_j`` at row i, column j."""
    rows, columns = (int(n) + 1 for n in picture.columns.max(axis=0))
    side, gutter, top = _choose_side(columns), GUTTER, 2 * LINE
    labels = _draw_words([(0, 13, caption(picture, block))], size=13, anchor="start", weight=600)
    if side >= 14:
        heads = [(gutter + side * j + side // 2, top - 6, str(j)) for j in range(columns)]
        labels += _draw_words(heads, size=10, anchor="middle")
        lefts = [(gutter - 6, top + side * i + side // 2 + 4, str(i)) for i in range(rows)]
        labels += _draw_words(lefts, size=10, anchor="end")
    placed = [
        Cell(gutter + side * m[1], top + side * m[0], side, side, m, c, s)
        for m, c, s in _walk(picture, block)
    ]
    width = max(gutter + side * columns, len(caption(picture, block)) * LETTER_WIDTH)
    drawn = _draw_cells(picture, block, placed, key, colours)
    return Piece(width, top + side * rows, labels + drawn)


def _draw_list(picture: Picture, block: OutputBlock, key: str, colours: tuple[str, ...]) -> Piece:
    """Draw the monomials in order, wrapped, each with its indices under its letter."""
    texts = [" ".join(map(str, m)) for m in picture.columns.tolist()]
    width, height = max(36, max(map(len, texts)) * 6 + 8), 36
    per_row = max(1, PAGE_WIDTH // width)
    placed = [
        Cell(width * (i % per_row), LINE + height * (i // per_row), width, height, m, c, s)
        for i, (m, c, s) in enumerate(_walk(picture, block))
    ]
    labels = _draw_words([(0, 13, caption(picture, block))], size=13, anchor="start", weight=600)
    drawn = _draw_cells(picture, block, placed, key, colours)
    under = [(c.x + width // 2, c.y + height - 6, t) for c, t in zip(placed, texts, strict=True)]
    drawn += _draw_words(under, size=9, anchor="middle", ink=INK)
    rows = -(-len(placed) // per_row)
    return Piece(min(per_row, len(placed)) * width, LINE + height * rows, labels + drawn)


def _walk(picture: Picture, block: OutputBlock) -> Iterator[tuple[tuple[int, ...], int, int]]:
    """Walk the slots of a block: monomial, class, sign."""
    for row, label, sign in zip(
        picture.columns.tolist(), block.labels.tolist(), block.signs.tolist(), strict=True
    ):
        yield tuple(row), label, sign


def _draw_cells(
    picture: Picture, block: OutputBlock, cells: list[Cell], key: str, colours: tuple[str, ...]
) -> str:
    """Draw rectangles, then letters, then the dark corners that mark minus signs."""
    ansatz = picture.tying.ansatz
    drawn, letters, corners = [], list[tuple[int, int, str]](), ""
    for rank, cell in enumerate(cells):
        name = name_class(cell.label) if cell.label >= 0 else ""
        value = ("-" if cell.sign < 0 else "") + (name or "0")
        fill = colours[cell.label] if name else f"url(#{key}-zero)"
        drawn.append(
            f'<rect x="{cell.x}" y="{cell.y}" width="{cell.width - 1}" height="{cell.height - 1}" '
            f'fill="{fill}" data-output="{block.output}" '
            f'data-monomial="{" ".join(map(str, cell.monomial))}" data-class="{name}" '
            f'data-sign="{cell.sign}"><title>{ansatz.spell_slot(block.output, rank)} = {value}'
            "</title></rect>\n"
        )
        if name and len(value) * LETTER_WIDTH <= cell.width - 2 and cell.height >= 14:
            middle = cell.y + min(cell.height, 28) // 2 + 4
            shown = value.replace("-", "\N{MINUS SIGN}")
            letters.append((cell.x + cell.width // 2, middle, shown))
        if cell.sign < 0:
            size = max(3, cell.width // 5)
            corners += f"M{cell.x + cell.width - 1 - size} {cell.y}h{size}v{size}z"
    text = _draw_words(letters, size=12, anchor="middle", ink=INK)
    mark = f'<path d="{corners}" fill="{INK}"/>\n' if corners else ""
    return "".join(drawn) + text + mark


def _draw_words(
    words: list[tuple[int, int, str]], *, size: int, anchor: str, weight: int = 400, ink: str = ""
) -> str:
    """Draw words at places, all in one style."""
    if not words:
        return ""
    fill = f' fill="{ink}"' if ink else ""
    inner = "".join(f'<text x="{x}" y="{y}">{escape(t)}</text>' for x, y, t in words)
    return (
        f'<g font-size="{size}" text-anchor="{anchor}" font-weight="{weight}"{fill} '
        f'pointer-events="none">{inner}</g>\n'
    )


def _draw_legend(picture: Picture, key: str, colours: tuple[str, ...]) -> Piece:
    """List classes with colour, letter, number of slots and formula, then what is left out."""
    y, swatches, words = 0, "", list[tuple[int, int, str]]()
    letters = list[tuple[int, int, str]]()
    rows = [
        (w.name, w.size, f"{w.head}: {w.text}", colours[i]) for i, w in enumerate(picture.words)
    ]
    if picture.tying.zeros:
        rows.append(("0", picture.tying.zeros, "zero", f"url(#{key}-zero)"))
    for name, size, formula, fill in rows:
        swatches += (
            f'<rect x="0" y="{y + 1}" width="34" height="{LINE - 3}" fill="{fill}" '
            f'data-legend="{name}"/>\n'
        )
        letters.append((17, y + 14, name if name != "0" else ""))
        words.append((46, y + 14, f"{size} \N{MULTIPLICATION SIGN}"))
        for line in wrap(formula, 110) or [""]:
            words.append((46 + 9 * LETTER_WIDTH, y + 14, line))
            y += LINE
    notes = list(picture.notes)
    if any((b.signs < 0).any() for b in picture.blocks):
        notes.append("a dark corner and a minus sign: the coefficient is minus that of the class")
    for note in notes:
        for line in wrap(note, 130):
            words.append((0, y + 14, line))
            y += LINE
    text = _draw_words(letters, size=12, anchor="middle", ink=INK)
    return Piece(PAGE_WIDTH, y, swatches + text + _draw_words(words, size=13, anchor="start"))
