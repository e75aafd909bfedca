"""CPU time and peak memory of solving, beside EMLP, lie-nn and cuEquivariance.

    python benchmarks/solve.py --peer emlp=PYTHON --peer lie_nn=PYTHON --peer cuequivariance=PYTHON

measures and rewrites benchmarks/results/solve.*; with fewer peers, or with ``--only`` some of the
questions, it only prints its table. Every solver is asked the same questions, the linear
equivariant maps T(k) -> T(l) of `peers/questions.py`, each in a process of its own, by its script
under `peers/`. PYTHON is the interpreter of an environment that has the peer. To make them::

    for peer in emlp lie_nn cuequivariance; do python3.11 -m venv environments/$peer; done
    environments/emlp/bin/pip install emlp==1.0.3 six
    environments/lie_nn/bin/pip install lie-nn==0.0.0 sympy
    environments/cuequivariance/bin/pip install cuequivariance==0.13.0

(six and sympy are needed, but not asked for. EMLP 1.0.3 hands its progress bar a number that the
bar cannot take; `peers/emlp.py` gives it a bar that can.)

Figures are CPU seconds (user and system, of all threads) of the one call that solves, without
imports and start-up (a tiny problem is solved before it) and, of eqcompile, without the proof; and
the peak resident memory of the whole process. Numerical libraries have one thread, so that none
waits for another while its clock runs. Calls below SHORT seconds are measured in RUNS processes,
and the medians kept. "again" is the same call once more in the same process, with its solution
forgotten: what EMLP takes when all is compiled. A solver is given up when LIMIT seconds of wall
time and of CPU time have passed, or beyond MEMORY; what the call had used up is a lower bound then.

eqcompile answers one more question, where there is one: the polynomial layer of degree k from V to
V, whose products commute, so that it has fewer classes than T(k) -> T(1) has dimensions.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.peers.asking import RUNS, Answer, Limits, ask  # noqa: E402
from benchmarks.peers.questions import QUESTIONS, Question  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
LIMIT, MEMORY = 120.0, 6144.0  # seconds, MiB
OURS, LAYER = "eqcompile", "eqcompile, layer"
PEERS = {"emlp": "EMLP", "lie_nn": "lie-nn", "cuequivariance": "cuEquivariance"}

Answers = Mapping[str, Answer]


@dataclass(frozen=True, slots=True)
class Row:
    """All answers to one question, by solver."""

    question: Question
    answers: Answers


def list_solvers(question: Question, peers: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """List the solvers that know the group, each with the command that asks it."""
    ours = [sys.executable, "-m", "benchmarks.peers.eqcompile", question.dump()]
    yield OURS, [*ours, "linear"]
    if question.source > 1 and question.target == 1:
        yield LAYER, [*ours, "polynomial"]
    for name, python in peers.items():
        if name != "cuequivariance" or (question.family in ("so", "o") and question.size == 3):
            yield name, [python, "-m", f"benchmarks.peers.{name}", question.dump()]


def ask_all(question: Question, peers: Mapping[str, str], limits: Limits) -> Row:
    """Ask every solver one question."""
    answers: dict[str, Answer] = {}
    for name, command in list_solvers(question, peers):
        answer = ask(command, limits)
        answers[name] = answer if name == LAYER else answer.check(question.dimension)
        print(question.name, name, answers[name].describe(), sep=" | ", file=sys.stderr)
    return Row(question, answers)


def compare(row: Row, peer: str) -> tuple[str, float] | None:
    """Return how many times longer a peer takes: a value, or a bound if it did not end."""
    ours, theirs = row.answers[OURS], row.answers.get(peer)
    if theirs is None or not ours.is_solved or not (theirs.seconds and ours.seconds):
        return None
    if not theirs.is_solved and not theirs.outcome.startswith("out of"):
        return None
    return "" if theirs.is_solved else ">", float(f"{theirs.seconds / ours.seconds:.2g}")


def describe(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the rows as they stand in the JSON file."""
    return {
        row.question.name: {
            "unknowns": row.question.unknowns,
            "dimension": row.question.dimension,
            "solvers": {name: answer.describe() for name, answer in row.answers.items()},
            "times_longer": {
                peer: {"at_least" if bound else "is": value}
                for peer in PEERS
                if (found := compare(row, peer))
                for bound, value in [found]
            },
        }
        for row in rows
    }


