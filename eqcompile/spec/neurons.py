"""What a group does to the neurons of a parameterised layer, and to its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from eqcompile.actions.group import Group, Image, Representation
from eqcompile.actions.images import as_matrix, is_signed
from eqcompile.errors import Refusal, not_yet_served
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.signed import SignedPermutation
from eqcompile.spec.parameterised import (
    CoulombLayer,
    DistanceLayer,
    HomeostaticLayer,
    ParameterisedLayer,
    Rectangle,
    SpectralLayer,
)
from eqcompile.spec.positions import Path

NEURONS = {"neurons": "neurons", "in": "neurons in", "out": "neurons out"}
"""The keys under ``actions:`` that say how the group acts on neurons, and what they are."""


@dataclass(frozen=True, slots=True)
class NeuronActions:
    """The actions of one parameterised layer.

    Attributes:
        group: The group.
        inputs: Its action on the neurons in, by signed permutations.
        outputs: That on the neurons out; the same where there is one set of neurons.
        columns: By parameter (``mu``, ``x``, ``q``), the action on its columns.
        written: The keys under ``actions:`` that the spec gives.
    """

    group: Group
    inputs: Representation
    outputs: Representation
    columns: tuple[tuple[str, Representation], ...] = ()
    written: tuple[str, ...] = ()

    def place(self, key: str) -> Path:
        """Return where the spec says what the group does: under ``actions:``, or the group."""
        return ("actions", key) if key in self.written else ("group",)

    def list_signed(self, neurons: Representation, *, signed: bool) -> list[SignedPermutation]:
        """Return the images of the generators on neurons, with their signs or without."""
        images = [image for image in neurons.images if isinstance(image, SignedPermutation)]
        return images if signed else [SignedPermutation.unsigned(g.perm) for g in images]


def refuse_group(group: Group) -> Refusal | None:
    """Refuse a group that is more, or less, than its generators."""
    if group.nominal is not None:
        what = "a symmetric group of any size over the neurons of a layer"
        return not_yet_served(what, "write the number of neurons")
    if group.fibration is not None:
        what = "the fibration symmetry of a graph over the neurons of a layer"
        return not_yet_served(what, "write symmetry: automorphisms")
    return None


def spell_action(key: str) -> str:
    """Return what messages call the action under a key of ``actions:``."""
    return f"the action on {'the ' + NEURONS[key] if key in NEURONS else key}"


def list_columns(entry: ParameterisedLayer) -> dict[str, int]:
    """Return the parameters whose columns a group may act on, with the number of these."""
    if isinstance(entry, CoulombLayer | DistanceLayer):
        return {"mu": entry.dims.mu, "x": entry.dims.x}
    return {"q": entry.rank} if isinstance(entry, SpectralLayer) else {}


def complete_actions(
    entry: ParameterisedLayer, group: Group, given: Mapping[str, Representation]
) -> NeuronActions:
    """Add what the spec leaves out: V on the neurons, the trivial action on columns.

    Args:
        entry: The layer.
        group: Its group.
        given: The actions the spec has, by their keys.
    """
    defining = Representation("V", group.dim, group.generators, group.algebra)
    square = given.get("neurons", defining)
    rectangular = isinstance(entry.size, Rectangle)
    columns = tuple(
        (name, given.get(name) or _stay_put(group, dim))
        for name, dim in list_columns(entry).items()
    )
    return NeuronActions(
        group,
        given.get("in", defining) if rectangular else square,
        given.get("out", defining) if rectangular else square,
        columns,
        tuple(given),
    )


def _stay_put(group: Group, dim: int) -> Representation:
    images = (SignedPermutation.identity(dim),) * len(group.generators)
    algebra = (Matrix.zero(dim, dim),) * len(group.algebra)
    return Representation(f"{dim} 1" if dim > 1 else "1", dim, images, algebra)


def check_neurons(entry: ParameterisedLayer, actions: NeuronActions) -> list[Refusal]:
    """Refuse what is no action on the neurons of a layer, or on the columns of its parameters."""
    size = entry.size
    if isinstance(size, Rectangle):
        sides = [("in", actions.inputs, size.inputs), ("out", actions.outputs, size.outputs)]
    else:
        sides = [("neurons", actions.inputs, size)]
    found = []
    for key, action, count in sides:
        refused = _check_side(entry, actions.group, key, action, count)
        found += [refused.move(actions.place(key))] if refused is not None else []
    if found:
        return found
    return [refusal for refusal in _check_columns(entry, actions) if refusal is not None]


def _check_side(
    entry: ParameterisedLayer, group: Group, key: str, action: Representation, count: int
) -> Refusal | None:
    what = NEURONS[key]
    wrong = next((i for i in range(len(action.images)) if not is_signed(action, i)), None)
    if wrong is None and group.algebra:
        wrong = len(action.images)
    if wrong is not None:
        text = f"the generator {group.labels[wrong]} of {group.name} does not permute the {what}"
        help = f"use a group that permutes them up to sign, or give actions: {{{key}: ...}}"
        return Refusal("neurons", text, help)
    if action.dim != count:
        text = f"{group.name} acts on {action.dim} {what} by {action.text}, the layer has {count}"
        help = f"write another size, or how the group acts: actions: {{{key}: ...}}"
        return Refusal("neurons", text, help)
    unsigned = (isinstance(g, SignedPermutation) and g.is_unsigned for g in action.images)
    if isinstance(entry, HomeostaticLayer) and not all(unsigned):
        text = "a homeostatic layer divides, and that does not commute with signs of neurons"
        return Refusal("neurons", text, "use a group that permutes the neurons without signs")
    return None


def _check_columns(entry: ParameterisedLayer, actions: NeuronActions) -> Iterator[Refusal | None]:
    dims = list_columns(entry)
    for name, action in actions.columns:
        refused = _check_dim(name, dims[name], action)
        if refused is None and isinstance(entry, SpectralLayer):
            refused = _check_directions(entry, actions.group, action)
        elif refused is None and isinstance(entry, CoulombLayer | DistanceLayer):
            signature = entry.signature if name == "mu" else None
            refused = _check_product(name, actions.group, action, signature)
        yield refused.move(actions.place(name)) if refused is not None else None


def _check_dim(name: str, dim: int, action: Representation) -> Refusal | None:
    if action.dim == dim:
        return None
    text = f"{name} has {dim} columns, the group acts on {action.dim} by {action.text}"
    return Refusal("columns", text, f"give an action of dimension {dim}")


def _check_directions(entry: SpectralLayer, group: Group, action: Representation) -> Refusal | None:
    for i, image in enumerate(action.images):
        if not is_signed(action, i):
            text = f"the generator {group.labels[i]} of {group.name} mixes directions"
            help = "give an action that permutes them up to sign, since each has its own lam"
            return Refusal("columns", text, help)
        if entry.constraint == "qr" and not _is_identity(image):
            text = "directions that qr makes orthonormal cannot be permuted"
            return Refusal("columns", text, "leave actions: {q: ...} out, or use column_norm")
    return None


def _is_identity(image: Image) -> bool:
    return isinstance(image, SignedPermutation) and image.is_identity


def _check_product(
    name: str, group: Group, action: Representation, signature: tuple[int, ...] | None
) -> Refusal | None:
    """Refuse a generator that does not keep lengths, or the inner product of a signature."""
    squares = list(action.squares) or [Fraction(1)] * action.dim
    products = [("lengths", squares)]
    if signature is not None and len(signature) == action.dim:
        pairs = zip(squares, signature, strict=True)
        products.append(("the signature", [square * sign for square, sign in pairs]))
    for label, image in zip(group.labels, action.images, strict=False):
        for what, weights in products:
            product = Matrix.from_entries(
                action.dim, action.dim, [(i, i, weight) for i, weight in enumerate(weights)]
            )
            if not _keeps(image, product, np.array(weights, dtype=object)):
                text = f"the generator {label} of {group.name} does not keep {what} of {name}"
                help = "give orthogonal matrices"
                if what != "lengths":
                    help = "give matrices that act apart on components of either sign"
                return Refusal("columns", text, help)
    return None


def _keeps(image: Image, product: Matrix, weights: np.ndarray) -> bool:
    if isinstance(image, SignedPermutation):
        return bool(np.all(weights[image.perm] == weights))
    matrix = as_matrix(image)
    return matrix.transpose() @ product @ matrix == product
