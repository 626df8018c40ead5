from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.pq import TransactionStatus

from dbops.checks.overdue_vacuum import check
from dbops.embedded.postgres import Cluster
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.rows import RelationSize
from tests.builders import a_schema, a_table, statistics_of
from tests.looking import apply, look, snapshot_of
from tests.servers import Database, Server
from tests.session_builders import wait_until
from tests.setting_builders import a_server
from tests.vacuum_builders import a_holder, a_toast_table, a_vacuum, autovacuum_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHECK = "overdue_vacuum"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
OFF = ("autovacuum_enabled=off",)
BUSY = tuple(a_vacuum(pid) for pid in (1, 2, 3))
TOAST_OFF = ("autovacuum_enabled=false",)


def said(*objects: Any, dead_rows: int = 0, settings: Any = None, **options: Any) -> list[Finding | Unseen]:
    options.setdefault("table_statistics", (statistics_of(live_rows=40_000, dead_rows=dead_rows),))
    schema = a_schema(*(objects or (a_table(row_estimate=50_000),)))
    return list(check(schema, options.pop("server", a_server()), settings or autovacuum_settings(), **options))


def finding(*objects: Any, **options: Any) -> Finding:
    (found,) = said(*objects, **options)
    assert isinstance(found, Finding)
    return found


def test_dead_rows_that_autovacuum_was_told_to_leave() -> None:
    table = a_table(row_estimate=50_000, options=OFF)
    found = finding(table, RelationSize(oid=1, size_bytes=2 * 1024**3), dead_rows=15_075)
    assert found.target == Target(Kind.TABLE, "public.task")
    assert (found.severity, found.confidence, found.basis) == (Severity.WARNING, Confidence.HIGH, Basis.MEASURED)
    assert found.message == (
        "15,075 dead rows beside 40,000 live ones: autovacuum comes at 10,050, but it is switched off for this table."
    )
    assert found.evidence == {
        "dead_rows": 15_075,
        "rows": 40_000,
        "trigger_rows": 10_050,
        "size_bytes": 2 * 1024**3,
    }
    assert found.fix is not None
    assert found.fix.sql == ("VACUUM public.task;",)
    assert not found.fix.in_transaction
    assert found.fix.caution == "works through 2.0 GB and the indexes, beside reads and writes"


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"settings": autovacuum_settings(autovacuum="off")}, "but it is off."),
        ({"settings": autovacuum_settings(track_counts="off")}, "but it is off."),
        ({"running_vacuums": BUSY}, "but its workers are all busy (autovacuum_max_workers is 3)."),
    ],
    ids=["off", "no counters", "busy"],
)
def test_what_hinders_autovacuum_is_said(options: dict[str, Any], cause: str) -> None:
    found = finding(dead_rows=20_000, **options)
    assert found.message.endswith(cause)
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.HIGH)


def test_vacuums_by_hand_keep_no_worker_busy_whether_they_are_many() -> None:
    running = (*BUSY[:2], *(a_vacuum(pid, is_autovacuum=False) for pid in (7, 8, 9)))
    found = finding(dead_rows=20_000, running_vacuums=running)
    assert (found.severity, found.confidence) == (Severity.INFO, Confidence.LOW)
    assert "has not come yet" in found.message


def test_who_may_not_see_whose_the_vacuums_are_says_so_when_they_may_be_all_workers() -> None:
    running = tuple(a_vacuum(pid, is_autovacuum=None) for pid in (7, 8, 9))
    found, unseen = said(dead_rows=20_000, running_vacuums=running)
    assert isinstance(found, Finding)
    assert found.severity is Severity.INFO
    assert unseen == Unseen(
        "public.task", "this role may not see whether autovacuum's workers are all busy: GRANT pg_monitor TO it"
    )
    assert len(said(dead_rows=20_000, running_vacuums=running[:2])) == 1


def test_a_vacuum_that_ran_in_vain_names_who_held_the_rows() -> None:
    vacuumed = statistics_of(live_rows=1, dead_rows=20_000, autovacuumed_at=NOON)
    holder = a_holder(pid=77, started_at=NOON - timedelta(hours=1))
    found = finding(table_statistics=(vacuumed,), horizon_holders=(holder,))
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.MEDIUM)
    assert found.message.endswith("but cannot remove what the session of web@report (pid 77) may still look at.")
    assert found.fix is not None
    assert found.fix.caution == "removes little until the session of web@report (pid 77) has ended"


