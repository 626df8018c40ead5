"""The keys of tables that have a type narrower than bigint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.snapshot.key_columns import declared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.snapshot.key_columns import TableColumn
    from dbops.snapshot.schema import Schema

_NARROW: Final = frozenset({"smallint", "integer"})


def narrow_keys(schema: Schema) -> Iterator[TableColumn]:
    """Iterate over the smallint and integer columns that are a key by themselves, each once.

    A key is a primary key, or what a foreign key refers to. One that refers to another table's takes its values from
    there and belongs to that.
    """
    found = {(one.table.oid, one.column.number): one for one in _keys(schema)}
    for one in found.values():
        if one.column.base_type in _NARROW and one.table.extension is None and not _refers(schema, one):
            yield one


def _keys(schema: Schema) -> Iterator[TableColumn]:
    for constraint in schema.constraints.values():
        if constraint.parent_oid is not None:
            continue
        if constraint.type == "p":
            yield from _sole(schema, constraint.table_oid, constraint.columns)
        elif constraint.type == "f" and constraint.referenced_table_oid is not None:
            yield from _sole(schema, constraint.referenced_table_oid, constraint.referenced_columns)


def _sole(schema: Schema, table_oid: int, columns: tuple[int, ...]) -> Iterator[TableColumn]:
    column = declared(schema, table_oid, columns[0]) if len(columns) == 1 else None
    if column is not None:
        yield column


def _refers(schema: Schema, one: TableColumn) -> bool:
    """Whether the column's values come from another column, by a foreign key of its own."""
    oid, columns = one.table.oid, (one.column.number,)
    return any(
        constraint.type == "f"
        and constraint.columns == columns
        and (constraint.referenced_table_oid, constraint.referenced_columns) != (oid, columns)
        for constraint in schema.constraints_of(oid)
    )
