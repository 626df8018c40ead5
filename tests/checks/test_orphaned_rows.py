from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.orphaned_rows import check
from dbops.collect.orphans import SAMPLE_ROWS
from dbops.findings.finding import Basis, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.relation_rows import LooseRelation, OrphanSample
from dbops.snapshot.snapshot import Unavailable
from tests.builders import a_column, a_schema, a_table
from tests.looking import Looked, look

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "orphaned_rows"
SCHEMA = a_schema(
    a_table(1, "task"),
    a_column(2, "user_id"),
    a_column(3, "Kind"),
    a_table(2, "people"),
    a_table(3, "places"),
)


def a_sample(orphans: int | None = 0, of: int | None = 10, **values: Any) -> OrphanSample:
    """Rows of public.task."""
    return OrphanSample(
        **{
            "table_oid": 1,
            "column": 2,
            "content_type_column": None,
            "target_oid": 2,
            "is_guarded": True,
            "is_whole": True,
            "sampled_rows": of,
            "orphan_rows": orphans,
            "unseen": None,
            **values,
        }
    )


def said(*samples: OrphanSample) -> list[Finding | Unseen]:
    return list(check(SCHEMA, samples))


def finding(*samples: OrphanSample) -> Finding:
    (found,) = said(*samples)
    assert isinstance(found, Finding)
    return found


def test_rows_that_point_nowhere() -> None:
    found = finding(a_sample(3, 1_200))
    assert found.target == Target(Kind.CONSTRAINT, "public.task(user_id)")
    assert (found.severity, found.basis, found.fix) == (Severity.WARNING, Basis.MEASURED, None)
    assert found.message == "3 of 1,200 rows point to rows of public.people that are not there."
    assert found.evidence == {"orphan_rows": 3, "sampled_rows": 1_200, "is_sample": 0}
    assert found.location is not None
    assert (found.location.table_oid, found.location.columns) == (1, ("user_id",))


def test_a_sample_is_said_to_be_one() -> None:
    found = finding(a_sample(1, 5_000, is_whole=False))
    assert found.message == "1 of 5,000 rows looked at points to rows of public.people that are not there."
    assert found.evidence["is_sample"] == 1


def test_what_django_leaves_alone_is_only_mentioned() -> None:
    found = finding(a_sample(3, is_guarded=False))
    assert found.severity is Severity.INFO
    assert found.message.endswith("Django is told to leave them alone.")


def test_a_generic_relation_is_one_whatever_it_points_to() -> None:
    generic = {"content_type_column": 3}
    found = finding(
        a_sample(2, **generic, is_guarded=False),
        a_sample(1, target_oid=3, **generic),
        a_sample(0, target_oid=1, **generic),
    )
    assert found.target.name == 'public.task("Kind", user_id)'
    assert found.message == "3 of 20 rows point to rows of public.people and public.places that are not there."
    assert found.severity is Severity.WARNING


def test_silent_when_all_point_somewhere() -> None:
    assert said(a_sample(), a_sample(0, 0, column=3)) == []


def test_what_could_not_be_looked_at_is_said_once() -> None:
    generic = {"content_type_column": 3, "unseen": "no SELECT on public.people"}
    assert said(a_sample(None, None, **generic), a_sample(None, None, target_oid=3, **generic)) == [
        Unseen('public.task("Kind", user_id)', "no SELECT on public.people")
    ]


def a_relation(table: str = "task", column: str = "user_id", target: str = "people", **values: Any) -> LooseRelation:
    return LooseRelation(
        **{
            "db_table": table,
            "column": column,
            "content_type_column": None,
            "content_type": None,
            "target_table": target,
            "target_column": "id",
            "is_guarded": True,
            **values,
        }
    )


def a_generic(type_: str, target: str, **values: Any) -> LooseRelation:
    return a_relation("tag", "object_id", target, content_type_column="kind_id", content_type=type_, **values)


def looked(database: Database, *relations: LooseRelation, role: str | None = None) -> Looked:
    return look(database, CHECK, role=role, sections={"loose_relations": relations})


@pytest.mark.parametrize(
    ("key", "column", "people", "pointers"),
    [
        ("int", "int", "(1), (2)", "(1, 1), (2, 2), (3, 3), (4, NULL)"),
        ("bigint", "int", "(1), (2)", "(1, 1), (2, 2), (3, 3), (4, NULL)"),
        ("text", "varchar(9)", "('a'), ('b')", "(1, 'a'), (2, 'b'), (3, 'c'), (4, NULL)"),
        ("text", "int", "('1'), ('2')", "(1, 1), (2, 2), (3, 3), (4, NULL)"),
        ("int", "text", "(1), (2)", "(1, '1'), (2, '2'), (3, 'x'), (4, NULL)"),
        (
            "uuid",
            "varchar(40)",
            "('11111111-1111-1111-1111-111111111111'), ('22222222-2222-2222-2222-222222222222')",
            "(1, '11111111-1111-1111-1111-111111111111'), (2, repeat('2', 32)), (3, '7'), (4, NULL)",
        ),
    ],
)
def test_orphans_are_counted_and_gone_once_they_are_mended(
    database: Database, key: str, column: str, people: str, pointers: str
) -> None:
    database.execute(f'CREATE TABLE "Pe ople" (id {key} PRIMARY KEY); INSERT INTO "Pe ople" VALUES {people}')
    database.execute(f'CREATE TABLE task (id int PRIMARY KEY, "User" {column}); INSERT INTO task VALUES {pointers}')
    relation = a_relation(column="User", target="Pe ople")
    (found,) = looked(database, relation).findings
    assert found.target.name == 'public.task("User")'
    assert found.evidence == {"orphan_rows": 1, "sampled_rows": 3, "is_sample": 0}
    database.execute('UPDATE task SET "User" = NULL WHERE id = 3')
    assert looked(database, relation).result.outcome is Outcome.OK


