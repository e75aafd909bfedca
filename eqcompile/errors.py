"""Everything that can go wrong and be said to a user.

A `Refusal` is raised by the floors that know no file: it names the broken rule and the remedy.
The loader and the resolver give it a place (`Span`) and collect all of a file in one `SpecError`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

PathPart = str | int

SHOWN_COLUMNS = 120


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of one line of a spec; lines and columns count from 1, the end is exclusive."""

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
        """Spell it as ``path:line:col: error[rule]: text`` with the line, a caret and help."""
        head = (
            f"{self.span.path}:{self.span.line}:{self.span.column}: error[{self.rule}]: {self.text}"
        )
        lines = [head]
        if self.source_line.strip():
            shown, first = self._crop_line()
            gutter = f"{self.span.line:>4} | "
            # Tabs before the caret are kept, so that it stands under its word in any tab width.
            lead = "".join(c if c == "\t" else " " for c in shown[: first - 1])
            width = max(1, min(self.span.end_column - self.span.column, len(shown) + 1 - first))
            lines += [
                (gutter + shown).rstrip(),
                " " * (len(gutter) - 2) + "| " + lead + "^" * width,
            ]
        lines.append(f"     = help: {self.help}")
        return "\n".join(lines)

    def _crop_line(self) -> tuple[str, int]:
        """Cut a long line to what stands around the place; return it and the column there."""
        line, column = self.source_line, self.span.column
        if len(line) <= SHOWN_COLUMNS:
            return line, column
        start = max(0, column - 1 - SHOWN_COLUMNS // 2)
        shown = line[start : start + SHOWN_COLUMNS]
        left = "..." if start else ""
        right = "..." if start + SHOWN_COLUMNS < len(line) else ""
        return left + shown + right, column - start + len(left)


class EqcompileError(Exception):
    """Base of every error eqcompile raises on purpose."""


class SpecError(EqcompileError):
    """A spec that cannot be served; carries every error of the file, in order of place."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        self.diagnostics = tuple(sorted(diagnostics, key=lambda d: (d.span, d.rule, d.text)))
        super().__init__(self.render())

    def __reduce__(self) -> tuple[type[SpecError], tuple[tuple[Diagnostic, ...]]]:
        # Errors travel between the processes of a build; the default rebuilds from the text.
        return SpecError, (self.diagnostics,)

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

    def __reduce__(self) -> tuple[type[Refusal], tuple[object, ...]]:
        # The default keeps positional arguments only.
        return Refusal, (self.rule, self.text, self.help, self.at, self.offset, self.on_key)

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

    def __reduce__(self) -> tuple[type[Refusals], tuple[tuple[Refusal, ...]]]:
        return Refusals, (self.refusals,)


def not_yet_served(what: str, help: str, *, at: tuple[PathPart, ...] = ()) -> Refusal:
    """Refuse something the spec language knows but this version does not serve."""
    return Refusal("not-yet-served", f"{what} is not yet served", help, at)


class CertificateError(EqcompileError):
    """A certificate, a tying or a package that does not hold; the message says which check."""
