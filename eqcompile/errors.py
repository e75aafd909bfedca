"""Everything that can go wrong and be said to a user.

A `Refusal` is raised by the floors that know no file: it names the broken rule and the remedy.
The loader and the resolver give it a place (`Span`) and collect all of a file in one `SpecError`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

PathPart = str | int


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of one line of a spec; lines and columns count from 1, ``end_column`` is exclusive."""

    path: str
    line: int
    column: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One error of a spec, with the place it stands at, the rule it breaks and the remedy."""

    span: Span
    rule: str
    text: str
    help: str
    source_line: str = ""

    def render(self) -> str:
        """Spell the error as ``path:line:col: error[rule]: text`` with the line, a caret and help."""
        head = (
            f"{self.span.path}:{self.span.line}:{self.span.column}: error[{self.rule}]: {self.text}"
        )
        lines = [head]
        if self.source_line.strip():
            gutter = f"{self.span.line:>4} | "
            # Tabs before the caret are kept, so that it stands under its word in any tab width.
            lead = "".join(
                c if c == "\t" else " " for c in self.source_line[: self.span.column - 1]
            )
            width = max(1, min(self.span.end_column, len(self.source_line) + 1) - self.span.column)
            lines += [
                gutter + self.source_line,
                " " * (len(gutter) - 2) + "| " + lead + "^" * width,
            ]
        lines.append(f"     = help: {self.help}")
        return "\n".join(lines)


class EqcompileError(Exception):
    """Base of every error eqcompile raises on purpose."""


class SpecError(EqcompileError):
    """A spec that cannot be served; carries every error of the file, in order of place."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        self.diagnostics = tuple(sorted(diagnostics, key=lambda d: (d.span, d.rule, d.text)))
        super().__init__(self.render())

    def render(self) -> str:
        """Spell all errors, one after the other."""
        return "\n".join(d.render() for d in self.diagnostics)


@dataclass(slots=True)
class Refusal(EqcompileError):
    """A request that a floor below the spec refuses.

    Attributes:
        rule: Stable name of the broken rule, listed in ``docs/errors.md``.
        text: What is wrong, in one sentence.
        help: What to write instead.
        at: Where inside the value that was handed down: keys and indices of the spec.
        offset: Character range inside a string value (an expression), if the value is one.
        on_key: Whether the key at the end of ``at`` is at fault, and not the value under it.
    """

    rule: str
    text: str
    help: str
    at: tuple[PathPart, ...] = ()
    offset: tuple[int, int] | None = field(default=None)
    on_key: bool = False

    def __str__(self) -> str:
        return f"{self.text} (help: {self.help})"

    def move(self, at: tuple[PathPart, ...]) -> Refusal:
        """Return this refusal of a value that stands at ``at`` inside a larger one."""
        return replace(self, at=(*at, *self.at))


class Refusals(EqcompileError):
    """Several refusals of one value, all at once."""

    def __init__(self, refusals: tuple[Refusal, ...]) -> None:
        self.refusals = refusals
        super().__init__("\n".join(str(r) for r in refusals))


def not_yet_served(what: str, help: str, *, at: tuple[PathPart, ...] = ()) -> Refusal:
    """Refuse something the spec language knows but this version does not serve."""
    return Refusal("not-yet-served", f"{what} is not yet served", help, at)


class CertificateError(EqcompileError):
    """A certificate, a tying or a package that does not hold; the message says which check failed."""