@pytest.mark.parametrize(
    ("xid_age", "severity"), [(0, Severity.INFO), (19_999, Severity.INFO), (20_000, Severity.WARNING)]
)
def test_a_long_transaction_is_named_only_when_its_snapshot_is_old(xid_age: int, severity: Severity) -> None:
    """At READ COMMITTED every statement has its own."""
    vacuumed = statistics_of(live_rows=1, dead_rows=20_000, autovacuumed_at=NOON)
    holder = a_holder(xid_age=xid_age, started_at=NOON - timedelta(hours=1), held_since=NOON + timedelta(minutes=1))
    found = finding(table_statistics=(vacuumed,), horizon_holders=(holder,))
    assert found.severity is severity
    assert found.confidence is (Confidence.MEDIUM if severity is Severity.WARNING else Confidence.LOW)


def test_a_process_of_the_servers_own_is_called_what_it_is() -> None:
    vacuumed = statistics_of(live_rows=1, dead_rows=20_000, autovacuumed_at=NOON)
    worker = a_holder("process", "autovacuum worker", pid=7, started_at=NOON - timedelta(hours=1))
    found = finding(table_statistics=(vacuumed,), horizon_holders=(worker,))
    assert "what the autovacuum worker (pid 7) may still look at" in found.message


@pytest.mark.parametrize(
    "holder",
    [
        a_holder(started_at=NOON + timedelta(seconds=1)),
        a_holder(database="other", started_at=NOON - timedelta(hours=1)),
        a_holder("logical slot", "cdc", database=None),
        a_holder("slot", "replica", database=None, xid_age=999_999),
    ],
    ids=["began later", "another database", "catalogues alone", "young slot"],
)
def test_who_held_nothing_is_not_named(holder: Any) -> None:
    vacuumed = statistics_of(live_rows=1, dead_rows=20_000, vacuumed_at=NOON)
    found = finding(table_statistics=(vacuumed,), horizon_holders=(holder,))
    assert (found.severity, found.confidence) == (Severity.INFO, Confidence.LOW)


def test_who_may_not_see_since_when_others_look_says_so() -> None:
    vacuumed = statistics_of(live_rows=1, dead_rows=20_000, vacuumed_at=NOON)
    hidden = a_holder(pid=77, xid_age=5, is_hidden=True)
    _, unseen = said(table_statistics=(vacuumed,), horizon_holders=(hidden,))
    assert unseen == Unseen(
        "public.task", "this role may not see since when other sessions hold dead rows: GRANT pg_monitor TO it"
    )
    told = said(a_table(options=OFF), table_statistics=(vacuumed,), horizon_holders=(hidden,))
    assert [type(one) for one in told] == [Finding]
    elsewhere = a_holder(pid=77, xid_age=5, database="other", is_hidden=True)
    assert len(said(table_statistics=(vacuumed,), horizon_holders=(elsewhere,))) == 1


def test_an_old_slot_holds_the_rows_of_every_database() -> None:
    vacuumed = statistics_of(live_rows=1, dead_rows=20_000, vacuumed_at=NOON)
    slot = a_holder("slot", "replica", database=None, xid_age=1_000_000)
    found = finding(table_statistics=(vacuumed,), horizon_holders=(slot,))
    assert "cannot remove what the slot replica may still look at" in found.message


def test_what_autovacuum_will_see_to_is_only_mentioned() -> None:
    found = finding(dead_rows=20_000)
    assert (found.severity, found.confidence) == (Severity.INFO, Confidence.LOW)
    assert "has not come yet" in found.message


def test_so_many_cannot_have_come_within_a_minute() -> None:
    found = finding(dead_rows=100_500)
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.MEDIUM)
    assert finding(dead_rows=100_499).severity is Severity.INFO


