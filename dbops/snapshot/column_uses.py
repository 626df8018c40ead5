"""What besides the rows hangs on a column: texts that name it, and indexes made for its type."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.snapshot.key_columns import TableColumn
    from dbops.snapshot.rows import Index
    from dbops.snapshot.schema import Schema

#: Stands for a text that could not be read, because the table was locked.
UNREAD: Final = "?"


def checks_over(schema: Schema, one: TableColumn) -> Iterator[str]:
    """Iterate over the definitions of the check constraints that name the column."""
    for constraint in schema.constraints_of(one.table.oid):
        if constraint.type == "c" and one.column.number in constraint.columns:
            yield constraint.definition or UNREAD


def expressions_over(schema: Schema, one: TableColumn) -> Iterator[str]:
    """Iterate over the expressions and predicates of indexes that name the column, or may do so."""
    for index in schema.indexes_of(one.table.oid):
        for is_there, text in ((index.has_expressions, index.expressions), (index.is_partial, index.predicate)):
            if is_there and (text is None or _names(text, one)):
                yield text or UNREAD


def special_indexes(schema: Schema, one: TableColumn) -> Iterator[Index]:
    """Iterate over the indexes with an operator class for the column that is not its type's default one.

    The server prints an operator class where it is not the default, so the definition tells.
    """
    mentioned = re.compile(rf'[(, ]{re.escape(one.quoted)}(?: COLLATE (?:"(?:[^"]|"")+"|[\w.]+)+)? (?:\w+\.)?\w+_ops\b')
    for index in schema.indexes_of(one.table.oid):
        if one.column.number in index.keys and (index.definition is None or mentioned.search(index.definition)):
            yield index


def _names(text: str, one: TableColumn) -> bool:
    return re.search(rf"(?<![\w\"]){re.escape(one.quoted)}(?![\w\"])", text) is not None
