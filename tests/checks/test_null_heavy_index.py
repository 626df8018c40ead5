from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.null_heavy_index import check
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.rows import RelationSize
from tests.builders import a_column, a_schema, a_table, an_index
from tests.checks.mending import assert_mends
from tests.looking import apply, look, undo
from tests.storage_builders import MB, column_statistics_of, hidden_statistics_of

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "null_heavy_index"
COLUMNS = (a_column(1), a_column(2, "done_at"))
ON_TASK = "ON public.task USING btree (done_at)"
DEFINITION = f"CREATE INDEX done_idx {ON_TASK}"


def said(
    *objects: Any, nulls: float | None = 0.9, size_bytes: int | None = 20 * MB, statistics: Any = None, **options: Any
) -> list[Finding | Unseen]:
    index = options.pop("index", None) or an_index(100, "done_idx", (2,), definition=DEFINITION)
    schema = a_schema(a_table(), *COLUMNS, index, RelationSize(oid=100, size_bytes=size_bytes), *objects)
    given = (column_statistics_of(2, null_ratio=nulls),) if statistics is None else statistics
    return list(check(schema, given, **options))


def finding(*objects: Any, **options: Any) -> Finding:
    (found,) = said(*objects, **options)
    assert isinstance(found, Finding)
    return found


def test_the_finding_builds_a_smaller_one_first() -> None:
    found = finding()
    assert found.target == Target(Kind.INDEX, "public.done_idx")
    assert (found.severity, found.confidence, found.basis) == (
        Severity.WARNING,
        Confidence.MEDIUM,
        Basis.ESTIMATED,
    )
    assert found.message == (
        "90% of the entries in its 20 MB are NULL. An index without them serves all queries but those for done_at IS "
        "NULL, and those sorted by done_at without a condition on it: make sure that there are none."
    )
    assert found.evidence == {"size_bytes": 20 * MB, "null_ratio": 0.9}
    assert found.fix is not None
    assert found.fix.sql == (
        f"CREATE INDEX CONCURRENTLY task_done_at_set_idx {ON_TASK} WHERE (done_at IS NOT NULL);",
        "DROP INDEX CONCURRENTLY public.done_idx;",
    )
    assert found.fix.undo == (
        f"CREATE INDEX CONCURRENTLY done_idx {ON_TASK};",
        "DROP INDEX CONCURRENTLY public.task_done_at_set_idx;",
    )
    assert not found.fix.in_transaction


def test_little_waste_is_information() -> None:
    assert finding(size_bytes=11 * MB).severity is Severity.INFO
    assert finding(size_bytes=11 * MB, large_bytes=9 * MB).severity is Severity.WARNING


@pytest.mark.parametrize(
    ("nulls", "size_bytes", "options", "is_found"),
    [
        (0.5, MB, {}, True),
        (0.49, MB, {}, False),
        (0.49, MB, {"null_ratio": 0.4}, True),
        (0.9, MB - 1, {}, False),
        (0.9, 4 * MB, {"smallest_bytes": 5 * MB}, False),
        (0.0, 20 * MB, {}, False),
    ],
)
def test_the_thresholds(nulls: float, size_bytes: int, options: dict[str, Any], is_found: bool) -> None:
    assert bool(said(nulls=nulls, size_bytes=size_bytes, **options)) is is_found


def test_a_column_of_few_values_is_the_other_check_s() -> None:
    few = column_statistics_of(2, null_ratio=0.6, distinct_values=2.0, frequencies=(0.2, 0.2), frequent_values=2)
    assert said(statistics=(few,)) == []
    rare = column_statistics_of(2, null_ratio=0.97, distinct_values=1.0, frequencies=(0.03,), frequent_values=1)
    assert len(said(statistics=(rare,))) == 1


@pytest.mark.parametrize(
    ("statistics", "reason"),
    [
        (
            (hidden_statistics_of(2),),
            "its column's planner statistics are hidden from this role: GRANT SELECT on its table to it",
        ),
        ((column_statistics_of(2, null_ratio=None),), "its column was never analyzed: ANALYZE its table"),
        ((), "its column was never analyzed: ANALYZE its table"),
    ],
    ids=["hidden", "not analyzed", "not listed"],
)
def test_silence_is_never_health(statistics: Any, reason: str) -> None:
    assert said(statistics=statistics) == [Unseen("public.done_idx", reason)]
    (locked,) = said(size_bytes=None)
    assert "another session has locked it" in str(locked)


@pytest.mark.parametrize(
    "values",
    [
        {"is_unique": True},
        {"is_unique": True, "constraint_oid": 1},
        {"is_exclusion": True},
        {"is_partial": True, "predicate": "(id > 5)"},
        {"is_clustered": True},
        {"is_replica_identity": True},
        {"is_valid": False},
        {"method": "hash"},
    ],
    ids=lambda values: next(reversed(values)),
)
def test_others_are_not_judged(values: Any) -> None:
    assert said(index=an_index(100, "done_idx", (2,), **values)) == []


