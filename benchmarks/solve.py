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
the peak resident memory of the whole process. Calls below SHORT seconds are measured in RUNS
processes, and the medians kept. "again" is the same call once more in the same process, with its
solution forgotten: what EMLP takes when all is compiled. "read" is what reading and checking our
spec takes, before the call. A solver is given up when LIMIT seconds of wall time and of CPU time
have passed, or beyond MEMORY; after LIMIT, what the call had used up is a lower bound.

Numerical libraries have one thread, so that none waits for another while its clock runs. A solver
whose answer is wrong then is asked again with as many threads as it likes: with one, the singular
values EMLP gets from OpenBLAS for S_6 T3->T1 were no numbers, and its dimension was 1296, not 15.

eqcompile answers one more question, where there is one: the polynomial layer of degree k from V to
V, whose products commute, so that it has fewer classes than T(k) -> T(1) has dimensions.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.peers.asking import OUT_OF_TIME, RUNS, Answer, Limits, ask  # noqa: E402
from benchmarks.peers.questions import QUESTIONS, Question  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
LIMIT, MEMORY = 120.0, 4096.0  # seconds, MiB
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
        expected = None if name == LAYER else question.dimension
        answer = ask(command, limits).check(expected)
        if answer.is_wrong:
            answer = ask(command, limits._replace(threads=None)).check(expected)
        print(question.name, name, answer.describe(), sep=" | ", file=sys.stderr)
        answers[name] = answer
    return Row(question, answers)


def compare(row: Row, peer: str) -> tuple[str, float] | None:
    """Return how many times longer a peer takes: a value, or a bound if it did not end."""
    ours, theirs = row.answers[OURS], row.answers.get(peer)
    if theirs is None or not ours.is_solved or not (theirs.seconds and ours.seconds):
        return None
    if not theirs.is_solved and theirs.outcome != OUT_OF_TIME:
        return None
    return "" if theirs.is_solved else ">", _divide(theirs.seconds, ours.seconds)


def compare_again(row: Row, peer: str) -> float | None:
    """Return how many times longer the second call of a peer takes than our second call."""
    ours, theirs = row.answers[OURS], row.answers.get(peer)
    if theirs is None or not (ours.is_solved and theirs.is_solved and ours.again and theirs.again):
        return None
    return _divide(theirs.again, ours.again)


def _divide(theirs: float, ours: float) -> float:
    return float(f"{theirs / ours:.2g}")


def describe(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the rows as they stand in the JSON file."""
    return {
        row.question.name: {
            "unknowns": row.question.unknowns,
            "dimension": row.question.dimension,
            "solvers": {name: answer.describe() for name, answer in row.answers.items()},
            "times_longer": {
                peer: {"at_least" if bound else "is": value, "again": compare_again(row, peer)}
                for peer in PEERS
                if (found := compare(row, peer))
                for bound, value in [found]
            },
        }
        for row in rows
    }


def draw_ours(rows: Sequence[Row]) -> str:
    """Draw our answers as a table in Markdown."""
    table = []
    for row in rows:
        ours, layer = row.answers[OURS], row.answers.get(LAYER)
        as_layer = ("", "")
        if layer and layer.is_solved:
            as_layer = str(layer.dimension), _draw_seconds(layer.seconds)
        sizes = f"{row.question.unknowns:,}", f"{row.question.dimension:,}"
        solved = _draw_outcome(ours), f"{ours.peak_mib:.0f}", _draw_seconds(ours.prepared)
        table.append((row.question.name, *sizes, *solved, *as_layer))
    heads = ("maps", "unknowns", "dimension", "solve", "MiB", "read", "classes of the layer")
    return _draw_table((*heads, "its solve"), table)


def draw_peer(rows: Sequence[Row], peer: str) -> str:
    """Draw the answers of one peer beside ours."""
    table = []
    for row in rows:
        if theirs := row.answers.get(peer):
            again = "" if theirs.again is None else _draw_seconds(theirs.again)
            cells = row.question.name, _draw_outcome(theirs), again, f"{theirs.peak_mib:.0f}"
            ratio, second = compare(row, peer), compare_again(row, peer)
            first = f"{ratio[0]}{_draw_ratio(ratio[1])}" if ratio else ""
            table.append((*cells, first, _draw_ratio(second) if second else ""))
    heads = PEERS[peer], "solve", "again", "MiB", "times longer", "again, times longer"
    return _draw_table(heads, table)


def _draw_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _draw_outcome(answer: Answer) -> str:
    seconds = _draw_seconds(answer.seconds)
    if answer.is_given_up:
        return f"{answer.outcome} after {seconds}"
    if not answer.is_solved:
        return answer.outcome
    return seconds if answer.threads else f"{seconds}, all threads"


def _draw_seconds(seconds: float) -> str:
    return f"{seconds:.4f}" if seconds < 0.1 else f"{seconds:.3g}"


def _draw_ratio(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:g}"


def draw_tables(rows: Sequence[Row], peers: Iterable[str]) -> str:
    """Draw all tables."""
    return "\n".join([draw_ours(rows), *(draw_peer(rows, peer) for peer in PEERS if peer in peers)])


def draw_page(rows: Sequence[Row]) -> str:
    """Draw the tables, with what their columns mean."""
    return (
        "CPU seconds of the call that solves, without imports and proof, and peak MiB of its"
        f" process; medians of {RUNS} processes where a call is short. A solver is given up after"
        f" {LIMIT:.0f} s of wall and of CPU time, or at {MEMORY:.0f} MiB. *read*: reading and"
        " checking the spec, before the call. *again*: the call once more in the same process, when"
        " EMLP has compiled its programs. *times longer*: than eqcompile, in this run. *all"
        " threads*: the answer is wrong with one. The script: [solve.py](../solve.py).\n\n"
        + draw_tables(rows, PEERS)
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
    print(draw_tables(rows, arguments.peers))
    if len(asked) == len(QUESTIONS) and arguments.peers.keys() == PEERS.keys():
        write(rows, arguments.results)


if __name__ == "__main__":
    main()
