"""Options of parameterised layers that do not fit together, each refused where it stands."""

from __future__ import annotations

from collections.abc import Iterator

from eqcompile.actions.sizes import spell_count
from eqcompile.errors import Refusal
from eqcompile.spec.parameterised import (
    CoulombLayer,
    DistanceLayer,
    HomeostaticLayer,
    ParameterisedLayer,
    Rectangle,
    Softening,
    SpectralLayer,
)

MAX_PARAMETERS = 2**32
STABLE_LEAK = 2


def check_options(entry: ParameterisedLayer) -> list[Refusal]:
    """List the options of a layer that its other options rule out."""
    found = list(_check_actions(entry))
    if isinstance(entry, CoulombLayer | DistanceLayer):
        found += _check_pairs(entry)
    elif isinstance(entry, SpectralLayer):
        found += _check_spectral(entry)
    else:
        found += _check_homeostatic(entry)
    return found


def _refuse(key: str, text: str, help: str, *further: str) -> Refusal:
    return Refusal("option", text, help, (key, *further))


def _check_actions(entry: ParameterisedLayer) -> Iterator[Refusal]:
    if entry.actions is None:
        return
    if entry.group is None:
        text = "actions say what a group does, and this layer has none"
        yield Refusal(
            "option", text, "add group: ..., or leave actions out", ("actions",), None, True
        )
        return
    fields = type(entry.actions).model_fields
    given = [fields[name].alias or name for name in entry.actions.model_fields_set]
    wrong = ("neurons",) if isinstance(entry.size, Rectangle) else ("in", "out")
    for key in wrong:
        if key in given:
            text = "a layer with one number as its size has one set of neurons"
            help = "write actions: {neurons: ...}, or size: {in: ..., out: ...}"
            if key == "neurons":
                text = "a layer with neurons in and neurons out has an action on either"
                help = "write actions: {in: ..., out: ...}, or a number as its size"
            yield Refusal("option", text, help, ("actions", key), on_key=True)


def _check_pairs(entry: CoulombLayer | DistanceLayer) -> Iterator[Refusal]:
    d, p = entry.dims.mu, entry.dims.x
    if entry.diagonal != "none" and isinstance(entry.size, Rectangle):
        text = "a layer with neurons in and neurons out has no diagonal"
        yield _refuse("diagonal", text, "leave diagonal out, or write a number as its size")
    if entry.signature is not None and len(entry.signature) != d:
        text = f"the signature has {len(entry.signature)} signs, mu has dimension {d}"
        yield _refuse("signature", text, "give one sign per component of mu")
    if isinstance(entry, CoulombLayer):
        yield from _check_softening(entry)
    yield from _check_count(entry.size, d + p)


def _check_softening(entry: CoulombLayer) -> Iterator[Refusal]:
    given = entry.softening
    if isinstance(given, Softening) and given.learnable and not given.value:
        text = "a learnt softening is positive, so it cannot start at 0"
        yield _refuse("softening", text, "start at 0.1, or leave learnable out", "value")


def _check_spectral(entry: SpectralLayer) -> Iterator[Refusal]:
    rectangular = isinstance(entry.size, Rectangle)
    if entry.asymmetric and rectangular:
        text = "a layer with neurons in and neurons out has u and v as it is"
        yield _refuse("asymmetric", text, "leave asymmetric out, or write a number as its size")
    if entry.imbalance != 1 and not (entry.asymmetric or rectangular):
        text = "imbalance is between u and v, and this layer has q for both"
        yield _refuse("imbalance", text, "add asymmetric: true, or leave imbalance out")
    size = entry.size
    fewest = min(size.inputs, size.outputs) if isinstance(size, Rectangle) else size
    if entry.constraint == "qr" and entry.rank > fewest:
        text = f"{entry.rank} directions are never orthonormal among {fewest} neurons"
        yield _refuse("rank", text, f"write rank: {fewest} or less, or another constraint")
    yield from _check_count(size, entry.rank)


def _check_count(size: int | Rectangle, columns: int) -> Iterator[Refusal]:
    """Refuse more numbers than a layer of parameters by the neuron can hold."""
    neurons = size.inputs + size.outputs if isinstance(size, Rectangle) else size
    if neurons * columns > MAX_PARAMETERS:
        count = spell_count(neurons * columns)
        text = f"the layer has {count} parameters, at most {MAX_PARAMETERS} are served"
        yield Refusal("too-large", text, "use fewer neurons or columns", ("size",))


def _check_homeostatic(entry: HomeostaticLayer) -> Iterator[Refusal]:
    if entry.allow_unstable or 0 <= entry.leak < STABLE_LEAK:
        return
    leak = f"{abs(entry.leak):g}"
    text = (
        "a leak below 0 makes every fixed point of two or more neurons linearly unstable: what "
        f"of W the output does not see is multiplied by 1 + {leak} in every step"
    )
    if entry.leak > 0:
        text = (
            "a leak of 2 or more lets no fixed point of two or more neurons be stable: what of W "
            f"the output does not see is multiplied by 1 - {leak} in every step"
        )
    yield _refuse("leak", text, "write a leak from 0 to below 2, or allow_unstable: true")
