"""Built layers over a fibration: the lift of the collapsed layer, and what refuses them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch

import eqcompile
from eqcompile.analysis.collapse import CollapsedLayer, collapse
from eqcompile.driver import build
from eqcompile.errors import CertificateError, Refusal, SpecError
from eqcompile.solve.certificate import prove
from eqcompile.solve.tying import Tying
from eqcompile.verification import check_tying, verify_package
from eqcompile.views import summarise

KARATE = nx.karate_club_graph()
GRAPHS: dict[str, nx.Graph[int]] = {
    "Frucht": nx.frucht_graph(),
    "rings": nx.disjoint_union(nx.cycle_graph(3), nx.cycle_graph(4)),
    "path": nx.path_graph(7),
    "loops": nx.Graph([(0, 0), (1, 2), (3, 3)]),
    "chain with tails": nx.DiGraph([(0, 1), (1, 0), (0, 2), (2, 3), (1, 4)]),
}


def make_spec(graph: nx.Graph[int], **layer: Any) -> dict[str, Any]:
    edges = [[int(a), int(b)] for a, b in graph.edges]
    source = {"edges": edges, "directed": graph.is_directed(), "symmetry": "fibration"}
    entry = {"name": "Layer", "input": "V", "output": "V", "group": {"graph": source}, **layer}
    return {"version": 1, "package": "fibred", "layers": [entry]}


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep compiled packages, for all tests of a run."""
    monkeypatch.setenv("EQCOMPILE_CACHE", str(tmp_path_factory.getbasetemp() / "fibred"))


def solve_spec(spec: dict[str, Any] | Path) -> dict[Any, Tying]:
    """Return the tyings of the layer by degree."""
    solved = eqcompile.solve(spec)["Layer"]
    return {degree: tying for degree, tying in solved.items() if isinstance(tying, Tying)}


def make_layer(spec: Mapping[str, Any], **options: Any) -> Any:
    layer = eqcompile.compile(dict(spec)).Layer(dtype=torch.float64, **options)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    return layer


def lift(tying: Tying) -> torch.Tensor:
    """Return the fibre of every vertex, which indexes values of fibres."""
    assert tying.ansatz.fibration is not None
    return torch.tensor(tying.ansatz.fibration.fibres)


