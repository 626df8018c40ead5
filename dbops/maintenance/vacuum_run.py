"""Runs VACUUM, ANALYZE and REINDEX, one at a time, and looks at what they achieved."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from dbops.collect.session import ConnectionLostError, LookError, Session
from dbops.collect.statements import read_statement
from dbops.errors import DbopsError, UsageError
from dbops.findings.vacuum_advice import IndexAdvice, Outcome, TableAdvice, Treated
from dbops.maintenance.index_run import IndexRun
from dbops.maintenance.one_run import only_run
from dbops.maintenance.server_work import ServerWork
from dbops.maintenance.work_progress import read_progress
from dbops.snapshot.amounts import format_seconds
from dbops.snapshot.snapshot import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import TypeAlias

    from dbops.findings.vacuum_advice import VacuumPlan
    from dbops.snapshot.vacuum_rows import HorizonHolder

    #: Opens a connection of our own: the driver's, and the class of its errors.
    Connect: TypeAlias = Callable[[], AbstractContextManager[tuple[Any, type[Exception]]]]
    #: Told what is being worked at, how far all of it is, and of how much, in bytes.
    Step: TypeAlias = Callable[[str, int, int], None]

#: Dead rows of a table and its TOAST table, and how often it was vacuumed and analyzed by hand. Locks: none.
_COUNTERS: Final = """
SELECT s.n_dead_tup + coalesce(t.n_dead_tup, 0) AS dead, s.vacuum_count AS vacuums, s.analyze_count AS analyzes
FROM pg_stat_all_tables s
JOIN pg_class c ON c.oid = s.relid
LEFT JOIN pg_stat_all_tables t ON t.relid = c.reltoastrelid
WHERE s.relid = %s
"""
#: Who has a lock on a table, the strongest first. Locks: none.
_LOCKERS: Final = """
SELECT l.pid AS pid, l.mode AS mode, coalesce(a.usename::text, a.backend_type, 'another role') AS who
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.granted AND l.relation = %s AND l.pid <> %s
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
                 'AccessExclusiveLock')
ORDER BY l.mode LIMIT 1
"""
#: Fewer dead rows than this part of what there was came meanwhile; more were there, and could not be removed.
_KEPT_RATIO: Final = 0.1
#: What something weighs of which nobody knows how large it is.
_UNKNOWN_BYTES: Final = 8192
_LOCK_NOT_AVAILABLE: Final = "55P03"
_QUERY_CANCELED: Final = "57014"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait for a lock, to work at one table or index, and at all of them; in seconds, 0 is without end."""

    lock_s: int = 2
    table_s: int = 3600
    run_s: int = 0


@contextmanager
def opened_run(connect: Connect, plan: VacuumPlan, limits: Limits, *, step: Step | None = None) -> Iterator[VacuumRun]:
    """Have two connections to the plan's database, one that works and one that watches, and nobody else at work there.

    Raises:
        MaintenanceBusyError: another run is at work there.
        TargetUnreachableError, ConnectionLostError: it cannot be reached.
        UsageError: another database is reached now.
    """
    with connect() as (connection, error), connect() as (second, _):
        work, session = ServerWork(connection, error), Session(second, error)
        with session.transaction():
            session.hide_schemas()
            where = session.read(
                "SELECT current_database()::text AS name, current_setting('server_version_num')::int AS version"
            )[0]
        if where["name"] != plan.database:
            message = f"the plan was made for {plan.database}, and {where['name']} is reached now"
            raise UsageError(message, hint="run it again")
        major = where["version"] // 10_000
        work.prepare(major)
        with only_run(work, session, plan.name):
            yield VacuumRun(work, session, limits, major, step)


