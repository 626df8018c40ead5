from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dbops.checks.unvalidated_constraint import check
from dbops.findings.finding import Finding, Kind, Severity, Target
from dbops.snapshot.rows import RelationSize
from tests.builders import a_column, a_constraint, a_foreign_key, a_schema, a_table
from tests.checks.mending import assert_mends
from tests.looking import apply, look

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "unvalidated_constraint"


def findings(*objects: Any) -> list[Finding]:
    return list(check(a_schema(*objects)))


def test_the_finding_says_what_the_old_rows_may_do_and_what_proving_them_costs() -> None:
    (found,) = findings(
        a_table(row_estimate=12_000),
        a_table(2, "users"),
        a_column(2, "user_id"),
        a_foreign_key(is_validated=False),
        RelationSize(oid=1, size_bytes=18 * 1024**2),
    )
    assert found.target == Target(Kind.CONSTRAINT, "public.task.task_user_fk")
    assert found.severity is Severity.WARNING
    assert found.evidence == {"rows": 12_000, "table_size_bytes": 18 * 1024**2}
    assert found.message == (
        "It is NOT VALID: rows from before it was added were never checked and may refer to rows of public.users "
        "that do not exist (public.task has 12,000 rows)."
    )
    assert found.fix is not None
    assert found.fix.sql == ("ALTER TABLE public.task VALIDATE CONSTRAINT task_user_fk;",)
    assert found.fix.caution == "reads 18 MB while reads and writes go on, and fails if a row breaks the constraint"
    assert found.location is not None
    assert (found.location.columns, found.location.constraint) == (("user_id",), "task_user_fk")


@pytest.mark.parametrize(
    ("type_", "doubt"),
    [("c", "were never checked and may break it."), ("n", "were never checked and may hold NULL in id.")],
)
def test_each_kind_says_its_own_doubt(type_: str, doubt: str) -> None:
    (found,) = findings(a_table(row_estimate=None), a_column(), a_constraint(type_=type_, is_validated=False))
    assert found.message.endswith(doubt)
    assert found.evidence == {}
    assert found.fix is not None
    assert found.fix.caution is not None
    assert found.fix.caution.startswith("reads the table while")


def test_partitions_that_declare_the_same_are_one_finding() -> None:
    (found,) = findings(
        a_table(kind="p"),
        a_table(2, "users"),
        *(a_table(oid, f"task_{oid}", is_partition=True, parent_oid=1) for oid in (3, 4)),
        *(a_column(2, "user_id", table_oid=oid) for oid in (1, 3, 4)),
        *(a_foreign_key(1000 + oid, f"task_{oid}_fk", table_oid=oid, is_validated=False) for oid in (3, 4)),
        *(RelationSize(oid=oid, size_bytes=8192) for oid in (3, 4)),
    )
    assert found.target.name == "public.task(user_id)"
    assert found.rolled_up == ("public.task_3.task_3_fk", "public.task_4.task_4_fk")
    assert found.evidence["table_size_bytes"] == 16384
    assert found.location is not None
    assert (found.location.table_oid, found.location.constraint) == (1, None)


@pytest.mark.parametrize(
    "decoy",
    [
        {"is_validated": True},
        {"is_enforced": False},
        {"is_inherited": True},
        {"parent_oid": 7},
        {"table_oid": 99},
        {"type_": "u"},
    ],
    ids=lambda values: next(iter(values)),
)
def test_silent_about(decoy: dict[str, Any]) -> None:
    assert findings(a_table(), a_constraint(**{"is_validated": False, **decoy})) == []


def test_silent_about_a_table_of_an_extension() -> None:
    assert findings(a_table(extension="postgis"), a_constraint(is_validated=False)) == []


@pytest.mark.parametrize(
    "constraint",
    ['"Ключ ""1""" FOREIGN KEY (p) REFERENCES parent', f"{'x' * 63} CHECK (p > 0)"],
    ids=["foreign key", "check"],
)
def test_a_constraint_is_validated(database: Database, constraint: str) -> None:
    database.execute('CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE "Child" (p int)')
    database.execute(f'ALTER TABLE "Child" ADD CONSTRAINT {constraint} NOT VALID')
    (found,) = look(database, CHECK).findings
    assert_mends(database, CHECK, found, can_undo=False)


def test_rows_that_break_it_are_not_hidden(database: Database) -> None:
    database.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (-1)")
    database.execute("ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0) NOT VALID")
    (found,) = look(database, CHECK).findings
    with pytest.raises(psycopg.errors.CheckViolation):
        apply(database, found.fix)
    assert look(database, CHECK).targets == ["public.t.positive"]


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_not_null_can_be_left_behind_too(database: Database) -> None:
    database.execute("CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT nn NOT NULL a NOT VALID")
    database.execute("CREATE TABLE child () INHERITS (t)")
    (found,) = look(database, CHECK).findings
    assert found.target.name == "public.t.nn"
    assert_mends(database, CHECK, found, can_undo=False)


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_what_is_never_to_be_enforced_is_left_alone(database: Database) -> None:
    database.execute("CREATE TABLE parent (id int PRIMARY KEY)")
    database.execute("CREATE TABLE t (a int CHECK (a > 0) NOT ENFORCED, p int REFERENCES parent NOT ENFORCED)")
    assert look(database, CHECK).findings == []


def test_what_partitions_and_children_inherit_is_the_parents(database: Database) -> None:
    database.execute("CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE p_1 PARTITION OF p DEFAULT")
    database.execute("CREATE TABLE i (a int); CREATE TABLE i_child (CONSTRAINT i_a CHECK (a > 0)) INHERITS (i)")
    database.execute("ALTER TABLE p ADD CONSTRAINT p_a CHECK (a > 0) NOT VALID")
    database.execute("ALTER TABLE i ADD CONSTRAINT i_a CHECK (a > 0) NOT VALID")
    found = look(database, CHECK).findings
    assert [one.target.name for one in found] == ["public.i.i_a", "public.p.p_a"]
    for one in found:
        assert_mends(database, CHECK, one, can_undo=False)


def test_foreign_keys_added_partition_by_partition_are_validated_together(database: Database) -> None:
    database.execute("CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE p (a int, r int) PARTITION BY LIST (a)")
    for number in (1, 2):
        database.execute(f"CREATE TABLE p_{number} PARTITION OF p FOR VALUES IN ({number})")
        database.execute(f"ALTER TABLE p_{number} ADD FOREIGN KEY (r) REFERENCES parent NOT VALID")
    (found,) = look(database, CHECK).findings
    assert found.target.name == "public.p(r)"
    assert_mends(database, CHECK, found, can_undo=False)


def test_a_foreign_key_to_a_partitioned_table_is_one_finding(database: Database) -> None:
    database.execute("CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id)")
    database.execute("CREATE TABLE p_1 PARTITION OF p DEFAULT; CREATE TABLE t (r int)")
    database.execute("ALTER TABLE t ADD CONSTRAINT t_fk FOREIGN KEY (r) REFERENCES p NOT VALID")
    (found,) = look(database, CHECK).findings
    assert found.target.name == "public.t.t_fk"
    assert_mends(database, CHECK, found, can_undo=False)
