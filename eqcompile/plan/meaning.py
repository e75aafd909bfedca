"""What a layer means: the ansatz with tied weights, spelled from the tyings and the mixing alone.

Plans are compared with this; it shares no code with lowering but the names of things.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from eqcompile.layers.problem import LayerProblem
from eqcompile.plan.evaluate import Array
from eqcompile.plan.sources import list_factor_sources, list_sources, tuples_of
from eqcompile.solve.layer import Block, LayerSolution

Counts = Mapping[str, int]

PRIME = 2**31 - 1
"""Modulus of the field that large plans are compared in."""


def pick_channels(problem: LayerProblem) -> dict[str, int]:
    """Return channel counts that give every block at least one channel tuple."""
    counts: dict[str, int] = {}
    for source in list_sources(problem):
        shapes = (s[source.number] for d in problem.degrees for s in problem.block_shapes(d))
        widest = max(map(len, shapes)) if problem.channels.mixing == "full" else 2
        counts[source.count] = max(2, widest)
    outputs = 2 if problem.channels.mixing == "depthwise" else 1
    return {"batch": 1, **counts, "out": outputs, "rank": 2}


def count_terms(problem: LayerProblem, block: Block, channels: Counts) -> int:
    """Bound the number of terms one block contributes."""
    copies = channels["out"] * tuples_of(problem, block.shape).count(channels)
    if problem.channels.mixing == "factored":
        sources = list_factor_sources(problem, block.shape)
        copies = channels["rank"] * prod(channels[source.count] for source in sources)
    return copies * block.tying.ansatz.slots


@dataclass(frozen=True, slots=True)
class Term:
    """One product of the ansatz: ``sign * weight * x * ... * x`` added to ``y[o, k]``.

    Attributes:
        output: Channel and index of the output.
        sign: 1 or -1.
        weights: Name and place of each weight.
        inputs: Argument, channel and index of each input.
    """

    output: tuple[int, int]
    sign: int
    weights: tuple[tuple[str, tuple[int, ...]], ...]
    inputs: tuple[tuple[str, int, int], ...]


def list_terms(solution: LayerSolution, channels: Counts) -> Iterator[Term]:
    """Spell the ansatz with tied weights term by term, from the tyings and the mixing alone."""
    for block in solution.parameter_blocks():
        columns = block.tying.ansatz.space.columns()
        for k, labels, signs in block.tying.rows():
            for a in np.flatnonzero(labels >= 0):
                yield from _list_copies(
                    solution.problem,
                    block,
                    channels,
                    k,
                    int(labels[a]),
                    int(signs[a]),
                    columns[a].tolist(),
                )


def _list_copies(
    problem: LayerProblem,
    block: Block,
    channels: Counts,
    k: int,
    label: int,
    sign: int,
    indices: list[int],
) -> Iterator[Term]:
    """Spell one slot for every channel tuple, in the way the mixing says."""
    name = problem.name_weight(block.degree, block.shape)
    outputs = range(channels["out"])
    if not block.total:
        for o in outputs:
            yield Term((o, k), sign, ((name, (o, label)),), ())
        return
    if problem.channels.mixing == "factored":
        yield from _list_factored(problem, block, channels, k, label, sign, indices)
        return
    for p, spread in enumerate(_spread_tuples(problem, block, channels)):
        inputs = tuple(zip(_name_positions(problem, block), spread, indices, strict=True))
        if problem.channels.mixing == "depthwise":
            yield Term((p, k), sign, ((name, (p, label)),), inputs)
            continue
        for o in outputs:
            yield Term((o, k), sign, ((name, (o, p, label)),), inputs)


def _name_positions(problem: LayerProblem, block: Block) -> list[str]:
    """Return the argument that each index of a monomial belongs to."""
    pairs = zip(list_factor_sources(problem, block.shape), block.parts, strict=True)
    return [source.argument for source, part in pairs for _ in range(part)]


def _spread_tuples(problem: LayerProblem, block: Block, channels: Counts) -> list[list[int]]:
    """Return, per channel tuple of a block, the channel of each index of a monomial."""
    if problem.channels.mixing == "depthwise":
        # Every factor is in the one channel.
        return [[c] * block.total for c in range(channels["in"])]
    return [
        [c for c, part in zip(chosen, block.parts, strict=True) for _ in range(part)]
        for chosen in tuples_of(problem, block.shape).list_all(channels)
    ]


def _list_factored(
    problem: LayerProblem,
    block: Block,
    channels: Counts,
    k: int,
    label: int,
    sign: int,
    indices: list[int],
) -> Iterator[Term]:
    weight, mix = problem.name_weight(block.degree, block.shape), problem.name_mix(block.degree)
    names, maps = _name_positions(problem, block), problem.name_maps(block.degree)
    counts = [channels[s.count] for s in list_factor_sources(problem, block.shape)]
    for o in range(channels["out"]):
        for r in range(channels["rank"]):
            for spread in np.ndindex(*counts):
                mixed = tuple((m, (r, c)) for m, c in zip(maps, spread, strict=True))
                weights = ((weight, (r, label)), (mix, (o, r)), *mixed)
                yield Term((o, k), sign, weights, tuple(zip(names, spread, indices, strict=True)))


def evaluate_block(
    problem: LayerProblem, block: Block, inputs: dict[str, Array], channels: Counts
) -> Array:
    """Evaluate one block of the ansatz with tied weights in the prime field, shape ``(o, k)``."""
    result = np.zeros((channels["out"], problem.output.dim), dtype=np.int64)
    if not block.tying.coefficients:
        return result
    name = problem.name_weight(block.degree, block.shape)
    values = _evaluate_monomials(problem, block, inputs, channels)
    for k, labels, signs in block.tying.rows():
        kept = np.flatnonzero(labels >= 0)
        # Class coefficients of the slots; their last axes are those of the monomials: p a.
        weights = inputs[name][..., labels[kept]]
        slots = weights * (signs[kept] * values[:, kept] % PRIME) % PRIME
        sums = slots.sum(axis=-1) % PRIME
        if problem.channels.mixing == "factored" and block.total:
            sums = inputs[problem.name_mix(block.degree)] * sums % PRIME
        elif problem.channels.mixing == "depthwise" and block.total:
            sums = sums[:, None]
        result[:, k] = sums.reshape(len(result), -1).sum(axis=-1)
    return result % PRIME


def _evaluate_monomials(
    problem: LayerProblem, block: Block, inputs: dict[str, Array], channels: Counts
) -> Array:
    """Evaluate all monomials of a block at each channel tuple, shape ``(p, a)``; r for p."""
    d = block.total
    given = [inputs[name][0] for name in _name_positions(problem, block)]
    if problem.channels.mixing == "factored" and d:
        maps = [inputs[name] for name in problem.name_maps(block.degree)]
        sides = [_dot(m, x) for m, x in zip(maps, given, strict=True)]
    else:
        spread = _spread_tuples(problem, block, channels)
        chosen = np.array(spread, dtype=np.int64).reshape(len(spread), d)
        sides = [x[chosen[:, j]] for j, x in enumerate(given)]
    columns = block.tying.ansatz.space.columns()
    values = np.ones((len(sides[0]) if d else 1, len(columns)), dtype=np.int64)
    for j, side in enumerate(sides):
        values = values * side[:, columns[:, j]] % PRIME
    return values


def _dot(matrix: Array, values: Array) -> Array:
    """Multiply matrices modulo the prime."""
    return np.asarray((matrix[:, :, None] * values[None] % PRIME).sum(axis=1) % PRIME)
