"""Straight-line kernels: their text, and the polynomial it spells, in exact integers."""

from __future__ import annotations

import ast
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from eqcompile.emit import straight
from eqcompile.emit.spelling import LINE
from eqcompile.emit.statements import Term, Writer, multiply
from eqcompile.emit.straight import count_multiply_adds, render_straight, serves_straight
from eqcompile.exact.monomials import list_tuples
from eqcompile.exact.signed import SignedPermutation
from eqcompile.layers.problem import LayerProblem
from eqcompile.solve.layer import LayerSolution
from tests.actions_of import Generators, cyclic, hyperoctahedral, make_problem, permute, symmetric
from tests.emit.lanes import run_kernel
from tests.emit.problems import pose, solve_posed

GOLDEN = Path(__file__).parent / "golden"

TRIVIAL = [SignedPermutation.identity(1)]


def fixed(n: int) -> list[SignedPermutation]:
    return [SignedPermutation.identity(n)]


def same(name: str, generators: Generators, *degrees: int) -> LayerProblem:
    return make_problem(generators, generators, degrees or (0, 1, 2), name=name)


MIRROR = [SignedPermutation(np.arange(2), np.array([1, -1]))]
FLIP = [SignedPermutation(np.arange(1), np.array([-1]))]

PROBLEMS = [
    pose("S_3", (0, 1, 2), name="Sets"),
    pose("S_4", (0, 1, 2), name="Four"),
    pose("B_2", (0, 1, 2), name="Signed"),
    pose("turning the plane", (1, 2), name="Turn"),
    pose("C_2 with fixed points", (0, 1, 2), name="Intransitive"),
    pose("S_3 to scalar", (0, 2), name="Invariant"),
    pose("D2Q9", (0, 1, 2), name="Collide"),
    pose("D2Q9", (2,), name="Pure", mixing="depthwise", inputs=3, outputs=3),
    pose("S_4", (1,), name="Linear", mixing="channelwise"),
    same("Mirror", MIRROR),
    # The one class has both signs, so that its sum begins with either.
    make_problem([permute(1, 0, 2)], FLIP, (0, 1, 2), name="Odd"),
    # No output depends on the inputs that change their sign.
    make_problem(hyperoctahedral(2), fixed(1) * 3, (0, 1, 2), name="Even"),
    # One output is a constant, and another is zero.
    make_problem(MIRROR, [SignedPermutation(np.arange(3), np.array([1, -1, -1]))], (0, 1)),
    same("Eight", symmetric(8)),
    same("Ring", cyclic(9)),
    same("Loose", fixed(5)),
    same("Wide", symmetric(22), 1),
    make_problem(symmetric(30), TRIVIAL * 2, (0, 1, 2), name="Sum"),
    make_problem(cyclic(20), fixed(2), (0, 1, 2), name="Two"),
]


def measure(problem: LayerProblem) -> tuple[int, int]:
    """Return the number of inputs and of outputs."""
    return problem.inputs[0].action.dim, problem.output.dim


def tabulate(solution: LayerSolution) -> dict[int, list[list[tuple[int, int, tuple[int, ...]]]]]:
    """Return per degree and output the class, sign and monomial of every slot not zero."""
    found = {}
    for degree in solution.problem.degrees:
        labels, signs = solution.tying(degree).table()
        dim, _ = measure(solution.problem)
        monomials = [tuple(m) for m in list_tuples(dim, *degree).tolist()]
        found[sum(degree)] = [
            [(int(c), int(s), m) for c, s, m in zip(*row, monomials, strict=True) if c >= 0]
            for row in zip(labels, signs, strict=True)
        ]
    return found


