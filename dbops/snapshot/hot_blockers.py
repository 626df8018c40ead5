"""Which columns the updates of a window set, and which indexes keep these updates from being HOT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.snapshot.column_uses import expressions_over
from dbops.snapshot.foreign_key_covers import ForeignKeyCovers
from dbops.snapshot.key_columns import TableColumn
from dbops.snapshot.query_indexes import query_indexes
from dbops.snapshot.update_targets import update_target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dbops.snapshot.activity_rows import StatementActivity
    from dbops.snapshot.rows import Column, Index, Table
    from dbops.snapshot.schema import Schema

#: From that version on BRIN indexes are left out when it is decided whether an update is HOT.
_BRIN_IS_HOT: Final = 16


@dataclass(frozen=True, slots=True)
class Update:
    """An UPDATE statement: the numbers of the columns that it sets, the rows it changed, and how often it ran."""

    columns: frozenset[int]
    rows: int
    calls: int


class HotBlockers:
    """Looks up what updates set, by the topmost table, and what stands in their way.

    A statement that sets `all_columns_ratio` of the columns sets them whether they change or not, as Django's save()
    does: what it says of a column is nothing.
    """

    def __init__(
        self, schema: Schema, activity: Iterable[StatementActivity], *, major: int, all_columns_ratio: float
    ) -> None:
        self._schema = schema
        self._has_hot_brin = major >= _BRIN_IS_HOT
        self._all_columns_ratio = all_columns_ratio
        self._updates: dict[int, list[Update]] = {}
        for statement in activity:
            self._read(statement)
        covers = ForeignKeyCovers(schema)
        self._droppable: dict[int, list[Index]] = {}
        for index in query_indexes(schema):
            if self._blocks(index) and not covers.covers(index):
                self._droppable.setdefault(index.table_oid, []).append(index)

    def droppable(self) -> Mapping[int, Sequence[Index]]:
        """Return the indexes that could be given up, by their table's oid."""
        return self._droppable

    def updates(self, table: Table) -> Sequence[Update]:
        """Return the UPDATE statements on a table."""
        return self._updates.get(table.oid, [])

    def telling(self, table: Table) -> Sequence[Update]:
        """Return those of the UPDATE statements that do not set nearly all of the columns."""
        most = self._all_columns_ratio * len(self._settable(table))
        return [one for one in self.updates(table) if len(one.columns) < most]

    def total(self, table: Table, updates: int) -> int:
        """Return of how many rows the statements' are a part: `updates`, or the statements' where these are more."""
        return max(updates, sum(one.rows for one in self.updates(table)))

    def blocking(self, table: Table) -> Mapping[Index, frozenset[int]]:
        """Return the indexes of a table for which it matters whether an update changes a column, with such columns.

        They are those of its keys, INCLUDE, expressions and predicate. A text that was not read may name any. An index
        that a partition has for itself counts, with the table's numbers of its columns.
        """
        found: dict[Index, frozenset[int]] = {}
        for leaf in {table.oid: table, **{leaf.oid: leaf for leaf in self._schema.leaves(table)}}.values():
            for index in self._schema.indexes_of(leaf.oid):
                if self._blocks(index) and (leaf.oid == table.oid or index.parent_oid is None):
                    names = {
                        column.name for column in self._schema.columns_of(leaf.oid) if self._uses(index, leaf, column)
                    }
                    columns = (self._schema.column_named(table.oid, name) for name in names)
                    found[index] = frozenset(column.number for column in columns if column is not None)
        return found

    def _uses(self, index: Index, table: Table, column: Column) -> bool:
        if column.number in index.columns:
            return True
        texts = ((index.has_expressions, index.expressions), (index.is_partial, index.predicate))
        own = {text for is_there, text in texts if is_there}
        return None in own or not own.isdisjoint(expressions_over(self._schema, TableColumn(table, column)))

    def often_set(
        self, table: Table, updates: int, *, change_ratio: float
    ) -> Sequence[tuple[Index, Mapping[int, float]]] | None:
        """Return the indexes that could be given up and block `change_ratio` of all updates, with the columns' shares.

        What also sets a column of an index that has to stay would not be HOT without them. None where it is not known
        what `change_ratio` of the updates set.
        """
        droppable, telling = self._droppable.get(table.oid, []), self.telling(table)
        total = self.total(table, updates)
        if sum(one.rows for one in telling) < change_ratio * total:
            return None
        held = {
            number
            for index in self._schema.indexes_of(table.oid)
            if index not in droppable and self._blocks(index)
            for number in index.columns
        }
        found = []
        for index in droppable:
            setting = [(one.columns & {*index.columns}, one.rows) for one in telling if not one.columns & held]
            counts = {
                number: sum(rows for columns, rows in setting if number in columns) / total for number in index.columns
            }
            often = {number: ratio for number, ratio in counts.items() if number and ratio >= change_ratio}
            if often:
                found.append((index, often))
        return found

    def _blocks(self, index: Index) -> bool:
        return not (self._has_hot_brin and index.method == "brin")

    def _read(self, statement: StatementActivity) -> None:
        target = update_target(statement.text) if statement.text else None
        if target is None:
            return
        table = self._schema.resolve(f'{target.schema}"."{target.table}' if target.schema else target.table)
        if table is not None:
            root = self._schema.root(table)
            columns = (self._schema.column_named(root.oid, name) for name in target.columns)
            numbers = frozenset(column.number for column in columns if column is not None)
            self._updates.setdefault(root.oid, []).append(Update(numbers, statement.rows, statement.calls))

    def _settable(self, table: Table) -> list[int]:
        """Return the columns that are not in the primary key and not generated."""
        keys = {number for index in self._schema.indexes_of(table.oid) if index.is_primary for number in index.keys}
        return [
            one.number for one in self._schema.columns_of(table.oid) if one.number not in keys and not one.generated
        ]
