from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dbops.checks.invalid_index import check
from dbops.findings.finding import Finding, Kind, Location, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.rows import RelationSize
from tests.builders import a_column, a_constraint, a_schema, a_table, an_index, statistics_of
from tests.looking import apply, look
from tests.setting_builders import SERVER

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "invalid_index"
TABLE = "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, b int, c text)"
MARK = "UPDATE pg_index SET indisvalid = false, indisready = %s, indislive = %s WHERE indexrelid = %s::regclass"


def said(*objects: Any, **sections: Any) -> list[Finding | Unseen]:
    return list(check(a_schema(a_table(), a_column(), *objects), **{"server": (), **sections}))


def finding(*objects: Any, **sections: Any) -> Finding:
    (found,) = said(*objects, **sections)
    assert isinstance(found, Finding)
    return found


def test_a_valid_index_is_fine() -> None:
    assert said(an_index()) == []


def test_one_that_is_kept_up_to_date_for_nothing_says_what_it_costs() -> None:
    found = finding(
        an_index(is_valid=False),
        RelationSize(oid=100, size_bytes=12 * 1024**2),
        RelationSize(oid=1, size_bytes=18 * 1024**2),
        table_statistics=(statistics_of(inserts=70, updates=50, hot_updates=20, deletes=3),),
    )
    assert found.target == Target(Kind.INDEX, "public.task_idx")
    assert found.severity is Severity.WARNING
    assert found.message == (
        "No query uses it, as building or dropping it was interrupted. "
        "Every insert into public.task writes it nevertheless (12 MB)."
    )
    assert found.evidence == {"size_bytes": 12 * 1024**2, "writes": 100}
    assert found.fix is not None
    assert found.fix.sql == ("REINDEX INDEX CONCURRENTLY public.task_idx;",)
    assert found.fix.caution == "reads the 18 MB of public.task twice, while writes go on"
    assert found.location is not None
    assert (found.location.index, found.location.columns) == ("task_idx", ("id",))


def test_one_that_is_not_maintained_yet_costs_no_writes() -> None:
    found = finding(an_index(is_valid=False, is_ready=False), table_statistics=())
    assert found.message == "No query uses it, as building or dropping it was interrupted."
    assert "writes" not in found.evidence


def test_a_unique_one_rejects_rows_and_warns_that_it_may_fail_again() -> None:
    found = finding(an_index(is_valid=False, is_unique=True))
    assert found.message.endswith("and it keeps out new rows with equal keys, but never checked the old ones.")
    assert found.fix is not None
    assert found.fix.caution is not None
    assert "until rows with equal keys are removed" in found.fix.caution


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"name": "task_idx_ccnew"}, "An interrupted REINDEX CONCURRENTLY left this unfinished copy behind"),
        ({"name": "task_idx_ccnew3"}, "An interrupted REINDEX CONCURRENTLY left this unfinished copy behind"),
        ({"name": "task_idx_ccold"}, "REINDEX CONCURRENTLY put a new index in its place"),
        ({"is_live": False}, "DROP INDEX CONCURRENTLY was interrupted"),
    ],
)
def test_what_was_to_go_anyway_is_dropped(values: dict[str, Any], says: str) -> None:
    found = finding(an_index(is_valid=False, **values))
    assert found.message.startswith(says)
    assert found.fix is not None
    assert found.fix.sql == (f"DROP INDEX CONCURRENTLY {found.target.name};",)
    assert found.fix.undo == ()
    assert not found.fix.in_transaction


@pytest.mark.parametrize("values", [{}, {"is_unique": True}, {"is_unique": True, "is_immediate": False}])
def test_one_whose_twin_was_built_meanwhile_is_dropped(values: dict[str, Any]) -> None:
    found = finding(an_index(is_valid=False), an_index(101, "again", **values))
    assert "public.again is the same and does the work" in found.message
    assert found.fix is not None
    assert found.fix.sql == ("DROP INDEX CONCURRENTLY public.task_idx;",)


