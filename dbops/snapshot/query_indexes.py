"""Indexes that nothing but queries needs: whoever finds that these do not use one may advise to drop it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.snapshot.index_shape import is_usable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.snapshot.rows import Index
    from dbops.snapshot.schema import Schema


def query_indexes(schema: Schema) -> Iterator[Index]:
    """Iterate over the usable indexes that enforce nothing and that neither replication nor CLUSTER goes by.

    Those of an extension's tables are left out, and so are the parts of a partitioned index, which go with it.
    """
    for index in schema.indexes.values():
        table = schema.tables.get(index.table_oid)
        if table is None or schema.root(table).extension is not None or index.parent_oid is not None:
            continue
        enforces = index.is_unique or index.is_primary or index.is_exclusion or index.constraint_oid is not None
        if is_usable(index) and not enforces and not any(_is_held(part) for part in (index, *_parts(schema, index))):
            yield index


def _is_held(index: Index) -> bool:
    return index.is_clustered or index.is_replica_identity


def _parts(schema: Schema, index: Index) -> Iterator[Index]:
    for part in schema.parts_of(index.oid):
        yield part
        yield from _parts(schema, part)
