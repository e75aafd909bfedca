"""What a parameterised layer costs, and which changes of its parameters keep its weights."""

from __future__ import annotations

from math import comb

from eqcompile.draw.sections import glue, write_paragraph
from eqcompile.layers.parameters import ParameterisedProblem

LAST = "numbering the neurons in another order renumbers inputs and outputs alike"

PAIRS = ("coulomb", "distance_product")
"""Families whose weights are a function of two neurons' charges and positions."""


def explain_cost(problem: ParameterisedProblem) -> list[str]:
    """Say what one application costs, and what it keeps in memory."""
    options = dict(problem.options)
    n_in, n_out = problem.n_in, problem.n_out
    dense = n_in * n_out
    if problem.family == "homeostatic":
        return write_paragraph(
            f"W is stored: {dense:,} multiply-adds per input, and as many for each step of "
            "adaptation."
        )
    if problem.family == "spectral":
        rank, order = options["rank"], options["order"]
        spent = (n_in + n_out) * rank + rank
        text = (
            "No weights are formed: two products with the directions and one with lam, n_in d + "
            f"n_out d + d = {spent:,} multiply-adds per input."
        )
        more = f" A dense matrix takes {dense:,}." if order == 2 else ""
        return write_paragraph(text + more)
    d, p = options["dims"]
    if problem.family == "distance_product" and options["exponent"] == 2:
        spent = (n_in + n_out) * d * (p + 2)
        return write_paragraph(
            "|x_i - x_j|^2 = |x_i|^2 + |x_j|^2 - 2 <x_i, x_j> is a product of p + 2 numbers of "
            "each neuron, so W has rank d (p + 2) and is never formed: (n_in + n_out) d (p + 2) = "
            f"{spent:,} multiply-adds per input; a dense matrix takes {dense:,}."
        )
    return write_paragraph(
        "W is never formed: tiles of it are made, used and made again for gradients. For a batch "
        f"of B: time O(n_in n_out (d + p + B)), here {dense:,} times {d + p} + B; memory "
        f"O((n_in + n_out)(d + p + B)), here {n_in + n_out:,} times {d + p} + B."
    )


def explain_gauge(problem: ParameterisedProblem, dimension: int | None) -> list[str]:
    """Say which changes of the parameters keep the weights, and how many dimensions are left."""
    if problem.family == "homeostatic":
        return []
    kept = _list_gauge_pairs(problem) if problem.family in PAIRS else _list_gauge_spectral(problem)
    lines = [line for text in kept for line in write_paragraph(f"- {text}", "", "  ")]
    order = dict(problem.options).get("order", 2)
    whole, what = _measure_whole(problem, order)
    # A lone neuron without a weight to itself has none at all.
    if dimension is not None and whole:
        tied = " without ties" if problem.ties else ""
        text = (
            f"Effective dimension: the {what} reached{tied} are a family of {dimension:,} of "
            f"{whole:,} dimensions."
        )
        text += " All of them make an open set, not yet every weight." if dimension == whole else ""
        lines += ["", *write_paragraph(text)]
    return lines


def _measure_whole(problem: ParameterisedProblem, order: int) -> tuple[int, str]:
    """Return how many dimensions the weights could have at most, and what they are."""
    n = problem.n_in
    if problem.family in PAIRS:
        pairs = n * (n - 1) // 2 if problem.square else n * problem.n_out
        return pairs, "weights off the diagonal" if problem.square else "weights"
    if problem.square:
        return comb(n + order - 1, order), f"symmetric {'matrices' if order == 2 else 'tensors'}"
    return problem.n_out * comb(n + order - 2, order - 1), "weights"


def _list_gauge_pairs(problem: ParameterisedProblem) -> list[str]:
    """List what keeps the weights of charges and positions.

    Source: the inversion is a conformal map, ``|x' - y'| = |x - y| / (|x| |y|)``.
    """
    options = dict(problem.options)
    fixed, chemistry = options["positions"] == "given", options["diagonal"] == "chemistry"
    minus = any(sign < 0 for sign in options["signature"])
    if not problem.square:
        kept = ["any invertible map of the charges out, undone on those in, keeps every weight"]
    else:
        charges = "rotations and reflections of the charges"
        charges += " that keep <,>_S" if minus else ""
        charges += " and lengths" if minus and chemistry else ""
        kept = [f"{charges} keep every weight"]
    if not fixed:
        kept.append("rotations, reflections and translations of the positions")
    softened, learnt = options["softening"] > 0, options["learn_softening"]
    if not (fixed or chemistry):
        sign, opposite = ("", "-") if options["kernel"] == "inverse" else ("-", "")
        power, whole = f"{options['exponent'] / 2:g}", f"{options['exponent']:g}"
        scaled = f"scaling the positions by s, with charges times {glue(f's^{sign}{power}')}"
        if learnt:
            kept.append(f"{scaled} and the softening times s^2")
        elif not softened:
            inverted = glue(f"|x|^{opposite}{whole}")
            kept += [scaled, f"inverting positions, x / |x|^2, with charges times {inverted}"]
    return kept[:1] + _repeat(kept[1:], LAST)


def _list_gauge_spectral(problem: ParameterisedProblem) -> list[str]:
    """List what keeps the weights of directions and strengths."""
    options = dict(problem.options)
    order, square, constraint = options["order"], problem.square, options["constraint"]
    what, sides = ("q_k", "Q") if square else ("u_k or v_k", "U and V")
    kept = []
    if constraint == "qr":
        kept.append("adding to a direction multiples of earlier ones keeps every weight")
    else:
        kept.append("numbering the directions in another order keeps every weight")
    if constraint == "none":
        less = f"s^{order}" if square else "s" if order == 2 else f"s or s^{order - 1}"
        kept.append(f"multiplying {what} by s and dividing lam_k by {less}")
    else:
        kept.append("multiplying a direction by s > 0, because it is normalised")
    if order == 2 and constraint != "qr":
        kept.append(f"mixing the columns of {sides} so that their product stays")
    turned = "turning directions and inputs by one rotation turns the output with them"
    alone = "turning v_k and the inputs by one rotation changes nothing"
    return kept[:1] + _repeat(kept[1:], turned if square else alone)


def _repeat(kept: list[str], last: str) -> list[str]:
    return [*(f"{text}: likewise" for text in kept), last]
