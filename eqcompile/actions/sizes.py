"""How large a group action may be, and the refusal of what is larger."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from eqcompile.errors import PathPart, Refusal

MAX_POINTS = 5000
# Points times generators: what the generators of one group may hold in all.
MAX_ENTRIES = 5_000_000

Size = Annotated[int, Field(ge=1, json_schema_extra={"maximum": MAX_POINTS})]


def check_points(points: int, at: tuple[PathPart, ...] = ()) -> None:
    """Refuse an action on more than `MAX_POINTS` points, before anything of it is built."""
    if points > MAX_POINTS:
        raise Refusal(
            "too-large",
            f"a group acts on at most {MAX_POINTS} points, this one on {spell_count(points)}",
            "use a smaller size",
            at,
        )


def check_extent(points: int, generators: int, at: tuple[PathPart, ...] = ()) -> None:
    """Refuse generators that would not fit: too many points, or too many generators on them."""
    check_points(points, at)
    if points * generators > MAX_ENTRIES:
        raise Refusal(
            "too-large",
            f"{generators} generators on {points} points are too many: at most "
            f"{MAX_ENTRIES // points} on so many points",
            "use fewer generators",
            at,
        )


def spell_count(count: int) -> str:
    """Write a number; a very long one by its length."""
    digits = len(str(count)) if count.bit_length() < 400 else int(count.bit_length() * 0.30103)
    return str(count) if digits <= 15 else f"about 10^{digits - 1}"


def spell_quantity(number: int, noun: str) -> str:
    """Write a number of things: ``1 row``, ``2 rows``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
