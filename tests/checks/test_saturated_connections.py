from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dbops.checks.saturated_connections import check
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target
from dbops.findings.report import Outcome
from dbops.snapshot.session_rows import ConnectionLimit
from tests.checks.mending import assert_mends
from tests.looking import apply, look, undo
from tests.session_builders import SERVER, a_hidden_session, a_session, connect_as, wait_until

if TYPE_CHECKING:
    from dbops.snapshot.session_rows import Session
    from tests.servers import Database

CHECK = "saturated_connections"
IN_ALL = ConnectionLimit(scope="server", name="max_connections", most=100, reserved=3)
OF_ROLE = ConnectionLimit(scope="role", name="web", most=20, reserved=0)
OF_DATABASE = ConnectionLimit(scope="database", name="shop", most=20, reserved=0)


def many(count: int, **values: Any) -> list[Session]:
    return [a_session(1000 + number, **{"state": "active", **values}) for number in range(count)]


def said(*limits: ConnectionLimit, sessions: list[Session], **thresholds: Any) -> list[Finding]:
    return list(check(limits, tuple(sessions), (SERVER,), **thresholds))


def finding(*limits: ConnectionLimit, sessions: list[Session], **thresholds: Any) -> Finding:
    (found,) = said(*limits, sessions=sessions, **thresholds)
    return found


@pytest.mark.parametrize(
    ("used", "severity"), [(72, None), (73, Severity.WARNING), (87, Severity.WARNING), (88, Severity.CRITICAL)]
)
def test_what_counts_is_the_part_of_those_an_ordinary_role_can_have(used: int, severity: Severity | None) -> None:
    seen = said(IN_ALL, sessions=many(used))
    assert [one.severity for one in seen] == ([severity] if severity else [])


def test_it_says_who_has_them_and_what_they_do() -> None:
    sessions = [
        *many(60, state="idle", state_s=30.0),
        *many(10, role="batch", application=""),
        *many(5, application="shell", state="idle in transaction"),
    ]
    found = finding(IN_ALL, sessions=sessions)
    assert found.target == Target(Kind.SETTING, "max_connections")
    assert found.message == (
        "75 of 97 connections are taken (3 more are kept for superusers): 60 by web@shop, 10 by batch and "
        "5 by web@shell; 60 do nothing. When all are, every further one is refused."
    )
    assert found.evidence == {
        "used": 75,
        "available": 97,
        "reserved": 3,
        "used_ratio": 0.7732,
        "active": 10,
        "idle": 60,
        "idle_in_transaction": 5,
    }
    assert (found.confidence, found.basis) == (Confidence.HIGH, Basis.MEASURED)
    assert found.fix is None


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "walsender"},
        {"kind": "parallel worker"},
        {"kind": "logical replication worker"},
        {"role": None, "kind": "autovacuum worker"},
        {"role": None, "database": None, "kind": "checkpointer"},
    ],
)
def test_what_takes_no_connection_is_not_counted(values: dict[str, Any]) -> None:
    assert said(IN_ALL, sessions=[a_session(), *many(97, **values)]) == []


def test_connections_to_other_databases_count_for_the_server_alone() -> None:
    sessions = [a_session(), *many(80, is_here=False, database="other", role="other")]
    assert [one.target.name for one in said(IN_ALL, OF_DATABASE, OF_ROLE, sessions=sessions)] == ["max_connections"]


def test_a_server_that_others_have_filled_is_full_for_everybody() -> None:
    (found,) = said(IN_ALL, sessions=many(97, is_here=False, database="other"))
    assert (found.target.name, found.severity, found.fix) == ("max_connections", Severity.CRITICAL, None)


def test_a_role_that_is_not_here_is_not_this_databases_affair() -> None:
    assert said(OF_ROLE, sessions=many(20, is_here=False, database="other")) == []


def test_hidden_sessions_are_counted_with_less_certainty() -> None:
    found = finding(IN_ALL, sessions=[*many(70), *[a_hidden_session(pid) for pid in range(10)]])
    assert (found.confidence, found.basis) == (Confidence.MEDIUM, Basis.ESTIMATED)
    assert found.evidence["hidden"] == 10
    assert "active" not in found.evidence


def test_a_limit_of_a_few_is_meant_to_be_reached() -> None:
    few = ConnectionLimit(scope="role", name="web", most=4, reserved=0)
    assert said(few, sessions=many(4)) == []


