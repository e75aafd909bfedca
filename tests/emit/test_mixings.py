"""The channel spaces are exact: every mixing against bases counted and checked by brute force."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from eqcompile.exact.signed import SignedPermutation
from eqcompile.layers.problem import LayerProblem, Mixing
from eqcompile.plan.lowering import FORMS
from tests.emit.problems import ACTIONS, act, install, list_elements, make, pose

SMALL = {
    "S_2": (1, 2, 3, 4),
    "C_3": (1, 2, 3, 4),
    "S_3": (1, 2, 3),
    "B_2": (1, 2, 3, 4),
    "turning the plane": (1, 2, 3),
    "C_2 with fixed points": (1, 2),
    "S_3 to scalar": (1, 2, 3),
    "C_4": (1, 2),
}
MIXINGS: tuple[Mixing, ...] = ("full", "channelwise", "depthwise", "factored")


def name_layer(action: str, mixing: str) -> str:
    return f"L{list(SMALL).index(action)}_{mixing}"


def install_mixtures(packages: Path, form: str) -> ModuleType:
    problems: list[LayerProblem] = [
        pose(
            action,
            degrees,
            mixing=mixing,
            inputs=2,
            outputs=2,
            rank=2 if mixing == "factored" else None,
            name=name_layer(action, mixing),
            form=form,
        )
        for action, degrees in SMALL.items()
        for mixing in MIXINGS
    ]
    return install(packages, f"mixtures_{form}", problems)


@pytest.fixture(scope="module")
def forms(packages: Path) -> dict[str, ModuleType]:
    return {form: install_mixtures(packages, form) for form in FORMS}


@pytest.fixture(scope="module")
def mixtures(forms: dict[str, ModuleType]) -> ModuleType:
    return forms["monomial"]


def trace(g: SignedPermutation) -> int:
    return int(g.signs[g.perm == np.arange(g.n)].sum())


def count_invariants(action: str, degree: int, channels: int) -> int:
    """Return dim Hom_G(Sym^d(R^C (x) V), U) by averaging characters over the whole group.

    The character of a symmetric power follows from power sums by Newton's identities.
    """
    total = Fraction(0)
    elements = list_elements(action)
    for left, right in elements:
        powers, current = [Fraction(0)], left
        for _ in range(degree):
            powers.append(Fraction(channels * trace(current)))
            current = current @ left
        complete = [Fraction(1)]
        for d in range(1, degree + 1):
            terms = (powers[j] * complete[d - j] for j in range(1, d + 1))
            complete.append(sum(terms, Fraction(0)) / d)
        total += complete[degree] * trace(right)
    result = total / len(elements)
    assert result.denominator == 1
    return int(result)


def span_dense(layer: Any, degree: int, draws: int) -> torch.Tensor:
    """Return dense weights of one degree, one per row: of each unit parameter, or of draws."""
    rows = []
    names = [b.name for b in layer.layout.blocks_of(degree)]
    with torch.no_grad():
        if draws:
            for _ in range(draws):
                for parameter in layer.parameters():
                    parameter.normal_()
                rows.append(layer.dense_weight(degree).flatten())
            return torch.stack(rows)
        for name in names:
            parameter = getattr(layer, name)
            for place in range(parameter.numel()):
                for other in names:
                    getattr(layer, other).zero_()
                parameter.view(-1)[place] = 1.0
                rows.append(layer.dense_weight(degree).flatten())
    return torch.stack(rows) if rows else torch.zeros(0, layer.dense_weight(degree).numel())


def rank(rows: torch.Tensor) -> int:
    """Return the rank of normalised rows, by their Gram matrix."""
    if not len(rows):
        return 0
    scaled = rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-30)
    return int(torch.linalg.matrix_rank(scaled @ scaled.T, rtol=1e-12, hermitian=True))


def check_invariance(layer: Any, action: str, degree: int, rows: torch.Tensor) -> None:
    """Every row is fixed by every generator: ``W`` moved on all its axes is ``W``."""
    shape = layer.dense_weight(degree).shape
    for left, right in zip(*ACTIONS[action], strict=True):
        dense = rows.reshape(-1, *shape)
        moved = act(right, dense, 2)
        for axis in range(4, 4 + 2 * degree, 2):
            moved = act(left, moved, axis)
        torch.testing.assert_close(moved, dense, rtol=0, atol=1e-12)


CASES = [(action, degree) for action, degrees in SMALL.items() for degree in degrees]


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize(("action", "degree"), CASES)
def test_full_mixing_is_all_of_it_once(
    mixtures: ModuleType, action: str, degree: int, channels: int
) -> None:
    layer = make(mixtures, name_layer(action, "full"), channels, 1)
    rows = span_dense(layer, degree, 0)
    check_invariance(layer, action, degree, rows)
    wanted = count_invariants(action, degree, channels)
    assert len(rows) == wanted
    assert rank(rows) == wanted


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize(("action", "degree"), CASES)
def test_channelwise_and_depthwise(
    mixtures: ModuleType, action: str, degree: int, channels: int
) -> None:
    """Exactly the equivariant tensors that vanish outside equal channels."""
    within = count_invariants(action, degree, 1)
    for mixing, copies in (("channelwise", 2 * channels), ("depthwise", channels)):
        outputs = channels if mixing == "depthwise" else 2
        layer = make(mixtures, name_layer(action, mixing), channels, outputs)
        rows = span_dense(layer, degree, 0)
        check_invariance(layer, action, degree, rows)
        assert len(rows) == copies * within
        assert rank(rows) == len(rows)
        dense = rows.reshape(-1, *layer.dense_weight(degree).shape)
        for place in np.ndindex(outputs, *(channels,) * degree):
            equal = len(set(place if mixing == "depthwise" else place[1:])) == 1
            entry = dense[:, place[0]]
            for c in place[1:]:
                entry = entry.select(2, c).movedim(2, -1)
            assert equal or not entry.any()


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize(("action", "degree"), [c for c in CASES if c != ("C_3", 4)])
def test_factored_mixing_reaches_all_of_full(
    mixtures: ModuleType, action: str, degree: int, channels: int
) -> None:
    """Its tensors are equivariant, and they span the full space."""
    layer = make(mixtures, name_layer(action, "factored"), channels, 1)
    wanted = count_invariants(action, degree, channels)
    rows = span_dense(layer, degree, wanted + 3)
    check_invariance(layer, action, degree, rows)
    assert rank(rows) == wanted


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("mixing", MIXINGS)
@pytest.mark.parametrize("action", list(SMALL))
def test_layers_are_their_dense_weights(
    forms: dict[str, ModuleType], action: str, mixing: str, form: str
) -> None:
    """Each degree is the einsum of its tensor with copies of the input, in every form."""
    layer = make(forms[form], name_layer(action, mixing), 2, 2)
    x = torch.randn(3, 2, layer.layout.n_in, dtype=torch.float64, requires_grad=True)
    expected = torch.zeros(3, 2, layer.layout.n_out, dtype=torch.float64)
    for degree in SMALL[action]:
        value = layer.dense_weight(degree).expand(3, *layer.dense_weight(degree).shape)
        for _ in range(degree):
            value = torch.einsum("zokci...,zci->zok...", value, x)
        expected = expected + value
    found, arguments = layer(x), [x, *layer.parameters()]
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-11)
    weights = torch.randn_like(found)
    gradients = [
        torch.autograd.grad((weights * y).sum(), arguments, allow_unused=True)
        for y in (found, expected)
    ]
    for one, other in zip(*gradients, strict=True):
        other = torch.zeros_like(one) if other is None else other
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize(("channels", "expected"), [(1, 4), (2, 13), (3, 27), (4, 46)])
def test_counts_of_the_quadratic_layer(mixtures: ModuleType, channels: int, expected: int) -> None:
    """S_n with n >= 3: 4 C(C+1)/2 + C(C-1)/2."""
    layer = make(mixtures, name_layer("S_3", "full"), channels, 1)
    assert layer.weight_2.numel() + layer.weight_2_11.numel() == expected


def test_a_cross_product_of_channels_is_there(mixtures: ModuleType) -> None:
    """Without the antisymmetric part of two channels a layer would miss ``x_1 y_2 - x_2 y_1``."""
    layer = make(mixtures, name_layer("S_3", "full"), 2, 1)
    rows = span_dense(layer, 2, 0).reshape(-1, 3, 2, 3, 2, 3)
    antisymmetric = rows[:, :, 0, :, 1, :] - rows[:, :, 0, :, 1, :].transpose(-1, -2)
    assert antisymmetric.abs().max() > 0.1
