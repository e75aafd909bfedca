"""The benchmark of solving asks what it says, and notices what goes wrong with an answer."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import eqcompile
from benchmarks import solve
from benchmarks.peers import asking
from benchmarks.peers.asking import Answer, Limits, ask, ask_once
from benchmarks.peers.eqcompile import count, spell
from benchmarks.peers.questions import (
    QUESTIONS,
    Question,
    list_infinitesimal,
    list_permutations,
    list_reflections,
)

LIMITS = Limits(60.0, 4096.0)
BY_NAME = {question.name: question for question in QUESTIONS}
TINY = ("S_4 T2->T1", "C_4 T2->T1")


def test_two_tiny_questions_are_answered(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "RUNS", 1)
    solve.main([*(f"--only={name}" for name in TINY), f"--results={tmp_path}"])
    lines = capfd.readouterr().out.splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line]
    assert [row[:3] for row in cells] == [[TINY[0], "64", "5"], [TINY[1], "64", "16"]]
    assert [row[6] for row in cells] == ["4", "10"]
    assert all(0.0 < float(row[3]) < 1.0 for row in cells)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", [*TINY, "S_8 T3->T1", "D_4 on 3x3 T2->T1"])
def test_dimensions_are_those_found(name: str) -> None:
    question = BY_NAME[name]
    assert count(eqcompile.solve(spell(question, "linear"))) == question.dimension


def test_every_question_has_a_name_of_its_own() -> None:
    assert len(BY_NAME) == len(QUESTIONS)


@pytest.mark.parametrize(("family", "size", "order"), [("symmetric", 4, 24), ("grid", 3, 8)])
def test_peers_get_the_same_permutations(family: str, size: int, order: int) -> None:
    question = Question(family, size, 1, 1, 0)  # type: ignore[arg-type]
    moves = list_permutations(question)
    found = {tuple(range(question.points))}
    while more := {tuple(move[i] for i in word) for word in found for move in moves} - found:
        found |= more
    assert len(found) == order


@pytest.mark.parametrize(("family", "size"), [("o", 3), ("so", 4), ("lorentz full", 4)])
def test_peers_get_generators_that_keep_the_form(family: str, size: int) -> None:
    question = Question(family, size, 1, 1, 0)  # type: ignore[arg-type]
    form = np.diag([1.0] + [-1.0 if "lorentz" in family else 1.0] * (size - 1))
    algebra = [np.array(rows) for rows in list_infinitesimal(question)]
    assert len(algebra) == size * (size - 1) // 2
    assert all(np.array_equal(x.T @ form, -form @ x) for x in algebra)
    reflections = [np.array(rows) for rows in list_reflections(question)]
    assert all(np.array_equal(h.T @ form @ h, form) for h in reflections)
    assert [np.linalg.det(h) for h in reflections] == [-1.0] * len(reflections)


def run_lines(*lines: str) -> list[str]:
    return [sys.executable, "-c", "\n".join(lines)]


STARTED = "import json; print(json.dumps({'started': 0.0, 'resting_mib': 1.0}), flush=True)"


def test_a_peer_that_takes_too_long_is_given_up() -> None:
    found = ask_once(run_lines(STARTED, "while True: pass"), Limits(0.3, 4096.0))
    assert (found.outcome, found.dimension) == ("out of time", -1)
    assert 0.3 <= found.seconds < 10.0


def test_a_peer_that_sleeps_is_not_given_up_for_time() -> None:
    code = run_lines(STARTED, "import time; time.sleep(1.0)", "print(json.dumps({'dimension': 3}))")
    assert ask_once(code, Limits(0.3, 4096.0)).is_solved


def test_a_peer_that_takes_too_much_is_given_up() -> None:
    code = run_lines(STARTED, "held = b'x' * 2**28", "import time; time.sleep(30)")
    assert ask_once(code, Limits(60.0, 100.0)).outcome == "out of memory"
    refused = ask_once(run_lines(STARTED, "bytearray(2**62)"), LIMITS)
    assert refused.outcome == "out of memory"


def test_a_peer_that_is_wrong_with_one_thread_is_asked_with_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = "import os; print(json.dumps({'seconds': 1.0, 'dimension': %s}))"
    threads = "7 - int(os.environ.get('OMP_NUM_THREADS', 0))"
    commands = [
        ("emlp", run_lines(STARTED, code % threads)),
        ("lie_nn", run_lines(STARTED, code % 6)),
    ]
    monkeypatch.setattr(solve, "list_solvers", lambda *_: commands)
    monkeypatch.setattr(asking, "RUNS", 1)
    for dimension, threads_of_emlp in ((6, 1), (7, None)):
        row = solve.ask_all(Question("cyclic", 2, 1, 1, dimension), {}, LIMITS)
        assert row.answers["emlp"].threads == threads_of_emlp
        assert row.answers["emlp"].is_solved
        assert row.answers["lie_nn"].is_wrong == (dimension == 7)


def test_a_peer_that_fails_says_why() -> None:
    found = ask(run_lines(STARTED, "raise KeyError('axis')"), LIMITS)
    assert found.outcome == "failed: KeyError: 'axis'"
    assert (
        solve.compare(solve.Row(QUESTIONS[0], {"eqcompile": ANSWER, "emlp": found}), "emlp") is None
    )


ANSWER = Answer("solved", 0.25, None, 1.0, 1.0, 0.0, 5, 3, {})


def test_a_wrong_answer_is_none() -> None:
    assert ANSWER.check(5) == ANSWER
    wrong = ANSWER.check(4)
    assert (wrong.outcome, wrong.is_solved) == ("wrong: 5", False)
    assert (
        solve.compare(solve.Row(QUESTIONS[0], {"eqcompile": wrong, "emlp": ANSWER}), "emlp") is None
    )


@pytest.mark.parametrize(
    ("outcome", "found"),
    [("solved", ("", 40.0)), ("out of time", (">", 40.0)), ("out of memory", None)],
)
def test_ratios(outcome: str, found: tuple[str, float] | None) -> None:
    theirs = replace(ANSWER, outcome=outcome, seconds=10.0)
    row = solve.Row(QUESTIONS[0], {"eqcompile": ANSWER, "emlp": theirs})
    assert solve.compare(row, "emlp") == found
    assert solve.compare_again(row, "emlp") is None


def test_ratios_of_second_calls() -> None:
    ours, theirs = replace(ANSWER, again=0.2), replace(ANSWER, again=3.0)
    row = solve.Row(QUESTIONS[0], {"eqcompile": ours, "emlp": theirs})
    assert solve.compare_again(row, "emlp") == 15.0
    assert "| 15 |" in solve.draw_peer([row], "emlp")


def test_results_hold_what_was_found(tmp_path: Path) -> None:
    theirs = replace(ANSWER, outcome="out of time", versions={"emlp": "1.0.3"})
    solve.write([solve.Row(QUESTIONS[0], {"eqcompile": ANSWER, "emlp": theirs})], tmp_path)
    data = json.loads((tmp_path / "solve.json").read_text("utf-8"))
    assert data["versions"] == {"emlp": "1.0.3"}
    row = data["rows"][QUESTIONS[0].name]
    assert row["times_longer"] == {"emlp": {"at_least": 1.0, "again": None}}
    assert row["solvers"]["emlp"]["outcome"] == "out of time"
    assert "out of time after 0.25" in (tmp_path / "solve.md").read_text("utf-8")


def test_peers_are_named_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--peer=emlp"], ["--peer=escnn=python"]):
        with pytest.raises(SystemExit):
            solve.main(words)
        assert "--peer is NAME=PYTHON" in capsys.readouterr().err


def test_cuequivariance_is_asked_for_what_it_knows() -> None:
    peers = {"cuequivariance": "python"}
    asked = [q.name for q in QUESTIONS if "cuequivariance" in dict(solve.list_solvers(q, peers))]
    assert {name.partition(" ")[0] for name in asked} == {"SO(3)", "O(3)"}


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ([f"--peer={name}=python" for name in solve.PEERS], True),
        ([*(f"--peer={name}=python" for name in solve.PEERS), "--only=S_4 "], False),
        (["--peer=emlp=python"], False),
    ],
)
def test_results_are_written_by_a_whole_run_only(
    words: list[str], written: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solve, "ask_all", lambda q, *_: solve.Row(q, {"eqcompile": ANSWER}))
    solve.main([*words, f"--results={tmp_path}"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["solve.json", "solve.md"] * written
