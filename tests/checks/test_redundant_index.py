from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.redundant_index import check
from dbops.findings.finding import Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.rows import IndexStatistics, RelationSize
from tests.builders import a_column, a_schema, a_table, an_index, statistics_of
from tests.looking import apply, in_schemas, look, undo

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "redundant_index"
MB = 1024**2
TABLE = "CREATE TABLE t (id int PRIMARY KEY, a int, b int, c text, d int4range);"
COLUMNS = (a_column(1, "a"), a_column(2, "b"))
SHORT = an_index(100, "short")
LONG = an_index(101, "long", columns=(1, 2))


def findings(*objects: Any, **options: Any) -> list[Finding]:
    found = list(check(a_schema(a_table(), *COLUMNS, *objects), **options))
    assert all(isinstance(one, Finding) for one in found)
    return [one for one in found if isinstance(one, Finding)]


def sizes(short: int, long: int) -> tuple[RelationSize, RelationSize]:
    return RelationSize(oid=100, size_bytes=short), RelationSize(oid=101, size_bytes=long)


def test_the_finding_says_which_index_answers_instead() -> None:
    (found,) = findings(
        SHORT,
        LONG,
        *sizes(2 * MB, 3 * MB),
        table_statistics=(statistics_of(inserts=70, updates=50, hot_updates=20, deletes=3),),
        index_statistics=(IndexStatistics(oid=100, scans=9),),
    )
    assert found.target == Target(Kind.INDEX, "public.short")
    assert found.evidence == {"size_bytes": 2 * MB, "writes": 100, "scans": 9, "kept": "public.long"}
    assert found.message == (
        "public.long starts with the same column (a), so it answers the same queries; "
        "this one costs 2.0 MB and a write for each insert into public.task."
    )
    assert found.location is not None
    assert (found.location.table_oid, found.location.columns, found.location.index) == (1, ("a",), "short")


def test_small_ones_are_information_and_large_or_much_written_ones_warnings() -> None:
    statistics = statistics_of(inserts=5)
    assert [one.severity for one in findings(SHORT, LONG)] == [Severity.INFO]
    assert [one.severity for one in findings(SHORT, LONG, *sizes(9 * MB, 9 * MB))] == [Severity.INFO]
    assert [one.severity for one in findings(SHORT, LONG, *sizes(10 * MB, 10 * MB))] == [Severity.WARNING]
    assert [one.severity for one in findings(SHORT, LONG, *sizes(2, 2), large_bytes=2)] == [Severity.WARNING]
    written = findings(SHORT, LONG, table_statistics=(statistics,), many_writes=5)
    assert [one.severity for one in written] == [Severity.WARNING]


@pytest.mark.parametrize(
    ("short", "long", "scans", "severity"),
    [
        (30 * MB, 100 * MB, 10_000, Severity.INFO),
        (30 * MB, 100 * MB, 9_999, Severity.WARNING),
        (40 * MB, 100 * MB, 10_000, Severity.WARNING),
    ],
)
def test_a_much_smaller_hot_one_is_information(short: int, long: int, scans: int, severity: Severity) -> None:
    hot = (IndexStatistics(oid=100, scans=scans),)
    (found,) = findings(SHORT, LONG, *sizes(short, long), index_statistics=hot)
    assert found.severity is severity
    earns = found.message.endswith("At 30% of the size it was scanned 10,000 times, so it may earn its keep.")
    assert earns is (severity is Severity.INFO)


def test_the_message_tells_a_unique_one_and_one_that_includes_more() -> None:
    (unique,) = findings(SHORT, an_index(101, "u", is_unique=True))
    assert unique.message.startswith("public.u is unique on the same column (a), so")
    (including,) = findings(SHORT, an_index(101, "i", columns=(1, 2), key_count=1))
    assert including.message.startswith("public.i holds the same column (a) and more, so")
    gist: dict[str, Any] = {"method": "gist", "definition": "CREATE INDEX ON public.task USING gist (a)"}
    (excluding,) = findings(an_index(100, "g", **gist), an_index(101, "x", is_exclusion=True, constraint_oid=1, **gist))
    assert excluding.message.startswith("public.x upholds an exclusion constraint on the same column (a), so")
    expression: dict[str, Any] = {"columns": (0,), "has_expressions": True, "expressions": "lower(a)"}
    (on_expression,) = findings(an_index(100, "e", **expression), an_index(101, "u", is_unique=True, **expression))
    assert on_expression.message.startswith("public.u is unique on the same expression, so")


