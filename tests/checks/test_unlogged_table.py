from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.unlogged_table import check
from dbops.findings.finding import Finding, Kind, Severity, Target
from dbops.snapshot.rows import RelationSize
from tests.builders import a_foreign_key, a_schema, a_table
from tests.checks.mending import assert_mends
from tests.looking import look

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "unlogged_table"


def findings(*objects: Any) -> list[Finding]:
    return list(check(a_schema(*objects)))


def test_the_finding_says_what_a_crash_takes() -> None:
    (found,) = findings(a_table(persistence="u", row_estimate=5_000), RelationSize(oid=1, size_bytes=2 * 1024**3))
    assert found.target == Target(Kind.TABLE, "public.task")
    assert found.severity is Severity.WARNING
    assert found.evidence == {"rows": 5_000, "size_bytes": 2 * 1024**3}
    assert found.message == (
        "After a crash or a failover its 5,000 rows are gone: "
        "no WAL tells of them, so no replica and no physical backup has them."
    )
    assert found.fix is not None
    assert found.fix.caution is not None
    assert found.fix.caution.startswith("rewrites 2.0 GB of public.task under an exclusive lock")


def test_what_is_not_known_is_left_out() -> None:
    (found,) = findings(a_table(persistence="u", row_estimate=None))
    assert found.evidence == {}
    assert "its rows are gone" in found.message
    assert found.fix is not None
    assert found.fix.caution is not None
    assert found.fix.caution.startswith("rewrites public.task under")


def test_partitions_are_told_as_their_table() -> None:
    (found,) = findings(
        a_table(kind="p", row_estimate=None),
        a_table(2, "task_1", is_partition=True, parent_oid=1, persistence="u", row_estimate=30),
        a_table(3, "task_2", is_partition=True, parent_oid=1, persistence="u", row_estimate=12),
        a_table(4, "task_3", is_partition=True, parent_oid=1, row_estimate=7),
    )
    assert found.target.name == "public.task"
    assert found.rolled_up == ("public.task_1", "public.task_2")
    assert "the 42 rows of 2 partitions are gone" in found.message
    assert found.evidence == {"rows": 42}


def test_tables_that_refer_to_one_another_in_a_circle_get_no_fix() -> None:
    found = findings(
        a_table(1, "a", persistence="u"),
        a_table(2, "b", persistence="u"),
        a_foreign_key(10, table_oid=1, to=2),
        a_foreign_key(11, table_oid=2, to=1),
    )
    assert [one.fix for one in found] == [None, None]


@pytest.mark.parametrize(
    "decoy", [{"persistence": "p"}, {"persistence": "u", "extension": "pg_cron"}], ids=["logged", "extension's"]
)
def test_silent_about(decoy: dict[str, Any]) -> None:
    assert findings(a_table(**decoy)) == []


def test_a_table_is_logged_and_unlogged_again(database: Database) -> None:
    database.execute('CREATE UNLOGGED TABLE "Mixed ""ключ" (id serial PRIMARY KEY)')
    (found,) = look(database, CHECK).findings
    assert found.target.name == 'public."Mixed ""ключ"'
    assert_mends(database, CHECK, found)


def test_what_a_table_refers_to_is_logged_before_it(database: Database) -> None:
    database.execute("CREATE UNLOGGED TABLE a (id int PRIMARY KEY); CREATE TABLE logged (id int PRIMARY KEY)")
    database.execute("CREATE UNLOGGED TABLE b (id int PRIMARY KEY REFERENCES a, up int REFERENCES b)")
    database.execute(
        "CREATE UNLOGGED TABLE c (b_id int REFERENCES b, a_id int REFERENCES a, l_id int REFERENCES logged)"
    )
    looked = look(database, CHECK)
    assert sorted(looked.targets) == ["public.a", "public.b", "public.c"]
    (found,) = [one for one in looked.findings if one.target.name == "public.c"]
    assert found.fix is not None
    assert [statement.split()[2] for statement in found.fix.sql] == ["public.a", "public.b", "public.c"]
    assert_mends(database, CHECK, found)
    assert look(database, CHECK).targets == []


def test_a_fix_still_applies_after_another_one_did_part_of_its_work(database: Database) -> None:
    database.execute("CREATE UNLOGGED TABLE a (id int PRIMARY KEY); CREATE UNLOGGED TABLE b (id int REFERENCES a)")
    one, other = look(database, CHECK).findings
    assert_mends(database, CHECK, one)
    assert_mends(database, CHECK, other)


def test_unlogged_partitions_are_logged(database: Database) -> None:
    database.execute(
        "CREATE TABLE p (a int, b int) PARTITION BY LIST (a); CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1)"
    )
    database.execute("CREATE UNLOGGED TABLE p_2 PARTITION OF p FOR VALUES IN (2)")
    database.execute("CREATE TABLE p_3 PARTITION OF p FOR VALUES IN (3) PARTITION BY LIST (b)")
    database.execute("CREATE UNLOGGED TABLE p_3_1 PARTITION OF p_3 DEFAULT")
    (found,) = look(database, CHECK).findings
    assert found.target.name == "public.p"
    assert found.rolled_up == ("public.p_2", "public.p_3_1")
    assert_mends(database, CHECK, found)


@pytest.mark.parametrize("server", ["pg15"], indirect=True)
def test_a_partitioned_table_called_unlogged_holds_no_rows_to_lose(database: Database) -> None:
    database.execute("CREATE UNLOGGED TABLE p (a int) PARTITION BY LIST (a)")
    database.execute("CREATE TABLE p_1 PARTITION OF p DEFAULT")
    assert look(database, CHECK).findings == []


def test_temporary_tables_and_logged_ones_are_fine(database: Database) -> None:
    database.execute("CREATE TEMP TABLE temporary (a int); CREATE TABLE logged (a int)")
    assert look(database, CHECK).findings == []
