"""Time and memory of solving, proving and building, each in a process of its own.

    python benchmarks/solving.py            measures and rewrites benchmarks/results/solving.*

Figures are CPU seconds (user + system) and peak resident memory of the whole process, so that a
busy machine changes them little; every case runs RUNS times and the median is kept. The seconds of
a case leave imports out, those of the cold build have everything in. Ratios compare two ways of
doing one thing in the same run.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

RUNS = 3
RESULTS = Path(__file__).parent / "results"

PREAMBLE = """
import sys, time, resource, json
import numpy as np
from eqcompile.actions.group import Environment
import eqcompile.actions.families
from eqcompile.layers.problem import Channels, LayerInput, LayerProblem, SignedAction
from eqcompile.solve.ansatz import expand
from eqcompile.solve.constraints import constrain
from eqcompile.solve.solver import solve
from eqcompile.solve.certificate import prove

def count(group, degree, path="auto", proven=False):
    tying = solve(pose(group, degree), path)
    return prove(tying).classes if proven else tying.classes

def pose(group, degree):
    g = Environment().build(group)
    v = SignedAction("V", g.dim, g.generators)
    problem = LayerProblem("L", g, g.labels, (LayerInput("x", v),), v, ((degree,),), Channels())
    return constrain(expand(problem, ((degree,),)))

start = time.process_time()
"""
FINISH = """
used = time.process_time() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": used, "peak_mib": peak, "found": str(found)}))
"""

CASES = {
    "S_100 degree 3, solve": "found = count({'symmetric': 100}, 3)",
    "S_1000 degree 2, solve": "found = count({'symmetric': 1000}, 2)",
    "C_1000 degree 2, solve": "found = count({'cyclic': 1000}, 2)",
    "S_100 degree 3, solve and prove": "found = count({'symmetric': 100}, 3, proven=True)",
    "S_1000 degree 2, solve and prove": "found = count({'symmetric': 1000}, 2, proven=True)",
    "C_1000 degree 2, solve and prove": "found = count({'cyclic': 1000}, 2, proven=True)",
    "S_50 degree 3, by the table": "found = count({'symmetric': 50}, 3, 'table')",
    "S_50 degree 3, by stabilisers": "found = count({'symmetric': 50}, 3, 'stabiliser')",
}
RATIOS = {
    "table / stabilisers, S_50 degree 3": (
        "S_50 degree 3, by the table",
        "S_50 degree 3, by stabilisers",
    )
}

S16 = """\
version: 1
package: sixteen
layers:
  - name: Quad
    group: {symmetric: 16}
    input: V
    output: V
    degree: 2
    channels: {in: 16, out: 16}
"""


def run_case(code: str) -> dict[str, float | str]:
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + code + FINISH], capture_output=True, text=True, check=True
    )
    found: dict[str, float | str] = json.loads(done.stdout)
    return found


def run_build() -> dict[str, float | str]:
    """Run the whole command line, cold, and take the CPU time of the process."""
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "spec.yaml"
        spec.write_text(S16)
        command = [sys.executable, "-m", "eqcompile", "build", str(spec), "-o", folder]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit("the build failed")
        seconds = usage.ru_utime + usage.ru_stime
        return {"seconds": seconds, "peak_mib": usage.ru_maxrss / 1024, "found": "built"}


def measure() -> dict[str, dict[str, float | str]]:
    rows: dict[str, list[dict[str, float | str]]] = {}
    for _ in range(RUNS):
        for name, code in CASES.items():
            rows.setdefault(name, []).append(run_case(code))
        rows.setdefault("eqcompile build, S_16 quadratic layer, cold", []).append(run_build())
    return {
        name: {
            "seconds": round(statistics.median(float(r["seconds"]) for r in found), 3),
            "peak_mib": round(statistics.median(float(r["peak_mib"]) for r in found)),
            "found": found[0]["found"],
        }
        for name, found in rows.items()
    }


def main() -> None:
    rows = measure()
    ratios = {
        name: round(float(rows[a]["seconds"]) / float(rows[b]["seconds"]), 2)
        for name, (a, b) in RATIOS.items()
    }
    machine = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
    }
    RESULTS.mkdir(exist_ok=True)
    data = {"machine": machine, "runs": RUNS, "rows": rows, "ratios": ratios}
    (RESULTS / "solving.json").write_text(json.dumps(data, indent=1) + "\n")
    lines = ["| case | CPU seconds | peak MiB | result |", "|---|---|---|---|"]
    lines += [f"| {n} | {r['seconds']} | {r['peak_mib']} | {r['found']} |" for n, r in rows.items()]
    lines += ["", "| ratio of CPU seconds | |", "|---|---|"]
    lines += [f"| {n} | {r} |" for n, r in ratios.items()]
    text = "\n".join(lines) + "\n"
    (RESULTS / "solving.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
