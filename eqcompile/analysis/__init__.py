"""What a solved layer is worth: how it acts on the quotient of its inputs, and such questions."""
