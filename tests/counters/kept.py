"""Counters put into the history as if they had been taken at some time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dbops.counters.store import store, store_texts, tier_at
from dbops.snapshot.counter_rows import DatabaseStatistics, StatementText, StatementTracking, StatisticsEpoch
from dbops.snapshot.rows import IndexStatistics
from dbops.snapshot.snapshot import Snapshot
from tests.builders import statistics_of
from tests.counters.test_packing import a_counter

if TYPE_CHECKING:
    from datetime import timedelta

    from dbops.models import Counters
    from dbops.snapshot.snapshot import Section

BOOTED = datetime(2025, 1, 1, tzinfo=UTC)
COUNTED = ("commits", "rollbacks", "blocks_hit", "blocks_read", "temp_files", "temp_bytes", "deadlocks")
TRACKING = StatementTracking(
    is_available=True,
    schema="public",
    version="1.10",
    is_loaded=True,
    most=5000,
    track="all",
    entries=10,
    deallocations=0,
    reset_at=BOOTED,
    sees_all_roles=True,
)


def counted(at: datetime, number: int, *, scans: int | None = None, **epoch: Any) -> Snapshot:
    """A snapshot in which all was counted up to `number`: table 1, its index 100 and statement 7."""
    seen = {
        "system_identifier": 1,
        "database_oid": 5,
        "started_at": BOOTED,
        "database_reset_at": None,
        "server_reset_at": None,
        "observed_at": at,
        **epoch,
    }
    sections: dict[str, Section] = {
        "statistics_epoch": (StatisticsEpoch(**seen),),
        "statement_tracking": (TRACKING,),
        "statement_counters": (a_counter(7, calls=number, total_ms=float(number), max_ms=float(number)),),
        "statement_texts": (StatementText(query_id=7, text="SELECT $1", is_own=False),),
        "database_statistics": (DatabaseStatistics(**dict.fromkeys(COUNTED, number)),),
        "table_statistics": (statistics_of(1, inserts=number),),
        "index_statistics": (an_index(scans=number if scans is None else scans),),
    }
    return Snapshot(alias="default", database="app", taken_at=at, duration_ms=1, sections=sections)


def an_index(oid: int = 100, *, scans: int = 0, **values: Any) -> IndexStatistics:
    return IndexStatistics(
        **{
            **dict.fromkeys(IndexStatistics.__dataclass_fields__, 0),
            "oid": oid,
            "scanned_at": None,
            "scans": scans,
            **values,
        }
    )


def keep(snapshot: Snapshot, alias: str = "default") -> Counters:
    """Keep `snapshot` as `record` would, had it been taken at its time."""
    store_texts(alias, snapshot.sections["statement_texts"], seen_at=snapshot.taken_at)  # type: ignore[arg-type]
    return store(alias, replace(snapshot, alias=alias), tier_at(alias, snapshot.taken_at))


def keep_every(step: timedelta, first: datetime, last: datetime, **values: Any) -> None:
    """Keep counters that rise by one each time."""
    number, at = 0, first
    while at <= last:
        keep(counted(at, number, **values))
        number, at = number + 1, at + step
