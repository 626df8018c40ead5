from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper

from dbops.checks.misconfigured_pool import check
from dbops.collect.django_databases import django_databases
from dbops.collect.postgres import collect
from dbops.collect.session import Session
from dbops.diagnose import diagnose_alias
from dbops.findings.finding import Confidence, Finding, Kind, Severity, Target
from dbops.findings.report import Outcome
from dbops.snapshot.rows import DjangoSettings
from dbops.snapshot.session_rows import ConnectionLimit, Pooling
from tests.looking import look, snapshot_of
from tests.pgbouncer import PORT
from tests.security_builders import SESSION, a_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dbops.snapshot.django_rows import DjangoDatabase
    from tests.servers import Database

CHECK = "misconfigured_pool"
SERVER = ConnectionLimit(scope="server", name="max_connections", most=100, reserved=3)
DIRECT, POOLED = Pooling(announced_pid=7, serving_pid=7), Pooling(announced_pid=7, serving_pid=8)


def django(*, debug: bool = False, is_asgi_only: bool = False) -> tuple[DjangoSettings]:
    return (DjangoSettings(use_tz=True, debug=debug, is_asgi_only=is_asgi_only),)


def findings(
    *databases: DjangoDatabase,
    limits: tuple[ConnectionLimit, ...] = (SERVER,),
    pooling: Pooling = DIRECT,
    processes: int = 1,
    **options: bool,
) -> list[Finding]:
    return list(check(databases, django(**options), limits, (SESSION,), (pooling,), processes=processes))


@pytest.mark.parametrize("debug", [False, True])
def test_a_pool_with_connections_kept_besides_is_refused_by_django(debug: bool) -> None:
    (found,) = findings(a_database(pool_size=4, keeps_connections=True), debug=debug)
    assert found.target == Target(Kind.POOL, "default")
    assert found.severity is Severity.CRITICAL
    assert found.evidence == {"pool_size": 4}
    assert 'DATABASES["default"] has a pool and a CONN_MAX_AGE' in found.message


def test_the_pools_of_all_processes_and_aliases_need_room_on_the_server() -> None:
    (found,) = findings(
        a_database(pool_size=10),
        a_database(alias="reports", is_target=False, pool_size=5),
        a_database(alias="elsewhere", is_target=False, is_same_server=False, pool_size=500),
        a_database(alias="plain", is_target=False),
        processes=7,
    )
    assert found.severity is Severity.WARNING
    assert found.message == (
        "7 processes with pools of 15 connections (default and reports) may open 105, "
        "and the server has 97 for ordinary roles."
    )
    assert found.evidence == {
        "processes": 7,
        "pool_size": 15,
        "aliases": "default and reports",
        "connections": 105,
        "connections_available": 97,
    }


def test_in_development_it_is_only_mentioned() -> None:
    (found,) = findings(a_database(pool_size=98), debug=True)
    assert found.severity is Severity.INFO


@pytest.mark.parametrize(("scope", "name"), [("role", SESSION.role), ("database", "shop")])
def test_the_narrowest_limit_that_is_exceeded_is_named(scope: str, name: str) -> None:
    limit = ConnectionLimit(scope=scope, name=name, most=20, reserved=0)
    (found,) = findings(a_database(pool_size=120), limits=(SERVER, limit))
    assert found.message.endswith(f"the {scope} {name} is limited to 20.")
    assert found.message.startswith("1 process with pools of 120 connections (default) may open 120")


def test_connections_kept_under_asgi_are_left_behind() -> None:
    (found,) = findings(a_database(keeps_connections=True), is_asgi_only=True)
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.MEDIUM)
    assert "served by ASGI" in found.message


@pytest.mark.parametrize(
    ("database", "kept"),
    [
        ({}, "server-side cursors"),
        ({"uses_cursors": False, "prepares": True}, "prepared statements"),
        ({"prepares": True}, "server-side cursors and prepared statements"),
    ],
)
def test_what_a_pooler_in_transaction_mode_breaks_is_mentioned(database: dict[str, Any], kept: str) -> None:
    (found,) = findings(a_database(**database), pooling=POOLED)
    assert (found.severity, found.confidence) == (Severity.INFO, Confidence.MEDIUM)
    assert f"and Django uses {kept}: in transaction mode" in found.message


