from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.untuned_large_table import check
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target
from tests.activity_builders import a_table_activity, a_window
from tests.builders import a_schema, a_table, statistics_of
from tests.checks.mending import assert_mends
from tests.looking import look, snapshot_of
from tests.vacuum_builders import autovacuum_settings
from tests.windows import Before, look_over

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "untuned_large_table"
MANY = 10_000_000


def said(*objects: Any, settings: Any = None, **sections: Any) -> list[Finding]:
    objects = objects or (a_table(row_estimate=MANY),)
    return list(check(a_schema(*objects), settings or autovacuum_settings(), **sections))


def test_a_large_table_that_is_written() -> None:
    did = a_table_activity(updates=12_000, hot_updates=4_000, deletes=2_000)
    (found,) = said(table_activity=(did,), window=a_window())
    assert found.target == Target(Kind.TABLE, "public.task")
    assert (found.severity, found.confidence, found.basis) == (Severity.WARNING, Confidence.HIGH, Basis.MEASURED)
    assert found.message == (
        "It has 10,000,000 rows, and autovacuum waits until 2,000,050 of them are dead: the default is for smaller "
        "tables. 10,000 rows died within 1 d."
    )
    assert found.evidence == {"rows": MANY, "trigger_rows": 2_000_050, "dying_rows": 10_000, "window_s": 86_400}
    assert found.fix is not None
    assert found.fix.sql == (
        (
            "ALTER TABLE public.task SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 10000, "
            "autovacuum_analyze_scale_factor = 0.01, autovacuum_analyze_threshold = 10000);"
        ),
    )
    assert found.fix.undo == (
        (
            "ALTER TABLE public.task RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, "
            "autovacuum_analyze_scale_factor, autovacuum_analyze_threshold);"
        ),
    )


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"table_activity": (a_table_activity(updates=9_999),), "window": a_window()},
        {"table_activity": (a_table_activity(updates=99_999, hot_updates=99_000),), "window": a_window()},
        {"table_activity": (a_table_activity(updates=None, hot_updates=None, deletes=None),), "window": a_window()},
        {"table_statistics": (statistics_of(),)},
    ],
    ids=["nothing known", "seldom written", "HOT", "on a standby", "counters lost"],
)
def test_a_table_of_which_no_more_is_known_is_only_mentioned(sections: Any) -> None:
    (found,) = said(**sections)
    assert (found.severity, found.confidence, found.basis) == (Severity.INFO, Confidence.LOW, Basis.ESTIMATED)


def test_rows_are_those_that_the_server_counted_of_late_too() -> None:
    (found,) = said(a_table(row_estimate=None), table_statistics=(statistics_of(live_rows=MANY, updates=1),))
    assert found.evidence["rows"] == MANY


@pytest.mark.parametrize(
    "table",
    [
        {"row_estimate": MANY - 1},
        {"row_estimate": None},
        {"options": ("autovacuum_vacuum_scale_factor=0.3",)},
        {"options": ("autovacuum_vacuum_threshold=1000",)},
        {"options": ("autovacuum_vacuum_max_threshold=5000000",)},
        {"options": ("autovacuum_enabled=off",)},
        {"extension": "timescaledb"},
        {"kind": "m"},
        {"row_estimate": 600_000_000},
    ],
    ids=["smaller", "unknown", "own scale", "own threshold", "own cap", "off", "extension's", "view", "capped"],
)
def test_silent_about(table: Any) -> None:
    assert said(a_table(**{"row_estimate": MANY, **table})) == []


def test_before_postgresql_18_nothing_caps_it() -> None:
    settings = autovacuum_settings(autovacuum_vacuum_max_threshold=None)
    (found,) = said(a_table(row_estimate=600_000_000), settings=settings)
    assert found.evidence["trigger_rows"] == 120_000_050


@pytest.mark.parametrize(
    "settings", [{"autovacuum_vacuum_scale_factor": "0.1"}, {"autovacuum_vacuum_max_threshold": "500000"}]
)
def test_silent_where_the_server_was_tuned(settings: Any) -> None:
    assert said(settings=autovacuum_settings(**settings)) == []


def test_silent_where_rows_are_only_inserted() -> None:
    assert said(table_statistics=(statistics_of(inserts=MANY),)) == []
    (found,) = said(table_statistics=(statistics_of(inserts=MANY, deletes=1),))
    assert found.severity is Severity.INFO


def test_what_was_said_of_analyze_stays() -> None:
    (found,) = said(a_table(row_estimate=MANY, options=("autovacuum_analyze_scale_factor=0.05", "fillfactor=90")))
    assert found.fix is not None
    assert "analyze" not in found.fix.sql[0]
    assert "analyze" not in found.fix.undo[0]


def test_partitions_are_told_as_their_table() -> None:
    parts = [
        a_table(oid, f"task_{oid}", is_partition=True, parent_oid=1, row_estimate=rows)
        for oid, rows in ((2, MANY), (3, MANY + 50), (4, MANY - 1))
    ]
    (found,) = said(a_table(kind="p", row_estimate=3 * MANY), *parts)
    assert found.target.name == "public.task"
    assert found.rolled_up == ("public.task_2", "public.task_3")
    assert found.message.startswith("2 partitions of it have up to 10,000,050 rows, and autovacuum waits until")
    assert found.fix is not None
    assert [sql.partition(" SET")[0] for sql in found.fix.sql] == [
        "ALTER TABLE public.task_2",
        "ALTER TABLE public.task_3",
    ]
    (found,) = said(a_table(kind="p", row_estimate=3 * MANY), *parts[1:])
    assert found.message.startswith("The partition public.task_3 has 10,000,050 rows, ")
    assert said(a_table(kind="p", row_estimate=3 * MANY), parts[2]) == []


def test_large_tables_are_tuned(database: Database) -> None:
    database.execute("""
        CREATE TABLE "Large ""ключ" (id int) WITH (fillfactor = 90);
        CREATE TABLE tuned (id int) WITH (autovacuum_vacuum_scale_factor = 0.2);
        CREATE TABLE log (id int);
        CREATE TABLE small (id int);
        CREATE TABLE p (id int) PARTITION BY LIST (id);
        CREATE TABLE p_rest PARTITION OF p DEFAULT;
    """)
    before = Before(snapshot_of(database), earlier=timedelta(hours=2))
    for table, rows in (('"Large ""ключ"', 3000), ("tuned", 3000), ("log", 3000), ("small", 500), ("p", 3000)):
        database.execute(f"INSERT INTO {table} SELECT generate_series(1, {rows})")
    for table in ('"Large ""ключ"', "tuned", "small", "p"):
        database.execute(f"DELETE FROM {table} WHERE id <= 200")
    limits: dict[str, Any] = {"many_rows": 1000, "dying_rows": 200}
    looked = look_over(database, CHECK, before, **limits)
    assert sorted(looked.targets) == ['public."Large ""ключ"', "public.p"]
    assert {found.severity for found in looked.findings} == {Severity.WARNING}
    for found in looked.findings:
        assert_mends(database, CHECK, found, **limits)
    assert look_over(database, CHECK, before, **limits).findings == []
    assert database.execute("SELECT reloptions[1] FROM pg_class WHERE relname LIKE 'Large%'") == [("fillfactor=90",)]


def test_nothing_to_say_of_an_empty_database(database: Database) -> None:
    assert look(database, CHECK).findings == []
