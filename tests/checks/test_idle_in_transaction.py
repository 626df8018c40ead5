from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dbops.checks.idle_in_transaction import check
from dbops.findings.finding import Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from tests.looking import Looked, apply, look, undo
from tests.session_builders import SERVER, a_hidden_session, a_session, connect_as, wait_until

if TYPE_CHECKING:
    from dbops.snapshot.session_rows import Session
    from tests.servers import Database

CHECK = "idle_in_transaction"
IDLE: dict[str, Any] = {"state": "idle in transaction", "state_s": 61.0, "transaction_s": 75.0}
END = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
    "WHERE (pid, xact_start) IN ((11, '2026-01-02 00:00:00.000000+00'));"
)
LIMIT = "ALTER ROLE web IN DATABASE shop SET idle_in_transaction_session_timeout = '60s';"


def said(*sessions: Session, **server: Any) -> list[Finding | Unseen]:
    return list(check(sessions, (replace(SERVER, **server),)))


def finding(*sessions: Session, **server: Any) -> Finding:
    (found,) = said(*sessions, **server)
    assert isinstance(found, Finding)
    return found


def test_it_is_named_by_role_and_application_and_ended_now_and_from_now_on() -> None:
    found = finding(a_session(**IDLE, command="UPDATE", query_id=42, has_written=True))
    assert found.target == Target(Kind.SESSION, "web@shop")
    assert found.severity is Severity.WARNING
    assert found.location is None
    assert found.message == (
        "Idle in a transaction for 1 min 1 s since its last UPDATE: the rows it changed stay locked, "
        "and VACUUM removes nothing that died since, in any table."
    )
    assert found.evidence == {
        "idle_s": 61,
        "sessions": 1,
        "pid": 11,
        "state": "idle in transaction",
        "transaction_s": 75,
        "command": "UPDATE",
        "query_id": 42,
    }
    assert found.fix is not None
    assert found.fix.sql == (LIMIT, END)
    assert found.fix.undo == ("ALTER ROLE web IN DATABASE shop RESET idle_in_transaction_session_timeout;",)
    assert found.fix.caution == (
        "ends the session: what it had not committed is rolled back; later sessions of web end when they are idle in "
        "a transaction for 60 s, which undoing takes back"
    )


@pytest.mark.parametrize(
    ("values", "severity"),
    [
        ({"state_s": 59.9}, None),
        ({"state_s": 60.0}, Severity.WARNING),
        ({"state_s": 300.0}, Severity.CRITICAL),
        ({"state": "idle in transaction (aborted)"}, Severity.WARNING),
        ({"state": "idle", "state_s": 9000.0}, None),
        ({"state": "active", "state_s": 9000.0}, None),
        ({"application": "pg_dump"}, None),
        ({"is_here": False, "database": "other"}, None),
        ({"kind": "walsender"}, None),
        ({"role": None, "kind": "logical replication worker"}, None),
    ],
)
def test_what_counts_is_how_long_it_has_been_idle(values: dict[str, Any], severity: Severity | None) -> None:
    assert [one.severity for one in said(a_session(**{**IDLE, **values})) if isinstance(one, Finding)] == (
        [severity] if severity else []
    )


@pytest.mark.parametrize(
    ("values", "ending"),
    [
        ({}, "an ALTER TABLE on what it read waits, and every other statement on that table behind it."),
        (
            {"snapshot_age": 5},
            "with the snapshot open, VACUUM removes nothing that died since, in any table.",
        ),
    ],
)
def test_the_message_says_what_it_holds(values: dict[str, Any], ending: str) -> None:
    assert finding(a_session(**IDLE, **values)).message == f"Idle in a transaction for 1 min 1 s: {ending}"


def test_many_of_one_account_are_one_finding_by_the_worst() -> None:
    others = a_session(14, **IDLE, application="batch"), a_session(15, **IDLE, role="batch", application="")
    web, batch, role = said(
        a_session(12, **IDLE, has_written=True), *others, a_session(13, **{**IDLE, "state_s": 4000.0}), a_session(16)
    )
    assert isinstance(web, Finding)
    assert isinstance(batch, Finding)
    assert isinstance(role, Finding)
    assert [one.target.name for one in (web, batch, role)] == ["web@shop", "web@batch", "batch"]
    assert web.severity is Severity.CRITICAL
    assert web.message.startswith(
        "2 sessions are idle in a transaction, the longest for 1 h 6 min: the rows they changed"
    )
    assert (web.evidence["sessions"], web.evidence["pid"]) == (2, 13)
    assert web.fix is not None
    assert "(12, '2026-01-02 00:00:00.000000+00'), (13, " in web.fix.sql[-1]
    assert web.fix.caution is not None
    assert web.fix.caution.startswith("ends 2 sessions: what they had not committed")


def test_the_target_stays_when_the_process_changes() -> None:
    prints = {finding(a_session(pid, **IDLE)).fingerprint("shop") for pid in (11, 12)}
    assert len(prints) == 1


