"""Spell solved layers as a plain PyTorch package, and write it without breaking an older one."""
