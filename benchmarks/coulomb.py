"""Coulomb and distance-product layers against PyKeOps and against dense weights in torch.

    python benchmarks/coulomb.py --keops PYTHON

measures and rewrites benchmarks/results/coulomb.*, where PYTHON is an interpreter that has torch
and PyKeOps (CPU). Contenders apply the same weights, of the same mu (8 numbers per neuron) and x
(3), to 16 rows, in float32 on one thread:

* ``layer``: the compiled layer, tile by tile (coulomb) or by its low rank (distance product);
* ``keops``: a reduction of PyKeOps;
* ``dense``: the weights formed in torch at each call;
* ``ready``: a product with weights formed before, without gradients of mu and x.

Each contender is a process of its own, which stays alive; in each round every one has its turn.
Figures are CPU seconds, medians over the rounds, and ratios are medians of the ratios within a
round. Memory is the peak of the process less what it had before the first call.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
CONTENDERS = ("layer", "keops", "dense", "ready")
WORDS = ("forward", "train")


class Question(NamedTuple):
    """What is measured together.

    Attributes:
        kernel: ``inverse`` (coulomb) or ``product``.
        n: Number of neurons.
        rounds: How often.
        contenders: Who takes part; dense weights of 65,536 neurons take 17 GB.
        trained: Those of them that are differentiated too.
    """

    kernel: str
    n: int
    rounds: int
    contenders: tuple[str, ...] = CONTENDERS
    trained: tuple[str, ...] = ("layer", "keops", "dense")


QUESTIONS = (
    Question("inverse", 1024, 15),
    Question("inverse", 4096, 7),
    Question("inverse", 16384, 3),
    Question("inverse", 65536, 1, ("layer", "keops"), ("layer",)),
    Question("product", 1024, 15),
    Question("product", 8192, 3),
    Question("product", 65536, 3, ("layer",)),
)

Figures = dict[str, float]


class Contender:
    """A contender in a process of its own.

    Args:
        name: Which one.
        question: What it is asked.
        python: The interpreter that runs it.
    """

    def __init__(self, name: str, question: Question, python: str) -> None:
        self.name = name
        words = [python, "-m", "benchmarks.peers.pairs", name, question.kernel, str(question.n)]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.child = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            env={**os.environ, **threads},
        )
        self.resting = self._read("resting_mib")["resting_mib"]

    def ask(self, word: str) -> Figures:
        """Have one call made."""
        assert self.child.stdin
        self.child.stdin.write(f"{word}\n")
        self.child.stdin.flush()
        return self._read("seconds")

    def _read(self, key: str) -> Figures:
        assert self.child.stdout
        # Compilers talk on the same stream before the first answer.
        for line in self.child.stdout:
            if line.startswith("{") and key in (found := json.loads(line)):
                return dict(found)
        raise SystemExit(f"{self.name} ended: {self.child.wait()}")

    def close(self) -> None:
        """End the process."""
        self.child.communicate()


def measure(question: Question, pythons: dict[str, str]) -> dict[str, Any]:
    """Measure one question; return its rows as plain data."""
    names = [name for name in question.contenders if name in pythons]
    contenders = [Contender(name, question, pythons[name]) for name in names]
    rows: dict[str, Any] = {}
    for word in WORDS:
        taking = [c for c in contenders if word == "forward" or c.name in question.trained]
        rounds = [{c.name: c.ask(word) for c in taking} for _ in range(question.rounds)]
        check_answers(question, rounds[0])
        rows[word] = {
            c.name: {
                "seconds": _median(r[c.name]["seconds"] for r in rounds),
                "times_longer": _median(
                    r[c.name]["seconds"] / r["layer"]["seconds"] for r in rounds
                ),
                "mib": round(rounds[-1][c.name]["peak_mib"] - c.resting),
            }
            for c in taking
        }
    for contender in contenders:
        contender.close()
    figures = {"kernel": question.kernel, "n": question.n, "rounds": question.rounds, **rows}
    print(json.dumps(figures), file=sys.stderr)
    return figures


def check_answers(question: Question, answers: dict[str, Figures]) -> None:
    """Stop where two contenders do not agree: then they did not do the same work."""
    found = {name: figures["squares"] for name, figures in answers.items()}
    worst = max(abs(value / found["layer"] - 1.0) for value in found.values())
    if worst > 1e-3:
        raise SystemExit(f"{question}: sums of squares differ by {worst:.1e}: {found}")


def _median(values: Any) -> float:
    return float(f"{statistics.median(values):.3g}")


def find_growth(rows: Sequence[dict[str, Any]], kernel: str, word: str) -> list[float]:
    """Return between neighbouring n the exponent of n with which the layer's time grows."""
    pairs = [(r["n"], r[word]["layer"]["seconds"]) for r in rows if r["kernel"] == kernel]
    return [
        round(math.log(t1 / t0) / math.log(n1 / n0), 2)
        for (n0, t0), (n1, t1) in itertools.pairwise(pairs)
    ]


def draw_page(rows: Sequence[dict[str, Any]]) -> str:
    """Draw the results in Markdown."""
    lines = [(__doc__ or "").partition("\n\n")[0], ""]
    lines += [
        "CPU seconds of one thread (times longer than the layer; MiB above rest); 16 rows, float32,"
        " 8 numbers mu and 3 numbers x per neuron. Weights formed before (*ready*) count as rest."
        " The script: [coulomb.py](../coulomb.py).",
        "",
        f"| weights | n | | {' | '.join(CONTENDERS)} |",
        f"| {' | '.join(['---'] * (3 + len(CONTENDERS)))} |",
    ]
    for row in rows:
        for word in WORDS:
            cells = [_draw_cell(row[word].get(name)) for name in CONTENDERS]
            lines.append(f"| {row['kernel']} | {row['n']:,} | {word} | {' | '.join(cells)} |")
    growth = [
        f"{kernel} {word}: {', '.join(map(str, found))}"
        for kernel in ("inverse", "product")
        for word in WORDS
        if (found := find_growth(rows, kernel, word))
    ]
    lines += ["", f"Exponents of n in the layer's time, n to n: {'; '.join(growth)}."]
    return "\n".join(lines) + "\n"


def _draw_cell(figures: Figures | None) -> str:
    if figures is None:
        return ""
    ratio = f"{figures['times_longer']:g}x, " if figures["times_longer"] != 1.0 else ""
    return f"{figures['seconds']:.3g} s ({ratio}{figures['mib']:.0f} MiB)"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keops", metavar="PYTHON", help="an interpreter that has PyKeOps")
    parser.add_argument("--largest", type=int, default=10**9, help="leave out larger n")
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="write here", default=None)
    arguments = parser.parse_args()
    pythons = dict.fromkeys(("layer", "dense", "ready"), sys.executable)
    if arguments.keops:
        pythons["keops"] = arguments.keops
    asked = [question for question in QUESTIONS if question.n <= arguments.largest]
    rows = [measure(question, pythons) for question in asked]
    page = draw_page(rows)
    print(page)
    if len(asked) == len(QUESTIONS) and arguments.keops:
        folder = arguments.results or RESULTS
        machine = {"cores": os.cpu_count(), "python": platform.python_version()}
        text = json.dumps({"machine": machine, "rows": rows}, indent=1)
        (folder / "coulomb.json").write_text(text + "\n", "utf-8")
        (folder / "coulomb.md").write_text(page, "utf-8")


if __name__ == "__main__":
    main()
