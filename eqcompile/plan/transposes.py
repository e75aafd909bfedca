"""Prove that a derivative plan is the transpose of its plan's derivative."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from eqcompile.errors import CertificateError
from eqcompile.plan.evaluate import Array, evaluate, modular, resolve_size
from eqcompile.plan.ir import Contract, Input, Plan, arguments_of
from eqcompile.plan.meaning import PRIME


def shape_inputs(plan: Plan, channels: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every argument of a plan."""
    sizes = {axis: resolve_size(size, channels) for axis, size in plan.sizes}
    return {op.name: tuple(sizes[a] for a in op.axes) for op in plan.inputs()}


def draw_inputs(plan: Plan, channels: Mapping[str, int], sample: int) -> dict[str, Array]:
    """Draw every argument of a plan from the prime field, reproducibly."""
    rng = np.random.default_rng(sample)
    return {n: rng.integers(0, PRIME, s) for n, s in shape_inputs(plan, channels).items()}


def check_transpose(
    plan: Plan, transposed: Plan, prefix: str, channels: Mapping[str, int], sample: int
) -> None:
    """Check ``<g, dF(x) v> = <B(x, g), v>`` at one random point of the prime field.

    Raises:
        CertificateError: The two sides differ.
    """
    ring = modular(PRIME)
    points = draw_inputs(transposed, channels, 2 * sample + 1)
    moves = draw_inputs(plan, channels, 2 * sample + 2)
    names = [op.name for op in plan.ops if isinstance(op, Input)]
    tangents = derive(plan, {n: points[n] for n in names}, moves, channels)
    left = sum(_inner(points[prefix + name], value) for name, value in tangents.items())
    found = evaluate(transposed, points, ring, channels)
    right = sum(_inner(found[prefix + n], moves[n]) for n in names if prefix + n in found)
    if (left - right) % PRIME:
        raise CertificateError(f"the derivative plan {prefix}* is not the transpose of its plan")


def _inner(left: Array, right: Array) -> int:
    return int((left * right % PRIME).sum()) % PRIME


def derive(
    plan: Plan, points: dict[str, Array], moves: dict[str, Array], channels: Mapping[str, int]
) -> dict[str, Array]:
    """Return the directional derivative of every output, exactly, by interpolation.

    Along a line ``x + t v`` each output is a polynomial in t, whose linear coefficient follows
    from its values at one node more than its degree.
    """
    nodes = 1 + max(2, degree_bound(plan))
    values = []
    for t in range(nodes):
        at = {n: (points[n] + t * moves[n]) % PRIME for n in points}
        values.append(evaluate(plan, at, modular(PRIME), channels))
    weights = linear_weights(nodes)
    derivative = {name: np.zeros_like(value) for name, value in values[0].items()}
    for weight, value in zip(weights, values, strict=True):
        derivative = {n: (d + weight * value[n]) % PRIME for n, d in derivative.items()}
    return derivative


def degree_bound(plan: Plan) -> int:
    """Bound the total degree of a plan's outputs in all its arguments."""
    degrees: list[int] = []
    for op in plan.ops:
        match op:
            case Input():
                degrees.append(1)
            case _:
                below = [degrees[a] for a in arguments_of(op)]
                degrees.append(sum(below) if isinstance(op, Contract) else max(below))
    return max((degrees[p] for _, p in plan.outputs), default=0)


def linear_weights(nodes: int) -> list[int]:
    """Return w with ``q'(0) = sum_t w_t q(t)`` modulo the prime, for deg q < nodes."""
    weights = []
    for t in range(nodes):
        others = [s for s in range(nodes) if s != t]
        below = 1
        for s in others:
            below = below * (t - s) % PRIME
        # The linear coefficient of prod (z - s): drop one factor at a time, at z = 0.
        above = 0
        for skip in others:
            term = 1
            for s in others:
                if s != skip:
                    term = term * -s % PRIME
            above += term
        weights.append(above * pow(below, -1, PRIME) % PRIME)
    return weights
