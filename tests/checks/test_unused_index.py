from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.unused_index import check
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.rows import GenericRelation, RelationSize
from tests.activity_builders import a_table_activity
from tests.builders import a_column, a_foreign_key, a_schema, a_table, an_index
from tests.index_use_builders import PRIMARY, SERVER, STANDBY, a_use, uses_in
from tests.looking import apply, look, undo
from tests.storage_builders import MB

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "unused_index"
COLUMNS = (a_column(1), a_column(2, "at"), a_column(3, "user_id"))
DEFINITION = "CREATE INDEX at_idx ON public.task USING btree (at)"


def said(
    *objects: Any,
    uses: tuple[Any, ...] = (a_use(),),
    servers: tuple[Any, ...] = (PRIMARY,),
    size_bytes: int | None = 20 * MB,
    table: Any = None,
    **options: Any,
) -> list[Finding | Unseen]:
    index = options.pop("index", None) or an_index(100, "at_idx", (2,), definition=DEFINITION)
    schema = a_schema(table or a_table(), *COLUMNS, index, RelationSize(oid=100, size_bytes=size_bytes), *objects)
    return list(check(schema, uses, servers, (SERVER,), **options))


def finding(*objects: Any, **options: Any) -> Finding:
    (found,) = said(*objects, **options)
    assert isinstance(found, Finding)
    return found


def test_the_finding() -> None:
    uses = (a_use(), a_use(server="replica", days=50))
    found = finding(uses=uses, servers=(PRIMARY, STANDBY), table_activity=(a_table_activity(inserts=5),))
    assert found.target == Target(Kind.INDEX, "public.at_idx")
    assert (found.severity, found.confidence, found.basis) == (Severity.INFO, Confidence.HIGH, Basis.MEASURED)
    assert found.message == (
        "No query has used its 20 MB for 40 days, on any server (default, replica); 5 writes to public.task in the "
        "window went to it as well."
    )
    assert found.evidence == {"size_bytes": 20 * MB, "unused_days": 40, "servers": "default, replica", "writes": 5}
    assert found.fix is not None
    assert found.fix.sql == ("DROP INDEX CONCURRENTLY public.at_idx;",)
    assert found.fix.undo == ("CREATE INDEX CONCURRENTLY at_idx ON public.task USING btree (at);",)


@pytest.mark.parametrize(
    ("days", "size_bytes", "options", "is_found"),
    [
        (35, MB, {}, True),
        (34.99, MB, {}, False),
        (34.99, MB, {"unused_days": 30}, True),
        (35, MB - 1, {}, False),
        (35, MB - 1, {"min_bytes": 5}, True),
    ],
)
def test_the_thresholds(days: float, size_bytes: int, options: dict[str, Any], is_found: bool) -> None:
    found = said(uses=(a_use(days=days, scans=1),), size_bytes=size_bytes, **options)
    assert [type(one) for one in found] == [Finding] * is_found


@pytest.mark.parametrize(
    ("size_bytes", "inserts", "severity"),
    [
        (100 * MB, 0, Severity.WARNING),
        (100 * MB - 1, 999_999, Severity.INFO),
        (MB, 1_000_000, Severity.WARNING),
    ],
)
def test_how_bad_it_is(size_bytes: int, inserts: int, severity: Severity) -> None:
    found = finding(size_bytes=size_bytes, table_activity=(a_table_activity(inserts=inserts),))
    assert found.severity is severity


def test_without_a_history_or_with_an_expression_it_is_less_sure() -> None:
    assert finding(uses=(a_use(known_days=None),)).confidence is Confidence.MEDIUM
    assert finding(uses=(a_use(known_days=34),)).confidence is Confidence.MEDIUM
    index = an_index(100, "at_idx", (0,), has_expressions=True, expressions="lower(at)")
    found = finding(index=index)
    assert found.confidence is Confidence.LOW
    assert "statistics of its expression" in found.message


