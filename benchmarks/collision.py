"""The compiled collision against a network that is averaged over the symmetries of the lattice.

    python benchmarks/collision.py            measures and rewrites benchmarks/results/collision.*

The rival is the collision operator of Corbetta et al. (Toward learning lattice Boltzmann collision
operators, 2023): a multilayer perceptron without bias and with a softmax at its end, as wide as
theirs, averaged over the group; mass and momentum are restored by a projection. It is spelled in
three ways, and the fastest one counts. The layer is measured as it is, which makes its weights anew
at each call, and with its dense weights read out once, as a simulation would do. In two dimensions
each contender is also measured under `torch.compile`. Nothing is trained: the figures are those of
one evaluation of a batch of cells, without gradients.

Figures are CPU seconds of one thread. In each round every contender has its turn, some evaluations
in a row, as in a simulation; times are medians over the rounds, and ratios are medians of the
ratios within a round.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import eqcompile  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
SPEC = ROOT / "examples" / "lattice_boltzmann" / "spec.yaml"
LAYERS = {"D2Q9": "Collision", "D3Q19": "Collision3D"}
BATCHES = (1024, 65536)
DTYPES = {"float32": torch.float32, "float64": torch.float64}
ROUNDS = {64: 2, 1024: 31, 65536: 11}
REPEATS = {64: 2, 1024: 20, 65536: 1}
WIDTH, DEPTH = 50, 3

Model = Callable[[Tensor], Tensor]


class Perceptron(nn.Module):
    """Three hidden layers of 50 and a softmax: populations to populations of density 1.

    Args:
        velocities: One per population, shape ``(populations, dimensions)``.
    """

    def __init__(self, velocities: Tensor) -> None:
        super().__init__()
        count = len(velocities)
        widths = [count, *[WIDTH] * DEPTH, count]
        layers: list[nn.Module] = []
        for pair in itertools.pairwise(widths):
            layers += [nn.Linear(*pair, bias=False), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1], nn.Softmax(-1))
        moments = torch.cat([torch.ones(count, 1), velocities], 1).double()
        moments /= moments.norm(dim=0)
        self.register_buffer("kept", moments @ moments.T)
        self.register_buffer("symmetries", list_symmetries(velocities))
        self.register_buffer("inverses", torch.argsort(self.get_buffer("symmetries"), 1))

    def restore(self, states: Tensor, answers: Tensor) -> Tensor:
        """Give the answers the mass and the momentum of the states."""
        return answers + (states - answers) @ self.get_buffer("kept")


class Alone(Perceptron):
    """The network without symmetry."""

    def forward(self, states: Tensor) -> Tensor:
        """Map ``(count, populations)`` to itself."""
        return self.restore(states, self.layers(states))


class OneByOne(Perceptron):
    """The average over the group, one element after the other."""

    def forward(self, states: Tensor) -> Tensor:
        """Map ``(count, populations)`` to itself."""
        symmetries, inverses = self.get_buffer("symmetries"), self.get_buffer("inverses")
        total = torch.zeros_like(states)
        for there, back in zip(symmetries.unbind(), inverses.unbind(), strict=True):
            total += self.layers(states[:, there])[:, back]
        return self.restore(states, total / len(symmetries))


class InOneBatch(Perceptron):
    """The average over the group, all elements in one batch."""

    def forward(self, states: Tensor) -> Tensor:
        """Map ``(count, populations)`` to itself."""
        symmetries, inverses = self.get_buffer("symmetries"), self.get_buffer("inverses")
        answers = self.layers(states[:, symmetries])
        back = inverses.expand(len(states), -1, -1)
        return self.restore(states, answers.gather(2, back).mean(1))


class Folded(Perceptron):
    """The average over the group, whose elements move the weights of the first layer instead."""

    def forward(self, states: Tensor) -> Tensor:
        """Map ``(count, populations)`` to itself."""
        first, *rest = list(self.layers)
        total = torch.zeros_like(states)
        for back in self.get_buffer("inverses").unbind():
            answers = states @ first.get_parameter("weight")[:, back].T
            for layer in rest:
                answers = layer(answers)
            total += answers[:, back]
        return self.restore(states, total / len(self.get_buffer("inverses")))


AVERAGES = {"one by one": OneByOne, "in one batch": InOneBatch, "weights moved": Folded}


def list_symmetries(velocities: Tensor) -> Tensor:
    """Return the symmetries of the cube that the lattice has as permutations of its velocities."""
    dimension = velocities.shape[1]
    places = {tuple(v): i for i, v in enumerate(velocities.tolist())}
    moves = [
        [places[tuple(s * v[a] for s, a in zip(signs, axes, strict=True))] for v in places]
        for axes in itertools.permutations(range(dimension))
        for signs in itertools.product((1, -1), repeat=dimension)
    ]
    return torch.tensor(moves)


def draw_states(velocities: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """Draw populations of density 1."""
    states = 1 + 0.1 * torch.randn(count, len(velocities))
    return (states / states.sum(1, keepdim=True)).to(dtype)


class ReadOut(nn.Module):
    """A layer of one channel whose weights will not change: its dense weights, and plain torch.

    Args:
        layer: Of degree 2.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__()
        constant, linear, square = (layer.dense_weight(degree).detach() for degree in range(3))
        count = constant.shape[1]
        self.register_buffer("constant", constant.flatten())
        self.register_buffer("linear", linear.reshape(count, -1).T.contiguous())
        self.register_buffer("square", square.reshape(count, -1).T.contiguous())

    def forward(self, states: Tensor) -> Tensor:
        """Map ``(count, populations)`` to itself."""
        products = (states.unsqueeze(2) * states.unsqueeze(1)).flatten(1)
        linear = torch.addmm(self.get_buffer("constant"), states, self.get_buffer("linear"))
        return linear.addmm_(products, self.get_buffer("square"))