def test_a_generic_relation_is_followed_by_its_content_types(database: Database) -> None:
    database.execute("CREATE TABLE django_content_type (id int PRIMARY KEY, app_label text, model text)")
    database.execute("INSERT INTO django_content_type VALUES (1, 'shop', 'order'), (2, 'shop', 'item'), (3, 'x', 'y')")
    database.execute("CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders SELECT generate_series(1, 5)")
    database.execute("CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item SELECT generate_series(1, 5)")
    database.execute("CREATE TABLE tag (id int PRIMARY KEY, kind_id int, object_id int)")
    database.execute("INSERT INTO tag VALUES (1, 1, 5), (2, 1, 6), (3, 2, 1), (4, 3, 99)")
    relations = (a_generic("shop.order", "orders"), a_generic("shop.item", "item"), a_generic("shop.none", "item"))
    (found,) = looked(database, *relations).findings
    assert found.target.name == "public.tag(kind_id, object_id)"
    assert found.message == "1 of 2 rows points to rows of public.orders that are not there."
    database.execute("DELETE FROM tag WHERE id = 2")
    assert looked(database, *relations).result.outcome is Outcome.OK


def test_of_a_large_table_a_part_is_looked_at(database: Database) -> None:
    database.execute("CREATE TABLE people (id int PRIMARY KEY); INSERT INTO people SELECT generate_series(1, 10)")
    database.execute("CREATE TABLE task (id int PRIMARY KEY, user_id int)")
    database.execute("INSERT INTO task SELECT g, g % 20 + 1 FROM generate_series(1, 100000) g; ANALYZE task")
    (found,) = looked(database, a_relation()).findings
    (again,) = looked(database, a_relation()).findings
    assert found.evidence == again.evidence
    assert found.evidence["is_sample"] == 1
    sampled, orphans = found.evidence["sampled_rows"], found.evidence["orphan_rows"]
    assert isinstance(sampled, int)
    assert isinstance(orphans, int)
    assert 0 < sampled <= SAMPLE_ROWS
    assert 0.4 < orphans / sampled < 0.6


def test_partitions_are_looked_at_through_their_table(database: Database) -> None:
    database.execute("CREATE TABLE people (id int PRIMARY KEY) PARTITION BY RANGE (id)")
    database.execute("CREATE TABLE crowd PARTITION OF people DEFAULT; INSERT INTO people VALUES (1)")
    database.execute("CREATE TABLE task (id int, user_id int) PARTITION BY RANGE (id)")
    database.execute(
        "CREATE TABLE task_1 PARTITION OF task DEFAULT; INSERT INTO task VALUES (1, 1), (2, 2); ANALYZE task"
    )
    assert looked(database, a_relation()).targets == ["public.task(user_id)"]


def test_silent_where_a_constraint_or_nothing_is_there(database: Database) -> None:
    database.execute("CREATE TABLE people (id int PRIMARY KEY); INSERT INTO people VALUES (1)")
    database.execute("CREATE TABLE task (id int PRIMARY KEY, user_id int REFERENCES people)")
    database.execute("INSERT INTO task VALUES (1, 1)")
    relations = (a_relation(), a_relation(table="gone"), a_relation(target="gone"), a_relation(column="gone"))
    assert looked(database, *relations, a_generic("a.b", "people")).result.outcome is Outcome.OK


def test_what_cannot_be_looked_at_is_said(database: Database) -> None:
    database.execute("CREATE TABLE people (id int PRIMARY KEY); CREATE TABLE loose (id int)")
    database.execute("CREATE TABLE task (id int PRIMARY KEY, user_id int, spot point); INSERT INTO task VALUES (1, 9)")
    database.execute("CREATE TABLE tag (id int PRIMARY KEY, kind_id int, object_id int)")
    relations = (
        a_relation(target="loose"),
        a_relation(column="spot"),
        a_generic("a.b", "people"),
    )
    assert looked(database, *relations).result.reason == (
        "no valid index of public.loose leads with id: public.task(user_id); "
        "point cannot be compared with integer: public.task(spot); "
        "there is no django_content_type: public.tag(kind_id, object_id)"
    )
    role = database.create_role(f"{database.name}_bare", pg_monitor=True)
    result = looked(database, a_relation(), role=role).result
    assert (result.outcome, result.reason) == (
        Outcome.SKIPPED,
        "no SELECT on public.task: public.task(user_id)",
    )
    with database.connect(autocommit=False) as holder:
        holder.execute("LOCK TABLE people")
        result = looked(database, a_relation()).result
    assert result.reason == "public.people is locked by another session: public.task(user_id)"


def test_without_django_nobody_knows_the_relations(database: Database) -> None:
    result = look(database, CHECK, sections={"loose_relations": Unavailable("no project")}).result
    assert (result.outcome, result.reason) == (Outcome.SKIPPED, "no project")
