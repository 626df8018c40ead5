from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.mismatched_foreign_key import check
from dbops.findings.finding import Finding, Kind, Severity, Target
from dbops.snapshot.rows import RelationSize, SequenceValue
from tests.builders import a_column, a_constraint, a_foreign_key, a_schema, a_sequence, a_table, an_index
from tests.checks.mending import assert_mends
from tests.looking import look

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "mismatched_foreign_key"


def findings(*objects: Any, **sections: Any) -> list[Finding]:
    return list(check(a_schema(*objects), **sections))


def pair(child: str, parent: str) -> tuple[Any, ...]:
    """Table task, whose user_id refers to users.id."""
    return (
        a_table(),
        a_table(2, "users"),
        a_column(2, "user_id", child),
        a_column(1, "id", parent, table_oid=2),
        a_foreign_key(),
    )


def standing(last_value: int, **values: Any) -> dict[str, Any]:
    """The sequence of users.id, and where it stands."""
    sequence = a_sequence(used_by=((2, 1),), **values)
    value = SequenceValue(sequence_oid=sequence.oid, last_value=last_value, is_called=True, unseen=None)
    return {"sequences": (sequence,), "sequence_values": (value,)}


def test_a_narrower_integer_fails_one_day() -> None:
    (found,) = findings(
        *pair("integer", "bigint"),
        an_index(100),
        RelationSize(oid=1, size_bytes=3 * 1024**2),
        RelationSize(oid=100, size_bytes=1024**2),
    )
    assert found.target == Target(Kind.CONSTRAINT, "public.task.task_user_fk")
    assert found.severity is Severity.WARNING
    assert found.message == (
        "public.task.user_id is integer, public.users.id is bigint: no row can refer to a key beyond 2,147,483,647."
    )
    assert found.evidence == {"rows": 1000, "table_size_bytes": 3 * 1024**2}
    assert found.fix is not None
    assert found.fix.sql == ("ALTER TABLE public.task ALTER COLUMN user_id TYPE bigint;",)
    assert found.fix.caution == (
        "rewrites 4.0 MB of public.task under an exclusive lock: nobody can read or write there meanwhile"
    )
    assert found.location is not None
    assert (found.location.columns, found.location.constraint) == (("user_id",), "task_user_fk")


@pytest.mark.parametrize(
    ("last_value", "severity"),
    [(5_000, Severity.WARNING), (1_932_735_282, Severity.WARNING), (1_932_735_283, Severity.CRITICAL)],
)
def test_it_is_critical_once_the_key_is_nearly_there(last_value: int, severity: Severity) -> None:
    (found,) = findings(*pair("integer", "bigint"), **standing(last_value))
    assert found.severity is severity
    assert found.message.endswith(f", and the key stands at {last_value:,}.")
    assert found.evidence["used_ratio"] == round(last_value / (2**31 - 1), 4)


def test_how_near_is_a_threshold() -> None:
    (found,) = findings(*pair("integer", "bigint"), **standing(1_100_000_000), critical_ratio=0.5)
    assert found.severity is Severity.CRITICAL


@pytest.mark.parametrize(
    "unknown", [{"increment": -1}, {"used_by": ((9, 1),)}], ids=["counts down", "feeds another column"]
)
def test_a_sequence_that_says_nothing_of_the_key_is_not_cited(unknown: dict[str, Any]) -> None:
    sections = standing(2_000_000_000)
    sections["sequences"] = (a_sequence(**{"used_by": ((2, 1),), **unknown}),)
    (found,) = findings(*pair("integer", "bigint"), **sections)
    assert found.severity is Severity.WARNING
    assert "used_ratio" not in found.evidence


def test_a_wider_integer_is_only_mentioned_and_the_narrower_key_is_widened() -> None:
    (found,) = findings(*pair("bigint", "integer"), **standing(2_000_000_000, type="integer"))
    assert found.severity is Severity.INFO
    assert found.message.endswith("it holds every key, in more bytes than it needs.")
    assert found.fix is not None
    assert found.fix.sql == (
        "ALTER SEQUENCE public.task_id_seq AS bigint;",
        "ALTER TABLE public.users ALTER COLUMN id TYPE bigint;",
    )


