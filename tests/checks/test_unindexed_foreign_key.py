from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dbops.checks.unindexed_foreign_key import check
from dbops.findings.finding import Basis, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.rows import GenericRelation, RelationSize, TableStatistics
from tests.builders import a_column, a_foreign_key, a_schema, a_table, an_index, statistics_of
from tests.looking import apply, in_schemas, look, undo

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "unindexed_foreign_key"
MB = 1024**2
TASK = (a_table(row_estimate=100_000), a_column(), a_column(2, "user_id"), a_column(3, "team_id"))
USERS = a_table(2, "users", row_estimate=10_000)
KEY = a_foreign_key()
SIZE = RelationSize(oid=1, size_bytes=18 * MB)


def said(*objects: Any, **options: Any) -> list[Finding | Unseen]:
    return list(check(a_schema(*TASK, USERS, *objects), **options))


def finding(*objects: Any, **options: Any) -> Finding:
    (found,) = said(*objects, **options)
    assert isinstance(found, Finding)
    return found


def deleted(rows: int) -> tuple[TableStatistics, ...]:
    return (statistics_of(2, deletes=rows),)


def test_the_finding_says_what_a_deletion_reads() -> None:
    found = finding(KEY, SIZE)
    assert found.target == Target(Kind.CONSTRAINT, "public.task.task_user_fk")
    assert (found.severity, found.basis) == (Severity.WARNING, Basis.STRUCTURAL)
    assert found.message == (
        "Deleting one of 10,000 rows of public.users scans 100,000 rows of public.task (18 MB) under lock: "
        "no index starts with user_id."
    )
    assert found.evidence == {"rows": 100_000, "table_size_bytes": 18 * MB, "parent_rows": 10_000}
    assert found.fix is not None
    assert found.fix.sql == ("CREATE INDEX CONCURRENTLY task_user_id_idx ON public.task (user_id);",)
    assert found.fix.undo == ("DROP INDEX CONCURRENTLY public.task_user_id_idx;",)
    assert found.fix.caution == "reads the 18 MB of the table twice, while writes go on"
    assert found.location is not None
    assert (found.location.columns, found.location.constraint) == (("user_id",), "task_user_fk")


def test_without_numbers_the_finding_does_without() -> None:
    objects = (a_table(row_estimate=None), *TASK[1:], a_table(2, "users", row_estimate=None), KEY)
    (found,) = check(a_schema(*objects))
    assert isinstance(found, Finding)
    assert found.message == (
        "Deleting a row of public.users scans all of public.task under lock: no index starts with user_id."
    )
    assert found.severity is Severity.WARNING
    assert found.evidence == {}
    assert found.fix is not None
    assert found.fix.caution is None


def test_it_is_critical_where_rows_are_deleted_and_the_table_is_large() -> None:
    critical = finding(KEY, SIZE, table_statistics=deleted(7))
    assert (critical.severity, critical.basis) == (Severity.CRITICAL, Basis.MEASURED)
    assert critical.message.endswith(" 7 rows were deleted since the counters were reset.")
    assert critical.evidence["parent_deletes"] == 7
    assert finding(KEY, SIZE, table_statistics=deleted(0)).severity is Severity.WARNING
    assert finding(KEY, table_statistics=deleted(7)).severity is Severity.WARNING
    assert finding(KEY, SIZE, table_statistics=deleted(7), large_bytes=18 * MB).severity is Severity.WARNING
    assert finding(KEY, SIZE, table_statistics=deleted(7), deletes=8).severity is Severity.WARNING
    assert finding(KEY, SIZE, table_statistics=()).severity is Severity.WARNING


def test_keys_on_the_same_columns_are_one_finding() -> None:
    found = finding(KEY, a_foreign_key(1001, "task_owner_fk"))
    assert found.target.name == "public.task.task_owner_fk"
    assert found.rolled_up == ("public.task.task_user_fk",)


@pytest.mark.parametrize(
    "values",
    [{"is_enforced": False}, {"parent_oid": 5}, {"table_oid": 99}],
)
def test_keys_that_nothing_looks_up_are_left_alone(values: dict[str, Any]) -> None:
    assert said(a_foreign_key(**values)) == []


