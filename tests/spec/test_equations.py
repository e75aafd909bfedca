"""Slot equations: what is read is what was written, and what is wrong is refused at its place."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations_with_replacement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eqcompile.errors import Refusal
from eqcompile.exact.fields import Scalar, cosine, root
from eqcompile.spec.equations import MAX_DEPTH, MAX_LENGTH, parse_equation
from eqcompile.spec.slots import LayerSlots, Slot, SlotEquation

ONE = LayerSlots(3, (("x", 3),), ((0,), (1,), (2,)))
TWO = LayerSlots(2, (("x", 3), ("yy", 2)), ((1, 1), (0, 2)))


def slot(output: int, *indices: int) -> Slot:
    return Slot(output, (indices,))


@pytest.mark.parametrize(
    ("text", "terms", "right"),
    [
        ("w[0; 1, 2] == 2*w[0; 0, 1]", {slot(0, 0, 1): -2, slot(0, 1, 2): 1}, 0),
        ("w[0; 0] + w[1; 1] - 1/2 == 0", {slot(0, 0): 1, slot(1, 1): 1}, Fraction(1, 2)),
        ("w[0;2,1]==w [ 0 ; 1 , 2 ] * 3", {slot(0, 1, 2): -2}, 0),
        ("w[0; x.1, 2] == 3", {slot(0, 1, 2): 1}, 3),
        ("w[2] == 3", {slot(2): 1}, 3),
        ("-2*(w[0] - w[1])/4 == -(1 - --1/2)", {slot(0): -0.5, slot(1): 0.5}, Fraction(-1, 2)),
        ("sqrt(2)*w[0] == cos(2*pi/5)", {slot(0): root(2)}, cosine(1, 5)),
        ("w[0]*(1+sqrt(5))/4 == 0", {slot(0): (1 + root(5)) / 4}, 0),
        ("w[0; 1] == w[0; 1]", {}, 0),
        ("0*w[0] == 1", {}, 1),
    ],
)
def test_equations_are_read(text: str, terms: dict[Slot, object], right: object) -> None:
    found = parse_equation(text, ONE)
    wanted = {s: Scalar.of(Fraction(v) if isinstance(v, float) else v) for s, v in terms.items()}  # type: ignore[arg-type]
    assert dict(found.terms) == wanted
    assert found.right == right
    assert [s for s, _ in found.terms] == sorted(wanted)


def test_slots_of_several_inputs_name_them_in_any_order() -> None:
    found = parse_equation("w[0; yy.1, x.2] == w[1; x.0, yy.0]", TWO)
    assert [s for s, _ in found.terms] == [Slot(0, ((2,), (1,))), Slot(1, ((0,), (0,)))]
    assert found.degree == (1, 1)
    assert [TWO.spell_slot(s) for s, _ in found.terms] == ["w[0; x.2, yy.1]", "w[1; x.0, yy.0]"]


@pytest.mark.parametrize(
    ("text", "rule", "part", "said"),
    [
        ("w[0] = 3", "equation", "=", "write =="),
        ("w[0] <= 3", "equation", "<=", "write =="),
        ("w[0] == 1 == 2", "equation", "==", "one equation for each"),
        ("w[0] == 1 2", "equation", "2", "the end or a further term"),
        ("w[0] == 1)", "equation", ")", "the end or a further term"),
        ("(w[0] == 1", "equation", "==", "expected ')'"),
        ("w[0]", "equation", "", "the equation ends here"),
        ("1 == 2", "equation", "1 == 2", "no slot"),
        ("", "equation", "", "empty"),
        ("w[0] == \u00e9", "equation", "\u00e9", "unexpected character"),
        ("2*w[0]*w[1] == 0", "equation", "2*w[0]*w[1]", "not linear"),
        ("1/(1+w[0]) == 0", "equation", "(1+w[0])", "not linear"),
        ("w[0]**2 == 0", "equation", "**", "linear"),
        ("w[0]/(1-1) == 0", "equation", "(1-1)", "division by 0"),
        ("0.5*w[0] == 1", "equation", "0.5", "1/2"),
        ("1e3*w[0] == 1", "equation", "1e3", "exact"),
        ("W[0] == 1", "equation", "W", "slots are called w"),
        ("w == 1", "equation", "w", "w[0; 1, 2]"),
        ("w[0] == pi", "equation", "pi", "cos(...)"),
        ("w[0] == sqr(2)", "equation", "sqr", "did you mean 'sqrt'"),
        ("w[0] == sqrt(w[1])", "equation", "[", "of numbers"),
        ("w[0] == sqrt(2", "equation", "", "expected ')'"),
        ("w[0] == sqrt(-2)", "scalar", "-2", "negative"),
        ("w[0] == cos(1)", "scalar", "1", "multiple of pi"),
        ("w[0, 1] == 0", "equation", ",", "w[output; index"),
        ("w[0;] == 0", "equation", "]", "expected an index"),
        ("w[x.0] == 0", "equation", "x.0", "expected an output"),
        ("w[3] == 0", "unknown-slot", "3", "0 to 2"),
        ("w[0; 1, 5] == 0", "unknown-slot", "5", "0 to 2"),
        ("w[0; 99999999999999999999999] == 0", "unknown-slot", "9" * 23, "0 to 2"),
        ("w[0; y.1] == 0", "unknown-slot", "y", "it has: x"),
        ("w[0] == w[0; 1,1,1]", "unknown-slot", "w[0; 1,1,1]", "of degree 3, the layer has 0"),
        ("w[0] == w[1; 1]", "equation", "w[1; 1]", "of degree 1, the slots before it of degree 0"),
        ("cos(2*pi/7)*cos(2*pi/11)*cos(2*pi/13)*w[0] == 1", "too-large", None, "conductor"),
        ("(" * 65 + "w[0]", "too-deep", "(", "deep"),
        ("w[0]" + "/cos(2*pi/839)" * 7 + " == 1", "too-large", "cos(2*pi/839)", "divide once"),
        ("w[0] == " + "9" * 1001, "too-large", "9" * 1001, "digits"),
        ("w[0] == " + "9" * 900 + "*" + "9" * 900, "too-large", None, "too long"),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(
    text: str, rule: str, part: str | None, said: str
) -> None:
    with pytest.raises(Refusal) as caught:
        parse_equation(text, ONE)
    found = caught.value
    assert found.rule == rule
    assert found.offset is not None
    assert part is None or text[slice(*found.offset)] == part
    assert said in f"{found.text} ({found.help})"


@pytest.mark.parametrize(
    ("text", "part", "said"),
    [
        ("w[0; 1, 0] == 0", "1", "write for example x.1"),
        ("w[0; x.1, y.0] == 0", "y", "did you mean 'yy'"),
        ("w[0; x.1, yy.2] == 0", "2", "no index of yy 2"),
        ("w[0; x.1, x.2] == 0", "w[0; x.1, x.2]", "of degree x:2,yy:0, the layer has x:1,yy:1"),
    ],
)
def test_slots_of_several_inputs_are_checked(text: str, part: str, said: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_equation(text, TWO)
    assert caught.value.rule == "unknown-slot"
    assert text[slice(*(caught.value.offset or (0, 0)))] == part
    assert said in str(caught.value)


def test_lengths_are_bounded() -> None:
    long = "w[0] == 0" + " " * MAX_LENGTH
    with pytest.raises(Refusal, match="at most"):
        parse_equation(long, ONE)
    deep = "(" * MAX_DEPTH + "w[0]" + ")" * MAX_DEPTH
    assert parse_equation(f"{deep} == {'-' * 2000}1", ONE).right == 1


# A random equation is a text and what each side is worth for given values of the slots.

SLOTS = [
    Slot(k, (index,)) for k in range(3) for index in combinations_with_replacement(range(3), 2)
]
VALUES = {s: Scalar.of(Fraction(7 * i + 3, i + 1)) for i, s in enumerate(SLOTS)}
NUMBERS = {
    "3": Scalar.of(3),
    "10": Scalar.of(10),
    "sqrt(3/4)": root(3) / 2,
    "cos(2*pi/5)": cosine(1, 5),
    "(1 - 1/3)": Scalar.of(Fraction(2, 3)),
}
Part = tuple[str, Scalar]

numbers = st.sampled_from(sorted(NUMBERS)).map(lambda text: (text, NUMBERS[text]))


@st.composite
def draw_slot(draw: st.DrawFn) -> Part:
    """Draw a slot, the indices in any order, with any spaces."""
    found = draw(st.sampled_from(SLOTS))
    space = draw(st.sampled_from(["", " ", "\t"]))
    indices = draw(st.permutations(found.indices[0]))
    return f"w{space}[{found.output};{space}{indices[0]},{indices[1]}]", VALUES[found]


@st.composite
def draw_product(draw: st.DrawFn, sums: st.SearchStrategy[Part]) -> Part:
    """Draw a multiple of a slot or of a sum in brackets."""
    text, value = draw(draw_slot() | sums.map(lambda part: (f"({part[0]})", part[1])))
    for _ in range(draw(st.integers(0, 2))):
        factor, number = draw(numbers)
        match draw(st.sampled_from(["left", "right", "over"])):
            case "left":
                text, value = f"{factor}*{text}", number * value
            case "right":
                text, value = f"{text} * {factor}", value * number
            case "over":
                text, value = f"{text}/{factor}", value / number
    sign = draw(st.sampled_from(["", "-", "- -", "+"]))
    return f"{sign}{text}", -value if sign == "-" else value


@st.composite
def draw_sum(draw: st.DrawFn, products: st.SearchStrategy[Part]) -> Part:
    text, value = draw(products)
    for _ in range(draw(st.integers(0, 3))):
        operator = draw(st.sampled_from(["+", "-"]))
        other, more = draw(products | numbers)
        text, value = f"{text} {operator} {other}", value + (more if operator == "+" else -more)
    return text, value


sums = st.recursive(draw_slot(), lambda inner: draw_sum(draw_product(inner)), max_leaves=6)


def evaluate(equation: SlotEquation) -> Scalar:
    """Return what is left of an equation for the given values: left minus right side."""
    total = -equation.right
    for found, factor in equation.terms:
        total = total + factor * VALUES[found]
    return total


@given(left=sums, right=sums | numbers)
def test_equations_mean_what_they_say(left: Part, right: Part) -> None:
    found = parse_equation(f"{left[0]} == {right[0]}", ONE)
    assert evaluate(found) == left[1] - right[1]


def spell(equation: SlotEquation) -> str:
    """Write an equation in one plain way."""
    terms = [f"({value})*{ONE.spell_slot(s)}" for s, value in equation.terms]
    return f"{' + '.join(terms)} == {equation.right}"


@given(left=sums, right=sums | numbers)
def test_what_is_spelled_is_read_again(left: Part, right: Part) -> None:
    found = parse_equation(f"{left[0]} == {right[0]}", ONE)
    if found.terms:
        assert parse_equation(spell(found), ONE) == found


PIECES = ["w[0]", "w[", "]", ";", "1", "2", ",", "x.1", "==", "=", "+", "-", "*", "/", "(", ")"]
PIECES += ["sqrt(", "cos(", "pi", "0", "w", "y.2", "0.5", "1/0", "w[1; 1]", " ", "\n", "\u0663"]


@given(text=st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    refused = [read_or_refuse(text, slots) for slots in (ONE, TWO)]
    for refusal in filter(None, refused):
        assert refusal.offset is not None
        start, end = refusal.offset
        assert 0 <= start < end <= len(text) + 1
        assert refusal.help


def read_or_refuse(text: str, slots: LayerSlots) -> Refusal | None:
    """Read an equation; anything else than a refusal that is raised fails the test."""
    try:
        parse_equation(text, slots)
    except Refusal as refusal:
        return refusal
    return None
