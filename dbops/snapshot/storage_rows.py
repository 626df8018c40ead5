"""The rows of the sections that tell how relations are filled: by the planner's statistics, and as measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnStatistics:
    """What ANALYZE found in a column, or in an expression of an index (`relation_oid` is the index, then).

    Given for all columns of tables of 10 MB or more, for the key columns of b-trees of 1 MB or more, and for the
    expressions of those of 10 MB or more. `length` and `alignment` are the type's (pg_type.typlen, typalign).
    `distinct_values` is negative where it is a ratio of the rows, as in pg_stats. `frequencies` are those of the ten
    most frequent values, of which only their number leaves the server, never one of them. When `is_visible`, what is
    None was never analyzed; else this role may not see it.
    """

    relation_oid: int
    column: int
    length: int
    alignment: str
    is_visible: bool
    null_ratio: float | None
    distinct_values: float | None
    width_bytes: int | None
    frequencies: tuple[float, ...] | None
    frequent_values: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationPages:
    """A table (`r`), materialised view (`m`), TOAST table (`t`) or b-tree (`i`) of 10 MB or more.

    Pages and rows are those that VACUUM or ANALYZE saw when they were last there, so that they belong together.
    `unsettled_pages` are not marked as all-visible. `table_oid` is the table that a TOAST table or an index is of.
    """

    oid: int
    table_oid: int
    kind: str
    page_bytes: int
    pages: int
    unsettled_pages: int
    row_estimate: int | None
    options: tuple[str, ...]
    is_deduplicated: bool

    @property
    def size_bytes(self) -> int:
        return self.pages * self.page_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BloatMeasurement:
    """What pgstattuple saw in a relation that seemed to be bloated; `unseen` says why it was not asked, or failed.

    `free_bytes` is room for new rows; in an index it includes pages that are empty. `rows` is None of an index.
    """

    oid: int
    size_bytes: int | None = None
    dead_bytes: int | None = None
    free_bytes: int | None = None
    rows: int | None = None
    unseen: str | None = None
