"""Ask a solver in a process of its own, below limits; only the standard library is used."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
RUNS = 3
SHORT = 2.0  # CPU seconds of a call that is worth RUNS processes
SOLVED = "solved"
QUIET = {"JAX_PLATFORMS": "cpu", "PYTHONDONTWRITEBYTECODE": "1"}
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
OUT_OF_TIME, OUT_OF_MEMORY = "out of time", "out of memory"


class Limits(NamedTuple):
    """When a solver is given up.

    Attributes:
        seconds: Of wall time and of CPU time: both must have passed.
        mib: Of resident memory.
        threads: Of numerical libraries; None: as many as they like.
    """

    seconds: float
    mib: float
    threads: int | None = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What one solver made of one question.

    Attributes:
        outcome: "solved", or why not.
        seconds: CPU seconds of the call; where it did not end, what it had used up.
        again: Of a second call in the same process, if there was one.
        peak_mib: Peak resident memory of the process.
        resting_mib: That before the call.
        prepared: CPU seconds of posing the question.
        dimension: The answer; -1 if there is none.
        runs: How many processes this is the median of.
        versions: Of the packages that matter.
        threads: See :class:`Limits`.
    """

    outcome: str
    seconds: float
    again: float | None
    peak_mib: float
    resting_mib: float
    prepared: float
    dimension: int
    runs: int
    versions: dict[str, str]
    threads: int | None = 1

    @property
    def is_solved(self) -> bool:
        """Whether there is an answer, and no wrong one."""
        return self.outcome == SOLVED

    @property
    def is_given_up(self) -> bool:
        """Whether it ran into a limit."""
        return self.outcome in (OUT_OF_TIME, OUT_OF_MEMORY)

    @property
    def is_wrong(self) -> bool:
        """Whether there is an answer, and it is wrong."""
        return self.outcome.startswith("wrong")

    def check(self, dimension: int | None) -> Answer:
        """Say so if the answer is known and this is another."""
        if not self.is_solved or dimension in (None, self.dimension):
            return self
        return replace(self, outcome=f"wrong: {self.dimension}")

    def describe(self) -> dict[str, Any]:
        """Return it as it stands in the results, rounded."""
        return {
            "outcome": self.outcome,
            "seconds": _round(self.seconds),
            "again": None if self.again is None else _round(self.again),
            "prepared": _round(self.prepared),
            "peak_mib": round(self.peak_mib),
            "resting_mib": round(self.resting_mib),
            "dimension": self.dimension,
            "runs": self.runs,
            "threads": self.threads,
        }


class Ended(NamedTuple):
    """A process that is over: how, what it took, and what it wrote."""

    outcome: str
    seconds: float
    mib: float
    out: str
    err: str


def _round(seconds: float) -> float:
    return float(f"{seconds:.3g}")


def watch(command: Sequence[str], limits: Limits) -> Ended:
    """Run a command from the root of the repository, below the limits."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start, verdict = time.monotonic(), ""
        environment = {key: value for key, value in os.environ.items() if key not in THREADS}
        if limits.threads:
            environment |= dict.fromkeys(THREADS, str(limits.threads))
        child = subprocess.Popen(command, stdout=out, stderr=err, cwd=ROOT, env=environment | QUIET)
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            if not verdict and (verdict := _judge(child.pid, time.monotonic() - start, limits)):
                child.kill()
            time.sleep(0.02)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        outcome = verdict or ("failed" if child.returncode else SOLVED)
        seconds = usage.ru_utime + usage.ru_stime
        return Ended(outcome, seconds, usage.ru_maxrss / 1024, out.read(), err.read())


def _judge(pid: int, wall: float, limits: Limits) -> str:
    """Say why a process should be ended, or nothing. Of a zombie, the figures are zero."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    mib = int(fields[21]) * resource.getpagesize() / 2**20
    if mib > limits.mib:
        return OUT_OF_MEMORY
    return OUT_OF_TIME if min(wall, cpu) > limits.seconds else ""


def ask_once(command: Sequence[str], limits: Limits) -> Answer:
    """Ask a solver once.

    Args:
        command: Runs a script that says what :func:`benchmarks.peers.measuring.measure` says.
        limits: When to give up.
    """
    ended = watch(command, limits)
    said: dict[str, Any] = {}
    for line in ended.out.splitlines():
        said |= json.loads(line)
    outcome = ended.outcome
    if "dimension" in said:
        outcome = SOLVED  # whatever became of the second call
    elif outcome == "failed":
        last = (ended.err.strip().splitlines() or ["no message"])[-1][:200]
        outcome = OUT_OF_MEMORY if "MemoryError" in last else f"failed: {last}"
    return Answer(
        outcome=outcome,
        seconds=said.get("seconds", max(0.0, ended.seconds - said.get("started", ended.seconds))),
        again=said.get("again"),
        peak_mib=said.get("peak_mib", ended.mib),
        resting_mib=said.get("resting_mib", ended.mib),
        prepared=said.get("prepared", 0.0),
        dimension=said.get("dimension", -1),
        runs=1,
        versions=said.get("versions", {}),
        threads=limits.threads,
    )


def ask(command: Sequence[str], limits: Limits) -> Answer:
    """Ask a solver, several times if that is soon done, and take the medians."""
    answers = [ask_once(command, limits)]
    if answers[0].is_solved and answers[0].seconds < SHORT:
        answers += [ask_once(command, limits) for _ in range(RUNS - 1)]
    again = [a.again for a in answers if a.again is not None]
    return replace(
        answers[0],
        seconds=statistics.median(a.seconds for a in answers),
        again=statistics.median(again) if again else None,
        peak_mib=statistics.median(a.peak_mib for a in answers),
        resting_mib=statistics.median(a.resting_mib for a in answers),
        prepared=statistics.median(a.prepared for a in answers),
        runs=len(answers),
    )
