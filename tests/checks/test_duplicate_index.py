from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.duplicate_index import check
from dbops.findings.finding import Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.rows import IndexStatistics, RelationSize
from tests.builders import a_column, a_constraint, a_schema, a_table, an_index, statistics_of
from tests.looking import apply, in_schemas, look, undo

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "duplicate_index"
TABLE = "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int NOT NULL, b int, c text, d int4range);"


def findings(*objects: Any, **statistics: Any) -> list[Finding]:
    found = list(check(a_schema(*objects), **statistics))
    assert all(isinstance(one, Finding) for one in found)
    return [one for one in found if isinstance(one, Finding)]


def test_the_finding_says_what_stays_and_what_the_twin_costs() -> None:
    (found,) = findings(
        a_table(),
        a_column(),
        an_index(100, "task_a"),
        an_index(101, "task_b"),
        RelationSize(oid=101, size_bytes=12 * 1024**2),
        table_statistics=(statistics_of(inserts=70, updates=50, hot_updates=20, deletes=3),),
        index_statistics=(IndexStatistics(oid=100, scans=9), IndexStatistics(oid=101, scans=4)),
    )
    assert found.target == Target(Kind.INDEX, "public.task_b")
    assert found.severity is Severity.WARNING
    assert found.evidence == {"size_bytes": 12 * 1024**2, "writes": 100, "scans": 4, "kept": "public.task_a"}
    assert found.message == (
        "It is the index public.task_a once more: 12 MB, and each insert into public.task must write it for nothing."
    )
    assert found.location is not None
    assert (found.location.table_oid, found.location.columns, found.location.index) == (1, ("id",), "task_b")


def test_what_is_not_known_is_left_out_of_the_evidence() -> None:
    (found,) = findings(a_table(), an_index(100, "a"), an_index(101, "b"))
    assert found.evidence == {"kept": "public.a"}


def test_a_mirrored_twin_is_said_to_be_one() -> None:
    (found,) = findings(a_table(), an_index(100, "a"), an_index(101, "b", options=(3,)))
    assert "once more, read backward:" in found.message


def test_a_twin_of_which_both_are_unnecessary_says_so() -> None:
    (found,) = findings(
        a_table(), an_index(100, "a1"), an_index(101, "a2"), an_index(102, "ab", columns=(1, 2)), a_column()
    )
    assert found.target.name == "public.a2"
    assert "the index public.a1 once more, and public.ab makes both unnecessary" in found.message
    assert found.evidence["kept"] == "public.ab"


def test_twins_on_partitions_are_one_finding_of_the_table() -> None:
    parts = [a_table(oid, f"p{oid}", is_partition=True, parent_oid=1) for oid in (2, 3)]
    indexes = [an_index(oid * 100 + n, f"p{oid}_{n}", table_oid=oid) for oid in (2, 3) for n in (1, 2, 3)]
    (found,) = findings(a_table(kind="p"), *parts, *indexes)
    assert found.target == Target(Kind.TABLE, "public.task")
    assert found.rolled_up == ("public.p2_2", "public.p2_3", "public.p3_2", "public.p3_3")
    assert found.message == "4 indexes of public.task's partitions repeat others of the same partition."
    assert found.fix is not None
    assert len(found.fix.sql) == len(found.fix.undo) == 4


def test_what_cannot_be_read_is_listed_as_unseen_and_not_guessed() -> None:
    unread = an_index(100, "u", is_partial=True, predicate=None, definition=None)
    said = list(check(a_schema(a_table(), unread, an_index(101, "v", is_partial=True, predicate=None))))
    assert [one.target for one in said if isinstance(one, Unseen)] == ["public.u", "public.v"]
    assert not any(isinstance(one, Finding) for one in said)


def test_what_cannot_be_brought_back_gets_no_fix() -> None:
    (found,) = findings(a_table(), an_index(100, "a", definition=None), an_index(101, "b", definition=None))
    assert found.fix is None


def test_a_locked_constraint_gets_no_fix() -> None:
    (found,) = findings(
        a_table(),
        a_constraint(type_="u", name="b", definition=None),
        an_index(100, "a", is_unique=True, is_primary=True),
        an_index(101, "b", is_unique=True, constraint_oid=1000),
    )
    assert found.fix is None


