from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dbops.checks.blocked_lock import check
from dbops.findings.finding import Finding, Kind, Severity, Target
from dbops.findings.report import Outcome
from tests.looking import Looked, apply, look
from tests.session_builders import SERVER, a_hidden_session, a_session, connect_as, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.snapshot.session_rows import Session
    from tests.servers import Database

CHECK = "blocked_lock"
ROOT: dict[str, Any] = {
    "pid": 5,
    "application": "batch",
    "state": "idle in transaction",
    "state_s": 200.0,
    "transaction_s": 260.0,
    "command": "UPDATE",
}
WAITING: dict[str, Any] = {
    "waiting_s": 12.0,
    "lock_type": "transactionid",
    "lock_mode": "ShareLock",
    "blocked_by": (5,),
}
ON_TABLE: dict[str, Any] = {"lock_type": "relation", "lock_mode": "AccessShareLock", "lock_relation": "public.t"}


def said(*sessions: Session) -> list[Finding]:
    return list(check(sessions, (SERVER,)))


def finding(*sessions: Session) -> Finding:
    (found,) = said(*sessions)
    return found


def test_the_root_is_named_with_what_it_does_and_who_waits() -> None:
    found = finding(a_session(**ROOT), a_session(**WAITING))
    assert found.target == Target(Kind.SESSION, "web@batch")
    assert found.severity is Severity.WARNING
    assert found.message == (
        "1 session waits behind it for 12 s (for rows that it changed); it has been idle in a transaction for "
        "3 min 20 s since its last UPDATE, its transaction began 4 min 20 s ago."
    )
    assert found.evidence == {
        "waiting": 1,
        "waiting_s": 12,
        "waiting_pid": 11,
        "waiting_account": "web@shop",
        "lock_type": "transactionid",
        "lock_mode": "ShareLock",
        "sessions": 1,
        "pid": 5,
        "state": "idle in transaction",
        "state_s": 200,
        "transaction_s": 260,
        "command": "UPDATE",
    }
    assert found.fix is not None
    limit, end = found.fix.sql
    assert limit == "ALTER ROLE web IN DATABASE shop SET idle_in_transaction_session_timeout = '60s';"
    assert "IN ((5, '2026-01-02" in end


@pytest.mark.parametrize(
    ("values", "severity"),
    [
        ({"waiting_s": 9.9}, None),
        ({"waiting_s": 10.0}, Severity.WARNING),
        ({"waiting_s": 60.0}, Severity.CRITICAL),
        ({"waiting_s": 900.0, "lock_type": "advisory"}, Severity.INFO),
        ({"waiting_s": 900.0, "lock_type": "virtualxid"}, Severity.INFO),
        ({"is_here": False, "database": "other"}, None),
        ({"blocked_by": (99,)}, None),
    ],
)
def test_what_counts_is_how_long_somebody_waits(values: dict[str, Any], severity: Severity | None) -> None:
    found = said(a_session(**ROOT), a_session(**{**WAITING, **values}))
    assert [one.severity for one in found] == ([severity] if severity else [])


def test_a_queue_is_one_tree_and_those_in_it_are_not_to_blame() -> None:
    reader = a_session(5, application="report", state="active", state_s=900.0, transaction_s=900.0, command="SELECT")
    alter = a_session(
        12, application="migrate", **{**WAITING, **ON_TABLE, "waiting_s": 62.5, "lock_mode": "AccessExclusiveLock"}
    )
    readers = [a_session(pid, **{**WAITING, **ON_TABLE, "blocked_by": (12,)}) for pid in (13, 14)]
    found = finding(*readers, alter, reader)
    assert found.target.name == "web@report"
    assert found.severity is Severity.CRITICAL
    assert found.message == (
        "3 sessions wait behind it, the longest for 1 min 2 s (for AccessExclusiveLock on public.t); "
        "it has been at work on its SELECT for 15 min, its transaction began 15 min ago."
    )
    assert found.fix is not None
    assert len(found.fix.sql) == 1
    assert found.fix.undo == ()


def test_several_roots_of_one_account_are_one_finding() -> None:
    roots = [a_session(**{**ROOT, "pid": 6, "transaction_s": 10.0}), a_session(**ROOT)]
    found = finding(*roots, a_session(**{**WAITING, "blocked_by": (5, 6)}))
    assert found.message.endswith("began 4 min 20 s ago; 2 sessions of it stand in the way.")
    assert (found.evidence["waiting"], found.evidence["sessions"], found.evidence["pid"]) == (1, 2, 5)
    assert found.fix is not None
    assert "(5, '" in found.fix.sql[-1]
    assert "(6, '" in found.fix.sql[-1]