@pytest.mark.parametrize(
    ("database", "options"),
    [
        ({"uses_cursors": False}, {"pooling": POOLED}),
        ({"uses_cursors": False, "pool_size": 500}, {"pooling": POOLED}),
        ({"pool_size": 97}, {}),
        ({"pool_size": None}, {"processes": 1000}),
        ({"keeps_connections": True}, {}),
        ({"is_target": False, "pool_size": 500, "keeps_connections": True}, {}),
        ({"pool_size": 50}, {"limits": (ConnectionLimit(scope="role", name="other", most=1, reserved=0),)}),
        ({"pool_size": 50}, {"is_asgi_only": True}),
    ],
    ids=[
        "nothing kept",
        "a pooler's room",
        "room",
        "no pool",
        "kept under WSGI",
        "another's",
        "another role's limit",
        "pool under ASGI",
    ],
)
def test_silent_about(database: dict[str, Any], options: dict[str, Any]) -> None:
    assert findings(a_database(**database), **options) == []


def test_a_pool_larger_than_the_role_may_be_is_found_until_there_is_room(database: Database) -> None:
    role = database.create_role(f"{database.name}_web")
    database.execute(f"ALTER ROLE {role} CONNECTION LIMIT 8")
    sections = {"django_settings": django(), "django_databases": (a_database(pool_size=5),)}
    options: dict[str, Any] = {"role": role, "sections": sections}
    assert look(database, CHECK, **options).findings == []
    (found,) = look(database, CHECK, processes=2, **options).findings
    assert found.evidence["connections_available"] == 8
    database.execute(f"ALTER ROLE {role} CONNECTION LIMIT 10")
    assert look(database, CHECK, processes=2, **options).findings == []


def test_of_a_database_that_is_not_djangos_there_is_nothing_to_say(database: Database) -> None:
    assert look(database, CHECK).result.outcome is Outcome.SKIPPED


def test_a_pooler_gives_itself_away(database: Database, pooler: Path) -> None:
    with database.connect(host=str(pooler), port=PORT) as connection:
        session = Session(connection, psycopg.Error)
        behind = collect(session, alias=None, database="", sections=["pooling"]).section("pooling")
    direct = snapshot_of(database).section("pooling")
    assert isinstance(behind, tuple)
    assert isinstance(direct, tuple)
    assert [row.is_pooled for row in (*behind, *direct)] == [True, False]

    sections = {"django_settings": django(), "django_databases": (a_database(),), "pooling": behind}
    (found,) = look(database, CHECK, sections=sections).findings
    assert found.message.startswith('A pooler stands between DATABASES["default"] and the server')
    sections["django_databases"] = (a_database(uses_cursors=False),)
    assert look(database, CHECK, sections=sections).findings == []


@pytest.fixture
def own_settings() -> Iterator[dict[str, Any]]:
    """The settings of the default connection, to be changed."""
    settings = connection.settings_dict
    age, options = settings["CONN_MAX_AGE"], dict(settings["OPTIONS"])
    yield settings
    settings["CONN_MAX_AGE"] = age
    settings["OPTIONS"].clear()
    settings["OPTIONS"].update(options)


@pytest.mark.django_db(transaction=True)
def test_what_django_refuses_is_found_before_it_does(own_settings: dict[str, Any]) -> None:
    assert diagnose_alias("default", only=[CHECK]).findings == ()
    own_settings["OPTIONS"]["pool"] = {"max_size": 3}
    own_settings["CONN_MAX_AGE"] = 60
    (found,) = diagnose_alias("default", only=[CHECK]).findings
    assert found.severity is Severity.CRITICAL
    with pytest.raises(ImproperlyConfigured, match="persistent connections"):
        _ = DatabaseWrapper(own_settings, "unused").pool
    own_settings["CONN_MAX_AGE"] = 0
    assert diagnose_alias("default", only=[CHECK]).findings == ()


@pytest.mark.parametrize(
    ("pool", "size"),
    [(None, None), (False, None), (True, 4), ({"min_size": 2}, 2), ({"min_size": 2, "max_size": 9}, 9)],
)
def test_the_size_of_a_pool_is_what_it_may_grow_to(own_settings: dict[str, Any], pool: Any, size: int | None) -> None:
    own_settings["OPTIONS"]["pool"] = pool
    (row,) = [row for row in django_databases("default") if row.is_target]
    assert (row.pool_size, row.is_same_server, row.uses_cursors, row.prepares) == (size, True, True, False)