TWINS = [
    ("CREATE INDEX x ON t (a)", "CREATE INDEX y ON t (a)"),
    ("CREATE INDEX x ON t (a)", "CREATE INDEX y ON t (a DESC)"),
    ("CREATE INDEX x ON t (a DESC, b)", "CREATE INDEX y ON t (a, b DESC)"),
    ("CREATE INDEX x ON t (a NULLS FIRST)", "CREATE INDEX y ON t (a DESC NULLS LAST)"),
    ("CREATE INDEX x ON t (a) WITH (fillfactor = 50)", "CREATE INDEX y ON t (a)"),
    ("CREATE INDEX x ON t (a) WHERE b > 1", "CREATE INDEX y ON t (a) WHERE (b > 1)"),
    ("CREATE INDEX x ON t (lower(c), (a + b))", "CREATE INDEX y ON t (lower(c), (a+b))"),
    ("CREATE INDEX x ON t (a) INCLUDE (b, c)", "CREATE INDEX y ON t (a) INCLUDE (c, b)"),
    ("CREATE INDEX x ON t (c text_pattern_ops)", "CREATE INDEX y ON t (c text_pattern_ops)"),
    ('CREATE INDEX x ON t (c COLLATE "C")', 'CREATE INDEX y ON t (c COLLATE "C")'),
    ("CREATE INDEX x ON t USING hash (a)", "CREATE INDEX y ON t USING hash (a)"),
    ("CREATE INDEX x ON t USING gist (d)", "CREATE INDEX y ON t USING gist (d)"),
    ("CREATE INDEX x ON t USING brin (a)", "CREATE INDEX y ON t USING brin (a)"),
    ("CREATE UNIQUE INDEX x ON t (a)", "CREATE UNIQUE INDEX y ON t (a)"),
    ("CREATE UNIQUE INDEX x ON t (b) NULLS NOT DISTINCT", "CREATE UNIQUE INDEX y ON t (b) NULLS NOT DISTINCT"),
    ("ALTER TABLE t ADD CONSTRAINT x UNIQUE (a)", "CREATE UNIQUE INDEX y ON t (a)"),
    ("ALTER TABLE t ADD CONSTRAINT x UNIQUE (a)", "ALTER TABLE t ADD CONSTRAINT y UNIQUE (a)"),
    ("SELECT", "ALTER TABLE t ADD CONSTRAINT y UNIQUE (id)"),
]


def test_twins_are_found_and_dropped_and_brought_back(database: Database) -> None:
    in_schemas(database, TABLE, TWINS)
    seen = look(database, CHECK)
    assert seen.targets == [f"s{number:02}.y" for number in range(len(TWINS))]
    for found in seen.findings:
        apply(database, found.fix)
    assert look(database, CHECK).result.outcome is Outcome.OK
    for found in seen.findings:
        undo(database, found.fix)
    again = look(database, CHECK)
    assert [(found.target, found.fix) for found in again.findings] == [(f.target, f.fix) for f in seen.findings]


DECOYS = [
    ("CREATE INDEX x ON t (a, b)", "CREATE INDEX y ON t (a, b DESC)"),
    ("CREATE INDEX x ON t (a, b)", "CREATE INDEX y ON t (b, a)"),
    ("CREATE INDEX x ON t (b)", "CREATE INDEX y ON t (b NULLS FIRST)"),
    ("CREATE INDEX x ON t (b)", "CREATE INDEX y ON t (b DESC NULLS LAST)"),
    ("CREATE INDEX x ON t (a) WHERE b > 1", "CREATE INDEX y ON t (a) WHERE b > 2"),
    ("CREATE INDEX x ON t (a) WHERE b > 1", "CREATE INDEX y ON t (a)"),
    ("CREATE INDEX x ON t (lower(c))", "CREATE INDEX y ON t (upper(c))"),
    ("CREATE INDEX x ON t (lower(c))", "CREATE INDEX y ON t (c)"),
    ("CREATE INDEX x ON t (c)", "CREATE INDEX y ON t (c text_pattern_ops)"),
    ("CREATE INDEX x ON t (c)", 'CREATE INDEX y ON t (c COLLATE "C")'),
    ("CREATE INDEX x ON t (a)", "CREATE INDEX y ON t USING hash (a)"),
    ("CREATE INDEX x ON t USING brin (a)", "CREATE INDEX y ON t USING brin (a) WITH (pages_per_range = 4)"),
    ("CREATE INDEX x ON t (a, b)", "CREATE INDEX y ON t (a) INCLUDE (b)"),
    ("CREATE UNIQUE INDEX x ON t (b)", "CREATE UNIQUE INDEX y ON t (b) NULLS NOT DISTINCT"),
    ("CREATE UNIQUE INDEX x ON t (a)", "ALTER TABLE t ADD CONSTRAINT y UNIQUE (a) DEFERRABLE"),
    (
        "ALTER TABLE t ADD CONSTRAINT x UNIQUE (a) DEFERRABLE",
        "ALTER TABLE t ADD CONSTRAINT y UNIQUE (a) DEFERRABLE INITIALLY DEFERRED",
    ),
    ("CREATE UNIQUE INDEX x ON t (a)", "CREATE INDEX y ON t (a)"),
    ("CREATE INDEX x ON t (a)", "CREATE TABLE u (a int); CREATE INDEX y ON u (a)"),
    ("ALTER TABLE t ADD EXCLUDE USING gist (d WITH &&)", "ALTER TABLE t ADD EXCLUDE USING gist (d WITH =)"),
]