@dataclass(frozen=True, slots=True)
class VacuumRun:
    """Works through a plan with `work`, and looks at it with `session`."""

    work: ServerWork
    session: Session
    limits: Limits
    major: int
    step: Step | None = None

    def treat(self, plan: VacuumPlan, results: list[Treated]) -> None:
        """Run what is due, one after the other, and add to `results` how each went, whatever ends it early.

        Raises:
            ConnectionLostError: the server went away.
            KeyboardInterrupt: somebody pressed Ctrl-C; what ran was stopped on the server.
        """
        began = monotonic()
        weights = [item.size_bytes or _UNKNOWN_BYTES for item in plan.work]
        indexes = IndexRun(self.work, self.session)
        for number, item in enumerate(plan.work):
            treated = Treated(name=item.name, statement=item.statement or "", outcome=Outcome.DONE)
            if item.obstacle is not None:
                results.append(replace(treated, outcome=Outcome.DENIED, reason=item.obstacle))
                continue
            left_s = self._left_s(began)
            if left_s < 0:
                reason = f"not begun: the {format_seconds(self.limits.run_s)} for all of them were over"
                results.append(replace(treated, outcome=Outcome.LEFT, reason=reason))
                continue
            limit_s = min(filter(None, (self.limits.table_s, left_s)), default=0)
            told = self._told(f"{item.name}, {number + 1} of {len(weights)}", sum(weights[:number]), number, weights)
            started = monotonic()
            ended = False
            try:
                if isinstance(item, IndexAdvice):
                    treated = indexes.treat(item, treated, limit_s=limit_s, lock_s=self.limits.lock_s, told=told)
                else:
                    treated = self._vacuum(item, treated, plan.database, limit_s, told)
                ended = True
            except LookError as error:
                treated, ended = self._failed(item, treated, error, limit_s), True
            except KeyboardInterrupt:
                treated = replace(treated, outcome=Outcome.INTERRUPTED, reason="it was stopped on the server")
                raise
            except ConnectionLostError as error:
                treated = replace(treated, outcome=Outcome.FAILED, reason=str(error))
                raise
            finally:
                treated = replace(treated, duration_s=monotonic() - started)
                if isinstance(item, IndexAdvice) and treated.outcome is not Outcome.DONE and self.work.is_open:
                    treated = indexes.cleaned(item, treated, may_drop=ended)
                results.append(treated)

    def _left_s(self, began: float) -> float:
        """Return how many seconds are left for all that is to be done, 0 for no limit, less where none is left."""
        if not self.limits.run_s:
            return 0
        left_s = self.limits.run_s - (monotonic() - began)
        return left_s if left_s > 0 else -1

    def _told(self, what: str, before: int, number: int, weights: list[int]) -> Callable[[], None] | None:
        """Return what passes on how far the server is; nothing where nobody watches."""
        step = self.step
        if step is None:
            return None
        step(what, before, sum(weights))
        furthest = 0.0

        def tell() -> None:
            nonlocal furthest
            try:
                seen = read_progress(self.session, self.work.pid)
            except LookError:
                return  # the next one may be seen
            if seen is not None:
                words, part = seen
                furthest = max(furthest, part)  # VACUUM goes through the table again where memory was short
                step(f"{what}: {words}", before + round(furthest * weights[number]), sum(weights))

        return tell

    def _vacuum(
        self, table: TableAdvice, treated: Treated, database: str, limit_s: float, told: Callable[[], None] | None
    ) -> Treated:
        before = self._counters(table)
        self.work.run(treated.statement, limit_s=limit_s, lock_s=self.limits.lock_s, told=told)
        try:
            after = self._counters(table)
            if after[1:] == before[1:]:
                reason = "the server left it out: it was dropped, or this role may not do it"
                return replace(treated, outcome=Outcome.FAILED, reason=reason)
            if not table.needs_vacuum:
                return treated
            treated = replace(treated, dead_before=before[0], dead_after=after[0])
            return self._verdict(table, treated, before[0], after[0], database)
        except DbopsError as error:
            return replace(treated, outcome=Outcome.UNPROVED, reason=f"what it achieved was not seen: {error}")

    def _verdict(self, table: TableAdvice, treated: Treated, before: int, after: int, database: str) -> Treated:
        if after <= (before * _KEPT_RATIO if before else table.dead.trigger or 0):
            return treated
        holder = next((one for one in self._holders() if one.holds_tables_of(database)), None)
        if holder is None:
            reason = "dead rows stayed, and nothing is there now that holds them: run it again"
        else:
            reason = f"dead rows stay as long as {holder} may still look at them"
        return replace(treated, outcome=Outcome.HELD, reason=reason)

    def _failed(self, item: TableAdvice | IndexAdvice, treated: Treated, error: LookError, limit_s: float) -> Treated:
        if error.sqlstate == _LOCK_NOT_AVAILABLE:
            oid = item.table_oid if isinstance(item, IndexAdvice) else item.oid
            who = self._locker(oid)
            reason = f"another session has it locked for more than {self.limits.lock_s} s{who}"
            return replace(treated, outcome=Outcome.LOCKED, reason=reason)
        if error.sqlstate == _QUERY_CANCELED and limit_s:
            is_run = not self.limits.table_s or limit_s < self.limits.table_s
            over = "what was left for all of them" if is_run else "the limit for one"
            option = "--run-timeout" if is_run else "--timeout"
            hint = f"{option} gives more, 0 any time; what was done so far is kept or undone, and harms nothing"
            reason = f"it was stopped after {format_seconds(limit_s)}, {over}"
            return replace(treated, outcome=Outcome.TIMEOUT, reason=reason, hint=hint)
        return replace(treated, outcome=Outcome.FAILED, reason=str(error))

    def _locker(self, table_oid: int) -> str:
        try:
            with self.session.transaction():
                self.session.hide_schemas()
                rows = self.session.read(_LOCKERS, [table_oid, self.work.pid])
        except LookError:
            return ""
        return (
            f": pid {rows[0]['pid']}, {rows[0]['who']}, in {rows[0]['mode'].removesuffix('Lock')} mode" if rows else ""
        )

    def _counters(self, table: TableAdvice) -> tuple[int, int, int]:
        with self.session.transaction():
            self.session.hide_schemas()
            rows = self.session.read(_COUNTERS, [table.oid])
        return (rows[0]["dead"], rows[0]["vacuums"], rows[0]["analyzes"]) if rows else (0, 0, 0)

    def _holders(self) -> tuple[HorizonHolder, ...]:
        with self.session.transaction():
            self.session.hide_schemas()
            holders = read_statement(self.session, "horizon_holders", self.major)
        return () if isinstance(holders, Unavailable) else holders
