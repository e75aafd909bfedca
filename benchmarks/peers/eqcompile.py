"""Ask eqcompile one question: ``python -m benchmarks.peers.eqcompile QUESTION KIND``.

The call that is measured takes a spec that was read, resolves its actions and returns the tying;
reading the spec is what is called preparing here. Nothing is proven, which is a step of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import eqcompile
from benchmarks.peers.measuring import measure
from benchmarks.peers.questions import Question, read_question


def spell_group(question: Question) -> dict[str, Any]:
    n = question.size
    groups: dict[str, dict[str, Any]] = {
        "symmetric": {"symmetric": n},
        "cyclic": {"cyclic": n},
        "grid": {"grid": {"size": [n, n], "symmetry": "D4"}},
        "so": {"lie": "so", "n": n},
        "o": {"lie": "o", "n": n},
        "lorentz": {"lie": "lorentz", "n": n},
        "lorentz full": {"lie": "lorentz", "n": n, "component": "full"},
    }
    return groups[question.family]


def spell(question: Question, kind: str) -> dict[str, Any]:
    """Write a question as a spec.

    Args:
        question: The maps asked for.
        kind: "linear", or "polynomial" for the layer of degree `source` on V, whose products
            commute, so that it has fewer classes than the question has answers.
    """
    linear = kind == "linear"
    layer = {
        "name": "Maps",
        "group": spell_group(question),
        "input": f"V ** {question.source}" if linear else "V",
        "output": f"V ** {question.target}",
        "degrees": [1 if linear else question.source],
    }
    return {"version": 1, "package": "asked", "layers": [layer]}


def count(solved: Any) -> int:
    """Return the classes of the one degree of the one layer."""
    (degrees,) = solved.values()
    (tying,) = degrees.values()
    return int(tying.classes)


def pose(spec: dict[str, Any]) -> Callable[[], Any]:
    loaded = eqcompile.load(spec)
    return lambda: eqcompile.solve(loaded)


def main() -> None:
    question, kind = read_question(), sys.argv[2]
    tiny = Question("symmetric" if question.is_finite else "so", 2, 1, 1, 2)
    measure(
        ("eqcompile", "numpy", "scipy", "python-flint"),
        pose(spell(tiny, "linear")),
        lambda: pose(spell(question, kind)),
        count,
    )


if __name__ == "__main__":
    main()
