"""The migration operation that makes a change, for a migration of the app whose model the object belongs to."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch
from typing import TYPE_CHECKING, Final

from dbops.findings.changes import (
    ChangeTypes,
    CreateIndex,
    DropConstraint,
    DropIndex,
    ReplaceIndex,
    Statements,
    TextsToUuid,
    ValidateConstraint,
)
from dbops.ownership.column_types import change_types, texts_to_uuid
from dbops.ownership.constraints import drop_constraint, validate_constraint
from dbops.ownership.indexes import create_index, drop_index, named_for_model, replace_index
from dbops.ownership.place import Place

if TYPE_CHECKING:
    from dbops.findings.changes import Change
    from dbops.findings.finding import Location
    from dbops.findings.fix import Fix
    from dbops.ownership.owners import Owners
    from dbops.snapshot.schema import Schema

_AT_A_TABLE: Final = (CreateIndex, ValidateConstraint, DropConstraint)


def with_operation(fix: Fix, location: Location, owners: Owners, schema: Schema) -> Fix:
    """Return `fix` with the operation that makes its change in a migration of the model at `location`, if there is one.

    An index that the model declares and the database lacks is made under the model's name for it, in the SQL too.
    """
    row, table = schema.tables.get(location.table_oid), owners.table(schema, location.table_oid)
    change = fix.change
    if change is None or row is None or table is None or row.is_partition:
        return fix
    if isinstance(change, _AT_A_TABLE) and (change.schema, change.table) != (row.schema, row.name):
        return fix
    place = Place(row, table, schema, owners)
    if isinstance(change, CreateIndex) and change.fix(caution=fix.caution) == fix:
        change = named_for_model(change, place)
        fix = change.fix(caution=fix.caution)
    return replace(fix, operation=_operation(change, place))


@singledispatch
def _operation(change: Change, place: Place) -> str | None:  # noqa: ARG001
    """Return the operation's source; a change that concerns one database alone (a rebuilt index) has none."""
    return None


_operation.register(CreateIndex, create_index)
_operation.register(DropIndex, drop_index)
_operation.register(ReplaceIndex, replace_index)
_operation.register(ValidateConstraint, validate_constraint)
_operation.register(DropConstraint, drop_constraint)
_operation.register(ChangeTypes, change_types)
_operation.register(TextsToUuid, texts_to_uuid)


@_operation.register
def _(change: Statements, place: Place) -> str | None:
    """What is one database's own, cannot be undone, or names partitions, of which others have others, has none."""
    if change.is_local or not change.undo or place.row.kind == "p":
        return None
    return place.run_sql(change.sql, change.undo).with_remarks()
