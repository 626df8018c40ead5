"""A look at one database for what its statements cost, over a window, and at the plan of one of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from dbops.checks import missing_statement_statistics
from dbops.collect.explain import PlanningSession, explain
from dbops.collect.postgres import collect
from dbops.collect.statement_statistics import unreadable
from dbops.conf import config
from dbops.counters.windows import MADE_FROM_HISTORY, with_history
from dbops.errors import DbopsError
from dbops.findings.plan_reading import Measured
from dbops.findings.statement_ranking import By, StatementReport, rank, windows_note
from dbops.management.percentiles import with_percentiles
from dbops.ownership.owners import Owners
from dbops.snapshot.activity import with_activity
from dbops.snapshot.schema import Schema
from dbops.snapshot.snapshot import Unavailable
from dbops.snapshot.statement_tables import named_relations

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from dbops.collect.postgres import Progress
    from dbops.findings.statement_ranking import RankedStatement
    from dbops.snapshot.snapshot import Snapshot

_WINDOWED: Final = frozenset(
    {"statement_window", "statement_activity", "earlier_statement_window", "earlier_statement_activity"}
)
_READ: Final = frozenset({"statement_tracking", "tables", "settings"}).union(
    *(MADE_FROM_HISTORY[name] for name in _WINDOWED)
)
_USUAL_BLOCK_BYTES: Final = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be told: the first `limit` statements by `by`, or the one with `query_id`, with its plan if asked."""

    by: By
    limit: int
    since: datetime | None
    query_id: int | None = None
    has_plan: bool = False


class UnknownStatementError(DbopsError):
    """no such statement ran in the window"""


def look(
    connection: Any, error: type[Exception], wanted: Wanted, *, alias: str | None, progress: Progress | None = None
) -> StatementReport:
    """Return what the statements of the database behind `connection` did.

    Raises:
        DbopsError: nothing counts them, or the plan that was asked for cannot be had.
        UnknownStatementError: the statement asked for did not run.
    """
    session = PlanningSession(connection, error)
    snapshot = collect(session, alias=alias, database=alias or "", sections=_READ, progress=progress)
    if snapshot.interrupted is not None:
        raise DbopsError(snapshot.interrupted)
    tracking = snapshot.section("statement_tracking")
    if isinstance(tracking, Unavailable):
        raise DbopsError(tracking.reason)
    reason = unreadable(tracking[0])
    if reason is not None:
        raise DbopsError(reason, hint=_remedy(snapshot))
    snapshot, notes = _windowed(snapshot, wanted.since)
    window, statements = snapshot.section("statement_window"), snapshot.section("statement_activity")
    if isinstance(window, Unavailable) or isinstance(statements, Unavailable):
        why = next(one.reason for one in (window, statements) if isinstance(one, Unavailable))
        raise DbopsError(why)
    earlier, baseline = (
        snapshot.section("earlier_statement_activity"),
        snapshot.section("earlier_statement_window"),
    )
    is_compared = not isinstance(baseline, Unavailable) and not isinstance(earlier, Unavailable)
    ranking = rank(
        statements,
        window[0],
        () if isinstance(earlier, Unavailable) else earlier,
        baseline[0] if is_compared and not isinstance(baseline, Unavailable) else None,
        by=wanted.by,
        limit=None if wanted.query_id is not None else wanted.limit,
        only=wanted.query_id,
    )
    if wanted.query_id is not None and not ranking.statements:
        message = f"no statement {wanted.query_id} ran since {window[0].started_at:%Y-%m-%d %H:%M %Z}".rstrip()
        raise UnknownStatementError(message, hint="manage.py dbqueries lists the query ids; --since looks further back")
    named = _namer(snapshot, alias)
    told = with_percentiles(map(named, ranking.statements), statements, window[0], alias)
    ranking = replace(ranking, statements=told)
    if tracking[0].track == "none":
        notes.append("pg_stat_statements.track is none for this role: what such a role runs is not counted")
    if not tracking[0].sees_all_roles:
        notes.append("statements of other roles were not seen: GRANT pg_read_all_stats lets their numbers be seen")
    server = snapshot.server
    explained = None
    if wanted.has_plan and wanted.query_id is not None and server is not None:
        one = ranking.statements[0]
        explained = explain(
            session,
            tracking[0],
            server.major,
            wanted.query_id,
            measured=Measured(
                calls=one.activity.calls,
                rows_per_call=one.rows_per_call,
                temp_bytes_per_call=one.activity.temp_blocks_written * _block_bytes(snapshot) / one.activity.calls,
            ),
        )
    return StatementReport(
        alias=alias,
        database=snapshot.database,
        server_version=server.version if server else None,
        taken_at=snapshot.taken_at,
        window=window[0],
        baseline=baseline[0] if is_compared and not isinstance(baseline, Unavailable) else None,
        baseline_unknown=None if is_compared else _reason(baseline, earlier),
        ranking=ranking,
        block_bytes=_block_bytes(snapshot),
        notes=(*windows_note(window[0], wanted.since), *notes),
        is_detailed=wanted.query_id is not None,
        explained=explained,
    )


