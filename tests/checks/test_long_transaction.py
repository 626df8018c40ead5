from __future__ import annotations

import subprocess
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dbops.checks.long_transaction import check
from dbops.findings.finding import Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from tests.looking import Looked, apply, look
from tests.session_builders import SERVER, a_hidden_session, a_session, connect_as, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.snapshot.session_rows import Session
    from tests.servers import Database

CHECK = "long_transaction"
LONG: dict[str, Any] = {"transaction_s": 301.0, "state_s": 290.0}


def said(*sessions: Session) -> list[Finding | Unseen]:
    return list(check(sessions, (SERVER,)))


def finding(*sessions: Session) -> Finding:
    (found,) = said(*sessions)
    assert isinstance(found, Finding)
    return found


def test_it_is_named_by_role_and_application_and_can_be_ended() -> None:
    found = finding(a_session(**LONG, snapshot_age=12_000, command="SELECT", query_id=7, wait_event="IO:DataFileRead"))
    assert found.target == Target(Kind.SESSION, "web@shop")
    assert found.message == (
        "A transaction has been open for 5 min 1 s: VACUUM cannot remove what died in the 12,000 transactions since "
        "its snapshot, in any table, and what it has locked stays locked."
    )
    assert found.evidence == {
        "sessions": 1,
        "pid": 11,
        "state": "active",
        "transaction_s": 301,
        "snapshot_age": 12_000,
        "command": "SELECT",
        "query_id": 7,
        "wait_event": "IO:DataFileRead",
    }
    assert found.fix is not None
    (end,) = found.fix.sql
    assert end == (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE (pid, xact_start) IN ((11, '2026-01-02 00:00:00.000000+00'));"
    )
    assert found.fix.undo == ()
    assert found.fix.caution == "ends the session: what it had not committed is rolled back"


@pytest.mark.parametrize(
    ("values", "severity"),
    [
        ({"transaction_s": 299.0}, None),
        ({}, Severity.WARNING),
        ({"transaction_s": 1800.0}, Severity.CRITICAL),
        ({"state": "idle in transaction", "state_s": 20.0}, Severity.WARNING),
        ({"state": "idle in transaction", "state_s": 160.0}, None),
        ({"waiting_s": 100.0}, Severity.WARNING),
        ({"waiting_s": 290.0}, None),
        ({"command": "VACUUM"}, None),
        ({"command": "VACUUM FULL"}, Severity.WARNING),
        ({"command": "ANALYZE"}, None),
        ({"command": "ANALYZE", "state": "idle in transaction", "state_s": 20.0}, Severity.WARNING),
        ({"command": "CREATE INDEX CONCURRENTLY"}, None),
        ({"command": "REINDEX CONCURRENTLY"}, None),
        ({"command": "CREATE"}, Severity.WARNING),
        ({"application": "pg_dump"}, None),
        ({"kind": "walsender"}, None),
        ({"kind": "autovacuum worker", "role": None}, None),
        ({"kind": "parallel worker"}, None),
        ({"kind": "logical replication worker"}, None),
        ({"is_here": False}, None),
        ({"transaction_s": None}, None),
    ],
)
def test_what_is_meant_to_last_is_left_in_peace(values: dict[str, Any], severity: Severity | None) -> None:
    found = said(a_session(**{**LONG, **values}))
    assert [one.severity for one in found if isinstance(one, Finding)] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("values", "ending"),
    [
        ({"snapshot_age": 0}, "VACUUM cannot remove what dies meanwhile, in any table, and what it has locked stays"),
        ({"has_written": True}, "VACUUM cannot remove what dies meanwhile, in any table, and what it has locked stays"),
        ({}, "what it has locked stays locked, so that an ALTER TABLE waits, and others behind it."),
    ],
)
def test_the_message_says_what_it_holds(values: dict[str, Any], ending: str) -> None:
    message = finding(a_session(**LONG, **values)).message
    assert message.startswith(f"A transaction has been open for 5 min 1 s: {ending}")


def test_many_of_one_account_are_one_finding_by_the_worst() -> None:
    found = finding(a_session(12, **LONG), a_session(13, **{**LONG, "transaction_s": 7300.0}), a_session(14))
    assert found.severity is Severity.CRITICAL
    assert found.message.startswith("2 transactions have been open for long, the longest for 2 h 1 min: ")
    assert (found.evidence["sessions"], found.evidence["pid"]) == (2, 13)


def test_what_is_not_known_is_said_once_for_an_account() -> None:
    hidden = a_hidden_session()
    reason = "this role may not see what they do: GRANT pg_monitor TO it"
    assert said(hidden, replace(hidden, pid=12)) == [Unseen("web@shop", reason)]


