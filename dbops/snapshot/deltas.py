"""What happened between two moments: counters subtracted, never across a restart or a reset."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dbops.snapshot.activity_rows import (
    DatabaseActivity,
    IndexActivity,
    StatementActivity,
    TableActivity,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dbops.snapshot.counter_rows import StatementCounters, StatementText
    from dbops.snapshot.snapshot import Section

#: Sections of counters, and what tells their rows apart.
KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "table_statistics": ("oid",),
    "index_statistics": ("oid",),
    "database_statistics": (),
    "statement_counters": ("query_id", "role_oid", "is_top_level"),
}
#: Moments that go with the counters when these are reset, and are written at once.
_STAMPS: Final[Mapping[str, tuple[str, ...]]] = {
    "table_statistics": ("vacuumed_at", "autovacuumed_at", "analyzed_at", "autoanalyzed_at"),
}
#: Of a statement that was counted from the beginning again, only these can have become smaller.
_OF_STATEMENTS: Final = ("calls", "total_ms", "rows", "shared_blocks_hit", "shared_blocks_read", "wal_bytes")
#: Rounding of sums of milliseconds, which the server keeps as floating-point numbers.
_ROUNDING_MS: Final = 0.01
#: The server's clock and the one that stamped a reset are the same; moments closer than this are one.
_AT_ONCE: Final = timedelta(milliseconds=1)

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """Whose counters they are, and since when they count: those of different epochs are never subtracted.

    `system`, `database` and `started_at` tell servers, databases and restarts apart, `resets` are the moments at which
    the server says that counters began at 0 again.
    """

    system: int | None
    database: int
    started_at: datetime
    resets: tuple[datetime | None, ...]

    def is_of(self, other: Epoch) -> bool:
        """Return whether it is of the same database of the same server, or of one that was copied byte by byte."""
        return (self.system, self.database) == (other.system, other.database)

    @property
    def counted_since(self) -> datetime | None:
        """The last reset that the server tells of, None where nobody ever reset: then nobody knows."""
        return max((reset for reset in self.resets if reset is not None), default=None)


def epoch_of(sections: Mapping[str, Section]) -> Epoch | None:
    """Return the epoch of the counters of tables, indexes and the database; None where it was not seen."""
    found = sections.get("statistics_epoch")
    if not isinstance(found, tuple):
        return None
    (row,) = found
    return Epoch(
        system=row.system_identifier,
        database=row.database_oid,
        started_at=row.started_at,
        resets=(row.database_reset_at, row.server_reset_at),
    )


def statement_epoch_of(sections: Mapping[str, Section]) -> Epoch | None:
    """Return the epoch of the counters of statements, which are reset apart from the others."""
    counters, tracking = epoch_of(sections), sections.get("statement_tracking")
    if counters is None or not isinstance(tracking, tuple) or tracking[0].reset_at is None:
        return None
    return Epoch(
        system=counters.system,
        database=counters.database,
        started_at=counters.started_at,
        resets=(tracking[0].reset_at,),
    )


def outlives(sections: Mapping[str, Section], reset: datetime) -> bool:
    """Return whether a table or an index still shows what was before `reset`, so that not all began to count then.

    pg_stat_reset_single_table_counters() moves the database's moment too, pg_stat_reset_shared() the server's.
    """
    stamps = [
        getattr(row, name)
        for section, names in _STAMPS.items()
        for row in _by_key(sections, section).values()
        for name in names
    ]
    return any(stamp is not None and stamp < reset for stamp in stamps)


@dataclass(frozen=True, slots=True)
class Span:
    """Two moments of one epoch with what was counted at each, as sections by name.

    `began` is empty where counting itself began with the span: at a reset that the server tells of.
    """

    started_at: datetime
    began: Mapping[str, Section]
    ended_at: datetime
    ended: Mapping[str, Section]

    @property
    def seconds(self) -> float:
        return (self.ended_at - self.started_at).total_seconds()


def window_of(spans: Sequence[Span], *, source: str, breaks: Iterable[str] = ()) -> Window:
    """Return what `spans`, in their order, cover together."""
    return Window(
        started_at=spans[0].started_at,
        ended_at=spans[-1].ended_at,
        covered_s=sum(span.seconds for span in spans),
        source=source,
        breaks=tuple(breaks),
        is_lower_bound=any(map(_dropped_entries, spans)),
    )


def table_activity(spans: Sequence[Span]) -> tuple[TableActivity, ...]:
    """Return what was done to each table that is there at the end; added up over `spans`."""
    return _activity(spans, "table_statistics", TableActivity)


def index_activity(spans: Sequence[Span]) -> tuple[IndexActivity, ...]:
    """Return how each index that is there at the end was used; added up over `spans`."""
    return _activity(spans, "index_statistics", IndexActivity)


def database_activity(spans: Sequence[Span]) -> tuple[DatabaseActivity, ...]:
    """Return what the whole database did; one row."""
    return _activity(spans, "database_statistics", DatabaseActivity)


def statement_activity(spans: Sequence[Span], texts: Iterable[StatementText]) -> tuple[StatementActivity, ...]:
    """Return each statement that ran within `spans`, all roles together, dbops' own left out."""
    known = {text.query_id: text for text in texts}
    sums: dict[tuple[int, bool], list[StatementCounters]] = defaultdict(list)
    for span in spans:
        began = _by_key(span.began, "statement_counters")
        for key, row in _by_key(span.ended, "statement_counters").items():
            if key not in began and _was_hidden(row, span):
                continue
            ran = _since(began.get(key), row)
            if ran.calls > 0:
                sums[ran.query_id, ran.is_top_level].append(ran)
    return tuple(
        StatementActivity(
            query_id=query_id,
            is_top_level=is_top_level,
            text=known[query_id].text if query_id in known else None,
            max_ms=max(one.max_ms for one in ran),
            **{name: sum(getattr(one, name) for one in ran) for name in _SUMMED},
        )
        for (query_id, is_top_level), ran in sums.items()
        if not (query_id in known and known[query_id].is_own)
    )