@pytest.mark.parametrize(
    ("values", "where"), [({"is_superuser": True}, {}), ({}, {"is_standby": True}), ({"role_settings": None}, {})]
)
def test_no_limit_is_set_where_it_cannot_be_or_is(values: dict[str, Any], where: dict[str, Any]) -> None:
    if "role_settings" in values:
        values = {"role_settings": ("work_mem=8MB", "idle_in_transaction_session_timeout=60s")}
    found = finding(a_session(**IDLE, **values), **where)
    assert found.fix is not None
    assert (found.fix.sql, found.fix.undo) == ((END,), ())


def test_undoing_brings_an_older_limit_back() -> None:
    found = finding(a_session(**IDLE, role_settings=("idle_in_transaction_session_timeout=10min",)))
    assert found.fix is not None
    assert found.fix.undo == (LIMIT.replace("60s", "10min"),)


@pytest.mark.parametrize(
    ("session", "reason"),
    [
        (a_hidden_session(), "this role may not see what they do: GRANT pg_monitor TO it"),
        (a_session(state="disabled"), "track_activities is off for them"),
    ],
)
def test_what_is_not_known_is_said_once_for_an_account(session: Session, reason: str) -> None:
    assert said(session, replace(session, pid=12)) == [Unseen("web@shop", reason)]


# On real servers.


@pytest.fixture
def web(database: Database) -> str:
    database.execute("CREATE TABLE t (id int PRIMARY KEY, note text); INSERT INTO t VALUES (1, 'secret')")
    role = database.create_role(f"{database.name}_web")
    database.execute(f"GRANT ALL ON t TO {role}")
    return role


def looked(database: Database, role: str | None = None) -> Looked:
    """What the check says when a fifth of a second is long."""
    return look(database, CHECK, role=role, idle_s=0.2)


def forget(database: Database, role: str, statement: str, application: str = "shop") -> psycopg.Connection:
    """Begin a transaction and do nothing more in it for a while."""
    session = connect_as(database, role, application, autocommit=False)
    session.execute(statement)
    wait_until(
        database,
        "pid = %s AND state = 'idle in transaction' AND state_change < clock_timestamp() - interval '0.2 s'",
        session.info.backend_pid,
    )
    return session


def test_a_forgotten_transaction_is_found_ended_and_does_not_come_again(database: Database, web: str) -> None:
    forgotten = forget(database, web, "UPDATE t SET note = 'secret' WHERE id = 1")
    healthy = connect_as(database, web)
    healthy.execute("SELECT * FROM t")
    seen = looked(database)
    assert seen.targets == [f"{web}@shop"]
    (found,) = seen.findings
    assert (found.evidence["pid"], found.evidence["command"]) == (forgotten.info.backend_pid, "UPDATE")
    assert "the rows it changed stay locked" in found.message
    assert "secret" not in repr(found)
    apply(database, found.fix)
    assert looked(database).result.outcome is Outcome.OK
    with pytest.raises(psycopg.OperationalError):
        forgotten.execute("SELECT 1")
    assert healthy.execute("SELECT note FROM t").fetchone() == ("secret",)

    next_one = connect_as(database, web)
    assert next_one.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("200ms",)
    undo(database, found.fix)
    assert connect_as(database, web).execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("0",)


def test_a_session_that_went_on_meanwhile_is_not_ended(database: Database, web: str) -> None:
    session = forget(database, web, "SELECT * FROM t")
    (found,) = looked(database).findings
    session.rollback()
    session.execute("SELECT 1")
    apply(database, found.fix)
    assert session.execute("SELECT 1").fetchone() == (1,)


def test_a_limit_the_role_had_is_restored(database: Database, web: str) -> None:
    database.execute(f"ALTER ROLE {web} IN DATABASE {database.name} SET idle_in_transaction_session_timeout = '90min'")
    forget(database, web, "SELECT 1")
    (found,) = looked(database).findings
    apply(database, found.fix)
    undo(database, found.fix)
    session = connect_as(database, web)
    assert session.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("90min",)


def test_another_role_needs_pg_monitor_to_see_it(database: Database, web: str) -> None:
    forget(database, web, "SELECT 1", application="Odd 'app\"")
    bare = database.create_role(f"{database.name}_bare")
    monitor = database.create_role(f"{database.name}_monitor", pg_monitor=True)
    unseen = looked(database, role=bare)
    assert unseen.findings == []
    assert unseen.result.reason is not None
    assert "GRANT pg_monitor TO it" in unseen.result.reason
    assert f"{web}@Odd 'app\"" in unseen.result.reason
    (found,) = looked(database, role=monitor).findings
    assert found.target.name == f"{web}@Odd 'app\""
    apply(database, found.fix)
    assert looked(database, role=monitor).result.outcome is Outcome.OK


def test_an_odd_role_name_survives_into_the_fix(database: Database) -> None:
    role = database.create_role(f"{database.name} \"Ödd' role")
    forget(database, role, "SELECT 1", application="")
    (found,) = looked(database).findings
    assert found.target.name == role
    apply(database, found.fix)
    assert looked(database).result.outcome is Outcome.OK
