from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.duplicate_foreign_key import check
from dbops.findings.finding import Finding, Kind, Severity, Target
from tests.builders import a_column, a_foreign_key, a_schema, a_table
from tests.checks.mending import assert_mends
from tests.looking import look

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "duplicate_foreign_key"
TABLES = (a_table(), a_table(2, "users"), a_column(2, "user_id"), a_column(1, "id", table_oid=2))
DJANGOS: dict[str, Any] = {"is_deferrable": True, "is_deferred": True}
"""Django's foreign keys: NO ACTION, checked at COMMIT."""


def findings(*objects: Any) -> list[Finding]:
    return list(check(a_schema(*objects)))


def test_the_younger_of_equals_goes() -> None:
    (found,) = findings(*TABLES, a_foreign_key(11, "old"), a_foreign_key(12, "new"))
    assert found.target == Target(Kind.CONSTRAINT, "public.task.new")
    assert found.severity is Severity.WARNING
    assert found.evidence == {"kept": "public.task.old"}
    assert found.message == (
        "It refers to the same key as public.task.old: each row written, and each parent deleted, is checked twice."
    )
    assert found.fix is not None
    assert found.fix.sql == ("ALTER TABLE public.task DROP CONSTRAINT new;",)
    assert found.location is not None
    assert (found.location.columns, found.location.constraint) == (("user_id",), "new")


def test_of_three_two_go() -> None:
    found = findings(*TABLES, a_foreign_key(11, "a"), a_foreign_key(12, "b"), a_foreign_key(13, "c"))
    assert [one.target.name for one in found] == ["public.task.b", "public.task.c"]


@pytest.mark.parametrize(
    "older",
    [
        {"is_validated": False},
        {"is_enforced": False, "is_validated": False},
        {"is_deferrable": True},
        DJANGOS,
        {**DJANGOS, "on_delete": "a"},
    ],
    ids=["not valid", "not enforced", "deferrable", "deferred", "django's"],
)
def test_the_looser_one_goes_though_it_is_older(older: dict[str, Any]) -> None:
    (found,) = findings(*TABLES, a_foreign_key(11, "old", **older), a_foreign_key(12, "new"))
    assert found.target.name == "public.task.old"
    assert found.fix is not None


