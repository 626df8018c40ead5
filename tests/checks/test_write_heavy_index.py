from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.write_heavy_index import check
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.rows import RelationSize
from tests.activity_builders import a_table_activity, a_window, an_index_activity
from tests.builders import a_column, a_foreign_key, a_schema, a_table, an_index
from tests.looking import snapshot_of
from tests.storage_builders import MB
from tests.windows import Before, look_over

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "write_heavy_index"
COLUMNS = (a_column(1), a_column(2, "at"), a_column(3, "user_id"))
BUSY = a_table_activity(inserts=20_000, updates=10_000, hot_updates=5_000)


def said(
    *objects: Any,
    scans: int | None = 9,
    activity: Any = BUSY,
    size_bytes: int | None = 20 * MB,
    covered: float = 24,
    table: Any = None,
    **options: Any,
) -> list[Finding | Unseen]:
    index = options.pop("index", None) or an_index(100, "at_idx", (2,))
    schema = a_schema(table or a_table(), *COLUMNS, index, RelationSize(oid=100, size_bytes=size_bytes), *objects)
    scanned = () if scans is None else (an_index_activity(scans=scans),)
    return list(check(schema, a_window(covered), (activity,), scanned, **options))


def test_the_finding_is_left_to_a_person() -> None:
    (found,) = said()
    assert isinstance(found, Finding)
    assert found.target == Target(Kind.INDEX, "public.at_idx")
    assert (found.severity, found.confidence, found.basis) == (Severity.INFO, Confidence.MEDIUM, Basis.MEASURED)
    assert found.message == (
        "In 24 hours 25,000 writes to public.task went to it, for 9 scans, and takes 20 MB: see which queries need it "
        "before you decide."
    )
    assert found.evidence == {"scans": 9, "writes": 25_000, "window_hours": 24, "size_bytes": 20 * MB}
    assert found.fix is None


def test_a_large_one_is_a_warning() -> None:
    severities = []
    for size_bytes in (100 * MB, 100 * MB - 1, None):
        (found,) = said(size_bytes=size_bytes)
        assert isinstance(found, Finding)
        severities.append(found.severity)
    assert severities == [Severity.WARNING, Severity.INFO, Severity.INFO]


@pytest.mark.parametrize(
    ("scans", "inserts", "options", "is_found"),
    [
        (1, 10_000, {}, True),
        (1, 9_999, {}, False),
        (1, 9_999, {"many_writes": 9_000}, True),
        (999, 1_000_000, {}, True),
        (1000, 1_000_000, {}, False),
        (1000, 1_000_000, {"few_scans": 1001}, True),
        (200, 20_000, {}, True),
        (201, 20_000, {}, True),
        (201, 20_099, {}, False),
        (0, 20_000, {}, False),
        (None, 20_000, {}, False),
    ],
)
def test_the_thresholds(scans: int | None, inserts: int, options: dict[str, Any], is_found: bool) -> None:
    extra = 101 if scans == 201 and inserts == 20_000 else 1
    activity = a_table_activity(inserts=inserts, updates=extra, deletes=1)
    assert bool(said(scans=scans, activity=activity, **options)) is is_found


def test_hot_updates_and_deletes_write_nothing() -> None:
    assert said(activity=a_table_activity(inserts=10_000, updates=90_000, hot_updates=90_000, deletes=50_000)) == []


def test_an_append_only_table_is_not_judged() -> None:
    assert said(activity=a_table_activity(inserts=50_000)) == []
    assert len(said(activity=a_table_activity(inserts=50_000, deletes=1))) == 1


def test_silence_is_never_health() -> None:
    assert said(covered=23.9) == [Unseen("indexes", "their window has 23.9 of the 24 hours that are needed")]
    assert isinstance(said(covered=2, hours=2)[0], Finding)
    (standby,) = said(activity=a_table_activity(inserts=None, updates=None, hot_updates=None, deletes=None))
    assert standby == Unseen("indexes", "writes are counted on the primary alone: look there")


@pytest.mark.parametrize(
    "values",
    [
        {"is_unique": True},
        {"constraint_oid": 1},
        {"is_exclusion": True},
        {"is_clustered": True},
        {"is_replica_identity": True},
        {"is_valid": False},
        {"is_partial": True, "predicate": "(id > 5)"},
        {"method": "brin"},
    ],
    ids=lambda values: next(reversed(values)),
)
def test_others_are_not_judged(values: Any) -> None:
    assert said(index=an_index(100, "at_idx", (2,), **values)) == []


def test_that_of_a_foreign_key_an_extension_or_another_check_is_left_alone() -> None:
    assert said(a_foreign_key(columns=(2,))) == []
    assert said(table=a_table(extension="pg_partman")) == []
    assert said(an_index(101, "wider", (2, 3))) == []


def test_a_real_one_is_found(database: Database) -> None:
    database.execute("""
        CREATE TABLE task (id int PRIMARY KEY, at int, code int, note int) WITH (autovacuum_enabled = off);
        CREATE INDEX "Hot; one" ON task (at);
        CREATE INDEX used ON task (code);
        CREATE INDEX never ON task (note)
    """)
    before = Before(snapshot_of(database), earlier=timedelta(hours=30))
    database.execute("INSERT INTO task SELECT i, i, i, i FROM generate_series(1, 12000) i")
    database.execute("DELETE FROM task WHERE id = 1")
    database.execute("""
        SET enable_seqscan = off;
        SET enable_bitmapscan = off;
        SELECT note FROM task WHERE at = 5;
        SELECT count(*) FROM generate_series(1, 500) i, LATERAL (SELECT note FROM task WHERE code = i OFFSET 0) t;
        RESET ALL
    """)
    looked = look_over(database, CHECK, before)
    assert looked.targets == ['public."Hot; one"']
    assert looked.findings[0].evidence["writes"] == 12_000
    assert looked.findings[0].evidence["scans"] == 1
    young = look_over(database, CHECK, Before(before.snapshot, earlier=timedelta(hours=2)))
    assert young.result.outcome is Outcome.SKIPPED
