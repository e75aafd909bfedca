"""The shape of the code: floors, cycles, sizes, words, and what may never be imported or called."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "eqcompile"
MAX_LINES = 400

# Imports go down this list only; siblings on one floor do not know each other.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "version", "starter", "templating"),
    ("registry",),
    ("reading",),
    ("exact",),
    ("actions",),
    ("spec",),
    ("layers",),
    ("solve",),
    ("plan",),
    ("draw", "emit", "analysis"),
    ("anysize", "parameterised"),
    ("driver",),
    ("views", "verification"),
    ("console",),
    ("cli",),
    ("eqcompile", "__main__"),
)
FLOOR = {name: height for height, names in enumerate(FLOORS) for name in names}

# What finds the classes; a certificate that reached any of it would prove the solver by itself.
SOLVER = {
    "eqcompile.solve.solver",
    "eqcompile.solve.linear",
    "eqcompile.solve.constraints",
    "eqcompile.solve.fibration",
    "eqcompile.actions.stabilisers",
    "eqcompile.solve.layer",
    "eqcompile.solve.why",
    "eqcompile.exact.components",
    "eqcompile.exact.partitions",
}

DEPENDENCIES = {
    "flint", "jinja2", "networkx", "numpy", "opt_einsum", "pydantic", "pynauty", "rich", "ruamel",
    "scipy", "typer",
}  # fmt: skip

Imports = Mapping[str, frozenset[str]]


def name_module(path: Path) -> str:
    """Return the dotted name of a source file of the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def list_sources() -> dict[str, Path]:
    return {name_module(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def list_imports(source: str, name: str, known: frozenset[str], is_package: bool) -> frozenset[str]:
    """Return every module a source names in an import, at any depth, as deep as it is known."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = name.split(".")
                above = above[: len(above) - node.level + is_package]
                base = ".".join([*above, *([base] if base else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                found.add(inner if inner in known else base)
    return frozenset(found - {name})


def read_imports() -> dict[str, frozenset[str]]:
    sources = list_sources()
    known = frozenset(sources)
    return {
        name: list_imports(path.read_text("utf-8"), name, known, path.stem == "__init__")
        for name, path in sources.items()
    }


def find_room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def find_climbs(imports: Imports) -> list[str]:
    """Return the imports that do not go down."""
    climbs = []
    for module, used in sorted(imports.items()):
        for other in sorted(o for o in used if o.split(".")[0] == "eqcompile"):
            here, there = find_room(module), find_room(other)
            if here != there and FLOOR[there] >= FLOOR[here]:
                climbs.append(f"{module} imports {other}")
    return climbs


def find_cycles(imports: Imports) -> list[list[str]]:
    """Return the groups of modules that import each other."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_edges_from((a, b) for a, used in imports.items() for b in used if b in imports)
    return sorted(sorted(c) for c in nx.strongly_connected_components(graph) if len(c) > 1)


def reach(imports: Imports, start: str) -> set[str]:
    """Return every module that importing ``start`` leads to."""
    seen, todo = {start}, [start]
    while todo:
        fresh = imports.get(todo.pop(), frozenset()) - seen
        seen |= fresh
        todo += sorted(fresh)
    return seen


def find_forbidden(source: str) -> list[str]:
    """Return the calls that would run or guess at code: their names and lines."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            call = ast.unparse(node.func)
            if call in {"eval", "exec", "yaml.load"} or call.split(".")[-1] == "sympify":
                found.append(f"{node.lineno}: {call}")
    return found


def test_every_room_has_a_floor() -> None:
    assert {find_room(module) for module in list_sources()} <= set(FLOOR)


def test_imports_go_down() -> None:
    assert find_climbs(read_imports()) == []


def test_an_import_upward_is_found() -> None:
    climbing = {"eqcompile.exact.signed": frozenset({"eqcompile.actions.group", "numpy"})}
    assert find_climbs(climbing) == ["eqcompile.exact.signed imports eqcompile.actions.group"]
    beside = {"eqcompile.draw.svg": frozenset({"eqcompile.emit.package"})}
    assert find_climbs(beside) == ["eqcompile.draw.svg imports eqcompile.emit.package"]


def test_relative_and_nested_imports_are_read() -> None:
    source = "def f():\n    from . import b\n    from .c import d\n    import numpy.linalg\n"
    known = frozenset({"p.a", "p.b", "p.c"})
    assert list_imports(source, "p.a", known, False) == {"p.b", "p.c", "numpy.linalg"}
    assert list_imports("from .b import x", "p", known, True) == {"p.b"}


def test_no_import_cycle() -> None:
    assert find_cycles(read_imports()) == []


def test_a_cycle_is_found() -> None:
    ring = {"a": frozenset("b"), "b": frozenset("c"), "c": frozenset("a"), "d": frozenset("a")}
    assert find_cycles(ring) == [["a", "b", "c"]]


def test_the_certificate_cannot_reach_the_solver() -> None:
    imports = read_imports()
    certificates = [m for m in imports if m.startswith("eqcompile.solve.certificate")]
    assert certificates
    assert set(imports) >= SOLVER
    for module in certificates:
        assert reach(imports, module) & SOLVER == set(), module


def test_the_certificate_finds_fibres_by_itself() -> None:
    # Specs are read on a floor below, so a chain of imports leads there; no direct one may.
    assert "eqcompile.actions.refinement" not in read_imports()["eqcompile.solve.balance"]


def test_a_certificate_that_leans_on_the_solver_is_found() -> None:
    imports = {"certificate": frozenset({"a"}), "a": frozenset({"eqcompile.solve.solver"})}
    assert reach(imports, "certificate") & SOLVER == {"eqcompile.solve.solver"}


def test_no_file_is_too_long() -> None:
    files = [*list_sources().values(), *sorted((ROOT / "templates").rglob("*.jinja"))]
    lengths = {str(f.relative_to(ROOT)): len(f.read_text("utf-8").splitlines()) for f in files}
    assert {name: n for name, n in lengths.items() if n > MAX_LINES} == {}


def test_only_declared_packages_are_imported() -> None:
    # pydantic_core is the other half of pydantic: it holds the types of its errors.
    allowed = DEPENDENCIES | set(sys.stdlib_module_names) | {"eqcompile", "pydantic_core"}
    for module, used in read_imports().items():
        assert {name.split(".")[0] for name in used} <= allowed, module


def test_dependencies_are_those_of_pyproject() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = {re.split(r"[^A-Za-z0-9_-]", d)[0] for d in project["dependencies"]}
    names = {name.removeprefix("python-") for name in names}  # python-flint is imported as flint
    assert names == DEPENDENCIES | {"torch"}


def test_no_code_of_a_spec_can_run() -> None:
    for module, path in list_sources().items():
        assert find_forbidden(path.read_text("utf-8")) == [], module


def test_a_forbidden_call_is_found() -> None:
    source = "eval('1')\nsympy.sympify('x')\nyaml.load(f)\nmodel.eval()\nre.compile('x')\n"
    assert find_forbidden(source) == ["1: eval", "2: sympy.sympify", "3: yaml.load"]


def walk_definitions() -> Iterator[tuple[str, str]]:
    for module, path in list_sources().items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield module, node.name


def test_names_say_something() -> None:
    vague = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
    assert {m for m in list_sources() if vague & set(m.split("."))} == set()
    blank = re.compile(r"_?(get|process|do)(_|$)|.*Manager$|.*Helper$")
    assert [f"{m}.{name}" for m, name in walk_definitions() if blank.match(name)] == []


def test_nothing_is_left_for_later() -> None:
    # Brackets keep the patterns from finding themselves in this file.
    later = re.compile("TO[D]O|FIX[M]E|XX[X]|NotImplemente[d]Error")
    unrun = re.compile("mark.s[k]ip|mark.x[f]ail|pytest.s[k]ip")
    folders = ["eqcompile", "templates", "tests", "examples", "benchmarks"]
    for path in sorted(p for f in folders for p in (ROOT / f).rglob("*.*")):
        if path.suffix in {".py", ".jinja"}:
            text = path.read_text("utf-8")
            assert not later.search(text), path
            # The one reason not to run a test: it needs a GPU, and there is none.
            assert not unrun.search(text) or path == ROOT / "tests" / "processes.py", path


def run_without(packages: tuple[str, ...], arguments: list[str], folder: Path) -> str:
    """Run Python where importing any of ``packages`` fails, also in child processes."""
    trap = folder / "trap"
    for package in packages:
        (trap / package).mkdir(parents=True, exist_ok=True)
        text = f"raise ImportError('trap: {package} was imported')\n"
        (trap / package / "__init__.py").write_text(text, "utf-8")
    search = os.pathsep.join([str(trap), str(ROOT)])
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": search},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr if done.returncode else ""


SPEC = """
version: 1
package: torchless
layers:
  - {name: Quad, group: {cyclic: 4}, input: V, output: V, degree: 2}
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["solve", "spec.yaml", "--json"],
        ["build", "spec.yaml", "-o", "built"],
        ["inspect", "spec.yaml"],
        ["explain", "spec.yaml"],
        ["schema"],
        ["list", "groups"],
    ],
    ids=lambda a: a[0],
)
def test_the_compiler_never_imports_torch(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC, "utf-8")
    assert run_without(("torch", "triton"), ["-m", "eqcompile", *arguments], tmp_path) == ""


def test_the_trap_catches_an_import_of_torch(tmp_path: Path) -> None:
    shown = run_without(("torch", "triton"), ["-c", "import torch"], tmp_path)
    assert "trap: torch was imported" in shown
