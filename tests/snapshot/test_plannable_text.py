"""Texts of pg_stat_statements are made plannable again, and nothing that could do more than be planned gets through."""

from __future__ import annotations

import pytest

from dbops.snapshot.plannable_text import plannable, unplannable
from dbops.snapshot.statement_tables import named_relations


@pytest.mark.parametrize(
    "text",
    [
        "SELECT $1",
        "(SELECT $1) UNION SELECT $2;",
        "/* a comment */ WITH a AS (DELETE FROM b RETURNING *) SELECT * FROM a",
        "MERGE INTO a USING b ON a.id = b.id WHEN MATCHED THEN DELETE",
        "TABLE a",
        "VALUES ($1)",
    ],
)
def test_statements_with_a_plan(text: str) -> None:
    assert unplannable(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "EXPLAIN ANALYZE DELETE FROM a",
        "ANALYZE a",
        "COPY a TO PROGRAM 'x'",
        "DO $$ BEGIN END $$",
        "CREATE TABLE b AS SELECT 1",
        "EXECUTE a",
        "",
        "'",
        "SELECT 1; COMMIT; DROP TABLE a",
        "SELECT ';'",
        "SELECT E'a'\n'\\' || '; COMMIT; DROP TABLE a; --'",
        "SELECT 1 /* ; */",
        "SELECT 1 -- ;\n, 2",
    ],
)
def test_statements_that_are_refused(text: str) -> None:
    assert unplannable(text) is not None


@pytest.mark.parametrize(
    ("text", "planned"),
    [
        ("SELECT interval $1", "SELECT CAST($1 AS interval)"),
        ("SELECT a - INTERVAL $1, date $2", "SELECT a - CAST($1 AS interval), CAST($2 AS date)"),
        ("SELECT timestamp with time zone $1", "SELECT CAST($1 AS timestamp with time zone)"),
        ("SELECT interval $1 day", "SELECT interval $1 day"),
        ("SELECT $1::interval", "SELECT $1::interval"),
        ("SELECT /* interval $1 */ a.date, '$1' FROM a", "SELECT /* interval $1 */ a.date, '$1' FROM a"),
        ("SELECT a FROM b LIMIT $1", "SELECT a FROM b LIMIT coalesce(3, $1)"),
        ("SELECT a FROM (SELECT a FROM c LIMIT $1) b", "SELECT a FROM (SELECT a FROM c LIMIT $1) b"),
        ("SELECT a FROM b /* LIMIT $9 */ LIMIT $1;", "SELECT a FROM b /* LIMIT $9 */ LIMIT coalesce(3, $1)"),
    ],
)
def test_what_is_planned(text: str, planned: str) -> None:
    assert plannable(text, 2.5).text == planned


def test_what_is_not_known_is_said() -> None:
    notes = plannable("SELECT a FROM b WHERE c IN ($1 /*, ... */) LIMIT $2 OFFSET $3", None).notes
    assert notes == (
        "LIMIT $2 is not known: the planner takes a tenth of the rows",
        "OFFSET $3 is not known: the planner takes a tenth of the rows",
        "the server has shortened a list of values to its first: it is planned with that one alone",
    )
    assert plannable("SELECT a FROM b LIMIT $1", 0.0).text.endswith("coalesce(1, $1)")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('SELECT * FROM "shop_order" INNER JOIN "Odd ""one" ON true', [(None, "shop_order"), (None, 'Odd "one')]),
        ("UPDATE ONLY shop.Task SET a = $1 FROM person p, other WHERE true", ["shop.task", "person", "other"]),
        ("INSERT INTO a (b) SELECT b FROM c ON CONFLICT (b) DO UPDATE SET b = $1", ["a", "c"]),
        ("DELETE FROM a USING b, c WHERE a.id IS DISTINCT FROM b.id", ["a", "b", "c"]),
        ("SELECT * FROM (SELECT * FROM a) x, b WHERE c FOR UPDATE OF b", ["a", "b"]),
        ("SELECT a, b FROM c JOIN d USING (id), e", ["c", "d", "e"]),
        ("TABLE a", ["a"]),
        ("SELECT 1", []),
    ],
)
def test_named_relations(text: str, names: list[str | tuple[str | None, str]]) -> None:
    expected = [name if isinstance(name, tuple) else _parts(name) for name in names]
    assert set(named_relations(text)) == set(expected)


def _parts(name: str) -> tuple[str | None, str]:
    schema, _, table = name.rpartition(".")
    return schema or None, table
