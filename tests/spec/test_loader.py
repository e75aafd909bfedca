"""Where specs come from, what YAML they are, and that nothing but `SpecError` ever comes out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eqcompile.errors import Refusal, SpecError
from eqcompile.spec import Spec, load, read_files
from eqcompile.spec.loader import digest_document
from eqcompile.spec.positions import strip_places
from eqcompile.spec.sources import MAX_BYTES, render_plain
from eqcompile.spec.yaml_tree import read_yaml
from tests.spec.cases import HERE, VALID, WRONG, read_actions

STARTER = HERE / "valid" / "starter.yaml"
LAYER = {"name": "Quad", "group": {"cyclic": 4}, "input": "V", "output": "V", "degree": 2}
PLAIN: dict[str, Any] = {"version": 1, "package": "nets", "layers": [LAYER]}
TEXT = """\
version: 1
package: nets
layers:
  - {name: Quad, group: {cyclic: 4}, input: V, output: V, degree: 2}
"""


def load_error(source: Path | str | dict[str, Any]) -> str:
    with pytest.raises(SpecError) as caught:
        load(source)
    return str(caught.value)


def load_or_refuse(source: Path | dict[str, Any]) -> Spec | str:
    """Load a spec or spell its errors; anything else that is raised fails the test."""
    try:
        return load(source)
    except SpecError as error:
        return str(error)


def test_a_spec_comes_from_a_path_a_text_or_a_dict(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(TEXT)
    specs = [load(path), load(str(path)), load(TEXT), load(PLAIN)]
    assert len({spec.digest for spec in specs}) == 1
    assert all(spec.document == specs[0].document for spec in specs)
    assert [spec.source.path for spec in specs] == [str(path), str(path), "<text>", "<dict>"]
    assert specs[0].folder == specs[1].folder == tmp_path
    assert specs[0].source.text == TEXT


def test_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert load(path).digest == load(TEXT).digest == load("\ufeff" + TEXT).digest
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r").replace("cyclic", "cylic").encode())
    assert load_error(path).startswith(f"{path}:4:26: error[unknown-group]")


def test_defaults_and_order_do_not_change_the_digest_but_content_does() -> None:
    spelled = {**LAYER, "family": "polynomial", "channels": {"in": 1, "out": 1, "mixing": "full"}}
    same = {"layers": [spelled], "emit": {"dtype": "float32"}, "package": "nets", "version": 1}
    assert load(same).digest == load(PLAIN).digest
    for change in ({"degree": 3}, {"output": "1"}, {"name": "Other"}, {"channels": {"in": 2}}):
        assert load({**PLAIN, "layers": [{**LAYER, **change}]}).digest != load(PLAIN).digest
    assert digest_document(load(PLAIN).document) == load(PLAIN).digest


def test_words_of_yaml_1_1_are_strings() -> None:
    text = TEXT.replace("nets", "on").replace("{cyclic: 4}", "no")
    spec = load(text + "groups: {yes: {cyclic: 3}, no: {cyclic: 4}, on: {cyclic: 5}}\n")
    assert spec.document.package == "on"
    assert list(spec.document.groups) == ["yes", "no", "on"]
    assert read_actions(spec).group.name == "C_4"


def test_a_lone_1_is_the_trivial_representation() -> None:
    for written in (1, "1"):
        spec = load({**PLAIN, "layers": [{**LAYER, "output": written}]})
        assert read_actions(spec).output.dim == 1
    assert "error[type]" in load_error({**PLAIN, "layers": [{**LAYER, "output": True}]})


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("V + Vee", "7:16"),
        ("'V + Vee'", "7:17"),
        ('"V + Vee"', "7:17"),
        ('"V \\u002b Vee"', "7:12"),
        ("V +\n      Vee", "7:12"),
        (">-\n      V + Vee", "7:12"),
        ("&later V + Vee\n    form: *later", "7:23"),
    ],
)
def test_the_caret_stands_inside_an_expression_where_it_can(written: str, place: str) -> None:
    text = f"""\
version: 1
package: nets
layers:
  - name: Quad
    group: {{cyclic: 4}}
    degree: 2
    input: {written}
    output: V
