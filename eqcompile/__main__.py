"""``python -m eqcompile`` and the installed command."""

from __future__ import annotations

from eqcompile.cli import app


def main() -> None:
    """Run the command line."""
    app(prog_name="eqcompile")


if __name__ == "__main__":
    main()
