"""Fixes of indexes that need the whole schema: dropping or replacing one, giving a partitioned one its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.changes import CreateIndex, DropConstraint, DropIndex, Partition, ReplaceIndex, Statements
from dbops.snapshot.index_shape import is_leftover, is_usable
from dbops.snapshot.names import qualified, quote_ident

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from dbops.findings.fix import Fix
    from dbops.snapshot.index_names import IndexNames
    from dbops.snapshot.rows import Constraint, Index, Table
    from dbops.snapshot.schema import Schema


def drop_index(schema: Schema, index: Index, *, caution: str | None = None) -> Fix | None:
    """Return the fix that drops `index`, by its constraint where it has one.

    None when its definition could not be read: what cannot be brought back is not to be dropped.
    """
    table = schema.tables.get(index.table_oid)
    constraint = _constraint(schema, index)
    definition = constraint.definition if constraint else index.definition
    if table is None or definition is None:
        return None
    if constraint is not None:
        drop = DropConstraint(schema=table.schema, table=table.name, name=constraint.name, definition=definition)
        return drop.fix(caution=caution)
    is_partitioned = index.kind == "I"
    return DropIndex(schema=index.schema, name=index.name, definition=definition, is_partitioned=is_partitioned).fix(
        caution=caution
    )


def without_nulls(schema: Schema, index: Index, names: IndexNames) -> Fix | None:
    """Return the fix that puts in the place of `index`, which has one key, one that leaves out where that is NULL.

    None when the definition could not be read.
    """
    table = schema.tables.get(index.table_oid)
    columns = schema.column_names(index.table_oid, index.keys)
    tail = _tail(index, table) if table else None
    if table is None or tail is None or index.definition is None or not columns:
        return None
    tail += f" WHERE ({quote_ident(columns[0])} IS NOT NULL)"
    # A text has two indexes at times, of different operator classes: each gets a name of its own.
    alike = [other.oid for other in schema.indexes_of(index.table_oid) if other.columns == index.columns]
    place = alike.index(index.oid)
    named = (*columns, "set", *([str(place + 1)] if place else []))
    is_partitioned = index.kind == "I"
    return ReplaceIndex(
        create=CreateIndex(
            schema=table.schema,
            table=table.name,
            columns=columns,
            name=names.name(table, named),
            partitions=partitions_for(schema, table, named, names, tail=tail),
            is_partitioned=is_partitioned,
            tail=tail,
        ),
        drop=DropIndex(
            schema=index.schema, name=index.name, definition=index.definition, is_partitioned=is_partitioned
        ),
    ).fix()


def partitions_for(
    schema: Schema, table: Table, columns: Sequence[str], names: IndexNames, *, tail: str | None = None
) -> tuple[Partition, ...]:
    """Return the partitions of `table` as CreateIndex wants them: which index each gets, or already has.

    `tail` is CreateIndex's; with it the columns only make the names.
    """
    tail = tail or f"USING btree ({', '.join(map(quote_ident, columns))})"
    found = []
    for partition in schema.partitions_of(table.oid):
        own = next((one for one in _free_parts(schema, partition, tail) if is_usable(one)), None)
        found.append(
            Partition(
                schema=partition.schema,
                name=partition.name,
                index_name=own.name if own else names.name(partition, columns),
                is_partitioned=partition.kind == "p",
                existing=own.definition if own else None,
                partitions=() if own else partitions_for(schema, partition, columns, names, tail=tail),
            )
        )
    return tuple(found)


def complete(schema: Schema, index: Index, names: IndexNames) -> Fix | None:
    """Return the fix that makes a partitioned index valid: parts built, rebuilt and attached where they are missing.

    None when that cannot be told, or cannot be done part by part: its definition could not be read, there are no
    partitions (which makes it valid as soon as it is created), or it upholds an exclusion constraint.
    """
    table = schema.tables.get(index.table_oid)
    tail = _tail(index, table) if table else None
    if table is None or tail is None or index.is_exclusion or not schema.partitions_of(table.oid):
        return None
    sql = tuple(_Completion(schema, index, tail, names).of_index(index, table))
    return Statements(sql=sql, in_transaction=False).fix()


class _Completion:
    """The statements that give one partitioned index all its parts, on every level."""

    def __init__(self, schema: Schema, index: Index, tail: str, names: IndexNames) -> None:
        self._schema = schema
        self._tail = tail
        self._unique = "UNIQUE " if index.is_unique else ""
        self._is_unique = index.is_unique
        self._constraint = _constraint(schema, index)
        self._columns = schema.column_names(index.table_oid, index.keys) or (index.name,)
        self._names = names

    def of_index(self, index: Index, table: Table) -> Iterator[str]:
        """Iterate over what an existing partitioned index lacks.

        PostgreSQL looks whether it has become valid whenever a part is attached, one that is attached already too.
        """
        parts = {part.table_oid: part for part in self._schema.parts_of(index.oid)}
        attached = False
        for partition in self._schema.partitions_of(table.oid):
            part = parts.get(partition.oid)
            if part is not None and part.is_valid:
                continue
            if part is None:
                name = yield from self._provide(partition)
            elif part.kind == "I":
                name = part.name
                yield from self.of_index(part, partition)
            else:
                name = part.name
                yield f"REINDEX INDEX CONCURRENTLY {part.qualified_name};"
            yield _attach(index.qualified_name, qualified(partition.schema, name))
            attached = True
        if not attached and parts:
            yield _attach(index.qualified_name, next(iter(parts.values())).qualified_name)

    def _provide(self, partition: Table) -> Generator[str, None, str]:
        """Iterate over the statements that give `partition` an index to attach, and return that index's name."""
        own = next(
            (
                part
                for part in _free_parts(self._schema, partition, self._tail)
                if part.is_unique == self._is_unique and (part.constraint_oid is None) == (self._constraint is None)
            ),
            None,
        )
        if own is not None:
            if not is_usable(own) and own.kind == "I":
                yield from self.of_index(own, partition)
            elif not is_usable(own):
                yield f"REINDEX INDEX CONCURRENTLY {own.qualified_name};"
            return own.name
        name = self._names.name(partition, self._columns)
        if partition.kind == "p":
            yield self._create_whole(partition, name)
            for below in self._schema.partitions_of(partition.oid):
                part = yield from self._provide(below)
                yield _attach(qualified(partition.schema, name), qualified(below.schema, part))
        else:
            yield from self._create_leaf(partition, name)
        return name

    def _create_whole(self, table: Table, name: str) -> str:
        if self._constraint is None:
            return f"CREATE {self._unique}INDEX {quote_ident(name)} ON ONLY {table.qualified_name} {self._tail};"
        definition = self._constraint.definition
        return f"ALTER TABLE ONLY {table.qualified_name} ADD CONSTRAINT {quote_ident(name)} {definition};"

    def _create_leaf(self, table: Table, name: str) -> Iterator[str]:
        index = quote_ident(name)
        yield f"CREATE {self._unique}INDEX CONCURRENTLY {index} ON {table.qualified_name} {self._tail};"
        if self._constraint is not None:
            kind = "PRIMARY KEY" if self._constraint.type == "p" else "UNIQUE"
            deferrable = " DEFERRABLE" if self._constraint.is_deferrable else ""
            deferred = " INITIALLY DEFERRED" if self._constraint.is_deferred else ""
            using = f"{kind} USING INDEX {index}{deferrable}{deferred}"
            yield f"ALTER TABLE {table.qualified_name} ADD CONSTRAINT {index} {using};"


def _constraint(schema: Schema, index: Index) -> Constraint | None:
    return None if index.constraint_oid is None else schema.constraints.get(index.constraint_oid)


def _free_parts(schema: Schema, partition: Table, tail: str) -> Iterator[Index]:
    """Iterate over the partition's own indexes that are built as `tail` says and belong to no partitioned index."""
    for index in schema.indexes_of(partition.oid):
        if index.parent_oid is None and index.is_live and not is_leftover(index) and _tail(index, partition) == tail:
            yield index


def _tail(index: Index, table: Table) -> str | None:
    """Return what follows the table's name in the definition, which is the same for a whole and its parts."""
    if index.definition is None:
        return None
    _, _, after = index.definition.partition(f"INDEX {quote_ident(index.name)} ON ")
    before, found, tail = after.removeprefix("ONLY ").partition(f"{table.qualified_name} ")
    return tail if found and not before else None


def _attach(whole: str, part: str) -> str:
    return f"ALTER INDEX {whole} ATTACH PARTITION {part};"
