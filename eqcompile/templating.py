"""The templates of emitted files and pages: where they lie and how they are rendered."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def template_root() -> Path:
    """Return the folder of the templates: in the wheel, or at the top of a source tree."""
    inside = Path(__file__).parent / "templates"
    return inside if inside.is_dir() else inside.parent.parent / "templates"


@cache
def open_templates(*, escape: bool) -> Environment:
    """Return the template environment: an unknown name in a template is an error.

    Args:
        escape: Escape everything for HTML; code is checked name by name instead.
    """
    return Environment(
        loader=FileSystemLoader(template_root()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=escape,
    )