@pytest.mark.parametrize(
    ("child", "parent", "says"),
    [
        ("integer", "numeric", "through a cast"),
        ("character", "text", "through a cast"),
        ("text", "character", "through a cast"),
        ("public.citext", "text", "through a cast"),
        ("date", "timestamp without time zone", "only some values"),
        ("real", "double precision", "only some values"),
        ("name", "text", "only some values"),
    ],
)
def test_other_pairs_say_what_they_cost(child: str, parent: str, says: str) -> None:
    (found,) = findings(*pair(child, parent))
    assert found.severity is Severity.WARNING
    assert says in found.message


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        ("integer", "integer"),
        ("character varying(20)", "character varying(50)"),
        ("character varying(20)", "text"),
        ("text", "character varying(20)"),
        ("numeric(10,2)", "numeric(12)"),
        ("cidr", "inet"),
        ("timestamp(3) without time zone", "timestamp(6) without time zone"),
    ],
)
def test_silent_about(child: str, parent: str) -> None:
    assert findings(*pair(child, parent)) == []


def test_a_domain_is_the_type_under_it() -> None:
    child = a_column(2, "user_id", "public.user_key", base_type="bigint")
    table, users, _, key, foreign_key = pair("", "bigint")
    assert findings(table, users, child, key, foreign_key) == []


def test_a_domain_is_not_replaced_by_a_type_without_its_checks() -> None:
    child = a_column(2, "user_id", "public.user_key", base_type="integer")
    table, users, _, key, foreign_key = pair("", "bigint")
    (found,) = findings(table, users, child, key, foreign_key)
    assert found.fix is None


def test_of_a_composite_key_each_column_is_compared_with_its_own() -> None:
    (found,) = findings(
        a_table(),
        a_table(2, "users"),
        a_column(1, "a", "bigint"),
        a_column(2, "b", "integer"),
        a_column(1, "x", "bigint", table_oid=2),
        a_column(2, "y", "bigint", table_oid=2),
        a_foreign_key(columns=(2, 1), to_columns=(2, 1)),
    )
    assert found.message == (
        "public.task.b is integer, public.users.y is bigint: no row can refer to a key beyond 2,147,483,647."
    )


def test_the_worst_of_several_pairs_counts() -> None:
    (found,) = findings(
        a_table(),
        a_table(2, "users"),
        a_column(1, "a", "bigint"),
        a_column(2, "b", "smallint"),
        a_column(1, "x", "integer", table_oid=2),
        a_column(2, "y", "integer", table_oid=2),
        a_foreign_key(columns=(1, 2), to_columns=(1, 2)),
    )
    assert found.severity is Severity.WARNING
    assert (
        "; public.task.b is smallint, public.users.y is integer: no row can refer to a key beyond 32,767"
        in found.message
    )


def test_a_column_that_is_gone_is_no_mismatch() -> None:
    assert findings(a_table(), a_table(2, "users"), a_column(2, "user_id", "integer"), a_foreign_key()) == []


def test_a_table_of_an_extension_is_left_alone() -> None:
    _, *rest = pair("integer", "bigint")
    assert findings(a_table(extension="postgis"), *rest) == []


def test_a_foreign_key_that_partitions_inherit_is_told_once() -> None:
    inherited = a_constraint(
        1001,
        "task_1_fk",
        "f",
        table_oid=3,
        columns=(2,),
        referenced_table_oid=2,
        referenced_columns=(1,),
        parent_oid=1000,
    )
    partition = a_table(3, "task_1", is_partition=True, parent_oid=1)
    (found,) = findings(*pair("integer", "bigint"), partition, inherited)
    assert found.target.name == "public.task.task_user_fk"
    assert found.rolled_up == ()


@pytest.mark.parametrize(
    ("child", "parent", "severity"),
    [
        ("smallint", "int", Severity.WARNING),
        ("int", "bigint", Severity.WARNING),
        ("bigint", "int", Severity.INFO),
        ("int", "numeric(20)", Severity.WARNING),
        ("int", "double precision", Severity.WARNING),
        ("char(5)", "text", Severity.WARNING),
        ("varchar(5)", "char(5)", Severity.WARNING),
        ("citext", "varchar(9)", Severity.WARNING),
        ("date", "timestamp(3)", Severity.WARNING),
        ("timestamptz", "timestamp", Severity.WARNING),
        ("varchar(9)", "name", Severity.WARNING),
    ],
)
def test_the_child_gets_the_type_of_the_key(database: Database, child: str, parent: str, severity: Severity) -> None:
    database.execute(f"CREATE EXTENSION citext; CREATE TABLE parent (id {parent} PRIMARY KEY)")
    database.execute(f'CREATE TABLE "Child ""x" ("Ключ" {child} CONSTRAINT fk REFERENCES parent)')
    (found,) = look(database, CHECK).findings
    assert found.target.name == 'public."Child ""x".fk'
    assert found.severity is severity
    assert_mends(database, CHECK, found)


