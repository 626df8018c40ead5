from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.disabled_table_autovacuum import check
from dbops.findings.finding import Finding, Kind, Severity, Target
from tests.builders import a_schema, a_table, statistics_of
from tests.checks.mending import assert_mends
from tests.looking import look
from tests.vacuum_builders import a_toast_table

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "disabled_table_autovacuum"
OFF = ("autovacuum_enabled=false",)


def findings(*objects: Any, **sections: Any) -> list[Finding]:
    return list(check(a_schema(*objects), **sections))


def test_a_large_table_that_is_left_alone() -> None:
    table = a_table(options=("fillfactor=90", "autovacuum_enabled=off"), row_estimate=None)
    (found,) = findings(table, table_statistics=(statistics_of(live_rows=10_001, dead_rows=800),))
    assert found.target == Target(Kind.TABLE, "public.task")
    assert found.severity is Severity.WARNING
    assert found.evidence == {"rows": 10_001, "dead_rows": 800}
    assert found.message == (
        "Autovacuum is switched off for this table with 10,001 rows: dead rows stay, and the planner's statistics are "
        "as old as the last ANALYZE that somebody ran."
    )
    assert found.fix is not None
    assert found.fix.sql == ("ALTER TABLE public.task RESET (autovacuum_enabled);",)
    assert found.fix.undo == ("ALTER TABLE public.task SET (autovacuum_enabled = off);",)


def test_a_small_or_unknown_one_is_only_mentioned() -> None:
    for rows in (10_000, None):
        (found,) = findings(a_table(options=OFF, row_estimate=rows))
        assert found.severity is Severity.INFO
    (found,) = findings(a_table(options=OFF, row_estimate=10_000), many_rows=9_999)
    assert found.severity is Severity.WARNING


def test_lost_counters_do_not_make_a_table_small() -> None:
    (found,) = findings(a_table(options=OFF, row_estimate=50_000), table_statistics=(statistics_of(live_rows=3),))
    assert found.evidence["rows"] == 50_000


def test_a_toast_table_that_is_left_alone() -> None:
    (found,) = findings(a_table(), toast_tables=(a_toast_table(options=OFF),))
    assert found.message.startswith("Autovacuum is switched off for the TOAST table of this table: what long values")
    assert found.fix is not None
    assert found.fix.sql == ("ALTER TABLE public.task RESET (toast.autovacuum_enabled);",)


def test_partitions_are_told_as_their_table() -> None:
    (found,) = findings(
        a_table(kind="p", row_estimate=None),
        a_table(2, "task_1", is_partition=True, parent_oid=1, options=OFF, row_estimate=9_000),
        a_table(3, "task_2", is_partition=True, parent_oid=1, options=OFF, row_estimate=9_000),
        a_table(4, "task_3", is_partition=True, parent_oid=1, row_estimate=9_000),
    )
    assert found.target.name == "public.task"
    assert found.rolled_up == ("public.task_1", "public.task_2")
    assert "for 2 partitions of it with 18,000 rows" in found.message
    assert found.evidence == {"rows": 18_000}


@pytest.mark.parametrize("word", ["f", "No", "OFF", "of", "0", "false"])
def test_every_way_to_write_no_is_understood(word: str) -> None:
    assert findings(a_table(options=(f"autovacuum_enabled={word}",)))


@pytest.mark.parametrize(
    "decoy",
    [
        {"options": ()},
        {"options": ("autovacuum_enabled=on",)},
        {"options": ("autovacuum_vacuum_threshold=0",)},
        {"options": OFF, "extension": "pg_cron"},
    ],
    ids=["no option", "switched on", "another option", "extension's"],
)
def test_silent_about(decoy: dict[str, Any]) -> None:
    assert findings(a_table(**decoy)) == []


def test_a_table_is_given_back_to_autovacuum(database: Database) -> None:
    database.execute("""
        CREATE TABLE "Mixed ""ключ" (id int, body text)
            WITH (autovacuum_enabled = FALSE, toast.autovacuum_enabled = off, fillfactor = 80);
        CREATE TABLE kept (id int) WITH (autovacuum_vacuum_threshold = 10);
    """)
    database.execute("""INSERT INTO "Mixed ""ключ" SELECT n FROM generate_series(1, 10001) n""")
    database.execute('ANALYZE "Mixed ""ключ"')
    (found,) = look(database, CHECK).findings
    assert found.target.name == 'public."Mixed ""ключ"'
    assert found.severity is Severity.WARNING
    assert_mends(database, CHECK, found)
    (options,) = database.execute("SELECT reloptions FROM pg_class WHERE relname LIKE 'Mixed%'")[0]
    assert options == ["fillfactor=80"]


def test_only_the_toast_table_was_left_out(database: Database) -> None:
    database.execute("CREATE TABLE letter (body text) WITH (toast.autovacuum_enabled = off)")
    (found,) = look(database, CHECK, role=database.create_role(f"{database.name}_bare")).findings
    assert (found.target.name, found.severity) == ("public.letter", Severity.INFO)
    assert_mends(database, CHECK, found)


def test_partitions_and_materialised_views_are_given_back(database: Database) -> None:
    database.execute("CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE p_1 PARTITION OF p DEFAULT")
    database.execute("ALTER TABLE p_1 SET (autovacuum_enabled = 0)")
    database.execute("CREATE MATERIALIZED VIEW seen WITH (autovacuum_enabled = no) AS SELECT 1 AS one")
    looked = look(database, CHECK)
    assert sorted(looked.targets) == ["public.p", "public.seen"]
    for found in looked.findings:
        assert_mends(database, CHECK, found)