def _remedy(snapshot: Snapshot) -> str:
    """Return what lets statements be counted here, as the check says it."""
    sections = [snapshot.section(name) for name in ("statement_tracking", "server", "settings")]
    tracking, server, settings = (() if isinstance(one, Unavailable) else one for one in sections)
    for finding in missing_statement_statistics.check(tracking, server, settings or None) if server else ():
        return "\n".join([finding.message, *(finding.fix.sql if finding.fix else ())])
    return "manage.py dbanalyze --only missing_statement_statistics says what is wrong"


def _windowed(snapshot: Snapshot, since: datetime | None) -> tuple[Snapshot, list[str]]:
    """Return `snapshot` with its windows: the server's own where what is kept has none, and what to say of that."""
    found = with_history(snapshot, _WINDOWED, since=since)
    window = found.section("statement_window")
    if not isinstance(window, Unavailable):
        return found, []
    alone = with_activity(snapshot, (), no_history=window.reason)
    made = {name: alone.section(name) for name in ("statement_window", "statement_activity")}
    note = (
        [] if isinstance(made["statement_window"], Unavailable) else [f"no kept counters can be used: {window.reason}"]
    )
    return replace(found, sections={**found.sections, **made}), note


def _namer(snapshot: Snapshot, alias: str | None) -> Callable[[RankedStatement], RankedStatement]:
    """Return what names the models, and the tables of no model, that a statement touches."""
    server, tables = snapshot.server, snapshot.section("tables")
    if server is None or isinstance(tables, Unavailable):
        return lambda statement: statement
    schema = Schema(search_path=server.search_path, tables=tables)
    owners = Owners.of_nobody() if alias is None else Owners.of_project(alias, own_apps=config().own_apps)

    def named(statement: RankedStatement) -> RankedStatement:
        models, others = [], []
        for place, name in named_relations(statement.activity.text or ""):
            table = schema.resolve(name if place is None else f'{place}"."{name}')
            if table is None:
                continue
            model = owners.table(schema, table.oid)
            if model is None:
                others.append(table.qualified_name)
            else:
                models.append(model.declaring_model._meta.label)
        return replace(statement, models=tuple(dict.fromkeys(models)), tables=tuple(dict.fromkeys(others)))

    return named


def _block_bytes(snapshot: Snapshot) -> int:
    settings = snapshot.section("settings")
    known = {} if isinstance(settings, Unavailable) else {one.name: one.value for one in settings}
    return int(known.get("block_size") or _USUAL_BLOCK_BYTES)


def _reason(*sections: object) -> str | None:
    return next((one.reason for one in sections if isinstance(one, Unavailable)), None)
