"""Spell a solved layer as a plain PyTorch package, and write it without ever breaking the old one."""
