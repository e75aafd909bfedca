"""Choose the form of a layer's plan: the cheapest to train, or the one the spec asks for."""

from __future__ import annotations

from dataclasses import dataclass

from eqcompile.errors import Refusal
from eqcompile.layers.problem import LayerProblem
from eqcompile.plan.cost import CPU, NOMINAL_BATCH, Cost, estimate_cost
from eqcompile.plan.differentiate import differentiate
from eqcompile.plan.ir import Plan
from eqcompile.plan.lowering import FORMS, lower
from eqcompile.plan.sources import count_channels
from eqcompile.solve.layer import LayerSolution

ARGUMENTS = 56
"""Most tensors a program takes; torch allows an operator 64 arguments, and its gradient more."""


@dataclass(frozen=True, slots=True)
class FormCost:
    """One form considered.

    Attributes:
        form: Its name.
        forward: Cost of one evaluation, or None where the form is too large.
        training: Cost of one evaluation and its backward, or None.
        refused: Why the form is not considered; empty where it is.
    """

    form: str
    forward: Cost | None
    training: Cost | None
    refused: str = ""

    @property
    def seconds(self) -> float:
        """Estimated time of one training step, infinite where the form is refused."""
        return self.training.seconds(CPU) if self.training else float("inf")


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen program of a layer.

    Attributes:
        form: Name of the chosen form.
        plan: The forward program.
        backward: Its vector-Jacobian product.
        double: The vector-Jacobian product of that.
        costs: Every form considered.
        asked: Whether the spec named the form.
    """

    form: str
    plan: Plan
    backward: Plan
    double: Plan
    costs: tuple[FormCost, ...]
    asked: bool


def choose(solution: LayerSolution) -> Choice:
    """Lower a layer in every form, and take the cheapest or the one the spec names.

    Raises:
        Refusal: The form, or every form, is too large.
    """
    problem = solution.problem
    too_large = refuse_large(problem)
    channels = count_channels(problem, NOMINAL_BATCH)
    plans: dict[str, Plan] = {}
    costs = []
    for form in FORMS:
        if form in too_large:
            costs.append(FormCost(form, None, None, too_large[form]))
            continue
        plans[form] = lower(solution, form)
        forward = estimate_cost(plans[form], channels)
        backward = estimate_cost(
            differentiate(plans[form], "grad_"), count_channels(problem, NOMINAL_BATCH)
        )
        costs.append(FormCost(form, forward, forward + backward))
    asked = problem.form != "auto"
    # min() keeps the first of equals, and FORMS is ordered, so ties do not depend on anything else.
    form = problem.form if asked else min(costs, key=lambda c: c.seconds).form
    backward_plan = differentiate(plans[form], "grad_")
    double = differentiate(backward_plan, "hat_")
    return Choice(form, plans[form], backward_plan, double, tuple(costs), asked)


def count_arguments(problem: LayerProblem) -> int:
    """Return the number of tensors a layer's program takes: the inputs and its parameters."""
    return len(problem.inputs) + count_parameters(problem)


def count_parameters(problem: LayerProblem) -> int:
    """Return the number of parameters of a layer."""
    extra = 1 if problem.channels.mixing == "factored" else 0
    return sum(
        1 + extra * (1 + sum(d)) * (sum(d) > 0)
        for d in problem.degrees
        for _ in problem.block_shapes(d)
    )


def refuse_large(problem: LayerProblem) -> dict[str, str]:
    """Return why each form that is too large is; needs no solution, so it costs little.

    Raises:
        Refusal: The form the spec asks for, or every form, is too large.
    """
    too_large = {}
    for form in FORMS:
        need = next((n for n in FORMS[form].needs(problem) if n.count > n.most), None)
        if need:
            too_large[form] = f"{form} needs {need.count} {need.what}, more than {need.most}"
    if count_arguments(problem) > ARGUMENTS:
        raise Refusal(
            "too-large",
            f"layer {problem.name} has {count_parameters(problem)} parameters, one per "
            f"multiplicity of channels; at most {ARGUMENTS - len(problem.inputs)} are served",
            "lower the degree, or use mixing: channelwise, which has one per degree",
        )
    if problem.form in too_large or len(too_large) == len(FORMS):
        asked = {problem.form} & set(too_large)
        reasons = "; ".join(too_large[form] for form in asked or too_large)
        raise Refusal(
            "too-large",
            f"layer {problem.name} is too large to emit: {reasons}",
            "lower the degree or the number of points, or use mixing: channelwise, "
            "which needs no products across channels",
        )
    return too_large
