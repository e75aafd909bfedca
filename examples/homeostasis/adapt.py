"""Neurons tuned to orientation before, during and after a change of contrast.

A population sees one grating. Its contrast rises, stays, and falls back; the weights by which the
neurons normalise each other adapt all the while. What the layer says beforehand, where it will
settle, at which rates it would not, stands beside what happens.
"""

from __future__ import annotations

import argparse
import importlib
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

import eqcompile

SPEC = Path(__file__).with_name("spec.yaml")
PHASES, STEPS = (("before", 0.3), ("during", 0.9), ("after", 0.3)), 250
SHOWN = (1, 10, 50, STEPS)
BASELINE, FLOOR, SHARPNESS = 0.05, 0.1, 2.0
COLOURS = ("#0072b2", "#e69f00", "#999999")
"""Told apart also by people who see few colours."""


@dataclass(frozen=True)
class Phase:
    """What happened at one contrast.

    ``responses`` is ``(STEPS, n)``, each before the adaptation of its step; ``energies`` has the
    energy at the same moments. ``unadapted`` is what the weights of the start would answer.
    """

    name: str
    contrast: float
    drive: Tensor
    responses: Tensor
    energies: list[float]
    unadapted: Tensor
    fixed: Any
    stability: Any


def drive(contrast: float, n: int) -> Tensor:
    """Return ``max(c f + b, 0)^2`` of neurons that prefer orientations all around.

    The grating is the one that neuron n / 2 prefers; f lies between the floor and 1.
    """
    angle = (torch.arange(n, dtype=torch.float64) / n - 0.5) * math.pi
    tuning = FLOOR + (1 - FLOOR) * (SHARPNESS * ((2 * angle).cos() - 1)).exp()
    return (contrast * tuning + BASELINE).clamp(min=0).square()


def load_package(folder: Path) -> ModuleType:
    """Import the compiled package from a folder, building it there first if need be."""
    if not (folder / "homeostasis").exists():
        eqcompile.build(eqcompile.load(SPEC), folder)
    sys.path.insert(0, str(folder))
    return importlib.import_module("homeostasis")


def show(layer: Any) -> list[Phase]:
    """Adapt to each contrast in turn; the target is what the first responses are."""
    n, start = layer.facts.n_in, type(layer)()
    layer.calibrate_(drive(PHASES[0][1], n))
    phases = []
    for name, contrast in PHASES:
        r = drive(contrast, n)
        stability, fixed = layer.stability(r), layer.fixed_point(r)
        responses, energies = [], []
        for _ in range(STEPS):
            energies.append(float(layer.energy(r)))
            responses.append(layer(r))
            layer.adapt_()
        found = torch.stack(responses)
        phases.append(Phase(name, contrast, r, found, energies, start(r), fixed, stability))
    return phases


def print_phases(layer: Any, phases: list[Phase]) -> None:
    """Print what the neuron does that prefers the grating, and what was said beforehand."""
    best = layer.facts.n_in // 2
    print(f"{layer.facts.n_in} neurons, alpha {layer.alpha}, leak {layer.leak}; ", end="")
    print(f"{STEPS} adaptations at each contrast")
    print(f"{'':8}{'':>9}{'':>8}|{'best neuron, response at step':^36}|{'fixed':>7}|", end="")
    print(f"{'without':>11}|{'largest':>10}|{'energy':^17}|{'alpha':>7}")
    print(f"{'':8}{'contrast':>9}{'drive':>8}|", end="")
    print("".join(f"{step:>9}" for step in SHOWN), end="")
    print(f"|{'point':>7}|{'adaptation':>11}|{'error':>10}|{'first':>9}{'last':>8}|{'max':>7}")
    for phase in phases:
        alone = [float(phase.drive[best]), float(phase.fixed.responses[best])]
        shown = "".join(f"{float(phase.responses[step - 1, best]):9.3f}" for step in SHOWN)
        error = float((phase.responses[-1] - phase.fixed.responses).abs().max())
        print(f"{phase.name:8}{phase.contrast:9.1f}{alone[0]:8.3f}|{shown}|", end="")
        print(f"{alone[1]:7.3f}|{float(phase.unadapted[best]):11.3f}|{error:10.1e}|", end="")
        print(f"{phase.energies[0]:9.4f}{phase.energies[-1]:8.4f}|", end="")
        print(f"{phase.stability.alpha_max:7.2f}")


def draw(phases: list[Phase], path: Path) -> None:
    """Write a figure: responses over time, and across the population at the turns."""
    # Imported here: the table needs no figure.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "homeostasis", "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        time, across = figure.subplots(1, 2, width_ratios=(1.4, 1))
        n = phases[0].responses.shape[1]
        for shift, colour in zip((0, n // 6, n // 2), COLOURS, strict=True):
            neuron = (n // 2 + shift) % n
            trace = torch.cat([phase.responses[:, neuron] for phase in phases]).tolist()
            label = f"prefers {180 * shift // n}° away" if shift else "prefers the grating"
            time.plot(range(1, len(trace) + 1), trace, color=colour, label=label)
            for i, phase in enumerate(phases):
                rest = float(phase.fixed.responses[neuron])
                ends = (i * STEPS + 1, (i + 1) * STEPS)
                time.plot(ends, (rest, rest), color=colour, linestyle=":")
        for i, phase in enumerate(phases):
            time.axvline(i * STEPS + 1, color="#cccccc", zorder=0)
            time.text(i * STEPS + 10, 2.62, f"contrast {phase.contrast}")
        time.set(xlabel="adaptations", ylabel="response R", ylim=(0, 2.9))
        time.legend(frameon=False, fontsize="small", loc=(0.36, 0.5))
        angles = [180 * (i / n - 0.5) for i in range(n)]
        low, high, back = phases
        for responses, style, label in (
            (low.responses[-1], ("#0072b2", "-"), "before"),
            (high.responses[0], ("#d55e00", "--"), "contrast up, at once"),
            (high.responses[-1], ("#d55e00", "-"), "contrast up, adapted"),
            (back.responses[0], ("#999999", "--"), "contrast down, at once"),
        ):
            across.plot(angles, responses.tolist(), color=style[0], linestyle=style[1], label=label)
        across.set(xlabel="preferred orientation in degrees", ylim=(0, 4.5))
        across.legend(frameon=False, loc="upper left")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None})


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--packages", type=Path, default=Path("build/packages"))
    options.add_argument("--figure", type=Path, default=Path("build/homeostasis.svg"))
    chosen = options.parse_args()
    torch.set_num_threads(1)

    layer = load_package(chosen.packages).Population()
    phases = show(layer)
    print_phases(layer, phases)
    draw(phases, chosen.figure)
    print(f"figure: {chosen.figure}")


if __name__ == "__main__":
    main()
