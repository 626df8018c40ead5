"""When something that grows will be full: at the pace that it has kept up for most of the time it was measured.

The mean of that time is no pace: a bulk load on one day would be taken for growth that goes on. So the time is looked
at in quarters. What counts is what was reached in at least three of the four, and never more than the mean: a load that
lies in one quarter, or across the border of two, says nothing of the days to come, while a job that runs every week
does.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from dbops.snapshot.amounts import format_count, plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import timedelta

    from dbops.snapshot.activity_rows import Growth

#: A pace is judged by parts of the time; with fewer than two nothing tells a single load from growth.
_QUARTERS: Final = 4
_LEAST_PARTS: Final = 2
#: A week has its weekend; what was measured for less time decides nothing alone.
_LEAST_DAYS: Final = 7
#: Nobody knows what is farther ahead than so many times the time that was looked back.
_FARTHEST: Final = 7
#: Beyond that, how long it will take is of no interest.
_NO_MATTER_DAYS: Final = 3650
_DAY_S: Final = 86_400
#: Less than so much a day is told with a decimal, less than so many days in hours.
_EXACT: Final = 10
_IN_DAYS: Final = 2


@dataclass(frozen=True, slots=True)
class Forecast:
    """In how many days something is full, at `per_day` more a day, as measured over `measured_days`."""

    per_day: float
    measured_days: float
    days_left: float
    parts: int

    @property
    def is_firm(self) -> bool:
        """Whether it was measured long enough, in all quarters, to be relied on so far ahead."""
        return (
            self.parts >= _QUARTERS
            and self.measured_days >= _LEAST_DAYS
            and self.days_left <= _FARTHEST * self.measured_days
        )

    def is_within(self, days: float) -> bool:
        """Return whether it is full in less than `days`, as far as that can be relied on."""
        return self.is_firm and self.days_left < days

    def evidence(self, name: str) -> dict[str, int | float]:
        """Return the numbers of a finding, with the pace by `name`."""
        per_day = round(self.per_day, 1) if self.per_day < _EXACT else round(self.per_day)
        return {"days_left": round(self.days_left, 1), name: per_day, "measured_days": round(self.measured_days, 1)}

    def words(self, shown: Callable[[int], str] = format_count, *, what: str = "that is") -> str:
        """Return a sentence that begins with a blank, as what is there before is to be full; empty where it is far off.

        `shown` writes what is added in a day, `what` says what is to come.
        """
        if self.days_left > _NO_MATTER_DAYS:
            return ""
        over = plural(int(self.measured_days), "day")
        pace = shown(round(self.per_day)) if self.per_day >= 1 else "less than 1"
        return f" At the pace of the last {over} ({pace} a day), {what} {_when(self.days_left)}."


def forecast(growth: Growth | None, remaining: float, *, step: int = 1, may_shrink: bool = False) -> Forecast | None:
    """Return when `remaining` more is used up; None where nothing is known to grow steadily.

    `step` is by how much one more changes the value: below 0 for what counts down. What has become smaller in between
    has been set back or emptied, and will be again, so that nothing follows from it, unless it is something that
    `may_shrink` on its way, such as used bytes.
    """
    if growth is None or len(growth.moments) <= _LEAST_PARTS:
        return None
    grown = [(later - earlier) / step for earlier, later in pairwise(growth.values)]
    if not may_shrink and min(grown) < 0:
        return None
    parts = [by / _days(later - earlier) for by, (earlier, later) in zip(grown, pairwise(growth.moments), strict=True)]
    measured_days = _days(growth.moments[-1] - growth.moments[0])
    per_day = min(sum(grown) / measured_days, sorted(parts)[len(parts) // _QUARTERS])
    if per_day <= 0:
        return None
    return Forecast(per_day, measured_days, max(remaining, 0) / per_day, len(parts))


def by_subject(growth: Iterable[Growth] | None) -> Mapping[tuple[str, int, int, str], Growth]:
    """Return each growth by what has grown: its subject, oid, column and place."""
    return {(one.subject, one.oid, one.column, one.place): one for one in growth or ()}


def _days(time: timedelta) -> float:
    return time.total_seconds() / _DAY_S


def _when(days: float) -> str:
    if days >= _IN_DAYS:
        return f"in {plural(int(days), 'day')}"
    hours = int(days * 24)
    return f"in {plural(hours, 'hour')}" if hours else "within an hour"