def apply(base: CollapsedLayer, coefficients: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Evaluate a collapsed layer of one channel, differentiably; x is ``(rows, fibres)``."""
    y = x.new_zeros(len(x), base.outputs)
    for output, monomial, coefficient, count in base.entries.tolist():
        factors = [x[:, i] for part in base.space.tuples(monomial) for i in part]
        term = torch.stack(factors).prod(0) if factors else x.new_ones(len(x))
        y = y.index_add(
            1, torch.tensor([output]), (count * coefficients[coefficient] * term)[:, None]
        )
    return y


@pytest.mark.parametrize("name", GRAPHS)
def test_a_built_layer_is_the_lift_of_the_collapsed_one(name: str) -> None:
    spec = make_spec(GRAPHS[name], degree=2)
    layer, tyings = make_layer(spec), solve_spec(spec)
    fibres = lift(tyings[1])
    x = torch.randn(4, int(fibres.max()) + 1, dtype=torch.float64)
    y = torch.zeros_like(x)
    for degree, tying in tyings.items():
        y = y + apply(collapse(tying), layer.coefficients(degree).reshape(-1), x)
    found = layer(x[:, None, fibres])[:, 0]
    scale = float(y.detach().abs().max())
    assert float((found - y[:, fibres]).detach().abs().max()) < 1e-12 * max(1.0, scale)


@pytest.mark.parametrize("name", ["karate", *GRAPHS])
def test_the_adjacency_matrix_is_a_layer_and_its_base_graph_the_collapsed_one(name: str) -> None:
    graph = KARATE if name == "karate" else GRAPHS[name]
    spec = make_spec(graph, degrees=[1])
    layer, tying = make_layer(spec), solve_spec(spec)[1]
    fibration = tying.ansatz.fibration
    assert fibration is not None
    adjacency = torch.zeros(1, fibration.n, 1, fibration.n, dtype=torch.float64)
    for a, b in fibration.arrows:
        adjacency[0, b, 0, a] = 1
    assert layer.load_dense(1, adjacency) < 1e-12
    units = torch.eye(fibration.count, dtype=torch.float64)
    lifted = layer(units[:, None, lift(tying)])[:, 0]
    base = torch.tensor(fibration.collapse(), dtype=torch.float64)
    assert float((lifted.T - base[lift(tying)]).detach().abs().max()) < 1e-12


@pytest.mark.parametrize("mixing", ["full", "channelwise", "factored"])
def test_channels_keep_inputs_constant_on_fibres(mixing: str) -> None:
    rank = {"rank": 3} if mixing == "factored" else {}
    channels = {"in": 3, "out": 2, "mixing": mixing, **rank}
    spec = make_spec(GRAPHS["rings"], degree=2, channels=channels)
    layer = make_layer(spec)
    x = torch.randn(5, 3, 1, dtype=torch.float64).expand(5, 3, 7)
    y = layer(x).detach()
    assert float((y - y[..., :1]).abs().max()) < 1e-12 * float(y.abs().max())
    # Other inputs are not mapped to constants.
    other = layer(torch.randn(5, 3, 7, dtype=torch.float64)).detach()
    assert float((other - other[..., :1]).abs().max()) > 0.1


def test_one_step_of_training_is_the_same_on_the_base_graph() -> None:
    spec = make_spec(GRAPHS["path"], degree=2)
    layer, tyings = make_layer(spec), solve_spec(spec)
    fibres = lift(tyings[1])
    sizes = torch.bincount(fibres).double()
    x, wanted = torch.randn(2, 6, len(sizes), dtype=torch.float64)
    parameters = [p for p in layer.parameters() if p.numel()]
    full = (layer(x[:, None, fibres])[:, 0] - wanted[:, fibres]).square().sum()
    y = torch.zeros_like(x)
    for degree, tying in tyings.items():
        y = y + apply(collapse(tying), layer.coefficients(degree).reshape(-1), x)
    base = ((y - wanted).square() * sizes).sum()
    for g, h in zip(
        torch.autograd.grad(full, parameters), torch.autograd.grad(base, parameters), strict=True
    ):
        assert torch.allclose(g, h, rtol=1e-12, atol=1e-9)


def test_outputs_have_unit_variance_at_the_start() -> None:
    spec = make_spec(GRAPHS["Frucht"], degree=2, channels={"in": 2, "out": 64})
    torch.manual_seed(0)
    layer = eqcompile.compile(spec).Layer(dtype=torch.float64)
    y = layer(torch.randn(4000, 2, 12, dtype=torch.float64)).detach()
    assert abs(float(y.var(0).mean()) - 1) < 0.15


def test_constraints_go_with_a_fibration() -> None:
    rules = [{"zero_diagonal": True}, "w[0; 1, 1] == 2*w[0; 1, 2]", "w[0; 0, 0] == 3"]
    spec = make_spec(GRAPHS["rings"], degree=2, constraints=rules)
    counts = summarise(spec)["layers"][0]["degrees"]
    assert [counts[d]["classes"] for d in "012"] == [1, 2, 6]
    assert counts["2"]["proof"] == ["components", "rank_mod_p"]
    with pytest.raises(CertificateError):
        prove(replace(solve_spec(spec)[2], basis=None))
    layer = make_layer(spec)
    y = layer(torch.full((1, 1, 7), 0.5, dtype=torch.float64)).detach()
    assert float((y - y[..., :1]).abs().max()) < 1e-12
    assert float(layer.dense_weight(2)[0, 0, 0, 0, 0, 0].detach()) == pytest.approx(3)


def test_the_self_check_and_the_compiler_agree(tmp_path: Path) -> None:
    folder = build(make_spec(GRAPHS["rings"], degree=1), tmp_path)
    assert "the package's self-check passed" in verify_package(folder)
    assert "inputs that\n    are constant on its fibres" in (folder / "layers.py").read_text()
    claims = json.loads((folder / "certificate.json").read_text())["claims"]
    assert claims["layers"][0]["group"]["fibration"].startswith("fibres: 1, found again")
    data = json.loads((folder / "tying.json").read_text())
    assert data["layers"][0]["fibration"]["fibres"] == [0] * 7
    assert check_tying(data) == 2
    for change, message in (
        ({"fibres": [0, 0, 0, 1, 1, 1, 1]}, "coarsest balanced colouring"),
        ({"arrows": [[0, 1], [1, 0]]}, "coarsest balanced colouring"),
        ({"fibres": [0] * 6}, "malformed|coloured"),
        ({"arrows": [[0, 9]]}, "malformed"),
    ):
        layer = {**data["layers"][0]}
        layer["fibration"] = {**layer["fibration"], **change}
        with pytest.raises(CertificateError, match=message):
            check_tying({**data, "layers": [layer]})
    plain = {**data["layers"][0], "fibration": None}
    with pytest.raises(CertificateError):
        check_tying({**data, "layers": [plain]})


def test_the_self_check_sees_outputs_that_differ_in_a_fibre() -> None:
    module = eqcompile.compile(make_spec(GRAPHS["rings"], degree=1))
    check = importlib.import_module(f"{module.__name__}.selfcheck")
    passed, figure = check.check_equivariance("Layer")
    assert passed
    assert figure.endswith("within fibres")
    layer = check.make_layer("Layer")
    assert check.measure_fibres([0] * 7, layer) < 1e-12
    # Values constant on each ring are kept by the automorphisms; others are not.
    assert check.measure_fibres([0] * 3 + [1] * 4, layer) < 1e-12
    assert check.measure_fibres([0, 1, 2, 0, 0, 0, 0], layer) > 1e-3


def test_two_inputs_over_a_fibration() -> None:
    inputs = {"x": "V", "t": 1, "z": "V"}
    degrees = [{"x": 1, "t": 1}, {"x": 1, "z": 1}]
    spec = make_spec(GRAPHS["path"], input=inputs, degrees=degrees)
    layer, tyings = make_layer(spec), solve_spec(spec)
    fibres = lift(next(iter(tyings.values())))
    x, t, z = (torch.randn(3, 1, n, dtype=torch.float64) for n in (4, 1, 4))
    y = layer(x=x[..., fibres], t=t, z=z[..., fibres])
    first = torch.tensor([0, 1, 2, 3])[fibres]
    assert float((y - y[..., first]).detach().abs().max()) < 1e-12
    check = importlib.import_module(type(layer).__module__.rpartition(".")[0] + ".selfcheck")
    assert [r for r in check.run() if not r.passed] == []


def test_kernels_are_refused_where_orbits_share_coefficients() -> None:
    with pytest.raises(RuntimeError, match="coefficients that outputs of several orbits share"):
        make_layer(make_spec(GRAPHS["rings"], degree=1), backend="triton")
    petersen = eqcompile.compile(make_spec(nx.petersen_graph(), degree=2))
    assert petersen.Layer.layout.unserved == ""
    pooled = eqcompile.compile(make_spec(GRAPHS["rings"], output=1, degree=2))
    assert pooled.Layer.layout.unserved == ""


@pytest.mark.slow
@pytest.mark.interpreter
def test_kernels_are_right_where_they_serve() -> None:
    # A ring is one orbit, over which the fibration ties more than the automorphisms.
    module = eqcompile.compile(make_spec(nx.cycle_graph(5), degree=2))
    results = importlib.import_module(f"{module.__name__}.selfcheck").run()
    assert [r for r in results if not r.passed] == []
    compared = [r.figure for r in results if r.check in ("backends", "gradients")]
    assert all("kernels" in figure and "not compared" not in figure for figure in compared)


def test_what_is_too_large_to_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="over a fibration at most 1000000 are served"):
        eqcompile.solve(make_spec(nx.path_graph(200), degree=2))
    large = make_spec(KARATE, degrees=[3])
    with pytest.raises((Refusal, SpecError), match="has 1336336 slots in the block 3_111"):
        build(large, tmp_path)
    assert (
        summarise(make_spec(KARATE, degrees=[2]))["layers"][0]["degrees"]["2"]["classes"] == 10479
    )


def test_a_graph_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "net.txt").write_text("".join(f"{a} {b}\n" for a, b in KARATE.edges))
    spec = make_spec(KARATE, degrees=[0])
    spec["layers"][0]["group"] = {"graph": {"file": "net.txt", "symmetry": "fibration"}}
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(spec))
    assert summarise(path)["layers"][0]["degrees"]["0"]["classes"] == 27
    again = make_spec(KARATE, degrees=[0])
    read, written = (solve_spec(source)[0] for source in (path, again))
    assert np.array_equal(read.sizes, written.sizes)
