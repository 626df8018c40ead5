from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dbops.checks.scanned_table import check
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Location, Severity, Target, Unseen
from tests.activity_builders import a_statement, a_table_activity, a_window
from tests.builders import a_schema, a_table
from tests.looking import snapshot_of
from tests.windows import Before, flush, look_over

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "scanned_table"
#: A window of ten hours.
WINDOW = a_window(10)


def said(
    *tables: Any, activity: Any, window: Any = WINDOW, statements: Any = None, **options: Any
) -> list[Finding | Unseen]:
    return list(check(a_schema(*tables), activity, window, statements, **options))


def finding(*tables: Any, **options: Any) -> Finding:
    (found,) = said(*tables, **options)
    assert isinstance(found, Finding)
    return found


def large(**values: Any) -> Any:
    return a_table(**{"row_estimate": 50_000, **values})


def scans(number: int = 2_000, rows: int = 50_000, **values: Any) -> Any:
    return (a_table_activity(sequential_scans=number, sequential_rows=number * rows, **values),)


def test_a_table_at_the_limits() -> None:
    found = finding(large(), activity=scans())
    assert found.target == Target(Kind.TABLE, "public.task")
    assert (found.severity, found.confidence, found.basis) == (Severity.INFO, Confidence.MEDIUM, Basis.MEASURED)
    assert found.message == "50,000 rows, read from end to end 200 times an hour, and 0 scans of its indexes in 10 h."
    assert found.evidence == {
        "rows": 50_000,
        "sequential_scans": 2_000,
        "sequential_rows": 100_000_000,
        "index_scans": 0,
        "rows_per_hour": 10_000_000,
        "window_hours": 10,
    }
    assert found.location == Location(table_oid=1)
    assert found.fix is None


def test_many_rows_an_hour_are_a_warning() -> None:
    assert finding(large(), activity=scans(20_000)).severity is Severity.WARNING
    assert finding(large(), activity=scans(19_999)).severity is Severity.INFO


def test_silent_below_the_limits() -> None:
    assert said(large(row_estimate=49_999), activity=scans(2_001, 49_999)) == []
    assert said(large(), activity=scans(1_999)) == []
    assert said(large(), activity=scans(0)) == []
    assert said(large(), activity=()) == []
    assert said(large(extension="timescaledb"), activity=scans()) == []


def test_silent_about_what_is_scanned_seldom() -> None:
    huge = large(row_estimate=100_000_000)
    assert said(huge, activity=scans(59, 100_000_000)) == []
    assert finding(huge, activity=scans(60, 100_000_000)).severity is Severity.WARNING
    assert said(huge, activity=scans(9, 100_000_000), window=a_window(1)) == []
    finding(huge, activity=scans(10, 100_000_000), window=a_window(1))


def test_silent_about_scans_that_stop_early() -> None:
    assert said(large(), activity=scans(20_000, 9_999)) == []
    finding(large(), activity=scans(20_000, 10_000))  # as a parallel scan by five is counted


def test_silent_where_indexes_do_the_work() -> None:
    assert said(large(), activity=scans(index_scans=10_000_001)) == []
    assert finding(large(), activity=scans(index_scans=10_000_000)).evidence["index_scans"] == 10_000_000


def test_partitions_are_told_as_their_table() -> None:
    tables = (
        a_table(kind="p", row_estimate=None),
        *(a_table(oid, f"task_{oid}", is_partition=True, parent_oid=1, row_estimate=30_000) for oid in (2, 3, 4)),
    )
    hot = tuple(a_table_activity(oid, sequential_scans=2_000, sequential_rows=60_000_000) for oid in (2, 3))
    calm = a_table_activity(4, sequential_scans=3, sequential_rows=90_000)
    found = finding(*tables, activity=(*hot, calm))
    assert found.target.name == "public.task"
    assert found.rolled_up == ("public.task_2", "public.task_3")
    assert found.message.startswith("2 partitions with 60,000 rows, read from end to end 200 times an hour")
    assert said(*tables, activity=(hot[0], calm)) == []


