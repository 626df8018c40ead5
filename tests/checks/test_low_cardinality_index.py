from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.low_cardinality_index import check
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.rows import IndexStatistics, RelationSize
from tests.builders import a_column, a_foreign_key, a_schema, a_table, an_index, statistics_of
from tests.checks.mending import assert_mends
from tests.looking import look, snapshot_of
from tests.storage_builders import MB, column_statistics_of, hidden_statistics_of

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "low_cardinality_index"
COLUMNS = (a_column(1), a_column(2, "state"))


def values(*ratios: float, nulls: float = 0.0, **options: Any) -> Any:
    """The statistics of column `state`, whose values have these frequencies."""
    given = {"distinct_values": float(len(ratios)), "frequencies": ratios, "frequent_values": len(ratios)}
    return column_statistics_of(2, null_ratio=nulls, **{**given, **options})


def said(
    *objects: Any, statistics: Any = None, size_bytes: int | None = 20 * MB, **options: Any
) -> list[Finding | Unseen]:
    index = options.pop("index", None) or an_index(100, "state_idx", (2,))
    schema = a_schema(a_table(), *COLUMNS, index, RelationSize(oid=100, size_bytes=size_bytes), *objects)
    given = values(0.6, 0.4) if statistics is None else statistics
    return list(check(schema, (given,), **options))


def finding(*objects: Any, **options: Any) -> Finding:
    (found,) = said(*objects, **options)
    assert isinstance(found, Finding)
    return found


def test_the_finding_says_how_frequent_the_values_are() -> None:
    found = finding(
        table_statistics=(statistics_of(inserts=70),),
        index_statistics=(IndexStatistics(oid=100, scans=1_200, entries_read=1_200_000),),
    )
    assert found.target == Target(Kind.INDEX, "public.state_idx")
    assert (found.severity, found.confidence, found.basis) == (
        Severity.WARNING,
        Confidence.MEDIUM,
        Basis.ESTIMATED,
    )
    assert found.message == (
        "state has 2 values, of 60% and 40% of the rows, so that reading the table finds them as fast; the index costs "
        "20 MB and a write for each insert into public.task. It was scanned 1,200 times since the counters were reset."
    )
    assert found.evidence == {
        "size_bytes": 20 * MB,
        "writes": 70,
        "scans": 1_200,
        "distinct_values": 2,
        "rarest_ratio": 0.4,
    }
    assert found.fix is not None
    assert found.fix.sql == ("DROP INDEX CONCURRENTLY public.state_idx;",)
    assert found.fix.undo


def test_a_single_value_is_told_as_one() -> None:
    assert finding(statistics=values(1.0)).message.startswith("state has 1 value, so that")


@pytest.mark.parametrize(
    ("statistics", "is_found"),
    [
        (values(0.5, 0.45, 0.05), True),
        (values(0.5, 0.46, 0.04), False),
        (values(0.25, 0.25, 0.25, 0.25), False),
        (values(0.4, 0.3, nulls=0.3), True),
        (values(0.4, 0.3, 0.2, nulls=0.1), False),
        (values(0.6, 0.38, nulls=0.02), False),
        (values(nulls=1.0, distinct_values=0.0), True),
        (values(0.6, 0.4, distinct_values=3.0), False),
        (values(0.6, 0.3, distinct_values=2.0), False),
        (values(0.6, 0.4, distinct_values=-0.5), False),
        (values(frequencies=None, distinct_values=2.0), False),
    ],
    ids=[
        "three",
        "one rare",
        "four",
        "NULL is the third",
        "NULL is the fourth",
        "NULL is rare",
        "NULL alone",
        "one not counted",
        "some of other values",
        "many",
        "no frequencies",
    ],
)
def test_few_values_and_none_of_them_rare(statistics: Any, is_found: bool) -> None:
    assert bool(said(statistics=statistics)) is is_found


def test_the_thresholds() -> None:
    assert said(size_bytes=10 * MB - 1) == []
    assert len(said(size_bytes=9 * MB, smallest_bytes=9 * MB)) == 1
    assert len(said(statistics=values(0.25, 0.25, 0.25, 0.25), most_values=4)) == 1
    assert said(rare_ratio=0.41) == []


def test_an_index_whose_scans_found_few_rows_was_looking_for_a_rare_value() -> None:
    for entries, is_found in ((49 * 10, False), (50 * 10, True)):
        used = (IndexStatistics(oid=100, scans=10, entries_read=entries),)
        assert bool(said(index_statistics=used)) is is_found
    assert len(said(index_statistics=(IndexStatistics(oid=100, scans=0, entries_read=0),))) == 1


def test_the_only_index_of_a_foreign_key_stays() -> None:
    key = a_foreign_key(to=2, definition="FOREIGN KEY (state) REFERENCES public.state(id)")
    assert said(key) == []
    twin = (an_index(101, "its_twin", (2,), operator_classes=(9,)), RelationSize(oid=101, size_bytes=MB))
    assert said(key, *twin) == []
    partial = an_index(101, "set", (2,), is_partial=True, predicate="(state IS NOT NULL)")
    assert len(said(key, partial)) == 1
    assert said(key, an_index(101, "some", (2,), is_partial=True, predicate="(id > 9)")) == []
    composite = a_foreign_key(columns=(2, 1), to_columns=(1, 2))
    assert len(said(composite)) == 1


