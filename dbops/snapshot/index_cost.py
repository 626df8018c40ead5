"""What an index costs and earns: its bytes, the writes it takes part in, the scans it has served."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbops.snapshot.rows import Index, IndexStatistics, TableStatistics
    from dbops.snapshot.schema import Schema


class IndexCosts:
    """Looks costs up, the parts of a partitioned index added together; what is not known is None."""

    def __init__(
        self,
        schema: Schema,
        table_statistics: Sequence[TableStatistics] | None = None,
        index_statistics: Sequence[IndexStatistics] | None = None,
    ) -> None:
        self._schema = schema
        self._tables = {row.oid: row for row in table_statistics or ()}
        self._scans = {row.oid: row.scans for row in index_statistics or ()}
        self._entries = {row.oid: row.entries_read for row in index_statistics or ()}

    def writes(self, index: Index) -> int | None:
        """Return how many entries were written: one for every insert and every update that was not HOT.

        A partial index takes part in fewer, nobody knows how many; one that is not ready takes part in none.
        """
        table = self._schema.tables.get(index.table_oid)
        if table is None or index.is_partial or not (index.is_ready and index.is_live):
            return None
        counted = [self._tables.get(leaf.oid) for leaf in self._schema.leaves(table)]
        known = [row.inserts + row.updates - row.hot_updates for row in counted if row is not None]
        return sum(known) if known and len(known) == len(counted) else None

    def scans(self, index: Index) -> int | None:
        """Return how many scans used it."""
        counted = [self._scans.get(leaf.oid) for leaf in self._schema.index_leaves(index)]
        known = [scans for scans in counted if scans is not None]
        return sum(known) if known and len(known) == len(counted) else None

    def entries_per_scan(self, index: Index) -> float | None:
        """Return how many entries a scan returned on average; None where there was none, or nobody knows."""
        scans, counted = self.scans(index), [self._entries.get(leaf.oid) for leaf in self._schema.index_leaves(index)]
        known = [entries for entries in counted if entries is not None]
        return sum(known) / scans if scans and len(known) == len(counted) else None

    def evidence(self, index: Index) -> dict[str, int | float | str]:
        """Return what is known as a finding's evidence: `size_bytes`, `writes`, `scans`."""
        found = {
            "size_bytes": self._schema.size_bytes(index.oid),
            "writes": self.writes(index),
            "scans": self.scans(index),
        }
        return {name: value for name, value in found.items() if value is not None}
