"""Learn the triangles at every vertex from small weighted graphs, and count them in larger ones.

The strength of the triangles at a vertex is a polynomial of degree 3 in the weights of the edges,
and relabelling vertices commutes with it. The layers below are all polynomials of degree 1, 2 and 3
that do so, for every number of vertices at once; they are fitted by minimum-norm least squares, so
nothing is tuned.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

import eqcompile

SPEC = Path(__file__).with_name("spec.yaml")
DENSITY = 0.6
CUTOFF = 1e-10


def draw_graphs(count: int, n: int, seed: int) -> Tensor:
    """Draw weighted graphs as matrices ``(count, n, n)``: symmetric, diagonal zero."""
    rng = np.random.default_rng((seed, n))
    edges = rng.uniform(size=(count, n, n)) < DENSITY
    weights = np.triu(edges * rng.uniform(0, 1, (count, n, n)), 1)
    return torch.from_numpy(weights + weights.transpose(0, 2, 1))


def count_triangles(graphs: Tensor) -> Tensor:
    """Return the mean over all pairs j, k of w_ij w_jk w_ki, shape ``(count, n)``."""
    return torch.einsum("bij,bjk,bki->bi", graphs, graphs, graphs) / graphs.shape[1] ** 2


def pack(graphs: Tensor) -> Tensor:
    """Return the coordinates of graphs, ``(count, 1, n (n + 1) / 2)``, one channel."""
    rows, columns = torch.triu_indices(*graphs.shape[1:])
    return graphs[:, rows, columns].unsqueeze(1)


@torch.no_grad()
def apply(layer: nn.Module, graphs: Tensor) -> Tensor:
    outputs: Tensor = layer(pack(graphs))
    return outputs.squeeze(1)


def fit_layer(layer: nn.Module, samples: Sequence[Tensor]) -> int:
    """Fit the parameters of a layer, in which it is linear, to graphs of several sizes.

    Returns:
        How many directions of its parameters the samples determine.
    """
    units = torch.eye(len(parameters_to_vector(layer.parameters())), dtype=torch.float64)
    columns = []
    for unit in units:
        vector_to_parameters(unit, layer.parameters())
        columns.append(torch.cat([apply(layer, graphs).flatten() for graphs in samples]))
    answers = torch.cat([count_triangles(graphs).flatten() for graphs in samples])
    design = torch.stack(columns, 1).numpy()
    theta, _, rank, _ = np.linalg.lstsq(design, answers.numpy(), rcond=CUTOFF)
    vector_to_parameters(torch.from_numpy(theta), layer.parameters())
    return int(rank)


def measure_error(layer: nn.Module, samples: Sequence[Tensor]) -> float:
    """Return the largest absolute error over some graphs."""
    return max(float((apply(layer, g) - count_triangles(g)).abs().max()) for g in samples)


def measure_asymmetry(layer: nn.Module, graphs: Tensor) -> float:
    """Return the largest difference between relabelling before and after the layer."""
    order = torch.randperm(graphs.shape[1], generator=torch.Generator().manual_seed(0))
    moved = apply(layer, graphs[:, order][:, :, order])
    return float((moved - apply(layer, graphs)[:, order]).abs().max())


def load_package(folder: Path) -> ModuleType:
    """Import the compiled package from a folder, building it there first if need be."""
    if not (folder / "graph_nets").exists():
        eqcompile.build(eqcompile.load(SPEC), folder)
    sys.path.insert(0, str(folder))
    return importlib.import_module("graph_nets")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--packages", type=Path, default=Path("build/packages"))
    package = load_package(options.parse_args().packages)

    samples = [draw_graphs(10, n, seed=1) for n in range(4, 10)]
    small, large = draw_graphs(100, 8, seed=2), draw_graphs(20, 50, seed=2)
    vertices = sum(graphs.shape[0] * graphs.shape[1] for graphs in samples)
    print(f"60 graphs of 4 to 9 vertices: {vertices} equations")
    strongest = [float(count_triangles(graphs).max()) for graphs in (small, large)]
    print("largest triangle strength: {:.2f} at 8 vertices, {:.2f} at 50".format(*strongest))
    print(f"{'':14}{'':>22}|{'largest absolute error':^36}|{'largest':>10}")
    print(f"{'layer':14}{'parameters':>11}{'determined':>11}|{'training':>12}", end="")
    print(f"{'8 vertices':>12}{'50 vertices':>12}|{'asymmetry':>10}")
    for name in ("Linear", "Quadratic", "Cubic"):
        layer = getattr(package, name)(in_channels=1, out_channels=1)
        rank = fit_layer(layer, samples)
        count = len(parameters_to_vector(layer.parameters()))
        errors = [measure_error(layer, graphs) for graphs in (samples, [small], [large])]
        print(f"{name:14}{count:>11}{rank:>11}|", end="")
        print("".join(f"{error:12.1e}" for error in errors), end="|")
        print(f"{measure_asymmetry(layer, large):10.1e}")


if __name__ == "__main__":
    main()
