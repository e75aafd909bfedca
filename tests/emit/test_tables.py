"""The package's tables, made from generators and representatives, are those of the plans."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from eqcompile.emit import lookups
from eqcompile.emit.lookups import choose_lookup, choose_widths
from eqcompile.exact.monomials import list_channel_tuples
from eqcompile.layers.problem import LayerProblem
from eqcompile.plan.features import class_table, monomial_table, ordered_table
from eqcompile.plan.ir import ChannelTable, ChannelTuples, Table
from eqcompile.plan.lifted import coset_table, find_cosets, lifted_table, place_table
from eqcompile.plan.sources import list_sources
from tests.emit.problems import ACTIONS, install, make, pose, solve_posed


def spell_dense(table: Table) -> torch.Tensor:
    dense = np.zeros((table.height, table.width))
    np.add.at(dense, (table.rows, table.columns), table.numerators / table.denominators)
    return torch.as_tensor(dense)


def load(package: ModuleType, module: str) -> Any:
    return __import__(f"{package.__name__}.{module}", fromlist=["*"])


def list_tables(problem: LayerProblem) -> list[Table]:
    blocks = [b for b in solve_posed(problem).parameter_blocks() if b.tying.classes]
    sources = list_sources(problem)
    found = [class_table(problem, b) for b in blocks]
    found += [ordered_table(problem, b) for b in blocks]
    found += [lifted_table(problem, b, orbit) for b in blocks for orbit in b.tying.orbits]
    for orbit in blocks[0].tying.orbits:
        cosets = find_cosets(problem, orbit)
        found += [coset_table(cosets, source) for source in sources]
        found.append(place_table(cosets, problem.output.dim))
    return found + [monomial_table(s, d, j) for s in sources for d in (2, 3) for j in range(d)]


@pytest.fixture(scope="module")
def actions(packages: Path) -> ModuleType:
    problems = [pose(a, (0, 1, 2, 3), name=f"L{j}") for j, a in enumerate(ACTIONS)]
    return install(packages, "tables_of_actions", problems)


@pytest.mark.parametrize("position", range(len(ACTIONS)), ids=list(ACTIONS))
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("limit", [lookups.MATRIX_ENTRIES, 0], ids=["matrix", "fold"])
def test_every_table_acts_as_in_the_plan(
    actions: ModuleType,
    position: int,
    transposed: bool,
    limit: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each kind of lookup, made and applied in torch, is the plan's sparse matrix."""
    monkeypatch.setattr(lookups, "MATRIX_ENTRIES", limit)
    lookups_made, arrays = load(actions, "lookups"), load(actions, "arrays")
    problem = pose(list(ACTIONS)[position], (0, 1, 2, 3), name=f"L{position}")
    for table in list_tables(problem):
        wanted = spell_dense(table)
        wanted = wanted.T if transposed else wanted
        chosen = choose_lookup(table, transposed=transposed)
        assert limit or chosen.kind != "matrix"
        names = ["name", "recipe", "transposed", "kind", "weighted"]
        names += ["denominator", "widths", "padded"]
        lookup = lookups_made.Lookup(**{name: getattr(chosen, name) for name in names})
        packed = lookups_made.make_tensors(problem.name, (lookup,), (1,))
        count = len(chosen.indices)
        indices = packed.indices.split(packed.sizes[:count])
        coefficients = packed.coefficients.split(packed.sizes[count:])
        x = torch.randn(2, wanted.shape[1], dtype=torch.float64)
        options: dict[str, Any] = {"denominator": chosen.denominator}
        match chosen.kind:
            case "gather":
                found = arrays.gather(x, *indices, *coefficients, **options)
            case "matrix":
                found = arrays.matrix(x, *coefficients, len(wanted), **options)
            case _:
                options |= {"coefficients": coefficients, "padded": chosen.padded}
                found = arrays.fold(x, indices[0], indices[1:], chosen.widths, **options)
        torch.testing.assert_close(found, x @ wanted.T, rtol=0, atol=1e-13)


