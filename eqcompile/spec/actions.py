"""The groups and representations of a spec, built from its plain data, every refusal collected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path as Folder
from typing import Any, TypeVar

import eqcompile.actions.families  # noqa: F401  (registers the group families)
from eqcompile.actions.expressions import build_representation
from eqcompile.actions.fibrations import ON_FIBRATIONS, refuse_action
from eqcompile.actions.group import Environment, Group, Representation
from eqcompile.actions.syntax import parse_expression
from eqcompile.actions.tensor_powers import read_tensor_powers
from eqcompile.errors import Refusal, Refusals, not_yet_served
from eqcompile.exact.fields import RATIONALS, Field
from eqcompile.exact.matrices import Matrix
from eqcompile.exact.multigraphs import Terms
from eqcompile.reading import read_model
from eqcompile.spec.entries import IMAGE_KEYS, Images
from eqcompile.spec.images import read_images
from eqcompile.spec.inputs import LONE_INPUT
from eqcompile.spec.neurons import (
    NeuronActions,
    complete_actions,
    refuse_group,
    spell_action,
)
from eqcompile.spec.parameterised import ACTIONS_OF, MODELS, ParameterisedLayer
from eqcompile.spec.positions import Path

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LayerActions:
    """The actions of one layer: a group and representations of it, the inputs by name.

    Attributes:
        group: The group.
        inputs: The representation of each input.
        output: That of the output.
        powers: Where the group is S_n for any n: the input and the output as tensor powers. The
            representations are then those for n = 2.
    """

    group: Group
    inputs: tuple[tuple[str, Representation], ...]
    output: Representation
    powers: tuple[Terms, Terms] | None = None


@dataclass(slots=True)
class ActionBuilder:
    """Builds what the plain data of a spec says about actions.

    The data may be wrong anywhere: what is not well-formed is passed over, since the models of the
    language say so, and what only refers to something broken is passed over as well.

    Attributes:
        data: The plain data of the spec.
        folder: Folder of the spec.
        refusals: Everything that is wrong, in order of discovery.
    """

    data: Mapping[str, Any]
    folder: Folder
    refusals: list[Refusal] = field(default_factory=list)
    _groups: dict[str, Group] = field(default_factory=dict)
    _named: dict[str, tuple[Group, Representation]] = field(default_factory=dict)

    def build(self) -> tuple[LayerActions | NeuronActions | None, ...]:
        """Build all groups, then the named representations, then the actions of each layer.

        Returns:
            One entry per layer; None where something is wrong or the layer has no group.
        """
        for name, entry in _entries(self.data, "groups"):
            group = self._build_group(entry, ("groups", name))
            if group is not None:
                self._groups[name] = group
        for name, entry in _entries(self.data, "representations"):
            self._build_named(name, entry)
        layers = self.data.get("layers")
        if not isinstance(layers, list):
            return ()
        return tuple(self._build_layer(layer, ("layers", i)) for i, layer in enumerate(layers))

    def _attempt(self, at: Path, build: Callable[[], T]) -> T | None:
        """Build something of the value at ``at``; keep the refusals, if any."""
        try:
            return build()
        except Refusals as several:
            self.refusals += [refusal.move(at) for refusal in several.refusals]
        except Refusal as refusal:
            self.refusals.append(refusal.move(at))
        return None

    def _build_group(self, entry: object, at: Path) -> Group | None:
        if not isinstance(entry, str | dict):
            return None
        try:
            return Environment(self._groups, self.folder).build(entry)
        except Refusals as several:
            for refusal in several.refusals:
                self._keep_group_refusal(refusal.move(at), _find(entry, refusal.at))
        return None

    def _keep_group_refusal(self, refusal: Refusal, value: object) -> None:
        """Keep a refusal of a group, unless it only says that a broken group is not there."""
        names = [name for name, _ in _entries(self.data, "groups")]
        if refusal.rule == "unknown-name" and value in names:
            if refusal.at[0] != "groups" or names.index(str(value)) < names.index(
                str(refusal.at[1])
            ):
                return
            text = f"the group {value!r} is not defined above this place"
            help = f"move {value!r} up, before the groups made of it"
            if refusal.at[1] == value:
                help = "write a family here"
            refusal = replace(refusal, text=text, help=help)
        self.refusals.append(refusal)

    def _build_named(self, name: str, entry: object) -> None:
        if not isinstance(entry, dict):
            return
        at: Path = ("representations", name)
        group = self._build_group(entry.get("of"), (*at, "of"))
        images = {key: value for key, value in entry.items() if key != "of"}
        if group is None or not set(images) <= set(IMAGE_KEYS):
            return
        if group.nominal is not None:
            what = "a representation by images of a symmetric group of any size"
            help = "write an expression in the layers themselves"
            self.refusals.append(not_yet_served(what, help, at=(*at, "of")))
            return
        built = self._build_images(images, group, at, f"the representation {name}")
        if built is not None:
            self._named[name] = group, replace(built, text=name)

    def _build_layer(self, layer: object, at: Path) -> LayerActions | NeuronActions | None:
        if not isinstance(layer, dict):
            return None
        family = layer.get("family", "polynomial")
        if family != "polynomial":
            model = MODELS.get(family) if isinstance(family, str) else None
            return None if model is None else self._build_neurons(layer, model, at)
        group = self._build_group(layer.get("group"), (*at, "group"))
        if group is None:
            return None
        if group.nominal is not None:
            return self._build_powers(layer, group, at)
        inputs = self._build_inputs(layer.get("input"), group, (*at, "input"))
        output = self._build_action(layer.get("output"), group, (*at, "output"), "the output")
        if inputs is None or output is None:
            return None
        actions = (*(action for _, action in inputs), output)
        if self._attempt((*at, "group"), lambda: _join_fields(group, actions)) is None:
            return None
        return LayerActions(group, inputs, output)

    def _build_powers(
        self, layer: Mapping[str, Any], group: Group, at: Path
    ) -> LayerActions | None:
        """Build the actions of a layer of S_n for any n, which expressions alone can say."""
        found = []
        for key in ("input", "output"):
            value = layer.get(key)
            if isinstance(value, list | dict):
                what = f"an {key} other than an expression, for a symmetric group of any size,"
                help = "write V, V ** 2, Sym(V, 2) or a sum"
                self.refusals.append(not_yet_served(what, help, at=(*at, key)))
            elif isinstance(value, str) or (value == 1 and not isinstance(value, bool | float)):
                read = partial(read_tensor_powers, str(value))
                terms = self._attempt((*at, key), read)
                if terms is not None:
                    found.append((str(value), terms))
        if len(found) < 2:
            return None
        actions = [build_representation(text, group, {}) for text, _ in found]
        powers = (found[0][1], found[1][1])
        return LayerActions(group, ((LONE_INPUT, actions[0]),), actions[1], powers)

    def _build_neurons(
        self, layer: Mapping[str, Any], model: type[ParameterisedLayer], at: Path
    ) -> NeuronActions | None:
        """Build what the group of a parameterised layer does, if it has one."""
        group = self._build_group(layer.get("group"), (*at, "group"))
        if group is None:
            return None
        refused = refuse_group(group)
        if refused is not None:
            self.refusals.append(refused.move((*at, "group")))
            return None
        known = {f.alias or name for name, f in ACTIONS_OF[model].model_fields.items()}
        given = [(key, value) for key, value in _entries(layer, "actions") if key in known]
        built = {
            key: self._build_action(value, group, (*at, "actions", key), spell_action(key))
            for key, value in given
        }
        found = {key: action for key, action in built.items() if action is not None}
        if len(found) < len(built):
            return None
        if self._attempt((*at, "group"), lambda: _join_fields(group, [*found.values()])) is None:
            return None
        try:
            return complete_actions(read_model(model, layer), group, found)
        except Refusals:
            return None

    def _build_inputs(
        self, value: object, group: Group, at: Path
    ) -> tuple[tuple[str, Representation], ...] | None:
        """Build the action on each input, by name."""
        if not isinstance(value, dict) or not value or set(value) <= set(IMAGE_KEYS):
            lone = self._build_action(value, group, at, "the input")
            return None if lone is None else ((LONE_INPUT, lone),)
        built = [
            (name, self._build_action(entry, group, (*at, name), f"the input {name}"))
            for name, entry in value.items()
        ]
        found = tuple((name, action) for name, action in built if action is not None)
        return found if len(found) == len(built) else None

    def _build_action(
        self, value: object, group: Group, at: Path, what: str
    ) -> Representation | None:
        if isinstance(value, bool | float) or value is None:
            return None
        if group.fibration is not None and str(value).strip() not in ON_FIBRATIONS:
            self.refusals.append(refuse_action().move(at))
            return None
        if isinstance(value, str) or value == 1:
            return self._attempt(at, lambda: self._evaluate(str(value), group))
        if isinstance(value, list):
            return self._build_images({"permutations": value}, group, at, what, bare=True)
        if isinstance(value, dict) and set(value) <= set(IMAGE_KEYS):
            return self._build_images(value, group, at, what)
        return None

    def _evaluate(self, text: str, group: Group) -> Representation | None:
        """Evaluate an expression; None if it names a representation that is broken itself."""
        given = {name for name, _ in _entries(self.data, "representations")}
        own = {n: r for n, (of, r) in self._named.items() if _is_same(of, group)}
        for part in parse_expression(text).list_names():
            name = part.name
            if name in self._named and name not in own:
                other = self._named[name][0].name
                found = f"{name!r} is a representation of {other}, not of {group.name}"
                help = "use a representation of the layer's group, with the same generators"
                raise Refusal("other-group", found, help, offset=(part.start, part.end))
            if name in given - set(own):
                return None
        return build_representation(text, group, own)

    def _build_images(
        self, value: Mapping[str, Any], group: Group, at: Path, what: str, *, bare: bool = False
    ) -> Representation | None:
        """Build a representation from its images, checked against the group.

        Args:
            value: Images as a mapping; ``bare`` where the spec has just the list under its key.
            group: The group they are images of.
            at: Where they stand.
            what: What messages call them.
            bare: Whether refusals stand in a list without a key.
        """
        try:
            model = read_model(Images, value)
        except Refusals:
            return None
        return self._attempt(at, lambda: read_images(model, group, what, bare=bare))


def _is_same(left: Group, right: Group) -> bool:
    return left.generators == right.generators and left.algebra == right.algebra


def _join_fields(group: Group, actions: Sequence[Representation]) -> Field:
    """Return the field that all numbers of a layer lie in.

    Raises:
        Refusal: No field that is served contains them (rule ``too-large``).
    """
    images = [*group.generators, *group.algebra]
    images += [image for action in actions for image in (*action.images, *action.algebra)]
    joined = RATIONALS
    for image in images:
        if isinstance(image, Matrix):
            joined = joined.join(image.field)
    return joined


def _entries(data: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    value = data.get(key)
    return list(value.items()) if isinstance(value, dict) else []


def _find(value: Any, at: Path) -> object:
    """Return the value at a path, None where it cannot be followed."""
    for part in at:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value
