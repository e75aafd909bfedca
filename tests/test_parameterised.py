"""Parameterised layers from a spec to counts, diagrams, derivations and proofs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import torch

import eqcompile
from eqcompile.driver import compile_spec, read
from eqcompile.layers.parameterised import resolve_parameterised
from eqcompile.parameterised import find_dimension
from tests.test_cli import call

HEAD = """\
version: 1
package: force_nets
groups:
  Ring: {cyclic: 6}
  Any: {symmetric: any, nominal: 12}
layers:
"""

FORCE = """\
  - name: Force
    family: coulomb
    size: 6
    dims: {mu: 2, x: 2}
    group: Ring
    bias: true
    diagonal: free
    actions: {x: {matrices: [[["1/2", "-sqrt(3)/2"], ["sqrt(3)/2", "1/2"]]]}}
"""

CROSS = """\
  - name: Cross
    family: coulomb
    size: {in: 5, out: 4}
    dims: {mu: 3, x: 2}
    softening: {value: 0.2, learnable: true}
    signature: [1, 1, -1]
"""

DIST = """\
  - name: Dist
    family: distance_product
    size: 4
    dims: {mu: 2, x: 3}
    positions: {values: [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.5]]}
"""

SPECTRAL = """\
  - name: Low
    family: spectral
    size: 6
    rank: 3
    group: Ring
    actions: {q: {permutations: [[1, 2, 0]]}}
  - {name: Asym, family: spectral, size: 4, rank: 2, asymmetric: true, imbalance: 10, bias: true}
  - {name: Mem, family: spectral, size: 7, rank: 2, order: 3}
"""

HOMEOSTATIC = """\
  - {name: Norm, family: homeostatic, size: 6, group: Ring, leak: 0.05}
  - {name: Plain, family: homeostatic, size: 3}
