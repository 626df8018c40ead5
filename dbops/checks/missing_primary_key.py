"""A table without a primary key.

Nothing tells the rows of such a table apart. A row that was stored twice cannot be deleted once, except by its
physical place. Logical replication (an upgrade without downtime, a copy to a warehouse) refuses every UPDATE and
DELETE on it as soon as the table is published, or compares whole rows where REPLICA IDENTITY is FULL. Every Django
model has a primary key, so the table is one without a model, or one whose key was lost on the way: a restore that
failed half-way, CREATE TABLE … AS, a hand-made copy.

A unique index is not a primary key, even over columns that are NOT NULL: neither Django nor, by default, logical
replication goes by it. It makes the remedy cheap, though.

How to fix:

Where a unique index over NOT NULL columns exists, the primary key takes it over; that lasts a moment.

Where a column is meant to be the key (an identity column, one fed by a sequence, one called id), a unique index is
built beside the traffic first, and the primary key takes that over. The build fails if the column holds a value
twice; what it leaves behind is an invalid index, to be dropped before the next try. To see such values:

    SELECT id, count(*) FROM the_table GROUP BY id HAVING count(*) > 1;

Where there is neither, add an identity column. That rewrites the table, so on a large one do it in steps: add a plain
bigint column, fill it in batches, build the unique index concurrently, then take it over. A table that only ties two
others together may rather take both columns as its key: ADD PRIMARY KEY (left_id, right_id).

The primary key of a partitioned table has to contain its partition key. Unless a unique index shows which columns
those are to be, the choice is yours and no fix is proposed. Nor is one where the keys are unique over a period
(WITHOUT OVERLAPS, PostgreSQL 18): such a constraint is declared as the primary key instead.

Not reported: partitions (the table they are part of is), tables of extensions, materialised views. A partitioned
table whose partitions have a primary key each is only mentioned.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from dbops.findings.changes import Statements
from dbops.findings.finding import Finding, Kind, Location, Severity, Tag, Target
from dbops.snapshot.amounts import format_count
from dbops.snapshot.key_columns import INTEGER_BOUNDS, rewrite_caution
from dbops.snapshot.names import derived_name, quote_ident

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.findings.fix import Fix
    from dbops.snapshot.rows import Column, Constraint, Index, Sequence, Table
    from dbops.snapshot.schema import Schema

TAG = Tag.STRUCTURAL

_KEY_TYPES: Final = frozenset({*INTEGER_BOUNDS, "uuid"})
#: Names for a new key column, the first that is free.
_NEW_NAMES: Final = ("id", "pk", "row_id")


def check(schema: Schema, sequences: tuple[Sequence, ...] | None = None) -> Iterator[Finding]:
    fed = {(used[0], used[1]) for sequence in sequences or () for used in sequence.used_by}
    for table in schema.roots():
        if table.kind == "m" or _has_primary_key(schema, table):
            continue
        evidence = {"rows": schema.rows_of(table), "size_bytes": schema.size_bytes(table.oid)}
        key = _unique_key(schema, table)
        parts_have_keys = table.kind == "p" and _every_partition_has_one(schema, table)
        yield Finding(
            target=Target(Kind.TABLE, table.qualified_name),
            message=_message(table, key, evidence["rows"], parts_have_keys=parts_have_keys),
            severity=Severity.INFO if parts_have_keys else Severity.WARNING,
            evidence={name: number for name, number in evidence.items() if number is not None},
            fix=_fix(schema, table, key, fed),
            location=Location(table_oid=table.oid),
        )


def _has_primary_key(schema: Schema, table: Table) -> bool:
    return any(constraint.type == "p" for constraint in schema.constraints_of(table.oid))


def _every_partition_has_one(schema: Schema, table: Table) -> bool:
    leaves = list(schema.leaves(table))
    return bool(leaves) and all(_has_primary_key(schema, leaf) for leaf in leaves)


def _message(table: Table, key: Index | None, row_count: int | None, *, parts_have_keys: bool) -> str:
    if parts_have_keys:
        return "It has no primary key of its own: its partitions have one each, so a key may be there twice."
    if key is not None:
        by = "Django does not go" if table.replica_identity == "i" else "neither Django nor logical replication goes"
        return f"Only the unique index {key.qualified_name} tells its rows apart; without a primary key {by} by it."
    count = f"its {format_count(row_count)} rows" if row_count else "its rows"
    replication = "logical replication refuses UPDATE and DELETE on it"
    if table.replica_identity == "f":
        replication = "logical replication has to compare whole rows (REPLICA IDENTITY FULL)"
    return f"Nothing tells {count} apart: a row stored twice cannot be deleted once, and {replication}."


def _unique_key(schema: Schema, table: Table) -> Index | None:
    """Return the best index that proves a key: unique over every row, at once, over columns that are never NULL."""
    unproved = {number for constraint in _unproved(schema, table) for number in constraint.columns}
    keys = [
        index
        for index in schema.indexes_of(table.oid)
        if index.is_unique
        and index.is_valid
        and index.is_immediate
        and not index.is_partial
        and not index.has_expressions
        and all(column is not None and column.is_not_null for column in _key_columns(schema, index))
        and unproved.isdisjoint(index.keys)
    ]
    return min(keys, key=lambda index: (not _can_be_taken(schema, index), index.key_count, index.name), default=None)


def _unproved(schema: Schema, table: Table) -> Iterator[Constraint]:
    """Iterate over the NOT NULL constraints that are not validated (PostgreSQL 18)."""
    return (one for one in schema.constraints_of(table.oid) if one.type == "n" and not one.is_validated)


def _key_columns(schema: Schema, index: Index) -> list[Column | None]:
    return [schema.column(index.table_oid, number) for number in index.keys]


def _can_be_taken(schema: Schema, index: Index) -> bool:
    """Whether ADD PRIMARY KEY USING INDEX accepts it: nobody's constraint, and sorted the default way throughout.

    The server prints what is not the default (an operator class, a collation, DESC), so the definition tells.
    """
    plain = f" USING btree ({_listed(schema, index)})"
    definition = index.definition or ""
    return (
        index.kind == "i"
        and index.constraint_oid is None
        and not index.nulls_not_distinct
        and (definition.endswith(plain) or f"{plain} INCLUDE (" in definition)
    )


def _listed(schema: Schema, index: Index) -> str:
    return ", ".join(quote_ident(name) for name in schema.column_names(index.table_oid, index.keys))


def _fix(schema: Schema, table: Table, key: Index | None, fed: set[tuple[int, int]]) -> Fix | None:
    if key is not None:
        if key.is_exclusion:  # equal keys are allowed where the period is another one
            return None
        if table.kind == "p":
            return _on_partitioned(schema, table, key)
        return _take_over(schema, table, key) if _can_be_taken(schema, key) else _from_unique(schema, table, key)
    if table.kind == "p":
        return None
    column = _meant_key(schema, table, fed)
    if column is not None:
        return _from_column(schema, table, column)
    return None if table.has_children else _new_column(schema, table)


def _take_over(schema: Schema, table: Table, index: Index) -> Fix:
    """The constraint is called as the index is, so that no name changes."""
    undo: tuple[str, ...] = ()
    if index.definition is not None and not _is_relied_on(schema, index):
        undo = (_alter(table, _drop(index.name)), f"{_concurrently(index.definition)};")
    return Statements(sql=(_alter(table, _using(index.name)),), undo=undo, in_transaction=False, is_local=True).fix()


def _from_unique(schema: Schema, table: Table, key: Index) -> Fix:
    """A unique constraint's index cannot change hands: another is built, and the constraint goes where it can."""
    name = _free_name(schema, table)
    actions, undo = [_using(name)], [_alter(table, _drop(name))]
    if key.constraint_oid is not None and key.definition is not None and not _is_relied_on(schema, key):
        unique = f"ADD CONSTRAINT {quote_ident(key.name)} UNIQUE USING INDEX {quote_ident(key.name)}"
        actions.insert(0, _drop(key.name))
        undo = [f"{_concurrently(key.definition)};", _alter(table, _drop(name), unique)]
    return Statements(
        sql=(_create(table, name, _listed(schema, key)), _alter(table, *actions)),
        undo=tuple(undo),
        in_transaction=False,
        is_local=True,
    ).fix()


