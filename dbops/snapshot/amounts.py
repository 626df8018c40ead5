"""Numbers as a person reads them."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB", "PB")


def format_bytes(size_bytes: float) -> str:
    """Return a size as `2.1 GB` or `18 MB`: units of 1024, as PostgreSQL's own pg_size_pretty has them."""
    size, unit = float(size_bytes), 0
    while abs(size) >= 999.5 and unit < len(_UNITS) - 1:
        size /= 1024
        unit += 1
    if unit == 0 or abs(size) >= 9.95:
        return f"{size:,.0f} {_UNITS[unit]}"
    return f"{size:.1f} {_UNITS[unit]}"


def format_count(count: int) -> str:
    """Return a count with thousands separated: `1,954,301,002`."""
    return f"{count:,}"


def format_seconds(seconds: float) -> str:
    """Return a duration in its two largest units: `45 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = int(seconds)
    for size, unit, smaller_size, smaller in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size:,} {unit} {rest} {smaller}" if rest else f"{whole // size:,} {unit}"
    return f"{whole} s"


def plural(count: int, noun: str, plural_noun: str | None = None) -> str:
    """Return a count with its noun: `1 table`, `2 tables`, `0 indexes`."""
    word = noun if count == 1 else plural_noun or (f"{noun}es" if noun.endswith(("x", "s")) else f"{noun}s")
    return f"{format_count(count)} {word}"


def listed(names: list[str], *, most: int = 3) -> str:
    """Return `a, b and c`, or `a, b, c and 4 more` when there are more than `most`."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most:,} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
