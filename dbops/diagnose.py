"""Look at one database and judge it: collect, analyze, find the owners, set aside what is ignored."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from dbops.analysis.registry import checks
from dbops.analysis.runner import analyze, select
from dbops.analysis.settings import problems, unknown_check
from dbops.collect.django import collect_django
from dbops.collect.postgres import READ_HERE, collect, with_needs
from dbops.collect.session import Session
from dbops.conf import Config, config
from dbops.counters.windows import MADE_FROM_HISTORY, with_history
from dbops.findings.finding import Kind, Tag
from dbops.findings.ignores import set_aside
from dbops.findings.report import Report, ReportTarget, worst_first
from dbops.normal_forms import with_normal_forms
from dbops.ownership.annotate import annotate
from dbops.ownership.owners import Owners
from dbops.snapshot.schema import Schema
from dbops.snapshot.snapshot import SECTIONS, Unavailable
from dbops.sources import connect_alias, connect_dsn

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from dbops.analysis.registry import Check
    from dbops.collect.postgres import Progress
    from dbops.findings.finding import Finding
    from dbops.snapshot.snapshot import Section, Snapshot

#: What a standby has of its own; the rest it has from its primary.
_OF_ONE_SERVER: Final = frozenset({Kind.SETTING, Kind.SESSION, Kind.SLOT, Kind.REPLICA})
_OF_DJANGO = tuple(name for name in SECTIONS if name not in READ_HERE and name not in MADE_FROM_HISTORY)
#: What no check asks for and the report's head says, where it could be read.
_HEAD: Final = frozenset({"database_size"})


def diagnose_alias(
    alias: str,
    *,
    only: Collection[str] | None = None,
    tag: Tag | None = None,
    app_labels: Collection[str] = (),
    may_start_server: bool = True,
    reads_history: bool = True,
    since: datetime | None = None,
    progress: Progress | None = None,
) -> Report:
    """Return what there is to say of DATABASES[alias].

    `only` and `tag` choose the checks; `app_labels` keeps the findings of those apps alone. A process that serves
    pages says that no scratch server may be started (see `with_normal_forms`), and one that must not ask Django's own
    connections that no history is read. `since` is when the window begins over which is counted.

    Raises:
        ConfigurationError: the settings, the alias or a check's name cannot be right.
        TargetUnreachableError: no connection.
    """
    settings = _settings(only)
    chosen = select(only=only, tag=tag, disabled=settings.disabled)
    with _unswept():
        with connect_alias(alias) as (connection, error):
            given = collect_django(alias, sections=with_needs(sections_of(chosen)))
            snapshot = _look(connection, error, chosen, given, alias=alias, database=alias, progress=progress)
            owners = Owners.of_project(alias, own_apps=settings.own_apps)
        if reads_history:
            snapshot = with_history(snapshot, _asked_for(chosen), since=since)
        snapshot = with_normal_forms(snapshot, may_start_server=may_start_server)
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
    chosen = checks_by_dsn(settings, only=only, tag=tag)
    needed = with_needs(frozenset[str]().union(*(check.needs for check in chosen))) & set(_OF_DJANGO)
    foreign = dict.fromkeys(needed, Unavailable("not looked at as this project's database"))
    with _unswept():
        with connect_dsn(dsn) as (connection, error):
            snapshot = _look(connection, error, chosen, foreign, alias=None, database="", progress=progress)
        snapshot = with_history(snapshot, _asked_for(chosen))
        return _judge(snapshot, chosen, settings, Owners.of_nobody(), ())


def checks_by_dsn(
    settings: Config, *, only: Collection[str] | None = None, tag: Tag | None = None
) -> tuple[Check, ...]:
    """Return the checks that look at a database of which no project is known."""
    chosen = select(only=only, tag=tag, disabled=settings.disabled)
    if only is not None:
        return chosen
    return tuple(check for check in chosen if not with_needs(check.needs) & set(_OF_DJANGO))


def sections_of(chosen: Iterable[Check]) -> frozenset[str]:
    """Return the sections that `chosen` ask for together, and what the report's head says."""
    asked = _asked_for(chosen)
    return _HEAD.union(asked, *(MADE_FROM_HISTORY[name] for name in asked if name in MADE_FROM_HISTORY))


def _asked_for(chosen: Iterable[Check]) -> frozenset[str]:
    return frozenset[str]().union(*(check.sections for check in chosen))


@contextmanager
def _unswept() -> Iterator[None]:
    """Keep the garbage collector from running: all that is made here lives until the report is.

    Of a large database it would go through the same hundreds of thousands of rows again and again.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


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
    sections = sections_of(chosen) & frozenset(READ_HERE)
    session = Session(connection, error)
    return collect(session, alias=alias, database=database, sections=sections, given=given, progress=progress)


def _judge(
    snapshot: Snapshot,
    chosen: Collection[Check],
    settings: Config,
    owners: Owners,
    app_labels: Collection[str],
) -> Report:
    schema = Schema.of(snapshot)
    analysis = analyze(snapshot, chosen, thresholds=settings.thresholds, schema=schema)
    structural = {check.id for check in chosen if check.tag is Tag.STRUCTURAL}
    known = Schema(search_path=(), tables=()) if isinstance(schema, Unavailable) else schema
    findings = annotate(analysis.findings, owners, known, structural=structural)
    if snapshot.server and snapshot.server.is_standby:
        findings = tuple(map(_for_the_primary, findings))
    if app_labels:
        findings = tuple(finding for finding in findings if finding.owner.app_label in app_labels)
    sorted_out = set_aside(findings, settings.ignores, datetime.now(UTC).date())
    return Report(
        target=_target(snapshot),
        taken_at=snapshot.taken_at,
        duration_ms=snapshot.duration_ms,
        results=analysis.results,
        findings=worst_first(sorted_out.kept),
        ignored=sorted_out.ignored,
        expired=sorted_out.expired,
        interrupted=snapshot.interrupted,
        unseen=_unseen(snapshot, owners),
    )


def _for_the_primary(finding: Finding) -> Finding:
    """Return what was found on a standby with where its fix is to be run, if that changes what the primary has."""
    if finding.fix is None or finding.target.kind in _OF_ONE_SERVER:
        return finding
    caution = "; ".join(filter(None, ("this is a standby: run it on its primary", finding.fix.caution)))
    return replace(finding, fix=replace(finding.fix, caution=caution))


def _target(snapshot: Snapshot) -> ReportTarget:
    server, tables, size = snapshot.server, snapshot.section("tables"), snapshot.section("database_size")
    return ReportTarget(
        alias=snapshot.alias,
        database=snapshot.database,
        server_version=server.version if server else None,
        is_standby=server.is_standby if server else None,
        table_count=None if isinstance(tables, Unavailable) else len(tables),
        size_bytes=None if isinstance(size, Unavailable) else size[0].size_bytes,
        role=server.role if server else None,
        window=_window(snapshot),
    )


def _window(snapshot: Snapshot) -> tuple[datetime, datetime, str] | None:
    """Return the time over which counters were compared, and by whose memory."""
    for name in ("window", "statement_window"):
        section = snapshot.section(name)
        if not isinstance(section, Unavailable):
            return section[0].started_at, section[0].ended_at, section[0].source
    return None


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
