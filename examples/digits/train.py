"""Handwritten digits, with turning and mirroring built in, against polynomials without symmetry.

Three networks of degree 4, each two quadratic layers: one from eqcompile, whose logits cannot
change when the image is turned; one without symmetry; and that one again, trained on images turned
at random. All are tuned on the same upright validation images; turned test images are seen by none.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import eqcompile

SPEC = Path(__file__).with_name("spec.yaml")
SIDE, CLASSES, HIDDEN, BATCH = 8, 10, 2, 64
LEARNING_RATES, WEIGHT_DECAYS, EPOCHS = (1e-3, 3e-3), (0.3, 3.0), (8, 16)

Images = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Digits:
    """Images of shape ``(count, 1, 64)`` with their labels.

    ``turned`` holds the test images again, turned by 90, 180 and 270 degrees.
    """

    train: Images
    validation: Images
    test: Images
    turned: Images


@dataclass(frozen=True)
class Trained:
    """A network with the settings that the validation images chose."""

    network: nn.Module
    learning_rate: float
    weight_decay: float
    epochs: int
    score: tuple[float, float]


class FreeQuadratic(nn.Module):
    """Every polynomial of degree 2, channel by channel: no symmetry, output variance 1 at init."""

    def __init__(self, channels: tuple[int, int], points: tuple[int, int]) -> None:
        super().__init__()
        self.shape = (channels[1], points[1])
        self.first, self.second = torch.triu_indices(points[0], points[0])
        linear, pairs = channels[0] * points[0], channels[0] * len(self.first)
        outputs = channels[1] * points[1]
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.linear = nn.Parameter(torch.randn(linear, outputs) * (0.5 / linear) ** 0.5)
        spread = (0.5 / (pairs + linear)) ** 0.5
        self.quadratic = nn.Parameter(torch.randn(pairs, outputs) * spread)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(count, channels_in, points_in)`` to ``(count, channels_out, points_out)``."""
        products = x[..., self.first] * x[..., self.second]
        y = self.bias + x.flatten(1) @ self.linear + products.flatten(1) @ self.quadratic
        return y.unflatten(1, self.shape)