def test_those_that_nobody_uses_are_ended_when_that_is_enough() -> None:
    sessions = [*many(70), *many(5, state="idle", state_s=601.0), *many(5, state="idle", state_s=599.0)]
    found = finding(IN_ALL, sessions=sessions)
    assert found.fix is None
    assert "; 10 do nothing, 5 of them here for over 10 min." in found.message
    found = finding(IN_ALL, sessions=sessions[5:])
    assert found.fix is not None
    (end,) = found.fix.sql
    assert end == (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid IN (1000, 1001, 1002, 1003, 1004) "
        "AND state = 'idle' AND state_change < clock_timestamp() - interval '600 s';"
    )


def test_those_of_other_databases_are_not_ended_from_here() -> None:
    sessions = [a_session(), *many(80, state="idle", state_s=9000.0, is_here=False, database="other")]
    assert finding(IN_ALL, sessions=sessions).fix is None


@pytest.mark.parametrize(("limit", "what"), [(OF_ROLE, "ROLE web"), (OF_DATABASE, "DATABASE shop")])
def test_a_role_or_a_database_gets_more(limit: ConnectionLimit, what: str) -> None:
    found = finding(IN_ALL, limit, sessions=many(18))
    assert found.target.name == limit.name
    assert found.severity is Severity.CRITICAL
    assert found.fix is not None
    assert found.fix.sql == (f"ALTER {what} CONNECTION LIMIT 32;",)
    assert found.fix.undo == (f"ALTER {what} CONNECTION LIMIT 20;",)


def test_no_more_than_the_server_has_is_given_away() -> None:
    big = ConnectionLimit(scope="role", name="web", most=80, reserved=0)
    assert [one.fix for one in said(IN_ALL, big, sessions=many(65))] == [None]


# On real servers.


def test_a_role_at_its_limit_gets_more(database: Database) -> None:
    web = database.create_role(f"{database.name}_web")
    database.execute(f"ALTER ROLE {web} CONNECTION LIMIT 6")
    for _number in range(5):
        connect_as(database, web)
    (found,) = look(database, CHECK).findings
    assert found.target == Target(Kind.ROLE, web)
    assert found.message.startswith(f"5 of 6 connections are taken: 5 by {web}@shop; 5 do nothing.")
    assert_mends(database, CHECK, found)


def test_a_database_at_its_limit_gets_more(database: Database) -> None:
    database.execute(f"ALTER DATABASE {database.name} CONNECTION LIMIT 5")
    web = database.create_role(f"{database.name}_web")
    for _number in range(4):
        connect_as(database, web)
    (found,) = look(database, CHECK).findings
    assert found.target == Target(Kind.DATABASE, database.name)
    assert found.evidence["used"] == 5  # the superuser's own session is the fifth
    apply(database, found.fix)
    assert look(database, CHECK).result.outcome is Outcome.OK
    undo(database, found.fix)
    assert look(database, CHECK).targets == [database.name]


def test_connections_that_nobody_uses_are_ended(database: Database) -> None:
    web = database.create_role(f"{database.name}_web")
    database.execute(f"ALTER ROLE {web} CONNECTION LIMIT 6")
    unused = [connect_as(database, web) for _number in range(4)]
    for session in unused:
        wait_until(
            database,
            "pid = %s AND state = 'idle' AND state_change < clock_timestamp() - interval '0.2 s'",
            session.info.backend_pid,
        )
    used = connect_as(database, web)
    used.execute("BEGIN")
    (found,) = look(database, CHECK, abandoned_s=0.2).findings
    apply(database, found.fix)
    assert look(database, CHECK).result.outcome is Outcome.OK
    assert used.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError):
        unused[0].execute("SELECT 1")


def test_a_server_that_others_have_filled_is_found_though_nobody_is_here(database: Database) -> None:
    for _number in range(75):
        connect_as(database, "postgres", dbname="postgres")
    (found,) = look(database, CHECK).findings
    assert found.target == Target(Kind.SETTING, "max_connections")
    assert found.fix is None


def test_a_server_with_hardly_a_connection_left_is_found(database: Database) -> None:
    assert look(database, CHECK).result.outcome is Outcome.OK
    web = database.create_role(f"{database.name}_web")
    monitor = database.create_role(f"{database.name}_monitor", pg_monitor=True)
    for _number in range(75):
        connect_as(database, web)
    (found,) = look(database, CHECK).findings
    assert found.target == Target(Kind.SETTING, "max_connections")
    assert found.confidence is Confidence.HIGH
    assert look(database, CHECK, role=monitor).targets == ["max_connections"]
    (unsure,) = look(database, CHECK, role=web).findings
    assert unsure.evidence["used"] in range(75, 97)
