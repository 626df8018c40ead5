from __future__ import annotations

import shutil
import time
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dbops.analysis.runner import analyze, select
from dbops.checks.held_horizon import check
from dbops.collect.postgres import collect
from dbops.collect.session import Session
from dbops.embedded.postgres import Cluster
from dbops.findings.finding import Basis, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.vacuum_rows import HIDDEN_HOLDERS
from tests.looking import apply, look
from tests.session_builders import connect_as
from tests.setting_builders import SERVER, a_server, a_setting
from tests.vacuum_builders import a_holder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dbops.findings.fix import Fix
    from dbops.snapshot.vacuum_rows import HorizonHolder
    from tests.servers import Database, Server

CHECK = "held_horizon"
MILLION = 1_000_000


def ago(hours: float) -> datetime:
    return SERVER.observed_at - timedelta(hours=hours)


def a_session(xids: int = MILLION, hours: float = 2, **values: Any) -> HorizonHolder:
    return a_holder(**{"pid": 7, "xid_age": xids, "started_at": ago(hours), **values})


def a_prepared(xids: int = MILLION, hours: float = 2, **values: Any) -> HorizonHolder:
    return a_holder("prepared transaction", "gid'7", xid_age=xids, started_at=ago(hours), **values)


def a_slot(kind: str = "slot", xids: int = MILLION, **values: Any) -> HorizonHolder:
    return a_holder(kind, "replica_1", **{"database": None, "xid_age": xids, **values})


def said(*holders: HorizonHolder, is_standby: bool = False, feedback: str = "off", **options: Any) -> Any:
    settings = (a_setting("hot_standby_feedback", feedback),)
    return list(check(a_server(is_standby=is_standby), settings, holders, **options))


def finding(*holders: HorizonHolder, **options: Any) -> Finding:
    (found,) = said(*holders, **options)
    assert isinstance(found, Finding)
    return found


@pytest.mark.parametrize(
    ("xids", "hours", "severity"),
    [
        (MILLION - 1, 23, None),
        (MILLION, 1, None),
        (MILLION, 1.001, Severity.WARNING),
        (10 * MILLION - 1, 24, Severity.WARNING),
        (10 * MILLION, 1.001, Severity.CRITICAL),
        (10 * MILLION, 0.1, Severity.WARNING),
        (MILLION, 24.001, Severity.CRITICAL),
        (MILLION - 1, 24.001, Severity.WARNING),
        (10_000, 24.001, Severity.WARNING),
        (9_999, 1000, None),
    ],
)
@pytest.mark.parametrize("holder", [a_session, a_prepared])
def test_by_age_and_time(
    holder: Callable[[int, float], HorizonHolder], xids: int, hours: float, severity: Severity | None
) -> None:
    assert [one.severity for one in said(holder(xids, hours))] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("xids", "severity"),
    [(MILLION - 1, None), (MILLION, Severity.WARNING), (10 * MILLION, Severity.CRITICAL)],
)
@pytest.mark.parametrize("kind", ["slot", "standby"])
def test_of_slots_and_standbys_nobody_knows_the_time(kind: str, xids: int, severity: Severity | None) -> None:
    assert [one.severity for one in said(a_slot(kind, xids))] == ([severity] if severity else [])


def test_a_session_is_ended() -> None:
    found = finding(a_session())
    assert found.target == Target(Kind.SESSION, "web@report")
    assert found.basis is Basis.MEASURED
    assert found.message == (
        "The session of web@report (pid 7), whose transaction has been open for 2 h, holds what died in the last "
        "1,000,000 transactions: VACUUM can remove none of it, in any table of this database."
    )
    assert found.evidence == {"holder": "session", "xid_age": MILLION, "holders": 1, "open_s": 7200, "pid": 7}
    assert found.fix is not None
    (end,) = found.fix.sql
    assert end == (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE (pid, xact_start) IN ((7, '2026-01-01 22:00:00+00:00'));"
    )
    assert str(found.fix.caution).startswith("ends the session: what was not committed is rolled back")
    assert found.fix.operation is None


