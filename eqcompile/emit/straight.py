"""Spell small layers as straight-line Triton kernels: every monomial by name, and no table.

A lane works for one row of the batch in one channel. It loads the inputs once, sums the members of
each class, and multiplies each sum by its weight. The text, the registers and the time to compile
grow with the number of slots, so larger layers take the kernels that read tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eqcompile.emit.spelling import check_identifier, spell_call
from eqcompile.emit.statements import Term, Writer, multiply
from eqcompile.solve.layer import LayerSolution
from eqcompile.solve.tying import Tying

STRAIGHT_LIMIT = 500
"""Most slots that are spelled one by one."""

WIDTH_LIMIT = 64
"""Most inputs and outputs together: every one is a load, and many loads take long to compile."""

CLASS_LIMIT = 128
"""Most classes: beyond it sums are short, and every weight is a load."""

WEIGHT_LIMIT = 64
"""Most classes whose gradients are summed by one kernel."""

HELD_LIMIT = 100
"""Most values that a lane holds: in float64 each takes 2 of 255 registers, and sums need some."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot that is not zero.

    Attributes:
        output: Its output.
        label: Its class, those of degree 2 counted after those of degree 1.
        sign: Its sign in the class.
        factors: The inputs of its monomial.
    """

    output: int
    label: int
    sign: int
    factors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Polynomial:
    """A layer within one channel, slot by slot.

    Attributes:
        name: Of the layer.
        n_in: Number of inputs.
        n_out: Number of outputs.
        classes: Number of classes of degree 1 and 2.
        slots: Those of degree 1 and 2, by output, class and monomial.
        constants: Those of degree 0.
        shared: The products of two inputs that several slots have.
    """

    name: str
    n_in: int
    n_out: int
    classes: int
    slots: tuple[Slot, ...]
    constants: tuple[Slot, ...]
    shared: frozenset[tuple[int, ...]]

    @property
    def held(self) -> int:
        """Number of values a lane holds that has loaded its inputs, gradients and weights."""
        return self.n_in + self.n_out + self.classes

    def spell_monomial(self, factors: tuple[int, ...]) -> str:
        """Write a monomial; a shared product has a name."""
        return ("" if factors in self.shared else " * ").join(f"x{i}" for i in factors)


def count_multiply_adds(solution: LayerSolution) -> int:
    """Count the slots of degree 1 and 2 that are not zero, over all outputs."""
    return sum(tying.ansatz.slots - tying.zeros for tying in _list_tyings(solution))


def serves_straight(solution: LayerSolution) -> bool:
    """Say whether a layer is small enough for straight-line kernels.

    They serve degrees up to 2 without mixing: depthwise layers, and those that the spec gives one
    channel in and one out. Others may be made with one channel, and then read tables.
    """
    problem = solution.problem
    if len(problem.inputs) > 1:
        return False
    (given,), mixing = problem.inputs, problem.channels.mixing
    thin = mixing == "depthwise" or (given.channels, problem.channels.outputs) == (1, 1)
    if mixing == "factored" or not thin or max(map(sum, problem.degrees)) > 2:
        return False
    if given.action.dim + problem.output.dim > WIDTH_LIMIT:
        return False
    if sum(tying.coefficients for tying in _list_tyings(solution)) > CLASS_LIMIT:
        return False
    return 0 < count_multiply_adds(solution) <= STRAIGHT_LIMIT


def render_straight(solution: LayerSolution) -> str:
    """Spell the kernels ``output_<layer>``, ``input_<layer>`` and ``weight_<layer>``.

    Returns:
        Their text; "" where the layer is not served; without the last where it has too many
        classes.
    """
    if not serves_straight(solution):
        return ""
    layer = expand_slots(solution)
    kernels = [spell_output(layer), spell_input(layer)]
    if layer.classes <= WEIGHT_LIMIT and layer.held <= HELD_LIMIT:
        kernels.append(spell_weight(layer))
    return "\n\n\n".join(kernels) + "\n"


def expand_slots(solution: LayerSolution) -> Polynomial:
    """List every slot of a layer that is not zero."""
    slots: list[Slot] = []
    classes = 0
    for tying in _list_tyings(solution):
        slots += _list_slots(tying, classes)
        classes += tying.coefficients
    slots.sort(key=lambda slot: (slot.output, slot.label, slot.factors))
    problem = solution.problem
    seen: set[tuple[int, ...]] = set()
    shared: set[tuple[int, ...]] = set()
    for slot in slots:
        if len(slot.factors) == 2:
            (shared if slot.factors in seen else seen).add(slot.factors)
    return Polynomial(
        check_identifier(problem.name),
        problem.inputs[0].action.dim,
        problem.output.dim,
        classes,
        tuple(slots),
        tuple(_list_slots(solution.tying((0,)), 0)) if (0,) in problem.degrees else (),
        frozenset(shared),
    )


def _list_tyings(solution: LayerSolution) -> list[Tying]:
    """List the tyings of degree 1 and 2 that have classes."""
    found = [solution.tying(d) for d in solution.problem.degrees if sum(d) in (1, 2)]
    return [tying for tying in found if tying.coefficients]


def _list_slots(tying: Tying, offset: int) -> list[Slot]:
    monomials = tying.ansatz.space.columns()
    return [
        Slot(output, int(labels[rank]) + offset, int(signs[rank]), tuple(monomials[rank].tolist()))
        for output, labels, signs in tying.rows()
        for rank in (labels >= 0).nonzero()[0]
    ]


def spell_head(word: str, layer: str, arguments: Sequence[str], constants: Sequence[str]) -> str:
    """Write the first lines of a kernel, up to its docstring.

    The number of rows is no constant of the kernel, not even where it is 1 or a multiple of 16:
    nothing would be gained, and such a kernel takes seconds to compile.
    """
    typed = [*arguments, *(f"{name}: tl.constexpr" for name in constants)]
    call = spell_call(f"def {word}_{layer}(", typed, "):")
    return f'@triton.jit(do_not_specialize=["batch"])\n{call}'


def spell_output(layer: Polynomial) -> str:
    """Spell the kernel of the outputs."""
    body = Writer()
    body.write(f'"""Evaluate {layer.name} on one block of rows, in one channel."""')
    _write_rows(body)
    _write_loads(body, "x", "x", layer.n_in, _list_inputs(layer))
    _write_products(body, layer)
    body.write("weights = weight + channel * M")
    if layer.constants:
        body.write("constants = constant + channel * M0")
    body.write(f"target = y + (row * C + channel) * {layer.n_out}")
    held: set[str] = set()
    for k in range(layer.n_out):
        constants = [Term(s.sign, (f"b{s.label}",)) for s in layer.constants if s.output == k]
        classes = _group_by_label(slot for slot in layer.slots if slot.output == k)
        sums = [
            multiply(
                (f"w{m}",), [Term(s.sign, (layer.spell_monomial(s.factors),)) for s in members]
            )
            for m, members in classes.items()
        ]
        terms = [*constants, *sums]
        _write_weights(body, layer, [term.factors[0] for term in terms], held)
        _write_result(body, f"y{k}", "y", k, terms)
    arguments = ("x", "weight", "constant", "y", "batch")
    head = spell_head("output", layer.name, arguments, ("C", "M", "M0", "BLOCK", "ACC"))
    return "\n".join([head, *body.lines])


def spell_input(layer: Polynomial) -> str:
    """Spell the kernel of the gradient for the inputs."""
    body = Writer()
    body.write(f'"""Differentiate {layer.name} for its inputs, on one block of rows."""')
    _write_rows(body)
    products = (slot.factors for slot in layer.slots if len(slot.factors) == 2)
    _write_loads(body, "x", "x", layer.n_in, sorted({i for factors in products for i in factors}))
    _write_loads(body, "g", "grad_y", layer.n_out, _list_outputs(layer))
    body.write("weights = weight + channel * M")
    body.write(f"target = grad_x + (row * C + channel) * {layer.n_in}")
    held: set[str] = set()
    for i in range(layer.n_in):
        classes = _group_by_label(slot for slot in layer.slots if i in slot.factors)
        terms = [t for m, slots in classes.items() for t in _differentiate(f"w{m}", slots, i)]
        _write_weights(body, layer, [f"w{m}" for m in classes], held)
        _write_result(body, f"d{i}", "grad_x", i, terms)
    arguments = ("grad_y", "x", "weight", "grad_x", "batch")
    head = spell_head("input", layer.name, arguments, ("C", "M", "BLOCK", "ACC"))
    return "\n".join([head, *body.lines])


def _differentiate(weight: str, slots: Sequence[Slot], i: int) -> list[Term]:
    """Return the derivative by input i of some slots of one class, times their gradients."""
    plain, squares = [], []
    products: list[tuple[int, tuple[str, str]]] = []
    for slot in slots:
        gradient = f"g{slot.output}"
        if len(slot.factors) == 1:
            plain.append(Term(slot.sign, (gradient,)))
        elif slot.factors == (i, i):
            squares.append(Term(slot.sign, (gradient,)))
        else:
            other = slot.factors[0] + slot.factors[1] - i
            products.append((slot.sign, (gradient, f"x{other}")))
    terms = [multiply((weight,), plain)] if plain else []
    terms += [multiply(("2", weight, f"x{i}"), squares)] if squares else []
    return terms + ([multiply((weight,), _factor(products))] if products else [])


def _factor(products: Sequence[tuple[int, tuple[str, str]]]) -> list[Term]:
    """Factor a signed sum of products of two, by the side on which they differ less."""
    heads = [tuple(dict.fromkeys(pair[side] for _, pair in products)) for side in (0, 1)]
    side = 0 if len(heads[0]) <= len(heads[1]) else 1
    return [
        multiply(
            (head,),
            [Term(sign, (pair[1 - side],)) for sign, pair in products if pair[side] == head],
        )
        for head in heads[side]
    ]


def spell_weight(layer: Polynomial) -> str:
    """Spell the kernel of the gradient for the weights: one accumulator per class."""
    body = Writer()
    body.write(f'"""Differentiate {layer.name} for its weights, on one split of the batch."""')
    body.write("split = tl.program_id(1).to(tl.int64)", "channel = tl.program_id(2)")
    body.write(*(f"a{m} = tl.zeros((BLOCK,), ACC)" for m in range(layer.classes)))
    body.write("for start in range(0, rows, BLOCK):")
    body.indent = 8
    body.write("row = split * rows + (start + tl.arange(0, BLOCK))", "inside = row < batch")
    _write_loads(body, "x", "x", layer.n_in, _list_inputs(layer))
    _write_loads(body, "g", "grad_y", layer.n_out, _list_outputs(layer))
    _write_products(body, layer)
    for m, slots in _group_by_label(layer.slots).items():
        products = [(s.sign, (f"g{s.output}", layer.spell_monomial(s.factors))) for s in slots]
        body.accumulate(f"a{m}", _factor(products), fresh=False)
    body.indent = 4
    body.write("target = partial + (split * C + channel) * M")
    body.write(*(f"tl.store(target + {m}, tl.sum(a{m}))" for m in range(layer.classes)))
    arguments = ("grad_y", "x", "partial", "batch", "rows")
    head = spell_head("weight", layer.name, arguments, ("C", "M", "BLOCK", "ACC"))
    return "\n".join([head, *body.lines])


def _group_by_label(slots: Iterable[Slot]) -> dict[int, list[Slot]]:
    """Group slots by their class, in order of the classes."""
    found: dict[int, list[Slot]] = {}
    for slot in slots:
        found.setdefault(slot.label, []).append(slot)
    return dict(sorted(found.items()))


def _list_inputs(layer: Polynomial) -> list[int]:
    return sorted({i for slot in layer.slots for i in slot.factors})


def _list_outputs(layer: Polynomial) -> list[int]:
    return sorted({slot.output for slot in layer.slots})


def _write_rows(body: Writer) -> None:
    """Write which rows and which channel a program works for; offsets of rows need 64 bits."""
    body.write("row = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)")
    body.write("channel = tl.program_id(1)", "inside = row < batch")


def _write_loads(body: Writer, letter: str, source: str, width: int, wanted: Sequence[int]) -> None:
    """Load some columns of one channel; rows beyond the batch are zero."""
    if wanted:
        body.write(f"source = {source} + (row * C + channel) * {width}")
    for i in wanted:
        body.write(f"{letter}{i} = tl.load(source + {i}, mask=inside, other=0.0).to(ACC)")


def _write_weights(body: Writer, layer: Polynomial, wanted: Iterable[str], held: set[str]) -> None:
    """Load the weights that a sum wants; too many to hold are loaded again for the next one."""
    for name in wanted:
        if name not in held:
            source = "weights" if name[0] == "w" else "constants"
            body.write(f"{name} = tl.load({source} + {name[1:]}).to(ACC)")
            if layer.held <= HELD_LIMIT:
                held.add(name)


def _write_products(body: Writer, layer: Polynomial) -> None:
    body.write(*(f"x{i}x{j} = x{i} * x{j}" for i, j in sorted(layer.shared)))


def _write_result(body: Writer, name: str, target: str, place: int, terms: Sequence[Term]) -> None:
    """Write one sum and store it."""
    if terms:
        body.assign(name, terms)
    else:
        body.write(f"{name} = tl.zeros((BLOCK,), ACC)")
    body.write(f"tl.store(target + {place}, {name}.to({target}.dtype.element_ty), mask=inside)")
