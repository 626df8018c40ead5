"""The statements of a window in an order: what each costs, its share of the whole, and how it was before."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from dbops.findings.plan_reading import Explained
    from dbops.snapshot.activity_rows import StatementActivity, Window


class By(StrEnum):
    """What statements are ranked by; of blocks, those that were read or found in the buffers."""

    TOTAL = "total"
    MEAN = "mean"
    CALLS = "calls"
    ROWS = "rows"
    BLOCKS = "blocks"
    TEMP = "temp"
    WAL = "wal"


class Trend(StrEnum):
    """How a statement's mean time stands to the one before the window; `few` where too few ran to say so."""

    NEW = "new"
    SLOWER = "slower"
    FASTER = "faster"
    STEADY = "steady"
    FEW = "few"
    UNKNOWN = "unknown"


#: A mean of fewer executions says little, now and before.
MANY_CALLS: Final = 50
#: Load alone makes a mean vary by half.
TIMES_AS_LONG: Final = 1.5
#: Why there is no 95th percentile: the server adds up, and keeps no single execution.
NO_P95: Final = "pg_stat_statements keeps sums alone, no single executions"

_AMOUNTS: Final[Mapping[By, Callable[[StatementActivity], float]]] = {
    By.TOTAL: lambda one: one.total_ms,
    By.MEAN: lambda one: one.mean_ms,
    By.CALLS: lambda one: one.calls,
    By.ROWS: lambda one: one.rows,
    By.BLOCKS: lambda one: one.shared_blocks_hit + one.shared_blocks_read,
    By.TEMP: lambda one: one.temp_blocks_read + one.temp_blocks_written,
    By.WAL: lambda one: one.wal_bytes,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What a statement was like in the time that its window is compared with.

    Ratios are now divided by then, None where there is nothing to divide by.
    """

    trend: Trend
    mean_ms: float | None = None
    calls: int | None = None
    mean_ratio: float | None = None
    calls_per_hour_ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedStatement:
    """One statement with its place.

    `share` is its part of what all statements have of the ranked amount, None where a sum makes no sense or is 0;
    `time_share` its part of their time. `models` are the labels of the models whose tables it names, `tables` those of
    no model. `p95_ms` is None where nobody knows it: `p95_unknown` says why.
    """

    rank: int
    activity: StatementActivity
    share: float | None
    time_share: float | None
    before: Before
    models: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    p95_ms: float | None = None
    p95_unknown: str | None = NO_P95

    @property
    def rows_per_call(self) -> float:
        return self.activity.rows / self.activity.calls

    @property
    def hit_ratio(self) -> float | None:
        """The part of its blocks that were in the buffers; None where it needed none."""
        blocks = self.activity.shared_blocks_hit + self.activity.shared_blocks_read
        return self.activity.shared_blocks_hit / blocks if blocks else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The statements that clients sent, ranked; `count`, `calls` and `total_ms` are those of all, shown or not.

    `nested_count` is how many more ran inside functions: their time is that of the statements that called these.
    """

    by: By
    statements: tuple[RankedStatement, ...]
    count: int
    calls: int
    total_ms: float
    nested_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementReport:
    """What the statements of one database did in a window.

    `baseline` is the earlier window that it is compared with, None where there is none: `baseline_unknown` says why.
    `notes` are what a reader has to know of the numbers, and what was not seen. `is_detailed` says that it is about
    one statement alone.
    """

    alias: str | None
    database: str
    server_version: str | None
    taken_at: datetime
    window: Window
    baseline: Window | None
    baseline_unknown: str | None
    ranking: Ranking
    block_bytes: int
    notes: tuple[str, ...] = ()
    is_detailed: bool = False
    explained: Explained | None = None

    @property
    def name(self) -> str:
        if self.alias in {None, self.database}:
            return self.database
        return f"{self.alias} ({self.database})"


def rank(
    statements: Iterable[StatementActivity],
    window: Window,
    earlier: Iterable[StatementActivity],
    baseline: Window | None,
    *,
    by: By,
    limit: int | None = None,
    only: int | None = None,
) -> Ranking:
    """Return `statements` by their amount, the largest first, compared with the `earlier` ones of `baseline`.

    `limit` cuts the list; `only` leaves the statement with that query id, with its rank among all. One that ran inside
    functions alone is shown only then, after all others and without a share.
    """
    everything = list(statements)
    sent = [one for one in everything if one.is_top_level]
    amount = _AMOUNTS[by]
    ordered = sorted(sent, key=lambda one: (-amount(one), -one.total_ms, one.query_id))
    whole, time = sum(map(amount, sent)), sum(one.total_ms for one in sent)
    then = {(one.query_id, one.is_top_level): one for one in earlier}

    def ranked(number: int, one: StatementActivity) -> RankedStatement:
        return RankedStatement(
            rank=number,
            activity=one,
            share=amount(one) / whole if whole and by is not By.MEAN and one.is_top_level else None,
            time_share=one.total_ms / time if time and one.is_top_level else None,
            before=compared(one, window, then.get((one.query_id, one.is_top_level)), baseline),
        )

    chosen = list(enumerate(ordered, 1))
    if only is not None:
        nested = [(len(sent) + 1, one) for one in everything if one.query_id == only and not one.is_top_level]
        chosen = [pair for pair in chosen if pair[1].query_id == only] or nested
    elif by in {By.TEMP, By.WAL}:
        chosen = [pair for pair in chosen if amount(pair[1]) > 0]
    return Ranking(
        by=by,
        statements=tuple(ranked(number, one) for number, one in chosen[:limit]),
        count=len(sent),
        calls=sum(one.calls for one in sent),
        total_ms=time,
        nested_count=len(everything) - len(sent),
    )


def compared(now: StatementActivity, window: Window, then: StatementActivity | None, baseline: Window | None) -> Before:
    """Return how a statement stands to what it was in `baseline`; what was dropped there may have run all the same."""
    if baseline is None:
        return Before(trend=Trend.UNKNOWN)
    if then is None:
        return Before(trend=Trend.UNKNOWN if baseline.is_lower_bound else Trend.NEW)
    mean_ratio = now.mean_ms / then.mean_ms if then.mean_ms > 0 else None
    pace_ratio = None
    if window.hours > 0 and baseline.hours > 0:
        pace_ratio = (now.calls / window.hours) / (then.calls / baseline.hours)
    return Before(
        trend=_trend(now, then),
        mean_ms=then.mean_ms,
        calls=then.calls,
        mean_ratio=mean_ratio,
        calls_per_hour_ratio=pace_ratio,
    )


def _trend(now: StatementActivity, then: StatementActivity) -> Trend:
    if min(now.calls, then.calls) < MANY_CALLS:
        return Trend.FEW
    if then.mean_ms <= 0:
        return Trend.UNKNOWN
    if _usual_ms(now, then) >= TIMES_AS_LONG * then.mean_ms:
        return Trend.SLOWER
    return Trend.FASTER if now.mean_ms * TIMES_AS_LONG <= then.mean_ms else Trend.STEADY


def _usual_ms(now: StatementActivity, then: StatementActivity) -> float:
    """Return the mean without the longest execution, where that one is known to lie in the window."""
    if now.max_ms <= then.max_ms:
        return now.mean_ms
    return max(now.total_ms - now.max_ms, 0.0) / (now.calls - 1)


def windows_note(window: Window, asked_since: datetime | None) -> Sequence[str]:
    """Return what has to be said of a window: whose memory it is, what breaks it, and what it does not reach."""
    notes = []
    if window.source != "history":
        notes.append(
            "the window is the server's own, since pg_stat_statements was reset: "
            + ("nothing was kept since the time asked for" if asked_since else "no history is kept")
            + " (manage.py dbsnapshot keeps one)"
        )
    elif asked_since is not None:
        asked_s = (window.ended_at - asked_since).total_seconds()
        missing_s = (window.started_at - asked_since).total_seconds()
        if missing_s > max(asked_s / 10, 60):
            notes.append(f"it was asked for since {asked_since:%Y-%m-%d %H:%M %Z}: nothing older was kept")
    notes += [
        f"the server {one}: what ran between the last counters before and that is missing" for one in window.breaks
    ]
    if window.is_lower_bound:
        notes.append(
            "statements were dropped to make room for others (pg_stat_statements.max): numbers may be too small"
        )
    return notes
