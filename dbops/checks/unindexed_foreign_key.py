"""A foreign key without an index that starts with its columns.

PostgreSQL indexes what a foreign key points to, never the key itself. Deleting a row of the other table (or changing
its key) then reads the whole referencing table for each row that goes, to find what refers to it, while the row stays
locked and others wait. So do joins and every `user.tasks.all()`. Django makes the index unless it is told not to
(`db_index=False`), so what is missing was left out, dropped, or comes from SQL.

An index serves when it is a valid b-tree whose first columns are the key's columns, in any order (or a hash index,
for a key of one column), and when it is not partial, or leaves out only rows where the key is NULL. A text column has
to be indexed under its own collation. The primary key's
or a unique constraint's does as well as any. On a partitioned table it may be the table's own or one on every
partition.

Generic foreign keys (contenttypes) have no constraint, but are looked up the same way, by content type and object id
together: their pair of columns is reported when no index starts with both, or with the object id alone, which is
nearly as selective as the pair, since few tables share an id.

It is critical when rows of the other table really are deleted and the referencing table is large.

How to fix: create the index, on the model: drop `db_index=False` from the ForeignKey, or add an Index to Meta.indexes
with the name given here and let the migration use AddIndexConcurrently. Where one was begun and not finished, rebuild
that. When rows of the other table are never deleted and nothing looks the key up, ignore the finding with that
reason.

Not reported: a key covered by a wider index, by one on the same columns in another order, or by one on `WHERE key IS
NOT NULL`; keys that the server does not enforce (NOT ENFORCED, PostgreSQL 18), as nothing looks them up; the copies
of a partitioned table's key on its partitions. An unrelated partial index does not cover a key, nor does one on an
expression, nor a GIN, GiST or BRIN index.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbops.findings.changes import CreateIndex, RebuildIndex
from dbops.findings.finding import Basis, Finding, Kind, Location, Severity, Tag, Target, Unseen
from dbops.findings.index_fixes import complete, partitions_for
from dbops.findings.partition_rollup import roll_up
from dbops.snapshot.amounts import format_bytes, listed, plural
from dbops.snapshot.index_names import IndexNames
from dbops.snapshot.index_shape import is_leftover, is_usable, serves_look_up
from dbops.snapshot.names import qualified, quote_ident

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dbops.findings.fix import Fix
    from dbops.snapshot.rows import Constraint, GenericRelation, Index, Table, TableStatistics
    from dbops.snapshot.schema import Schema

TAG = Tag.STRUCTURAL


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    """Columns of a table that are looked up together: by foreign keys, or, without any, by a generic relation.

    `enough` lists further sets of columns that will do in their place.
    """

    table: Table
    columns: tuple[str, ...]
    foreign_keys: tuple[Constraint, ...] = ()
    enough: tuple[tuple[str, ...], ...] = ()

    @property
    def target(self) -> str:
        if self.foreign_keys:
            return qualified(self.table.schema, self.table.name, self.foreign_keys[0].name)
        return _on(self.table, self.columns)


def check(
    schema: Schema,
    generic_relations: tuple[GenericRelation, ...] | None = None,
    table_statistics: tuple[TableStatistics, ...] | None = None,
    *,
    large_bytes: int = 10 * 1024**2,  # reading more than that for each deleted row is felt by everybody
    deletes: int = 1,  # the other table's rows are deleted when that many were, since the counters' reset
) -> Iterator[Finding | Unseen]:
    lacking: list[_Need] = []
    for need in (*_of_foreign_keys(schema), *_of_generic_relations(schema, generic_relations or ())):
        covered = _is_covered(schema, need.table, (need.columns, *need.enough))
        if covered is None:
            yield Unseen(need.target, "its table is locked by another session, so its partial indexes were not read")
        elif not covered and any(index.is_being_built for index in _begun(schema, need)):
            yield Unseen(need.target, "an index for it is being built at this moment")
        elif not covered:
            lacking.append(need)
    names = IndexNames(schema)
    deleted = {row.oid: row.deletes for row in table_statistics or ()}
    found = []
    for need in lacking:
        parent_deletes = _deletes(schema, need, deleted)
        size_bytes = schema.size_bytes(need.table.oid)
        hurts = (parent_deletes or 0) >= deletes and (size_bytes or 0) > large_bytes
        fix = _fix(schema, need, lacking, names)
        found.append(
            _finding(schema, need, fix, parent_deletes, severity=Severity.CRITICAL if hurts else Severity.WARNING)
        )
    yield from roll_up(schema, found, message=_message_of_parts, target=_target_at_root)


def _of_foreign_keys(schema: Schema) -> list[_Need]:
    """Return what foreign keys look up: keys on the same columns are one need, as one index serves them all."""
    together: dict[tuple[int, frozenset[int]], list[Constraint]] = defaultdict(list)
    for key in schema.foreign_keys():
        if key.is_enforced and schema.root(schema.tables[key.table_oid]).extension is None:
            together[key.table_oid, frozenset(key.columns)].append(key)
    needs = []
    for (table_oid, _), keys in together.items():
        keys.sort(key=lambda key: key.name)
        columns = tuple(dict.fromkeys(schema.column_names(table_oid, keys[0].columns)))
        needs.append(_Need(table=schema.tables[table_oid], columns=columns, foreign_keys=tuple(keys)))
    return needs


def _of_generic_relations(schema: Schema, relations: Sequence[GenericRelation]) -> list[_Need]:
    """Return what generic relations look up; models of one table share theirs, and what is not there is left out."""
    needs: dict[tuple[int, frozenset[str]], _Need] = {}
    for relation in relations:
        table = schema.resolve(relation.db_table)
        pair = (relation.content_type_column, relation.object_id_column)
        if (
            table is None
            or table.extension is not None
            or any(schema.column_named(table.oid, name) is None for name in pair)
        ):
            continue
        needs[table.oid, frozenset(pair)] = _Need(table=table, columns=pair, enough=((relation.object_id_column,),))
    return list(needs.values())


def _is_covered(schema: Schema, table: Table, choices: Sequence[Sequence[str]]) -> bool | None:
    """Return whether an index serves one of the sets of columns in `choices`; None when that could not be read.

    The partitions of a table together serve as well as an index of the whole.
    """
    numbered = [_numbered(schema, table, columns) for columns in choices]
    answers = {
        _serves(schema, index, columns)
        for index in schema.indexes_of(table.oid)
        if is_usable(index)
        for columns in numbered
    }
    partitions = schema.partitions_of(table.oid)
    of_partitions = {_is_covered(schema, partition, choices) for partition in partitions}
    if True in answers or of_partitions == {True}:
        return True
    return None if None in answers or (None in of_partitions and False not in of_partitions) else False


def _serves(schema: Schema, index: Index, columns: Mapping[int, str]) -> bool | None:
    """Return what `serves_look_up` says, provided that the keys have their columns' own collations.

    An equality is compared under the column's collation, and no index under another one can answer it.
    """
    for number, collation in zip(index.keys, index.collations, strict=False):
        column = schema.column(index.table_oid, number)
        if number in columns and column is not None and column.collation != collation:
            return False
    return serves_look_up(index, columns)


def _numbered(schema: Schema, table: Table, columns: Sequence[str]) -> dict[int, str]:
    """Return the columns by their numbers in this table: a partition may count them otherwise than the whole."""
    known = ((schema.column_named(table.oid, name), name) for name in columns)
    return {column.number: name for column, name in known if column is not None}


def _begun(schema: Schema, need: _Need) -> list[Index]:
    """Return the indexes that would serve if they were finished."""
    columns = _numbered(schema, need.table, need.columns)
    return [
        index
        for index in schema.indexes_of(need.table.oid)
        if not is_usable(index) and index.is_live and not is_leftover(index) and _serves(schema, index, columns)
    ]


def _fix(schema: Schema, need: _Need, lacking: Sequence[_Need], names: IndexNames) -> Fix | None:
    table = need.table
    for begun in _begun(schema, need):
        if begun.kind == "I":
            return complete(schema, begun, names)
        return RebuildIndex(schema=begun.schema, name=begun.name).fix()
    columns = _columns_for_all(need, lacking)
    size_bytes = schema.size_bytes(table.oid)
    return CreateIndex(
        schema=table.schema,
        table=table.name,
        columns=columns,
        name=names.name(table, columns),
        is_partitioned=table.kind == "p",
        partitions=partitions_for(schema, table, columns, names),
    ).fix(
        caution=f"reads the {format_bytes(size_bytes)} of the table twice, while writes go on" if size_bytes else None
    )


def _columns_for_all(need: _Need, lacking: Sequence[_Need]) -> tuple[str, ...]:
    """Return the columns to index: those of a wider need that starts with these, as its index will serve both."""
    count = len(need.columns)
    for other in lacking:
        is_wider = other.table is need.table and len(other.columns) > count
        if is_wider and set(other.columns[:count]) == set(need.columns):
            return other.columns
    return need.columns


def _deletes(schema: Schema, need: _Need, deleted: Mapping[int, int]) -> int | None:
    """Return how many rows were deleted of the tables that the keys point to; None when it is not known of any."""
    parents = {schema.tables.get(key.referenced_table_oid or 0) for key in need.foreign_keys}
    counted = [deleted.get(leaf.oid) for parent in parents if parent for leaf in schema.leaves(parent)]
    known = [count for count in counted if count is not None]
    return sum(known) if known and len(known) == len(counted) else None


def _finding(
    schema: Schema, need: _Need, fix: Fix | None, parent_deletes: int | None, *, severity: Severity
) -> Finding:
    table = need.table
    parent = schema.tables.get(need.foreign_keys[0].referenced_table_oid or 0) if need.foreign_keys else None
    known = {
        "rows": schema.rows_of(table),
        "table_size_bytes": schema.size_bytes(table.oid),
        "parent_rows": schema.rows_of(parent) if parent else None,
        "parent_deletes": parent_deletes,
    }
    return Finding(
        target=Target(Kind.CONSTRAINT, need.target),
        message=_message(schema, need, parent, parent_deletes if severity is Severity.CRITICAL else None),
        severity=severity,
        basis=Basis.MEASURED if severity is Severity.CRITICAL else Basis.STRUCTURAL,
        evidence={name: value for name, value in known.items() if value is not None},
        fix=fix,
        location=Location(
            table_oid=table.oid,
            columns=need.columns,
            constraint=need.foreign_keys[0].name if need.foreign_keys else None,
        ),
        rolled_up=tuple(qualified(table.schema, table.name, key.name) for key in need.foreign_keys[1:]),
    )


def _message(schema: Schema, need: _Need, parent: Table | None, parent_deletes: int | None) -> str:
    table, columns = need.table, listed(list(need.columns), most=len(need.columns))
    rows, size_bytes = schema.rows_of(table), schema.size_bytes(table.oid)
    what = f"{plural(rows, 'row')} of {table.qualified_name}" if rows else f"all of {table.qualified_name}"
    scanned = f"{what} ({format_bytes(size_bytes)})" if size_bytes else what
    if not need.foreign_keys:
        return f"Finding what belongs to an object scans {scanned}: no index starts with {columns}."
    parent_rows = schema.rows_of(parent) if parent else None
    parent_name = parent.qualified_name if parent else "the other table"
    deleting = f"one of {plural(parent_rows, 'row')}" if parent_rows else "a row"
    were = "was" if parent_deletes == 1 else "were"
    often = f" {plural(parent_deletes, 'row')} {were} deleted since the counters were reset." if parent_deletes else ""
    return f"Deleting {deleting} of {parent_name} scans {scanned} under lock: no index starts with {columns}.{often}"


def _on(table: Table, columns: Sequence[str]) -> str:
    return f"{table.qualified_name}({', '.join(map(quote_ident, columns))})"


def _target_at_root(root: Table, finding: Finding) -> Target:
    columns = finding.location.columns if finding.location else ()
    return Target(Kind.CONSTRAINT, _on(root, columns))


def _message_of_parts(root: Table, parts: Sequence[Finding]) -> str:
    have = "has a foreign key of its own" if len(parts) == 1 else "have foreign keys of their own"
    return f"{plural(len(parts), 'partition')} of {root.qualified_name} {have} without an index."
