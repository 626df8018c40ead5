"""A database that writes much into temporary files, and it is no single query that does.

What a sort, a hash or a materialised step of a plan cannot keep in work_mem goes to files and is read again: slower for
the statement, and at the cost of the disk for all. The server counts the files of each database, whoever wrote them.
spilling_query names each query that writes 1 GB an hour or more; this check speaks of the rest: many that each write
less, what functions run, and everything where pg_stat_statements is not there to tell.

How to fix:

Know who it is first. log_temp_files = '10MB' has each file of that size or more logged with its statement, and costs
nothing else; that finding is only made where pg_stat_statements leaves open who writes. Then read fewer or narrower
rows, let an index give the order, or give more work_mem to the role that needs it (ALTER ROLE … SET work_mem). Where
many different statements write some megabytes each, the server's work_mem is too small for this database: every step
of every session may use as much, so raise it by steps.

Not reported: less than 1 GB or five files an hour; a window of less than an hour. What spilling_query names, and what
building indexes writes (that is maintenance_work_mem), is taken off as far as pg_stat_statements shows it. That
log_temp_files is off is no finding by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Tag, Target, Unseen
from dbops.findings.query_findings import queries, shown
from dbops.findings.setting_fixes import set_on_server, where_to_set
from dbops.snapshot.amounts import format_bytes, format_count, plural
from dbops.snapshot.names import quote_ident

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.snapshot.activity_rows import DatabaseActivity, StatementActivity, Window
    from dbops.snapshot.rows import Server
    from dbops.snapshot.setting_rows import Setting

TAG = Tag.LIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """What was written into temporary files within `hours`, in bytes.

    `elsewhere` is what spilling_query names and what building indexes wrote, `known` what is known of the rest by
    `statements`, the one that wrote most first.
    """

    hours: float
    files: int
    total: int
    elsewhere: int
    known: int
    statements: tuple[StatementActivity, ...]

    @property
    def rest(self) -> int:
        return max(self.total - self.elsewhere, 0)


def check(
    server: tuple[Server, ...],
    window: tuple[Window, ...],
    database_activity: tuple[DatabaseActivity, ...],
    settings: tuple[Setting, ...],
    statement_activity: tuple[StatementActivity, ...] | None = None,
    statement_window: tuple[Window, ...] | None = None,
    *,
    files_per_hour: float = 5,  # fewer are those of reports; also how often spilling_query wants a query to run
    bytes_per_hour: int = 1024**3,  # less is absorbed by the system's cache; also what spilling_query names a query for
    many_bytes_per_hour: int = 10 * 1024**3,  # some megabytes a second, all the time: worth a warning
    known_ratio: float = 0.8,  # of the bytes: where statements are known that wrote so much, the log adds nothing
    short_window_h: float = 1.0,  # some minutes may be those of a job
) -> Iterator[Finding | Unseen]:
    database, hours = quote_ident(server[0].database), window[0].hours
    if hours < short_window_h:
        yield Unseen(database, f"counted for less than {short_window_h:g} h, which may be those of one job")
        return
    named = {setting.name: setting for setting in settings}
    are_known = statement_window is not None and window[0].is_as_long_as(statement_window[0])
    one = _written(
        database_activity[0],
        hours,
        statement_activity or () if are_known else (),
        int(named["block_size"].value or 8192) if "block_size" in named else 8192,
        (files_per_hour, bytes_per_hour),
    )
    if one.files / hours < files_per_hour or one.rest / hours < bytes_per_hour:
        return
    log = named.get("log_temp_files")
    is_open = one.known < known_ratio * one.rest
    yield Finding(
        target=Target(Kind.DATABASE, database),
        message=_message(one, log, is_open=is_open),
        severity=Severity.WARNING if one.rest / hours >= many_bytes_per_hour else Severity.INFO,
        confidence=Confidence.HIGH if one.statements else Confidence.MEDIUM,
        basis=Basis.MEASURED,
        evidence={
            "temp_files": one.files,
            "temp_bytes": one.total,
            "other_temp_bytes": one.rest,
            "temp_bytes_per_hour": round(one.rest / hours),
            "window_hours": round(hours, 2),
        },
    )
    if is_open and log is not None and log.value == "-1":
        yield Finding(
            target=Target(Kind.SETTING, log.name),
            message=(
                f"log_temp_files is off, so nobody knows which statements write {format_bytes(one.rest / hours)} of "
                f"temporary files an hour.{where_to_set(log, server[0])}"
            ),
            severity=Severity.INFO,
            basis=Basis.MEASURED,
            evidence={"value": "-1", "source": log.source},
            fix=set_on_server(
                log, "'10MB'", server[0], caution="statements are logged as they were sent, with the data in them"
            ),
        )


def _written(
    activity: DatabaseActivity,
    hours: float,
    statements: Sequence[StatementActivity],
    block_bytes: int,
    limits: tuple[float, int],
) -> _Written:
    wrote = {one: one.temp_blocks_written * block_bytes for one in statements if one.is_top_level}
    asked = set(queries(statements))
    spilling = {one for one in asked if one.calls / hours >= limits[0] and wrote[one] / hours >= limits[1]}
    others = sorted((one for one in asked - spilling if wrote[one]), key=lambda one: (-wrote[one], one.query_id))
    return _Written(
        hours=hours,
        files=activity.temp_files,
        total=activity.temp_bytes,
        elsewhere=sum(size for one, size in wrote.items() if one not in asked or one in spilling),
        known=sum(wrote[one] for one in others),
        statements=tuple(others),
    )


def _message(one: _Written, log: Setting | None, *, is_open: bool) -> str:
    found = (
        f"{format_bytes(one.rest / one.hours)} of temporary files are written an hour, and "
        f"{format_count(round(one.files / one.hours))} files in all"
    )
    if one.elsewhere:
        found += f", beside the {format_bytes(one.elsewhere / one.hours)} an hour of single queries and index builds"
    if one.statements:
        share = f"{one.known / one.rest:.0%} of it" if one.known < one.rest else "all of it"
        found += (
            f". Of {plural(len(one.statements), 'statement')}, which write {share}, the first is: "
            f"{shown(one.statements[0])}"
        )
    else:
        found += "."
    if is_open and log is not None and log.value not in {"-1", None}:
        found += f"{'' if found.endswith('.') else '.'} The server's log names them (log_temp_files)."
    return found
