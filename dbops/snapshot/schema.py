"""The sections that describe the schema, joined: tables with their columns, indexes and constraints."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, Final

from dbops.snapshot.names import qualified, truncate_name
from dbops.snapshot.snapshot import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dbops.snapshot import rows
    from dbops.snapshot.snapshot import Snapshot

#: The sections a Schema is made of; without one of them there is none.
REQUIRED: Final = ("server", "tables", "columns", "indexes", "constraints")


class Schema:
    """Look-ups over one snapshot's schema. What is not there is None or empty, never an error."""

    def __init__(
        self,
        *,
        search_path: Sequence[str],
        tables: Iterable[rows.Table],
        columns: Iterable[rows.Column] = (),
        indexes: Iterable[rows.Index] = (),
        constraints: Iterable[rows.Constraint] = (),
        sizes: Iterable[rows.RelationSize] = (),
    ) -> None:
        self.search_path = tuple(search_path)
        self.tables: Mapping[int, rows.Table] = {table.oid: table for table in tables}
        self._by_name = {(table.schema, table.name): table for table in self.tables.values()}
        self._columns: dict[int, dict[int, rows.Column]] = defaultdict(dict)
        for column in columns:
            self._columns[column.table_oid][column.number] = column
        self.indexes: Mapping[int, rows.Index] = {index.oid: index for index in indexes}
        self._indexes: dict[int, list[rows.Index]] = defaultdict(list)
        self._index_children: dict[int, list[rows.Index]] = defaultdict(list)
        for index in self.indexes.values():
            self._indexes[index.table_oid].append(index)
            if index.parent_oid is not None:
                self._index_children[index.parent_oid].append(index)
        self.constraints: Mapping[int, rows.Constraint] = {constraint.oid: constraint for constraint in constraints}
        self._constraints: dict[int, list[rows.Constraint]] = defaultdict(list)
        self._references: dict[int, list[rows.Constraint]] = defaultdict(list)
        for constraint in self.constraints.values():
            self._constraints[constraint.table_oid].append(constraint)
            if constraint.referenced_table_oid is not None:
                self._references[constraint.referenced_table_oid].append(constraint)
        self._sizes = {size.oid: size.size_bytes for size in sizes}
        self._partitions: dict[int, list[rows.Table]] = defaultdict(list)
        for table in self.tables.values():
            if table.is_partition and table.parent_oid is not None:
                self._partitions[table.parent_oid].append(table)

    @classmethod
    def of(cls, snapshot: Snapshot) -> Schema | Unavailable:
        """Return the schema seen in `snapshot`, or why there is none."""
        for name in REQUIRED:
            section = snapshot.section(name)
            if isinstance(section, Unavailable):
                return section
        sections = {name: snapshot.section(name) for name in (*REQUIRED[1:], "relation_sizes")}
        seen = {name: () if isinstance(rows, Unavailable) else rows for name, rows in sections.items()}
        server = snapshot.server
        return cls(
            search_path=server.search_path if server else (),
            sizes=seen.pop("relation_sizes"),
            **seen,
        )

    @cached_property
    def names_taken(self) -> Mapping[str, frozenset[str]]:
        """The names of tables and indexes, by schema: a new one must have another."""
        taken: dict[str, set[str]] = defaultdict(set)
        for table in self.tables.values():
            taken[table.schema].add(table.name)
        for index in self.indexes.values():
            taken[index.schema].add(index.name)
        return {schema: frozenset(names) for schema, names in taken.items()}

    def roots(self) -> Iterator[rows.Table]:
        """Iterate over the tables that are not partitions and do not belong to an extension."""
        return (table for table in self.tables.values() if not table.is_partition and table.extension is None)

    def root(self, table: rows.Table) -> rows.Table:
        """Return the topmost partitioned table that `table` is part of, or `table` itself."""
        while table.is_partition and table.parent_oid is not None and table.parent_oid in self.tables:
            table = self.tables[table.parent_oid]
        return table

    def leaves(self, table: rows.Table) -> Iterator[rows.Table]:
        """Iterate over the tables that hold the rows of `table`: its partitions at any depth, or itself."""
        if table.kind != "p":
            yield table
        for partition in self._partitions.get(table.oid, ()):
            yield from self.leaves(partition)

    def partitions_of(self, table_oid: int) -> Sequence[rows.Table]:
        """Return a partitioned table's own partitions, not those below them."""
        return self._partitions.get(table_oid, ())

    def columns_of(self, table_oid: int) -> tuple[rows.Column, ...]:
        """Return a table's columns in their order."""
        columns = self._columns.get(table_oid, {})
        return tuple(columns[number] for number in sorted(columns))

    def column(self, table_oid: int, number: int) -> rows.Column | None:
        """Return a column by its number."""
        return self._columns.get(table_oid, {}).get(number)

    def column_named(self, table_oid: int, name: str) -> rows.Column | None:
        """Return a column by its name."""
        return next((column for column in self._columns.get(table_oid, {}).values() if column.name == name), None)

    def column_names(self, table_oid: int, numbers: Iterable[int]) -> tuple[str, ...]:
        """Return the names of the columns that are known; an expression (0) has none."""
        columns = (self.column(table_oid, number) for number in numbers)
        return tuple(column.name for column in columns if column is not None)

    def indexes_of(self, table_oid: int) -> Sequence[rows.Index]:
        """Return a table's indexes."""
        return self._indexes.get(table_oid, ())

    def parts_of(self, index_oid: int) -> Sequence[rows.Index]:
        """Return the indexes attached to a partitioned index, not those below them."""
        return self._index_children.get(index_oid, ())

    def index_leaves(self, index: rows.Index) -> Iterator[rows.Index]:
        """Iterate over the indexes that hold the entries of `index`: its parts at any depth, or itself."""
        if index.kind != "I":
            yield index
        for part in self.parts_of(index.oid):
            yield from self.index_leaves(part)

    def constraints_of(self, table_oid: int) -> Sequence[rows.Constraint]:
        """Return a table's constraints."""
        return self._constraints.get(table_oid, ())

    def foreign_keys(self) -> Iterator[rows.Constraint]:
        """Iterate over the foreign keys that somebody declared: those a partition inherits are not listed."""
        for constraint in self.constraints.values():
            if constraint.type == "f" and constraint.parent_oid is None and constraint.table_oid in self.tables:
                yield constraint

    def references_to(self, table_oid: int) -> Sequence[rows.Constraint]:
        """Return the foreign keys that point to a table."""
        return [constraint for constraint in self._references.get(table_oid, ()) if constraint.parent_oid is None]

    def qualified_column(self, table: rows.Table, number: int) -> str:
        """Return `schema.table.column`, the target of a column."""
        column = self.column(table.oid, number)
        return qualified(table.schema, table.name, column.name) if column else table.qualified_name

    def size_bytes(self, oid: int) -> int | None:
        """Return a table's or an index's bytes on disk, with all its partitions'; None when any was not seen."""
        table = self.tables.get(oid)
        if table is not None and table.kind == "p":
            return self._total(leaf.oid for leaf in self.leaves(table))
        index = self.indexes.get(oid)
        if index is not None and index.kind == "I":
            return self._total(leaf.oid for leaf in self.index_leaves(index))
        return self._sizes.get(oid)

    def rows_of(self, table: rows.Table) -> int | None:
        """Return the server's estimate of a table's rows, partitions included; None before the first ANALYZE."""
        estimates = [leaf.row_estimate for leaf in self.leaves(table)]
        known = [estimate for estimate in estimates if estimate is not None]
        return sum(known) if len(known) == len(estimates) else None

    def resolve(self, db_table: str) -> rows.Table | None:
        """Return the table that a Django model's `db_table` names, found along the search path.

        The widespread spelling `schema"."table` is understood, and a name is cut as the server cuts it.
        """
        schema, separator, name = db_table.strip('"').partition('"."')
        if separator:
            return self._by_name.get((truncate_name(schema), truncate_name(name)))
        kept = truncate_name(db_table.strip('"'))
        found = (self._by_name.get((schema, kept)) for schema in self.search_path)
        return next((table for table in found if table is not None), None)

    def _total(self, oids: Iterable[int]) -> int | None:
        sizes = [self._sizes.get(oid) for oid in oids]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None
