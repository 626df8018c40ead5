"""The rows of the counters that the server keeps, and since when it does: what windows are made of, by subtraction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  read at run time by the codec


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsEpoch:
    """Which server counts, and since when; always exactly one row.

    Two counters may be subtracted where the server, the database and the moments of its start and resets are the same
    for both: a restart may be one of another server (a standby that was promoted), a reset begins at 0 again.
    `database_reset_at` is NULL until somebody resets; `server_reset_at` also moves with a crash, which loses all
    counters. `system_identifier` is None where this role may not see it.

    `next_xid` and `next_multixact` are the next ids that the server will give out. No reset, restart or crash sets them
    back; those of transactions are counted in 64 bits, those of multixacts begin again after 2^32.
    """

    system_identifier: int | None
    database_oid: int
    started_at: datetime
    database_reset_at: datetime | None
    server_reset_at: datetime | None
    observed_at: datetime
    next_xid: int | None = None
    next_multixact: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseStatistics:
    """The counters of the whole database; always exactly one row. Sizes of blocks are the server's, mostly 8 kB."""

    commits: int
    rollbacks: int
    blocks_hit: int
    blocks_read: int
    temp_files: int
    temp_bytes: int
    deadlocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementTracking:
    """What pg_stat_statements is here; always exactly one row.

    `schema` and `version` are of the extension, None where it was not created in this database; `is_available` says
    that the server has its files, `is_loaded` that its library runs. `most` is pg_stat_statements.max, `track` its
    setting of that name. `entries` is how many statements it holds now, of all databases, `deallocations` how often it
    has made room by dropping the least used 5 % of them, `reset_at` since when all of that; None where it cannot be
    read. `sees_all_roles` is whether this role sees the statements of others.
    """

    is_available: bool
    schema: str | None
    version: str | None
    is_loaded: bool
    most: int | None
    track: str | None
    entries: int | None
    deallocations: int | None
    reset_at: datetime | None
    sees_all_roles: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementCounters:
    """The counters of one statement of this database, run by one role, since it was first seen (`counted_since`).

    That moment is known from PostgreSQL 17 on. Times are milliseconds of execution, without planning; `block_read_ms`
    is 0 where track_io_timing is off. `is_top_level` is false for what a function ran.
    """

    query_id: int
    role_oid: int
    is_top_level: bool
    calls: int
    rows: int
    total_ms: float
    min_ms: float
    max_ms: float
    shared_blocks_hit: int
    shared_blocks_read: int
    shared_blocks_dirtied: int
    temp_blocks_read: int
    temp_blocks_written: int
    block_read_ms: float
    wal_bytes: int
    counted_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementText:
    """A statement as pg_stat_statements shows it, with everything taken out that could be data (see statement_text).

    `is_own` marks a statement of dbops itself.
    """

    query_id: int
    text: str
    is_own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSpace:
    """A file system that the server's files lie on; `data` is always among the rows.

    `place` is what lies there: `data` (the data directory), `wal`, or a tablespace's name; what lies on one file system
    with a place before it is not listed. `total_bytes` is what an ordinary account may use of it, `free_bytes` what it
    still can. Where it cannot be seen from here both are None, and `unseen` says why.
    """

    place: str
    path: str
    total_bytes: int | None
    free_bytes: int | None
    unseen: str | None

    @property
    def used_bytes(self) -> int | None:
        """What is used of it, by whomever; None where that cannot be seen."""
        return None if self.total_bytes is None or self.free_bytes is None else self.total_bytes - self.free_bytes