def draw_table(rows: Sequence[Row]) -> str:
    """Draw all rows as a table in Markdown."""
    heads = ["maps", "unknowns", "dimension", "eqcompile", "MiB", "as a layer"]
    for name in PEERS.values():
        heads += [name, "again", "MiB", "times longer"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        question, ours = row.question, row.answers[OURS]
        cells = [question.name, str(question.unknowns), str(question.dimension)]
        cells += [*_draw_answer(ours)[::2], _draw_layer(row.answers.get(LAYER))]
        for peer in PEERS:
            cells += [*_draw_answer(row.answers.get(peer)), _draw_ratio(compare(row, peer))]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _draw_answer(answer: Answer | None) -> tuple[str, str, str]:
    if answer is None:
        return "", "", ""
    seconds = _draw_seconds(answer.seconds)
    if answer.outcome.startswith("out of"):
        seconds = f"{answer.outcome} after {seconds}"
    elif not answer.is_solved:
        seconds = answer.outcome.partition(":")[0]
    again = "" if answer.again is None else _draw_seconds(answer.again)
    return seconds, again, f"{answer.peak_mib:.0f}"


def _draw_layer(answer: Answer | None) -> str:
    if answer is None or not answer.is_solved:
        return ""
    return f"{answer.dimension} in {_draw_seconds(answer.seconds)}"


def _draw_seconds(seconds: float) -> str:
    return f"{seconds:.4f}" if seconds < 0.1 else f"{seconds:.3g}"


def _draw_ratio(ratio: tuple[str, float] | None) -> str:
    return "" if ratio is None else f"{ratio[0]}{ratio[1]:,.3g}".replace("e+0", "e")


def draw_page(rows: Sequence[Row]) -> str:
    """Draw the table, with what its columns mean."""
    return (
        f"CPU seconds of the call that solves, and peak MiB of its process; medians of {RUNS} where"
        f" a call is short. A solver is given up after {LIMIT:.0f} s of wall and of CPU time, or at"
        f" {MEMORY:.0f} MiB. What is measured, and how, stands in"
        " [solve.py](../solve.py).\n\n" + draw_table(rows)
    )


def write(rows: Sequence[Row], folder: Path) -> None:
    """Write the results."""
    versions: dict[str, str] = {}
    for answer in (a for row in rows for a in row.answers.values()):
        versions |= {k: v for k, v in answer.versions.items() if k not in ("numpy", "scipy")}
    data = {
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.system(),
        },
        "versions": versions,
        "limits": {"seconds": LIMIT, "mib": MEMORY},
        "rows": describe(rows),
    }
    folder.mkdir(exist_ok=True)
    (folder / "solve.json").write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    (folder / "solve.md").write_text(draw_page(rows), "utf-8")


def read_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    arguments = parser.parse_args(words)
    arguments.peers = dict(pair.split("=", 1) for pair in arguments.peer if "=" in pair)
    if len(arguments.peers) != len(arguments.peer) or not arguments.peers.keys() <= PEERS.keys():
        parser.error(f"--peer is NAME=PYTHON, where NAME is one of {', '.join(PEERS)}")
    return arguments


def main(words: Sequence[str] | None = None) -> None:
    arguments = read_arguments(words)
    asked = [
        question
        for question in QUESTIONS
        if not arguments.only or any(text in question.name for text in arguments.only)
    ]
    rows = [ask_all(question, arguments.peers, Limits(LIMIT, MEMORY)) for question in asked]
    print(draw_table(rows))
    if len(asked) == len(QUESTIONS) and arguments.peers.keys() == PEERS.keys():
        write(rows, arguments.results)


if __name__ == "__main__":
    main()