def test_one_server_that_uses_it_is_enough() -> None:
    both = (PRIMARY, STANDBY)
    assert said(uses=(a_use(), a_use(server="replica", days=None, scans=1)), servers=both) == []
    assert said(uses=(a_use(), a_use(server="replica", days=3, scans=1)), servers=both) == []
    assert said(uses=(a_use(), a_use(server="of old", days=3, scans=1))) == []


def test_a_server_that_is_not_seen_is_said_once() -> None:
    unseen = replace(STANDBY, unseen="no alias leads to it")
    sizes = RelationSize(oid=101, size_bytes=MB)
    others = (an_index(101, "other", (3,)), sizes)
    assert said(*others, uses=(a_use(), a_use(101)), servers=(PRIMARY, unseen)) == [
        Unseen(
            "replica",
            "whether it uses 2 indexes is not known (no alias leads to it); elsewhere 35 of the 35 days that are "
            "needed are known",
        )
    ]
    assert said(uses=(a_use(days=None, scans=9),), servers=(PRIMARY, unseen)) == []


@pytest.mark.parametrize(
    ("uses", "servers", "days"),
    [
        ((a_use(days=12),), (PRIMARY,), 12),
        ((a_use(days=None),), (PRIMARY,), 0),
        ((), (PRIMARY,), 0),
        ((a_use(),), (PRIMARY, STANDBY), 0),
        ((a_use(),), (), 0),
    ],
    ids=["young", "not known", "not listed", "not listed on the standby", "no servers"],
)
def test_a_history_that_is_too_young_is_said_once(uses: Any, servers: Any, days: int) -> None:
    reason = f"whether 1 index may go cannot be told: {days} of the 35 days that are needed are known"
    assert said(uses=uses, servers=servers) == [Unseen("shop", reason)]


def test_an_index_whose_size_was_not_read_is_said() -> None:
    (locked,) = said(size_bytes=None)
    assert isinstance(locked, Unseen)
    assert "another session has locked it" in locked.reason


@pytest.mark.parametrize(
    "values",
    [
        {"is_unique": True},
        {"is_unique": True, "constraint_oid": 1},
        {"is_exclusion": True, "method": "gist"},
        {"is_clustered": True},
        {"is_replica_identity": True},
        {"is_valid": False},
    ],
    ids=lambda values: next(reversed(values)),
)
def test_others_are_not_judged(values: Any) -> None:
    assert said(index=an_index(100, "at_idx", (2,), **values)) == []


def test_that_of_an_extension_is_not_judged() -> None:
    assert said(table=a_table(extension="pg_partman")) == []


@pytest.mark.parametrize(
    "others",
    [(an_index(101, "wider", (2, 3)),), (an_index(101, "narrower", (2,)), an_index(102, "x", (3,)))],
    ids=["redundant", "duplicate"],
)
def test_what_another_check_judges_is_left_to_it(others: Any) -> None:
    assert said(*others, uses=(a_use(), *(a_use(one.oid, days=None, scans=1) for one in others))) == []


def test_the_index_that_another_check_wants_to_stay_stays() -> None:
    index = an_index(100, "wider", (2, 3))
    assert said(an_index(101, "narrow", (2,)), index=index, uses=(a_use(), a_use(101, days=None, scans=1))) == []


def test_the_only_index_of_a_foreign_key_stays() -> None:
    key, index = a_foreign_key(columns=(3,)), an_index(100, "user_idx", (3,))
    assert said(key, index=index) == []
    assert len(said(a_foreign_key(columns=(3,), is_enforced=False), index=index)) == 1
    used = an_index(101, "wider", (3, 2), predicate="(user_id IS NOT NULL)", is_partial=True)
    assert len(said(key, used, index=index, uses=(a_use(), a_use(101, days=None, scans=1)))) == 1
    unrelated = replace(used, predicate="(at > 5)")
    assert said(key, unrelated, index=index, uses=(a_use(), a_use(101, days=None, scans=1))) == []


