"""What happened in a window, with sensible defaults, for the pure tests of the checks that judge it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dbops.snapshot.activity_rows import (
    DatabaseActivity,
    Growth,
    IndexActivity,
    StatementActivity,
    TableActivity,
    Window,
)
from dbops.snapshot.counter_rows import StatementTracking

#: When every window ends.
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
STATEMENT = StatementActivity(
    query_id=1,
    is_top_level=True,
    text="SELECT * FROM task WHERE user_id = $1",
    calls=100,
    rows=100,
    total_ms=100.0,
    max_ms=10.0,
    shared_blocks_hit=0,
    shared_blocks_read=0,
    shared_blocks_dirtied=0,
    temp_blocks_read=0,
    temp_blocks_written=0,
    block_read_ms=0.0,
    wal_bytes=0,
)
TABLE_ACTIVITY = TableActivity(
    oid=1,
    inserts=0,
    updates=0,
    hot_updates=0,
    newpage_updates=0,
    deletes=0,
    sequential_scans=0,
    sequential_rows=0,
    index_scans=0,
)
DATABASE_ACTIVITY = DatabaseActivity(
    commits=1000, rollbacks=0, blocks_hit=0, blocks_read=0, temp_files=0, temp_bytes=0, deadlocks=0
)
TRACKING = StatementTracking(
    is_available=True,
    schema="public",
    version="1.12",
    is_loaded=True,
    most=5000,
    track="top",
    entries=100,
    deallocations=0,
    reset_at=NOON - timedelta(days=1),
    sees_all_roles=True,
)


def a_window(hours: float = 24, **values: Any) -> tuple[Window]:
    """The section with its only row: a day of kept history, all of it counted."""
    values = {
        "started_at": NOON - timedelta(hours=hours),
        "ended_at": NOON,
        "covered_s": hours * 3600,
        "source": "history",
        **values,
    }
    return (Window(**values),)


def a_statement(query_id: int = 1, **values: Any) -> StatementActivity:
    """A cheap statement that ran a hundred times, a millisecond each; `mean_ms` sets `total_ms` by its calls."""
    mean_ms = values.pop("mean_ms", None)
    made = replace(STATEMENT, query_id=query_id, **values)
    return made if mean_ms is None else replace(made, total_ms=mean_ms * made.calls)


def a_table_activity(oid: int = 1, **values: Any) -> TableActivity:
    """A table that nobody touched."""
    return replace(TABLE_ACTIVITY, oid=oid, **values)


def an_index_activity(oid: int = 100, *, scans: int = 0, entries_read: int = 0) -> IndexActivity:
    """An index that nobody scanned."""
    return IndexActivity(oid=oid, scans=scans, entries_read=entries_read)


def a_database_activity(**values: Any) -> tuple[DatabaseActivity]:
    """The section with its only row: a thousand transactions that read nothing."""
    return (replace(DATABASE_ACTIVITY, **values),)


def a_growth(
    subject: str = "sequence", *, per_day: float = 1, days: float = 28, to: int | None = None, **values: Any
) -> Growth:
    """A sequence (oid 500) that has grown by `per_day` for `days` until noon, to `to`; seen five times on its way."""
    grown = round(per_day * days)
    began = 0 if to is None else to - grown
    given = {
        "oid": 500 if subject == "sequence" else 0,
        "moments": tuple(NOON - timedelta(days=days * left / 4) for left in (4, 3, 2, 1, 0)),
        "values": tuple(began + grown * quarters // 4 for quarters in range(5)),
        **values,
    }
    return Growth(subject=subject, **given)


def a_tracking(**values: Any) -> tuple[StatementTracking]:
    """The section with its only row: pg_stat_statements as it should be, reset a day before noon."""
    return (replace(TRACKING, **values),)
