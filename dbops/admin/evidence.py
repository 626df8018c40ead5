"""A finding's numbers as a person reads them: the unit is in the number's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.snapshot.amounts import format_bytes, format_count, format_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_UNITS: Final[Mapping[str, Callable[[float], str]]] = {
    "_bytes": format_bytes,
    "_ratio": lambda ratio: f"{ratio:.1%}".replace(".0%", "%").replace("%", " %"),
    "_ms": lambda duration_ms: f"{duration_ms:,.0f} ms",
    "_s": format_seconds,
}


def readable(evidence: Mapping[str, int | float | str]) -> list[tuple[str, str]]:
    """Return what was measured in words, by name: `size_bytes` 18874368 is ("size", "18 MB")."""
    return [_readable(name, value) for name, value in sorted(evidence.items())]


def _readable(name: str, value: float | str) -> tuple[str, str]:
    if not isinstance(value, str):
        for suffix, as_text in _UNITS.items():
            if name.endswith(suffix):
                return _words(name.removesuffix(suffix)), as_text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return _words(name), format_count(value)
    return _words(name), str(value)


def _words(name: str) -> str:
    return name.replace("_", " ")
