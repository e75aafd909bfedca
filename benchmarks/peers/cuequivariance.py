"""Ask cuEquivariance one question: ``python -m benchmarks.peers.cuequivariance QUESTION``.

It knows the irreps of SO(3) and O(3), and no other group of the list. Hom(T(source), T(target)) is
asked for as the invariants of T(source + target), which are as many: V is its own dual.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cuequivariance as cue

from benchmarks.peers.measuring import measure
from benchmarks.peers.questions import Question, read_question


def pose(irreps: str, question: Question) -> Callable[[], Any]:
    kind, trivial = (cue.SO3, "0") if question.family == "so" else (cue.O3, "0e")
    vectors = [cue.Irreps(kind, irreps)] * (question.source + question.target)
    reduced = cue.group_theory.irreps_array.reduced_tensor_product
    reduced._main_cached_recursive.cache_clear()
    return lambda: cue.reduced_tensor_product_basis(vectors, keep_ir=cue.Irreps(kind, trivial))


def main() -> None:
    question = read_question()
    parity = "" if question.family == "so" else "o"
    tiny = Question(question.family, 3, 1, 1, 1)
    measure(
        ("cuequivariance", "numpy"),
        pose(f"2{parity}", tiny),
        lambda: pose(f"1{parity}", question),
        lambda basis: int(basis.irreps.dim),
    )


if __name__ == "__main__":
    main()
