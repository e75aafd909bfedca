"""The forms that were considered for a layer with their costs, the chosen plan, and the proofs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from eqcompile.draw.sections import glue, write_paragraph, write_table
from eqcompile.layers.problem import LayerProblem
from eqcompile.plan.cost import CPU, NOMINAL_BATCH
from eqcompile.plan.forms import Choice, FormCost
from eqcompile.plan.lowering import FORMS
from eqcompile.plan.proof import KernelProof, PlanProof
from eqcompile.solve.certificate import BlockProof
from eqcompile.solve.layer import Block, LayerSolution


class Proof(Protocol):
    """The proofs of one layer: one per block of its solution, and those of its plans."""

    @property
    def proofs(self) -> Sequence[BlockProof]:
        """Proofs in the order of the blocks."""

    @property
    def plan_proof(self) -> PlanProof:
        """How the plan was compared with the ansatz."""

    @property
    def kernels(self) -> KernelProof | None:
        """How the plan of the Triton kernels was, or None where there are none."""


METHODS = {
    "components": "the components of the slots, found another way",
    "burnside": "the average of the characters over the group",
    "molien": "the average of the signed characters over the group",
    "weyl": "the Weyl character formula",
    "partitions": "the set partitions",
    "rank_mod_p": "slots less the rank of the constraints modulo a prime",
}


PROVEN = (
    "A second computation, which shares no code with the solver, found every class fixed by every "
    "generator, exactly, and counted the classes again:"
)
PROVEN_FIBRATION = (
    "A second computation, which shares no code with the solver, found the coarsest balanced "
    "colouring again by naming vertices in rounds, every class balanced over it (outputs of a "
    "fibre have equally many slots of it over every monomial of fibres, exactly), every generator "
    "an automorphism, and the classes to be the different keys, spelled out slot by slot:"
)


def explain_forms(choice: Choice) -> list[str]:
    """List the forms with what they cost, the cheapest or the asked one marked."""
    rows = [_cost_row(cost, choice) for cost in choice.costs]
    head = ("form", "", "products", "streamed", "gathered", "launches", "estimate")
    lines = write_paragraph(
        f"Cost of one training step (forward and backward) at batch {NOMINAL_BATCH} by the fixed "
        f"model of {CPU.name}."
    )
    lines += ["", *write_table(head, rows, left=2), ""]
    for cost in choice.costs:
        if cost.refused:
            lines += write_paragraph(f"{cost.refused}: not considered.")
    why = "asked for by the spec" if choice.asked else "the cheapest"
    summary = FORMS[choice.form].summary
    return lines + write_paragraph(f"Chosen: {choice.form}, {why}: {summary}.")


def _cost_row(cost: FormCost, choice: Choice) -> tuple[str, ...]:
    mark = "*" if cost.form == choice.form else ""
    if cost.training is None:
        return (cost.form, mark, "-", "-", "-", "-", "too large")
    spent = cost.training
    return (
        cost.form,
        mark,
        _spell_number(spent.flops, "flop"),
        _spell_number(spent.streamed, "B"),
        _spell_number(spent.gathered, "B"),
        str(spent.launches),
        _spell_time(cost.seconds),
    )


def _spell_number(number: int, unit: str) -> str:
    """Write a number to three digits with a prefix."""
    for prefix, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{number / size:.3g} {prefix}{unit}"
    return f"{number} {unit}"


def _spell_time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def explain_plan(choice: Choice) -> list[str]:
    """Print the chosen program."""
    lines = write_paragraph(
        "One line per step; the axes of a value stand in brackets (b batch, c and o channels in "
        "and out, k outputs, g outputs of one orbit, m classes, t monomials). Backward and double "
        "backward are derived from it."
    )
    sizes = ", ".join(glue(f"{axis} = {size}") for axis, size in choice.plan.sizes)
    lines += ["", *write_paragraph(f"sizes: {sizes}", hang="  "), ""]
    for line in str(choice.plan).splitlines():
        lines += write_paragraph(line, "  ", "      ")
    return lines


def explain_proof(solution: LayerSolution, proof: Proof) -> list[str]:
    """Say what was proven and how."""
    rows = []
    for block, found in zip(solution.blocks, proof.proofs, strict=True):
        shape = _spell_shape(solution.problem, block)
        order = "" if found.group_order is None else str(found.group_order)
        how = ", ".join(found.proof) + (", one output per orbit" if found.streamed else "")
        counts = (str(found.slots), str(found.classes), str(found.zeros), order)
        rows.append((shape, how, *counts))
    head = ("degrees", "proof", "slots", "classes", "zeros", "group order")
    coloured = solution.problem.group.fibration is not None
    lines = write_paragraph(PROVEN_FIBRATION if coloured else PROVEN)
    lines += ["", *write_table(head, rows, left=2), ""]
    used = [m for m in METHODS if any(m in p.proof for p in proof.proofs)]
    if not coloured or used != ["components"]:
        lines += [*write_paragraph("; ".join(f"{m}: {METHODS[m]}" for m in used) + "."), ""]
    for scope in dict.fromkeys(solution.problem.scope):
        lines += [*write_paragraph(f"That the images are an action was checked on {scope}."), ""]
    lines += write_paragraph(_spell_plan_proof(proof.plan_proof))
    if proof.kernels:
        lines += ["", *write_paragraph(_spell_kernel_proof(proof.kernels))]
    return lines


def _spell_shape(problem: LayerProblem, block: Block) -> str:
    """Write the degree of each factor, with their names where there are several inputs."""
    degrees = [str(part) for part in block.parts]
    if len(problem.inputs) > 1:
        pairs = zip(block.tying.ansatz.names, degrees, strict=True)
        degrees = [f"{name}:{degree}" for name, degree in pairs]
    return ",".join(degrees) or "0"


def _spell_plan_proof(proof: PlanProof) -> str:
    channels = ", ".join(f"{name} = {count}" for name, count in proof.channels if name != "rank")
    return (
        f"The plan was compared with the ansatz with tied weights {_spell_method(proof)}, and its "
        f"derivatives with both in the field of {proof.prime} elements, for {channels}."
    )


def _spell_method(proof: PlanProof) -> str:
    if proof.method == "polynomial":
        return "coefficient by coefficient, as a polynomial over the rationals"
    return f"at {proof.points} random points of the field of {proof.prime} elements"


def _spell_kernel_proof(kernels: KernelProof) -> str:
    return (
        f"The Triton kernels evaluate the plan of the form {kernels.form}, which was compared with "
        f"the ansatz {_spell_method(kernels.proof)}; their derivatives are tested in numbers."
    )
