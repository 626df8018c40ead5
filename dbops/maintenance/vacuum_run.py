"""Runs VACUUM and ANALYZE, one table at a time, and looks at what they achieved."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from dbops.collect.session import ConnectionLostError
from dbops.errors import DbopsError
from dbops.findings.vacuum_advice import Outcome, Treated
from dbops.snapshot.statement_text import OWN
from dbops.snapshot.vacuum_rows import HorizonHolder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.findings.vacuum_advice import TableAdvice, VacuumPlan

#: Dead rows of a table and its TOAST table, and how often it was vacuumed and analyzed by hand. Locks: none.
_COUNTERS: Final = """
SELECT s.n_dead_tup + coalesce(t.n_dead_tup, 0), s.vacuum_count, s.analyze_count
FROM pg_stat_all_tables s
JOIN pg_class c ON c.oid = s.relid
LEFT JOIN pg_stat_all_tables t ON t.relid = c.reltoastrelid
WHERE s.relid = %s
"""
#: What keeps dead rows, the oldest first: see dbops/collect/sql/horizon_holders.sql. Locks: none.
_HOLDERS: Final = """
SELECT kind, name, pid, database, age FROM (
    SELECT CASE WHEN backend_type = 'walsender' THEN 'standby' WHEN usename IS NULL THEN 'process' ELSE 'session' END
               AS kind,
           concat_ws('@', coalesce(usename::text, backend_type, 'unknown process'), nullif(application_name, ''))
               AS name,
           pid, datname::text AS database, greatest(age(backend_xmin), age(backend_xid))::bigint AS age
    FROM pg_stat_activity
    WHERE (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND pid <> pg_backend_pid()
      AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum)
    UNION ALL
    SELECT 'prepared transaction', gid, NULL, database::text, age(transaction)::bigint FROM pg_prepared_xacts
    UNION ALL
    SELECT 'slot', slot_name::text, active_pid, NULL, age(xmin)::bigint FROM pg_replication_slots WHERE xmin IS NOT NULL
) AS holders
ORDER BY age DESC
"""
#: Fewer dead rows than this part of what there was came meanwhile; more were there, and could not be removed.
_KEPT_RATIO: Final = 0.1
_LOCK_NOT_AVAILABLE: Final = "55P03"
_QUERY_CANCELED: Final = "57014"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait for a table's lock, and to work at one table; 0 is without end."""

    lock_s: int = 2
    table_s: int = 3600


@dataclass(frozen=True, slots=True)
class VacuumRun:
    """Works through a plan on `connection`, which is in autocommit mode and nobody else's."""

    connection: Any
    error: type[Exception]
    limits: Limits

    def treat(self, plan: VacuumPlan) -> Iterator[Treated]:
        """Run what is due, table by table, and say of each how it went; what is asked for next is run next.

        Raises:
            ConnectionLostError: the server went away.
        """
        try:
            self._execute(f"SET lock_timeout = {self.limits.lock_s * 1000}")
            self._execute(f"SET statement_timeout = {self.limits.table_s * 1000}")
        except self.error as error:
            raise self._fatal(error) from error
        for table in plan.due:
            yield self._treated(table, plan.database)

    def _treated(self, table: TableAdvice, database: str) -> Treated:
        statement = table.statement or ""
        if table.obstacle is not None:
            return Treated(name=table.name, statement=statement, outcome=Outcome.DENIED, reason=table.obstacle)
        started = monotonic()
        reason: str | None
        try:
            before = self._counters(table)
            self._execute(statement)
            duration_s = monotonic() - started
            after = self._counters(table)
            if after[1:] == before[1:]:
                outcome, reason = Outcome.FAILED, "the server left it out: it was dropped, or this role may not do it"
            else:
                outcome, reason = self._verdict(table, before[0], after[0], database)
        except self.error as error:
            if self.connection.closed:
                raise self._fatal(error) from error
            outcome, reason, hint = self._why(error)
            duration_s = monotonic() - started
            return Treated(
                name=table.name, statement=statement, outcome=outcome, duration_s=duration_s, reason=reason, hint=hint
            )
        return Treated(
            name=table.name,
            statement=statement,
            outcome=outcome,
            dead_before=before[0] if table.needs_vacuum else None,
            dead_after=after[0] if table.needs_vacuum else None,
            duration_s=duration_s,
            reason=reason,
        )

    def _verdict(self, table: TableAdvice, before: int, after: int, database: str) -> tuple[Outcome, str | None]:
        is_little = after <= (before * _KEPT_RATIO if before else table.dead.trigger or 0)
        if not table.needs_vacuum or is_little:
            return Outcome.DONE, None
        holder = next((one for one in self._holders() if one.holds_tables_of(database)), None)
        if holder is None:
            return Outcome.HELD, "dead rows stayed, and nothing is there now that holds them: run it again"
        return Outcome.HELD, f"dead rows stay as long as {holder} may still look at them"

    def _why(self, error: Exception) -> tuple[Outcome, str, str | None]:
        sqlstate = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        if sqlstate == _LOCK_NOT_AVAILABLE:
            return Outcome.LOCKED, f"another session has it locked for more than {self.limits.lock_s} s", None
        if sqlstate == _QUERY_CANCELED and self.limits.table_s:
            hint = "--timeout gives it longer, 0 any time; what was done so far is kept or undone, and harms nothing"
            return Outcome.TIMEOUT, f"it was stopped; the limit is {self.limits.table_s} s", hint
        lines = str(error).strip().splitlines()
        return Outcome.FAILED, lines[0] if lines else type(error).__name__, None

    def _counters(self, table: TableAdvice) -> tuple[int, int, int]:
        rows = self._execute(_COUNTERS, (table.oid,))
        return rows[0] if rows else (0, 0, 0)

    def _holders(self) -> list[HorizonHolder]:
        return [
            HorizonHolder(
                kind=kind,
                name=name,
                pid=pid,
                database=database,
                xid_age=age,
                started_at=None,
                held_since=None,
                is_hidden=False,
            )
            for kind, name, pid, database, age in self._execute(_HOLDERS)
        ]

    def _execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(OWN + sql, tuple(parameters) or None)
            return list(cursor.fetchall()) if cursor.description else []

    def _fatal(self, error: Exception) -> DbopsError:
        lines = str(error).strip().splitlines()
        what = lines[0] if lines else type(error).__name__
        if self.connection.closed:
            return ConnectionLostError(f"the connection was lost: {what}")
        return DbopsError(what)
