"""A look at one database for what VACUUM and ANALYZE have to do there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from dbops.analysis.runner import analyze, select
from dbops.analysis.settings import problems
from dbops.collect.postgres import READ_HERE, collect
from dbops.collect.session import Session
from dbops.conf import config
from dbops.errors import DbopsError, UsageError
from dbops.findings.ignores import set_aside
from dbops.maintenance.rights import read_rights
from dbops.maintenance.vacuum_plan import (
    BLOAT_CHECKS,
    INDEX_CHECKS,
    NEEDS,
    TUNING_CHECKS,
    USES,
    Judgement,
    find_table,
    plan_of,
)
from dbops.ownership.annotate import annotate
from dbops.ownership.owners import Owners
from dbops.snapshot.schema import Schema
from dbops.snapshot.snapshot import Unavailable

if TYPE_CHECKING:
    from collections.abc import Collection

    from dbops.analysis.registry import Check
    from dbops.collect.postgres import Progress
    from dbops.findings.vacuum_advice import VacuumPlan
    from dbops.snapshot.snapshot import Snapshot


def look(
    connection: Any,
    error: type[Exception],
    *,
    alias: str | None,
    names: Collection[str] = (),
    show_all: bool = False,
    with_bloat: bool = False,
    is_reindexing: bool = False,
    is_to_change: bool = False,
    progress: Progress | None = None,
) -> VacuumPlan:
    """Return the plan for the database behind `connection`.

    `names` are the tables to look at, or models, without any it is all. `with_bloat` has bloat measured, which may take
    a minute. `is_reindexing` says that indexes are to be worked at, too, `is_to_change` that the plan is to be carried
    out, for which nobody may stand between us and the server.

    Raises:
        DbopsError: it could not be looked at, or VACUUM could not be run through this connection.
        UsageError: there is no table of such a name.
    """
    session = Session(connection, error)
    checks = select(only={*TUNING_CHECKS, *INDEX_CHECKS, *(BLOAT_CHECKS if with_bloat else ())} - config().disabled)
    wanted = {*NEEDS, *USES, "pooling", *(name for check in checks for name in check.sections if name in READ_HERE)}
    snapshot = collect(session, alias=alias, database=alias or "", sections=wanted, progress=progress)
    if snapshot.interrupted is not None:
        raise DbopsError(snapshot.interrupted)
    pooling = snapshot.section("pooling")
    if is_to_change and not isinstance(pooling, Unavailable) and pooling[0].is_pooled:
        message = f"{alias or snapshot.database} is reached through a pooler, which mixes up whose time limits hold"
        raise UsageError(message, hint="give the server's own address with --dsn")
    schema = Schema.of(snapshot)
    if isinstance(schema, Unavailable):
        message = f"cannot tell which tables there are: {schema.reason}"
        raise DbopsError(message)
    chosen = {find_table(schema, _db_table(name) if alias else name).oid for name in names} if names else None
    major = snapshot.server.major if snapshot.server else 0
    return plan_of(
        snapshot,
        schema,
        rights=read_rights(session, major),
        judgement=_judged(snapshot, schema, alias, checks),
        chosen=chosen,
        show_all=show_all,
        is_reindexing=is_reindexing,
    )


def _judged(snapshot: Snapshot, schema: Schema, alias: str | None, chosen: Collection[Check]) -> Judgement:
    """Return what the `chosen` checks say by the settings' thresholds, without what is to be ignored."""
    settings = config()
    for problem in problems(settings.thresholds, settings.disabled):
        raise problem
    analysis = analyze(snapshot, chosen, thresholds=settings.thresholds, schema=schema)
    owners = Owners.of_nobody() if alias is None else Owners.of_project(alias, own_apps=settings.own_apps)
    found = annotate(analysis.findings, owners, schema, structural=())
    bloated = next((check for check in chosen if check.id == "bloated_table"), None)
    return Judgement(
        findings=set_aside(found, settings.ignores, datetime.now(UTC).date()).kept,
        unseen=tuple(f"{result.check}: {result.reason}" for result in analysis.results if result.reason),
        much_bloat=None if bloated is None else {**bloated.thresholds, **settings.thresholds.get(bloated.id, {})},
    )


def _db_table(name: str) -> str:
    """Return the table of the model that `name` is the label of, else `name`."""
    try:
        table: str = apps.get_model(name)._meta.db_table
    except (LookupError, ValueError, ImproperlyConfigured):
        return name
    return table
