"""How much of a relation is wasted: measured where it was, estimated where it was not, or why it is not known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.snapshot.bloat_estimate import Estimates, fill_ratio

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dbops.snapshot.rows import Index, Table
    from dbops.snapshot.schema import Schema
    from dbops.snapshot.storage_rows import BloatMeasurement, ColumnStatistics, RelationPages

#: Smaller relations are not listed by `relation_pages`, so nothing is said of them.
FLOOR_BYTES: Final = 10 * 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Bloat:
    """What a relation takes up, and what it would take up if it were written anew.

    `unmeasured` says why this is an estimate only, None when it was measured. `dead_bytes` are of rows that VACUUM has
    still to remove, None when they were not measured.
    """

    size_bytes: int
    needed_bytes: int
    dead_bytes: int | None = None
    unmeasured: str | None = None

    @property
    def wasted_bytes(self) -> int:
        return max(0, self.size_bytes - self.needed_bytes)

    @property
    def wasted_ratio(self) -> float:
        return self.wasted_bytes / self.size_bytes if self.size_bytes else 0.0

    def exceeds(self, wasted_bytes: int, wasted_ratio: float) -> bool:
        """Return whether at least so much is wasted."""
        return self.wasted_bytes >= wasted_bytes and self.wasted_ratio >= wasted_ratio


class Bloats:
    """Looks up how bloated relations are; a text says why that is not known, None that they are too small to matter."""

    def __init__(
        self,
        schema: Schema,
        relation_pages: Iterable[RelationPages],
        column_statistics: Iterable[ColumnStatistics],
        bloat_measurements: Iterable[BloatMeasurement] | None,
    ) -> None:
        self._schema = schema
        self._relations = {row.oid: row for row in relation_pages}
        self._toasts = {row.table_oid: row for row in self._relations.values() if row.kind == "t"}
        self._estimates = Estimates(schema, column_statistics)
        self._measurements = {row.oid: row for row in bloat_measurements or ()}
        self._unmeasured = "measuring was not part of this look" if bloat_measurements is None else None

    def of_index(self, index: Index, smallest_bytes: int) -> Bloat | str | None:
        """Return the bloat of an index of `smallest_bytes` or more."""
        relation = self._relations.get(index.oid)
        if relation is None:
            size_bytes = self._schema.size_bytes(index.oid)
            return _of_unlisted(size_bytes, smallest_bytes)
        return self._of(relation) if relation.size_bytes >= smallest_bytes else None

    def of_table(self, table: Table, smallest_bytes: int) -> Iterator[tuple[Bloat | str, bool]]:
        """Iterate over the bloat of a table and of its TOAST table (True), of `smallest_bytes` or more each."""
        listed = [row for row in (self._relations.get(table.oid), self._toasts.get(table.oid)) if row is not None]
        for relation in listed:
            if relation.size_bytes >= smallest_bytes:
                yield self._of(relation), relation.kind == "t"
        size_bytes, known_bytes = self._schema.size_bytes(table.oid), sum(row.size_bytes for row in listed)
        # A table that grows by a tenth between two visits of autovacuum is nothing to speak of.
        if size_bytes is None or size_bytes >= 2 * known_bytes:
            reason = _of_unlisted(None if size_bytes is None else size_bytes - known_bytes, smallest_bytes)
            if reason is not None and not (listed and size_bytes is None):
                yield reason, False

    def _of(self, relation: RelationPages) -> Bloat | str:
        measurement = self._measurements.get(relation.oid)
        if measurement is not None and measurement.unseen is None:
            return measured(relation, measurement)
        pages = self._estimates.needed_pages(relation)
        why = measurement.unseen if measurement else self._unmeasured
        if isinstance(pages, str):
            return f"{pages}; and it was not measured: {why}" if why else pages
        return Bloat(
            size_bytes=relation.size_bytes,
            needed_bytes=pages * relation.page_bytes,
            unmeasured=why or "it seemed too little bloated for that",
        )


def measured(relation: RelationPages, measurement: BloatMeasurement) -> Bloat:
    """Return the bloat that was measured: what the live rows need in pages filled as the fillfactor says.

    Pages keep some room that no rewrite gives back: only whole rows fit, so that two of 3 kB leave a quarter empty.
    """
    size_bytes, dead_bytes = measurement.size_bytes or 0, measurement.dead_bytes or 0
    live_bytes = max(0, size_bytes - dead_bytes - (measurement.free_bytes or 0))
    if measurement.rows is None:
        needed_bytes = round(live_bytes / fill_ratio(relation))
    else:
        needed_bytes = _rewritten_bytes(relation, live_bytes, measurement.rows)
    return Bloat(size_bytes=size_bytes, needed_bytes=needed_bytes, dead_bytes=dead_bytes)


def _rewritten_bytes(relation: RelationPages, live_bytes: int, rows: int) -> int:
    if not (rows and live_bytes):
        return 0
    per_page = max(1, math.floor(relation.page_bytes * fill_ratio(relation) / (live_bytes / rows)))
    # Where all pages are all-visible the number of rows is the server's old estimate, and may be far too low.
    return max(live_bytes, math.ceil(rows / per_page) * relation.page_bytes)


def _of_unlisted(size_bytes: int | None, smallest_bytes: int) -> str | None:
    """Return why nothing is known of a relation that was small, or not there, when it was last analyzed."""
    if size_bytes is None:
        return "its size was not read: another session has locked it, or it has just gone"
    if size_bytes < max(smallest_bytes, FLOOR_BYTES):
        return None
    return "it was never analyzed, or was much smaller then: VACUUM and ANALYZE it"
