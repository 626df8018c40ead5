"""Connections of our own: private, direct, plain about what is wrong, and silent about passwords."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.db import connections
from django.db.backends.postgresql.features import DatabaseFeatures
from django.test import override_settings

from dbops.errors import ConfigurationError, TargetUnreachableError
from dbops.sources import connect_alias, connect_dsn, models_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Database


class Replicated:
    """A router as Django's documentation writes it for a replica: nothing migrates there."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == "default"


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that takes connections and never says a word, as a frozen server does."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening.getsockname()[1]


def test_a_replica_has_the_models_of_the_default_database() -> None:
    with override_settings(DATABASE_ROUTERS=[Replicated()]):
        assert models_in("replica", apps) == models_in("default", apps) != ()


@pytest.mark.django_db
def test_an_aliass_connection_is_not_the_applications_own() -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (mine,) = cursor.fetchone()
    with connect_alias("default") as (private, error), closing(private.cursor()) as cursor:
        cursor.execute("SELECT pg_backend_pid(), current_setting('application_name')")
        pid, name = cursor.fetchone()
        assert (pid != mine, name) == (True, "dbops")
        with pytest.raises(error):
            cursor.execute("SELECT nothing")
    assert private.closed


def test_an_unknown_alias_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="no database 'nowhere'") as refused, connect_alias("nowhere"):
        pass
    assert "default" in str(refused.value.hint)


def test_another_vendor_is_refused() -> None:
    connections.settings["lite"] = {**connections.settings["default"], "ENGINE": "django.db.backends.sqlite3"}
    try:
        with pytest.raises(ConfigurationError, match="is SQLite, not PostgreSQL"), connect_alias("lite"):
            pass
    finally:
        del connections["lite"]
        del connections.settings["lite"]


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_a_dsn_opens_an_autocommit_connection(database: Database) -> None:
    with connect_dsn(database.dsn) as (connection, _), closing(connection.cursor()) as cursor:
        cursor.execute("SELECT current_database()")
        assert cursor.fetchone() == (database.name,)
        assert connection.autocommit
    assert connection.closed


@pytest.mark.parametrize("dsn", ["postgresql://u:s3cret@127.0.0.1:1/shop", "host=127.0.0.1 port=1 password=s3cret"])
def test_a_server_that_is_not_there_is_one_line_without_the_password(dsn: str) -> None:
    with pytest.raises(TargetUnreachableError) as refused, connect_dsn(dsn):
        pass
    assert "\n" not in refused.value.message
    assert "127.0.0.1" in refused.value.message
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:s3cret@[::1/shop",
        "s3cret",
        "host=x passwort=s3cret",
        "postgresql://127.0.0.1:s3cret/shop",
        "host=127.0.0.1 port=s3cret",
    ],
)
def test_a_dsn_that_cannot_be_read_is_not_repeated(dsn: str) -> None:
    with pytest.raises((ConfigurationError, TargetUnreachableError)) as refused, connect_dsn(dsn):
        pass
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_names_come_through_whatever_encoding_the_environment_asks_for(
    database: Database, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", encoding)
    with connect_dsn(database.dsn) as (connection, _), closing(connection.cursor()) as cursor:
        cursor.execute("SELECT 'größe_价格'")
        assert cursor.fetchone() == ("größe_价格",)


@pytest.mark.django_db
def test_a_server_that_django_finds_too_old_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DatabaseFeatures, "minimum_database_version", (99,))
    monkeypatch.setattr("django.db.backends.base.base.RAN_DB_VERSION_CHECK", set())
    with pytest.raises(TargetUnreachableError, match=r"PostgreSQL 99 or later is required"), connect_alias("default"):
        pass


def test_a_server_that_never_answers_is_given_up(black_hole: int) -> None:
    dsn = f"host=127.0.0.1 port={black_hole} connect_timeout=2 user=u dbname=shop"
    with pytest.raises(TargetUnreachableError, match="timeout"), connect_dsn(dsn):
        pass