@dataclass(frozen=True)
class Draw:
    """A layer with random integers for everything its kernels take, in three channels."""

    solution: LayerSolution
    batch: int = 2
    channels: int = 3

    def __post_init__(self) -> None:
        assert render_straight(self.solution)

    @property
    def classes(self) -> dict[int, int]:
        degrees = self.solution.problem.degrees
        return {d: self.solution.tying((d,)).classes if (d,) in degrees else 0 for d in (0, 1, 2)}

    @property
    def sizes(self) -> dict[str, int]:
        counts = self.classes
        return {
            "batch": self.batch,
            "C": self.channels,
            "M": counts[1] + counts[2],
            "M0": counts[0],
        }

    def arrays(self) -> dict[str, list[int]]:
        draw = random.Random(0)
        n_in, n_out = measure(self.solution.problem)
        lanes = self.batch * self.channels
        lengths = {"x": lanes * n_in, "grad_y": lanes * n_out}
        lengths |= {"weight": self.channels * self.sizes["M"]}
        lengths |= {"constant": self.channels * self.sizes["M0"]}
        return {name: [draw.randint(-9, 9) for _ in range(k)] for name, k in lengths.items()}

    def expect(self, arrays: dict[str, list[int]], row: int, c: int) -> dict[str, list[int]]:
        """Evaluate outputs, gradients for inputs and for weights of one row and channel."""
        n_in, n_out = measure(self.solution.problem)
        place = row * self.channels + c
        x = arrays["x"][place * n_in :][:n_in]
        g = arrays["grad_y"][place * n_out :][:n_out]
        size, constants = self.sizes["M"], self.sizes["M0"]
        weights = {
            0: arrays["constant"][c * constants :][:constants],
            1: arrays["weight"][c * size :][:size],
            2: arrays["weight"][c * size + self.classes[1] :][: self.classes[2]],
        }
        y, grad_x, partial = [0] * n_out, [0] * n_in, [0] * size
        for degree, rows in tabulate(self.solution).items():
            first = self.classes[1] if degree == 2 else 0
            for k, slots in enumerate(rows):
                for label, sign, monomial in slots:
                    w, product = sign * weights[degree][label], 1
                    for i in monomial:
                        product *= x[i]
                    y[k] += w * product
                    if degree:
                        partial[first + label] += g[k] * sign * product
                    for p, i in enumerate(monomial):
                        rest = monomial[:p] + monomial[p + 1 :]
                        grad_x[i] += w * g[k] * (x[rest[0]] if rest else 1)
        return {"y": y, "grad_x": grad_x, "partial": partial}


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
def test_kernels_are_the_polynomial(problem: LayerProblem) -> None:
    drawn = Draw(solve_posed(problem))
    text, arrays, name = render_straight(drawn.solution), drawn.arrays(), problem.name
    for row in range(drawn.batch + 1):
        for c in range(drawn.channels):
            expected = drawn.expect(arrays, row, c) if row < drawn.batch else {}
            place = row * drawn.channels + c
            for word, result in (("output", "y"), ("input", "grad_x")):
                found = run_kernel(text, f"{word}_{name}", arrays, (row, c), **drawn.sizes)
                values = expected.get(result, [])
                start = place * len(values)
                stored = {(result, start + j): value for j, value in enumerate(values)}
                assert found.stored == stored
                once = [at for at in found.loaded if at[0] in ("x", "grad_y")]
                assert len(once) == len(set(once))


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
def test_weight_gradients_are_summed_over_a_split(problem: LayerProblem) -> None:
    drawn = Draw(solve_posed(problem), batch=5, channels=2)
    text, arrays, size = render_straight(drawn.solution), drawn.arrays(), drawn.sizes["M"]
    held = size + sum(measure(problem))
    if size > straight.WEIGHT_LIMIT or held > straight.HELD_LIMIT:
        assert f"weight_{problem.name}" not in text
        return
    for split, rows in enumerate([(0, 1, 2), (3, 4)]):
        for c in range(2):
            name = f"weight_{problem.name}"
            found = run_kernel(text, name, arrays, (0, split, c), rows=3, **drawn.sizes)
            parts = [drawn.expect(arrays, row, c)["partial"] for row in rows]
            start = (split * 2 + c) * size
            total = {("partial", start + m): sum(p[m] for p in parts) for m in range(size)}
            assert found.stored == total


def test_golden_text(update_golden: bool) -> None:
    text = render_straight(solve_posed(pose("S_3", (0, 1, 2), name="Sets")))
    path = GOLDEN / "straight.txt"
    if update_golden:
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text


def test_text_is_formatted_and_clean(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parents[2] / "pyproject.toml", tmp_path)
    for problem in PROBLEMS:
        head = f'"""Kernels of {problem.name}."""\n\nimport triton\nimport triton.language as tl\n'
        text = f"{head}\n\n{render_straight(solve_posed(problem))}"
        (tmp_path / f"{problem.name.lower()}.py").write_text(text, "utf-8")
    for command in (["format", "--diff"], ["check"]):
        found = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "."],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
def test_products_of_several_slots_are_formed_once(problem: LayerProblem) -> None:
    slots = [m for row in tabulate(solve_posed(problem)).get(2, []) for _, _, m in row]
    text = render_straight(solve_posed(problem))
    output = text[: text.index("def input_")]
    for i, j in set(slots):
        assert output.count(f"x{i}x{j} = x{i} * x{j}\n") == (slots.count((i, j)) > 1)


def test_expressions_are_shallow() -> None:
    """Triton descends into an expression by recursion, one level and a few calls per term."""

    def measure(node: ast.AST) -> int:
        return 1 + max((measure(child) for child in ast.iter_child_nodes(node)), default=0)

    assert max(measure(ast.parse(render_straight(solve_posed(p)))) for p in PROBLEMS) < 60