def test_channel_tables(actions: ModuleType) -> None:
    tables, lookups_made = load(actions, "tables"), load(actions, "lookups")
    for shape in [(1, 1), (2, 1), (2, 1, 1), (1, 1, 1, 1)]:
        for channels in (1, 2, 4):
            expected = list_channel_tuples(shape, channels)
            assert tuple(tables.list_channel_tuples(shape, channels)) == expected
            table = ChannelTable("channel", ChannelTuples((shape,), ("in",)), 1)
            recipe = choose_lookup(table, transposed=False).recipe
            made = lookups_made.make_table("L0", recipe, (channels,))
            assert made.columns.tolist() == [t[1] for t in expected]
            assert (made.height, made.width) == (len(expected), channels)


@pytest.mark.parametrize("position", range(len(ACTIONS)), ids=list(ACTIONS))
def test_packages_and_plans_have_the_same_cosets(actions: ModuleType, position: int) -> None:
    """Element by element: the kernels of a package run the plan that was proven."""
    problem = pose(list(ACTIONS)[position], (0, 1, 2, 3), name=f"L{position}")
    found = load(actions, "cosets").find_cosets(problem.name, "output")
    orbits = solve_posed(problem).parameter_blocks()[0].tying.orbits
    for orbit in orbits:
        expected = find_cosets(problem, orbit)
        rows = expected.outputs.tolist()
        least = rows[0]
        assert (found.representatives == least).nonzero().flatten().tolist() == rows
        assert found.outputs[rows, least].tolist() == rows
        assert found.output_signs[rows, least].tolist() == expected.output_signs.tolist()
        assert found.inputs[rows].tolist() == expected.inputs[0].tolist()
        assert found.input_signs[rows].tolist() == expected.input_signs[0].tolist()
    assert len(found.representatives) == sum(len(orbit.outputs) for orbit in orbits)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_selection_along_any_axis(actions: ModuleType, axis: int) -> None:
    arrays = load(actions, "arrays")
    x = torch.arange(24.0).reshape(3, 2, 4)
    index, coefficients = torch.tensor([1, 0, 1]), torch.tensor([2, 0, -1])
    found = arrays.gather(x, index, coefficients, axis=axis, denominator=2)
    expected = torch.stack([x.select(axis, 1), 0 * x.select(axis, 0), -0.5 * x.select(axis, 1)])
    assert torch.equal(found, expected.movedim(0, axis))


FORMULAS = (
    "ockia,bcia->bok",
    "bok,bcia->ockia",
    "bok,ockia->bcia",
    "ij,jk->ki",
    "ijk,ijk->",
    "i,j->ji",
    "bpt,bpta->bpa",
    "ij,jk->k",
)


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("small", [0, 1, 2])
def test_products_are_einsums(actions: ModuleType, formula: str, small: int) -> None:
    """Also of axes of length 0 and 1, and in the order of the axes that is asked for."""
    factors = formula.partition("->")[0].split(",")
    sizes = {axis: small if axis in "bc" else 2 + place for place, axis in enumerate("ojkiabcpt")}
    left, right = (
        torch.randint(-5, 6, [sizes[axis] for axis in axes]).double().requires_grad_()
        for axes in factors
    )
    found = load(actions, "arrays").contract(formula, left, right)
    expected = torch.einsum(formula, left, right)
    assert torch.equal(found, expected)
    weight = torch.randint_like(expected, -5, 6)
    for ours, theirs in zip(
        torch.autograd.grad((found * weight).sum(), (left, right)),
        torch.autograd.grad((expected * weight).sum(), (left, right)),
        strict=True,
    ):
        assert torch.equal(ours, theirs)


def test_buckets_bound_the_padding() -> None:
    counts = np.array([1] * 100 + [5, 6, 7, 8] + [1000])
    widths = choose_widths(counts)
    assert widths == (1, 8, 1000)
    padded = sum(min(w for w in widths if w >= c) for c in counts)
    assert padded <= 2 * counts.sum()


def test_a_walk_of_long_cycles_is_short(packages: Path) -> None:
    """Orbits of a cycle of 60 points are found through its powers, in one table."""
    from tests.actions_of import cyclic, make_problem

    problem = make_problem(cyclic(60), cyclic(60), (2,), name="Long", form="monomial")
    package = install(packages, "tables_of_a_cycle", [problem])
    classes = load(package, "tables").expand_block("Long", 2, (2,))
    labels, signs = solve_posed(problem).tying((2,)).table()
    assert classes.labels.tolist() == labels.tolist()
    assert classes.signs.tolist() == signs.tolist()
    assert make(package, "Long")(torch.ones(1, 1, 60, dtype=torch.float64)).shape == (1, 1, 60)
