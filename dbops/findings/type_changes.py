"""Fixes that give columns other types, with the columns and sequences that have to follow."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

from dbops.findings.changes import ChangeTypes, ColumnType
from dbops.snapshot.key_columns import INTEGER_BOUNDS, TableColumn, change_caution, declared

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
    ).fix(caution=change_caution(schema, changes) if changes else None)


class Feeds:
    """The sequences of a schema by the columns they feed."""

    def __init__(self, schema: Schema, sequences: Iterable[Sequence]) -> None:
        self._schema = schema
        self._sequences = sequences

    def following(self, changes: Mapping[TableColumn, str]) -> dict[Sequence, str]:
        """Return the sequences that feed a changed column and are narrower than it is going to be, with its type."""
        return {
            sequence: type_
            for column, type_ in changes.items()
            for sequence in self._by_column.get((column.table.oid, column.column.number), ())
            if is_narrower(sequence.type, type_)
        }

    @cached_property
    def _by_column(self) -> Mapping[tuple[int, int], list[Sequence]]:
        by_column: dict[tuple[int, int], list[Sequence]] = defaultdict(list)
        for sequence in self._sequences:
            for table_oid, number in sequence.used_by:
                fed = declared(self._schema, table_oid, number)
                if fed is not None:
                    by_column[fed.table.oid, fed.column.number].append(sequence)
        return by_column


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
