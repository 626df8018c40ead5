"""Fixes for sessions that do not end: end them now, and let the server end the next ones by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.findings.changes import Statements
from dbops.snapshot.amounts import plural
from dbops.snapshot.names import quote_ident, quote_literal
from dbops.snapshot.session_rows import CLIENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbops.findings.fix import Fix
    from dbops.snapshot.rows import Server
    from dbops.snapshot.session_rows import Session

#: How long pg_terminate_backend() waits to see the process gone.
_PATIENCE_MS: Final = 5_000
_TIMEOUT: Final = "idle_in_transaction_session_timeout"


def end_transactions(sessions: Sequence[Session], server: Server, *, idle_limit_s: float | None = None) -> Fix | None:
    """Return what ends the transactions that `sessions` have open, and the sessions with them.

    A session that has begun another transaction since is left alone. With `idle_limit_s` their role, which is the same
    for all then, gets a timeout in this database, so that the server ends what is idle in a transaction for longer;
    superusers do not, and a standby cannot be given one. None where there are no sessions, one of them is no client,
    or what it does was not to be seen.
    """
    starts = {session.pid: session.transaction_start for session in sessions if session.kind == CLIENT}
    if not starts or len(starts) < len(sessions) or None in starts.values():
        return None
    which = ", ".join(f"({pid}, '{start}')" for pid, start in sorted(starts.items()))
    sql = (
        f"SELECT pg_terminate_backend(pid, {_PATIENCE_MS}) FROM pg_stat_activity WHERE (pid, xact_start) IN ({which});"
    )
    caution = f"ends {plural(len(starts), 'session')}: what they had not committed is rolled back"
    if len(starts) == 1:
        caution = "ends the session: what it had not committed is rolled back"
    limit = None if idle_limit_s is None else _limit(sessions[0], server, idle_limit_s)
    if limit is None:
        return Statements(sql=(sql,)).fix(caution=caution)
    lasting, undo = limit
    return Statements(sql=(lasting, sql), undo=(undo,)).fix(
        caution=f"{caution}; later sessions of {sessions[0].role} end when they are idle in a transaction for "
        f"{idle_limit_s} s, which undoing takes back"
    )


def end_abandoned(sessions: Sequence[Session], idle_s: float) -> Fix:
    """Return what ends those of `sessions` that are still idle, outside a transaction, for longer than `idle_s`."""
    pids = ", ".join(str(session.pid) for session in sorted(sessions, key=lambda one: one.pid))
    which = f"pid IN ({pids}) AND state = 'idle' AND state_change < clock_timestamp() - interval '{idle_s} s'"
    return Statements(
        sql=(f"SELECT pg_terminate_backend(pid, {_PATIENCE_MS}) FROM pg_stat_activity WHERE {which};",)
    ).fix(
        caution=f"ends {plural(len(sessions), 'session')} that nobody uses at the moment: a pool that still has one "
        "notices when it uses it next"
    )


def _limit(session: Session, server: Server, limit_s: float) -> tuple[str, str] | None:
    """Return the statements that set the role's timeout and take it back; None where it is set or cannot be."""
    if server.is_standby or session.is_superuser or session.role is None or not session.is_here:
        return None
    settings = dict(setting.split("=", 1) for setting in session.role_settings)
    role = f"ALTER ROLE {quote_ident(session.role)} IN DATABASE {quote_ident(server.database)}"
    before, value = settings.get(_TIMEOUT), f"{limit_s}s"
    if before == value:
        return None
    undo = f"{role} RESET {_TIMEOUT};" if before is None else f"{role} SET {_TIMEOUT} = {quote_literal(before)};"
    return f"{role} SET {_TIMEOUT} = {quote_literal(value)};", undo
