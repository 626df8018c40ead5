"""Statements are planned again from the server's own text, never carried out; what cannot be planned says why."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from dbops.collect.explain import CannotExplainError, PlanningSession, explain
from dbops.findings.plan_reading import Measured
from tests.looking import snapshot_of

if TYPE_CHECKING:
    from dbops.findings.plan_reading import Explained, Remark
    from tests.servers import Database

TASKS = """
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
CREATE TABLE person (id bigint PRIMARY KEY, email text NOT NULL);
INSERT INTO person SELECT n, 'p' || n FROM generate_series(1, 1000) n;
CREATE TABLE task (
    id bigint PRIMARY KEY, person_id bigint NOT NULL, state text NOT NULL, made_at timestamptz NOT NULL, note text
);
INSERT INTO task
    SELECT n, n % 1000 + 1, 'state ' || n % 5, '2026-01-01'::timestamptz + n * interval '1 minute', repeat('x', 100)
    FROM generate_series(1, 60000) n;
CREATE INDEX task_made_at ON task (made_at);
ANALYZE person, task
"""


@pytest.fixture
def tasks(database: Database) -> Database:
    database.execute(TASKS)
    return database


def query_id(database: Database, start: str) -> int:
    [(found,)] = database.execute(
        "SELECT queryid FROM pg_stat_statements WHERE starts_with(query, %s) AND toplevel "
        "AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())",
        start,
    )
    return int(found)


def explained(
    database: Database,
    start: str,
    *,
    role: str | None = None,
    calls: int = 0,
    rows_per_call: float | None = None,
) -> Explained:
    """The plan of the statement whose text begins so, which must have run."""
    tracking = snapshot_of(database, role=role).sections["statement_tracking"][0]  # type: ignore[index]
    with closing(database.connect(role)) as connection:
        found = explain(
            PlanningSession(connection, psycopg.Error),
            tracking,
            database.major,
            query_id(database, start),
            measured=Measured(calls=calls, rows_per_call=rows_per_call) if rows_per_call is not None else None,
        )
        left = connection.execute("SELECT count(*) FROM pg_prepared_statements WHERE starts_with(name, 'dbops')")
        assert left.fetchall() == [(0,)]
        return found


def remark(plan: Explained, kind: str) -> Remark:
    [found] = [one for one in plan.remarks if one.kind == kind]
    return found


def kinds(plan: Explained) -> set[str]:
    return {one.kind for one in plan.remarks}


def refusal(database: Database, start: str, role: str | None = None) -> str:
    with pytest.raises(CannotExplainError) as refused:
        explained(database, start, role=role)
    return str(refused.value)


def test_a_scan_of_all_rows_for_a_few(tasks: Database) -> None:
    tasks.execute("SELECT note FROM task WHERE person_id = 7")
    plan = explained(tasks, "SELECT note FROM task", calls=100, rows_per_call=60)
    assert plan.how == ("EXPLAIN (GENERIC_PLAN)" if tasks.major >= 16 else "EXPLAIN EXECUTE with force_generic_plan")
    found = remark(plan, "sequential_scan")
    assert found.evidence["columns"] == "person_id"
    assert found.evidence["table_rows"] == 60000
    assert found.message.endswith("no index begins with such a column")
    assert "misestimated_rows" not in kinds(plan)
    tasks.execute("CREATE INDEX ON task (person_id)")
    assert kinds(explained(tasks, "SELECT note FROM task")) == {"dominant_node"}


def test_an_index_that_is_walked_for_its_order(tasks: Database) -> None:
    tasks.execute("SELECT id FROM task WHERE person_id = 7 ORDER BY made_at DESC LIMIT 10")
    plan = explained(tasks, "SELECT id FROM task", calls=50, rows_per_call=9.7)
    assert any("LIMIT $2 was taken for 10" in note for note in plan.notes)
    found = remark(plan, "ordered_index_scan")
    assert found.node == "Index Scan Backward using task_made_at on public.task"
    assert found.evidence["limit_rows"] == 10
    assert found.evidence["read_rows"] == pytest.approx(10_000, rel=0.2)
    tasks.execute("CREATE INDEX ON task (person_id, made_at)")
    assert "ordered_index_scan" not in kinds(explained(tasks, "SELECT id FROM task", calls=50, rows_per_call=9.7))


def test_a_sort_that_goes_to_disk_and_one_that_keeps_few_rows(tasks: Database) -> None:
    tasks.execute("SELECT * FROM task ORDER BY note, id")
    assert remark(explained(tasks, "SELECT * FROM task"), "disk_sort").evidence["rows"] == 60000
    tasks.execute("SELECT note FROM task ORDER BY note, id LIMIT 5")
    assert "disk_sort" not in kinds(explained(tasks, "SELECT note FROM task", rows_per_call=5))


def test_a_nested_loop_without_a_key_and_a_subquery_for_each_row(tasks: Database) -> None:
    tasks.execute("SELECT count(*) FROM person a JOIN person b ON a.email < b.email")
    assert remark(explained(tasks, "SELECT count(*)"), "large_inner_side").evidence["pairs"] == 1_000_000
    tasks.execute("SELECT p.id, (SELECT max(t.id) FROM task t WHERE t.person_id = p.id LIMIT 1) FROM person p LIMIT 1")
    plan = explained(tasks, "SELECT p.id", rows_per_call=1000)
    assert remark(plan, "repeated_subplan").evidence["times"] == 1000


def test_an_estimate_that_executions_belie(tasks: Database) -> None:
    tasks.execute("SELECT * FROM task WHERE state = 'state 1'")
    plan = explained(tasks, "SELECT * FROM task WHERE state", calls=50, rows_per_call=3.0)
    assert remark(plan, "misestimated_rows").evidence["rows_per_call"] == 3.0


def test_nothing_is_written_or_counted(tasks: Database) -> None:
    tasks.execute("CREATE SEQUENCE numbers")
    for statement in (
        "INSERT INTO person VALUES (5000, nextval('numbers')::text)",
        "UPDATE task SET note = 'y' WHERE id = 1",
        "DELETE FROM task WHERE id = 2",
        "WITH gone AS (DELETE FROM task WHERE id = 3 RETURNING id) SELECT * FROM gone",
        "SELECT * FROM task WHERE id = 4 FOR UPDATE",
    ):
        tasks.execute(statement)
        before = tasks.execute("SELECT count(*), (SELECT last_value FROM numbers) FROM task")
        start = statement.partition("(")[0].partition(" SET")[0].partition("= ")[0]
        calls = tasks.execute("SELECT calls FROM pg_stat_statements WHERE queryid = %s", query_id(tasks, start))
        explained(tasks, start)
        assert tasks.execute("SELECT count(*), (SELECT last_value FROM numbers) FROM task") == before
        assert tasks.execute("SELECT calls FROM pg_stat_statements WHERE queryid = %s", query_id(tasks, start)) == calls


def test_a_function_that_lies_about_what_it_does_writes_nothing(tasks: Database) -> None:
    tasks.execute(
        "CREATE TABLE trace (a int);"
        "CREATE FUNCTION quiet(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS "
        "$$ BEGIN PERFORM loud(); RETURN $1; END $$;"
        "CREATE FUNCTION loud() RETURNS void LANGUAGE plpgsql VOLATILE AS $$ BEGIN INSERT INTO trace VALUES (1); END $$"
    )
    tasks.execute("SELECT id FROM person WHERE email = quiet(current_schema()::text)")
    before = tasks.execute("SELECT count(*) FROM trace")
    assert before != [(0,)]
    assert "planning it would write something" in refusal(tasks, "SELECT id FROM person")
    assert tasks.execute("SELECT count(*) FROM trace") == before


def test_texts_that_the_server_cannot_read_again(tasks: Database) -> None:
    tasks.execute("SELECT id FROM task WHERE made_at > timestamptz '2026-01-02' - interval '1 day'")
    plan = explained(tasks, "SELECT id FROM task WHERE made_at")
    assert [note for note in plan.notes if "was read as" in note] == [
        "timestamptz $1 was read as CAST($1 AS timestamptz)",
        "interval $2 was read as CAST($2 AS interval)",
    ]
    tasks.execute("SELECT state FROM task WHERE made_at > now() - interval '1' day LIMIT 1")
    assert "its text is no SQL any more" in refusal(tasks, "SELECT state FROM task")
    tasks.execute("SELECT person_id % 3, count(*) FROM task GROUP BY person_id % 3")
    assert "have become different parameters" in refusal(tasks, "SELECT person_id %")


def test_utility_statements_are_refused(tasks: Database) -> None:
    tasks.execute("COPY (SELECT 1) TO PROGRAM 'cat > /dev/null'")
    assert "COPY is a utility statement" in refusal(tasks, "COPY (SELECT")


def test_a_role_without_rights_is_told(tasks: Database) -> None:
    monitor = tasks.create_role(f"{tasks.name}_monitor", pg_monitor=True)
    tasks.execute("SELECT email FROM person WHERE id = 1")
    said = refusal(tasks, "SELECT email FROM person", role=monitor)
    assert "permission denied for table person" in said
    assert "GRANT SELECT" in said


def test_it_is_planned_as_the_role_that_ran_it(tasks: Database) -> None:
    tenant = tasks.create_role(f"{tasks.name}_tenant")
    tasks.execute(
        f"GRANT SELECT ON task TO {tenant}; ALTER TABLE task ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY own ON task USING (state <> 'secret' AND person_id = 5)"
    )
    tasks.connect(tenant).execute("SELECT note, id FROM task")
    plan = explained(tasks, "SELECT note, id FROM task")
    assert plan.role == tenant
    found = remark(plan, "sequential_scan")
    assert "person_id = ?" in found.message
    assert "secret" not in found.message
    tasks.execute(f"DROP OWNED BY {tenant}")


def test_it_does_not_wait_for_a_lock(tasks: Database) -> None:
    tasks.execute("SELECT email FROM person WHERE id = 1")
    with tasks.connect(autocommit=False) as holder:
        holder.execute("LOCK TABLE person IN ACCESS EXCLUSIVE MODE")
        assert "another session holds a lock" in refusal(tasks, "SELECT email FROM person")
        holder.rollback()


def test_no_value_comes_out_with_a_refusal(tasks: Database) -> None:
    tasks.execute("CREATE VIEW odd AS SELECT 1 AS a; SELECT a FROM odd; DROP VIEW odd")
    said = refusal(tasks, "SELECT a FROM odd")
    assert re.search(r'relation "odd" does not exist\nHINT: it was dropped since', said)


def test_a_limit_that_mostly_finds_nothing(tasks: Database) -> None:
    tasks.execute("SELECT 1 FROM task WHERE made_at > '2030-01-01' LIMIT 1")
    plan = explained(tasks, "SELECT $1 FROM task", calls=50, rows_per_call=0.0)
    assert remark(plan, "unfilled_limit").evidence["rows_per_call"] == 0
    assert "unfilled_limit" not in kinds(explained(tasks, "SELECT $1 FROM task", calls=50, rows_per_call=1.0))


def test_a_function_of_a_column_needs_an_index_on_the_function(tasks: Database) -> None:
    tasks.execute("CREATE INDEX ON task (state); SELECT 1")
    tasks.execute("SELECT id FROM task WHERE upper(state) = 'STATE 1'")
    found = remark(explained(tasks, "SELECT id FROM task WHERE upper"), "sequential_scan")
    assert "only an index on that very expression serves" in found.message