@pytest.mark.parametrize(
    ("dead_rows", "options", "settings"),
    [
        (9_999, OFF, {}),
        (15_074, OFF, {}),
        (59_999, (*OFF, "autovacuum_vacuum_scale_factor=0.8"), {}),
        (15_074, (*OFF, "autovacuum_vacuum_max_threshold=-1"), {"autovacuum_vacuum_max_threshold": "500"}),
        (15_074, OFF, {"autovacuum_vacuum_max_threshold": None}),
    ],
    ids=["few", "not overdue", "own scale factor", "own cap", "before 18"],
)
def test_silent_below(dead_rows: int, options: tuple[str, ...], settings: dict[str, Any]) -> None:
    table = a_table(row_estimate=50_000, options=options)
    assert said(table, dead_rows=dead_rows, settings=autovacuum_settings(**settings)) == []


@pytest.mark.parametrize(
    ("options", "settings", "trigger"),
    [
        (("autovacuum_vacuum_threshold=7", "autovacuum_vacuum_scale_factor=0"), {}, 7),
        (("autovacuum_vacuum_max_threshold=900",), {}, 900),
        ((), {"autovacuum_vacuum_max_threshold": "800"}, 800),
        (("autovacuum_vacuum_threshold=-1",), {"autovacuum_vacuum_threshold": "60"}, 10_060),
    ],
)
def test_the_tables_own_options_win(options: tuple[str, ...], settings: dict[str, str], trigger: int) -> None:
    table = a_table(row_estimate=50_000, options=(*OFF, *options))
    found = finding(table, dead_rows=90_000, settings=autovacuum_settings(**settings))
    assert found.evidence["trigger_rows"] == trigger


def test_a_toast_table_goes_by_its_own_options_or_the_tables() -> None:
    table = a_table(row_estimate=0, options=(*OFF, "autovacuum_vacuum_threshold=40"))
    toast = a_toast_table(live_rows=5, dead_rows=30_000, row_estimate=100)
    found = finding(table, table_statistics=(statistics_of(),), toast_tables=(toast,))
    assert found.message.startswith("30,000 dead rows beside 5 live ones in its TOAST table: autovacuum comes at 60")
    own = a_toast_table(live_rows=5, dead_rows=30_000, row_estimate=100, options=("autovacuum_vacuum_threshold=70",))
    assert finding(table, table_statistics=(statistics_of(),), toast_tables=(own,)).evidence["trigger_rows"] == 90


@pytest.mark.parametrize(
    ("of_table", "of_toast", "ending"),
    [
        ((), TOAST_OFF, "but it is switched off for its TOAST table."),
        (OFF, (), "but it is switched off for its TOAST table."),
        (OFF, ("autovacuum_enabled=true",), "which is as it should be for some minutes after many changes."),
        ((), (), "which is as it should be for some minutes after many changes."),
    ],
)
def test_a_toast_table_is_switched_off_by_its_own_options(
    of_table: tuple[str, ...], of_toast: tuple[str, ...], ending: str
) -> None:
    found = finding(
        a_table(options=of_table),
        table_statistics=(statistics_of(),),
        toast_tables=(a_toast_table(dead_rows=20_000, options=of_toast),),
    )
    assert found.message.endswith(ending)


def test_a_table_is_told_with_its_toast_table() -> None:
    found = finding(a_table(options=OFF), dead_rows=20_000, toast_tables=(a_toast_table(dead_rows=11_000),))
    assert found.message.startswith("31,000 dead rows beside 40,000 live ones (11,000 of them in its TOAST table): ")
    assert found.fix is not None
    assert found.fix.sql == ("VACUUM public.task;",)


def test_partitions_are_told_as_their_table() -> None:
    parts = [a_table(oid, f"task_{oid}", is_partition=True, parent_oid=1, options=OFF) for oid in (2, 3, 4)]
    counters = (*(statistics_of(oid, live_rows=1, dead_rows=20_000) for oid in (2, 3)), statistics_of(4))
    found = finding(a_table(kind="p"), *parts, table_statistics=counters)
    assert found.target.name == "public.task"
    assert found.rolled_up == ("public.task_2", "public.task_3")
    assert found.message.startswith("40,000 dead rows beside 2 live ones in 2 partitions: ")
    assert found.fix is not None
    assert found.fix.sql == ("VACUUM public.task_2;", "VACUUM public.task_3;")


