"""A constraint that was added NOT VALID and never validated.

NOT VALID is the right way to add a constraint to a large table: new rows are checked from that moment on, and nothing
is locked for long. The second half, VALIDATE CONSTRAINT, proves the rows from before. As long as it is missing, those
rows may break the rule: point to a parent that is gone, hold a value that the code takes for impossible, be NULL. Nor
does the server rely on it: the planner draws no conclusion from it, SET NOT NULL cannot use it to save its scan, and
a dump restores it as NOT VALID again.

How to fix:

VALIDATE CONSTRAINT reads the table while reads and writes go on. It fails on the first row that breaks the rule; then
look at the rows, and correct or delete them before the next try:

    SELECT c.* FROM child c LEFT JOIN parent p ON p.id = c.parent_id WHERE c.parent_id IS NOT NULL AND p.id IS NULL;
    SELECT * FROM the_table WHERE NOT (the check's condition);

In a Django migration: django.contrib.postgres.operations.ValidateConstraint, in a migration after the one that adds
it.

Not reported: NOT ENFORCED constraints (PostgreSQL 18; they are meant never to be checked), and what a partition or an
inheritance child has from its parent, which is validated there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.findings.changes import Statements, ValidateConstraint
from dbops.findings.finding import Finding, Kind, Location, Tag, Target
from dbops.snapshot.amounts import format_bytes, format_count, listed
from dbops.snapshot.constraint_groups import group
from dbops.snapshot.names import quote_ident

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.findings.fix import Fix
    from dbops.snapshot.constraint_groups import ConstraintGroup
    from dbops.snapshot.schema import Schema

TAG = Tag.STRUCTURAL

#: Constraints that can be NOT VALID: foreign keys, checks and, from PostgreSQL 18, NOT NULL.
_TYPES: Final = frozenset("fcn")


def check(schema: Schema) -> Iterator[Finding]:
    unvalidated = [
        constraint
        for constraint in schema.constraints.values()
        if constraint.type in _TYPES
        and not constraint.is_validated
        and constraint.is_enforced
        and not constraint.is_inherited
        and constraint.parent_oid is None
    ]
    for one in group(schema, unvalidated):
        sizes = [schema.size_bytes(table.oid) for table, _ in one.members]
        size_bytes = sum(size or 0 for size in sizes) if None not in sizes else None
        row_count = schema.rows_of(one.table)
        evidence = {"rows": row_count, "table_size_bytes": size_bytes}
        yield Finding(
            target=Target(Kind.CONSTRAINT, one.name),
            message=_message(schema, one, row_count),
            evidence={name: number for name, number in evidence.items() if number is not None},
            fix=_fix(one, size_bytes),
            location=Location(
                table_oid=one.table.oid, columns=one.columns, constraint=one.first.name if one.is_single else None
            ),
            rolled_up=one.others,
        )


def _message(schema: Schema, one: ConstraintGroup, row_count: int | None) -> str:
    table = one.table.qualified_name
    known = f" ({table} has {format_count(row_count)} rows)" if row_count else ""
    columns = listed([quote_ident(column) for column in one.columns])
    match one.first.type:
        case "f":
            referred = schema.tables.get(one.first.referenced_table_oid or 0)
            of = f" of {referred.qualified_name}" if referred is not None else ""
            doubt = f"may refer to rows{of} that do not exist"
        case "n":
            doubt = f"may hold NULL in {columns}"
        case _:
            doubt = "may break it"
    return f"It is NOT VALID: rows from before it was added were never checked and {doubt}{known}."


def _fix(one: ConstraintGroup, size_bytes: int | None) -> Fix:
    much = format_bytes(size_bytes) if size_bytes is not None else "the table"
    caution = f"reads {much} while reads and writes go on, and fails if a row breaks the constraint"
    if one.is_single:
        table = one.table
        return ValidateConstraint(schema=table.schema, table=table.name, name=one.first.name).fix(caution=caution)
    statements = (
        f"ALTER TABLE {table.qualified_name} VALIDATE CONSTRAINT {quote_ident(constraint.name)};"
        for table, constraint in one.members
    )
    return Statements(sql=tuple(statements), in_transaction=False).fix(caution=caution)