def test_sessions_of_one_account_are_one_finding_by_the_worst() -> None:
    found = finding(a_session(pid=8), a_session(3 * MILLION, 30, pid=9), a_session(5 * MILLION, pid=10))
    assert found.severity is Severity.CRITICAL
    assert (found.evidence["pid"], found.evidence["holders"]) == (9, 3)
    assert found.message.endswith("in any table of this database. So do 2 more by that name.")
    assert found.fix is not None
    assert "((8, '2026-01-01 22:00:00+00:00'), (9, '2025-12-31 18:00:00+00:00'), (10, " in found.fix.sql[0]
    two = finding(a_session(pid=8), a_session(pid=9))
    assert two.message.endswith("So does 1 more by that name.")


def test_a_dump_and_the_servers_own_are_told_lower_and_left_alone() -> None:
    dump = finding(a_session(name="web@pg_dump"))
    assert (dump.severity, dump.fix) == (Severity.INFO, None)
    assert dump.message.endswith("A dump of that length is better taken from a standby.")
    assert finding(a_session(20 * MILLION, name="web@pg_dump")).severity is Severity.WARNING
    process = finding(a_session(kind="process", name="autovacuum worker"))
    assert (process.severity, process.fix) == (Severity.INFO, None)


def test_a_prepared_transaction() -> None:
    found = finding(a_prepared())
    assert found.target == Target(Kind.SESSION, "gid'7")
    assert found.message.startswith("The prepared transaction gid'7, prepared 2 h ago, holds what died in the last ")
    assert found.fix is not None
    assert found.fix.sql == ("ROLLBACK PREPARED 'gid''7';",)
    assert not found.fix.in_transaction


def test_slots() -> None:
    idle = finding(a_slot())
    assert idle.target == Target(Kind.SLOT, "replica_1")
    assert idle.message.startswith("The slot replica_1, which nobody uses, holds what died")
    assert idle.message.endswith("in any table of any database.")
    assert idle.fix is not None
    assert idle.fix.sql == ("SELECT pg_drop_replication_slot('replica_1');",)
    used = finding(a_slot(pid=12))
    assert used.message.startswith("The slot replica_1, in use by pid 12, holds")
    assert used.fix is not None
    assert used.fix.sql[0] == "ALTER SYSTEM SET hot_standby_feedback = off;"
    assert str(used.fix.caution).startswith("run it on the standby, not here")


def test_a_logical_slot_holds_the_systems_tables_alone() -> None:
    found = finding(a_slot("logical slot", database="shop"))
    assert found.severity is Severity.INFO
    assert found.message.endswith("in any table of the system, such as pg_attribute.")
    assert finding(a_slot("logical slot", 10 * MILLION, database="shop")).severity is Severity.WARNING
    assert finding(a_slot("logical slot", database="shop", pid=12)).fix is None


def test_a_standby() -> None:
    found = finding(a_slot("standby", pid=12))
    assert found.target == Target(Kind.REPLICA, "replica_1")
    assert found.fix is not None
    assert found.fix.sql == ("ALTER SYSTEM SET hot_standby_feedback = off;", "SELECT pg_reload_conf();")
    assert str(found.fix.caution).startswith("run it on the standby, not here")


def test_silent_of_other_databases() -> None:
    assert said(a_session(database="other"), a_prepared(database="other"), a_slot("logical slot", database="x")) == []


def test_what_is_hidden_is_said() -> None:
    hidden = a_holder(pid=7, xid_age=10_000, is_hidden=True)
    assert said(hidden) == [Unseen("web@report", HIDDEN_HOLDERS)]
    assert said(a_holder(pid=7, xid_age=9_999, is_hidden=True)) == []


def test_on_a_standby_only_its_sessions_count_and_only_with_feedback() -> None:
    holders = (a_session(), a_prepared(), a_slot())
    assert said(*holders, is_standby=True) == []
    assert finding(*holders, is_standby=True, feedback="on").target.kind is Kind.SESSION


# On real servers.

#: What is old where nothing has to be.
SOON: dict[str, Any] = {"held_xids": 2_000, "held_s": 0}
PATIENCE_S = 60


def burn(connection: psycopg.Connection, count: int = 2_500) -> None:
    """Use up transaction ids."""
    connection.execute(f"DO $$ BEGIN FOR i IN 1..{count} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")


