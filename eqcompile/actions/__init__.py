"""Group actions: families of groups, representations and their expressions, relations, stabilisers."""
