from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.stale_statistics import check
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.snapshot.rows import RelationSize
from tests.builders import a_schema, a_table, statistics_of
from tests.looking import apply, look
from tests.vacuum_builders import a_vacuum, autovacuum_settings

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "stale_statistics"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
OFF = ("autovacuum_enabled=off",)
MB = 1024**2


def said(*objects: Any, counters: Any = None, settings: Any = None, **options: Any) -> list[Finding | Unseen]:
    counters = counters or (statistics_of(live_rows=50_000, changes_since_analyze=50_000),)
    schema = a_schema(*(objects or (a_table(row_estimate=None),)))
    return list(check(schema, settings or autovacuum_settings(), counters, **options))


def finding(*objects: Any, **options: Any) -> Finding:
    (found,) = said(*objects, **options)
    assert isinstance(found, Finding)
    return found


def test_a_table_that_autovacuum_leaves_alone_was_never_analyzed() -> None:
    found = finding(a_table(row_estimate=None, options=OFF))
    assert found.target == Target(Kind.TABLE, "public.task")
    assert (found.severity, found.confidence, found.basis) == (Severity.WARNING, Confidence.HIGH, Basis.MEASURED)
    assert found.message == (
        "It has 50,000 rows and was never analyzed: autovacuum comes at 50, but it is switched off for this table."
    )
    assert found.evidence == {"rows": 50_000, "changes_since_analyze": 50_000, "trigger_rows": 50}
    assert found.fix is not None
    assert found.fix.sql == ("ANALYZE public.task;",)


def test_what_autovacuum_is_about_to_do_is_only_mentioned() -> None:
    found = finding()
    assert (found.severity, found.confidence) == (Severity.INFO, Confidence.LOW)
    assert found.message.endswith("autovacuum comes at 50, within some minutes.")


def test_changes_since_the_last_analyze() -> None:
    table = a_table(row_estimate=50_000, options=OFF)
    found = finding(table, counters=(statistics_of(live_rows=40_000, changes_since_analyze=10_100, analyzed_at=NOON),))
    assert found.message.startswith(
        "10,100 changes since the last ANALYZE, in a table of 50,000 rows: autovacuum comes"
    )
    assert said(table, counters=(statistics_of(live_rows=40_000, changes_since_analyze=10_099),)) == []


def test_a_table_whose_counters_were_lost_waits_for_ever() -> None:
    lost = (statistics_of(live_rows=0),)
    found = finding(a_table(row_estimate=None), RelationSize(oid=1, size_bytes=MB), counters=lost)
    assert found.severity is Severity.WARNING
    assert found.message.startswith("It holds 1.0 MB and was never analyzed, nor is any change of it on record")
    assert found.evidence == {"size_bytes": MB}
    assert said(a_table(row_estimate=None), RelationSize(oid=1, size_bytes=MB - 1), counters=lost) == []
    assert said(a_table(row_estimate=9), RelationSize(oid=1, size_bytes=MB), counters=lost) == []
    emptied = (statistics_of(inserts=5, deletes=5),)
    assert said(a_table(row_estimate=None), RelationSize(oid=1, size_bytes=MB), counters=emptied) == []


def test_rows_that_vacuum_counted_and_nobody_analyzed_wait_for_changes() -> None:
    found = finding(counters=(statistics_of(live_rows=50_000, changes_since_analyze=1),))
    assert found.severity is Severity.WARNING
    assert found.message.endswith("autovacuum knows of 1 change alone, and waits for 50.")


@pytest.mark.parametrize(
    ("options", "settings", "trigger"),
    [
        (("autovacuum_analyze_threshold=7", "autovacuum_analyze_scale_factor=0"), {}, 7),
        (("autovacuum_analyze_scale_factor=0.05",), {}, 2_550),
        ((), {"autovacuum_analyze_scale_factor": "0.01"}, 550),
    ],
)
def test_the_tables_own_options_win(options: tuple[str, ...], settings: dict[str, str], trigger: int) -> None:
    table = a_table(row_estimate=50_000, options=(*OFF, *options))
    assert finding(table, settings=autovacuum_settings(**settings)).evidence["trigger_rows"] == trigger


def test_silent_about_small_ones_extensions_and_what_is_being_vacuumed() -> None:
    few = (statistics_of(live_rows=9_999, changes_since_analyze=9_999),)
    assert said(a_table(row_estimate=None, options=OFF), counters=few) == []
    assert said(a_table(row_estimate=None, options=OFF, extension="pg_cron")) == []
    now = (a_vacuum(database="shop", table_oid=1),)
    assert said(a_table(row_estimate=None, options=OFF), running_vacuums=now) == []


def partitioned(whole: int | None, *parts: int | None) -> list[Any]:
    leaves = (
        a_table(oid, f"task_{oid}", is_partition=True, parent_oid=1, row_estimate=rows)
        for oid, rows in enumerate(parts, 2)
    )
    return [a_table(kind="p", row_estimate=whole), *leaves]


