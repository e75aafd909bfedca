"""Ask lie-nn one question: ``python -m benchmarks.peers.lie_nn QUESTION``."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import lie_nn
import numpy as np

from benchmarks.peers.measuring import measure
from benchmarks.peers.questions import (
    Question,
    list_infinitesimal,
    list_permutations,
    list_reflections,
    read_question,
)


def make_vector(question: Question) -> Any:
    """Represent the group on V by its generators."""
    n = question.points
    if question.is_finite:
        moves = list_permutations(question)
        matrices = np.zeros((len(moves), n, n))
        for matrix, move in zip(matrices, moves, strict=True):
            matrix[move, range(n)] = 1.0
        return lie_nn.GenericRep(np.zeros((0, 0, 0)), np.zeros((0, n, n)), matrices)
    reflections = np.array(list_reflections(question)).reshape(-1, n, n)
    return lie_nn.GenericRep.from_generators(np.array(list_infinitesimal(question)), reflections)


def pose(question: Question) -> Callable[[], Any]:
    vector = make_vector(question)
    source, target = (
        reduce(lie_nn.tensor_product, [vector] * k) for k in (question.source, question.target)
    )
    return lambda: lie_nn.infer_change_of_basis(source, target)


def main() -> None:
    question = read_question()
    tiny = Question("symmetric" if question.is_finite else "so", 2, 1, 1, 2)
    measure(("lie-nn", "numpy"), pose(tiny), lambda: pose(question), len)


if __name__ == "__main__":
    main()
