"""The symmetry of a graph that a spec lists or names as a file: automorphisms, or fibres."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from eqcompile.actions.fibrations import Fibration, list_arrows
from eqcompile.actions.group import (
    Arguments,
    Environment,
    Group,
    name_generators,
    register_group,
)
from eqcompile.actions.refinement import find_fibres
from eqcompile.errors import PathPart, Refusal
from eqcompile.exact.signed import SignedPermutation

# The search for automorphisms takes about a second at this many vertices without any edge.
MAX_VERTICES = 1000
MAX_FILE_BYTES = 16_000_000

Vertex = Annotated[int, Field(ge=0, json_schema_extra={"maximum": MAX_VERTICES - 1})]
Edge = Annotated[list[Vertex], Field(min_length=2, max_length=2)]


class GraphSource(Arguments):
    """What stands under ``graph:``."""

    edges: list[Edge] | None = Field(default=None, description="pairs of vertices, from 0")
    file: str | None = Field(
        default=None, description="edge list or .graphml, in or below the folder of the spec"
    )
    n: Annotated[int, Field(ge=1, json_schema_extra={"maximum": MAX_VERTICES})] | None = Field(
        default=None, description="number of vertices, if some have no edge"
    )
    directed: bool = Field(default=False, description="whether an edge has a direction")
    symmetry: Literal["automorphisms", "fibration"] = "automorphisms"


class GraphArguments(Arguments):
    """``{graph: {edges: [...] | file: ..., symmetry: automorphisms | fibration}}``."""

    graph: GraphSource


@dataclass(frozen=True, slots=True)
class Network:
    """A graph: number of vertices, edges, whether they have a direction."""

    n: int
    edges: tuple[tuple[int, int], ...]
    directed: bool


@register_group("graph", "automorphisms of a graph, or its balanced colouring", GraphArguments)
def build_graph(arguments: GraphArguments, environment: Environment) -> Group:
    """Build the automorphism group of a graph on its vertices, with its fibres if asked for.

    The vertices of an edge list are its numbers, those of a GraphML file stand in its order. The
    generators are those that nauty finds, in its order; the identity where there are none.

    Raises:
        Refusal: Not exactly one of ``edges`` and ``file``; an edge that is no edge or comes twice;
            a file that is not there, not allowed or not readable; more than `MAX_VERTICES`.
    """
    source = arguments.graph
    if (source.edges is None) == (source.file is None):
        raise Refusal(
            "graph-source", "a graph has edges or a file, one of them", "give edges", ("graph",)
        )
    network = (
        _list_network(source)
        if source.file is None
        else read_network(environment.folder, source.file, source.n, source.directed)
    )
    generators = find_automorphisms(network)
    labels = name_generators(generators)
    graph = f"a graph on {network.n} vertices"
    if source.symmetry == "automorphisms":
        return Group(f"automorphisms of {graph}", generators, labels)
    fibration = find_fibration(network)
    return Group(f"balanced colouring of {graph}", generators, labels, fibration=fibration)


def find_fibration(network: Network) -> Fibration:
    """Return the coarsest balanced colouring of a graph."""
    arrows = list_arrows(network.edges, directed=network.directed)
    return Fibration(arrows, find_fibres(network.n, arrows))


def find_automorphisms(network: Network) -> tuple[SignedPermutation, ...]:
    """Return generators of the automorphism group; the identity if there are no others."""
    # Imported here: only graphs need it.
    import pynauty

    looped = {a for a, b in network.edges if a == b}
    adjacency: dict[int, list[int]] = {}
    for a, b in network.edges:
        if a != b:
            adjacency.setdefault(a, []).append(b)
    colours = [set(range(network.n)) - looped, looped]
    graph = pynauty.Graph(
        network.n,
        directed=network.directed,
        adjacency_dict=adjacency,
        vertex_coloring=[colour for colour in colours if colour],
    )
    found = pynauty.autgrp(graph)[0]
    generators = tuple(SignedPermutation.unsigned(image) for image in found)
    return generators or (SignedPermutation.identity(network.n),)


def _list_network(source: GraphSource) -> Network:
    pairs = [(a, b) for a, b in source.edges or []]
    places: dict[int, tuple[PathPart, ...]] = {i: ("graph", "edges", i) for i in range(len(pairs))}
    return _check_network(pairs, source.n, source.directed, places, ("graph",))


def _check_network(
    pairs: list[tuple[int, int]],
    n: int | None,
    directed: bool,
    places: Mapping[int, tuple[PathPart, ...]],
    at: tuple[PathPart, ...],
) -> Network:
    """Check the number of vertices and that no edge comes twice."""
    least = max((max(pair) for pair in pairs), default=-1) + 1
    size = least if n is None else n
    if size < 1:
        raise Refusal("graph-source", "a graph without vertices", "give edges or n", at)
    check_vertices(size, at)
    seen: set[tuple[int, int]] = set()
    for i, (a, b) in enumerate(pairs):
        place = places.get(i, at)
        if max(a, b) >= size:
            raise Refusal(
                "vertex",
                f"edge {a}-{b} needs {max(a, b) + 1} vertices, n is {size}",
                f"write n: {least}",
                place,
            )
        key = (a, b) if directed else (min(a, b), max(a, b))
        if key in seen:
            help = "list it once" if directed else "list it once, or write directed: true"
            raise Refusal("edge-repeated", f"edge {a}-{b} is listed twice", help, place)
        seen.add(key)
    return Network(size, tuple(pairs), directed)


def check_vertices(n: int, at: tuple[PathPart, ...]) -> None:
    """Refuse a graph with more than `MAX_VERTICES` vertices."""
    if n > MAX_VERTICES:
        text = f"automorphisms are searched for up to {MAX_VERTICES} vertices, this graph has {n}"
        raise Refusal("too-large", text, "give generators under permutations: instead", at)


def read_network(folder: Path, name: str, n: int | None, directed: bool) -> Network:
    """Read a graph from a file in or below ``folder``: GraphML by its ending, else an edge list.

    Raises:
        Refusal: See `build_graph`.
    """
    path = find_file(folder, name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise refuse_file(f"{name} cannot be read: {_first_line(error)}") from None
    if path.suffix.lower() in (".graphml", ".xml"):
        pairs, count, directed = parse_graphml(text, name)
        if n is not None and n != count:
            raise refuse_file(f"{name} has {count} vertices, n is {n}")
        n = count
    else:
        pairs = parse_edge_list(text, name)
    return _check_network(pairs, n, directed, {}, ("graph", "file"))


def find_file(folder: Path, name: str) -> Path:
    """Return the regular file ``name`` in or below ``folder``, links followed.

    Raises:
        Refusal: An absolute path, one that leads out of the folder, no file, one that is too large.
    """
    if "\0" in name or Path(name).is_absolute():
        raise refuse_file(f"{name!r} is no path relative to the spec's folder")
    try:
        root = folder.resolve()
        path = (root / name).resolve()
    except (OSError, RuntimeError) as error:
        raise refuse_file(f"{name} cannot be read: {_first_line(error)}") from None
    if not path.is_relative_to(root):
        raise refuse_file(f"{name} lies outside the spec's folder")
    try:
        found, size = path.is_file(), path.stat().st_size if path.is_file() else 0
    except OSError as error:
        raise refuse_file(f"{name} cannot be read: {_first_line(error)}") from None
    if not found:
        raise refuse_file(f"there is no file {name}")
    if size > MAX_FILE_BYTES:
        text = f"{name} has {size} bytes, at most {MAX_FILE_BYTES} are read"
        raise Refusal("too-large", text, "use a smaller graph", ("graph", "file"))
    return path


def parse_edge_list(text: str, name: str) -> list[tuple[int, int]]:
    """Read one edge of two whole numbers per line; ``#`` starts a comment."""
    pairs = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or not all(_is_number(word) for word in words):
            shown = " ".join(words)[:40]
            raise refuse_file(f"{name}, line {number}: expected two vertices, found {shown!r}")
        pairs.append((int(words[0]), int(words[1])))
    return pairs


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= 9


def parse_graphml(text: str, name: str) -> tuple[list[tuple[int, int]], int, bool]:
    """Read edges, the number of vertices and whether edges have a direction from GraphML."""
    # Imported here: only GraphML needs it, and it is slow to import.
    from xml.etree.ElementTree import ParseError

    import networkx as nx

    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise refuse_file(f"{name} declares a document type or entities")
    try:
        graph = nx.parse_graphml(text, force_multigraph=True)
    except (nx.NetworkXException, ParseError, ValueError, KeyError, TypeError) as error:
        raise refuse_file(f"{name} is not GraphML: {_first_line(error)}") from None
    check_vertices(graph.number_of_nodes(), ("graph", "file"))
    place = {vertex: i for i, vertex in enumerate(graph.nodes)}
    edges: Iterable[tuple[object, ...]] = graph.edges()
    pairs = [(place[a], place[b]) for a, b, *_ in edges]
    return pairs, len(place), bool(graph.is_directed())


def refuse_file(text: str) -> Refusal:
    """Refuse the file a graph names."""
    help = "give an edge list (two vertices per line) or GraphML in or below the spec's folder"
    return Refusal("graph-file", text, help, ("graph", "file"))


def _first_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).splitlines() or [type(error).__name__])[0]
