"""Straight-line programs that evaluate a layer: IR, lowering, forms, cost, differentiation."""