@pytest.mark.parametrize(
    ("statistics", "reason"),
    [
        (
            hidden_statistics_of(2),
            "its column's planner statistics are hidden from this role: GRANT SELECT on its table to it",
        ),
        (column_statistics_of(2, null_ratio=None), "its column was never analyzed: ANALYZE its table"),
    ],
    ids=["hidden", "not analyzed"],
)
def test_silence_is_never_health(statistics: Any, reason: str) -> None:
    assert said(statistics=statistics) == [Unseen("public.state_idx", reason)]


@pytest.mark.parametrize(
    "options",
    [{"is_unique": True}, {"is_partial": True, "predicate": "(id > 5)"}, {"is_clustered": True}, {"method": "hash"}],
    ids=lambda options: next(iter(options)),
)
def test_others_are_not_judged(options: Any) -> None:
    assert said(index=an_index(100, "state_idx", (2,), **options)) == []


def test_every_part_of_a_partitioned_one_has_to_have_few_values() -> None:
    parts = [a_table(oid, f"p{oid}", is_partition=True, parent_oid=1) for oid in (2, 3)]
    columns = [a_column(2, "state", table_oid=oid) for oid in (1, 2, 3)]
    indexes = [an_index(oid * 10, f"p{oid}_idx", (2,), table_oid=oid, parent_oid=100) for oid in (2, 3)]
    sizes = [RelationSize(oid=oid * 10, size_bytes=8 * MB) for oid in (2, 3)]
    schema = a_schema(a_table(kind="p"), *parts, *columns, an_index(100, "whole", (2,), kind="I"), *indexes, *sizes)
    few, many = values(0.5, 0.5, relation_oid=2), values(0.5, 0.3, 0.1, 0.1, relation_oid=3)
    assert list(check(schema, (few, many))) == []
    (found,) = check(schema, (few, values(1.0, relation_oid=3)))
    assert isinstance(found, Finding)
    assert found.target.name == "public.whole"
    assert found.message.startswith("state has 2 values, so that reading")
    assert found.fix is not None
    assert found.fix.sql == ("DROP INDEX public.whole;",)


THRESHOLD: dict[str, Any] = {"smallest_bytes": MB}


def test_a_real_one_is_dropped_and_brought_back(database: Database) -> None:
    database.execute("CREATE TABLE kind (id int PRIMARY KEY)")
    database.execute("INSERT INTO kind VALUES (0), (1)")
    database.execute("""
        CREATE TABLE task (id int, "is done" boolean, kind_id int REFERENCES kind, state text, maybe boolean)
    """)
    database.execute("""
        INSERT INTO task SELECT i, i % 3 = 0, i % 2, CASE WHEN i % 100 = 0 THEN 'open' ELSE 'closed' END,
            CASE WHEN i % 3 = 0 THEN true WHEN i % 3 = 1 THEN false END
        FROM generate_series(1, 200000) i
    """)
    for column in ("is done", "kind_id", "state", "maybe"):
        database.execute(f'CREATE INDEX "on {column}" ON task ("{column}")')
    database.execute("ANALYZE task")
    looked = look(database, CHECK, **THRESHOLD)
    assert looked.targets == ['public."on is done"', 'public."on maybe"']
    assert [found.evidence["distinct_values"] for found in looked.findings] == [2, 3]
    for found in looked.findings:
        assert_mends(database, CHECK, found, **THRESHOLD)
    assert look(database, CHECK, **THRESHOLD).result.outcome is Outcome.OK
    assert look(database, "unindexed_foreign_key").result.outcome is Outcome.OK


def test_a_real_one_that_finds_what_the_sample_missed_stays(database: Database) -> None:
    database.execute("CREATE TABLE queue (id int, state text)")
    database.execute("INSERT INTO queue SELECT i, 'done' FROM generate_series(1, 200000) i")
    database.execute("CREATE INDEX waiting ON queue (state)")
    database.execute("ANALYZE queue")
    database.execute("INSERT INTO queue VALUES (0, 'open')")
    assert look(database, CHECK, **THRESHOLD).targets == ["public.waiting"]
    database.execute("SET enable_seqscan = off")
    assert database.execute("SELECT id FROM queue WHERE state = 'open'") == [(0,)]
    database.execute("SELECT pg_stat_force_next_flush()")
    assert look(database, CHECK, **THRESHOLD).result.outcome is Outcome.OK


def test_no_value_of_a_row_is_read(database: Database) -> None:
    database.execute("CREATE TABLE patient (id int, illness text)")
    database.execute("INSERT INTO patient SELECT i, 'secret' || i % 2 FROM generate_series(1, 200000) i")
    database.execute("CREATE INDEX illness ON patient (illness)")
    database.execute("ANALYZE patient")
    assert look(database, CHECK, **THRESHOLD).targets == ["public.illness"]
    section = snapshot_of(database).section("column_statistics")
    assert "frequent_values=2" in str(section)
    assert "secret" not in str(section)
