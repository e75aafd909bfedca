"""What the templates spell: one frozen view per layer, all decisions made and all text safe."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from eqcompile.emit.lookups import list_lookups
from eqcompile.emit.served import refuse_kernels, spell_facts
from eqcompile.emit.signatures import (
    is_plain,
    spell_by_input,
    spell_count,
    spell_default,
    spell_forward,
    spell_long_tuple,
    spell_names,
    spell_opening,
    spell_signature,
    spell_widths,
)
from eqcompile.emit.spelling import (
    check_identifier,
    fit_call,
    spell_tuple,
    spell_tuple_lines,
)
from eqcompile.emit.straight import render_straight
from eqcompile.emit.torch_code import Lookups, Result, render_function
from eqcompile.emit.variance import block_variance, factored_variance
from eqcompile.layers.problem import LayerProblem
from eqcompile.plan.ir import Axes, Plan
from eqcompile.plan.sources import list_factor_sources, list_sources
from eqcompile.solve.layer import Block, LayerSolution

RULES = {"orthonormal": "scale", "eliminate": "plain"}
"""Per parametrisation, how a coefficient that is a class comes from its parameter."""

DTYPES = ("float16", "bfloat16", "float32", "float64")


PROMISE = (
    "    Tied by the coarsest balanced colouring of a graph: whatever the parameters, inputs that",
    "    are constant on its fibres are mapped to outputs that are, and the layer is equivariant",
    "    under the automorphisms of the graph. Not every polynomial with both properties is there.",
    "",
)
"""What a layer over a fibration says of itself."""


@dataclass(frozen=True, slots=True)
class EmittedLayer:
    """Everything the package needs to know of one layer.

    Attributes:
        solution: The solved layer.
        forward: Its program.
        backward: The derivative of the program, prefix ``grad_``.
        double: The derivative of that, prefix ``hat_``.
        form: Name of the program's form.
        costs: The forms considered and their costs, as text.
        explanation: The derivation, as text.
    """

    solution: LayerSolution
    forward: Plan
    backward: Plan
    double: Plan
    form: str
    costs: str
    explanation: str


@dataclass(frozen=True, slots=True)
class LayerView:
    """One layer as the templates see it; every field is text or a number."""

    name: str
    base: str
    signature: str
    n_in: str
    n_out: int
    naming: tuple[str, ...]
    counting: tuple[str, ...]
    arguments: tuple[str, ...]
    degrees: str
    mixing: str
    rank: int
    dtype: str
    classes: str
    widths: str
    in_channels: str
    opening: tuple[str, ...]
    forward: tuple[str, ...]
    out_channels: int
    promise: tuple[str, ...]
    documentation: tuple[str, ...]
    parameters: tuple[str, ...]
    velocities: tuple[str, ...]
    blocks: str
    lookups: str
    indices: int
    programs: tuple[str, ...]
    out: str
    kinds: tuple[str, ...]
    unserved: str
    facts: str
    straight: str


@dataclass(frozen=True, slots=True)
class Weight:
    """One parameter of a layer.

    Attributes:
        name: Its name.
        axes: Its axes in the programs.
        meaning: Its shape and what it is, for people.
    """

    name: str
    axes: Axes
    meaning: str


def view_layer(layer: EmittedLayer) -> LayerView:
    """Make the view of one layer.

    Raises:
        ValueError: A name or a dtype is not safe in code; an earlier floor should have refused.
    """
    problem = layer.solution.problem
    blocks = layer.solution.parameter_blocks()
    weights = list_weights(problem, blocks)
    lookups = list_lookups((layer.forward, layer.backward, layer.double))
    if problem.dtype not in DTYPES:
        raise ValueError(f"{problem.dtype!r} is no dtype an emitted layer can have")
    # A depthwise layer has as many channels in as out, so its weights say both.
    leading = ("o", "c") if problem.channels.mixing == "depthwise" else ("o",)
    return LayerView(
        name=check_identifier(problem.name),
        base="PolynomialLayer" if is_plain(problem) else "EquivariantLayer",
        signature=spell_signature(problem),
        n_in=spell_by_input([str(given.action.dim) for given in problem.inputs]),
        n_out=problem.output.dim,
        naming=spell_names(problem),
        counting=spell_count(problem),
        arguments=tuple(check_identifier(s.argument) for s in list_sources(problem)),
        degrees=spell_long_tuple(
            "degrees", [spell_by_input(list(map(str, d))) for d in problem.degrees]
        ),
        mixing=problem.channels.mixing,
        rank=problem.channels.rank or 0,
        dtype=problem.dtype,
        classes=spell_long_tuple(
            "classes", [str(layer.solution.tying(d).classes) for d in problem.degrees]
        ),
        widths=spell_widths(problem),
        in_channels=spell_default(problem),
        opening=spell_opening(problem),
        forward=spell_forward(problem),
        out_channels=problem.channels.outputs,
        promise=PROMISE if problem.group.fibration is not None else (),
        documentation=tuple(f"{w.name}: {w.meaning}" for w in weights),
        parameters=tuple(w.name for w in weights),
        velocities=spell_velocities(problem),
        blocks=spell_tuple_lines(
            "blocks=(", [spell_block(problem, block) for block in blocks], "),", indent=8
        ),
        lookups=spell_tuple_lines(
            f"LOOKUPS_{problem.name}: tuple[Lookup, ...] = (",
            [lookup.spell() for lookup in lookups.values()],
            ")",
        ),
        indices=sum(len(lookup.indices) for lookup in lookups.values()),
        programs=render_programs(layer, lookups, weights),
        out=next(w.name for w in weights if w.axes[0] in leading),
        kinds=tuple(dict.fromkeys(lookup.kind for lookup in lookups.values())),
        unserved=refuse_kernels(problem),
        facts=spell_facts(layer.solution, indent=8),
        straight="" if refuse_kernels(problem) else render_straight(layer.solution),
    )


def list_weights(problem: LayerProblem, blocks: tuple[Block, ...]) -> list[Weight]:
    """List the parameters of a layer in the order its programs take them."""
    weights = []
    for block in blocks:
        d, m = block.total, block.tying.classes
        spelled = f"degree {problem.spell_degree(block.degree)}"
        name = check_identifier(problem.name_weight(block.degree, block.shape))
        if d == 0:
            weights.append(Weight(name, ("o", "m"), f"(C_out, {m}), the constant part"))
            continue
        match problem.channels.mixing:
            case "depthwise":
                weights.append(Weight(name, ("c", "m"), f"(C, {m}), {spelled} within a channel"))
            case "factored":
                rank = problem.channels.rank
                meaning = f"({rank}, {m}), ordered classes of {spelled}"
                weights.append(Weight(name, ("r", "m"), meaning))
                pairs = zip(
                    problem.name_maps(block.degree),
                    list_factor_sources(problem, block.shape),
                    strict=True,
                )
                for map_name, source in pairs:
                    width = f"C{source.ending or '_in'}"
                    meaning = f"({rank}, {width}), mixes the channels of one factor"
                    weights.append(Weight(map_name, ("r", source.channel), meaning))
                meaning = f"(C_out, {rank}), mixes the products"
                weights.append(Weight(problem.name_mix(block.degree), ("o", "r"), meaning))
            case "full" | "channelwise":
                meaning = _describe_tuples(problem, block)
                weights.append(Weight(name, ("o", "p", "m"), meaning))
    return weights


def _describe_tuples(problem: LayerProblem, block: Block) -> str:
    m, shape, sources = block.tying.classes, block.parts, list_factor_sources(problem, block.shape)
    if len(shape) == 1:
        width, degree = f"C{sources[0].ending or '_in'}", problem.spell_degree(block.degree)
        return f"(C_out, {width}, {m}), degree {degree} within a channel"
    if len(problem.inputs) == 1:
        spelled = " and ".join(str(part) for part in shape)
        return f"(C_out, tuples, {m}), degrees {spelled} in {len(shape)} different channels"
    named = zip(block.tying.ansatz.names, shape, strict=True)
    spelled = ", ".join(f"{part} in {name}" for name, part in named)
    return f"(C_out, tuples of channels, {m}), degrees {spelled}"


def spell_velocities(problem: LayerProblem) -> tuple[str, ...]:
    """Write the attribute that has the velocities of a lattice; none for another group."""
    if not (points := problem.group.points):
        return ()
    rows = [spell_tuple([str(v) for v in point]) for point in points]
    head = "velocities: tuple[tuple[int, ...], ...] = ("
    meaning = '    """Of the lattice, in the order of the action V."""'
    return ("", spell_tuple_lines(head, rows, ")", indent=4), meaning)


def spell_block(problem: LayerProblem, block: Block) -> str:
    """Write the constructor call that declares a block, for a line indented by 12."""
    if not block.total:
        powers: tuple[Fraction, ...] = ()
    elif problem.channels.mixing == "factored":
        powers = factored_variance(block.tying, problem.parametrisation)
    else:
        powers = (block_variance(block.tying, problem.parametrisation),)
    variance = spell_tuple([f"_Fraction({v.numerator}, {v.denominator})" for v in powers])
    arguments = [
        spell_by_input([str(d) for d in block.degree]),
        spell_by_input([spell_tuple([str(d) for d in parts]) for parts in block.shape]),
        f'"{problem.name_weight(block.degree, block.shape)}"',
        str(block.tying.classes),
        variance,
    ]
    rule = "map" if block.tying.basis else RULES[problem.parametrisation]
    if rule != "scale":
        arguments.append(f'rule="{rule}"')
    if block.tying.is_affine:
        arguments.append("affine=True")
    return fit_call("_Block(", arguments, indent=12)


def render_programs(
    layer: EmittedLayer, lookups: Lookups, weights: list[Weight]
) -> tuple[str, ...]:
    """Spell the forward, backward and double backward of a layer."""
    name = check_identifier(layer.solution.problem.name)
    known = {op.name: op.axes for op in layer.double.inputs()}
    known |= {op.name: op.axes for op in layer.forward.inputs()}
    sources = list_sources(layer.solution.problem)
    given = [(source.argument, source.axes) for source in sources]
    tensors = [*given, *((w.name, known.get(w.name, w.axes)) for w in weights)]
    gradient = ("grad_y", ("b", "o", "k"))
    hats = [(f"hat_grad_{n}", axes) for n, axes in tensors]
    groups = {w.name: "weights" for w in weights} | {n: n for n, _ in given}
    return (
        render_function(
            f"forward_{name}",
            layer.forward,
            lookups,
            arguments=tensors,
            results=[Result("y", given[0][0])],
            summary=f"Evaluate {name}.",
        ),
        render_function(
            f"backward_{name}",
            layer.backward,
            lookups,
            arguments=[gradient, *tensors],
            results=[Result(f"grad_{n}", n, groups[n]) for n, _ in tensors],
            summary=f"Differentiate {name} once: gradients of the sum of ``grad_y * y``.",
        ),
        render_function(
            f"double_backward_{name}",
            layer.double,
            lookups,
            arguments=[*hats, gradient, *tensors],
            results=[Result(f"hat_{n}", n) for n, _ in [gradient, *tensors]],
            summary=f"Differentiate backward_{name}: ``hat_*`` are cotangents.",
        ),
    )
