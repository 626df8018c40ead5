"""A query that writes temporary files all the time, because what it sorts or hashes does not fit into work_mem.

Each step of a plan that sorts, hashes or materialises may use work_mem; what needs more is written to files and read
again. That is many times slower than memory, and takes the disk's time from everybody else.

How to fix:

See with EXPLAIN (ANALYZE, BUFFERS) which step writes. Read fewer rows or narrower ones (.only(), .values()), or let an
index give the order. If the step needs the memory, give it to those who run it and not to all: ALTER ROLE reports SET
work_mem = '64MB', or SET LOCAL work_mem in the transaction of that statement. Every step of every session may
use that much at the same time, hash steps by hash_mem_multiplier more.

Not reported: what spills seldom or little, building indexes (that is maintenance_work_mem), what functions ran. How
many files a statement wrote is not counted by pg_stat_statements: its executions stand for them. Within a window of
less than an hour nothing is extrapolated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.finding import Tag
from dbops.findings.query_findings import hidden, queries, query_finding
from dbops.snapshot.amounts import format_bytes, format_count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.findings.finding import Finding, Unseen
    from dbops.snapshot.activity_rows import StatementActivity, Window
    from dbops.snapshot.counter_rows import StatementTracking
    from dbops.snapshot.setting_rows import Setting

TAG = Tag.LIVE


def check(
    statement_activity: tuple[StatementActivity, ...],
    statement_window: tuple[Window, ...],
    settings: tuple[Setting, ...] | None = None,
    statement_tracking: tuple[StatementTracking, ...] | None = None,
    *,
    calls_per_hour: float = 5,  # what runs less often is a report that may take its time
    bytes_per_hour: int = 1024**3,  # less is absorbed by the system's cache
) -> Iterator[Finding | Unseen]:
    window = statement_window[0]
    known = {setting.name: setting.value for setting in settings or ()}
    block_bytes = int(known.get("block_size") or 8192)
    memory = known.get("work_mem")
    limit = f" beyond work_mem ({format_bytes(int(memory) * 1024)})" if memory else " beyond work_mem"
    hours = max(window.hours, 1.0)
    found = [one for one in queries(statement_activity) if one.calls / hours >= calls_per_hour]
    for statement in sorted(found, key=lambda one: -one.temp_blocks_written):
        written = statement.temp_blocks_written * block_bytes
        if written / hours < bytes_per_hour:
            continue
        per_call = written // statement.calls
        yield query_finding(
            statement,
            window,
            f"It writes {format_bytes(per_call)} of temporary files each time{limit}, {format_bytes(written / hours)} "
            f"an hour in {format_count(round(statement.calls / hours))} executions; more work_mem for its role or its "
            "transaction alone would spare that",
            {
                "bytes_per_call": per_call,
                "temp_bytes": written,
                "temp_bytes_per_hour": round(written / hours),
                "calls_per_hour": round(statement.calls / hours, 2),
                "mean_ms": round(statement.mean_ms, 2),
            },
        )
    yield from hidden(statement_tracking)