def test_inserted_rows_are_mentioned_where_something_hinders_autovacuum() -> None:
    inserted = (statistics_of(inserts_since_vacuum=16_500),)
    found = finding(a_table(row_estimate=50_000, options=OFF), table_statistics=inserted)
    assert found.severity is Severity.INFO
    assert found.message.startswith("16,500 rows were inserted since the last vacuum.")
    assert found.evidence == {"inserts_since_vacuum": 16_500}
    assert said(a_table(row_estimate=50_000), table_statistics=inserted) == []
    never = a_table(row_estimate=50_000, options=(*OFF, "autovacuum_vacuum_insert_threshold=-1"))
    assert said(never, table_statistics=inserted) == []


def test_silent_while_a_vacuum_is_at_it_and_about_extensions() -> None:
    now = (a_vacuum(database="shop", table_oid=1),)
    assert said(a_table(options=OFF), dead_rows=90_000, running_vacuums=now) == []
    assert said(a_table(options=OFF, extension="pg_cron"), dead_rows=90_000) == []


def count(database: Database, condition: str) -> None:
    """Hand over what this session has counted, and see that the server has it."""
    database.execute("SELECT pg_stat_force_next_flush()")
    assert database.execute(f"SELECT 1 FROM pg_stat_user_tables WHERE {condition}")


def test_dead_rows_are_found_and_removed(database: Database) -> None:
    database.execute("""
        CREATE TABLE "Left ""alone" (id int, body text) WITH (autovacuum_enabled = off);
        CREATE TABLE patient (id int) WITH (autovacuum_enabled = off, autovacuum_vacuum_threshold = 100000);
        CREATE TABLE few (id int) WITH (autovacuum_enabled = off);
    """)
    for table, rows in (('"Left ""alone"', 20_000), ("patient", 20_000), ("few", 9_000)):
        database.execute(f"INSERT INTO {table} (id) SELECT generate_series(1, {rows})")
        database.execute("SELECT pg_stat_force_next_flush()")
        database.execute(f"VACUUM {table}")
        database.execute(f"DELETE FROM {table}")
    count(database, "relname = 'few' AND n_dead_tup = 9000")
    for role in (None, database.create_role(f"{database.name}_bare")):
        (found,) = look(database, CHECK, role=role).findings
        assert found.target.name == 'public."Left ""alone"'
        assert (found.severity, found.evidence["dead_rows"]) == (Severity.WARNING, 20_000)
    apply(database, found.fix)
    assert look(database, CHECK).findings == []


def test_dead_long_values_are_found_and_removed(database: Database) -> None:
    database.execute("CREATE TABLE letter (body text) WITH (autovacuum_enabled = off)")
    database.execute("ALTER TABLE letter ALTER body SET STORAGE EXTERNAL")
    database.execute("INSERT INTO letter SELECT repeat('x', 8000) FROM generate_series(1, 2500)")
    database.execute("DELETE FROM letter")
    count(database, "relname = 'letter' AND n_dead_tup = 2500")
    (found,) = look(database, CHECK).findings
    assert found.target.name == "public.letter"
    assert "in its TOAST table" in found.message
    apply(database, found.fix)
    assert look(database, CHECK).findings == []


def test_a_toast_table_that_autovacuum_was_told_to_leave(database: Database) -> None:
    database.execute("CREATE TABLE letter (body text) WITH (toast.autovacuum_enabled = false)")
    database.execute("ALTER TABLE letter SET (autovacuum_vacuum_insert_threshold = -1)")
    database.execute("ALTER TABLE letter ALTER body SET STORAGE EXTERNAL")
    database.execute("INSERT INTO letter SELECT repeat('x', 8000) FROM generate_series(1, 5000)")
    database.execute("UPDATE letter SET body = body || 'y'")
    database.execute("SELECT pg_stat_force_next_flush()")
    database.execute("VACUUM (PROCESS_TOAST FALSE) letter")
    (found,) = look(database, CHECK).findings
    assert found.message.endswith("but it is switched off for its TOAST table.")
    assert found.severity is Severity.WARNING
    apply(database, found.fix)
    assert look(database, CHECK).findings == []


