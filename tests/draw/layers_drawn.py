"""Layers carried to their plan and proofs, to be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from eqcompile.layers.problem import Channels
from eqcompile.plan.forms import Choice, choose
from eqcompile.plan.proof import KernelProof, PlanProof, prove_kernels, prove_plan
from eqcompile.solve.certificate import BlockProof, prove
from eqcompile.solve.layer import LayerSolution, solve_layer
from tests.draw.actions_drawn import pose


@dataclass(frozen=True)
class Proofs:
    proofs: tuple[BlockProof, ...]
    plan_proof: PlanProof
    kernels: KernelProof | None


@cache
def solve_named(
    name: str,
    *degrees: int,
    layer: str = "Layer",
    width: int = 1,
    channels: Channels | None = None,
) -> LayerSolution:
    return solve_layer(pose(name, *degrees, layer=layer, width=width, channels=channels))


@cache
def compile_named(name: str, *degrees: int, layer: str = "Layer") -> tuple[Choice, Proofs]:
    solution = solve_named(name, *degrees, layer=layer)
    choice = choose(solution)
    proofs = tuple(prove(block.tying) for block in solution.blocks)
    return choice, Proofs(proofs, prove_plan(solution, choice), prove_kernels(solution))