def test_a_table_that_nobody_counted_is_unseen() -> None:
    (unseen,) = said(large(row_estimate=None), activity=scans())
    assert isinstance(unseen, Unseen)
    assert "never analyzed" in unseen.reason
    assert said(large(row_estimate=None), activity=scans(3)) == []


def test_a_short_window_is_not_judged() -> None:
    (unseen,) = said(large(), activity=scans(), window=a_window(0.9))
    assert isinstance(unseen, Unseen)


def test_the_costliest_statement_is_named() -> None:
    statements = (
        a_statement(1, text='SELECT * FROM "task" WHERE a = $1', shared_blocks_hit=900),
        a_statement(2, text="SELECT * FROM tasks", shared_blocks_hit=9_000),
        a_statement(3, text="VACUUM task", shared_blocks_hit=9_000),
        a_statement(4, text=None, shared_blocks_hit=9_000),
        a_statement(5, text="SELECT 'task' FROM x", shared_blocks_hit=9_000),
        a_statement(6, text="UPDATE public.TASK SET b = $1", shared_blocks_hit=800),
    )
    found = finding(large(), activity=scans(), statements=statements)
    assert found.evidence["query_id"] == "1"
    assert found.message.endswith('The costliest statement that mentions it: SELECT * FROM "task" WHERE a = $1')


def test_a_table_that_is_scanned_is_found(database: Database) -> None:
    database.execute("CREATE EXTENSION pg_stat_statements")
    for table in ('"Scanned ""one"', "by_key", "stopped", "small", "seldom"):
        rows = 500 if table == "small" else 60_000
        database.execute(f"CREATE TABLE {table} AS SELECT n AS id, n % 100 AS kind FROM generate_series(1, {rows}) n")
    database.execute('ALTER TABLE by_key ADD PRIMARY KEY (id); ANALYZE "Scanned ""one", by_key, stopped, small, seldom')
    flush(database)
    before = Before(snapshot_of(database), earlier=timedelta(hours=2))

    def work(times: int) -> None:
        for number in range(times):
            database.execute('SELECT count(*) FROM "Scanned ""one" WHERE id = %s', number)
            database.execute("SELECT kind FROM by_key WHERE id = %s", number)
            database.execute("SELECT kind FROM stopped LIMIT 1")
            database.execute("SELECT count(*) FROM small WHERE kind = %s", number)
        for _ in range(5):
            database.execute("SELECT count(*) FROM seldom")

    work(30)
    floor: dict[str, Any] = {"rows_per_hour": 500_000}
    (found,) = look_over(database, CHECK, before, **floor).findings
    assert found.target.name == 'public."Scanned ""one"'
    assert found.evidence["rows"] == 60_000
    assert found.evidence["sequential_rows"] == 30 * 60_000
    assert 'FROM "Scanned ""one" WHERE id = $1' in found.message
    assert look_over(database, CHECK, before).findings == []
    database.execute('CREATE INDEX ON "Scanned ""one" (id)')
    flush(database)
    later = Before(snapshot_of(database), earlier=timedelta(hours=2))
    work(30)
    assert look_over(database, CHECK, later, **floor).findings == []


def test_a_hot_partition_is_found_by_a_bare_role_too(database: Database) -> None:
    database.execute("CREATE TABLE event (kind int, id int) PARTITION BY LIST (kind)")
    for kind in (1, 2):
        database.execute(f"CREATE TABLE event_{kind} PARTITION OF event FOR VALUES IN ({kind})")
    database.execute("INSERT INTO event SELECT 1 + n % 2, n FROM generate_series(1, 120000) n; ANALYZE event")
    flush(database)
    role = database.create_role(f"{database.name}_bare")
    before = Before(snapshot_of(database, role=role), earlier=timedelta(hours=2))
    for number in range(20):
        database.execute("SELECT count(*) FROM event WHERE kind = 1 AND id = %s", number)
    (found,) = look_over(database, CHECK, before, role=role, rows_per_hour=500_000).findings
    assert found.target.name == "public.event"
    assert found.rolled_up == ("public.event_1",)
