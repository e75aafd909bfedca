"""Reverse-mode derivative of a plan, as a plan.

Every op is linear in each argument, so its transpose is again made of the ops of the IR. The
derivative of a derivative is taken the same way: the backward and double-backward programs of an
emitted layer are both made here, never by differentiating the emitted code.
"""

from __future__ import annotations

from eqcompile.plan.build import PlanBuilder, replace_arguments
from eqcompile.plan.ir import Add, Contract, Input, Map, Op, Plan, Reduce, Rename


def differentiate(plan: Plan, prefix: str) -> Plan:
    """Return the plan of all vector-Jacobian products.

    Args:
        plan: A program with outputs ``y_1, ..`` and arguments ``x_1, ..``.
        prefix: Put before names: the new arguments are the cotangents ``<prefix>y_j``, the
            outputs are ``<prefix>x_i = sum_j (d y_j / d x_i)^T <prefix>y_j``.

    Returns:
        A plan over the old arguments and the cotangents; an argument that no output depends on
        has no entry among the outputs.
    """
    builder = PlanBuilder(dict(plan.sizes), {t.name: t for t in plan.tables})
    place: dict[int, int] = {}
    for position, op in enumerate(plan.ops):
        place[position] = builder.put(replace_arguments(op, place))
    cotangents: dict[int, list[int]] = {}
    for name, position in plan.outputs:
        seed = builder.input(prefix + name, plan.ops[position].axes)
        cotangents.setdefault(position, []).append(seed)
    for position in range(len(plan.ops) - 1, -1, -1):
        op = plan.ops[position]
        if position in cotangents and not isinstance(op, Input):
            total = builder.add(cotangents[position], op.axes)
            for argument, term in transpose_op(builder, plan, op, place, total):
                cotangents.setdefault(argument, []).append(term)
    outputs = [
        (prefix + op.name, builder.add(cotangents[position], op.axes))
        for position, op in enumerate(plan.ops)
        if isinstance(op, Input) and position in cotangents
    ]
    return builder.finish(outputs)


def transpose_op(
    builder: PlanBuilder, plan: Plan, op: Op, place: dict[int, int], total: int
) -> list[tuple[int, int]]:
    """Return, per argument of an op, the cotangent its result's cotangent ``total`` sends back.

    Arguments are named by their position in ``plan``, results by their position in ``builder``.
    """
    match op:
        case Map(argument=a, table=t, source=s, target=g, transposed=flip):
            back = builder.map(total, t, g, s, transposed=not flip)
            return [(a, _order(builder, back, plan.ops[a].axes))]
        case Contract(left=a, right=b):
            return [
                (a, builder.contract(total, place[b], plan.ops[a].axes)),
                (b, builder.contract(total, place[a], plan.ops[b].axes)),
            ]
        case Add(arguments=args):
            return [(a, builder.reduce(total, plan.ops[a].axes)) for a in args]
        case Reduce(argument=a):
            return [(a, builder.add([total], plan.ops[a].axes))]
        case Rename(argument=a):
            return [(a, builder.rename(total, plan.ops[a].axes))]
        case Input():
            return []


def _order(builder: PlanBuilder, value: int, axes: tuple[str, ...]) -> int:
    """Put the axes of a value in the given order."""
    return value if builder.axes(value) == axes else builder.reduce(value, axes)
