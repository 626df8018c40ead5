"""One run at a time for each database: who maintains it holds a lock that nobody else ever wants."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from dbops.errors import DbopsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.collect.session import Session
    from dbops.maintenance.server_work import ServerWork

#: Any number, the same in all runs: PostgreSQL's advisory locks have no names, and belong to one database each.
LOCK: Final = 7_206_317_002
_HOLDER: Final = f"""
SELECT l.pid AS pid, coalesce(a.usename::text, 'another role') AS role, a.application_name AS application
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32) | l.objid::bigint = {LOCK}
"""


class MaintenanceBusyError(DbopsError):
    """somebody else is maintaining this database"""


@contextmanager
def only_run(work: ServerWork, session: Session, name: str) -> Iterator[None]:
    """Hold the lock on `work`'s connection as long as the block lasts; it ends with the connection at the latest.

    Raises:
        MaintenanceBusyError: another run has it.
    """
    if not work.execute(f"SELECT pg_try_advisory_lock({LOCK})")[0][0]:
        with session.transaction():
            session.hide_schemas()
            holder = next(iter(session.read(_HOLDER)), None)
        who = f" (pid {holder['pid']}, as {holder['role']})" if holder else ""
        message = f"another run of dbvacuum or dbmaintain is at work in {name}{who}"
        raise MaintenanceBusyError(message, hint="wait until it has ended, or end it with Ctrl-C where it runs")
    try:
        yield
    finally:
        if work.is_open:
            work.execute(f"SELECT pg_advisory_unlock({LOCK})")