"""

QUAD = "  - {name: Quad, group: {symmetric: 3}, input: V, output: V, degree: 2}\n"
GRAPH = "  - {name: Graph, group: Any, input: V ** 2, output: V, degrees: [1]}\n"

SPEC = HEAD + FORCE + QUAD + CROSS + DIST + SPECTRAL + GRAPH + HOMEOSTATIC
NAMES = ["Force", "Quad", "Cross", "Dist", "Low", "Asym", "Mem", "Graph", "Norm", "Plain"]

ALONE = {
    "coulomb": HEAD + FORCE + CROSS,
    "distance_product": HEAD + DIST,
    "spectral": HEAD + SPECTRAL,
    "homeostatic": HEAD + HOMEOSTATIC,
}


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return path


def test_solve_prints_json(spec: Path) -> None:
    found: Any = json.loads(call("solve", spec, "--json")[0])
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert list(layers) == NAMES
    force = layers["Force"]
    assert (force["degrees"], force["redundant"], force["family"]) == ({}, [], "coulomb")
    assert force["parameters"]["mu"] == {"shape": [6, 2], "numbers": 12, "free": 2}
    assert force["parameters"]["x"] == {"shape": [6, 2], "numbers": 12, "free": 2}
    assert (force["numbers"], force["free"], force["dense"]) == (36, 6, 42)
    assert force["proof"] == ["components", "burnside", "rank_mod_p", "molien"]
    assert list(layers["Cross"]["parameters"]) == ["mu", "x", "nu", "y", "raw_softening"]
    assert list(layers["Dist"]["parameters"]) == ["mu"]
    assert (layers["Low"]["numbers"], layers["Low"]["free"], layers["Low"]["dense"]) == (21, 4, 36)
    norm = layers["Norm"]["parameters"]
    assert {name: entry["free"] for name, entry in norm.items()} == {
        "weights": 6,
        "target": 6,
        "calibrated": 1,
    }
    assert (layers["Norm"]["numbers"], layers["Norm"]["dense"]) == (0, 36)
    # y_k = sum over pairs i <= j of w[k; i, j] z_i z_j
    assert layers["Mem"]["dense"] == 7 * 28
    assert layers["Quad"]["degrees"]["2"]["classes"] == 4


def test_solve_prints_two_tables(spec: Path) -> None:
    text = call("solve", spec)[0]
    degrees, weighted = text.split("\n\n")
    assert [line.split()[0] for line in degrees.splitlines()[2:]] == ["Quad"] * 3 + ["Graph"]
    lines = weighted.splitlines()
    assert lines[0].split() == ["layer", "family", "parameters", "free", "dense", "proof"]
    assert lines[2].split()[:5] == ["Force", "coulomb", "36", "6", "42"]
    spec.write_text(ALONE["spectral"])
    assert call("solve", spec)[0].splitlines()[0].split() == lines[0].split()


def test_solving_and_compiling_keep_the_order_of_the_spec() -> None:
    found = eqcompile.solve(SPEC)
    assert list(found) == NAMES
    assert [found[name] for name in ("Force", "Mem", "Plain")] == [{}, {}, {}]
    assert set(found["Quad"]) == {0, 1, 2}
    compiled = compile_spec(SPEC)
    assert [layer.solution.problem.name for layer in compiled.layers] == NAMES


def test_inspect_draws_text(spec: Path) -> None:
    text = call("inspect", spec, "--layer", "Force")[0]
    assert text.startswith("Force: coulomb, C_6, 6 -> 6\n  w_ij = <mu_i, mu_j> / ")
    assert "y_0   a   b   c  -a  -b  -c" in text
    assert "Force.weights: C_6, V -> V, degree 1: 36 slots, 6 classes, 0 zeros" in text
    assert call("inspect", spec, "--layer", "Force.mu")[0].startswith("Force.mu: C_6, V -> 2 1")
    assert "all free: no group acts" in call("inspect", spec, "--layer", "Mem")[0]
    every = call("inspect", spec)[0]
    assert [name for name in NAMES if f"{name}: " in every] == NAMES
    _, errors = call("inspect", spec, "--layer", "Force.y", code=2)
    assert "unknown layer 'Force.y'" in errors


def test_inspect_draws_only_layers_of_a_degree(spec: Path) -> None:
    text = call("inspect", spec, "--degree", "2")[0]
    assert text.startswith("Quad: ")
    assert "Force" not in text


def test_inspect_writes_json(spec: Path) -> None:
    layers = {
        x["name"]: x for x in json.loads(call("inspect", spec, "--format", "json")[0])["layers"]
    }
    assert sorted(layers) == sorted(NAMES)
    assert list(layers["Force"]["ties"]) == ["mu", "x", "diagonal", "bias", "weights"]
    assert layers["Force"]["ties"]["mu"]["blocks"][1]["classes"] == [1] * 6
    assert layers["Norm"]["ties"]["weights"]["class_count"] == 6
    assert layers["Mem"]["ties"] == {}
    assert layers["Mem"]["parameters"][0] == {
        "name": "q",
        "meaning": "directions, one per column",
        "shape": [7, 2],
        "numbers": 14,
        "free": 14,
    }


def test_inspect_draws_pictures(spec: Path) -> None:
    svg = call("inspect", spec, "--format", "svg", "--layer", "Force")[0]
    drawn = ET.fromstring(svg)
    assert sum(e.get("data-class") is not None for e in drawn.iter()) >= 12 + 12 + 6 + 6 + 36
    dot = call("inspect", spec, "--format", "dot", "--layer", "Force")[0]
    assert re.findall(r"^graph \"(\S+) degree 1\"", dot, re.M) == [
        f"Force.{name}" for name in ("mu", "x", "diagonal", "bias", "weights")
    ]
    spec.write_text(HEAD + QUAD + FORCE + HOMEOSTATIC)
    page = call("inspect", spec, "--format", "html")[0]
    for title in ("Quad: S_3", "Force.mu: C_6", "Norm.weights: C_6", "Plain: homeostatic, 3"):
        assert title in page
    assert "Quad degree 2" in call("inspect", spec, "--format", "dot")[0]


def test_inspect_refuses_pictures_of_nothing(spec: Path) -> None:
    for form in ("svg", "dot"):
        _, errors = call("inspect", spec, "--format", form, "--layer", "Mem", code=2)
        assert (
            f"error[no-ties]: nothing to draw in the format {form}: no group acts on Mem" in errors
        )
    assert "the format png" in call("inspect", spec, "--format", "png", "--layer", "Mem", code=2)[1]


def test_inspect_says_why_entries_of_a_parameter_are_tied(spec: Path) -> None:
    why = ("--why", "w[0; 1]", "w[0; 2]")
    text = call("inspect", spec, "--layer", "Force.mu", *why)[0]
    assert text == "w[0; 2] = w[0; 1]\n  w[0; 2] =  w[0; 1]   by (0 1 2 3 4 5)\n"
    _, errors = call("inspect", spec, "--layer", "Force", *why, code=2)
    assert "name one with --layer: Force.mu, Force.x" in errors
    # Without a name it is about the first layer that has the degree, which is polynomial.
    assert "not tied" in call("inspect", spec, "--why", "w[0; 0]", "w[0; 1]")[0]


def test_explain_derives_every_family(spec: Path) -> None:
    text = call("explain", spec)[0]
    assert all(len(line) <= 100 for line in text.splitlines())
    shown = [
        *("w_ij = <mu_i, mu_j> / (|x_i - x_j|^2 + 0.1), w_ii = diagonal_i", "mu^T = a A_a + b A_b"),
        *("c = -a + b", "d = sqrt(3)*a/3 - 2*sqrt(3)*b/3"),
        "36 numbers, 6 of them free under the group; a dense layer of this size has 42.",
        "W commutes with the group, so it is a combination of 6 orbitals",
        "Force.x         rank_mod_p, molien",
        "any invertible map of the charges out, undone on those in, keeps every weight",
        "scaling the positions by s, with charges times s^1 and the softening times s^2: likewise",
        "so W has rank d (p + 2) and is never formed",
        "numbering the directions in another order keeps every weight",
        "multiplying q_k by s and dividing lam_k by s^3: likewise",
        "the symmetric tensors reached are a family of 14 of 84 dimensions.",
        "W is averaged over them after every step, so 6 numbers are free.",
        "Nothing is trained: this is state, which adaptation changes; a dense layer of this size",
    ]
    joined = " ".join(text.split())
    for words in shown:
        assert " ".join(words.split()) in joined, words


def count_rank(kernel: Any, n: int, m: int, d: int) -> int:
    """Return the rank of the Jacobian of weights in the charges, between n and m neurons."""
    rng = np.random.default_rng(n + 10 * d)
    mu, nu = rng.normal(size=(m, d)), rng.normal(size=(n, d))
    rows = []
    for i in range(m):
        for j in range(i) if n == m else range(n):
            row = np.zeros((m + (0 if n == m else n), d))
            row[i] += (mu if n == m else nu)[j] * kernel[i, j]
            row[j if n == m else m + j] += mu[i] * kernel[i, j]
            rows.append(row.ravel())
    return int(np.linalg.matrix_rank(np.array(rows)))


@pytest.mark.parametrize(("n", "m"), [(4, 4), (6, 6), (5, 3)])
def test_given_positions_leave_the_dimension_of_the_charges(n: int, m: int) -> None:
    rng = np.random.default_rng(0)
    left, right = rng.integers(-9, 9, (m, 4)) + 0.5, rng.integers(-9, 9, (n, 4))
    size: Any = n if n == m else {"in": n, "out": m}
    values: Any = {"in": right.tolist(), "out": left.tolist()}
    given = right if n == m else left
    distances = ((given[:, None] - right[None]) ** 2).sum(-1) + 0.1
    for d in range(1, 6):
        layer = {"name": "Layer", "family": "coulomb", "size": size, "dims": {"mu": d, "x": 4}}
        layer["positions"] = {"values": right.tolist() if n == m else values}
        document = {"version": 1, "package": "given", "layers": [layer]}
        ((_, problem),) = resolve_parameterised(read(document))
        assert find_dimension(problem) == count_rank(1 / distances, n, m, d)


LONE = (
    HEAD
    + """
  - {name: A, family: coulomb, size: 1, dims: {mu: 2, x: 1}, softening: 0, bias: true}
  - {name: B, family: distance_product, size: 1, dims: {mu: 1, x: 2}, group: {symmetric: 1}}
