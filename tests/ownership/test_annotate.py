"""What ownership makes of findings: owner, severity, operation, and one finding for what Django itself causes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.db import migrations, models

from dbops.findings.changes import CreateIndex, DropIndex, Statements
from dbops.findings.finding import Finding, Kind, Location, Ownership, Severity, Target
from dbops.ownership.annotate import annotate
from dbops.ownership.owners import Owners
from tests.builders import a_schema, an_index
from tests.ownership.sample import a_migration, a_model, owners_of, registry, rows_of

if TYPE_CHECKING:
    from django.apps.registry import Apps
    from django.db.migrations import Migration

    from dbops.snapshot.rows import Index
    from dbops.snapshot.schema import Schema

STRUCTURAL = frozenset({"redundant_index", "unindexed_foreign_key"})


def a_finding(check: str = "redundant_index", oid: int = 1, **values: Any) -> Finding:
    target = Target(Kind.INDEX, values.pop("name", "public.some_idx"))
    return Finding(**{"target": target, "message": "", "check": check, "location": Location(table_oid=oid), **values})


def annotated(finding: Finding, ownership: Ownership) -> Finding:
    """The finding on the table of a model whose app is somebody's."""
    with registry() as isolated:
        schema = a_schema(*rows_of(a_model("Task", kind=models.IntegerField())))
        (found,) = annotate([finding], owners_of(isolated, ownership=ownership), schema, structural=STRUCTURAL)
        return found


@pytest.mark.parametrize("severity", [Severity.WARNING, Severity.CRITICAL])
@pytest.mark.parametrize("ownership", [Ownership.CONTRIB, Ownership.THIRD_PARTY])
def test_structure_of_others_is_information_but_their_emergencies_stay(
    ownership: Ownership, severity: Severity
) -> None:
    assert annotated(a_finding(severity=severity), ownership).severity is Severity.INFO
    assert annotated(a_finding("exhausted_sequence", severity=severity), ownership).severity is severity


@pytest.mark.parametrize("ownership", [Ownership.MINE, Ownership.UNMANAGED])
def test_ones_own_and_nobodys_findings_keep_their_severity(ownership: Ownership) -> None:
    assert annotated(a_finding(severity=Severity.CRITICAL), ownership).severity is Severity.CRITICAL


def test_only_ones_own_models_get_an_operation() -> None:
    change = CreateIndex(schema="public", table="ownership_task", columns=("kind",), name="task_kind_idx")
    operations = {
        ownership: (annotated(a_finding(fix=change.fix()), ownership).fix or change.fix()).operation
        for ownership in (Ownership.MINE, Ownership.CONTRIB, Ownership.THIRD_PARTY, Ownership.UNMANAGED)
    }
    assert [ownership for ownership, operation in operations.items() if operation] == [Ownership.MINE]


def test_a_finding_without_a_place_is_the_servers_and_is_left_as_it_is() -> None:
    finding = a_finding("missing_timeouts", location=None, fix=Statements(sql=("A",), undo=("B",)).fix())
    (found,) = annotate([finding], Owners.of_nobody(), a_schema(), structural={"missing_timeouts"})
    assert found == replace(finding, owner=found.owner)
    assert found.owner.ownership is Ownership.SERVER