def test_an_extension_s_keys_are_left_alone() -> None:
    assert list(check(a_schema(a_table(extension="postgis"), *TASK[1:], KEY))) == []


@pytest.mark.parametrize("unfinished", [{"is_valid": False}, {"is_ready": False}, {"is_live": False}])
def test_an_index_that_is_not_usable_does_not_serve(unfinished: dict[str, Any]) -> None:
    index = an_index(columns=(2,), **unfinished)
    assert finding(KEY, index).target.name == "public.task.task_user_fk"


def test_an_index_that_was_begun_is_finished_and_not_built_again() -> None:
    found = finding(KEY, an_index(name="begun", columns=(2, 3), is_valid=False))
    assert found.fix is not None
    assert found.fix.sql == ("REINDEX INDEX CONCURRENTLY public.begun;",)


@pytest.mark.parametrize("values", [{"name": "a_ccnew"}, {"is_live": False}, {"is_partial": True, "predicate": "x"}])
def test_what_would_not_serve_when_finished_is_passed_over(values: dict[str, Any]) -> None:
    found = finding(KEY, an_index(columns=(2,), is_valid=False, **values))
    assert found.fix is not None
    assert found.fix.sql[0].startswith("CREATE INDEX CONCURRENTLY task_user_id_idx ")


def test_one_for_which_an_index_is_being_built_is_unseen() -> None:
    building = an_index(columns=(2,), is_valid=False, is_being_built=True)
    assert said(KEY, building) == [Unseen("public.task.task_user_fk", "an index for it is being built at this moment")]


def test_a_partial_index_that_could_not_be_read_may_serve_or_not() -> None:
    unread = an_index(columns=(2,), is_partial=True, predicate=None)
    assert [type(one) for one in said(KEY, unread)] == [Unseen]
    assert said(KEY, unread, an_index(101, columns=(2,))) == []


def test_the_index_of_a_wider_key_that_lacks_one_too_serves_both() -> None:
    wide = a_foreign_key(1001, "wide_fk", columns=(2, 3), to_columns=(1, 2))
    found = said(KEY, wide)
    assert all(isinstance(one, Finding) for one in found)
    sql = {one.fix.sql for one in found if isinstance(one, Finding) and one.fix}
    assert sql == {("CREATE INDEX CONCURRENTLY task_user_id_team_id_idx ON public.task (user_id, team_id);",)}


GENERIC = (GenericRelation(db_table="task", content_type_column="user_id", object_id_column="team_id"),)


def test_a_generic_pair_without_an_index_is_found() -> None:
    found = finding(generic_relations=GENERIC * 2)
    assert found.target == Target(Kind.CONSTRAINT, "public.task(user_id, team_id)")
    assert found.message == (
        "Finding what belongs to an object scans 100,000 rows of public.task: no index starts with user_id and team_id."
    )
    assert found.severity is Severity.WARNING
    assert found.location is not None
    assert found.location.columns == ("user_id", "team_id")
    assert found.location.constraint is None
    assert found.fix is not None
    assert found.fix.sql == ("CREATE INDEX CONCURRENTLY task_user_id_team_id_idx ON public.task (user_id, team_id);",)


@pytest.mark.parametrize(
    ("columns", "is_found"),
    [((2, 3), False), ((3, 2), False), ((3,), False), ((3, 1), False), ((2,), True), ((2, 1, 3), True), ((1, 3), True)],
)
def test_a_generic_pair_is_served_by_both_or_by_the_object_id(columns: tuple[int, ...], is_found: bool) -> None:
    assert bool(said(an_index(columns=columns), generic_relations=GENERIC)) is is_found


@pytest.mark.parametrize("gone", ["db_table", "object_id_column", "content_type_column"])
def test_a_generic_pair_that_is_not_in_the_database_is_left_alone(gone: str) -> None:
    pair = {"db_table": "task", "content_type_column": "user_id", "object_id_column": "team_id", gone: "gone"}
    assert said(generic_relations=(GenericRelation(**pair),)) == []