def test_roots_of_several_accounts_are_told_apart() -> None:
    other = a_session(6, application="shell", state="active")
    seen = said(a_session(**ROOT), other, a_session(**{**WAITING, "blocked_by": (5, 6)}))
    assert {one.target.name for one in seen} == {"web@batch", "web@shell"}


def test_the_patient_do_not_make_the_others_wait_longer() -> None:
    lead = a_session(12, **{**WAITING, "lock_type": "advisory", "waiting_s": 86_400.0})
    found = finding(a_session(**ROOT), lead, a_session(**WAITING))
    assert (found.severity, found.evidence["waiting_s"], found.evidence["waiting_pid"]) == (Severity.WARNING, 12, 11)


@pytest.mark.parametrize(
    ("root", "name", "doing"),
    [
        (a_hidden_session(5), "web@shop", "what it does this role may not see: GRANT pg_monitor TO it"),
        (
            a_session(5, role=None, kind="startup", state=None, transaction_s=None),
            "startup",
            "it is the server's own process startup",
        ),
    ],
)
def test_what_cannot_be_ended_so_has_no_fix(root: Session, name: str, doing: str) -> None:
    found = finding(root, a_session(**{**WAITING, **ON_TABLE}))
    assert found.target.name == name
    assert found.message == f"1 session waits behind it for 12 s (for AccessShareLock on public.t); {doing}."
    assert found.fix is None


@pytest.mark.parametrize(
    "values",
    [
        {"role": None, "kind": "autovacuum worker", "state": "active"},
        {"application": "pg_dump", "state": "idle in transaction", "state_s": 900.0},
    ],
)
def test_what_ought_to_finish_does_and_who_cannot_wait_for_it_is_ended(values: dict[str, Any]) -> None:
    root = a_session(5, **values)
    alter = a_session(12, **{**WAITING, **ON_TABLE, "lock_mode": "AccessExclusiveLock"})
    found = finding(root, alter, a_session(13, **{**WAITING, **ON_TABLE, "blocked_by": (12,)}))
    assert found.target.name == root.account
    assert found.fix is not None
    (end,) = found.fix.sql
    assert end.endswith("IN ((12, '2026-01-02 00:00:00.000000+00'));")


def test_nobody_elsewhere_is_ended_for_a_dump() -> None:
    dump = a_session(5, application="pg_dump")
    elsewhere = a_session(12, **{**WAITING, "is_here": False, "database": "other"})
    assert finding(dump, elsewhere, a_session(13, **{**WAITING, "blocked_by": (12,)})).fix is None


def test_a_prepared_transaction_is_said_to_be_one() -> None:
    found = finding(a_session(**{**WAITING, "blocked_by": (0,)}))
    assert found.target.name == "prepared transaction"
    assert found.fix is None
    assert "ROLLBACK PREPARED" in found.message


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        ({"lock_type": "tuple", "lock_relation": "public.t"}, "for a row of public.t"),
        ({"lock_type": "advisory"}, "for a lock of type advisory"),
        ({"lock_type": "virtualxid", "command": "REINDEX CONCURRENTLY"}, "REINDEX CONCURRENTLY waits for older"),
    ],
)
def test_the_message_says_what_is_waited_for(values: dict[str, Any], asked: str) -> None:
    assert f"for 12 s ({asked}" in finding(a_session(**ROOT), a_session(**{**WAITING, **values})).message


# On real servers.


def looked(database: Database, role: str | None = None) -> Looked:
    """What the check says when a fifth of a second is long."""
    return look(database, CHECK, role=role, waiting_s=0.2)


@pytest.fixture
def web(database: Database) -> str:
    database.execute("CREATE TABLE t (id int PRIMARY KEY, note text); INSERT INTO t VALUES (1, 'secret')")
    role = database.create_role(f"{database.name}_web")
    database.execute(f"ALTER TABLE t OWNER TO {role}")
    return role


@contextmanager
def queueing(database: Database, *waiting: tuple[psycopg.Connection, str]) -> Iterator[None]:
    """Let sessions wait, one after the other, each for a fifth of a second at least; end them all afterwards."""

    def wait(session: psycopg.Connection, statement: str) -> None:
        with suppress(psycopg.OperationalError):
            session.execute(statement)

    is_waiting = "SELECT pid FROM pg_locks WHERE NOT granted AND waitstart < clock_timestamp() - interval '0.2 s'"
    threads = []
    try:
        for session, statement in waiting:
            threads.append(threading.Thread(target=wait, args=(session, statement)))
            threads[-1].start()
            wait_until(database, f"pid IN ({is_waiting}) AND pid = %s", session.info.backend_pid)
        yield
    finally:
        for session, _statement in waiting:
            database.execute("SELECT pg_terminate_backend(%s)", session.info.backend_pid)
        for thread in threads:
            thread.join()


