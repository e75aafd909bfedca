"""How an emitted layer takes its inputs: one tensor, or several by name."""

from __future__ import annotations

from collections.abc import Sequence

from eqcompile.emit.spelling import LINE, check_identifier, spell_call, spell_tuple
from eqcompile.layers.problem import LayerProblem


def is_plain(problem: LayerProblem) -> bool:
    """Say whether a layer has one input, of the usual name."""
    return [given.name for given in problem.inputs] == ["x"]


def spell_by_input(values: Sequence[str]) -> str:
    """Write what there is one of per input: alone for a lone input, else as a tuple."""
    return values[0] if len(values) == 1 else spell_tuple(values)


def spell_long_tuple(name: str, items: Sequence[str]) -> str:
    """Write the tuple of an argument, on a line indented by 8 or one item per line."""
    if 8 + len(f"{name}={spell_tuple(items)},") <= LINE:
        return spell_tuple(items)
    return spell_call("(", items, ")", indent=8).strip()


def spell_names(problem: LayerProblem) -> tuple[str, ...]:
    """Write the argument that names the inputs, on a line of its own; none for a plain layer."""
    if is_plain(problem):
        return ()
    names = [f'"{check_identifier(given.name)}"' for given in problem.inputs]
    return (f"        inputs={spell_tuple(names)},",)


def spell_count(problem: LayerProblem) -> tuple[str, ...]:
    """Write the argument that counts the inputs, on a line of its own; none for one input."""
    count = len(problem.inputs)
    return (f"        inputs={count},",) if count > 1 else ()


def spell_signature(problem: LayerProblem) -> str:
    """Write what a layer does to shapes, as it stands in its docstring."""
    end = f"(..., C_out, {problem.output.dim})"
    if len(problem.inputs) == 1:
        return f"``(..., C_in, {problem.inputs[0].action.dim}) -> {end}``"
    return f"of {len(problem.inputs)} inputs, to ``{end}``"


def spell_widths(problem: LayerProblem) -> str:
    """Write what ``in_channels`` is, as it stands in a docstring."""
    if len(problem.inputs) == 1:
        return "Number of input channels C_in."
    return "Number of channels of each input by name; None is that of the spec."


def spell_default(problem: LayerProblem) -> str:
    """Write the type and the default of ``in_channels``."""
    if len(problem.inputs) == 1:
        return f"int = {problem.inputs[0].channels}"
    return "_Mapping[str, int] | None = None"


def spell_opening(problem: LayerProblem) -> tuple[str, ...]:
    """Write what the constructor of a layer with several inputs begins with."""
    if len(problem.inputs) == 1:
        return ()
    pairs = [f'"{given.name}": {given.channels}' for given in problem.inputs]
    default = spell_call("in_channels = {", pairs, "}", indent=12)
    return ("        if in_channels is None:", default)


def spell_forward(problem: LayerProblem) -> tuple[str, ...]:
    """Write the forward method of a layer whose inputs have names of their own, line by line."""
    if is_plain(problem):
        return ()
    names = [check_identifier(given.name) for given in problem.inputs]
    # Several inputs are given by name: their order is nobody's to remember.
    typed = ["self", *["*"][: len(names) - 1], *(f"{name}: _torch.Tensor" for name in names)]
    lines = [spell_call("def forward(", typed, ") -> _torch.Tensor:", indent=4)]
    lines += ['        """Evaluate the layer.', "", "        Args:"]
    for name, given in zip(names, problem.inputs, strict=True):
        width = "C_in" if len(names) == 1 else f"C_{name}"
        lines.append(f"            {name}: Shape ``(..., {width}, {given.action.dim})``.")
    shape = f"(..., C_out, {problem.output.dim})"
    lines += ["", "        Returns:", f"            Shape ``{shape}``, with the same leading axes."]
    lines.append('        """')
    lines.append(spell_call("return self._run(", names, indent=8))
    return ("", *lines)
