"""Group actions: families, representations and expressions, relations, stabilisers."""