def test_keys_that_partitions_have_of_their_own_are_one_finding() -> None:
    parts = [a_table(oid, f"p{oid}", is_partition=True, parent_oid=1) for oid in (3, 4)]
    columns = [a_column(2, "user_id", table_oid=oid) for oid in (3, 4)]
    keys = [a_foreign_key(1000 + oid, f"fk{oid}", table_oid=oid) for oid in (3, 4)]
    (found,) = check(a_schema(a_table(kind="p"), USERS, *parts, *columns, *keys))
    assert isinstance(found, Finding)
    assert found.target == Target(Kind.CONSTRAINT, "public.task(user_id)")
    assert found.rolled_up == ("public.p3.fk3", "public.p4.fk4")
    assert found.message == "2 partitions of public.task have foreign keys of their own without an index."


# On real servers.

PARENT = 'CREATE TABLE parent (id int PRIMARY KEY, x int, y int, "N" int UNIQUE, UNIQUE (x, y))'
ONE = "CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES parent, q int, r text)"
TWO = "CREATE TABLE t (id int PRIMARY KEY, x int, y int, r text, FOREIGN KEY (x, y) REFERENCES parent (x, y))"
TEXT = "CREATE TABLE named (n text PRIMARY KEY); CREATE TABLE t (n text REFERENCES named, m text)"

LACKING = [
    (PARENT, ONE),
    (PARENT, ONE, "CREATE INDEX ON t (q, p)"),
    (PARENT, ONE, "CREATE INDEX ON t (p) WHERE q > 0"),
    (PARENT, ONE, "CREATE INDEX ON t (p) WHERE q IS NOT NULL"),
    (PARENT, ONE, "CREATE INDEX ON t (p) WHERE p IS NULL"),
    (PARENT, ONE, "CREATE INDEX ON t (p) WHERE p > 0"),
    (PARENT, ONE, "CREATE INDEX ON t (abs(p))"),
    (PARENT, TEXT, 'CREATE INDEX ON t (n COLLATE "C")'),
    (PARENT, TEXT, 'CREATE INDEX ON t USING hash (n COLLATE "C")'),
    (PARENT, ONE, "CREATE INDEX ON t USING brin (p)"),
    (PARENT, ONE, "CREATE INDEX ON t (q) INCLUDE (p)"),
    (PARENT, "CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES parent ON DELETE CASCADE)"),
    (PARENT, "CREATE TABLE t (p int)", "ALTER TABLE t ADD FOREIGN KEY (p) REFERENCES parent NOT VALID"),
    ("SELECT", "CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t)"),
    (PARENT, TWO),
    (PARENT, TWO, "CREATE INDEX ON t (x)"),
    (PARENT, TWO, "CREATE INDEX ON t (x, r, y)"),
    (PARENT, TWO, "CREATE INDEX ON t (x) INCLUDE (y)"),
    (PARENT, TWO, "CREATE INDEX ON t USING hash (x)"),
]
COVERED = [
    (PARENT, TEXT, "CREATE INDEX ON t (n text_pattern_ops)"),
    (PARENT, TEXT, 'CREATE INDEX ON t (n, m COLLATE "C")'),
    (PARENT, TEXT, 'ALTER TABLE t ALTER n TYPE text COLLATE "C"', "CREATE INDEX ON t (n)"),
    (PARENT, ONE, "CREATE INDEX ON t (p)"),
    (PARENT, ONE, "CREATE INDEX ON t (p DESC, q)"),
    (PARENT, ONE, "CREATE INDEX ON t (p NULLS FIRST)"),
    (PARENT, ONE, "CREATE INDEX ON t USING hash (p)"),
    (PARENT, ONE, "CREATE INDEX ON t (p) WHERE p IS NOT NULL"),
    (PARENT, ONE, "CREATE UNIQUE INDEX ON t (p, q) NULLS NOT DISTINCT"),
    (PARENT, ONE, "ALTER TABLE t ADD UNIQUE (p, q)"),
    (PARENT, "CREATE TABLE t (p int PRIMARY KEY REFERENCES parent)"),
    (PARENT, "CREATE TABLE t (p int REFERENCES parent, q int, PRIMARY KEY (p, q))"),
    (PARENT, TWO, "CREATE INDEX ON t (x, y)"),
    (PARENT, TWO, "CREATE INDEX ON t (y, x)"),
    (PARENT, TWO, "CREATE INDEX ON t (y, x, r)"),
    (PARENT, TWO, "CREATE INDEX ON t (x, y) WHERE x IS NOT NULL AND y IS NOT NULL"),
    (PARENT, TWO, "CREATE INDEX ON t (x, y) WHERE y IS NOT NULL"),
    (
        PARENT,
        'CREATE TABLE t ("user" int REFERENCES parent)',
        'ALTER TABLE t ADD "json_scalar" int REFERENCES parent, ADD "a AND b" int REFERENCES parent',
        'CREATE INDEX ON t ("user") WHERE "user" IS NOT NULL',
        'CREATE INDEX ON t ("json_scalar") WHERE "json_scalar" IS NOT NULL',
        'CREATE INDEX ON t ("a AND b") WHERE "a AND b" IS NOT NULL',
    ),
    (PARENT, "CREATE TABLE t (p text)", "CREATE TABLE u (p text PRIMARY KEY REFERENCES u)"),
]


