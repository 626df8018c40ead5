"""Fixes that give columns other types, with the columns and sequences that have to follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.changes import ChangeTypes, ColumnType
from dbops.snapshot.key_columns import INTEGER_BOUNDS, TableColumn, declared, rewrite_caution

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dbops.findings.fix import Fix
    from dbops.snapshot.rows import Sequence
    from dbops.snapshot.schema import Schema


def is_narrower(type_: str, than: str) -> bool:
    """Whether both are integer types, and `type_` holds less."""
    order = list(INTEGER_BOUNDS)
    return type_ in order and than in order and order.index(type_) < order.index(than)


def change_types(
    schema: Schema, changes: Mapping[TableColumn, str], sequences: Mapping[Sequence, str] | None = None
) -> Fix | None:
    """Return the fix that gives columns, and `sequences`, their new types; None where a column cannot be changed.

    The columns are changed in the order they are given, and back in the opposite order. The new types have to be such
    that the old values are cast to them by assignment.
    """
    if not all(column.can_change_type for column in changes):
        return None
    return ChangeTypes(
        columns=tuple(_change(column, type_) for column, type_ in changes.items()),
        sequences=tuple((one.schema, one.name, one.type, type_) for one, type_ in (sequences or {}).items()),
    ).fix(caution=rewrite_caution(schema, [column.table for column in changes]) if changes else None)


def following(schema: Schema, sequences: Iterable[Sequence], changes: Mapping[TableColumn, str]) -> dict[Sequence, str]:
    """Return those of `sequences` that feed a changed column and are narrower than it is going to be, with its type."""
    found = {}
    for sequence in sequences:
        fed = (declared(schema, table_oid, number) for table_oid, number in sequence.used_by)
        for column in fed:
            if column is not None and is_narrower(sequence.type, changes.get(column, "")):
                found[sequence] = changes[column]
    return found


def _change(one: TableColumn, type_: str) -> ColumnType:
    old = one.column.type
    is_plain = one.column.base_type in INTEGER_BOUNDS and type_ in INTEGER_BOUNDS
    return ColumnType(
        schema=one.table.schema,
        table=one.table.name,
        column=one.column.name,
        old_type=old,
        new_type=type_,
        undo_using=None if is_plain else f"{one.quoted}::{old}",
    )
