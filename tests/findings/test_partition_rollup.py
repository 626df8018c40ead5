from __future__ import annotations

from typing import Any

from dbops.findings.changes import RebuildIndex, Statements
from dbops.findings.finding import Finding, Kind, Location, Severity, Target
from dbops.findings.partition_rollup import roll_up
from tests.builders import a_schema, a_table

SCHEMA = a_schema(
    a_table(kind="p"),
    a_table(2, "p2", kind="p", is_partition=True, parent_oid=1),
    a_table(3, "p3", is_partition=True, parent_oid=2),
    a_table(4, "other"),
)
UNDOABLE = Statements(sql=("do;",), undo=("undo;",), in_transaction=True)
REBUILD = RebuildIndex(schema="public", name="i")


def on(table_oid: int, name: str = "i", columns: tuple[str, ...] = ("a",), **values: Any) -> Finding:
    location = Location(table_oid=table_oid, columns=columns)
    return Finding(**{"target": Target(Kind.INDEX, name), "message": "", "location": location, **values})


def rolled(*findings: Finding) -> list[Finding]:
    return list(roll_up(SCHEMA, findings, message=lambda root, parts: f"{len(parts)} of {root.name}"))


def test_what_is_not_on_a_partition_stays_as_it_is() -> None:
    findings = [on(1), on(4), on(99), on(1, location=None)]
    assert rolled(*findings) == findings


def test_partitions_on_any_level_are_told_as_one_finding_of_the_topmost_table() -> None:
    (found,) = rolled(on(2, "b"), on(3, "c", severity=Severity.CRITICAL, rolled_up=("d",)))
    assert found.target == Target(Kind.TABLE, "public.task")
    assert found.message == "2 of task"
    assert found.severity is Severity.CRITICAL
    assert found.rolled_up == ("b", "c", "d")
    assert found.location == Location(table_oid=1, columns=("a",))


def test_different_columns_leave_the_location_at_the_table() -> None:
    (found,) = rolled(on(2), on(3, columns=("b",)))
    assert found.location == Location(table_oid=1)


def test_numbers_are_added_where_all_are_known() -> None:
    (found,) = rolled(
        on(2, evidence={"size_bytes": 1, "writes": 5, "kept": "x"}), on(3, evidence={"size_bytes": 2, "kept": "y"})
    )
    assert found.evidence == {"size_bytes": 3}


def test_the_fixes_are_one_and_undone_in_the_opposite_order() -> None:
    first = Statements(sql=("1;",), undo=("-1;",)).fix(caution="slow")
    second = Statements(sql=("2;", "3;"), undo=("-3;", "-2;")).fix(caution="slow")
    (found,) = rolled(on(2, fix=first), on(3, fix=second))
    assert found.fix is not None
    assert found.fix.sql == ("1;", "2;", "3;")
    assert found.fix.undo == ("-3;", "-2;", "-1;")
    assert found.fix.caution == "slow"
    assert found.fix.in_transaction


def test_a_fix_of_parts_is_as_good_as_its_worst_part() -> None:
    (found,) = rolled(on(2, fix=UNDOABLE.fix()), on(3, fix=REBUILD.fix()))
    assert found.fix is not None
    assert found.fix.undo == ()
    assert not found.fix.in_transaction
    (found,) = rolled(on(2, fix=UNDOABLE.fix()), on(3))
    assert found.fix is None