def test_an_exact_twin_is_the_other_check_s() -> None:
    found = findings(SHORT, LONG, an_index(102, "short2"))
    assert [one.target.name for one in found] == ["public.short"]


def test_those_on_partitions_are_one_finding_of_the_table() -> None:
    parts = [a_table(oid, f"p{oid}", is_partition=True, parent_oid=1) for oid in (2, 3)]
    columns = [a_column(1, "a", table_oid=oid) for oid in (2, 3)]
    indexes = [an_index(oid * 10 + n, f"p{oid}_{n}", (1, 2)[:n], table_oid=oid) for oid in (2, 3) for n in (1, 2)]
    found = list(check(a_schema(a_table(kind="p"), *parts, *columns, *indexes)))
    (one,) = found
    assert isinstance(one, Finding)
    assert one.target == Target(Kind.TABLE, "public.task")
    assert one.rolled_up == ("public.p2_1", "public.p3_1")
    assert one.location is not None
    assert one.location.columns == ("a",)


def test_what_cannot_be_read_is_listed_as_unseen() -> None:
    said = list(check(a_schema(a_table(), an_index(100, "u", is_partial=True, predicate=None), LONG)))
    assert [one.target for one in said if isinstance(one, Unseen)] == ["public.u"]


CONTAINED = [
    ("CREATE INDEX w ON t (a, b)", "CREATE INDEX n ON t (a)"),
    ("CREATE UNIQUE INDEX w ON t (a, b)", "CREATE INDEX n ON t (a)"),
    ("ALTER TABLE t ADD CONSTRAINT w UNIQUE (a, b)", "CREATE INDEX n ON t (a)"),
    ("ALTER TABLE t ADD CONSTRAINT w UNIQUE (a) DEFERRABLE", "CREATE INDEX n ON t (a)"),
    ("CREATE INDEX w ON t (a DESC, b)", "CREATE INDEX n ON t (a)"),
    ("CREATE INDEX w ON t (a, b DESC, c)", "CREATE INDEX n ON t (a DESC, b)"),
    ("CREATE INDEX w ON t (a, b) WHERE b > 1", "CREATE INDEX n ON t (a) WHERE b > 1"),
    ("CREATE INDEX w ON t (lower(c), a)", "CREATE INDEX n ON t (lower(c))"),
    ("CREATE INDEX w ON t (a, c, b)", "CREATE INDEX n ON t (a) INCLUDE (b)"),
    ("CREATE INDEX w ON t (a) INCLUDE (b)", "CREATE INDEX n ON t (a)"),
    ("CREATE UNIQUE INDEX w ON t (a)", "CREATE INDEX n ON t (a DESC)"),
    ("SELECT", "CREATE INDEX n ON t (id)"),
    ("ALTER TABLE t ADD CONSTRAINT w EXCLUDE USING gist (d WITH &&)", "CREATE INDEX n ON t USING gist (d)"),
]


def test_contained_ones_are_found_and_dropped_and_brought_back(database: Database) -> None:
    in_schemas(database, TABLE, CONTAINED)
    seen = look(database, CHECK)
    assert seen.targets == [f"s{number:02}.n" for number in range(len(CONTAINED))]
    assert {found.severity for found in seen.findings} == {Severity.INFO}
    assert look(database, "duplicate_index").result.outcome is Outcome.OK
    for found in seen.findings:
        apply(database, found.fix)
    assert look(database, CHECK).result.outcome is Outcome.OK
    for found in seen.findings:
        undo(database, found.fix)
    assert look(database, CHECK).targets == seen.targets