def test_a_key_without_an_index_is_found_and_indexed(database: Database) -> None:
    in_schemas(database, "SELECT", LACKING)
    seen = look(database, CHECK)
    assert [target.split(".")[0] for target in seen.targets] == [f"s{number:02}" for number in range(len(LACKING))]
    assert {finding.severity for finding in seen.findings} == {Severity.WARNING}
    for found in seen.findings:
        apply(database, found.fix)
    assert look(database, CHECK).result.outcome is Outcome.OK
    for found in seen.findings:
        undo(database, found.fix)
    assert look(database, CHECK).targets == seen.targets


def test_a_key_that_some_index_serves_is_not_reported(database: Database) -> None:
    in_schemas(database, "SELECT", COVERED)
    seen = look(database, CHECK)
    assert seen.targets == []
    assert seen.result.outcome is Outcome.OK


@pytest.mark.parametrize(
    ("table", "index"),
    [case[1:] for case in COVERED if len(case) == 3 and case[2].startswith("CREATE INDEX")],
)
def test_the_server_itself_uses_what_is_said_to_serve(database: Database, table: str, index: str) -> None:
    """A referencing row is looked up by `$1 = column` for every column of the key: see ri_triggers.c."""
    for statement in (PARENT, table, index):
        database.execute(statement)
    assert "Index Scan" in plan_of_look_up(database, table)


@pytest.mark.parametrize(("table", "index"), [case[1:] for case in LACKING if "COLLATE" in case[-1]])
def test_the_server_uses_no_index_under_another_collation(database: Database, table: str, index: str) -> None:
    for statement in (table, index):
        database.execute(statement)
    assert "Seq Scan" in plan_of_look_up(database, table)


def plan_of_look_up(database: Database, table: str) -> str:
    type_, columns = ("text", ("n",)) if table == TEXT else ("int", ("x", "y") if "FOREIGN KEY" in table else ("p",))
    look_up = " AND ".join(f"$1 = {column}" for column in columns)
    database.execute(f"PREPARE look_up ({type_}) AS SELECT 1 FROM ONLY t WHERE {look_up} FOR KEY SHARE")
    database.execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")
    return "\n".join(line for (line,) in database.execute("EXPLAIN EXECUTE look_up (1)"))


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_a_key_that_is_not_enforced_is_not_reported(database: Database) -> None:
    database.execute(PARENT)
    database.execute("CREATE TABLE t (p int REFERENCES parent NOT ENFORCED)")
    assert look(database, CHECK).targets == []


def test_it_is_critical_once_rows_go_and_the_table_is_large(database: Database) -> None:
    database.execute(PARENT)
    database.execute(ONE)
    database.execute("INSERT INTO parent SELECT n FROM generate_series(1, 100) n")
    database.execute("INSERT INTO t SELECT n, n % 90 + 1, 0, repeat('x', 100) FROM generate_series(1, 5000) n")
    database.execute("DELETE FROM parent WHERE id > 95; ANALYZE; SELECT pg_stat_force_next_flush(); SELECT 1")
    (found,) = look(database, CHECK, large_bytes=100_000).findings
    assert found.severity is Severity.CRITICAL
    assert found.evidence["parent_deletes"] == 5
    assert found.message.startswith("Deleting one of 95 rows of public.parent scans 5,000 rows of public.t (")
    assert look(database, CHECK).findings[0].severity is Severity.WARNING


