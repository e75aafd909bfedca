"""The operators of pairs of neurons by themselves, and the formulas they follow."""

from __future__ import annotations

import itertools
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import vmap

from tests.emit.coulomb import find, make_coulomb


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return make_coulomb(tmp_path_factory.mktemp("coulomb"))


@pytest.fixture
def tiles(package: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of twenty entries."""
    monkeypatch.setitem(find(package, "pairs").TILE_BYTES, "cpu", 160)


def assert_same(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def draw_arguments(square: bool) -> list[Tensor]:
    n_in = 6 if square else 5
    shapes = [(3, n_in), (6, 2), (6, 3), (0 if square else 5, 2), (0 if square else 5, 3)]
    found = [torch.randn(shape, dtype=torch.float64).requires_grad_() for shape in shapes]
    eps = torch.tensor(0.3, dtype=torch.float64).requires_grad_()
    return [*found, eps, torch.tensor([1.0, -1.0], dtype=torch.float64)]


CHOICES = list(itertools.product([True, False], [True, False], [2.0, 3.0]))


@pytest.mark.parametrize(("square", "product", "exponent"), CHOICES[::3])
def test_operators(package: ModuleType, square: bool, product: bool, exponent: float) -> None:
    ops = find(package, "pair_ops")
    arguments, rest = draw_arguments(square), (exponent, product, square, False)
    torch.library.opcheck(ops.pair_forward, (*arguments, *rest))
    grad_y = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    for needs in ([True] * 6, [True, False, False, False, False, False], [False, True] * 3):
        torch.library.opcheck(ops.pair_backward, (grad_y, *arguments, *rest, needs))
    plain = [t.detach() for t in arguments]
    hats = [torch.randn_like(t) for t in plain[:-1]]
    packed = (hats, [grad_y.detach(), *plain])
    torch.library.opcheck(ops.pair_double_backward, (*packed, *rest))


@pytest.mark.parametrize(("square", "product", "exponent"), CHOICES)
@pytest.mark.usefixtures("tiles")
def test_formulas(package: ModuleType, square: bool, product: bool, exponent: float) -> None:
    """The plain formulas say what the tiles say, and what autograd says of the weights."""
    formulas, tiled = find(package, "pair_formulas"), find(package, "pair_gradients")
    arguments = draw_arguments(square)
    kernel = formulas.Kernel(exponent, product, square)
    grad_y = torch.randn(3, 6, dtype=torch.float64)
    y = formulas.define(*arguments, kernel)
    assert_same(
        find(package, "pairs").forward(*(t.detach() for t in arguments), kernel), y.detach()
    )
    options: dict[str, Any] = {"allow_unused": True, "materialize_grads": True}
    expected = torch.autograd.grad(y, arguments[:-1], grad_y, **options)
    needs = [True] * 6
    assert_same(tuple(formulas.differentiate(grad_y, *arguments, kernel, needs)), expected)
    plain = [t.detach() for t in arguments]
    assert_same(tiled.backward(grad_y, *plain, kernel, needs), expected)
    for place in range(6):
        only = [j == place for j in range(6)]
        found = tiled.backward(grad_y, *plain, kernel, only)
        assert_same(found[place], expected[place])
        assert sum(t.numel() for j, t in enumerate(found) if j != place) == 0


def test_operators_under_vmap(package: ModuleType) -> None:
    ops = find(package, "pair_ops")
    z, mu, x, nu, y, eps, signs = (t.detach() for t in draw_arguments(square=False))
    rest = (2.0, False, False, False)
    zs, xs = torch.stack([z, 2 * z]), torch.stack([x, x + 1])
    found = vmap(lambda u: ops.pair_forward(u, mu, x, nu, y, eps, signs, *rest))(zs)
    assert_same(found[1], ops.pair_forward(2 * z, mu, x, nu, y, eps, signs, *rest))
    found = vmap(lambda u: ops.pair_forward(z, mu, u, nu, y, eps, signs, *rest))(xs)
    assert_same(found[1], ops.pair_forward(z, mu, x + 1, nu, y, eps, signs, *rest))


def list_covered(tiles: Any, n_out: int, n_in: int, square: bool) -> list[tuple[int, int]]:
    """List the pairs that tiles stand for, mirror images too."""
    found = []
    for tile in tiles:
        rows, columns = (range(*block.indices(10**6)) for block in (tile.rows, tile.columns))
        found += list(itertools.product(rows, columns))
        if square and not tile.own:
            found += list(itertools.product(columns, rows))
    return sorted(found)


@pytest.mark.parametrize("entries", [1, 2, 7, 30, 64, 1000])
@pytest.mark.parametrize(("n_out", "n_in"), [(1, 1), (1, 9), (9, 1), (8, 8), (13, 13), (13, 5)])
@pytest.mark.parametrize("width", [1, 4, 512])
def test_tiles_cover_every_pair_once(
    package: ModuleType, monkeypatch: Any, entries: int, n_out: int, n_in: int, width: int
) -> None:
    pairs = find(package, "pairs")
    monkeypatch.setattr(pairs, "WIDTH", width)
    every = list(itertools.product(range(n_out), range(n_in)))
    for square in (False, True) if n_out == n_in else (False,):
        tiles = list(pairs.list_tiles(n_out, n_in, entries, square=square))
        assert list_covered(tiles, n_out, n_in, square) == every
        sizes = [(t.rows.stop - t.rows.start) * (t.columns.stop - t.columns.start) for t in tiles]
        assert max(sizes) <= entries
