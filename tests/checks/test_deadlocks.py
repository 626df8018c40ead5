from __future__ import annotations

import subprocess
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dbops.checks.deadlocks import check
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from tests.activity_builders import a_database_activity, a_window
from tests.looking import snapshot_of
from tests.setting_builders import a_server
from tests.windows import Before, flush, look_over

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "deadlocks"


def said(window: Any = None, database: str = "shop", **values: Any) -> list[Finding | Unseen]:
    return list(check(a_server(database=database), window or a_window(), a_database_activity(**values)))


def finding(*arguments: Any, **values: Any) -> Finding:
    (found,) = (one for one in said(*arguments, **values) if isinstance(one, Finding))
    return found


def test_deadlocks() -> None:
    found = finding(deadlocks=3)
    assert found.target == Target(Kind.DATABASE, "shop")
    assert (found.severity, found.confidence, found.basis) == (Severity.WARNING, Confidence.HIGH, Basis.MEASURED)
    assert found.message == (
        "3 deadlocks within 1 d: the server ended 3 transactions with an error. Its log has the statements on both "
        "sides."
    )
    assert found.evidence == {"deadlocks": 3, "rollbacks": 0, "transactions": 1000, "window_hours": 24.0}
    assert found.fix is None
    assert finding(deadlocks=1).message.startswith(
        "1 deadlock within 1 d: the server ended a transaction with an error."
    )


@pytest.mark.parametrize(
    ("hours", "deadlocks", "severity"),
    [(0.1, 1, Severity.WARNING), (24, 1, Severity.WARNING), (49, 2, Severity.INFO), (48, 2, Severity.WARNING)],
)
def test_one_a_day_is_a_warning(hours: float, deadlocks: int, severity: Severity) -> None:
    assert finding(a_window(hours), deadlocks=deadlocks).severity is severity


def test_rollbacks_are_only_mentioned() -> None:
    found = finding(commits=900, rollbacks=100)
    assert (found.severity, found.confidence) == (Severity.INFO, Confidence.LOW)
    assert found.message == (
        "10% of 1,000 transactions were rolled back: by errors, or by a client that ends so what it has only read. "
        "The server's log has the errors."
    )
    both = finding(commits=900, rollbacks=100, deadlocks=1)
    assert (both.severity, both.confidence) == (Severity.WARNING, Confidence.HIGH)
    assert "both sides. 10% of 1,000" in both.message


@pytest.mark.parametrize(
    "values",
    [
        {"commits": 901, "rollbacks": 100},
        {"commits": 0, "rollbacks": 19},
        {"database": "test_shop", "commits": 0, "rollbacks": 1000},
    ],
)
def test_silent(values: dict[str, Any]) -> None:
    assert said(**values) == []


def test_a_short_window_says_nothing_of_rollbacks() -> None:
    (unseen,) = said(a_window(0.9), commits=0, rollbacks=1000)
    assert unseen == Unseen("rollbacks", "counted for less than 1 h, which may be those of one job")


# On real servers.


def now(database: Database) -> Before:
    flush(database)
    return Before(snapshot_of(database), earlier=timedelta(hours=2))


def run_into_one(database: Database) -> None:
    """Have two sessions wait for one another: each locks a row, and then the other's."""
    first, second = database.connect(), database.connect()
    for session, row in ((first, 1), (second, 2)):
        session.execute("SET deadlock_timeout = '20ms'")
        session.execute("BEGIN")
        session.execute("UPDATE account SET balance = balance + 1 WHERE id = %s", [row])
    failed = []

    def lock(session: psycopg.Connection, row: int) -> None:
        try:
            session.execute("UPDATE account SET balance = balance + 1 WHERE id = %s", [row])
        except psycopg.errors.DeadlockDetected as error:
            failed.append(error)
        session.execute("ROLLBACK" if session.info.transaction_status.name == "INERROR" else "COMMIT")

    thread = threading.Thread(target=lock, args=(first, 2))
    thread.start()
    lock(second, 1)
    thread.join()
    assert len(failed) == 1
    first.close()
    second.close()


