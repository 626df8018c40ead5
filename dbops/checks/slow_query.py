"""A query that takes long each time, and runs often enough that people wait for it.

A page needs several queries and is as slow as their sum. One that takes a tenth of a second by itself is felt, holds a
worker and a connection meanwhile, and becomes slower as its tables grow.

How to fix:

Look at its plan: EXPLAIN (ANALYZE, BUFFERS) with values as they occur. Most often an index is missing for its WHERE or
its ORDER BY, more rows are read than shown (paginate; do not count what nobody looks at), or columns and joins are
fetched that nobody uses. What must take long belongs in a task, not in a request.

Not reported: what ran seldom in the window, what functions ran (the statement that called them is), utility statements
(COPY, VACUUM, CREATE INDEX), cursors and queries of the catalogue. Where a single long execution, such as a wait for a
lock, may have made the mean alone, it is only mentioned.
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
    statement_tracking: tuple[StatementTracking, ...] | None = None,
    *,
    mean_ms: float = 100,  # what a person notices, for one of several queries of a page
    many_calls: int = 50,  # a mean of fewer says little, and few people waited
) -> Iterator[Finding | Unseen]:
    window = statement_window[0]
    slow = (one for one in queries(statement_activity) if one.calls >= many_calls and one.mean_ms >= mean_ms)
    for statement in sorted(slow, key=lambda one: -one.total_ms):
        message = f"{statement.mean_ms:,.0f} ms on average, {format_count(statement.calls)} times"
        # The longest may lie before the window, so that this alone clears nothing.
        is_one = statement.total_ms - statement.max_ms < mean_ms * (statement.calls - 1)
        if is_one:
            message += f", where a single execution of {statement.max_ms:,.0f} ms may have made the mean"
        evidence = {
            "mean_ms": round(statement.mean_ms, 2),
            "max_ms": round(statement.max_ms, 2),
            "total_ms": round(statement.total_ms, 2),
            "rows": statement.rows,
        }
        yield query_finding(
            statement,
            window,
            message,
            evidence,
            severity=Severity.INFO if is_one else Severity.WARNING,
            confidence=Confidence.LOW if is_one else Confidence.HIGH,
        )
    yield from hidden(statement_tracking)
