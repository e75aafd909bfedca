"""From a layer problem to proven tying classes: ansatz, constraints, tying, certificate."""
