"""Colours for any number of classes: far apart to the eye, the same in every run and build.

Candidates lie on a lattice of the OKLCH space (lightness, chroma, hue), light enough for dark
letters. Each next colour is the candidate farthest from those taken, so a class keeps its colour
whatever the number of classes.

Source: Ottosson 2020, "A perceptual color space for image processing" (the OKLab matrices).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import cos, pi, sin

import numpy as np
import numpy.typing as npt

Lab = tuple[float, float, float]

_WHITE: Lab = (1.0, 0.0, 0.0)
_FIRST: Lab = (0.75, 0.105 * cos(1.4 * pi), 0.105 * sin(1.4 * pi))


@lru_cache(maxsize=8)
def list_colours(count: int) -> tuple[str, ...]:
    """Return ``count`` different colours as ``#rrggbb``, a prefix of one fixed sequence."""
    colours = list(_spread())
    if len(colours) < count:
        seen = set(colours)
        for colour in _fill():
            if colour not in seen:
                seen.add(colour)
                colours.append(colour)
            if len(colours) >= count:
                break
    return tuple(colours[:count])


@lru_cache(maxsize=1)
def _spread() -> tuple[str, ...]:
    """Order the coarse lattice by farthest point first."""
    points = [
        lab
        for lightness in (0.7, 0.8, 0.9)
        for chroma in (0.03, 0.065, 0.1, 0.13)
        for lab in (_polar(lightness, chroma, 2 * pi * h / 24) for h in range(24))
        if _in_gamut(lab)
    ]
    table = np.array(points)
    # Lightness is told apart less well than hue on small cells.
    table[:, 0] *= 0.6
    taken: list[int] = []
    distance = _distances(table, _WHITE)
    nearest = int(np.argmin(_distances(table, _FIRST)))
    while len(taken) < len(points):
        taken.append(nearest)
        here = points[nearest]
        distance = np.minimum(distance, _distances(table, here))
        distance[nearest] = -1.0
        # Rounding keeps the order free of the last bits of the arithmetic.
        nearest = int(np.argmax(np.round(distance, 9)))
    return tuple(dict.fromkeys(_spell(points[i]) for i in taken))


def _distances(table: npt.NDArray[np.float64], lab: Lab) -> npt.NDArray[np.float64]:
    point = np.array([0.6 * lab[0], lab[1], lab[2]])
    return np.asarray(np.sqrt(((table - point) ** 2).sum(axis=1)))


def _fill() -> Iterator[str]:
    """Walk a fine lattice, for layers with hundreds of classes."""
    for step in range(1 << 16):
        lab = _polar(0.66 + (step * 7 % 31) / 100, 0.02 + (step * 5 % 29) / 200, step * 2.399963)
        if _in_gamut(lab):
            yield _spell(lab)


def _polar(lightness: float, chroma: float, hue: float) -> Lab:
    return (lightness, chroma * cos(hue), chroma * sin(hue))


def _linear(lab: Lab) -> tuple[float, float, float]:
    """Convert OKLab to linear sRGB."""
    lightness, a, b = lab
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _in_gamut(lab: Lab) -> bool:
    return all(0.0 <= c <= 1.0 for c in _linear(lab))


def _spell(lab: Lab) -> str:
    def encode(c: float) -> int:
        return round(255 * (12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055))

    return "#" + "".join(f"{encode(c):02x}" for c in _linear(lab))
