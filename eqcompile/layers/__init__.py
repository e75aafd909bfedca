"""Layer families: one module per family, from a spec entry to a layer problem."""