def list_contenders(layer: Any, velocities: Tensor, dtype: torch.dtype) -> dict[str, Model]:
    """Make the layer and its rivals, all with the weights they are born with."""
    layer = layer(dtype=dtype)

    def collide(states: Tensor) -> Tensor:
        found: Tensor = layer(states.unsqueeze(1)).squeeze(1)
        return found

    rivals = {"network alone": Alone} | {f"average, {n}": made for n, made in AVERAGES.items()}
    models: dict[str, Model] = {"layer": collide, "layer, read out": ReadOut(layer)}
    weights = Alone(velocities).to(dtype).state_dict()
    for name, made in rivals.items():
        models[name] = made(velocities).to(dtype)
        models[name].load_state_dict(weights)  # type: ignore[attr-defined]
    return models


def check_contenders(models: dict[str, Model], states: Tensor, symmetries: Tensor) -> None:
    """Make sure that all averages are one function, that it and the layer are equivariant.

    Raises:
        SystemExit: They are not.
    """
    bound = 200 * torch.finfo(states.dtype).eps
    first = models["average, one by one"](states)
    for name, model in models.items():
        answers = model(states)
        same = first if name.startswith("average") else models["layer"](states)
        if name != "network alone" and (answers - same).abs().max() > bound * same.abs().max():
            raise SystemExit(f"{name}: another function")
        moved = max(float((model(states[:, g]) - answers[:, g]).abs().max()) for g in symmetries)
        if (moved > bound * float(answers.abs().max())) != (name == "network alone"):
            raise SystemExit(f"{name}: moving the states moves the answers by {moved} too much")


def take_rounds(
    models: dict[str, Model], states: Tensor, rounds: int, repeats: int
) -> dict[str, list[float]]:
    """Return the seconds of one evaluation of every model in every round."""
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(3):
        for model in models.values():
            model(states)
    for _ in range(rounds):
        for name, model in models.items():
            began = time.process_time()
            for _ in range(repeats):
                model(states)
            seconds[name].append((time.process_time() - began) / repeats)
    return seconds