def test_who_holds_the_dead_rows_is_named_and_the_fix_works_when_he_is_gone(database: Database) -> None:
    database.execute("CREATE TABLE busy (id int) WITH (autovacuum_vacuum_threshold = 30000)")
    database.execute("ALTER TABLE busy SET (autovacuum_vacuum_insert_threshold = -1)")
    database.execute("INSERT INTO busy SELECT generate_series(1, 20000)")
    database.execute("VACUUM busy")
    holder = database.connect(autocommit=False, application_name="report")
    holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    holder.execute("SELECT 1")
    database.execute("DELETE FROM busy")
    database.execute("VACUUM busy")
    # Overdue by our measure, so that autovacuum does not come to the test.
    (found,) = look(database, CHECK, overdue_ratio=0.5).findings
    assert f"(pid {holder.info.backend_pid}) may still look at" in found.message
    assert found.severity is Severity.WARNING
    bare = look(database, CHECK, role=database.create_role(f"{database.name}_bare"), overdue_ratio=0.5)
    assert "GRANT pg_monitor" in str(bare.result)
    assert [one.severity for one in bare.findings] == [Severity.INFO]
    holder.rollback()
    apply(database, found.fix)
    assert look(database, CHECK, overdue_ratio=0.5).findings == []


def test_a_transaction_whose_snapshot_is_new_is_not_blamed(database: Database) -> None:
    database.execute("CREATE TABLE busy (id int) WITH (autovacuum_vacuum_threshold = 30000)")
    database.execute("ALTER TABLE busy SET (autovacuum_vacuum_insert_threshold = -1)")
    database.execute("INSERT INTO busy SELECT generate_series(1, 20000)")
    reader = database.connect(autocommit=False, application_name="report")
    reader.execute("SELECT 1")
    database.execute("VACUUM busy")
    database.execute("DELETE FROM busy")
    count(database, "relname = 'busy' AND n_dead_tup = 20000")
    pid = reader.info.backend_pid
    reader.pgconn.send_query(b"SELECT pg_sleep(60)")
    while not database.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND backend_xmin IS NOT NULL", pid):
        assert reader.info.transaction_status is TransactionStatus.ACTIVE
    (found,) = look(database, CHECK, overdue_ratio=0.5).findings
    holders = snapshot_of(database).section("horizon_holders")
    reader.cancel()
    while reader.pgconn.get_result() is not None:
        pass
    assert isinstance(holders, tuple)
    assert pid in {holder.pid for holder in holders}
    assert (found.severity, found.confidence) == (Severity.INFO, Confidence.LOW)
    assert str(pid) not in found.message


def test_a_vacuum_at_work_is_seen_by_everybody(database: Database) -> None:
    database.execute("CREATE TABLE held (id int) WITH (autovacuum_enabled = off)")
    database.execute("INSERT INTO held SELECT generate_series(1, 20000)")
    database.execute("DELETE FROM held")
    count(database, "relname = 'held' AND n_dead_tup = 20000")
    role = database.create_role(f"{database.name}_bare")
    assert look(database, CHECK, role=role).targets == ["public.held"]
    vacuum = database.connect()
    vacuum.execute("SET vacuum_cost_delay = 100")
    vacuum.execute("SET vacuum_cost_limit = 1")
    pid = vacuum.info.backend_pid
    vacuum.pgconn.send_query(b"VACUUM held")
    while not database.execute("SELECT 1 FROM pg_stat_progress_vacuum WHERE pid = %s", pid):
        assert vacuum.info.transaction_status is TransactionStatus.ACTIVE
    looked = look(database, CHECK, role=role)
    rows = snapshot_of(database, role=role).section("running_vacuums")
    vacuum.cancel()
    while vacuum.pgconn.get_result() is not None:
        pass
    assert looked.result.outcome is Outcome.OK
    assert isinstance(rows, tuple)
    (oid,) = database.execute("SELECT 'held'::regclass::oid::bigint")[0]
    assert (pid, oid, None) in {(row.pid, row.table_oid, row.is_autovacuum) for row in rows}


