from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.hot_blocking_index import check
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from tests.activity_builders import a_statement, a_table_activity, a_window
from tests.builders import a_column, a_foreign_key, a_schema, a_table, an_index
from tests.index_use_builders import SERVER
from tests.looking import snapshot_of
from tests.windows import Before, look_over

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "hot_blocking_index"
COLUMNS = (a_column(1), a_column(2, "at"), a_column(3, "name"), a_column(4, "note"))
KEY = an_index(99, "task_pkey", (1,), is_primary=True, is_unique=True, constraint_oid=9)
SEEN = 'UPDATE "task" SET "at" = $1 WHERE "task"."id" = $2'
UNKNOWN = Unseen("public.task", "which columns most of its updates change is not known")


def said(
    *objects: Any, text: str | None = SEEN, rows: int = 10_000, major: int = 18, **options: Any
) -> list[Finding | Unseen]:
    counters = {name: options.pop(name) for name in ("updates", "hot_updates", "newpage_updates") if name in options}
    index = options.pop("index", None) or an_index(100, "at_idx", (2,))
    activity = a_table_activity(**{"updates": 10_000, "hot_updates": 1000, "newpage_updates": 10, **counters})
    server = replace(SERVER, version_num=major * 10_000)
    statement = a_statement(text=text, rows=rows)
    schema = a_schema(a_table(), *COLUMNS, KEY, index, *objects)
    return list(check(schema, (server,), a_window(), (activity,), (statement,), **options))


def test_the_finding() -> None:
    (found,) = said()
    assert isinstance(found, Finding)
    assert found.target == Target(Kind.INDEX, "public.at_idx")
    assert (found.severity, found.confidence, found.basis) == (Severity.INFO, Confidence.MEDIUM, Basis.ESTIMATED)
    assert found.message == (
        "10% of 10,000 updates of public.task were HOT, and 100% of all set at: where that changes the value, each "
        "writes to all indexes. An UPDATE that sets the same value does not."
    )
    assert found.fix is None


@pytest.mark.parametrize(
    ("options", "is_found"),
    [
        ({"updates": 9_999}, False),
        ({"updates": 9_999, "least_updates": 9_000}, True),
        ({"hot_updates": 4_999}, True),
        ({"hot_updates": 5_000}, False),
        ({"newpage_updates": 4_499}, True),
        ({"newpage_updates": 4_500}, False),
        ({"rows": 5_000}, True),
        ({"text": 'UPDATE "task" SET "name" = $1'}, False),
        ({"text": 'UPDATE "task" SET "at" = $1, "name" = $2'}, True),
    ],
)
def test_the_thresholds(options: dict[str, Any], is_found: bool) -> None:
    assert [type(one) for one in said(**options)] == [Finding] * is_found


@pytest.mark.parametrize(
    "options",
    [
        {"rows": 4_999},
        {"text": 'UPDATE "task" SET "at" = $1, "name" = $2, "note" = $3'},
        {"text": None},
        {"text": 'UPDATE "other" SET "at" = $1'},
        {"text": 'INSERT INTO "task" VALUES ($1) ON CONFLICT DO UPDATE SET "at" = $2'},
    ],
)
def test_what_says_nothing_about_the_column(options: dict[str, Any]) -> None:
    assert said(**options) == [UNKNOWN]


def test_before_16_it_is_less_sure_and_brin_blocks() -> None:
    brin = an_index(100, "at_idx", (2,), method="brin")
    (found,) = said(index=brin, major=15, newpage_updates=None)
    assert isinstance(found, Finding)
    assert found.confidence is Confidence.LOW
    assert said(index=brin) == []


def test_what_has_to_stay_is_not_judged() -> None:
    assert said(index=an_index(100, "at_idx", (2,), is_unique=True)) == []
    assert said(a_foreign_key(columns=(2,))) == []
    assert said(an_index(101, "pair", (2, 3), is_unique=True)) == []
    other = 'UPDATE "task" SET "at" = $1, "name" = $2'
    assert said(an_index(101, "name_key", (3,), is_unique=True), text=other) == []


def test_a_standby_says_that_it_does_not_count() -> None:
    (one,) = said(updates=None, hot_updates=None)
    assert one == Unseen("indexes", "updates are counted on the primary alone: look there")


def test_a_real_one_is_found(database: Database) -> None:
    database.execute("""
        CREATE TABLE task (id int PRIMARY KEY, seen int, name int, note int)
        WITH (autovacuum_enabled = off, fillfactor = 10);
        CREATE INDEX "Seen; at" ON task (seen);
        CREATE INDEX name_idx ON task (name);
        INSERT INTO task SELECT i, i, i, i FROM generate_series(1, 1000) i
    """)
    before = Before(snapshot_of(database), earlier=timedelta(hours=30))
    for _ in range(12):
        database.execute("UPDATE task SET seen = seen + 1")
        database.execute("VACUUM task")
    sections = {"statement_activity": (a_statement(text="UPDATE task SET seen = seen + $1", rows=12_000),)}
    assert look_over(database, CHECK, before, sections=sections).targets == ['public."Seen; at"']
    whole = {"statement_activity": (a_statement(text="UPDATE task SET seen = $1, name = $2, note = $3", rows=12_000),)}
    assert look_over(database, CHECK, before, sections=whole).targets == []