def compile_all(models: dict[str, Model]) -> dict[str, Model]:
    """Compile every model for the sizes at hand."""
    compiled: dict[str, Model] = {}
    for name, model in models.items():
        compiled[name] = torch.compile(model, dynamic=False, fullgraph=True)
    return compiled


def summarise(seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Return medians in microseconds, and by how much the layers are faster than the average."""
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    averages = [name for name in medians if name.startswith("average")]
    best = min(averages, key=lambda name: medians[name])

    def compare(name: str) -> float:
        pairs = zip(seconds[best], seconds[name], strict=True)
        return round(statistics.median(theirs / ours for theirs, ours in pairs), 2)

    return {
        "rounds": len(seconds["layer"]),
        "microseconds": {name: round(1e6 * median, 1) for name, median in medians.items()},
        "best_average": best,
        "ratios": {name: compare(name) for name in ("layer", "layer, read out")},
    }


@torch.no_grad()
def measure(package: Any, batches: tuple[int, ...], quick: bool) -> list[Any]:
    """Measure every lattice, dtype, batch and way to run it."""
    rows = []
    for (lattice, name), dtype in itertools.product(LAYERS.items(), DTYPES):
        made = getattr(package, name)
        velocities = torch.tensor(made.velocities)
        models = list_contenders(made, velocities, DTYPES[dtype])
        symmetries = list_symmetries(velocities)
        # Compiling a sum over 48 elements takes minutes.
        ways = ("as it is", "torch.compile")[: 1 + (lattice == "D2Q9" and not quick)]
        check_contenders(models, draw_states(velocities, 64, DTYPES[dtype]), symmetries)
        for batch, way in itertools.product(batches, ways):
            torch.compiler.reset()
            states = draw_states(velocities, batch, DTYPES[dtype])
            contenders = models if way == "as it is" else compile_all(models)
            seconds = take_rounds(contenders, states, ROUNDS[batch], REPEATS[batch])
            facts = {
                "rounds": ROUNDS[batch],
                "lattice": lattice,
                "elements": len(symmetries),
                "dtype": dtype,
            }
            rows.append(facts | {"batch": batch, "run": way} | summarise(seconds))
            print(f"{lattice} {dtype} {batch} {way}: {rows[-1]['ratios']}", file=sys.stderr)
    return rows


def write_table(rows: list[Any]) -> str:
    """Write the rows as a table."""
    lines = [
        "Microseconds of CPU time, one thread, for one evaluation of a batch of cells: by the",
        "layer, by the layer with its weights read out once, by the network alone, and by the",
        "network averaged over the elements of the group in the fastest of three spellings. The",
        "ratios say how many times longer the averaged network takes than the layer, and than the",
        "layer read out.",
        "",
        "| lattice | elements | dtype | cells | run | layer | read out | network | averaged "
        "| ratios |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        names = ("layer", "layer, read out", "network alone", row["best_average"])
        figures = [f"{row['microseconds'][name]:,.0f}" for name in names]
        facts = [
            row["lattice"],
            str(row["elements"]),
            row["dtype"],
            f"{row['batch']:,}",
            row["run"],
        ]
        ratios = ", ".join(f"{ratio:.1f}" for ratio in row["ratios"].values())
        lines.append("| " + " | ".join([*facts, *figures, ratios]) + " |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--results", type=Path, default=RESULTS)
    options.add_argument(
        "--quick", action="store_true", help="few cells, not compiled, to see it run"
    )
    chosen = options.parse_args(arguments)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        eqcompile.build(eqcompile.load(SPEC), Path(folder))
        sys.path.insert(0, folder)
        package = importlib.import_module("collision_nets")
        rows = measure(package, (64,) if chosen.quick else BATCHES, chosen.quick)
    machine = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
    }
    chosen.results.mkdir(exist_ok=True)
    data = {"machine": machine, "rows": rows}
    (chosen.results / "collision.json").write_text(json.dumps(data, indent=1) + "\n")
    text = write_table(rows)
    (chosen.results / "collision.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