@pytest.mark.parametrize(
    ("kept", "has_operation"),
    [
        (an_index(101, "by_hand", (2, 1)), False),
        (an_index(101, "by_sql", (2, 1)), True),
        (an_index(101, "kind_id", (2, 1)), True),
        (an_index(101, "keys", (2, 1), is_primary=True, is_unique=True), True),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_model_s_index_is_not_given_up_for_one_that_other_databases_lack(kept: Index, has_operation: bool) -> None:
    declared = models.Index(fields=["kind"], name="kind_idx")
    wider = models.Index(fields=["kind", "id"], name="kind_id")
    drop = DropIndex(schema="public", name="kind_idx", definition="CREATE INDEX kind_idx ON ownership_task (kind)")
    with registry() as isolated:
        task = a_model("Task", kind=models.IntegerField(), meta={"indexes": [declared]})
        schema = a_schema(*rows_of(task), an_index(100, "kind_idx", (2,)), kept)
        migration = a_migration(
            "m1",
            migrations.AddIndex("Task", declared),
            migrations.AddIndex("Task", wider),
            migrations.RunSQL("CREATE INDEX by_sql ON ownership_task (kind, id)"),
        )
        finding = a_finding(
            location=Location(table_oid=1, index="kind_idx"), evidence={"kept": kept.qualified_name}, fix=drop.fix()
        )
        (found,) = annotate([finding], owners_of(isolated, migration), schema, structural=STRUCTURAL)
    assert found.fix is not None
    assert found.fix.sql == drop.fix().sql
    assert (found.fix.operation is not None) is has_operation
    assert (found.fix.caution is None) is has_operation
    assert has_operation or "no migration is known to make public.by_hand" in str(found.fix.caution)


def link_tables(isolated: Apps, *names: str) -> tuple[Schema, list[Finding]]:
    """A model with many-to-many fields of these names, and a redundant index found on the table of each."""
    links: dict[str, Any] = {name: models.ManyToManyField("User", related_name="+") for name in names}
    task = a_model("Task", **links)
    a_model("User")
    rows: list[Any] = []
    findings = []
    for oid, name in enumerate(names, start=10):
        field: Any = task._meta.get_field(name)
        index = an_index(100 * oid, f"task_{name}_task_id_a1b2c3d4", (2,), table_oid=oid)
        rows += [*rows_of(field.remote_field.through, oid), index]
        drop = DropIndex(schema="public", name=index.name, definition=f"CREATE INDEX {index.name} ON t (task_id)")
        findings.append(
            a_finding(
                oid=oid,
                name=index.qualified_name,
                severity=Severity.WARNING,
                location=Location(table_oid=oid, index=index.name),
                evidence={"size_bytes": 8192, "writes": 5, "kept": "x"},
                fix=drop.fix(),
            )
        )
    return a_schema(*rows), findings


def linked_by(name: str, *fields: str) -> Migration:
    """The migration that adds these many-to-many fields."""
    link: Any = models.ManyToManyField("User")
    return a_migration(name, *(migrations.AddField("Task", field, link) for field in fields))


def test_superfluous_indexes_on_automatic_tables_are_one_piece_of_information() -> None:
    with registry() as isolated:
        schema, findings = link_tables(isolated, "users", "admins", "guests")
        other = a_finding(location=Location(table_oid=10, index="by_hand"), severity=Severity.WARNING)
        owners = owners_of(isolated, linked_by("m1", "users"), linked_by("m2", "admins", "guests"))
        kept, whole = annotate([*findings, other], owners, schema, structural=STRUCTURAL)
    assert (kept.location, kept.severity) == (other.location, Severity.WARNING)
    assert whole.severity is Severity.INFO
    assert whole.target.name == "public.task_users_task_id_a1b2c3d4"
    assert whole.rolled_up == ("public.task_admins_task_id_a1b2c3d4", "public.task_guests_task_id_a1b2c3d4")
    assert whole.evidence == {"indexes": 3, "size_bytes": 3 * 8192, "writes": 15}
    assert whole.message.startswith("The automatic many-to-many tables of ownership carry 3 indexes (24 kB) that only")
    assert whole.fix is not None
    assert whole.fix.operation is None
    assert [statement.split()[3] for statement in whole.fix.sql] == [
        f"public.task_{name}_task_id_a1b2c3d4;" for name in ("users", "admins", "guests")
    ]
    assert whole.fix.undo[0].split()[3] == "task_guests_task_id_a1b2c3d4"
    assert not whole.fix.in_transaction
    assert whole.fix.caution is not None


def test_a_rolled_up_finding_keeps_its_fingerprint_when_a_newer_table_joins() -> None:
    made = linked_by("m1", "users"), linked_by("m2", "admins")
    fingerprints = set()
    for fields in (("users",), ("users", "admins"), ("admins", "users")):
        with registry() as isolated:
            schema, findings = link_tables(isolated, *fields)
            (whole,) = annotate(findings, owners_of(isolated, *made), schema, structural=STRUCTURAL)
        fingerprints.add(whole.fingerprint("default"))
    assert len(fingerprints) == 1


def test_a_sum_is_left_out_where_one_number_is_not_known_and_a_fix_where_one_is_missing() -> None:
    with registry() as isolated:
        schema, (first, second) = link_tables(isolated, "users", "admins")
        second = replace(second, evidence={"writes": 2}, fix=None)
        (whole,) = annotate([first, second], owners_of(isolated), schema, structural=STRUCTURAL)
    assert whole.evidence == {"indexes": 2, "writes": 7}
    assert " carry 2 indexes that only repeat " in whole.message
    assert whole.fix is None


def test_a_fix_of_many_is_not_undone_by_halves() -> None:
    with registry() as isolated:
        schema, (first, second) = link_tables(isolated, "users", "admins")
        assert second.fix is not None
        second = replace(second, fix=replace(second.fix, undo=()))
        (whole,) = annotate([first, second], owners_of(isolated), schema, structural=STRUCTURAL)
    assert whole.fix is not None
    assert len(whole.fix.sql) == 2
    assert whole.fix.undo == ()


def test_other_checks_findings_on_automatic_tables_stay_by_themselves() -> None:
    with registry() as isolated:
        schema, findings = link_tables(isolated, "users", "admins")
        found = annotate(
            [replace(finding, check="bloated_index") for finding in findings],
            owners_of(isolated),
            schema,
            structural=STRUCTURAL,
        )
    assert [finding.severity for finding in found] == [Severity.WARNING] * 2