def told(cluster: Cluster, **thresholds: Any) -> list[Finding]:
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        snapshot = collect(
            Session(connection, psycopg.Error),
            alias=None,
            database="",
            sections=("server", "settings", "horizon_holders"),
        )
    return list(analyze(snapshot, select(only=[CHECK]), thresholds={CHECK: thresholds}).findings)


def run(cluster: Cluster, *statements: str) -> None:
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def mend(cluster: Cluster, fix: Fix | None) -> None:
    assert fix is not None
    run(cluster, *fix.sql)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_session_with_an_old_snapshot_is_found_and_ended(database: Database) -> None:
    database.execute("CREATE TABLE t (id int)")
    role = database.create_role(f"{database.name}_web")
    database.execute(f"GRANT ALL ON t TO {role}")
    decoy = connect_as(database, role, "decoy", autocommit=False)
    decoy.execute("SELECT * FROM t")  # at READ COMMITTED the snapshot is gone with the statement
    holding = connect_as(database, role, autocommit=False)
    holding.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    holding.execute("SELECT * FROM t")
    with closing(database.connect()) as burning:
        burn(burning)
    looked = look(database, CHECK, **SOON)
    assert looked.targets == [f"{role}@shop"]
    (found,) = looked.findings
    assert found.evidence["pid"] == holding.info.backend_pid
    assert int(found.evidence["xid_age"]) >= 2_500
    assert look(database, CHECK).result.outcome is Outcome.OK
    bare = database.create_role(f"{database.name}_bare")
    blind = look(database, CHECK, role=bare, **SOON, few_xids=2_000)
    assert blind.findings == []
    assert HIDDEN_HOLDERS in str(blind.result.reason)
    monitor = database.create_role(f"{database.name}_monitor", pg_monitor=True)
    assert look(database, CHECK, role=monitor, **SOON).targets == [f"{role}@shop"]
    apply(database, found.fix)
    assert look(database, CHECK, **SOON).result.outcome is Outcome.OK


def test_a_transaction_that_wrote_holds_too(database: Database) -> None:
    database.execute("CREATE TABLE t (id int)")
    holding = connect_as(database, "postgres", autocommit=False)
    holding.execute("INSERT INTO t VALUES (1)")
    with closing(database.connect()) as burning:
        burn(burning)
    assert look(database, CHECK, **SOON).targets == ["postgres@shop"]
    holding.rollback()
    assert look(database, CHECK, **SOON).result.outcome is Outcome.OK


@pytest.fixture
def own(server: Server, place: Path) -> Iterator[Cluster]:
    """A server of its own on which transactions can be prepared."""
    server.cluster.account.take(place)
    settings = {"max_prepared_transactions": "2", "wal_level": "logical"}
    cluster = Cluster(
        place / "data", place / "socket", settings=settings, durable=False, account=server.cluster.account
    )
    cluster.ensure_started(lambda _: [server.binaries])
    yield cluster
    cluster.stop()


