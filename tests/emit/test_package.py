"""The files of a package: names, headers, formatting, determinism, data, templates."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from jinja2 import UndefinedError

from eqcompile import templating
from eqcompile.emit.package import SHARED, Origin, render_package, sort_imports
from eqcompile.emit.spelling import spell_json
from eqcompile.emit.tying_json import describe_layer
from eqcompile.emit.views import spell_velocities, view_layer
from eqcompile.emit.write import MARK, write_package
from eqcompile.templating import open_templates, template_root
from tests.emit.problems import ORIGIN, emit_layer, pose, render_problems, solve_posed

PROBLEMS = [
    pose("S_3", (0, 1, 2, 3), inputs=2, outputs=2, name="Cubic"),
    pose("B_2", (1, 3), mixing="factored", rank=2, inputs=2, outputs=2, name="factors"),
    pose("D2Q9", (0, 1, 2), mixing="depthwise", inputs=2, outputs=2, name="LBM"),
    pose("C_4", (2,), mixing="channelwise", inputs=2, outputs=2, name="Dense", form="dense"),
    pose("C_2 with fixed points", (0, 1, 2), inputs=2, outputs=2, name="Lifted", form="lifted"),
    pose("turning the plane", (1, 2, 3), inputs=2, outputs=2, name="LiftedTurn", form="lifted"),
]

TRITON = {"blocks.py", "depthwise.py", "kernels.py", "launch.py", "straight.py"}
"""What imports triton, and is imported when the first kernel runs."""


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return dict(render_problems("boards", PROBLEMS))


def test_names_of_files(files: dict[str, str]) -> None:
    assert sorted(files) == list(files)
    contract = ["__init__", "layers", "ops", "kernels", "reference", "selfcheck"]
    assert {f"{name}.py" for name in (*contract, *SHARED)} <= set(files)
    assert {"tying.json", "certificate.json", "report.html", "py.typed"} <= set(files)


def test_velocities_of_a_lattice_are_emitted(files: dict[str, str]) -> None:
    assert "velocities" not in files["layers.py"]
    problem = PROBLEMS[2]
    points = tuple((i, -i) for i in range(9))
    lattice = replace(problem, group=replace(problem.group, points=points))
    tree = ast.parse("class Layer:" + "\n".join(spell_velocities(lattice)))
    assert isinstance(tree.body[0], ast.ClassDef)
    assigned = tree.body[0].body[0]
    assert isinstance(assigned, ast.AnnAssign)
    assert assigned.value is not None
    assert ast.literal_eval(assigned.value) == points


def test_headers(files: dict[str, str]) -> None:
    for name, text in files.items():
        if name.endswith(".py"):
            assert text.startswith(f"{MARK} 0.1.0; do not edit")
            assert text.splitlines()[1:3] == [
                "# spec sha256:" + "1" * 64,
                "# certificate sha256:" + "2" * 64,
            ]
            assert '"""' in text


def test_code_imports_torch_and_the_standard_library_only(files: dict[str, str]) -> None:
    for name, text in files.items():
        if not name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            else:
                continue
            for module in modules:
                top = module.split(".")[0]
                known = top == "torch" or top in sys.stdlib_module_names
                assert known or (top == "triton" and name in TRITON), (name, module)


def test_what_imports_triton_is_imported_late(files: dict[str, str]) -> None:
    """Only inside functions, but by modules that import triton themselves."""
    late = {name.removesuffix(".py") for name in TRITON}
    for name in set(files) - TRITON:
        if not name.endswith(".py"):
            continue
        for node in ast.parse(files[name]).body:
            if isinstance(node, ast.ImportFrom) and node.level:
                assert node.module not in late, name
                assert not {alias.name for alias in node.names} & late, name
    assert any("import triton" in files[name] for name in TRITON)


def test_no_text_of_a_spec_reaches_code() -> None:
    """Labels, names of groups and derivations are data; code holds identifiers and numbers."""
    problem = pose("S_3", (1,), name="Quad")
    nasty = '"""\nimport subprocess  # {{ 1 }} {% raise %}'
    labels = (nasty, nasty + "2")
    group = replace(problem.group, name=nasty, labels=labels)
    given = replace(problem.inputs[0], action=replace(problem.inputs[0].action, text=nasty))
    layer = emit_layer(replace(problem, group=group, labels=labels, inputs=(given,)))
    layer = replace(layer, costs=nasty, explanation=nasty)
    found = render_package("boards", [layer], certificate_json="", report_html="", origin=ORIGIN)
    for name, text in found:
        if name.endswith(".py"):
            assert "import subprocess" not in text
        if name == "tying.json":
            assert json.loads(text)["layers"][0]["group"] == nasty


def test_bad_names_are_refused() -> None:
    layer = emit_layer(pose("S_3", (1,), name="Quad"))
    with pytest.raises(ValueError, match="not a name"):
        render_package("a b", [layer], certificate_json="", report_html="", origin=ORIGIN)
    bad = replace(layer, solution=replace(layer.solution, problem=pose("S_3", (1,), name="x.y")))
    with pytest.raises(ValueError, match="not a name"):
        render_package("boards", [bad], certificate_json="", report_html="", origin=ORIGIN)
    odd = replace(layer.solution.problem, dtype="int64")
    bad = replace(layer, solution=replace(layer.solution, problem=odd))
    with pytest.raises(ValueError, match="no dtype"):
        render_package("boards", [bad], certificate_json="", report_html="", origin=ORIGIN)
    origin = Origin("0.1.0", "x\nimport os", "y")
    with pytest.raises(ValueError, match="not a digest"):
        render_package("boards", [layer], certificate_json="", report_html="", origin=origin)