def test_of_two_that_serve_a_foreign_key_one_stays() -> None:
    others = (
        an_index(101, "other", (3, 2), is_partial=True, predicate="(user_id IS NOT NULL)"),
        RelationSize(oid=101, size_bytes=30 * MB),
    )
    index = an_index(100, "user_idx", (3,))
    found = said(a_foreign_key(columns=(3,)), *others, index=index, uses=(a_use(), a_use(101)))
    assert [one.target.name for one in found if isinstance(one, Finding)] == ["public.other"]
    assert len(found) == 1


def test_the_only_index_of_a_generic_foreign_key_stays() -> None:
    relation = GenericRelation(db_table="task", content_type_column="user_id", object_id_column="at")
    assert said(index=an_index(100, "pair", (2, 3)), generic_relations=(relation,)) == []
    assert said(index=an_index(100, "object", (2,)), generic_relations=(relation,)) == []
    assert len(said(index=an_index(100, "type", (3,)), generic_relations=(relation,))) == 1


def test_the_like_twin_of_a_used_index_is_the_other_check_s() -> None:
    twin = an_index(100, "at_like", (2,), operator_classes=(4217,))
    plain = an_index(101, "at_idx", (2,))
    assert said(plain, index=twin, uses=(a_use(), a_use(101, days=None, scans=4))) == []
    (found,) = said(plain, RelationSize(oid=101, size_bytes=0), index=twin, uses=(a_use(), a_use(101)))
    assert isinstance(found, Finding)


def planted(database: Database, rows: int = 100_000) -> None:
    database.execute("CREATE TABLE person (id int PRIMARY KEY)")
    database.execute("CREATE TABLE task (id int PRIMARY KEY, at int, boss int REFERENCES person, code int UNIQUE)")
    database.execute(f"INSERT INTO task SELECT i, i, NULL, i FROM generate_series(1, {rows}) i")


def test_a_real_one_is_dropped_and_brought_back(database: Database) -> None:
    planted(database)
    database.execute("""
        CREATE INDEX "Idle; one" ON task (at DESC, id) INCLUDE (boss);
        CREATE INDEX used ON task (at, code);
        CREATE INDEX small ON task (id, at) WHERE id < 5;
        CREATE INDEX boss_idx ON task (boss);
        ANALYZE
    """)
    sections = uses_in(database, ("used",))
    looked = look(database, CHECK, sections=sections)
    assert looked.targets == ['public."Idle; one"']
    (found,) = looked.findings
    assert found.evidence["unused_days"] == 40
    apply(database, found.fix)
    assert look(database, CHECK, sections=uses_in(database, ("used",))).result.outcome is Outcome.OK
    undo(database, found.fix)
    again = look(database, CHECK, sections=uses_in(database, ("used",)))
    assert [(one.target, one.fix) for one in again.findings] == [(found.target, found.fix)]
    assert look(database, CHECK, sections=uses_in(database, ("used",), days=10)).result.outcome is Outcome.SKIPPED


def test_that_of_a_partitioned_table_is_judged_as_a_whole(database: Database) -> None:
    database.execute("CREATE TABLE log (id int, at int) PARTITION BY RANGE (id)")
    for part in range(2):
        bounds = f"FROM ({part * 100_000}) TO ({(part + 1) * 100_000})"
        database.execute(f"CREATE TABLE log_{part} PARTITION OF log FOR VALUES {bounds}")
    database.execute("CREATE INDEX log_at ON log (at)")
    database.execute("CREATE INDEX log_id ON log (id)")
    database.execute("INSERT INTO log SELECT i, i FROM generate_series(1, 199999) i")
    sections = uses_in(database, ("log_1_id_idx",))
    (found,) = look(database, CHECK, sections=sections).findings
    assert found.target.name == "public.log_at"
    apply(database, found.fix)
    assert look(database, CHECK, sections=uses_in(database, ("log_1_id_idx",))).targets == []
    undo(database, found.fix)
    assert look(database, CHECK, sections=uses_in(database, ("log_1_id_idx",))).targets == ["public.log_at"]
