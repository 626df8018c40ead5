"""What findings about bloat have in common: how sure they are, their numbers, and how these are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.finding import Basis, Confidence
from dbops.snapshot.amounts import format_bytes

if TYPE_CHECKING:
    from dbops.snapshot.bloat import Bloat


def certainty(bloat: Bloat) -> tuple[Basis, Confidence]:
    """Return what the finding rests on: an estimate may be far off where widths vary or statistics are old."""
    if bloat.unmeasured is None:
        return Basis.MEASURED, Confidence.HIGH
    return Basis.ESTIMATED, Confidence.LOW


def evidence(bloat: Bloat) -> dict[str, int | float | str]:
    """Return the numbers: `wasted_ratio` of `size_bytes` is `wasted_bytes`; `dead_bytes` of it are of dead rows."""
    found: dict[str, int | float | str] = {
        "size_bytes": bloat.size_bytes,
        "wasted_bytes": bloat.wasted_bytes,
        "wasted_ratio": round(bloat.wasted_ratio, 3),
    }
    if bloat.dead_bytes:
        found["dead_bytes"] = bloat.dead_bytes
    if bloat.unmeasured is not None:
        found["unmeasured"] = bloat.unmeasured
    return found


def spoken(bloat: Bloat, content: str) -> str:
    """Return the finding's message; `content` is what the relation holds."""
    needed, size = format_bytes(bloat.needed_bytes), format_bytes(bloat.size_bytes)
    ratio = f"{bloat.wasted_ratio:.0%}"
    if bloat.unmeasured is None:
        return f"{ratio} of its {size} is wasted: {content} need {needed}."
    return f"By estimate {ratio} of its {size} is wasted, as {content} need {needed}. Not measured: {bloat.unmeasured}."
