"""The same index twice: one of them is never needed.

Two indexes are the same when they have the same method, keys, operator classes, collations, predicate and INCLUDE
columns, in an order that is the same or fully mirrored: an index is read backward as easily as forward, so that (a)
and (a DESC), or (a, b DESC) and (a DESC, b), do the same work. Each costs a write for every insert and for every
update that is not HOT, space on disk, room in the cache, and time in every VACUUM. They come from `db_index=True`
beside an Index in Meta, from two migrations with the same idea, and from a unique constraint beside a unique index.

Of the same indexes one stays, and is named: the primary key's, the one that a foreign key, the replica identity or
CLUSTER depends on, else a constraint's, else the one whose name Django or the server made up (a later migration may
ask for it by that name), else the first by name. A plain index that repeats a unique one is reported by
redundant_index, as it repeats only half of what the other does.

How to fix: drop what is reported. Take the index out of the model: remove `db_index=True` or the entry in
Meta.indexes or Meta.constraints. A unique constraint is dropped as a constraint. DROP INDEX CONCURRENTLY waits for
the transactions that use the table, but lets reads and writes go on.

Not reported: partly mirrored orders, (a, b) and (a, b DESC), which sort differently; another NULLS FIRST, operator
class (the `_like` index beside a text column's own) or predicate; a unique index that treats NULLs otherwise, or that
is checked at another time (DEFERRABLE, INITIALLY DEFERRED); indexes that are not valid: see invalid_index. Storage
parameters such as fillfactor tell b-trees and hash indexes not apart, but they do tell others, where they decide what
the index can answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.finding import Finding, Kind, Location, Tag, Target, Unseen
from dbops.findings.index_fixes import drop_index
from dbops.findings.partition_rollup import roll_up
from dbops.snapshot.amounts import format_bytes, plural
from dbops.snapshot.index_cost import IndexCosts
from dbops.snapshot.superseded_indexes import Superseded, incomparable, superseded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.snapshot.rows import Index, IndexStatistics, Table, TableStatistics
    from dbops.snapshot.schema import Schema

TAG = Tag.STRUCTURAL


def check(
    schema: Schema,
    table_statistics: tuple[TableStatistics, ...] | None = None,
    index_statistics: tuple[IndexStatistics, ...] | None = None,
) -> Iterator[Finding | Unseen]:
    for index in incomparable(schema):
        yield Unseen(index.qualified_name, "its table is locked by another session, so its definition was not read")
    costs = IndexCosts(schema, table_statistics, index_statistics)
    found = (_finding(schema, costs, one, one.twin) for one in superseded(schema) if one.twin is not None)
    yield from roll_up(schema, found, message=_message_of_parts)


def _finding(schema: Schema, costs: IndexCosts, one: Superseded, twin: Index) -> Finding:
    index = one.index
    constraint = None if index.constraint_oid is None else schema.constraints.get(index.constraint_oid)
    return Finding(
        target=Target(Kind.INDEX, index.qualified_name),
        message=_message(schema, one, twin),
        evidence={**costs.evidence(index), "kept": one.kept.qualified_name},
        fix=drop_index(schema, index),
        location=Location(
            table_oid=index.table_oid,
            columns=schema.column_names(index.table_oid, index.columns),
            index=index.name,
            constraint=constraint.name if constraint else None,
        ),
    )


def _message(schema: Schema, one: Superseded, twin: Index) -> str:
    index = one.index
    what = "the unique index" if index.is_unique else "the index"
    mirrored = ", read backward" if index.options != twin.options else ""
    repeats = f"It is {what} {twin.qualified_name} once more{mirrored}"
    if one.kept is not twin:
        repeats += f", and {one.kept.qualified_name} makes both unnecessary"
    size_bytes = schema.size_bytes(index.oid)
    size = f"{format_bytes(size_bytes)}, and " if size_bytes else ""
    writes = "some inserts" if index.is_partial else "each insert"
    return f"{repeats}: {size}{writes} into {schema.tables[index.table_oid].qualified_name} must write it for nothing."


def _message_of_parts(root: Table, parts: Sequence[Finding]) -> str:
    repeat = "repeats another" if len(parts) == 1 else "repeat others"
    return f"{plural(len(parts), 'index')} of {root.qualified_name}'s partitions {repeat} of the same partition."