def test_columns_that_refer_to_the_child_follow(database: Database) -> None:
    database.execute("CREATE TABLE a (id bigint PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY REFERENCES a)")
    database.execute("CREATE TABLE c (id smallint REFERENCES b, up int REFERENCES b)")
    found = {one.target.name: one for one in look(database, CHECK).findings}
    assert set(found) == {"public.b.b_id_fkey", "public.c.c_id_fkey"}
    assert_mends(database, CHECK, found["public.b.b_id_fkey"])
    assert look(database, CHECK).targets == []


def test_a_wider_child_is_met_by_its_key_with_all_that_refers_to_it(database: Database) -> None:
    database.execute("CREATE TABLE a (id serial PRIMARY KEY, up int REFERENCES a)")
    database.execute("CREATE TABLE b (a_id bigint REFERENCES a, other_id int REFERENCES a)")
    (found,) = look(database, CHECK).findings
    assert_mends(database, CHECK, found)
    assert look(database, CHECK).targets == []
    assert database.execute("SELECT seqtypid::regtype::text FROM pg_sequence") == [("bigint",)]


def test_partitions_that_declare_it_for_themselves_are_changed_at_the_top(database: Database) -> None:
    database.execute("CREATE TABLE parent (id bigint PRIMARY KEY)")
    database.execute("CREATE TABLE p (gone int, a int, r int) PARTITION BY LIST (a); ALTER TABLE p DROP COLUMN gone")
    for number in (1, 2):
        database.execute(f"CREATE TABLE p_{number} PARTITION OF p FOR VALUES IN ({number})")
        database.execute(f"ALTER TABLE p_{number} ADD FOREIGN KEY (r) REFERENCES parent")
    (found,) = look(database, CHECK).findings
    assert found.target.name == "public.p(r)"
    assert found.rolled_up == ("public.p_1.p_1_r_fkey", "public.p_2.p_2_r_fkey")
    assert_mends(database, CHECK, found)


@pytest.mark.parametrize(
    "ddl",
    [
        "CREATE TABLE t (a int REFERENCES parent, PRIMARY KEY (a)) PARTITION BY HASH (a)",
        "CREATE TABLE i (a int); CREATE TABLE t (FOREIGN KEY (a) REFERENCES parent) INHERITS (i)",
        "CREATE TABLE t (b int, a int GENERATED ALWAYS AS (b + 1) STORED REFERENCES parent)",
    ],
    ids=["partition key", "inherited", "generated"],
)
def test_a_column_whose_type_cannot_be_changed_gets_no_fix(database: Database, ddl: str) -> None:
    database.execute(f"CREATE TABLE parent (id bigint PRIMARY KEY); {ddl}")
    (found,) = look(database, CHECK).findings
    assert found.fix is None


def test_types_that_only_look_different_are_silent_on_a_real_server(database: Database) -> None:
    database.execute("CREATE DOMAIN key AS bigint CHECK (VALUE > 0); CREATE TABLE n (id key PRIMARY KEY)")
    database.execute("CREATE TABLE v (id varchar(20) PRIMARY KEY); CREATE TABLE i (id inet PRIMARY KEY)")
    database.execute(
        "CREATE TABLE t (n bigint REFERENCES n, v text REFERENCES v, w varchar(9) REFERENCES v, i cidr REFERENCES i)"
    )
    assert look(database, CHECK).findings == []


def test_where_the_key_stands_is_read_from_the_server(database: Database) -> None:
    database.execute("CREATE TABLE parent (id bigserial PRIMARY KEY); CREATE TABLE t (r int REFERENCES parent)")
    database.execute("SELECT setval('parent_id_seq', 2100000000)")
    (found,) = look(database, CHECK).findings
    assert found.severity is Severity.CRITICAL