@pytest.mark.parametrize("action", ["c", "n", "d", "r"])
def test_no_action_at_commit_gives_way_to_any_action(action: str) -> None:
    (found,) = findings(
        *TABLES, a_foreign_key(11, "old", **DJANGOS), a_foreign_key(12, "new", on_delete=action, **DJANGOS)
    )
    assert found.target.name == "public.task.old"
    assert found.fix is not None
    assert "adds only a second check: ON DELETE is NO ACTION here and" in found.message
    assert found.message.endswith("there, and what new does comes first.")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"on_delete": "a"}, {"on_delete": "c"}),
        ({"on_delete": "a", "is_deferrable": True}, {"on_delete": "c", "is_deferrable": True}),
        ({"on_delete": "c"}, {"on_delete": "n"}),
        ({"on_delete": "r"}, {"on_delete": "c"}),
        ({"on_update": "c"}, {"on_delete": "c"}),
        ({"on_delete": "c", **DJANGOS}, {"on_delete": "a"}),
        ({"on_delete": "a", **DJANGOS}, {"on_delete": "c", "is_validated": False, **DJANGOS}),
        ({"definition": "… ON DELETE SET NULL (a)", "on_delete": "n"}, {"definition": "… SET NULL", "on_delete": "n"}),
        ({"definition": "… MATCH FULL", **DJANGOS}, {"definition": "…"}),
    ],
    ids=[
        "refusing at once, deleting",
        "refusing at once unless deferred, deleting",
        "deleting, emptying",
        "refusing, deleting",
        "following updates, following deletes",
        "deleting, refusing at once",
        "validated, not valid",
        "emptying some columns, emptying all",
        "refusing half NULL rows at commit, refusing at once",
    ],
)
def test_each_of_two_does_something_the_other_does_not_so_nobody_but_you_can_choose(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    for mine, yours in ((one, other), (other, one)):
        (found,) = findings(*TABLES, a_foreign_key(11, "old", **mine), a_foreign_key(12, "new", **yours))
        assert found.fix is None


def test_disagreement_is_spelled_out() -> None:
    (found,) = findings(*TABLES, a_foreign_key(11, "old"), a_foreign_key(12, "new", on_delete="c", on_update="n"))
    assert found.message == (
        "It refers to the same key as public.task.old, and they disagree: "
        "ON DELETE is CASCADE here and NO ACTION there and ON UPDATE is SET NULL here and NO ACTION there; both run."
    )


def test_what_cannot_be_brought_back_is_not_dropped() -> None:
    (found,) = findings(*TABLES, a_foreign_key(11, "old"), a_foreign_key(12, "new", definition=None))
    assert found.fix is None


@pytest.mark.parametrize(
    "other",
    [
        {"to": 3},
        {"to_columns": (2,)},
        {"columns": (3,)},
        {"columns": (2, 3), "to_columns": (1, 2)},
        {"definition": "FOREIGN KEY (a, PERIOD b) REFERENCES …"},
        {"parent_oid": 11, "to": 3},
    ],
    ids=["another table", "another key", "other columns", "more columns", "over a period", "to a partition of it"],
)
def test_silent_about(other: dict[str, Any]) -> None:
    assert findings(*TABLES, a_foreign_key(11, "one"), a_foreign_key(12, "other", **other)) == []


def test_the_order_of_the_columns_does_not_matter_but_their_pairs_do() -> None:
    one = a_foreign_key(11, "one", columns=(2, 3), to_columns=(1, 2))
    assert findings(*TABLES, one, a_foreign_key(12, "same", columns=(3, 2), to_columns=(2, 1)))
    assert not findings(*TABLES, one, a_foreign_key(12, "crossed", columns=(3, 2), to_columns=(1, 2)))


def test_silent_about_tables_of_extensions() -> None:
    _, *rest = TABLES
    assert not findings(a_table(extension="x"), *rest, a_foreign_key(11, "a"), a_foreign_key(12, "b"))


@pytest.mark.parametrize(
    "twin",
    ["", "DEFERRABLE INITIALLY DEFERRED", "ON DELETE NO ACTION NOT VALID", "MATCH SIMPLE ON DELETE SET NULL"],
)
def test_a_twin_is_dropped_and_made_again(database: Database, twin: str) -> None:
    same = "ON DELETE SET NULL" if "SET NULL" in twin else ""
    database.execute('CREATE TABLE "Пар""ent" (id int PRIMARY KEY); CREATE TABLE "Child" (r int, "R2" int)')
    database.execute(f'ALTER TABLE "Child" ADD CONSTRAINT zzz FOREIGN KEY (r) REFERENCES "Пар""ent" {same}')
    database.execute(f'ALTER TABLE "Child" ADD CONSTRAINT "{"A" * 63}" FOREIGN KEY (r) REFERENCES "Пар""ent" {twin}')
    database.execute('ALTER TABLE "Child" ADD FOREIGN KEY ("R2") REFERENCES "Пар""ent"')
    (found,) = look(database, CHECK).findings
    assert found.target.name == f'public."Child"."{"A" * 63}"'
    assert_mends(database, CHECK, found)


def test_a_cascade_added_by_hand_beside_djangos_keeps_its_effect(database: Database) -> None:
    database.execute("CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (r int)")
    database.execute(
        "ALTER TABLE child ADD CONSTRAINT djangos FOREIGN KEY (r) REFERENCES parent DEFERRABLE INITIALLY DEFERRED"
    )
    database.execute(
        "ALTER TABLE child ADD CONSTRAINT hands FOREIGN KEY (r) REFERENCES parent "
        "ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED"
    )
    (found,) = look(database, CHECK).findings
    assert found.target.name == "public.child.djangos"
    fill = "INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1); DELETE FROM parent"
    database.execute(fill)
    assert_mends(database, CHECK, found)
    database.execute(fill)
    assert database.execute("SELECT count(*) FROM child") == [(0,)]


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_one_that_is_not_enforced_goes_and_comes_back_as_it_was(database: Database) -> None:
    database.execute(
        "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (r int REFERENCES parent NOT ENFORCED)"
    )
    database.execute("ALTER TABLE child ADD CONSTRAINT real FOREIGN KEY (r) REFERENCES parent")
    (found,) = look(database, CHECK).findings
    assert found.target.name == "public.child.child_r_fkey"
    assert_mends(database, CHECK, found)


def test_on_a_partitioned_table(database: Database) -> None:
    database.execute("CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE p (a int, r int) PARTITION BY LIST (a)")
    database.execute("CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p_2 PARTITION OF p DEFAULT")
    database.execute("ALTER TABLE p ADD CONSTRAINT one FOREIGN KEY (r) REFERENCES parent")
    database.execute("ALTER TABLE p ADD CONSTRAINT two FOREIGN KEY (r) REFERENCES parent")
    (found,) = look(database, CHECK).findings
    assert found.target.name == "public.p.two"
    assert_mends(database, CHECK, found)


def test_partitions_that_have_their_own_beside_the_inherited_one_are_one_finding(database: Database) -> None:
    database.execute("CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE p (a int, r int) PARTITION BY LIST (a)")
    database.execute("CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p_2 PARTITION OF p DEFAULT")
    database.execute("ALTER TABLE p ADD CONSTRAINT one FOREIGN KEY (r) REFERENCES parent")
    for number in (1, 2):
        database.execute(f"ALTER TABLE p_{number} ADD CONSTRAINT own_{number} FOREIGN KEY (r) REFERENCES parent")
    (found,) = look(database, CHECK).findings
    assert found.target.name == "public.p(r)"
    assert found.rolled_up == ("public.p_1.own_1", "public.p_2.own_2")
    assert_mends(database, CHECK, found)


def test_a_foreign_key_to_a_partitioned_table_is_no_duplicate_of_its_parts(database: Database) -> None:
    database.execute(
        "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p_1 PARTITION OF p DEFAULT"
    )
    database.execute("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (r int REFERENCES p, s int REFERENCES a)")
    database.execute("ALTER TABLE t ADD FOREIGN KEY (r) REFERENCES a")
    assert look(database, CHECK).findings == []
