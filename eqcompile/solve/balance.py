"""The certificate of a layer over a fibration: fibres, ties and balance, each found another way.

This module shares no code with what finds fibres and ties. For every block it shows that

1. the fibres are the coarsest balanced colouring: naming every vertex by its name and the names it
   receives from, again and again from one name for all, ends at the same partition. (Vertices
   that differ in a round differ in every balanced colouring, by induction; and the last round is
   balanced.)
2. the claimed classes are the different keys, spelled out slot by slot;
3. every class is balanced: the outputs of a fibre have equally many slots of each class over each
   monomial of the base graph, so inputs constant on fibres are mapped to such outputs;
4. the generators of the group are automorphisms of the graph, which therefore keep every key.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from eqcompile.actions.fibrations import Fibration
from eqcompile.errors import CertificateError
from eqcompile.exact.signed import IntArray
from eqcompile.solve.ansatz import Ansatz
from eqcompile.solve.tying import Tying

Key = tuple[object, ...]


def check_balance(tying: Tying) -> IntArray:
    """Check the classes of a layer over a fibration.

    Where there are further equations, they may force classes to zero; `linear_proof` goes on.

    Returns:
        The number of the key of every slot, counted here, shape ``(slots,)``.

    Raises:
        CertificateError: Something does not hold.
    """
    ansatz = tying.ansatz
    assert ansatz.fibration is not None
    check_fibres(ansatz.fibration)
    check_generators(ansatz)
    labels, signs = tying.table()
    if not np.array_equal(signs, labels >= 0):
        raise CertificateError(f"a tie over a fibration of shape {ansatz.shape} has a sign")
    check_sums(ansatz, labels)
    names = name_keys(ansatz)
    pairs = np.unique(np.stack([names.ravel(), labels.ravel()]), axis=1)
    if pairs.shape[1] > 1 + int(names.max(initial=-1)):
        raise CertificateError(f"a tie that a fibration of shape {ansatz.shape} makes is missing")
    if not ansatz.relations and len(np.unique(labels)) < pairs.shape[1]:
        raise CertificateError(f"a tie of shape {ansatz.shape} is not made by the fibration")
    return names.ravel()


@lru_cache(maxsize=8)
def check_fibres(fibration: Fibration) -> None:
    """Check that the fibres are the coarsest balanced colouring, numbered by least vertex.

    Raises:
        CertificateError: They are not.
    """
    sources: list[list[int]] = [[] for _ in range(fibration.n)]
    for a, b in fibration.arrows:
        sources[b].append(a)
    names, count = [0] * fibration.n, 1
    while True:
        known: dict[Key, int] = {}
        names = [
            known.setdefault((names[v], *sorted(names[u] for u in sources[v])), len(known))
            for v in range(fibration.n)
        ]
        if len(known) == count:
            break
        count = len(known)
    if tuple(names) != fibration.fibres:
        raise CertificateError("the fibres of a graph are not its coarsest balanced colouring")


def check_generators(ansatz: Ansatz) -> None:
    """Check that every generator keeps the arrows, and moves vertices alike wherever they stand.

    Raises:
        CertificateError: One does not.
    """
    fibration = ansatz.fibration
    assert fibration is not None
    actions = (ansatz.output, *ansatz.inputs)
    if any(a.dim not in (1, fibration.n) for a in actions):
        raise CertificateError(f"{fibration.n} vertices are coloured, and others are acted on")
    moves = {a.images for a in actions if a.dim == fibration.n}
    if len(moves) > 1:
        raise CertificateError("generators move the vertices of inputs and outputs unlike")
    received = np.zeros((fibration.n, fibration.n), dtype=bool)
    for a, b in fibration.arrows:
        received[b, a] = True
    for cause, image in zip(ansatz.causes, *moves, strict=True) if moves else ():
        perm, moved = image.perm, np.flatnonzero(image.perm != np.arange(image.n))
        rows = received[np.ix_(perm[moved], perm)] == received[moved]
        columns = received[np.ix_(perm, perm[moved])] == received[:, moved]
        if not image.is_unsigned or not (rows.all() and columns.all()):
            raise CertificateError(f"{cause} is no automorphism of the graph")


def check_sums(ansatz: Ansatz, labels: IntArray) -> None:
    """Check that the outputs of a fibre have the same sums of each class over base monomials.

    Raises:
        CertificateError: The first fibre in which they differ.
    """
    assert ansatz.fibration is not None
    fibration = ansatz.fibration
    if ansatz.output.dim != fibration.n:
        return
    fibres = np.array(fibration.fibres)
    columns = ansatz.space.columns()
    base, start = np.empty_like(columns), 0
    for source, degree in zip(ansatz.inputs, ansatz.shape, strict=True):
        part = columns[:, start : start + degree]
        base[:, start : start + degree] = np.sort(fibres[part], 1) if source.dim > 1 else part
        start += degree
    _, monomial = np.unique(base, axis=0, return_inverse=True)
    sums = np.sort(labels * (1 + int(monomial.max(initial=0))) + monomial.ravel(), axis=1)
    for number, members in enumerate(fibration.members):
        if np.any(sums[list(members)] != sums[members[0]]):
            raise CertificateError(f"a class of shape {ansatz.shape} is unequal in fibre {number}")


def name_keys(ansatz: Ansatz) -> IntArray:
    """Number the keys of all slots in order, shape ``(n_out, monomials)``.

    The key of a slot is the fibre of its output k and, for each vertex i of its monomial, the
    fibre of i, whether i is k, whether k receives from i, and the power of ``x_i`` in each factor;
    "whether i is k" is left out where fibres have vertices with and without a loop.
    """
    fibration = ansatz.fibration
    assert fibration is not None
    monomials = [_list_powers(ansatz, row) for row in ansatz.space.columns().tolist()]
    arrows, outputs = set(fibration.arrows), range(ansatz.output.dim)
    own = ansatz.output.dim == fibration.n
    numbers: dict[Key, int] = {}
    names = np.empty((len(outputs), len(monomials)), dtype=np.int64)
    for k in outputs:
        loops = {(v, v) in arrows for v in fibration.members[fibration.fibres[k]]}
        seen = [
            (fibre, own and i == k and len(loops) == 1, own and (i, k) in arrows)
            for i, fibre in enumerate(fibration.fibres)
        ]
        head = fibration.fibres[k] if own else 0
        for a, monomial in enumerate(monomials):
            key = (head, *sorted((*seen[i], *powers) for i, powers in monomial))
            names[k, a] = numbers.setdefault(key, len(numbers))
    return names


def _list_powers(ansatz: Ansatz, row: list[int]) -> list[tuple[int, tuple[int, ...]]]:
    """List the vertices of a monomial with the powers of each in all factors."""
    assert ansatz.fibration is not None
    powers: dict[int, list[int]] = {}
    factors = [f for f, degree in enumerate(ansatz.shape) for _ in range(degree)]
    for i, factor in zip(row, factors, strict=True):
        # The one variable of an input "1" has the same power in every monomial.
        if ansatz.inputs[factor].dim == ansatz.fibration.n:
            powers.setdefault(i, [0] * len(ansatz.shape))[factor] += 1
    return [(i, tuple(found)) for i, found in powers.items()]
