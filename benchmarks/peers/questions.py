"""The questions every solver is asked: linear equivariant maps between tensor powers of V.

A question says a group and two numbers: how many dimensions has Hom_G(T(source), T(target)),
T(k) = V (x) ... (x) V? It is EMLP's notation; a layer of degree 2 is its T(2) -> T(1). Only the
standard library is imported here, for the solvers' own environments have little else in common.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import Literal

Family = Literal["symmetric", "cyclic", "grid", "so", "o", "lorentz", "lorentz full"]
Permutation = list[int]
Rows = list[list[float]]


@dataclass(frozen=True, slots=True)
class Question:
    """The linear equivariant maps T(source) -> T(target) of one group.

    Attributes:
        family: Of the group. "lorentz" is connected; "lorentz full" has its reflections too.
        size: Points, dimensions, or the side of the grid of pixels that D_4 acts on.
        source: Factors of the input.
        target: Factors of the output.
        dimension: The known answer.
    """

    family: Family
    size: int
    source: int
    target: int
    dimension: int

    @property
    def name(self) -> str:
        """What the tables call it."""
        n = self.size
        groups = {
            "symmetric": f"S_{n}",
            "cyclic": f"C_{n}",
            "grid": f"D_4 on {n}x{n}",
            "so": f"SO({n})",
            "o": f"O({n})",
            "lorentz": f"SO+(1,{n - 1})",
            "lorentz full": f"O(1,{n - 1})",
        }
        return f"{groups[self.family]} T{self.source}->T{self.target}"

    @property
    def points(self) -> int:
        """Dimension of V."""
        return self.size**2 if self.family == "grid" else self.size

    @property
    def unknowns(self) -> int:
        """Entries of the matrix asked for."""
        return int(self.points ** (self.source + self.target))

    @property
    def is_finite(self) -> bool:
        """Whether the group permutes the coordinates."""
        return self.family in ("symmetric", "cyclic", "grid")

    def dump(self) -> str:
        """Write it for another environment; see :func:`read_question`."""
        return json.dumps(asdict(self))


def read_question() -> Question:
    """Return the question this interpreter was started with."""
    return Question(**json.loads(sys.argv[1]))


QUESTIONS = (
    Question("symmetric", 10, 1, 1, 2),
    Question("symmetric", 50, 1, 1, 2),
    Question("symmetric", 100, 1, 1, 2),
    Question("symmetric", 4, 2, 1, 5),
    Question("symmetric", 8, 2, 1, 5),
    Question("symmetric", 12, 2, 1, 5),
    Question("symmetric", 16, 2, 1, 5),
    Question("symmetric", 24, 2, 1, 5),
    Question("symmetric", 32, 2, 1, 5),
    Question("symmetric", 64, 2, 1, 5),
    Question("symmetric", 6, 3, 1, 15),
    Question("symmetric", 8, 3, 1, 15),
    Question("cyclic", 4, 2, 1, 16),
    Question("cyclic", 8, 2, 1, 64),
    Question("cyclic", 12, 2, 1, 144),
    Question("cyclic", 16, 2, 1, 256),
    Question("cyclic", 24, 2, 1, 576),
    Question("cyclic", 32, 2, 1, 1024),
    Question("grid", 3, 2, 1, 105),
    Question("grid", 5, 2, 1, 2016),
    Question("so", 3, 2, 1, 1),
    Question("so", 3, 2, 2, 3),
    Question("so", 3, 3, 2, 6),
    Question("o", 3, 2, 1, 0),
    Question("o", 3, 2, 2, 3),
    Question("o", 3, 3, 2, 0),
    Question("lorentz full", 4, 2, 2, 3),
    Question("lorentz", 4, 2, 2, 4),
    Question("so", 4, 3, 3, 25),
    Question("lorentz", 4, 4, 2, 25),
)


def list_permutations(question: Question) -> list[Permutation]:
    """Return generators of a group that permutes: where each point goes."""
    n = question.size
    turn = [(i + 1) % n for i in range(n)]
    if question.family == "cyclic":
        return [turn]
    if question.family == "symmetric":
        return [[1, 0, *range(2, n)], turn]
    quarter = [j * n + n - 1 - i for i in range(n) for j in range(n)]
    flip = [i * n + n - 1 - j for i in range(n) for j in range(n)]
    return [quarter, flip]


def list_infinitesimal(question: Question) -> list[Rows]:
    """Return a basis of the Lie algebra: rotations, or rotations and boosts."""
    n, lorentz = question.size, question.family.startswith("lorentz")
    basis = []
    for i in range(n):
        for j in range(i + 1, n):
            rows = [[0.0] * n for _ in range(n)]
            rows[i][j], rows[j][i] = 1.0, 1.0 if lorentz and i == 0 else -1.0
            basis.append(rows)
    return basis


def list_reflections(question: Question) -> list[Rows]:
    """Return generators of the components of the group."""
    n = question.size
    signs = {
        "o": [[-1.0] + [1.0] * (n - 1)],
        "lorentz full": [[1.0] + [-1.0] * (n - 1), [-1.0] + [1.0] * (n - 1)],
    }
    return [
        [[sign[i] if i == j else 0.0 for j in range(n)] for i in range(n)]
        for sign in signs.get(question.family, [])
    ]