def test_generic_relations_are_looked_at(database: Database) -> None:
    database.execute('CREATE TABLE "Tagged Item" (id int PRIMARY KEY, content_type_id int, "object id" text)')
    pair = GenericRelation(db_table="Tagged Item", content_type_column="content_type_id", object_id_column="object id")
    sections = {"generic_relations": (pair,)}
    seen = look(database, CHECK, sections=sections)
    assert seen.targets == ['public."Tagged Item"(content_type_id, "object id")']
    apply(database, seen.findings[0].fix)
    assert look(database, CHECK, sections=sections).targets == []
    undo(database, seen.findings[0].fix)
    assert look(database, CHECK, sections=sections).targets == seen.targets
    assert look(database, CHECK).result.outcome is Outcome.OK


def test_odd_names_survive_into_the_fix(database: Database) -> None:
    long = "Ж" * 31
    to = f'REFERENCES "Mixed Case"."{long}"'
    database.execute(f'''
        CREATE SCHEMA "Mixed Case";
        CREATE TABLE "Mixed Case"."{long}" (id int PRIMARY KEY);
        CREATE TABLE "Mixed Case"."it's ""quoted" ("select" int CONSTRAINT "the key" {to}, "{long}" int {to});
        CREATE TABLE "Mixed Case".it_s_quoted_select_idx (id int);
    ''')
    seen = look(database, CHECK)
    assert len(seen.targets) == 2
    assert seen.targets[1] == '"Mixed Case"."it\'s ""quoted"."the key"'
    for found in seen.findings:
        apply(database, found.fix)
    assert look(database, CHECK).targets == []
    names = [name for (name,) in database.execute("SELECT relname::text FROM pg_class WHERE relname LIKE 'it%idx'")]
    assert len(names) == 3
    assert max(len(name.encode()) for name in names) <= 30
    for found in seen.findings:
        undo(database, found.fix)
    assert look(database, CHECK).targets == seen.targets


def test_an_index_that_failed_is_rebuilt_and_one_being_built_is_waited_for(database: Database) -> None:
    database.execute(PARENT)
    database.execute(ONE)
    database.execute("INSERT INTO parent VALUES (1)")
    writer, worker = database.connect(autocommit=False), database.connect(options="-c lock_timeout=2s")
    writer.execute("INSERT INTO t VALUES (1, 1)")

    def build() -> None:
        with pytest.raises(psycopg.errors.LockNotAvailable):
            worker.execute("CREATE INDEX CONCURRENTLY begun ON t (p)")

    work = threading.Thread(target=build)
    work.start()
    while not database.execute("SELECT 1 FROM pg_index WHERE NOT indisvalid"):
        time.sleep(0.01)
    result = look(database, CHECK).result
    work.join()
    writer.rollback()
    assert result.outcome is Outcome.SKIPPED
    assert result.reason == "an index for it is being built at this moment: public.t.t_p_fkey"
    (found,) = look(database, CHECK).findings
    assert found.fix is not None
    assert found.fix.sql == ("REINDEX INDEX CONCURRENTLY public.begun;",)
    apply(database, found.fix)
    assert look(database, CHECK).result.outcome is Outcome.OK


def test_a_locked_table_s_key_is_unseen_where_a_partial_index_may_serve(database: Database) -> None:
    database.execute(PARENT)
    database.execute(ONE)
    database.execute("CREATE INDEX ON t (p) WHERE p IS NOT NULL")
    locker = database.connect(autocommit=False)
    locker.execute("LOCK TABLE t")
    result = look(database, CHECK).result
    locker.rollback()
    assert result.outcome is Outcome.SKIPPED
    assert result.reason is not None
    assert "locked" in result.reason
    assert look(database, CHECK).result.outcome is Outcome.OK