# On real servers.


def looked(database: Database, role: str | None = None) -> Looked:
    """What the check says when a fifth of a second is long."""
    return look(database, CHECK, role=role, open_s=0.2)


@pytest.fixture
def web(database: Database) -> str:
    database.execute("CREATE TABLE t (id int PRIMARY KEY, note text); INSERT INTO t VALUES (1, 'secret')")
    role = database.create_role(f"{database.name}_web")
    database.execute(f"GRANT ALL ON t TO {role}")
    return role


@pytest.fixture
def working(database: Database, web: str) -> Iterator[psycopg.Connection]:
    """A session that works in one transaction, in a statement with data in it."""
    session = connect_as(database, web)

    def work() -> None:
        with pytest.raises(psycopg.OperationalError):
            session.execute("/* of the /view */ SELECT pg_sleep(60) FROM t WHERE note = 'secret'")

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(database, session.info.backend_pid)
    yield session
    database.execute("SELECT pg_terminate_backend(%s)", session.info.backend_pid)
    thread.join()


def wait_for(database: Database, pid: int) -> None:
    wait_until(database, "pid = %s AND xact_start < clock_timestamp() - interval '0.2 s'", pid)


def test_a_transaction_that_goes_on_and_on_is_found_and_ended(database: Database, working: psycopg.Connection) -> None:
    seen = looked(database)
    assert seen.targets == [f"{working.info.user}@shop"]
    (found,) = seen.findings
    assert (found.evidence["pid"], found.evidence["command"]) == (working.info.backend_pid, "SELECT")
    assert "snapshot_age" in found.evidence
    assert "secret" not in repr(found)
    apply(database, found.fix)
    assert looked(database).result.outcome is Outcome.OK


def test_another_role_needs_pg_monitor_to_see_it(database: Database, working: psycopg.Connection) -> None:
    bare = database.create_role(f"{database.name}_bare")
    monitor = database.create_role(f"{database.name}_monitor", pg_monitor=True)
    unseen = looked(database, role=bare)
    assert unseen.findings == []
    assert unseen.result.reason is not None
    assert "GRANT pg_monitor TO it" in unseen.result.reason
    assert looked(database, role=monitor).targets == [f"{working.info.user}@shop"]
    assert looked(database, role=working.info.user).targets == [f"{working.info.user}@shop"]


def test_who_waits_for_another_and_who_is_idle_are_left_to_their_own_checks(database: Database, web: str) -> None:
    idle = connect_as(database, web, autocommit=False)
    idle.execute("LOCK TABLE t")
    session = connect_as(database, web)
    thread = threading.Thread(target=session.execute, args=("SELECT * FROM t",))
    thread.start()
    try:
        wait_for(database, session.info.backend_pid)
        wait_for(database, idle.info.backend_pid)
        assert looked(database).result.outcome is Outcome.OK
    finally:
        idle.rollback()
        thread.join()


@pytest.mark.parametrize("statement", ["CREATE INDEX CONCURRENTLY i ON t (note)", "REINDEX TABLE CONCURRENTLY t"])
def test_an_index_that_is_built_beside_the_work_may_take_its_time(database: Database, web: str, statement: str) -> None:
    database.execute("""
        CREATE FUNCTION slow(text) RETURNS text LANGUAGE plpgsql IMMUTABLE
            AS $$ BEGIN PERFORM pg_sleep(1); RETURN $1; END $$;
        CREATE INDEX t_slow ON t (slow(note));
    """)
    if statement.startswith("CREATE"):
        statement = "CREATE INDEX CONCURRENTLY i ON t (slow(note))"
    session = database.connect()
    thread = threading.Thread(target=session.execute, args=(statement,))
    thread.start()
    try:
        wait_for(database, session.info.backend_pid)
        assert looked(database).result.outcome is Outcome.OK
    finally:
        thread.join()


def test_a_dump_may_take_its_time(database: Database) -> None:
    program = database.server.binaries.directory / "pg_dump"
    if not program.exists():
        pytest.skip("there is no pg_dump beside this server")
    database.execute("CREATE TABLE big AS SELECT repeat('x', 1000) AS note FROM generate_series(1, 20000)")
    with subprocess.Popen([program, database.dsn], stdout=subprocess.PIPE) as dump:
        try:
            # Nobody reads what it writes, so that it stays in its COPY.
            wait_until(
                database,
                "application_name = 'pg_dump' AND wait_event = 'ClientWrite' "
                "AND xact_start < clock_timestamp() - interval '0.2 s'",
            )
            assert looked(database).result.outcome is Outcome.OK
        finally:
            dump.kill()
