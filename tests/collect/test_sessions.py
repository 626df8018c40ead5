"""The sessions of a server as it shows them: ages by its own clock, no text of a statement, ourselves left out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from dbops.collect import sql_files
from dbops.collect.postgres import collect
from dbops.collect.session import Session
from dbops.snapshot.codec import dump, load
from tests.looking import snapshot_of
from tests.session_builders import connect_as

if TYPE_CHECKING:
    from dbops.snapshot import session_rows
    from dbops.snapshot.snapshot import Snapshot
    from tests.servers import Database

COMMANDS = {
    "SELECT 'secret'": "SELECT",
    "  -- a comment, update t\n /* of ** the /view */(select 'secret')": "SELECT",
    "/* INSERT */ with a as (select 1) select * from a /* DELETE */": "WITH",
    "VACUUM t": "VACUUM",
    "vacuum (verbose, analyze) t": "VACUUM",
    "VACUUM FULL t": "VACUUM FULL",
    "VACUUM (analyze, FULL) t": "VACUUM FULL",
    "ANALYZE t": "ANALYZE",
    "CREATE INDEX ON t (note)": "CREATE",
    "create  unique index\nconcurrently ON t (id)": "CREATE INDEX CONCURRENTLY",
    "REINDEX TABLE t": "REINDEX",
    "REINDEX (VERBOSE) TABLE CONCURRENTLY t": "REINDEX CONCURRENTLY",
    "secret": None,
    "/* secret": None,
    "": None,
}


def sessions(snapshot: Snapshot) -> dict[int, session_rows.Session]:
    section = snapshot.section("sessions")
    assert isinstance(section, tuple)
    return {session.pid: session for session in section}


def test_of_a_statement_its_command_is_known_and_nothing_else(database: Database) -> None:
    database.execute("CREATE TABLE t (id int, note text)")
    session = connect_as(database, "postgres", "shell")
    for statement, command in COMMANDS.items():
        try:
            session.execute(statement)
        except psycopg.errors.SyntaxError:
            assert "secret" in statement
        seen = sessions(snapshot_of(database))[session.info.backend_pid]
        assert (statement, seen.command) == (statement, command)
        assert "secret" not in repr(seen)


def test_a_session_is_seen_with_its_ages_and_ourselves_not(database: Database) -> None:
    begun = time.monotonic()
    session = connect_as(database, "postgres", "shell", autocommit=False)
    session.execute("CREATE TABLE t (id int)")
    looking = database.connect()
    snapshot = collect(Session(looking, psycopg.Error), alias=None, database=database.name)
    seen = sessions(snapshot)
    assert looking.info.backend_pid not in seen
    one = seen[session.info.backend_pid]
    assert (one.account, one.kind, one.state, one.is_here) == (
        "postgres@shell",
        "client backend",
        "idle in transaction",
        True,
    )
    assert one.has_written
    assert one.transaction_s is not None
    assert one.state_s is not None
    assert 0 <= one.state_s <= one.transaction_s <= time.monotonic() - begun
    assert one.blocked_by == ()
    assert load(dump(snapshot)).section("sessions") == snapshot.section("sessions")


def test_an_earlier_look_in_the_same_transaction_does_not_make_them_older(database: Database) -> None:
    """The server shows a transaction the sessions as they were when it first asked, unless told to forget."""
    looking = Session(database.connect(), psycopg.Error)
    session = connect_as(database, "postgres", "shell")
    with looking.transaction():
        looking.read("SELECT count(*) FROM pg_stat_progress_create_index")
        session.execute("BEGIN")
        seen = {row["pid"]: row for row in looking.read(sql_files.statement("sessions", database.major))}
    assert seen[session.info.backend_pid]["state"] == "idle in transaction"


def test_a_role_sees_its_own_sessions_and_that_there_are_others(database: Database) -> None:
    bare = database.create_role(f"{database.name}_bare")
    monitor = database.create_role(f"{database.name}_monitor", pg_monitor=True)
    own, other = connect_as(database, bare), connect_as(database, "postgres", "shell")
    seen = sessions(snapshot_of(database, role=bare))
    assert not seen[own.info.backend_pid].is_hidden
    hidden = seen[other.info.backend_pid]
    assert hidden.is_hidden
    assert (hidden.account, hidden.is_here, hidden.state, hidden.command) == ("postgres@shell", True, None, None)
    assert not any(session.is_hidden for session in sessions(snapshot_of(database, role=monitor)).values())


def test_the_settings_of_a_role_in_this_database_are_known(database: Database) -> None:
    web = database.create_role(f"{database.name}_web")
    database.execute(f"ALTER ROLE {web} SET work_mem = '8MB'")
    database.execute(f"ALTER ROLE {web} IN DATABASE {database.name} SET idle_in_transaction_session_timeout = '9s'")
    session = connect_as(database, web)
    seen = sessions(snapshot_of(database))[session.info.backend_pid]
    assert seen.role_settings == ("idle_in_transaction_session_timeout=9s",)


@pytest.mark.parametrize("scope", ["role", "database", "server"])
def test_limits_are_listed_where_there_are_any(database: Database, scope: str) -> None:
    web = database.create_role(f"{database.name}_web")
    database.execute(f"ALTER ROLE {web} CONNECTION LIMIT 7")
    database.execute(f"ALTER DATABASE {database.name} CONNECTION LIMIT 50")
    section = snapshot_of(database).section("connection_limits")
    assert isinstance(section, tuple)
    (limit,) = [row for row in section if row.scope == scope]
    (most,) = database.execute("SELECT current_setting('max_connections')::int")[0]
    expected = {"role": (web, 7, 7), "database": (database.name, 50, 50), "server": ("max_connections", most, most - 3)}
    assert (limit.name, limit.most, limit.available) == expected[scope]