def _on_partitioned(schema: Schema, table: Table, key: Index) -> Fix:
    name = _free_name(schema, table)
    primary_key = f"ADD CONSTRAINT {quote_ident(name)} PRIMARY KEY ({_listed(schema, key)})"
    return Statements(sql=(_alter(table, primary_key),), undo=(_alter(table, _drop(name)),), is_local=True).fix(
        caution="builds an index of every partition under an exclusive lock: nobody can read or write them meanwhile"
    )


def _meant_key(schema: Schema, table: Table, fed: set[tuple[int, int]]) -> Column | None:
    """Return the one column that is meant to be the key, by what feeds it or by its name."""
    columns = [column for column in schema.columns_of(table.oid) if column.base_type in _KEY_TYPES]
    counted = [column for column in columns if column.identity or (table.oid, column.number) in fed]
    named = [column for column in columns if column.name == "id"]
    return counted[0] if len(counted) == 1 else named[0] if named else None


def _from_column(schema: Schema, table: Table, column: Column) -> Fix:
    name = _free_name(schema, table)
    undo = [_alter(table, _drop(name))]
    caution = f"fails if {schema.qualified_column(table, column.number)} holds a value twice"
    if not column.is_not_null:
        undo.append(_alter(table, f"ALTER COLUMN {quote_ident(column.name)} DROP NOT NULL"))
        caution += ", or NULL, which it reads the whole table for under an exclusive lock"
    # A primary key is refused while its column may still hold NULL from before.
    proofs = [
        _alter(table, f"VALIDATE CONSTRAINT {quote_ident(constraint.name)}")
        for constraint in _unproved(schema, table)
        if column.number in constraint.columns
    ]
    if proofs:
        caution += ", or NULL"
    return Statements(
        sql=(*proofs, _create(table, name, quote_ident(column.name)), _alter(table, _using(name))),
        undo=tuple(undo),
        in_transaction=False,
        is_local=True,
    ).fix(caution=caution)


