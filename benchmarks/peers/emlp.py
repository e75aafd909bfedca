"""Ask EMLP one question: ``python -m benchmarks.peers.emlp QUESTION``."""

from __future__ import annotations

from typing import Any

import numpy as np
from emlp.groups import O13, SO, Group, O, S, SO13p, Z
from emlp.reps import T, representation
from emlp.reps.linear_operators import LazyPerm

from benchmarks.peers.measuring import measure
from benchmarks.peers.questions import Question, list_permutations, read_question


class Bar:
    """Stands in for the progress bar, which chokes on the float32 EMLP 1.0.3 hands it."""

    def __init__(self, **_: Any) -> None:
        pass

    def update(self, _: Any) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Show nothing."""


class Grid(Group):  # type: ignore[misc]
    """D_4 on pixels."""

    def __init__(self, question: Question) -> None:
        moves = list_permutations(question)
        self.discrete_generators = [LazyPerm(np.array(move)) for move in moves]
        self.is_permutation = True
        super().__init__(question.size)


def make_group(question: Question) -> Any:
    makers = {"symmetric": S, "cyclic": Z, "so": SO, "o": O}
    if question.family in makers:
        return makers[question.family](question.size)
    if question.family == "grid":
        return Grid(question)
    assert question.size == 4
    return O13() if question.family == "lorentz full" else SO13p()


def pose(question: Question) -> Any:
    representation.Rep.solcache.clear()
    group = make_group(question)
    maps = T(question.source)(group) >> T(question.target)(group)

    def solve() -> Any:
        basis = maps.equivariant_basis()
        return basis.block_until_ready() if hasattr(basis, "block_until_ready") else basis

    return solve


def main() -> None:
    representation.tqdm = Bar
    question = read_question()
    tiny = Question("symmetric" if question.is_finite else "so", 2, 1, 1, 2)
    measure(("emlp", "jax", "numpy"), pose(tiny), lambda: pose(question), lambda q: int(q.shape[1]))


if __name__ == "__main__":
    main()
