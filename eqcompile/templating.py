"""Where the templates of emitted files and pages lie."""

from __future__ import annotations

from pathlib import Path


def template_root() -> Path:
    """Return the folder of the templates: in the wheel, or at the top of a source tree."""
    inside = Path(__file__).parent / "templates"
    return inside if inside.is_dir() else inside.parent.parent / "templates"
