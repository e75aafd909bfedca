"""eqcompile: a symbolic constraint compiler for equivariant polynomial networks."""
