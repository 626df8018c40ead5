"""The 95th percentile of statements, where the slow-query log tells it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from django.db import Error

from dbops.slow_queries.durations import Unclaimed
from dbops.slow_queries.store import slow_durations
from dbops.snapshot.statement_text import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dbops.findings.statement_ranking import RankedStatement
    from dbops.slow_queries.store import SlowDurations
    from dbops.snapshot.activity_rows import StatementActivity, Window


def with_percentiles(
    ranked: Iterable[RankedStatement], statements: Iterable[StatementActivity], window: Window, alias: str | None
) -> tuple[RankedStatement, ...]:
    """Return the `ranked` ones of all `statements` of a window with what the log of slow queries tells of each."""
    ranked = tuple(ranked)
    if alias is None:
        return ranked
    if window.breaks or window.is_lower_bound:
        why = "the server was restarted or reset" if window.breaks else "statements were dropped to make room"
        return tuple(replace(one, p95_unknown=f"{why} within the window") for one in ranked)
    try:
        logged = slow_durations(alias, window.started_at, window.ended_at)
    except Error:  # no log is kept, as p95_unknown says already
        return ranked
    calls: defaultdict[str, int] = defaultdict(int)
    total_ms: defaultdict[str, float] = defaultdict(float)
    for one in statements:
        if one.text is not None and one.is_top_level:
            key = fingerprint(one.text)
            calls[key] += one.calls
            total_ms[key] += one.total_ms
    return tuple(_with_percentile(one, logged, calls, total_ms) for one in ranked)


def _with_percentile(
    one: RankedStatement, logged: SlowDurations, calls: dict[str, int], total_ms: dict[str, float]
) -> RankedStatement:
    if one.activity.text is None or not one.activity.is_top_level:
        return one
    key = fingerprint(one.activity.text)
    found = logged.p95(key, calls[key], total_ms=total_ms[key])
    if isinstance(found, Unclaimed):
        return replace(one, p95_unknown=found.reason)
    if found.middle_ms is None:
        return replace(one, p95_unknown=f"but less than {found.most_ms:g} ms, as fewer than 5 % of its calls were slow")
    return replace(one, p95_ms=found.middle_ms, p95_unknown=None)
