"""The installed app on psycopg2, where psycopg 3 is missing: the same report, the same limits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dbops.collect.postgres import collect
from dbops.collect.session import LookError, Session
from dbops.snapshot.snapshot import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Database

UNCOUNTED = "-c pg_stat_statements.track=none"  # as tests.servers has it, which needs psycopg 3
psycopg2: Any = pytest.importorskip("psycopg2")

PROJECT = Path(__file__).parent.parent
#: A project of its own, in which `import psycopg` fails.
MANAGE = """
import sys
sys.modules["psycopg"] = None

import django
from django.conf import settings
from django.core.management import execute_from_command_line

_, name, host, port, *arguments = sys.argv
database = {"ENGINE": "django.db.backends.postgresql", "NAME": name, "HOST": host, "PORT": port, "USER": "postgres"}
settings.configure(
    DATABASES={"default": database}, USE_TZ=True, INSTALLED_APPS=["django.contrib.contenttypes", "dbops"]
)
django.setup()
execute_from_command_line(["manage.py", "dbanalyze", "--format", "json", *arguments])
"""


@pytest.fixture
def connection(database: Database) -> Iterator[Any]:
    """A connection of psycopg2."""
    with closing(psycopg2.connect(database.dsn)) as connection:
        connection.autocommit = True
        yield connection


def test_the_command_reports_an_alias_and_a_dsn_alike(database: Database) -> None:
    database.execute("""
        CREATE TABLE "größe_价格" (id int);
        CREATE TABLE kept (id serial PRIMARY KEY);
        SELECT setval('kept_id_seq', 5);
        INSERT INTO kept (id) VALUES (6);
    """)
    place = database.server.cluster
    only = ["--only", "missing_primary_key,lagging_sequence"]
    for arguments in only, [*only, "--dsn", database.dsn]:
        argv = [sys.executable, "-c", MANAGE, database.name, str(place.socket_dir), "5432", *arguments]
        ended = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False)
        assert ended.stderr == ""
        (report,) = json.loads(ended.stdout)["reports"]
        assert {(finding["check"], finding["target"]) for finding in report["findings"]} == {
            ("missing_primary_key", 'public."größe_价格"'),
            ("lagging_sequence", "public.kept_id_seq"),
        }


def test_a_sql_ascii_database_is_read_whatever_bytes_are_in_it(database: Database) -> None:
    name = f"{database.name}_ascii"
    with database.server.connect() as owner:
        owner.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
        try:
            with database.server.connect(name, client_encoding="latin1", options=UNCOUNTED) as legacy:
                legacy.execute('CREATE TABLE "caf\xe9" (id int); CREATE TABLE "gr\xc3\xbcn" (id int)')
            with closing(psycopg2.connect(database.server.dsn(name), options=UNCOUNTED)) as looking:
                looking.autocommit = True
                snapshot = collect(Session(looking, psycopg2.Error), alias=None, database=name)
        finally:
            owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
    tables = snapshot.section("tables")
    assert not isinstance(tables, Unavailable), tables
    assert {table.name for table in tables} == {"grün", "caf\\xe9"}


def test_a_statement_that_fails_costs_itself_alone(connection: Any) -> None:
    session = Session(connection, psycopg2.Error, statement_timeout_ms=200)
    with session.transaction():
        with pytest.raises(LookError) as slow:
            session.read("SELECT pg_sleep(5)")
        assert slow.value.sqlstate == "57014"
        assert session.read("SELECT %s::int AS one", [1]) == [{"one": 1}]


def test_a_frozen_server_does_not_hang_the_look(connection: Any) -> None:
    pid = connection.info.backend_pid

    def freeze(step: str, _done: int, _total: int) -> None:
        if step == "tables":
            os.kill(pid, signal.SIGSTOP)

    try:
        session = Session(connection, psycopg2.Error, statement_timeout_ms=300, grace_ms=200)
        snapshot = collect(session, alias=None, database="", progress=freeze)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert snapshot.interrupted == "the connection was lost: the server did not answer within 0.5 s"
