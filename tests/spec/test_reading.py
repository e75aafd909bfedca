"""Errors of pydantic in our own words, also through unions and nested models."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from eqcompile.errors import Diagnostic, Refusals, Span
from eqcompile.reading import read_model, refuse_value, shorten, spell_value


def refuse_odd(value: int) -> int:
    if value % 2:
        raise ValueError("an odd number")
    return value


def refuse_braces(value: str) -> str:
    raise refuse_value("braces", f"{value} {{not a template}}", "write {less}")


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    size: int = Field(description="how large")
    kind: str = Field(default="plain", alias="type")


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    even: Annotated[int, AfterValidator(refuse_odd)] = 2
    text: Annotated[str, AfterValidator(refuse_braces)] = ""
    either: int | Inner | list[int] = 1
    many: Annotated[list[Inner], Field(min_length=2)] | None = None
    weight: Annotated[float, Field(gt=0, lt=1)] = 0.5


def list_refusals(value: object) -> list[tuple[str, tuple[str | int, ...], str, str]]:
    with pytest.raises(Refusals) as caught:
        read_model(Outer, value)
    return [(r.rule, r.at, r.text, r.help) for r in caught.value.refusals]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"even": 3}, ("value", ("even",), "an odd number", "see `eqcompile schema`")),
        ({"text": "{x}"}, ("braces", ("text",), "{x} {not a template}", "write {less}")),
        ({"weight": 0}, ("range", ("weight",), "expected above 0, found 0", "write above 0")),
        ({"weight": 2.5}, ("range", ("weight",), "expected below 1, found 2.5", "write below 1")),
        (
            {"either": "1"},
            (
                "type",
                ("either",),
                "expected a whole number or a mapping or a list, found '1'",
                "remove the quotes",
            ),
        ),
        (
            {"either": {"sizes": 1, "size": 2}},
            (
                "unknown-key",
                ("either", "sizes"),
                "unknown key 'sizes'; known: size, type",
                "did you mean 'size'?",
            ),
        ),
        (
            {"either": {"type": "x"}},
            ("missing-key", ("either",), "the key 'size' is missing", "add 'size': how large"),
        ),
        (
            {"either": [1, 2.0]},
            (
                "type",
                ("either", 1),
                "expected a whole number, found 2.0",
                "write 2 without a decimal point",
            ),
        ),
        (
            {"many": [{"size": True}, {"size": 1}]},
            (
                "type",
                ("many", 0, "size"),
                "expected a whole number, found true",
                "write a whole number",
            ),
        ),
        (
            {"many": [{"size": 1}]},
            ("length", ("many",), "expected at least 2 entries, found 1", "write at least 2"),
        ),
    ],
)
def test_refusals_in_our_words(value: object, expected: tuple[Any, ...]) -> None:
    assert list_refusals(value) == [expected]


def test_everything_at_once() -> None:
    found = list_refusals({"even": "2", "either": None, "other": 1, "many": [{}, {"size": 1}]})
    assert [(rule, at) for rule, at, _, _ in found] == [
        ("type", ("even",)),
        ("type", ("either",)),
        ("missing-key", ("many", 0)),
        ("unknown-key", ("other",)),
    ]


def test_a_model_that_fits_is_read() -> None:
    assert read_model(Outer, {"either": {"size": 3}}).either == Inner(size=3)
    with pytest.raises(ValidationError):
        Outer(even=3)


def test_values_are_short() -> None:
    assert spell_value("x" * 100) == repr("x" * 37 + "...")
    values: list[object] = [None, True, [1], {}, 2.5]
    words = ["nothing", "true", "a list of 1", "a mapping", "2.5"]
    assert [spell_value(value) for value in values] == words
    assert shorten("abc", 3) == "abc"


def test_long_lines_are_cut_around_the_place() -> None:
    line = "a" * 200 + "HERE" + "b" * 200
    diagnostic = Diagnostic(Span("spec.yaml", 7, 201, 205), "type", "wrong", "right", line)
    head, shown, caret, help_ = diagnostic.render().splitlines()
    assert head == "spec.yaml:7:201: error[type]: wrong"
    assert help_ == "     = help: right"
    start = caret.index("^")
    assert shown[start : start + 4] == "HERE"
    assert caret.count("^") == 4
    assert len(shown) < 140
    assert shown.startswith("   7 | ...a")
    assert shown.endswith("b...")


def test_tabs_before_a_caret_are_kept() -> None:
    diagnostic = Diagnostic(Span("s", 1, 3, 4), "type", "wrong", "right", "\t x")
    assert diagnostic.render().splitlines()[2] == "     | \t ^"