def _new_column(schema: Schema, table: Table) -> Fix | None:
    name = next((name for name in _NEW_NAMES if schema.column_named(table.oid, name) is None), None)
    if name is None:
        return None
    return Statements(
        sql=(_alter(table, f"ADD COLUMN {quote_ident(name)} bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),),
        undo=(_alter(table, f"DROP COLUMN {quote_ident(name)}"),),
        is_local=True,
    ).fix(caution=rewrite_caution(schema, [table]))


def _free_name(schema: Schema, table: Table) -> str:
    """Return a name for the key and its index: the one that the server would choose, or the next that is free."""
    taken = schema.names_taken[table.schema]
    names = (derived_name(table.name, suffix=f"pkey{number or ''}") for number in itertools.count())
    return next(name for name in names if name not in taken)


def _alter(table: Table, *actions: str) -> str:
    return f"ALTER TABLE {table.qualified_name} {', '.join(actions)};"


def _using(name: str) -> str:
    return f"ADD CONSTRAINT {quote_ident(name)} PRIMARY KEY USING INDEX {quote_ident(name)}"


def _drop(constraint: str) -> str:
    return f"DROP CONSTRAINT {quote_ident(constraint)}"


def _create(table: Table, name: str, columns: str) -> str:
    return f"CREATE UNIQUE INDEX CONCURRENTLY {quote_ident(name)} ON {table.qualified_name} ({columns});"


def _concurrently(definition: str) -> str:
    return definition.replace("CREATE UNIQUE INDEX ", "CREATE UNIQUE INDEX CONCURRENTLY ", 1)


def _is_relied_on(schema: Schema, index: Index) -> bool:
    """Whether something would go with the index: a foreign key, the replica identity, CLUSTER's choice."""
    referred = any(foreign_key.index_oid == index.oid for foreign_key in schema.references_to(index.table_oid))
    return referred or index.is_replica_identity or index.is_clustered
