"""Autovacuum's workers are all busy for long, and no other table is served meanwhile.

There are autovacuum_max_workers of them for all databases of the server, three by default. A worker stays at its table
until that is done, which takes hours where the table is huge, or where the worker sleeps most of the time: all workers
together share one budget (autovacuum_vacuum_cost_limit, 200 by default), so that more of them are no faster. While each
is at a large table, the small ones that change all the time wait, gather dead rows, and get no statistics.

How to fix:

Let the workers work faster: a larger autovacuum_vacuum_cost_limit, such as 2000, or a smaller
autovacuum_vacuum_cost_delay, as far as the disks allow, and more maintenance_work_mem where one vacuum reads the
indexes several times (autovacuum_work_mem). A reload is enough, and from PostgreSQL 16 on workers at work notice it.
More workers (autovacuum_max_workers) help where many tables are large, along with a larger limit. Have large tables
vacuumed sooner, so that there is less to do each time (see untuned_large_table). No worker has to be ended for that.

Not reported: workers of which one has come to its table lately: small tables are served, then. Who vacuums by hand
takes no worker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Tag, Target, Unseen
from dbops.snapshot.amounts import format_seconds, listed
from dbops.snapshot.autovacuum import Autovacuum
from dbops.snapshot.session_rows import AUTOVACUUM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.snapshot.rows import Server
    from dbops.snapshot.schema import Schema
    from dbops.snapshot.session_rows import Session
    from dbops.snapshot.setting_rows import Setting
    from dbops.snapshot.vacuum_rows import RunningVacuum

TAG = Tag.LIVE

_NAME: Final = "autovacuum_max_workers"
_HIDDEN: Final = "this role may not see what autovacuum's workers do: GRANT pg_monitor TO it"


def check(
    settings: tuple[Setting, ...],
    sessions: tuple[Session, ...],
    server: tuple[Server, ...],
    running_vacuums: tuple[RunningVacuum, ...] | None = None,
    schema: Schema | None = None,
    *,
    longest_s: float = 3600,  # the oldest worker: by then it is no matter of a moment
    every_s: float = 60,  # each of them: one that came later is going through small tables, and serves them
) -> Iterator[Finding | Unseen]:
    autovacuum = Autovacuum.of(settings)
    if not autovacuum.is_on or autovacuum.workers == 0:
        return
    if not (server[0].is_monitor or server[0].is_superuser):
        # A role that sees no worker sees the server's other processes without their kinds as well.
        if any(one.is_hidden and one.role is None for one in sessions):
            yield Unseen(_NAME, _HIDDEN)
        return
    workers = sorted((one for one in sessions if one.kind == AUTOVACUUM), key=lambda one: -(one.transaction_s or 0))
    if len(workers) < autovacuum.workers or (workers[-1].transaction_s or 0) < every_s:
        return
    oldest_s = workers[0].transaction_s or 0
    if oldest_s < longest_s:
        return
    databases = sorted({one.database for one in workers if one.database is not None})
    where = _where(workers[0], running_vacuums, schema)
    who = "Autovacuum's only worker is busy"
    if len(workers) > 1:
        who = f"All {len(workers)} workers of autovacuum are busy, the longest"
    yield Finding(
        target=Target(Kind.SETTING, _NAME),
        message=(
            f"{who} for {format_seconds(oldest_s)}{where}: until {'it' if len(workers) == 1 else 'one of them'} is "
            "done, no other table is vacuumed or analyzed, in any database."
        ),
        severity=Severity.WARNING,
        confidence=Confidence.HIGH,
        basis=Basis.MEASURED,
        evidence={"workers": len(workers), "oldest_s": int(oldest_s), "databases": listed(databases)},
    )


def _where(worker: Session, running: tuple[RunningVacuum, ...] | None, schema: Schema | None) -> str:
    """Return at what the worker is, as far as it is known, after a space."""
    oid = next((vacuum.table_oid for vacuum in running or () if vacuum.pid == worker.pid), None)
    table = schema.tables.get(oid) if schema is not None and oid is not None else None
    if table is not None:
        return f" at {table.qualified_name}"
    return f" in {worker.database}" if worker.database else ""
