"""What a layer means: the ansatz with tied weights, spelled from the tyings and the mixing alone.

Plans are compared with this; it shares no code with lowering.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from eqcompile.exact.monomials import list_channel_tuples
from eqcompile.layers.problem import LayerProblem
from eqcompile.plan.evaluate import Array
from eqcompile.solve.layer import Block, LayerSolution

Counts = Mapping[str, int]

PRIME = 2**31 - 1
"""Modulus of the field that large plans are compared in."""


def pick_channels(problem: LayerProblem) -> dict[str, int]:
    """Return channel counts that give every block at least one channel tuple."""
    widest = max(len(s) for d in problem.degrees for s in problem.block_shapes(d))
    inputs = (
        2 if problem.channels.mixing in ("channelwise", "depthwise", "factored") else max(2, widest)
    )
    outputs = inputs if problem.channels.mixing == "depthwise" else 1
    return {"batch": 1, "in": inputs, "out": outputs, "rank": 2}


def count_terms(problem: LayerProblem, block: Block, channels: Counts) -> int:
    """Bound the number of terms one block contributes."""
    copies = channels["out"] * len(list_channel_tuples(block.shape, channels["in"]))
    if problem.channels.mixing == "factored":
        copies = channels["rank"] * channels["in"] ** block.degree
    return copies * block.tying.ansatz.slots


@dataclass(frozen=True, slots=True)
class Term:
    """One product of the ansatz: ``sign * weight * x * ... * x`` added to ``y[o, k]``."""

    output: tuple[int, int]
    sign: int
    weights: tuple[tuple[str, tuple[int, ...]], ...]
    inputs: tuple[tuple[int, int], ...]


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
    if block.degree == 0:
        for o in outputs:
            yield Term((o, k), sign, ((name, (o, label)),), ())
        return
    if problem.channels.mixing == "factored":
        yield from _list_factored(block, channels, k, label, sign, indices)
        return
    for p, chosen in enumerate(list_channel_tuples(block.shape, channels["in"])):
        spread = [c for c, part in zip(chosen, block.shape, strict=True) for _ in range(part)]
        inputs = tuple(zip(spread, indices, strict=True))
        if problem.channels.mixing == "depthwise":
            yield Term((p, k), sign, ((name, (p, label)),), inputs)
            continue
        for o in outputs:
            yield Term((o, k), sign, ((name, (o, p, label)),), inputs)


def _list_factored(
    block: Block, channels: Counts, k: int, label: int, sign: int, indices: list[int]
) -> Iterator[Term]:
    d = block.degree
    for o in range(channels["out"]):
        for r in range(channels["rank"]):
            for spread in np.ndindex(*(channels["in"],) * d):
                maps = tuple((f"factor_{d}_{j + 1}", (r, c)) for j, c in enumerate(spread))
                weights = ((f"weight_{d}", (r, label)), (f"mix_{d}", (o, r)), *maps)
                yield Term((o, k), sign, weights, tuple(zip(spread, indices, strict=True)))


def evaluate_block(
    problem: LayerProblem, block: Block, inputs: dict[str, Array], channels: Counts
) -> Array:
    """Evaluate one block of the ansatz with tied weights in the prime field, shape ``(o, k)``."""
    result = np.zeros((channels["out"], problem.output.dim), dtype=np.int64)
    if not block.tying.classes:
        return result
    name = problem.name_weight(block.degree, block.shape)
    values = _evaluate_monomials(problem, block, inputs, channels)
    for k, labels, signs in block.tying.rows():
        kept = np.flatnonzero(labels >= 0)
        # Class coefficients of the slots; their last axes are those of the monomials: p a.
        weights = inputs[name][..., labels[kept]]
        slots = weights * (signs[kept] * values[:, kept] % PRIME) % PRIME
        sums = slots.sum(axis=-1) % PRIME
        if problem.channels.mixing == "factored" and block.degree:
            sums = inputs[f"mix_{block.degree}"] * sums % PRIME
        elif problem.channels.mixing == "depthwise" and block.degree:
            sums = sums[:, None]
        result[:, k] = sums.reshape(len(result), -1).sum(axis=-1)
    return result % PRIME


def _evaluate_monomials(
    problem: LayerProblem, block: Block, inputs: dict[str, Array], channels: Counts
) -> Array:
    """Evaluate all monomials of a block at each channel tuple, shape ``(p, a)``; r for p."""
    x, d = inputs["x"][0], block.degree
    if problem.channels.mixing == "factored" and d:
        sides = [_dot(inputs[f"factor_{d}_{j + 1}"], x) for j in range(d)]
    else:
        tuples = list_channel_tuples(block.shape, channels["in"])
        spread = [
            [c for c, part in zip(chosen, block.shape, strict=True) for _ in range(part)]
            for chosen in tuples
        ]
        chosen = np.array(spread, dtype=np.int64).reshape(len(tuples), d)
        sides = [x[chosen[:, j]] for j in range(d)]
    columns = block.tying.ansatz.space.columns()
    values = np.ones((len(sides[0]) if d else 1, len(columns)), dtype=np.int64)
    for j, side in enumerate(sides):
        values = values * side[:, columns[:, j]] % PRIME
    return values


def _dot(matrix: Array, values: Array) -> Array:
    """Multiply matrices modulo the prime."""
    return np.asarray((matrix[:, :, None] * values[None] % PRIME).sum(axis=1) % PRIME)
