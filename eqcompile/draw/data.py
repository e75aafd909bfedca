"""A tying as JSON: the facts that the other diagrams draw."""

from __future__ import annotations

import json
from typing import Any

from eqcompile.draw.picture import lay_out
from eqcompile.draw.words import ClassWords
from eqcompile.solve.tying import Tying

JSON_SLOTS = 50_000
"""More slots than these are given by one output per orbit, or by the classes alone."""


def describe_tying(tying: Tying) -> dict[str, Any]:
    """Return the facts of a tying as JSON-ready values.

    Keys: ``degree``, ``shape``, ``names`` (of the factors, where there are several), ``outputs``,
    ``inputs``, ``generators``, ``slots``, ``class_count``,
    ``classes`` (name, size, representative slot, formula and for which outputs it holds),
    ``zeros`` (count), ``notes`` (what is left out), ``monomials`` (indices per column) and
    ``blocks`` (per output shown: class number or -1, and sign, of each monomial).
    """
    picture = lay_out(tying, JSON_SLOTS)
    ansatz = tying.ansatz
    return {
        "degree": ansatz.degree,
        "shape": list(ansatz.shape),
        **({"names": list(ansatz.names)} if any(ansatz.names) else {}),
        "outputs": ansatz.output.dim,
        "inputs": [r.dim for r in ansatz.inputs],
        "generators": list(ansatz.causes),
        "slots": ansatz.slots,
        "class_count": tying.classes,
        "classes": [_describe_class(tying, words) for words in picture.words],
        "zeros": tying.zeros,
        "notes": list(picture.notes),
        "monomials": picture.columns.tolist(),
        "blocks": [
            {
                "output": block.output,
                "stands_for": list(block.stands_for),
                "classes": block.labels.tolist(),
                "signs": block.signs.tolist(),
            }
            for block in picture.blocks
        ],
    }


def _describe_class(tying: Tying, words: ClassWords) -> dict[str, Any]:
    tuples = tying.ansatz.space.tuples(words.rank)
    return {
        "name": words.name,
        "size": words.size,
        "representative": {
            "slot": tying.ansatz.spell_slot(words.output, words.rank),
            "output": words.output,
            "monomial": [list(part) for part in tuples],
        },
        "formula": words.text,
        "holds_for": words.head,
    }


def draw_json(tying: Tying) -> str:
    """Write the facts of a tying as JSON."""
    return json.dumps(describe_tying(tying), indent=1, ensure_ascii=True) + "\n"
