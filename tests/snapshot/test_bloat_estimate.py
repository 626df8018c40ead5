from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dbops.snapshot.bloat_estimate import Estimates
from dbops.snapshot.schema import Schema
from tests.builders import a_column, a_schema, a_table, an_index
from tests.looking import snapshot_of
from tests.storage_builders import MB, column_statistics_of, hidden_statistics_of, pages_of

if TYPE_CHECKING:
    from dbops.snapshot.rows import Index, Table
    from tests.servers import Database

ROWS = 200_000
#: How far off an estimate of a relation that was just written may be.
TOLERANCE = 0.1
#: Columns as (declaration, value of row i): narrow and wide, padded, nullable, of one length and of many.
TABLES = {
    "narrow": [("bigint", "i"), ("boolean", "true"), ("bigint", "i"), ("smallint", "1"), ("integer", "i")],
    "fixed": [("integer", "i"), ("timestamptz", "now()"), ("uuid", "gen_random_uuid()"), ("boolean", "false")],
    "texts": [("bigint", "i"), ("text", "repeat('x', i % 100)"), ("integer", "i"), ("numeric", "i * 1.5")],
    "nulls": [("bigint", "i"), ("text", "CASE WHEN i % 10 = 0 THEN md5(i::text) END"), ("bigint", "nullif(i % 2, 0)")],
    "wide": [("bigint", "i"), ("text", "repeat(md5(i::text), 6)")],
    "names": [("name", "'n' || i"), ("integer", "i")],
}
INDEXES = {
    "unique_big": "(a)",
    "two": "(a, b)",
    "flag": "(c)",
    "repeated": "(h)",
    "text_key": "(e)",
    "expression": "(lower(e))",
    "numeric_key": "(f)",
    "half_null": "(g)",
    "half_full": "(a) WITH (fillfactor = 45)",
    "plain": "(d) WITH (deduplicate_items = off)",
    "covering": "(a) INCLUDE (b)",
    "partial": "(e) WHERE a % 4 <> 0",
}


def of(*objects: Any, statistics: Any = (), relation: Any) -> int | str:
    schema = a_schema(a_table(), a_column(1), a_column(2, "n", "name"), *objects)
    return Estimates(schema, statistics).needed_pages(relation)


def estimated_and_real(database: Database) -> dict[str, tuple[int | str, int]]:
    """The estimate and the real size of everything of 10 MB or more, in pages."""
    snapshot = snapshot_of(database)
    schema = Schema.of(snapshot)
    assert isinstance(schema, Schema)
    columns, relations = snapshot.section("column_statistics"), snapshot.section("relation_pages")
    assert isinstance(columns, tuple)
    assert isinstance(relations, tuple)
    estimates = Estimates(schema, columns)
    names: dict[int, Table | Index] = {**schema.tables, **schema.indexes}
    return {names[row.oid].name: (estimates.needed_pages(row), row.pages) for row in relations if row.oid in names}


def off_by(pair: tuple[int | str, int]) -> float:
    estimated, real = pair
    assert isinstance(estimated, int)
    return estimated / real - 1


def test_tables_just_written_are_as_large_as_estimated(database: Database) -> None:
    for name, columns in TABLES.items():
        types = ", ".join(f"c{number} {type_}" for number, (type_, _) in enumerate(columns))
        values = ", ".join(value for _, value in columns)
        database.execute(f"CREATE TABLE {name} ({types})")
        database.execute(f"INSERT INTO {name} SELECT {values} FROM generate_series(1, {ROWS}) i")
    database.execute("CREATE TABLE roomy (a bigint, b text) WITH (fillfactor = 50)")
    database.execute(f"INSERT INTO roomy SELECT i, md5(i::text) FROM generate_series(1, {ROWS}) i")
    database.execute("VACUUM ANALYZE")
    # At 10 MB a table is listed; all of these should be.
    found = estimated_and_real(database)
    assert set(found) >= {*TABLES, "roomy"} - {"nulls"}
    assert {name: pair for name, pair in found.items() if abs(off_by(pair)) > TOLERANCE} == {}


def test_indexes_just_built_are_as_large_as_estimated(database: Database) -> None:
    database.execute("CREATE TABLE t (a bigint, b int, c boolean, d int, e text, f numeric, g bigint, h text)")
    database.execute(f"""
        INSERT INTO t SELECT i, i, i % 2 = 0, i % 2000, repeat('x', i % 60) || i, i * 1.25,
            CASE WHEN i % 2 = 0 THEN i END, repeat('y', 90) || i % 120000
        FROM generate_series(1, {3 * ROWS}) i
    """)
    for name, definition in INDEXES.items():
        database.execute(f"CREATE INDEX {name} ON t {definition}")
    database.execute("VACUUM ANALYZE t")
    found = estimated_and_real(database)
    del found["t"]
    assert set(found) >= {
        "unique_big",
        "repeated",
        "text_key",
        "expression",
        "half_full",
        "plain",
        "covering",
        "partial",
    }
    assert {name: pair for name, pair in found.items() if abs(off_by(pair)) > TOLERANCE} == {}


@pytest.mark.parametrize("kind", ["r", "i"])
def test_what_was_never_analyzed_cannot_be_told(kind: str) -> None:
    relation = pages_of(100 if kind == "i" else 1, kind, size_bytes=20 * MB, rows=None)
    assert of(an_index(), relation=relation) == "it was never analyzed: ANALYZE it"


def test_a_column_without_statistics_cannot_be_told() -> None:
    relation = pages_of(size_bytes=20 * MB, rows=9)
    assert of(relation=relation) == "ANALYZE has not seen all of its columns: ANALYZE it"
    unknown = column_statistics_of(2, width_bytes=None)
    said = of(relation=relation, statistics=(column_statistics_of(1), unknown))
    assert said == "ANALYZE has not seen all of its columns: ANALYZE it"


def test_hidden_statistics_are_told_from_missing_ones() -> None:
    said = of(relation=pages_of(size_bytes=20 * MB, rows=9), statistics=(hidden_statistics_of(),))
    assert said == "its planner statistics are hidden from this role: GRANT SELECT on the table to it"
    index = pages_of(100, "i", size_bytes=20 * MB, rows=9)
    assert "hidden" in str(of(an_index(), relation=index, statistics=(hidden_statistics_of(),)))


def test_an_index_on_a_name_cannot_be_told() -> None:
    index = pages_of(100, "i", size_bytes=20 * MB, rows=9)
    said = of(an_index(columns=(2,)), relation=index, statistics=(column_statistics_of(2, width_bytes=64, length=64),))
    assert said == "the width of type name in an index cannot be estimated"


def test_an_empty_relation_needs_nothing_whatever_its_columns() -> None:
    assert of(relation=pages_of(size_bytes=20 * MB, rows=0)) == 0
    assert of(an_index(), relation=pages_of(100, "i", size_bytes=20 * MB, rows=0)) == 0


def test_pieces_of_toast_need_a_quarter_of_a_page_at_most() -> None:
    assert of(relation=pages_of(11, "t", size_bytes=20 * MB, rows=1001)) == 251
    assert of(relation=pages_of(11, "t", size_bytes=20 * MB, rows=None)) == "it was never vacuumed: VACUUM it"
