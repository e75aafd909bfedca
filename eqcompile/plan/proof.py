"""Prove that a plan is the tied ansatz as a polynomial, and that its derivatives are right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from eqcompile.errors import CertificateError
from eqcompile.exact.polynomials import Polynomial
from eqcompile.plan.evaluate import Array, Ring, evaluate, modular
from eqcompile.plan.forms import Choice
from eqcompile.plan.ir import Plan
from eqcompile.plan.lowering import lower
from eqcompile.plan.meaning import PRIME, count_terms, evaluate_block, list_terms, pick_channels
from eqcompile.plan.transposes import check_transpose, draw_inputs, shape_inputs
from eqcompile.solve.layer import LayerSolution

EXACT_TERMS = 3000
"""Up to this many terms the two polynomials are compared coefficient by coefficient."""

SAMPLES = 2

KERNEL_FORM = "lifted"
"""The form that the Triton kernels evaluate; they are fused schedules of its plan."""


def _scale_polynomials(numerators: Array, denominators: Array) -> Array:
    pairs = zip(numerators, denominators, strict=True)
    return np.array([Polynomial.ratio(int(n), int(d)) for n, d in pairs], dtype=object)


POLYNOMIALS = Ring(
    "polynomials over the rationals", object, lambda values: values, _scale_polynomials
)


@dataclass(frozen=True, slots=True)
class PlanProof:
    """How a plan was compared with its ansatz.

    Attributes:
        method: ``polynomial`` (exact, over the integers) or ``random points``.
        points: Number of random points, 0 for the exact method.
        prime: Modulus of the field of the random points; the derivatives are always compared
            there.
        channels: Channel counts it was done for.
    """

    method: str
    points: int
    prime: int
    channels: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class KernelProof:
    """How the plan that the kernels of a layer are made of was compared with the ansatz.

    Attributes:
        form: Its form.
        plan: The plan.
        proof: How it was compared.
    """

    form: str
    plan: Plan
    proof: PlanProof


def prove_plan(solution: LayerSolution, choice: Choice) -> PlanProof:
    """Compare a plan with the ansatz with tied weights, then its derivatives with both.

    Raises:
        CertificateError: They differ.
    """
    channels = pick_channels(solution.problem)
    proof = compare_plan(solution, choice.plan, channels)
    for sample in range(SAMPLES):
        check_transpose(choice.plan, choice.backward, "grad_", channels, sample)
        check_transpose(choice.backward, choice.double, "hat_", channels, sample)
    return proof


def prove_kernels(solution: LayerSolution) -> KernelProof:
    """Compare the plan that Triton kernels are made of with the ansatz with tied weights.

    Its derivatives are not: the kernels have their own, which their tests compare with numbers.

    Raises:
        CertificateError: They differ.
    """
    plan = lower(solution, KERNEL_FORM)
    proof = compare_plan(solution, plan, pick_channels(solution.problem))
    return KernelProof(KERNEL_FORM, plan, proof)


def compare_plan(solution: LayerSolution, plan: Plan, channels: Mapping[str, int]) -> PlanProof:
    """Compare a plan with the ansatz with tied weights.

    Raises:
        CertificateError: They differ.

    Source: equality at a random point of F_p of two different polynomials of degree D has
    probability at most D/p (Schwartz 1980; Zippel 1979).
    """
    terms = sum(count_terms(solution.problem, b, channels) for b in solution.parameter_blocks())
    counts = tuple(sorted(channels.items()))
    if terms <= EXACT_TERMS:
        compare_polynomials(solution, plan, channels)
        return PlanProof("polynomial", 0, PRIME, counts)
    for sample in range(SAMPLES):
        compare_at_point(solution, plan, channels, sample)
    return PlanProof("random points", SAMPLES, PRIME, counts)


def compare_polynomials(solution: LayerSolution, plan: Plan, channels: Mapping[str, int]) -> None:
    """Evaluate the plan over polynomials in all its arguments and compare coefficients."""
    inputs = {}
    for name, shape in shape_inputs(plan, channels).items():
        inputs[name] = np.empty(shape, dtype=object)
        for place in np.ndindex(*shape):
            inputs[name][place] = Polynomial.variable((name, place))
    found = evaluate(plan, inputs, POLYNOMIALS, channels)["y"][0]
    wanted: dict[tuple[int, int], Polynomial] = {}
    for term in list_terms(solution, channels):
        variables = [*term.weights, *((name, (0, c, i)) for name, c, i in term.inputs)]
        product = Polynomial.product(term.sign, variables)
        wanted[term.output] = wanted.get(term.output, Polynomial.ratio(0, 1)) + product
    for place in np.ndindex(*found.shape):
        expected = wanted.get((place[0], place[1]), Polynomial.ratio(0, 1))
        if found[place] + 0 != expected:
            raise CertificateError(
                f"plan of {solution.problem.name} differs from the ansatz at output {place}"
            )


def compare_at_point(
    solution: LayerSolution, plan: Plan, channels: Mapping[str, int], sample: int
) -> None:
    """Compare plan and ansatz at one random point of the prime field."""
    inputs = draw_inputs(plan, channels, sample)
    found = evaluate(plan, inputs, modular(PRIME), channels)["y"][0]
    wanted = np.zeros_like(found)
    for block in solution.parameter_blocks():
        wanted += evaluate_block(solution.problem, block, inputs, channels)
    if not np.array_equal(found, wanted % PRIME):
        raise CertificateError(f"plan of {solution.problem.name} differs from the ansatz")
