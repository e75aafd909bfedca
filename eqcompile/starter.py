"""What ``eqcompile init`` writes."""

from __future__ import annotations

STARTER = """\
# A spec says which group acts how, and which layers should commute with it.
# Build it:    eqcompile build spec.yaml -o build
# Look at it:  eqcompile inspect spec.yaml      (the tying, drawn)
#              eqcompile explain spec.yaml      (the derivation)
version: 1
package: board_nets             # name of the emitted Python package

groups:                         # named once, used below; `eqcompile list groups` shows all
  Board: {grid: {size: [3, 3], symmetry: D4}}   # rotations and reflections of a 3x3 board

layers:
  - name: Quad                  # a class in the package
    group: Board
    input: V                    # the group's own action, here on the 9 cells
    output: V                   # also: 1, sign, V + 1, 2 V, V * V, Sym(V, 2), Alt(V, 2), ...
    degree: 2                   # constant, linear and quadratic terms
    channels: {in: 2, out: 4}   # mixing: full (default), channelwise, depthwise, factored

  - name: Readout
    group: Board
    input: V
    output: 1                   # invariant under every move of the board
    degrees: [1]
    channels: {in: 4, out: 1}

emit: {dtype: float32}
"""
