"""Layers with dense tensors of weights: what one would write without a compiler."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Einsum(nn.Module):
    """A layer with dense tensors of weights, as one would write it without a compiler.

    Args:
        layer: Whose shapes and mixing it has.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__()
        c, o, n, k = layer.in_channels, layer.out_channels, layer.layout.n_in, layer.layout.n_out
        self.mixing = layer.layout.mixing
        shapes = {
            "full": ((o, k), (o, k, c, n), (o, k, c, n, c, n)),
            "channelwise": ((o, k), (o, k, c, n), (o, k, c, n, n)),
            "depthwise": ((c, k), (c, k, n), (c, k, n, n)),
        }[self.mixing]
        self.weights = nn.ParameterList(torch.randn(shape) * 0.01 for shape in shapes)

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the layer by products of matrices."""
        constant, linear, square = self.weights
        if self.mixing == "full":
            flat, matrix = x.flatten(1), square.flatten(4).flatten(2, 3).flatten(0, 1)
            half = torch.einsum("zi,pij->zpj", flat, matrix)
            quadratic = torch.einsum("zpj,zj->zp", half, flat).view(len(x), *constant.shape)
        else:
            outer = x.unsqueeze(-1) * x.unsqueeze(-2)
            rule = "zcij,okcij->zok" if self.mixing == "channelwise" else "zcij,ckij->zck"
            quadratic = torch.einsum(rule, outer, square)
        rule = "zci,cki->zck" if self.mixing == "depthwise" else "zci,okci->zok"
        found: Tensor = constant + torch.einsum(rule, x, linear) + quadratic
        return found


def count_numbers(layer: Any, batch: int) -> int:
    """Count the numbers in the largest tensors of an einsum: weights and what it makes of x."""
    c, o, n, k = layer.in_channels, layer.out_channels, layer.layout.n_in, layer.layout.n_out
    match layer.layout.mixing:
        case "full":
            return int(o * k * (c * n) ** 2 + batch * o * k * c * n)
        case "channelwise":
            return int(o * k * c * n**2 + batch * c * n**2)
        case _:
            return int(c * k * n**2 + batch * c * n**2)
