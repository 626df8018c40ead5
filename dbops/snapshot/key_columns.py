"""Columns as they were declared, the foreign keys that tie them together, and what changing their types takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.snapshot.amounts import format_bytes, listed
from dbops.snapshot.names import qualified, quote_ident

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from dbops.snapshot.rows import Column, Table
    from dbops.snapshot.schema import Schema

#: The smallest and the largest value of each integer type, the narrowest type first.
INTEGER_BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    "smallint": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}
#: Less than this is rewritten in a moment.
_WORTH_A_NUMBER_BYTES: Final = 1024**2
_LENGTH: Final = re.compile(r"\(\d+(?:,-?\d+)?\)")


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column with its table: for a partition's column, the topmost partitioned table's, where its type is decided."""

    table: Table
    column: Column

    def __hash__(self) -> int:
        # What a set of thousands of them goes by; the fields of both rows would take as long as all the rest.
        return hash((self.table.oid, self.column.number))

    @property
    def name(self) -> str:
        """The column's target: `schema.table.column`."""
        return qualified(self.table.schema, self.table.name, self.column.name)

    @property
    def quoted(self) -> str:
        """The column's own name, as SQL."""
        return quote_ident(self.column.name)

    @property
    def is_domain(self) -> bool:
        return _LENGTH.sub("", self.column.type) != self.column.base_type

    @property
    def can_change_type(self) -> bool:
        """Whether ALTER TYPE can be said of it without losing something: a domain would lose its checks."""
        column = self.column
        return not (column.is_inherited or column.is_partition_key or column.generated or self.is_domain)


def declared(schema: Schema, table_oid: int, number: int) -> TableColumn | None:
    """Return the column with its table, a partition's as the topmost table has it; None when it is not known."""
    table, column = schema.tables.get(table_oid), schema.column(table_oid, number)
    if table is None or column is None:
        return None
    root = schema.root(table)
    if root is table:
        return TableColumn(table, column)
    above = schema.column_named(root.oid, column.name)
    return TableColumn(root, above) if above is not None else None


def is_unique_alone(schema: Schema, table_oid: int, number: int) -> bool:
    """Whether the column alone is unique, by an index that every INSERT has to satisfy (an invalid one counts, too)."""
    return any(
        index.is_unique
        and index.is_ready
        and index.keys == (number,)
        and not index.is_partial
        and not index.has_expressions
        for index in schema.indexes_of(table_oid)
    )


def referring(schema: Schema, columns: Iterable[TableColumn]) -> list[TableColumn]:
    """Return the columns whose foreign keys refer to `columns`, and those that refer to them in turn."""
    start = list(columns)
    return _reached(start, lambda one: _referring_directly(schema, one))[len(start) :]


def linked(schema: Schema, column: TableColumn) -> list[TableColumn]:
    """Return `column` and every column that foreign keys tie to it, in whichever direction: they share their values."""
    return _reached([column], lambda one: [*_referred_directly(schema, one), *_referring_directly(schema, one)])


def rewrite_caution(schema: Schema, tables: Iterable[Table]) -> str:
    """Return what rewriting `tables` with their indexes costs here; how much it is, where that is worth a number."""
    distinct = {table.oid: table for table in tables}
    sizes = [size for table in distinct.values() for size in _sizes(schema, table)]
    known = [size for size in sizes if size is not None]
    names = listed(sorted(table.qualified_name for table in distinct.values()))
    is_much = len(known) == len(sizes) and sum(known) >= _WORTH_A_NUMBER_BYTES
    much = f"{format_bytes(sum(known))} of " if is_much else ""
    return f"rewrites {much}{names} under an exclusive lock: nobody can read or write there meanwhile"


def change_caution(schema: Schema, columns: Iterable[TableColumn]) -> str:
    """Return what changing the types of `columns` costs here, and what stands in its way."""
    changed = list(columns)
    caution = rewrite_caution(schema, [one.table for one in changed])
    holders = list(dict.fromkeys(name for one in changed for name in one.column.held_by))
    if not holders:
        return caution
    it, is_there = ("it", "is") if len(holders) == 1 else ("them", "are")
    return f"fails while {listed(holders)} {is_there} there: drop {it} first, create {it} again afterwards; {caution}"


def _sizes(schema: Schema, table: Table) -> Iterator[int | None]:
    yield schema.size_bytes(table.oid)
    for index in schema.indexes_of(table.oid):
        yield schema.size_bytes(index.oid)


def _reached(start: list[TableColumn], neighbours: Callable[[TableColumn], Iterable[TableColumn]]) -> list[TableColumn]:
    """Return `start` and what can be reached from it, the nearest first."""
    reached = list(dict.fromkeys(start))
    known = set(reached)
    for one in reached:  # grows while it is walked
        further = [other for other in dict.fromkeys(neighbours(one)) if other not in known]
        known.update(further)
        reached += further
    return reached


def _referring_directly(schema: Schema, to: TableColumn) -> Iterator[TableColumn]:
    for table in _with_partitions(schema, to.table):
        for foreign_key in schema.references_to(table.oid):
            for number, referenced in zip(foreign_key.columns, foreign_key.referenced_columns, strict=True):
                if declared(schema, table.oid, referenced) == to:
                    yield from _known(declared(schema, foreign_key.table_oid, number))


def _referred_directly(schema: Schema, by: TableColumn) -> Iterator[TableColumn]:
    for table in _with_partitions(schema, by.table):
        for foreign_key in schema.constraints_of(table.oid):
            if foreign_key.referenced_table_oid is None or foreign_key.parent_oid is not None:
                continue
            for number, referenced in zip(foreign_key.columns, foreign_key.referenced_columns, strict=True):
                if declared(schema, table.oid, number) == by:
                    yield from _known(declared(schema, foreign_key.referenced_table_oid, referenced))


def _with_partitions(schema: Schema, table: Table) -> Iterator[Table]:
    yield table
    for partition in schema.partitions_of(table.oid):
        yield from _with_partitions(schema, partition)


def _known(column: TableColumn | None) -> Iterator[TableColumn]:
    if column is not None:
        yield column