"""
    error = load_error(text)
    assert f"<text>:{place}: error[unknown-representation]" in error


def test_dicts_are_refused_in_place_of_the_text_they_stand_for() -> None:
    error = load_error({**PLAIN, "layers": [{**LAYER, "group": {"cylic": 4}}]})
    assert error.startswith("<dict>:7:7: error[unknown-group]: unknown group 'cylic'")


def test_only_plain_data_is_a_spec() -> None:
    assert load_error({**PLAIN, "layers": [{**LAYER, "degree": {1}}]}) == (
        "<dict>:1:1: error[not-plain]: layers.0.degree: a spec is plain data, found a set\n"
        "     = help: use dict, list, str, int, float and bool; arrays have tolist()"
    )
    assert "error[not-plain]" in load_error({("a",): 1})  # type: ignore[dict-item]
    assert "error[control-character]" in load_error({**PLAIN, "package": "\ud800"})
    assert "error[number]" in load_error({**PLAIN, "version": float("inf")})
    assert "error[number]" in load_error({**PLAIN, "version": 10**5000})
    cyclic: dict[str, Any] = {}
    cyclic["again"] = cyclic
    assert "error[too-deep]" in load_error(cyclic)
    shared: list[Any] = []
    for _ in range(50):
        shared = [shared, shared]
    assert "error[too-large]" in load_error({"shared": shared})
    with pytest.raises(TypeError, match="a path, a YAML text or a dict"):
        load(3)  # type: ignore[arg-type]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert load_error("nowhere.yaml") == (
        "nowhere.yaml:1:1: error[file]: cannot read the spec: No such file or directory\n"
        "     = help: check the path"
    )
    assert ":1:1: error[file]: cannot read the spec: Is a directory" in load_error(tmp_path)
    (tmp_path / "large.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    assert ":1:1: error[too-large]" in load_error(tmp_path / "large.yaml")
    assert ":1:1: error[too-large]" in load_error("# " * MAX_BYTES)
    assert ":1:1: error[file]" in load_error(Path("a\0b"))


@pytest.mark.parametrize("text", ["[" * 5000, "- " * 5000, "{a: " * 5000, "? " * 5000, "a:\n" * 3])
def test_depth_is_no_recursion(text: str) -> None:
    assert "error[" in load_error(text)


def test_a_chain_of_groups_is_refused_and_not_a_crash() -> None:
    entry: Any = {"cyclic": 2}
    for _ in range(31):
        entry = {"product": {"factors": [entry], "on": "union"}}
    assert "error[too-deep]" in load_error({**PLAIN, "layers": [{**LAYER, "group": entry}]})


def test_no_code_of_a_spec_is_run(tmp_path: Path) -> None:
    target = tmp_path / "touched"
    call = f"__import__('pathlib').Path('{target}').touch()"
    for key in LAYER:
        assert "error[" in load_error({**PLAIN, "layers": [{**LAYER, key: call}]})
    load_error(f"version: !!python/object/apply:os.system ['touch {target}']\n")
    assert not target.exists()


def test_files_of_graphs_are_read_below_the_folder(tmp_path: Path) -> None:
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "path.txt").write_text("0 1\n1 2\n")
    path = tmp_path / "spec.yaml"
    path.write_text(TEXT.replace("{cyclic: 4}", "{graph: {file: nets/path.txt}}"))
    spec = load(path)
    assert read_actions(spec).group.dim == 3
    assert read_files(spec) == {"nets/path.txt": "0 1\n1 2\n"}


def test_a_spec_gives_later_refusals_their_place() -> None:
    spec = load(TEXT)
    error = spec.source.locate(
        [Refusal("slot", "no such slot", "another", ("degree",))], ("layers", 0)
    )
    assert str(error).startswith("<text>:4:67: error[slot]: no such slot\n")


def test_errors_do_not_depend_on_hashing() -> None:
    program = "import sys; from eqcompile.spec import load; load(sys.argv[1])"
    path = str(HERE / "errors" / "everything-at-once.yaml")
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program, path],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=HERE.parent.parent,
            capture_output=True,
            check=False,
        ).stderr
        for seed in ("0", "1")
    }
    (output,) = outputs
    assert b"error[unknown-group]" in output


TEXTS = [path.read_bytes() for path in (*VALID, *WRONG) if path.stat().st_size < 3000]
PIECES = st.one_of(
    st.binary(max_size=4),
    st.text(max_size=4).map(lambda s: s.encode(errors="surrogatepass")),
    st.sampled_from(
        [b"{", b"]", b"*a", b"&a ", b"<<", b"\t", b"- ", b": ", b"|", b"!!", b"'", b'"']
    ),
)


@st.composite
def damage(draw: st.DrawFn) -> bytes:
    """Draw the text of a spec, cut and with random pieces put in."""
    text = draw(st.sampled_from(TEXTS))
    text = text[: draw(st.integers(0, len(text)))] if draw(st.booleans()) else text
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        skipped = draw(st.integers(0, 3))
        text = text[:at] + draw(PIECES) + text[at + skipped :]
    return text


@given(text=damage())
def test_damaged_texts_raise_nothing_else(text: bytes, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.yaml"
    path.write_bytes(text)
    load_or_refuse(path)


PLAIN_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(value=PLAIN_VALUES, key=st.sampled_from(["layers", "groups", "package", *LAYER]))
def test_random_values_raise_nothing_else(value: Any, key: str) -> None:
    data = {**PLAIN, "layers": [{**LAYER, key: value}]} if key in LAYER else {**PLAIN, key: value}
    load_or_refuse(data)


@given(value=PLAIN_VALUES)
def test_rendered_data_reads_as_it_was(value: Any) -> None:
    """Whatever YAML accepts of a dict is read back as written, lists for tuples."""
    try:
        located = read_yaml(render_plain({"key": value}))
    except SpecError:
        return
    assert strip_places(located.root) == {"key": value}