def test_every_name_a_template_uses_must_be_given() -> None:
    for path in sorted(template_root().glob("*.py.jinja")):
        with pytest.raises(UndefinedError):
            open_templates(escape=False).get_template(path.name).render({})


def test_templates_decide_nothing() -> None:
    for path in sorted(template_root().glob("*.py.jinja")):
        tags = set(re.findall(r"{%-? *(\w+)", path.read_text()))
        assert tags <= {"for", "endfor"}, path.name


def test_templates_are_found_in_a_wheel_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "eqcompile" / "templating.py"
    (tmp_path / "templates").mkdir()
    monkeypatch.setattr(templating, "__file__", str(inside))
    assert template_root() == tmp_path / "templates"
    (tmp_path / "eqcompile" / "templates").mkdir(parents=True)
    assert template_root() == tmp_path / "eqcompile" / "templates"


SCRIPT = """
import hashlib, sys
from tests.emit.test_package import PROBLEMS
from tests.emit.problems import render_problems
text = repr(render_problems("boards", PROBLEMS))
print(hashlib.sha256(text.encode()).hexdigest())
"""


def test_the_same_bytes_under_any_hash_seed(files: dict[str, str]) -> None:
    found = set()
    for seed in ("0", "1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        )
        found.add(run.stdout)
    assert len(found) == 1
    assert tuple(files.items()) == render_problems("boards", PROBLEMS)


def test_builds_of_one_name_have_operators_of_their_own(files: dict[str, str]) -> None:
    other = dict(render_problems("boards", PROBLEMS[:1]))
    names = [re.findall(r'^NAMESPACE = "(\w+)"', f["ops.py"], re.M) for f in (files, other)]
    assert names[0] != names[1]
    assert all(re.fullmatch(r"boards_[0-9a-f]{12}", name) for found in names for name in found)


def test_tying_json_says_everything(files: dict[str, str]) -> None:
    data = json.loads(files["tying.json"])
    assert [layer["name"] for layer in data["layers"]] == [p.name for p in PROBLEMS]
    for layer, problem in zip(data["layers"], PROBLEMS, strict=True):
        assert [g["perm"] for g in layer["input"]["images"]] == [
            g.perm.tolist() for g in problem.inputs[0].action.images
        ]
        assert [g["signs"] for g in layer["output"]["images"]] == [
            g.signs.tolist() for g in problem.output.images
        ]
        for entry in layer["blocks"]:
            degree, shape = (entry["degree"],), (tuple(entry["shape"]),)
            tying = solve_posed(problem).block(degree, shape).tying
            labels, signs = tying.table()
            slots = np.array(entry["slots"])
            assert (np.abs(slots) - 1 == labels).all()
            assert (np.sign(slots) == signs).all()
            assert entry["sizes"] == tying.sizes.tolist()
            assert (entry["classes"], entry["zeros"]) == (tying.classes, tying.zeros)
            for c, (output, tuples) in enumerate(entry["representatives"]):
                assert slots[output, tying.ansatz.space.rank(tuples)] == c + 1


def test_slots_are_stored_up_to_a_million(monkeypatch: pytest.MonkeyPatch) -> None:
    solution = solve_posed(pose("S_3", (0, 1, 2)))
    monkeypatch.setattr("eqcompile.emit.tying_json.STORED_SLOTS", 9)
    blocks = describe_layer(solution, form="dense", costs="", explanation="")["blocks"]
    assert ["slots" in b for b in blocks] == [True, True, False, False]
    assert all("representatives" in b for b in blocks)


def test_json_is_readable() -> None:
    value = {"a": [[1, 2], [3]], "b": [list(range(40))] * 3, "c": {}, "d": "é\n", "e": []}
    text = spell_json(value)
    assert json.loads(text) == value
    assert text.splitlines()[1] == ' "a": [[1, 2], [3]],'
    assert len(text.splitlines()) == 11


def test_imports_are_sorted_as_linters_want() -> None:
    assert sort_imports(["quad", "L10", "Quad", "ABC", "L2", "LBM", "Fac"]) == [
        "ABC",
        "L2",
        "L10",
        "LBM",
        "Fac",
        "Quad",
        "quad",
    ]


def test_views_hold_only_text_and_numbers() -> None:
    view = view_layer(emit_layer(PROBLEMS[0]))
    assert view.degrees == "(0, 1, 2, 3)"
    assert view.out == "bias"
    assert view_layer(emit_layer(PROBLEMS[1])).out == "mix_1"
    assert view_layer(emit_layer(pose("S_3", (1,), mixing="depthwise"))).out == "weight_1"


@pytest.fixture(scope="module")
def written(files: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("written") / "boards"
    write_package(tuple(files.items()), target)
    shutil.copy(Path(__file__).parents[2] / "pyproject.toml", target.parent)
    return target


def run_tool(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", *arguments]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_code_is_formatted_and_clean(written: Path) -> None:
    run_tool(written.parent, "ruff", "format", "--check", "boards")
    run_tool(written.parent, "ruff", "check", "boards")


@pytest.mark.slow
def test_code_is_typed(written: Path) -> None:
    run_tool(written.parent, "mypy", "--strict", "boards")