def test_several_columns_and_expressions_are_not_judged() -> None:
    assert said(index=an_index(100, "two", (2, 1))) == []
    assert said(index=an_index(100, "covering", (2, 1), key_count=1)) == []
    assert said(index=an_index(100, "lower", (0,), has_expressions=True, expressions="lower(done_at)")) == []


def test_what_another_check_wants_to_go_is_left_to_it() -> None:
    assert said(an_index(101, "wider", (2, 1))) == []


def test_a_definition_that_was_not_read_leaves_no_fix() -> None:
    assert finding(index=an_index(100, "done_idx", (2,), definition=None)).fix is None


def nullable(database: Database, name: str = "task", rows: int = 200_000) -> None:
    """A table of which one row in ten has been done, in its own time."""
    database.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, done_at int, boss int, note text)")
    database.execute(f"""
        INSERT INTO {name} SELECT i, CASE WHEN i % 10 = 0 THEN i END, CASE WHEN i % 5 = 0 THEN i END, 'x' || i % 3
        FROM generate_series(1, {rows}) i
    """)


def test_a_real_one_is_replaced_and_brought_back(database: Database) -> None:
    nullable(database)
    database.execute("""
        CREATE INDEX "Done; at" ON task (done_at DESC);
        CREATE INDEX partial ON task (boss) WHERE boss IS NOT NULL;
        CREATE INDEX full_one ON task (id DESC, boss);
        CREATE UNIQUE INDEX one_boss ON task (boss);
        ANALYZE task
    """)
    looked = look(database, CHECK)
    assert looked.targets == ['public."Done; at"']
    assert looked.findings[0].evidence["null_ratio"] == pytest.approx(0.9, abs=0.01)
    assert_mends(database, CHECK, looked.findings[0])
    assert look(database, CHECK).result.outcome is Outcome.OK
    plan = "\n".join(str(row) for row in database.execute("EXPLAIN SELECT id FROM task WHERE done_at = 50"))
    assert "task_done_at_set_idx" in plan


def test_the_smaller_one_serves_a_foreign_key_as_well(database: Database) -> None:
    nullable(database)
    database.execute("CREATE INDEX boss_of ON task (boss)")
    database.execute("ALTER TABLE task ADD FOREIGN KEY (boss) REFERENCES task")
    database.execute("ANALYZE task")
    (found,) = look(database, CHECK).findings
    assert_mends(database, CHECK, found)
    assert look(database, "unindexed_foreign_key").result.outcome is Outcome.OK


def test_the_two_indexes_of_a_text_get_names_of_their_own(database: Database) -> None:
    database.execute("CREATE TABLE post (id int, slug text)")
    database.execute(
        "INSERT INTO post SELECT i, CASE WHEN i % 4 = 0 THEN i::text END FROM generate_series(1, 200000) i"
    )
    database.execute("CREATE INDEX post_slug_1a2b3c4d ON post (slug)")
    database.execute("CREATE INDEX post_slug_1a2b3c4d_like ON post (slug text_pattern_ops)")
    database.execute("ANALYZE post")
    looked = look(database, CHECK)
    assert looked.targets == ["public.post_slug_1a2b3c4d", "public.post_slug_1a2b3c4d_like"]
    for found in looked.findings:
        apply(database, found.fix)
    assert look(database, CHECK).result.outcome is Outcome.OK
    for found in looked.findings:
        undo(database, found.fix)
    assert look(database, CHECK).targets == looked.targets


def test_that_of_a_partitioned_table_is_replaced_on_every_partition(database: Database) -> None:
    database.execute("CREATE TABLE log (id int, at int) PARTITION BY RANGE (id)")
    for part in range(2):
        bounds = f"FROM ({part * 200_000}) TO ({(part + 1) * 200_000})"
        database.execute(f"CREATE TABLE log_{part} PARTITION OF log FOR VALUES {bounds}")
    database.execute("CREATE INDEX log_at ON log (at)")
    database.execute("INSERT INTO log SELECT i, CASE WHEN i % 10 = 0 THEN i END FROM generate_series(1, 399999) i")
    database.execute("ANALYZE log")
    (found,) = look(database, CHECK).findings
    assert found.target.name == "public.log_at"
    assert_mends(database, CHECK, found)
    (count,) = database.execute("SELECT count(*) FROM pg_index WHERE indisvalid AND indpred IS NOT NULL")[0]
    assert count == 3


def test_what_a_role_may_not_see_is_said(database: Database) -> None:
    nullable(database)
    database.execute("CREATE INDEX done ON task (done_at)")
    database.execute("ANALYZE task")
    monitor = database.create_role(f"{database.name}_monitor", pg_monitor=True)
    looked = look(database, CHECK, role=monitor)
    assert (looked.findings, looked.result.outcome) == ([], Outcome.SKIPPED)
    assert "GRANT SELECT" in str(looked.result.reason)
    database.execute(f"GRANT SELECT ON task TO {monitor}")
    assert look(database, CHECK, role=monitor).targets == ["public.done"]
