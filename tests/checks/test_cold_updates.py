from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import models

from dbops.checks.cold_updates import check
from dbops.checks.hot_blocking_index import check as hot_blocking_index
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.ownership.operations import with_operation
from tests.activity_builders import a_statement, a_table_activity, a_window
from tests.builders import a_column, a_foreign_key, a_schema, a_table, an_index
from tests.index_use_builders import SERVER
from tests.looking import apply, snapshot_of, undo
from tests.ownership.sample import a_model, owners_of, registry, rows_of
from tests.storage_builders import pages_of
from tests.windows import Before, flush, look_over

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "cold_updates"
COLUMNS = (a_column(1), a_column(2, "at"), a_column(3, "name"), a_column(4, "note"))
KEY = an_index(99, "task_pkey", (1,), is_primary=True, is_unique=True, constraint_oid=9)
UNIQUE = an_index(100, "at_key", (2,), is_unique=True, constraint_oid=10)
PLAIN = an_index(101, "at_idx", (2,))
CLEAR = 'UPDATE "task" SET "name" = $1 WHERE "task"."id" = $2'
SEEN = 'UPDATE "task" SET "at" = $1 WHERE "task"."id" = $2'


def arguments(*objects: Any, text: str | None = None, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The sections: 10,000 updates, a tenth of them HOT, all by one statement, and nearly all moved to a new page."""
    counters = {name: options.pop(name) for name in ("updates", "hot_updates", "newpage_updates") if name in options}
    activity = a_table_activity(**{"updates": 10_000, "hot_updates": 1000, "newpage_updates": 8100, **counters})
    statement = {"rows": options.pop("rows", 10_000), "calls": options.pop("calls", 10_000)}
    return {
        "schema": a_schema(options.pop("table", a_table()), *COLUMNS, KEY, *objects),
        "server": (replace(SERVER, version_num=options.pop("major", 18) * 10_000),),
        "window": options.pop("window", a_window()),
        "table_activity": (activity,),
        "statement_activity": (a_statement(text=text, **statement),) if text else (),
    }, options


def said(*objects: Any, text: str | None = CLEAR, **options: Any) -> list[Finding | Unseen]:
    sections, thresholds = arguments(*objects, text=text, **options)
    return list(check(**sections, **thresholds))


def finding(*objects: Any, **options: Any) -> Finding:
    (found,) = said(*objects, **options)
    assert isinstance(found, Finding)
    return found


def test_the_room_lacks() -> None:
    found = finding()
    assert found.target == Target(Kind.TABLE, "public.task")
    assert (found.severity, found.confidence, found.basis) == (Severity.INFO, Confidence.HIGH, Basis.MEASURED)
    assert found.message == (
        "10% of 10,000 updates were HOT: 90% of the others found no room on their page (fillfactor is 100). A smaller "
        "one leaves room for them."
    )
    assert found.evidence == {
        "updates": 10_000,
        "hot_updates": 1000,
        "newpage_updates": 8100,
        "fillfactor": 100,
        "window_hours": 24.0,
    }
    assert found.fix is not None
    assert found.fix.sql == ("ALTER TABLE public.task SET (fillfactor = 90);",)
    assert found.fix.undo == ("ALTER TABLE public.task RESET (fillfactor);",)
    assert str(found.fix.caution).startswith("holds for pages that are filled from now on")


def test_the_fix_as_a_migration_operation() -> None:
    with registry() as isolated:
        model = a_model("Task", note=models.TextField())
        found = finding(table=a_table(name="ownership_task"), text=None)
        assert found.fix is not None
        assert found.location is not None
        operation = with_operation(found.fix, found.location, owners_of(isolated), a_schema(*rows_of(model))).operation
    assert operation is not None
    assert "ALTER TABLE ownership_task SET (fillfactor = 90);" in operation
    assert "ALTER TABLE ownership_task RESET (fillfactor);" in operation


@pytest.mark.parametrize(
    ("options", "is_found"),
    [
        ({"updates": 9_999}, False),
        ({"updates": 9_999, "least_updates": 9_000}, True),
        ({"hot_updates": 4_999}, True),
        ({"hot_updates": 5_000}, False),
        ({"newpage_updates": 4_500}, True),
        ({"window": a_window(1.0)}, True),
    ],
)
def test_the_thresholds(options: dict[str, Any], is_found: bool) -> None:
    assert [type(one) for one in said(**options)] == [Finding] * is_found


def test_many_are_a_warning() -> None:
    many = {"updates": 1_200_000, "hot_updates": 200_000, "newpage_updates": 900_000, "rows": 1_200_000}
    assert finding(**many, calls=1_200_000).severity is Severity.WARNING
    assert finding(**{**many, "hot_updates": 200_001}, calls=1_200_000).severity is Severity.INFO


def test_without_statements_it_is_less_sure() -> None:
    found = finding(text=None)
    assert found.confidence is Confidence.MEDIUM
    assert found.message.endswith("leaves room for them, as far as they change no indexed column.")
    assert found.fix is not None


def test_before_16_it_is_concluded_from_what_the_statements_set() -> None:
    old: dict[str, Any] = {"newpage_updates": None, "major": 15}
    found = finding(**old)
    assert (found.confidence, found.basis) == (Confidence.MEDIUM, Basis.ESTIMATED)
    assert found.message.startswith("10% of 10,000 updates were HOT: at least 100% of the others found no room on")
    assert found.fix is not None
    assert "newpage_updates" not in found.evidence
    # 5,500 of 10,000 set no indexed column; at least 4,500 of the 9,000 that were not HOT are among them.
    assert finding(**old, rows=5_500).fix is not None
    assert said(**old, rows=5_499) == [
        Unseen(
            "public.task",
            "10% of 10,000 updates were HOT, and before PostgreSQL 16 nobody counts how many found no room on "
            "their page",
        )
    ]


def test_what_an_index_uses_in_an_expression_or_a_predicate_counts_as_indexed() -> None:
    odd: tuple[dict[str, Any], ...] = (
        {"columns": (0,), "has_expressions": True, "expressions": "lower(name)"},
        {"columns": (1,), "is_partial": True, "predicate": "(name IS NOT NULL)"},
        {"columns": (1,), "is_partial": True, "predicate": None},
    )
    for values in odd:
        found = finding(an_index(103, "odd", **values))
        assert found.fix is None, values
        assert "100% of all set name, of public.odd" in found.message
    assert finding(an_index(103, "odd", columns=(0,), has_expressions=True, expressions="lower(note)")).fix is not None


def test_an_index_that_has_to_stay() -> None:
    found = finding(UNIQUE, text=SEEN, newpage_updates=10)
    assert found.message == (
        "10% of 10,000 updates were HOT, and 100% of all set at, of public.at_key: where that changes the value, each "
        "writes to all indexes. An UPDATE that sets the same value does not."
    )
    assert (found.severity, found.confidence, found.basis) == (Severity.INFO, Confidence.MEDIUM, Basis.ESTIMATED)
    assert found.fix is None
    assert (found.evidence["indexes"], found.evidence["set_ratio"]) == ("public.at_key", 1.0)
    assert finding(UNIQUE, text=SEEN, newpage_updates=None, major=15).confidence is Confidence.LOW
    assert finding(PLAIN, a_foreign_key(columns=(2,)), text=SEEN, newpage_updates=10).fix is None


def test_room_and_index_together_get_no_fix() -> None:
    found = finding(UNIQUE, text=SEEN)
    assert found.message == (
        "10% of 10,000 updates were HOT. 90% of the others found no room on their page, and 100% of all set at, of "
        "public.at_key: room alone would not make them HOT."
    )
    assert found.fix is None
    # Neither is half of it.
    found = finding(UNIQUE, text=SEEN, rows=4_000, newpage_updates=3_000)
    assert "33% of the others found no room on their page, and 40% of all set at" in found.message
    assert (found.fix, found.confidence) == (None, Confidence.LOW)


@pytest.mark.parametrize("objects", [(PLAIN,), (UNIQUE,), (PLAIN, UNIQUE), ()], ids=["plain", "unique", "both", "none"])
@pytest.mark.parametrize("counted", [(10, 18), (4_499, 18), (4_500, 18), (9_000, 18), (None, 15)])
@pytest.mark.parametrize("text", [SEEN, CLEAR])
def test_never_both_this_check_and_hot_blocking_index(
    objects: tuple[Any, ...], counted: tuple[int | None, int], text: str
) -> None:
    newpage, major = counted
    sections, _ = arguments(*objects, text=text, newpage_updates=newpage, major=major)
    found = [one for one in (*check(**sections), *hot_blocking_index(**sections)) if isinstance(one, Finding)]
    is_roomless = newpage is None or newpage >= 4_500
    assert len(found) == (is_roomless or (text == SEEN and bool(objects)))


def test_what_is_not_known_is_said() -> None:
    def reason(**options: Any) -> str:
        (unseen,) = said(**{"newpage_updates": 10, **options})
        assert isinstance(unseen, Unseen)
        return unseen.reason

    assert reason(text=None).endswith("which columns most of them change is not known")
    assert reason(text='UPDATE "task" SET "at" = $1, "name" = $2, "note" = $3').endswith("change is not known")
    sections, _ = arguments(newpage_updates=10)
    (unseen,) = check(**{**sections, "statement_activity": None})
    assert isinstance(unseen, Unseen)
    assert unseen.reason.endswith("is not known without pg_stat_statements")
    assert reason().endswith("explains it: a trigger may change an indexed column")
    assert said(updates=None, hot_updates=None) == [
        Unseen("all tables", "updates are counted on the primary alone: look there")
    ]
    assert said(window=a_window(0.9)) == [
        Unseen("all tables", "counted for less than 1 h, which may be those of one job")
    ]


def test_no_fillfactor_leaves_room_for_what_changes_many_rows_at_once() -> None:
    # A tenth of 1,000 rows.
    assert finding(calls=100).fix is not None
    found = finding(calls=99)
    assert found.fix is None
    assert found.message.endswith(
        "Statements that change many rows at once fill more than a smaller one would leave free."
    )
    assert finding(calls=99, table=a_table(row_estimate=None)).fix is not None


def test_pages_that_gave_one_version_away_have_room_since() -> None:
    sections, _ = arguments(text=CLEAR)
    assert list(check(**sections, relation_pages=(pages_of(size_bytes=8100 * 8192, rows=100_000),))) == []
    assert len(list(check(**sections, relation_pages=(pages_of(size_bytes=8099 * 8192, rows=100_000),)))) == 1


def test_the_fillfactor_leaves_room_for_two_versions() -> None:
    def advised(rows: int, **options: Any) -> tuple[str, ...]:
        sections, _ = arguments(text=CLEAR, table=a_table(row_estimate=rows, **options))
        pages = (pages_of(size_bytes=2000 * 8192, rows=rows),)
        (found,) = check(**sections, relation_pages=pages)
        assert isinstance(found, Finding)
        return found.fix.sql if found.fix else ()

    assert advised(40_000) == ("ALTER TABLE public.task SET (fillfactor = 90);",)
    assert advised(20_000) == ("ALTER TABLE public.task SET (fillfactor = 80);",)
    assert advised(19_000) == ("ALTER TABLE public.task SET (fillfactor = 75);",)
    assert advised(5_000) == ("ALTER TABLE public.task SET (fillfactor = 50);",)
    assert advised(20_000, options=("fillfactor=80",)) == ()


def test_a_fillfactor_of_its_own_is_put_back_and_a_small_one_left() -> None:
    found = finding(table=a_table(options=("fillfactor=95", "autovacuum_enabled=on")))
    assert found.fix is not None
    assert found.fix.undo == ("ALTER TABLE public.task SET (fillfactor = 95);",)
    small = finding(table=a_table(options=("fillfactor=90",)))
    assert small.fix is None
    assert "(fillfactor is 90), which should do: old versions are kept by a long transaction" in small.message


def test_partitions_are_mended_and_told_as_their_table() -> None:
    root = a_table(1, kind="p", row_estimate=None)
    parts = [
        a_table(2, "task_1", is_partition=True, parent_oid=1),
        a_table(3, "task_2", is_partition=True, parent_oid=1, options=("fillfactor=80",)),
    ]
    activity = [a_table_activity(oid, updates=6_000, hot_updates=0, newpage_updates=6_000) for oid in (2, 3)]
    sections, _ = arguments(*parts, table=root, text=CLEAR)
    (found,) = check(**{**sections, "table_activity": activity})
    assert isinstance(found, Finding)
    assert found.target.name == "public.task"
    assert found.fix is not None
    assert found.fix.sql == ("ALTER TABLE public.task_1 SET (fillfactor = 90);",)
    own = (a_column(1, "name", table_oid=3), an_index(105, "task_2_name", (1,), table_oid=3))
    sections, _ = arguments(*parts, *own, table=root, text=CLEAR)
    (found,) = check(**{**sections, "table_activity": activity})
    assert isinstance(found, Finding)
    assert "83% of all set name, of public.task_2_name: room alone" in found.message
    assert found.fix is None


# On real servers.

ROWS = 150_000


def moved(database: Database, table: str, remainder: int) -> None:
    """Change a twelfth of the rows, which lie on all pages, in one transaction."""
    database.execute(f"UPDATE {table} SET note = note + 1 WHERE id % 12 = {remainder}")


def a_filled(database: Database, table: str, options: str = "autovacuum_enabled = off") -> None:
    database.execute(
        f"""
        CREATE TABLE {table} (id int PRIMARY KEY, code int UNIQUE, at int, note int, name int) WITH ({options});
        INSERT INTO {table} SELECT i, i, i, i, i FROM generate_series(1, {ROWS}) i;
        VACUUM ANALYZE {table}
    """.replace("VACUUM ANALYZE", "ANALYZE")
    )


def now(database: Database) -> Before:
    flush(database)
    return Before(snapshot_of(database), earlier=timedelta(hours=30))


def test_full_pages_are_found_and_have_room_after_the_fix(database: Database) -> None:
    database.execute("CREATE EXTENSION pg_stat_statements")
    table = '"Full; one"'
    a_filled(database, table)
    a_filled(database, "roomy", "autovacuum_enabled = off, fillfactor = 80")
    before = now(database)
    moved(database, table, 0)
    moved(database, "roomy", 0)
    looked = look_over(database, CHECK, before)
    assert looked.targets == [f"public.{table}"]
    (found,) = looked.findings
    assert found.evidence["updates"] == ROWS // 12
    assert found.evidence["hot_updates"] == 0
    assert found.confidence is (Confidence.MEDIUM if database.major < 16 else Confidence.HIGH)
    assert found.fix is not None
    assert found.fix.sql == (f"ALTER TABLE public.{table} SET (fillfactor = 90);",)
    apply(database, found.fix)
    database.execute(f"VACUUM FULL {table}")
    later = now(database)
    moved(database, table, 1)
    assert look_over(database, CHECK, later).result.outcome is Outcome.OK
    undo(database, found.fix)
    database.execute(f"VACUUM FULL {table}")
    last = now(database)
    moved(database, table, 2)
    assert look_over(database, CHECK, last).targets == [f"public.{table}"]


def test_an_index_that_has_to_stay_is_named_and_one_that_could_go_is_left_to_its_check(database: Database) -> None:
    database.execute("CREATE EXTENSION pg_stat_statements")
    for table in ("kept", "other"):
        a_filled(database, table, "autovacuum_enabled = off, fillfactor = 50")
    database.execute("CREATE INDEX other_at ON other (at)")
    before = now(database)
    database.execute("UPDATE kept SET code = -code WHERE id % 12 = 0")
    database.execute("UPDATE other SET at = -at WHERE id % 12 = 0")
    (found,) = look_over(database, CHECK, before).findings
    assert found.target.name == "public.kept"
    assert "100% of all set code, of public.kept_code_key" in found.message
    assert found.fix is None
    assert look_over(database, "hot_blocking_index", before).targets == ["public.other_at"]


def test_a_table_that_was_just_loaded_makes_room_by_itself(database: Database) -> None:
    pgbench = database.server.binaries.program("pgbench")
    subprocess.run((pgbench, "--initialize", "--quiet", "--scale=10", database.dsn), check=True, capture_output=True)
    before = now(database)
    database.execute("""
        DO $$ BEGIN
            FOR i IN 1..12000 LOOP
                UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = 1 + (i * 7919) % 1000000;
                COMMIT;
            END LOOP;
        END $$
    """)
    looked = look_over(database, CHECK, before)
    assert looked.result.outcome is not Outcome.FOUND
    if database.major >= 16:  # before, nobody counts the room
        unlisted = look_over(database, CHECK, before, sections={"relation_pages": ()})
        assert unlisted.targets == ["public.pgbench_accounts"]


def test_a_short_window_is_skipped(database: Database) -> None:
    looked = look_over(database, CHECK, Before(snapshot_of(database)))
    assert looked.result.outcome is Outcome.SKIPPED
    assert str(looked.result.reason).startswith("counted for less than 1 h")


def test_without_a_history_it_is_skipped(database: Database) -> None:
    looked = look_over(database, CHECK)
    assert looked.result.outcome is Outcome.SKIPPED
