"""Look at one database and judge it: collect, analyze, find the owners, set aside what is ignored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dbops.analysis.registry import checks
from dbops.analysis.runner import analyze, select
from dbops.analysis.settings import problems, unknown_check
from dbops.collect.django import collect_django
from dbops.collect.postgres import READ_HERE, collect
from dbops.collect.session import Session
from dbops.conf import Config, config
from dbops.findings.finding import Tag
from dbops.findings.ignores import set_aside
from dbops.findings.report import Report, ReportTarget, worst_first
from dbops.ownership.annotate import annotate
from dbops.ownership.owners import Owners
from dbops.snapshot.schema import Schema
from dbops.snapshot.snapshot import SECTIONS, Unavailable
from dbops.sources import connect_alias, connect_dsn

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from dbops.analysis.registry import Check
    from dbops.collect.postgres import Progress
    from dbops.snapshot.snapshot import Section, Snapshot

_OF_DJANGO = tuple(name for name in SECTIONS if name not in READ_HERE)


def diagnose_alias(
    alias: str,
    *,
    only: Collection[str] | None = None,
    tag: Tag | None = None,
    app_labels: Collection[str] = (),
    progress: Progress | None = None,
) -> Report:
    """Return what there is to say of DATABASES[alias].

    `only` and `tag` choose the checks; `app_labels` keeps the findings of those apps alone.

    Raises:
        ConfigurationError: the settings, the alias or a check's name cannot be right.
        TargetUnreachableError: no connection.
    """
    settings = _settings(only)
    chosen = select(only=only, tag=tag, disabled=settings.disabled)
    with connect_alias(alias) as (connection, error):
        given = collect_django(alias)
        snapshot = _look(connection, error, chosen, given, alias=alias, database=alias, progress=progress)
        owners = Owners.of_project(alias, own_apps=settings.own_apps)
    return _judge(snapshot, chosen, settings, owners, app_labels)


def diagnose_dsn(
    dsn: str,
    *,
    only: Collection[str] | None = None,
    tag: Tag | None = None,
    progress: Progress | None = None,
) -> Report:
    """Return what there is to say of a database that is not this project's: nobody's models, all of it unmanaged.

    Checks that judge Django's side have nothing to look at there, and run only when they are asked for by name.

    Raises:
        ConfigurationError: the settings, the DSN or a check's name cannot be right.
        TargetUnreachableError: no connection.
    """
    settings = _settings(only)
    chosen = select(only=only, tag=tag, disabled=settings.disabled)
    if only is None:
        chosen = tuple(check for check in chosen if not set(check.needs) & set(_OF_DJANGO))
    foreign = dict.fromkeys(_OF_DJANGO, Unavailable("not looked at as this project's database"))
    with connect_dsn(dsn) as (connection, error):
        snapshot = _look(connection, error, chosen, foreign, alias=None, database="", progress=progress)
    return _judge(snapshot, chosen, settings, Owners.of_nobody(), ())


def _settings(only: Collection[str] | None) -> Config:
    settings = config()
    for name in only or ():
        if name not in checks():
            raise unknown_check(name)
    named = (*settings.disabled, *(ignore.check for ignore in settings.ignores))
    for problem in problems(settings.thresholds, named):
        raise problem
    return settings


def _look(
    connection: Any,
    error: type[Exception],
    chosen: Collection[Check],
    given: Mapping[str, Section],
    *,
    alias: str | None,
    database: str,
    progress: Progress | None,
) -> Snapshot:
    sections = frozenset[str]().union(*(check.sections for check in chosen)) & frozenset(READ_HERE)
    session = Session(connection, error)
    return collect(session, alias=alias, database=database, sections=sections, given=given, progress=progress)


def _judge(
    snapshot: Snapshot,
    chosen: Collection[Check],
    settings: Config,
    owners: Owners,
    app_labels: Collection[str],
) -> Report:
    analysis = analyze(snapshot, chosen, thresholds=settings.thresholds)
    schema = Schema.of(snapshot)
    structural = {check.id for check in chosen if check.tag is Tag.STRUCTURAL}
    known = Schema(search_path=(), tables=()) if isinstance(schema, Unavailable) else schema
    findings = annotate(analysis.findings, owners, known, structural=structural)
    if app_labels:
        findings = tuple(finding for finding in findings if finding.owner.app_label in app_labels)
    kept, ignored = set_aside(findings, settings.ignores, datetime.now(UTC).date())
    return Report(
        target=_target(snapshot),
        taken_at=snapshot.taken_at,
        duration_ms=snapshot.duration_ms,
        results=analysis.results,
        findings=worst_first(kept),
        ignored=ignored,
        interrupted=snapshot.interrupted,
        unseen=_unseen(snapshot, owners),
    )


def _target(snapshot: Snapshot) -> ReportTarget:
    server, tables = snapshot.server, snapshot.section("tables")
    return ReportTarget(
        alias=snapshot.alias,
        database=snapshot.database,
        server_version=server.version if server else None,
        is_standby=server.is_standby if server else None,
        table_count=None if isinstance(tables, Unavailable) else len(tables),
        size_bytes=server.database_size_bytes if server else None,
        role=server.role if server else None,
    )


def _unseen(snapshot: Snapshot, owners: Owners) -> tuple[str, ...]:
    """Return what was not looked at that no check speaks of: locked relations, a migration graph nobody can read."""
    locked = snapshot.section("locked_relations")
    lines = (
        []
        if isinstance(locked, Unavailable)
        else [
            f"{relation.qualified_name} is locked by another session: its size, expressions and keys were not read"
            for relation in locked
        ]
    )
    return (*lines, *([owners.note] if owners.note else []))
