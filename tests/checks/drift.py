"""Models and their tables on a real server, made with Django's own SQL, then compared with what is declared."""

from __future__ import annotations

from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
from django.db import connections

from dbops.analysis.runner import analyze, select
from dbops.collect.declared.tables import declared_tables
from dbops.collect.postgres import READ_HERE, collect
from dbops.collect.session import Session
from dbops.normal_forms import with_normal_forms
from tests.looking import Looked, apply, undo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from django.apps.registry import Apps
    from django.db.models import Model

    from dbops.findings.finding import Finding
    from dbops.snapshot.snapshot import Snapshot
    from tests.servers import Database

CHECK = "drifted_model"
#: What is known of migrations and triggers, where a test says nothing of them.
NOTHING: Mapping[str, Any] = {
    "declared_triggers": (),
    "migrations": (),
    "applied_migrations": (),
    "normal_forms": (),
}


def make_tables(database: Database, *models: type[Model]) -> None:
    """Make the models' tables as migrate does."""
    with opened(database) as connection, connection.schema_editor(atomic=False) as editor:
        for model in models:
            editor.create_model(model)


@contextmanager
def beside(database: Database) -> Iterator[psycopg.Connection]:
    """In place of a scratch server, which takes a second to start: the test's own, beside the test's database."""
    with database.server.connect() as connection:
        yield connection


@contextmanager
def opened(database: Database) -> Iterator[Any]:
    """Django's own connection to the database."""

    class Direct(type(connections["default"])):  # type: ignore[misc]
        def ensure_connection(self) -> None:
            """Not by way of the class that pytest-django keeps shut."""
            if self.connection is None:
                self.connect()

    settings = deepcopy(connections["default"].settings_dict)
    place = database.connect().info
    settings.update(HOST=place.host, PORT=str(place.port), USER=place.user, NAME=database.name, PASSWORD="", OPTIONS={})
    connection: Any = Direct(settings, "default")
    try:
        yield connection
    finally:
        connection.close()


def seen(database: Database, registry: Apps, *, can_ask: bool = True, **given: Any) -> Snapshot:
    """A look at the database with what the registry declares; `can_ask` lets a scratch server be started."""
    sections = {**NOTHING, **declared_tables("default", registry), **given}
    (check,) = select(only=[CHECK])
    session = Session(database.connect(), psycopg.Error)
    wanted = check.sections & set(READ_HERE)
    snapshot = collect(session, alias=None, database=database.name, sections=wanted, given=sections)
    snapshot = replace(snapshot, sections={**snapshot.sections, **sections})
    return with_normal_forms(snapshot) if can_ask else snapshot


def judged(snapshot: Snapshot) -> Looked:
    """What the check says of a look."""
    analysis = analyze(snapshot, select(only=[CHECK]))
    (result,) = analysis.results
    return Looked(result, list(analysis.findings))


def drift(database: Database, registry: Apps, *, can_ask: bool = True, **given: Any) -> Looked:
    """Look at the database and judge it."""
    return judged(seen(database, registry, can_ask=can_ask, **given))


def only_finding(database: Database, registry: Apps, **given: Any) -> Finding:
    """The one thing that is said; the check reached its end and could compare everything."""
    looked = drift(database, registry, **given)
    assert looked.result.reason is None
    (finding,) = looked.findings
    return finding


def assert_mended(database: Database, registry: Apps, finding: Finding) -> None:
    """Apply the fix and see the finding gone; undo it and see it again; apply it again."""
    apply(database, finding.fix)
    assert drift(database, registry).findings == []
    assert finding.fix is not None
    if finding.fix.undo:
        undo(database, finding.fix)
        again = only_finding(database, registry)
        assert (again.target, again.severity) == (finding.target, finding.severity)
        apply(database, finding.fix)
        assert drift(database, registry).findings == []
