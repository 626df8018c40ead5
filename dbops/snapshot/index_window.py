"""What was done to an index within a window: the writes to its table that it took part in, and its scans."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dbops.snapshot.activity_rows import IndexActivity, TableActivity
    from dbops.snapshot.rows import Index, Table
    from dbops.snapshot.schema import Schema


class IndexWindow:
    """Looks activity up, partitions and the parts of a partitioned index added together; what is not known is None."""

    def __init__(
        self,
        schema: Schema,
        table_activity: Iterable[TableActivity] | None = None,
        index_activity: Iterable[IndexActivity] | None = None,
    ) -> None:
        self._schema = schema
        self._tables = {row.oid: row for row in table_activity or ()}
        self._scans = {row.oid: row.scans for row in index_activity or ()}

    def writes(self, index: Index) -> int | None:
        """Return how many entries were written: one for every insert and every update that was not HOT.

        A partial index takes part in fewer, nobody knows how many.
        """
        table = self._schema.tables.get(index.table_oid)
        inserts, cold = (None, None) if table is None else (self.total(table, "inserts"), self.cold_updates(table))
        return None if inserts is None or cold is None or index.is_partial else inserts + cold

    def cold_updates(self, table: Table) -> int | None:
        """Return how many updates were not HOT, so that they wrote to every index of the table."""
        updates, hot = self.total(table, "updates"), self.total(table, "hot_updates")
        return None if updates is None or hot is None else updates - hot

    def total(self, table: Table, counter: str) -> int | None:
        """Return one of TableActivity's counters."""
        counted = [getattr(self._tables.get(leaf.oid), counter, None) for leaf in self._schema.leaves(table)]
        return _total(counted)

    def scans(self, index: Index) -> int | None:
        """Return how many scans used it."""
        return _total([self._scans.get(leaf.oid) for leaf in self._schema.index_leaves(index)])


def _total(counted: list[int | None]) -> int | None:
    known = [count for count in counted if count is not None]
    return sum(known) if known and len(known) == len(counted) else None