class Network(nn.Module):
    """A hidden layer, then a readout with one logit per class."""

    def __init__(self, hidden: nn.Module, readout: nn.Module) -> None:
        super().__init__()
        self.hidden, self.readout = hidden, readout

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(count, 1, 64)`` to logits ``(count, 10)``."""
        logits: Tensor = self.readout(self.hidden(x)).squeeze(-1)
        return logits


def turn(images: Tensor, quarters: int) -> Tensor:
    """Turn images of shape ``(count, 1, 64)`` by quarter turns."""
    return images.unflatten(-1, (SIDE, SIDE)).rot90(quarters, (-2, -1)).flatten(-2)


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
        pixels = torch.as_tensor(part, dtype=torch.float32).unsqueeze(1)
        return (pixels - float(train.mean())) / float(train.std()), torch.as_tensor(names)

    upright, answers = prepare(test, test_labels)
    turned = torch.cat([turn(upright, quarters) for quarters in (1, 2, 3)])
    return Digits(
        prepare(train, train_labels),
        prepare(held, held_labels),
        (upright, answers),
        (turned, answers.repeat(3)),
    )


def load_package(folder: Path) -> ModuleType:
    """Import the compiled package from a folder, building it there first if need be."""
    if not (folder / "digit_nets").exists():
        eqcompile.build(eqcompile.load(SPEC), folder)
    sys.path.insert(0, str(folder))
    return importlib.import_module("digit_nets")


def make_equivariant(package: ModuleType) -> Network:
    hidden = package.Hidden(in_channels=1, out_channels=HIDDEN)
    return Network(hidden, package.Readout(in_channels=HIDDEN, out_channels=CLASSES))


def make_free() -> Network:
    points = SIDE * SIDE
    hidden = FreeQuadratic((1, HIDDEN), (points, points))
    return Network(hidden, FreeQuadratic((HIDDEN, CLASSES), (points, 1)))


@torch.no_grad()
def measure(network: nn.Module, images: Images) -> tuple[float, float]:
    """Return the share of wrong answers in percent, and the mean loss."""
    logits = network(images[0])
    wrong = (logits.argmax(1) != images[1]).double().mean()
    return 100 * float(wrong), float(cross_entropy(logits, images[1]))


def train(
    make: Callable[[], Network], data: Digits, rate: float, decay: float, epochs: int, turning: bool
) -> Network:
    """Train one network; the seed fixes its start and the order of the images."""
    torch.manual_seed(0)
    network = make()
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay)
    images, labels = data.train
    steps = epochs * -(-len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(epochs):
        for batch in torch.randperm(len(labels)).split(BATCH):
            quarters = int(torch.randint(4, ())) if turning else 0
            loss = cross_entropy(network(turn(images[batch], quarters)), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network


def tune(
    make: Callable[[], Network], data: Digits, turning: bool, epochs: tuple[int, ...]
) -> Trained:
    """Return the network that errs least on the validation images, over the whole grid."""
    tried = []
    for rate, decay, length in itertools.product(LEARNING_RATES, WEIGHT_DECAYS, epochs):
        network = train(make, data, rate, decay, length, turning)
        score = measure(network, data.validation)
        tried.append(Trained(network, rate, decay, length, score))
    return min(tried, key=lambda t: t.score)


@torch.no_grad()
def measure_change(network: nn.Module, images: Tensor) -> float:
    """Return the largest change of a logit when images turn, relative to the largest logit."""
    still = network(images)
    moved = max(float((network(turn(images, q)) - still).abs().max()) for q in (1, 2, 3))
    return moved / float(still.abs().max())


@torch.no_grad()
def count_swaps(network: nn.Module, images: Images) -> int:
    """Count the sixes taken for nines and the nines taken for sixes: a turned six is a nine."""
    found = network(images[0]).argmax(1)
    return int(((images[1] + found == 15) & ((found == 6) | (found == 9))).sum())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--packages", type=Path, default=Path("build/packages"))
    options.add_argument("--quick", action="store_true", help="two epochs only, to see it run")
    chosen = options.parse_args()
    torch.set_num_threads(1)

    package, data = load_package(chosen.packages), read_digits()
    sizes = [len(part[1]) for part in (data.train, data.validation, data.test, data.turned)]
    print("images: {} training, {} validation, {} test, {} test turned".format(*sizes))
    print(f"{'':34}{'':>11}|{'error in %':^38}|{'change of':>11}|")
    heads = ("train", "validation", "test", "test turned")
    print(f"{'network, degree 4':34}{'parameters':>11}|", end="")
    print(f"{heads[0]:>7}{heads[1]:>12}{heads[2]:>6}{heads[3]:>13}|{'a logit':>11}|{'seconds':>8}")
    rows: dict[str, Trained] = {}
    for name, make, turning in (
        ("D4-equivariant (eqcompile)", lambda: make_equivariant(package), False),
        ("unconstrained", make_free, False),
        ("unconstrained, training turned", make_free, True),
    ):
        began = time.perf_counter()
        best = rows[name] = tune(make, data, turning, (2,) if chosen.quick else EPOCHS)
        count = sum(p.numel() for p in best.network.parameters())
        parts = (data.train, data.validation, data.test, data.turned)
        errors = [measure(best.network, part)[0] for part in parts]
        change = measure_change(best.network, data.test[0])
        print(f"{name:34}{count:>11,}|", end="")
        print("{:7.2f}{:12.2f}{:6.2f}{:13.2f}".format(*errors), end="")
        print(f"|{change:11.1e}|{time.perf_counter() - began:8.1f}")
    for name, best in rows.items():
        swaps = count_swaps(best.network, data.test)
        print(f"{name}: takes {swaps} upright test digits 6 for 9 or 9 for 6; ", end="")
        print(f"chosen learning rate {best.learning_rate}, weight decay ", end="")
        print(f"{best.weight_decay}, {best.epochs} epochs")


if __name__ == "__main__":
    main()
