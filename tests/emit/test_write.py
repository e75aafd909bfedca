"""Packages are replaced in one step, and nothing else is ever overwritten."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from eqcompile.emit import write
from eqcompile.emit.write import MARK, is_package, remove_stale, write_package
from eqcompile.errors import Refusal
from tests.emit.problems import pose, render_problems

OLD = (("__init__.py", f"{MARK} 1\n"), ("deep/a.txt", "old"), ("tying.json", "{}\n"))
NEW = (("__init__.py", f"{MARK} 2\n"), ("b.txt", "new\n"), ("tying.json", "{}\n"))


def read_tree(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): p.read_text() for p in files}


def test_a_package_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "far" / "away" / "net"
    write_package(OLD, target)
    assert read_tree(target) == dict(OLD)
    write_package(NEW, target)
    assert read_tree(target) == dict(NEW)
    assert [p.name for p in target.parent.iterdir()] == ["net"]


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    write_package((("__init__.py", MARK + "\r\né\n"), ("tying.json", "")), tmp_path / "net")
    assert (tmp_path / "net" / "__init__.py").read_bytes() == (MARK + "\r\né\n").encode()


def test_other_things_are_not_overwritten(tmp_path: Path) -> None:
    folder, file, link = tmp_path / "folder", tmp_path / "file", tmp_path / "link"
    folder.mkdir()
    (folder / "__init__.py").write_text("mine = 1\n")
    file.write_text("mine")
    write_package(OLD, tmp_path / "real")
    link.symlink_to(tmp_path / "real")
    for target in (folder, file, link):
        with pytest.raises(Refusal, match="is not a package made by eqcompile") as caught:
            write_package(NEW, target)
        assert caught.value.rule == "target-exists"
    assert (folder / "__init__.py").read_text() == "mine = 1\n"
    for target in (folder, file, link):
        write_package(NEW, target, force=True)
        assert read_tree(target) == dict(NEW)
    assert not link.is_symlink()
    assert read_tree(tmp_path / "real") == dict(OLD)


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    write_package(NEW, tmp_path / "net")
    assert is_package(tmp_path / "net")


def test_paths_stay_inside(tmp_path: Path) -> None:
    for name in ("../evil.py", "/evil.py", "a/../../evil.py"):
        with pytest.raises(ValueError, match="does not stay inside"):
            write_package(((name, ""),), tmp_path / "net")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_build_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_package(OLD, tmp_path / "net")

    def fail(fresh: Path, target: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(write, "exchange", fail)
    with pytest.raises(OSError, match="disk full"):
        write_package(NEW, tmp_path / "net")
    assert read_tree(tmp_path / "net") == dict(OLD)
    assert [p.name for p in tmp_path.iterdir()] == ["net"]


def test_without_the_system_call_two_renames_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "_exchange_at_once", lambda left, right: False)
    for files in (OLD, NEW):
        write_package(files, tmp_path / "net")
        assert read_tree(tmp_path / "net") == dict(files)
    assert [p.name for p in tmp_path.iterdir()] == ["net"]


def test_the_system_call_is_there(tmp_path: Path) -> None:
    left, right = tmp_path / "left", tmp_path / "right"
    write_package(OLD, left)
    write_package(NEW, right)
    assert write._exchange_at_once(left, right)
    assert (read_tree(left), read_tree(right)) == (dict(NEW), dict(OLD))
    with pytest.raises(OSError, match="No such file"):
        write._exchange_at_once(tmp_path / "none", right)


def test_leftovers_of_dead_builds_are_removed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
        ended.wait()
    dead = tmp_path / f".net.{ended.pid}.00ff.building"
    living = tmp_path / f".net.{os.getpid()}.00ff.building"
    strange = tmp_path / ".net.word.00ff.building"
    other = tmp_path / f".net2.{ended.pid}.00ff.building"
    for path in (dead, living, strange, other):
        write_package(OLD, path)
    remove_stale(tmp_path / "net")
    assert sorted(p for p in tmp_path.iterdir()) == sorted([living, strange, other])


BUILD = """
    import sys, types
    from pathlib import Path
    # The writer alone, without the rest of the compiler, starts quickly.
    sys.modules["eqcompile"] = types.ModuleType("eqcompile")
    sys.modules["eqcompile"].__path__ = [{root!r}]
    from eqcompile.emit.write import write_package
    files = tuple((p.name, p.read_text()) for p in sorted(Path({source!r}).iterdir()))
    print("ready", flush=True)
    while True:
        write_package(files, Path({target!r}))
"""


def test_a_kill_at_any_moment_leaves_a_whole_package(tmp_path: Path) -> None:
    """SIGKILL at 20 random moments of builds over an existing package."""
    files = render_problems("victim", [pose("S_3", (0, 1, 2), name="Quad")])
    source, target = tmp_path / "source", tmp_path / "out" / "victim"
    write_package(files, source)
    write_package(files, target)
    root = str(Path(write.__file__).parents[1])
    code = textwrap.dedent(BUILD).format(root=root, source=str(source), target=str(target))
    luck = random.Random(7)
    for _ in range(20):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as build:
            assert build.stdout is not None
            assert build.stdout.readline() == b"ready\n"
            time.sleep(luck.uniform(0, 0.08))
            build.send_signal(signal.SIGKILL)
        assert read_tree(target) == dict(files)
    check = f"import sys; sys.path.insert(0, {str(target.parent)!r}); import victim; victim.Quad()"
    subprocess.run([sys.executable, "-c", check], check=True)
    write_package(files, target)
    assert [p.name for p in target.parent.iterdir()] == ["victim"]
