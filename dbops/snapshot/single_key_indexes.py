"""Plain b-trees on one column, which serve queries and nothing else, with what the planner knows of their columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.snapshot.index_shape import is_usable, serves_look_up
from dbops.snapshot.superseded_indexes import superseded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dbops.snapshot.rows import Index, Table
    from dbops.snapshot.schema import Schema
    from dbops.snapshot.storage_rows import ColumnStatistics

#: From this size on the statistics of a b-tree's column are read (column_statistics.sql).
STATISTICS_BYTES: Final = 1024**2
#: What rounding may take from frequencies that add up to 1.
_ROUNDING: Final = 0.0005


@dataclass(frozen=True, slots=True)
class SingleKey:
    """An index on one column of a table, all partitions together.

    `statistics` are the column's, of each part of 1 MB or more, with the part's bytes; a text says why there are none.
    """

    index: Index
    table: Table
    column: str
    size_bytes: int
    statistics: Sequence[tuple[ColumnStatistics, int]] | str

    @property
    def null_ratio(self) -> float | None:
        """How many of its entries are NULL; None where it is not known."""
        if isinstance(self.statistics, str):
            return None
        total_bytes = sum(size_bytes for _, size_bytes in self.statistics)
        return sum((row.null_ratio or 0.0) * size_bytes for row, size_bytes in self.statistics) / total_bytes

    def value_ratios(self) -> Sequence[Sequence[float]]:
        """Return how frequent each value is, part by part; NULL counts as one. Empty where there are more values.

        That of a part holds all its values or none.
        """
        if isinstance(self.statistics, str):
            return ()
        found = [_value_ratios(row) for row, _ in self.statistics]
        return found if all(found) else ()

    def has_few_values(self, most: int, rare_ratio: float) -> bool:
        """Return whether there are at most so many values in each part, and none rarer than `rare_ratio`."""
        parts = self.value_ratios()
        return bool(parts) and all(len(part) <= most and min(part) >= rare_ratio for part in parts)


def single_keys(
    schema: Schema, column_statistics: Iterable[ColumnStatistics], smallest_bytes: int
) -> Iterator[SingleKey]:
    """Iterate over the indexes of `smallest_bytes` or more on one column that uphold nothing.

    Left out are those of which others say that they should go: see redundant_index and duplicate_index.
    """
    known = {(row.relation_oid, row.column): row for row in column_statistics}
    leaving = {one.index.oid for one in superseded(schema)}
    for index in schema.indexes.values():
        table = schema.tables.get(index.table_oid)
        if table is None or schema.root(table).extension is not None or index.oid in leaving:
            continue
        if index.parent_oid is not None or not is_single_key(schema, index):
            continue
        size_bytes = schema.size_bytes(index.oid)
        if size_bytes is not None and size_bytes < max(smallest_bytes, STATISTICS_BYTES):
            continue
        (column,) = schema.column_names(table.oid, index.keys) or ("?",)
        yield SingleKey(index, table, column, size_bytes or 0, _statistics(schema, index, known))


def is_single_key(schema: Schema, index: Index) -> bool:
    """Return whether `index` is a plain b-tree on one column that serves queries alone."""
    return (
        index.method == "btree"
        and is_usable(index)
        and len(index.columns) == 1
        and index.columns != (0,)
        and not (index.is_partial or index.is_unique or index.is_exclusion or index.constraint_oid is not None)
        and not any(part.is_clustered or part.is_replica_identity for part in (index, *schema.index_leaves(index)))
    )


def only_cover_of_foreign_key(schema: Schema, one: SingleKey) -> bool:
    """Return whether a foreign key would have no index left to look it up by, if this and its like went."""
    (number,) = one.index.keys
    is_key = any(
        constraint.type == "f" and constraint.columns == (number,) and constraint.is_enforced
        for constraint in schema.constraints_of(one.table.oid)
    )
    leaving = {other.index.oid for other in superseded(schema)}
    return is_key and not any(
        is_usable(other)
        and other.oid not in leaving
        and serves_look_up(other, {number: one.column})
        and not is_single_key(schema, other)
        for other in schema.indexes_of(one.table.oid)
    )


def _statistics(
    schema: Schema, index: Index, known: dict[tuple[int, int], ColumnStatistics]
) -> list[tuple[ColumnStatistics, int]] | str:
    found = []
    for leaf in schema.index_leaves(index):
        size_bytes, row = schema.size_bytes(leaf.oid), known.get((leaf.table_oid, leaf.keys[0]))
        if size_bytes is None:
            return "its size was not read: another session has locked it, or it has just gone"
        if size_bytes < STATISTICS_BYTES:
            continue
        if row is not None and not row.is_visible:
            return "its column's planner statistics are hidden from this role: GRANT SELECT on its table to it"
        if row is None or row.null_ratio is None:
            return "its column was never analyzed: ANALYZE its table"
        found.append((row, size_bytes))
    return found or "each of its parts is too small to be judged"


def _value_ratios(row: ColumnStatistics) -> tuple[float, ...]:
    """Return the frequencies of all values of a column, NULL included; nothing where not all are known."""
    frequencies = row.frequencies or ()
    nulls = (row.null_ratio,) if row.null_ratio else ()
    ratios = (*frequencies, *nulls)
    is_whole = row.distinct_values is not None and 0 <= row.distinct_values == len(frequencies)
    return ratios if is_whole and sum(ratios) >= 1 - _ROUNDING else ()
