"""From a file, a text or a dict to a `Spec`, or to every error in it at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as Folder
from typing import Any

from pydantic import BaseModel

from eqcompile.actions.group import GroupEntry
from eqcompile.errors import Refusal, Refusals
from eqcompile.reading import read_model, spell_value
from eqcompile.spec.actions import ActionBuilder, LayerActions
from eqcompile.spec.any_size import check_any_size
from eqcompile.spec.bounds import check_size
from eqcompile.spec.constraints import check_constraints
from eqcompile.spec.inputs import check_inputs
from eqcompile.spec.model import Document, PolynomialLayer
from eqcompile.spec.neurons import NeuronActions
from eqcompile.spec.parameterised import MODELS, PARAMETERISED, ParameterisedLayer
from eqcompile.spec.parameterised_checks import check_parameterised
from eqcompile.spec.positions import Leaf, Located, strip_places, walk_leaves
from eqcompile.spec.sources import SpecSource, open_source
from eqcompile.spec.unserved import list_unserved
from eqcompile.spec.yaml_tree import read_yaml

Actions = LayerActions | NeuronActions | None


@dataclass(frozen=True, slots=True)
class Spec:
    """A spec without errors.

    Attributes:
        document: What it says.
        source: How it was written; gives later refusals their place.
        folder: Where the files stand that it names.
        digest: SHA-256 of its content, the same for two ways of writing the same thing.
        actions: The group and representations of each layer; None where a layer has no group.
    """

    document: Document
    source: Located
    folder: Folder
    digest: str
    actions: tuple[Actions, ...]

    def list_polynomial(self) -> tuple[tuple[int, PolynomialLayer, LayerActions], ...]:
        """Return every polynomial layer with its place and its actions."""
        layers = enumerate(zip(self.document.layers, self.actions, strict=True))
        return tuple(
            (index, entry, actions)
            for index, (entry, actions) in layers
            if isinstance(entry, PolynomialLayer) and isinstance(actions, LayerActions)
        )

    def list_parameterised(
        self,
    ) -> tuple[tuple[int, ParameterisedLayer, NeuronActions | None], ...]:
        """Return every parameterised layer with its place and what a group does to its neurons."""
        layers = enumerate(zip(self.document.layers, self.actions, strict=True))
        return tuple(
            (index, entry, actions if isinstance(actions, NeuronActions) else None)
            for index, (entry, actions) in layers
            if isinstance(entry, PARAMETERISED)
        )


def load(source: SpecSource) -> Spec:
    """Read a spec.

    Args:
        source: A path; a YAML text (or a path as a string: it names a file, or is one line that
            ends in ``.yaml`` or ``.yml``); or the plain data of a spec as a dict.

    Raises:
        SpecError: Every error of the spec, in order of place.
    """
    text, folder = open_source(source)
    located = read_yaml(text)
    data = strip_places(located.root)
    if not isinstance(data, dict):
        found = f"a spec is a mapping, this is {spell_value(data)}"
        raise located.locate((Refusal("type", found, "start with 'version: 1'"),))
    structural = _list_structural(data, located)
    builder = ActionBuilder(data, folder)
    actions = builder.build()
    later = [*_list_repeated(data, located), *list_unserved(data), *builder.refusals]
    later += _list_oversized(data, actions)
    refusals = [*structural, *(r for r in later if not _follows(r, structural))]
    if refusals:
        raise located.locate(refusals)
    document = read_model(Document, data)
    return Spec(document, located, folder, digest_document(document), actions)


def digest_document(document: Document) -> str:
    """Return the SHA-256 of what a spec says; defaults count as left out."""
    return hashlib.sha256(json.dumps(_canonise(document), sort_keys=True).encode()).hexdigest()


def _canonise(value: object) -> object:
    """Return the plain data of a model without what has its default value."""
    if isinstance(value, GroupEntry):
        return value.root
    if isinstance(value, BaseModel):
        fields = type(value).model_fields.items()
        given = ((f.alias or name, f.default, getattr(value, name)) for name, f in fields)
        return {name: _canonise(entry) for name, default, entry in given if entry != default}
    if isinstance(value, dict):
        return {key: _canonise(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_canonise(entry) for entry in value]
    return value


def _list_structural(data: object, located: Located) -> list[Refusal]:
    """List what breaks the shape of the language; nothing may be left empty."""
    found: list[Refusal] = []
    try:
        read_model(Document, data)
    except Refusals as refusals:
        found += refusals.refusals
    for at, leaf in walk_leaves(located.root):
        if leaf.value is None and not any(refusal.at == at for refusal in found):
            found.append(_refuse_empty(leaf).move(at))
    return found


def _refuse_empty(leaf: Leaf) -> Refusal:
    help = "write a value, or leave the key out"
    return Refusal("type", "expected a value, found nothing", help)


def _list_repeated(data: Mapping[str, Any], located: Located) -> list[Refusal]:
    """Refuse a second layer or network of the same name."""
    found: list[Refusal] = []
    first: dict[str, tuple[str | int, ...]] = {}
    for key in ("layers", "networks"):
        entries = data.get(key)
        for i, entry in enumerate(entries if isinstance(entries, list) else ()):
            name = entry.get("name") if isinstance(entry, dict) else None
            if not isinstance(name, str):
                continue
            at = (key, i, "name")
            if name in first:
                line = located.place(first[name]).line
                text = f"a second {name!r}, the first is on line {line}"
                found.append(Refusal("duplicate-name", text, "give each a name of its own", at))
            first.setdefault(name, at)
    return found


def _list_oversized(data: Mapping[str, Any], actions: tuple[Actions, ...]) -> list[Refusal]:
    found: list[Refusal] = []
    for i, built in enumerate(actions):
        entry = data["layers"][i]
        family = entry.get("family", "polynomial") if isinstance(entry, dict) else None
        try:
            if isinstance(family, str) and family in MODELS:
                layer = read_model(MODELS[family], entry)
                refused = check_parameterised(layer, built)
            else:
                refused = _check_polynomial(read_model(PolynomialLayer, entry), built)
        except Refusals:
            continue
        found += [refusal.move(("layers", i)) for refusal in refused]
    return found


def _check_polynomial(layer: PolynomialLayer, built: Actions) -> list[Refusal]:
    refused = check_inputs(layer)
    if refused or not isinstance(built, LayerActions):
        return refused
    if built.powers is not None:
        return check_any_size(layer, built.powers)
    return check_size(layer, built) or check_constraints(layer, built)


def _follows(refusal: Refusal, structural: list[Refusal]) -> bool:
    """Whether a refusal is of a value whose very kind is already refused."""
    return any(
        s.at == refusal.at or (s.rule == "type" and s.at == refusal.at[: len(s.at)])
        for s in structural
        if s.at
    )


def read_files(spec: Spec) -> dict[str, str]:
    """Return the text of every file that the groups of a spec name, by its path in the spec."""
    data = strip_places(spec.source.root)
    return {name: (spec.folder / name).read_text() for name in sorted(set(_list_files(data)))}


def _list_files(data: object) -> Iterator[str]:
    if isinstance(data, list):
        for entry in data:
            yield from _list_files(entry)
    if isinstance(data, dict):
        graph = data.get("graph")
        if isinstance(graph, dict) and isinstance(graph.get("file"), str):
            yield graph["file"]
        for entry in data.values():
            yield from _list_files(entry)