_SUMMED: Final = (
    "calls",
    "rows",
    "total_ms",
    "shared_blocks_hit",
    "shared_blocks_read",
    "shared_blocks_dirtied",
    "temp_blocks_read",
    "temp_blocks_written",
    "block_read_ms",
    "wal_bytes",
)


def _was_hidden(row: StatementCounters, span: Span) -> bool:
    """Return whether `row` may have counted before `span`, when dbops' role did not see the statements of others."""
    tracking = span.began.get("statement_tracking")
    if not isinstance(tracking, tuple) or not tracking or tracking[0].sees_all_roles:
        return False
    if row.counted_since is not None:
        return row.counted_since < span.started_at
    seen = span.began.get("statement_counters")
    return not isinstance(seen, tuple) or row.role_oid not in {one.role_oid for one in seen}


def _since(began: StatementCounters | None, ended: StatementCounters) -> StatementCounters:
    """Return what a statement did between two moments: all that it has counted where it began to count after the first.

    A statement that was dropped to make room and came back counts from 0. The server says so from PostgreSQL 17 on;
    before, it shows where a counter is smaller than it was, or where what is left would need a mean outside of the
    shortest and the longest execution that the statement has ever had.
    """
    if began is None or _began_anew(began, ended):
        return ended
    values = {name: max(getattr(ended, name) - getattr(began, name), 0) for name in _SUMMED}
    return _replaced(ended, values)


def _began_anew(began: StatementCounters, ended: StatementCounters) -> bool:
    if ended.counted_since is not None and began.counted_since is not None:
        return ended.counted_since - began.counted_since > _AT_ONCE
    if any(getattr(ended, name) < getattr(began, name) - _ROUNDING_MS for name in _OF_STATEMENTS):
        return True
    # Over one life the shortest execution only becomes shorter, and the longest longer.
    if ended.min_ms > began.min_ms + _ROUNDING_MS or ended.max_ms < began.max_ms - _ROUNDING_MS:
        return True
    calls, total_ms = ended.calls - began.calls, ended.total_ms - began.total_ms
    if calls == 0:
        return total_ms > _ROUNDING_MS
    return not ended.min_ms - _ROUNDING_MS <= total_ms / calls <= ended.max_ms + _ROUNDING_MS


def _replaced(row: StatementCounters, values: Mapping[str, Any]) -> StatementCounters:
    return type(row)(**{one.name: values.get(one.name, getattr(row, one.name)) for one in fields(row)})


def _dropped_entries(span: Span) -> bool:
    """Return whether statements were dropped within `span` to make room for others."""
    ended, began = span.ended.get("statement_tracking"), span.began.get("statement_tracking")
    if not isinstance(ended, tuple):
        return False
    before = began[0].deallocations if isinstance(began, tuple) else 0
    return (ended[0].deallocations or 0) > (before or 0)


def _activity(spans: Sequence[Span], section: str, activity: type[Row]) -> tuple[Row, ...]:
    """Return rows of `activity`: of each row of `section` at the end of the last span, what was added in all spans.

    What became smaller within a span began at 0 again, so that all of it counts.
    """
    counters = [one.name for one in fields(activity) if one.name not in KEYS[section]]  # type: ignore[arg-type]
    totals: dict[tuple[Any, ...], dict[str, int | None]] = {}
    for span in spans:
        began = _by_key(span.began, section)
        for key, row in _by_key(span.ended, section).items():
            added = _added(began.get(key), row, counters)
            before = totals.get(key)
            totals[key] = added if before is None else {name: _sum(before[name], added[name]) for name in counters}
    last = _by_key(spans[-1].ended, section) if spans else {}
    return tuple(activity(**dict(zip(KEYS[section], key, strict=True)), **totals[key]) for key in last)


def _added(began: Any, ended: Any, counters: Iterable[str]) -> dict[str, int | None]:
    after = {name: getattr(ended, name) for name in counters}
    if began is None:
        return after
    before = {name: getattr(began, name) for name in counters}
    known = [name for name in counters if after[name] is not None and before[name] is not None]
    if any(after[name] < before[name] for name in known):
        return after
    return {name: after[name] - before[name] if name in known else None for name in counters}


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second


def _by_key(sections: Mapping[str, Section], section: str) -> dict[tuple[Any, ...], Any]:
    rows = sections.get(section, ())
    names = KEYS[section]
    key: Callable[[Any], tuple[Any, ...]] = _tuple_of(names)
    return {key(row): row for row in rows} if isinstance(rows, tuple) else {}


def _tuple_of(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if not names:
        return lambda _row: ()
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda row: (get(row),)