@pytest.mark.parametrize("values", [{"is_unique": True}, {"columns": (1, 2)}, {"constraint_oid": 1000}])
def test_one_that_does_more_than_the_valid_one_is_rebuilt(values: dict[str, Any]) -> None:
    found = finding(an_index(is_valid=False, **values), an_index(101, "other"))
    assert found.fix is not None
    assert found.fix.sql == ("REINDEX INDEX CONCURRENTLY public.task_idx;",)


def test_a_unique_one_is_not_replaced_by_one_that_is_checked_later() -> None:
    later = an_index(101, "later", is_unique=True, is_immediate=False)
    found = finding(an_index(is_valid=False, is_unique=True), later)
    assert found.fix is not None
    assert found.fix.sql == ("REINDEX INDEX CONCURRENTLY public.task_idx;",)


def test_a_constraint_s_index_is_never_dropped() -> None:
    constraint = a_constraint(type_="u")
    found = finding(an_index(is_valid=False, name="u_ccold", is_unique=True, constraint_oid=1000), constraint)
    assert found.fix is not None
    assert found.fix.sql == ("REINDEX INDEX CONCURRENTLY public.u_ccold;",)


def test_an_exclusion_constraint_s_is_rebuilt_without_concurrently() -> None:
    found = finding(an_index(is_valid=False, is_exclusion=True, constraint_oid=1000))
    assert found.fix is not None
    assert found.fix.sql == ("REINDEX INDEX public.task_idx;",)


def test_one_that_is_being_built_is_left_in_peace() -> None:
    assert said(an_index(is_valid=False, is_being_built=True)) == []


@pytest.mark.parametrize(
    ("is_standby", "is_monitor", "reason"),
    [
        (True, True, "a standby does not show whether it is being built: look at the primary"),
        (False, False, "this role may not see whether it is being built: GRANT pg_monitor TO it"),
        (False, True, "the look ended before it could tell whether it is being built: look again"),
    ],
)
def test_one_of_which_that_is_not_known_is_unseen(is_standby: bool, is_monitor: bool, reason: str) -> None:
    server = (replace(SERVER, is_standby=is_standby, is_monitor=is_monitor),)
    assert said(an_index(is_valid=False, is_being_built=None), server=server) == [Unseen("public.task_idx", reason)]


def test_an_extension_s_index_is_not_reported() -> None:
    assert list(check(a_schema(a_table(extension="postgis"), an_index(is_valid=False)), ())) == []


def test_those_of_partitions_are_one_finding() -> None:
    parts = [a_table(oid, f"p{oid}", is_partition=True, parent_oid=1) for oid in (2, 3)]
    indexes = [an_index(oid * 10, f"i{oid}", table_oid=oid, is_valid=False) for oid in (2, 3)]
    (found,) = check(a_schema(a_table(kind="p"), *parts, *indexes), ())
    assert isinstance(found, Finding)
    assert found.target == Target(Kind.TABLE, "public.task")
    assert found.rolled_up == ("public.i2", "public.i3")
    assert found.message == "2 indexes of public.task's partitions were never finished."


@pytest.mark.parametrize(
    ("is_being_built", "targets", "kind"),
    [
        (True, [], Finding),
        (False, ["public.task_idx", "public.task"], Finding),
        (None, ["public.task_idx", "public.b"], Unseen),
    ],
)
def test_a_partitioned_one_waits_for_a_part_that_is_being_built(
    is_being_built: bool | None, targets: list[str], kind: type[Finding | Unseen]
) -> None:
    part = a_table(2, "p", is_partition=True, parent_oid=1)
    building = an_index(200, "b", table_oid=2, is_valid=False, is_being_built=is_being_built)
    schema = a_schema(a_table(kind="p"), part, an_index(kind="I", is_valid=False), building)
    seen = list(check(schema, ()))
    assert [str(one.target) for one in seen] == targets
    assert all(isinstance(one, kind) for one in seen)


# On real servers.


