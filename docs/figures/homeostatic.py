"""Make the figures of docs/homeostatic.md: ``python docs/figures/homeostatic.py [FOLDER]``.

They are the same bytes on every run under the pinned versions.
"""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from torch import Tensor

import eqcompile

ROOT = Path(__file__).resolve().parents[2]
IMAGES = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
SPEC = """
version: 1
package: homeostatic_figures
layers:
  - {name: Five, family: homeostatic, size: 5, sigma: 0.6, alpha: 0.2, leak: 0.1}
  - name: Three
    family: homeostatic
    size: 3
    sigma: 0.3
    alpha: 0.5
    leak: -0.05
    allow_unstable: true
emit: {dtype: float64}
"""
BLUE, ORANGE, GREEN, RED, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#999999"
DRIVE, CALIBRATED = (1.9, 1.4, 0.9, 0.5, 0.3), (1.0, 1.0, 1.0, 1.0, 1.0)


def to_input(values: tuple[float, ...]) -> Tensor:
    """Return an input in float64."""
    return torch.tensor(values, dtype=torch.float64)


@contextmanager
def start_figure(name: str, panels: int) -> Iterator[Any]:
    """Yield the axes of a figure, and write it as SVG at the end."""
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none", "axes.grid": False}):
        figure = Figure(figsize=(4.5 * panels, 3.3), layout="constrained")
        axes = figure.subplots(1, panels)
        yield axes
        IMAGES.mkdir(parents=True, exist_ok=True)
        path = IMAGES / f"homeostatic-{name}.svg"
        figure.savefig(path, format="svg", metadata={"Date": None})


def draw_stability(layer: Any) -> None:
    """Draw the spectral radius against alpha for several leaks, and alpha max against the leak."""
    r = to_input(DRIVE)
    layer.calibrate_(to_input(CALIBRATED))
    with start_figure("stability", 2) as (left, right):
        alphas = [10 ** (k / 20 - 2) for k in range(56)]
        for leak, colour in ((0.1, BLUE), (0.7, GREEN), (1.3, ORANGE)):
            layer.leak, layer.alpha = leak, 0.2
            largest = layer.stability(r).alpha_max
            radii = []
            for alpha in alphas:
                layer.alpha = alpha
                radii.append(layer.stability(r).spectral_radius)
            left.plot(alphas, radii, color=colour, label=f"leak {leak}")
            left.plot(largest, 1, marker="o", color=colour)
        left.axhline(1, color=GREY, linewidth=0.8)
        left.set(xscale="log", xlabel="alpha", ylabel="spectral radius", ylim=(0, 1.8))
        left.legend(frameon=False, loc="upper left")
        draw_thresholds(layer, r, right)


def draw_thresholds(layer: Any, r: Tensor, axes: Any) -> None:
    """Draw alpha_max against the leak, and what 400 adaptations from nearby come to."""
    leaks = [0.05 * k for k in range(1, 40)]
    largest = []
    for leak in leaks:
        layer.leak = leak
        largest.append(layer.stability(r).alpha_max)
    axes.plot(leaks, largest, color=BLUE, label="alpha max")
    for leak in (0.1, 0.4, 0.7, 1.0, 1.3, 1.6, 1.9):
        layer.leak = leak
        threshold = layer.stability(r).alpha_max
        for fraction in (0.6, 0.9, 1.1, 1.5):
            layer.alpha = fraction * threshold
            settles = measure_distance(layer, r) < 1e-9
            axes.plot(
                leak,
                layer.alpha,
                marker="o" if settles else "x",
                color=GREEN if settles else RED,
                linestyle="none",
            )
    axes.plot([], [], "o", color=GREEN, label="settles")
    axes.plot([], [], "x", color=RED, label="does not")
    axes.set(xlabel="leak", ylabel="alpha", yscale="log")
    axes.legend(frameon=False)


def measure_distance(layer: Any, r: Tensor) -> float:
    """Return how far 400 adaptations from within 1e-6 of the fixed point end from it."""
    fixed = layer.fixed_point(r)
    torch.manual_seed(0)
    layer.weights.copy_(fixed.weights + 1e-6 * torch.randn(5, 5, dtype=torch.float64))
    for _ in range(400):
        layer(r)
        layer.adapt_()
    return float((layer.weights - fixed.weights).abs().max())


def draw_runaway(package: Any) -> None:
    """Draw a deviation of 1e-12 that no response sees, under the source's sign of beta."""
    r = torch.full((3,), 1.2, dtype=torch.float64)
    unseen = torch.tensor([[1.0, -1, 0], [-1, 2, -1], [0, -1, 1]], dtype=torch.float64)
    layer, twin = package.Three(), package.Three()
    for each in (layer, twin):
        each.calibrate_(r)
    layer.weights += 1e-12 * unseen
    sizes, responses = [], []
    for _ in range(1300):
        sizes.append(float((layer.weights - twin.weights).abs().max()))
        responses.append(float(layer(r)[0]))
        layer.adapt_()
        twin(r)
        twin.adapt_()
    with start_figure("runaway", 2) as (left, right):
        slope = [sizes[0] * math.exp(math.log(1.05) * t) for t in range(1300)]
        left.plot(sizes, color=RED, label="deviation of W")
        left.plot(slope, color="black", linestyle=":", label="slope log(1 + beta)")
        left.set(yscale="log", xlabel="adaptations", ylabel="largest entry")
        left.legend(frameon=False)
        right.plot(responses, color=BLUE)
        right.set(xlabel="adaptations", ylabel="response R of a neuron", ylim=(0, 1.2))


def draw_energy(layer: Any) -> None:
    """Draw how the energy falls from six random starts, and how their weights meet."""
    r = to_input(DRIVE)
    layer.calibrate_(to_input(CALIBRATED))
    layer.leak, layer.alpha = 0.1, 0.5
    layer.alpha = 0.5 * layer.stability(r).alpha_max
    fixed = layer.fixed_point(r)
    layer.weights.copy_(fixed.weights)
    least = float(layer.energy(r))
    with start_figure("energy", 2) as (left, right):
        for start in range(6):
            torch.manual_seed(start)
            drawn = 6 * torch.rand(5, 5, dtype=torch.float64)
            layer.weights.copy_((drawn + drawn.mT) / 2)
            energies, distances = [], []
            for _ in range(300):
                energies.append(float(layer.energy(r)) - least)
                distances.append(float((layer.weights - fixed.weights).abs().max()))
                layer(r)
                layer.adapt_()
            # Below that the difference is rounding.
            left.plot([e for e in energies if e > 1e-13], linewidth=1)
            right.plot(distances, linewidth=1)
        left.set(yscale="log", xlabel="adaptations", ylabel="energy above the least")
        right.set(yscale="log", xlabel="adaptations", ylabel="largest distance to W*")


def draw_contrast() -> None:
    """Draw the figure of the example: responses under a change of contrast."""
    sys.path.insert(0, str(ROOT / "examples" / "homeostasis"))
    example: Any = importlib.import_module("adapt")
    package: Any = eqcompile.compile(example.SPEC)
    example.draw(example.show(package.Population()), IMAGES / "homeostatic-contrast.svg")


def main() -> None:
    """Make every figure."""
    torch.set_num_threads(1)
    package: Any = eqcompile.compile(SPEC)
    draw_stability(package.Five())
    draw_runaway(package)
    draw_energy(package.Five())
    draw_contrast()


if __name__ == "__main__":
    main()
