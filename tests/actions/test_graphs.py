"""Graphs: what files may be named, how they are read, and which group comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

from eqcompile.actions.graphs import MAX_VERTICES, Network, find_automorphisms, parse_edge_list
from eqcompile.actions.group import Environment, Group
from eqcompile.actions.relations import compute_group_order
from eqcompile.errors import Refusal, Refusals
from tests.actions.entries import PETERSEN, build, edges

HELP = "give an edge list (two vertices per line) or GraphML in or below the spec's folder"


def build_file(folder: Path, name: str, **more: Any) -> Group:
    return Environment({}, folder).build({"graph": {"file": name, **more}})


def refuse_file(folder: Path, name: str, **more: Any) -> Refusal:
    with pytest.raises(Refusals) as caught:
        build_file(folder, name, **more)
    (refusal,) = caught.value.refusals
    assert refusal.at == ("graph", "file")
    return refusal


def test_automorphisms_keep_the_edges() -> None:
    group = build(PETERSEN)
    pairs = {frozenset(e) for e in PETERSEN["graph"]["edges"]}
    for g in group.signed:
        assert {frozenset(int(g.perm[v]) for v in e) for e in pairs} == pairs


@pytest.mark.parametrize("seed", range(6))
def test_automorphisms_are_all_of_them(seed: int) -> None:
    graph = nx.gnm_random_graph(6, 5 + seed, seed=seed, directed=bool(seed % 2))
    network = Network(6, tuple(graph.edges), graph.is_directed())
    found = find_automorphisms(network)
    matcher = nx.isomorphism.DiGraphMatcher if graph.is_directed() else nx.isomorphism.GraphMatcher
    count = sum(1 for _ in matcher(graph, graph).isomorphisms_iter())
    group = Group("G", found, tuple(f"g{i}" for i in range(len(found))))
    assert compute_group_order(group) == count


def test_a_loop_is_kept() -> None:
    group = build(edges([0, 1], [1, 2], [2, 0], [2, 2]))
    assert [g.perm.tolist() for g in group.signed] == [[1, 0, 2]]


def test_an_edge_list_is_read(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "ring.txt").write_text("# a ring\n0 1\n1 2  # and on\n\n2 3\n3 0\n")
    group = build_file(tmp_path, "deep/ring.txt")
    assert (group.dim, compute_group_order(group)) == (4, 8)
    assert build_file(tmp_path, "deep/../deep/ring.txt").signed == group.signed
    assert build_file(tmp_path, "deep/ring.txt", n=6).dim == 6
    assert compute_group_order(build_file(tmp_path, "deep/ring.txt", directed=True)) == 4


def test_graphml_is_read_in_its_order(tmp_path: Path) -> None:
    graph = nx.DiGraph([("b", "a"), ("a", "c"), ("c", "b"), ("b", "d")])
    nx.write_graphml(graph, tmp_path / "net.graphml")
    group = build_file(tmp_path, "net.graphml")
    assert group.dim == 4
    assert compute_group_order(group) == 1
    nx.write_graphml(nx.star_graph(["m", "x", "y"]), tmp_path / "star.graphml")
    star = build_file(tmp_path, "star.graphml")
    assert [g.perm.tolist() for g in star.signed] == [[0, 2, 1]]
    assert refuse_file(tmp_path, "star.graphml", n=4).text == "star.graphml has 3 vertices, n is 4"


def test_a_link_inside_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "ring.txt").write_text("0 1\n")
    (tmp_path / "link.txt").symlink_to("ring.txt")
    assert build_file(tmp_path, "link.txt").dim == 2


@pytest.mark.parametrize(
    "name", ["../ring.txt", "inner/../../ring.txt", "link.txt", "linked/ring.txt"]
)
def test_no_path_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "ring.txt").write_text("0 1\n")
    inside = tmp_path / "spec"
    (inside / "inner").mkdir(parents=True)
    (inside / "link.txt").symlink_to(tmp_path / "ring.txt")
    (inside / "linked").symlink_to(tmp_path)
    refusal = refuse_file(inside, name)
    assert refusal.rule == "graph-file"
    assert refusal.text == f"{name} lies outside the spec's folder"
    assert refusal.help == HELP


def test_only_files_relative_to_the_folder_are_read(tmp_path: Path) -> None:
    (tmp_path / "ring.txt").write_text("0 1\n")
    name = str(tmp_path / "ring.txt")
    assert refuse_file(tmp_path, name).text == f"{name!r} is no path relative to the spec's folder"
    text = "'a\\x00b' is no path relative to the spec's folder"
    assert refuse_file(tmp_path, "a\0b").text == text
    (tmp_path / "folder").mkdir()
    for missing in ("folder", "none.txt", ""):
        assert refuse_file(tmp_path, missing).text == f"there is no file {missing}"
    (tmp_path / "self.txt").symlink_to("self.txt")
    assert refuse_file(tmp_path, "self.txt").rule == "graph-file"
    assert refuse_file(tmp_path, "x" * 5000).rule == "graph-file"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("0 1\n1 2 3\n", "net.txt, line 2: expected two vertices, found '1 2 3'"),
        ("0 1\n\n2 b\n", "net.txt, line 3: expected two vertices, found '2 b'"),
        ("0 -1\n", "net.txt, line 1: expected two vertices, found '0 -1'"),
        ("0 1\n1 0\n", "edge 1-0 is listed twice"),
        ("# none\n", "a graph without vertices"),
        ("0 5000\n", f"automorphisms are searched for up to {MAX_VERTICES} vertices, this graph"),
    ],
)
def test_an_edge_list_that_is_none_is_refused(tmp_path: Path, content: str, text: str) -> None:
    (tmp_path / "net.txt").write_text(content)
    assert refuse_file(tmp_path, "net.txt").text.startswith(text)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<graph", "net.graphml is not GraphML: "),
        ("<other/>", "net.graphml is not GraphML: "),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><graphml/>", "net.graphml declares a document type"),
    ],
)
def test_a_file_that_is_no_graphml_is_refused(tmp_path: Path, content: str, text: str) -> None:
    (tmp_path / "net.graphml").write_text(content)
    refusal = refuse_file(tmp_path, "net.graphml")
    assert refusal.rule == "graph-file"
    assert refusal.text.startswith(text)


def test_parallel_edges_are_refused(tmp_path: Path) -> None:
    nx.write_graphml(nx.MultiGraph([(0, 1), (0, 1)]), tmp_path / "net.graphml")
    assert refuse_file(tmp_path, "net.graphml").rule == "edge-repeated"


def test_what_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.txt").write_bytes(b"\xff\xfe0 1")
    assert refuse_file(tmp_path, "net.txt").text.startswith("net.txt cannot be read: ")


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "net.txt").open("wb") as file:
        file.truncate(20_000_000)
    refusal = refuse_file(tmp_path, "net.txt")
    assert refusal.rule == "too-large"
    assert refusal.text == "net.txt has 20000000 bytes, at most 16000000 are read"


def test_edge_lists_are_ascii_numbers() -> None:
    assert parse_edge_list("0\t1\r\n", "x") == [(0, 1)]
    with pytest.raises(Refusal, match="expected two vertices"):
        parse_edge_list("0 \u0663\n", "x")


def test_the_largest_graph_is_served_in_seconds() -> None:
    group = build(edges(n=200))
    assert compute_group_order(group) == np.prod(np.arange(1, 201, dtype=object))