@pytest.fixture
def account(database: Database) -> None:
    database.execute("CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL)")
    database.execute("INSERT INTO account SELECT n, 0 FROM generate_series(1, 10) n")


@pytest.mark.usefixtures("account")
def test_a_deadlock_is_found_by_every_role_and_gone_in_the_next_window(database: Database) -> None:
    bare = database.create_role(f"{database.name}_bare")
    before = now(database)
    run_into_one(database)
    for role in (None, bare):
        (found,) = look_over(database, CHECK, before, role=role).findings
        assert found.target == Target(Kind.DATABASE, database.name)
        assert (found.severity, found.evidence["deadlocks"]) == (Severity.WARNING, 1)
    assert look_over(database, CHECK, now(database)).result.outcome is Outcome.OK


@pytest.mark.usefixtures("account")
def test_what_fails_again_and_again_is_mentioned(database: Database) -> None:
    before = now(database)
    for _ in range(25):
        with pytest.raises(psycopg.errors.UniqueViolation):
            database.execute("INSERT INTO account VALUES (1, 1)")
    (found,) = look_over(database, CHECK, before).findings
    assert found.severity is Severity.INFO
    assert found.evidence["rollbacks"] == 25


@pytest.mark.usefixtures("account")
def test_our_own_looks_roll_nothing_back(database: Database) -> None:
    before = now(database)
    for _ in range(8):
        snapshot_of(database)
    looked = look_over(database, CHECK, before, least_transactions=1, rollback_ratio=0.0001)
    assert looked.findings == []


@pytest.mark.usefixtures("account")
def test_exceptions_that_are_handled_do_not_count(database: Database) -> None:
    """An atomic() within another is a savepoint; get_or_create() in autocommit rolls back, now and then."""
    before = now(database)
    for number in range(40):
        session = database.connect()
        with session.transaction():
            try:
                with session.transaction():
                    session.execute("INSERT INTO account VALUES (1, 1)")
            except psycopg.errors.UniqueViolation:
                session.execute("UPDATE account SET balance = balance + 1 WHERE id = 1")
        if number % 20 == 0:
            with pytest.raises(psycopg.errors.UniqueViolation), session.transaction():
                session.execute("INSERT INTO account VALUES (1, 1)")
        session.close()
    assert look_over(database, CHECK, before).result.outcome is Outcome.OK


@pytest.mark.usefixtures("account")
def test_serialization_failures_that_are_tried_again_are_no_alarm(database: Database) -> None:
    before = now(database)
    retries = []

    def work() -> None:
        session = database.connect()
        session.execute("SET default_transaction_isolation = serializable")
        for number in range(50):
            while True:
                try:
                    with session.transaction():
                        session.execute("SELECT sum(balance) FROM account")
                        session.execute("UPDATE account SET balance = balance + 1 WHERE id = %s", [number % 10 + 1])
                except psycopg.errors.SerializationFailure as error:
                    retries.append(error)
                else:
                    break
        session.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert retries
    alarms = [one for one in look_over(database, CHECK, before).findings if one.severity is not Severity.INFO]
    assert alarms == []
    assert database.execute("SELECT sum(balance) FROM account") == [(150,)]


def test_pgbench_is_silent(database: Database) -> None:
    pgbench = database.server.binaries.program("pgbench")
    subprocess.run([pgbench, "--initialize", "--quiet", "--scale=1", database.dsn], check=True, capture_output=True)
    before = now(database)
    load = (pgbench, "--client=8", "--jobs=2", "--transactions=50", "--no-vacuum", database.dsn)
    subprocess.run(load, check=True, capture_output=True)
    assert look_over(database, CHECK, before).result.outcome is Outcome.OK


def test_a_young_database_and_one_without_a_history_are_skipped(database: Database) -> None:
    for looked in (look_over(database, CHECK), look_over(database, CHECK, Before(snapshot_of(database)))):
        assert looked.result.outcome is Outcome.SKIPPED
