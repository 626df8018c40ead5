"""A query that takes twice as long as it did before, though it still does the same.

The text is the same, so something else changed: a plan that flipped when a table grew or its statistics became old, an
index that was dropped, values that match more rows, or other work that it has to wait for.

How to fix:

The message says whether it reads more blocks or gives more rows for each execution than before. More blocks for as many
rows is another plan, or bloat: look at EXPLAIN (ANALYZE, BUFFERS), run ANALYZE on its tables, and see which migration
dropped or changed an index since. More rows means that the data or its use changed: paginate. Neither means that it
waits: for locks, for the disk, for a processor.

Not reported: what became slower and is still fast, what ran too seldom now or before for its mean to say something, and
what a single long execution has made, such as a wait for a lock. What costs little, and is not slow for a person, is
only mentioned. Without a kept history there is no before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.finding import Confidence, Severity, Tag
from dbops.findings.query_findings import hidden, queries, query_finding
from dbops.snapshot.amounts import format_count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.findings.finding import Finding, Unseen
    from dbops.snapshot.activity_rows import StatementActivity, Window
    from dbops.snapshot.counter_rows import StatementTracking

TAG = Tag.LIVE


def check(
    statement_activity: tuple[StatementActivity, ...],
    statement_window: tuple[Window, ...],
    earlier_statement_activity: tuple[StatementActivity, ...],
    earlier_statement_window: tuple[Window, ...],
    statement_tracking: tuple[StatementTracking, ...] | None = None,
    *,
    times_as_long: float = 2.0,  # load alone makes a mean vary by half
    mean_ms: float = 10,  # below, nobody notices twice as much
    many_calls: int = 50,  # now and before: a mean of fewer says little
    slow_ms: float = 100,  # a person notices such a query, whatever it costs
    extra_load_ratio: float = 0.01,  # of one core: what it takes more than before is worth somebody's time
) -> Iterator[Finding | Unseen]:
    window = statement_window[0]
    before = {one.query_id: one for one in queries(earlier_statement_activity) if one.calls >= many_calls}
    for now in queries(statement_activity):
        then = before.get(now.query_id)
        if then is None or now.calls < many_calls or now.mean_ms < mean_ms:
            continue
        if then.mean_ms <= 0 or _usual_ms(now, then) < times_as_long * then.mean_ms:
            continue
        extra_ms = (now.mean_ms - then.mean_ms) * now.calls
        matters = now.mean_ms >= slow_ms or extra_ms >= extra_load_ratio * window.covered_s * 1000
        yield query_finding(
            now,
            window,
            f"{now.mean_ms:,.0f} ms on average in {format_count(now.calls)} executions, {then.mean_ms:,.1f} ms before "
            f"{window.started_at:%Y-%m-%d %H:%M}; {_change(now, then)}",
            {
                "mean_ms": round(now.mean_ms, 2),
                "earlier_mean_ms": round(then.mean_ms, 2),
                "earlier_calls": then.calls,
                "times_as_long_ratio": round(now.mean_ms / then.mean_ms, 2),
                "blocks_per_call": round(_blocks(now), 1),
                "earlier_blocks_per_call": round(_blocks(then), 1),
                "total_ms": round(now.total_ms, 2),
                "earlier_window_hours": round(earlier_statement_window[0].hours, 2),
            },
            severity=Severity.WARNING if matters else Severity.INFO,
            confidence=Confidence.MEDIUM if earlier_statement_window[0].is_lower_bound else Confidence.HIGH,
        )
    yield from hidden(statement_tracking)


def _usual_ms(now: StatementActivity, then: StatementActivity) -> float:
    """Return the mean without the longest execution, where that one is known to lie in the window."""
    if now.max_ms <= then.max_ms or now.calls < 2:
        return now.mean_ms
    return max(now.total_ms - now.max_ms, 0.0) / (now.calls - 1)


def _blocks(statement: StatementActivity) -> float:
    return (statement.shared_blocks_hit + statement.shared_blocks_read) / statement.calls


def _change(now: StatementActivity, then: StatementActivity) -> str:
    """Return what an execution does otherwise than before."""
    rows_now, rows_then = now.rows / now.calls, then.rows / then.calls
    if rows_now >= 1.5 * max(rows_then, 1):
        return f"it gives {rows_now:,.0f} rows each time, {rows_then:,.1f} before"
    if _blocks(now) >= 1.5 * max(_blocks(then), 1):
        return f"it reads {_blocks(now):,.0f} blocks each time, {_blocks(then):,.0f} before, for as many rows"
    return "it reads no more than before, so it waits, or computes more"