def test_a_partitioned_table_is_never_analyzed_by_autovacuum() -> None:
    found = finding(*partitioned(None, 6_000, 5_000))
    assert found.severity is Severity.WARNING
    assert found.message == (
        "It was never analyzed as a whole, and autovacuum analyzes its partitions alone: "
        "what joins and groups its 11,000 rows is planned by guesses."
    )
    assert found.fix is not None
    assert found.fix.sql == ("ANALYZE public.task;",)


def test_a_partitioned_table_that_has_grown_since_it_was_analyzed() -> None:
    found = finding(*partitioned(10_000, 6_100, 6_000))
    assert found.evidence == {"rows": 12_100, "analyzed_rows": 10_000}
    assert said(*partitioned(10_000, 6_000, 6_000)) == []
    assert said(*partitioned(None, 6_000, 3_000)) == []


def test_stale_partitions_are_told_as_their_table() -> None:
    counters = (statistics_of(2, live_rows=20_000, changes_since_analyze=20_000), statistics_of(3, live_rows=1))
    whole = finding(*partitioned(None, None, 10), counters=counters)
    assert whole.rolled_up == ("public.task_2",)
    assert whole.message.endswith("The statistics of 1 partition are out of date themselves.")
    assert whole.fix is not None
    assert whole.fix.sql == ("ANALYZE public.task;",)
    alone = finding(*partitioned(20_010, None, 10), counters=counters)
    assert alone.message.startswith("1 partition of it, such as public.task_2: It has 20,000 rows and was never")
    assert alone.fix is not None
    assert alone.fix.sql == ("ANALYZE public.task_2;",)


def flush(database: Database) -> None:
    database.execute("SELECT pg_stat_force_next_flush()")
    database.execute("SELECT 1")


def test_a_table_that_was_never_analyzed_and_one_that_changed(database: Database) -> None:
    database.execute("""
        CREATE TABLE "Never ""seen" (id int) WITH (autovacuum_enabled = off);
        CREATE TABLE changed (id int) WITH (autovacuum_enabled = off);
        CREATE TABLE fresh (id int) WITH (autovacuum_enabled = off);
        CREATE TABLE few (id int) WITH (autovacuum_enabled = off);
    """)
    for table, rows in (('"Never ""seen"', 12_000), ("changed", 12_000), ("fresh", 12_000), ("few", 5_000)):
        database.execute(f"INSERT INTO {table} SELECT generate_series(1, {rows})")
    flush(database)
    database.execute("ANALYZE changed, fresh")
    database.execute("UPDATE changed SET id = 0 WHERE id <= 3000")
    flush(database)
    for role in (None, database.create_role(f"{database.name}_bare")):
        looked = look(database, CHECK, role=role)
        assert sorted(looked.targets) == ['public."Never ""seen"', "public.changed"]
    assert {found.severity for found in looked.findings} == {Severity.WARNING}
    for found in looked.findings:
        apply(database, found.fix)
        assert found.target.name not in look(database, CHECK).targets
    assert look(database, CHECK).findings == []


def test_a_partitioned_table_stays_unknown_until_somebody_analyzes_it(database: Database) -> None:
    database.execute("CREATE TABLE p (a int, b int) PARTITION BY LIST (a)")
    for key in (1, 2):
        database.execute(f"CREATE TABLE p_{key} PARTITION OF p FOR VALUES IN ({key}) WITH (autovacuum_enabled = off)")
    database.execute("INSERT INTO p SELECT 1 + n % 2, n FROM generate_series(1, 12000) n")
    flush(database)
    database.execute("ANALYZE p_1, p_2")
    database.execute("CREATE INDEX ON p (b)")
    (found,) = look(database, CHECK).findings
    assert found.target.name == "public.p"
    assert found.evidence == {"rows": 12_000}
    apply(database, found.fix)
    assert look(database, CHECK).findings == []
    database.execute("INSERT INTO p SELECT 1, n FROM generate_series(1, 4000) n")
    flush(database)
    database.execute("ANALYZE p_1")
    (found,) = look(database, CHECK).findings
    assert found.evidence == {"rows": 16_000, "analyzed_rows": 12_000}
    apply(database, found.fix)
    assert look(database, CHECK).findings == []


def test_a_table_that_lost_its_counters_is_found(database: Database) -> None:
    database.execute("CREATE TABLE upgraded (body text) WITH (autovacuum_enabled = off)")
    database.execute("INSERT INTO upgraded SELECT repeat('x', 90) FROM generate_series(1, 12000)")
    flush(database)
    database.execute("SELECT pg_stat_reset()")
    database.execute("UPDATE pg_class SET reltuples = -1 WHERE relname = 'upgraded'")
    (found,) = look(database, CHECK).findings
    assert found.message.startswith("It holds 1.5 MB and was never analyzed")
    apply(database, found.fix)
    assert look(database, CHECK).findings == []