def interrupted(database: Database, statement: str) -> None:
    """Run `statement` against a transaction that does not end, until it gives up."""
    other = database.connect(autocommit=False)
    other.execute("INSERT INTO t (a) VALUES (1000)")
    impatient = database.connect(options="-c lock_timeout=200ms")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        impatient.execute(statement)
    other.rollback()
    other.close()
    impatient.close()


def test_an_interrupted_build_is_found_and_rebuilt(database: Database) -> None:
    database.execute(TABLE)
    interrupted(database, "CREATE INDEX CONCURRENTLY t_a ON t (a)")
    seen = look(database, CHECK)
    assert seen.targets == ["public.t_a"]
    apply(database, seen.findings[0].fix)
    assert look(database, CHECK).result.outcome is Outcome.OK


def test_a_unique_build_that_failed_is_rebuilt_once_the_keys_are_unique(database: Database) -> None:
    database.execute(TABLE)
    database.execute("INSERT INTO t (a) VALUES (1), (1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.execute("CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a)")
    (found,) = look(database, CHECK).findings
    assert "rows with equal keys are not kept out" in found.message
    with pytest.raises(psycopg.errors.UniqueViolation):
        apply(database, found.fix)
    database.execute("DELETE FROM t WHERE id = 2")
    both = look(database, CHECK)
    assert both.targets == ["public.t_a", "public.t_a_ccnew"]
    for one in both.findings:
        apply(database, one.fix)
    assert look(database, CHECK).targets == look(database, "duplicate_index").targets == []


def test_a_unique_build_that_failed_late_keeps_new_rows_out(database: Database) -> None:
    database.execute(TABLE)
    database.execute("INSERT INTO t (a) VALUES (1), (2)")
    database.execute("CREATE UNIQUE INDEX t_a ON t (a)")
    database.execute(MARK, True, True, "t_a")
    (found,) = look(database, CHECK).findings
    assert "keeps out new rows with equal keys" in found.message
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.execute("INSERT INTO t (a) VALUES (1)")
    apply(database, found.fix)
    assert look(database, CHECK).result.outcome is Outcome.OK


def test_what_an_interrupted_reindex_left_is_dropped(database: Database) -> None:
    database.execute(TABLE)
    database.execute("CREATE INDEX t_a ON t (a)")
    interrupted(database, "REINDEX INDEX CONCURRENTLY t_a")
    (found,) = look(database, CHECK).findings
    assert found.target.name == "public.t_a_ccnew"
    apply(database, found.fix)
    assert look(database, CHECK).result.outcome is Outcome.OK
    assert database.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 't_a'::regclass") == [(True,)]


def test_what_an_interrupted_reindex_left_of_the_toast_table_is_dropped(database: Database) -> None:
    database.execute(TABLE)
    interrupted(database, "REINDEX TABLE CONCURRENTLY t")
    ((toast,),) = database.execute("SELECT reltoastrelid::regclass::text FROM pg_class WHERE relname = 't'")
    seen = look(database, CHECK)
    left, other = seen.findings
    assert seen.targets == [f"{toast}_index_ccnew", "public.t_pkey_ccnew"]
    assert left.message.endswith("It belongs to the TOAST table of public.t.")
    assert left.fix is not None
    owner = database.create_role(f"{database.name}_owner")
    database.execute(f"ALTER TABLE t OWNER TO {owner}")
    assert look(database, CHECK, role=owner).targets == seen.targets
    with database.connect(owner) as theirs, pytest.raises(psycopg.errors.InsufficientPrivilege):
        theirs.execute(left.fix.sql[0])
    for one in (left, other):
        apply(database, one.fix)
    assert look(database, CHECK).result.outcome is Outcome.OK
    assert database.execute(f"SELECT indisvalid FROM pg_index WHERE indrelid = '{toast}'::regclass") == [(True,)]


