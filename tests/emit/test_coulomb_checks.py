"""The checks a package makes of its layers of charges and positions, seen to fail."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch

from eqcompile.emit.spelling import spell_json
from tests.emit.coulomb import FACTS, MODULES, find, list_data, make_coulomb, write_layers
from tests.emit.parameterised_packages import render_modules
from tests.emit.problems import import_written


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return make_coulomb(tmp_path_factory.mktemp("coulomb"))


def test_every_check_passes(package: ModuleType) -> None:
    results = find(package, "coulomb_checks").run()
    assert [row for row in results if not row[2]] == []
    assert {row[0] for row in results} == set(FACTS)
    assert len(results) == 5 * len(FACTS)


def test_neurons_of_copies_stay_apart_on_a_line(package: ModuleType) -> None:
    checks = find(package, "coulomb_checks")
    for count in (checks.FEW, checks.MANY):
        layer = checks.make_copy(package.Rectangle, count, dims=(3, 1))
        radii = torch.cat([layer.x, layer.y]).detach().abs().flatten()
        assert float(radii.sort().values.diff().min()) > 0.1 / count


PLANTED: dict[str, tuple[str, str, str, str, str]] = {
    "the diagonal stays": (
        "pairs.py", "weights.fill_diagonal_(0) if tile.own else weights", "weights",
        "Force", "definition",
    ),
    "mirror images are forgotten": (
        "pairs.py", "self.rows is not None and not tile.own", "self.rows is not None and tile.own",
        "Force", "definition",
    ),
    "another exponent": (
        "pair_formulas.py", "else -self.exponent / 2", "else -self.exponent", "Chemistry",
        "definition",
    ),
    "no softening": (
        "pairs.py", "torch.addcmul(self.eps, steps", "torch.addcmul(0 * self.eps, steps",
        "Force", "definition",
    ),
    "signs forgotten": (
        "pair_formulas.py", "Sides(mu, x, nu * signs, y)", "Sides(mu, x, nu, y)", "Rectangle",
        "definition",
    ),
    "the last coordinate forgotten": (
        "pairs.py", "list(zip(*(t.unbind() for t in pairs), strict=True))",
        "list(zip(*(t.unbind() for t in pairs), strict=True))[:2]", "Bare", "definition",
    ),
    "low rank without its middle term": (
        "coulomb.py", "(-2 * signs", "(-1 * signs", "Squares", "definition",
    ),
    "the diagonal of chemistry": (
        "coulomb.py", "mu.square().sum(1), 1.2", "mu.square().sum(1), 1.1", "Chemistry",
        "definition",
    ),
    "gradients of positions": (
        "pair_gradients.py", "2 * power * (sums", "power * (sums", "Force", "gradients",
    ),
    "gradients of softening": (
        "pair_gradients.py", "0.5 if tile.own else 1.0", "1.0", "Soft", "gradients",
    ),
    "gradients of charges": (
        "pair_gradients.py", "vectors = sides.nu if self.square else sides.mu",
        "vectors = sides.mu", "Soft", "backends",
    ),
    "second derivatives": (
        "pair_formulas.py", "by_square + bends", "by_square + 2 * bends", "Force", "gradients",
    ),
    "hats of signs": (
        "pair_formulas.py", "split_sides(hats.mu, hats.x, hats.nu, hats.y, signs, square)",
        "split_sides(hats.mu, hats.x, hats.nu, hats.y, abs(signs), square)", "Soft", "gradients",
    ),
    "a tie": (
        "coulomb.py", "y, eps, self._signs, options", "y, eps, self._signs, options) * (x[:, 0]",
        "Ring", "equivariance",
    ),
    "a kernel that moves": (
        "pairs.py", "torch.sub(own[tile.rows], other[tile.columns], out=steps)",
        "torch.sub(own[tile.rows], 1.1 * other[tile.columns], out=steps)", "Force", "backends",
    ),
    "weights that know where they are": (
        "pair_formulas.py", "squares = (x[:, :1] - y[:, :1].mT).square()",
        "squares = (x[:, :1] - y[:, :1].mT).square() + 0.1 * x[:, :1] * y[:, :1].mT", "Force",
        "moves",
    ),
}  # fmt: skip


@pytest.mark.parametrize("bug", PLANTED)
def test_planted_bugs_are_found(tmp_path: Path, bug: str) -> None:
    path, right, wrong, layer, check = PLANTED[bug]
    text, data = write_layers({layer: FACTS[layer]}), {"format": 1, "layers": [], **list_data()}
    name = "planted_" + "_".join(bug.split())
    files = render_modules(name, MODULES, text, spell_json(data) + "\n")
    assert files[path].count(right) == 1
    files[path] = files[path].replace(right, wrong)
    package = import_written(tmp_path, name, tuple(sorted(files.items())))
    passed, figure = find(package, "coulomb_checks").CHECKS[check](getattr(package, layer))
    assert not passed, figure
