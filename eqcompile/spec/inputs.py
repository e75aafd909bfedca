"""The inputs of a layer: their names, the degrees in each, their channels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import comb, prod

from eqcompile.errors import Refusal
from eqcompile.exact.monomials import partitions
from eqcompile.reading import shorten
from eqcompile.registry import nearest
from eqcompile.spec.model import PolynomialLayer

LONE_INPUT = "x"
"""What the input of a layer is called where the spec gives it no name."""

MAX_INPUTS = 16
MAX_PARTS = 1000

Degree = tuple[int, ...]


def list_inputs(layer: PolynomialLayer) -> tuple[str, ...]:
    """Return the names of the inputs, in the order of the spec."""
    # Images of generators are a model; a mapping left as it is has the names of inputs for keys.
    return tuple(layer.input) if isinstance(layer.input, dict) else (LONE_INPUT,)


def list_channels(layer: PolynomialLayer) -> tuple[int, ...]:
    """Return the number of channels of each input; one number stands for all of them."""
    given = layer.channels.inputs
    if isinstance(given, int):
        return (given,) * len(list_inputs(layer))
    return tuple(given.get(name, 1) for name in list_inputs(layer))


def list_degrees(layer: PolynomialLayer) -> tuple[Degree, ...]:
    """Return the degree in each input of every part of a layer.

    A number is a total degree. The order is by total degree, then highest in the first input.
    """
    names = list_inputs(layer)
    if layer.degree is not None:
        found = [d for total in range(layer.degree + 1) for d in _spread(total, len(names))]
    else:
        found = [degree for entry in layer.degrees or () for degree in _read_degree(entry, names)]
    order = sorted(found, key=lambda degree: (sum(degree), [-d for d in degree]))
    return tuple(dict.fromkeys(order))


def _read_degree(entry: int | dict[str, int], names: Sequence[str]) -> list[Degree]:
    if isinstance(entry, int):
        return list(_spread(entry, len(names)))
    return [tuple(entry.get(name, 0) for name in names)]


def _spread(total: int, count: int) -> Iterator[Degree]:
    """Share a total degree among inputs in every way, first input highest first."""
    if count == 1:
        yield (total,)
        return
    for first in range(total, -1, -1):
        for rest in _spread(total - first, count - 1):
            yield (first, *rest)


def name_degree(names: Sequence[str], degree: Degree) -> str:
    """Name a degree inside the names of what belongs to it: ``2``, or ``x1_y1``."""
    if len(names) == 1:
        return str(degree[0])
    return "_".join(f"{name}{d}" for name, d in zip(names, degree, strict=True) if d)


def name_block(names: Sequence[str], shape: Sequence[Sequence[int]]) -> str:
    """Name one block: ``bias``, ``2``, ``2_11``, ``x1_y1``, ``x2_y1_11_1``.

    Args:
        names: Of the inputs.
        shape: Per input the degree in each of several different channels.
    """
    degree = tuple(sum(parts) for parts in shape)
    if not sum(degree):
        return "bias"
    spelled = ["".join(str(part) for part in parts) for parts in shape if parts]
    split = any(len(parts) > 1 for parts in shape)
    return "_".join((name_degree(names, degree), *(spelled if split else ())))


def check_inputs(layer: PolynomialLayer) -> list[Refusal]:
    """Refuse names that are no input, and layers of too many parts."""
    names = list_inputs(layer)
    if len(names) > MAX_INPUTS:
        text = f"a layer has at most {MAX_INPUTS} inputs, this one {len(names)}"
        return [Refusal("too-large", text, "put some side by side with A + B", ("input",))]
    found = list(_check_names(layer, names))
    if found:
        return found
    parts = _count_parts(layer, len(names))
    if parts > MAX_PARTS:
        key = "degree" if layer.degree is not None else "degrees"
        text = f"there are {parts} ways to share the degree among the inputs"
        help = "list those you need, such as degrees: [{x: 1, y: 1}]"
        return [Refusal("too-large", text, help, (key,))]
    return [*_check_channels(layer), *_check_blocks(layer, names)]


def _check_names(layer: PolynomialLayer, names: Sequence[str]) -> Iterator[Refusal]:
    for i, entry in enumerate(layer.degrees or ()):
        for name in entry if isinstance(entry, dict) else ():
            if name not in names:
                yield _refuse_name(name, names, ("degrees", i, name))
    if isinstance(layer.channels.inputs, dict):
        for name in layer.channels.inputs:
            if name not in names:
                yield _refuse_name(name, names, ("channels", "in", name))
    if isinstance(layer.input, dict) and "self" in names:
        text = "'self' is what a layer calls itself"
        at = ("input", "self")
        yield Refusal("reserved-name", text, "write for example 'my_self'", at, on_key=True)


def _refuse_name(name: str, names: Sequence[str], at: tuple[str | int, ...]) -> Refusal:
    close = nearest(name, list(names))
    text = f"the layer has no input {shorten(name)!r}; it has: {', '.join(names)}"
    help = f"did you mean {close!r}?" if close else "name it under input"
    return Refusal("unknown-name", text, help, at, on_key=True)


def _count_parts(layer: PolynomialLayer, count: int) -> int:
    if layer.degree is not None:
        return comb(layer.degree + count, count)
    return sum(
        comb(entry + count - 1, count - 1) if isinstance(entry, int) else 1
        for entry in layer.degrees or ()
    )


def _check_blocks(layer: PolynomialLayer, names: Sequence[str]) -> Iterator[Refusal]:
    """Refuse too many blocks, and names of inputs that give two of them one name."""
    full = layer.channels.mixing == "full"
    degrees = [[_list_shapes(d, full) for d in degree] for degree in list_degrees(layer)]
    count = sum(prod(map(len, shapes)) for shapes in degrees)
    if count > MAX_PARTS:
        text = f"full mixing has {count} blocks, one per multiplicity of channels"
        help = "write mixing: channelwise or factored"
        yield Refusal("too-large", text, help, ("channels",))
        return
    known: set[str] = set()
    for shapes in degrees:
        for shape in product(*shapes):
            block = name_block(names, shape)
            if block in known:
                text, at = f"these inputs give two parameters the name weight_{block}", ("input",)
                yield Refusal("duplicate-name", text, "let no name of an input end in digits", at)
                return
            known.add(block)


def _list_shapes(degree: int, full: bool) -> list[tuple[int, ...]]:
    if full:
        return list(partitions(degree))
    return [(degree,) if degree else ()]


def _check_channels(layer: PolynomialLayer) -> Iterator[Refusal]:
    inputs, outputs = list_channels(layer), layer.channels.outputs
    if layer.channels.mixing == "depthwise" and any(c != outputs for c in inputs):
        text = "a depthwise layer has as many channels in each input as out"
        yield Refusal("channels", text, f"write in: {outputs}, out: {outputs}", ("channels",))