def test_one_of_a_toast_table_says_whose_it_is() -> None:
    index = an_index(
        9, "pg_toast_1_index_ccnew", schema="pg_toast", table_oid=8, toast_of=1, is_valid=False, is_being_built=False
    )
    found = finding(index)
    assert found.target.name == "pg_toast.pg_toast_1_index_ccnew"
    assert found.message == (
        "An interrupted REINDEX CONCURRENTLY left this unfinished copy behind; no query uses it. Every long value that "
        "is stored writes it nevertheless. It belongs to the TOAST table of public.task."
    )
    assert found.location == Location(table_oid=1)
    assert found.fix is not None
    assert found.fix.sql == ("DROP INDEX CONCURRENTLY pg_toast.pg_toast_1_index_ccnew;",)
    assert "a superuser" in str(found.fix.caution)


def test_an_interrupted_drop_is_finished(database: Database) -> None:
    database.execute(TABLE)
    database.execute("CREATE INDEX t_a ON t (a)")
    database.execute(MARK, False, False, "t_a")
    (found,) = look(database, CHECK).findings
    assert "DROP INDEX CONCURRENTLY was interrupted" in found.message
    apply(database, found.fix)
    assert look(database, CHECK).result.outcome is Outcome.OK
    assert database.execute("SELECT to_regclass('t_a')") == [(None,)]


def test_an_interrupted_drop_that_is_still_maintained_is_an_invalid_index(database: Database) -> None:
    database.execute(TABLE)
    database.execute("CREATE INDEX t_a ON t (a)")
    interrupted(database, "DROP INDEX CONCURRENTLY t_a")
    (found,) = look(database, CHECK).findings
    apply(database, found.fix)
    assert look(database, CHECK).result.outcome is Outcome.OK


def test_the_twin_of_a_valid_one_is_dropped(database: Database) -> None:
    database.execute(TABLE)
    interrupted(database, "CREATE INDEX CONCURRENTLY t_a ON t (a)")
    database.execute("CREATE INDEX t_a_idx ON t (a)")
    apply(database, look(database, CHECK).findings[0].fix)
    assert look(database, CHECK).targets == look(database, "duplicate_index").targets == []


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX CONCURRENTLY slow ON t (a)",
        "REINDEX INDEX CONCURRENTLY t_b",
        "REINDEX TABLE CONCURRENTLY t",
        "DROP INDEX CONCURRENTLY t_b",
    ],
)
def test_what_somebody_is_at_is_not_reported(database: Database, statement: str) -> None:
    database.execute(TABLE)
    database.execute("CREATE INDEX t_b ON t (b)")
    bare = database.create_role(f"{database.name}_bare")
    writer, worker = database.connect(autocommit=False), database.connect()
    writer.execute("INSERT INTO t (a) VALUES (1)")
    work = threading.Thread(target=worker.execute, args=(statement,))
    work.start()
    try:
        while not database.execute("SELECT 1 FROM pg_index WHERE NOT indisvalid"):
            time.sleep(0.01)
        mine, theirs = look(database, CHECK), look(database, CHECK, role=bare)
    finally:
        writer.rollback()
        work.join()
    assert mine.result.outcome is Outcome.OK
    assert theirs.findings == []
    assert look(database, CHECK).result.outcome is Outcome.OK


def test_a_role_without_rights_sees_a_forgotten_one(database: Database) -> None:
    database.execute(TABLE)
    interrupted(database, "CREATE INDEX CONCURRENTLY t_a ON t (a)")
    bare = database.create_role(f"{database.name}_bare")
    assert look(database, CHECK, role=bare).targets == ["public.t_a"]


def test_odd_names_survive_into_the_fix(database: Database) -> None:
    long = "ü" * 31
    database.execute(f"""
        CREATE TABLE "Odd ""t" ("{long}" int);
        CREATE INDEX "i' ""x" ON "Odd ""t" ("{long}");
        CREATE INDEX "{long}" ON "Odd ""t" ("{long}" NULLS FIRST);
    """)
    database.execute("UPDATE pg_index SET indisvalid = false WHERE indrelid::regclass::text LIKE '%Odd%'")
    seen = look(database, CHECK)
    assert set(seen.targets) == {'public."i\' ""x"', f'public."{long}"'}
    for found in seen.findings:
        apply(database, found.fix)
    assert look(database, CHECK).targets == []