def test_vacuums_by_hand_keep_no_worker_of_autovacuum_busy(database: Database) -> None:
    database.execute("CREATE TABLE waits (id int) WITH (autovacuum_vacuum_threshold = 30000)")
    database.execute("INSERT INTO waits SELECT generate_series(1, 20000)")
    database.execute("DELETE FROM waits")
    count(database, "relname = 'waits' AND n_dead_tup = 20000")
    vacuums = []
    for number in range(3):
        database.execute(f"CREATE TABLE held_{number} (id int) WITH (autovacuum_enabled = off)")
        database.execute(f"INSERT INTO held_{number} SELECT generate_series(1, 20000)")
        database.execute(f"DELETE FROM held_{number}")
        vacuum = database.connect()
        vacuum.execute("SET vacuum_cost_delay = 100")
        vacuum.execute("SET vacuum_cost_limit = 1")
        vacuum.pgconn.send_query(f"VACUUM held_{number}".encode())
        vacuums.append(vacuum)
    pids = [vacuum.info.backend_pid for vacuum in vacuums]
    while database.execute("SELECT count(*) FROM pg_stat_progress_vacuum WHERE pid = ANY (%s)", pids) != [(3,)]:
        assert {vacuum.info.transaction_status for vacuum in vacuums} == {TransactionStatus.ACTIVE}
    (found,) = look(database, CHECK, overdue_ratio=0.5).findings
    bare = look(database, CHECK, role=database.create_role(f"{database.name}_bare"), overdue_ratio=0.5).result
    for vacuum in vacuums:
        vacuum.cancel()
        while vacuum.pgconn.get_result() is not None:
            pass
    assert found.target.name == "public.waits"
    assert (found.severity, found.confidence) == (Severity.INFO, Confidence.LOW)
    assert "whether autovacuum's workers are all busy" in str(bare.reason)


@pytest.fixture
def prompt(server: Server, place: Path) -> Iterator[Database]:
    """A database of a server whose autovacuum, a single worker, comes every second."""
    account = server.cluster.account
    account.take(place)
    settings = {"autovacuum_naptime": "1s", "autovacuum_max_workers": "1"}
    cluster = Cluster(place / "data", place / "socket", settings=settings, durable=False, account=account)
    cluster.ensure_started(lambda _: [server.binaries])
    try:
        with ExitStack() as opened:
            yield Database(Server(cluster, server.binaries), "postgres", opened)
    finally:
        cluster.stop()


def test_workers_of_autovacuum_that_are_all_busy_are_seen(prompt: Database) -> None:
    for table, options in (
        ("waits", "autovacuum_vacuum_threshold = 30000, autovacuum_vacuum_insert_threshold = -1"),
        ("slow", "autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1"),
    ):
        prompt.execute(f"CREATE TABLE {table} (id int) WITH ({options})")
        prompt.execute(f"INSERT INTO {table} SELECT generate_series(1, 20000)")
        prompt.execute(f"DELETE FROM {table}")
        count(prompt, f"relname = '{table}' AND n_dead_tup = 20000")
    wait_until(prompt, "pid IN (SELECT pid FROM pg_stat_progress_vacuum WHERE relid = 'slow'::regclass)")
    (found,) = look(prompt, CHECK, overdue_ratio=0.5).findings
    assert found.target.name == "public.waits"
    assert found.message.endswith("but its workers are all busy (autovacuum_max_workers is 1).")
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.HIGH)


def test_a_worker_that_analyzes_holds_rows_by_the_name_of_what_it_is(prompt: Database) -> None:
    quick = "FUNCTION public.slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1; END $$"
    prompt.execute(f"CREATE {quick}; CREATE TABLE counted (id int); CREATE INDEX ON counted (public.slow(id))")
    prompt.execute("INSERT INTO counted SELECT generate_series(1, 500)")
    prompt.execute(f"CREATE OR REPLACE {quick.replace('RETURN $1', 'PERFORM pg_sleep(0.1); RETURN $1')}")
    prompt.execute("SELECT pg_stat_force_next_flush()")
    wait_until(prompt, "backend_type = 'autovacuum worker' AND wait_event = 'PgSleep' AND backend_xmin IS NOT NULL")
    holders = snapshot_of(prompt).section("horizon_holders")
    assert isinstance(holders, tuple)
    (worker,) = [holder for holder in holders if holder.kind == "process"]
    assert str(worker) == f"the autovacuum worker (pid {worker.pid})"
