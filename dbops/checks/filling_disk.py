"""A file system that is nearly full, or will be within days.

When the file system of the data directory is full, every write fails that needs more room. Where WAL lies there too, as
it mostly does, the server stops, and cannot start again before somebody makes room. The last percents go fast: sorting
large results, rebuilding an index or a replica that falls behind take many gigabytes at once.

The file systems of the data directory, of WAL and of tablespaces are looked at where they can be seen: where dbops runs
on the server's machine, by an account that may read the data directory. What it finds there has to be what the server
says of itself; a directory that only has the same name is not taken for it. A server elsewhere has no disk that anybody
but its host can see: give the size that the database may have in the settings, as it was bought or agreed on, under
CHECKS, filling_disk, limit_bytes. Then the size of this database is held against it; other databases and WAL take room
beside it, so leave some for these.

With a history of seven days or more (manage.py dbsnapshot) it is also told how many days are left at the pace that was
kept up. A day on which much was loaded is no pace.

How to fix:

Never delete anything in the data directory by hand, least of all in pg_wal.

1. See what grows. WAL that is kept: a replication slot that nobody reads (pg_replication_slots), an archive_command
   that fails (pg_stat_archiver), wal_keep_size. Files of queries under base/pgsql_tmp: temp_file_limit bounds them. The
   server's own log. Then the largest tables and indexes, and what does not belong to PostgreSQL at all.
2. Make room that is given back at once: drop slots that nobody needs, then CHECKPOINT; DROP or TRUNCATE what is not
   wanted any more, and indexes that are not used (unused_index). DELETE gives nothing back, and neither does VACUUM,
   as a rule; VACUUM FULL and REINDEX need as much room again before they do.
3. Enlarge the file system, which most can while they are in use, or move WAL or a tablespace to another one.

Not reported: file systems of other servers, of backups and of logs that lie elsewhere; inodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.findings.filling import Limits
from dbops.findings.finding import Finding, Kind, Tag, Target, Unseen
from dbops.snapshot.amounts import format_bytes
from dbops.snapshot.forecast import by_subject, forecast
from dbops.snapshot.names import quote_ident

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dbops.snapshot.activity_rows import Growth
    from dbops.snapshot.counter_rows import DiskSpace
    from dbops.snapshot.rows import DatabaseSize, Server

TAG = Tag.LIVE
FOR_HEALTH = True

_DATA: Final = "data"
_WAL: Final = "wal"
#: What to do where the disk cannot be seen.
_CONFIGURE: Final = 'give its size as limit_bytes of filling_disk in DBOPS["CHECKS"]'


@dataclass(frozen=True, slots=True)
class _Vessel:
    """What fills up: `what` begins the sentence of how full it is, `full` says what happens then."""

    target: Target
    what: str
    full: str
    used_bytes: int
    total_bytes: int
    growth: Growth | None

    def finding(self, limits: Limits, evidence: Mapping[str, str]) -> Finding | None:
        ratio = self.used_bytes / self.total_bytes
        ahead = forecast(self.growth, self.total_bytes - self.used_bytes, may_shrink=True)
        judged = limits.judged(ratio, ahead)
        if judged is None:
            return None
        numbers = f"{format_bytes(self.used_bytes)} of {format_bytes(self.total_bytes)}"
        words = ahead.words(format_bytes) if ahead and ratio < 1 else ""
        return Finding(
            target=self.target,
            message=f"{int(ratio * 100)} % of {self.what} is used ({numbers}); when it is full, {self.full}.{words}",
            evidence={
                "used_bytes": self.used_bytes,
                "total_bytes": self.total_bytes,
                "used_ratio": round(ratio, 4),
                **(ahead.evidence("bytes_per_day") if ahead else {}),
                **evidence,
            },
            **judged,
        )


def check(
    server: tuple[Server, ...],
    disk_space: tuple[DiskSpace, ...] | None = None,
    database_size: tuple[DatabaseSize, ...] | None = None,
    growth: tuple[Growth, ...] | None = None,
    *,
    used_ratio: float = 0.80,  # a large index can be rebuilt, and a replica be away for a while
    critical_ratio: float = 0.90,  # one large query or load may take the rest
    days_left: float = 14,  # leaves time to order and attach a larger disk
    critical_days_left: float = 3,  # a weekend
    limit_bytes: int = 0,  # what the database may take where no disk can be seen; 0 where nobody said
) -> Iterator[Finding | Unseen]:
    limits = Limits(
        used_ratio=used_ratio,
        critical_ratio=critical_ratio,
        days_left=days_left,
        critical_days_left=critical_days_left,
    )
    grown = by_subject(growth)
    wal_is_apart = any(space.place == _WAL for space in disk_space or ())
    for space in disk_space or ():
        if space.total_bytes is None or space.used_bytes is None:
            if not (limit_bytes and space.place == _DATA):
                yield _unseen(space)
            continue
        vessel = _Vessel(
            target=Target(Kind.DISK, space.place if space.place in {_DATA, _WAL} else quote_ident(space.place)),
            what=f"the file system of {_named(space)}",
            full=_full(space, wal_is_apart=wal_is_apart),
            used_bytes=space.used_bytes,
            total_bytes=space.total_bytes,
            growth=grown.get(("disk", 0, 0, space.place)),
        )
        found = vessel.finding(limits, {"path": space.path})
        if found:
            yield found
    if limit_bytes and database_size:
        vessel = _Vessel(
            target=Target(Kind.DATABASE, quote_ident(server[0].database)),
            what="what the settings allow the database",
            full="its host may refuse every write",
            used_bytes=database_size[0].size_bytes,
            total_bytes=limit_bytes,
            growth=grown.get(("database_size", 0, 0, "")),
        )
        found = vessel.finding(limits, {})
        if found:
            yield found


def _unseen(space: DiskSpace) -> Unseen:
    reason = space.unseen or "its size was not read"
    return Unseen(space.place, f"{reason}; {_CONFIGURE}" if space.place == _DATA else reason)


def _named(space: DiskSpace) -> str:
    name = {_DATA: "the data directory", _WAL: "WAL"}.get(space.place)
    return f"{name or f'the tablespace {quote_ident(space.place)}'} ({space.path})"


def _full(space: DiskSpace, *, wal_is_apart: bool) -> str:
    if space.place == _WAL or (space.place == _DATA and not wal_is_apart):
        return "the server stops, as it cannot write WAL"
    return "every write fails that needs more room there"
