"""An index that was never finished, or only half dropped.

CREATE INDEX CONCURRENTLY, REINDEX CONCURRENTLY and DROP INDEX CONCURRENTLY work in several transactions. When one of
them is interrupted, by a lock timeout, a cancelled deployment, a deadlock or a duplicate key, the index stays behind
marked invalid. No query uses it. Once the first phase is over every insert and update maintains it all the same, and
a unique one rejects rows with equal keys although it never checked the rows that were there. A migration that is run
again with IF NOT EXISTS takes it for the index it wanted. REINDEX TABLE CONCURRENTLY also leaves such indexes of the
TOAST table, where a table's long values are kept.

The index of a partitioned table is invalid until each partition has its part. Its parts serve queries meanwhile, but
the partitions without one are scanned, and a unique index that is invalid guarantees nothing.

How to fix: what an interrupted REINDEX CONCURRENTLY left (`_ccnew`, `_ccold` at the end of the name) is dropped, and
so is an index whose drop was nearly done, or that has a valid twin. Any other is built anew by REINDEX INDEX
CONCURRENTLY, which lets reads and writes go on. A drop that was interrupted early looks like an interrupted build: if
you wanted to drop the index, do. A unique index whose keys are not unique fails again, and leaves one more invalid
index: first find and remove the rows with equal keys. A partitioned one gets the parts it lacks; when all are valid,
attaching one of them again makes the server notice (older minor releases do not: drop it and create it again). In the
schema pg_toast a table's owner may drop nothing before a superuser has said GRANT USAGE ON SCHEMA pg_toast.

Not reported: an index that is being built, rebuilt or dropped at this moment. Where that cannot be told, on a standby
for instance, the index is listed as not seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.findings.changes import RebuildIndex, Statements
from dbops.findings.finding import Finding, Kind, Location, Tag, Target, Unseen
from dbops.findings.index_fixes import complete, drop_index
from dbops.findings.partition_rollup import roll_up
from dbops.snapshot.amounts import format_bytes, listed, plural
from dbops.snapshot.index_cost import IndexCosts
from dbops.snapshot.index_names import IndexNames
from dbops.snapshot.index_shape import enforced, is_leftover, is_usable, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.findings.fix import Fix
    from dbops.snapshot.rows import Index, Server, Table, TableStatistics
    from dbops.snapshot.schema import Schema

TAG = Tag.STRUCTURAL
FOR_HEALTH = True

_OF_SUPERUSERS: Final = "takes a superuser, or an owner of the table with USAGE on the schema pg_toast"


def check(
    schema: Schema,
    server: tuple[Server, ...],
    table_statistics: tuple[TableStatistics, ...] | None = None,
) -> Iterator[Finding | Unseen]:
    costs = IndexCosts(schema, table_statistics)
    found: list[Finding] = []
    for index, table in _invalid(schema):
        is_being_built = _is_being_built(schema, index, table)
        if is_being_built is None:
            yield Unseen(index.qualified_name, _blindness(server))
        elif not is_being_built:
            found.append(_finding(schema, costs, index, table))
    yield from roll_up(schema, found, message=_message_of_parts)


def _invalid(schema: Schema) -> Iterator[tuple[Index, Table]]:
    """Iterate over the indexes that are not usable; the parts of one are not listed beside it."""
    for index in schema.indexes.values():
        table = schema.tables.get(index.table_oid if index.toast_of is None else index.toast_of)
        whole = None if index.parent_oid is None else schema.indexes.get(index.parent_oid)
        if table is None or schema.root(table).extension is not None:
            continue
        if not is_usable(index) and (whole is None or is_usable(whole)):
            yield index, table


def _is_being_built(schema: Schema, index: Index, table: Table) -> bool | None:
    """Return whether somebody is at it; a partitioned index is being built while any index of a partition is."""
    if index.kind != "I":
        return index.is_being_built
    parts = [part for leaf in schema.leaves(table) for part in schema.indexes_of(leaf.oid) if not is_usable(part)]
    answers = {part.is_being_built for part in parts}
    return True if True in answers else None if None in answers else index.is_being_built


def _blindness(server: tuple[Server, ...]) -> str:
    if any(row.is_standby for row in server):
        return "a standby does not show whether it is being built: look at the primary"
    if any(row.is_monitor for row in server):
        return "the look ended before it could tell whether it is being built: look again"
    return "this role may not see whether it is being built: GRANT pg_monitor TO it"


def _finding(schema: Schema, costs: IndexCosts, index: Index, table: Table) -> Finding:
    is_whole = index.kind == "I"
    twin = _twin(schema, index)
    message = _message_of_whole(schema, index, table) if is_whole else _message(schema, index, table, twin)
    if index.toast_of is not None:
        message += f" It belongs to the TOAST table of {table.qualified_name}."
    return Finding(
        target=Target(Kind.INDEX, index.qualified_name),
        message=message,
        evidence=costs.evidence(index),
        fix=_fix_of_whole(schema, index) if is_whole else _fix(schema, index, table, twin),
        location=_location(schema, index, table),
    )


def _location(schema: Schema, index: Index, table: Table) -> Location:
    if index.toast_of is not None:
        return Location(table_oid=table.oid)
    return Location(table_oid=table.oid, columns=schema.column_names(table.oid, index.columns), index=index.name)


def _twin(schema: Schema, index: Index) -> Index | None:
    """Return a usable index that is the same and enforces as much, so that a rebuilt one would be one too many."""
    shape = shape_of(index)
    if shape is None or index.constraint_oid is not None or index.parent_oid is not None:
        return None
    for other in schema.indexes_of(index.table_oid):
        if (
            is_usable(other)
            and shape_of(other) == shape
            and (not index.is_unique or enforced(other) == enforced(index))
        ):
            return other
    return None


def _message(schema: Schema, index: Index, table: Table, twin: Index | None) -> str:
    size_bytes = schema.size_bytes(index.oid)
    size = f" ({format_bytes(size_bytes)})" if size_bytes else ""
    if not index.is_live:
        return f"DROP INDEX CONCURRENTLY was interrupted: it serves no query and only takes up space{size}."
    if is_leftover(index) and index.name.rstrip("0123456789").endswith("_ccnew"):
        cause = "An interrupted REINDEX CONCURRENTLY left this unfinished copy behind; no query uses it"
    elif is_leftover(index):
        cause = "REINDEX CONCURRENTLY put a new index in its place and was interrupted before it dropped this one"
    elif twin is not None:
        cause = f"No query uses it, as its build was interrupted; {twin.qualified_name} is the same and does the work"
    else:
        cause = "No query uses it, as building or dropping it was interrupted"
    is_lacking = index.is_unique and twin is None and not is_leftover(index)
    if not index.is_ready:
        return f"{cause}{', and rows with equal keys are not kept out' if is_lacking else ''}{size}."
    rejects = ", and it keeps out new rows with equal keys, but never checked the old ones" if is_lacking else ""
    what = "long value that is stored" if index.toast_of else f"insert into {table.qualified_name}"
    return f"{cause}. Every {what} writes it nevertheless{size}{rejects}."


def _fix(schema: Schema, index: Index, table: Table, twin: Index | None) -> Fix:
    name = index.qualified_name
    is_droppable = index.constraint_oid is None and index.parent_oid is None
    if is_droppable and (not index.is_live or is_leftover(index) or twin is not None):
        caution = None if index.toast_of is None else _OF_SUPERUSERS
        return Statements(sql=(f"DROP INDEX CONCURRENTLY {name};",), in_transaction=False).fix(caution=caution)
    if index.is_exclusion:
        locks = "stops writes to the table while it is built: an exclusion constraint's cannot be built concurrently"
        return Statements(sql=(f"REINDEX INDEX {name};",)).fix(caution=locks)
    cautions = []
    size_bytes = schema.size_bytes(table.oid)
    if size_bytes:
        cautions.append(f"reads the {format_bytes(size_bytes)} of {table.qualified_name} twice, while writes go on")
    if index.is_unique:
        cautions.append("fails again, leaving one more invalid index, until rows with equal keys are removed")
    return RebuildIndex(schema=index.schema, name=index.name).fix(caution="; ".join(cautions) or None)


def _message_of_whole(schema: Schema, index: Index, table: Table) -> str:
    partitions = schema.partitions_of(table.oid)
    parts = {part.table_oid: part for part in schema.parts_of(index.oid)}
    missing = [partition.qualified_name for partition in partitions if partition.oid not in parts]
    broken = [part.qualified_name for part in parts.values() if not is_usable(part)]
    unique = " It is unique, and yet nothing guarantees that across the table." if index.is_unique else ""
    if missing:
        lacking = f"{len(missing):,} of {plural(len(partitions), 'partition')} have no part of it: {listed(missing)}"
        return f"It is incomplete, so a query scans what it does not cover. {lacking}.{unique}"
    if broken:
        verb = "is" if len(broken) == 1 else "are"
        return (
            f"{plural(len(broken), 'part')} of it {verb} invalid, and no query can use that: {listed(broken)}.{unique}"
        )
    return f"All its parts are valid, but it is still marked as incomplete.{unique}"


def _fix_of_whole(schema: Schema, index: Index) -> Fix | None:
    if schema.partitions_of(index.table_oid):
        return complete(schema, index, IndexNames(schema))
    drop = drop_index(schema, index)
    return Statements(sql=(*drop.sql, *drop.undo)).fix() if drop else None


def _message_of_parts(root: Table, parts: Sequence[Finding]) -> str:
    return f"{plural(len(parts), 'index')} of {root.qualified_name}'s partitions were never finished."
