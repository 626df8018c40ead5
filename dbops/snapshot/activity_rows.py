"""The rows of what happened in a window: the counters of its end without those of its beginning.

Every number is a count within the window, never since the beginning of time. A counter that began anew within it (a
reset, a restart after a crash, a statement that was dropped and came back) counts from there, so that a number may be
too small and is never too large.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  read at run time by the codec
from typing import Final

#: What may lie between the readings of both kinds of counters in one look.
_AT_ONCE_S: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Over which time something was counted; always exactly one row.

    `covered_s` is how much of it was counted: without the time between the last counters before a break and the first
    after it. `breaks` says what interrupted: `restarted at …`. `source` is `history` where counters were kept by
    dbops, else whose own beginning the window has: `pg_stat_database`, `pg_stat_statements`; such a one is as long as
    nobody has reset it. `is_lower_bound` says that entries were dropped within it to make room for others, so that what
    they had counted is missing.
    """

    started_at: datetime
    ended_at: datetime
    covered_s: float
    source: str
    breaks: tuple[str, ...] = ()
    is_lower_bound: bool = False

    @property
    def hours(self) -> float:
        """How many hours of it were counted."""
        return self.covered_s / 3600

    def is_as_long_as(self, other: Window) -> bool:
        """Return whether both cover the same time but for a minute: then what one counted may be part of the other's.

        Statements are counted apart from all else, and have windows of their own.
        """
        apart_s = abs((other.started_at - self.started_at).total_seconds())
        return max(apart_s, abs(other.covered_s - self.covered_s)) <= _AT_ONCE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class TableActivity:
    """What was done to a table, and how it was read. `newpage_updates` is None before PostgreSQL 16.

    The counters of writes are None on a standby.
    """

    oid: int
    inserts: int | None
    updates: int | None
    hot_updates: int | None
    newpage_updates: int | None
    deletes: int | None
    sequential_scans: int
    sequential_rows: int
    index_scans: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexActivity:
    """How often an index was scanned, and how many entries that returned."""

    oid: int
    scans: int
    entries_read: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexUse:
    """An index on one of the servers that have it: on the primary or a standby, `server` being the alias it has here.

    `scans` are those within all of the time that is known, from `known_since` on. `idle_since` is the moment from which
    on it is known not to have been scanned on that server; None where it was scanned at the very last, or nobody knows.
    """

    oid: int
    server: str
    scans: int
    known_since: datetime | None
    idle_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexServer:
    """A server that answers for the same indexes: this one, or a standby or primary of it.

    `unseen` says why its counters are not known, None where they are. A standby that no alias leads to is listed by
    the name with which it is connected.
    """

    name: str
    is_standby: bool
    unseen: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementActivity:
    """One statement in a window, all roles together. Times are milliseconds of execution, without planning.

    `text` is without data (see statement_text), None where it is not known any more. `max_ms` is the longest execution
    since the statement was first seen, which may lie before the window.
    """

    query_id: int
    is_top_level: bool
    text: str | None
    calls: int
    rows: int
    total_ms: float
    max_ms: float
    shared_blocks_hit: int
    shared_blocks_read: int
    shared_blocks_dirtied: int
    temp_blocks_read: int
    temp_blocks_written: int
    block_read_ms: float
    wal_bytes: int

    @property
    def mean_ms(self) -> float:
        """The mean time of an execution; 0 without any."""
        return self.total_ms / self.calls if self.calls else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseActivity:
    """What the whole database did; always exactly one row."""

    commits: int
    rollbacks: int
    blocks_hit: int
    blocks_read: int
    temp_files: int
    temp_bytes: int
    deadlocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How something has grown: its values at moments that are a day apart at least, the last one the look itself.

    `subject` is one of `sequence` (its last_value; `oid` the sequence's), `key` (the largest key of a column that no
    sequence feeds; `oid` the table's, `column` its number), `xid` and `multixact` (how many the server has given out;
    no oid), `database_size` (bytes; no oid), `table_size` (bytes; the table's oid) and `disk` (used bytes of the file
    system of `place`, which is a DiskSpace's). There are as many `moments` as `values`, two to five: about a quarter of
    the time apart where counters were kept all the while.
    """

    subject: str
    oid: int = 0
    column: int = 0
    place: str = ""
    moments: tuple[datetime, ...]
    values: tuple[int, ...]
