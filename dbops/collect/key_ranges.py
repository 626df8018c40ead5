"""How far the keys go that no sequence feeds: read object by object, as far as rights and locks allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dbops.collect.batches import LOCKED, parted, read_each
from dbops.snapshot.integer_keys import narrow_keys
from dbops.snapshot.key_rows import KeyRange
from dbops.snapshot.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dbops.collect.session import Session
    from dbops.snapshot.key_columns import TableColumn


def read_key_ranges(session: Session, seen: Mapping[str, Any]) -> tuple[KeyRange, ...]:
    """Return the smallest and the largest key in each column narrower than bigint that is a key and no sequence feeds.

    An index must lead with the column: without one the look would read the whole table, so it is not done.
    """
    schema = Schema(
        search_path=(),
        tables=seen["tables"],
        columns=seen["columns"],
        indexes=seen["indexes"],
        constraints=seen["constraints"],
    )
    locked = {relation.oid for relation in seen["locked_relations"]}
    fed = {column for sequence in seen["sequences"] for column in sequence.used_by}
    found: list[KeyRange] = []
    readable: list[TableColumn] = []
    for column in narrow_keys(schema):
        if (column.table.oid, column.column.number) in fed:
            continue
        reason = _obstacle(schema, column, locked)
        if reason is None:
            readable.append(column)
        else:
            found.append(_row(column, reason))
    answers = read_each(session, [_query(column) for column in readable])
    found += [_row(column, answer) for column, answer in zip(readable, answers, strict=True)]
    return tuple(found)


def _obstacle(schema: Schema, one: TableColumn, locked: set[int]) -> str | None:
    if not (one.table.is_readable or one.column.is_readable):
        return "no SELECT on it"
    if one.table.oid in locked:
        return LOCKED
    leading = (index.sorts_all_by for index in schema.indexes_of(one.table.oid))
    return None if one.column.number in leading else "no valid index leads with it"


def _query(one: TableColumn) -> str:
    table, column = one.table.own_rows, one.quoted
    return (
        f"(SELECT min({column}) FROM {table})::bigint AS smallest_key, "
        f"(SELECT max({column}) FROM {table})::bigint AS largest_key"
    )


def _row(one: TableColumn, answer: Mapping[str, Any] | str) -> KeyRange:
    values, reason = parted(answer)
    return KeyRange(
        table_oid=one.table.oid,
        column=one.column.number,
        smallest_key=values.get("smallest_key"),
        largest_key=values.get("largest_key"),
        unseen=reason,
    )