def advance(server: Server, cluster: Cluster, xids: int) -> None:
    """Restart a server that has gone on by so many transaction ids."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        (now,) = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone() or (0,)
    cluster.stop()
    file_bytes = 32 * 8192
    segment = cluster.data_dir / "pg_xact" / f"{(now + xids) // (file_bytes * 4):04X}"
    if not segment.exists():
        segment.write_bytes(bytes(file_bytes))
        cluster.account.take(segment)
    reset = cluster.account.run([server.binaries.program("pg_resetwal"), "-x", str(now + xids), "-D", cluster.data_dir])
    assert reset.returncode == 0, reset.stderr
    cluster.ensure_started(lambda _: [server.binaries])


def test_a_prepared_transaction_is_found_by_its_age_alone_and_rolled_back(server: Server, own: Cluster) -> None:
    run(own, "CREATE TABLE t (id int)", "BEGIN", "INSERT INTO t VALUES (1)", "PREPARE TRANSACTION 'It''s \"left\"'")
    assert told(own) == []
    advance(server, own, 11 * MILLION)
    (found,) = told(own)
    assert found.target == Target(Kind.SESSION, 'It\'s "left"')
    assert found.severity is Severity.WARNING  # not for an hour yet
    assert found.evidence["holder"] == "prepared transaction"
    (long,) = told(own, held_s=0)
    assert long.severity is Severity.CRITICAL
    mend(own, found.fix)
    assert told(own) == []


def test_a_logical_slot_is_found_and_dropped(server: Server, own: Cluster) -> None:
    run(own, "SELECT pg_create_logical_replication_slot('forgotten', 'pgoutput')")
    with psycopg.connect(own.dsn(), autocommit=True) as connection:
        burn(connection)
    (found,) = told(own, **SOON)
    assert (found.target, found.severity) == (Target(Kind.SLOT, "forgotten"), Severity.INFO)
    mend(own, found.fix)
    assert told(own, **SOON) == []


@pytest.fixture
def standby(request: pytest.FixtureRequest, server: Server, own: Cluster, place: Path) -> Iterator[Cluster]:
    """A streaming standby of `own`, by a slot or without one, whose replay is paused."""
    data_dir = place / "standby"
    argv: list[str | Path] = [
        server.binaries.program("pg_basebackup"),
        "-D",
        data_dir,
        "-d",
        f"{own.dsn()} application_name=walreceiver",
        "--write-recovery-conf",
        "-Xstream",
        "-cfast",
        "--no-sync",
        *(["--create-slot", f"--slot={request.param}"] if request.param else []),
    ]
    copied = own.account.run(argv)
    assert copied.returncode == 0, copied.stderr
    with (data_dir / "postgresql.auto.conf").open("a") as settings:  # where ALTER SYSTEM changes them
        settings.write("hot_standby_feedback = on\nwal_receiver_status_interval = 1\n")
    cluster = Cluster(data_dir, place / "standby-socket", settings=own.settings, durable=False, account=own.account)
    cluster.ensure_started(lambda _: [server.binaries])
    run(cluster, "SELECT pg_wal_replay_pause()")
    yield cluster
    cluster.stop()
    shutil.rmtree(data_dir, ignore_errors=True)


def held_by(cluster: Cluster, *, is_used: bool = True, xids: int = 2_500) -> Finding:
    """Burn transaction ids until somebody holds them, as a standby says what it needs once a second."""
    found: list[Finding] = []

    def is_held() -> bool:
        found[:] = [one for one in told(cluster, **SOON) if ("pid" in one.evidence) == is_used]
        return bool(found)

    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        burn(connection, xids)
    until(is_held)
    (one,) = found
    return one


@pytest.mark.parametrize("standby", [None], indirect=True, ids=["without a slot"])
def test_a_standby_whose_replay_is_paused_is_found_and_lets_go(own: Cluster, standby: Cluster) -> None:
    found = held_by(own)
    assert (found.target.kind, found.severity) == (Kind.REPLICA, Severity.WARNING)
    assert found.target.name.startswith("postgres@")
    assert "standby connected as postgres@" in found.message
    mend(standby, found.fix)
    until(lambda: told(own, **SOON) == [])


@pytest.mark.parametrize("standby", ["replica_1"], indirect=True, ids=["by a slot"])
def test_a_slot_is_mended_at_its_standby_and_dropped_when_that_is_gone(own: Cluster, standby: Cluster) -> None:
    used = held_by(own)
    assert used.target == Target(Kind.SLOT, "replica_1")
    mend(standby, used.fix)
    until(lambda: told(own, **SOON) == [])
    assert used.fix is not None
    run(standby, *used.fix.undo)
    until(lambda: told(own, held_xids=0, held_s=0) != [])
    assert held_by(own).target == used.target
    standby.stop()
    left = held_by(own, is_used=False, xids=1)
    assert left.target == Target(Kind.SLOT, "replica_1")
    assert "which nobody uses" in left.message
    mend(own, left.fix)
    assert told(own, **SOON) == []


@pytest.mark.parametrize("standby", ["replica_1"], indirect=True, ids=["by a slot"])
def test_a_session_of_the_standby_is_found_there(own: Cluster, standby: Cluster) -> None:
    run(standby, "SELECT pg_wal_replay_resume()")
    with closing(psycopg.connect(standby.dsn(), application_name="report")) as holding:
        holding.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holding.execute("SELECT 1")
        found = held_by(own)
        assert found.target == Target(Kind.SLOT, "replica_1")
        until(lambda: [one.target.name for one in told(standby, **SOON)] == ["postgres@report"])
        (there,) = told(standby, **SOON)
        mend(standby, there.fix)
    until(lambda: told(own, **SOON) == [])
