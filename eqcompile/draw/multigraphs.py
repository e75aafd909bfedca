"""Multigraphs as pictures: the nodes of each on a circle, those of the output filled."""

from __future__ import annotations

from collections import Counter
from math import cos, hypot, pi, sin
from xml.sax.saxutils import escape, quoteattr

from eqcompile.draw.diagrams import name_layer
from eqcompile.draw.svg import FONT, INK, MARGIN
from eqcompile.exact.multigraphs import Diagram, Edge, Parts, name_node, spell_diagram
from eqcompile.solve.diagrams import DiagramBlock, DiagramSolution

COLUMNS = 5
WIDTH = 208
HEIGHT = 150
RADIUS = 38
NODE = 9
SVG_CLASSES = 400
"""More classes than these are not drawn, only counted."""

Point = tuple[float, float]


def draw_degree(solution: DiagramSolution, degree: int, key: str) -> str:
    """Draw the classes of one degree of a layer; ``key`` is unique on the page."""
    title = f"{name_layer(solution)}, degree {degree}"
    return draw_multigraphs(solution.block(degree), key=key, title=title)


def draw_multigraphs(block: DiagramBlock, *, key: str, title: str) -> str:
    """Draw the classes of one block as an SVG element that stands alone or goes into a page.

    An edge of two indices that do not commute has an arrow, one of a single index ends in a dot,
    one of three or more meets in a square.

    Args:
        block: The classes.
        key: An identifier that is unique among the pictures of one page.
        title: Put above them.
    """
    shown = block.diagrams[:SVG_CLASSES]
    left = block.classes - len(shown)
    heading = f"{title}, {block.classes} classes" + (f", {left} not drawn" if left else "")
    rows = -(-len(shown) // COLUMNS)
    width, height = COLUMNS * WIDTH + 2 * MARGIN, rows * HEIGHT + 2 * MARGIN + 24
    cells = [
        f'<g transform="translate({MARGIN + j % COLUMNS * WIDTH} {36 + j // COLUMNS * HEIGHT})" '
        f'data-class="{j}">\n{_draw_cell(j, diagram, block, key)}</g>\n'
        for j, diagram in enumerate(shown)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label={quoteattr(heading)} '
        f'font-family={quoteattr(FONT)} font-size="11" fill="currentColor">\n'
        f"<title>{escape(heading)}</title>\n{_draw_arrow(key)}"
        f'<text x="{MARGIN}" y="20" font-size="13">{escape(heading)}</text>\n'
        f"{''.join(cells)}</svg>\n"
    )


def _draw_arrow(key: str) -> str:
    return (
        f'<marker id="{key}-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="{INK}"/></marker>\n'
    )


def _draw_cell(number: int, diagram: Diagram, block: DiagramBlock, key: str) -> str:
    points = _place_nodes(diagram.nodes)
    drawn: Counter[tuple[int, ...]] = Counter()
    elements = []
    for edge in diagram.edges:
        ends = tuple(sorted(set(edge.nodes)))
        elements.append(_draw_edge(edge, block.inputs[edge.term], points, drawn[ends], key))
        drawn[ends] += 1
    for node, (x, y) in enumerate(points):
        marked = node < diagram.marked
        fill, ink = (INK, "#fff") if marked else ("#fff", INK)
        elements.append(
            f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{NODE}" fill="{fill}" stroke="{INK}"/>'
            f'<text x="{x:.0f}" y="{y + 4:.0f}" text-anchor="middle" fill="{ink}">'
            f"{name_node(node)}</text>"
        )
    formula = spell_diagram(diagram, block.output, block.inputs)
    words = f"{number}: {formula}"
    elements.append(f'<text x="4" y="{HEIGHT - 12}">{escape(words[:36])}</text>')
    return "".join(element + "\n" for element in elements)


def _place_nodes(count: int) -> list[Point]:
    """Put nodes on a circle, the first on the left."""
    x, y = WIDTH / 2, HEIGHT / 2 - 12
    if count == 1:
        return [(x, y)]
    turns = [pi - 2 * pi * j / count for j in range(count)]
    return [(x + RADIUS * cos(t), y - RADIUS * sin(t)) for t in turns]


def _draw_edge(edge: Edge, parts: Parts, points: list[Point], repeat: int, key: str) -> str:
    """Draw one factor; ``repeat`` others through the same nodes are drawn already."""
    ends = [points[node] for node in edge.nodes]
    arrow = f' marker-end="url(#{key}-arrow)"' if parts == (1, 1) else ""
    if not ends:
        return f'<rect x="{14 + 12 * repeat}" y="8" width="6" height="6" fill="{INK}"/>'
    if len(ends) == 1:
        return _draw_stub(ends[0], repeat)
    if len(ends) > 2:
        return _draw_hub(ends, repeat)
    if edge.nodes[0] == edge.nodes[1]:
        return _draw_path(_bend_loop(ends[0], repeat), arrow)
    # Parallel edges bend to either side in turn, whichever way they point.
    side = (-1) ** repeat * (1 if edge.nodes[0] < edge.nodes[1] else -1)
    return _draw_path(_bend_line(ends[0], ends[1], (repeat + 1) // 2 * 16 * side), arrow)


def _draw_path(path: str, arrow: str = "") -> str:
    return f'<path d="{path}" fill="none" stroke="{INK}"{arrow}/>'


def _draw_stub(end: Point, repeat: int) -> str:
    """Draw a factor of one index as a line that ends in a dot."""
    dx, dy = _point_outward(end, 0.5 * repeat)
    x, y = end[0] + 26 * dx, end[1] + 26 * dy
    dot = f'<circle cx="{x:.0f}" cy="{y:.0f}" r="2" fill="{INK}"/>'
    return _draw_path(f"M{end[0]:.0f} {end[1]:.0f} {x:.0f} {y:.0f}") + dot


def _draw_hub(ends: list[Point], repeat: int) -> str:
    """Draw a factor of three or more indices as lines that meet in a square."""
    x = sum(end[0] for end in ends) / len(ends) + 6
    y = sum(end[1] for end in ends) / len(ends) - 18 - 8 * repeat
    lines = "".join(f"M{x:.0f} {y:.0f} {end[0]:.0f} {end[1]:.0f}" for end in ends)
    square = f'<rect x="{x - 3:.0f}" y="{y - 3:.0f}" width="6" height="6" fill="{INK}"/>'
    return _draw_path(lines) + square


def _bend_loop(end: Point, repeat: int) -> str:
    """Return the path of an edge from a node to itself, on the side away from the others."""
    reach = (22 + 9 * repeat) * 1.4
    (a, b), (c, d) = _point_outward(end, -0.45), _point_outward(end, 0.45)
    x, y = end
    return (
        f"M{x + NODE * a:.0f} {y + NODE * b:.0f}"
        f"C{x + reach * a:.0f} {y + reach * b:.0f} {x + reach * c:.0f} {y + reach * d:.0f} "
        f"{x + NODE * c:.0f} {y + NODE * d:.0f}"
    )


def _bend_line(start: Point, end: Point, bend: float) -> str:
    """Return the path of an edge between two nodes, from rim to rim."""
    long = hypot(end[0] - start[0], end[1] - start[1])
    dx, dy = (end[0] - start[0]) / long, (end[1] - start[1]) / long
    x, y = (start[0] + end[0]) / 2 - bend * dy, (start[1] + end[1]) / 2 + bend * dx
    return (
        f"M{start[0] + NODE * dx:.0f} {start[1] + NODE * dy:.0f}"
        f"Q{x:.0f} {y:.0f} {end[0] - NODE * dx:.0f} {end[1] - NODE * dy:.0f}"
    )


def _point_outward(point: Point, turn: float) -> Point:
    """Return the direction away from the middle of a cell, turned by an angle."""
    x, y = point[0] - WIDTH / 2, point[1] - (HEIGHT / 2 - 12)
    long = hypot(x, y)
    x, y = (x / long, y / long) if long > 1 else (0.0, -1.0)
    return x * cos(turn) - y * sin(turn), x * sin(turn) + y * cos(turn)