def test_multiply_adds_are_counted() -> None:
    counts = {p.name: count_multiply_adds(solve_posed(p)) for p in PROBLEMS}
    for problem in PROBLEMS:
        table = tabulate(solve_posed(problem))
        slots = sum(len(row) for d, rows in table.items() if d for row in rows)
        assert counts[problem.name] == slots
    assert (counts["Four"], counts["Collide"], counts["Ring"]) == (56, 486, 486)


def test_layers_that_are_not_served() -> None:
    refused = [
        pose("S_3", (1, 3)),
        pose("S_3", (1, 2), mixing="factored", rank=2, inputs=2, outputs=2),
        pose("S_3", (1, 2), inputs=2),
        pose("S_3", (1, 2), mixing="channelwise", outputs=2),
        # Only a constant; nothing but zeros.
        pose("S_3", (0,)),
        pose("parity", (2,)),
        # 550 slots; 80 points; 486 classes.
        same("Ten", symmetric(10), 2),
        make_problem(symmetric(79), TRIVIAL * 2, (1,)),
        same("Free", fixed(9)),
    ]
    for problem in refused:
        solution = solve_posed(problem)
        assert not serves_straight(solution)
        assert render_straight(solution) == ""
    assert count_multiply_adds(solve_posed(pose("S_3", (0,)))) == 0
    assert serves_straight(solve_posed(pose("D2Q9", (1, 2))))


def test_limits_are_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    solution = solve_posed(pose("S_4", (1, 2)))
    values = {"STRAIGHT_LIMIT": 56, "WIDTH_LIMIT": 8, "CLASS_LIMIT": 6}
    for name, value in values.items():
        with monkeypatch.context() as patch:
            patch.setattr(straight, name, value)
            assert serves_straight(solution)
            patch.setattr(straight, name, value - 1)
            assert not serves_straight(solution)
    for name, value in {"WEIGHT_LIMIT": 6, "HELD_LIMIT": 14}.items():
        with monkeypatch.context() as patch:
            patch.setattr(straight, name, value)
            assert "weight_Layer" in render_straight(solution)
            patch.setattr(straight, name, value - 1)
            assert "weight_Layer" not in render_straight(solution)


def test_many_weights_are_loaded_for_every_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    solution = solve_posed(pose("S_4", (1, 2)))
    assert render_straight(solution).count("w0 = tl.load") == 2
    monkeypatch.setattr(straight, "HELD_LIMIT", 13)
    assert render_straight(solution).count("w0 = tl.load") == 8


def sums(*texts: str) -> list[Term]:
    return [Term(-1 if t[0] == "-" else 1, (t.removeprefix("-"),)) for t in texts]


def write(name: str, terms: list[Term], *, indent: int = 4) -> list[str]:
    body = Writer(indent)
    body.assign(name, terms)
    assert all(len(line) <= LINE for line in body.lines)
    return [line.removeprefix(" " * indent) for line in body.lines]


def test_signs_are_folded() -> None:
    assert write("y", sums("-a", "b", "-c")) == ["y = -a + b - c"]
    assert write("y", [multiply(("w",), sums("-a", "b"))]) == ["y = -w * (a - b)"]
    assert write("y", [*sums("c"), multiply(("w",), sums("-a", "b"))]) == ["y = c - w * (a - b)"]
    assert write("y", [multiply(("2", "w"), sums("-a"))]) == ["y = -2 * w * a"]
    inner = [multiply(("g",), sums("-a", "-b")), multiply(("h",), sums("-c"))]
    assert write("y", [multiply(("w",), inner)]) == ["y = -w * (g * (a + b) + h * c)"]


def test_long_sums_are_broken() -> None:
    long = [multiply((f"w{m}",), sums(*(f"x{i}" for i in range(9)))) for m in range(3)]
    inner = " + ".join(f"x{i}" for i in range(9))
    assert write("y", long) == [
        "y = (",
        f"    w0 * ({inner})",
        f"    + w1 * ({inner})",
        f"    + w2 * ({inner})",
        ")",
    ]
    # Of two terms, both get a name.
    assert write("y", long[:2]) == [f"s0 = {inner}", f"s1 = {inner}", "y = w0 * s0 + w1 * s1"]
    wide = [multiply(("w",), sums(*(f"-x{i}" for i in range(30)))), *sums("b")]
    first = " + ".join(f"x{i}" for i in range(17))
    rest = " + ".join(f"x{i}" for i in range(17, 30))
    assert write("y", wide) == [f"s0 = {first}", f"s0 += {rest}", "y = -w * s0 + b"]
    mixed = [multiply(("w",), sums("x0", *(f"-x{i}" for i in range(1, 30)))), *sums("b")]
    assert write("y", mixed)[1] == f"s0 -= {rest}"
    many = write("y", sums(*(f"x{i}" for i in range(40))))
    assert [line[:6] for line in many] == ["y = x0", "y += x", "y += x"]
