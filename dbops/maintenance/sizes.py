"""How large a database and its tables are, and how fast they grow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dbops.collect.postgres import collect
from dbops.collect.session import Session
from dbops.counters.windows import MADE_FROM_HISTORY, with_history
from dbops.errors import DbopsError
from dbops.findings.maintenance import Sizes, TableSize
from dbops.snapshot.amounts import plural
from dbops.snapshot.schema import REQUIRED, Schema
from dbops.snapshot.snapshot import Unavailable

if TYPE_CHECKING:
    from dbops.snapshot.activity_rows import Growth
    from dbops.snapshot.snapshot import Snapshot

_SECTIONS: Final = frozenset({*REQUIRED, "relation_sizes", "database_size", *MADE_FROM_HISTORY["growth"]})
#: So many of the largest tables are told.
_MOST: Final = 10


def read_sizes(connection: Any, error: type[Exception], *, alias: str | None) -> Sizes:
    """Return the sizes of the database behind `connection`, partitioned tables as a whole.

    Raises:
        DbopsError: they cannot be read.
    """
    snapshot = collect(Session(connection, error), alias=alias, database=alias or "", sections=_SECTIONS)
    if snapshot.interrupted is not None:
        raise DbopsError(snapshot.interrupted)
    return sizes_of(with_history(snapshot, {"growth"}))


def sizes_of(snapshot: Snapshot) -> Sizes:
    """Return the sizes that were seen in `snapshot`, and the growth, where a history tells it.

    Raises:
        DbopsError: the tables could not be seen.
    """
    schema = Schema.of(snapshot)
    if isinstance(schema, Unavailable):
        raise DbopsError(schema.reason)
    growth, database = snapshot.section("growth"), snapshot.section("database_size")
    rows: tuple[Growth, ...] = () if isinstance(growth, Unavailable) else growth
    per_day = {row.oid: _per_day(row) for row in rows if row.subject == "table_size"}
    tables, unknown = [], 0
    for table in schema.roots():
        size_bytes = schema.size_bytes(table.oid)
        indexes = [schema.size_bytes(index.oid) for index in schema.indexes_of(table.oid)]
        if size_bytes is None:
            unknown += 1
            continue
        index_bytes = sum(size for size in indexes if size is not None)
        known = [per_day[leaf.oid] for leaf in schema.leaves(table) if leaf.oid in per_day]
        tables.append(
            TableSize(
                name=table.qualified_name,
                size_bytes=size_bytes + index_bytes,
                index_bytes=index_bytes,
                growth_per_day=sum(known) if known else None,
            )
        )
    tables.sort(key=lambda one: one.size_bytes, reverse=True)
    reasons = [growth.reason] if isinstance(growth, Unavailable) else []
    if unknown:
        those = "is locked, and its size was" if unknown == 1 else "are locked, and their sizes were"
        reasons.append(f"{plural(unknown, 'table')} {those} not read")
    return Sizes(
        database_bytes=None if isinstance(database, Unavailable) else database[0].size_bytes,
        database_growth_per_day=next((_per_day(row) for row in rows if row.subject == "database_size"), None),
        tables=tuple(tables[:_MOST]),
        unseen="; ".join(reasons) or None,
    )


def _per_day(row: Growth) -> float:
    """Return by how much it is larger than when it is first known, per day; negative where it has shrunk."""
    days = (row.moments[-1] - row.moments[0]).total_seconds() / 86_400
    return (row.values[-1] - row.values[0]) / days
