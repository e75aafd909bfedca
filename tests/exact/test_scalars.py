"""The parser of exact numbers: values, round trips, and errors with their place."""

from __future__ import annotations

import pytest
from hypothesis import assume, given

from eqcompile.errors import Refusal
from eqcompile.exact.fields import Scalar, cosine, root
from eqcompile.exact.scalars import parse_scalar
from tests.exact.fields_of import Written, any_scalars, expressions


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (3, Scalar.of(3)),
        (-(10**300), Scalar.of(-(10**300))),
        ("1/2", Scalar.of(1) / 2),
        (" - ( 1 + sqrt( 5 ) ) / 4 ", cosine(2, 5)),
        ("cos(2*2*pi/12)", Scalar.of(1) / 2),
        ("sin(pi/3)/2", root(3) / 4),
        ("sin(-2*pi/7)", -cosine(3, 28)),
        ("cos(pi - pi*2/3)", Scalar.of(1) / 2),
        ("cos(0) + sin(0)", Scalar.of(1)),
        ("sqrt(3/4)", root(3) / 2),
        ("sqrt(sqrt(4)*8)", Scalar.of(4)),
        ("8/2/2", Scalar.of(2)),
        ("1 - 2 - 3", Scalar.of(-4)),
        ("2*-3--1", Scalar.of(-5)),
        ("1+2*3", Scalar.of(7)),
        ("cos(2*pi/5)/cos(2*pi/10)", cosine(1, 5) / cosine(1, 10)),
        ("1" * 1000, Scalar.of(int("1" * 1000))),
    ],
)
def test_values(text: int | str, value: Scalar) -> None:
    assert parse_scalar(text) == value


@given(expressions())
def test_random_expressions_have_the_value_of_floats(written: Written) -> None:
    assume(written.size < 1e6)
    assert float(parse_scalar(written.text)) == pytest.approx(written.value, abs=1e-7, rel=1e-7)


@given(any_scalars())
def test_what_is_written_is_read_back(value: Scalar) -> None:
    assert parse_scalar(str(value)) == value


def test_a_number_of_the_largest_degree_is_read_back() -> None:
    value = cosine(1, 839) * cosine(7, 839) / 3 - 2
    assert parse_scalar(str(value)) == value
    whole = Scalar(value.field, tuple(range(value.field.degree)))
    assert whole.field.degree == 419
    small = sum((cosine(k, 839) for k in range(1, 400)), Scalar.of(0))
    assert parse_scalar(str(small)) == small


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("", (0, 1), "empty"),
        ("  ", (0, 1), "empty"),
        ("1/0", (2, 3), "division by zero"),
        ("1/(sqrt(4) - 2)", (2, 15), "division by zero"),
        ("2 + 0.5", (4, 7), "found '0.5'.*write a fraction"),
        ("1e3", (0, 3), "found '1e3'.*write a fraction"),
        ("1.", (0, 2), "write a fraction"),
        ("x", (0, 1), "expected a number, found 'x'"),
        ("tan(1)", (0, 3), "functions are sqrt, cos, sin"),
        ("sqrt(1-3)", (5, 8), "negative"),
        ("sqrt(sqrt(2))", (5, 12), "rational numbers only"),
        ("sqrt(pi)", (5, 7), "pi stands inside"),
        ("cos(1)", (4, 5), "rational multiple of pi"),
        ("sin(pi*sqrt(2))", (4, 14), "rational multiple of pi"),
        ("cos(pi + 1)", (4, 10), "rational multiple of pi"),
        ("cos(pi*pi)", (4, 9), "two multiples of pi"),
        ("1 + 2*pi", (0, 8), "pi stands inside"),
        ("1/pi", (2, 4), "pi stands inside"),
        ("2pi", (1, 3), r"write a \*"),
        ("2**3", (1, 3), "there are no powers"),
        ("2^3", (1, 2), "there are no powers"),
        ("1 +", (3, 4), "ends here"),
        ("(1", (2, 3), r"expected '\)'"),
        ("1)", (1, 2), r"found '\)'"),
        ("1 2", (2, 3), "found '2'"),
        ("+1", (0, 1), r"found '\+'"),
        ("sqrt 2", (5, 6), r"expected '\('"),
        ("1 ; import os", (2, 3), "unexpected character ';'"),
        ("½", (0, 1), "unexpected character"),
        ("١", (0, 1), "unexpected character"),
        ("__import__('os')", (11, 12), "unexpected character"),
    ],
)
def test_errors_have_their_place(text: str, offset: tuple[int, int], message: str) -> None:
    with pytest.raises(Refusal, match=message) as caught:
        parse_scalar(text)
    assert caught.value.rule == "scalar"
    assert caught.value.offset == offset
    assert caught.value.help


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("1 + " + "9" * 1001, (4, 1005)),
        ("9" * 600 + " * " + "9" * 600, (0, 1203)),
        ("1/" + "9" * 600 + "/" + "9" * 600, (0, 1203)),
        ("2 * cos(2*pi/841)", (4, 17)),
        ("cos(2*pi/" + "1" * 900 + ")", (0, 910)),
        ("-sqrt(211)", (1, 10)),
        ("sqrt(2) + cos(2*pi/839) + 1", (0, 23)),
        ("1 " + "+ 1" * 6000, None),
    ],
)
def test_what_is_too_large_is_refused(text: str, offset: tuple[int, int] | None) -> None:
    with pytest.raises(Refusal) as caught:
        parse_scalar(text)
    assert caught.value.rule == "too-large"
    assert caught.value.offset == offset
    assert len(caught.value.text) < 200


def test_large_integers_are_refused() -> None:
    with pytest.raises(Refusal, match="1000 digits"):
        parse_scalar(10**2000)


def test_depth_is_bounded() -> None:
    assert parse_scalar("(" * 64 + "7" + ")" * 64) == 7
    assert parse_scalar("-" * 10_000 + "7") == 7
    with pytest.raises(Refusal) as caught:
        parse_scalar("(" * 5000 + "7" + ")" * 5000)
    assert caught.value.rule == "too-deep"
    assert caught.value.offset == (64, 65)


@pytest.mark.parametrize("value", [0.5, True, None, [1]])
def test_what_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(Refusal, match="no exact number") as caught:
        parse_scalar(value)  # type: ignore[arg-type]
    assert caught.value.rule == "scalar"
