"""The fix that turns UUIDs kept as text into uuid, with everything that has to step aside meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.changes import ColumnType, DropIndex, TextsToUuid
from dbops.snapshot.column_uses import checks_over, expressions_over, special_indexes
from dbops.snapshot.key_columns import change_caution
from dbops.snapshot.names import quote_ident

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dbops.findings.fix import Fix
    from dbops.snapshot.key_columns import TableColumn
    from dbops.snapshot.schema import Schema


def text_to_uuid(schema: Schema, columns: Sequence[TableColumn], *, hyphens: bool) -> Fix | None:
    """Return the fix that makes `columns` uuid: all that foreign keys tie together, since uuid and text do not compare.

    The foreign keys among them, and their indexes with an operator class for text (Django's `_like` twins), are dropped
    first. The foreign keys come back; the indexes do not, for uuid has no LIKE. `hyphens` says how the texts were
    written, for the way back. None where something names one of the columns that would not survive, or was not read.
    """
    if not all(_is_free(schema, column) for column in columns):
        return None
    foreign_keys = list(_foreign_keys(schema, columns))
    indexes = [index for column in columns for index in special_indexes(schema, column)]
    if any(definition is None for _, _, definition in foreign_keys) or any(not index.definition for index in indexes):
        return None
    # As those of a partitioned table: a transaction drops and builds nothing concurrently, and all parts come back.
    without_indexes = [
        DropIndex(schema=index.schema, name=index.name, definition=index.definition or "", is_partitioned=True).fix()
        for index in indexes
    ]
    without_keys = [f"ALTER TABLE {table} DROP CONSTRAINT {name};" for table, name, _ in foreign_keys]
    with_keys = [f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition};" for table, name, definition in foreign_keys]
    return TextsToUuid(
        columns=tuple(
            ColumnType(
                schema=column.table.schema,
                table=column.table.name,
                column=column.column.name,
                old_type=column.column.type,
                new_type="uuid",
            )
            for column in columns
        ),
        sql=(
            *without_keys,
            *(statement for drop in without_indexes for statement in drop.sql),
            *(_alter(column, "uuid", f"{column.quoted}::uuid") for column in columns),
            *with_keys,
        ),
        undo=(
            *without_keys,
            *(_back(column, hyphens=hyphens) for column in columns),
            *(statement for drop in without_indexes for statement in drop.undo),
            *with_keys,
        ),
    ).fix(
        caution="fails if one of the texts is no UUID, or a default is text (drop it first, set it again as uuid); "
        + change_caution(schema, columns)
    )


def _is_free(schema: Schema, column: TableColumn) -> bool:
    uses = [*checks_over(schema, column), *expressions_over(schema, column)]
    return column.can_change_type and column.column.base_type in {"character", "character varying", "text"} and not uses


def _foreign_keys(schema: Schema, columns: Iterable[TableColumn]) -> Iterator[tuple[str, str, str | None]]:
    tables = {
        column.table.oid: {one.column.number for one in columns if one.table == column.table} for column in columns
    }
    for oid, numbers in tables.items():
        for constraint in schema.constraints_of(oid):
            if constraint.type == "f" and constraint.parent_oid is None and numbers.intersection(constraint.columns):
                yield schema.tables[oid].qualified_name, quote_ident(constraint.name), constraint.definition


def _back(column: TableColumn, *, hyphens: bool) -> str:
    text = f"{column.quoted}::text" if hyphens else f"replace({column.quoted}::text, '-', '')"
    return _alter(column, column.column.type, text)


def _alter(column: TableColumn, type_: str, using: str) -> str:
    return f"ALTER TABLE {column.table.qualified_name} ALTER COLUMN {column.quoted} TYPE {type_} USING {using};"