NEEDED = [
    ("CREATE INDEX w ON t (a, b)", "CREATE INDEX n ON t (b)"),
    ("CREATE INDEX w ON t (a, b, c)", "CREATE INDEX n ON t (a, c)"),
    ("CREATE INDEX w ON t (a, b DESC, c)", "CREATE INDEX n ON t (a, b)"),
    ("CREATE INDEX w ON t (a NULLS FIRST, b)", "CREATE INDEX n ON t (a)"),
    ("CREATE INDEX w ON t (a, b)", "CREATE UNIQUE INDEX n ON t (a)"),
    ("CREATE INDEX w ON t (a, b)", "ALTER TABLE t ADD CONSTRAINT n UNIQUE (a)"),
    ("CREATE INDEX w ON t (a, b)", "CREATE INDEX n ON t (a); ALTER TABLE t CLUSTER ON n"),
    ("CREATE INDEX w ON t (a, b)", "CREATE INDEX n ON t (a) WHERE b > 1"),
    ("CREATE INDEX w ON t (a, b) WHERE b > 1", "CREATE INDEX n ON t (a)"),
    ("CREATE INDEX w ON t (a, b)", "CREATE INDEX n ON t (a) INCLUDE (c)"),
    ("CREATE INDEX w ON t (c, b)", "CREATE INDEX n ON t (c text_pattern_ops)"),
    ("CREATE INDEX w ON t (c, b)", 'CREATE INDEX n ON t (c COLLATE "C")'),
    ("CREATE INDEX w ON t (a, b)", "CREATE INDEX n ON t USING hash (a)"),
    ("CREATE INDEX w ON t USING brin (a, b)", "CREATE INDEX n ON t USING brin (a)"),
    ("CREATE INDEX w ON t USING gist (d, box(point(a, b), point(a, b)))", "CREATE INDEX n ON t USING gist (d)"),
    ("CREATE INDEX w ON t (a, b)", "CREATE TABLE u (a int); CREATE INDEX n ON u (a)"),
    ("CREATE UNIQUE INDEX w ON t (a)", "CREATE INDEX n ON t (a, b)"),
]


def test_what_is_needed_stays_silent(database: Database) -> None:
    in_schemas(database, TABLE, NEEDED)
    seen = look(database, CHECK)
    assert seen.targets == []
    assert seen.result.outcome is Outcome.OK


def test_one_that_begins_only_an_invalid_index_is_needed(database: Database) -> None:
    database.execute(TABLE)
    database.execute("CREATE INDEX w ON t (a, b); CREATE INDEX n ON t (a)")
    database.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'w'::regclass")
    assert look(database, CHECK).targets == []


def test_a_django_foreign_key_under_a_unique_constraint(database: Database) -> None:
    """The commonest case: the key's own index stays in the shadow of unique_together."""
    database.execute("""
        CREATE TABLE app_user (id bigint PRIMARY KEY);
        CREATE TABLE app_role (id bigint PRIMARY KEY, user_id bigint REFERENCES app_user, name text);
        CREATE INDEX app_role_user_id_1a2b3c4d ON app_role (user_id);
        ALTER TABLE app_role ADD CONSTRAINT app_role_user_id_name_uniq UNIQUE (user_id, name);
        CREATE INDEX app_role_name_like ON app_role (name text_pattern_ops);
    """)
    seen = look(database, CHECK)
    assert seen.targets == ["public.app_role_user_id_1a2b3c4d"]
    assert seen.findings[0].evidence["kept"] == "public.app_role_user_id_name_uniq"
    apply(database, seen.findings[0].fix)
    assert look(database, CHECK).targets == look(database, "unindexed_foreign_key").targets == []


def test_odd_names_survive_into_the_fix(database: Database) -> None:
    database.execute("""
        CREATE SCHEMA "Größe";
        CREATE TABLE "Größe"."the ""table" ("user" int, "Ünïcode" int);
        CREATE INDEX "w, (" ON "Größe"."the ""table" ("user", "Ünïcode");
        CREATE INDEX "n ""'" ON "Größe"."the ""table" ("user");
    """)
    seen = look(database, CHECK)
    assert seen.targets == ['"Größe"."n ""\'"']
    apply(database, seen.findings[0].fix)
    assert look(database, CHECK).targets == []
    undo(database, seen.findings[0].fix)
    assert look(database, CHECK).targets == seen.targets


def test_one_of_a_partitioned_table(database: Database) -> None:
    database.execute("""
        CREATE TABLE log (id int, at int) PARTITION BY RANGE (id);
        CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10);
        CREATE UNIQUE INDEX w ON log (id, at);
        CREATE INDEX n ON log (id);
        CREATE INDEX own ON log_1 (id);
    """)
    seen = look(database, CHECK)
    assert seen.targets == ["public.n", "public.log"]
    for found in seen.findings:
        apply(database, found.fix)
    assert look(database, CHECK).result.outcome is Outcome.OK
    for found in seen.findings:
        undo(database, found.fix)
    assert look(database, CHECK).targets == seen.targets
