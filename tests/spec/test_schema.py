"""The JSON Schema and the loader agree on every spec of the tests, and on mutations of them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from eqcompile.actions.group import GROUPS
from eqcompile.errors import SpecError
from eqcompile.reading import STRUCTURAL_RULES
from eqcompile.spec.positions import Located, Source, strip_places
from eqcompile.spec.schema import json_schema
from eqcompile.spec.sources import render_plain
from eqcompile.spec.yaml_tree import read_yaml
from tests.spec.cases import HERE, VALID, WRONG, list_rules, make_validator


def read_plain(path: Path) -> Any:
    """Return the plain data of a spec, or None if it is no YAML."""
    try:
        located: Located = read_yaml(Source(str(path), path.read_text(encoding="utf-8")))
    except (SpecError, UnicodeDecodeError):
        return None
    return strip_places(located.root)


READABLE = [path for path in (*VALID, *WRONG) if read_plain(path) is not None]
PLAIN = [read_plain(path) for path in READABLE if isinstance(read_plain(path), dict)]


def check_agreement(valid: bool, rules: list[str]) -> None:
    """A spec the schema refuses is refused; one that breaks a structural rule is invalid."""
    assert valid or rules
    assert not (valid and STRUCTURAL_RULES.intersection(rules))


def test_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(json_schema())


def test_schema_has_every_group_family() -> None:
    options = json_schema()["$defs"]["GroupEntry"]["anyOf"]
    names = {option["$ref"].removeprefix("#/$defs/") for option in options if "$ref" in option}
    assert names == {family.arguments.__name__ for _, family in GROUPS.items()}


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_valid_specs_are_valid(path: Path) -> None:
    assert list_rules(path) == []
    make_validator().validate(read_plain(path))


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.stem)
def test_schema_agrees_with_the_loader(path: Path) -> None:
    check_agreement(make_validator().is_valid(read_plain(path)), list_rules(path))


def test_the_whole_language_is_in_the_schema() -> None:
    path = HERE / "errors" / "not-yet-served-language.yaml"
    make_validator().validate(read_plain(path))
    assert set(list_rules(path)) == {"not-yet-served"}


def test_schema_refuses_and_accepts() -> None:
    """The agreement is not that of two who say the same about everything."""
    verdicts = {make_validator().is_valid(read_plain(path)) for path in WRONG if path in READABLE}
    assert verdicts == {True, False}


SCALARS: list[Any] = [None, True, 0, 1, 2, -1, 2.0, 2.5, 10**6, "", "V", "any", "a\n", "Board"]
LISTS: list[Any] = [[], [0], [[1, 0]], ["(0 1)"]]
MAPPINGS: list[Any] = [{}, {"x": "V"}, {"permutations": [[1, 0]]}, {"cyclic": 2}, {"in": 2}]
VALUES = st.sampled_from([*SCALARS, *LISTS, *MAPPINGS])
WORDS = ["x", "name", "degree", "degrees", "group", "form", "matrices", "n", "V"]
OPTIONS = ["family", "size", "rank", "softening", "positions", "actions", "neurons", "in"]
KEYS = st.sampled_from([*WORDS, *OPTIONS])


def list_places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the path of every value inside a spec."""
    entries: Any = ()
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value)
    return [at, *(place for key, entry in entries for place in list_places(entry, (*at, key)))]


@st.composite
def mutate(draw: st.DrawFn) -> Any:
    """Draw a spec with one value replaced, removed or added."""
    data = copy.deepcopy(draw(st.sampled_from(PLAIN)))
    at = draw(st.sampled_from(list_places(data)))
    owner = data
    for part in at[:-1]:
        owner = owner[part]
    place = owner[at[-1]] if at else data
    match draw(st.sampled_from(["replace", "remove", "add"])):
        case "replace" if at:
            owner[at[-1]] = draw(VALUES)
        case "remove" if at:
            del owner[at[-1]]
        case "add" if isinstance(place, dict):
            place[draw(KEYS)] = draw(VALUES)
        case "add" if isinstance(place, list):
            place.append(draw(VALUES))
    return data


@given(mutate())
def test_schema_agrees_with_the_loader_on_mutations(data: Any) -> None:
    check_agreement(make_validator().is_valid(data), list_rules(render_plain(data).text))
