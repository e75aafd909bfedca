"""The coarsest balanced colouring of a directed graph, by splitting cells until all agree.

Source: Cardon, Crochemore, "Partitioning a graph in O(|A| log2 |V|)", Theoretical Computer
Science 19, 1982; the rule to keep the largest part off the list is Hopcroft's, 1971.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence


def find_fibres(n: int, arrows: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return the number of the fibre of each vertex, fibres numbered by their least vertex.

    Args:
        n: Number of vertices.
        arrows: Pairs ``(a, b)``: b receives from a; no pair twice.
    """
    targets: list[list[int]] = [[] for _ in range(n)]
    for a, b in arrows:
        targets[a].append(b)
    cells = [list(range(n))]
    cell_of = [0] * n
    waiting = deque([0])
    while waiting:
        received = Counter(b for a in cells[waiting.popleft()] for b in targets[a])
        for cell in sorted({cell_of[b] for b in received}):
            parts = _split(cells[cell], received)
            if len(parts) == 1:
                continue
            # Cells agree about the old cell already, or it waits; so the largest part, which
            # keeps its number, says nothing that the others do not.
            parts.sort(key=len, reverse=True)
            cells[cell] = parts[0]
            for part in parts[1:]:
                for vertex in part:
                    cell_of[vertex] = len(cells)
                waiting.append(len(cells))
                cells.append(part)
    numbers: dict[int, int] = {}
    return tuple(numbers.setdefault(cell, len(numbers)) for cell in cell_of)


def _split(cell: list[int], received: Counter[int]) -> list[list[int]]:
    """Split a cell by how much each of its vertices received."""
    parts: dict[int, list[int]] = {}
    for vertex in cell:
        parts.setdefault(received[vertex], []).append(vertex)
    return list(parts.values())