"""
)


def test_a_lone_neuron_acts_on_none() -> None:
    module = eqcompile.compile(LONE)
    for cls in (module.A, module.B):
        for backend in ("torch", "reference"):
            layer = cls(backend=backend, device="cpu", dtype=torch.float64)
            z = torch.randn(3, 1, dtype=torch.float64, requires_grad=True)
            assert torch.equal(layer(z), torch.zeros(3, 1).double())
            assert torch.equal(layer.dense_weight(), torch.zeros(1, 1).double())
            assert torch.equal(
                torch.autograd.grad(layer(z).sum(), z)[0], torch.zeros(3, 1).double()
            )
    assert "Effective dimension" not in module.A().explain()


def test_documented_state_is_what_is_stored() -> None:
    problems = [problem for _, problem in resolve_parameterised(read(SPEC))]
    named = {problem.name: [p.name for p in problem.parameters] for problem in problems}
    assert named["Cross"] == ["mu", "x", "nu", "y", "raw_softening"]
    assert named["Norm"] == ["weights", "target", "calibrated"]


def test_verify_proves_the_ties_of_a_spec(spec: Path) -> None:
    lines = call("verify", spec)[0].splitlines()
    assert "ok  Force.x: 2 classes by rank_mod_p, molien" in lines
    assert "ok  Norm.weights: 6 classes by components, burnside" in lines
    assert "ok  Mem: no ties, all parameters are free" in lines
