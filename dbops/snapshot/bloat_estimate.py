"""How many pages the rows of a relation need: an estimate from the planner's statistics.

The method is the one that check_postgres and pgsql-bloat-estimation (ioguix on GitHub) made known: rows times the width
of an average row, over what a page holds. Here alignment is reckoned column by column, as heap_compute_data_size() and
index_form_tuple() do it, and b-trees keep equal keys once, as nbtdedup.c has it. Pages are as PostgreSQL lays them out:
a header of 24 bytes, and for each entry, aligned to 8 bytes, a line pointer of 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.snapshot.autovacuum import options_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dbops.snapshot.rows import Index
    from dbops.snapshot.schema import Schema
    from dbops.snapshot.storage_rows import ColumnStatistics, RelationPages

_PAGE_HEADER_BYTES: Final = 24
_LINE_POINTER_BYTES: Final = 4
_HEAP_HEADER_BYTES: Final = 23
_INDEX_HEADER_BYTES: Final = 8
#: What a b-tree keeps at the end of each page.
_BTREE_SPECIAL_BYTES: Final = 16
#: A row's address in a posting list, and how long such a list gets at most: a tenth of a page.
_ROW_ADDRESS_BYTES: Final = 6
_POSTING_RATIO: Final = 0.1
_MAX_ALIGNMENT: Final = 8
_ALIGNMENTS: Final = {"c": 1, "s": 2, "i": 4, "d": 8}
#: Up to this size a value of variable length has a header of one byte, unaligned, instead of four, aligned.
_SHORT_BYTES: Final = 127
_HEADER_SAVED_BYTES: Final = 3
#: TOAST cuts values so that four pieces fill a page (TOAST_TUPLES_PER_PAGE).
_TOAST_PIECES_PER_PAGE: Final = 4
#: How full VACUUM FULL and REINDEX fill a page, unless the relation's fillfactor says otherwise.
_FILL_PERCENT: Final = {"r": 100, "m": 100, "t": 100, "i": 90}
#: Stored in an index under another width than in its table (as cstring), which no statistics tell.
_UNKNOWN_IN_INDEX: Final = "name"


def fill_ratio(relation: RelationPages) -> float:
    """Return how full its pages get when it is written anew, as its fillfactor says."""
    return float(options_of(relation.options).get("fillfactor", _FILL_PERCENT[relation.kind])) / 100


class Estimates:
    """Tells how many pages relations need, from the statistics of their columns."""

    def __init__(self, schema: Schema, column_statistics: Iterable[ColumnStatistics]) -> None:
        self._schema = schema
        self._columns: dict[int, dict[int, ColumnStatistics]] = {}
        for row in column_statistics:
            self._columns.setdefault(row.relation_oid, {})[row.column] = row

    def needed_pages(self, relation: RelationPages) -> int | str:
        """Return how many pages would hold what `relation` holds, or why that cannot be told.

        For a TOAST table it is the most that they can need, as a piece may be shorter than a quarter of a page.
        """
        if relation.row_estimate is None:
            return "it was never vacuumed: VACUUM it" if relation.kind == "t" else "it was never analyzed: ANALYZE it"
        if relation.kind == "t" or relation.row_estimate == 0:
            return math.ceil(relation.row_estimate / _TOAST_PIECES_PER_PAGE)
        if relation.kind == "i":
            return self._of_index(relation, relation.row_estimate)
        columns = list(self._columns.get(relation.oid, {}).values())
        reason = _gap(columns)
        return reason or heap_pages(relation.row_estimate, columns, relation.page_bytes, fill_ratio(relation))

    def _of_index(self, relation: RelationPages, rows: int) -> int | str:
        index = self._schema.indexes.get(relation.oid)
        parts = "it was dropped meanwhile" if index is None else self._parts(index)
        if isinstance(parts, str):
            return parts
        return index_pages(
            rows, parts, relation.page_bytes, fill_ratio(relation), is_deduplicated=relation.is_deduplicated
        )

    def _parts(self, index: Index) -> list[Part] | str:
        """Return what each entry of `index` is made of, INCLUDE columns too."""
        rows: list[ColumnStatistics | None] = []
        for position, number in enumerate(index.columns, start=1):
            place = (index.table_oid, number) if number else (index.oid, position)
            rows.append(self._columns.get(place[0], {}).get(place[1]))
            column = self._schema.column(index.table_oid, number)
            if column is not None and column.base_type == _UNKNOWN_IN_INDEX:
                return "the width of type name in an index cannot be estimated"
        parts = [_part(row, is_expression=row.relation_oid == index.oid) for row in rows if row is not None]
        return _gap(rows) or parts


@dataclass(frozen=True, slots=True)
class Part:
    """A column of a row or of an index entry: its type's layout, its average width, how often it is NULL.

    `distinct` is as in pg_stats: how many different values, or minus their ratio to the rows.
    """

    length: int
    alignment: str
    width_bytes: float
    null_ratio: float
    distinct: float

    def distinct_of(self, rows: int) -> float:
        """Return how many different values there are among `rows`."""
        return max(1.0, self.distinct if self.distinct > 0 else -self.distinct * rows)


def heap_pages(rows: int, columns: Sequence[ColumnStatistics], page_bytes: int, fill: float) -> int:
    """Return how many pages of a table `rows` need."""
    parts = [_part(column) for column in columns]
    with_nulls = 1 - math.prod(1 - part.null_ratio for part in parts)
    bitmap_bytes = with_nulls * math.ceil(len(parts) / 8)
    header_bytes, data = _aligned(_HEAP_HEADER_BYTES + bitmap_bytes), _Layout()
    data.add(parts)
    entry_bytes = header_bytes + data.total() + _LINE_POINTER_BYTES
    room_bytes = page_bytes * fill - _PAGE_HEADER_BYTES
    per_page = room_bytes / entry_bytes
    # What is left at the end of a page is known of rows that all have one length, else it is half a row on average.
    whole = math.floor(per_page) if data.is_exact and with_nulls == 0 else per_page - 0.5
    return math.ceil(rows / max(whole, 1))


def index_pages(rows: int, parts: Sequence[Part], page_bytes: int, fill: float, *, is_deduplicated: bool) -> int:
    """Return how many pages of a b-tree the entries of `rows` need, with the levels above the leaves."""
    with_nulls = 1 - math.prod(1 - part.null_ratio for part in parts)
    data = _Layout()
    data.add(parts)
    entry_bytes = _INDEX_HEADER_BYTES + with_nulls * _MAX_ALIGNMENT + data.total() + _LINE_POINTER_BYTES
    room_bytes = page_bytes - _PAGE_HEADER_BYTES - _BTREE_SPECIAL_BYTES
    leaf_bytes = rows * entry_bytes
    if is_deduplicated:
        # What several columns have in common is not known: no more than if they had nothing to do with one another.
        distinct = min(float(rows), math.prod(part.distinct_of(rows) for part in parts))
        leaf_bytes = min(leaf_bytes, _deduplicated_bytes(rows, distinct, entry_bytes, page_bytes))
    leaves = math.ceil(leaf_bytes / (room_bytes * fill))
    return 1 + leaves + math.ceil(leaves * entry_bytes / room_bytes)


def _deduplicated_bytes(rows: int, distinct: float, entry_bytes: float, page_bytes: int) -> float:
    """Return the bytes of `rows` entries whose equal keys are kept once for each list of addresses."""
    addresses = max(1.0, (page_bytes * _POSTING_RATIO - entry_bytes) / _ROW_ADDRESS_BYTES)
    lists_of_a_key = math.ceil(rows / distinct / addresses)
    return distinct * lists_of_a_key * (entry_bytes + _MAX_ALIGNMENT / 2) + rows * _ROW_ADDRESS_BYTES


class _Layout:
    """Adds up the data of one row: its padding is known as long as nothing before it varies in length."""

    def __init__(self) -> None:
        self._bytes = 0.0
        self.is_exact = True

    def add(self, parts: Iterable[Part]) -> None:
        for part in parts:
            alignment = _ALIGNMENTS.get(part.alignment, 1)
            if part.length < 0 and part.width_bytes <= _SHORT_BYTES:
                alignment = 1
            padding = -self._bytes % alignment if self.is_exact else (alignment - 1) / 2
            self._bytes += (1 - part.null_ratio) * (padding + part.width_bytes)
            self.is_exact &= part.length > 0 and part.null_ratio == 0

    def total(self) -> float:
        """Return the bytes of the data with what fills them up to the next multiple of 8."""
        return _aligned(self._bytes) if self.is_exact else self._bytes + (_MAX_ALIGNMENT - 1) / 2


def _part(row: ColumnStatistics, *, is_expression: bool = False) -> Part:
    width = float(row.length if row.length > 0 else row.width_bytes or 0)
    if is_expression and row.length < 0 and width <= _SHORT_BYTES + _HEADER_SAVED_BYTES:
        width -= _HEADER_SAVED_BYTES  # ANALYZE measured the value as it was computed, with a long header
    return Part(row.length, row.alignment, width, row.null_ratio or 0.0, row.distinct_values or -1.0)


def _gap(columns: Sequence[ColumnStatistics | None]) -> str | None:
    """Return what is missing of the statistics, None when nothing is."""
    if any(column is not None and not column.is_visible for column in columns):
        return "its planner statistics are hidden from this role: GRANT SELECT on the table to it"
    if not columns or any(column is None or column.width_bytes is None for column in columns):
        return "ANALYZE has not seen all of its columns: ANALYZE it"
    return None


def _aligned(size_bytes: float) -> float:
    return math.ceil(size_bytes / _MAX_ALIGNMENT) * _MAX_ALIGNMENT
