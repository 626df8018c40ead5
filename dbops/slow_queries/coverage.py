"""Whether the slow-query log was on during a window, and lost nothing. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

#: A process says every minute what it has seen; one that has not for so long is no more.
SILENT_AFTER: Final = timedelta(minutes=3)
#: For so long there may be no process at all, as when a new version is deployed.
_PAUSE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One process whose statements were watched, from `began_at` to `seen_at`: until then all is kept.

    `has_ended` says that there is nothing after that. `dropped_at` is when it last had no room for a slow statement.
    `threshold_ms` is from when on a statement was slow to it.
    """

    began_at: datetime
    seen_at: datetime
    has_ended: bool
    threshold_ms: float
    dropped_at: datetime | None = None


def gap(runs: Iterable[Run], since: datetime, until: datetime) -> str | None:
    """Return why slow statements of a window may be missing; None where none is.

    What the last minutes of a window brought may be on its way, which is not a gap.
    """
    seen = sorted((run for run in runs if run.began_at <= until and run.seen_at >= since), key=lambda run: run.began_at)
    covered_to = since
    for run in seen:
        if run.dropped_at is not None and run.dropped_at >= since:
            return "a process had more slow statements than it could count"
        if not run.has_ended and run.seen_at < until - SILENT_AFTER:
            return f"a process ended without a word, and what it saw after {run.seen_at:%Y-%m-%d %H:%M} is lost"
        if run.began_at > covered_to + _PAUSE:
            break
        covered_to = max(covered_to, run.seen_at)
    if covered_to < until - _PAUSE:
        return "the slow-query log was not on during all of the window"
    return None
