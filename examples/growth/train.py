"""Handwritten digits, with a hidden layer that grows from rank 1 while it is trained.

The network is a hidden layer on the 64 pixels, ReLU, and a linear readout. Its hidden weights are
spectral; they grow along the directions in which the loss changes fastest, or at random, or have
their rank from the start. A dense hidden layer is what they are measured against.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import eqcompile

SPEC = Path(__file__).with_name("spec.yaml")
PIXELS, CLASSES, BATCH = 64, 10, 64
RANKS = (1, 2, 3, 4, 6, 8, 12, 16, 24)
EPOCHS = 4
"""Passes over the training images at each of the ranks."""

RATE, DECAY, SEEDS = 1e-2, 1.0, 5

Images = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Digits:
    """Images of shape ``(count, 64)`` with their labels."""

    train: Images
    validation: Images
    test: Images


@dataclass(frozen=True)
class Measured:
    """Shares of wrong answers in percent after a stage, and what growth before it promised.

    ``slope`` is the derivative of the loss in the strength of the best new direction.
    """

    train: float
    validation: float
    test: float
    slope: float = 0.0


def read_digits() -> Digits:
    """Split the 1,797 images once; brightness is normalised by two numbers of the training part."""
    images, labels = load_digits(return_X_y=True)
    rest, test, rest_labels, test_labels = train_test_split(
        images, labels, test_size=0.25, random_state=0, stratify=labels
    )
    train, held, train_labels, held_labels = train_test_split(
        rest, rest_labels, test_size=0.25, random_state=0, stratify=rest_labels
    )

    def prepare(part: object, names: object) -> Images:
        pixels = torch.as_tensor(part, dtype=torch.float32)
        return (pixels - float(train.mean())) / float(train.std()), torch.as_tensor(names)

    held_out = prepare(held, held_labels)
    return Digits(prepare(train, train_labels), held_out, prepare(test, test_labels))


def load_package(folder: Path) -> ModuleType:
    """Import the compiled package from a folder, building it there first if need be."""
    if not (folder / "growth_nets").exists():
        eqcompile.build(eqcompile.load(SPEC), folder)
    sys.path.insert(0, str(folder))
    return importlib.import_module("growth_nets")


def make_network(hidden: nn.Module) -> nn.Sequential:
    return nn.Sequential(hidden, nn.ReLU(), nn.Linear(PIXELS, CLASSES))


def make_spectral(package: ModuleType, rank: int) -> Any:
    """Make a hidden layer that has a rank from the start."""
    layer = package.Hidden()
    if rank > layer.rank:
        layer.grow_(rank - layer.rank)
        layer.reset_parameters()
    return layer


def find_loss(network: nn.Module, images: Images) -> Tensor:
    return cross_entropy(network(images[0]), images[1])


@torch.no_grad()
def measure(network: nn.Module, images: Images) -> float:
    """Return the share of wrong answers in percent."""
    return 100 * float((network(images[0]).argmax(1) != images[1]).double().mean())


def train_stage(network: nn.Module, optimizer: torch.optim.Optimizer, images: Images) -> None:
    """Train for some epochs, with a learning rate that falls to zero."""
    steps = EPOCHS * -(-len(images[1]) // BATCH)
    done = 0
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images[1])).split(BATCH):
            for group in optimizer.param_groups:
                group["lr"] = RATE * (1 - done / steps)
            optimizer.zero_grad()
            find_loss(network, (images[0][batch], images[1][batch])).backward()
            optimizer.step()
            done += 1


def train(hidden: Any, data: Digits, stages: int, growth: str = "") -> list[Measured]:
    """Train stage by stage; before each but the first the hidden layer may grow.

    Args:
        hidden: The hidden layer.
        data: Images.
        stages: How many of `RANKS` are reached.
        growth: ``gradient`` or ``random``; empty leaves the layer as it is.

    Returns:
        What was measured after each stage.
    """
    network = make_network(hidden)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    found = []
    for stage in range(stages):
        slope = 0.0
        if growth and stage:
            closure = (lambda: find_loss(network, data.train)) if growth == "gradient" else None
            slopes = hidden.grow_(RANKS[stage] - hidden.rank, closure, optimizer=optimizer)
            slope = float(slopes[0])
        train_stage(network, optimizer, data.train)
        errors = [measure(network, part) for part in (data.train, data.validation, data.test)]
        found.append(Measured(errors[0], errors[1], errors[2], slope))
    return found


def average(runs: list[Measured], name: str) -> float:
    return sum(abs(getattr(run, name)) for run in runs) / len(runs)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--packages", type=Path, default=Path("build/packages"))
    options.add_argument("--seeds", type=int, default=SEEDS, help="starts to average over")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    began = time.perf_counter()

    package, data = load_package(chosen.packages), read_digits()
    sizes = [len(part[1]) for part in (data.train, data.validation, data.test)]
    print("images: {} training, {} validation, {} test".format(*sizes))
    grown: list[list[Measured]] = []
    blind: list[list[Measured]] = []
    fixed: list[list[Measured]] = []
    dense: list[Measured] = []
    for seed in range(chosen.seeds):
        torch.manual_seed(seed)
        grown.append(train(package.Hidden(), data, len(RANKS), "gradient"))
        torch.manual_seed(seed)
        blind.append(train(package.Hidden(), data, len(RANKS), "random"))
        rows = []
        for stage, rank in enumerate(RANKS):
            torch.manual_seed(seed)
            rows.append(train(make_spectral(package, rank), data, stage + 1)[-1])
        fixed.append(rows)
        torch.manual_seed(seed)
        dense.append(train(nn.Linear(PIXELS, PIXELS), data, len(RANKS))[-1])

    print(
        f"{'':6}{'hidden':>11}|{'grown along the gradient, error in %':^38}|{'test error in %':^22}"
    )
    print(
        f"{'rank':6}{'parameters':>11}|{'train':>8}{'validation':>12}{'test':>8}{'slope':>10}|",
        end="",
    )
    print(f"{'grown blindly':>14}{'fixed':>8}")
    for stage, rank in enumerate(RANKS):
        runs = [run[stage] for run in grown]
        count = rank * (PIXELS + 1) + PIXELS
        print(f"{rank:<6}{count:>11,}|", end="")
        print(f"{average(runs, 'train'):8.2f}{average(runs, 'validation'):12.2f}", end="")
        slope = f"{average(runs, 'slope'):.3f}" if stage else ""
        print(f"{average(runs, 'test'):8.2f}{slope:>10}|", end="")
        print(f"{average([run[stage] for run in blind], 'test'):14.2f}", end="")
        print(f"{average([run[stage] for run in fixed], 'test'):8.2f}")
    count = PIXELS * (PIXELS + 1)
    print(f"{'dense':6}{count:>11,}|{average(dense, 'train'):8.2f}", end="")
    print(f"{average(dense, 'validation'):12.2f}{average(dense, 'test'):8.2f}{'':10}|")
    print(f"means over {chosen.seeds} starts; {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
