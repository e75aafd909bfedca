"""Exact arithmetic without groups: signed permutations, monomials, signed classes."""