def test_the_root_is_found_and_ended_and_the_others_go_on(database: Database, web: str) -> None:
    root = connect_as(database, web, "shell", autocommit=False)
    root.execute("SELECT * FROM t WHERE note = 'secret'")
    alter, reader = connect_as(database, web, "migrate"), connect_as(database, web)
    bare = database.create_role(f"{database.name}_bare")
    with queueing(database, (alter, "ALTER TABLE t ADD COLUMN a int"), (reader, "SELECT 'secret' FROM t")):
        seen, bare_seen = looked(database), looked(database, role=bare)
        assert seen.targets == bare_seen.targets == [f"{web}@shell"]
        (found,) = seen.findings
        assert "(for AccessExclusiveLock on public.t); it has been idle in a transaction" in found.message
        assert found.evidence["waiting"] == 2
        assert (found.evidence["pid"], found.evidence["command"]) == (root.info.backend_pid, "SELECT")
        assert found.evidence["waiting_pid"] == alter.info.backend_pid
        assert "secret" not in repr(found)
        assert "GRANT pg_monitor" in bare_seen.findings[0].message
        apply(database, found.fix)
        assert looked(database).result.outcome is Outcome.OK
    assert database.execute("SELECT attname FROM pg_attribute WHERE attname = 'a' AND attrelid = 't'::regclass")


def test_a_dump_goes_on_and_who_stops_the_others_is_ended(database: Database, web: str) -> None:
    dump = connect_as(database, web, "pg_dump", autocommit=False)
    dump.execute("LOCK TABLE t IN ACCESS SHARE MODE")
    alter, reader = connect_as(database, web, "migrate"), connect_as(database, web)
    with queueing(database, (alter, "ALTER TABLE t ADD COLUMN a int"), (reader, "SELECT FROM t")):
        (found,) = looked(database).findings
        assert found.target.name == f"{web}@pg_dump"
        apply(database, found.fix)
        assert looked(database).result.outcome is Outcome.OK
        dump.execute("SELECT FROM t")


def test_rows_that_are_changed_by_several_have_one_root(database: Database, web: str) -> None:
    root = connect_as(database, web, "shell", autocommit=False)
    root.execute("UPDATE t SET note = 'a'")
    change = "UPDATE t SET note = 'secret'"
    first, second = connect_as(database, web), connect_as(database, web)
    with queueing(database, (first, change), (second, change)):
        (found,) = looked(database).findings
        assert found.target.name == f"{web}@shell"
        assert found.evidence["waiting"] == 2
        assert "(for rows that it changed)" in found.message
        apply(database, found.fix)
        assert looked(database).result.outcome is Outcome.OK


def test_a_statement_that_runs_for_long_is_found_and_ended(database: Database, web: str) -> None:
    root, alter = connect_as(database, web, "report"), connect_as(database, web, "migrate")
    running = threading.Thread(target=_until_ended, args=(root, "SELECT pg_sleep(60) FROM t"))
    running.start()
    wait_until(database, "pid = %s AND wait_event = 'PgSleep'", root.info.backend_pid)
    with queueing(database, (alter, "ALTER TABLE t ADD COLUMN a int")):
        (found,) = looked(database).findings
        assert found.target.name == f"{web}@report"
        assert "it has been at work on its SELECT" in found.message
        apply(database, found.fix)
        running.join()
        assert looked(database).result.outcome is Outcome.OK


def _until_ended(session: psycopg.Connection, statement: str) -> None:
    with pytest.raises(psycopg.OperationalError):
        session.execute(statement)


def test_an_application_s_own_lock_and_an_index_built_beside_the_work_are_only_mentioned(
    database: Database, web: str
) -> None:
    leader = connect_as(database, web, "leader", autocommit=False)
    leader.execute("SELECT pg_advisory_lock(1)")
    leader.execute("INSERT INTO t VALUES (2)")
    follower, builder = connect_as(database, web), connect_as(database, "postgres")
    with queueing(
        database, (follower, "SELECT pg_advisory_lock(1)"), (builder, "CREATE INDEX CONCURRENTLY i ON t (note)")
    ):
        (found,) = look(database, CHECK, waiting_s=0.2, critical_s=0.2).findings
        assert (found.target.name, found.severity) == (f"{web}@leader", Severity.INFO)
        assert found.evidence["waiting"] == 2


def test_a_short_wait_is_nothing(database: Database, web: str) -> None:
    root = connect_as(database, web, autocommit=False)
    root.execute("UPDATE t SET note = 'a'")
    with queueing(database, (connect_as(database, web), "DELETE FROM t")):
        assert look(database, CHECK).result.outcome is Outcome.OK
