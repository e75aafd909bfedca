"""Apply weights ``<mu_i, mu_j> k(|x_i - x_j|^2)`` in one way: ``python -m benchmarks.peers.pairs``.

    python -m benchmarks.peers.pairs CONTENDER KERNEL N

reads words from its standard input, one per line, and answers each with a line of JSON: ``forward``
applies the weights to 16 rows, ``train`` also differentiates by all of mu, x and the rows. Only
torch is imported, and what the contender itself needs. Everything is float32, drawn from one seed,
so all contenders give one answer; sums of squares of it are part of each line.
"""

from __future__ import annotations

import gc
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

ROWS, DIMS, SOFTENING = 16, (8, 3), 0.1
SHORT = 0.2
"""CPU seconds."""

Call = Callable[[Tensor], Tensor]
Make = Callable[[str, Tensor, Tensor], Call]

SPEC = """
version: 1
package: pairs_{kernel}_{n}
layers:
  - {{name: Pairs, family: {family}, size: {n}, dims: {{mu: {mu}, x: {x}}}{more}}}
"""


def make_layer(kernel: str, mu: Tensor, x: Tensor) -> Call:
    """Return the layer of eqcompile, with these parameters."""
    import eqcompile

    family = {"inverse": "coulomb", "product": "distance_product"}[kernel]
    more = f", softening: {SOFTENING}" if kernel == "inverse" else ""
    words = {"kernel": kernel, "family": family, "more": more, "n": len(mu)}
    package: Any = eqcompile.compile(SPEC.format(**words, mu=DIMS[0], x=DIMS[1]))
    # Neither its own draw nor the Sinkhorn iterations are measured.
    with torch.device("meta"):
        layer = package.Pairs()
    layer = layer.to_empty(device="cpu")
    return lambda z: torch.func.functional_call(layer, {"mu": mu, "x": x}, (z,))


def make_dense(kernel: str, mu: Tensor, x: Tensor) -> Call:
    """Form the weights at each call, and multiply."""
    return lambda z: z @ form_weights(kernel, mu, x).mT


def make_ready(kernel: str, mu: Tensor, x: Tensor) -> Call:
    """Form the weights once, and multiply; there are no gradients of mu and x."""
    with torch.no_grad():
        weights = form_weights(kernel, mu, x)
    return lambda z: z @ weights.mT


def form_weights(kernel: str, mu: Tensor, x: Tensor) -> Tensor:
    """Form the weights in the fastest of the ways that keep float32 exact near the diagonal."""
    squares = torch.zeros(len(x), len(x))
    for column in x.unbind(1):
        squares = squares + (column[:, None] - column).square()
    products = mu @ mu.mT
    if kernel == "product":
        return products * squares
    return (products / (squares + SOFTENING)).fill_diagonal_(0.0)


def make_keops(kernel: str, mu: Tensor, x: Tensor) -> Call:
    """Return a reduction of PyKeOps; what the diagonal adds is taken off."""
    from pykeops.torch import Genred

    weight = "(M|N)*SqDist(X,Y)" if kernel == "product" else "(M|N)*Inv(SqDist(X,Y)+E)"
    arguments = [f"M=Vi({DIMS[0]})", f"X=Vi({DIMS[1]})", f"N=Vj({DIMS[0]})", f"Y=Vj({DIMS[1]})"]
    arguments += [f"Z=Vj({ROWS})", "E=Pm(1)"]
    reduction = Genred(f"{weight}*Z", arguments, reduction_op="Sum", axis=1)
    softening = torch.tensor([SOFTENING])

    def call(z: Tensor) -> Tensor:
        columns = z.mT.contiguous()
        y: Tensor = reduction(mu, x, mu, x, columns, softening)
        if kernel == "inverse":
            y = y - columns * (mu.square().sum(1, keepdim=True) / SOFTENING)
        return y.mT

    return call


CONTENDERS: dict[str, Make] = {
    "layer": make_layer,
    "dense": make_dense,
    "ready": make_ready,
    "keops": make_keops,
}


def measure(call: Call, tensors: tuple[Tensor, ...], word: str) -> dict[str, float]:
    """Run one call; return its CPU seconds, the peak of memory so far, and a sum of squares.

    A short call is made six times, and the median of the last five counts.
    """
    gc.collect()
    seconds, results = _time(call, tensors, word)
    if seconds < SHORT:
        seconds = statistics.median(_time(call, tensors, word)[0] for _ in range(5))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    squares = sum(float(t.double().square().sum()) for t in results)
    return {"seconds": seconds, "peak_mib": peak, "squares": squares}


def _time(call: Call, tensors: tuple[Tensor, ...], word: str) -> tuple[float, tuple[Tensor, ...]]:
    start = time.process_time()
    if word == "forward":
        with torch.no_grad():
            results: tuple[Tensor, ...] = (call(tensors[0]),)
    else:
        wanted = [t for t in tensors if t.requires_grad]
        results = torch.autograd.grad(call(tensors[0]).square().mean(), wanted)
    return time.process_time() - start, results


def main() -> None:
    contender, kernel, count = sys.argv[1:]
    torch.manual_seed(0)
    torch.set_num_threads(1)
    n = int(count)
    mu, x, z = (torch.randn(n, size).requires_grad_() for size in (*DIMS, ROWS))
    rows = z.detach().mT.contiguous().requires_grad_()
    make = CONTENDERS[contender]
    if contender == "ready":
        mu, x = mu.detach(), x.detach()
    # Compilers, registries and lazy imports are over before anything is measured.
    few = [t[:64].detach().requires_grad_() for t in (mu, x)]
    small = rows[:, :64].detach().requires_grad_()
    trial = make(kernel, *few)(small).square().mean()
    torch.autograd.grad(trial, small)
    call = make(kernel, mu, x)
    resting = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"resting_mib": resting}), flush=True)
    for line in sys.stdin:
        print(json.dumps(measure(call, (rows, mu, x), line.strip())), flush=True)


if __name__ == "__main__":
    main()