def test_what_only_looks_alike_stays_silent(database: Database) -> None:
    in_schemas(database, TABLE, DECOYS)
    seen = look(database, CHECK)
    assert seen.targets == []
    assert seen.result.outcome is Outcome.OK


def test_operator_class_parameters_are_read(database: Database) -> None:
    database.execute(TABLE)
    database.execute("""
        CREATE EXTENSION pg_trgm;
        CREATE INDEX x ON t USING gist (c gist_trgm_ops (siglen = 32));
        CREATE INDEX y ON t USING gist (c gist_trgm_ops (siglen = 64));
        CREATE INDEX z ON t USING gist (c gist_trgm_ops (siglen = 32));
    """)
    assert look(database, CHECK).targets == ["public.z"]


@pytest.mark.parametrize(
    "needed_by",
    [
        "CREATE TABLE child (t_a int REFERENCES t (a))",
        "ALTER TABLE t REPLICA IDENTITY USING INDEX b",
        "ALTER TABLE t CLUSTER ON b",
    ],
)
def test_the_twin_that_something_hangs_on_stays(database: Database, needed_by: str) -> None:
    database.execute(TABLE)
    database.execute("CREATE UNIQUE INDEX b ON t (a)")
    database.execute(needed_by)
    database.execute("CREATE UNIQUE INDEX a ON t (a)")
    seen = look(database, CHECK)
    assert seen.targets == ["public.a"]
    assert seen.findings[0].evidence["kept"] == "public.b"
    apply(database, seen.findings[0].fix)
    assert look(database, CHECK).targets == []


def test_odd_names_survive_into_the_fix(database: Database) -> None:
    long = "é" * 30 + "abc"
    database.execute(f"""
        CREATE SCHEMA "Odd ""schema";
        CREATE TABLE "Odd ""schema"."Mixed Case" ("select" int, "{long}" int);
        CREATE INDEX "a ON ONLY x" ON "Odd ""schema"."Mixed Case" ("select", "{long}");
        CREATE INDEX "CREATE INDEX ""b'" ON "Odd ""schema"."Mixed Case" ("select", "{long}");
        CREATE INDEX "{long}" ON "Odd ""schema"."Mixed Case" ("select" DESC, "{long}" DESC);
    """)
    seen = look(database, CHECK)
    assert seen.targets == ['"Odd ""schema"."a ON ONLY x"', f'"Odd ""schema"."{long}"']
    for found in seen.findings:
        apply(database, found.fix)
    assert look(database, CHECK).targets == []
    for found in seen.findings:
        undo(database, found.fix)
    assert look(database, CHECK).targets == seen.targets


PARTITIONED = """
    CREATE TABLE log (id int, at int) PARTITION BY RANGE (id);
    CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10);
    CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM (10) TO (99) PARTITION BY RANGE (id);
    CREATE TABLE log_2a PARTITION OF log_2 FOR VALUES FROM (10) TO (20);
"""


def test_twins_of_a_partitioned_table_are_one_pair(database: Database) -> None:
    database.execute(PARTITIONED)
    database.execute('CREATE INDEX a ON log (at); CREATE INDEX "b ON ONLY log" ON log (at)')
    seen = look(database, CHECK)
    assert seen.targets == ['public."b ON ONLY log"']
    fix = seen.findings[0].fix
    apply(database, fix)
    assert look(database, CHECK).result.outcome is Outcome.OK
    undo(database, fix)
    assert look(database, CHECK).targets == seen.targets
    ((all_valid,),) = database.execute(
        "SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid::regclass::text ~ 'log'"
    )
    assert all_valid


def test_a_partition_s_own_index_beside_its_part_of_the_whole_is_found(database: Database) -> None:
    database.execute(PARTITIONED)
    database.execute("CREATE INDEX whole ON log (at); CREATE INDEX one ON log_1 (at); CREATE INDEX two ON log_2 (at)")
    (found,) = look(database, CHECK).findings
    assert found.target == Target(Kind.TABLE, "public.log")
    assert set(found.rolled_up) == {"public.one", "public.two"}
    apply(database, found.fix)
    assert look(database, CHECK).result.outcome is Outcome.OK
    undo(database, found.fix)
    assert look(database, CHECK).targets == ["public.log"]


def test_a_locked_table_s_partial_indexes_are_unseen(database: Database) -> None:
    database.execute(TABLE)
    database.execute("CREATE INDEX x ON t (a) WHERE b > 1; CREATE INDEX y ON t (a) WHERE b > 1")
    locker = database.connect(autocommit=False)
    locker.execute("LOCK TABLE t")
    result = look(database, CHECK).result
    locker.rollback()
    assert result.outcome is Outcome.SKIPPED
    assert result.reason is not None
    assert "locked" in result.reason
    assert "public.x and public.y" in result.reason
    assert look(database, CHECK).targets == ["public.y"]
