"""How the command line speaks: results to stdout, progress and errors to stderr, exit codes."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from eqcompile.errors import CertificateError, Refusal, Refusals, SpecError

WRONG_SPEC = 2
REFUSED_CERTIFICATE = 3
OUR_BUG = 1


def say(text: str) -> None:
    """Print a result."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Print a remark beside the result."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def spell_refusal(refusal: Refusal) -> str:
    """Write a refusal that has no place in a spec, such as a target that exists."""
    return f"error[{refusal.rule}]: {refusal.text}\n     = help: {refusal.help}"


def leave(error: BaseException) -> NoReturn:
    """End the program with the exit code that belongs to an error."""
    match error:
        case SpecError():
            note(error.render())
            sys.exit(WRONG_SPEC)
        case Refusals():
            note("\n".join(spell_refusal(r) for r in error.refusals))
            sys.exit(WRONG_SPEC)
        case Refusal():
            note(spell_refusal(error))
            sys.exit(WRONG_SPEC)
        case CertificateError():
            note(f"refused: {error}")
            sys.exit(REFUSED_CERTIFICATE)
        case _:
            traceback.print_exception(error)
            note("This is a bug in eqcompile; please report it with the spec and the lines above.")
            sys.exit(OUR_BUG)


@contextmanager
def speak_errors() -> Iterator[None]:
    """Turn every error inside into its message and exit code."""
    try:
        yield
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does; that is no error of anybody's.
        sys.stderr.close()
        sys.exit(0)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        leave(error)


@contextmanager
def show_progress() -> Iterator[Callable[[str], None]]:
    """Show what is being done while it takes long; silent where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console
    from rich.status import Status

    with Status("reading", console=Console(stderr=True)) as status:
        yield status.update


def format_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay out a table in plain text, numbers to the right."""
    cells = [[str(c) for c in head], *[["-" if c is None else str(c) for c in r] for r in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    numeric = [all(not isinstance(r[i], str) for r in rows) for i in range(len(head))]
    lines = []
    for row in cells:
        parts = [
            c.rjust(w) if right else c.ljust(w)
            for c, w, right in zip(row, widths, numeric, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(lines)
