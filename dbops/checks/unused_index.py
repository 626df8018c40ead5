"""An index that no query has used for a long time, on any server.

Every index has to be written by each insert and by each update that is not HOT, is vacuumed, dumped, replicated, and
takes room in the cache from what is used. One that finds no rows does all that for nothing.

Unused is only what every server that answers for the data has left alone for 35 days: the primary and all standbys, as
reports often run on a standby, and many once a month. Where the counters of one are not known, or are younger than
that, no index is called unused. What runs once a quarter or once a year is not seen by that either: think of the year's
end before you drop one.

How to fix: drop it, in the model: `db_index=False`, or the entry out of Meta.indexes; on the server concurrently. Its
definition is kept in the undo. Where it is there for a rare and important job, ignore the finding with that reason.

Not reported: indexes smaller than 1 MB; those that are unique, uphold a constraint, identify replicated rows or are
clustered on, for they work without being scanned; the only one by which a foreign key, or a generic one, is looked up
(of two that both could, only one is reported); those of extensions' tables; what duplicate_index, redundant_index and
pattern_twin_index want to go, and what these name as the one that stays: it would have to do the work of both.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from dbops.findings.finding import Basis, Confidence, Finding, Kind, Location, Severity, Tag, Target, Unseen
from dbops.findings.index_fixes import drop_index
from dbops.findings.partition_rollup import roll_up
from dbops.snapshot.amounts import format_bytes, format_count, listed, plural
from dbops.snapshot.foreign_key_covers import ForeignKeyCovers
from dbops.snapshot.index_uses import IndexUses
from dbops.snapshot.index_window import IndexWindow
from dbops.snapshot.names import quote_ident
from dbops.snapshot.pattern_twins import pattern_twins
from dbops.snapshot.query_indexes import query_indexes
from dbops.snapshot.superseded_indexes import superseded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dbops.snapshot.activity_rows import IndexServer, IndexUse, TableActivity
    from dbops.snapshot.integrity_rows import Collation
    from dbops.snapshot.rows import GenericRelation, Index, Server, Table
    from dbops.snapshot.schema import Schema

TAG = Tag.LIVE


def check(
    schema: Schema,
    index_uses: tuple[IndexUse, ...],
    index_servers: tuple[IndexServer, ...],
    server: tuple[Server, ...],
    table_activity: tuple[TableActivity, ...] | None = None,
    generic_relations: tuple[GenericRelation, ...] | None = None,
    collations: tuple[Collation, ...] | None = None,
    *,
    unused_days: int = 35,  # a month has 31 days, and its report may be late
    min_bytes: int = 1024**2,  # below that it costs next to nothing
    large_bytes: int = 100 * 1024**2,  # from there on it is a warning,
    many_writes: int = 1_000_000,  # or when it took part in so many in the window
) -> Iterator[Finding | Unseen]:
    within = timedelta(days=unused_days)
    uses, window = (
        IndexUses(schema, index_uses, index_servers, server[0].observed_at),
        IndexWindow(schema, table_activity),
    )
    idle, young = [], []
    for index in _candidates(schema, collations, uses, within):
        size_bytes = schema.size_bytes(index.oid)
        if uses.is_used(index, within) or (size_bytes is not None and size_bytes < min_bytes):
            continue
        if not uses.is_idle(index, within):
            young.append(index)
        elif size_bytes is None:
            yield Unseen(
                index.qualified_name, "its size was not read: another session has locked it, or it has just gone"
            )
        else:
            idle.append((size_bytes, index))
    leaving = {one.index.oid for one in superseded(schema)} | {
        pair.twin.oid for pair in pattern_twins(schema, collations)
    }
    covers = ForeignKeyCovers(schema, generic_relations or (), leaving=leaving)
    found = []
    for size_bytes, index in sorted(idle, key=lambda one: (-one[0], one[1].qualified_name)):
        if covers.let_go(index):
            writes = window.writes(index)
            is_costly = size_bytes >= large_bytes or (writes or 0) >= many_writes
            found.append(_finding(schema, uses, index, size_bytes, writes, is_costly=is_costly, within=within))
    yield from roll_up(schema, found, message=_message_of_parts)
    if young:
        yield _unseen(uses, young, server[0], unused_days)


def _candidates(
    schema: Schema, collations: Iterable[Collation] | None, uses: IndexUses, within: timedelta
) -> Iterator[Index]:
    """Iterate over the indexes for queries alone that no other check has something to say about."""
    judged = {oid for one in superseded(schema) for oid in (one.index.oid, one.kept.oid)}
    for pair in pattern_twins(schema, collations):
        if pair.is_needless or not uses.is_idle(pair.plain, within):
            judged.add(pair.twin.oid)
        if not uses.is_idle(pair.twin, within):
            judged.add(pair.plain.oid)
    return (index for index in query_indexes(schema) if index.oid not in judged)


def _finding(
    schema: Schema,
    uses: IndexUses,
    index: Index,
    size_bytes: int,
    writes: int | None,
    *,
    is_costly: bool,
    within: timedelta,
) -> Finding:
    evidence: dict[str, int | float | str] = {
        "size_bytes": size_bytes,
        "unused_days": uses.idle_days(index),
        "servers": uses.servers,
    }
    if writes is not None:
        evidence["writes"] = writes
    confidence = Confidence.HIGH if uses.has_history(index, within) else Confidence.MEDIUM
    return Finding(
        target=Target(Kind.INDEX, index.qualified_name),
        message=_message(schema, uses, index, size_bytes, writes),
        severity=Severity.WARNING if is_costly else Severity.INFO,
        # The planner takes what ANALYZE found of an expression from its index, whether it scans that or not.
        confidence=Confidence.LOW if index.has_expressions else confidence,
        basis=Basis.MEASURED,
        evidence=evidence,
        fix=drop_index(schema, index),
        location=Location(
            table_oid=index.table_oid,
            columns=schema.column_names(index.table_oid, index.columns),
            index=index.name,
        ),
    )


def _message(schema: Schema, uses: IndexUses, index: Index, size_bytes: int, writes: int | None) -> str:
    table = schema.tables[index.table_oid].qualified_name
    wrote = f"; {format_count(writes)} writes to {table} in the window went to it as well" if writes else ""
    expression = " It also gives the planner statistics of its expression." if index.has_expressions else ""
    return (
        f"No query has used its {format_bytes(size_bytes)} for {plural(uses.idle_days(index), 'day')}, on any server "
        f"({uses.servers}){wrote}.{expression}"
    )


def _unseen(uses: IndexUses, young: Sequence[Index], server: Server, unused_days: int) -> Unseen:
    """Return the one line about all that nobody was seen to use, and that may be used all the same."""
    days = min(max(uses.idle_days(index) for index in young), unused_days)
    known = f"{days} of the {unused_days} days that are needed are known"
    if uses.unseen:
        names = listed([one.name for one in uses.unseen])
        reasons = "; ".join(dict.fromkeys(one.unseen or "" for one in uses.unseen))
        return Unseen(
            names, f"whether it uses {plural(len(young), 'index')} is not known ({reasons}); elsewhere {known}"
        )
    return Unseen(quote_ident(server.database), f"whether {plural(len(young), 'index')} may go cannot be told: {known}")


def _message_of_parts(root: Table, parts: Sequence[Finding]) -> str:
    are = "is" if len(parts) == 1 else "are"
    return f"{plural(len(parts), 'index')} of {root.qualified_name}'s partitions {are} used by no query, on any server."
